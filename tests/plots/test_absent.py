"""A figure knows which of its panels are empty, and why."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from geolib.plots import style, tomography, waves
from geolib.plots.absent import absent, nothing


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_a_figure_that_says_why_it_is_empty_is_empty_for_that_reason():
    assert absent(waves.missing("Adam was not run")) == (["Adam was not run"], 0)
    assert style.bundle(waves.missing("Adam was not run"))[1] == {
        "geolib": {"absent": ["Adam was not run"], "shown": 0}
    }


def test_reasons_are_told_once_and_what_is_shown_is_counted():
    figure, axes = style.new_figure(1, 5)
    axes[0].plot([1, 2], [3, 4])
    nothing(axes[1], "none")
    tomography.draw_nothing(axes[2], "none")
    tomography.draw_picture(axes[3], None, "wide")
    tomography.draw_picture(axes[4], None, "")  # kept free, with nothing to tell of
    assert absent(figure) == (["none", "wide:\nnot trained"], 1)


@pytest.mark.parametrize(
    "draw",
    [
        lambda ax: ax.scatter([1.0], [2.0]),
        lambda ax: ax.imshow(np.eye(3)),
        lambda ax: ax.bar([1], [2]),
        lambda ax: ax.fill_between([1, 2], [3, 4]),
        lambda ax: ax.errorbar([1], [2], [0.1]),
        lambda ax: ax.pcolormesh(np.eye(3)),
        lambda ax: ax.contour(np.eye(3)),
        lambda ax: ax.stairs([1, 2]),
    ],
)
def test_whatever_is_drawn_is_no_empty_panel(draw):
    figure, (ax,) = style.new_figure()
    draw(ax)
    assert absent(figure) == ([], 1)
    assert style.bundle(figure)[1] == {}


def test_a_limit_without_a_curve_is_an_empty_panel():
    figure, (ax,) = style.new_figure()
    ax.axhline(1.01)
    ax.axvspan(2, 3)
    ax.plot([], [])
    ax.scatter([], [])
    assert absent(figure) == ([""], 0)
    ax.axis("off")  # where a legend stands
    assert absent(figure) == ([], 0)
