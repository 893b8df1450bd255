import numpy as np
import pytest

from geolib.studies.latent_inversion import images, tables


def unit(rmse, factor, trial, noise=0.0, budget=10_000):
    truth = np.linspace(-0.5, 0.5, 15).astype(np.float32)
    bend = noise * (-1.0) ** np.arange(15)
    arrays = {"best": np.array([rmse]), "true_latent": truth, "best_latent": (factor * truth + bend).astype(np.float32)}
    return {f"image-continuous-adam{budget}-m1-n0-t{trial:03d}": arrays}


def test_two_recovered_images_and_one_that_is_not_are_shown():
    trials = [(0.01, 1.9), (0.015, 1.1), (0.001, 1.4), (0.3, 0.2), (0.5, -1), (0.4, 0.1)]
    units = {"generator": {}}
    for number, (rmse, factor) in enumerate(trials):
        units |= unit(rmse, factor, number)
    units |= unit(0.0, 1.0, 9, budget=100)  # a shorter run is not shown
    best, worst, failed = images.shown(units, 1)
    square = float(np.square(np.linspace(-0.5, 0.5, 15)).mean())
    assert (best.error, worst.error) == (pytest.approx(0.01 * square, rel=1e-4), pytest.approx(0.81 * square, rel=1e-4))
    assert best.recovered and worst.recovered and not failed.recovered and failed.rmse == 0.4
    assert images.shown(units, 2) == []


def test_the_error_counts_what_is_left_of_the_truth():
    (only,) = images.shown(unit(0.01, 1.0, 0, noise=0.1), 1)
    assert only.error == pytest.approx(0.01, rel=1e-5)


def test_the_length_with_the_most_trials_is_taken_and_of_two_the_longer():
    units = unit(0.3, 1, 0) | unit(0.4, 1, 1) | unit(0.1, 1, 0, budget=20_000)
    assert len(tables.most(units, "image", "continuous", "adam")) == 2
    (longer,) = tables.most(unit(0.3, 1, 0) | unit(0.1, 1, 0, budget=20_000), "image", "continuous", "adam")
    assert longer["best"][-1] == 0.1
    assert tables.most(units, "image", "continuous", "gn") == []
