"""Where a page shows `nan`, `inf` or `None` in place of a number: such a book is not built."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

# "None of them" is English, \inf is mathematics, and `None` in code is Python.
HOLE = re.compile(r"(?<![\w\\.])(?:nan|NaN|inf|None(?! of\b))(?![\w(=])")
_CODE_ELEMENTS = {"script", "style", "code"}
_CODE = {"api", "extend", "genindex", "py-modindex", "search"}
_VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "track",
    "wbr",
}
# Listings that a reader may copy; what a cell printed is no listing.
_LISTING = re.compile(r"\b(?:cell_input|highlight-(?!myst-ansi)[\w-]+)\b")


class _Prose(HTMLParser):
    """Collects what a reader sees of a page outside of code: text, and pictures' texts."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self._open: list[tuple[str, bool]] = []  # each open element, and whether it is code
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note what opens, and a picture's alternative text."""
        values = dict(attributes)
        self.found.append(values.get("alt") or "")
        if tag not in _VOID:
            listing = bool(_LISTING.search(values.get("class") or ""))
            self._open.append((tag, tag in _CODE_ELEMENTS or listing))

    def handle_endtag(self, tag: str) -> None:
        """Close an element and what was left open in it."""
        while any(name == tag for name, _ in self._open):
            if self._open.pop()[0] == tag:
                break

    def handle_data(self, data: str) -> None:
        """Note text outside of code."""
        if not any(code for _, code in self._open):
            self.found.append(data)


def holes(page: str) -> list[str]:
    """Return of a rendered page the surroundings of each `nan`, `inf` or `None` outside of code."""
    text = re.sub(r"\s+", " ", " ".join(_Prose(page).found))
    return [
        text[max(0, hole.start() - 40) : hole.end() + 20].strip() for hole in HOLE.finditer(text)
    ]


def refuse(folder: Path) -> None:
    """Raise RuntimeError if a page of a built book shows a hole; code may speak of None."""
    pages = [
        path
        for path in sorted([*folder.glob("*.html"), *folder.glob("papers/*.html")])
        if path.stem not in _CODE
    ]
    found = {path.name: seen for path in pages if (seen := holes(path.read_text(encoding="utf-8")))}
    if found:
        told = "; ".join(f"{name} '{seen[0]}' ({len(seen)} in all)" for name, seen in found.items())
        raise RuntimeError(
            f"pages must show numbers; these show nan, inf or None: {told}. "
            "Mend the cell that says so."
        )
