"""Velocity models: layered earths, smooth starting models, and Marmousi or a model like it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from geolib import _checks
from geolib._arguments import checked
from geolib.datasets import fetch

Model = NDArray[np.float64]
WATER = 1500.0
"""Velocity of sea water, m/s."""
FILE = "marmousi_vp_1601x401.f32"
"""The public file of the Marmousi model."""


@checked(thicknesses=(0, None, "m"), velocities=(1e-9, None, "m/s"), spacing=(1e-12, None, "m"), nz=(1, None))
def layered(thicknesses: Sequence[float], velocities: Sequence[float], spacing: float, nz: int) -> Model:
    """Return a model of flat layers.

    Parameters
    ----------
    thicknesses : sequence of float
        Thickness of each layer but the last, which reaches to the bottom, m.
    velocities : sequence of float
        Velocity of each layer, m/s; one more than thicknesses.
    spacing : float
        Distance of grid points, m; point i lies at depth i spacing.
    nz : int
        Number of grid points.

    Returns
    -------
    (nz,) array
        Velocity, m/s.

    Raises
    ------
    ValueError
        If there is not one thickness fewer than velocities, a thickness is negative or a velocity not
        positive.
    """
    if len(thicknesses) != len(velocities) - 1:
        raise ValueError(
            f"thicknesses must have one entry fewer than velocities; got {len(thicknesses)} and {len(velocities)}. "
            "Leave out the last layer's thickness."
        )
    depth = np.arange(nz) * spacing
    # A point on an interface belongs to the layer below; the tolerance keeps 50 * 10.0 from missing 500.0.
    layer = np.searchsorted(np.cumsum(thicknesses) - 1e-9 * spacing, depth, side="right")
    return np.asarray(velocities, dtype=np.float64)[layer]


@checked(nz=(1, None), spacing=(1e-12, None, "m"))
def four_layers(nz: int = 200, spacing: float = 10.0) -> Model:
    """Return the depth-varying model of Sun et al. (2020), Figure 5: 2000, 3000, 4000 and 5000 m/s, 500 m each.

    Parameters
    ----------
    nz : int
        Number of grid points.
    spacing : float
        Distance of grid points, m.

    Returns
    -------
    (nz,) array
        Velocity, m/s.
    """
    return layered([500.0, 500.0, 500.0], [2000.0, 3000.0, 4000.0, 5000.0], spacing, nz)


@checked(sigma=(0, None, "cells"), frozen=(0, None), aspect=(0, None))
def smooth(velocity: Model, sigma: float, frozen: int = 0, aspect: float = 1.0) -> Model:
    """Return the model smoothed by a Gaussian, as a start for an inversion.

    Parameters
    ----------
    velocity : (nz,) or (nz, nx) array
        Velocity, m/s.
    sigma : float
        Standard deviation of the Gaussian, cells.
    frozen : int
        Uppermost rows that keep their values, such as water; what lies below is smoothed without them.
    aspect : float
        By how much larger the deviation is in depth, in cells: that along the line over that in depth of their size.

    Returns
    -------
    array of the same shape
        Velocity, m/s.
    """
    if np.ndim(velocity) not in (1, 2):
        raise ValueError(f"velocity must have one or two axes; got {np.ndim(velocity)}. Give (nz,) or (nz, nx).")
    frozen = _checks.integer("frozen", frozen, low=0, high=len(velocity) - 1)
    # Beyond the model's own size there is nothing left to smooth over.
    sigma, *in_depth = (
        _checks.number("sigma", each, high=10 * max(np.shape(velocity)), unit="cells")
        for each in (sigma, aspect * sigma)
    )
    result = np.array(velocity, dtype=np.float64)
    deviations = [*in_depth, sigma][: result.ndim]
    result[frozen:] = ndimage.gaussian_filter(result[frozen:], deviations, mode="nearest")
    return result


@checked(seed=(0, None))
def marmousi(seed: int = 0) -> tuple[Model, str]:
    """Return the Marmousi model at the scale of Sun et al. (2020), or one like it where its file is absent.

    Parameters
    ----------
    seed : int
        Seed of the model made where the file is absent.

    Returns
    -------
    model : (94, 288) array
        Velocity, m/s; water in the top rows. Every fourth point of Marmousi's 7.5 m grid, used at 10 m spacing.
    origin : str
        Where the model comes from, for captions and provenance.
    """
    path = fetch.locate(FILE)
    if path is None:
        return marmousi_like(np.random.default_rng(seed)), f"procedural model like Marmousi (seed {seed})"
    grid = np.fromfile(path, dtype="<f4").reshape(1601, 401)
    model = 1000.0 * grid.T[20:396:4, 200:1352:4].astype(np.float64)
    return model, "Marmousi2 crop, every fourth point"


@checked(shape=(16, None), water=(0, None))
def marmousi_like(rng: np.random.Generator, shape: tuple[int, int] = (94, 288), water: int = 2) -> Model:
    """Return a procedural model like Marmousi: folded, tilted and faulted layers under water, fastest at depth.

    Parameters
    ----------
    rng : numpy.random.Generator
        Source of randomness.
    shape : (nz, nx)
        Size of the model.
    water : int
        Rows of water on top.

    Returns
    -------
    (nz, nx) array
        Velocity, m/s, within 1500 and 4700.
    """
    nz, nx = shape
    water = _checks.integer("water", water, low=0, high=nz // 2, unit="rows")
    depth, x = np.meshgrid(np.linspace(0, 1, nz), np.linspace(0, 1, nx), indexing="ij")
    # Depth before deformation: an anticline and a tilt that fade upwards, then blocks let down along dipping faults.
    crest = rng.uniform(0.55, 0.75)
    anticline = rng.uniform(0.25, 0.4) * np.exp(-(((x - crest) / 0.22) ** 2))
    stratum = depth + (0.25 + 0.75 * depth) * (anticline + rng.uniform(-0.15, 0.15) * (x - 0.5))
    for centre in crest + np.array([-0.15, -0.05, 0.05]) + rng.uniform(-0.03, 0.03, size=3):
        throw, dip = rng.uniform(0.04, 0.09), rng.uniform(0.1, 0.25)
        # The faults die out in the deepest third, as Marmousi's do.
        stratum = stratum - np.where(x > centre + dip * (depth - 0.5), throw * np.clip(3 - 4 * depth, 0, 1), 0)
    # Beds of random thickness; velocity rises with depth and scatters from bed to bed.
    tops = np.cumsum(rng.uniform(0.01, 0.06, size=100)) - 0.6
    trend = 1620.0 + 2000.0 * np.clip(tops, 0, 1.3) ** 1.2
    beds = np.clip(trend * (1 + 0.1 * rng.standard_normal(100)), 1520.0, 4700.0)
    beds[tops > 1.05] = 4700.0
    velocity = beds[np.clip(np.searchsorted(tops, stratum) - 1, 0, 99)]
    velocity[:water] = WATER
    return velocity
