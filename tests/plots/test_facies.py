"""Figures of patches and of tricks: what they say where runs are missing, and what is drawn where."""

import numpy as np
import pytest

from geolib.plots import facies
from tests.plots.conftest import texts

pytestmark = pytest.mark.usefixtures("closed")


def test_a_variant_that_was_not_run_is_said_to_be_missing():
    assert texts(facies.album(None, ("real",), "Not run.")) == ["Not run."]
    assert texts(facies.sketch(facies.convergence, None, title="t")) == ["Not run with these parameters."]
    assert texts(facies.effects({}, "No tricks were run.")) == ["No tricks were run."]


def test_patches_are_labelled_by_row_and_column():
    unit = {"samples": np.zeros((2, 3, 8, 8))}
    figure = facies.album(unit, ("real", "made"), "title", ["0.1", "0.2", "0.3"])
    assert figure.get_suptitle() == "title"
    assert [axis.get_ylabel() for axis in figure.axes] == ["real", "made"]
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0.1", "0.2", "0.3"]
    fewer = facies.album(unit, ("real", "made"), "title", ["0.1", "0.2"], above="code", most=2)
    assert fewer.axes[0].get_xlabel() == "code" and fewer.axes[0].images[0].get_array().shape == (8, 2 * 9 - 1)


def row(verdict, mean):
    return {
        "trick": verdict,
        "ratios": np.array([mean, 1.1 * mean]),
        "mean": mean,
        "low": None,
        "high": None,
        "verdict": verdict,
        "looks": {"helps": "nearer", "harms": "farther"}.get(verdict, ""),
    }


def test_tricks_are_coloured_by_their_verdict():
    rows = [row("helps", 0.5) | {"low": 0.3, "high": 0.8}, row("harms", 2.0), row("no clear effect", 1.0)]
    figure = facies.effects({"a": rows}, "t")
    (axis,) = figure.axes
    assert texts(figure) == ["nearer", "farther"]
    means = {float(line.get_xdata()[0]): line.get_color() for line in axis.lines if line.get_marker() == "o"}
    assert means[0.5] == facies.VERDICTS["helps"] and means[2.0] == facies.VERDICTS["harms"]
    assert means[1.0] not in facies.VERDICTS.values()
    assert (0.3, 0.8) in [tuple(line.get_xdata()) for line in axis.lines if line.get_linewidth() == 2.4]
    # Seeds stand beside the bar, not under it.
    assert all(abs(y - round(y)) == 0.25 for points in axis.collections for _, y in points.get_offsets())
    assert axis.get_ylim()[0] > axis.get_ylim()[1]  # the first trick on top


def test_a_trick_alone_is_told_in_words_and_takes_less_height():
    alone, seed = row("helps", 0.5), row("", 0.8)
    seed["ratios"] = np.array([0.8])
    figure = facies.effects({"a": [alone], "b": [seed]}, "t")
    assert texts(figure) == [
        "0.5 of plain, 2 seeds: nearer",
        "as plain",
        "0.8 of plain, one seed",
        "as plain",
    ]
    several = facies.effects({"a": [row(str(n), 0.5) for n in range(6)]}, "t")
    single = facies.effects({"a": [alone]}, "t")
    assert single.get_figheight() < 0.7 * several.get_figheight() == pytest.approx(0.7 * 3.1)
    assert "as plain" not in texts(several)


def test_a_trick_has_its_own_place_in_every_panel():
    first = [{**row("harms", mean), "trick": name} for name, mean in (("norm", 2.0), ("steps", 3.0), ("leaky", 4.0))]
    figure = facies.effects({"a": first, "b": [first[0], first[2]]}, "A title far too long for its figure. " * 3)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["norm", "steps", "leaky"]
    places = [
        {float(line.get_xdata()[0]): float(line.get_ydata()[0]) for line in axis.lines if line.get_marker() == "o"}
        for axis in figure.axes
    ]
    assert places == [{2.0: 0, 3.0: 1, 4.0: 2}, {2.0: 0, 4.0: 2}]
    low, high = figure.axes[0].get_ylim()
    assert low > 2 and high < 0  # every trick is seen
    figure.draw_without_rendering()
    assert figure._suptitle.get_window_extent().x1 <= figure.bbox.x1
