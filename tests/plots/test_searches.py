import warnings
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from geolib.plots import searches as draw
from geolib.plots.absent import absent
from geolib.plots.style import PALETTE
from geolib.runs.measure import Measure


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()
    plt.close(figure)


def test_progress_has_intervals_and_the_colour_of_its_rays(axes):
    series = {"true rays, width 32": {100: Measure.count(0, 80), 1000: Measure.count(60, 80)}, "published": {}}
    assert draw.draw_progress(axes, series, "title") is axes
    (line,) = [line for line in axes.lines if len(line.get_xdata()) == 2]
    assert line.get_ydata().tolist() == [0, 0.75] and line.get_color() == PALETTE["true rays"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["true rays, width 32"]
    (bars,) = axes.collections
    low, high = bars.get_segments()[1][:, 1]
    assert (low, high) == pytest.approx((Measure.count(60, 80).low, Measure.count(60, 80).high))


def test_a_share_of_few_trials_is_hollow_and_no_line_leads_to_it(axes):
    series = {
        "true rays, width 32": {100: Measure.count(0, 80), 1000: Measure.count(60, 80), 5000: Measure.count(2, 4)}
    }
    draw.draw_progress(axes, series, "title")
    joined, alone = axes.lines
    assert joined.get_ydata().tolist() == [0, 0.75] and alone.get_ydata().tolist() == [0.5]
    assert alone.get_markerfacecolor() == "none" and alone.get_linestyle() == "None"
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["true rays, width 32"]


def test_nothing_to_draw_leaves_an_empty_panel(axes):
    draw.draw_progress(axes, {"published": {}}, "title")
    assert not axes.lines and axes.get_legend() is None
    with warnings.catch_warnings(action="error"):
        draw.draw_recovery([axes, axes.figure.add_subplot()], {"scrambled": (np.empty(0), np.empty(0))}, 1.01)
    assert absent(axes.figure)[1] == 0


def test_recovery_shows_each_trial_and_the_limit(axes):
    series = {"scrambled": (np.array([1.0, 2.0]), np.array([0.0, 0.2])), "true rays": (np.empty(0), np.empty(0))}
    whole, close = draw.draw_recovery([axes, axes.figure.add_subplot()], series, 1.01)
    for panel in (whole, close):
        assert panel.collections[0].get_offsets().tolist() == [[1.0, 0.0], [2.0, 0.2]]
        assert panel.lines[0].get_xdata()[0] == 1.01
    assert whole.get_xscale() == "log" and close.get_xlim()[1] == 1.01 + draw.NEAR
    (legend,) = axes.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["scrambled, 1 of 2 fit"]


def test_a_search_that_misses_keeps_its_staircase_below_the_top(axes):
    draw.draw_solves(axes, {"pooled": np.array([9000.0, np.inf, 5000.0, np.inf])}, "title")
    (line,) = axes.lines
    assert line.get_ydata().tolist() == [0, 0.25, 0.5, 0.5] and line.get_xdata().tolist() == [1e3, 5000, 9000, 1e6]
    assert line.get_label() == "pooled, 2 of 4" and line.get_color() == PALETTE["pooled"]


def test_a_staircase_goes_no_further_than_its_runs(axes):
    draw.draw_solves(axes, {"pooled": np.array([5000.0, np.inf])}, "title", ends={"pooled": 10_000})
    assert axes.lines[0].get_xdata()[-1] == 10_000
    assert axes.get_ylim()[1] < 1.1, "no empty room above 100 %"


def test_a_single_number_of_each_generator_is_a_dot_over_zero(axes):
    draw.draw_by_generator(axes, {"width 64": 1.5, "width 16": 8.0}, "pieces", "title")
    assert not [lines for lines in axes.collections if hasattr(lines, "get_segments")]
    assert axes.get_ylim()[0] == 0


def test_generators_stand_beside_one_another_with_their_medians(axes):
    draw.draw_by_generator(axes, {"width 64": np.array([4.0, 6.0, 5.0]), "width 16": 1.5}, "misfit", "title", log=True)
    assert [text.get_text() for text in axes.get_xticklabels()] == ["width 64", "width 16"]
    medians = [lines.get_segments()[0][0, 1] for lines in axes.collections if hasattr(lines, "get_segments")]
    assert medians == [5.0, 1.5]


def test_times_lie_beside_the_line_of_equal_ones(axes):
    draw.draw_times(axes, np.array([70.0, 90.0]), np.array([75.0, 80.0]), "title")
    line, points = axes.lines
    assert line.get_xydata().tolist() == [[70, 70], [90, 90]] and points.get_xydata().tolist() == [[70, 75], [90, 80]]


def test_the_best_and_the_worst_trial_of_each_label(axes):
    figure, four = plt.subplots(1, 4)
    ends = {"true rays": [{"best": np.array([v]), "best_latent": np.array([v])} for v in (0.9, 1.4, 3.0)], "other": []}
    draw.draw_ends(four, ends, lambda latent: np.full((5, 3), latent[0] / 2))
    assert [axis.get_title() for axis in four[:2]] == ["true rays\nbest, 0.90", "true rays\nworst, 3.00"]
    assert four[2].texts[0].get_text() == "other:\nnot run" and not four[2].axison
    plt.close(figure)


def test_of_latents_whose_image_was_recovered_the_worst_is_drawn(axes):
    truth = np.ones(15)
    shown = [SimpleNamespace(recovered=True, latent=c * truth, error=(c - 1) ** 2) for c in (0.9, 0.5)]
    shown.append(SimpleNamespace(recovered=False, latent=-truth, error=4.0))
    draw.draw_rescaled(axes, shown, truth)
    assert "0.50 times" in [text.get_text() for text in axes.texts]


def test_without_a_recovered_image_a_sentence_says_so(axes):
    draw.draw_rescaled(axes, [], np.ones(15))
    assert "no image was recovered" in axes.texts[0].get_text()


def test_a_staircase_has_the_interval_of_its_share(axes):
    draw.draw_solves(axes, {"pooled": np.array([9000.0, np.inf, 5000.0, np.inf])}, "title")
    (band,) = axes.collections
    ends = band.get_paths()[0].vertices[:, 1]
    high = Measure.count(2, 4).high
    assert ends.min() == Measure.count(0, 4).low and ends.max() == pytest.approx(high)
