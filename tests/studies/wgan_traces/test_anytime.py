"""The rules of stopping on p values whose answer is known, and their rates of false stops."""

import numpy as np
import pytest

from geolib.studies.wgan_traces import anytime, stopping


def training(*p):
    """A training whose discrepancy still halves twice after its first tests."""
    mmd2 = np.r_[np.full(15, 1.0), np.full(stopping.LAG + len(p) - 15, 0.2)]
    return {"p": np.array(p), "mmd2": mmd2}


def test_the_patience_is_the_least_that_misses_nothing():
    # Two idle tests, then improvement: to wait for two is to stop early, for three is not to stop.
    arrays = training(0.9, 0.9, *[0.0] * 18)
    assert anytime.fixed_patience(arrays) == 3
    assert anytime.early(arrays, 12) and not anytime.early(arrays, None) and not anytime.early(arrays, 25)


def test_the_detector_stops_where_traces_are_certainly_worse_and_else_never():
    better, worse = 1e-9, 1 - 1e-12
    assert anytime.detected([better] * 40) is None and anytime.detected([0.5] * 40) is None
    assert anytime.detected([better] * 10 + [worse] + [better] * 29) == 10
    # As strict as its level asks: one test in a thousand is no evidence over forty looks.
    assert anytime.detected([better] * 10 + [0.999] + [better] * 29) is None


@pytest.mark.parametrize("n_tests", [5, 40])
def test_the_detector_keeps_its_level_whenever_one_looks(n_tests):
    rng = np.random.default_rng(1)
    stopped = [anytime.detected(row) is not None for row in rng.random((2000, n_tests))]
    assert np.mean(stopped) <= 0.05


def test_false_stops_are_those_of_independent_tests():
    # Of ten tests in a row that are all to miss, the chance is a power.
    assert anytime.stopped_share(10, 10, 0.2) == pytest.approx(0.8**10, abs=0.01)
    assert anytime.stopped_share(1, 40, 0.0) == 1 and anytime.stopped_share(3, 40, 1.0) == 0


def test_the_first_training_fixes_and_the_others_are_judged():
    units = {"seed-1": training(0.9, 0.9, *[0.0] * 18), "seed-2": training(*[0.9] * 3, *[0.0] * 17)}
    units["seed-3"] = training(*[0.0] * 20)
    found = anytime.facts(units)
    assert found["fixed_patience"] == "3" and found["fixed_early"] == "1 of 2"
    table = anytime.as_markdown(units)
    assert "| patience 3 | does not stop | after 13; then 5.0 times smaller | does not stop |" in table
    assert "patience 3" in anytime.rates(units)
