"""Figures of one-dimensional games: what they say where runs are missing, and what is drawn where."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from geolib.plots import distributions
from tests.plots.conftest import texts

pytestmark = pytest.mark.usefixtures("closed")


def test_a_variant_that_was_not_run_is_said_to_be_missing():
    figure, axes = plt.subplots(1, 2)
    shifts = np.linspace(0, 10, 41)
    push = {"shifts": shifts, "saturating": np.exp(-shifts), "non_saturating": shifts + 0.1}
    distributions.pushes(axes, push, [])
    assert "The Wasserstein GAN was not run\nwith these parameters." in texts(figure)
    assert {"minimax", "non-saturating", "Wasserstein"} <= set(texts(figure))


def test_pushes_of_all_seeds_are_drawn_with_their_mean():
    _, axes = plt.subplots(1, 2)
    shifts = np.linspace(0, 10, 41)
    push = {"shifts": shifts, "saturating": np.exp(-shifts), "non_saturating": shifts + 0.1}
    lines = [
        {"gaps": np.array([1.0, 2.0]), "wasserstein_push": np.ones(2), "js_push": np.full(2, x)} for x in (1e-3, 3e-3)
    ]
    distributions.pushes(axes, push, lines)
    drawn = [line.get_ydata()[0] for line in axes[1].lines]
    assert drawn == pytest.approx([1, 1, 1, 2e-3, 1e-3, 3e-3])
    assert axes[1].get_ylabel() == "push on the generator"


def test_ends_of_trainings_are_named_with_their_distance():
    unit = {
        "x": np.linspace(-1, 1, 5),
        "target": np.ones(5),
        "densities": np.ones((2, 5)),
        "curves": np.ones((2, 5)),
        "optimal": np.ones((2, 5)),
        "frames": np.array([0, 9]),
        "history": np.array([[1, 0.6], [1, 0.02]]),
    }
    figure = distributions.ends({"Alone": unit}, "message")
    assert figure.axes[0].get_title(loc="left") == "Alone: 0.02 nats from the data" or (
        figure.axes[0].get_title() == "Alone: 0.02 nats from the data"
    )
    figure = distributions.moments(unit, "message")
    assert figure.get_suptitle() == "message"
    first, last = figure.axes[0], figure.axes[-1]
    titles = [axis.get_title(loc="left") or axis.get_title() for axis in (first, last)]
    assert titles == ["step 0: 0.6 nats from the data", "step 9: 0.02 nats from the data"]
