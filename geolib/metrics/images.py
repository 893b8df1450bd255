"""How like two images are: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import ndimage

from geolib import _checks
from geolib._arguments import checked

Blur = Callable[[np.ndarray], np.ndarray]


@checked(span=(1e-100, 1e100))
def psnr(estimate: np.ndarray, truth: np.ndarray, span: float) -> float:
    """Return the peak signal-to-noise ratio in dB over all pixels, for values with a range of `span`; inf of equals."""
    _checks.shape("estimate", estimate, truth.shape, "Compare images of one shape.")
    error = float(np.square(np.subtract(estimate, truth, dtype=float)).mean())
    return 10 * math.log10(span**2 / error) if error else math.inf


@checked(span=(1e-100, 1e100), width=(3, None), sigma=(1e-3, 1e3))
def ssim(
    estimate: np.ndarray, truth: np.ndarray, span: float, *, width: int | None = None, sigma: float = 1.5
) -> float:
    """Return the mean structural similarity of two images, or of as many pairs.

    Parameters
    ----------
    estimate, truth : ndarray
        Images `(..., nz, nx)`.
    span : float
        Range of their values.
    width : int, optional
        Side of a square window (odd) with the unbiased covariance, over all places where it fits. Without it the window
        is a Gaussian of `sigma` pixels about every pixel.
    sigma : float
        See above.

    References
    ----------
    Wang et al. (2004), IEEE Trans. Image Process. 13, p. 605, equation 13.
    """
    _checks.shape("estimate", estimate, truth.shape, "Compare images of one shape.")
    if truth.ndim < 2 or (width is not None and (width % 2 == 0 or width > min(truth.shape[-2:]))):
        raise ValueError(
            f"images must have two axes at least and hold a window of odd width; got shape {truth.shape} and width "
            f"{width}. Give (..., nz, nx)."
        )
    x, y = (np.asarray(image, dtype=float) for image in (estimate, truth))
    blur, unbias = (_gaussian(sigma), 1.0) if width is None else (_square(width), width**2 / (width**2 - 1))
    c1, c2 = ((k * span) ** 2 for k in (0.01, 0.03))
    mx, my = blur(x), blur(y)
    pairs = ((x, x, mx * mx), (y, y, my * my), (x, y, mx * my))
    vx, vy, cov = (unbias * (blur(a * b) - means) for a, b, means in pairs)
    return float(np.mean((2 * mx * my + c1) * (2 * cov + c2) / ((mx**2 + my**2 + c1) * (vx + vy + c2))))


def _gaussian(sigma: float) -> Blur:
    return lambda image: ndimage.gaussian_filter(image, sigma, truncate=3.5, axes=(-2, -1))


def _square(width: int) -> Blur:
    inside = slice(width // 2, -(width // 2))
    return lambda image: ndimage.uniform_filter(image, width, axes=(-2, -1))[..., inside, inside]
