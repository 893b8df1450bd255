"""From an executed notebook to a chapter: old or not, targets of the errata, its record."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geolib import studies
from geolib.book import about, ledger, links, notebooks, reading, records, staleness
from geolib.runs import paths
from geolib.runs.store import write_atomic
from geolib.runs.study import AnyStudy

STAMP = ".build/{name}.stamp"
EXECUTED = ".build/executed/{name}.ipynb"
#: What the tag of a figure's cell begins with that names the shipped results it is drawn from.
RESULTS = "data:"


def executed(root: Path, name: str) -> Path:
    """Return where a build keeps an executed notebook."""
    return root / EXECUTED.format(name=name)


def stamp(root: Path, name: str, record: Mapping[str, Any]) -> None:
    """Keep what a notebook was executed from: `inputs`, and the `provenance` of its execution."""
    write_atomic(root / STAMP.format(name=name), json.dumps(dict(record), indent=1).encode())


def state(root: Path, name: str) -> dict[str, Any]:
    """Return the state of a chapter or an appendix.

    Returns
    -------
    dict
        `state` (current, stale or not executed), `why` (a sentence, or nothing) and `provenance`
        (with `seconds`).
    """
    path = executed(root, name)
    try:
        record = json.loads((root / STAMP.format(name=name)).read_text(encoding="utf-8"))
        before, provenance = dict(record["inputs"]), dict(record["provenance"])
    except (OSError, ValueError, KeyError, TypeError):
        before, provenance = {}, {}
    if not before or notebooks.failed(path):
        why = (
            "It shows the outputs that were committed with the notebook, which may be older than "
            "code and results."
        )
        return {"state": "not executed", "why": why, "provenance": {}}
    changed = staleness.changed(before, staleness.inputs(name))
    why = (
        f"Changed since it was executed: {', '.join(f'`{entry}`' for entry in changed)}."
        if changed
        else ""
    )
    return {"state": "stale" if changed else "current", "why": why, "provenance": provenance}


def write(
    root: Path,
    name: str,
    found: Mapping[str, Any],
    files: Sequence[records.Shipped],
    proofs: set[str],
    verdicts: Mapping[str, str] | None = None,
) -> None:
    """Write `book/papers/NAME.ipynb`, a chapter or an appendix, from its executed notebook.

    Parameters
    ----------
    root : Path
        The checkout.
    name : str
        The notebook.
    found : dict
        Its state.
    files : sequence of Shipped
        All shipped results.
    proofs : set of str
        The ids of the cells that errata point to.
    verdicts : mapping, optional
        By claim what became of it, to be told below the figures that show it.

    Raises
    ------
    ValueError
        If a cell that is pointed to does not exist.
    """
    import nbformat

    source = paths.notebook(name) if found["state"] == "not executed" else executed(root, name)
    notebook = notebooks.read(source)
    if found["state"] == "not executed":
        prepare(notebook)
    if lost := proofs - {cell["id"] for cell in notebook.cells}:
        raise ValueError(
            f"the errata must name cells of {name}.ipynb; it has none with the id "
            f"{', '.join(lost)}."
        )
    cells = []
    for cell in notebook.cells:
        if cell.id in proofs:
            label = target_of(studies.of_page(name).name, cell.id)
            target = nbformat.v4.new_markdown_cell(f"({label})=")
            cells.append(nbformat.from_dict({**target, "id": f"proof-{cell.id}"}))
        cells.append(cell)
    notebook.cells = cells
    complete(root, name, notebook, found, files, verdicts)
    path = root / "book" / "papers" / f"{name}.ipynb"
    content = nbformat.writes(notebook).encode()
    if not path.is_file() or path.read_bytes() != content:
        write_atomic(path, content)


def complete(
    root: Path,
    name: str,
    notebook: Any,
    found: Mapping[str, Any],
    files: Sequence[records.Shipped],
    verdicts: Mapping[str, str] | None = None,
) -> None:
    """Give a notebook what a page has besides: a line below its title, links, a foot.

    The links lead from figures to their data, and from figures and tables to the claims that they
    show.

    Parameters
    ----------
    root : Path
        Where the numbers of its figures are written, below the book's sources.
    name : str
        The chapter or appendix.
    notebook : NotebookNode
        Changed in place.
    found : dict
        Its state.
    files : sequence of Shipped
        All shipped results.
    verdicts : mapping, optional
        By claim what became of it.
    """
    import nbformat

    study = studies.of_page(name)
    mine = [file for file in files if file.chapter == study.name]
    title, _, rest = notebook.cells[0].source.partition("\n# ")[2].partition("\n")
    label = notebook.cells[0].source.partition("\n# ")[0]
    data = _take_numbers(root, name, notebook)
    notebooks.lift_titles(notebook)
    _lead_back(notebook, verdicts)
    said = [records.foot(found["provenance"], mine).strip(), *_warning(found, mine)]
    said.append(f"Cite this page: {about.cite(title)}")
    text = f"(cite-{name})=\n:::{{div}} foot-line\n{' '.join(said)}\n:::\n"
    if name == study.pages[-1]:  # the table is for those who read on to the appendix
        text = f"{_record(study, found['provenance'], mine)}\n{text}"
    if cited := about.works(notebook):
        text = f":::{{div}} print-line works\n**Works cited**\n\n{cited}\n:::\n\n{text}"
    closing = nbformat.v4.new_markdown_cell(text)
    notebook.cells.append(nbformat.from_dict({**closing, "id": "record"}))
    # Counted on the finished page, as the first page does.
    minutes = 0
    for _ in range(2):  # the line that tells them is on the page
        line = about.line(study, name, title, minutes, data)
        notebook.cells[0].source = f"{label}\n# {title}\n\n{line}\n{rest}"
        minutes = reading.minutes(notebook)


def _record(study: AnyStudy, about: Mapping[str, Any], mine: Sequence[records.Shipped]) -> str:
    columns = {}
    if about:
        units = str(len(study.units(study.Config())))
        columns["This build"] = {"Runs": units, **records.facts(study.Config(), [about])}
    for file in mine:
        found = list(file.results.records.values())
        link = f"[{file.path.stem}](#{file.anchor})"
        columns[link] = {"Runs": str(len(found)), **records.facts(file.config, found)}
    return records.section(columns)


def prepare(notebook: Any) -> None:
    """Make a notebook's outputs fit for a page: code folded, tables numbered, small pictures."""
    notebooks.tidy(notebook)
    for output in (output for cell in notebook.cells for output in cell.get("outputs", ())):
        if picture := output.get("data", {}).get("image/png"):
            small = smaller(base64.b64decode(picture))
            output["data"]["image/png"] = base64.b64encode(small).decode()


def prepare_file(path: Path) -> dict[str, Any]:
    """Prepare an executed notebook in place; take out and return its provenance."""
    import nbformat

    notebook = notebooks.read(path)
    prepare(notebook)
    record = notebook.metadata.pop("geolib", {})
    write_atomic(path, nbformat.writes(notebook).encode())
    return {**record.get("provenance", {}), "seconds": record.get("seconds", 0.0)}


def smaller(picture: bytes) -> bytes:
    """Return a PNG with 256 colours where that takes fewer bytes."""
    from PIL import Image

    buffer = io.BytesIO()
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(256, dither=Image.Dither.NONE).save(buffer, "png", optimize=True)
    return min(picture, buffer.getvalue(), key=len)


def target_of(name: str, cell: str) -> str:
    """Return the label of a cell to which an erratum points."""
    return f"proof-{name}-{cell}"


def _warning(found: Mapping[str, Any], mine: Sequence[records.Shipped]) -> list[str]:
    warned = [found["why"]] if found["why"] else []
    warned += [
        f"`{file.path.name}` is {file.explained()}." for file in mine if file.state == "stale"
    ]
    head = "This page may be out of date; `geolib book` executes it again."
    return [head, *warned] if warned else []


def _take_numbers(root: Path, name: str, notebook: Any) -> bool:
    """Put the numbers of figures into files that the captions lead to; return if there are any.

    A figure of large pictures or a film leads to the shipped results that it is drawn from, which a
    tag of its cell names: `data:rnn_fwi-paper`.
    """
    found = about.numbers(notebook)
    folder = root / "book" / about.DATA
    for figure, text in found.items():
        write_atomic(folder / name / f"{figure}.csv", text.encode())
    if found:
        write_atomic(folder / f"{name}.zip", about.packed(found))
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        if figure.get("name") in found:
            place = f"/{about.DATA}/{name}/{figure['name']}.csv"
            figure["caption"] += f" {{download}}`Data <{place}>`"
        elif figure:
            for tag in cell.metadata.get("tags", ()):
                if tag.startswith(RESULTS):
                    place = f"/results/{tag.removeprefix(RESULTS)}.nc"
                    figure["caption"] += f" {{download}}`Data <{place}>`"
        for output in cell.get("outputs", ()):
            output.get("data", {}).pop("text/csv", None)
    return bool(found)


def _lead_back(notebook: Any, verdicts: Mapping[str, str] | None) -> None:
    """Put below each figure and table that shows claims a line that leads to them."""
    import nbformat

    claims, cells = links.by_figure(), []
    sentences = {claim.id: claim.claim for claim in ledger.load(paths.ledger())}
    for cell in notebook.cells:
        cells.append(cell)
        if found := [each for name in links.shown_by(cell) for each in claims.get(name, ())]:
            line = nbformat.v4.new_markdown_cell(links.under_figure(found, sentences, verdicts))
            cells.append(nbformat.from_dict({**line, "id": f"shows-{cell.id}"}))
    notebook.cells = cells


def clean(root: Path) -> None:
    """Remove what a killed build left half done; a live build keeps its own."""
    for folder in (root / "book" / "papers", executed(root, "any").parent):
        notebooks.remove_drafts(folder, notebooks.DRAFT)
