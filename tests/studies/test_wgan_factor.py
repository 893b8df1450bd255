import numpy as np
import pytest

from geolib import studies
from geolib.studies.wgan_traces import factor, stopping, training
from geolib.studies.wgan_traces.factor import STUDY as study


def test_the_published_factor_is_the_training_as_it_is():
    sizes = {"n_epochs": 2, "n_traces": 16, "batch": 8, "n_judge": 16}
    units = studies.run(study, study.Config(**sizes)).units
    assert set(units) == {"factor-1-seed-11", "factor-10-seed-11"}
    same = stopping.Rehearsal(study.Config(**sizes), 11)
    again = [same.discrepancy(same.draw(12, epoch)) for epoch in same.epochs()]
    np.testing.assert_array_equal(np.array(again)[:, 0], units["factor-10-seed-11"]["mmd2"])
    assert not np.allclose(units["factor-1-seed-11"]["mmd2"], units["factor-10-seed-11"]["mmd2"])


def test_samples_are_judged_on_one_scale():
    config = study.Config(n_epochs=1)
    plain, loud = (stopping.Rehearsal(config, 11, gain) for gain in (1.0, 8.0))
    loud.generator = plain.generator
    # A power of two: not even the last bit changes.
    np.testing.assert_array_equal(loud.draw(1) * 8, plain.draw(1))
    np.testing.assert_array_equal(loud.real, plain.real)


@pytest.mark.parametrize(
    ("one", "hundred", "crucial"),
    [((1.0, 1.0), (0.5, 0.6), 1.0), ((1.0, 1.0), (0.1, 0.1), 0.0), ((1.0, 0.1), (0.5, 0.6), 0.5)],
)
def test_ten_is_crucial_if_every_other_factor_ends_far_behind_on_every_seed(one, hundred, crucial):
    made = {1.0: one, 10.0: (0.1, 0.1), 100.0: hundred}
    units = {
        f"factor-{factor:g}-seed-{11 + i}": {"mmd2": np.r_[9.0, np.full(5, end)], "floor_mmd2": np.array([0.01])}
        for factor, values in made.items()
        for i, end in enumerate(values)
    }
    found = study.measures(study.Config(), units)
    assert found["factor_ten_crucial"].value == crucial and found["factor_ten_crucial"].n == 2
    text = factor.as_markdown(units)
    assert "| 10 times the mean amplitude | 0.1000 | 0.1000 |" in text and "0.0100" in text


def test_without_the_published_factor_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match=r"factors must hold the published 10; got \[1.0\]. Add it."):
        study.Config(factors=(1.0,))
    assert study.measures(study.Config(), {}) == {}


def test_the_initial_deviation_is_another_training_and_the_published_one_the_same_as_before():
    assert study.Config().key() == study.Config(init_std=0.2).key() != study.Config(init_std=0.02).key()
    starts = [training.start(study.Config(init_std=std).training(11)).players for std in (0.2, 0.02)]
    wide, narrow = (float(next(players.generator.parameters()).detach().std()) for players in starts)
    assert wide / narrow == pytest.approx(10, rel=1e-3)  # the same draws, scaled
