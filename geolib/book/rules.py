"""How our number is judged against a paper's: rules, what refutes a claim, power."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from typing import Any, NamedTuple

from geolib.book import said
from geolib.runs.measure import Measure

#: The rules that a kind of claim may have. A statement that one case settles `holds` or not; a
#: share of runs is a number, a comparison or a matter of counter-examples.
KINDS = {
    "number": ("count", "close", "between", "equals"),
    "comparison": ("between", "holds"),
    "existence": ("never", "always", "some", "between", "holds"),
    "shape": ("between", "holds"),
    "identity": ("between", "close", "equals", "holds"),
}
LEVEL, ENOUGH = 0.05, 0.8
#: Had "never" or "always" been wrong, so many trials would have been counter-examples.
EXCEPTIONS = 0.05
#: Ratios are taken to matter from this factor on, either way.
FACTOR = 2.0
Z = 1.959963984540054


class Judgement(NamedTuple):
    """What a rule says of one number.

    Attributes
    ----------
    verdict : str
        ``reproduced``, ``not reproduced`` or ``undecided``.
    power : float or None
        Least probability of the right answer had the truth been otherwise; None where nothing is
        drawn at random.
    trials : int or None
        Independent trials that raise the power to 0.8; None where that is not known.
    """

    verdict: str
    power: float | None = None
    trials: int | None = None


def obeyed(rule: str, setting: Any) -> bool:
    """Return whether a rule has a setting that it can follow."""

    def number(value: Any) -> bool:
        return (
            isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)
        )

    if rule == "count":
        return isinstance(setting, int) and not isinstance(setting, bool) and setting > 0
    if rule == "close":
        return number(setting) and setting >= 0
    if rule == "between":
        ends = (
            isinstance(setting, list)
            and len(setting) == 2
            and all(e is None or number(e) for e in setting)
        )
        return ends and setting != [None, None] and (None in setting or setting[0] <= setting[1])
    return setting is True


def judge(
    kind: str, rule: str, setting: Any, published: Any, ours: Measure, effect: float | None = None
) -> Judgement:
    """Return what a rule says of one number.

    Parameters
    ----------
    kind, rule, setting
        One of `KINDS`, one of its rules, and the rule's setting:

        - ``count: N``: the published count of N and ours may come from one proportion (Fisher's
          exact test);
        - ``close: R``: ours, with its interval, lies within the share R of the published value;
        - ``between: [low, high]``: ours, with its interval, lies within; null is open;
        - ``equals: true``: the same number;
        - ``never: true``, ``always: true``: no trial, or every one; one counter-example refutes it;
        - ``some: true``: at least one trial; none among enough of them refutes it;
        - ``holds: true``: the statement held (1) or not (0) in the case that was computed; one half
          is undecided.
    published : number or str
        What the paper states.
    ours : Measure
        Our number.
    effect : float, optional
        Of a comparison: how far beyond the edge the reverse would lie (of ratios, as a factor).

    Returns
    -------
    Judgement
        Power below 0.8 turns *reproduced* into *undecided*; it never touches *not reproduced*.

    Notes
    -----
    The alternatives are fixed for each kind. Counts and numbers: half and double. Comparisons: no
    difference, of which the rule must not say *reproduced*, and the reverse, of which it must say
    *not reproduced*; a ratio is reversed by a factor of two unless `effect` says otherwise. Never
    and always: one exception in twenty. A case without chance has no power: what was tried and
    refuted stands in its place.
    """
    if not math.isfinite(ours.value):
        return Judgement("not reproduced")
    if rule == "count":
        found = _count(int(published), int(setting), ours)
    elif rule in ("never", "always"):
        found = _exceptions(rule, ours)
    elif rule == "some":
        found = _some(ours)
    elif rule == "holds":
        told = {1.0: "reproduced", 0.0: "not reproduced"}
        found = Judgement(told.get(float(ours.value), "undecided"))
    elif rule == "equals":
        found = Judgement("reproduced" if ours.value == float(published) else "not reproduced")
    else:
        low, high = edges(rule, setting, published)
        found = _within(low, high, ours, _alternatives(kind, low, high, published, ours, effect))
    if found.verdict == "reproduced" and found.power is not None and found.power < ENOUGH:
        return found._replace(verdict="undecided")
    return found


def edges(rule: str, setting: Any, published: Any) -> tuple[float, float]:
    """Return the least and the greatest value that the rules ``close`` and ``between`` accept."""
    if rule == "close":
        centre, allowed = float(published), float(setting) * abs(float(published))
        return centre - allowed, centre + allowed
    low, high = setting
    return (-math.inf if low is None else float(low)), (math.inf if high is None else float(high))


def planned(
    rule: str,
    setting: Any,
    published: Any,
    trials: int,
    kind: str = "number",
    expected: Measure | None = None,
    effect: float | None = None,
) -> Judgement:
    """Return the power of so many trials, and how many are needed; the verdict is open.

    Of a range what is `expected` of the trials says how wide their interval will be.
    """
    if rule == "count":
        theirs = int(published), int(setting)
        return Judgement("not run", _count_power(*theirs, trials), _count_needed(*theirs))
    if rule in ("never", "always", "some"):
        return Judgement("not run", _seen(trials), RARE)
    if expected is None or rule not in ("close", "between"):
        return Judgement("not run")
    low, high = edges(rule, setting, published)
    others = _alternatives(kind, low, high, published, expected, effect)
    power = min((_power(low, high, expected, *each) for each in others), default=None)
    return Judgement("not run", power, _trials(low, high, expected, [each for each, _ in others]))


def _fisher(k: int, n: int, published: int, of: int) -> float:
    from scipy import stats

    return float(stats.fisher_exact([[k, n - k], [published, of - published]]).pvalue)


def critical(published: int, of: int, n: int) -> tuple[int, int]:
    """Return the counts of n below and above which Fisher's test sees a difference."""
    middle = min(n, max(0, round(n * published / of)))
    return (
        _first(lambda k: _fisher(k, n, published, of) >= LEVEL, 0, middle),
        _first(lambda k: _fisher(k, n, published, of) < LEVEL, middle, n + 1) - 1,
    )


def _first(true: Callable[[int], bool], low: int, high: int) -> int:
    """Return the first number from low on from which a statement holds for good, else high."""
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if true(middle) else (middle + 1, high)
    return low


def _halved(share: float) -> float:
    return share / 2


def _doubled(share: float) -> float:
    # Of a share above one half the failures are halved: twice as good.
    return 2 * share if share <= 0.5 else 1 - (1 - share) / 2


def _count(published: int, of: int, ours: Measure) -> Judgement:
    trials = ours.independent
    k = round(ours.value * trials)
    power = _count_power(published, of, trials)
    verdict = "not reproduced" if _fisher(k, trials, published, of) < LEVEL else "reproduced"
    return Judgement(verdict, power, _count_needed(published, of) if power < ENOUGH else None)


@functools.lru_cache(4096)
def _count_power(published: int, of: int, n: int) -> float:
    """Return the least chance that Fisher's test sees half or double the share in n trials."""
    from scipy import stats

    low, high = critical(published, of, n)
    share = published / of
    return min(
        float(stats.binom.cdf(low - 1, n, p) + stats.binom.sf(high, n, p))
        for p in (_halved(share), _doubled(share))
    )


@functools.lru_cache(256)
def _count_needed(published: int, of: int) -> int | None:
    return least(lambda n: _count_power(published, of, n) >= ENOUGH)


def least(enough: Callable[[int], bool], most: int = 1 << 13) -> int | None:
    """Return about the least number of trials that is enough; None beyond `most`."""
    n = 1
    while not enough(n):
        n *= 2
        if n > most:
            return None
    return _first(enough, n // 2, n)


def _exceptions(rule: str, ours: Measure) -> Judgement:
    refuted = ours.value > 0 if rule == "never" else ours.value < 1
    if ours.n is None:  # all the cases there are, not a sample of them
        return Judgement("not reproduced" if refuted else "reproduced")
    trials = ours.independent
    power, verdict = _seen(trials), "not reproduced" if refuted else "reproduced"
    return Judgement(verdict, power, RARE if power < ENOUGH else None)


def _some(ours: Measure) -> Judgement:
    if ours.value > 0:
        return Judgement("reproduced")
    power = _seen(ours.independent)
    if power >= ENOUGH:
        return Judgement("not reproduced", power)
    return Judgement("undecided", power, RARE)


def _seen(trials: int) -> float:
    """Return the chance that one of so many trials is what happens once in twenty."""
    return 1 - (1 - EXCEPTIONS) ** trials


#: Trials of which one shows, with enough power, what happens once in twenty.
RARE = math.ceil(math.log(1 - ENOUGH) / math.log(1 - EXCEPTIONS))


def _within(
    low: float, high: float, ours: Measure, alternatives: list[tuple[float, bool]]
) -> Judgement:
    """Judge a number with interval against a range; with alternatives, and if silence is enough."""
    ends = [ours.value, *(end for end in (ours.low, ours.high) if end is not None)]
    if low <= min(ends) and max(ends) <= high:
        verdict = "reproduced"
    else:
        # An interval with values on both sides decides nothing, wherever its middle lies.
        verdict = "undecided" if min(ends) <= high and max(ends) >= low else "not reproduced"
    if ours.low is None or ours.high is None or ours.low == ours.high:
        return Judgement(verdict)
    power = min((_power(low, high, ours, *each) for each in alternatives), default=None)
    short_of = verdict == "undecided" or (power is not None and power < ENOUGH)
    truths = [truth for truth, _ in alternatives]
    if verdict == "undecided":
        # So many that an interval about what was found would end before the edge.
        truths.append(ours.value)
    return Judgement(verdict, power, _trials(low, high, ours, truths) if short_of else None)


def _logarithmic(low: float, high: float, ours: Measure) -> bool:
    # Ratios and costs spread over factors; an interval that reaches zero has no logarithm.
    positive = all(end > 0 for end in (low, high) if math.isfinite(end))
    return positive and (ours.low or 0) > 0 and ours.k is None


def _alternatives(
    kind: str, low: float, high: float, published: Any, ours: Measure, effect: float | None
) -> list[tuple[float, bool]]:
    """Return what else the truth might have been, and whether the rule need only be silent."""
    if kind == "comparison" and not (math.isfinite(low) and math.isfinite(high) and ours.k is None):
        upward = not math.isfinite(high) or (ours.k is not None and high == 1)
        edge = low if upward else high
        if ours.k is not None:
            size = effect if effect is not None else min(edge, 1 - edge) / 2
            reverse = edge - size if upward else edge + size
        elif _logarithmic(low, high, ours):
            factor = effect or FACTOR
            reverse = edge / factor if upward else edge * factor
        else:
            size = effect if effect is not None else abs(ours.value - edge)
            reverse = edge - size if upward else edge + size
        return [(edge, True), (reverse, False)]
    if kind in ("existence", "shape", "identity") and ours.k is None:
        return []
    number = (
        isinstance(published, (int, float)) and not isinstance(published, bool) and published != 0
    )
    if number and ours.k is None:
        return [(float(published) / 2, False), (float(published) * 2, False)]
    found = []
    if math.isfinite(low) and low != 0:
        found.append((_halved(low) if low > 0 else 2 * low, False))
    if math.isfinite(high) and high != 0 and not (ours.k is not None and high >= 1):
        found.append(
            (_doubled(high) if ours.k is not None else 2 * high if high > 0 else high / 2, False)
        )
    return found


def _power(low: float, high: float, ours: Measure, truth: float, silent: bool) -> float:
    """Return the chance of *not reproduced*, or of all but *reproduced* if silence is enough."""
    from scipy import stats

    if ours.k is not None:
        n = ours.independent
        total = 0.0
        for k in range(n + 1):
            share = Measure.count(k, n)
            outside = (share.high or 0) < low or (share.low or 0) > high
            inside = low <= (share.low or 0) and (share.high or 0) <= high
            if (not inside) if silent else outside:
                total += float(stats.binom.pmf(k, n, truth))
        return total
    if _logarithmic(low, high, ours):
        half, truth = math.log((ours.high or 1) / (ours.low or 1)) / 2, math.log(truth)
        low, high = (
            math.log(e) if 0 < e < math.inf else -math.inf if e <= 0 else e for e in (low, high)
        )
    else:
        half = ((ours.high or 0) - (ours.low or 0)) / 2
    if not math.isfinite(half):
        return 0.0  # an interval without an end tells nothing from anything
    error = half / Z
    # The estimate is taken as normal about the truth, with an interval of the width that ours has.
    if silent:
        inside = stats.norm.cdf((high - half - truth) / error) - stats.norm.cdf(
            (low + half - truth) / error
        )
        return float(1 - max(0.0, inside))
    return float(
        stats.norm.cdf((low - half - truth) / error) + stats.norm.sf((high + half - truth) / error)
    )


def _trials(low: float, high: float, ours: Measure, truths: list[float]) -> int | None:
    """Return how many trials tell the alternatives from the range, by the square-root law."""
    if ours.n is None or ours.low is None or ours.high is None:
        return None
    if _logarithmic(low, high, ours):
        half = math.log(ours.high / ours.low) / 2
        gaps = [
            abs(math.log(t / e)) for t in truths for e in (low, high) if 0 < e < math.inf and t != e
        ]
    else:
        half = (ours.high - ours.low) / 2
        gaps = [abs(t - e) for t in truths for e in (low, high) if math.isfinite(e) and t != e]
    if not gaps or min(gaps) == 0:
        return None
    needed = ours.independent * ((Z + 0.8416) / Z * half / min(gaps)) ** 2
    # An interval without an end tells nothing.
    return max(math.ceil(needed), 2) if math.isfinite(needed) else None


def refuted_by(kind: str, rule: str, setting: Any, published: Any, trials: int | None) -> str:
    """Return in words what would have refuted a claim, by its rule."""
    if rule == "count":
        if not trials:
            test = "Fisher's exact test (p < 0.05)"
            return f"a share that {test} tells from {published} of {setting}"
        least, most = critical(int(published), int(setting), trials)
        return f"fewer than {least} or more than {most} of {trials} independent trials"
    if rule == "never":
        return "a single trial in which it happens"
    if rule == "always":
        return "a single trial in which it does not"
    if rule == "some":
        return f"no trial in which it does, among {RARE} or more"
    if rule == "holds":
        return "the statement failing in the case that was computed"
    if rule == "equals":
        return f"any other number than {said.exact(published)}"
    low, high = edges(rule, setting, published)
    what = "a value, with its whole interval," if kind != "identity" else "a value"
    if math.isfinite(low) and math.isfinite(high):
        return f"{what} outside {said.exact(low)} to {said.exact(high)}"
    if math.isfinite(high):
        return f"{what} above {said.exact(high)}"
    return f"{what} below {said.exact(low)}"
