"""The study of the search: its units, what it counts, and what is shipped of it."""

import numpy as np
import pytest
import torch

from geolib import studies
from geolib.studies.latent_inversion import search

STUDY = studies.get("latent_search")


def fitted(solves, misfit, wrong=0.1):
    return {"record": np.array([[10, 5.0], [solves, misfit]]), "wrong": np.array(wrong)}


def test_the_orders_of_a_seed_stand_together_and_the_continuous_truths_last():
    names = STUDY.names(STUDY.Config(truths=2, continuous=1, operators=("consistent", "as_published"), budget=50))
    assert names == [
        "consistent-binary-b50-s4000",
        "as_published-binary-b50-s4000",
        "consistent-binary-b50-s4001",
        "as_published-binary-b50-s4001",
        "consistent-continuous-b50-s4000",
        "as_published-continuous-b50-s4000",
    ]
    assert [search.Truth.parse(name).name for name in names] == names


def test_seeds_that_chose_the_search_are_not_those_that_judge_it():
    paper = STUDY.Config.preset("paper")
    assert {unit.seed for unit in STUDY.units(paper)} == set(range(5000, 5100))
    assert {unit.seed for unit in STUDY.units(STUDY.Config())} < set(range(5000))


def test_a_truth_counts_at_the_budgets_within_which_it_was_fitted():
    found = {"s1": (900, 1.009), "s2": (1500, 1.01), "s3": (9000, 1.02)}
    units = {f"consistent-binary-b10000-{seed}": fitted(*each) for seed, each in found.items()}
    measures = STUDY.measures(STUDY.Config(), units)
    counts = {mark: measures[f"search.consistent.binary.within_{mark}"].k for mark in search.MARKS}
    assert counts == {1000: 1, 2000: 2, 5000: 2, 10000: 2}
    assert measures["search.consistent.binary.solves"].value == 1500
    assert "1 (" in search.as_markdown(units) and "scrambled" not in search.as_markdown(units)
    grey = {"consistent-continuous-b10000-s1": fitted(900, 1.0) | {"wrong": np.array(0.0123)}}
    assert search.as_markdown(grey).endswith("| off by 0.012 |") and "off by" not in search.as_markdown(units)


def test_a_search_of_the_small_generator_is_whole_and_its_recheck_agrees():
    config = STUDY.Config(width=16, budget=300)
    (unit,) = STUDY.units(config)
    ((_, arrays),) = STUDY.compute(config, [unit])
    assert arrays["solves"] == 300 and arrays["message"] == "the budget is spent"
    gap, _ = STUDY.recheck(config, unit, arrays, 1.0).gap()
    assert gap < 1e-5  # one image alone or among others: round-off in float32
    spoilt = arrays | {"best_latent": -arrays["best_latent"]}
    assert STUDY.recheck(config, unit, spoilt, 1.0).gap()[0] > 0.1


@pytest.mark.parametrize("case", ["binary", "continuous"])
def test_the_truth_fits_its_own_data(case):
    world = search.world_of(16, 1.0, 4000)
    data, rmse = world.observed("consistent", case, search.MODEL, search.NOISE)
    with torch.no_grad():
        made = world.simulate("consistent", case, world.true_latents[search.MODEL])
    assert float((made - data).square().mean().sqrt()) == pytest.approx(rmse, rel=1e-4)


def test_attempts_count_where_the_one_before_did_not_fit_and_cut_ones_do_not():
    def truth(*misfits):
        return {"misfits": np.array(misfits)}

    found = [truth(1.0)] * 30 + [truth(1.2, 1.005)] * 2 + [truth(1.2, 1.3, 1.4, 1.02)] * 8
    units = {f"consistent-binary-b10000-s{5000 + number}": each for number, each in enumerate(found)}
    assert [(each.k, each.n) for each in search.attempts(units, "consistent")] == [(30, 40), (2, 10), (0, 8)]
    said = search.attempts_told(units)
    assert "fits 30 of 40, later ones 2 of 18" in said and "so some truths are harder" in said
    # A truth that is not fitted has three whole attempts: 1 - 1/4^3; 32 of 40 were.
    assert "would fit 98 % with 3 attempts (true rays; 80 % were fitted)." in said
    alike = {name: each for name, each in units.items() if len(each["misfits"]) < 4}
    assert "could be chance" in search.attempts_told(alike)
    assert len(search.attempts_markdown(units).splitlines()) == 5 and search.attempts_told({}) == ""
    grey = {f"consistent-continuous-b10000-s{5000 + seed}": fitted(500, 1.0) for seed in range(8)}
    black = {f"consistent-binary-b10000-s{5000 + seed}": fitted(500, 1.0 + 0.1 * (seed > 1)) for seed in range(9)}
    several = {"misfits": np.array([1.2, 1.005])}
    told = search.attempts_told({name: run | several for name, run in {**grey, **black}.items()})
    said = "Of truths searched before the cut as well it fits with true rays 8 of 8 before it and 2 after (p = 0.031)"
    assert f"{said}; sign tests." in told


def test_failures_that_came_near_are_told_as_near_misses():
    ends = [(1.0, 0.005), (1.0104, 0.01), (1.04, 0.03), (1.02, 0.019), (2.0, 0.3)]
    units = {
        f"as_published-binary-b10000-s{5000 + seed}": fitted(500, end) | {"wrong": np.array(wrong)}
        for seed, (end, wrong) in enumerate(ends)
    }
    said = search.missed_told(units)
    assert "- Scrambled: of 5 truths 1 were fitted; median share of wrong cells 1.9 %. Of the 4 not fitted" in said
    assert "a WRMSE of 1.0104 to 2.0000, 3 are below 1.05, and 2 have less than 2 % of their cells wrong." in said
    assert "near misses" not in said  # half of them are no more than half
    del units["as_published-binary-b10000-s5004"]
    assert search.missed_told(units).endswith("near misses: what they lack is the last polish.")
    assert search.missed_told({}) == ""
