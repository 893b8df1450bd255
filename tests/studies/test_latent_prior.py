from dataclasses import replace

import numpy as np
import pytest
from conftest import computed

from geolib import studies
from geolib.datasets import channels
from geolib.gans import sgan
from geolib.studies.latent_inversion import config, prior
from geolib.studies.latent_inversion.prior import STUDY as study

SMALL = study.Config(recipes=("working", "published"))


@pytest.fixture(scope="module", autouse=True)
def small_image():
    """A training image whose parts still hold patches of 129 pixels and whose blocks do."""
    image = channels.procedural_channels((700, 700), np.random.default_rng(0))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "load", lambda rng: (image, "made for the test"))
        yield image


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("prior")


@pytest.fixture(scope="module")
def units(folder):
    return studies.run(study, SMALL, folder=folder).units


def test_both_recipes_start_alike_and_part(units):
    working, published = units["working-w2-b2-i4-s0"], units["published-w2-b2-i4-s0"]
    assert working["iteration"].tolist() == working["pictured"].tolist() == [2, 4]
    assert working["pictures"].shape == (2, prior.PICTURES, 129, 129) and working["pictures"].dtype == np.uint8
    assert np.isfinite(working["losses"]).all() and working["losses"].shape == (4, 2)
    assert not np.array_equal(working["losses"], published["losses"])
    for name in prior.MEASURES:
        assert len(working[name]) == 2


def test_the_best_checkpoint_has_the_least_sum_and_its_pictures_are_kept(units, folder):
    name = "working-w2-b2-i4-s0"
    arrays = units[name]
    place = int(np.argmin(arrays["score"]))
    assert prior.chosen(arrays) == arrays["iteration"][place]
    assert arrays["score"][place] == pytest.approx(sum(abs(arrays[m][place]) for m in prior.SUMMED))
    np.testing.assert_array_equal(arrays["best_pictures"], arrays["pictures"][place])
    (path,) = folder.rglob(f"{name}.state/weights-{prior.chosen(arrays):05d}.safetensors")
    assert sgan.load_weights(path).merge.weight.shape[0] == 2


def test_a_killed_training_goes_on_and_its_checkpoints_are_judged_alike(units, folder, tmp_path):
    name = "working-w2-b2-i4-s0"
    half = study.Config(iterations=4)
    state = tmp_path / f"{name}.state"
    recipe = replace(prior.RECIPES["working"], width=2, batch=2, iterations=4)
    image = channels.load(None)[0]
    edge = int(prior.TRAINED * image.shape[1])
    for step, _ in sgan.fit_in_folder(state, image[:, :edge], recipe, half.seed, every=2):
        if step.iteration == 2:  # one step after the first checkpoint
            break
    ((_, arrays),) = computed(study, half, [name], tmp_path)
    assert np.isnan(arrays["losses"][:2]).all()
    np.testing.assert_array_equal(arrays["losses"][2:], units[name]["losses"][2:])
    np.testing.assert_array_equal(arrays["score"], units[name]["score"])


def test_names_can_be_read_back_and_units_stand_alone():
    paper = study.Config.preset("paper")
    names = study.names(paper)
    assert len(set(names)) == 9 and all(prior.Training.parse(name).name == name for name in names)
    units = study.units(paper)
    assert study.batches(paper, units) == [[unit] for unit in units]
    with pytest.raises(ValueError, match="unit name must look like"):
        prior.Training.parse("generator")


def test_the_table_shows_what_a_training_has(units):
    text = prior.as_markdown(units, [2, 100])
    assert text.count("| ours, 2 (batch 2) | 1 |") >= 1 and "(best)" in text and "| 100 |" not in text
    assert prior.at(units["working-w2-b2-i4-s0"], 2)["proportion"] == units["working-w2-b2-i4-s0"]["proportion"][0]
    with pytest.raises(ValueError, match=r"iteration must be one of a checkpoint, \[2, 4\]; got 3"):
        prior.at(units["working-w2-b2-i4-s0"], 3)
    assert "was run" in prior.as_markdown({})
    found = study.measures(SMALL, units)
    assert found["prior.published.w2.b2.i4.score"].value == pytest.approx(units["published-w2-b2-i4-s0"]["score"].min())


def test_every_recipe_that_can_be_asked_for_is_there():
    assert tuple(prior.RECIPES) == config.RECIPES
