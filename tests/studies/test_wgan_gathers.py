import numpy as np
import pytest

from geolib import studies
from geolib.studies.wgan_traces import gathers as study


@pytest.fixture(scope="module")
def units():
    return studies.run(study, study.Config()).units


def test_models_have_four_layers_that_quicken_with_depth():
    models = study.draw_models(20, np.random.default_rng(0))
    assert models.shape == (20, study.DEPTH_POINTS, study.SIZE)
    assert models.min() >= 1600 and models.max() <= study.FASTEST
    assert (np.diff(models, axis=1) >= 0).all()
    assert {len(np.unique(m)) for m in models} <= {3, 4}


def test_only_reflections_are_left_and_they_come_in_time():
    models = np.full((1, study.DEPTH_POINTS, study.SIZE), 2000.0)
    assert np.abs(study.raw_gathers(models)).max() == 0  # both runs are the same: the difference is exactly zero
    models[0, 30:] = 2100.0
    gather = study.model_gathers(models)[0]
    receiver = gather[:, study.SIZE // 2]
    expected = 2 * 28.5 * study.SPACING / 2000 + 1.5 / study.FREQUENCY
    # The ghosts of source and receiver differentiate the wavelet: its largest lobe is half a period off, give a sample.
    allowed = 0.5 / study.FREQUENCY + study.SAMPLING
    assert np.abs(receiver).argmax() * study.SAMPLING == pytest.approx(expected, abs=allowed)
    assert np.abs(receiver[: int(0.6 * expected / study.SAMPLING)]).max() < 1e-3


def test_moveout_tells_reflections_from_noise():
    rng = np.random.default_rng(0)
    offset = (np.arange(study.SIZE) - study.SIZE // 2) * study.SPACING
    time = np.arange(study.SIZE)[:, None] * study.SAMPLING
    gathers = []
    for dip in (0.0, 0.2):
        arrival = np.sqrt(0.5**2 + dip * 1e-3 * offset + (offset / 2000) ** 2)
        gathers.append(np.exp(-(((time - arrival) / 0.03) ** 2)))
    good = study.moveout_misfit(np.array(gathers))
    bad = study.moveout_misfit(rng.standard_normal((2, study.SIZE, study.SIZE)))
    assert (good < study.SAMPLING / 2).all()  # picks are whole samples
    assert bad.min() > 2 * good.max()  # noise is picked early everywhere: on a line, but a ragged one
    assert np.isnan(study.moveout_misfit(np.zeros((1, study.SIZE, study.SIZE)))).all()


def test_modelled_gathers_have_the_moveout_of_reflections():
    gathers = study.model_gathers(study.draw_models(10, np.random.default_rng(1)))
    assert np.nanmedian(study.moveout_misfit(gathers)) < study.SAMPLING / 2
    assert np.allclose(np.abs(gathers).max(axis=(1, 2)), 1)


def test_a_run_is_complete_and_deterministic(units):
    arrays = units["training"]
    assert arrays["samples"].shape == arrays["gathers"].shape == (4, study.SIZE, study.SIZE)
    again = studies.run(study, study.Config()).units["training"]
    assert np.array_equal(arrays["samples"], again["samples"])
    assert study.table(arrays).count("\n") == 7
    found = study.measures(study.Config(), units)
    assert found["gathers_moveout"].value > found["gathers_moveout_floor"].value  # hardly trained
