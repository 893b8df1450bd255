import numpy as np
import pytest
import torch

from geolib import studies
from geolib.studies.wgan_traces import conditional
from geolib.studies.wgan_traces.conditional import STUDY as study


def conditions(n=40, band=False):
    return conditional.draw_conditions(n, np.random.default_rng(1), band)


@pytest.fixture(scope="module")
def units():
    return studies.run(study, study.Config()).units


def test_the_band_is_kept_from_the_training():
    low, high = conditional.BAND
    outside, inside = conditions(500)[:, 0], conditions(500, True)[:, 0]
    assert not ((outside > low) & (outside < high)).any() and (outside < low).any() and (outside > high).any()
    assert ((inside >= low) & (inside <= high)).all()
    size = np.abs(conditions(500)[:, 1])
    assert size.min() >= conditional.CONTRAST[0] and size.max() <= conditional.CONTRAST[1]


def test_the_reader_reads_modelled_traces():
    asked = np.concatenate([conditions(), conditions(band=True)])
    traces = conditional.model_traces(asked, np.random.default_rng(2)) / 3.0
    off = np.abs(conditional.Reader(3.0).read(traces) - asked)
    # Interfaces fall on a grid of 5 m, the template's own too; later reflections may touch the first one's tail.
    assert np.median(off[:, 0]) <= 5 and off[:, 0].max() <= 10
    assert np.median(off[:, 1]) < 0.015


def test_the_reader_sees_a_shift_and_a_flip():
    reader = conditional.Reader(1.0)
    trace = conditional.model_traces(np.array([[200.0, 0.15]]), np.random.default_rng(0))
    first, later, flipped = (reader.read(t)[0] for t in (trace, np.roll(trace, 5, axis=1), -trace))
    step = 5 * conditional.SAMPLING * conditional.FIRST_VELOCITY / 2
    assert later[0] - first[0] == pytest.approx(step, abs=1e-6)  # whole samples: the same parabola
    assert flipped[1] == pytest.approx(-first[1], rel=1e-9)


def test_codes_tell_conditions_apart_and_pulses_stand_where_reflections_come():
    codes, pulses = conditional.encode(np.array([[150.0, 0.28], [400.0, -0.28], [250.0, 0.14]]))
    assert codes.shape == (3, conditional.N_CODES) and codes.abs().max() <= 1
    assert codes[:, 0].tolist() == pytest.approx([1, -1, 0.5])  # the contrast itself
    assert codes[0, 8:].abs().max() < 1e-6 and codes[2, 8] == pytest.approx(0.5 * np.sin(0.4 * np.pi), abs=1e-6)
    assert pulses.shape == (3, 1, 499)
    delay = 1.5 / conditional.FREQUENCY
    expected = [(2 * z / conditional.FIRST_VELOCITY + delay) / conditional.SAMPLING for z in (150, 400, 250)]
    assert pulses[:, 0].abs().argmax(1).tolist() == pytest.approx(expected, abs=0.5)
    # A reflection is there: its modelled trace has its largest sample within the wavelet's length of the pulse.
    trace = conditional.model_traces(np.array([[150.0, 0.28]]), np.random.default_rng(0))[0]
    assert np.abs(trace[: int(expected[0]) + 12]).argmax() == pytest.approx(expected[0], abs=8)


def test_the_generator_is_told_the_codes():
    codes = torch.linspace(-1, 1, conditional.N_CODES)[None]
    made = conditional.latents(codes, torch.Generator().manual_seed(0))
    assert made.shape == (1, 100, 1) and torch.equal(made[0, : conditional.N_CODES, 0], codes[0])


def test_a_run_is_complete_and_deterministic(units):
    arrays = units["training"]
    assert arrays["generated"].shape == arrays["asked"].shape == (16, 2)
    assert arrays["kept_back"].sum() == 8
    again = studies.run(study, study.Config()).units["training"]
    assert np.array_equal(arrays["generated"], again["generated"])
    assert conditional.table(arrays).count("\n") == 7
    found = study.measures(study.Config(), units)
    assert found["modelled_depth_kept_back"].value < 5 < found["generated_depth_kept_back"].value  # hardly trained


def test_a_generator_that_listens_beats_one_that_does_not():
    asked = conditions(200)
    arrays = {"asked": asked, "generated": asked + np.array([2.0, 0.001])}
    heard, deaf = (conditional.errors(arrays, name, np.arange(200)) for name in ("generated", "shuffled"))
    assert heard[0].value == pytest.approx(2) and heard[2].value == 1
    assert deaf[0].value > 40 and 0.3 < deaf[2].value < 0.7
