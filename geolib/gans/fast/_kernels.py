"""Fused kernels of a frozen generator: normalisation between its wide layers, and its last three layers at once.

Features are pixel-major, `(n, rows, columns, channels)`, as oneDNN likes them. The last layers have but one channel on
one side, where oneDNN has nothing to fill its registers with; here each image is taken by itself, five channels or taps
at a time, so that all of it stays in cache. Their planes are transposed, `(columns, rows)`, for longer lines waste less
on padding, and padded by the kernels' reach. Kernels come transposed alike.

Indices are unsigned, for signed ones Numba would test for negative values and the loops would not vectorise.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from geolib._runtime import njit

#: Added to a variance, as `torch.nn.functional.instance_norm` does.
EPSILON = 1e-5
#: Dilations of the last two layers; their kernels of five taps reach twice as far to either side.
_WIDEN, _MERGE = 3, 5
_OPTIONS: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    # Sums may be taken in any order, or they would not vectorise; infinities and NaN keep their meaning.
    "fastmath": {"contract", "nsz", "reassoc"},
}
# Inlined, or a process that compiles an entry would link these as compiled by themselves, and sum in another order.
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
_entry = njit(**_OPTIONS)
_jit = njit(**_INNER)
# Here the order of the sums is the code's own: another one would need more registers than there are.
_ordered = njit(**{**_INNER, "fastmath": {"contract", "nsz"}})
_inline: Any = numba.njit(inline="always")


@_jit
def _aligned(rows: int, size: int, like: Any) -> Any:
    """Return rows of zeros, lengthened to whole cache lines each beginning one: others take a third more time."""
    size += -size % 16
    flat = np.zeros(rows * size + 16, like.dtype)
    start = (-flat.ctypes.data // flat.itemsize) % 16
    return flat[start : start + rows * size].reshape((rows, size))


@_jit
def _moments(features: Any, moments: Any) -> None:
    """Set mean and scale of each rectified channel of one image's features `(pixels, channels)`."""
    pixels, channels = features.shape
    zero = features.dtype.type(0)
    mean, scale = moments[0], moments[1]
    mean[:] = zero
    scale[:] = zero
    for p in range(pixels):
        row = features[p]
        for c in range(channels):
            mean[c] += max(row[c], zero)
    for c in range(channels):
        mean[c] /= pixels
    for p in range(pixels):
        row = features[p]
        for c in range(channels):
            off = max(row[c], zero) - mean[c]
            scale[c] += off * off
    for c in range(channels):
        scale[c] = 1 / np.sqrt(scale[c] / pixels + EPSILON)


@_entry
def normalise(features: Any, moments: Any, out: Any) -> None:
    """Rectify features `(n, pixels, channels)` and take mean and scale out of every channel; keep them in `moments`."""
    n, pixels, channels = features.shape
    zero = features.dtype.type(0)
    for i in range(n):
        _moments(features[i], moments[i])
        mean, scale = moments[i, 0], moments[i, 1]
        for p in range(pixels):
            row, to = features[i, p], out[i, p]
            for c in range(channels):
                to[c] = (max(row[c], zero) - mean[c]) * scale[c]


@_entry
def normalise_adjoint(features: Any, moments: Any, gradient: Any, out: Any) -> None:
    """Carry the gradient of `normalise`'s result back to its features."""
    n, pixels, channels = features.shape
    zero = features.dtype.type(0)
    share = features.dtype.type(1 / pixels)
    sums = np.empty((2, channels), features.dtype)
    for i in range(n):
        mean, scale = moments[i, 0], moments[i, 1]
        plain, along = sums[0], sums[1]
        plain[:] = zero
        along[:] = zero
        for p in range(pixels):
            row, slope = features[i, p], gradient[i, p]
            for c in range(channels):
                plain[c] += slope[c]
                along[c] += slope[c] * (max(row[c], zero) - mean[c])
        for c in range(channels):
            plain[c] *= share
            along[c] *= share * scale[c] * scale[c]
        for p in range(pixels):
            row, slope, to = features[i, p], gradient[i, p], out[i, p]
            for c in range(channels):
                value = scale[c] * (slope[c] - plain[c] - along[c] * (row[c] - mean[c]))
                to[c] = value if row[c] > zero else zero


@_inline
def _taps(w: Any) -> tuple:
    """Return a kernel as rows of numbers: read inside a loop it would have to be read anew after every store."""
    return (
        (w[0, 0], w[0, 1], w[0, 2], w[0, 3], w[0, 4]),
        (w[1, 0], w[1, 1], w[1, 2], w[1, 3], w[1, 4]),
        (w[2, 0], w[2, 1], w[2, 2], w[2, 3], w[2, 4]),
        (w[3, 0], w[3, 1], w[3, 2], w[3, 3], w[3, 4]),
        (w[4, 0], w[4, 1], w[4, 2], w[4, 3], w[4, 4]),
    )


@_inline
def _five(total: Any, taps: Any, a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    total = total + taps[0] * a + taps[1] * b + taps[2] * c
    return total + taps[3] * d + taps[4] * e


@_ordered
def _add(source: Any, offsets: Any, taps: Any, targets: Any, count: int) -> None:
    """Add to target(k, q) the sum over a of taps(k, a) source(q + offset(a)), for five targets and five offsets.

    Every number loaded serves five products: loads, above all those across cache lines, are what a core runs out of
    where a kernel is taken by itself. All of a plane is one loop, padding included.
    """
    t0, t1, t2, t3, t4 = _taps(taps)
    s0, s1, s2 = source[offsets[0] :], source[offsets[1] :], source[offsets[2] :]
    s3, s4 = source[offsets[3] :], source[offsets[4] :]
    r0, r1, r2, r3, r4 = targets[0], targets[1], targets[2], targets[3], targets[4]
    # Up to the next multiple of sixteen: without a rest to do, the taps stay in registers.
    for j in range(np.uint64((count + 15) // 16) * np.uint64(16)):
        a, b, c, d, e = s0[j], s1[j], s2[j], s3[j], s4[j]
        r0[j] = _five(r0[j], t0, a, b, c, d, e)
        r1[j] = _five(r1[j], t1, a, b, c, d, e)
        r2[j] = _five(r2[j], t2, a, b, c, d, e)
        r3[j] = _five(r3[j], t3, a, b, c, d, e)
        r4[j] = _five(r4[j], t4, a, b, c, d, e)


@_jit
def _one_to_five(source: Any, dilation: int, taps: Any, planes: Any, shape: Any) -> None:
    """Set five planes to the correlations of a padded one with five kernels, whose last axis comes first in `taps`."""
    lines, length, pitch = shape
    step = dilation * pitch
    planes[:] = 0
    for b in range(5):
        start = b * dilation
        offsets = (start, start + step, start + 2 * step, start + 3 * step, start + 4 * step)
        _add(source, offsets, taps[b], planes, lines * pitch)
    for k in range(5):
        _clear(planes[k], lines, length, pitch)


@_jit
def _to_one(source: Any, dilation: int, taps: Any, parts: Any, shape: Any) -> None:
    """Add the correlation of a padded plane with a transposed kernel to its parts, one for each shift along a line."""
    lines, _, pitch = shape
    step = dilation * pitch
    _add(source, (0, step, 2 * step, 3 * step, 4 * step), taps, parts, lines * pitch + 4 * dilation)


@_jit
def _join(parts: Any, dilation: int, sums: Any) -> None:
    """Shift the five parts to their places and sum them."""
    sums[:] = 0
    for b in range(5):
        sums += parts[b, b * dilation : b * dilation + len(sums)]


@_jit
def _clear(plane: Any, lines: int, length: int, pitch: int) -> None:
    """Set to zero what lies between a plane's lines."""
    for x in range(lines):
        plane[x * pitch + length : (x + 1) * pitch] = 0


@_jit
def _normal(plane: Any, out: Any, shape: Any) -> tuple:
    """Rectify a plane, take mean and scale out of it and return them. Between its lines it is and stays zero."""
    lines, length, pitch = shape
    zero = plane.dtype.type(0)
    count = np.uint64(lines * pitch)
    total, square = zero, zero
    for q in range(count):
        total += max(plane[q], zero)
    mean = plane.dtype.type(total / (lines * length))
    for q in range(count):
        off = max(plane[q], zero) - mean
        square += off * off
    # The zeros between the lines are not the image's.
    square -= lines * (pitch - length) * mean * mean
    scale = plane.dtype.type(1 / np.sqrt(square / (lines * length) + EPSILON))
    for q in range(count):
        out[q] = (max(plane[q], zero) - mean) * scale
    _clear(out, lines, length, pitch)
    return mean, scale


@_jit
def _planes(features: Any, planes: Any) -> None:
    """Copy one image's features to planes of one channel each, with one zero around them."""
    rows, columns, channels = features.shape
    pitch = rows + 2
    for x in range(columns):
        column, start = features[:, x], (x + 1) * pitch + 1
        for c in range(channels):
            line = planes[c, start : start + rows]
            for z in range(np.uint64(rows)):
                line[z] = column[z, c]


@_inline
def _line(even: Any, odd: Any, t: Any, a: Any, b: Any, c: Any) -> tuple:
    return even + t[4] * a + t[2] * b + t[0] * c, odd + t[3] * b + t[1] * c


@_ordered
def _double(plane: Any, kernel: Any, phases: Any, columns: int, pitch: int) -> None:
    """Add the stride-two transposed convolution of a channel to its four interleaved parts.

    A pixel of an even line gets taps 4, 2, 0 of the line before, at and after it, one of an odd line taps 3 and 1.
    What falls between the lines is not the image's.
    """
    t0, t1, t2, t3, t4 = _taps(kernel)
    s0, s1, s2 = plane, plane[pitch:], plane[2 * pitch :]
    p0, p1, p2, p3 = phases[0, pitch + 1 :], phases[1, pitch + 1 :], phases[2, pitch + 1 :], phases[3, pitch + 1 :]
    for j in range(np.uint64(columns * pitch)):
        k = j + np.uint64(1)
        m = k + np.uint64(1)
        a, b, c = s0[j], s0[k], s0[m]
        ee, eo = _line(p0[j], p1[j], t4, a, b, c)
        a, b, c = s1[j], s1[k], s1[m]
        ee, eo = _line(ee, eo, t2, a, b, c)
        oe, oo = _line(p2[j], p3[j], t3, a, b, c)
        a, b, c = s2[j], s2[k], s2[m]
        p0[j], p1[j] = _line(ee, eo, t0, a, b, c)
        p2[j], p3[j] = _line(oe, oo, t1, a, b, c)


@_jit
def _halve(phases: Any, taps: Any, planes: Any, columns: int, pitch: int) -> None:
    """Set five channels to the adjoint of `_double`."""
    size = phases.shape[1]
    planes[:] = 0
    for b in range(5):
        start = (b & 1) * size + (b >> 1)
        odd = start + 2 * size
        offsets = (start, odd, start + pitch, odd + pitch, start + 2 * pitch)
        _add(phases.reshape(4 * size), offsets, taps[b], planes, columns * pitch)


@_jit
def _interleave(phases: Any, middle: Any, columns: int, rows: int, pitch: int) -> None:
    """Rectify the four parts and put them in their places in the padded channel between the last layers."""
    zero = middle.dtype.type(0)
    for x in range(2 * columns - 1):
        start, parity = ((x >> 1) + 1) * (rows + 2) + 1, 2 * (x & 1)
        even, odd = phases[parity, start:], phases[parity + 1, start:]
        line = middle[(x + 2 * _WIDEN) * pitch + 2 * _WIDEN :]
        for j in range(rows - 1):
            line[2 * j] = max(even[j], zero)
            line[2 * j + 1] = max(odd[j], zero)
        line[2 * rows - 2] = max(even[rows - 1], zero)


@_jit
def _part(sums: Any, middle: Any, phases: Any, columns: int, rows: int, pitch: int) -> None:
    """Carry the gradient of the channel between the last layers back to the four parts."""
    zero = middle.dtype.type(0)
    for x in range(2 * columns - 1):
        start, parity = ((x >> 1) + 1) * (rows + 2) + 1, 2 * (x & 1)
        even, odd = phases[parity, start:], phases[parity + 1, start:]
        line, slope = middle[(x + 2 * _WIDEN) * pitch + 2 * _WIDEN :], sums[x * pitch :]
        for j in range(rows):
            even[j] = slope[2 * j] if line[2 * j] > zero else zero
        for j in range(rows - 1):
            odd[j] = slope[2 * j + 1] if line[2 * j + 1] > zero else zero


def sizes(rows: int, columns: int) -> tuple[int, int]:
    """Return the distance of an image's lines, for features of so many rows and columns, and a padded plane's size."""
    pitch = 2 * rows - 1 + 2 * _MERGE  # the zeros after one line are those before the next
    return pitch, (2 * columns - 1 + 4 * _MERGE) * pitch + 4 * _MERGE + 15


_sizes = numba.njit(sizes)


@_entry
def draw(features: Any, kernels: Any, moments: Any, inner: Any, middle: Any, image: Any) -> None:
    """Carry features `(n, rows, columns, channels)` through the last three layers, up to the hyperbolic tangent.

    `kernels` are those of `Frozen.last`. Kept for the way back: `moments` and `inner`, `(n, 2, channels)`, mean and
    scale before the first and the last layer, and `middle`, `(n, size)` of zeros, the one channel between.
    """
    single, grouped = kernels
    n, rows, columns, channels = features.shape
    pitch, size = _sizes(rows, columns)
    shape = lines, length, _ = (2 * columns - 1, 2 * rows - 1, pitch)
    narrow = rows + 2
    small, kind = (columns, rows, narrow), features.dtype
    planes = np.zeros((channels, (columns + 2) * narrow + 2), kind)
    padded = np.zeros(planes.shape[1], kind)
    phases = np.empty((4, (columns + 2) * narrow + 2), kind)
    group, parts = _aligned(5, size, features), _aligned(5, size, features)
    normal, sums = np.zeros(size, kind), np.empty(lines * pitch, kind)
    for i in range(n):
        _planes(features[i], planes)
        phases[:] = 0
        for c in range(channels):
            moments[i, 0, c], moments[i, 1, c] = _normal(planes[c, narrow + 1 :], padded[narrow + 1 :], small)
            _double(padded, single[0, c], phases, columns, narrow)
        _interleave(phases, middle[i], columns, rows, pitch)
        parts[:] = 0
        for c in range(channels):
            if c % 5 == 0:
                _one_to_five(middle[i], _WIDEN, grouped[1, c // 5], group, shape)
            inner[i, 0, c], inner[i, 1, c] = _normal(group[c % 5], normal[2 * _MERGE * (pitch + 1) :], shape)
            _to_one(normal, _MERGE, single[1, c], parts, shape)
        _join(parts, _MERGE, sums)
        for z in range(length):
            for x in range(lines):
                image[i, z, x] = sums[x * pitch + z]


@_entry
def draw_adjoint(features: Any, kernels: Any, moments: Any, inner: Any, middle: Any, gradient: Any, out: Any) -> None:
    """Carry the gradient of `draw`'s image back to its features."""
    single, grouped = kernels
    n, rows, columns, channels = features.shape
    pitch, size = _sizes(rows, columns)
    shape = lines, length, _ = (2 * columns - 1, 2 * rows - 1, pitch)
    narrow, kind = rows + 2, features.dtype
    slopes, padded = np.zeros(size, kind), np.zeros(size, kind)
    group, back, parts = _aligned(5, size, features), _aligned(5, size, features), _aligned(5, size, features)
    sums = np.empty(lines * pitch, kind)
    phases = np.zeros((4, (columns + 2) * narrow + 17), kind)
    planes, turned = _aligned(5 * grouped.shape[1], columns * narrow, features), np.empty(features.shape[1:], kind)
    inside = padded[2 * _WIDEN * (pitch + 1) :]
    for i in range(n):
        for z in range(length):
            for x in range(lines):
                slopes[(x + 2 * _MERGE) * pitch + z + 2 * _MERGE] = gradient[i, z, x]
        parts[:] = 0
        for c in range(channels):
            if c % 5 == 0:
                _one_to_five(middle[i], _WIDEN, grouped[1, c // 5], group, shape)
                _one_to_five(slopes, _MERGE, grouped[2, c // 5], back, shape)
            _normal_adjoint(group[c % 5], inner[i, :, c], back[c % 5], inside, shape)
            _to_one(padded, _WIDEN, single[2, c], parts, shape)
        _join(parts, _WIDEN, sums)
        _part(sums, middle[i], phases, columns, rows, pitch)
        for g in range(grouped.shape[1]):
            _halve(phases, grouped[0, g], planes[5 * g : 5 * g + 5], columns, narrow)
        _gather(features[i], moments[i], planes, turned, out[i])


@_jit
def _normal_adjoint(plane: Any, moments: Any, gradient: Any, out: Any, shape: Any) -> None:
    """Carry the gradient of `_normal`'s result, zero between the lines, back to the plane."""
    lines, length, pitch = shape
    zero = plane.dtype.type(0)
    share = plane.dtype.type(1 / (lines * length))
    count = np.uint64(lines * pitch)
    mean, scale = moments[0], moments[1]
    plain, along = zero, zero
    for q in range(count):
        plain += gradient[q]
        along += gradient[q] * (max(plane[q], zero) - mean)
    plain *= share
    along *= share * scale * scale
    for q in range(count):
        value = scale * (gradient[q] - plain - along * (plane[q] - mean))
        out[q] = value if plane[q] > zero else zero


@_jit
def _gather(features: Any, moments: Any, planes: Any, turned: Any, out: Any) -> None:
    """Carry the gradients of one image's normalised features, transposed planes, back through `normalise`."""
    rows, columns, channels = features.shape
    for x in range(columns):
        start, column = x * (rows + 2), turned[:, x]
        for z in range(np.uint64(rows)):
            pixel, line = column[z], planes[:, start + z]
            for c in range(np.uint64(channels)):
                pixel[c] = line[c]
    one = (1, rows * columns, channels)
    # Not in place: its loops vectorise only where arrays do not overlap.
    normalise_adjoint(features.reshape(one), moments.reshape((1, 2, channels)), turned.reshape(one), out.reshape(one))
