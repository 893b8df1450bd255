"""Figures of traces: what is drawn for whom."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.colors import to_hex

from geolib.plots import style, traces


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_a_measure_is_drawn_on_a_logarithmic_scale_only_where_it_is_positive(ax):
    values, floor = np.array([[0.5, 0.4], [0.05, 0.04]]), np.array([-1e-4, 2e-4])
    assert traces.against_floor(ax, values, floor, "measure", log=True).get_yscale() == "log"
    other = ax.figure.add_subplot()
    assert traces.against_floor(other, values - 0.1, floor, "measure", log=True).get_yscale() == "linear"


def test_shares_have_their_intervals_and_no_shares_no_curve(ax):
    drawn = traces.drift(ax, {1: (0.5, 0.4, 0.6), 9: (0.7, 0.65, 0.8)}, (0.55, 0.5, 0.6), "share")
    ends = drawn.collections[-1].get_segments()
    assert np.allclose([segment[:, 1] for segment in ends], [(0.4, 0.6), (0.65, 0.8)])
    other = traces.drift(ax.figure.add_subplot(), {}, (0.55, 0.5, 0.6), "share")
    assert not other.containers and len(other.lines) == 1


def test_losses_have_a_mean_for_each_epoch_and_their_names_at_the_end(ax):
    traces.loss_curves(ax, {"critic": np.arange(6.0), "generator": np.ones(6)}, 3)
    assert np.array_equal(ax.lines[0].get_ydata(), [1, 4])
    assert [text.get_text() for text in ax.texts] == ["critic", "generator"]
    assert to_hex(ax.lines[0].get_color()) == style.PALETTE["critic"].lower()


def test_scores_are_named_with_their_means(ax):
    rng = np.random.default_rng(0)
    sets = {"generated": rng.standard_normal(200) - 3, "real": rng.standard_normal(200)}
    traces.score_distributions(ax, sets, {"silence": -2.5})
    told = [text.get_text().strip() for text in ax.texts]
    assert told == [f"{k}, mean {v.mean():.2f}".replace("-", "−") for k, v in sets.items()] + ["silence, −2.50"]


def test_one_set_of_events_needs_no_legend(ax):
    picks = np.array([0.2, 0.4]), np.array([1, -1])
    assert traces.events(ax, {"real": picks}).get_legend() is None
    assert traces.events(ax.figure.add_subplot(), {"real": picks, "generated": picks}).get_legend() is not None


def test_each_trace_has_the_sign_of_its_first_event(ax):
    shown = np.zeros((3, 499))
    shown[:, 50] = [1.0, -1.0, 0.0]
    shown[0] *= 3.0  # each over its own largest amplitude
    traces.picked(ax, shown, 0.004, (np.array([0.2, 0.2, 0.0]), np.array([1, -1, 0])))
    assert [(text.get_text(), text.xy[1]) for text in ax.texts] == [("+", 0), ("−", -1.2)]
    dots = [line.get_xydata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert np.allclose(dots, [(0.2, 1.0), (0.2, -1.0 - 1.2)])
    # The band within which no extremum is an event is as high as one amplitude.
    assert len(ax.patches) == 3 and ax.patches[1].get_height() == pytest.approx(1.0)
    assert ax.get_xlim() == (0, pytest.approx(0.7))


def test_losses_that_have_come_to_rest_are_drawn_from_their_epoch_on(ax):
    traces.departures(ax, {"critic": np.array([-1.0, 1.0]), "generator": np.array([1.0, -1.0])}, 40)
    assert ax.lines[0].get_xdata().tolist() == [40, 41]


def test_losses_have_a_tick_on_either_side_of_zero(ax):
    traces.loss_curves(ax, {"critic": np.array([-6.0, 70.0]), "generator": np.ones(2)}, 1)
    ax.figure.canvas.draw()
    shown = [text.get_text() for text in ax.get_yticklabels()]
    assert {"−5", "0", "10", "100"} <= set(shown)


def test_a_panel_of_orders_holds_most_of_what_was_obtained(ax):
    asked, strays = np.linspace(150, 400, 100), np.r_[np.linspace(150, 400, 95), np.linspace(800, 900, 4), 5000]
    low, high = traces.asked_obtained(ax, asked, {"generated": strays, "modelled": asked}, "depth").get_ylim()
    assert low == pytest.approx(75) and 800 < high < 1000
