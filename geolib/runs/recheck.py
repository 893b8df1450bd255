"""A recheck: what the present code makes again of a shipped unit, and how closely it must agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from geolib.runs.unit import Arrays, Unit

if TYPE_CHECKING:
    from geolib.runs.study import AnyStudy

#: Numbers below this are what round-off leaves of a zero: they agree with one another.
ROUND_OFF = 1e-7
#: Largest difference that is taken for the drift between processors, a share of an array's largest number.
DRIFT = 0.01


@dataclass(frozen=True)
class Recheck:
    """How a unit is rechecked.

    Attributes
    ----------
    how : str
        As it is told to the reader: "computed whole", "its best model evaluated again".
    seconds : float
        What it takes, on the machine that computed the unit.
    stored, compute
        Shipped arrays by name, and a function that returns them again.
    tolerance : float
        Largest difference that agrees, a share of the array's largest number.
    """

    how: str
    seconds: float
    stored: Mapping[str, np.ndarray]
    compute: Callable[[], Mapping[str, np.ndarray]]
    tolerance: float = DRIFT

    def gap(self) -> tuple[float, str]:
        """Compute again; return the largest difference, a share of an array's largest number, and the array's name."""
        again = self.compute()
        gaps = {name: difference(stored, again[name]) for name, stored in self.stored.items()}
        worst = max(gaps, key=gaps.__getitem__)
        return gaps[worst], worst


def difference(stored: np.ndarray, again: np.ndarray) -> float:
    """Return the largest difference of two arrays over the first's largest number; infinite where shapes differ."""
    stored, again = np.asarray(stored), np.asarray(again)
    if stored.shape != again.shape:
        return float("inf")
    if stored.dtype.kind == "U":
        return 0.0 if (stored == again).all() else float("inf")
    stored, again = stored.astype(float), again.astype(float)
    finite = np.isfinite(stored)
    if (finite != np.isfinite(again)).any():
        return float("inf")
    if not finite.any():
        return 0.0
    size = max(float(np.abs(stored[finite]).max()), ROUND_OFF)
    gap = float(np.abs(stored[finite] - again[finite]).max())
    return gap / size if gap > ROUND_OFF else 0.0


def whole(
    study: AnyStudy, config: Any, unit: Unit, arrays: Arrays, seconds: float, *, but: tuple[str, ...] = ()
) -> Recheck:
    """Return the recheck that computes a unit whole; arrays named in `but` are times, which no machine repeats."""
    stored = {name: value for name, value in arrays.items() if name not in but}
    return Recheck("computed whole", seconds, stored, lambda: dict(study.compute(config, [unit]))[unit])


def beginning(
    how: str, seconds: float, arrays: Arrays, kept: Mapping[str, int], compute: Callable[[], Mapping[str, np.ndarray]]
) -> Recheck:
    """Return the recheck of the first entries of some arrays: what is chaotic can be followed so far and no further.

    Parameters
    ----------
    how, seconds
        As for `Recheck`.
    arrays : mapping
        The unit's.
    kept : mapping of str to int
        How many entries of an array are held against those computed again.
    compute : callable
        Returns arrays that begin as the unit's do.
    """

    def first(found: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {name: np.asarray(found[name])[:n] for name, n in kept.items()}

    return Recheck(how, seconds, first(arrays), lambda: first(compute()))
