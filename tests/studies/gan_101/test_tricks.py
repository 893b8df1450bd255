import numpy as np
import pytest

from geolib import studies
from geolib.runs.unit import select
from geolib.studies.gan_101 import tricks
from geolib.studies.gan_101.telling import Telling
from geolib.studies.gan_101.tricks import STUDY as study
from geolib.studies.gan_101.units import Trick
from geolib.studies.gan_101.variants import trick

SMALL = {"tricks": ("leaky",), "iterations": 48, "n_sweep_seeds": 1, "sweep_rates": (1e-3, 2e-3)}


def test_the_sweep_trains_with_seeds_that_judge_nothing():
    config = study.Config.preset("paper")
    units = study.units(config)
    swept = {unit.seed for unit in units if isinstance(unit, tricks.Swept)}
    judging = [unit for unit in units if isinstance(unit, Trick)]
    rivals = {unit for unit in units if isinstance(unit, tricks.Swept) and unit.seed < 100}
    assert swept == {100, 101, 102} | set(range(12, 24)) and {unit.rate for unit in rivals} == {4e-3}
    assert {unit.seed for unit in judging} == set(range(100))
    # Seed by seed, so that what is finished when a run is stopped compares all recipes.
    new, seen = judging[: -12 * len(tricks.SEEN)], judging[-12 * len(tricks.SEEN) :]
    assert [unit.seed for unit in new] == sorted([*range(100)] * 8 + [*range(12, 24)] * 8)
    assert {unit.seed for unit in new if unit.data == "channels"} == set(range(12, 24))
    assert {(unit.data, unit.seed) for unit in seen} == {("channels", seed) for seed in range(12)}
    resting = [unit for unit in units if isinstance(unit, Telling)]
    for data in ("mixture", "channels"):
        assert [u.seed for u in resting if u.data == data] == [100, 101, 102, *range(12, 24)]
    with pytest.raises(ValueError, match="n_mixture_seeds"):
        study.Config(n_mixture_seeds=101)  # seed 100 has chosen the rate


def test_rate_and_batch_reach_the_training():
    config = study.Config(**SMALL)
    ours = studies.run(study, config).units
    assert set(ours) == {f"sweep-mixture-{r}-100" for r in ("0.001", "0.002")} | {
        "trick-mixture-plain-0",
        "trick-mixture-leaky-0",
    }
    # At the chapter's rate and batch it is the chapter's training.
    rule = tricks.recipes.recipe("plain")
    same = study.Config(**SMALL, mixture_rate=1e-3, mixture_batch=128)
    ((_, again),) = study.compute(same, [Trick("mixture", "plain", 0)])
    np.testing.assert_array_equal(again["trace"], trick("mixture", rule, 48, 0)["trace"])
    assert not np.allclose(again["trace"], ours["trick-mixture-plain-0"]["trace"])
    slow, fast = (ours[f"sweep-mixture-{r}-100"]["trace"] for r in ("0.001", "0.002"))
    assert not np.allclose(slow, fast)
    assert list(tricks.swept(ours, "mixture")) == [0.001, 0.002]


def made(trace):
    return {"trace": np.array(trace), "critic": np.tile([0.1, 0.7, 0.2], (len(trace), 1))}


def test_measures_say_what_tricks_do_and_how_far_the_baseline_gets():
    falling = np.geomspace(1.0, 0.1, 24)
    units = {f"trick-channels-plain-{seed}": made(falling) for seed in range(6)}
    units |= {f"trick-channels-leaky-{seed}": made(falling / (2 + seed)) for seed in range(6)}
    found = study.measures(study.Config(), units)
    assert found["learns.tricks.channels.leaky.distance"].value == pytest.approx(
        np.exp(-np.log(np.arange(2, 8)).mean())
    )
    assert found["learns.plain.channels"].value == pytest.approx(falling[18:].mean())
    stuck = {name: made(falling / 2 + 0.5) if "plain" in name else run for name, run in units.items()}
    told = study.measures(study.Config(), stuck)
    assert "learns.plain.channels" in told and not [name for name in told if name.startswith("learns.tricks")]
    assert told["seen.tricks.channels.leaky.learning"].value == 1  # all of them learn, none of the plain ones
    others = study.variants(study.Config(), units)
    assert set(others) == {f"without seed {seed}" for seed in range(3)}
    assert others["without seed 0"]["learns.tricks.channels.leaky.distance"].n == 5
    seventh = {f"trick-channels-{name}-6": made(falling) for name in ("plain", "leaky")}
    assert study.variants(study.Config(), units | seventh) == {}  # of many seeds none is left out
    level = {name.replace("channels", "mixture"): run for name, run in units.items()}
    more = {f"trick-mixture-{name}-{seed}": made(falling) for name in ("plain", "leaky") for seed in range(12, 15)}
    added = study.variants(study.Config(), level | more)["added seeds alone"]["learns.tricks.mixture.leaky.distance"]
    assert added.n == 3 and added.value == pytest.approx(1)


def test_a_training_is_rechecked_by_its_beginning():
    config = study.Config(**SMALL)
    unit = Trick("mixture", "leaky", 0)
    ((_, arrays),) = study.compute(config, [unit])
    check = study.recheck(config, unit, arrays, 1.0)
    assert len(check.stored["trace"]) == 2
    np.testing.assert_allclose(check.compute()["trace"], check.stored["trace"], rtol=1e-6)


def test_a_generator_that_rests_is_not_rechecked():
    config = study.Config(**SMALL)
    assert study.recheck(config, Telling("mixture", 3), {}, 1.0) is None


def test_the_ledger_says_which_rates_the_seeds_of_choice_prefer():
    results = studies.shipped(study, "paper")
    runs = {
        unit: run["trace"]
        for unit, run in select(results.units, tricks.Swept, data="channels").items()
        if unit.seed >= 100
    }
    assert len(runs) == 6 * 3
    halved = {}
    for unit, trace in runs.items():
        halved.setdefault(unit.rate, []).append(tricks.halves(trace, trace))
    assert max(halved, key=lambda rate: sum(halved[rate])) == 4e-3
    assert sum(halved[4e-3]) == 2 and sum(halved[2e-3]) == 1 and sum(map(sum, halved.values())) == 3
    ends = tricks.swept(results.units, "channels")
    assert min(ends, key=lambda rate: ends[rate][0]) == 2e-3 and ends[4e-3].mean() < ends[2e-3].mean()


def test_a_rival_is_the_plain_recipe_at_another_rate_with_the_seeds_that_judge():
    falling = np.geomspace(1.0, 0.2, 24)
    units = {f"trick-channels-plain-{seed}": made(np.linspace(1.0, 0.9, 24)) for seed in range(12, 18)}
    units |= {f"trick-channels-leaky-{seed}": made(falling / (1 + seed / 100)) for seed in range(12, 18)}
    units |= {f"sweep-channels-0.004-{seed}": made(3 * falling) for seed in range(12, 18)}
    found = study.measures(study.Config(), units)
    assert found["rival.0.004.leaky.distance"].value == pytest.approx(1 / 3 / 1.145, rel=1e-3)
    assert found["rival.0.004.leaky.learning"].value == 1  # the rival ends above half of plain's first distance
    assert tricks.swept(units, "channels") == {}  # what judges has chosen nothing
