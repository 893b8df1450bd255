"""Binary training images of channels, and the statistics by which realisations are held against them."""

from __future__ import annotations

import numpy as np
from scipy import ndimage
from scipy.spatial import distance

from geolib import _checks
from geolib._arguments import checked
from geolib.datasets import fetch

#: Data file of the image that Laloy et al. (2019) trained on: 2500 x 2500 pixels, channels white.
FILE = "laloy2019_training_image.png"


@checked(size=(16, None))
def load(rng: np.random.Generator, size: int = 2500) -> tuple[np.ndarray, str]:
    """Return the published training image, or a procedural one where it is not at hand.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of the procedural image.
    size : int
        Side of the procedural image in pixels.

    Returns
    -------
    image : ndarray of float32, shape (nz, nx)
        1 in channels, 0 elsewhere.
    origin : str
        One sentence for the page: where the image comes from.

    Raises
    ------
    ValueError
        If the file is there and no binary image.
    """
    path = fetch.locate(FILE)
    if path is None:
        return procedural_channels((size, size), rng), "made by geolib.datasets.channels.procedural_channels"
    from PIL import Image

    with Image.open(path) as picture:
        image = np.asarray(picture)
    return _checks.binary_image("training image", image / max(int(image.max()), 1)), "published by Laloy et al. (2019)"


@checked(size=(1, None), n=(1, None))
def patches(image: np.ndarray, size: tuple[int, int], n: int, rng: np.random.Generator) -> np.ndarray:
    """Return `n` random windows of an image.

    Parameters
    ----------
    image : ndarray, shape (nz, nx)
        Where they are cut from.
    size : (int, int)
        Rows and columns of a window.
    n : int
        How many; windows may overlap.
    rng : numpy.random.Generator
        Source of the positions.

    Returns
    -------
    ndarray, shape (n, rows, columns)

    Raises
    ------
    ValueError
        If a window is larger than the image.
    """
    _checks.shape("image", image, (None, None), "Take one channel of it.")
    room = np.subtract(image.shape, size)
    if room.min() < 0:
        raise ValueError(f"size must fit into the image of shape {image.shape}; got {tuple(size)}. Take a smaller one.")
    rows, columns = rng.integers(0, room[0] + 1, n), rng.integers(0, room[1] + 1, n)
    return np.stack([image[r : r + size[0], c : c + size[1]] for r, c in zip(rows, columns, strict=True)])


@checked(shape=(16, None), proportion=(0.05, 0.6), width=(2, None))
def procedural_channels(
    shape: tuple[int, int],
    rng: np.random.Generator,
    *,
    proportion: float = 0.26,
    width: float = 10.0,
) -> np.ndarray:
    """Return a binary image of wandering channels along x, joined by oblique links.

    Parameters
    ----------
    shape : (int, int)
        Rows and columns.
    rng : numpy.random.Generator
        Source of the channels.
    proportion : float
        Share of channel pixels: links are added until it is reached.
    width : float
        Channel width in pixels.

    Returns
    -------
    ndarray of float32, shape (nz, nx)
        1 in channels, 0 elsewhere.

    Notes
    -----
    One distance transform for each batch of links; about 5 s for 2500 x 2500.
    """
    nz, nx = shape
    width = _checks.number("width", width, high=min(shape), unit="pixels")
    x = np.arange(nx)
    # Trunks alone reach about three fifths of the proportion; the links make up the rest.
    trunks = max(2, round(0.6 * proportion * nz / width))
    depth = (np.arange(trunks) + rng.uniform(0.2, 0.8, trunks)) * nz / trunks
    smooth = 2.5 * width
    wander = ndimage.gaussian_filter1d(rng.standard_normal((trunks, nx)), smooth, axis=1, mode="wrap")
    detail = ndimage.gaussian_filter1d(rng.standard_normal((trunks, nx)), smooth / 4, axis=1, mode="wrap")
    lines = depth[:, None] + width * (wander / wander.std() + 0.15 * detail / detail.std())
    centre = np.zeros(shape, dtype=bool)
    for line in lines:
        _draw(centre, line, x)
    while True:
        image = ndimage.distance_transform_edt(~centre) < width / 2
        missing = proportion - image.mean()
        if missing <= 0:
            return image.astype(np.float32)
        # A link of mean length adds about 6 widths squared; half the estimate at a time does not overshoot.
        for _ in range(max(1, int(0.5 * missing * nz * nx / (6 * width**2)))):
            upper, start = rng.integers(trunks - 1), rng.integers(nx)
            run = int(width * rng.uniform(2, 12)) * int(rng.choice((-1, 1)))
            stop = int(np.clip(start + run, 0, nx - 1))
            span = np.linspace(start, stop, abs(run) + 2)
            ends = lines[upper, start], lines[upper + 1, stop]
            bend = width * rng.normal(0, 0.6) * np.sin(np.linspace(0, np.pi, span.size))
            _draw(centre, np.linspace(*ends, span.size) + bend, span)


def _draw(mask: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> None:
    """Mark a curve without gaps: four points between neighbours are enough for slopes up to four."""
    at = np.linspace(0, len(rows) - 1, 4 * len(rows))
    index = np.arange(len(rows))
    r = np.rint(np.interp(at, index, rows)).astype(int)
    c = np.rint(np.interp(at, index, columns)).astype(int)
    inside = (r >= 0) & (r < mask.shape[0]) & (c >= 0) & (c < mask.shape[1])
    mask[r[inside], c[inside]] = True


def _stack(name: str, images: np.ndarray) -> np.ndarray:
    array = np.asarray(images)
    if array.ndim != 3 or not len(array):
        raise ValueError(f"{name} must have shape (n, nz, nx); got {array.shape}. Give one image as image[None].")
    return array


def _binary(name: str, images: np.ndarray) -> np.ndarray:
    array = _stack(name, images)
    if not ((array == 0) | (array == 1)).all():
        raise ValueError(f"{name} must hold zeros and ones; they hold other values. Threshold them first.")
    return array


# Statistics: each takes images (n, nz, nx) of zeros and ones and returns a number or a curve for each image.


@checked(lags=(1, None), axis=(1, 2))
def variogram(images: np.ndarray, lags: int, axis: int) -> np.ndarray:
    """Return half the mean squared difference at lags 1..lags along an axis.

    Parameters
    ----------
    images : ndarray, shape (n, nz, nx)
        Zeros and ones.
    lags : int
        Largest distance in pixels.
    axis : int
        1 for vertical, 2 for horizontal.

    Returns
    -------
    ndarray, shape (n, lags)
    """
    moved = np.moveaxis(_stack("images", images).astype(np.float32), axis, 2)
    lags = _checks.integer("lags", lags, high=moved.shape[2] - 1, unit="pixels")
    return np.stack([0.5 * np.square(moved[..., h:] - moved[..., :-h]).mean((1, 2)) for h in range(1, lags + 1)], 1)


@checked(lags=(1, None), axis=(1, 2))
def connectivity(images: np.ndarray, lags: int, axis: int) -> np.ndarray:
    """Return the probability that two channel pixels a lag apart along an axis lie in one channel body.

    Parameters
    ----------
    images : ndarray, shape (n, nz, nx)
        Zeros and ones; bodies are joined across edges of pixels.
    lags : int
        Largest distance in pixels.
    axis : int
        1 for vertical, 2 for horizontal.

    Returns
    -------
    ndarray, shape (n, lags)
        NaN where an image has no such pair.
    """
    images = _stack("images", images)
    lags = _checks.integer("lags", lags, high=images.shape[axis] - 1, unit="pixels")
    curves = np.full((len(images), lags), np.nan)
    for number, image in enumerate(images):
        labels = np.moveaxis(ndimage.label(image)[0], axis - 1, 1)
        for h in range(1, lags + 1):
            a, b = labels[:, h:], labels[:, :-h]
            both = (a > 0) & (b > 0)
            if both.any():
                curves[number, h - 1] = (a == b)[both].mean()
    return curves


@checked()
def components(images: np.ndarray) -> np.ndarray:
    """Return the number of separate channel bodies in each image `(n, nz, nx)`."""
    return np.array([ndimage.label(image)[1] for image in _stack("images", images)])


@checked()
def channel_width(images: np.ndarray) -> np.ndarray:
    """Return the mean vertical run of channel pixels clear of both borders, in pixels, for images `(n, nz, nx)`."""
    means = []
    for image in _binary("images", images).astype(np.int8):
        step = np.diff(image, axis=0).T
        # Column by column, a run starts at +1 and ends at the next -1.
        runs = [stop - start for start, stop in _pairs(step)]
        means.append(np.mean(runs) if runs else np.nan)
    return np.array(means)


def _pairs(step: np.ndarray) -> list[tuple[int, int]]:
    column, row = np.nonzero(step)
    sign = step[column, row]
    whole = (sign[:-1] == 1) & (sign[1:] == -1) & (column[:-1] == column[1:])
    return list(zip(row[:-1][whole], row[1:][whole], strict=True))


@checked(side=(2, 4), stride=(1, None))
def pattern_histogram(images: np.ndarray, side: int = 4, stride: int = 1) -> np.ndarray:
    """Return the relative frequency of every pattern of `side` x `side` pixels taken `stride` apart.

    Parameters
    ----------
    images : ndarray, shape (n, nz, nx)
        Zeros and ones.
    side : int
        Pixels along the pattern's side, at most 4 (65536 patterns).
    stride : int
        Distance between the pattern's pixels: larger ones see larger shapes.

    Returns
    -------
    ndarray, shape (2**(side * side),)
    """
    binary = _binary("images", images).astype(np.int64)
    nz, nx = (length - (side - 1) * stride for length in binary.shape[1:])
    if min(nz, nx) < 1:
        raise ValueError(
            f"images must have more than {(side - 1) * stride} rows and columns; got {binary.shape[1:]}. "
            "Take a smaller side or stride."
        )
    code = np.zeros((len(binary), nz, nx), dtype=np.int64)
    for bit in range(side * side):
        r, c = (bit // side) * stride, (bit % side) * stride
        code |= binary[:, r : r + nz, c : c + nx] << bit
    return np.bincount(code.ravel(), minlength=2 ** (side * side)) / code.size


@checked(lags=(1, None))
def quality(images: np.ndarray, reference: np.ndarray, lags: int = 40) -> dict[str, float]:
    """Return how far realisations are from patches of the training image; zero is perfect.

    Parameters
    ----------
    images : ndarray, shape (n, nz, nx)
        Realisations before thresholding, in [0, 1].
    reference : ndarray, shape (k, nz, nx)
        Patches of the training image.
    lags : int
        Largest lag of variograms and connectivity in pixels.

    Returns
    -------
    dict
        `proportion` (difference), `greyness` (mean distance to the nearer facies, 0.5 at worst), `vertical` and
        `horizontal` (relative misfit of the mean variograms), `connectivity` (mean absolute difference of the two
        curves), `components` and `width` (differences of means), `patterns` (mean Jensen-Shannon divergence at strides
        1, 4 and 12).

    Raises
    ------
    ValueError
        If either is no stack of images.
    """
    images, reference = _stack("images", images), _stack("reference", reference)
    if images.min() < 0 or images.max() > 1:
        raise ValueError(f"images must lie in [0, 1]; got {images.min():g} to {images.max():g}. Scale them first.")
    binary = (images >= 0.5).astype(np.float32)
    found: dict[str, float] = {"proportion": float(binary.mean() - reference.mean())}
    found["greyness"] = float(np.minimum(images, 1 - images).mean())
    for name, axis in (("vertical", 1), ("horizontal", 2)):
        ours, theirs = (variogram(stack, lags, axis).mean(0) for stack in (binary, reference))
        found[name] = float(np.sqrt(np.square(ours - theirs).mean()) / theirs.max())
    pair = [np.nanmean(connectivity(stack, lags, 1), 0) for stack in (binary, reference)]
    found["connectivity"] = float(np.abs(pair[0] - pair[1]).mean())
    found["components"] = float(components(binary).mean() - components(reference).mean())
    found["width"] = float(np.nanmean(channel_width(binary)) - np.nanmean(channel_width(reference)))
    strides = (1, 4, 12)
    divergences = [
        distance.jensenshannon(pattern_histogram(binary, 4, s), pattern_histogram(reference, 4, s), base=2) ** 2
        for s in strides
    ]
    found["patterns"] = float(np.mean(divergences))
    return found
