import numpy as np
import pytest

from geolib import studies
from geolib.studies.wgan_traces import gathers
from geolib.studies.wgan_traces.gathers import STUDY as study


@pytest.fixture(scope="module")
def units():
    return studies.run(study, study.Config()).units


def test_models_have_four_layers_that_quicken_with_depth():
    models = gathers.draw_models(20, np.random.default_rng(0))
    assert models.shape == (20, gathers.DEPTH_POINTS, gathers.SIZE)
    assert models.min() >= 1600 and models.max() <= gathers.FASTEST
    assert (np.diff(models, axis=1) >= 0).all()
    assert {len(np.unique(m)) for m in models} <= {3, 4}


def test_only_reflections_are_left_and_they_come_in_time():
    models = np.full((1, gathers.DEPTH_POINTS, gathers.SIZE), 2000.0)
    assert np.abs(gathers.raw_gathers(models)).max() == 0  # both runs are the same: the difference is exactly zero
    models[0, 30:] = 2100.0
    gather = gathers.model_gathers(models)[0]
    receiver = gather[:, gathers.SIZE // 2]
    expected = 2 * 28.5 * gathers.SPACING / 2000 + 1.5 / gathers.FREQUENCY
    # The ghosts of source and receiver differentiate the wavelet: its largest lobe is half a period off, give a sample.
    allowed = 0.5 / gathers.FREQUENCY + gathers.SAMPLING
    assert np.abs(receiver).argmax() * gathers.SAMPLING == pytest.approx(expected, abs=allowed)
    assert np.abs(receiver[: int(0.6 * expected / gathers.SAMPLING)]).max() < 1e-3


def test_moveout_tells_reflections_from_noise():
    rng = np.random.default_rng(0)
    offset = (np.arange(gathers.SIZE) - gathers.SIZE // 2) * gathers.SPACING
    time = np.arange(gathers.SIZE)[:, None] * gathers.SAMPLING
    made = []
    for dip in (0.0, 0.2):
        arrival = np.sqrt(0.5**2 + dip * 1e-3 * offset + (offset / 2000) ** 2)
        made.append(np.exp(-(((time - arrival) / 0.03) ** 2)))
    good = gathers.moveout_misfit(np.array(made))
    bad = gathers.moveout_misfit(rng.standard_normal((2, gathers.SIZE, gathers.SIZE)))
    assert (good < gathers.SAMPLING / 2).all()  # picks are whole samples
    assert bad.min() > 2 * good.max()  # noise is picked early everywhere: on a line, but a ragged one
    assert np.isnan(gathers.moveout_misfit(np.zeros((1, gathers.SIZE, gathers.SIZE)))).all()


def test_modelled_gathers_have_the_moveout_of_reflections():
    made = gathers.model_gathers(gathers.draw_models(10, np.random.default_rng(1)))
    assert np.nanmedian(gathers.moveout_misfit(made)) < gathers.SAMPLING / 2
    assert np.allclose(np.abs(made).max(axis=(1, 2)), 1)


def test_a_run_is_complete_and_deterministic(units):
    arrays = units["training"]
    assert arrays["samples"].shape == arrays["gathers"].shape == (4, gathers.SIZE, gathers.SIZE)
    again = studies.run(study, study.Config()).units["training"]
    assert np.array_equal(arrays["samples"], again["samples"])
    assert gathers.table(arrays).count("\n") == 7
    found = study.measures(study.Config(), units)
    assert found["gathers_moveout"].value > found["gathers_moveout_floor"].value  # hardly trained
