"""The study of the posteriors: its units, ranks, what is told of them, and its recheck."""

import numpy as np
import pytest

from geolib import studies
from geolib.inversion import posterior as sampler
from geolib.runs.measure import Measure
from geolib.studies.latent_inversion import draws, own, posterior

STUDY = studies.get("latent_posterior")
SMALL = STUDY.Config(width=16, narrow=16, particles=64, solves=100, moves=1, truths=1)


@pytest.fixture(scope="module")
def computed():
    return {unit.name: arrays for unit, arrays in STUDY.compute(SMALL, STUDY.units(SMALL))}


def test_the_units_are_runs_of_scenarios_and_truths_of_which_some_go_through_wrong_samplers():
    config = STUDY.Config(scenarios=2, runs=2, operators=("consistent", "as_published"), truths=2, wrong=1)
    names = STUDY.names(config)
    assert names[:3] == [
        "posterior-consistent-m1-n1-r0",
        "posterior-as_published-m1-n1-r0",
        "posterior-consistent-m1-n2-r0",
    ]
    assert names[8:] == [
        "calibration-consistent-right-s4200",
        "calibration-consistent-warm-s4200",
        "calibration-consistent-sharp-s4200",
        "calibration-consistent-right-s4201",
    ]
    assert all(STUDY.unit(name).name == name for name in names)


def test_seeds_that_chose_the_sampler_are_not_those_that_calibrate_it():
    seeds = {unit.seed for unit in STUDY.units(STUDY.Config.preset("paper")) if hasattr(unit, "seed")}
    assert seeds == set(range(7005, 7205))


def test_ranks_are_of_the_first_row_and_ties_fall_anywhere():
    rng = np.random.default_rng(1)
    values = np.array([[0.5, 0.5], [0.1, 0.5], [0.2, 0.5], [0.9, 0.5]])
    found = np.array([posterior._ranks(values, rng) for _ in range(400)])
    assert (np.floor(found[:, 0] * 4) == 2).all()
    assert np.histogram(found[:, 1], 4, (0, 1))[0].min() > 70


def test_a_posterior_and_a_truth_are_computed_and_rechecked(computed):
    (scenario, truth) = computed.values()
    assert scenario["draws"].shape == (64, 15) and (np.abs(scenario["draws"]) <= 1).all()
    assert 0 <= scenario["probability"].min() <= scenario["probability"].max() == 1
    assert [truth[f"rank_{name}"].shape for name in ("direction", "cells", "share")] == [(15,), (20,), (1,)]
    for unit, arrays in zip(STUDY.units(SMALL), computed.values(), strict=True):
        assert STUDY.recheck(SMALL, unit, arrays, 1.0).gap()[0] < 1e-4
    spoilt = scenario | {"draws": -scenario["draws"]}
    assert STUDY.recheck(SMALL, STUDY.units(SMALL)[0], spoilt, 1.0).gap()[0] > 0.1


def made(sampler, seed, spread=1.0):
    """Return a truth's ranks and deviations as a sampler gives them whose width is off by a factor."""
    rng = np.random.default_rng(seed)
    ranks = posterior._ranks(np.concatenate([rng.normal(0, 1, (1, 15)), rng.normal(0, spread, (200, 15))]), rng)
    kept = {f"rank_{name}": ranks for name in ("direction", "cells", "share")}
    off = np.random.default_rng([seed, round(10 * spread)]).normal(0, 1, 15)  # each sampler's own
    return {**kept, "spread": off**2 / spread**2, "sampler": np.array(sampler)}


#: Verdicts of the ledger, as a page has them.
JUDGED = {
    f"latent_inversion.{claim}": {"verdict": verdict}
    for claim, verdict in zip(draws.CLAIMS.values(), ("mixed", "reproduced", "undecided"), strict=True)
}


def test_bins_lie_outside_where_a_sampler_is_wrong_and_not_where_it_is_right():
    rng = np.random.default_rng(3)
    # The components of a truth lie together: their ranks are one rank and a little.
    right = (rng.random((40, 1)) + 0.05 * rng.standard_normal((40, 15))) % 1
    assert draws.outside(right) <= 1
    horned = np.where(rng.random((8, 15)) < 0.7, rng.choice([0.02, 0.98], (8, 15)), rng.random((8, 15)))
    assert draws.outside(horned) >= 4
    # The fewer the truths the wider the band; one bin without a truth says nothing.
    (_, few), (_, many) = draws.histogram(right[:8]), draws.histogram(right)
    assert few[1] - few[0] > 1.5 * (many[1] - many[0]) > 0
    assert draws.histogram(np.array([[0.15], [0.35], [0.35], [0.75]]))[1][0] < 0
    units = {f"calibration-consistent-right-s{seed}": made("right", seed) for seed in range(40)}
    count = draws.outside(draws.ranks(units, "right")["cells"])
    assert draws.outside_told(units).startswith("Of 10 bins lie outside: as it is, ") and f"{count} (cells)" in (
        draws.outside_told(units)
    )


def test_samplers_that_share_their_truths_are_compared_by_pairs():
    units = {}
    for seed in range(9):
        # The truths differ a hundredfold, the samplers by four; the last truth the wrong one has not met.
        units[f"calibration-consistent-right-s{seed}"] = made("right", seed) | {"spread": np.full(15, 10.0**seed)}
        if seed < 8:
            wrong = {"spread": np.full(15, (4 + seed % 2) * 10.0**seed)}
            units[f"calibration-consistent-sharp-s{seed}"] = made("sharp", seed) | wrong
    found = posterior.calibration_measures(units)
    ratio = found["calibration.sharp.spread_to_right"]
    assert ratio.n == 8 and ratio.value == pytest.approx(20**0.5) and 4 < ratio.low < ratio.high < 5
    assert found["calibration.right.cells.c50"].n == 9 * 15 and "calibration.right.spread_to_right" not in found


def test_a_right_sampler_passes_the_calibration_and_wrong_ones_fail():
    spreads = {"right": 1.0, "warm": 2**0.5, "sharp": 0.5}
    units = {
        f"calibration-consistent-{name}-s{seed}": made(name, seed, spread)
        for name, spread in spreads.items()
        for seed in range(6000, 6040)
    }
    measures = STUDY.measures(STUDY.Config(), units)
    assert {name: draws.passes(measures, name) for name in spreads} == {"right": True, "warm": False, "sharp": False}
    said = draws.calibrated(units, measures, JUDGED)
    assert "Of 40 truths" in said and "as wide as they should be is *mixed* in the ledger" in said
    ratio = measures["calibration.sharp.spread_to_right"]
    assert f"For half the noise the mean squared deviation is {ratio.value:.2f} (" in said and "(40 truths)" in said
    assert said.endswith("That the test tells them apart is *undecided*.") and "apart is *reproduced*. For half" in said
    table = draws.calibration_markdown(units, measures).splitlines()
    assert len(table) == 2 + 3 * 3 and table[2].startswith("| as it is | 40 | directions | ")
    assert draws.ranks(units, "right")["directions"].shape == (40, 15)
    one = dict([scenario("consistent", 1, 0, np.zeros(7500), np.random.default_rng(1))])
    said = draws.told(one | units, measures, JUDGED)
    assert "sampler right?** In the ledger this is *mixed* (" in said
    assert "no more off than chance would have it" in said
    narrow = {name: made("right", seed, 0.5) for seed, name in enumerate(list(units)[:40])}
    said = draws.told(one | narrow, STUDY.measures(STUDY.Config(), narrow), JUDGED)
    assert "**too narrow**" in said and "Its intervals of 50, 80 and 95 % hold" in said
    assert f"(width {STUDY.Config().narrow}; {STUDY.Config().width} was not tested)" in said
    half = STUDY.measures(STUDY.Config(), narrow)["calibration.right.c50"]
    assert f"% hold {100 * half.value:.0f} % ({100 * half.low:.0f} to {100 * half.high:.0f})," in said
    mixed = STUDY.measures(STUDY.Config(), narrow)
    mixed["calibration.right.spread"] = Measure(0.98, 0.9, 1.07, 40)
    assert "**not calibrated**" in draws.told(one | narrow, mixed, JUDGED)
    wide = {name: made("right", seed, 2.0) for seed, name in enumerate(list(units)[:40])}
    assert "**too wide**" in draws.told(one | wide, STUDY.measures(STUDY.Config(), wide), JUDGED)


def scenario(order, noise, run, share, rng):
    draws_ = rng.uniform(-1, 1, (200, 15))
    return f"posterior-{order}-m1-n{noise}-r{run}", {
        "draws": draws_,
        "log_likelihood": np.full(200, -288.0),
        "probability": share,
        "wrong": np.full(200, 0.02),
        "inside": np.array(0.95),
        "solves": np.array(30_000),
        "true_rmse": np.array(1.0),
        "searches": np.array([2, 2]),
    }


def test_what_is_told_follows_from_the_runs():
    rng = np.random.default_rng(1)
    sure, turned = np.zeros(7500), np.r_[np.ones(750), np.zeros(6750)]
    half = np.r_[np.full(75, 0.5), np.zeros(7425)]
    units = dict(
        [
            scenario("consistent", 1, 0, sure, rng),
            scenario("consistent", 2, 0, turned, rng),
            scenario("as_published", 1, 0, half, rng),
            scenario("as_published", 1, 1, half, rng),
        ]
    )
    said = draws.told(units, {}, {})
    assert "True rays** (2 scenarios): a model drawn from it has 2.0 % of its cells wrong" in said
    assert "With other noise the more probable facies changes in 10.0 % of the cells." in said
    assert "Scrambled** (1 scenario)" in said and "2.0 % wrong, 1.0 % open." in said
    assert "Do runs agree?** Yes: {term}`R-hat`" in said and "at most 1.01 (scrambled, model I, noise I)" in said
    table = draws.as_markdown(units)
    assert "2 of 200" in table and "30,000" in table and table.count("—") == 4
    assert "400 models from 2 runs (scrambled)" in draws.caption(draws.first(units))


@pytest.mark.parametrize(
    ("found", "answer"),
    [
        ({"a": 1.005, "b": 1.01}, "Yes: "),
        ({"a": 1.0, "b": 1.05}, "Not quite: "),
        ({"a": 1.02, "b": 1.1}, "Not quite: "),
        ({"a": 1.2}, "No: "),
        ({"a": np.nan}, "No: "),
    ],
)
def test_it_is_told_how_far_runs_of_which_scenario_agree(found, answer):
    said = draws._agreed(found)
    assert said.startswith(answer) and said.endswith("; 1.01 or less would be agreement.")
    assert all(f"({where})" in said for where in found)


def test_an_r_hat_is_rounded_upwards_and_one_that_is_none_has_no_bound():
    assert "is at most 1.02 (a) and at most 1.05 (b)" in draws._agreed({"a": 1.014, "b": 1.05})
    assert "is no number (a)" in draws._agreed({"a": np.nan})


def test_how_the_sampler_goes_about_it_follows_from_its_settings():
    said = draws.how(sampler.Settings(searches=3, most=9, solves=1234, particles=77, first=0.2, moves=6))
    assert all(each in said for each in ("1,234", "until 3", "9 at most", "cloud of 77", "20 %", "6 times"))


def test_nothing_run_is_said():
    assert draws.probability([]).size == 0 and "Drawn" not in draws.caption({})
    assert draws.told({}, {}, {}) == "No posterior was drawn." and "not been calibrated" in draws.calibrated({}, {}, {})


def test_draws_of_own_data_that_no_search_explained_are_called_no_posterior():
    assert own.trusted({}) == ""
    run = {"solves": np.array(35_000), "searches": np.array([3, 2])}
    assert own.trusted({"posterior": run}).endswith(
        "Of 3 searches that they began with, 2 came as near to the times as their deviations allow."
    )
    missed = own.trusted({"posterior": run | {"searches": np.array([8, 0])}})
    assert "35,000 solves" in missed and "**not of the posterior**" in missed
