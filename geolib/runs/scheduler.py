"""Spreading independent tasks: over processes of this machine, or over the workers of a Dask cluster."""

from __future__ import annotations

import argparse
import asyncio
import concurrent.futures
import contextlib
import multiprocessing
import os
import queue
import re
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from geolib import _checks
from geolib.runs import surroundings

VARIABLE = "DASK_SCHEDULER_ADDRESS"
#: Processes for the units of a kernel whose run was told so.
JOBS = "GEOLIB_JOBS"
_ADDRESS = re.compile(
    r"(?:(?:tcp|tls|ws|wss|ucx|ucxx)://)?(?:[^\s/:\[\]]+|\[[0-9a-fA-F:.%]+\]):(?P<port>\d{1,5})|(?P<other>inproc://\S+)",
    re.ASCII,
)
_ANSWERS_WITHIN = 5.0
# A task that takes its process down this often in a row is itself the cause.
_PATIENCE = 3


def unordered(
    function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], *, address: Any = None, jobs: int = 1
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


def in_order(function: Callable[[Any], Any], tasks: Sequence[Any], *, address: Any = None, jobs: int = 1) -> list[Any]:
    """Return `function(task)` of every task in their order, as `map` does; see `unordered` for the rest."""
    found = dict(unordered(function, [(task,) for task in tasks], address=address, jobs=jobs))
    return [found[index] for index in range(len(tasks))]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add `--scheduler` and `--jobs`, of which a command line may have one."""
    where = parser.add_mutually_exclusive_group()
    where.add_argument(
        "--scheduler", type=_address, metavar="ADDRESS", help=f"Dask scheduler that computes the units ({VARIABLE})"
    )
    where.add_argument("--jobs", type=_jobs, default=1, metavar="N", help="processes on this machine (default: 1)")


@contextlib.contextmanager
def telling(address: str | None, jobs: int) -> Iterator[None]:
    """Let kernels that the block starts know where their units are computed, see `of_environment`."""
    before = {name: os.environ.get(name) for name in (VARIABLE, JOBS)}
    if address or jobs > 1:
        os.environ |= {VARIABLE: address or "", JOBS: str(jobs)}
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


def of_environment() -> tuple[str | None, int]:
    """Return address and processes that the environment tells; ValueError or TypeError if it tells nonsense."""
    address = os.environ.get(VARIABLE) or None
    return address, 1 if address else _checks.integer(JOBS, os.environ.get(JOBS) or 1, low=1)


def _jobs(text: str) -> int:
    try:
        return _checks.integer("jobs", text, low=1)
    except (TypeError, ValueError) as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _address(text: str) -> str:
    try:
        return check_address(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def _processes(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], jobs: int) -> Iterator[tuple[int, Any]]:
    waiting, failures = dict(enumerate(tasks)), 0
    error: Exception | None = None
    while waiting and error is None:
        before = len(waiting)
        # A killed process spoils a whole pool of the standard library: what is left goes to a new one.
        with pool(jobs) as workers:
            with surroundings.applied():
                futures = {workers.submit(function, *task): index for index, task in waiting.items()}
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
        failures = failures + 1 if len(waiting) == before else 0
        if error is None and failures == _PATIENCE:
            error = RuntimeError(
                f"worker processes must live; they were killed {failures} times in a row, perhaps for lack of memory. "
                "Use fewer --jobs or smaller parameters."
            )
    if error is not None:
        raise error


@contextlib.contextmanager
def pool(jobs: int) -> Iterator[concurrent.futures.ProcessPoolExecutor]:
    """Open a pool of processes, which end with this one, however it ends, and no later than the block.

    They are started as tasks come in, and take their environment from `surroundings.applied` around that.
    """
    context = multiprocessing.get_context("spawn")
    others = set(multiprocessing.active_children())
    made = concurrent.futures.ProcessPoolExecutor(jobs, mp_context=context, initializer=_begin)
    try:
        yield made
    except BaseException:
        # Nobody waits for what is under way: units that are done are saved.
        for child in set(multiprocessing.active_children()) - others:
            child.kill()
        raise
    finally:
        made.shutdown(cancel_futures=True)


def _begin() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a key pressed is for the process that waits here
    surroundings.end_with_parent()


def check_variable(options: argparse.Namespace) -> None:
    """Refuse an address of the environment that is none, where these options would have it asked."""
    elsewhere = getattr(options, "scheduler", None) or getattr(options, "jobs", 1) > 1
    if not elsewhere and (address := os.environ.get(VARIABLE)):
        check_address(address)


def check_address(address: str) -> str:
    """Return the address of a scheduler if it has the form of one.

    Raises
    ------
    ValueError
        If it has another form; nothing is asked of the network.
    """
    found = _ADDRESS.fullmatch(address) if isinstance(address, str) else None
    if found is None or not (found["other"] or 0 < int(found["port"]) < 65536):
        raise ValueError(
            f"scheduler address must be like tcp://host:8786; got {address!r}. Correct --scheduler or {VARIABLE}."
        )
    return address


def _connect(address: str) -> Any:
    check_address(address)
    try:
        import distributed
    except ModuleNotFoundError:
        raise RuntimeError("distributed must be installed to use a cluster. Install geolib[cluster].") from None
    # Before there is a client, which has no end of patience with what is no scheduler.
    # In a thread, where no loop of a notebook is running, and no name server can hold up what waits here.
    answers: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=lambda: answers.put(asyncio.run(_refusal(address))), daemon=True).start()
    try:
        reason = answers.get(timeout=_ANSWERS_WITHIN + 2)
    except queue.Empty:
        reason = f"its host is not found within {_ANSWERS_WITHIN + 2:g} s"
    try:
        if not reason:
            return distributed.Client(address, timeout=2 * _ANSWERS_WITHIN, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        reason = _one_line(error)
    raise RuntimeError(f"a Dask scheduler must answer at {address}; {reason}. Start it or correct the address.")


async def _refusal(address: str) -> str:
    """Return why nothing at an address is a scheduler, or nothing if it is one."""
    from distributed.core import rpc

    async def ask() -> Any:
        async with rpc(address, timeout=_ANSWERS_WITHIN) as there:
            return await there.identity()

    try:
        found = await asyncio.wait_for(ask(), _ANSWERS_WITHIN)
    except TimeoutError:
        return f"what is there says nothing within {_ANSWERS_WITHIN} s"
    except ConnectionError as error:
        return f"none does ({_one_line(error)})"
    except Exception as error:  # what is no scheduler may answer anything: a web page is read as a length of exabytes
        return f"none does ({_one_line(error)})" if isinstance(error, OSError) else "what is there speaks otherwise"
    kind = found.get("type") if isinstance(found, dict) else None
    return "" if kind == "Scheduler" else f"there is a {kind}" if kind else "what is there speaks otherwise"


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__


@contextlib.contextmanager
def _told_of_waiting(client: Any) -> Iterator[None]:
    """Say when a cluster has no workers: nothing happens until there are some."""
    done = threading.Event()

    def watch() -> None:
        waiting = False
        while not done.wait(2):
            try:
                none = not client.scheduler_info()["workers"]
            except Exception:  # the scheduler is lost, which the caller notices too
                return
            if none and not waiting:
                print(f"geolib: waiting for workers of {client.scheduler.address}; it has none", file=sys.stderr)
            waiting = none

    thread = threading.Thread(target=watch, daemon=True, name="looks for workers")
    thread.start()
    try:
        yield
    finally:
        done.set()


def _cluster(function: Callable[..., Any], tasks: Sequence[tuple[Any, ...]], client: Any) -> Iterator[tuple[int, Any]]:
    # Not pure: equal arguments must not bring back what an earlier version of the code computed.
    futures = {client.submit(function, *task, pure=False): index for index, task in enumerate(tasks)}
    with _told_of_waiting(client):
        yield from _collected(futures, client)


def _collected(futures: dict[Any, int], client: Any) -> Iterator[tuple[int, Any]]:
    import distributed
    from distributed.comm import CommClosedError

    failed: Exception | None = None
    for future in distributed.as_completed(list(futures), loop=client.loop):
        index = futures.pop(future)
        try:
            value = future.result()
        except distributed.KilledWorker:
            failed = RuntimeError(
                f"workers must live; those that took task {index} were killed, perhaps for lack of memory. "
                "Give them more or use smaller parameters."
            )
        except (concurrent.futures.CancelledError, CommClosedError):
            failed = RuntimeError(f"the scheduler at {client.scheduler.address} was lost. Start it and run again.")
        except Exception as raised:
            failed = raised
        else:
            yield index, value
        if failed is not None:
            break
    if failed is not None:
        raise failed
