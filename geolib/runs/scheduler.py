"""Spreading independent tasks: over processes of this machine, or over the workers of a Dask cluster."""

from __future__ import annotations

import argparse
import concurrent.futures
import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from geolib import _checks

VARIABLE = "DASK_SCHEDULER_ADDRESS"
# One thread per process: results do not depend on the number of cores, and the processes share them fairly.
_ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
# A task that takes its process down this often in a row is itself the cause.
_PATIENCE = 3


def unordered(
    function: Callable[..., Any], tasks: Sequence[tuple], *, address: Any = None, jobs: int = 1
) -> Iterator[tuple[int, Any]]:
    """Yield `(index, function(*tasks[index]))` of every task, each as soon as it is done.

    Parameters
    ----------
    function : callable
        A function of a module, which workers import by its name.
    tasks : sequence of tuple
        Arguments of each call; the calls must be independent of one another.
    address : str or distributed.Client, optional
        Dask scheduler, such as "tcp://host:8786", or a client of one; its workers must have this package and its data.
    jobs : int
        Processes on this machine where there is no scheduler; 1 computes in this process.

    Raises
    ------
    RuntimeError
        If the scheduler does not answer or is lost, or if a task takes down one process after another.
    ValueError
        If `jobs` is less than 1 or the address is malformed.

    Notes
    -----
    What a killed worker was computing is computed again by another. Where a call raises, no further one is started and
    the error is raised; on this machine the calls under way are finished and yielded first.
    """
    _checks.integer("jobs", jobs, low=1)
    if isinstance(address, str):
        with _connect(address) as client:
            yield from _cluster(function, tasks, client)
    elif address is not None:
        yield from _cluster(function, tasks, address)
    elif jobs == 1 or len(tasks) < 2:
        for index, task in enumerate(tasks):
            yield index, function(*task)
    else:
        yield from _processes(function, tasks, min(jobs, len(tasks)))


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--scheduler` and `--jobs`, of which a command line may have one."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument("--scheduler", metavar="ADDRESS", help=f"Dask scheduler that computes the units ({VARIABLE})")
    where.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="processes on this machine (default: 1)")


def _jobs(text: str) -> int:
    try:
        return _checks.integer("jobs", text, low=1)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _processes(function: Callable[..., Any], tasks: Sequence[tuple], jobs: int) -> Iterator[tuple[int, Any]]:
    waiting, failures = dict(enumerate(tasks)), 0
    error: Exception | None = None
    while waiting and error is None:
        before = len(waiting)
        # A killed process spoils a whole pool of the standard library: what is left goes to a new one.
        pool = concurrent.futures.ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn"))
        try:
            with _single_threaded():
                futures = {pool.submit(function, *task): index for index, task in waiting.items()}
            for future in concurrent.futures.as_completed(futures):
                try:
                    value = future.result()
                except (BrokenProcessPool, concurrent.futures.CancelledError):
                    continue
                except Exception as raised:
                    error = error or raised
                    for other in futures:
                        other.cancel()
                    continue
                del waiting[futures[future]]
                yield futures[future], value
        finally:
            pool.shutdown(cancel_futures=True)
        failures = failures + 1 if len(waiting) == before else 0
        if error is None and failures == _PATIENCE:
            error = RuntimeError(
                f"worker processes must live; they were killed {failures} times in a row, perhaps for lack of memory. "
                "Use fewer --jobs or smaller parameters."
            )
    if error is not None:
        raise error


@contextlib.contextmanager
def _single_threaded() -> Iterator[None]:
    # Numerical libraries read these when they are imported: before any code of ours runs in a new process.
    added = [name for name in _ONE_THREAD if name not in os.environ]
    os.environ.update(dict.fromkeys(added, "1"))
    try:
        yield
    finally:
        for name in added:
            os.environ.pop(name, None)


def _connect(address: str) -> Any:
    try:
        import distributed
    except ModuleNotFoundError:
        raise RuntimeError("distributed must be installed to use a cluster. Install geolib[cluster].") from None
    # Before there is a client: one that was never connected complains for 20 s as it is thrown away.
    from distributed.comm.addressing import parse_address, parse_host_port

    try:
        parse_host_port(parse_address(address)[1])
    except ValueError as error:
        raise ValueError(
            f"scheduler address must be like tcp://host:8786; got {address!r} ({error}). Correct the address."
        ) from None
    try:
        return distributed.Client(address, timeout=10, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise RuntimeError(
            f"a Dask scheduler must answer at {address}; none does ({error}). Start it or correct the address."
        ) from None


def _cluster(function: Callable[..., Any], tasks: Sequence[tuple], client: Any) -> Iterator[tuple[int, Any]]:
    import distributed

    failed: Exception | None = None
    # Not pure: equal arguments must not bring back what an earlier version of the code computed.
    futures = {client.submit(function, *task, pure=False): index for index, task in enumerate(tasks)}
    for future in distributed.as_completed(list(futures), loop=client.loop):
        index = futures.pop(future)
        try:
            value = future.result()
        except distributed.KilledWorker:
            failed = RuntimeError(
                f"workers must live; those that took task {index} were killed, perhaps for lack of memory. "
                "Give them more or use smaller parameters."
            )
        except concurrent.futures.CancelledError:
            failed = RuntimeError(f"the scheduler at {client.scheduler.address} was lost. Start it and run again.")
        except Exception as raised:
            failed = raised
        else:
            yield index, value
        if failed is not None:
            break
    if failed is not None:
        raise failed
