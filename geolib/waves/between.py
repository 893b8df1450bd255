"""Sources and receivers between grid points: each becomes a few weighted points around it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from geolib import _checks
from geolib._arguments import array, checked
from geolib.waves.survey import Survey

#: Points on either side, and the shape of the Kaiser window over them.
RADIUS, SHAPE = 4, 4.14
_REMEDY = "Axes are shot, position in the shot, and (depth, distance)."


@dataclass(frozen=True, eq=False, kw_only=True)
class Between(Survey):
    """A survey with places between grid points (`between` makes it); all that takes a survey takes this one.

    Parameters
    ----------
    source_positions, receiver_positions : (n_shots, n, ndim) tensor
        Positions in grid indices, depth first; `source_locations` and `receiver_locations` are the nearest grid points.
    """

    source_positions: Any
    receiver_positions: Any

    PLACES: ClassVar[tuple[str, str]] = ("source_positions", "receiver_positions")

    def __post_init__(self) -> None:
        for place in ("source", "receiver"):
            given = _float64(f"{place}s", getattr(self, f"{place}_positions"))
            _checks.shape(f"{place}s", given, (None, None, len(self.grid.shape)), _REMEDY)
            _must_lie_on(self.grid.shape, f"{place}s", given)
            object.__setattr__(self, f"{place}_positions", given)
            object.__setattr__(self, f"{place}_locations", given.round().long())
        super().__post_init__()
        for place in ("source", "receiver"):
            self._along(place)

    def points(self, place: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the grid points around each source or receiver, and their weights, as `Survey.points` does."""
        (points, weights), *more = self._along(place)
        points = points[..., None]
        for at, by in more:
            shape = (*weights.shape, by.shape[-1])
            before = points[..., None, :].expand(*shape, points.shape[-1])
            points = torch.cat([before, at[..., None, :].expand(shape)[..., None]], -1).flatten(2, 3)
            weights = (weights[..., None] * by[..., None, :]).flatten(2, 3)
        used = (weights != 0).flatten(0, 1).any(0)
        return points[:, :, used], weights[:, :, used]

    def _along(self, place: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """Return along each axis the points that a place needs, and their weights, both (n_shots, n, n_points)."""
        positions, found = getattr(self, f"{place}_positions"), []
        for axis, widths in enumerate(self.boundary.padding(len(self.grid.shape))):
            points, weights = _along(f"{place}s", positions[..., axis], self.grid.shape[axis], widths)
            needed = (weights != 0).flatten(0, 1).any(0)
            found.append((points[..., needed], weights[..., needed]))
        return found


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
        A survey for `propagate`, `misfit_and_gradient`, `certify` and all others. Places on grid points are these
        points, to the last bit.

    Raises
    ------
    ValueError
        If a position is off the grid, or needs points beyond an absorbing layer that is thinner than `RADIUS`.

    Notes
    -----
    Each place takes up to (2 RADIUS)^ndim points. Beyond a free side the wavefield is turned over, and the points'
    weights with it; in an absorbing layer it has hardly begun to fade. What is recorded is linear in each place's
    points, so that adjoints stay exact. `misfit_and_gradient` costs one forward more than on grid points, and traces of
    all points of one shot for each thread.

    References
    ----------
    Hicks (2002), Geophysics 67, 156.
    """
    for name, places in (("sources", sources), ("receivers", receivers)):
        given = _float64(name, places)
        expected = tuple(getattr(survey, f"{name[:-1]}_locations").shape)
        _checks.shape(name, given, expected, "Give as many as the survey has.")
    same = {item.name: getattr(survey, item.name) for item in dataclasses.fields(Survey)}
    return Between(**same, source_positions=sources, receiver_positions=receivers)


def _float64(name: str, value: Any) -> torch.Tensor:
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", torch.float64)
    return torch.from_numpy(np.array(array(name, value, finite=False), np.float64))


def _must_lie_on(shape: tuple[int, ...], name: str, places: torch.Tensor) -> None:
    off = ((places < 0) | (places > torch.tensor(shape) - 1) | ~places.isfinite()).any(-1)
    if off.any():
        first = tuple(round(float(x), 6) for x in places[off][0])
        raise ValueError(f"{name} must lie on the grid of shape {shape}; got {first}. Move them inside.")


def _along(name: str, x: torch.Tensor, n: int, widths: tuple[int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return along one axis the points around each place, and their weights; those beyond a free side are mirrored."""
    points = x.floor().long()[..., None] + torch.arange(1 - RADIUS, RADIUS + 1)
    distance = x[..., None] - points
    window = torch.special.i0(SHAPE * (1 - (distance / RADIUS) ** 2).clamp_min(0).sqrt())
    weights = torch.sinc(distance) * window / torch.special.i0(torch.tensor(SHAPE, dtype=x.dtype))
    weights = torch.where(x[..., None] == x[..., None].round(), (distance == 0).to(x), weights)
    for width, beyond, about in ((widths[0], -points, -1), (widths[1], points - (n - 1), n)):
        if width:
            if ((beyond > width) & (weights != 0)).any():
                raise ValueError(
                    f"{name} must not need points beyond an absorbing layer; it is {width} wide, less than {RADIUS}. "
                    "Widen the layer."
                )
            continue
        # u is zero at `about` and odd about it.
        weights = torch.where(beyond > 0, torch.where(points == about, 0.0, -weights), weights)
        points = torch.where(beyond > 0, 2 * about - points, points)
    return torch.where(weights == 0, x.round().long()[..., None], points), weights
