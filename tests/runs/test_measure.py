import json
import math

import numpy as np
import pytest
from scipy import stats

from geolib.runs.measure import Measure


def test_clusters_of_alike_trials_are_worth_one_each_and_mixed_ones_are_worth_all():
    alike = Measure.clustered([[True] * 4] * 5 + [[False] * 4] * 15)
    assert (alike.k, alike.n, alike.worth) == (20, 80, 20)
    mixed = Measure.clustered([[True, False, False, False]] * 20)  # no cluster differs from another
    assert (mixed.k, mixed.n, mixed.worth) == (20, 80, 80)
    assert alike.high - alike.low > Measure.count(20, 80).high - Measure.count(20, 80).low


def test_the_bootstrap_covers_the_share_of_independent_clusters():
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(200):
        start = rng.random(60) < 0.3
        trials = np.where(rng.random((60, 4)) < 0.5, start[:, None], rng.random((60, 4)) < 0.3)
        found = Measure.clustered(trials.tolist(), draws=400)
        inside += found.low <= 0.3 <= found.high
    assert 180 <= inside <= 198


def test_where_all_trials_agree_a_cluster_is_one_trial_unless_another_share_tells():
    none = Measure.clustered([[False] * 4] * 25)
    assert none.worth == 25 and none.high == Measure.count(0, 25).high
    like = Measure(0.2, 0.1, 0.3, 100, 20, 80)
    assert Measure.clustered([[False] * 4] * 25, like).worth == 80
    assert Measure.clustered([[True] * 4] * 25).low == Measure.count(25, 25).low


def test_one_cluster_whose_trials_do_not_agree_says_nothing_of_others():
    one = Measure.clustered([[True, True, False, False]])
    assert (one.value, one.worth) == (0.5, 1) and one.low < 1e-9 and one.high > 1 - 1e-9
    alike = Measure.clustered([[True] * 4])
    assert (alike.low, alike.high) == (Measure.count(1, 1).low, Measure.count(1, 1).high)


def test_a_difference_of_shares_is_newcombes():
    ours = Measure.difference(Measure.count(56, 70), Measure.count(48, 80))
    # Newcombe (1998), table II, (a), method 10.
    assert (ours.low, ours.high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    assert ours.value == pytest.approx(0.2)


def test_a_count_is_written_as_one():
    assert str(Measure.count(4, 32)) == "4 of 32"
    assert str(Measure(0.5, 0.25, 0.75)) == "0.5 [0.25, 0.75]"
    assert Measure.count(4, 32).independent == 32 and Measure(1.0).independent == 1
    assert stats.binomtest(4, 32).proportion_ci(method="wilson").low == pytest.approx(Measure.count(4, 32).low)


def test_the_interval_of_a_mean_of_squares_covers_it_and_stays_above_zero():
    rng = np.random.default_rng(1)
    found = [Measure.positive(np.square(rng.standard_normal(8))) for _ in range(1000)]
    assert min(one.low for one in found) > 0
    assert min(Measure.mean(np.square(rng.standard_normal(4))).low for _ in range(100)) < 0
    inside = sum(one.low <= 1 <= one.high for one in found)
    assert 880 <= inside <= 970
    assert Measure.positive([2.0, 2.0]) == Measure.mean([2.0, 2.0])
    with pytest.raises(ValueError, match="values must not be negative; got -1"):
        Measure.positive([-1.0, 2.0])


def test_a_record_has_no_number_that_json_does_not_know():
    text = json.dumps(Measure(1.0, 0.0, math.inf, 4).as_dict(), allow_nan=False)
    assert text.startswith('{"value": 1.0, "low": 0.0, "high": null, "n": 4')
