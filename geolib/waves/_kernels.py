"""The fused time loop: the steps of `cell.py` and their exact adjoint, one shot at a time, with all fields in cache.

With C = (v dt / h)^2, h the spacing, and D the second difference, one step is u(t + dt) = 2 u - u(t - dt) + C acc(t),
where acc = D u - h^2 s plus what the absorbing layer adds. Its transpose, written for mu = C lambda, where lambda is
the derivative of the misfit in u, is the same step on mu with the layer's two memory variables updated in reverse
order. Then dJ/dv = 2 / v sum_t mu(t + dt) acc(t): all that the gradient needs is at hand without a division.

Fields are flat, padded arrays: HALO zero rows above and below, MARGIN zero columns before each row and at least HALO
after it. C is zero in the padding, so the padding stays zero and one loop runs over all rows without a branch.
Indices are unsigned, for signed ones Numba would test for negative values and the loops would not vectorise.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numba
import numpy as np

HALO = 2
MARGIN = 16
_ONE, _TWO = np.uint64(1), np.uint64(2)


class Side(NamedTuple):
    """The absorbing layer of one side: its points along the axis and where its memory lies in the state."""

    start: int  # first point of the strip
    points: int  # length of the strip; zero without a layer
    shift: int  # 0 if the outer end comes first, 1 if it comes last
    offset: int  # of its memory in the state, psi and then zeta
    length: int  # of its memory
    pitch: int  # distance of lines in the memory; at least two zeros lie before and after the points of a line
    coefficients: np.ndarray  # (4, points + 1): decay, gain, decay_half, gain_half


class Setup(NamedTuple):
    """What all shots share."""

    nz: int
    nx: int
    stride: int
    weights: np.ndarray  # second difference: centre on all axes, centre on one, near, far, edge; slope: near; 1, -1
    left: Side
    right: Side
    top: Side
    bottom: Side


class Shot(NamedTuple):
    """One shot: its model, source and positions (flat indices)."""

    setup: Setup
    courant: np.ndarray  # (v dt / h)^2, flat padded field
    forcing: np.ndarray  # (nt, n_sources): -h^2 s
    sources: np.ndarray
    receivers: np.ndarray


class Workspace(NamedTuple):
    """What one thread works in, for any number of shots."""

    state: np.ndarray  # two fields and the layers' memory
    adjoint: np.ndarray  # the same of the adjoint
    checkpoints: np.ndarray  # (segments - 1, state): where each segment but the last starts
    kept: np.ndarray  # (segment, rows): acc of each step of one segment
    traces: np.ndarray  # (nt, n_receivers)


_OPTIONS: dict[str, Any] = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
_entry = numba.njit(**_OPTIONS)
# The others are called by kernels only, and compile faster without wrappers for callers from Python.
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_jit = numba.njit(**_INNER)


@_jit
def _advance(now: Any, other: Any, courant: Any, setup: Setup) -> None:
    # `other` holds u(t - dt) and receives u(t + dt).
    s = np.uint64(setup.stride)
    whole, near, far = setup.weights[0], setup.weights[2], setup.weights[3]
    begin, end = np.uint64(HALO) * s, np.uint64(HALO + setup.nz) * s
    if far == 0:
        for k in range(begin, end):
            acc = now[k - _ONE] + now[k + _ONE] + now[k - s] + now[k + s] + whole * now[k]
            other[k] = now[k] + now[k] - other[k] + courant[k] * acc
    else:
        s2 = s + s
        for k in range(begin, end):
            acc = near * (now[k - _ONE] + now[k + _ONE] + now[k - s] + now[k + s]) + whole * now[k]
            acc += far * (now[k - _TWO] + now[k + _TWO] + now[k - s2] + now[k + s2])
            other[k] = now[k] + now[k] - other[k] + courant[k] * acc


@_jit
def _advance_and_keep(now: Any, other: Any, courant: Any, kept: Any, setup: Setup) -> None:
    s = np.uint64(setup.stride)
    whole, near, far = setup.weights[0], setup.weights[2], setup.weights[3]
    begin, end = np.uint64(HALO) * s, np.uint64(HALO + setup.nz) * s
    if far == 0:
        for k in range(begin, end):
            acc = now[k - _ONE] + now[k + _ONE] + now[k - s] + now[k + s] + whole * now[k]
            kept[k - begin] = acc
            other[k] = now[k] + now[k] - other[k] + courant[k] * acc
    else:
        s2 = s + s
        for k in range(begin, end):
            acc = near * (now[k - _ONE] + now[k + _ONE] + now[k - s] + now[k + s]) + whole * now[k]
            acc += far * (now[k - _TWO] + now[k + _TWO] + now[k - s2] + now[k + s2])
            kept[k - begin] = acc
            other[k] = now[k] + now[k] - other[k] + courant[k] * acc


@_jit
def _advance_and_image(now: Any, other: Any, courant: Any, kept: Any, image: Any, setup: Setup) -> None:
    s = np.uint64(setup.stride)
    whole, near, far = setup.weights[0], setup.weights[2], setup.weights[3]
    begin, end = np.uint64(HALO) * s, np.uint64(HALO + setup.nz) * s
    if far == 0:
        for k in range(begin, end):
            image[k - begin] += now[k] * kept[k - begin]
            acc = now[k - _ONE] + now[k + _ONE] + now[k - s] + now[k + s] + whole * now[k]
            other[k] = now[k] + now[k] - other[k] + courant[k] * acc
    else:
        s2 = s + s
        for k in range(begin, end):
            image[k - begin] += now[k] * kept[k - begin]
            acc = near * (now[k - _ONE] + now[k + _ONE] + now[k - s] + now[k + s]) + whole * now[k]
            acc += far * (now[k - _TWO] + now[k + _TWO] + now[k - s2] + now[k + s2])
            other[k] = now[k] + now[k] - other[k] + courant[k] * acc


@_jit
def _add(k: Any, change: Any, other: Any, courant: Any, kept: Any, keep: bool, setup: Setup) -> None:
    other[k] += courant[k] * change
    if keep:
        kept[k - np.uint64(HALO) * np.uint64(setup.stride)] += change


@_jit
def _mirror(now: Any, other: Any, courant: Any, kept: Any, keep: bool, setup: Setup) -> None:
    # At order 4 the point two steps outside the grid mirrors the outermost one with opposite sign.
    s, edge = np.uint64(setup.stride), setup.weights[4]
    first = np.uint64(HALO) * s + np.uint64(MARGIN)
    last_row, last_column = np.uint64(setup.nz - 1) * s, np.uint64(setup.nx - 1)
    for row in range(np.uint64(setup.nz)):
        begin = first + row * s
        _add(begin, edge * now[begin], other, courant, kept, keep, setup)
        _add(begin + last_column, edge * now[begin + last_column], other, courant, kept, keep, setup)
    if setup.nz > 1:
        for k in range(first, first + np.uint64(setup.nx)):
            _add(k, edge * now[k], other, courant, kept, keep, setup)
            _add(k + last_row, edge * now[k + last_row], other, courant, kept, keep, setup)


@_jit
def _along_x(now: Any, other: Any, courant: Any, kept: Any, keep: bool, memory: Any, side: Side, setup: Setup) -> None:
    n, shift, s = np.uint64(side.points), np.uint64(side.shift), np.uint64(setup.stride)
    centre, near, far, edge = setup.weights[1], setup.weights[2], setup.weights[3], setup.weights[4]
    steep, sign = setup.weights[5], setup.weights[6 + side.shift]
    decay, gain = side.coefficients[0], side.coefficients[1]
    decay_half, gain_half = side.coefficients[2], side.coefficients[3]
    lines, first = np.uint64(setup.nz), np.uint64(HALO) * s + np.uint64(MARGIN + side.start)
    zetas, pitch = np.uint64(side.length // 2), np.uint64(side.pitch)
    outer = shift * (n - _ONE)
    for row in range(lines):
        o, p = first + row * s, row * pitch + np.uint64(MARGIN)
        z = zetas + p
        for k in range(shift, n + shift):
            slope = steep * (now[o + k] - now[o + k - _ONE])
            if far != 0:
                slope += far * (now[o + k + _ONE] - now[o + k - _TWO])
            memory[p + k] = decay_half[k] * memory[p + k] + gain_half[k] * slope
        memory[p + outer + shift] -= gain_half[outer + shift] * sign * edge * now[o + outer]
    for row in range(lines):
        o, p = first + row * s, row * pitch + np.uint64(MARGIN)
        z = zetas + p
        for k in range(n):
            slope = memory[p + k + _ONE] - memory[p + k]
            second = near * (now[o + k - _ONE] + now[o + k + _ONE]) + centre * now[o + k]
            if far != 0:
                second += far * (now[o + k - _TWO] + now[o + k + _TWO])
            zeta = decay[k] * memory[z + k] + gain[k] * (second + slope)
            memory[z + k] = zeta
            _add(o + k, slope + zeta, other, courant, kept, keep, setup)
        change = gain[outer] * edge * now[o + outer]
        memory[z + outer] += change
        _add(o + outer, change, other, courant, kept, keep, setup)


@_jit
def _along_z(now: Any, other: Any, courant: Any, kept: Any, keep: bool, memory: Any, side: Side, setup: Setup) -> None:
    n, shift, s = np.uint64(side.points), np.uint64(side.shift), np.uint64(setup.stride)
    centre, near, far, edge = setup.weights[1], setup.weights[2], setup.weights[3], setup.weights[4]
    steep, sign = setup.weights[5], setup.weights[6 + side.shift]
    first = np.uint64(HALO + side.start) * s
    zetas = np.uint64(side.length // 2)
    s2 = s + s
    outer = shift * (n - _ONE)
    for row in range(shift, n + shift):
        decay, gain = side.coefficients[2, row], side.coefficients[3, row]
        for j in range(s):
            p, k = (row + _TWO) * s + j, first + row * s + j
            slope = steep * (now[k] - now[k - s])
            if far != 0:
                slope += far * (now[k + s] - now[k - s2])
            memory[p] = decay * memory[p] + gain * slope
    if edge != 0:
        change = side.coefficients[3, outer + shift] * sign * edge
        for j in range(s):
            memory[(outer + shift + _TWO) * s + j] -= change * now[first + outer * s + j]
    for row in range(n):
        decay, gain = side.coefficients[0, row], side.coefficients[1, row]
        middle = centre
        if row == outer:
            middle = centre + edge
        for j in range(s):
            p, k = (row + _TWO) * s + j, first + row * s + j
            z = zetas + p
            slope = memory[p + s] - memory[p]
            second = near * (now[k - s] + now[k + s]) + middle * now[k]
            if far != 0:
                second += far * (now[k - s2] + now[k + s2])
            zeta = decay * memory[z] + gain * (second + slope)
            memory[z] = zeta
            _add(k, slope + zeta, other, courant, kept, keep, setup)


# The loops over rows are separate so that no vector is loaded while the store of what it overlaps is still under way.


@_jit
def _along_x_transposed(now: Any, other: Any, courant: Any, memory: Any, side: Side, setup: Setup) -> None:
    n, shift, s = np.uint64(side.points), np.uint64(side.shift), np.uint64(setup.stride)
    centre, near, far, edge = setup.weights[1], setup.weights[2], setup.weights[3], setup.weights[4]
    steep, sign = setup.weights[5], setup.weights[6 + side.shift]
    decay, gain = side.coefficients[0], side.coefficients[1]
    decay_half, gain_half = side.coefficients[2], side.coefficients[3]
    lines, first = np.uint64(setup.nz), np.uint64(HALO) * s + np.uint64(MARGIN + side.start)
    zetas, pitch = np.uint64(side.length // 2), np.uint64(side.pitch)
    outer = shift * (n - _ONE)
    for row in range(lines):
        o, p = first + row * s, row * pitch + np.uint64(MARGIN)
        z = zetas + p
        for k in range(n):
            memory[z + k] = decay[k] * memory[z + k] + gain[k] * now[o + k]
    for row in range(lines):
        o, p = first + row * s, row * pitch + np.uint64(MARGIN)
        z = zetas + p
        for k in range(shift, n + shift):
            difference = now[o + k] - now[o + k - _ONE] + memory[z + k] - memory[z + k - _ONE]
            memory[p + k] = decay_half[k] * memory[p + k] + gain_half[k] * difference
    for row in range(lines):
        o, p = first + row * s, row * pitch + np.uint64(MARGIN)
        z = zetas + p
        for k in range(n):
            second = near * (memory[z + k - _ONE] + memory[z + k + _ONE]) + centre * memory[z + k]
            second += steep * (memory[p + k + _ONE] - memory[p + k])
            if far != 0:
                second += far * (memory[z + k - _TWO] + memory[z + k + _TWO])
                second += far * (memory[p + k + _TWO] - memory[p + k - _ONE])
            other[o + k] += courant[o + k] * second
        other[o + outer] += courant[o + outer] * edge * (memory[z + outer] + sign * memory[p + outer + shift])


@_jit
def _along_z_transposed(now: Any, other: Any, courant: Any, memory: Any, side: Side, setup: Setup) -> None:
    n, shift, s = np.uint64(side.points), np.uint64(side.shift), np.uint64(setup.stride)
    centre, near, far, edge = setup.weights[1], setup.weights[2], setup.weights[3], setup.weights[4]
    steep, sign = setup.weights[5], setup.weights[6 + side.shift]
    first = np.uint64(HALO + side.start) * s
    zetas = np.uint64(side.length // 2)
    s2 = s + s
    outer = shift * (n - _ONE)
    for row in range(n):
        decay, gain = side.coefficients[0, row], side.coefficients[1, row]
        for j in range(s):
            z = zetas + (row + _TWO) * s + j
            memory[z] = decay * memory[z] + gain * now[first + row * s + j]
    for row in range(shift, n + shift):
        decay, gain = side.coefficients[2, row], side.coefficients[3, row]
        for j in range(s):
            p, k = (row + _TWO) * s + j, first + row * s + j
            z = zetas + p
            memory[p] = decay * memory[p] + gain * (now[k] - now[k - s] + memory[z] - memory[z - s])
    for row in range(n):
        middle = centre
        if row == outer:
            middle = centre + edge
        for j in range(s):
            p, k = (row + _TWO) * s + j, first + row * s + j
            z = zetas + p
            second = near * (memory[z - s] + memory[z + s]) + middle * memory[z] + steep * (memory[p + s] - memory[p])
            if far != 0:
                second += far * (memory[z - s2] + memory[z + s2] + memory[p + s2] - memory[p - s])
            other[k] += courant[k] * second
    if edge != 0:
        for j in range(s):
            k = first + outer * s + j
            other[k] += courant[k] * edge * sign * memory[(outer + shift + _TWO) * s + j]


@_jit
def _memory(state: Any, side: Any) -> Any:
    return state[side.offset : side.offset + side.length]


@_jit
def _run(state: Any, begin: int, end: int, kept: Any, keep: bool, traces: Any, record: bool, shot: Shot) -> None:
    setup, courant = shot.setup, shot.courant
    size = (setup.nz + 2 * HALO) * setup.stride
    for n in range(begin, end):
        row = kept[n - begin] if keep else kept[0]
        written = (n + 1) % 2 * size
        now, other = state[size - written : 2 * size - written], state[written : written + size]
        if keep:
            _advance_and_keep(now, other, courant, row, setup)
        else:
            _advance(now, other, courant, setup)
        if setup.weights[4] != 0:
            _mirror(now, other, courant, row, keep, setup)
        for side in (setup.left, setup.right):
            if side.points:
                _along_x(now, other, courant, row, keep, _memory(state, side), side, setup)
        for side in (setup.top, setup.bottom):
            if side.points:
                _along_z(now, other, courant, row, keep, _memory(state, side), side, setup)
        for i in range(len(shot.sources)):
            k = shot.sources[i]
            other[k] += courant[k] * shot.forcing[n, i]
            if keep:
                row[k - HALO * setup.stride] += shot.forcing[n, i]
        if record:
            for i in range(len(shot.receivers)):
                traces[n, i] = other[shot.receivers[i]]


@_entry
def forward(state: Any, traces: Any, gather: Any, shot: Shot) -> None:
    """Propagate one shot; write its gather (n_receivers, nt)."""
    state[:] = 0
    _run(state, 0, len(traces), traces, False, traces, True, shot)
    gather[:] = traces.T


@_entry
def gradient(work: Workspace, data: Any, scale: float, fit: bool, image: Any, source_image: Any, shot: Shot) -> float:
    """Write sum_t mu(t + dt) acc(t) of one shot into `image` and mu at the sources into `source_image`.

    With `fit`, `data` (n_receivers, nt) is observed data and scale / 2 sum (gather - data)^2 is the misfit returned;
    without it, `data` is the derivative of some misfit in the gather, and 0 is returned.
    """
    state, adjoint, kept, traces = work.state, work.adjoint, work.kept, work.traces
    setup, courant = shot.setup, shot.courant
    size = (setup.nz + 2 * HALO) * setup.stride
    nt, segment = len(traces), len(kept)
    segments = (nt + segment - 1) // segment
    state[:] = 0
    for i in range(segments):
        if i < segments - 1:
            work.checkpoints[i] = state
        _run(state, i * segment, min(nt, (i + 1) * segment), kept, i == segments - 1, traces, fit, shot)
    misfit = 0.0
    for first in range(0, nt, 16):  # blocks, for rows of one array are columns of the other
        for i in range(len(data)):
            for n in range(first, min(nt, first + 16)):
                if fit:
                    residual = traces[n, i] - data[i, n]
                    misfit += 0.5 * scale * residual * residual
                    traces[n, i] = residual * scale
                else:
                    traces[n, i] = data[i, n]
    adjoint[:] = 0
    image[:] = 0
    for i in range(segments - 1, -1, -1):
        begin, end = i * segment, min(nt, (i + 1) * segment)
        if i < segments - 1:
            state[:] = work.checkpoints[i]
            _run(state, begin, end, kept, True, traces, False, shot)
        for n in range(end - 1, begin - 1, -1):
            written = (nt - n) % 2 * size
            now, other = adjoint[size - written : 2 * size - written], adjoint[written : written + size]
            for r in range(len(shot.receivers)):
                k = shot.receivers[r]
                now[k] += courant[k] * traces[n, r]
            for r in range(len(shot.sources)):
                source_image[r, n] = now[shot.sources[r]]
            _advance_and_image(now, other, courant, kept[n - begin], image, setup)
            if setup.weights[4] != 0:
                _mirror(now, other, courant, image, False, setup)
            for side in (setup.left, setup.right):
                if side.points:
                    _along_x_transposed(now, other, courant, _memory(adjoint, side), side, setup)
            for side in (setup.top, setup.bottom):
                if side.points:
                    _along_z_transposed(now, other, courant, _memory(adjoint, side), side, setup)
    return misfit
