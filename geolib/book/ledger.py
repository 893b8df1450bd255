"""The claims ledger: what the papers state, what measures it here, and the verdict that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from geolib import _checks
from geolib.book import rules
from geolib.runs.measure import Measure, short
from geolib.runs.tables import markdown

VERDICTS = ("reproduced", "not reproduced", "mixed", "undecided", "not run")
#: What is listed apart and never counted: settings that we took over or chose so that a statement
#: fits, and rows of the papers' tables, which stand beside ours without a verdict.
APART = ("adopted", "row")
KEYS = (
    *(
        "id",
        "paper",
        "place",
        "kind",
        "claim",
        "published",
        "ours",
        "interval",
        "n",
        "verdict",
        "power",
        "robust",
    ),
    *("refuted_by", "differs", "figure", "record", "note"),
)
#: What an erratum is: proven in a cell; a slip of the pen; said better otherwise; left open by the
#: paper.
CLASSES = ("error", "slip", "imprecise", "open")
ERRATUM = ("id", "paper", "place", "class", "printed", "correct", "why", "answer", "proof")
_TEXTS = ("id", "paper", "place", "kind", "claim")
_OPTIONAL_TEXTS = (
    "refuted_by",
    "differs",
    "figure",
    "note",
    "fixed",
    "changed_after_results",
    "tried",
)


@dataclass(frozen=True)
class Claim:
    """One statement of a paper.

    Attributes
    ----------
    published, measure : tuple
        One entry, or several of the same rule.
    kind : str
        One of `rules.KINDS`, or of `APART`.
    decisive : tuple of str
        The measures that settle the verdict; the others are shown.
    robust : mapping
        By a choice of ours, what would judge the claim had we chosen otherwise: another ``measure``
        or ``rule``.
    planned : int or None
        Independent trials of an experiment that is still to be run.
    made_up : mapping
        Two results, ``reproduced`` and ``not reproduced``, that the rule must call so.
    tried : str
        Where nothing is drawn at random: the alternative that was tried and refuted.
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
    planned: int | None = None
    refuted_by: str = ""
    differs: str = ""
    tried: str = ""
    figure: str = ""
    note: str = ""
    fixed: str = ""
    changed_after_results: str = ""
    robust: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    made_up: Mapping[str, Any] = field(default_factory=dict)

    @property
    def counted(self) -> bool:
        """Whether the claim gets a verdict."""
        return self.kind not in APART


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
        claims += [
            _claim(entry, number, found["differs"])
            for number, entry in enumerate(found["claims"], 1)
        ]
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ValueError(f"claim id must be unique; {claim.id!r} comes twice. Rename one.")
        seen.add(claim.id)
    return claims


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


_SECTIONS: dict[str, type] = {"differs": str, "claims": list, "not_testable": list, "errata": list}


def _read(file: Path) -> dict[str, Any]:
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


def _claim(entry: Any, number: int, differs: str) -> Claim:
    required = {*_TEXTS, "published", "measure", "rule"}
    optional = {*_OPTIONAL_TEXTS, "decisive", "effect", "planned", "robust", "made_up"}
    where = f"claim {entry.get('id', number) if isinstance(entry, dict) else number}"
    if not isinstance(entry, dict) or not required <= set(entry) <= required | optional:
        raise ValueError(
            f"{where} must have the keys {', '.join(sorted(required))}; others see Claim. "
            "Correct it."
        )
    if not isinstance(entry["rule"], dict) or [type(rule) for rule in entry["rule"]] != [str]:
        raise ValueError(
            f"{where} must have one rule with its setting; got {entry['rule']!r}. "
            "Write close: 0.1, say."
        )
    rule, setting = next(iter(entry["rule"].items()))
    _checks.choice(f"kind of {where}", entry["kind"], (*rules.KINDS, *APART))
    allowed = rules.KINDS.get(entry["kind"], ("count", "equals", "close", "between", "holds"))
    _checks.choice(f"rule of {where}", rule, allowed)
    published, measure = (_many(entry[name]) for name in ("published", "measure"))
    if len(published) not in ({len(measure)} if rule == "count" else {1, len(measure)}):
        raise ValueError(
            f"{where} must publish as many numbers as it measures; got {len(published)}, "
            f"{len(measure)}."
        )
    if not rules.obeyed(rule, setting):
        raise ValueError(
            f"{where} must have a setting that rule {rule} knows; got {setting!r}. See rules.judge."
        )
    texts = {name: entry[name] for name in _TEXTS} | {
        n: entry[n] for n in _OPTIONAL_TEXTS if n in entry
    }
    for name, value in [*texts.items(), *(("measure", value) for value in measure)]:
        if not isinstance(value, str):
            raise ValueError(f"{name} of {where} must be a text; got {value!r}. Put it in quotes.")
    decisive = _many(entry.get("decisive", measure))
    if not set(decisive) <= set(measure):
        raise ValueError(
            f"decisive of {where} must be among its measures; got {list(decisive)}. Correct it."
        )
    more = {
        name: entry[name] for name in ("effect", "planned", "robust", "made_up") if name in entry
    }
    try:
        if "effect" in more:
            more["effect"] = _checks.number(f"effect of {where}", more["effect"], low=0)
        _checks.integer(f"planned of {where}", more.get("planned", 1), low=1)
    except TypeError as error:
        raise ValueError(str(error)) from None
    for name in ("robust", "made_up"):
        if not isinstance(more.get(name, {}), dict) or not all(
            isinstance(key, str) for key in more.get(name, {})
        ):
            raise ValueError(
                f"{name} of {where} must map words to results; got {more[name]!r}. Correct it."
            )
    made = Claim(
        **{"differs": differs, **texts},
        published=published,
        measure=measure,
        rule=rule,
        setting=setting,
        decisive=decisive,
        **more,
    )
    try:
        for value in made.published:
            if isinstance(value, (int, float)) or rule in ("count", "close", "equals"):
                float(value)
        if made.counted:
            verdict(made, dict.fromkeys(made.measure, Measure(0.5)))
            for choice in made.robust:
                otherwise(made, choice)
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise ValueError(
            f"{where} must have numbers that rule {rule} can judge; {error}. Correct it."
        ) from None
    return made


def _many(value: Any) -> tuple[Any, ...]:
    return tuple(value) if isinstance(value, (list, tuple)) else (value,)


def otherwise(claim: Claim, choice: str) -> Claim:
    """Return a claim as it would be judged had we chosen otherwise, by its `robust`."""
    from dataclasses import replace

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


def judgements(claim: Claim, measures: Mapping[str, Measure]) -> dict[str, rules.Judgement]:
    """Return what the rule says of each decisive number that there is."""
    published = (
        claim.published
        if len(claim.published) == len(claim.measure)
        else claim.published * len(claim.measure)
    )
    return {
        name: rules.judge(
            claim.kind, claim.rule, claim.setting, value, measures[name], claim.effect
        )
        for name, value in zip(claim.measure, published, strict=True)
        if name in claim.decisive and name in measures
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


def judge(
    claims: Sequence[Claim],
    measures: Mapping[str, Measure],
    variants: Mapping[str, Mapping[str, Measure]] | None = None,
    sources: Mapping[str, str] | None = None,
) -> list[dict[str, Any]]:
    """Return a row with the keys of `KEYS` for each claim that is counted.

    Parameters
    ----------
    claims : sequence of Claim
        Of one paper.
    measures, variants : mapping
        See `robustness`.
    sources : mapping of str to str, optional
        By measure, the shipped file behind it.

    Returns
    -------
    list of dict
        ``published`` a number or text, or a list of them; ``ours`` a number, a list, or null before
        it was run; ``interval`` the two ends, null for an end that is not known, or a list of such
        pairs; ``n`` the trials behind the first number, or null; ``power`` from 0 to 1, null where
        nothing is drawn at random; ``robust`` null before it was run, else ``verdict`` (robust,
        fragile, untested with fewer than two alternatives, or open while the claim is undecided),
        ``alternatives``, a verdict for each choice, and ``turns_with``, the choices that turn it;
        ``figure`` and ``record`` null where there is none; the rest is text.
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
    mine = judgements(claim, measures)
    if not mine and claim.planned:
        mine = {
            n: rules.planned(claim.rule, claim.setting, p, claim.planned) for n, p in _pairs(claim)
        }
    powers = [each.power for each in mine.values() if each.power is not None]
    verdict_ = verdict(claim, measures)
    alternatives = robustness(claim, measures, variants)
    turns = turned(verdict_, alternatives)
    state = "fragile" if turns else "robust" if len(alternatives) > 1 else "untested"
    state = "open" if verdict_ == "undecided" else state
    trials = max((m.independent for m in found), default=claim.planned)
    source = [sources[name] for name in claim.measure if name in sources]
    values = {
        **{
            name: getattr(claim, name)
            for name in ("id", "paper", "place", "kind", "claim", "differs")
        },
        "published": _one(claim.published),
        "ours": _one([m.value for m in found]) if complete else None,
        "interval": _one(ends) if complete else None,
        "n": found[0].n if complete else None,
        "verdict": verdict_,
        "power": round(min(powers), 4) if powers else None,
        "robust": None
        if verdict_ == "not run"
        else {"verdict": state, "alternatives": alternatives, "turns_with": turns},
        "refuted_by": claim.refuted_by or _refuted_by(claim, trials),
        "figure": claim.figure or None,
        "record": source[0] if source else None,
        "note": _note(claim, verdict_, mine),
    }
    return {key: values[key] for key in KEYS}


def _pairs(claim: Claim) -> list[tuple[str, Any]]:
    published = (
        claim.published
        if len(claim.published) == len(claim.measure)
        else claim.published * len(claim.measure)
    )
    return [
        pair for pair in zip(claim.measure, published, strict=True) if pair[0] in claim.decisive
    ]


def _one(values: Sequence[Any]) -> Any:
    return values[0] if len(values) == 1 else list(values)


def _refuted_by(claim: Claim, trials: int | None) -> str:
    first = _pairs(claim)[0][1]
    text = rules.refuted_by(claim.kind, claim.rule, claim.setting, first, trials)
    return text if len(claim.decisive) == 1 else f"{text}, in any of {len(claim.decisive)} numbers"


def _note(claim: Claim, verdict_: str, mine: Mapping[str, rules.Judgement]) -> str:
    parts = [claim.note]
    if verdict_ in ("undecided", "not run"):
        needed = [each.trials for each in mine.values() if each.trials]
        if needed:
            parts.append(f"About {max(needed)} independent trials would decide.")
    if claim.tried:
        parts.append(f"Tried instead, and refuted: {claim.tried}")
    if claim.fixed:
        parts.append(f"Rule fixed on {claim.fixed}.")
    if claim.changed_after_results:
        parts.append(f"Rule changed after results were seen: {claim.changed_after_results}")
    return " ".join(part for part in parts if part)


def no_rows(why: str) -> str:
    """Return a one-line Markdown table, where a numbered table has no rows yet."""
    return markdown([], [], empty=why)


def side_by_side(
    claims: Sequence[Claim], shipped: Mapping[str, Measure], live: Mapping[str, Measure]
) -> str:
    """Return a Markdown table: claim, published, shipped, this build's live run, verdict."""
    rows = []
    for claim in claims:
        published = ", ".join(short(p) for p in claim.published)
        cells = [claim.place, claim.claim, published, cell(claim, shipped), cell(claim, live)]
        rows.append([*cells, verdict(claim, shipped) if claim.counted else claim.kind])
    return markdown(["Place", "Claim", "Published", "Shipped run", "This build", "Verdict"], rows)


def cell(claim: Claim, measures: Mapping[str, Measure]) -> str:
    """Return our numbers of a claim as a reader wants them."""
    found = [measures.get(name) for name in claim.measure]
    return "—" if any(m is None for m in found) else ", ".join(str(m) for m in found)
