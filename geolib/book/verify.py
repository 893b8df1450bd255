"""What `geolib verify` prints: the scorecard of all claims, and the whole case of one."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from math import isfinite
from typing import Any

from geolib import _checks, studies
from geolib.book import filled, ledger, links, rules, said
from geolib.book.claims import Claim, ids
from geolib.runs import paths
from geolib.runs.config import PRESETS
from geolib.runs.measure import Measure
from geolib.runs.study import AnyStudy


def check_id(identity: str) -> None:
    """Raise ValueError with the nearest ids if no claim has this one, before anything is judged."""
    known = ids(paths.ledger())
    if identity not in known:
        near = difflib.get_close_matches(identity, known, n=3, cutoff=0.4)
        raise ValueError(
            f"claim must be the id of one in the ledger; got {_checks.shown(identity)}. "
            + (f"Did you mean {' or '.join(near)}?" if near else "`geolib verify` lists them.")
        )


def rows(names: Sequence[str] = studies.NAMES) -> dict[str, list[dict[str, Any]]]:
    """Return by paper the judged claims (`ledger.judge`), from the shipped results.

    Notes
    -----
    Some ten seconds for all four papers.
    """
    claims = ledger.load(paths.ledger())
    found = {}
    for name in names:
        study, mine = studies.get(name), [claim for claim in claims if claim.paper == name]
        sources, variants = studies.shipped_both(study)
        measures = {key: measure for key, (measure, _) in sources.items()}
        measures |= study.published({claim.id: claim.published for claim in mine})
        check_spelling(name, claims, measures)
        if all(_shipped(part, sources) for part in (study, *studies.companions(name))):
            filled.check(mine, measures)
        found[name] = ledger.judge(
            mine,
            measures,
            variants,
            {key: file for key, (_, file) in sources.items()},
        )
    return found


def _shipped(part: AnyStudy, sources: Mapping[str, tuple[Measure, str]]) -> bool:
    """Return whether there are results of a study or companion, under whatever name."""
    return any(file.startswith(f"{part.name}-") for _, file in sources.values())


def check_spelling(study: str, claims: Sequence[Claim], found: Iterable[str]) -> None:
    """Refuse a claim's measure that is no more than a misspelt one of those found.

    What is not computed yet is not found either: a name counts as misspelt where it differs from
    one that is found by one word, nearly that, which stands in no name of a measure that is found
    or of a unit that the study or a companion declares, computed or not.
    """
    known = [(name, _words(name)) for name in found]
    names, words = {name for name, _ in known}, {word for _, parts in known for word in parts}
    for part in (studies.get(study), *studies.companions(study)):
        for preset in PRESETS:
            words.update(*map(_words, part.names(part.Config.preset(preset))))
    for claim in claims:
        asked = [claim.measure] if isinstance(claim.measure, str) else claim.measure
        for name in asked if claim.paper == study else ():
            if name in names:
                continue
            for right, parts in known:
                if _misspelt(_words(name), parts, words):
                    raise ValueError(
                        f"measure of claim {claim.id} must be one of {study}'s; "
                        f"got {name!r}. Did you mean {right!r}?"
                    )


def _words(text: str) -> list[str]:
    return re.split(r"[\W_]+", text)


def _misspelt(ours: list[str], theirs: list[str], words: set[str]) -> bool:
    if len(ours) != len(theirs):
        return False
    other = [pair for pair in zip(ours, theirs, strict=True) if pair[0] != pair[1]]
    return (
        len(other) == 1
        and other[0][0] not in words
        and difflib.SequenceMatcher(None, *other[0]).ratio() > 0.7
    )


def scorecard(judged: Sequence[dict[str, Any]]) -> dict[str, int]:
    """Return counts of the papers' claims: all, decided, by how firm (`FIRM`), by verdict."""
    theirs = [row for row in judged if row["kind"] != ledger.OURS]
    decided = [row for row in theirs if row["verdict"] not in ("undecided", "not run")]
    states = [row["robust"]["verdict"] for row in decided]
    counts = {
        verdict: sum(row["verdict"] == verdict for row in theirs) for verdict in ledger.VERDICTS
    }
    return {
        "claims": len(theirs),
        "decided": len(decided),
        **{state: states.count(state) for state in FIRM},
        **counts,
    }


def as_text(judged: dict[str, list[dict[str, Any]]]) -> str:
    """Return a line for each claim, and the scorecard of each paper and of all."""
    everything = [row for each in judged.values() for row in each]
    lines = [
        f"{row['verdict']:15} {row['id']}: {row['claim']} ({numbers(row)})"
        + (" [this book's own, not counted]" if row["kind"] == ledger.OURS else "")
        for row in everything
    ]
    for name, each in (*judged.items(), ("together", everything)):
        card = scorecard(each)
        heads = ("reproduced", "not reproduced", "mixed")
        lines.append(
            f"{name}: {card['claims']} claims, {card['decided']} decided ("
            + ", ".join(f"{card[head]} {head}" for head in heads)
            + f"; {card['robust']} robust, {card['unconfirmed']} unconfirmed, {card['fragile']} "
            f"fragile, {card['untested']} with fewer than two alternatives), "
            f"{card['undecided']} undecided, {card['not run']} not run"
        )
    return "\n".join(lines)


def numbers(row: dict[str, Any]) -> str:
    """Return what was published and what is ours, in a few words."""
    return f"published {listed(row['published'])}, ours {ours(row)}"


def listed(value: Any) -> str:
    """Return what is published, a number, a text or a list of them, in words."""
    return ", ".join(map(said.exact, value if isinstance(value, list) else [value]))


def ours(row: Mapping[str, Any]) -> str:
    """Return our numbers of a row as a person would say them.

    A share of trials is a count, a statement holds or does not, of round-off its size is enough;
    a number that is the end of its own interval is a bound.
    """
    value, n, interval = row["ours"], row["n"], row["interval"]
    each = value if isinstance(value, list) else [value]
    share = row["rule"] in ("count", "never", "always", "some")
    if row["rule"] == "holds" or (share and not n):
        told = [_share(v, *(_HELD if row["rule"] == "holds" else _CASES)) for v in each]
        # Of several statements each is named by its place in the claim.
        several = [f"({place}) {text}" for place, text in enumerate(told, 1)]
        return ", ".join(several if len(told) > 1 else told)
    if isinstance(value, float) and n and 0 <= value <= 1:
        k, (low, high) = round(value * n), interval or (None, None)
        share |= low is not None and high is not None and low >= 0 and high <= 1
        if share and abs(value * n - k) < 1e-9:
            return f"{k:,} of {n:,}"
    if isinstance(value, float) and interval and None not in interval:
        if value == interval[1] > interval[0] == 0:  # the least of fewer runs: it bounds from above
            return said.at_most(value)
        centre, low, high = said.together([value, *interval], row["published"])
        return f"{centre} ({low} to {high})"
    return ", ".join(said.together([v], row["published"])[0] for v in each)


#: A share of cases that is all, none, or between, of a statement and of something that may happen.
_HELD = ("it holds", "it does not hold", "it holds in {:.0f} % of the cases")
_CASES = ("in every case", "in no case", "in {:.0f} % of the cases")


def _share(value: Any, every: str, none: str, some: str) -> str:
    return {None: "—", 1: every, 0: none}.get(value) or some.format(100 * value)


#: What a word on robustness means, for who reads it first.
STATES = {
    "robust": "robust: none of these choices turns the verdict",
    "unconfirmed": "unconfirmed: none of these choices turns the verdict, and most decide nothing",
    "fragile": "fragile: the verdict turns with one of these choices",
    "untested": "untested: fewer than two other choices have results, or all are of one run",
    "open": "open: nothing is decided that could turn",
    "not run": "not run",
}


#: How firm a decided verdict can be.
FIRM = ("robust", "unconfirmed", "fragile", "untested")


def reached(robust: Mapping[str, Any]) -> str:
    """Return with how many of the other choices a verdict is reached, in words."""
    many = len(robust["alternatives"])
    if not many:
        return "no alternative tried"
    return f"reached with {len(robust['reached_by'])} of {many} alternative{'s' * (many != 1)}"


def _robustness(robust: Mapping[str, Any]) -> str:
    told = [STATES[robust["verdict"]]]
    if robust["verdict"] in FIRM:
        told.append(reached(robust))
    return "; ".join(told)


def _power(row: Mapping[str, Any], claim: Claim) -> str:
    if row["power"] is not None:
        return f"{row['power']:.2f}, the chance of seeing it had the truth been otherwise"
    if claim.one_run:
        return ledger.ONE_RUN
    if row["verdict"] == "not run":
        return "not known before it is run"
    found = row["verdict"] == "reproduced" and claim.rule in ("some", "between")
    if claim.judged_as == "existence" and row["n"] and found:
        return "none is needed: one case that was found shows it"
    if not claim.census and row["n"] and row["n"] > 1:
        ends = row["interval"]
        pairs = ends if isinstance(ends[0], list) else [ends]
        if any(None not in pair and pair[0] != pair[1] for pair in pairs):
            return "none, since the rule knows no other truth to tell it from"
        return "not known, since the interval of these draws is not"
    return "none, since nothing is drawn at random"


def case(judged: Sequence[dict[str, Any]], identity: str) -> str:
    """Return all that is known of one claim, as text."""
    (row,) = (row for row in judged if row["id"] == identity)
    (claim,) = (entry for entry in ledger.load(paths.ledger()) if entry.id == identity)
    misprints = links.misprints().get(identity, [])
    robust = row["robust"] or {"verdict": "not run", "alternatives": {}}
    theirs = row["kind"] != ledger.OURS
    pairs = {
        "verdict": row["verdict"],
        "paper" if theirs else "chapter": studies.get(row["paper"]).title,
        "place": row["place"],
        "kind": row["kind"],
        "published" if theirs else "goal": listed(row["published"]),
        "ours": ours(row),
        "interval": _ends(row),
        "trials": said.exact(row["n"]),
        "rule": _rule(claim.rule, claim.setting, claim.published[0]),
        "measured by": ", ".join(claim.decisive),
        "refuted by": row["refuted_by"],
        "power": _power(row, claim),
        "robustness": _robustness(robust),
        **{f"  {choice}": verdict for choice, verdict in robust["alternatives"].items()},
        # Named beforehand, and without a result as yet.
        **{f"  {choice}": "not run" for choice in claim.robust.keys() - robust["alternatives"]},
        "differs": row["differs"],
        "shown by": row["figure"] or "—",
        "record": row["record"] or "—",
        "errata": ", ".join(misprints) or "—",
        "note": row["note"] or "—",
    }
    lines = [f"{row['id']}: {row['claim']}"]
    for head, text in pairs.items():
        wrapped = textwrap.wrap(text, 76) or ["—"]
        lines.append(f"  {head + ':':14} {wrapped[0]}")
        lines += [" " * 17 + more for more in wrapped[1:]]
    return "\n".join(lines)


def _ends(row: dict[str, Any]) -> str:
    """Return the interval of a row, or those of several numbers, in words."""
    value, interval = row["ours"], row["interval"] or [None, None]
    several = isinstance(interval[0], list)
    pairs = zip(value, interval, strict=True) if several else [(value, interval)]
    found = [
        " to ".join(said.together([centre, *pair], row["published"])[1:])
        for centre, pair in pairs
        if any(end is not None for end in pair)
    ]
    return ", ".join(found) or "—"


def _rule(rule: str, setting: Any, published: Any) -> str:
    """Return in words what a rule asks for."""
    if rule == "count":
        test = f"Fisher's exact test, p < {rules.LEVEL:g}"
        return f"one proportion with {published} of {setting} ({test})"
    words = {
        "never": "in no trial",
        "always": "in every trial",
        "some": "in one trial at least",
        "holds": "the statement holds in the case that was computed",
        "equals": f"the number {said.exact(published)} itself",
    }
    if rule in words:
        return words[rule]
    low, high = rules.edges(rule, setting, published)
    if not isfinite(low) or not isfinite(high):
        return f"at most {said.exact(high)}" if isfinite(high) else f"at least {said.exact(low)}"
    return f"from {said.exact(low)} to {said.exact(high)}, with its interval"
