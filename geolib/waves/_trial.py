"""Some shots of a survey and the derivatives of their traces: what `certify` makes its checks of."""

from __future__ import annotations

import math
import time
from typing import Any, NamedTuple

import torch

from geolib.waves.propagate import misfit_and_gradient, propagate
from geolib.waves.survey import KINDS, Survey, longest_step

#: Shots that are tried at most, spread evenly over the survey.
SHOTS = 6
ALL = "all cells"
#: Radians by which the smaller of both steps may turn a wave that crosses all changed cells: all there are, or a few.
TURN, TURN_BY_FEW = 1e-3, 7e-3


class Gradients(NamedTuple):
    """Traces of some shots, and what their derivatives in velocity are said to be, each shot's by itself."""

    traces: torch.Tensor
    weighted: torch.Tensor  # of sum(weights * traces)
    misfit: torch.Tensor  # of sum((traces - observed)^2) / 2
    gap: float  # between both sides of the dot product, over their norms
    off: float  # the misfit that is returned, from that of the traces, over it


class Trial:
    """Some shots of a survey, each with a model of its own, and the derivatives that are tried on them."""

    def __init__(
        self,
        velocity: torch.Tensor,
        survey: Survey,
        observed: torch.Tensor | None,
        options: dict[str, Any],
        seed: int,
    ) -> None:
        self.survey, self.options = survey, options
        self.shots = torch.linspace(0, survey.n_shots - 1, min(SHOTS, survey.n_shots)).round().long()
        turn = 2 * math.pi * survey.mean_frequency * survey.dt * survey.nt
        self.step, self.step_of_few = TURN / turn, TURN_BY_FEW / turn
        # Steps must not leave the stable velocities.
        fastest = longest_step(survey.grid, 1.0, options["space_order"]) / survey.dt / (1 + 4 * self.step_of_few)
        self.seconds = math.inf
        self.shared = velocity.dim() == len(survey.grid.shape)
        self.model = (velocity if self.shared else velocity[self.shots]).clamp(max=fastest)
        self.models = self.model.double().expand(len(self.shots), *survey.grid.shape)
        self.whole = survey.source_amplitudes[self.shots]
        self.compiling = self._warmed_up()
        self.heard = propagate(self.model, self.part(self.whole), **options).double()
        self.amplitudes = self.whole[..., : self._samples()].double()
        generator = torch.Generator().manual_seed(seed)

        def normal(*shape: int) -> torch.Tensor:
            return torch.randn(shape, generator=generator, dtype=torch.float64).to(velocity.device)

        self.weights = normal(len(self.shots), survey.receiver_locations.shape[1], self.amplitudes.shape[-1])
        self.sources = normal(*self.amplitudes.shape)
        self.sizes = 0.5 + normal(*self.models.shape).abs().clamp(max=1)
        # As strong as the traces, whatever their own strength; noise, so that something is left to fit at every sample.
        data = self.heard if observed is None else observed[self.shots].to(self.heard)
        self.observed = _strength(self.heard) * (data / _strength(data).clamp_min(1e-300) + normal(*data.shape))
        self.single, self.double = self._gradients(torch.float32), self._gradients(torch.float64)

    def _warmed_up(self) -> float:
        """Return the seconds to compile, if need be, the kernels of both precisions: two steps of one shot by each."""
        begin, row = time.perf_counter(), torch.tensor([0])
        for kind in (torch.float32, torch.float64):
            survey, model = self.part(self.whole[row, :, :2].to(kind), row), self.models[0].to(kind)
            nothing = propagate(model, survey, **self.options)
            misfit_and_gradient(model, survey, nothing, **self.options)
        return time.perf_counter() - begin

    def _samples(self) -> int:
        """Return how much of the record is tried cell by cell; the rest is by `certify`'s last rows."""
        energy = (self.heard / self.heard.abs().max().clamp_min(1e-300)).square().sum(1).cumsum(-1)
        half = int((energy < 0.5 * energy[:, -1:]).sum(-1).max()) + 1
        share = min(1.0, self.survey.n_shots / (3 * len(self.shots)))
        return min(self.survey.nt, max(half, math.ceil(share * self.survey.nt)))

    def part(self, amplitudes: torch.Tensor, rows: torch.Tensor | slice = slice(None)) -> Survey:
        """Return the survey of the shots that are tried, or of some of them, with these amplitudes."""
        return self.survey.of_shots(self.shots[rows], nt=amplitudes.shape[-1], source_amplitudes=amplitudes)

    def misfit_gradient(self, models: torch.Tensor, amplitudes: torch.Tensor) -> tuple[float, torch.Tensor]:
        """Return half the squares of what is not fitted, and its gradient; in the survey's precision it is timed, too.

        Faults that change data, or the value alone, are nowhere else to be seen.
        """
        observed, begin = self.observed[..., : amplitudes.shape[-1]].to(amplitudes), time.perf_counter()
        value, gradient = misfit_and_gradient(models, self.part(amplitudes), observed, **self.options)
        if amplitudes.dtype == self.model.dtype:
            share = len(self.shots) * amplitudes.shape[-1] / (self.survey.n_shots * self.survey.nt)
            self.seconds = min(self.seconds, (time.perf_counter() - begin) / share)
        return float(value) * len(self.shots), gradient * len(self.shots)

    def left(self, traces: torch.Tensor) -> torch.Tensor:
        """Return what traces of all shots, of any length, leave of the observed ones."""
        return traces.double() - self.observed[..., : traces.shape[-1]]

    def off(self, value: float, traces: torch.Tensor) -> float:
        """Return how far a misfit is from that of these traces, over it."""
        exact = float(self.left(traces).square().sum()) / 2
        return abs(value - exact) / max(exact, 1e-300)

    def _gradients(self, kind: torch.dtype) -> Gradients:
        models = self.models.to(kind).clone().requires_grad_()
        amplitudes, weights = self.amplitudes.to(kind).clone().requires_grad_(), self.weights.to(kind)
        traces = propagate(models, self.part(amplitudes), **self.options)
        weighted, source = torch.autograd.grad((weights * traces).sum(), (models, amplitudes))
        sources = self.sources.to(kind)
        answer = propagate(models.detach(), self.part(sources), **self.options)
        gap = (weights.double() * answer.double()).sum() - (sources.double() * source.double()).sum()
        scale = weights.double().norm() * answer.double().norm()
        value, misfit = self.misfit_gradient(models.detach(), amplitudes.detach())
        return Gradients(traces.detach(), weighted, misfit, float(gap.abs() / scale), self.off(value, traces.detach()))

    def groups(self) -> dict[str, torch.Tensor]:
        """Return by name the cells of each kind in each shot, 1 where they are."""
        shape, edge = self.survey.grid.shape, self.survey.boundary
        kinds = {kind: torch.zeros_like(self.models) for kind in KINDS}
        for axis, sides in enumerate(((edge.top, edge.bottom), edge.sides)[: len(shape)], start=1):
            for side, end in zip(sides, (0, shape[axis - 1] - 1), strict=True):
                kinds[side].select(axis, end).fill_(1)
        found = {ALL: torch.ones_like(self.models)}
        found |= {"cells at free sides": kinds["free"], "cells at the layer": kinds["absorbing"]}
        for name in ("source", "receiver"):
            points, _ = self.survey.of_shots(self.shots).points(name)
            # The velocity of a layer's points is that of the grid's edge.
            cells = points.flatten(1, 2).clamp_min(0).minimum(torch.tensor(shape) - 1).to(self.models.device)
            found[f"{name} cells"] = torch.zeros_like(self.models)
            for mask, of_shot in zip(found[f"{name} cells"], cells, strict=True):
                mask[of_shot.unbind(-1)] = 1
        return {name: mask for name, mask in found.items() if mask.any()}


def _strength(traces: torch.Tensor) -> torch.Tensor:
    """Return the root mean square of each shot's traces."""
    return traces.square().mean((1, 2), keepdim=True).sqrt()
