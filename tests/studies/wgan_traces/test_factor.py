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


def test_factors_are_told_by_the_geometric_mean_of_their_ratios_to_ten():
    made = {1.0: (0.1, 0.4), 10.0: (0.1, 0.1), 100.0: (0.4,)}
    units = {
        f"factor-{factor:g}-seed-{11 + i}": {"mmd2": np.r_[9.0, np.full(5, end)], "floor_mmd2": np.array([0.01])}
        for factor, values in made.items()
        for i, end in enumerate(values)
    }
    found = study.measures(study.Config(), units)
    one, hundred = found["factor_1_to_ten"], found["factor_100_to_ten"]
    assert (one.value, one.n) == (pytest.approx(2), 2) and one.low * one.high == pytest.approx(4) and one.low < 1
    assert (hundred.value, hundred.n, hundred.low) == (pytest.approx(4), 1, None)
    text = factor.as_markdown(units)
    assert "| 10 times the mean amplitude | 0.1000 | 0.1000 |" in text and "0.0100" in text
    table = factor.ratio_table({"ours": units})
    assert "| ours | 100 | 1 | 4 | 4 |" in table
    assert "| ours | 1 | 2 | 2 (0.0003 to 1.3e+04) | 2 (0.0003 to 1.3e+04) |" in table
    lucky = {name: {**arrays, "mmd2": arrays["mmd2"].copy()} for name, arrays in units.items()}
    lucky["factor-100-seed-11"]["mmd2"][3] = 0.05  # one epoch, and the least of all is smaller by eight
    assert "| ours | 100 | 1 | 3.3 | 0.5 |" in factor.ratio_table({"ours": lucky})


def test_a_factor_is_told_by_the_best_epoch_and_by_other_windows_too():
    falls, hump = np.linspace(1.0, 0.05, 20), np.r_[np.linspace(1, 0.1, 10), np.linspace(0.1, 0.8, 10)]
    units = {
        f"factor-{factor}-seed-11": {"mmd2": series, "floor_mmd2": np.array([0.01])}
        for factor, series in ((1, falls), (10, hump))
    }
    found = study.measures(study.Config(), units)
    assert found["factor_1_to_ten_best"].value == pytest.approx(0.5)
    assert found["factor_1_to_ten"].value == pytest.approx(falls[15:].mean() / hump[15:].mean())
    assert found["factor_1_to_ten_epochs_6_10"].value == pytest.approx(falls[5:10].mean() / hump[5:10].mean())
    assert len(found) == 2 + len(factor.WINDOWS)
    # A window that was not run has no mean.
    short = {name: {**arrays, "mmd2": arrays["mmd2"][:8]} for name, arrays in units.items()}
    ends = ("", "_best", "_epochs_1_5", "_epochs_4_8")
    assert set(study.measures(study.Config(), short)) == {f"factor_1_to_ten{end}" for end in ends}


def test_without_the_published_factor_there_is_nothing_to_compare():
    with pytest.raises(ValueError, match=r"factors must hold the published 10; got \[1.0\]. Add it."):
        study.Config(factors=(1.0,))
    assert study.measures(study.Config(), {}) == {}


def test_the_initial_deviation_is_another_training_and_the_published_one_the_same_as_before():
    assert study.Config().key() == study.Config(init_std=0.2).key() != study.Config(init_std=0.02).key()
    starts = [training.start(study.Config(init_std=std).training(11)).players for std in (0.2, 0.02)]
    wide, narrow = (float(next(players.generator.parameters()).detach().std()) for players in starts)
    assert wide / narrow == pytest.approx(10, rel=1e-3)  # the same draws, scaled
