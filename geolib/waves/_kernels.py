"""The fused time loop: the steps of `cell.py` and their exact adjoint, one shot at a time, with all fields in cache.

With C = (v dt / h)^2, h the spacing along a row, and D the second differences, that in depth times aspect = (h / dz)^2,
one step is u(t + dt) = 2 u - u(t - dt) + C acc(t), where acc = D u - h^2 s plus what the absorbing layer adds. Its
transpose, written for mu = C lambda, where lambda is the derivative of the misfit in u, is the same step on mu with the
layer's two memory variables updated in reverse order. Then dJ/dv = 2 / v sum_t mu(t + dt) acc(t): all that the gradient
needs is at hand without a division.

Fields are flat: `halo` zero rows above and below the grid, and between the rows a gap of at least 2 halo zero columns.
C is zero in halo and gap, so one loop runs over all rows without a branch. The layers on the right of a row and on the
left of the next are neighbours in memory and form one strip, gap included, whose coefficients are zero where no layer
is. Above order 2 points further than one step outside the grid mirror those inside with opposite sign, about the one
that is zero; `_mirror` writes them.

Indices are unsigned, for signed ones Numba would test for negative values and the loops would not vectorise. Loops
along a row carry the values of the last point along: a vector is then shifted in registers and not loaded twice.

`far` has the weights of the points two, three and four steps away, in the second difference and in the slope halfway
between two points; at order 2 it is empty. `aspect` is None where cells are square, `kept` where no acc is kept. Numba
leaves out what the length of the one and the kind of the others rule out, so that each order, shape of cells and kind
of pass is compiled to loops of its own. `scheme` is far and aspect.

To compile a gradient takes seconds. An array is copied into another by `_copy`, for what Numba makes of `a[:] = b` has
a message on shapes that do not fit, and more code than a step; and `_run` is told what to do by values that are no
literals (`np.bool_(True)`), for each of which Numba would compile it, and all that it calls, once more.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba.core.compiler import Compiler

from geolib._runtime import njit
from geolib.waves._layout import Setup, Shot, Workspace

_ONE, _TWO, _THREE, _FOUR = np.uint64(1), np.uint64(2), np.uint64(3), np.uint64(4)
_LEAD = np.uint64(16)  # zeros before the lines of an x-strip's memory

_OPTIONS: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "nsz"}}
_entry = njit(**_OPTIONS)
# The others are called by kernels only, and compile faster without wrappers for callers from Python.
# Inlined they are the same code in a process that compiles an entry and in one that reads it from the cache; else the
# first would link them as compiled by themselves, which contracts other sums.
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
_jit = njit(**_INNER)


class _Apart(Compiler):
    """Compiles for arrays that share no memory, so that a loop along a row need not test whether they do."""

    def define_pipelines(self) -> Any:
        self.state.flags.noalias = True
        return super().define_pipelines()


_sweep = njit(**_INNER, pipeline_class=_Apart)


@_jit
def _copy(values: Any, into: Any) -> None:
    for i in range(len(into)):
        into[i] = values[i]


@_jit
def _mirror(now: Any, far: Any, setup: Setup) -> None:
    s, n, height = np.uint64(setup.stride), np.uint64(setup.nx), np.uint64(setup.nz)
    first, reach = np.uint64(setup.halo) * s, np.uint64(len(far))
    for row in range(height):
        k = first + row * s + np.uint64(setup.lead)
        for i in range(reach):
            now[k - _TWO - i] = -now[k + i]
            now[k + n + _ONE + i] = -now[k + n - _ONE - i]
    if setup.nz > 1:
        for i in range(reach):
            above, below = first - (_TWO + i) * s, first + (height + _ONE + i) * s
            for j in range(s):
                now[above + j] = -now[first + i * s + j]
                now[below + j] = -now[first + (height - _ONE - i) * s + j]


@_jit
def _second(near_sum: Any, near: Any, far: Any, u: Any, k: Any, s: Any) -> Any:
    # Second difference of u at k, without its centre, from the sum of both neighbours; s is the step of the axis.
    if len(far) > 0:
        near_sum = near * near_sum + far[0][0] * (u[k - s - s] + u[k + s + s])
    if len(far) > 1:
        near_sum += far[1][0] * (u[k - s - s - s] + u[k + s + s + s])
    if len(far) > 2:
        near_sum += far[2][0] * (u[k - s - s - s - s] + u[k + s + s + s + s])
    return near_sum


@_jit
def _slope(difference: Any, steep: Any, far: Any, u: Any, k: Any, s: Any) -> Any:
    # Slope of u halfway from k to the next point, from their difference.
    if len(far) > 0:
        difference = steep * difference + far[0][1] * (u[k + s + s] - u[k - s])
    if len(far) > 1:
        difference += far[1][1] * (u[k + s + s + s] - u[k - s - s])
    if len(far) > 2:
        difference += far[2][1] * (u[k + s + s + s + s] - u[k - s - s - s])
    return difference


@_jit
def _around(beside: Any, above: Any, below: Any, aspect: Any) -> Any:
    if aspect is None:
        return beside + above + below
    return beside + aspect * (above + below)


@_jit
def _upright(value: Any, aspect: Any) -> Any:
    if aspect is None:
        return value
    return aspect * value


@_sweep
def _advance(now: Any, other: Any, courant: Any, kept: Any, image: Any, far: Any, aspect: Any, setup: Setup) -> None:
    # `other` holds u(t - dt) and receives u(t + dt). Forward, acc is kept; backward, with an image, it is looked up.
    s = np.uint64(setup.stride)
    whole, near = setup.weights[0], setup.weights[2]
    if image is None:
        first, last = setup.top.points, setup.bottom.start
    else:
        first, last = 0, setup.nz
    begin, end = np.uint64(setup.halo + first) * s, np.uint64(setup.halo + last) * s
    left, here = now[begin - _ONE], now[begin]
    for k in range(begin, end):
        right = now[k + _ONE]
        if image is not None:
            image[k] += here * kept[k]
        acc = _around(left + right, now[k - s], now[k + s], aspect)
        if len(far) > 0:
            acc = near * acc + far[0][0] * _around(
                now[k - _TWO] + now[k + _TWO], now[k - s - s], now[k + s + s], aspect
            )
        if len(far) > 1:
            i = _THREE * s
            acc += far[1][0] * _around(now[k - _THREE] + now[k + _THREE], now[k - i], now[k + i], aspect)
        if len(far) > 2:
            i = _FOUR * s
            acc += far[2][0] * _around(now[k - _FOUR] + now[k + _FOUR], now[k - i], now[k + i], aspect)
        acc += whole * here
        if image is None and kept is not None:
            kept[k] = acc
        other[k] = here + here - other[k] + courant[k] * acc
        left, here = here, right


@_jit
def _add(k: Any, change: Any, other: Any, courant: Any, kept: Any) -> None:
    other[k] += courant[k] * change
    if kept is not None:
        kept[k] += change


@_sweep
def _along_x(now: Any, other: Any, courant: Any, kept: Any, far: Any, memory: Any, setup: Setup) -> None:
    (psi, zeta, strip), s = memory, np.uint64(setup.stride)
    steep = setup.weights[3]
    decay, gain = strip.coefficients[0], strip.coefficients[1]
    decay_half, gain_half = strip.coefficients[2], strip.coefficients[3]
    n, lines = np.uint64(strip.points), np.uint64(setup.nz + 1)
    for line in range(lines):  # the strip before the first row, then the one after each row
        o, p = (np.uint64(setup.halo - 1) + line) * s + np.uint64(strip.start), line * n + _LEAD
        # psi is kept for the half point to the right; where a strip begins all coefficients are zero.
        here, last = now[o], psi[p - _ONE]
        step = here - now[o - _ONE]
        for k in range(n):
            right = now[o + k + _ONE]
            difference = _slope(right - here, steep, far, now, o + k, _ONE)
            ahead = decay_half[k] * psi[p + k] + gain_half[k] * difference
            slope = ahead - last
            curvature = decay[k] * zeta[p + k] + gain[k] * (difference - step + slope)
            psi[p + k], zeta[p + k] = ahead, curvature
            _add(o + k, slope + curvature, other, courant, kept)
            here, step, last = right, difference, ahead


@_sweep
def _along_z(now: Any, other: Any, courant: Any, kept: Any, far: Any, aspect: Any, memory: Any, setup: Setup) -> None:
    (psi, zeta, strip), s = memory, np.uint64(setup.stride)
    n = np.uint64(strip.points)
    centre, near, steep = setup.weights[1], setup.weights[2], setup.weights[3]
    first, halo = np.uint64(setup.halo + strip.start) * s, np.uint64(setup.halo)
    decay_half, gain_half = strip.coefficients[2, 0], strip.coefficients[3, 0]
    for j in range(s):
        k, p = first + j, halo * s + j
        difference = _slope(now[k] - now[k - s], steep, far, now, k - s, s)
        psi[p] = decay_half * psi[p] + gain_half * difference
    for row in range(n):
        decay, gain = strip.coefficients[0, row], strip.coefficients[1, row]
        decay_half, gain_half = strip.coefficients[2, row + _ONE], strip.coefficients[3, row + _ONE]
        left, here = now[first + row * s - _ONE], now[first + row * s]
        for j in range(s):
            k, p = first + row * s + j, (row + halo) * s + j
            right = now[k + _ONE]
            difference = _slope(now[k + s] - here, steep, far, now, k, s)
            second = _second(now[k - s] + now[k + s], near, far, now, k, s)
            acc = _second(left + right, near, far, now, k, _ONE)
            second += centre * here
            below = decay_half * psi[p + s] + gain_half * difference
            slope = below - psi[p]
            curvature = decay * zeta[p] + gain * (second + slope)
            psi[p + s], zeta[p] = below, curvature
            acc += centre * here + _upright(second + slope + curvature, aspect)
            other[k] = here + here - other[k] + courant[k] * acc
            if kept is not None:
                kept[k] = acc
            left, here = here, right


@_sweep
def _along_x_transposed(now: Any, other: Any, courant: Any, far: Any, memory: Any, setup: Setup) -> None:
    (psi, zeta, strip), s = memory, np.uint64(setup.stride)
    centre, near, steep = setup.weights[1], setup.weights[2], setup.weights[3]
    decay_half, gain_half = strip.coefficients[2], strip.coefficients[3]
    decay_next, gain_next = strip.coefficients[4], strip.coefficients[5]
    n, lines = np.uint64(strip.points), np.uint64(setup.nz + 1)
    right_end = np.uint64(setup.lead + setup.nx - strip.start)
    left_end = np.uint64(setup.stride + setup.lead - strip.start)
    for line in range(lines):
        o, p = (np.uint64(setup.halo - 1) + line) * s + np.uint64(strip.start), line * n + _LEAD
        # Here zeta is kept for the point to the right.
        here, last = now[o], zeta[p - _ONE]
        for k in range(n):
            right = now[o + k + _ONE]
            ahead = decay_next[k] * zeta[p + k] + gain_next[k] * right
            psi[p + k] = decay_half[k] * psi[p + k] + gain_half[k] * (right - here + ahead - last)
            zeta[p + k] = ahead
            here, last = right, ahead
        for i in range(np.uint64(len(far))):
            zeta[p + left_end - _THREE - i] = -zeta[p + left_end - _ONE + i]
            psi[p + left_end - _TWO - i] = psi[p + left_end - _ONE + i]
            zeta[p + right_end + i] = -zeta[p + right_end - _TWO - i]
            psi[p + right_end + i] = psi[p + right_end - _ONE - i]
    # A loop of its own: no vector is loaded while the store of what it overlaps is still under way.
    for line in range(lines):
        o, p = (np.uint64(setup.halo - 1) + line) * s + np.uint64(strip.start), line * n + _LEAD
        for k in range(n):
            here = p + k - _ONE
            second = _second(zeta[here - _ONE] + zeta[p + k], near, far, zeta, here, _ONE)
            slope = _slope(psi[p + k] - psi[here], steep, far, psi, here, _ONE)
            other[o + k] += courant[o + k] * (second + centre * zeta[here] + slope)


@_sweep
def _along_z_transposed(now: Any, other: Any, courant: Any, far: Any, aspect: Any, memory: Any, setup: Setup) -> None:
    (psi, zeta, strip), s = memory, np.uint64(setup.stride)
    n = np.uint64(strip.points)
    centre, near, steep = setup.weights[1], setup.weights[2], setup.weights[3]
    first, halo = np.uint64(setup.halo + strip.start) * s, np.uint64(setup.halo)
    for row in range(n + _ONE):
        decay, gain = strip.coefficients[0, row], strip.coefficients[1, row]
        decay_half, gain_half = strip.coefficients[2, row], strip.coefficients[3, row]
        for j in range(s):
            k, p = first + row * s + j, (row + halo) * s + j
            here = decay * zeta[p] + gain * now[k]
            psi[p] = decay_half * psi[p] + gain_half * (now[k] - now[k - s] + here - zeta[p - s])
            zeta[p] = here
    for i in range(np.uint64(len(far))):
        top, end = (halo + i) * s, (halo + n - i) * s
        above, below = (halo - _ONE - i) * s, (halo + n + _ONE + i) * s
        for j in range(s):
            zeta[above - s + j], psi[above + j] = -zeta[top + j], psi[top + j]
            zeta[below + j], psi[below + j] = -zeta[end - s + j], psi[end + j]
    for row in range(n):
        for j in range(s):
            k, p = first + row * s + j, (row + halo) * s + j
            second = _second(zeta[p - s] + zeta[p + s], near, far, zeta, p, s)
            slope = _slope(psi[p + s] - psi[p], steep, far, psi, p, s)
            other[k] += courant[k] * _upright(second + centre * zeta[p] + slope, aspect)


@_jit
def _memory(state: Any, strip: Any) -> Any:
    # Two arrays and not one: then a loop that writes to both is known to vectorise.
    middle, end = strip.offset + strip.length // 2, strip.offset + strip.length
    return state[strip.offset : middle], state[middle:end], strip


@_jit
def _step(n: int, now: Any, other: Any, state: Any, kept: Any, scheme: Any, shot: Shot) -> None:
    setup, courant, (far, aspect) = shot.setup, shot.courant, scheme
    _mirror(now, far, setup)
    _advance(now, other, courant, kept, None, far, aspect, setup)
    for strip in (setup.top, setup.bottom):
        if strip.points:
            _along_z(now, other, courant, kept, far, aspect, _memory(state, strip), setup)
    if setup.along_x.points:
        _along_x(now, other, courant, kept, far, _memory(state, setup.along_x), setup)
    for i in range(len(shot.sources)):
        _add(shot.sources[i], shot.forcing[n, i], other, courant, kept)


@_jit
def _run(state: Any, begin: int, end: int, kept: Any, scheme: Any, traces: Any, record: bool, shot: Shot) -> None:
    size = (shot.setup.nz + 2 * shot.setup.halo) * shot.setup.stride
    for n in range(begin, end):
        written = (n + 1) % 2 * size
        now, other = state[size - written : 2 * size - written], state[written : written + size]
        if kept is None:
            _step(n, now, other, state, None, scheme, shot)
        else:
            _step(n, now, other, state, kept[n - begin], scheme, shot)
        if record:
            for i in range(len(shot.receivers)):
                traces[n, i] = other[shot.receivers[i]]


@_entry
def forward(state: Any, traces: Any, gather: Any, scheme: Any, shot: Shot) -> None:
    """Propagate one shot; write its gather (n_receivers, nt)."""
    state[:] = 0
    _run(state, np.int64(0), len(traces), None, scheme, traces, np.bool_(True), shot)
    for i in range(len(gather)):
        _copy(traces[:, i], gather[i])


@_jit
def _residual(traces: Any, data: Any, scale: float, fit: bool) -> float:
    # Put the derivative of the misfit in the gather into traces; it is `data` where there is nothing to fit.
    misfit, nt = 0.0, len(traces)
    for first in range(0, nt, 16):  # blocks, for rows of one array are columns of the other
        for i in range(len(data)):
            for n in range(first, min(nt, first + 16)):
                if fit:
                    residual = traces[n, i] - data[i, n]
                    misfit += 0.5 * scale * residual * residual
                    traces[n, i] = residual * scale
                else:
                    traces[n, i] = data[i, n]
    return misfit


@_entry
def gradient(
    work: Workspace, data: Any, scale: float, fit: bool, image: Any, source_image: Any, scheme: Any, shot: Shot
) -> float:
    """Write sum_t mu(t + dt) acc(t) of one shot into the field `image` and mu at the sources into `source_image`.

    With `fit`, `data` (n_receivers, nt) is observed data and scale / 2 sum (gather - data)^2 is the misfit returned;
    without it, `data` is the derivative of some misfit in the gather, and 0 is returned.
    """
    state, adjoint, kept, traces = work.state, work.adjoint, work.kept, work.traces
    setup, courant, (far, aspect) = shot.setup, shot.courant, scheme
    size = (setup.nz + 2 * setup.halo) * setup.stride
    nt, segment = len(traces), len(kept)
    segments = (nt + segment - 1) // segment
    state[:] = 0
    for i in range(segments - 1):
        _copy(state, work.checkpoints[i])
        _run(state, i * segment, (i + 1) * segment, None, scheme, traces, fit, shot)
    misfit = 0.0
    adjoint[:] = 0
    image[:] = 0
    for i in range(segments - 1, -1, -1):
        begin, end, newest = i * segment, min(nt, (i + 1) * segment), i == segments - 1
        if not newest:
            _copy(work.checkpoints[i], state)
        _run(state, begin, end, kept, scheme, traces, fit and newest, shot)
        if newest:
            misfit = _residual(traces, data, scale, fit)
        for n in range(end - 1, begin - 1, -1):
            written = (nt - n) % 2 * size
            now, other = adjoint[size - written : 2 * size - written], adjoint[written : written + size]
            for r in range(len(shot.receivers)):
                k = shot.receivers[r]
                now[k] += courant[k] * traces[n, r]
            for r in range(len(shot.sources)):
                source_image[r, n] = now[shot.sources[r]]
            _mirror(now, far, setup)
            _advance(now, other, courant, kept[n - begin], image, far, aspect, setup)
            if setup.along_x.points:
                _along_x_transposed(now, other, courant, far, _memory(adjoint, setup.along_x), setup)
            for strip in (setup.top, setup.bottom):
                if strip.points:
                    _along_z_transposed(now, other, courant, far, aspect, _memory(adjoint, strip), setup)
    return misfit
