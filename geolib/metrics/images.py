"""How like two images are: peak signal-to-noise ratio and structural similarity."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from scipy import ndimage

Blur = Callable[[np.ndarray], np.ndarray]


def psnr(estimate: np.ndarray, truth: np.ndarray, span: float) -> float:
    """Return the peak signal-to-noise ratio in dB over all pixels, for values with a range of `span`."""
    return 10 * math.log10(span**2 / float(np.square(np.subtract(estimate, truth, dtype=float)).mean()))


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
