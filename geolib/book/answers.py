"""A Sphinx extension: what a folded solution says stands above the code that found it."""

from __future__ import annotations

from typing import Any


def turn(document: Any) -> None:
    """Put the output of each cell tagged `solution` before its code, within the same fold."""
    from docutils import nodes

    for cell in document.findall(nodes.container):
        if "tag_solution" not in cell["classes"]:
            continue
        # A folded cell has the fold for its only child.
        holder = cell.children[0] if len(cell.children) == 1 else cell
        by_kind = {child.get("nb_element"): child for child in holder.children}
        answer, code = by_kind.get("cell_code_output"), by_kind.get("cell_code_source")
        if answer is not None and code is not None:
            holder.children.remove(answer)
            holder.children.insert(holder.children.index(code), answer)


def _resolved(_: Any, document: Any, __: str) -> None:
    turn(document)


def setup(app: Any) -> dict[str, Any]:
    """Connect to Sphinx, after cells were folded."""
    app.connect("doctree-resolved", _resolved)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
