"""The pages of the ledger: scorecard, every claim in filtered tables, errata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from geolib import studies
from geolib.book import chapters, filled, ledger, links, notebooks, records, verify
from geolib.runs import paths
from geolib.runs.tables import markdown

# Text badges: emoji and colour alone would not reach every reader.
COLOURS = {
    "reproduced": "success",
    "not reproduced": "danger",
    "mixed": "primary",
    "undecided": "light",
    "not run": "dark",
}

Rows = Sequence[dict[str, Any]]

_CHANGED = "Rule changed after results were seen"


class _Around(NamedTuple):
    """What a claim's row leads to.

    Records by file, experiments by difference; by claim errata, and why its rule was changed.
    """

    records: Mapping[str, str]
    experiments: Mapping[str, str]
    errata: Mapping[str, Sequence[str]]
    changed: Mapping[str, str]


def summary(judged: Mapping[str, Rows]) -> str:
    """Return two scorecards as Markdown, a column a paper: the verdicts, and how firm they are."""
    cards = {name: verify.scorecard(rows) for name, rows in judged.items()}
    every = verify.scorecard([row for rows in judged.values() for row in rows])
    counts = [*cards.values(), every]
    verdicts: list[list[object]] = []
    for verdict in ledger.VERDICTS:
        cells = [
            f"[{card[verdict]}](#{anchor(name, verdict)})" if card[verdict] else "0"
            for name, card in cards.items()
        ]
        verdicts.append([f"{{bdg-{COLOURS[verdict]}}}`{verdict}`", *cells, every[verdict]])
    states: list[list[object]] = [
        [state, *(card[state] for card in counts)] for state in verify.FIRM
    ]
    states.append(["nothing decided", *(card["claims"] - card["decided"] for card in counts)])
    every_claim = ["**all**", *(card["claims"] for card in counts)]
    tables = (
        markdown(
            [first, *_heads(list(cards)), "all"], [*lines, every_claim], "l" + "r" * len(counts)
        )
        for first, lines in (("Verdict", verdicts), ("How firm", states))
    )
    return "::::{div} small-table\n" + "\n\n".join(tables) + "\n::::\n"


def _heads(names: Sequence[str]) -> list[str]:
    """Return the papers' titles as heads of columns; a phone has room for the chapters' numbers."""
    return [
        f'[<span class="wide-title">{studies.get(name).title}</span>'
        f'<span class="narrow-title">ch. {number}</span>](#{anchor(name)})'
        for number, name in enumerate(names, 1)
    ]


def keys() -> str:
    """Return what `geolib verify --json` holds under each key, as a table."""
    return markdown(["Key", "What it holds"], [[f"`{k}`", text] for k, text in ledger.KEYS.items()])


def anchor(name: str, verdict: str = "") -> str:
    """Return the target of a paper's claims, or of those of a verdict."""
    return "-".join(["claims", *name.split("_"), *verdict.split()])


def claims(name: str, rows: Rows, files: Sequence[records.Shipped]) -> str:
    """Return a paper's claims as Markdown, a table for each verdict, then what is apart."""
    lines = [f"({anchor(name)})=", f"## {studies.get(name).title}\n"]
    paper = f"{{cite:t}}`{studies.get(name).paper}`"
    mine = [f"[{file.path.name}](#{file.anchor})" for file in files if file.study.name == name]
    lines.append(
        f"The paper: {paper}. Chapter {{ref}}`chapter-{name}`; computed from "
        f"{', '.join(mine) or 'nothing yet'}.\n"
    )
    experiments = _experiments(name)
    lines.append("What judges the claims, and how that differs from the paper's own:\n")
    lines += [f"- *{what}*: {differs}" for differs, what in experiments.items()] + [""]
    anchors = {file.path.name: file.anchor for file in files}
    around = _Around(anchors, experiments, links.misprints(), _changed(name))
    theirs = [row for row in rows if row["kind"] != ledger.OURS]
    for verdict in ledger.VERDICTS:
        if found := [row for row in theirs if row["verdict"] == verdict]:
            lines += [f"({anchor(name, verdict)})=", f"### {verdict.capitalize()}: {len(found)}\n"]
            if verdict == "mixed" and any(row["robust"]["verdict"] == "robust" for row in found):
                lines.append(
                    "*Mixed* and *robust*: it turns with what the paper leaves open, or one part "
                    "holds and another does not; with our other choices it stays mixed.\n"
                )
            lines.append(_table(found, around))
    if stated := [row for row in rows if row["kind"] == ledger.OURS]:
        lines.append(
            f"### What this book states itself, judged alike and not counted: {len(stated)}\n"
        )
        lines.append(_ours(stated, around))
    return "\n".join([*lines, _apart(name)])


def _changed(name: str) -> dict[str, str]:
    """Return by claim why its rule was changed after results were seen, where it was."""
    claims = [claim for claim in ledger.load(paths.ledger()) if claim.paper == name]
    found = {each.id: each.changed_after_results for each in claims if each.changed_after_results}
    if any(map(filled.places, found.values())):
        measures = studies.shipped_measures(studies.get(name))
        return {claim: filled.fill(text, measures) for claim, text in found.items()}
    return found


def _experiments(name: str) -> dict[str, str]:
    """Return by how it differs from the paper's own each experiment of a paper, by its name."""
    claims = [claim for claim in ledger.load(paths.ledger()) if claim.paper == name]
    return {claim.differs: claim.experiment for claim in claims if claim.experiment}


def _table(rows: Rows, around: _Around) -> str:
    lines = []
    for row in rows:
        place, case, ours, power = _cells(row, around)
        published = verify.listed(row["published"])
        cells = [place + row["place"], row["claim"] + case, published, ours]
        lines.append([*cells, row["kind"], power, _robust(row)])
    return (
        markdown(["Place", "Claim", "Published", "Ours", "Kind", "Power", "Robust"], lines) + "\n"
    )


def _ours(rows: Rows, around: _Around) -> str:
    """Return the table of what the book states itself."""
    lines = []
    for row in rows:
        place, case, ours, power = _cells(row, around)
        goal = verify.listed(row["published"])
        lines.append([place + row["claim"] + case, goal, ours, row["verdict"], power])
    return markdown(["Claim", "Goal", "Found", "Verdict", "Power"], lines) + "\n"


def _cells(row: Mapping[str, Any], around: _Around) -> tuple[str, str, str, str]:
    """Return of a row its mark, its errata and what is folded, our number and the power."""
    ours = verify.ours(row)
    if row["record"] in around.records and row["ours"] is not None:
        ours = f"[{ours}](#{around.records[row['record']]})"
    # Its id is what the errata lead to; by the rest the page filters.
    robust = row["robust"]["verdict"] if row["robust"] else ""
    mark = (
        f'<span id="{links.claim_anchor(row["id"])}" data-verdict="{row["verdict"]}" '
        f'data-kind="{row["kind"]}" data-robust="{robust}"></span>'
    )
    # Several rows share the reason for a changed rule: who wants it unfolds it.
    changed = around.changed.get(row["id"], "")
    notes = [
        row["note"].replace(f"{_CHANGED}: {changed}", "").strip() if changed else row["note"],
        f"Judged by: {around.experiments.get(row['differs'], row['differs'])}.".replace("..", "."),
        f"Refuted by {row['refuted_by']}.",
    ]
    if row["figure"]:
        notes.append(f"Shown in {{numref}}`{row['figure']}`.")
    if changed:
        text = f"After results were seen: {changed}"
        notes.append(_folded("why the rule changed", text).strip())
    case = _folded("how it is judged", " ".join(note for note in notes if note))
    if misprints := around.errata.get(row["id"]):
        case = f" Erratum: {', '.join(map(links.erratum, misprints))}.{case}"
    return mark, case, ours, "—" if row["power"] is None else f"{row['power']:.2f}"


def _folded(title: str, text: str) -> str:
    """Return text that a reader of a cell unfolds."""
    return f" <details><summary>{title}</summary>{text}</details>"


def _robust(row: Mapping[str, Any]) -> str:
    robust = row["robust"]
    if robust is None:
        return "—"
    if robust["verdict"] == "fragile":
        return f"fragile: turns with {', '.join(robust['turns_with'])}"
    told = verify.reached(robust) if robust["verdict"] in verify.FIRM else "nothing is decided"
    return f"{robust['verdict']}: {told}"


def _apart(name: str) -> str:
    """Return what gets no verdict: adopted settings, statements no number of ours can test."""
    adopted = [c for c in ledger.load(paths.ledger()) if c.paper == name and c.kind == "adopted"]
    open_ = [entry for entry in ledger.not_testable(paths.ledger()) if entry["paper"] == name]
    text = ""
    if adopted:
        text += f"### Adopted, and not counted: {len(adopted)}\n\n"
        text += (
            markdown(["Place", "Setting"], [[claim.place, claim.claim] for claim in adopted])
            + "\n\n"
        )
    rows = [[entry[key] for key in ("place", "statement", "because")] for entry in open_]
    return (
        text
        + f"### Not testable: {len(open_)}\n\n{markdown(['Place', 'Statement', 'Because'], rows)}\n"
    )


def proofs() -> dict[str, set[str]]:
    """Return for each notebook the ids of its cells that prove an erratum."""
    entries, found = ledger.errata(paths.ledger()), {}
    for name in studies.NAMES:
        left = {entry["proof"] for entry in entries if entry["paper"] == name}
        for page in reversed(studies.get(name).pages):  # what none has, the chapter is asked for
            cells = {cell.id for cell in notebooks.read(paths.notebook(page)).cells}
            found[page] = left & cells if page != name else left
            left = left - found[page]
    return found


def errata() -> str:
    """Return all errata as Markdown, with class, reason, proof and possible answers."""
    entries, lines = ledger.errata(paths.ledger()), []
    for name in studies.NAMES:
        code = {
            cell.id
            for page in studies.get(name).pages
            for cell in notebooks.read(paths.notebook(page)).cells
            if cell.cell_type == "code"
        }
        rows = []
        for entry in (entry for entry in entries if entry["paper"] == name):
            why = str(entry["why"])
            text = "Computed here" if entry["proof"] in code else "Explained here"
            why += f" [{text}](#{chapters.target_of(name, entry['proof'])})"
            for claim in entry.get("claims", ()):
                why += f" {links.claim(claim)}"
            why += _folded("what the authors could answer", entry["answer"])
            # To its id the claims lead that rest on it.
            mark = f'<span id="{links.erratum_anchor(entry["id"])}"></span>'
            place = f"{mark}{entry['place']} (*{entry['class']}*)"
            rows.append([place, str(entry["printed"]), str(entry["correct"]), why])
        heads = ["Place", "Printed", "Correct", "Why, and the proof"]
        lines += [f"## {studies.get(name).title}\n", markdown(heads, rows), ""]
    return "\n".join(lines) + "\n"
