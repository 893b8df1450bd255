"""The claims ledger: what the papers state, what measures it here, and the verdict that follows."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geolib import _checks
from geolib.runs.measure import Measure, short

VERDICTS = ("reproduced", "partly", "not reproduced", "taken over", "not run yet")
RULES = ("compatible", "close", "between", "holds", "equals", "setting")
# A count is called reproduced only from this many trials on: fewer could hardly contradict anything.
ENOUGH_TRIALS = 20


@dataclass(frozen=True)
class Claim:
    """One statement of a paper; `published` and `measure` hold one entry, or several of the same rule."""

    id: str
    paper: str
    place: str
    claim: str
    published: tuple[Any, ...]
    measure: tuple[str, ...]
    rule: str
    setting: Any
    note: str = ""


def load(path: Path) -> list[Claim]:
    """Return the claims of a paper's ledger, or of a folder of them.

    Raises
    ------
    ValueError
        If an entry lacks a key, has an unknown one, an unknown rule, or an id that was used before.
    """
    files = sorted(path.glob("*.yml")) if path.is_dir() else [path]
    entries = [entry for file in files for entry in _section(file, "claims")]
    claims = [_claim(entry, number) for number, entry in enumerate(entries, 1)]
    seen: set[str] = set()
    for claim in claims:
        if claim.id in seen:
            raise ValueError(f"claim id must be unique; {claim.id!r} comes twice. Rename one.")
        seen.add(claim.id)
    return claims


def errata(path: Path) -> list[dict[str, str]]:
    """Return the errata of a folder of ledgers; ValueError as for `load`."""
    return [entry for file in sorted(path.glob("*.yml")) for entry in _section(file, "errata")]


def _section(file: Path, name: str) -> list[Any]:
    found = _checks.plain_yaml("ledger", file)
    if not isinstance(found, dict) or set(found) != {"claims", "errata"}:
        raise ValueError(f"ledger {file} must have the two lists claims and errata. Restore it.")
    if not isinstance(found[name], list):
        raise ValueError(f"{name} of ledger {file} must be a list; got {type(found[name]).__name__}. Restore it.")
    return found[name]


def _claim(entry: Any, number: int) -> Claim:
    required, optional = {"id", "paper", "place", "claim", "published", "measure", "rule"}, {"note"}
    where = f"claim {entry.get('id', number) if isinstance(entry, dict) else number}"
    if not isinstance(entry, dict) or not required <= set(entry) <= required | optional:
        raise ValueError(f"{where} must have the keys {', '.join(sorted(required))}; note is optional. Correct it.")
    if not isinstance(entry["rule"], dict) or [type(rule) for rule in entry["rule"]] != [str]:
        raise ValueError(f"{where} must have one rule with its setting; got {entry['rule']!r}. Write close: 0.1, say.")
    rule, setting = next(iter(entry["rule"].items()))
    _checks.choice(f"rule of {where}", rule, RULES)
    many = [value if isinstance(value, list) else [value] for value in (entry["published"], entry["measure"])]
    if len(many[0]) not in ({len(many[1])} if rule == "compatible" else {1, len(many[1])}):
        raise ValueError(f"{where} must publish as many numbers as it measures; got {len(many[0])} and {len(many[1])}.")
    if not _obeyed(rule, setting):
        raise ValueError(f"{where} must have a setting that rule {rule} knows; got {setting!r}. See claims.verdict.")
    texts = {name: entry[name] for name in ("id", "paper", "place", "claim")} | {"note": entry.get("note", "")}
    for name, value in [*texts.items(), *(("measure", value) for value in many[1])]:
        if not isinstance(value, str):
            raise ValueError(f"{name} of {where} must be a text; got {value!r}. Put it in quotes.")
    made = Claim(**texts, published=tuple(many[0]), measure=tuple(many[1]), rule=rule, setting=setting)
    try:
        verdict(made, dict.fromkeys(made.measure, Measure(0.5)))
        [float(value) for value in made.published if isinstance(value, (int, float))]
    except (ValueError, TypeError, LookupError, OverflowError) as error:
        raise ValueError(f"{where} must have numbers that rule {rule} can judge; {error}. Correct it.") from None
    return made


def _obeyed(rule: str, setting: Any) -> bool:
    """Return whether a rule has a setting that it can follow."""

    def number(value: Any) -> bool:
        return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)

    if rule == "compatible":
        return isinstance(setting, int) and not isinstance(setting, bool) and setting > 0
    if rule == "close":
        return number(setting) and setting >= 0
    if rule == "between":
        ends = isinstance(setting, list) and len(setting) == 2 and all(end is None or number(end) for end in setting)
        return ends and (None in setting or setting[0] <= setting[1])
    return setting is True


def verdict(claim: Claim, measures: Mapping[str, Measure]) -> str:
    """Return the verdict of one claim.

    The rule is one of

    - ``compatible: N``: the published count out of N and ours may come from one proportion (Fisher's exact test,
      p >= 0.05); with fewer than 20 trials of ours at best partly;
    - ``close: R``: ours within the share R of the published value, partly within twice that;
    - ``between: [low, high]``: our value, or its whole interval, lies within; partly if the interval holds values
      within and without; null is open;
    - ``holds: true``: the share of cases in which the statement held is one; partly if neither one nor zero;
    - ``equals: true``: the same number;
    - ``setting: true``: a number of the paper's that we took over, so that it is no finding of ours.

    A claim with several numbers is reproduced if all are, not reproduced if none is, and partly otherwise.
    """
    ours = [measures.get(name) for name in claim.measure]
    if any(measure is None for measure in ours):
        return "not run yet"
    published = list(claim.published)
    if len(published) != len(ours):
        published = published * len(ours)
    single = [_single(claim, p, m) for p, m in zip(published, ours, strict=False) if m is not None]
    if all(v == single[0] for v in single):
        return single[0]
    return "partly"


def _single(claim: Claim, published: Any, ours: Measure) -> str:
    if claim.rule == "compatible":
        from scipy import stats

        n = ours.n or 1
        k, total = round(ours.value * n), int(claim.setting)
        p = stats.fisher_exact([[k, n - k], [int(published), total - int(published)]]).pvalue
        return "not reproduced" if p < 0.05 else "reproduced" if n >= ENOUGH_TRIALS else "partly"
    if claim.rule == "close":
        gap, allowed = abs(ours.value - float(published)), float(claim.setting) * abs(float(published))
        return "reproduced" if gap <= allowed else "partly" if gap <= 2 * allowed else "not reproduced"
    if claim.rule == "between":
        low, high = (-math.inf if claim.setting[0] is None else claim.setting[0]), claim.setting[1]
        high = math.inf if high is None else high
        ends = [ours.value, *(end for end in (ours.low, ours.high) if end is not None)]
        if low <= min(ends) and max(ends) <= high:
            return "reproduced"
        # An interval with values on both sides decides nothing, wherever its middle lies.
        return "partly" if min(ends) <= high and max(ends) >= low else "not reproduced"
    if claim.rule == "holds":
        return "reproduced" if ours.value == 1 else "not reproduced" if ours.value == 0 else "partly"
    same = "taken over" if claim.rule == "setting" else "reproduced"
    return same if ours.value == float(published) else "not reproduced"


def judge(claims: Sequence[Claim], measures: Mapping[str, Measure]) -> list[dict[str, Any]]:
    """Return a row for each claim: id, paper, place, claim, published, ours, interval, verdict."""
    rows = []
    for claim in claims:
        ours = [measures.get(name) for name in claim.measure]
        found = [m for m in ours if m is not None]
        complete = len(found) == len(ours)
        values = [m.value for m in found] if complete else None
        # JSON knows no infinity: an interval without an end has none there.
        ends = [[end if end is None or math.isfinite(end) else None for end in (m.low, m.high)] for m in found]
        intervals = ends if complete else None
        rows.append(
            {
                "id": claim.id,
                "paper": claim.paper,
                "place": claim.place,
                "claim": claim.claim,
                "published": claim.published[0] if len(claim.published) == 1 else list(claim.published),
                "ours": values[0] if values and len(values) == 1 else values,
                "interval": intervals[0] if intervals and len(intervals) == 1 else intervals,
                "n": found[0].n if complete and found else None,
                "verdict": verdict(claim, measures),
                "note": claim.note,
            }
        )
    return rows


def no_rows(why: str) -> str:
    """Return a Markdown table of a single line, for a cell whose numbered table has no rows yet: the book wants one."""
    return f"| |\n|---|\n| *{why}* |"


def side_by_side(claims: Sequence[Claim], shipped: Mapping[str, Measure], live: Mapping[str, Measure]) -> str:
    """Return a Markdown table: claim, published, shipped run, this build's live run, verdict of the shipped run."""
    lines = ["| Place | Claim | Published | Shipped run | This build | Verdict |", "|---|---|---|---|---|---|"]
    for claim in claims:
        published = ", ".join(short(p) for p in claim.published)
        cells = [claim.place, claim.claim, published, _cell(claim, shipped), _cell(claim, live)]
        lines.append("| " + " | ".join([*cells, verdict(claim, shipped)]) + " |")
    return "\n".join(lines)


def _cell(claim: Claim, measures: Mapping[str, Measure]) -> str:
    found = [measures.get(name) for name in claim.measure]
    return "—" if any(m is None for m in found) else ", ".join(str(m) for m in found)
