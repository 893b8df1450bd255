"""Runs killed at random moments end with the results of one left alone: `make campaign` does it fifty times."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from geolib.runs import store, surroundings

ROOT = Path(__file__).parents[1]
#: Small settings of every study, with several units each.
SMALL = {
    "gan_101": "n_samples=60 mixture_iterations=50 tricks=batch_norm trick_iterations=48 n_seeds=1 variants=wgan "
    "variant_iterations=20",
    "rnn_fwi": "experiments=1d optimisers=gd,adam,cg gd_rates=0.1,0.2,0.3 iterations=60",
    "wgan_traces": "n_epochs=4 n_traces=64 batch=16",
    "latent_inversion": "cases=continuous methods=adam trials=1 searches=1 adam_iterations=5 gn_iterations=1 "
    "dream_runs=16 effect_trials=1 effect_iterations=1 width=16",
}
WAYS = ("publish", "publish --jobs", "publish --scheduler", "run")


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A Dask scheduler with two workers."""
    file, started = folder / "scheduler.json", []

    def start(*arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
        quiet = subprocess.DEVNULL
        started.append(subprocess.Popen(command, env=surroundings.environment(), stdout=quiet, stderr=quiet))

    try:
        start("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.is_file():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            start("worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        yield address
    finally:
        for process in started:
            process.kill()


def command(study: str, way: str, folder: Path, address: str) -> list[str]:
    """Return the command line of a way to compute a study into a folder."""
    changes = [word for change in SMALL[study].split() for word in ("-p", change)]
    if way == "run":
        return ["run", study, *changes, "--out", str(folder / "out")]
    more = {"publish": [], "publish --jobs": ["--jobs", "2"], "publish --scheduler": ["--scheduler", address]}[way]
    places = ["--folder", str(folder / "runs"), "--to", str(folder / "shipped"), "--as", "small", "--preset", "quick"]
    return ["publish", study, *changes, *places, *more]


def start(arguments: list[str]) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "geolib", *arguments],
        env=surroundings.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def content(study: str, folder: Path) -> dict:
    """Return what a finished run or publication holds, without times."""
    if (folder / "out" / "run.json").is_file():
        return json.loads((folder / "out" / "run.json").read_text())["measures"]
    results, _ = store.load(folder / "shipped" / f"{study}-small.nc")
    return {name: dict(arrays) for name, arrays in results.units.items()}


TIMES = ("seconds", "time", "cost")


def differences(left: dict, right: dict) -> list[str]:
    """Return the names of what differs; how long something took may."""
    if left.keys() != right.keys():
        return sorted(left.keys() ^ right.keys())
    found = []
    for name, value in left.items():
        if any(word in name for word in TIMES):
            continue
        if isinstance(value, dict):
            found += [f"{name} {entry}" for entry in differences(value, right[name])]
        elif not np.array_equal(value, right[name], equal_nan=np.asarray(value).dtype.kind in "fc"):
            found.append(name)
    return found


def finish(process: subprocess.Popen) -> None:
    _, told = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a run that nobody killed failed: {told[-500:]}")


def trial(study: str, way: str, kills: int, rng: np.random.Generator) -> tuple[int, list[str]]:
    """Return how many kills found the run alive, and what then differs from an undisturbed run."""
    with tempfile.TemporaryDirectory() as name, cluster(Path(name)) as address:
        quiet, disturbed = Path(name, "quiet"), Path(name, "disturbed")
        begin = time.monotonic()
        finish(start(command(study, way, quiet, address)))
        taken, done = time.monotonic() - begin, 0
        for _ in range(kills):
            process = start(command(study, way, disturbed, address))
            try:
                process.wait(timeout=rng.uniform(0.2, 0.7) * taken)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                done += 1
            process.communicate()
        finish(start(command(study, way, disturbed, address)))
        left = [p.name for p in (disturbed / "out").glob(".*")] if way == "run" else []
        return done, differences(content(study, quiet), content(study, disturbed)) + left


def main() -> int:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="kills in all, spread over studies and ways")
    parser.add_argument("--only", nargs=2, metavar=("STUDY", "WAY"), help="one study in one way")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    rng, bad = np.random.default_rng(options.seed), 0
    pairs = [tuple(options.only)] if options.only else [(study, way) for study in SMALL for way in WAYS]
    shares = Counter(pairs[n % len(pairs)] for n in range(options.count))
    for (study, way), kills in shares.items():
        done, differs = trial(study, way, kills, rng)
        bad += bool(differs)
        print(f"{study:18}{way:20}{done} of {kills} kills hit: {', '.join(differs) or 'equal'}", flush=True)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
