"""Clean, stated surroundings of what is started from here: kernels, builds, git and worker processes."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

#: One thread per process: results do not depend on the number of cores, and processes share them fairly.
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
#: Where a kernel keeps a study's units until its notebook is done, so that a rerun goes on from them.
UNITS = "GEOLIB_UNITS"

# Settings of a user's own programs, which change figures, warnings, assertions or what git answers.
_PREFIXES = "GIT_ PYTHON MPL MATPLOTLIB IPYTHON JUPYTER PAPERMILL SPHINX NUMBA_ TQDM_ OMP_ GOMP_ MKL_ OPENBLAS_ VECLIB_"
_FOREIGN = (*_PREFIXES.split(), "FORCE_COLOR", "CLICOLOR", "PY_COLORS", "TORCH_LOGS")
# These say where something is, or that nothing may be written.
_KEPT = {"PYTHONPATH", "PYTHONHOME", "PYTHONUSERBASE", "PYTHONNOUSERSITE", "PYTHONDONTWRITEBYTECODE"}
_KEPT |= {"PYTHONPYCACHEPREFIX", "NUMBA_CACHE_DIR", "MPLCONFIGDIR"}


def environment(**more: str) -> dict[str, str]:
    """Return the environment of a child process: the user's without what changes results, with one thread.

    Parameters
    ----------
    **more : str
        Variables of this child alone.
    """
    mine = {n: v for n, v in os.environ.items() if n in _KEPT or not n.upper().startswith(_FOREIGN)}
    mine.pop(UNITS, None)
    mine |= dict.fromkeys(THREADS, "1")
    # An empty file of settings, for an unreadable one would stop the import; nothing is drawn on a screen.
    mine |= {"MATPLOTLIBRC": os.devnull, "MPLBACKEND": "agg", "PYTHONUTF8": "1"}
    # The child must find this very package, wherever it starts.
    package = str(Path(__file__).resolve().parents[2])
    others = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    mine["PYTHONPATH"] = os.pathsep.join([package, *map(os.path.abspath, others)])
    if mine.get("GEOLIB_DATA"):
        mine["GEOLIB_DATA"] = os.path.abspath(os.path.expanduser(mine["GEOLIB_DATA"]))
    return mine | more


@contextlib.contextmanager
def applied() -> Iterator[None]:
    """Let processes that the block starts have a clean environment, where it cannot be handed to them."""
    before = dict(os.environ)
    clean = environment()

    def become(wanted: Mapping[str, str]) -> None:
        for name in os.environ.keys() - wanted.keys():
            del os.environ[name]
        os.environ.update(wanted)

    become(clean)
    try:
        yield
    finally:
        become(before)


def python(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run this Python in `folder` with a clean environment and return what it printed."""
    command = [sys.executable, "-P", *arguments]
    return subprocess.run(
        command, cwd=folder, env=environment(), capture_output=True, encoding="utf-8", errors="replace"
    )


def git(folder: Path, *arguments: str) -> str | None:
    """Return what git prints about the repository of a folder, or None where it has no answer.

    Notes
    -----
    Neither the variables nor the settings of a user's own git change the answer; it waits twenty seconds at most.
    """
    settings = ("-c", "core.fsmonitor=false", "-c", "status.showUntrackedFiles=normal", "-c", "core.quotePath=false")
    command = ["git", "--no-pager", "--no-optional-locks", *settings, "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, env=environment(LC_ALL="C"), capture_output=True, encoding="utf-8", errors="replace", timeout=20
        )
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def end_with_parent() -> None:
    """Let this worker process end as soon as the process that started it has ended, however that came about."""
    import multiprocessing
    from multiprocessing import connection

    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="watches the parent").start()


@contextlib.contextmanager
def ended_as_by_a_key() -> Iterator[None]:
    """Let a polite end of the process be as Ctrl-C: nothing half written stays, and no kernel or worker."""

    def stop(*_: Any) -> None:
        raise KeyboardInterrupt

    before = {}
    if threading.current_thread() is threading.main_thread():
        for name in ("SIGTERM", "SIGHUP"):
            number = getattr(signal, name, None)
            if number is not None and signal.getsignal(number) is signal.SIG_DFL:  # nohup ignores one
                before[number] = signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
