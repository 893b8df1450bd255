"""How the fused kernels lay out a survey in memory."""

from __future__ import annotations

import functools
import math
from typing import Any, NamedTuple

import numpy as np

from geolib.waves.absorbing import layers
from geolib.waves.cell import padded_shape
from geolib.waves.survey import Grid, Survey

WEIGHTS = {
    2: (-2.0, ((1.0, 1.0),)),
    4: (-5 / 2, ((4 / 3, 5 / 4), (-1 / 12, -1 / 12))),
    6: (-49 / 18, ((3 / 2, 49 / 36), (-3 / 20, -5 / 36), (1 / 90, 1 / 90))),
    8: (-205 / 72, ((8 / 5, 205 / 144), (-1 / 5, -127 / 720), (8 / 315, 17 / 720), (-1 / 560, -1 / 560))),
}
"""By order: the second difference's weight of its centre, and for 1, 2, ... steps away that and the slope's weight.

The slope lies halfway between two points: its difference from one half point to the next is the second difference.
"""

Scheme = tuple[tuple[tuple[Any, Any], ...], Any]

# Numba keeps compiled kernels until _kernels.py changes: whoever changes the fields of these must change that file too.


class Strip(NamedTuple):
    """Points that an absorbing layer updates along one axis, and where their memory, psi and then zeta, lies."""

    start: int  # along rows, the distance of a strip from the start of a row; along columns, the first row
    points: int  # along the axis; zero without a layer
    offset: int  # of the memory in the state
    length: int  # of the memory
    coefficients: np.ndarray  # (6, n): decay, gain; half a point on decay, gain; at the next point decay, gain


class Setup(NamedTuple):
    """What all shots share."""

    nz: int
    nx: int
    halo: int  # zero rows above and below
    lead: int  # zero columns before the first point of a row
    stride: int
    weights: np.ndarray  # second difference: centre on all axes, centre on one, near; slope: near
    along_x: Strip
    top: Strip
    bottom: Strip


class Shot(NamedTuple):
    """One shot: its model, source and positions (flat indices)."""

    setup: Setup
    courant: np.ndarray  # (v dt / h)^2, a field
    forcing: np.ndarray  # (nt, n_sources): -h^2 s
    sources: np.ndarray
    receivers: np.ndarray


class Places(NamedTuple):
    """Sources or receivers of all shots: their points, one after the other, and the weights of these."""

    points: np.ndarray  # (n_shots, n n_points), flat indices
    weights: np.ndarray | None  # (n_shots, n, n_points); None where each is one point

    def spread(self, shot: int, values: np.ndarray) -> np.ndarray:
        """Return what the points of one shot get of values (n, nt): (n n_points, nt)."""
        if self.weights is None:
            return values
        return (self.weights[shot][..., None] * values[:, None]).reshape(-1, values.shape[-1])

    def added(self, shot: int, values: np.ndarray) -> np.ndarray:
        """Return the transpose: what is added up of values (n n_points, nt)."""
        if self.weights is None:
            return values
        weights = self.weights[shot]
        return np.einsum("np,npt->nt", weights, values.reshape(*weights.shape, -1))


class Workspace(NamedTuple):
    """What one thread works in, for any number of shots."""

    state: np.ndarray  # two fields and the layers' memory
    adjoint: np.ndarray  # the same of the adjoint
    checkpoints: np.ndarray  # (segments - 1, state): where each segment but the last starts
    kept: np.ndarray  # (segment, field): acc of each step of one segment
    traces: np.ndarray  # (nt, n_receivers)


@functools.lru_cache(maxsize=1)  # an inversion asks for the same one again and again; more would keep surveys alive
def setup_of(survey: Survey, space_order: int, kind: np.dtype) -> tuple[Setup, int]:
    """Return the layout of a survey, and the length of a state."""
    nz, nx = [1, *padded_shape(survey)][-2:]
    widths, tables = survey.boundary.padding(len(survey.grid.shape)), layers(survey)
    reach = space_order // 2  # points inside the grid that a layer's memory reaches
    left, right = (n and n + reach for n in widths[-1])
    halo = max(2, reach)
    lead, stride, start, points = _row_layout(nx, left, right, 2 * halo)
    offset = 2 * (nz + 2 * halo) * stride
    # Where the kernels carry a value along a row, half points and "next" points go by the point on their left.
    decay, gain, decay_half, gain_half = (c.numpy() for c in tables[-1])
    by_row = (decay, 0), (gain, 0), (decay_half, -1), (gain_half, -1), (decay, -1), (gain, -1)
    coefficients = np.zeros((6, stride), kind)
    for row, (values, shift) in zip(coefficients, by_row, strict=True):
        row[(np.arange(len(values)) + lead + shift - start) % stride] = values
    length = 2 * (16 + (nz + 1) * points) + 32 if points else 0
    along_x = Strip(start, points, offset, length, _aligned(coefficients[:, :points]))
    along_z = []
    top, bottom = (n and n + reach for n in (widths[0] if len(widths) == 2 else (0, 0)))
    for first, last in _bands(nz, top, bottom):
        offset, length = offset + length, 2 * stride * (last - first + 2 * halo + 1)
        coefficients = np.zeros((4, last - first + 1), kind)
        for row, table in zip(coefficients, tables[0], strict=True):
            values = table[first : last + 1].numpy()
            row[: len(values)] = values
        along_z.append(Strip(first, last - first, offset, length, coefficients))
    centre, ((near, steep), *_) = WEIGHTS[space_order]
    aspect = aspect_of(survey.grid)
    weights = np.array([centre * (len(widths) if aspect is None else 1 + aspect), centre, near, steep], kind)
    return Setup(nz, nx, halo, lead, stride, weights, along_x, *along_z), offset + length


def scheme_of(grid: Grid, space_order: int, kind: np.dtype) -> Scheme:
    """Return the weights of what lies further than a neighbour, and the aspect of cells that are not square."""
    aspect = aspect_of(grid)
    far = tuple((kind.type(second), kind.type(slope)) for second, slope in WEIGHTS[space_order][1][1:])
    return far, None if aspect is None else kind.type(aspect)


def aspect_of(grid: Grid) -> float | None:
    """Return (dx / dz)^2, None of square cells."""
    return None if isinstance(grid.spacing, float) else (grid.spacings[1] / grid.spacings[0]) ** 2


def _row_layout(nx: int, left: int, right: int, gap: int) -> tuple[int, int, int, int]:
    """Return zero columns before a row, stride of rows, start of the strip over both its layers, and its points."""
    layouts = []
    for lead in range(16):
        stride = _ceil16(lead + nx + gap)
        start = (lead + nx - right) // 16 * 16
        points = stride + _ceil16(lead + left) - start
        if points >= stride:
            start, points = lead + nx, stride
        # A point of a strip was measured to take twice as long as a point of a row.
        layouts.append((stride + 2 * points, lead, stride, start, points if left or right else 0))
    return min(layouts)[1:]


def _bands(nz: int, top: int, bottom: int) -> list[tuple[int, int]]:
    """Return the rows of both strips, from the first to before the last; strips that would overlap are one."""
    below, above = min(nz, top), max(0, nz - bottom)
    return [(0, below), (above, nz)] if below <= above else [(0, nz), (nz, nz)]


def _ceil16(n: int) -> int:
    return -(-n // 16) * 16


def empty(shape: tuple[int, ...], kind: np.dtype) -> np.ndarray:
    """Return an array that starts on a cache line: vectors then never straddle two."""
    size = math.prod(shape) * kind.itemsize
    raw = np.empty(size + 64, np.uint8)
    start = -raw.ctypes.data % 64
    return raw[start : start + size].view(kind).reshape(shape)


def _aligned(values: np.ndarray) -> np.ndarray:
    result = empty(values.shape, values.dtype)
    result[:] = values
    return result
