from dataclasses import replace

import numpy as np
import pytest

from geolib import studies
from geolib.datasets import channels
from geolib.gans import sgan
from geolib.runs.store import Store
from geolib.studies.latent_inversion import checkpoints, config, prior
from geolib.studies.latent_inversion.prior import STUDY as study
from tests.conftest import computed

SMALL = study.Config(recipes=("working", "published"))
#: A training image whose parts still hold patches of 129 pixels and whose blocks do.
IMAGE = channels.procedural_channels((700, 700), np.random.default_rng(0)), "made for the test"


@pytest.fixture(scope="module", autouse=True)
def small_image():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(channels, "load", lambda rng: IMAGE)
        yield


@pytest.fixture(scope="module")
def units():
    return studies.run(study, SMALL).units


def test_both_recipes_start_alike_and_part(units):
    working, published = units["working-w2-b2-i4-s0"], units["published-w2-b2-i4-s0"]
    assert working["iteration"].tolist() == working["pictured"].tolist() == [2, 4]
    assert working["pictures"].shape == (2, checkpoints.PICTURES, 129, 129) and working["pictures"].dtype == np.uint8
    assert np.isfinite(working["losses"]).all() and working["losses"].shape == (4, 2)
    assert not np.array_equal(working["losses"], published["losses"])
    for name in checkpoints.MEASURES:
        assert len(working[name]) == 2


def test_the_best_checkpoint_has_the_least_sum_and_its_pictures_are_kept(units):
    name = "working-w2-b2-i4-s0"
    arrays = units[name]
    place = int(np.argmin(arrays["score"]))
    assert prior.chosen(arrays) == arrays["iteration"][place]
    assert arrays["score"][place] == pytest.approx(sum(abs(arrays[m][place]) for m in checkpoints.SUMMED))
    np.testing.assert_array_equal(arrays["best_pictures"], arrays["pictures"][place])


class Killed(Exception):
    """A process that ends at once."""


def test_a_killed_training_goes_on_from_its_state_alone_to_the_same_bits(units, tmp_path, monkeypatch):
    name = "working-w2-b2-i4-s0"
    fit, updates = sgan.fit, []

    def watched(*arguments):
        for step in fit(*arguments):
            updates.append(step.iteration)
            if len(updates) == 3:  # one update after the first checkpoint
                raise Killed
            yield step

    monkeypatch.setattr(sgan, "fit", watched)
    with pytest.raises(Killed):
        list(computed(study, SMALL, [name], tmp_path / "first"))
    (state,) = (path for path in (tmp_path / "first").rglob("*") if path.is_file())
    assert state == tmp_path / "first" / f"{name}.state" / "state.unit"
    moved = tmp_path / "moved" / f"{name}.state"
    moved.mkdir(parents=True)
    state.rename(moved / state.name)
    for _ in range(2):  # the second time from the state of a training that has ended
        ((_, arrays),) = computed(study, SMALL, [name], tmp_path / "moved")
        assert arrays.keys() == units[name].keys()
        for label, value in arrays.items():
            np.testing.assert_array_equal(value, units[name][label], label)
    assert updates == [0, 1, 2, 2, 3]


def test_a_state_of_another_training_is_refused_and_a_damaged_one_begun_anew(units, tmp_path):
    image, recipe = IMAGE[0], replace(prior.RECIPES["working"], width=2, batch=2, iterations=2)

    def trained(seed=1, image=image, recipe=recipe, n=4, judged=1, every=2):
        judge = checkpoints.Judge(image, recipe, n, judged)
        return checkpoints.train(judge, recipe, seed, every=every, store=Store(tmp_path))[0]

    whole = trained()
    changed = image.copy()
    changed[5, 5] = 1 - changed[5, 5]
    for what, options in (
        ("seed", {"seed": 2}),
        ("image", {"image": changed}),
        ("recipe", {"recipe": replace(recipe, rate=1e-3)}),
        ("every", {"every": 1}),
        ("judge", {"n": 5}),
        ("judge", {"judged": 2}),
    ):
        with pytest.raises(ValueError, match=rf"^checkpoint must be of the same .* is of another {what}\. Use another"):
            trained(**options)
    path = Store(tmp_path).path("state")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.warns(UserWarning, match=r"state.unit must match .* moved to state\.damaged-.* will be computed again"):
        again = trained()
    for label, value in whole.items():
        np.testing.assert_array_equal(value, again[label], label)


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
