"""What long computations share: whole files, one look for progress, memory kept between iterations, one thread."""

from __future__ import annotations

import contextlib
import ctypes
import functools
import multiprocessing
import os
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tqdm import tqdm


def write_atomic(path: Path, payload: bytes) -> None:
    """Write `payload` so that `path` holds all of it or what it held before, even across a kill or a power cut.

    Raises
    ------
    OSError
        If it cannot be written, with the path: a full disk does not say where.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
    try:
        with os.fdopen(handle, "wb") as stream:
            stream.write(payload)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
    except OSError as error:
        if error.errno is not None and error.filename is None:
            raise OSError(error.errno, error.strerror, str(path)) from None
        raise
    finally:
        Path(temporary).unlink(missing_ok=True)


def steps(first: int, last: int, label: str) -> tqdm:
    """Return `range(first, last)` behind a bar with the time left, which vanishes when the loop is done.

    It is silent where there is no terminal, and in worker processes, whose bars would write over one another. The
    caller adds the figure that matters by `set_postfix_str`.
    """
    silent = True if multiprocessing.parent_process() else None  # None leaves it to tqdm, which looks for a terminal
    return tqdm(range(first, last), desc=label, leave=False, disable=silent, mininterval=0.5)


def njit(**options: Any) -> Callable[[Callable], Any]:
    """Return `numba.njit` that keeps what it compiles on disk, where it can.

    Where neither the module's folder nor a home can be written, Numba refuses to compile what is to be kept.
    """
    import numba

    def decorate(function: Callable) -> Any:
        try:
            return numba.njit(cache=True, **options)(function)
        except (RuntimeError, OSError):
            _warn_of_no_cache(Path(function.__code__.co_filename).parent)
            return numba.njit(**options)(function)

    return decorate


@functools.cache  # once for a folder
def _warn_of_no_cache(folder: Path) -> None:
    warnings.warn(
        f"compiled kernels cannot be kept: neither {folder} nor a home can be written, so every process compiles them "
        "anew. Set NUMBA_CACHE_DIR to a folder that can.",
        stacklevel=4,
    )


def keep_memory() -> None:
    """Tell the C library of Linux to keep freed memory for the next tensor; elsewhere nothing happens.

    By default it hands blocks of megabytes back to the system at once, and up to a third of an iteration goes into
    fetching them again. Holds for the whole process and changes no result.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL("libc.so.6")
        for option, size in ((-3, 1 << 25), (-1, (1 << 31) - 1)):  # M_MMAP_THRESHOLD at its most, M_TRIM_THRESHOLD
            library.mallopt(option, size)


def machine_bytes() -> int:
    """Return the bytes of memory that this process may have: the machine's, or its control group's where that is less.

    Where neither is told, nothing is known to be too much.
    """
    known = [sys.maxsize]
    with contextlib.suppress(AttributeError, OSError, ValueError):
        known.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    for place in ("memory.max", "memory/memory.limit_in_bytes"):
        with contextlib.suppress(OSError, ValueError):  # "max" is no number
            known.append(int(Path("/sys/fs/cgroup", place).read_text()))
    return min(known)


def within_memory(name: str, needed: float, remedy: str, what: str = "a gradient") -> str:
    """Return one line on the memory that a gradient takes, or what else does, in bytes, beside what there is.

    Raises
    ------
    ValueError
        If it is more than there is.
    """
    has = machine_bytes()
    told = f"{needed / 2**20:,.0f} MiB"
    if needed > has:
        raise ValueError(f"{name} must fit into this machine's {has / 2**20:,.0f} MiB; {what} needs {told}. {remedy}")
    return f"memory: {what} takes up to about {told} of this machine's {has / 2**20:,.0f} MiB"


def kept_bytes(function: Callable[[], Any]) -> int:
    """Return the bytes that autograd keeps of what a function computes; on the meta device nothing is computed."""
    import torch

    kept: dict[int, int] = {}

    def note(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage._cdata] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor):
        made = function()
    del made  # until here the graph was there, so that no two storages had one address
    return sum(kept.values())


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute on one thread of torch, and on as many as before afterwards.

    A sum that is spread over threads is summed in another order on another number of them.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
