"""Patches of a facies image, and the statistics by which patterns are compared."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from geolib import _checks
from geolib._arguments import checked

_PATCHES = (None, 1, None, None)


@checked(n=(1, None), size=(1, None), spacing=(1e-6, None))
def patches(
    image: Tensor, n: int, size: int, *, spacing: float, angles: Tensor | None = None, rng: torch.Generator
) -> Tensor:
    """Return square patches cut from random places of an image, turned by given angles.

    Parameters
    ----------
    image : Tensor
        Facies `(nz, nx)` between -1 and 1, float32.
    n : int
        How many.
    size : int
        Pixels along a side of a patch.
    spacing : float
        Pixels of the image per pixel of a patch.
    angles : Tensor, optional
        Rotation of each patch `(n,)` in radians; none without it.
    rng : torch.Generator
        Source of the places.

    Returns
    -------
    Tensor
        `(n, 1, size, size)`, interpolated linearly, so edges are soft.

    Raises
    ------
    ValueError
        If a turned patch does not fit into the image.

    Notes
    -----
    Costs one linear interpolation per pixel of the result.
    """
    if angles is not None:
        _checks.shape("angles", angles, (n,), "Give each patch its angle.")
    _checks.shape("image", image, (None, None), "Take one channel of it.")
    nz, nx = image.shape
    # A turned square of this half width reaches sqrt(2) times as far.
    half = 0.5 * size * spacing
    reach = half * (math.sqrt(2) if angles is not None else 1.0)
    if 2 * reach >= min(nz, nx):
        raise ValueError(
            f"image must be larger than {2 * reach:.0f} pixels for patches of {size} at spacing {spacing:g}; "
            f"got {nz} by {nx}. Take smaller patches or a larger image."
        )
    shape = torch.tensor([nx, nz])
    centre = torch.rand(n, 2, generator=rng) * (shape - 2 * reach) + reach
    # The sampling frame turns against the pattern.
    turn = torch.zeros(n) if angles is None else -angles
    cos, sin = torch.cos(turn), torch.sin(turn)
    turned = torch.stack([torch.stack([cos, -sin], 1), torch.stack([sin, cos], 1)], 1)
    affine = torch.cat([turned * half, centre[:, :, None] - 0.5 * shape[:, None]], 2) * 2 / shape[:, None]
    grid = functional.affine_grid(affine, [n, 1, size, size], align_corners=False)
    return functional.grid_sample(image.expand(n, 1, nz, nx), grid, align_corners=False)


@checked(samples=_PATCHES)
def proportion(samples: Tensor) -> Tensor:
    """Return the share of channel of each patch `(n,)`, values in [-1, 1] read as shares between 0 and 1."""
    return (0.5 * (samples + 1)).flatten(1).mean(1)


@checked(samples=_PATCHES)
def orientation(samples: Tensor) -> Tensor:
    """Return the main direction of each patch `(n,)` in radians within [-pi/2, pi/2), from its structure tensor.

    The direction is that along which the patch changes least, measured from the x axis towards z (downwards); NaN for a
    patch that changes nowhere.

    References
    ----------
    Bigun and Granlund (1987): the eigenvector of the summed outer products of the gradient.
    """
    if min(samples.shape[2:]) < 5:
        raise ValueError(f"samples must have 5 rows and columns at least; got {tuple(samples.shape[2:])}. Take larger.")
    field = functional.avg_pool2d(samples, 3, stride=1)[:, 0]
    dz, dx = field[:, 2:, 1:-1] - field[:, :-2, 1:-1], field[:, 1:-1, 2:] - field[:, 1:-1, :-2]
    across = 0.5 * torch.atan2(2 * (dx * dz).sum((1, 2)), (dx.square() - dz.square()).sum((1, 2)))
    along = across + math.pi / 2
    found = torch.remainder(along + math.pi / 2, math.pi) - math.pi / 2
    return torch.where((dx.square() + dz.square()).sum((1, 2)) > 0, found, torch.nan)
