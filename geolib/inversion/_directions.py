"""Models of a cube as a direction and a length, in coordinates without bounds."""

from __future__ import annotations

import numpy as np
from scipy import special

#: Of the uniform numbers that lengths stand for: normal numbers of more would be infinite.
_EDGE = 1e-12


def apart(models: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return models of the cube `(n, d)` as `(n, d + 1)` numbers: a direction's, of random radius, and the length's."""
    n, d = models.shape
    length = np.abs(models).max(1, keepdims=True)
    surface = models / length
    radius = np.sqrt(rng.chisquare(d, size=(n, 1))) if rng else 1.0
    part = special.ndtri(np.clip(length**d, _EDGE, 1 - _EDGE))
    return np.concatenate([surface * radius / np.linalg.norm(surface, axis=1, keepdims=True), part], axis=1)


def together(place: np.ndarray) -> np.ndarray:
    """Return the models `(n, d)` of the cube that `apart` took apart."""
    direction = place[:, :-1]
    length = special.ndtr(place[:, -1:]) ** (1 / direction.shape[1])
    return direction / np.abs(direction).max(1, keepdims=True) * length


def seen(place: np.ndarray) -> np.ndarray:
    """Return the coordinates of a model without the prior's random radius, which no prediction depends on."""
    direction = place[:, :-1]
    return np.concatenate([direction / np.linalg.norm(direction, axis=1, keepdims=True), place[:, -1:]], axis=1)


def log_prior(place: np.ndarray) -> np.ndarray:
    """Return the prior's log density `(n,)` at coordinates as `apart` gives them, up to a constant."""
    direction = place[:, :-1]
    corner = np.log(np.linalg.norm(direction, axis=1) / np.abs(direction).max(1))
    return -0.5 * np.square(place).sum(1) + direction.shape[1] * corner
