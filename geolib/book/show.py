"""What chapters show besides figures: the package's code, a recheck, the ledger in ten lines."""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from geolib.book import ledger, links, verify
from geolib.plots.style import wrap
from geolib.runs import paths
from geolib.runs.measure import short
from geolib.runs.tables import markdown

if TYPE_CHECKING:
    from IPython.display import Markdown

#: Lines of code, or of a scorecard, that a reader takes in at a glance.
LINES, ROWS = 12, 10
#: Columns of code for which a page of 1280 pixels has room; longer lines wrap, and look broken.
COLUMNS = 96
#: Digits beyond which two results agree as well as a reader cares about.
DIGITS = 12
#: Digits to which the same parameters agree at the least, on any machine.
SAME = 2
#: Title of the box in a reader's own run.
YOURS = "Your run beside the precomputed one"


def caption(item: Any, text: str) -> None:
    """Display a figure or a table with a caption that was made from what it shows.

    Parameters
    ----------
    item : Figure, Image or Markdown
        The output of a cell whose metadata name a figure or a table.
    text : str
        Takes the place of the caption there, in the book and in a reader's own run.
    """
    from IPython.display import display
    from matplotlib.figure import Figure

    if isinstance(item, Figure):
        wrap(item)
    display(item, metadata={"geolib": {"caption": " ".join(text.split())}})


def source(item: Callable[..., Any] | type, start: str = "", stop: str = "") -> Markdown:
    """Return the code of a function or class as it stands in the package.

    Docstrings and the check of arguments (`geolib._arguments.checked`) are left out.

    Parameters
    ----------
    item : function or class
        What to show.
    start, stop : str, optional
        Beginnings of the first and the last line shown, where a part is enough.

    Raises
    ------
    ValueError
        If there are more than 12 lines, one has more than 96 columns, or no line begins so.
    """
    from IPython.display import Markdown

    lines = _without_plumbing(textwrap.dedent(inspect.getsource(item)))
    if start or stop:
        lines = _part(lines, start, stop, item)
    if len(lines) > LINES:
        raise ValueError(
            f"code of {item.__qualname__} must have at most {LINES} lines; it has {len(lines)}. "
            "Give start and stop."
        )
    code = textwrap.dedent("\n".join(lines))
    if (widest := max(map(len, code.splitlines()))) > COLUMNS:
        raise ValueError(
            f"code of {item.__qualname__} must have at most {COLUMNS} columns; it has {widest}. "
            "Break the line."
        )
    where = f"`{item.__module__}.{item.__qualname__}`"
    return Markdown(f"```python\n{code}\n```\n\n*From* {where}.")


def _without_plumbing(text: str) -> list[str]:
    lines, dropped = text.rstrip().splitlines(), set()
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            continue
        checks = [each for each in node.decorator_list if ast.unparse(each).startswith("checked(")]
        parts: list[ast.expr | ast.stmt] = [*checks]
        parts += node.body[: ast.get_docstring(node) is not None]
        for part in parts:
            dropped |= set(range(part.lineno, (part.end_lineno or part.lineno) + 1))
    kept = [line for number, line in enumerate(lines, 1) if number not in dropped]
    # An empty line that followed the docstring leads nowhere.
    return [
        line for n, line in enumerate(kept) if line.strip() or (n and not kept[n - 1].endswith(":"))
    ]


def _part(lines: Sequence[str], start: str, stop: str, item: Any) -> list[str]:
    def first(beginning: str, after: int) -> int:
        for number, line in enumerate(lines):
            if number >= after and line.strip().startswith(beginning):
                return number
        raise ValueError(
            f"code of {item.__qualname__} must have a line that begins with {beginning!r}; "
            "it has none. Correct start or stop."
        )

    begin = first(start, 0) if start else 0
    return list(lines[begin : first(stop, begin) + 1] if stop else lines[begin:])


def digits(here: Any, before: Any) -> int:
    """Return to how many significant digits two results agree where they differ most (to 12)."""
    one, other = _shared(here, before)
    if not one.size or not np.array_equal(np.isfinite(one), np.isfinite(other)):
        return 0
    fine = np.isfinite(one)
    gap = np.abs(one - other)[fine].max(initial=0.0)
    scale = np.abs(other)[fine].max(initial=0.0)
    if gap == 0:
        return DIGITS
    return int(np.clip(np.floor(-np.log10(gap / scale)), 0, DIGITS)) if scale else 0


def _shared(here: Any, before: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return what two results share: of a descent that was stopped earlier its beginning counts."""
    one, other = (np.asarray(each, dtype=float) for each in (here, before))
    part = tuple(map(slice, map(min, one.shape, other.shape)))
    return one[part], other[part]


def recheck(rows: Mapping[str, tuple[Any, Any]], *, runs: int, rerun: bool = False) -> Markdown:
    """Return the box of what this build has computed again, beside what is precomputed.

    Parameters
    ----------
    rows : mapping
        By what it is, in a reader's words, the result of this build and the precomputed one:
        numbers, or arrays of which the shorter one counts.
    runs : int
        How many runs were computed again.
    rerun : bool
        Whether the parameters are a reader's own (`bool(config.changes())`): rows that they change
        are left out, since nothing has to agree there.

    Raises
    ------
    ValueError
        If there are no rows.

    Notes
    -----
    The digits differ from one processor to the next: the cell is tagged `nbval-ignore-output` and
    asserts how many there must be.
    """
    if not rows:
        raise ValueError("rows must hold what was computed again; got none. Leave the box out.")
    agreed = {name: digits(*pair) for name, pair in rows.items()}
    if rerun:
        same = {name: pair for name, pair in rows.items() if agreed[name] >= SAME}
        sentence = f"{runs} runs with your parameters, on this machine. "
        if not same:
            sentence += "They change all that is precomputed: nothing has to agree."
            return _box(YOURS, sentence)
        sentence += "These agree with what is precomputed to two digits or more:"
        return _box(YOURS, sentence, _beside(same, "Your run", agreed))
    sentence = f"{runs} runs of this chapter were computed again, on this machine"
    if least := min(agreed.values()):
        sentence += f"; they agree to at least {least} digits."
    else:
        sentence += ". How well they agree with the precomputed ones:"
    table = _beside(rows, "This build", agreed)
    return _box("Computed again by this build", sentence, table)


def beside(rows: Mapping[str, tuple[Any, Any]]) -> Markdown:
    """Return the box of a reader's own numbers beside the precomputed ones, for a look at both.

    Parameters
    ----------
    rows : mapping
        By what it is the reader's number and the precomputed one, of other parameters.
    """
    sentence = "The parameters differ, and so may the numbers."
    if not rows:
        return _box(YOURS, "The precomputed run measures nothing that yours measures.")
    return _box(YOURS, sentence, _beside(rows, "Your run"))


def _box(title: str, sentence: str, table: str = "") -> Markdown:
    from IPython.display import Markdown

    return Markdown(f":::{{admonition}} {title}\n:class: recheck\n{sentence}\n\n{table}\n:::")


def _beside(
    rows: Mapping[str, tuple[Any, Any]], whose: str, agreed: Mapping[str, int] | None = None
) -> str:
    """Return the table of two results, with the digits to which they agree if these are given."""
    told = [[name, *_told(*rows[name])] for name in rows]
    heads = ["What", "Numbers", "Precomputed", whose]
    if any(row[1] != "1" for row in told):
        heads[2:] = ["Precomputed, the largest", f"{whose}, the same"]
    if agreed is not None:
        heads.append("Digits that agree")
        told = [[*row, str(agreed[row[0]])] for row in told]
    return markdown(heads, told, "l" + "r" * (len(heads) - 1))


def _told(here: Any, before: Any) -> list[str]:
    """Return how many numbers two results share, and of these the old one's largest and the new."""
    one, other = _shared(here, before)
    # Digits that agree are counted from the largest: beside it others seem to differ more.
    size = np.nan_to_num(np.abs(other), nan=-1.0, posinf=-1.0).ravel()
    if not size.size:
        return ["0", "—", "—"]
    at = int(size.argmax())
    return [f"{size.size:,}", *(short(float(each.ravel()[at])) for each in (other, one))]


def scorecard(paper: str, claims: Sequence[str] = ()) -> Markdown:
    """Return what a paper has right and wrong in ten lines at most, each leading to the ledger.

    Parameters
    ----------
    paper : str
        A study with a chapter.
    claims : sequence of str, optional
        Ids of the claims to show, in this order; else the first of each verdict, taken in turn.

    Raises
    ------
    ValueError
        If a claim is none of the paper's, or there are more than ten.
    """
    from IPython.display import Markdown

    judged = {row["id"]: row for row in verify.rows([paper])[paper]}
    judged = {i: row for i, row in judged.items() if row["kind"] != ledger.OURS}
    if lost := [identity for identity in claims if identity not in judged]:
        raise ValueError(f"claims must be of {paper}; {lost[0]!r} is not. See geolib verify.")
    if len(claims) > ROWS:
        raise ValueError(f"claims must be at most {ROWS}; got {len(claims)}. Drop some.")
    rows = [judged[identity] for identity in claims or _in_turn(judged)]
    lines = []
    for row in rows:
        link = links.claim(row["id"], row["verdict"], "../")
        if row["robust"] and (turns := row["robust"]["opposed_by"]):
            more = f" and {len(turns) - 1} more" if len(turns) > 1 else ""
            link += f": turns with “{turns[0]}”{more}"
        lines.append([row["claim"], verify.listed(row["published"]), verify.ours(row), link])
    return Markdown(markdown(["What the paper says", "Published", "Ours", "Verdict"], lines))


def changed(claims: Sequence[str]) -> int:
    """Return of how many claims, by their ids, the rule was changed after results were seen."""
    known = {claim.id: claim for claim in ledger.load(paths.ledger())}
    return sum(bool(known[identity].changed_after_results) for identity in claims)


def _in_turn(judged: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """Return the first claims of each verdict that was reached, as many as there is room for."""
    decided = ("reproduced", "not reproduced", "mixed")
    kinds = [[i for i, row in judged.items() if row["verdict"] == verdict] for verdict in decided]
    taken = [kind[n] for n in range(ROWS) for kind in kinds if n < len(kind)][:ROWS]
    return [identity for identity in judged if identity in taken]
