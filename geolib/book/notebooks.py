"""Executing a study's notebook with papermill: all of it, or nothing."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import sys
import tempfile
import time
from ast import literal_eval
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geolib.runs import paths
from geolib.runs.store import write_atomic

# One thread per kernel: results do not depend on the number of cores, and two notebooks run side by side.
THREAD_VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")

DRAFT = ".executing-"

# Every notebook has these three names; the cell is taken out again once its output is known.
_RECORD = """from dataclasses import asdict
import json
print(json.dumps({name: asdict(measure) for name, measure in study.measures(config, results.units).items()}))"""


def execute(study: str, parameters: Mapping[str, Any], output: Path, *, progress: bool = False, note: str = "") -> Path:
    """Execute a study's notebook and put the executed copy at `output`.

    Parameters
    ----------
    study : str
        Name of the study.
    parameters : mapping
        Values that differ from the notebook's own, already checked.
    output : Path
        Where the executed notebook goes; its folder is made.
    progress : bool
        Show papermill's bar, one step for each cell.
    note : str
        Markdown to show below the title; the study's measures are then kept in the notebook's metadata (`measures`).

    Returns
    -------
    Path
        `output`.

    Raises
    ------
    RuntimeError
        If a cell fails, the kernel dies or there is none; `output` is then left as it was.
    ValueError
        If the notebook is missing or damaged.
    OSError
        If the folder cannot be written.

    Notes
    -----
    The seconds that unchanged parameters take are kept in `.build/<study>.seconds` of a checkout.
    """
    import nbformat
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError

    template = read(paths.notebook(study))
    if note:
        template.cells.insert(1, nbformat.v4.new_markdown_cell(note))
        template.cells.append(nbformat.v4.new_code_cell(_RECORD))
    output.parent.mkdir(parents=True, exist_ok=True)
    values = {name: list(value) if isinstance(value, tuple) else value for name, value in parameters.items()}
    for variable in THREAD_VARIABLES:
        os.environ.setdefault(variable, "1")
    # The kernel must find this very package, wherever papermill was started.
    package = str(Path(__file__).resolve().parents[2])
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    with tempfile.TemporaryDirectory(dir=output.parent, prefix=f"{DRAFT}{os.getpid()}-") as folder:
        source, draft = Path(folder) / "source.ipynb", Path(folder) / output.name
        nbformat.write(template, source)
        start = time.perf_counter()
        try:
            # Papermill and the kernel write their own tracebacks; ours is the one line that the caller prints.
            with contextlib.nullcontext() if progress else _silence():
                papermill.execute_notebook(
                    str(source),
                    str(draft),
                    values,
                    kernel_name="python3",
                    language="python",
                    progress_bar=progress,
                    # A kernel warns on our stderr that it listens on localhost without encryption.
                    extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
                )
        except papermill.PapermillExecutionError as error:
            reason = f"{error.ename}: {str(error.evalue).splitlines()[0] if error.evalue else ''}"
            raise RuntimeError(f"notebook {study} failed in cell {error.cell_index}: {reason}") from None
        except DeadKernelError:
            raise RuntimeError(
                f"notebook {study} failed: its kernel died, perhaps for lack of memory. Use smaller parameters."
            ) from None
        except NoSuchKernel:
            raise RuntimeError("the kernel python3 must be installed to run notebooks. Install geolib[book].") from None
        seconds = time.perf_counter() - start
        notebook = nbformat.read(draft, as_version=4)
        if note:
            printed = [out.text for out in notebook.cells.pop().outputs if out.get("name") == "stdout"]  # not a warning
            notebook.metadata["geolib"] = {"measures": json.loads("".join(printed))}
        tidy(notebook)
        nbformat.write(notebook, draft)
        os.replace(draft, output)
    root = paths.checkout()
    if root is not None and not parameters:
        record = root / ".build" / f"{study}.seconds"
        with contextlib.suppress(OSError):  # the result is worth more than its stopwatch
            write_atomic(record, f"{seconds:.1f}".encode())
    return output


def remove_drafts(folder: Path, prefix: str) -> None:
    """Remove the folders `PREFIX*` that killed processes of this machine left; those named for a live one stay."""
    for left in folder.glob(f"{prefix}*"):
        made_by = re.match(r"(\d+)-", left.name.removeprefix(prefix))
        if made_by is None or not _alive(int(made_by[1])):
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
    nbformat.write(notebook, path)


def read(path: Path) -> Any:
    """Return a notebook.

    Raises
    ------
    ValueError
        If the file is missing or no valid notebook.
    """
    import nbformat

    try:
        notebook = nbformat.read(path, as_version=4)
        nbformat.validate(notebook)
    except Exception as error:  # nbformat raises a different kind for each way a file can be broken
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise ValueError(f"notebook {path} must be valid; it is damaged ({reason}). Restore it.") from None
    return notebook


def failed(path: Path) -> bool:
    """Return True unless `path` is a notebook that was executed to its end without an error."""
    try:
        notebook = read(path)
    except ValueError:
        return True
    if notebook.metadata.get("papermill", {}).get("exception"):
        return True
    code = [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]
    return any(cell.execution_count is None or any(out.output_type == "error" for out in cell.outputs) for cell in code)


def tidy(notebook: Any) -> None:
    """Fold an executed notebook's code for its page, number its tables, take out what differs between equal builds.

    A code cell with the metadata `mystnb.table` (`caption`, `name`) has its Markdown output shown as a numbered table.
    Where the notebook glues a text as `..._stand_in`, the captions of its figures tagged `real-data` say it: what they
    show is not the public file.
    """
    _tell_stand_in(notebook)
    for cell in notebook.cells:
        tags = cell.metadata.get("tags", [])
        if {"parameters", "injected-parameters"} & set(tags):
            cell.metadata["tags"] = sorted({*tags, "hide-input"})
            prompt = "Parameters of this build" if "parameters" in tags else "Parameters changed for this run"
            cell.metadata["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt}
        elif cell.cell_type == "code":  # readers open the code they want to see
            cell.metadata["tags"] = sorted({*tags, "hide-input"})
        if cell.cell_type == "code":
            _number_table(cell)
    # Start and end times would make every build of the same notebook differ.
    for key in ("start_time", "end_time", "duration", "environment_variables", "input_path", "output_path"):
        notebook.metadata.get("papermill", {}).pop(key, None)
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)


_GLUED = "application/papermill.record/text/plain"


def _tell_stand_in(notebook: Any) -> None:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    glued = {out.get("metadata", {}).get("scrapbook", {}).get("name", ""): out for out in outputs if "data" in out}
    texts = [literal_eval(out["data"][_GLUED]) for name, out in glued.items() if name.endswith("_stand_in")]
    if any(texts):
        note = f"(The public file was not at hand: in its place stands an image {texts[0]}.)"
        for cell in notebook.cells:
            figure = cell.metadata.get("mystnb", {}).get("figure")
            if figure and "real-data" in cell.metadata.get("tags", []) and note not in figure["caption"]:
                figure["caption"] += f" {note}"


def _number_table(cell: Any) -> None:
    # MyST-NB numbers figures by their cells' metadata; this does the same for tables, once.
    table = cell.metadata.get("mystnb", {}).pop("table", None)
    for output in cell.outputs if table else ():
        if text := output.get("data", {}).get("text/markdown"):
            lines = ["````{table} " + table["caption"], f":name: {table['name']}", "", text.strip(), "````"]
            output["data"]["text/markdown"] = "\n".join(lines)


@contextlib.contextmanager
def _silence():
    import logging

    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            yield
    finally:
        logging.disable(level)
        sys.stderr.flush()
