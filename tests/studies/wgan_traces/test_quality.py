import dataclasses

import numpy as np
import pytest

from tests.conftest import computed

pytest.importorskip("sklearn")

from geolib import studies
from geolib.metrics import traces
from geolib.studies.wgan_traces import quality
from geolib.studies.wgan_traces.quality import STUDY as study
from geolib.studies.wgan_traces.study import STUDY as training

CONFIG = study.Config(n_epochs=2, n_traces=160, batch=80, seed=3, epochs=(1,))


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    studies.run(training, CONFIG.training(), folder=folder)
    return folder


@pytest.fixture(scope="module")
def units(root):
    return studies.run(study, CONFIG, folder=root).units


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


def test_an_epoch_that_the_training_does_not_reach_is_refused():
    with pytest.raises(ValueError, match=r"epochs must be at most n_epochs = 2; got 7. Train on, or leave it out"):
        dataclasses.replace(CONFIG, epochs=(1, 7))


def test_without_scikit_learn_nothing_is_trained(monkeypatch):
    monkeypatch.setattr(quality.importlib.util, "find_spec", lambda _: None)
    monkeypatch.setattr(quality.runner, "run", lambda *_, **__: pytest.fail("trained"))
    with pytest.raises(ModuleNotFoundError, match=r"needs scikit-learn, which is not installed. Run pip install"):
        dict(computed(study, CONFIG, ["epoch-0001"]))


def test_judging_is_deterministic_and_trains_what_is_not_kept(units):
    alone = dict(computed(study, CONFIG, ["mean-0001", "floor"]))
    assert all(np.array_equal(alone[u][k], units[u][k]) for u in alone for k in units[u])


def test_what_is_shipped_judges_the_shipped_training():
    judged, trained = studies.shipped(study), studies.shipped(training)
    config = study.Config.stored(judged.config)
    assert config.training().key() == training.Config.stored(trained.config).key()
    assert config.n_epochs == quality.chosen_epoch(judged.units) and set(study.names(config)) == set(judged.units)
