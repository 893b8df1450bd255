"""How the fused kernels lay out a survey in memory."""

from __future__ import annotations

import functools
import math
from typing import TYPE_CHECKING, Any

import numpy as np

from geolib.waves.absorbing import layers
from geolib.waves.cell import padded_shape
from geolib.waves.survey import Survey

if TYPE_CHECKING:
    from geolib.waves._kernels import Setup

WEIGHTS = {
    2: (-2.0, ((1.0, 1.0),)),
    4: (-5 / 2, ((4 / 3, 5 / 4), (-1 / 12, -1 / 12))),
    6: (-49 / 18, ((3 / 2, 49 / 36), (-3 / 20, -5 / 36), (1 / 90, 1 / 90))),
    8: (-205 / 72, ((8 / 5, 205 / 144), (-1 / 5, -127 / 720), (8 / 315, 17 / 720), (-1 / 560, -1 / 560))),
}
"""By order: the second difference's weight of its centre, and for 1, 2, ... steps away that and the slope's weight.

The slope lies halfway between two points: its difference from one half point to the next is the second difference.
"""

Far = tuple[tuple[Any, Any], ...]


@functools.lru_cache(maxsize=1)  # an inversion asks for the same one again and again; more would keep surveys alive
def setup_of(survey: Survey, space_order: int, kind: np.dtype) -> tuple[Setup, int]:
    """Return the layout of a survey, and the length of a state."""
    from geolib.waves import _kernels

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
    along_x = _kernels.Strip(start, points, offset, length, _aligned(coefficients[:, :points]))
    along_z = []
    top, bottom = (n and n + reach for n in (widths[0] if len(widths) == 2 else (0, 0)))
    for first, last in _bands(nz, top, bottom):
        offset, length = offset + length, 2 * stride * (last - first + 2 * halo + 1)
        coefficients = np.zeros((4, last - first + 1), kind)
        for row, table in zip(coefficients, tables[0], strict=True):
            values = table[first : last + 1].numpy()
            row[: len(values)] = values
        along_z.append(_kernels.Strip(first, last - first, offset, length, coefficients))
    centre, ((near, steep), *_) = WEIGHTS[space_order]
    weights = np.array([centre * len(widths), centre, near, steep], kind)
    return _kernels.Setup(nz, nx, halo, lead, stride, weights, along_x, *along_z), offset + length


def far_of(space_order: int, kind: np.dtype) -> Far:
    """Return the weights of what lies further than a neighbour."""
    return tuple((kind.type(second), kind.type(slope)) for second, slope in WEIGHTS[space_order][1][1:])


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
