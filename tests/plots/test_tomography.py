import csv
import io
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")

import matplotlib.pyplot as plt

from geolib.plots import data
from geolib.plots import tomography as draw
from geolib.plots.style import new_figure
from geolib.studies.latent_inversion.facts import local_minima


@pytest.fixture
def axes():
    figure, axes = plt.subplots()
    yield axes
    figure.canvas.draw()
    # Every axis of a finished figure says what it shows.
    assert all(axis.get_xlabel() and axis.get_ylabel() for axis in figure.axes[:1])
    plt.close(figure)


def test_a_model_is_drawn_in_metres_with_depth_downwards(axes):
    draw.draw_model(axes, np.eye(5, 3), "model", depths=(0.1, 0.4))
    assert axes.images[0].get_extent() == pytest.approx([0, 0.3, 0.5, 0])
    sources, receivers = axes.lines
    assert list(sources.get_ydata()) == [0.1, 0.4] and list(receivers.get_xdata()) == pytest.approx([0.3, 0.3])


def test_a_ray_is_drawn_at_the_centres_of_its_cells(axes):
    lengths = np.zeros((5, 3))
    lengths[1, 2] = 0.1
    draw.draw_ray(axes, np.zeros((5, 3)), lengths, "ray")
    assert axes.lines[0].get_xydata() == pytest.approx(np.array([[0.25, 0.15]]))


def test_coverage_has_a_colour_bar(axes):
    draw.draw_coverage(axes, np.ones((4, 3)), "coverage")
    assert axes.figure.axes[1].get_ylabel() == "ray length (m)"


def test_the_landscape_marks_the_truth(axes):
    z = np.linspace(-1, 1, 7)
    draw.draw_landscape(axes, np.add.outer(z, 2 * z), np.stack([z, z]), (0.25, -0.5), "landscape")
    minima, truth = axes.lines
    assert minima.get_xydata().size == 0 and axes.get_title() == "landscape:\n0 local minima (dots)"
    assert truth.get_xydata() == pytest.approx(np.array([[0.25, -0.5]]))
    # Rows of the grid are z2: along x the value grows twice as fast.
    grid = np.asarray(axes.collections[0].get_array()).reshape(7, 7)
    assert grid[0, 1] - grid[0, 0] == pytest.approx(2 * (grid[1, 0] - grid[0, 0]))


def test_the_landscape_marks_the_minima_that_the_measure_counts(axes):
    x = np.linspace(-1, 1, 31)
    grid = np.cos(7 * x)[:, None] + np.cos(9 * x)[None, :]
    draw.draw_landscape(axes, grid, np.stack([x, x]), (0.0, 0.0), "landscape")
    marked = axes.lines[0].get_xydata()
    assert len(marked) == local_minima(grid) > 1
    assert axes.lines[0].get_zorder() > axes.lines[1].get_zorder(), "the cross hides no minimum"
    draw.draw_landscape(axes, grid, np.stack([x, x]), (0.0, 0.0), "landscape", (-3.0, 5.0))
    assert axes.collections[-1].get_clim() == (-3.0, 5.0)
    place = np.abs(x[:, None] - marked[0][None, :]).argmin(0)
    assert grid[place[1], place[0]] == pytest.approx(grid[1:-1, 1:-1].min(), abs=0.05)


def test_a_measure_keeps_its_colour_whatever_the_order(axes):
    other = plt.figure().subplots()
    entries = [{"iteration": 1, "vertical": 0.5, "patterns": 0.3}]
    draw.draw_scores(axes, entries, ["vertical", "patterns"])
    draw.draw_scores(other, entries, ["patterns", "vertical"])
    pairs = ({line.get_label(): line.get_color() for line in each.lines} for each in (axes, other))
    assert next(pairs) == next(pairs)
    plt.close(other.figure)


def test_misfits_count_iterations_from_one(axes):
    draw.draw_misfits(axes, [(np.array([0, 9]), np.array([5.0, 2.0]))], "misfit", "blue", "ours")
    assert axes.lines[0].get_label() == "ours"
    assert list(axes.lines[1].get_xdata()) == [1, 10] and axes.get_yscale() == "log"


def test_curves_show_a_mean_and_a_band(axes):
    reference = np.array([0.5, 0.05, 0.95])[:, None] * np.ones(3)
    draw.draw_curves(axes, np.full(3, 0.3), reference, "variogram", "semivariance")
    mean, ours = axes.lines
    assert mean.get_ydata() == pytest.approx(0.5) and ours.get_ydata() == pytest.approx(0.3)
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() == pytest.approx(0.95)


def test_spectra_are_relative_to_their_largest_value(axes):
    draw.draw_spectrum(axes, np.array([[4.0, 2.0, 1.0], [10.0, 1.0, 0.1]]))
    assert [line.get_ydata()[0] for line in axes.lines] == [1, 1]
    assert axes.lines[1].get_ydata()[2] == pytest.approx(0.01)


def test_scores_mark_the_chosen_checkpoint(axes):
    draw.draw_scores(axes, [{"iteration": 1, "a": -0.5}, {"iteration": 2, "a": 0.1}], ["a"], 2)
    assert list(axes.lines[0].get_ydata()) == [0.5, 0.1] and list(axes.lines[1].get_xdata()) == [2, 2]


def test_an_image_is_drawn_pixel_by_pixel(axes):
    draw.draw_image(axes, np.eye(4), "image")
    assert axes.images[0].get_array().shape == (4, 4)


def test_latents_are_drawn_over_the_true_ones_with_their_common_factor(axes):
    truth = np.array([0.5, -0.2, 0.1])
    draw.draw_latents(axes, truth, 1.5 * truth, "found")
    equal, common, points = axes.lines
    assert equal.get_ydata() == pytest.approx(equal.get_xdata())
    assert common.get_ydata() == pytest.approx(1.5 * np.asarray(common.get_xdata()))
    assert points.get_xydata() == pytest.approx(np.stack([truth, 1.5 * truth], 1))


def test_an_empty_panel_says_why(axes):
    draw.draw_model(axes, np.eye(5, 3), "model")
    panel = axes.figure.add_subplot()
    draw.draw_nothing(panel, "none was run")
    assert panel.texts[0].get_text() == "none was run" and not panel.axison


def trial(level):
    return {
        "best_latent": np.full(15, level),
        "best": np.array([level]),
        "iteration": np.array([0, 9]),
        "trajectory": np.array([5.0, level]),
    }


def test_the_best_and_the_worst_trial_are_drawn_beside_the_truth():
    figure, axes = plt.subplots(1, 4)
    trials = [trial(level) for level in (0.2, 0.6, 0.9)]
    draw.draw_found(axes, np.eye(5, 3), trials, lambda latent: np.full((5, 3), latent[0]), "I", (0.1,))
    assert [axis.get_title() for axis in axes] == ["true I", "best, WRMSE 0.200", "worst, WRMSE 0.900", "3 trials"]
    assert not axes[1].images[0].get_array().any() and axes[2].images[0].get_array().all()  # cut at one half
    assert len(axes[3].lines) == 1 + 3 + 1  # label, curves, level
    plt.close(figure)


@pytest.mark.parametrize("count", [0, 1])
def test_panels_without_a_trial_say_so(count):
    figure, axes = plt.subplots(1, 4)
    draw.draw_found(axes, np.eye(5, 3), [trial(0.2)] * count, lambda _: np.eye(5, 3), "I", ())
    assert [bool(axis.images) for axis in axes] == [True, count == 1, False, False]
    assert all("no such trial" in axis.texts[0].get_text() for axis in axes[1 + count : 3])
    plt.close(figure)


def test_recoveries_say_what_is_missing():
    figure, axes = plt.subplots(2, 4)
    one = SimpleNamespace(recovered=False, rmse=0.25, latent=np.full(15, 0.5), error=0.125)
    draw.draw_recoveries(axes.flat, np.ones(15), [trial(0.3)], [one], lambda _: np.eye(5, 3), "II", 0.02)
    panels = axes.ravel()
    assert panels[0].get_title() == "true II" and panels[1].get_title() == "not recovered, 0.2"
    assert panels[5].get_title() == "squared error 0.12" and panels[4].get_ylabel() == "RMSE of the image"
    assert panels[4].lines[-1].get_ydata()[0] == 0.02
    assert all("no such inversion" in panels[i].texts[0].get_text() for i in (2, 3, 6, 7))
    plt.close(figure)


def test_a_training_is_drawn_as_it_stands():
    figure, axes = plt.subplots(1, 3)
    quality = [{"iteration": i, "patterns": 1 / i, "greyness": -0.1} for i in (10, 20)]
    draw.draw_training(axes, np.arange(40.0).reshape(20, 2), quality, ["patterns", "greyness"], np.eye(9))
    assert [line.get_label() for line in axes[0].lines] == ["discriminator", "generator"]
    assert axes[0].lines[1].get_ydata()[-1] == 39 and axes[1].lines[1].get_ydata().tolist() == [0.1, 0.1]
    assert len(axes[1].lines) == 2 and axes[2].get_title() == "after 20 updates"
    plt.close(figure)


def test_a_large_image_is_listed_where_it_is_asked_for():
    figure, axes = new_figure(1, 2)
    picture = np.linspace(0, 1, 100 * 80).reshape(100, 80)
    draw.draw_image(axes[0], picture, "whole", listed=True)
    draw.draw_image(axes[1], picture, "not")
    head, *rows = csv.reader(io.StringIO(data.table(figure)))
    assert len(rows) == 100 and rows[-1][:4] == ["whole", data.LISTED, "", "99"] and head[-1] == "value"
    levels = np.array([row[4].split() for row in rows], dtype=float)
    assert np.abs(levels / 255 - picture).max() <= 0.5 / 255
    plt.close(figure)
