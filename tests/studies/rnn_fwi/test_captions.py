"""Captions of chapter 4 say of a figure what it draws, also in a rerun that draws less."""

import json
import re

import numpy as np
import pytest

from geolib.datasets import velocity
from geolib.runs import paths
from geolib.runs.measure import Measure
from geolib.studies.rnn_fwi import captions, quoted, tables, theory


def run(error, kept=(0, 100), n=101):
    """Return a run that ends at a model error, with the evaluations at which its model was kept."""
    return {"misfit": np.geomspace(1, 1e-3, n), "error": np.linspace(140, error, n), "frame_at": np.array(kept)}


def test_where_the_surface_absorbs_no_caption_speaks_of_multiples_from_it():
    layers = {"truth": velocity.four_layers()}
    free, absorbing = (captions.line(layers, top) for top in ("free", "absorbing"))
    assert "arrivals of the reflections. The others are multiples, which the free surface sent down" in free
    assert free.endswith("that of the top layer comes before reflection 3.")
    assert "free surface" not in absorbing and absorbing.endswith("The surface absorbs, and sends no multiples down.")
    thick = {"truth": np.repeat([2000.0, 3000.0], (150, 50))}
    assert captions.line(thick, "free").endswith("which the free surface sent down again.")


def test_a_shot_s_caption_counts_the_rows_of_water_and_where_the_source_lies():
    model = np.repeat([1500.0, 1500.0, 1528.0, 1612.0], 3).reshape(4, 3)
    told = captions.gather({"velocity": model}, (4, 50))
    assert "Cells of 10 m, of which the upper 2 rows (20 m) are water. The star marks the source, 50 m below" in told


def test_what_low_frequencies_first_do_is_said_from_the_smooth_start_and_by_how_much():
    paper = {"Adam": 321.3, "CG": 355.2, "L-BFGS": 320.3}
    low = {"Adam": 345.7, "CG": 360.2, "L-BFGS": 330.2}
    told = quoted._detour({"as in the paper": paper, "low frequencies first": low})
    assert told == (
        "From the smooth start, low frequencies first (3, 4.5, 6 Hz, sharing the 100 evaluations) worsen all three "
        "models, Adam's most: from 321 to 346 m/s (CG from 355 to 360 and L-BFGS from 320 to 330). "
        "The detour costs more evaluations than it saves"
    )
    one = quoted._detour({"as in the paper": paper, "low frequencies first": {**paper, "CG": 360.0}})
    assert "evaluations) worsen CG, CG's most" in one
    assert quoted._detour({}) == ""


def test_marks_limits_and_bars_are_named_where_they_are_drawn():
    measures = {"gd_rate_limit": Measure(0.5), "momentum_b_rate_limit": Measure(9.5)}
    groups = {"a": {"gradient descent": [(0.4, 126.0), (0.6, np.inf)], "momentum (app. B)": [(1.0, 50.0)]}}
    whole = captions.rates(groups, {"gradient descent": [0.6]}, measures)
    for part in ("Hollow marks", "Ringed", "Dashed", "appendix B that is far beyond", "GD: gradient descent."):
        assert part in whole
    assert "Bars" not in whole
    bare = captions.rates({"b": {"Adam": [(40.0, 36.0)]}}, {}, measures)
    assert bare == ("Evaluations until the misfit is below one per cent of the first. Bars: the paper's ranges.")
    assert "Dashed" not in captions.rates(groups, {}, {})


def test_named_are_those_that_are_there():
    pair = ("momentum 0.8", "gradient descent 0.4")
    runs = {"momentum 0.8": run(127.0), "gradient descent 0.4": run(97.0)}
    assert captions.ends(runs, pair).endswith("Named: the two runs that the text compares.")
    assert captions.ends({"momentum 0.8": run(127.0)}, pair).endswith("Named: a run that the text compares.")
    alone = captions.ends({"Adam 40": run(300.0)}, pair)
    assert "Named" not in alone


@pytest.mark.parametrize(("share", "count"), [(1, 100), (0.2, 20), (2, 200)])
def test_the_budget_of_marmousi_is_the_readers_own(share, count):
    n = round(100 * share) + 1
    units = {
        f"{key}-{method}": {**run(90.0, n=n), "ssim": np.linspace(0, 1, n)}
        for key in ("noise", "linear")
        for method in tables.MARMOUSI
    }
    units |= {f"marmousi-{name}": {**run(90.0, n=n), "ssim": np.linspace(0, 1, n)} for name in ("adam-100", "cg-100")}
    assert tables.compared(units) == count and tables.compared({}) == 100
    errors, _ = tables.extras(units)
    assert list(errors) == ["as in the paper", "noise at 10 dB", "linear start"]
    assert captions.extras(count).startswith(f"Marmousi after {count} evaluations,")
    assert captions.harder(count).startswith(f"After {count} evaluations:")
    assert f"Dotted: evaluation {min(count, 100)}." in captions.long_race(min(count, 100))
    assert "| noise at 10 dB |" in tables.winners(units)


def test_the_first_figure_says_once_which_models_stand_for_one_evaluation():
    runs = {"Adam": run(320.0), "L-BFGS": run(280.0, (0, 53, 105, 1000), 1001)}
    assert captions.opening(runs).endswith("Models: those kept nearest to evaluation 100.")
    assert "what Adam and L-BFGS make of it" in captions.opening(runs)
    assert captions.opening({"Adam": runs["Adam"]}).endswith(
        "what Adam makes of it: root-mean-square errors of the velocity."
    )
    assert captions.opening({}) == "The Marmousi model, the blurred start."


def test_no_number_of_a_run_is_typed_into_a_caption_of_the_notebook():
    cells = json.loads(paths.notebook("rnn_fwi").read_text(encoding="utf-8"))["cells"]
    written = [
        part.get("caption", "") for cell in cells for part in cell["metadata"].get("mystnb", {}).values() if part
    ]
    assert len(written) >= 8
    assert not [each for each in written if re.search(r"hundred|Three|three reflections|Named|free surface", each)]


def test_the_taylor_test_that_is_shown_tells_a_gradient():
    def misfit(v):
        return float((v**4).sum())

    velocity, direction = np.array([1.0, 2.0]), np.array([0.3, -0.1])
    slope = float(4 * velocity**3 @ direction)
    wrong, right = theory.remainders(misfit, velocity, direction, (1.01 * slope, slope))
    assert wrong[-2] / wrong[-1] == pytest.approx(2, rel=0.1) and right[-2] / right[-1] == pytest.approx(4, rel=0.1)
