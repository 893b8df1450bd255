"""Where claims and errata stand in the book, and the ways back to them from what they rest on."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from geolib.book import ledger
from geolib.runs import paths

#: The pages of the claims and of the errata.
PAGE, ERRATA = "reproduces.html", "errata.html"
#: The division of a page that leads from a figure or table back to what it shows.
LINE = "ledger-line"

# The name that a table has once it is numbered.
_NUMBERED = re.compile(r"^`{3,}\{table\}[^\n]*\n:name: (\S+)$", re.MULTILINE)


def claim_anchor(identity: str) -> str:
    """Return the target of a claim's row."""
    return f"claim-{_safe(identity)}"


def erratum_anchor(identity: str) -> str:
    """Return the target of an erratum's row."""
    return f"erratum-{_safe(identity)}"


def _safe(identity: str) -> str:
    return identity.replace(".", "-").replace("_", "-").lower()


def claim(identity: str, shown: str = "", folder: str = "") -> str:
    """Return a link to a claim's row; from a chapter the pages are in another `folder`."""
    return _link(f"{folder}{PAGE}#{claim_anchor(identity)}", shown or identity)


def erratum(identity: str) -> str:
    """Return a link to an erratum's row."""
    return _link(f"{ERRATA}#{erratum_anchor(identity)}", identity)


def _link(address: str, shown: str) -> str:
    return f'<a href="{address}">{html.escape(shown)}</a>'


def misprints() -> dict[str, list[str]]:
    """Return by claim the ids of the errata that it rests on."""
    found: dict[str, list[str]] = {}
    for entry in ledger.errata(paths.ledger()):
        for identity in entry.get("claims", ()):
            found.setdefault(identity, []).append(entry["id"])
    return found


def by_figure() -> dict[str, list[str]]:
    """Return by figure or table the ids of the claims that it shows, in the ledger's order."""
    found: dict[str, list[str]] = {}
    for entry in ledger.load(paths.ledger()):
        if entry.counted and entry.figure:
            found.setdefault(entry.figure, []).append(entry.id)
    return found


def shown_by(cell: Any) -> list[str]:
    """Return the names of the figure and the tables of a notebook's cell that was tidied."""
    figure = cell.metadata.get("mystnb", {}).get("figure", {})
    texts = [output.get("data", {}).get("text/markdown", "") for output in cell.get("outputs", ())]
    tables = [name for text in texts for name in _NUMBERED.findall("".join(text))]
    return [name for name in (figure.get("name"), *tables) if name]


def under_figure(
    claims: Sequence[str],
    sentences: Mapping[str, str] | None = None,
    verdicts: Mapping[str, str] | None = None,
) -> str:
    """Return the folded line that leads from a figure or a table of a chapter to its claims.

    Parameters
    ----------
    claims : sequence of str
        Their ids.
    sentences, verdicts : mapping, optional
        By id what a claim says, and what became of it; without them its id is shown, and nothing.
    """
    items = []
    for identity in claims:
        verdict = (verdicts or {}).get(identity, "")
        link = claim(identity, (sentences or {}).get(identity, ""), "../")
        items.append(f"<li>{link}{f': <em>{verdict}</em>' if verdict else ''}</li>")
    summary = f"<summary>Shows {counted(len(claims))}</summary>"
    return f":::{{div}} {LINE}\n<details>{summary}<ul>{''.join(items)}</ul></details>\n:::"


def of_record(judged: Iterable[Mapping[str, Any]], file: str) -> dict[str, list[str]]:
    """Return by verdict the ids of the claims that rest on a file of results."""
    rows = [row for row in judged if row["record"] == file]
    found = {
        verdict: [row["id"] for row in rows if row["verdict"] == verdict]
        for verdict in ledger.VERDICTS
    }
    return {verdict: ids for verdict, ids in found.items() if ids}


def verdicts(found: Mapping[str, Sequence[str]]) -> str:
    """Return a line for each verdict, with a link for each claim, named without its paper."""
    return "\n".join(
        f"- *{verdict}*: {', '.join(claim(each, each.partition('.')[2]) for each in ids)}"
        for verdict, ids in found.items()
    )


def counted(many: int) -> str:
    """Return how many statements of the ledger there are, in words."""
    return f"{many or 'no'} statement{'s' * (many != 1)} of the ledger"
