"""The claims ledger: a row for each claim, with what measures it here and its verdict."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from geolib.book import filled, plans, rules, said
from geolib.book.claims import (
    APART,
    CLASSES,
    ERRATUM,
    OURS,
    Claim,
    errata,
    judgements,
    load,
    not_testable,
    otherwise,
    pairs,
    verdict,
)
from geolib.runs.measure import Measure
from geolib.runs.tables import markdown

__all__ = [
    "APART",
    "CLASSES",
    "ERRATUM",
    "KEYS",
    "ONE_RUN",
    "OURS",
    "VERDICTS",
    "Claim",
    "cell",
    "choices",
    "errata",
    "judge",
    "load",
    "not_testable",
    "opposed",
    "otherwise",
    "robustness",
    "side_by_side",
    "state",
    "turned",
    "verdict",
]
#: What is known of the power where chance had a part and one run was made.
ONE_RUN = "one run alone: its power is not known"
VERDICTS = ("reproduced", "not reproduced", "mixed", "undecided", "not run")
_RULES = dict.fromkeys(rule for allowed in rules.KINDS.values() for rule in allowed)
#: What a row holds under each of its keys, and when it is null there.
KEYS = {
    "id": "name of the claim, which `geolib verify ID` takes",
    "paper": "the study",
    "place": "where it stands in the paper",
    "kind": f"one of {', '.join(rules.KINDS)}, or {OURS}: the book's own, counted with no paper",
    "claim": "what is stated",
    "published": "a number or a text, or a list of them",
    "rule": f"what judges it, one of {', '.join(_RULES)} (`geolib.book.rules.judge`)",
    "ours": "our number, or a list of them; null before all of them were computed",
    "interval": "95 %, as [low, high], where an end that is not known or not finite is null; a "
    "list of such pairs where ours is a list; null where ours is",
    "n": "trials, seeds or cases behind the first number; null where ours is, and where none are "
    "counted",
    "verdict": f"{', '.join(VERDICTS[:-1])} or {VERDICTS[-1]}",
    "power": "least chance that the rule notices had the truth been otherwise, from 0 to 1. Null "
    "where nothing is drawn at random or one run alone was made; where one case that was found "
    "shows it; where the number has no interval, or the rule knows no other truth to tell it from; "
    "before it was run, unless a number of trials is planned",
    "robust": "null before it was run; else `verdict` (robust, unconfirmed, fragile, untested or "
    "open), `alternatives`, a verdict for each other choice that was run, `turns_with`, the "
    "choices that turn it, `reached_by`, those that reach it by themselves, and `opposed_by`, "
    "those that the paper leaves open and that make it mixed",
    "refuted_by": "what would have refuted it",
    "differs": "how what judges it differs from the paper's own",
    "figure": "name of the figure or table that shows it; null where none does, and the note says "
    "why",
    "record": "the precomputed file in book/results behind it; null where none has a number of it: "
    "before it was run, or where the paper's own printed numbers are judged",
    "note": "what else is to be known; may be empty",
}
_SAME = ("id", "paper", "place", "kind", "claim")


def robustness(
    claim: Claim, measures: Mapping[str, Measure], variants: Mapping[str, Mapping[str, Measure]]
) -> dict[str, str]:
    """Return by a choice of ours the verdict that another would have given, where run.

    Parameters
    ----------
    claim : Claim
        With its own alternatives in `robust`.
    measures : mapping
        What judges the claim.
    variants : mapping
        By choice, measures of the same names made otherwise; those that hold all of a claim's apply
        to it.
    """
    found = {
        label: verdict(claim, other)
        for label, other in variants.items()
        if set(claim.decisive) <= set(other)
    }
    for choice in claim.robust:
        found[choice] = verdict(otherwise(claim, choice), measures)
    return {label: each for label, each in found.items() if each != "not run"}


def turned(first: str, others: Mapping[str, str]) -> list[str]:
    """Return the choices with which a verdict turns round; one that is only undecided does not."""
    firm = {"reproduced", "not reproduced", "mixed"}
    return [label for label, other in others.items() if {first, other} <= firm and other != first]


def opposed(first: str, read: Mapping[str, str]) -> list[str]:
    """Return the readings that make a verdict mixed.

    Those that turn it; of one that is undecided those that are decided, where they do not agree.
    """
    if first != "undecided":
        return turned(first, read)
    decided = {label: each for label, each in read.items() if each not in (first, "not run")}
    return list(decided) if len(set(decided.values())) > 1 else []


def choices(alternatives: Mapping[str, str]) -> int:
    """Return how many choices of ours were made otherwise: parts of the seeds shown are one."""
    parts = {"the first half of the seeds", "the second half of the seeds"}
    return len(alternatives.keys() - parts) + bool(alternatives.keys() & parts)


def state(verdict_: str, alternatives: int, turns: int, reached: int) -> str:
    """Return how firm a verdict is: open, untested, fragile, robust or unconfirmed.

    Parameters
    ----------
    verdict_ : str
        One of `VERDICTS`; where it is undecided, all is *open*.
    alternatives, turns, reached : int
        Other choices that were run (`choices`); those that turn the verdict (one makes it
        *fragile*); those that reach it by themselves (of one that is mixed by its readings: what is
        shown, or one of these readings). Fewer than two choices leave it *untested*. Where none
        turns it at least half have to reach it for *robust*; else most choices decide nothing, and
        it is *unconfirmed*.
    """
    if verdict_ == "undecided":
        return "open"
    if turns:
        return "fragile"
    if alternatives < 2:
        return "untested"
    return "robust" if 2 * reached >= alternatives else "unconfirmed"


def judge(
    claims: Sequence[Claim],
    measures: Mapping[str, Measure],
    variants: Mapping[str, Mapping[str, Measure]] | None = None,
    sources: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return a row for each claim that is counted.

    Parameters
    ----------
    claims : sequence of Claim
        Of one paper.
    measures, variants : mapping
        See `robustness`.
    sources : mapping of str to str, optional
        By measure, the file of precomputed results behind it.

    Returns
    -------
    list of dict
        What each holds under its keys, and when that is null, `KEYS` says.
    """
    return [
        _row(claim, measures, variants or {}, sources or {}) for claim in claims if claim.counted
    ]


def _row(
    claim: Claim,
    measures: Mapping[str, Measure],
    variants: Mapping[str, Mapping[str, Measure]],
    sources: Mapping[str, str],
) -> dict[str, Any]:
    found = [measures[name] for name in claim.measure if name in measures]
    complete = len(found) == len(claim.measure)
    # JSON knows no infinity: an interval without an end has none there.
    ends = [[e if e is None or math.isfinite(e) else None for e in (m.low, m.high)] for m in found]
    shown = verdict(claim, measures)
    mine = judgements(claim, measures)
    if shown == "not run" and claim.planned:
        mine = plans.planned(claim, measures)
    powers = [each.power for each in mine.values() if each.power is not None]
    if claim.one_run:  # its samples tell nothing of another run
        powers = []
    alternatives = robustness(claim, measures, variants)
    read = {choice: alternatives[choice] for choice in claim.readings if choice in alternatives}
    # A choice that the paper leaves open and that turns the verdict makes it mixed, not fragile.
    against = opposed(shown, read)
    verdict_ = "mixed" if against else shown
    turns = [choice for choice in turned(shown, alternatives) if choice not in read]
    # A reading that makes a verdict mixed is a part of it.
    reached = [
        choice for choice, each in alternatives.items() if each == shown or choice in against
    ]
    # Bars and readings of one single run say nothing of another run.
    tried = 0 if claim.unvaried else choices(alternatives)
    robust = {
        "verdict": state(verdict_, tried, len(turns), len(reached)),
        "alternatives": alternatives,
        "turns_with": turns,
        "reached_by": reached,
        "opposed_by": against,
    }
    trials = max((m.independent for m in found), default=claim.planned)
    source = [sources[name] for name in claim.measure if name in sources]
    needed = [each.trials for each in mine.values() if each.trials]
    if not needed and claim.planned:  # too few to tell how far they scatter: as it was planned
        needed = [each.trials for each in plans.planned(claim, measures).values() if each.trials]
    note = _note(claim, verdict_, needed, found)
    values = {
        **{name: getattr(claim, name) for name in (*_SAME, "differs")},
        "published": _one(claim.published),
        "rule": claim.rule,
        "ours": _one([m.value for m in found]) if complete else None,
        "interval": _one(ends) if complete else None,
        "n": found[0].n if complete else None,
        "verdict": verdict_,
        "power": round(min(powers), 4) if powers else None,
        "robust": None if verdict_ == "not run" else robust,
        "refuted_by": claim.refuted_by or _refuted_by(claim, trials),
        "figure": claim.figure or None,
        "record": source[0] if source else None,
        "note": " ".join(
            filter(None, [filled.fill(note, measures), _opposed(shown, read, against)])
        ),
    }
    return {key: values[key] for key in KEYS}


def _one(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _refuted_by(claim: Claim, trials: int | None) -> str:
    first = pairs(claim)[0][1]
    text = rules.refuted_by(claim.judged_as, claim.rule, claim.setting, first, trials)
    return text if len(claim.decisive) == 1 else f"{text}, in any of {len(claim.decisive)} numbers"


def _note(claim: Claim, verdict_: str, needed: Sequence[int], found: Sequence[Measure]) -> str:
    parts = [claim.note]
    if claim.one_run:
        sampled = any(measure.low is not None for measure in found)
        over = "; the interval is over its samples" if sampled else ""
        parts.append(f"{ONE_RUN[0].upper()}{ONE_RUN[1:]}{over}.")
    if claim.planned and verdict_ == "not run":
        parts.append(f"Planned: {claim.planned} trials.")
    elif claim.planned and verdict_ == "undecided":
        parts.append(f"In are {found[0].n} of {claim.planned} planned trials.")
    if verdict_ in ("undecided", "not run") and needed:
        parts.append(f"About {max(needed)} independent trials would decide.")
    if claim.tried:
        parts.append(f"Tried instead, and refuted: {claim.tried}")
    if claim.unvaried:
        parts.append(f"Other choices: {claim.unvaried}")
    if claim.fixed:
        parts.append(f"Rule fixed on {claim.fixed}.")
    if claim.changed_after_results:
        parts.append(f"Rule changed after results were seen: {claim.changed_after_results}")
    return " ".join(part for part in parts if part)


def _opposed(shown: str, read: Mapping[str, str], against: Sequence[str]) -> str:
    if not against:
        return ""
    told = ", ".join(f"{read[choice]} with “{choice}”" for choice in against)
    return f"The paper leaves it open: {shown} as shown, {told}."


def side_by_side(
    claims: Sequence[Claim], shipped: Mapping[str, Measure], live: Mapping[str, Measure]
) -> str:
    """Return a Markdown table: claim, published, precomputed, this build's, verdict."""
    rows = []
    for claim in claims:
        published = ", ".join(map(said.exact, claim.published))
        cells = [claim.place, claim.claim, published, cell(claim, shipped), cell(claim, live)]
        rows.append([*cells, verdict(claim, shipped) if claim.counted else claim.kind])
    return markdown(["Place", "Claim", "Published", "Precomputed", "This build", "Verdict"], rows)


def cell(claim: Claim, measures: Mapping[str, Measure]) -> str:
    """Return our numbers of a claim as a reader wants them."""
    found = [measures[name] for name in claim.measure if name in measures]
    told = [_told(measure, list(claim.published)) for measure in found]
    return ", ".join(told) if len(found) == len(claim.measure) else "—"


def _told(measure: Measure, published: list[Any]) -> str:
    if measure.k is not None:
        return str(measure)
    ends = [measure.low, measure.high]
    centre, *both = said.together([measure.value, *(ends if None not in ends else [])], published)
    return f"{centre} [{', '.join(both)}]" if both else centre
