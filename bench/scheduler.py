"""Throughput of Dask clusters on this machine against their workers, and what a task costs besides computing.

Writes bench/scheduler.json and its table, bench/scheduler.md. Workers have one thread each. Clusters of different sizes
take turns, so that other work on the machine slows all of them alike; every number is the median of the rounds.
"""

import contextlib
import functools
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import distributed
import torch

from geolib import studies, waves
from geolib.runs import runner, scheduler
from geolib.runs.store import provenance, write_atomic
from geolib.runs.tables import markdown
from geolib.waves import shots

HERE = Path(__file__).parent
ROUNDS, EMPTY, COUNTS, MODELLED = 3, 200, (1, 2, 4), (1, 2, 4, 10, 100)
VARIABLES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS")
STUDY = studies.get("rnn_fwi")
# Sixteen descents of the same method: units of equal cost.
CONFIG = STUDY.Config(
    experiments="1d", optimisers="adam", iterations=150, adam_rates=[20.0 + rate for rate in range(16)]
)


def survey() -> tuple[waves.Survey, torch.Tensor, torch.Tensor]:
    """Return 16 shots over a model of 120 by 240 cells, their data, and a model to start from."""
    grid, n, nt = waves.Grid((120, 240), 10.0), 16, 1000
    wavelet = waves.ricker(10.0, 0.001, nt).expand(n, 1, nt)
    sources = [[[1, 7 + 15 * shot]] for shot in range(n)]
    receivers = [[[1, x] for x in range(4, 236, 4)]] * n
    lines = waves.Survey(grid, 0.001, nt, sources, receivers, wavelet)
    velocity = torch.full(grid.shape, 2000.0)
    velocity[60:] = 2600.0
    return lines, waves.propagate(velocity, lines), torch.full(grid.shape, 2000.0)


@contextlib.contextmanager
def cluster(workers: int) -> Iterator[distributed.Client]:
    """Start a scheduler and its workers as processes of their own."""
    environment = {**os.environ, **dict.fromkeys(VARIABLES, "1")}
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w") as log:
        file = Path(folder) / "scheduler.json"
        common = ["--host", "127.0.0.1", "--no-dashboard", "--scheduler-file", str(file)]

        def start(*arguments: str) -> subprocess.Popen:
            command = [sys.executable, "-m", "dask", *arguments, *common]
            return subprocess.Popen(command, stdout=log, stderr=log, env=environment)

        processes = [start("scheduler", "--port", "0")]
        try:
            while not file.is_file():
                time.sleep(0.1)
            options = ("--nthreads", "1", "--no-nanny", "--local-directory", folder)
            processes += [start("worker", *options) for _ in range(workers)]
            with distributed.Client(scheduler_file=str(file), set_as_default=False) as client:
                client.wait_for_workers(workers, timeout=120)
                yield client
        finally:
            for process in reversed(processes):
                process.kill()
                process.wait()


def seconds(function, tasks, client) -> float:
    start = time.perf_counter()
    assert len(list(scheduler.unordered(function, tasks, address=client))) == len(tasks)
    return time.perf_counter() - start


def measure() -> dict:
    """Return the medians over all rounds, and what the model makes of them."""
    torch.set_num_threads(1)
    lines, observed, model = survey()
    same = (STUDY, CONFIG, studies.key(STUDY, CONFIG), None)
    units = [(*same, [name]) for name in STUDY.names(CONFIG)]
    found: dict[int, list[tuple[float, float, float]]] = {count: [] for count in COUNTS}
    loads = []
    with contextlib.ExitStack() as stack:
        clients = {count: stack.enter_context(cluster(count)) for count in COUNTS}
        for number in range(ROUNDS + 1):
            for count, client in clients.items():
                per_unit = seconds(runner._batch, units, client) / len(units)
                start = time.perf_counter()
                shots.misfit_and_gradient(
                    model, lines, observed, map=functools.partial(scheduler.in_order, address=client)
                )
                per_shot = (time.perf_counter() - start) / lines.n_shots
                per_task = seconds(abs, [(-1,)] * EMPTY, client) / EMPTY
                if number:  # the first round imports and compiles
                    found[count].append((per_unit, per_shot, per_task))
            loads.append(os.getloadavg()[0])
    middle = {count: [statistics.median(column) for column in zip(*rows, strict=True)] for count, rows in found.items()}
    rows = [
        {"workers": count, "units_per_s": 1 / unit, "shots_per_s": 1 / shot, "task_s": task}
        for count, (unit, shot, task) in middle.items()
    ]
    # Every worker brings what one brings, until the scheduler's own time for a task is the limit.
    limit = 1 / max(row["task_s"] for row in rows)
    modelled = [
        {"workers": count, **{name: min(count * rows[0][name], limit) for name in ("units_per_s", "shots_per_s")}}
        for count in MODELLED
    ]
    about = {"units": len(units), "shots": lines.n_shots, "rounds": ROUNDS, "cores": os.cpu_count(), "nice": os.nice(0)}
    load = statistics.median(loads)
    return {**about, "load": load, "measured": rows, "modelled": modelled, "provenance": provenance()}


def table(result: dict) -> str:
    """Return the measurement as Markdown."""
    measured = {row["workers"]: row for row in result["measured"]}
    rows = []
    for row in result["modelled"]:
        cells = [f"{row['workers']}"]
        for name in ("units_per_s", "shots_per_s"):
            seen = measured.get(row["workers"])
            cells += [f"{seen[name]:.3g}" if seen else "—", f"{row[name]:.3g}"]
        rows.append(cells)
    about = result["provenance"]
    heads = ["Workers", "runs/s, measured", "model", "shots/s, measured", "model"]
    told = (
        f"\nMedians of {result['rounds']} rounds of {result['units']} runs and {result['shots']} shots on "
        f"{result['cores']} cores ({about['device']}), commit {about['commit'][:9]}, {about['date']}. The load average "
        f"of the machine was {result['load']:.1f}, these workers included; the processes ran at nice {result['nice']}. "
        f"A task costs the scheduler and the network {1e3 * max(row['task_s'] for row in result['measured']):.1f} ms."
    )
    return f"{markdown(heads, rows, 'rrrrr')}\n{told}\n"


if __name__ == "__main__":
    made = measure()
    write_atomic(HERE / "scheduler.json", (json.dumps(made, indent=1) + "\n").encode())
    write_atomic(HERE / "scheduler.md", table(made).encode())
    print(table(made))
