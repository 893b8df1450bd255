"""Sources and receivers between grid points: each becomes a few weighted points around it."""

from __future__ import annotations

import dataclasses
import itertools
from dataclasses import dataclass
from typing import Any

import torch

from geolib import _checks
from geolib._arguments import checked, tensor
from geolib._autograd import taking_gradients
from geolib.waves.propagate import propagate
from geolib.waves.survey import Survey

#: Points on either side, and the shape of the Kaiser window over them.
RADIUS, SHAPE = 4, 4.14


@dataclass(frozen=True, eq=False)
class Between:
    """A survey between grid points (`between` makes it).

    Parameters
    ----------
    survey : Survey
        The same on grid points: each source and each receiver is `n_points` of them.
    weights : (n_shots, n_receivers, n_points) tensor
        By which a receiver adds its points.
    """

    survey: Survey
    weights: torch.Tensor

    def propagate(self, velocity: torch.Tensor, *, space_order: int = 2, backend: str = "fused") -> torch.Tensor:
        """Return the shot gathers (n_shots, n_receivers, nt) of a velocity, as `waves.propagate` does."""
        points = propagate(velocity, self.survey, space_order=space_order, backend=backend)
        return torch.einsum("srp,srpt->srt", self.weights, points.unflatten(1, self.weights.shape[1:]))

    def misfit_and_gradient(
        self, velocity: torch.Tensor, observed: torch.Tensor, *, space_order: int = 2, backend: str = "fused"
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return misfit and gradient, as `waves.misfit_and_gradient` does."""
        tensor("observed", observed, (*self.weights.shape[:2], self.survey.nt))
        if observed.dtype != velocity.dtype:
            raise TypeError(
                f"observed must be {velocity.dtype} as velocity is; got {observed.dtype}. Use observed.to()."
            )
        with taking_gradients():
            model = velocity.detach().clone().requires_grad_()
            residual = self.propagate(model, space_order=space_order, backend=backend) - observed
            misfit = residual.square().sum() / (2 * self.survey.n_shots)
            (gradient,) = torch.autograd.grad(misfit, model)
        return misfit.detach(), gradient


@checked()
def between(survey: Survey, sources: Any, receivers: Any) -> Between:
    """Return a survey with its sources and receivers moved to places between grid points.

    Parameters
    ----------
    survey : Survey
        Grid, time step, boundaries and source amplitudes; its locations only say how many there are.
    sources : (n_shots, n_sources, ndim) tensor
        Positions in grid indices, depth first: 2.5 lies halfway between the points 2 and 3.
    receivers : (n_shots, n_receivers, ndim) tensor
        Positions likewise.

    Returns
    -------
    Between
        Its `propagate` and `misfit_and_gradient` are linear in each place's points, so that adjoints stay exact.

    Raises
    ------
    ValueError
        If a position is off the grid, or at an absorbing side nearer than `RADIUS` points and not on a point.

    Notes
    -----
    Each place takes up to (2 RADIUS)^ndim points. Beyond a free side the wavefield is turned over, and the points'
    weights with it.

    References
    ----------
    Hicks (2002), Geophysics 67, 156.
    """
    kind = survey.source_amplitudes
    at_sources, by_source = _points("sources", sources, survey, survey.source_locations.shape)
    at_receivers, weights = _points("receivers", receivers, survey, survey.receiver_locations.shape)
    amplitudes = by_source.to(kind)[..., None] * survey.source_amplitudes[:, :, None]
    on_points = dataclasses.replace(
        survey,
        source_locations=at_sources.flatten(1, 2),
        receiver_locations=at_receivers.flatten(1, 2),
        source_amplitudes=amplitudes.flatten(1, 2),
    )
    return Between(on_points, weights.to(kind))


def _points(name: str, places: Any, survey: Survey, shape: torch.Size) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the points (n_shots, n, n_points, ndim) of places, and their weights."""
    given = torch.as_tensor(places, dtype=torch.float64)
    _checks.shape(name, given, tuple(shape), "Give as many as the survey has.")
    size = torch.tensor(survey.grid.shape)
    off = ((given < 0) | (given > size - 1) | ~given.isfinite()).any(-1)
    if off.any():
        first = tuple(round(float(x), 6) for x in given[off][0])
        raise ValueError(f"{name} must lie on the grid of shape {survey.grid.shape}; got {first}. Move them inside.")
    axes = []
    for axis, widths in enumerate(survey.boundary.padding(len(size))):
        axes.append(_along(name, given[..., axis], survey.grid.shape[axis], widths))
    points, weights = [], []
    for taps in itertools.product(range(2 * RADIUS), repeat=len(axes)):
        points.append(torch.stack([at[..., tap] for (at, _), tap in zip(axes, taps, strict=True)], -1))
        weights.append(torch.stack([w[..., tap] for (_, w), tap in zip(axes, taps, strict=True)]).prod(0))
    every, weight = torch.stack(points, 2), torch.stack(weights, 2)
    used = (weight != 0).flatten(0, 1).any(0)
    return every[:, :, used], weight[:, :, used]


def _along(name: str, x: torch.Tensor, n: int, widths: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return along one axis the points around each place, and their weights; those beyond a free side are mirrored."""
    points = x.floor().long()[..., None] + torch.arange(1 - RADIUS, RADIUS + 1)
    distance = x[..., None] - points
    window = torch.special.i0(SHAPE * (1 - (distance / RADIUS) ** 2).clamp_min(0).sqrt())
    weights = torch.sinc(distance) * window / torch.special.i0(torch.tensor(SHAPE, dtype=x.dtype))
    weights = torch.where(x[..., None] == x[..., None].round(), (distance == 0).to(x), weights)
    for width, beyond, about in ((widths[0], points < 0, -1), (widths[1], points > n - 1, n)):
        if width and (beyond & (weights != 0)).any():
            raise ValueError(
                f"{name} must lie {RADIUS} points inside an absorbing side, or on a point along its axis; one does "
                "not. Widen the grid."
            )
        # u is zero at `about` and odd about it.
        weights = torch.where(beyond, torch.where(points == about, 0.0, -weights), weights)
        points = torch.where(beyond, 2 * about - points, points)
    return points.clamp(0, n - 1), weights
