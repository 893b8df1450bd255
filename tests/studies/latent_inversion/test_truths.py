"""The trials on other true models: which there are, in which groups, and what they say."""

import dataclasses

import numpy as np
import pytest

from geolib import studies
from geolib.runs.measure import Measure
from geolib.studies.latent_inversion import truths
from geolib.studies.latent_inversion.units import SCENARIOS
from geolib.studies.latent_inversion.world import World
from tests.conftest import computed

study = studies.get("latent_truths")
SMALL = study.Config(width=16, n_models=6, n_starts=2, adam_iterations=20)


def test_each_model_has_starts_of_its_own_and_none_is_the_chapters():
    paper = study.Config.preset("paper", width=64, operators=("as_published",))
    units = study.units(paper)
    assert len(units) == len({unit.trial for unit in units}) == 24
    assert {unit.model for unit in units} == set(range(3, 15)) and not {model for model, _ in SCENARIOS} & set(
        range(3, 15)
    )
    world = World(SMALL, "cpu")
    assert set(world.true_latents) == {1, 2}  # others are drawn when they are asked for
    drawn = [world.true_latents[model].numpy() for model in (1, 2, 3, 4)]
    assert not any(np.array_equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])
    assert np.array_equal(World(SMALL, "cpu").true_latents[4], drawn[3])


@pytest.mark.parametrize("place", [4, 5])  # the first of a block, and one further on
def test_a_trial_does_not_feel_which_others_are_wanted(place):
    units = study.units(SMALL)
    parts = study.batches(SMALL, units)
    assert [len(part) for part in parts] == [4, 2, 4, 2] and [unit for part in parts for unit in part] == units
    assert study.batches(SMALL, units[5:6]) == [[units[5]]]
    alone = dict(computed(study, SMALL, [units[place].name]))
    assert list(alone) == [units[place].name]
    # Of six models the last two have nothing beside them, of eight they have; after twenty updates it would show.
    most = dataclasses.replace(SMALL, n_models=8)
    for found in (
        dict(computed(study, SMALL, study.names(SMALL)[4:6])),
        dict(computed(study, most, study.names(most)[4:8])),
    ):
        for name, value in alone[units[place].name].items():
            assert np.array_equal(value, found[units[place].name][name]), name


def test_shares_are_bootstrapped_over_the_true_models():
    def ended(unit, value):
        return {unit.name: {"best": np.array([value])}}

    made = {}
    for unit in study.units(SMALL):
        made |= ended(unit, 1.0 if unit.model == truths.FIRST else 2.0)
    share = study.measures(SMALL, made)["truths.s1.le1.01"]
    assert share == Measure.clustered([[True, True]] + [[False, False]] * 5)
    assert "as_published.truths.s1.le1.01" not in study.measures(SMALL, made)


def test_descents_of_other_true_models_are_read_as_the_chapters_are():
    shipped = studies.shipped(study, "width64")
    found = study.measures(study.Config.stored(shipped.config), shipped.units)
    late = found["as_published.truths.s1.late_recoveries_still"]
    counted = []
    for arrays in shipped.units.values():
        rows = zip(arrays["iteration"], arrays["trajectory"], arrays["running_best"], strict=True)
        values = sorted(value for number, value, least in rows if 2000 <= number < 3000 and least > 1.01)
        if values and values[len(values) // 2] > 2.5:
            counted.append(float(arrays["best"][-1]) <= 1.01)
    assert late == Measure.count(sum(counted), len(counted)) and 0 < late.n < len(shipped.units)
