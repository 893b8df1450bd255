"""Fused kernels of a frozen generator: normalisation between its wide layers, and its last three layers at once.

Features are pixel-major, `(n, rows, columns, channels)`, as oneDNN likes them. The last layers have but one channel on
one side, where oneDNN has nothing to fill its registers with; here each image is taken by itself, channel by channel,
so that all of it stays in cache. Their planes are transposed, `(columns, rows)`, for 129 rows fill vectors better than
65 columns do, and padded by the kernels' reach. Kernels `(channels, 5, 5)` come transposed alike.

Indices are unsigned, for signed ones Numba would test for negative values and the loops would not vectorise.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

#: Added to a variance, as `torch.nn.functional.instance_norm` does.
EPSILON = 1e-5
#: Dilations of the last two layers; their kernels of five taps reach twice as far to either side.
_WIDEN, _MERGE = 3, 5
_OPTIONS: dict[str, Any] = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    # Sums may be taken in any order, or they would not vectorise; infinities and NaN keep their meaning.
    "fastmath": {"contract", "nsz", "reassoc"},
}
_INNER: dict[str, Any] = {**_OPTIONS, "no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_entry = numba.njit(**_OPTIONS)
_jit = numba.njit(**_INNER)
# Here the order of the sums is the code's own: another one would need more registers than there are.
_ORDERED: dict[str, Any] = {**_INNER, "fastmath": {"contract", "nsz"}}
_ordered = numba.njit(**_ORDERED)
_inline: Any = numba.njit(inline="always")


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
def _five(total: Any, taps: Any, row: Any, j: Any, step: Any) -> Any:
    k = j + step
    m = k + step
    o = m + step
    total = total + taps[0] * row[j] + taps[1] * row[k] + taps[2] * row[m]
    return total + taps[3] * row[o] + taps[4] * row[o + step]


@_inline
def _correlate(source: Any, dilation: int, pitch: int, taps: Any, target: Any, lines: int) -> None:
    """Add to target(q) the sum over a, b of taps(a, b) source(q + a dilation pitch + b dilation).

    As many lines as the dilation go at once, with those below them, for the two share four of their five rows of
    source: loads, not products, are what a core runs out of. Up to `2 dilation - 1` lines beyond the last are written.
    """
    t0, t1, t2, t3, t4 = _taps(taps)
    d, block = np.uint64(dilation), dilation * pitch
    for first in range(0, lines * pitch, 2 * block):
        s0, s1, s2 = source[first:], source[first + block :], source[first + 2 * block :]
        s3, s4, s5 = source[first + 3 * block :], source[first + 4 * block :], source[first + 5 * block :]
        upper, lower = target[first:], target[first + block :]
        for j in range(np.uint64(block)):
            # Row by row, so that a load serves both lines at once and needs no register for longer.
            a, b = upper[j], lower[j]
            a = _five(a, t0, s0, j, d)
            a, b = _five(a, t1, s1, j, d), _five(b, t0, s1, j, d)
            a, b = _five(a, t2, s2, j, d), _five(b, t1, s2, j, d)
            a, b = _five(a, t3, s3, j, d), _five(b, t2, s3, j, d)
            a, b = _five(a, t4, s4, j, d), _five(b, t3, s4, j, d)
            b = _five(b, t4, s5, j, d)
            upper[j], lower[j] = a, b


# One function for each dilation: as a constant it goes into the addresses.
@_ordered
def _correlate_widen(source: Any, pitch: int, taps: Any, target: Any, lines: int) -> None:
    _correlate(source, _WIDEN, pitch, taps, target, lines)


@_ordered
def _correlate_merge(source: Any, pitch: int, taps: Any, target: Any, lines: int) -> None:
    _correlate(source, _MERGE, pitch, taps, target, lines)


@_jit
def _planes(features: Any, moments: Any, planes: Any) -> None:
    """Rectify and normalise one image's features into padded lines `(columns + 2, channels, rows + 2)`."""
    rows, columns, channels = features.shape
    zero = features.dtype.type(0)
    mean, scale = moments[0], moments[1]
    for x in range(columns):
        lines, column = planes[x + 1], features[:, x]
        for z in range(np.uint64(rows)):
            pixel = column[z]
            for c in range(np.uint64(channels)):
                lines[c, z + np.uint64(1)] = (max(pixel[c], zero) - mean[c]) * scale[c]


@_inline
def _even(t: Any, row: Any, j: Any) -> Any:
    k = j + np.uint64(1)
    return t[4] * row[j] + t[2] * row[k] + t[0] * row[k + np.uint64(1)]


@_inline
def _odd(t: Any, row: Any, j: Any) -> Any:
    k = j + np.uint64(1)
    return t[3] * row[k] + t[1] * row[k + np.uint64(1)]


@_jit
def _double(planes: Any, c: int, kernel: Any, phases: Any, columns: int, rows: int) -> None:
    """Add the stride-two transposed convolution of a channel to its four interleaved parts.

    A pixel of an even line gets taps 4, 2, 0 of the line before, at and after it, one of an odd line taps 3 and 1.
    """
    t0, t1, t2, t3, t4 = _taps(kernel)
    for x in range(columns):
        s0, s1, s2 = planes[x, c], planes[x + 1, c], planes[x + 2, c]
        even, odd = phases[0, x + 1], phases[1, x + 1]
        for j in range(np.uint64(rows)):
            k = j + np.uint64(1)
            even[k] += _even(t4, s0, j) + _even(t2, s1, j) + _even(t0, s2, j)
            odd[k] += _odd(t4, s0, j) + _odd(t2, s1, j) + _odd(t0, s2, j)
        even, odd = phases[2, x + 1], phases[3, x + 1]
        for j in range(np.uint64(rows)):
            k = j + np.uint64(1)
            even[k] += _even(t3, s1, j) + _even(t1, s2, j)
            odd[k] += _odd(t3, s1, j) + _odd(t1, s2, j)


@_inline
def _whole(t: Any, even: Any, odd: Any, j: Any) -> Any:
    k = j + np.uint64(1)
    return t[0] * even[j] + t[2] * even[k] + t[4] * even[k + np.uint64(1)] + t[1] * odd[j] + t[3] * odd[k]


@_jit
def _halve(phases: Any, kernel: Any, planes: Any, c: int, columns: int, rows: int) -> None:
    """Set a channel to the adjoint of `_double`."""
    t0, t1, t2, t3, t4 = _taps(kernel)
    for x in range(columns):
        line = planes[x, c]
        e0, e1, e2 = phases[0, x], phases[0, x + 1], phases[0, x + 2]
        o0, o1, o2 = phases[1, x], phases[1, x + 1], phases[1, x + 2]
        for j in range(np.uint64(rows)):
            line[j] = _whole(t0, e0, o0, j) + _whole(t2, e1, o1, j) + _whole(t4, e2, o2, j)
        e0, e1, o0, o1 = phases[2, x], phases[2, x + 1], phases[3, x], phases[3, x + 1]
        for j in range(np.uint64(rows)):
            line[j] += _whole(t1, e0, o0, j) + _whole(t3, e1, o1, j)


@_jit
def _clear(plane: Any, lines: int, length: int, pitch: int) -> None:
    """Set to zero what lies between a plane's lines."""
    for x in range(lines):
        plane[x * pitch + length : (x + 1) * pitch] = 0


@_jit
def _spread(middle: Any, taps: Any, plane: Any, lines: int, length: int, pitch: int) -> None:
    """Set a plane to the channel of the widening layer that has these taps."""
    plane[:] = 0
    _correlate_widen(middle, pitch, taps, plane, lines)
    _clear(plane, lines, length, pitch)


@_jit
def _spread_moments(plane: Any, lines: int, length: int, pitch: int) -> tuple:
    """Return mean and scale of what is positive in a plane."""
    zero = plane.dtype.type(0)
    total, square = zero, zero
    for q in range(np.uint64(lines * pitch)):
        total += max(plane[q], zero)
    mean = plane.dtype.type(total / (lines * length))
    for q in range(np.uint64(lines * pitch)):
        off = max(plane[q], zero) - mean
        square += off * off
    # The zeros between the lines are not the image's.
    square -= lines * (pitch - length) * mean * mean
    return mean, plane.dtype.type(1 / np.sqrt(square / (lines * length) + EPSILON))


@_jit
def _interleave(phases: Any, middle: Any, columns: int, rows: int, pitch: int) -> None:
    """Rectify the four parts and put them in their places in the padded channel between the last layers."""
    zero = middle.dtype.type(0)
    for x in range(2 * columns - 1):
        even, odd = phases[2 * (x & 1), (x >> 1) + 1], phases[2 * (x & 1) + 1, (x >> 1) + 1]
        line = middle[(x + 2 * _WIDEN) * pitch + 2 * _WIDEN :]
        for j in range(rows - 1):
            line[2 * j] = max(even[j + 1], zero)
            line[2 * j + 1] = max(odd[j + 1], zero)
        line[2 * rows - 2] = max(even[rows], zero)


@_jit
def _part(sums: Any, middle: Any, phases: Any, columns: int, rows: int, pitch: int) -> None:
    """Carry the gradient of the channel between the last layers back to the four parts."""
    zero = middle.dtype.type(0)
    for x in range(2 * columns - 1):
        even, odd = phases[2 * (x & 1), (x >> 1) + 1], phases[2 * (x & 1) + 1, (x >> 1) + 1]
        line, slope = middle[(x + 2 * _WIDEN) * pitch + 2 * _WIDEN :], sums[x * pitch :]
        for j in range(rows):
            even[j + 1] = slope[2 * j] if line[2 * j] > zero else zero
        for j in range(rows - 1):
            odd[j + 1] = slope[2 * j + 1] if line[2 * j + 1] > zero else zero


def sizes(rows: int, columns: int) -> tuple[int, int]:
    """Return the distance of an image's lines, for features of so many rows and columns, and a padded plane's size.

    The zeros after one line are those before the next.
    """
    pitch = 2 * rows - 1 + 2 * _MERGE
    return pitch, (2 * columns - 1 + 6 * _MERGE) * pitch + 4 * _MERGE


_sizes = numba.njit(sizes)


@_entry
def draw(features: Any, kernels: Any, moments: Any, inner: Any, middle: Any, image: Any) -> None:
    """Carry features `(n, rows, columns, channels)` through the last three layers, up to the hyperbolic tangent.

    `kernels` holds those of the layer that doubles and, mirrored, of the two dilated ones. Kept for the way back:
    `moments` and `inner`, `(n, 2, channels)`, mean and scale before the first and the last of them, and `middle`,
    `(n, size)` of zeros, the one channel between.
    """
    n, rows, columns, channels = features.shape
    lines, length = 2 * columns - 1, 2 * rows - 1
    pitch, size = _sizes(rows, columns)
    kind = features.dtype
    planes = np.zeros((columns + 2, channels, rows + 2), kind)
    phases = np.empty((4, columns + 2, rows + 2), kind)
    plane, normal, sums = np.zeros(size, kind), np.zeros(size, kind), np.empty(size, kind)
    inside = normal[2 * _MERGE * (pitch + 1) :]
    zero = kind.type(0)
    for i in range(n):
        _moments(features[i].reshape(rows * columns, channels), moments[i])
        _planes(features[i], moments[i], planes)
        phases[:] = 0
        for c in range(channels):
            _double(planes, c, kernels[0, c], phases, columns, rows)
        _interleave(phases, middle[i], columns, rows, pitch)
        sums[:] = 0
        for c in range(channels):
            _spread(middle[i], kernels[1, c], plane, lines, length, pitch)
            mean, scale = _spread_moments(plane, lines, length, pitch)
            inner[i, 0, c], inner[i, 1, c] = mean, scale
            for q in range(np.uint64(lines * pitch)):
                inside[q] = (max(plane[q], zero) - mean) * scale
            _clear(inside, lines, length, pitch)
            _correlate_merge(normal, pitch, kernels[2, c], sums, lines)
        for z in range(length):
            for x in range(lines):
                image[i, z, x] = sums[x * pitch + z]


@_entry
def draw_adjoint(features: Any, kernels: Any, moments: Any, inner: Any, middle: Any, gradient: Any, out: Any) -> None:
    """Carry the gradient of `draw`'s image back to its features; `kernels` has a second, unmirrored copy of each."""
    n, rows, columns, channels = features.shape
    lines, length = 2 * columns - 1, 2 * rows - 1
    pitch, size = _sizes(rows, columns)
    kind = features.dtype
    slopes, padded = np.zeros(size, kind), np.zeros(size, kind)
    plane, back, sums = np.zeros(size, kind), np.zeros(size, kind), np.empty(size, kind)
    phases = np.zeros((4, columns + 2, rows + 2), kind)
    planes, turned = np.empty((columns, channels, rows), kind), np.empty(features.shape[1:], kind)
    inside = padded[2 * _WIDEN * (pitch + 1) :]
    zero = kind.type(0)
    share = kind.type(1 / (lines * length))
    for i in range(n):
        for z in range(length):
            for x in range(lines):
                slopes[(x + 2 * _MERGE) * pitch + z + 2 * _MERGE] = gradient[i, z, x]
        sums[:] = 0
        for c in range(channels):
            _spread(middle[i], kernels[1, c], plane, lines, length, pitch)
            back[:] = 0
            _correlate_merge(slopes, pitch, kernels[4, c], back, lines)
            _clear(back, lines, length, pitch)
            mean, scale = inner[i, 0, c], inner[i, 1, c]
            plain, along = zero, zero
            for q in range(np.uint64(lines * pitch)):
                plain += back[q]
                along += back[q] * (max(plane[q], zero) - mean)
            plain *= share
            along *= share * scale * scale
            for q in range(np.uint64(lines * pitch)):
                value = scale * (back[q] - plain - along * (plane[q] - mean))
                inside[q] = value if plane[q] > zero else zero
            _correlate_widen(padded, pitch, kernels[3, c], sums, lines)
        _part(sums, middle[i], phases, columns, rows, pitch)
        for c in range(channels):
            _halve(phases, kernels[0, c], planes, c, columns, rows)
        _gather(features[i], moments[i], planes, turned, out[i])


@_jit
def _gather(features: Any, moments: Any, planes: Any, turned: Any, out: Any) -> None:
    """Carry the gradients of one image's normalised features, transposed planes, back through `normalise`."""
    rows, columns, channels = features.shape
    for x in range(columns):
        lines, column = planes[x], turned[:, x]
        for z in range(np.uint64(rows)):
            pixel = column[z]
            for c in range(np.uint64(channels)):
                pixel[c] = lines[c, z]
    one = (1, rows * columns, channels)
    # Not in place: its loops vectorise only where arrays do not overlap.
    normalise_adjoint(features.reshape(one), moments.reshape((1, 2, channels)), turned.reshape(one), out.reshape(one))
