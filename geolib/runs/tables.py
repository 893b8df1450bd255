"""How numbers and words are shown: Markdown tables, lists, shares, durations, ranges."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence


def markdown(heads: Sequence[object], rows: Iterable[Sequence[object]], align: str = "", *, empty: str = "") -> str:
    """Return a Markdown table. Cells are not padded, so that one cell's change moves no other.

    Parameters
    ----------
    heads : sequence
        One for each column; of an empty one nothing is shown.
    rows : iterable of sequences
        Their cells as text or as what text is made of. A bar or the end of a line would end a cell: both are replaced.
    align : str
        A letter for each column, l or r; columns without one are aligned to the left.
    empty : str
        What the table says where it has no rows, for a numbered table of the book wants one.

    Raises
    ------
    ValueError
        If a row has more or fewer cells than there are heads.
    """
    cells = [list(row) for row in rows]
    for row in cells:
        if len(row) != len(heads):
            raise ValueError(f"a row must have {len(heads)} cells; got {row!r}. Give one for each head.")
    if not cells and empty:
        return f"| |\n|---|\n| *{empty}* |"
    rule = ("--:" if side == "r" else "---" for side in align.ljust(len(heads), "l"))
    return "\n".join([_line(heads), f"|{'|'.join(rule)}|", *map(_line, cells)])


def percent(share: float) -> str:
    """Return a share in whole percent."""
    return f"{100 * share:.0f} %"


def percent_span(low: float | None, high: float | None) -> str:
    """Return an interval of a share in whole percent; an end that is open is 0 or 100."""
    return f"{100 * (low or 0):.0f} to {100 * (1 if high is None else high):.0f} %"


def digits(value: float, count: int) -> str:
    """Return a number rounded to so many digits as a person writes it, in full: 0.06, 310 or 2,000."""
    if not math.isfinite(value):
        return f"{value:g}"
    rounded = float(f"{value:.{count - 1}e}")
    size = math.floor(math.log10(abs(rounded))) if rounded else 0
    text = f"{rounded:,.{max(0, count - 1 - size)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def allowed(ends: Iterable[float | None]) -> str:
    """Return the least and the largest value that are allowed, in full; an open end is "…"."""
    return " to ".join("…" if end is None else f"{end:,}" if isinstance(end, int) else digits(end, 6) for end in ends)


def listed(words: Sequence[str]) -> str:
    """Return words as a sentence lists them: a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def _line(cells: Sequence[object]) -> str:
    return "|" + "|".join(f" {text} " if text else " " for text in map(_cell, cells)) + "|"


def _cell(value: object) -> str:
    return str(value).replace("|", "\\|").replace("\n", " ")


def duration(seconds: float) -> str:
    """Return a time in the unit that suits it: from twice an hour on in hours, and so on."""
    for size, unit in ((86400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"


def span(values: Iterable[str]) -> str:
    """Return the first and the last of some sorted texts such as dates, or the one that there is."""
    known = [value.replace("-", "\u2011") for value in sorted(set(values))] or ["?"]  # no line ends within a date
    return known[0] if len(known) == 1 else f"{known[0]} to {known[-1]}"
