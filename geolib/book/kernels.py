"""The cells of a notebook, run one after the other in a kernel with clean surroundings."""

from __future__ import annotations

import contextlib
import logging
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from geolib.runs import surroundings

#: A kernel on a busy machine may take its time to start.
_STARTS_WITHIN = 300


def run(
    notebook: Any,
    folder: Path,
    label: str,
    *,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
    units: Path | None = None,
) -> None:
    """Run the cells of a notebook and put their outputs into it.

    Parameters
    ----------
    notebook : NotebookNode
        What to run.
    folder : Path
        An empty folder, in which the kernel starts: nothing of the user's lies there to be imported
        or read.
    label : str
        Name of the notebook in what is said.
    progress : bool
        Show a bar with a step for each cell.
    say : callable, optional
        Takes a line about each code cell as it is done.
    units : Path, optional
        Where the notebook's studies keep their units.

    Raises
    ------
    RuntimeError
        If a cell fails or the kernel dies.
    """
    from nbclient.exceptions import CellExecutionError, DeadKernelError
    from tqdm import tqdm

    client = _client(notebook, folder)
    mine = {"IPYTHONDIR": str(folder), "JUPYTER_RUNTIME_DIR": str(folder)}
    mine["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    if units is not None:
        mine[surroundings.UNITS] = str(units.absolute())
    start_options: dict[str, Any] = {"env": surroundings.environment(**mine), "cwd": str(folder)}
    start_options |= dict.fromkeys(
        ("stdout", "stderr"), subprocess.DEVNULL
    )  # of the kernel; its cells' are messages
    count, index = len(notebook.cells), -1
    try:
        client.reset_execution_trackers()
        # Client and kernel log what goes wrong; ours is the one line that the caller prints.
        with _silence(progress), client.setup_kernel(cleanup_kc=True, **start_options):
            for index, cell in enumerate(
                tqdm(notebook.cells, desc=label, unit="cell", disable=not progress)
            ):
                start = time.perf_counter()
                client.execute_cell(cell, index)
                if say is not None and cell.cell_type == "code":
                    say(
                        f"{label}: cell {index + 1} of {count} done in "
                        f"{time.perf_counter() - start:.1f} s"
                    )
            notebook.metadata["language_info"] = {"name": "python"}
    except CellExecutionError as error:
        reason = f"{error.ename}: {str(error.evalue).splitlines()[0] if error.evalue else ''}"
        raise RuntimeError(f"notebook {label} failed in cell {index}: {reason}") from None
    except DeadKernelError:
        raise RuntimeError(
            f"notebook {label} failed: its kernel died, ended by a cell or for lack of memory. "
            "Correct the cell or use smaller parameters."
        ) from None


def _client(notebook: Any, folder: Path) -> Any:
    try:
        from ipykernel.kernelspec import get_kernel_dict
    except ModuleNotFoundError:
        raise RuntimeError(
            "the kernel python3 must be installed to run notebooks. Install geolib[book]."
        ) from None
    from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
    from jupyter_client.manager import AsyncKernelManager
    from nbclient import NotebookClient

    class ThisPython(KernelSpecManager):
        """Knows one kernel: that of this very Python, whatever a user has installed as python3."""

        def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
            return KernelSpec(**get_kernel_dict())

    manager = AsyncKernelManager(
        kernel_name="python3",
        kernel_spec_manager=ThisPython(),
        connection_file=str(folder / "kernel.json"),
    )
    return NotebookClient(
        notebook,
        km=manager,
        timeout=None,
        startup_timeout=_STARTS_WITHIN,
        record_timing=False,
        # A kernel warns on our stderr that it listens on localhost without encryption.
        extra_arguments=["--IPKernelApp.log_level=CRITICAL"],
    )


@contextlib.contextmanager
def _silence(progress: bool) -> Iterator[None]:
    level = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        with (
            open(os.devnull, "w", encoding="utf-8") as nowhere,
            contextlib.nullcontext() if progress else contextlib.redirect_stderr(nowhere),
        ):
            yield
    finally:
        logging.disable(level)
