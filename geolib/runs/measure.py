"""A number of ours with its uncertainty: what a study measures and a claim is judged by."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
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
    k : int, optional
        Of a share of trials: in how many it was so.
    worth : int, optional
        How many independent trials the n are worth, where they are not independent themselves.
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int | None = None
    k: int | None = None
    worth: int | None = None

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the fields as JSON takes them: an end that is infinite is none."""
        return {
            name: None if isinstance(value, float) and not math.isfinite(value) else value
            for name, value in vars(self).items()
        }

    @property
    def independent(self) -> int:
        """How many independent trials are behind it; one at least."""
        return max(1, self.worth or self.n or 1)

    @classmethod
    def count(cls, k: int, n: int) -> Measure:
        """Return the proportion k / n with its Wilson 95 % interval (Wilson 1927, J. Am. Stat. Assoc. 22, p. 209).

        Raises
        ------
        ValueError
            If n is not positive or k not within 0..n.
        """
        n = _checks.integer("n", n, low=1)
        k = _checks.integer("k", k, low=0, high=n)
        return cls(k / n, *_wilson(k, n), n, k)

    @classmethod
    def clustered(cls, clusters: Sequence[Sequence[bool]], like: Measure | None = None, draws: int = 4000) -> Measure:
        """Return the share of trials that come in clusters, such as those from one start, with a bootstrap over these.

        Parameters
        ----------
        clusters : sequence of sequence of bool
            The trials of each cluster, which may depend on one another; clusters do not.
        like : Measure, optional
            Another share of the same trials, whose design effect is taken where all of these agree.
        draws : int
            Bootstrap samples.

        Returns
        -------
        Measure
            The interval holds the central 95 % of the bootstrap; `worth` is n over the design effect, the variance
            that the clusters show over that of independent trials, kept between 1 and the trials of a cluster. Where
            all trials agree nothing is known of it but by `like`: without that a cluster counts as one trial. The
            interval is then Wilson's for the trials that they are worth. One cluster whose trials do not agree says
            nothing of others: its interval goes from 0 to 1.

        References
        ----------
        Kish (1965), Survey Sampling, section 5.4.
        """
        import numpy as np

        sizes = np.array([len(cluster) for cluster in clusters])
        hits = np.array([sum(cluster) for cluster in clusters])
        k, n, groups = int(hits.sum()), int(sizes.sum()), len(sizes)
        if k in (0, n) or groups < 2:
            worth = like.worth if like is not None and like.worth and like.n == n else groups
            few, many = cls.count(0 if k < n else worth, worth), cls.count(worth if k else 0, worth)
            return cls(k / n, few.low, many.high, n, k, worth)
        rows = np.random.default_rng(0).integers(groups, size=(draws, groups))
        low, high = np.quantile(hits[rows].sum(1) / sizes[rows].sum(1), [0.025, 0.975])
        share = k / n
        # The variance of a ratio of sums, by the clusters' own scatter.
        scatter = np.square(hits - share * sizes).sum() * groups / (groups - 1) / n**2
        effect = float(np.clip(scatter / (share * (1 - share) / n), 1, n / groups))
        return cls(share, float(low), float(high), n, k, max(1, round(n / effect)))

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
        low, high = stats.t.interval(0.95, data.size - 1, loc=centre, scale=stats.sem(data))
        return cls(centre, float(low), float(high), int(data.size))

    @classmethod
    def positive(cls, values: Sequence[float]) -> Measure:
        """Return the mean of values that cannot be negative, such as squares, with an interval that is not either.

        It is Student's 95 % interval of the mean's logarithm, whose deviation is the mean's over the mean. A negative
        value raises ValueError.
        """
        if min(values, default=0.0) < 0:
            raise ValueError(f"values must not be negative; got {min(values):g}. Take `Measure.mean`.")
        plain = cls.mean(values)
        if plain.low is None or plain.high is None or not plain.value > 0:
            return plain
        part = (plain.high - plain.value) / plain.value
        return replace(plain, low=plain.value * math.exp(-part), high=plain.value * math.exp(part))

    def exponential(self) -> Measure:
        """Return the number whose logarithm this is, with its interval: of a mean of logarithms a geometric mean."""
        low, high = (None if end is None else math.exp(end) for end in (self.low, self.high))
        return replace(self, value=math.exp(self.value), low=low, high=high)

    @classmethod
    def difference(cls, one: Measure, other: Measure) -> Measure:
        """Return one share less another, with an interval from those of both.

        References
        ----------
        Newcombe (1998), Statistics in Medicine 17, p. 873, method 10.
        """
        gap = one.value - other.value
        (a, b), (c, d) = (
            (m.value if m.low is None else m.low, m.value if m.high is None else m.high) for m in (one, other)
        )
        below = math.hypot(one.value - a, d - other.value)
        above = math.hypot(b - one.value, other.value - c)
        return cls(gap, gap - below, gap + above, min(one.n or 1, other.n or 1))

    def __str__(self) -> str:
        """Return value, interval and n as a reader wants them."""
        if self.k is not None:
            return f"{self.k} of {self.n}"
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


@functools.cache
def _wilson(k: int, n: int) -> tuple[float, float]:
    from scipy import stats

    low, high = stats.binomtest(k, n).proportion_ci(method="wilson")
    return float(low), float(high)


def evaluated(rules: Mapping[str, Callable[[], float]]) -> dict[str, float]:
    """Return the numbers of all rules whose units are there; a rule says by `NotRun` that one is not."""
    found = {}
    for name, rule in rules.items():
        with contextlib.suppress(NotRun):
            found[name] = float(rule())
    return found
