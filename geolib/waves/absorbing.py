"""The perfectly matched layer: how a wave is absorbed outside the grid."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch

from geolib._arguments import checked
from geolib.waves.survey import Survey

REFLECTION = 1e-5
"""Amplitude left of a wave that crosses the layer at normal incidence, is reflected behind it, and crosses it again."""


class Layer(NamedTuple):
    """Coefficients of the memory variables along one axis, zero inside the grid.

    Each memory variable m obeys m(t) = decay m(t - dt) + gain x(t), which is the recursive convolution of x with the
    response of the stretched coordinate. `*_half` belong to the n + 1 points halfway between the n grid points.
    """

    decay: torch.Tensor
    gain: torch.Tensor
    decay_half: torch.Tensor
    gain_half: torch.Tensor


@checked()
def layers(survey: Survey) -> tuple[Layer, ...]:
    """Return the absorbing layer along each axis of the padded grid.

    Parameters
    ----------
    survey : Survey
        Gives the padding, the spacing, the time step and what the layer is tuned for.

    Returns
    -------
    tuple of Layer
        One for each axis, float64.

    Notes
    -----
    The coordinate is stretched by 1 + sigma / (alpha + i omega): sigma rises quadratically to the outer end, alpha
    falls linearly to zero there, so that low frequencies and grazing waves are damped too. Cost: negligible.

    References
    ----------
    Komatitsch and Martin (2007), Geophysics 72, SM155; Pasalic and McGarry (2010), SEG Expanded Abstracts 29, 2925.
    """
    boundary, found = survey.boundary, []
    sides = zip(survey.grid.shape, boundary.padding(len(survey.grid.shape)), survey.grid.spacings, strict=True)
    for n, (before, after), spacing in sides:
        nodes = torch.arange(n + before + after, dtype=torch.float64) - before
        halves = torch.arange(n + before + after + 1, dtype=torch.float64) - before - 0.5
        at = n, before, after, spacing, survey
        found.append(Layer(*_coefficients(nodes, *at), *_coefficients(halves, *at)))
    return tuple(found)


def _coefficients(
    points: torch.Tensor, n: int, before: int, after: int, spacing: float, survey: Survey
) -> tuple[torch.Tensor, torch.Tensor]:
    # Depth inside the layer from the last grid point, 0 inside the grid and 1 where u is zero again.
    depth = torch.zeros_like(points)
    if before:
        depth = torch.maximum(depth, -points / (before + 1))
    if after:
        depth = torch.maximum(depth, (points - (n - 1)) / (after + 1))
    velocity, frequency = survey.tuning
    width = (survey.boundary.width + 1) * spacing
    sigma = -1.5 * velocity * math.log(REFLECTION) / width * depth**2
    alpha = math.pi * frequency * (1 - depth)
    decay = torch.exp(-(sigma + alpha) * survey.dt)
    gain = sigma / (sigma + alpha).clamp_min(1e-300) * (decay - 1)
    return torch.where(depth > 0, decay, 0.0), torch.where(depth > 0, gain, 0.0)
