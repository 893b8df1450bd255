"""What is said of the networks handed out: on runs whose best epoch is known, and on the shipped ones."""

import numpy as np

from geolib import studies
from geolib.metrics.traces import Interval
from geolib.studies.wgan_traces import handed, quality


def run(coverage, swd):
    rows = zip(coverage, swd, strict=True)
    return [{"coverage": np.full(3, c), "swd": np.full(3, s), "mmd2": np.full(3, s)} for c, s in rows]


def test_the_best_epoch_is_that_of_a_measure_and_not_the_last():
    found = run((0.2, 0.9, 0.5), (3.0, 2.0, 1.0))
    assert handed.best_epoch(found) == 2 and handed.best_epoch(found, "swd") == 3
    assert handed.choice(found, 2)["best"] == "the best by coverage"
    assert handed.choice(found, 3)["best"] == "where epoch 2 covers most"
    assert "chooses 2, the sliced distance epoch 3" in handed.choice(found, 3)["choice"]


def test_what_is_missed_is_told_with_what_real_traces_reach():
    own = {"polarity": (0.19, 0.14, 0.23), "event_time": (0.018, 0.01, 0.03), "spectrum": (0.12, 0.1, 0.13)}
    units = {
        "test-epoch-0100": {name: np.array(value) for name, value in own.items()},
        "test-floor": {name: np.array(value) / 2 for name, value in own.items()},
    }
    told = handed.missed(units, Interval(0.9, 0.8, 1.1))
    assert "19 percentage points (14 to 23) more often" in told and "18 ms off" in told and "by 9 ms" in told
    assert "mean spectrum 12 %" in told and "and 6 %" in told and "0.90 times as loud (0.80 to 1.10)" in told


def test_gaps_are_fractions_of_the_distance_to_silence():
    units = studies.shipped(studies.get("wgan_traces")).units
    found = handed.gaps(units)
    last = units["epoch-0100"]
    real, silence = last["score_validation"].mean(), last["score_zero"][0]
    share = 100 * (last["score_training"].mean() - real) / (real - silence)
    assert found["held_out_share"] == f"{share:.1f} %" and found["paper_share"] == "6.9 %"
    assert handed.gaps({"data": units["data"]})["gap_share"] == "(not run)"


def test_the_shipped_networks_are_those_that_coverage_chooses():
    study = studies.get("wgan_traces")
    found = handed.tables.epochs(studies.shipped(study).units)
    assert handed.best_epoch(found) == quality.chosen_epoch(studies.shipped(quality.STUDY).units)
