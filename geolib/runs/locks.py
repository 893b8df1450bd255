"""A folder held by one process at a time, in whatever container or on whatever machine the others are."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from pathlib import Path

NAME = ".lock"


@contextlib.contextmanager
def held(folder: Path, what: str, remedy: str, wait: float = 0.0) -> Iterator[None]:
    """Hold a folder, which is made, for this process alone; its end sets the folder free, a kill too.

    Parameters
    ----------
    folder : Path
        The folder; the file `.lock` in it names who holds it and vanishes with the block.
    what : str
        What is done there, such as "geolib book".
    remedy : str
        What to do where another process holds it.
    wait : float
        Seconds in which the other one may end.

    Raises
    ------
    RuntimeError
        If another process holds the folder, and still does after `wait`.
    """
    from filelock import FileLock, Timeout

    folder.mkdir(parents=True, exist_ok=True)
    file = folder / NAME
    lock = FileLock(file, timeout=wait)
    try:
        lock.acquire()
    except Timeout:
        raise RuntimeError(f"{what} must be alone in {folder}; {_holder(file)} is at work there. {remedy}") from None
    try:
        with contextlib.suppress(OSError):  # a full disk: the lock itself needs no room
            file.write_text(f"{own_name()}\n", encoding="utf-8")
        yield
    finally:
        with contextlib.suppress(OSError):  # while it is held: a waiter looks again whether its file has a name
            file.unlink()
        lock.release()


def own_name() -> str:
    """Return host and process, as they are part of the names of drafts and locks."""
    host = "".join(c if c.isalnum() else "_" for c in socket.gethostname()) or "host"
    return f"{host}-{os.getpid()}"


def made_by(name: str) -> int | None:
    """Return the process of this machine for which a draft is named, or None."""
    host = own_name().rpartition("-")[0]
    owner, _, rest = name.partition("-")
    process = rest.partition("-")[0]
    return int(process) if owner == host and process.isdecimal() else None


def _holder(file: Path) -> str:
    try:
        host, _, process = file.read_text(encoding="utf-8").strip().rpartition("-")
    except (OSError, ValueError):
        host = process = ""
    return f"process {process} of {host}" if host and process else "another process"
