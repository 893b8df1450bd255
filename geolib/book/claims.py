"""What the papers state, read from the ledger's files, and the verdict that a claim gets."""

from __future__ import annotations

import copy
import functools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from geolib import _checks
from geolib.book import filled, rules
from geolib.runs.measure import Measure

#: What is listed apart and never counted: settings that we adopted or chose so that a statement
#: fits, and rows of the papers' tables, which stand beside ours without a verdict.
APART = ("adopted", "row")
#: Claims of this book's own: judged by the rules of the kind that they name, and counted with no
#: paper's.
OURS = "ours"
#: What an erratum is: proven in a cell; a slip of the pen; said better otherwise; left open by the
#: paper.
CLASSES = ("error", "slip", "imprecise", "open")
ERRATUM = ("id", "paper", "place", "class", "printed", "correct", "why", "answer", "proof")
_TEXTS = ("id", "paper", "place", "kind", "claim")
_WHEN = ("fixed", "changed_after_results")
_NOTES = ("refuted_by", "experiment", "differs", "figure", "note", "tried", "unvaried", *_WHEN)
_MORE = ("effect", "planned", "spread", "census", "possible", "robust", "made_up")


@dataclass(frozen=True)
class Claim:
    """One statement of a paper, or of this book about its own methods (kind `OURS`).

    Attributes
    ----------
    published, measure : tuple
        One entry, or several of the same rule.
    kind : str
        One of `rules.KINDS`, or of `APART`, or `OURS`.
    judged_as : str
        Of a claim of ours one of `rules.KINDS`; of others their kind.
    decisive : tuple of str
        The measures that settle the verdict; the others are shown.
    robust : mapping
        By a choice of ours, what would judge the claim had we chosen otherwise: another ``measure``
        or ``rule``.
    readings : tuple of str
        Choices that the paper leaves as open as ours (a start, a precision, a bar for "details"),
        by their names in `robust` or among the study's variants: where they disagree with what is
        shown, the verdict is *mixed*.
    planned : int or None
        Independent trials of an experiment that is still to be run.
    spread : str, float or None
        What tells how wide an interval they will give: a measure of other trials, or the deviation
        of one (of its logarithm, where all edges of the rule are positive).
    one_run : bool
        Whether chance has had a part in what judges it and only one run was made (an experiment or
        a claim in the ledger's `one_run`): an interval is then over samples of that run, and what
        another would have given is not known.
    census : bool
        Whether the cases are all that there are, and no sample of them.
    possible : tuple or None
        The least and the greatest value that its measures can have.
    made_up : mapping
        Two results, ``reproduced`` and ``not reproduced``, that the rule must call so.
    experiment, differs : str
        What judges the claim, by its name in the ledger's `experiments`; how that differs from the
        paper's.
    tried : str
        Where nothing is drawn at random: the alternative that was tried and refuted. Its numbers,
        and those of the other sentences, are placeholders (`geolib.book.filled`).
    unvaried : str
        Why fewer than two other choices were tried, or why those that were say nothing of another
        run.
    fixed, changed_after_results : str
        When the rule was fixed; whether it was changed after its results were seen.
    """

    id: str
    paper: str
    place: str
    kind: str
    claim: str
    published: tuple[Any, ...]
    measure: tuple[str, ...]
    rule: str
    setting: Any
    decisive: tuple[str, ...] = ()
    effect: float | None = None
    readings: tuple[str, ...] = ()
    planned: int | None = None
    spread: str | float | None = None
    one_run: bool = False
    census: bool = False
    possible: tuple[float, float] | None = None
    refuted_by: str = ""
    experiment: str = ""
    differs: str = ""
    tried: str = ""
    unvaried: str = ""
    figure: str = ""
    note: str = ""
    fixed: str = ""
    changed_after_results: str = ""
    judged_as: str = ""
    robust: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    made_up: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counted(self) -> bool:
        """Whether the claim gets a verdict."""
        return self.kind not in APART


def pairs(claim: Claim) -> list[tuple[str, Any]]:
    """Return the decisive measures of a claim, each with what is published of it."""
    many = len(claim.published) == len(claim.measure)
    published = claim.published if many else claim.published * len(claim.measure)
    found = zip(claim.measure, published, strict=True)
    return [pair for pair in found if pair[0] in claim.decisive]


def judgements(claim: Claim, measures: Mapping[str, Measure]) -> dict[str, rules.Judgement]:
    """Return what the rule says of each decisive number that there is."""
    kind, rule, setting, effect = claim.judged_as, claim.rule, claim.setting, claim.effect
    found = {name: measures[name] for name in claim.decisive if name in measures}
    if claim.census:
        found = {name: Measure(measure.value) for name, measure in found.items()}
    return {
        name: rules.judge(kind, rule, setting, value, found[name], effect)
        for name, value in pairs(claim)
        if name in found
    }


def verdict(claim: Claim, measures: Mapping[str, Measure]) -> str:
    """Return the verdict of one claim; how a number is judged, see `rules.judge`.

    Of several decisive numbers one that is refuted is never hidden by others: beside one that is
    reproduced the verdict is *mixed*, else *not reproduced*. Without one the claim is *not run*
    where a number is missing, *undecided* where one is, and else *reproduced*.
    """
    found = [each.verdict for each in judgements(claim, measures).values()]
    if "not reproduced" in found:
        return "mixed" if "reproduced" in found else "not reproduced"
    if len(found) < len(claim.decisive):
        return "not run"
    return "undecided" if "undecided" in found else "reproduced"


def otherwise(claim: Claim, choice: str) -> Claim:
    """Return a claim as it would be judged had we chosen otherwise, by its `robust`."""
    other = claim.robust[choice]
    if not isinstance(other, dict) or not set(other) <= {"measure", "rule"} or not other:
        raise ValueError(f"robust.{choice} must name a measure or a rule; got {other!r}")
    made = replace(claim, robust={})
    if "measure" in other:
        names = _many(other["measure"])
        if len(names) != len(claim.measure) or not all(isinstance(name, str) for name in names):
            raise ValueError(
                f"robust.{choice} must name as many measures as the claim has; got {list(names)}"
            )
        made = replace(made, measure=names, decisive=names)
    if "rule" in other:
        rule, setting = next(iter(dict(other["rule"]).items()))
        if not rules.obeyed(rule, setting):
            raise ValueError(
                f"robust.{choice} must have a setting that rule {rule} knows; got {setting!r}"
            )
        made = replace(made, rule=rule, setting=setting)
    return made


def load(path: Path) -> list[Claim]:
    """Return the claims of a paper's ledger, or of a folder of them.

    Raises
    ------
    ValueError
        If an entry lacks a key, has an unknown one, a rule that its kind has not, or an id that was
        used before.
    """
    claims: list[Claim] = []
    for file in sorted(path.glob("*.yml")) if path.is_dir() else [path]:
        found = _read(file)
        mine = [_claim(entry, number, found) for number, entry in enumerate(found["claims"], 1)]
        known = {*found["experiments"], *(claim.id for claim in mine)}
        if lost := [name for name in found["one_run"] if name not in known]:
            raise ValueError(
                f"one_run of ledger {file} must name experiments or claims; got {lost[0]!r}."
            )
        claims += mine
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ValueError(f"claim id must be unique; {claim.id!r} comes twice. Rename one.")
        seen.add(claim.id)
    return claims


def ids(path: Path) -> list[str]:
    """Return the ids of a folder's claims, which need not be judgeable; ValueError as `load`."""
    entries = [entry for file in sorted(path.glob("*.yml")) for entry in _read(file)["claims"]]
    return [str(entry["id"]) for entry in entries if isinstance(entry, dict) and "id" in entry]


def errata(path: Path) -> list[dict[str, Any]]:
    """Return a folder's errata; ValueError as for `load`, or if one lacks a text or class."""
    found = [entry for file in sorted(path.glob("*.yml")) for entry in _read(file)["errata"]]
    for number, entry in enumerate(found, 1):
        where = f"erratum {entry.get('id', number) if isinstance(entry, dict) else number}"
        if not isinstance(entry, dict) or set(entry) - {"claims"} != set(ERRATUM):
            raise ValueError(
                f"{where} must have the keys {', '.join(ERRATUM)}; claims is optional. Correct it."
            )
        if not all(isinstance(entry[key], str) for key in ERRATUM):
            raise ValueError(f"{where} must have texts; got {entry!r}. Put them in quotes.")
        _checks.choice(f"class of {where}", entry["class"], CLASSES)
    return found


def not_testable(path: Path) -> list[dict[str, str]]:
    """Return the statements no number of ours can test, with reason; ValueError as `load`."""
    files = sorted(path.glob("*.yml"))
    return [
        {"paper": file.stem, **entry} for file in files for entry in _read(file)["not_testable"]
    ]


_SECTIONS: dict[str, type] = {
    "differs": str,
    "experiments": dict,
    "readings": list,
    "one_run": list,
    "claims": list,
    "not_testable": list,
    "errata": list,
}


def _read(file: Path) -> dict[str, Any]:
    raw = file.read_bytes() if file.is_file() else b""
    return copy.deepcopy(_parsed(file, raw))


@functools.lru_cache(maxsize=8)  # a process asks again and again for what takes seconds to read
def _parsed(file: Path, raw: bytes) -> dict[str, Any]:
    """Return what a ledger says; `raw` is what it holds, so that a file that changes is read."""
    found = _checks.plain_yaml("ledger", file)
    if not isinstance(found, dict) or not {"claims", "errata"} <= set(found) <= set(_SECTIONS):
        raise ValueError(
            f"ledger {file} must have claims and errata, and else {', '.join(_SECTIONS)}. "
            "Restore it."
        )
    for name, kind in _SECTIONS.items():
        if not isinstance(found.setdefault(name, kind()), kind):
            got = type(found[name]).__name__
            raise ValueError(
                f"{name} of ledger {file} must be a {kind.__name__}; got {got}. Restore it."
            )
    return found


def _claim(entry: Any, number: int, paper: Mapping[str, Any]) -> Claim:
    where = f"claim {entry.get('id', number) if isinstance(entry, dict) else number}"
    required = {*_TEXTS, "published", "measure", "rule"}
    optional = {*_NOTES, "decisive", "readings", *_MORE}
    if isinstance(entry, dict) and entry.get("kind") == OURS:
        required = {*required, "judged_as"}
    if not isinstance(entry, dict) or not required <= set(entry) <= required | optional:
        raise ValueError(
            f"{where} must have the keys {', '.join(sorted(required))}; others see Claim. "
            "Correct it."
        )
    judged_as = entry.get("judged_as", entry["kind"])
    rule, setting = _ruled(entry, judged_as, where)
    published, measure = (_many(entry[name]) for name in ("published", "measure"))
    if len(published) not in ({len(measure)} if rule == "count" else {1, len(measure)}):
        raise ValueError(
            f"{where} must publish as many numbers as it measures; got {len(published)}, "
            f"{len(measure)}."
        )
    texts = {name: entry[name] for name in (*_TEXTS, *_NOTES) if name in entry}
    for name, value in [*texts.items(), *(("measure", value) for value in measure)]:
        if not isinstance(value, str):
            raise ValueError(f"{name} of {where} must be a text; got {value!r}. Put it in quotes.")
    for name in filled.TEXTS:
        filled.places(texts.get(name, ""), f"{name} of {where}")
    decisive = _many(entry.get("decisive", measure))
    if not set(decisive) <= set(measure):
        raise ValueError(
            f"decisive of {where} must be among its measures; got {list(decisive)}. Correct it."
        )
    made = Claim(
        **{"differs": _differs(texts, paper, where), **texts},
        judged_as=str(judged_as),
        published=published,
        measure=measure,
        rule=rule,
        setting=setting,
        decisive=decisive,
        readings=_readings(entry, paper, where),
        one_run=any(texts.get(key) in paper["one_run"] for key in ("id", "experiment")),
        **_more(entry, where),
    )
    _judgeable(made, where)
    return made


def _differs(texts: Mapping[str, str], paper: Mapping[str, Any], where: str) -> str:
    """Return how the experiment that a claim names differs from the paper's."""
    if "experiment" not in texts:
        return str(paper["differs"])
    known = paper["experiments"]
    found = known[_checks.choice(f"experiment of {where}", texts["experiment"], known)]
    if not isinstance(found, str):
        raise ValueError(f"experiment of {where} must be a text; got {found!r}. Put it in quotes.")
    return found


def _readings(entry: Mapping[str, Any], paper: Mapping[str, Any], where: str) -> tuple[str, ...]:
    found = (*paper["readings"], *_many(entry.get("readings", ())))
    if not all(isinstance(name, str) for name in found):
        raise ValueError(f"readings of {where} must be names; got {list(found)}. Correct them.")
    return found


def _ruled(entry: dict[str, Any], judged_as: Any, where: str) -> tuple[str, Any]:
    if not isinstance(entry["rule"], dict) or [type(rule) for rule in entry["rule"]] != [str]:
        raise ValueError(
            f"{where} must have one rule with its setting; got {entry['rule']!r}. "
            "Write close: 0.1, say."
        )
    rule, setting = next(iter(entry["rule"].items()))
    _checks.choice(f"kind of {where}", entry["kind"], (*rules.KINDS, *APART, OURS))
    if entry["kind"] == OURS:
        _checks.choice(f"judged_as of {where}", judged_as, rules.KINDS)
    allowed = rules.KINDS.get(judged_as, ("count", "equals", "close", "between", "holds"))
    _checks.choice(f"rule of {where}", rule, allowed)
    if not rules.obeyed(rule, setting):
        raise ValueError(
            f"{where} must have a setting that rule {rule} knows; got {setting!r}. See rules.judge."
        )
    return rule, setting


def _more(entry: dict[str, Any], where: str) -> dict[str, Any]:
    more = {name: entry[name] for name in _MORE if name in entry}
    try:
        if "effect" in more:
            more["effect"] = _checks.number(f"effect of {where}", more["effect"], low=0)
        _checks.integer(f"planned of {where}", more.get("planned", 1), low=1)
        if not isinstance(more.get("spread", ""), str):
            more["spread"] = _checks.number(f"spread of {where}", more["spread"], low=0)
        if not isinstance(more.get("census", True), bool):
            raise ValueError(f"census of {where} must be true or false; got {more['census']!r}.")
        if "possible" in more:
            if not rules.obeyed("between", more["possible"]) or None in more["possible"]:
                raise ValueError(
                    f"possible of {where} must be two numbers in order; got {more['possible']!r}."
                )
            more["possible"] = tuple(map(float, more["possible"]))
    except TypeError as error:
        raise ValueError(str(error)) from None
    for name in ("robust", "made_up"):
        found = more.get(name, {})
        if not isinstance(found, dict) or not all(isinstance(key, str) for key in found):
            raise ValueError(
                f"{name} of {where} must map words to results; got {found!r}. Correct it."
            )
    return more


def _judgeable(claim: Claim, where: str) -> None:
    """Refuse a claim whose rule, or another one of its choices, cannot judge numbers."""
    try:
        for value in claim.published:
            if isinstance(value, (int, float)) or claim.rule in ("count", "close", "equals"):
                float(value)
        if claim.counted:
            verdict(claim, dict.fromkeys(claim.measure, Measure(0.5)))
            for choice in claim.robust:
                otherwise(claim, choice)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise ValueError(
            f"{where} must have numbers that rule {claim.rule} can judge; {error}. Correct it."
        ) from None


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)
