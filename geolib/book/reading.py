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
    r"|\$\$.*?\$\$(?:[ \t]*\([\w-]+\))?|\$[^$\n]+\$"  # equations
    r"|^\([\w-]+\)=$|^:{3,}[^\n]*$|^`{3,}[^\n]*$|^:\w[\w-]*:[^\n]*$"  # directives
    r"|<[^>]+>",  # markup
    re.DOTALL | re.MULTILINE,
)
# Of a role its text counts, of a link what is shown.
_ROLE = re.compile(r"\{[\w:]+\}`([^`<]*)(?:<[^`]*>)?`")
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")


def prose(notebook: Any) -> Iterator[str]:
    """Yield what a page says in sentences: its text, then the captions of figures and tables."""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            yield _LINK.sub(r"\1", _ROLE.sub(r"\1", _NOT_PROSE.sub(" ", cell.source)))
        shown = cell.metadata.get("mystnb", {})
        for kind in ("figure", "table"):
            if kind in shown:
                yield _ROLE.sub(r"\1", shown[kind]["caption"])


def words(notebook: Any) -> int:
    """Return the number of words of a page's prose; code, equations and tables do not count."""
    return sum(len(re.findall(r"[^\W_][\w'’.-]*", text)) for text in prose(notebook))


def figures(notebook: Any) -> int:
    """Return the number of figures."""
    return sum("figure" in cell.metadata.get("mystnb", {}) for cell in notebook.cells)


def minutes(notebook: Any) -> int:
    """Return how long a page takes to read, in whole minutes."""
    return max(1, math.ceil(words(notebook) / PACE + LOOK * figures(notebook)))
