"""Realisations held against a training image: their statistics, and by how much those of the image itself scatter."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from geolib import _checks
from geolib._arguments import checked
from geolib.datasets.channels import channel_width, components, connectivity, patches, variogram

_STACK = (None, None, None)


@checked(images=_STACK, lags=(1, None))
def statistics(images: np.ndarray, lags: int = 40) -> dict[str, np.ndarray]:
    """Return what a geostatistician compares, for each image `(n, nz, nx)` of zeros and ones.

    Returns
    -------
    dict
        ``proportion``, ``components`` and ``width``, shape (n,); ``vertical``, ``horizontal`` (variograms), ``connected
        down`` and ``connected along``, shape (n, lags).
    """
    return {
        "proportion": np.asarray(images).mean((1, 2)),
        "components": components(images).astype(float),
        "width": channel_width(images),
        "vertical": variogram(images, lags, 1),
        "horizontal": variogram(images, lags, 2),
        "connected down": connectivity(images, lags, 1),
        "connected along": connectivity(images, lags, 2),
    }


@checked(images=_STACK, lags=(1, None))
def shapes(images: np.ndarray, lags: int = 40) -> dict[str, np.ndarray]:
    """Return `statistics` and what scikit-image tells of the bodies in each image `(n, nz, nx)` of zeros and ones.

    Returns
    -------
    dict
        In addition ``Euler number`` (bodies less holes, joined across edges) and ``width across`` (in pixels, along the
        medial axes of the bodies, wherever they run, clear of the image's border), shape (n,).

    Raises
    ------
    ValueError
        If an image has no pixel clear of its border.
    ImportError
        Without scikit-image: `pip install "geolib[diagnostics]"`.

    Notes
    -----
    A distance transform and a skeleton of each image. A bar of w pixels has its axis (w + 1) / 2 from the nearest pixel
    outside where w is odd and w / 2 where it is even; twice that less one half is right on average, to half a pixel.

    References
    ----------
    Blum (1967) for the medial axis; Renard and Allard (2013), Advances in Water Resources 51, for the Euler number as a
    measure of connectivity.
    """
    from skimage import measure, morphology

    binary = np.asarray(images) > 0.5
    if min(binary.shape[1:]) <= 2 * _BORDER:
        raise ValueError(
            f"images must have more than {2 * _BORDER} rows and columns; got {binary.shape[1:]}. Take larger ones."
        )
    clear = (slice(_BORDER, -_BORDER),) * 2
    across = np.full(len(binary), np.nan)
    for number, image in enumerate(binary):
        # Ties are broken at random, by the same numbers every time.
        axis, distance = morphology.medial_axis(image, return_distance=True, rng=0)
        if axis[clear].any():
            across[number] = 2 * distance[clear][axis[clear]].mean() - 0.5
    euler = np.array([measure.euler_number(image, connectivity=1) for image in binary], dtype=float)
    return {**statistics(images, lags), "Euler number": euler, "width across": across}


@checked()
def fitted_range(variogram: np.ndarray) -> float:
    """Return the distance at which a variogram reaches its sill, by GSTools' fit of a spherical model without nugget.

    Parameters
    ----------
    variogram : ndarray, shape (lags,)
        At lags of 1, 2, ... pixels.

    Returns
    -------
    float
        In pixels.

    Raises
    ------
    ValueError
        If there are fewer than ten lags, a value is not finite, or the fitted model has no sill within the lags.
    ImportError
        Without GSTools: `pip install "geolib[diagnostics]"`.

    Notes
    -----
    About 10 ms. The spherical model has a range that ends; of models that approach their sill for ever the effective
    range lies beyond what was measured here.

    References
    ----------
    Mueller et al. (2022), Geoscientific Model Development 15, for GSTools.
    """
    import gstools

    curve = np.asarray(variogram, dtype=float)
    if curve.ndim != 1 or len(curve) < 10:
        raise ValueError(f"variogram must have one axis of at least 10 lags; got shape {curve.shape}. Measure more.")
    _checks.finite("variogram", curve)
    model = gstools.Spherical(dim=1)
    if curve.max() > 0:
        model.fit_variogram(np.arange(1, len(curve) + 1), curve, nugget=False)
    if curve.max() <= 0 or model.len_scale > len(curve):
        raise ValueError(f"variogram must reach a sill within its {len(curve)} lags; it does not. Measure larger lags.")
    return float(model.len_scale)


Measure = Callable[[np.ndarray], dict[str, np.ndarray]]
# Pixels along an image's border whose channels may be cut off.
_BORDER = 12


@checked(
    image=(None, None),
    size=(1, None),
    n=(1, None),
    blocks=(2, None),
    windows=(1, None),
    repeats=(1, None),
)
def block_means(
    image: np.ndarray,
    size: tuple[int, int],
    n: int,
    rng: np.random.Generator,
    *,
    measure: Measure = statistics,
    blocks: int = 5,
    windows: int = 8,
    repeats: int = 400,
) -> dict[str, np.ndarray]:
    """Return means over `n` windows of a training image, drawn again and again by a block bootstrap.

    Windows that overlap are not independent, and one image is one sample of its kind. So the image is cut into blocks,
    blocks are drawn with replacement, and `n` windows from among those drawn: what the means scatter by then includes
    that one part of the image differs from another.

    Parameters
    ----------
    image : ndarray, shape (nz, nx)
        Zeros and ones.
    size : (int, int)
        Rows and columns of a window.
    n : int
        Windows in a mean: as many as there are realisations to judge.
    rng : numpy.random.Generator
        Source of windows and blocks.
    measure : callable
        `statistics` or `shapes`, or either with other lags by `functools.partial`.
    blocks : int
        Blocks along either axis.
    windows : int
        Windows measured in each block.
    repeats : int
        Means drawn.

    Returns
    -------
    dict
        As `measure` has them, with the means first: shape (repeats,) or (repeats, lags).

    Raises
    ------
    ValueError
        If a window does not fit into a block.

    Notes
    -----
    `measure` is called once for each block; of the two, `shapes` takes longer.

    References
    ----------
    Kuensch (1989), Annals of Statistics 17, for blocks; Efron and Tibshirani (1993) for percentiles.
    """
    parts = [part for rows in np.array_split(image, blocks) for part in np.array_split(rows, blocks, axis=1)]
    measured = [measure(patches(part, size, windows, rng)) for part in parts]
    drawn_blocks = rng.integers(len(parts), size=(repeats, len(parts)))
    chosen = rng.integers(len(parts), size=(repeats, n))
    block = np.take_along_axis(drawn_blocks, chosen, axis=1)
    window = rng.integers(windows, size=(repeats, n))
    found = {}
    for name in measured[0]:
        values = np.stack([each[name] for each in measured])
        found[name] = np.stack([np.nanmean(values[b, w], axis=0) for b, w in zip(block, window, strict=True)])
    return found


@checked()
def envelope_of(means: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the 2.5 % and the 97.5 % point of means from `block_means`: shape (2,) or (2, lags)."""
    return {name: np.percentile(values, [2.5, 97.5], axis=0) for name, values in means.items()}


@checked(images=_STACK)
def judged(
    images: np.ndarray, envelope: Mapping[str, np.ndarray], measure: Measure = statistics
) -> dict[str, tuple[float, float]]:
    """Return for each statistic the mean over realisations and the share of it that lies inside the envelope.

    Parameters
    ----------
    images : ndarray, shape (n, nz, nx)
        Zeros and ones.
    envelope : mapping
        From `envelope_of`, for windows of the same size and as many of them.
    measure : callable
        What the envelope was made with.

    Returns
    -------
    dict of (float, float)
        Mean over images (and lags); share of lags inside, one or zero for a number.
    """
    found = {}
    measured = measure(images)
    if lacking := measured.keys() - envelope.keys():
        raise ValueError(f"envelope must have what is measured; it lacks {', '.join(sorted(lacking))}. Make it anew.")
    for name, values in measured.items():
        mean = np.nanmean(values, axis=0)
        low, high = envelope[name]
        found[name] = (float(np.mean(mean)), float(np.mean((mean >= low) & (mean <= high))))
    return found
