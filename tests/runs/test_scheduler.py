"""Units spread over processes and over a real Dask cluster: equal results, whatever is killed."""

import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import dask
import distributed
import numpy as np
import pytest
import torch

from geolib import cli, studies, waves
from geolib.runs import scheduler, surroundings
from geolib.waves import shots

ROOT = Path(__file__).parents[2]
SLOW = """
import os, signal, time
from dataclasses import dataclass
import numpy as np
from geolib.runs import config
from geolib.runs.study import Study
from geolib.runs.unit import Unit

@dataclass(frozen=True)
class Config(config.Config):
    units: int = config.param(12, "units", low=1, high=100, extent=True)
    seconds: float = config.param(0.2, "time of a unit", low=0, high=10, unit="s")

@dataclass(frozen=True)
class Slow(Unit):
    TEMPLATE = "u{number}"

    number: int

class SlowStudy(Study):
    name, title, Config, kinds = "slow_study", "Slow units", Config, (Slow,)

    @property
    def version(self):
        return int(os.environ.get("SLOW_VERSION", 1))

    def units(self, config):
        return [Slow(n) for n in range(config.units)]

    def compute(self, config, units, folder=None):
        for unit in units:
            time.sleep(config.seconds)
            with open(os.environ["SLOW_LOG"], "a") as log:
                log.write(f"{unit.name} {os.getpid()}\\n")
            draws = np.random.default_rng(unit.number).normal(size=(3, 5))
            yield unit, {"x": draws, "words": np.array(["a", unit.name])}

STUDY = SlowStudy()

def square(x):
    return x * x

def dies_once(folder, x):
    try:
        os.close(os.open(f"{folder}/{x}", os.O_CREAT | os.O_EXCL))
    except FileExistsError:
        return x
    os.kill(os.getpid(), signal.SIGKILL)

def dies(x):
    os.kill(os.getpid(), signal.SIGKILL)

def fails_at_two(x):
    if x == 2:
        raise ValueError("two is refused")
    return x

def threads(x):
    import torch
    return torch.get_num_threads()
"""
CHAIN = SLOW.replace('"slow_study"', '"chain_study"').replace(
    "STUDY = SlowStudy()",
    """class Chain(SlowStudy):
    cut = 0

    def batches(self, config, units):
        return [units[: self.cut], units[self.cut :]]

STUDY = Chain()""",
)


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """The folder of the studies of slow units."""
    folder = tmp_path_factory.mktemp("modules")
    (folder / "slow_study.py").write_text(SLOW)
    (folder / "chain_study.py").write_text(CHAIN)
    return folder


@pytest.fixture
def slow(modules, tmp_path, monkeypatch):
    """A study of slow units that every process started from here can import."""
    monkeypatch.setenv("PYTHONPATH", f"{modules}{os.pathsep}{ROOT}")
    monkeypatch.setenv("SLOW_LOG", str(tmp_path / "log"))
    monkeypatch.delenv(scheduler.VARIABLE, raising=False)
    # How long a client of a lost scheduler hopes that it comes back: 30 s by default.
    dask.config.set({"distributed.comm.timeouts.connect": "5s"})
    monkeypatch.syspath_prepend(str(modules))
    for name in ("slow_study", "chain_study"):
        sys.modules.pop(name, None)
    import slow_study

    yield slow_study
    sys.modules.pop("slow_study", None)


class Cluster:
    """A Dask scheduler and its workers, each a process of its own on this machine."""

    def __init__(self, folder):
        self.folder, self.file = folder, folder / "scheduler.json"
        self.log = (folder / "cluster.log").open("w")
        self.workers = []
        self.scheduler = self._start("scheduler", "--port", "0", "--scheduler-file", str(self.file))
        deadline = time.monotonic() + 60
        while not self.file.is_file():
            assert time.monotonic() < deadline and self.scheduler.poll() is None, "no scheduler came up"
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())["address"]

    def _start(self, kind, *arguments):
        command = [sys.executable, "-m", "dask", kind, "--host", "127.0.0.1", "--no-dashboard", *arguments]
        return subprocess.Popen(command, stdout=self.log, stderr=self.log)

    def add_worker(self):
        # Without a nanny, which would start a killed worker again.
        self.workers.append(
            self._start("worker", self.address, "--nthreads", "1", "--no-nanny", "--local-directory", str(self.folder))
        )

    def close(self):
        for process in [*self.workers, self.scheduler]:
            process.kill()
            process.wait()
        self.log.close()


@pytest.fixture
def cluster(slow, tmp_path):
    made = Cluster(tmp_path)
    made.add_worker()
    made.add_worker()
    yield made
    made.close()


@pytest.fixture(scope="module")
def lasting(modules, tmp_path_factory):
    """A cluster for all tests that leave it as it is."""
    folder = tmp_path_factory.mktemp("cluster")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", f"{modules}{os.pathsep}{ROOT}")
        patch.setenv("SLOW_LOG", str(folder / "log"))
        made = Cluster(folder)
        made.add_worker()
        made.add_worker()
    yield made
    made.close()


def log(tmp_path):
    path = tmp_path / "log"
    return [line.split() for line in path.read_text().splitlines()] if path.is_file() else []


def when(condition, action):
    """Do `action` in a thread as soon as `condition` holds."""

    def watch():
        deadline = time.monotonic() + 60
        while not condition():
            if time.monotonic() > deadline:
                return
            time.sleep(0.01)
        action()

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread


def same(left, right):
    assert list(left.units) == list(right.units)
    for name, arrays in left.units.items():
        assert arrays.keys() == right.units[name].keys()
        for label, value in arrays.items():
            np.testing.assert_array_equal(value, right.units[name][label])


def test_tasks_in_this_process_come_in_order(slow):
    assert list(scheduler.unordered(slow.square, [(2,), (3,)])) == [(0, 4), (1, 9)]


def test_processes_give_what_one_process_gives(slow, tmp_path):
    config = slow.Config(units=6, seconds=0.05)
    alone = studies.run(slow.STUDY, config, folder=tmp_path / "alone")
    begin = time.perf_counter()
    spread = studies.run(slow.STUDY, config, folder=tmp_path / "spread", jobs=2)
    taken = time.perf_counter() - begin
    same(alone, spread)
    here = str(os.getpid())
    assert [pid for _, pid in log(tmp_path)[:6]] == [here] * 6
    assert here not in {pid for _, pid in log(tmp_path)[6:]}
    # The workers' time and not the queue's: two of them are busy for no longer than twice the whole.
    assert 0 < sum(record["seconds"] for record in spread.records.values()) <= 2 * taken


def test_processes_compute_with_one_thread(slow, monkeypatch):
    for name in surroundings.THREADS:
        monkeypatch.delenv(name, raising=False)
    assert dict(scheduler.unordered(slow.threads, [(0,), (1,)], jobs=2)) == {0: 1, 1: 1}
    assert not set(surroundings.THREADS) & set(os.environ)


def test_killed_processes_lose_nothing(slow, tmp_path):
    (tmp_path / "died").mkdir()
    tasks = [(str(tmp_path / "died"), x) for x in range(3)]
    assert dict(scheduler.unordered(slow.dies_once, tasks, jobs=2)) == {0: 0, 1: 1, 2: 2}


def test_a_task_that_always_kills_its_process_is_reported(slow):
    with pytest.raises(RuntimeError, match=r"killed 3 times in a row, perhaps for lack of memory\. Use fewer --jobs"):
        list(scheduler.unordered(slow.dies, [(0,), (1,)], jobs=2))


@pytest.mark.parametrize("jobs", [1, 2])
def test_an_error_of_a_task_is_raised_as_it_is(slow, jobs):
    done = []
    with pytest.raises(ValueError, match="two is refused"):
        for index, _ in scheduler.unordered(slow.fails_at_two, [(0,), (1,), (2,)], jobs=jobs):
            done.append(index)
    assert sorted(done) == [0, 1]


@pytest.mark.parametrize("jobs", [0, -1, 1.5])
def test_jobs_must_be_a_positive_number(slow, jobs):
    with pytest.raises(ValueError, match="jobs must be"):
        list(scheduler.unordered(slow.square, [(1,)], jobs=jobs))


def test_a_worker_killed_mid_run_loses_nothing(slow, cluster, tmp_path):
    config = slow.Config(units=16)
    saved = {}

    def kill():
        for path in (tmp_path / "spread").rglob("*.unit"):
            saved[path.stem] = path.stat().st_mtime_ns
        os.kill(cluster.workers[0].pid, signal.SIGKILL)

    def both_at_work() -> bool:
        return len({pid for _, pid in log(tmp_path)}) == 2 and len(list((tmp_path / "spread").rglob("*.unit"))) >= 4

    thread = when(both_at_work, kill)
    spread = studies.run(slow.STUDY, config, folder=tmp_path / "spread", address=cluster.address)
    thread.join()
    assert saved, "both workers were never at work: nobody was killed"
    assert len(saved) < config.units, "killed after the end"
    assert cluster.workers[0].wait(timeout=10) == -signal.SIGKILL
    entries = log(tmp_path)
    assert {pid for _, pid in entries} == {str(worker.pid) for worker in cluster.workers}
    # What was saved is neither computed nor written again.
    names = [name for name, _ in entries]
    assert saved and all(names.count(name) == 1 for name in saved)
    for path in (tmp_path / "spread").rglob("*.unit"):
        assert path.stat().st_mtime_ns == saved.get(path.stem, path.stat().st_mtime_ns)
    same(studies.run(slow.STUDY, config), spread)


def survey():
    grid = waves.Grid((24, 30), 10.0)
    wavelet = waves.ricker(12.0, 0.001, 200, delay=0.08).to(torch.float64).expand(5, 1, 200)
    sources = [[[1, 3 + 6 * n]] for n in range(5)]
    receivers = [[[1, x] for x in range(2, 28, 3)]] * 5
    return waves.Survey(grid, 0.001, 200, sources, receivers, wavelet)


def test_shots_spread_give_the_same_gradient(lasting):
    shot_lines = survey()
    truth = torch.full((24, 30), 2000.0, dtype=torch.float64)
    start = truth.clone()
    truth[12:] = 2300.0
    observed = waves.propagate(truth, shot_lines)
    alone = shots.misfit_and_gradient(start, shot_lines, observed, at_once=2)
    with distributed.Client(lasting.address, set_as_default=False) as client:
        spread = shots.misfit_and_gradient(
            start, shot_lines, observed, at_once=2, map=functools.partial(scheduler.in_order, address=client)
        )
    assert torch.equal(alone[0], spread[0]) and torch.equal(alone[1], spread[1])
    misfit, gradient = waves.misfit_and_gradient(start, shot_lines, observed)
    # Sums over shots in another order: round-off of five float64 terms.
    torch.testing.assert_close(alone[0], misfit, rtol=1e-13, atol=0)
    torch.testing.assert_close(alone[1], gradient, rtol=1e-12, atol=1e-13 * float(gradient.abs().max()))


def test_shots_are_refused_that_would_be_left_out():
    shot_lines, start = survey(), torch.full((24, 30), 2000.0, dtype=torch.float64)
    observed = torch.zeros(5, 1, 200, dtype=torch.float64).expand(5, 9, 200)
    for at_once in (0, -1):
        with pytest.raises(ValueError, match=r"at_once must be at least 1; got"):
            shots.misfit_and_gradient(start, shot_lines, observed, at_once=at_once)
    with pytest.raises(ValueError, match=r"observed must .*5, 9, 200"):
        shots.misfit_and_gradient(start, shot_lines, torch.cat([observed, observed]))


def test_the_variable_names_a_scheduler_too(slow, lasting, tmp_path, monkeypatch):
    monkeypatch.setenv(scheduler.VARIABLE, lasting.address)
    studies.run(slow.STUDY, slow.Config(units=2, seconds=0))
    assert not log(tmp_path)
    assert {pid for _, pid in log(lasting.folder)} <= {str(worker.pid) for worker in lasting.workers}
    assert [name for name, _ in log(lasting.folder)].count("u1") == 1


def test_a_kernel_computes_where_its_run_was_told(slow, tmp_path, monkeypatch):
    monkeypatch.setenv(scheduler.VARIABLE, "tcp://nowhere:1")  # which --jobs overrides
    with scheduler.telling(None, 2):
        studies.run(slow.STUDY, slow.Config(units=4, seconds=0))
    assert str(os.getpid()) not in {pid for _, pid in log(tmp_path)}
    with scheduler.telling("tcp://here:2", 1):
        assert scheduler.of_environment() == ("tcp://here:2", 1)
    with scheduler.telling(None, 1):
        assert scheduler.of_environment() == ("tcp://nowhere:1", 1)
    assert scheduler.JOBS not in os.environ
    monkeypatch.delenv(scheduler.VARIABLE)
    monkeypatch.setenv(scheduler.JOBS, "many")
    with pytest.raises((TypeError, ValueError), match="GEOLIB_JOBS"):
        studies.run(slow.STUDY, slow.Config(units=4, seconds=0))


def test_a_lost_scheduler_is_reported_and_finished_units_are_kept(slow, cluster, tmp_path):
    when(lambda: len(list((tmp_path / "runs").rglob("*.unit"))) >= 3, cluster.scheduler.kill)
    with pytest.raises(RuntimeError, match=r"the scheduler at tcp://\S+ was lost\. Start it and run again"):
        studies.run(slow.STUDY, slow.Config(units=40), folder=tmp_path / "runs", address=cluster.address)
    kept = len(list((tmp_path / "runs").rglob("*.unit")))
    before = len(log(tmp_path))
    studies.run(slow.STUDY, slow.Config(units=40), folder=tmp_path / "runs", jobs=2)
    assert kept >= 3
    assert len(log(tmp_path)) - before <= 40 - kept + 2  # workers of the lost cluster may just be ending a unit


def test_errors_of_a_worker_and_its_version(slow, lasting, monkeypatch):
    with pytest.raises(ValueError, match="two is refused"):
        list(scheduler.unordered(slow.fails_at_two, [(2,)], address=lasting.address))
    monkeypatch.setenv("SLOW_VERSION", "2")
    with pytest.raises(
        RuntimeError, match="workers must have this version of slow_study and its data; one has another"
    ):
        studies.run(slow.STUDY, slow.Config(units=1), address=lasting.address)


def test_a_task_that_kills_every_worker_is_reported(slow, cluster):
    for _ in range(4):
        cluster.add_worker()
    with pytest.raises(RuntimeError, match="workers must live; those that took task 0 were killed"):
        list(scheduler.unordered(slow.dies, [(0,)], address=cluster.address))


def test_no_scheduler_at_the_address(slow):
    # A busy machine may take longer to refuse a connection than is waited for.
    told = r"a Dask scheduler must answer at tcp://127\.0\.0\.1:9; (none does|what is there says nothing)"
    with pytest.raises(RuntimeError, match=told):
        list(scheduler.unordered(slow.square, [(1,)], address="tcp://127.0.0.1:9"))


@pytest.mark.parametrize("address", ["foo:bar:1", "tcp://host", "tcp://host:port", "host"])
def test_a_malformed_address_is_refused_before_a_client_is_made(slow, address, monkeypatch):
    monkeypatch.setattr(distributed, "Client", lambda *_, **__: pytest.fail("a client was made"))
    with pytest.raises(ValueError, match=r"scheduler address must be like tcp://host:8786; got"):
        list(scheduler.unordered(slow.square, [(1,)], address=address))


def test_units_that_build_on_one_another_stay_in_one_process(slow, tmp_path):
    import chain_study

    chain_study.STUDY.sequential = True
    with pytest.warns(UserWarning, match="units of chain_study build on one another: they are computed here"):
        studies.run(chain_study.STUDY, chain_study.Config(units=3, seconds=0), jobs=2)
    assert {pid for _, pid in log(tmp_path)} == {str(os.getpid())}
    chain_study.STUDY.sequential, chain_study.STUDY.cut = False, 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        studies.run(chain_study.STUDY, chain_study.Config(units=3, seconds=0), folder=tmp_path / "runs", jobs=2)
    pids = dict(log(tmp_path)[3:])
    assert pids["u0"] == pids["u1"] != str(os.getpid()) != pids["u2"]


def test_units_of_a_group_are_saved_one_by_one(slow, tmp_path):
    import chain_study

    chain_study.STUDY.cut = 6
    config, folder = chain_study.Config(units=8, seconds=0.3), tmp_path / "runs"
    seen = []

    def watch():
        deadline = time.monotonic() + 60
        while len(seen) < 3 and time.monotonic() < deadline:
            count = len(list(folder.rglob("u[0-5].unit")))
            if count and count not in seen:
                seen.append(count)
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    made = studies.run(chain_study.STUDY, config, folder=folder, jobs=2)
    thread.join()
    assert len(seen) == 3 and seen[0] < 6  # not all at the end of the group
    same(studies.run(slow.STUDY, slow.Config(units=8, seconds=0)), made)


def test_a_killed_worker_loses_only_the_unit_it_was_at(slow, tmp_path):
    import chain_study

    chain_study.STUDY.cut = 6
    config, folder = chain_study.Config(units=8, seconds=0.3), tmp_path / "runs"

    def kill():
        (pid,) = {pid for name, pid in log(tmp_path) if name == "u2"}
        os.kill(int(pid), signal.SIGKILL)

    thread = when(lambda: len(list(folder.rglob("u[0-5].unit"))) >= 3, kill)
    made = studies.run(chain_study.STUDY, config, folder=folder, jobs=2)
    thread.join()
    names = [name for name, _ in log(tmp_path)]
    assert all(names.count(name) == 1 for name in ("u0", "u1", "u2"))
    assert len({pid for name, pid in log(tmp_path) if name in ("u2", "u5")}) == 2
    same(studies.run(slow.STUDY, slow.Config(units=8, seconds=0)), made)


def test_the_job_script_of_the_slurm_page_is_what_it_says(tmp_path, monkeypatch):
    """The page's own lines, with dask-jobqueue: the script it would hand to Slurm, without Slurm."""
    dask_jobqueue = importlib.import_module("dask_jobqueue")
    monkeypatch.chdir(tmp_path)
    text = (ROOT / "book" / "cluster.md").read_text()
    block = next(part for part in text.split("```python\n")[1:] if "SLURMCluster" in part).split("```")[0]
    call = block[: block.index("cluster.adapt")]
    made = {}
    with monkeypatch.context() as patch:
        cluster = dask_jobqueue.SLURMCluster
        patch.setattr(dask_jobqueue, "SLURMCluster", lambda **given: cluster(**given, n_workers=0))
        exec(call, made)
    with made["cluster"] as started:
        script = started.job_script()
        address = started.scheduler_address
    assert address.startswith("tcp://")
    lines = script.splitlines()
    for line in ("#SBATCH -n 1", "#SBATCH --cpus-per-task=1", "#SBATCH --mem=4G", "#SBATCH -t 12:00:00"):
        assert line in lines, script
    (worker,) = (line for line in lines if "dask_worker" in line or "dask worker" in line)
    assert address in worker and "--nthreads 1" in worker and "--lifetime 11h30m" in worker
    for setup in ("activate", "GEOLIB_DATA", "OMP_NUM_THREADS=1"):
        assert any(setup in line for line in lines[: lines.index(worker)]), setup
    # Options of the worker are passed on unread until a job starts: ask the worker's own parser.
    from click.testing import CliRunner
    from distributed.cli.dask_worker import main

    shown = CliRunner().invoke(main, ["--help"]).output
    for option in [word for word in worker.split() if word.startswith("--")]:
        assert option in shown, option


@pytest.mark.parametrize(
    ("arguments", "piece"),
    [
        (["--jobs", "2", "--scheduler", "tcp://127.0.0.1:1"], "not allowed with argument"),
        (["--jobs", "0"], "jobs must be at least 1"),
        (["--jobs", "many"], "jobs must be a number"),
    ],
)
def test_the_command_refuses(arguments, piece, capsys, tmp_path):
    assert cli.main(["publish", "rnn_fwi", "--folder", str(tmp_path / "runs"), *arguments]) == 2
    message = capsys.readouterr().err
    assert message.startswith("geolib: ") and piece in message and message.count("\n") == 1


def test_the_table_of_the_page_is_that_of_the_measurement():
    spec = importlib.util.spec_from_file_location("bench_scheduler", ROOT / "bench" / "scheduler.py")
    bench = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(bench)
    result = json.loads((ROOT / "bench" / "scheduler.json").read_text())
    assert (ROOT / "bench" / "scheduler.md").read_text() == bench.table(result)
