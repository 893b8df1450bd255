"""Runs killed at random moments end with the results of one left alone: `make campaign` does it fifty times."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import numpy as np

from geolib import cli, studies
from geolib.book import notebooks
from geolib.runs import paths, store, surroundings

ROOT = Path(__file__).parents[1]
#: The smallest settings of every study that have several units each.
SMALL = {
    "gan_101": "tricks=batch_norm,leaky trick_iterations=48 n_seeds=1 variants=conditional variant_iterations=20",
    "rnn_fwi": "experiments=1d optimisers=gd,momentum,adam,cg,lbfgs gd_rates=0.1,0.2 iterations=20",
    "wgan_traces": "n_epochs=4 n_traces=64 batch=16",
    "latent_inversion": "cases=continuous methods=adam trials=1 searches=1 adam_iterations=2 gn_iterations=1 "
    "dream_runs=16 effect_trials=1 effect_iterations=1 width=16",
}
#: Said in every run and kernel: of the equations of GAN 101 those that take no seconds, whatever its parameters;
#: patience with a scheduler, since all of this may be at work on few cores; and what is not committed is tried too.
LESS = """from geolib.runs import publishing, scheduler
from geolib.studies.gan_101 import study
study.THEORY = ("value", "starvation", "bilinear")
scheduler._ANSWERS_WITHIN = 120.0
publishing._check_origin = lambda *_: None
"""
#: What a run imports as it computes. The process that forks has it behind it, so that a kill hits the computing.
WORK = ("torch._dynamo", "h5netcdf", "geolib.waves._kernels", "geolib.gans.fast._kernels")
WAYS = ("publish", "publish --jobs", "publish --scheduler", "run", "run --jobs", "run --scheduler")


def shortened(folder: Path) -> None:
    """Put notebooks into a folder as far as they compute the run's units: the rest draws, for minutes."""
    for page in studies.pages():
        notebook = notebooks.read(paths.notebook(page))
        code = [cell.source if cell.cell_type == "code" else "" for cell in notebook.cells]
        last = next(n for n, text in enumerate(code) if "studies.run(" in text or "studies.shown(" in text)
        notebook.cells = [nbformat.v4.new_code_cell(LESS), *notebook.cells[: last + 1]]
        nbformat.write(notebook, folder / f"{page}.ipynb")


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[str]:
    """A Dask scheduler with two workers."""
    file, started = folder / "scheduler.json", []

    def begin(*arguments: str) -> None:
        command = [sys.executable, "-m", "dask", *arguments, "--host", "127.0.0.1", "--no-dashboard"]
        quiet = subprocess.DEVNULL
        started.append(subprocess.Popen(command, env=surroundings.environment(), stdout=quiet, stderr=quiet))

    try:
        begin("scheduler", "--port", "0", "--scheduler-file", str(file))
        while not file.is_file():
            time.sleep(0.1)
        address = json.loads(file.read_text())["address"]
        for _ in range(2):
            begin("worker", address, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder))
        yield address
    finally:
        for process in started:
            process.kill()


def command(study: str, way: str, folder: Path, address: str) -> list[str]:
    """Return the command line of a way to compute a study into a folder."""
    changes = [word for change in SMALL[study].split() for word in ("-p", change)]
    what, _, option = way.partition(" ")
    more = {"": [], "--jobs": ["--jobs", "2"], "--scheduler": ["--scheduler", address]}[option]
    if what == "run":
        return ["run", study, *changes, "--out", str(folder / "out"), *more]
    places = ["--folder", str(folder / "runs"), "--to", str(folder / "shipped"), "--as", "small", "--preset", "quick"]
    return ["publish", study, *changes, *places, *more]


class Run:
    """A command line in a fork of this process."""

    def __init__(self, arguments: list[str], log: Path, pages: Path) -> None:
        self.log, self.status = log, None
        self.process = os.fork()
        if not self.process:
            os.setsid()
            with log.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            clean = surroundings.environment()
            os.environ.clear()
            os.environ.update(clean)
            paths.notebooks = lambda: pages
            exec(LESS, {})
            status = 1
            try:
                status = cli.main(arguments)
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                os._exit(status)

    def ends_within(self, seconds: float) -> bool:
        """Wait, and return whether it has ended."""
        end = time.monotonic() + seconds
        while self.status is None and time.monotonic() < end:
            found, status = os.waitpid(self.process, os.WNOHANG)
            self.status = os.waitstatus_to_exitcode(status) if found else None
            time.sleep(0.02)
        return self.status is not None

    def finish(self) -> None:
        """Wait for its end, which must be a good one."""
        self.ends_within(math.inf)
        if self.status:
            raise RuntimeError(f"a run that nobody killed failed: {self.log.read_text()[-500:]}")

    def kill(self, alone: bool) -> None:
        """Kill it without a warning: with all its processes, or alone, so that these are left without a parent."""
        (os.kill if alone else os.killpg)(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)


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


def units(study: str, folder: Path) -> dict[str, int]:
    """Return when each finished unit of a study below a folder was written; a training's state is none."""
    found, made = {}, studies.get(study)
    changes = dict(change.split("=") for change in SMALL[study].split())
    names = set(made.names(made.Config.preset("quick", **changes)))
    for path in (path for path in folder.rglob("*.unit") if path.stem in names):
        with contextlib.suppress(FileNotFoundError):  # a finished run takes its own away
            found[str(path.relative_to(folder))] = path.stat().st_mtime_ns
    return found


@dataclass
class Seen:
    """What became of a study computed in one way, again and again killed."""

    asked: int
    hits: int = 0
    starts: int = 0
    kept: int = 0
    wrong: list[str] = field(default_factory=list)

    def told(self) -> str:
        """Return what is printed of it; a kill that hits nothing has shown nothing."""
        told = f"{self.hits} of {self.asked} kills hit in {self.starts} starts, {self.kept} units kept: "
        return told + (", ".join(self.wrong) or ("equal" if self.good else "too few"))

    @property
    def good(self) -> bool:
        """Whether all the kills hit and nothing came of them."""
        return self.hits == self.asked and not self.wrong


class Trials:
    """Runs of studies that are killed, beside those left alone, in a folder."""

    def __init__(self, folder: Path, address: str, rng: np.random.Generator, late: bool) -> None:
        self.folder, self.address, self.rng, self.late = folder, address, rng, late
        self.quiet: dict[tuple[str, str], dict] = {}
        (pages := folder / "pages").mkdir()
        shortened(pages)

    def begun(self, study: str, way: str, place: Path) -> Run:
        """Begin to compute a study into a place."""
        return Run(command(study, way, place, self.address), self.folder / "log", self.folder / "pages")

    def alone(self, study: str, way: str, place: Path) -> tuple[dict, float]:
        """Return what a run comes to that is left alone, and the seconds it took."""
        begin = time.monotonic()
        self.begun(study, way, place).finish()
        return content(study, place), time.monotonic() - begin

    def trial(self, study: str, way: str, kills: int) -> Seen:
        """Kill a run at `kills` random moments and compare its end with one left alone."""
        with tempfile.TemporaryDirectory(dir=self.folder, ignore_cleanup_errors=True) as name:
            kind = study, way.partition(" ")[0]
            if (
                kind not in self.quiet
            ):  # which compiles and reads what later ones find in memory: its time is no measure
                self.quiet[kind], _ = self.alone(*kind, Path(name, "first"))
            expected, seen, disturbed = self.quiet[kind], Seen(kills), Path(name, "0")
            made, taken = self.alone(study, way, Path(name, "quiet"))
            seen.wrong += differences(expected, made)
            before: dict[str, int] = {}
            # One that ends before its kill is compared too, and the next begins anew.
            while seen.hits < kills and seen.starts < 4 * kills:
                begin, run = time.monotonic(), self.begun(study, way, disturbed)
                seen.starts += 1
                ended = run.ends_within(self.rng.uniform(0.05, 0.9) * taken)
                while self.late and not ended and len(units(study, disturbed)) <= len(before):
                    ended = run.ends_within(0.02)
                if ended:  # sooner than thought: workers have warmed up, or the machine has less to do
                    taken = min(taken, time.monotonic() - begin)
                    run.finish()
                    seen.wrong += self.ended(kind, disturbed, before)
                    disturbed, before = Path(name, str(seen.starts)), {}
                    continue
                run.kill(alone=self.rng.random() < 0.5)
                seen.hits += 1
                seen.wrong += again(before, now := units(study, disturbed))
                seen.kept, before = seen.kept + len(now.keys() - before.keys()), now
            self.begun(study, way, disturbed).finish()
            seen.wrong += self.ended(kind, disturbed, before)
            return seen

    def ended(self, kind: tuple[str, str], place: Path, before: dict[str, int]) -> list[str]:
        """Return what is wrong with a run that has come to its end."""
        wrong = differences(self.quiet[kind], content(kind[0], place))
        if kind[1] == "run":  # whose units are taken away
            return wrong + [path.name for path in (place / "out").glob(".*")]
        return wrong + again(before, units(kind[0], place))


def again(before: dict[str, int], now: dict[str, int]) -> list[str]:
    """Return what is wrong with units that were kept: lost, or computed again."""
    return [f"{name} not kept" for name, written in before.items() if now.get(name) != written]


def main() -> int:
    """Kill, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=50, help="kills in all, spread over studies and ways")
    parser.add_argument("--only", nargs=2, metavar=("STUDY", "WAY"), help="one study in one way")
    parser.add_argument("--late", action="store_true", help="kill only when another unit is finished")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    pairs = [tuple(options.only)] if options.only else [(study, way) for way in WAYS for study in SMALL]
    for study in dict.fromkeys(study for study, _ in pairs):  # imported once, for all forks
        studies.get(study)
    for module in WORK:
        importlib.import_module(module)
    shares = Counter(pairs[n % len(pairs)] for n in range(options.count))
    workers, results = any("--scheduler" in way for _, way in shares), []
    with (
        tempfile.TemporaryDirectory() as name,
        cluster(Path(name)) if workers else contextlib.nullcontext("") as address,
    ):
        trials = Trials(Path(name), address, np.random.default_rng(options.seed), options.late)
        for (study, way), kills in shares.items():
            begin = time.monotonic()
            results.append(seen := trials.trial(study, way, kills))
            print(f"{study:18}{way:20}{seen.told()} ({time.monotonic() - begin:.0f} s)", flush=True)
    bad = sum(not seen.good for seen in results)
    print(f"{sum(seen.hits for seen in results)} kills hit, {bad} of {len(shares)} ways are not as they should be")
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
