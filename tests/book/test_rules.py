import math

import pytest
from scipy import stats

from geolib.book import rules
from geolib.runs.measure import Measure

COUNT = Measure.count


@pytest.mark.parametrize(
    ("kind", "rule", "setting", "published", "ours", "expected"),
    [
        ("number", "count", 400, 51, COUNT(64, 500), "reproduced"),
        ("number", "count", 400, 51, COUNT(13, 100), "undecided"),  # a hundred cannot tell half of it
        ("number", "count", 400, 51, COUNT(51, 100), "not reproduced"),
        ("number", "count", 400, 51, COUNT(6, 8), "not reproduced"),  # too little power never bars this
        ("number", "close", 0.1, 10, Measure(10.9), "reproduced"),
        ("number", "close", 0.1, 10, Measure(11.5), "not reproduced"),
        ("number", "close", 0.1, -10, Measure(-10.5), "reproduced"),
        ("number", "close", 0.1, 10, Measure(10.5, 9.5, 11.5), "undecided"),
        ("number", "between", [None, 200], "x", Measure(150, 140, 160), "reproduced"),
        ("number", "between", [None, 200], "x", Measure(150, 120, 220), "undecided"),
        ("number", "between", [None, 200], "x", Measure(210, 180, 240), "undecided"),  # decides no more than 190 would
        ("number", "between", [None, 200], "x", Measure(230, 210, 250), "not reproduced"),
        ("number", "between", [0.5, 1], "most", COUNT(36, 40), "reproduced"),
        ("number", "between", [0.5, 1], "most", COUNT(4, 40), "not reproduced"),
        ("number", "between", [0.5, 1], "most", COUNT(5, 5), "undecided"),
        ("number", "between", [0, 1], "x", Measure(5.0, 0.2, 0.4), "undecided"),  # a value outside its own interval
        ("number", "between", [None, 200], "x", Measure(math.nan), "not reproduced"),
        ("number", "equals", True, 15, Measure(15), "reproduced"),
        ("number", "equals", True, 15, Measure(14), "not reproduced"),
        ("comparison", "between", [None, 1], "less", Measure(0.5, 0.4, 0.62, 12), "reproduced"),
        ("comparison", "between", [None, 1], "less", Measure(0.5, 0.1, 0.9, 3), "undecided"),  # twice would do as much
        ("comparison", "between", [None, 1], "less", Measure(3.0, 1.2, 7.0, 3), "not reproduced"),
        ("comparison", "holds", True, "holds", Measure(1.0), "reproduced"),
        ("comparison", "holds", True, "holds", Measure(0.5), "undecided"),
        ("comparison", "holds", True, "holds", Measure(0.0), "not reproduced"),
        ("existence", "never", True, "none", COUNT(0, 100), "reproduced"),
        ("existence", "never", True, "none", COUNT(0, 10), "undecided"),
        ("existence", "never", True, "none", COUNT(1, 4000), "not reproduced"),
        ("existence", "always", True, "all", COUNT(100, 100), "reproduced"),
        ("existence", "always", True, "all", COUNT(99, 100), "not reproduced"),
        ("existence", "always", True, "all", Measure(1.0), "reproduced"),  # all there are, not a sample
    ],
)
def test_verdicts_by_rule(kind, rule, setting, published, ours, expected):
    assert rules.judge(kind, rule, setting, published, ours).verdict == expected


def simulated(p, n, published, of):
    """Chance that Fisher's test tells n trials of share p from a published count, term by term."""
    chance = 0.0
    for k in range(n + 1):
        if stats.fisher_exact([[k, n - k], [published, of - published]]).pvalue < 0.05:
            chance += stats.binom.pmf(k, n, p)
    return chance


@pytest.mark.parametrize("n", [20, 90])
def test_the_power_of_a_count_is_that_of_half_and_double(n):
    power = rules.planned("count", 100, 20, n).power
    assert power == pytest.approx(min(simulated(0.1, n, 20, 100), simulated(0.4, n, 20, 100)), abs=1e-9)


def test_the_trials_that_are_named_are_enough_and_fewer_are_not():
    needed = rules.planned("count", 50, 18, 10).trials
    assert rules.planned("count", 50, 18, needed).power >= 0.8 > rules.planned("count", 50, 18, needed // 2).power
    assert rules.planned("never", True, "none", 1).trials == 32  # the first n with 1 - 0.95^n of 0.8 or more


def test_what_is_planned_of_a_range_follows_from_the_spread_of_other_trials():
    # Twenty trials gave an interval of 0.4 either way; a hundred would give one of 0.179.
    half = 0.4 / math.sqrt(5)
    expected = Measure(0.2, 0.2 - half, 0.2 + half, 100)
    found = rules.planned("between", [0, None], 0.2, 100, "comparison", expected, 0.2)
    error = half / rules.Z
    assert found.power == pytest.approx(stats.norm.cdf((0.2 - half) / error), abs=1e-12)  # of the reverse, -0.2
    assert found.verdict == "not run" and found.trials == math.ceil(100 * (2.8016 * error / 0.2) ** 2)
    more = Measure(0.2, 0.2 - half / 2, 0.2 + half / 2, 400)
    assert rules.planned("between", [0, None], 0.2, 400, "comparison", more, 0.2).power > found.power
    # A published number that is to be met within a fifth, in logarithms: half and double are the alternatives.
    near = Measure(10.0, 10 / 1.1, 11.0, 16)
    told = rules.planned("close", 0.2, 10, 16, "number", near)
    error = math.log(1.1) / rules.Z
    far = stats.norm.cdf((math.log(8) - math.log(1.1) - math.log(5)) / error)
    assert told.power == pytest.approx(far, abs=1e-9) and told.trials < 16
    assert rules.planned("between", [0, None], 0.2, 100).power is None  # no spread is known


def test_never_and_always_miss_one_exception_in_twenty_as_often_as_chance_has_it():
    assert rules.judge("existence", "never", True, "none", COUNT(0, 20)).power == pytest.approx(1 - 0.95**20)
    clustered = Measure.clustered([[False] * 4] * 20)
    assert rules.judge("existence", "never", True, "none", clustered).power == pytest.approx(1 - 0.95**20)


def test_a_comparison_must_be_silent_at_no_difference_and_say_no_to_the_reverse():
    tight = rules.judge("comparison", "between", [None, 1], "less", Measure(0.5, 0.45, 0.55, 30))
    assert tight.power == pytest.approx(0.975, abs=1e-3)  # what is left is the chance of a false alarm
    wide = rules.judge("comparison", "between", [None, 1], "less", Measure(0.5, 0.2, 1.25, 4))
    # The reverse, a factor of two, is 0.693 on the logarithmic axis; half the interval is 0.916, its error 0.468.
    assert wide.power == pytest.approx(stats.norm.sf((0.9163 - 0.6931) / 0.4675), abs=1e-3)
    assert wide.trials == math.ceil(4 * (2.8016 * 0.4675 / 0.6931) ** 2)


def test_an_interval_across_the_edge_asks_for_more_trials_than_it_has():
    found = rules.judge("comparison", "between", [None, 1], "less", Measure(0.9, 0.7, 1.157, 6))
    assert found.verdict == "undecided" and found.power > 0.8 and found.trials > 6


def test_the_power_of_a_share_is_exact():
    # At half the lower bound of 0.5, 40 trials are told by Wilson's interval from one half up to 13 of them.
    power = rules.judge("number", "between", [0.5, 1], "most", COUNT(36, 40)).power
    assert power == pytest.approx(stats.binom.cdf(13, 40, 0.25), abs=1e-9)


def test_what_would_refute_a_claim_is_told_in_words():
    low, high = rules.critical(51, 400, 100)
    told = rules.refuted_by("number", "count", 400, 51, 100)
    assert told == f"fewer than {low} or more than {high} of 100 independent trials"
    for k in range(101):
        assert (stats.fisher_exact([[k, 100 - k], [51, 349]]).pvalue < 0.05) == (k < low or k > high)
    assert rules.refuted_by("comparison", "between", [None, 1], "less", None).endswith("above 1")
    assert rules.refuted_by("number", "between", [2, 3], "x", None).endswith("outside 2 to 3")


def test_the_least_number_of_trials_is_found_by_doubling_and_halving():
    asked = []
    assert rules.least(lambda n: asked.append(n) or n >= 1300) == 1300 and len(asked) < 25
    assert rules.least(lambda n: n >= 1) == 1
    assert rules.least(lambda n: False, most=64) is None
