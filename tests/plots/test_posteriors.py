"""Figures of posteriors show what they are given."""

import numpy as np
import pytest
from matplotlib import pyplot as plt

from geolib.plots import posteriors


def test_entropy_is_one_bit_where_nothing_is_decided():
    figure, axes = plt.subplots(1, 2)
    share = np.array([0.0, 0.5, 1.0, 0.9])
    posteriors.draw_open(axes, share, "true rays", shape=(2, 2))
    shown = [axis.images[0].get_array() for axis in axes]
    np.testing.assert_allclose(shown[0], share.reshape(2, 2))
    np.testing.assert_allclose(shown[1], [[0, 1], [0, 0.469]], atol=1e-3)
    plt.close(figure)


def test_a_scale_is_drawn_once_in_a_figure():
    figure, axes = plt.subplots(1, 4, sharey=True)
    for pair in (axes[:2], axes[2:]):
        posteriors.draw_open(pair, np.array([0.0, 0.5, 1.0, 0.9]), "true rays", shape=(2, 2))
    assert [len(axis.child_axes) for axis in axes] == [1, 1, 0, 0]
    plt.close(figure)


def test_panels_that_share_their_axis_hold_the_highest_bar():
    figure, axes = plt.subplots(1, 2, sharey=True)
    posteriors.draw_ranks(axes[0], np.full(10, 0.1), (0.05, 0.15), "level", 0)
    posteriors.draw_ranks(axes[1], np.eye(10)[5], (0.05, 0.15), "one bar", 10)
    assert axes[0].get_ylim() == axes[1].get_ylim() and axes[0].get_ylim()[1] > 1
    plt.close(figure)


def test_panels_of_nothing_say_so():
    figure, axes = plt.subplots(1, 2)
    posteriors.draw_open(axes, np.empty(0), "scrambled")
    assert all("not drawn" in axis.texts[0].get_text() for axis in axes)
    plt.close(figure)


def test_ranks_are_drawn_on_the_band_that_they_are_told_from():
    figure, axis = plt.subplots()
    posteriors.draw_ranks(axis, np.arange(10) / 45, (-0.05, 0.15), "directions", 3)
    (steps,) = [patch for patch in axis.patches if hasattr(patch, "get_data")]
    assert steps.get_data().values.sum() == pytest.approx(1)
    assert axis.get_title() == "directions:\n3 of 10 bins outside"
    band = next(patch for patch in axis.patches if patch is not steps).get_bbox()
    assert (band.y0, band.y1) == (0, 0.15)
    plt.close(figure)
