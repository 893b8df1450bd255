"""A real study, killed at random moments, ends with the results of one left alone."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from geolib import studies
from geolib.runs.store import read_unit
from geolib.studies.rnn_fwi.study import STUDY as study

ROOT = Path(__file__).parents[2]
SETTING = {
    "experiments": "1d",
    "optimisers": "gd,momentum,adam,cg,lbfgs",
    "gd_rates": "0.1,0.3,0.5",
    "iterations": "60",
}
KILLS = 3


def start(folder):
    command = [sys.executable, "-m", "geolib", "study", "rnn_fwi", "--folder", str(folder)]
    for name, value in SETTING.items():
        command += ["-p", name, value]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def units(folder):
    return {path.stem: path for path in folder.rglob("*.unit")}


def stamps(folder):
    return {name: path.stat().st_mtime_ns for name, path in units(folder).items()}


def test_a_killed_study_resumes_and_ends_equal(tmp_path):
    config = study.Config.preset("quick", **SETTING)
    studies.run(study, config, folder=tmp_path / "quiet")
    quiet = units(tmp_path / "quiet")
    assert set(quiet) == set(study.names(config))

    rng = np.random.default_rng(11)
    finished = {}
    for _ in range(KILLS):
        process, until = start(tmp_path / "killed"), time.monotonic() + 120
        while len(units(tmp_path / "killed")) <= len(finished):  # a unit more, and then somewhere in the next
            assert process.poll() is None and time.monotonic() < until
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.3))
        process.kill()
        process.wait()
        now = stamps(tmp_path / "killed")
        assert finished.items() < now.items() and len(now) < len(quiet)  # nothing finished is computed twice
        finished = now
    assert start(tmp_path / "killed").wait() == 0
    killed = units(tmp_path / "killed")
    assert finished.items() <= stamps(tmp_path / "killed").items()
    assert set(killed) == set(quiet)
    for name in quiet:
        (left, _), (right, _) = read_unit(quiet[name]), read_unit(killed[name])
        assert left.keys() == right.keys()
        for label in left:
            np.testing.assert_array_equal(left[label], right[label], err_msg=f"{name} {label}")


def test_more_trials_reuse_the_finished_ones(tmp_path):
    small = study.Config.preset("quick", experiments="1d", optimisers="gd", gd_rates="0.2", iterations=3)
    large = study.Config.preset("quick", experiments="1d", optimisers="gd", gd_rates="0.2,0.3", iterations=3)
    studies.run(study, small, folder=tmp_path)
    before = {name: path.stat().st_mtime_ns for name, path in units(tmp_path).items()}
    studies.run(study, large, folder=tmp_path)
    after = {name: path.stat().st_mtime_ns for name, path in units(tmp_path).items()}
    assert len(before) == 1
    assert len(after) == 2
    assert before.items() <= after.items()
