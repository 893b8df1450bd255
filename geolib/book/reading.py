"""What a reader meets on a chapter's page: words, figures, and the minutes that they take."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any

#: What a chapter may have; the rest goes to its appendix.
WORDS, FIGURES = 3000, 12
#: Words of technical prose read in a minute, and minutes for a figure.
PACE, LOOK = 200, 0.25

_NOT_PROSE = re.compile(
    r"^```\w[^\n]*\n.*?^```$"  # code
    # On paper only; links alone, folded; what the figure below says too.
    r"|^:{3}\{div\} (?:print-line|ledger-line|phone-title)\b[^\n]*\n.*?^:{3}$"
    r"|\$\$.*?\$\$(?:[ \t]*\([\w-]+\))?|\$[^$\n]+\$"  # equations
    r"|^\([\w-]+\)=$|^:{3,}[^\n]*$|^`{3,}[^\n]*$|^:\w[\w-]*:[^\n]*$"  # directives
    r"|^\|[^\n]*\|$"  # rows of tables
    r"|<[^>]+>",  # markup
    re.DOTALL | re.MULTILINE,
)
# Of a role its text counts, of a link what is shown.
_ROLE = re.compile(r"\{[\w:]+\}`([^`<]*)(?:<[^`]*>)?`")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
# A table that is numbered already bears its caption in its first line.
_CAPTIONED = re.compile(r"^`{3,}\{table\} ([^\n]*)$", re.MULTILINE)


def prose(notebook: Any) -> Iterator[str]:
    """Yield what a page says in sentences: its text, what cells print as text, and the captions."""
    for cell in notebook.cells:
        if "solution" in cell.metadata.get("tags", ()):
            continue  # folded, for who asks
        if cell.cell_type == "markdown":
            yield _plain(cell.source)
        shown = cell.metadata.get("mystnb", {})
        captions = {kind: shown[kind]["caption"] for kind in ("figure", "table") if kind in shown}
        for output in cell.get("outputs", ()):
            if text := output.get("data", {}).get("text/markdown"):
                yield _plain(_CAPTIONED.sub(r"\1", "".join(text)))
            # What was made from a figure as it was drawn takes the place of what was written.
            if said := output.get("metadata", {}).get("geolib", {}).get("caption"):
                captions = dict.fromkeys(captions, said)
        yield from map(_plain, captions.values())


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", _ROLE.sub(r"\1", _NOT_PROSE.sub(" ", text)))


def words(notebook: Any) -> int:
    """Return the number of words of a page's prose; code, equations and tables do not count."""
    return sum(len(re.findall(r"[^\W_][\w'’.-]*", text)) for text in prose(notebook))


def figures(notebook: Any) -> int:
    """Return the number of figures."""
    return sum("figure" in cell.metadata.get("mystnb", {}) for cell in notebook.cells)


def minutes(notebook: Any) -> int:
    """Return how long a page takes to read, in whole minutes."""
    return max(1, math.ceil(words(notebook) / PACE + LOOK * figures(notebook)))
