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
TURN, TURN_BY_FEW = 1e-3, 1e-2


class Gradients(NamedTuple):
    """Traces of some shots, and what their derivatives in velocity are said to be, each shot's by itself."""

    traces: torch.Tensor
    weighted: torch.Tensor  # of sum(weights * traces)
    misfit: torch.Tensor  # of sum(traces^2) / 2
    gap: float  # between both sides of the dot product, over their norms


class Trial:
    """Some shots of a survey, each with a model of its own, and the derivatives that are tried on them."""

    def __init__(self, velocity: torch.Tensor, survey: Survey, options: dict[str, Any], seed: int) -> None:
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
        """Return how much of the record is tried."""
        energy = (self.heard / self.heard.abs().max().clamp_min(1e-300)).square().sum(1).cumsum(-1)
        half = int((energy < 0.5 * energy[:, -1:]).sum(-1).max()) + 1
        share = min(1.0, self.survey.n_shots / (2 * len(self.shots)))
        return min(self.survey.nt, max(half, math.ceil(share * self.survey.nt)))

    def part(self, amplitudes: torch.Tensor, rows: torch.Tensor | slice = slice(None)) -> Survey:
        """Return the survey of the shots that are tried, or of some of them, with these amplitudes."""
        return self.survey.of_shots(self.shots[rows], nt=amplitudes.shape[-1], source_amplitudes=amplitudes)

    def misfit_gradient(self, models: torch.Tensor, amplitudes: torch.Tensor) -> torch.Tensor:
        """Return the gradient of half the traces' squares; in the survey's own precision it is timed, too."""
        nothing, begin = amplitudes.new_zeros(*self.heard.shape[:2], amplitudes.shape[-1]), time.perf_counter()
        found = misfit_and_gradient(models, self.part(amplitudes), nothing, **self.options)[1] * len(self.shots)
        if amplitudes.dtype == self.model.dtype:
            share = len(self.shots) * amplitudes.shape[-1] / (self.survey.n_shots * self.survey.nt)
            self.seconds = min(self.seconds, (time.perf_counter() - begin) / share)
        return found

    def _gradients(self, kind: torch.dtype) -> Gradients:
        models = self.models.to(kind).clone().requires_grad_()
        amplitudes, weights = self.amplitudes.to(kind).clone().requires_grad_(), self.weights.to(kind)
        traces = propagate(models, self.part(amplitudes), **self.options)
        weighted, source = torch.autograd.grad((weights * traces).sum(), (models, amplitudes))
        sources = self.sources.to(kind)
        answer = propagate(models.detach(), self.part(sources), **self.options)
        gap = (weights.double() * answer.double()).sum() - (sources.double() * source.double()).sum()
        scale = weights.double().norm() * answer.double().norm()
        misfit = self.misfit_gradient(models.detach(), amplitudes.detach())
        return Gradients(traces.detach(), weighted, misfit, float(gap.abs() / scale))

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
