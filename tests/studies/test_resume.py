"""A real study, killed at random moments, ends with the results of one left alone."""

import subprocess
import sys
from pathlib import Path

import numpy as np

from geolib import studies
from geolib.runs.store import read_unit
from geolib.studies.rnn_fwi.study import STUDY as study

ROOT = Path(__file__).parents[2]
SETTING = {"experiments": "1d", "optimisers": "gd,momentum,adam,cg,lbfgs", "gd_rates": "0.1,0.2,0.3,0.4,0.5,0.6"}
SETTING["iterations"] = "60"


def start(folder):
    command = [sys.executable, "-m", "geolib", "study", "rnn_fwi", "--folder", str(folder)]
    for name, value in SETTING.items():
        command += ["-p", name, value]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def units(folder):
    return {path.stem: path for path in folder.rglob("*.unit")}


def test_a_killed_study_resumes_and_ends_equal(tmp_path):
    assert start(tmp_path / "quiet").wait() == 0
    quiet = units(tmp_path / "quiet")
    assert set(quiet) == set(study.names(study.Config.preset("quick", **SETTING)))

    rng = np.random.default_rng(11)
    finished, patience, interrupted = {}, 0.0, 0
    while True:
        process = start(tmp_path / "killed")
        try:
            assert process.wait(timeout=rng.uniform(2.0, 5.0) + patience) == 0
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            patience += 1.0  # so that a slow machine gets through in the end
            interrupted += 1
        now = {name: path.stat().st_mtime_ns for name, path in units(tmp_path / "killed").items()}
        assert finished.items() <= now.items()  # nothing finished is computed twice
        finished = now
    assert interrupted  # otherwise nothing was tested
    killed = units(tmp_path / "killed")
    assert finished.items() <= {name: path.stat().st_mtime_ns for name, path in killed.items()}.items()
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
