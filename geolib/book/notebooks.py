"""Executing a study's notebook: all of it, or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
import time
from ast import literal_eval
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geolib import _checks
from geolib.book import kernels
from geolib.runs import locks, paths
from geolib.runs.store import write_atomic
from geolib.runs.study import APPENDIX

DRAFT = ".executing-"

# Every notebook has these names; the cell is taken out again once its output is known.
_RECORD = """import json, time
from geolib.runs.store import provenance
_record = {"provenance": {**provenance(), "cpu_seconds": round(time.process_time(), 1)}}
if MEASURES:
    found = study.measures(config, results.units)
    _record["measures"] = {name: measure.as_dict() for name, measure in found.items()}
print(json.dumps(_record))"""


def execute(
    page: str,
    parameters: Mapping[str, Any],
    output: Path,
    *,
    progress: bool = False,
    note: str = "",
    say: Callable[[str], None] | None = None,
    units: Path | None = None,
) -> Path:
    """Execute a notebook and put the executed copy at `output`.

    Parameters
    ----------
    page : str
        Name of the notebook.
    parameters : mapping
        Values that differ from the notebook's own, already checked.
    output : Path
        Where the executed notebook goes; its folder is made.
    progress : bool
        Show a bar, one step for each cell.
    note : str
        Markdown to show below the title; of a chapter the study's measures are then kept in the
        notebook's metadata (`measures`), beside the kernel's `provenance` and the `seconds` it
        took, which are always there.
    say : callable, optional
        Takes a line about each code cell as it is done.
    units : Path, optional
        Where units are kept as they finish, so that another call goes on from them; nothing is kept
        without it.

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    RuntimeError
        If a cell fails, the kernel dies, there is none, or a cell shows no figure or table where it
        should; `output` is then left as it was.
    ValueError
        If the notebook is missing or damaged.
    OSError
        If the folder cannot be written.

    Notes
    -----
    The seconds that unchanged parameters take are kept in `.build/<page>.seconds` of a checkout.
    """
    import nbformat

    notebook = read(paths.notebook(page))
    if note:
        notebook.cells.insert(1, nbformat.v4.new_markdown_cell(note))
    measures = bool(note) and not page.endswith(APPENDIX)
    notebook.cells.append(nbformat.v4.new_code_cell(_RECORD.replace("MEASURES", str(measures))))
    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in parameters.items()
    }
    if values:
        notebook = _inject(notebook, values)
    output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(
        dir=output.parent, prefix=f"{DRAFT}{locks.own_name()}-"
    ) as folder:
        (place := Path(folder) / "kernel").mkdir()
        start = time.perf_counter()
        kernels.run(notebook, place, page, progress=progress, say=say, units=units)
        seconds = time.perf_counter() - start
        printed = [
            out.text for out in notebook.cells.pop().outputs if out.get("name") == "stdout"
        ]  # not a warning
        notebook.metadata["geolib"] = {**json.loads("".join(printed)), "seconds": round(seconds, 1)}
        if lost := missing(notebook):
            raise RuntimeError(f"notebook {page} must show all it has; {lost}. Correct the cell.")
        tidy(notebook)
        write_atomic(draft := Path(folder) / output.name, nbformat.writes(notebook).encode())
        os.replace(draft, output)
    root = paths.checkout()
    if root is not None and not parameters:
        record = root / ".build" / f"{page}.seconds"
        with contextlib.suppress(OSError):  # the result is worth more than its stopwatch
            write_atomic(record, f"{seconds:.1f}".encode())
    return output


def _inject(notebook: Any, values: Mapping[str, Any]) -> Any:
    from papermill.parameterize import parameterize_notebook

    notebook.metadata.setdefault("papermill", {})
    for cell in notebook.cells:
        cell.metadata.setdefault("tags", [])
    return parameterize_notebook(notebook, dict(values), kernel_name="python3", language="python")


def missing(notebook: Any) -> str:
    """Return which cell lacks the figure or table that its metadata names, or nothing."""
    for cell in notebook.cells:
        shown = cell.metadata.get("mystnb", {})
        kinds = {kind for output in cell.get("outputs", ()) for kind in output.get("data", {})}
        for what, wanted in (
            ("figure", {"image/png", "image/gif", "image/svg+xml"}),
            ("table", {"text/markdown"}),
        ):
            if cell.cell_type == "code" and what in shown and not kinds & wanted:
                return f"cell {cell.get('id', '?')} has no {what} ({shown[what].get('name', '?')})"
    return ""


def remove_drafts(folder: Path, prefix: str) -> None:
    """Remove folders `PREFIX*` that killed processes left; the caller holds their lock.

    Those named for a live process of this machine stay all the same.
    """
    for left in folder.glob(f"{prefix}*"):
        process = locks.made_by(left.name.removeprefix(prefix))
        if process is None or not _alive(process):
            shutil.rmtree(left, ignore_errors=True)


def _alive(process: int) -> bool:
    if os.name == "nt":  # signal 0 would be no mere question there
        return True
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:  # another user's
        pass
    return True


def append(path: Path, text: str) -> None:
    """Add a cell of Markdown to the end of a notebook."""
    import nbformat

    notebook = read(path)
    notebook.cells.append(nbformat.v4.new_markdown_cell(text))
    write_atomic(path, nbformat.writes(notebook).encode())


def read(path: Path) -> Any:
    """Return a notebook.

    Raises
    ------
    ValueError
        If the file is missing or no valid notebook.
    """
    import nbformat

    try:
        notebook = nbformat.reads(_checks.content(path).decode(), as_version=nbformat.NO_CONVERT)
        nbformat.validate(notebook)
        if notebook.nbformat != 4:  # what is nearly empty passes for version 1
            raise ValueError(f"it is of format {notebook.nbformat}, not 4")
    except Exception as error:  # nbformat raises a different kind for each way a file can be broken
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(
            f"notebook {path} must be valid; it is damaged ({reason}). Restore it."
        ) from None
    return notebook


def failed(path: Path) -> bool:
    """Return whether `path` was executed to its end without error and shows all it has."""
    try:
        notebook = read(path)
    except ValueError:
        return True
    if notebook.metadata.get("papermill", {}).get("exception") or missing(notebook):
        return True
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    return any(
        cell.execution_count is None or any(out.output_type == "error" for out in cell.outputs)
        for cell in code
    )


_FOLDED = {
    "injected-parameters": ("hide-input", "Parameters changed for this run"),
    "solution": ("hide-cell", "Solution in code"),
}


def tidy(notebook: Any) -> None:
    """Take the plumbing off an executed notebook's page, number its tables, drop what varies.

    Code is not shown, but that of cells tagged `show-input`; a cell tagged `solution` is folded. A
    code cell with the metadata `mystnb.table` (`caption`, `name`) has its Markdown output shown as
    a numbered table. Where the notebook glues a text as `..._stand_in`, the captions of its figures
    tagged `real-data` say it: what they show is not the public file.
    """
    _take_captions(notebook)
    _tell_stand_in(notebook)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type != "code":
            continue
        fold, prompt = next((_FOLDED[tag] for tag in tags if tag in _FOLDED), ("remove-input", ""))
        if "show-input" not in tags:
            cell.metadata["tags"] = sorted({*tags, fold})
        if prompt:
            prompts = {"code_prompt_show": prompt, "code_prompt_hide": prompt}
            cell.metadata["mystnb"] = {**cell.metadata.get("mystnb", {}), **prompts}
        _number_table(cell)
        # An empty sentence would be shown as the name of the object that holds it.
        cell.outputs = [output for output in cell.outputs if not _says_nothing(output)]
    # Start and end times would make every build of the same notebook differ.
    for key in (
        "start_time",
        "end_time",
        "duration",
        "environment_variables",
        "input_path",
        "output_path",
    ):
        notebook.metadata.get("papermill", {}).pop(key, None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)


def lift_titles(notebook: Any) -> None:
    """Put above each figure its message as text, for phones, where the drawing's own is cut off."""
    import nbformat

    cells: list[Any] = []
    for cell in notebook.cells:
        found = [out.get("metadata", {}).get("geolib", {}) for out in cell.get("outputs", ())]
        said = next((about for about in found if about.get("title")), None)
        if said and "figure" in cell.metadata.get("mystnb", {}):
            cut = f" cut-{said['cut']}" if "cut" in said else ""
            text = f":::{{div}} phone-title{cut}\n{said['title']}\n:::"
            line = nbformat.v4.new_markdown_cell(text)
            # A target stays with its figure: on a wide page the line is not shown.
            place = len(cells) - bool(cells and cells[-1].id.startswith("proof-"))
            cells.insert(place, nbformat.from_dict({**line, "id": f"title-{cell.id}"}))
        cells.append(cell)
    notebook.cells = cells


def _says_nothing(output: Any) -> bool:
    text = output.get("data", {}).get("text/markdown")
    return text is not None and not "".join(text).strip()


# What `runs.tables.markdown` says in place of a table, and the lines of the smallest one.
_SENTENCE, _LEAST_ROWS = re.compile(r"\| \|\n\|---\|\n\| \*(.*)\* \|"), 3
_GLUED = "application/papermill.record/text/plain"


def _take_captions(notebook: Any) -> None:
    # What `show.caption` said of a figure as it was drawn counts, not what was written before; and
    # of what was not drawn a caption tells nothing but that.
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            about = output.get("metadata", {}).get("geolib", {})
            shown = cell.metadata.get("mystnb", {})
            for kind in ("figure", "table") if "caption" in about else ():
                if kind in shown:
                    shown[kind]["caption"] = about["caption"]
            if "figure" in shown and about.get("absent"):
                _tell_absent(shown, about["absent"], about["shown"])


def _tell_absent(shown: Any, reasons: Sequence[str], panels: int) -> None:
    if not panels:
        told = " ".join(map(_not_run, reasons))
        shown["figure"]["caption"] = told
        shown.setdefault("image", {})["alt"] = told
        return
    # A panel may be empty of what was never made, whatever the parameters.
    told = " ".join(f"{_sentence(reason)}." for reason in reasons)
    if (note := f"Where a panel is empty: {told}") not in shown["figure"]["caption"]:
        shown["figure"]["caption"] += f" {note}"


def _sentence(reason: str) -> str:
    text = " ".join(reason.split()).rstrip(".") or "nothing of this was run"
    return f"{text[0].upper()}{text[1:]}"


def _not_run(reason: str) -> str:
    """Return why there is nothing to see as a sentence on the parameters."""
    text = _sentence(reason)
    end = "" if text.endswith("with these parameters") else " with these parameters"
    return f"{text}{end}."


def _tell_stand_in(notebook: Any) -> None:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    glued = {
        out.get("metadata", {}).get("scrapbook", {}).get("name", ""): out
        for out in outputs
        if "data" in out
    }
    texts = [
        literal_eval(out["data"][_GLUED])
        for name, out in glued.items()
        if name.endswith("_stand_in")
    ]
    if any(texts):
        note = f"(The public file was not at hand: in its place stands an image {texts[0]}.)"
        for cell in notebook.cells:
            figure = cell.metadata.get("mystnb", {}).get("figure")
            if (
                figure
                and "real-data" in cell.metadata.get("tags", [])
                and note not in figure["caption"]
            ):
                figure["caption"] += f" {note}"


def _number_table(cell: Any) -> None:
    # MyST-NB numbers figures by their cells' metadata; this does the same for tables, once.
    table = cell.metadata.get("mystnb", {}).pop("table", None)
    for output in cell.outputs if table else ():
        if text := output.get("data", {}).get("text/markdown"):
            caption, rows = table["caption"], text.strip()
            if (said := _SENTENCE.fullmatch(rows)) or len(rows.splitlines()) < _LEAST_ROWS:
                # A sentence, or heads without a row: there is no table to speak of, and a
                # numbered table wants one.
                reason = said[1] if said else "" if rows.startswith("|") else rows
                caption, rows = _not_run(reason), "| |\n|---|\n| — |"
            lines = ["````{table} " + caption, f":name: {table['name']}", "", rows, "````"]
            output["data"]["text/markdown"] = "\n".join(lines)
