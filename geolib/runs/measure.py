"""A number of ours with its uncertainty: what a study measures and a claim is judged by."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from geolib import _checks
from geolib.runs.unit import NotRun


@dataclass(frozen=True)
class Measure:
    """A number of ours with its uncertainty.

    Attributes
    ----------
    value : float
        The number.
    low, high : float, optional
        A 95 % interval.
    n : int, optional
        Trials, seeds or cases behind it.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None

    @classmethod
    def count(cls, k: int, n: int) -> Measure:
        """Return the proportion k / n with its Wilson 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22, p. 209).

        Raises
        ------
        ValueError
            If n is not positive or k not within 0..n.
        """
        _checks.integer("n", n, low=1)
        _checks.integer("k", k, low=0, high=n)
        z = 1.959963984540054
        centre = (k / n + z * z / (2 * n)) / (1 + z * z / n)
        half = z / (1 + z * z / n) * math.sqrt(k / n * (1 - k / n) / n + z * z / (4 * n * n))
        return cls(k / n, max(0.0, centre - half), min(1.0, centre + half), n)

    @classmethod
    def mean(cls, values: Sequence[float]) -> Measure:
        """Return the mean of independent values with Student's 95 % interval (none for equal values)."""
        import numpy as np
        from scipy import stats

        data = np.asarray(values, dtype=float)
        if data.size == 0:
            raise ValueError("values must hold at least one number; got none. Run a unit first.")
        centre = float(data.mean())
        if np.ptp(data) == 0:  # one value, or several whose spread is not known to be zero
            return cls(centre, n=int(data.size))
        half = float(stats.t.ppf(0.975, data.size - 1) * data.std(ddof=1) / math.sqrt(data.size))
        return cls(centre, centre - half, centre + half, int(data.size))

    def __str__(self) -> str:
        """Return value, interval and n as a reader wants them."""
        text = short(self.value)
        if self.low is not None and self.high is not None:
            text += f" [{short(self.low)}, {short(self.high)}]"
        return text


def short(value: Any) -> str:
    """Return a number with four digits, other values as text."""
    if value is None:
        return "—"
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return str(value)
    return f"{value:.4g}"


def evaluated(rules: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Return the numbers of all rules whose units are there; a rule says by `NotRun` that one is not."""
    found = {}
    for name, rule in rules.items():
        with contextlib.suppress(NotRun):
            found[name] = float(rule())
    return found
