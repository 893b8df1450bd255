import numpy as np
import pytest

pytest.importorskip("sklearn")

from geolib import studies
from geolib.metrics import traces
from geolib.studies.wgan_traces import quality
from geolib.studies.wgan_traces.study import STUDY as study

CONFIG = study.Config(n_epochs=2, n_traces=160, batch=80, seed=3)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    studies.run(study, CONFIG, folder=root)
    return next(root.glob("*/*"))


@pytest.fixture(scope="module")
def units(folder):
    return quality.assess(CONFIG, folder, [1], 2).units


def test_chosen_epochs_are_judged_and_the_test_set_is_looked_at_once(units):
    assert set(units) == {"floor", "test-floor", "epoch-0001", "mean-0001", "test-epoch-0002", "test-mean-0002"}
    assert quality.judged(units) == [1] and quality.chosen_epoch(units) == 2
    for arrays in units.values():
        assert set(arrays) == set(traces.LABELS)
        for name in arrays:
            measure = quality.interval(arrays, name)
            assert measure.low <= measure.value <= measure.high


def test_an_untrained_generator_is_far_from_the_floor(units):
    floor, generated = units["floor"], units["epoch-0001"]
    assert generated["swd"][1] > floor["swd"][2] and generated["mmd2"][1] > floor["mmd2"][2]
    assert generated["coverage"][2] < floor["coverage"][1]
    assert floor["nearest"][0] > 0  # a training trace is not its own neighbour


def test_the_table_has_the_columns_there_are(units):
    text = quality.table(units, {"floor": "floor", "epoch 1": "epoch-0001", "epoch 9": "epoch-0009"})
    assert text.splitlines()[0] == "| Measure | floor | epoch 1 |"
    assert text.count("\n") == 1 + len(traces.LABELS)


def test_a_missing_epoch_is_refused(folder):
    with pytest.raises(
        ValueError, match=r"folder must hold the networks of epoch 7; .* does not. Run that epoch first"
    ):
        quality.assess(CONFIG, folder, [], 7)


def test_judging_is_deterministic(folder, units):
    again = quality.assess(CONFIG, folder, [1], 2).units
    assert all(np.array_equal(again[u][k], units[u][k]) for u in units for k in units[u])
