"""What experiments that are still to be run would decide: their power, and how many trials do."""

from __future__ import annotations

import math
from collections.abc import Mapping

from geolib.book import rules
from geolib.book.claims import Claim, pairs
from geolib.runs.measure import Measure


def planned(claim: Claim, measures: Mapping[str, Measure]) -> dict[str, rules.Judgement]:
    """Return for each decisive number what the planned trials would tell; all verdicts are open.

    Parameters
    ----------
    claim : Claim
        With `planned` trials, and for a range the `spread` that they are expected to have.
    measures : mapping
        Where a spread is that of other trials.
    """
    trials = claim.planned or 1
    return {name: _told(claim, each, trials, measures) for name, each in pairs(claim)}


def _told(
    claim: Claim, published: object, trials: int, measures: Mapping[str, Measure]
) -> rules.Judgement:
    expected = _expected(claim, published, trials, measures)
    rule = claim.rule, claim.setting, published
    told = rules.planned(*rule, trials, claim.judged_as, expected, claim.effect)
    if expected is None or expected.k is None:
        return told

    def enough(n: int) -> bool:
        like = Measure.count(0, n)  # the power of a share does not depend on what is found
        power = rules.planned(*rule, n, claim.judged_as, like, claim.effect).power
        return power is not None and power >= rules.ENOUGH

    return told._replace(trials=rules.least(enough))


def _expected(
    claim: Claim, published: object, trials: int, measures: Mapping[str, Measure]
) -> Measure | None:
    """Return a number with the interval that as many trials would give it; None if none is known.

    An interval shrinks with the square root of the trials. A share has Wilson's.
    """
    spread = claim.spread
    like = measures.get(spread) if isinstance(spread, str) else None
    if like is not None and like.k is not None:
        return Measure.count(round(like.value * trials), trials)
    if claim.rule not in ("close", "between"):
        return None
    edges = [
        each for each in rules.edges(claim.rule, claim.setting, published) if math.isfinite(each)
    ]
    # A difference, which may be below zero, is none even where its bar is above.
    ratio = min(edges) > 0 and not (claim.possible and claim.possible[0] < 0)
    if isinstance(spread, (int, float)):
        deviation = float(spread)
    elif like is None or None in (like.low, like.high) or (ratio and not (like.low or 0) > 0):
        return None
    else:
        low, high = float(like.low or 0), float(like.high or 0)
        width = math.log(high / low) if ratio else high - low
        deviation = width / 2 / rules.Z * math.sqrt(like.independent)
    half = rules.Z * deviation / math.sqrt(trials)
    if ratio:
        centre = math.exp(sum(map(math.log, edges)) / len(edges))
        return Measure(centre, centre * math.exp(-half), centre * math.exp(half), trials)
    stated = isinstance(published, (int, float)) and not isinstance(published, bool)
    centre = float(published) if stated else sum(edges) / len(edges)  # type: ignore[arg-type]
    return Measure(centre, centre - half, centre + half, trials)
