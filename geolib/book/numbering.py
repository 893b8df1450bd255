"""A Sphinx extension: figures of an appendix are numbered A4.1, others outside chapters by page."""

from __future__ import annotations

from typing import Any

from geolib.runs.study import APPENDIX

Number = tuple[int | str, ...]


def renumber(figures: dict[str, dict[str, dict[str, Number]]], chapters: dict[str, int]) -> None:
    """Give the figures, tables and equations outside chapters numbers of their own page.

    Parameters
    ----------
    figures : dict
        Numbers by document, kind and id, as Sphinx keeps them; changed in place.
    chapters : dict
        The number of each chapter by its document.
    """
    for document, kinds in figures.items():
        if document in chapters:
            continue
        chapter = chapters.get(document.removesuffix(APPENDIX))
        front: Number = () if chapter is None else (f"A{chapter}",)
        for numbers in kinds.values():
            for place, identity in enumerate(sorted(numbers, key=numbers.__getitem__), 1):
                numbers[identity] = (*front, place)


def _updated(_: Any, env: Any) -> list[str]:
    sections = env.toc_secnumbers
    chapters = {document: own[""][0] for document, own in sections.items() if own.get("")}
    before = {document: str(kinds) for document, kinds in env.toc_fignumbers.items()}
    renumber(env.toc_fignumbers, chapters)
    return [doc for doc, kinds in env.toc_fignumbers.items() if before[doc] != str(kinds)]


def setup(app: Any) -> dict[str, Any]:
    """Connect to Sphinx, after it has given its own numbers."""
    app.connect("env-get-updated", _updated, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
