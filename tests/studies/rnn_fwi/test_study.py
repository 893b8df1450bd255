"""The rnn_fwi study: its units, its physics against theory, its measures, tables and figures."""

import json
import re

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from geolib import studies
from geolib.book import ledger as claims
from geolib.book import show
from geolib.datasets import velocity
from geolib.inversion import descent
from geolib.plots import descents as courses
from geolib.plots import style
from geolib.plots import waves as plots
from geolib.runs import paths
from geolib.studies.rnn_fwi import curves, descents, measures, otherwise, problems, quoted, tables, told
from geolib.studies.rnn_fwi import theory as _rnn_theory
from geolib.studies.rnn_fwi.study import STUDY as study
from geolib.waves import Grid, Survey, propagate, ricker
from tests.conftest import computed

TINY = study.Config(iterations=3, gd_rates=(0.4,), optimisers=("gd", "lbfgs"), experiments=("1d",))


@pytest.fixture(scope="module")
def theory():
    return _rnn_theory.numbers()


@pytest.fixture(scope="module")
def tiny():
    return studies.run(study, TINY)


FRAMES = (25, 50, 100, 600, 1000, 1420)


def fake(names, seed=0):
    """Return arrays of the right kinds for every unit, so that every measure and figure can be made."""
    rng = np.random.default_rng(seed)
    units = {}
    for name in names:
        if name == "theory":
            units[name] = {
                k: np.array(1.5) for k in ("derivative", "corrected", "printed", "late", "one_step", "everywhere")
            }
            units[name] |= {
                "steps": 0.5 ** np.arange(5),
                "remainders": np.ones((3, 5)),
                "eq11": np.array([-1.0, -2, 1, 4]),
            }
            units[name] |= {"ascent": np.array([1.1, 0.9]), "scaled": np.array([100.0, 1.0])}
        elif name.startswith("hessian"):
            units[name] = {"estimates": np.full(5, 4.0), "vector": np.ones(20), "at_start": np.ones(5)}
        elif name == "gather":
            units[name] = {"velocity": np.ones((9, 12)), "gather": np.ones((12, 30)), "origin": np.array("here")}
        elif name == "marmousi-setup":
            units[name] = {
                "velocity": rng.uniform(1500, 4000, (94, 288)),
                "gathers": np.ones((12, 8, 9)),
                "origin": np.array("here"),
            }
        elif name == "network":
            misfit = np.tile(np.geomspace(1, 0.1, 12), (3, 1))
            units[name] = {"misfit_network": misfit, "misfit_kernels": misfit * (1 + 1e-12)}
        elif name == "marmousi-cost":
            units[name] = {"methods": np.array(["adam", "lbfgs", "cg"]), "cost": np.array([2.0, 2.5, 2.0])}
        else:
            truth = np.repeat([2000.0, 3000.0, 4000.0, 5000.0], 50)
            run = {
                "misfit": np.geomspace(1, 1e-4, 1501),
                "change": np.full(1501, 3.0),
                "error": np.linspace(140, 90, 1501),
            }
            run |= {"truth": truth, "start": truth + 1, "model": truth + rng.normal(0, 50, 200), "trace": np.ones(1783)}
            if not name.endswith(("f64", "f32")):
                run |= {"error_shallow": run["error"], "error_deep": run["error"], "ssim": run["error"] / 200}
                run |= {
                    "message": np.array("all evaluations used"),
                    "seconds": np.full(1501, 2.0),
                    "frame_at": np.array([0, *FRAMES]),
                }
                run |= {"frames": rng.integers(1500, 4000, (1 + len(FRAMES), 94, 288)).astype(np.int16)}
            units[name] = run
    return units


def test_units_are_unique_plain_names_and_cheap_ones_come_first():
    for preset in ("quick", "paper"):
        names = study.names(study.Config.preset(preset))
        assert len(set(names)) == len(names)
        assert all(not set(name) & set("/\\\0 ") for name in names)
    assert names[:3] == ["theory", "hessian", "gather"] and names.index("marmousi-adam-100") > names.index("1d-tnc-f32")
    # 1-D: 4 + 5 + 5 + 4 + 4 + 4 rates and 3 line searches, twice; 4 settings with an eigenvalue and 5 probes each;
    # set-up, cost and 3 runs in 8 blocks; 4 harder settings for 3 methods.
    assert len(names) == 4 + 2 * 29 + 4 * 6 + 2 + 8 + 12


def test_a_rate_given_twice_is_refused():
    with pytest.raises(ValueError, match=r"gd_rates must have entries that differ; got 0\.4,0\.4"):
        study.Config(gd_rates=(0.4, 0.4))


def test_a_unit_depends_on_nothing_but_its_name(tiny):
    alone = dict(computed(study, TINY, ["1d-lbfgs-f64"]))
    for name, value in tiny.units["1d-lbfgs-f64"].items():
        np.testing.assert_array_equal(value, alone["1d-lbfgs-f64"][name])


def test_descents_start_at_the_same_misfit_and_lower_it(tiny):
    gd, lbfgs = tiny.units["1d-gd-0.4-f64"], tiny.units["1d-lbfgs-f64"]
    assert gd["misfit"][0] == lbfgs["misfit"][0] and gd["misfit"].size == 4
    assert gd["misfit"][-1] < gd["misfit"][0] and lbfgs["misfit"].min() < gd["misfit"][-1]
    assert gd["change"][0] == 0 and gd["change"][1] > 0


def test_misfit_vanishes_at_the_truth_and_frozen_rows_have_no_gradient():
    problem = descents.problem_1d(frequency=8.0, top="absorbing")
    misfit, gradient = problem.objective(problem.truth)
    assert misfit == 0 and not gradient.any()
    frozen = problems.Problem(problem.survey, problem.observed, problem.truth, problem.start, frozen=7)
    assert not frozen.objective(problem.start)[1][:7].any() and frozen.objective(problem.start)[1][7:].any()


def test_gradient_descent_turns_unstable_at_two_over_the_eigenvalue():
    hessian = dict(computed(study, study.Config(), ["hessian"]))["hessian"]
    estimates = hessian["estimates"]
    # Power iteration has converged: its last two estimates agree to what differences of gradients can tell.
    assert estimates[-1] == pytest.approx(estimates[-2], rel=1e-5)
    # The pinned setting has 4.0: between the 3.33 of the oscillating rate 0.6 and the 5 of the smooth 0.4.
    assert 3.9 < estimates[-1] < 4.1
    # The start's valley is wider: a rate may look stable there and fail on the way to the truth.
    assert hessian["at_start"][-1] < 0.5 * estimates[-1]
    limit = 2 / estimates[-1]
    names = [f"1d-gd-{factor * limit:g}-f64" for factor in (0.95, 1.2)]
    below, above = (units for _, units in computed(study, study.Config(iterations=200), names))
    assert curves.roughness(below, 50) < 1e-3 < 0.05 < curves.roughness(above, 50)


def test_corrected_adjoint_is_the_derivative_and_the_printed_one_is_not(theory):
    exact = float(theory["derivative"])
    # Central differences at h = 1e-4 leave h^2 of the third derivative and round-off over h: below 1e-7.
    assert float(theory["corrected"]) == pytest.approx(exact, rel=1e-7)
    for misprint in ("printed", "late", "one_step", "everywhere"):
        assert abs(float(theory[misprint]) / exact - 1) > 0.01
    slopes = np.diff(np.log(theory["remainders"])) / np.diff(np.log(theory["steps"]))
    np.testing.assert_allclose(slopes[2], 2, atol=0.02)
    np.testing.assert_allclose(slopes[1, 3:], 1, atol=0.02)


def test_theory_and_engine_agree(theory):
    problem = descents.problem_1d()
    # The engine's bottom absorbs all but 1e-4 of the amplitude, the plain program's is out of reach.
    assert problem.objective(problem.start)[0] == pytest.approx(float(theory["eq11"][3]), rel=1e-4)


def test_adam_ignores_the_scale_of_the_data_and_gradient_descent_does_not(theory):
    np.testing.assert_allclose(theory["scaled"], [100, 1], rtol=1e-6)
    assert theory["ascent"][0] > 1 > theory["ascent"][1]


def test_evaluations_roughness_interfaces_and_bias():
    run = {"misfit": np.array([1.0, 0.5, 0.7, 0.009, 0.02])}
    assert curves.evaluations(run) == 3
    assert curves.evaluations({"misfit": np.array([1.0, 0.5])}) == np.inf
    assert curves.roughness(run) == pytest.approx(0.2 + 0.011)
    assert curves.roughness(run, 3) == pytest.approx(0.011)
    truth = velocity.four_layers()
    assert curves.interfaces({"truth": truth, "model": truth}) == 3
    assert curves.interfaces({"truth": truth, "model": velocity.smooth(truth, 6)}) == 0
    blurred = truth.copy()
    blurred[40:110] = 2500
    assert curves.interfaces({"truth": truth, "model": blurred}) == 1
    off = truth.copy()
    off[:20] += 100
    assert curves.bias({"truth": truth, "model": off}) == 0


def test_measures_cope_with_any_subset(tiny):
    names = study.names(study.Config.preset("paper"))
    everything = fake(names)
    rng = np.random.default_rng(1)
    for size in (0, 1, 2, 5, 20, len(names)):
        chosen = rng.permutation(names)[:size]
        found = study.measures(study.Config(), {name: everything[name] for name in chosen})
        assert all(np.isfinite(measure.value) for measure in found.values())
    assert "1d_gd_0.4_f64_error" in study.measures(TINY, tiny.units)


def test_every_claim_names_a_measure_that_a_complete_run_has():
    units = fake(study.names(study.Config.preset("paper")))
    # A run that never converges leaves out its evaluations; here all converge.
    found = study.measures(study.Config(), units)
    ledger = [claim for claim in claims.load(paths.ledger()) if claim.paper == "rnn_fwi"]
    assert len(ledger) == 90
    assert {name for claim in ledger for name in claim.measure} <= set(found)


def test_refined_survey_has_its_sources_and_receivers_at_the_same_places():
    coarse, fine = (problems._survey_2d((94 * r, 288 * r - r + 1), r, 6.0) for r in (1, 2))
    for name in ("source_locations", "receiver_locations"):
        depth, x = (getattr(s, name).double() * s.grid.spacing for s in (coarse, fine))
        np.testing.assert_array_equal(depth[..., 1], x[..., 1])
        # The first row lies one spacing under the free surface.
        np.testing.assert_array_equal(depth[..., 0] + coarse.grid.spacing, x[..., 0] + fine.grid.spacing)
    assert coarse.nt * coarse.dt == fine.nt * fine.dt
    assert float(fine.source_amplitudes.max() / coarse.source_amplitudes.max()) == pytest.approx(4, rel=1e-3)


def small_2d(extra="", frequency=6.0):
    truth = np.full((20, 30), 2000.0)
    truth[10:] = 2500
    survey = Survey(
        Grid((20, 30), 10.0), 1e-3, 120, [[[2, 15]]], [[[1, i] for i in range(30)]], ricker(20.0, 1e-3, 120)[None, None]
    )
    observed = propagate(torch.as_tensor(truth, dtype=torch.float32), survey)
    return problems.Problem(survey, observed, truth, np.full((20, 30), 2000.0, np.float32), 1)


@pytest.mark.parametrize(("extra", "method"), [("", "lbfgs-1000"), ("", "adam-100"), ("continuation", "cg")])
def test_marmousi_unit_resumes_from_its_journal(tmp_path, monkeypatch, extra, method):
    monkeypatch.setattr(descents, "problem_2d", small_2d)
    config = study.Config(marmousi_share=0.02 if method == "lbfgs-1000" else 0.2)
    name = f"{extra or 'marmousi'}-{method}"
    whole = dict(computed(study, config, [name]))[name]
    calls: list[int] = []
    evaluate = problems.Problem.objective

    def dies(self, model):
        if len(calls) == 7:
            raise KeyboardInterrupt
        calls.append(1)
        return evaluate(self, model)

    monkeypatch.setattr(problems.Problem, "objective", dies)
    with pytest.raises(KeyboardInterrupt):
        dict(computed(study, config, [name], tmp_path))
    calls.append(1)
    again = dict(computed(study, config, [name], tmp_path))[name]
    assert len(calls) - 1 == whole["misfit"].size
    for key in set(whole) - {"seconds"}:
        np.testing.assert_array_equal(again[key], whole[key])
    budget = 20  # of each of the three configurations
    assert whole["frame_at"][0] == 0 and whole["frame_at"][-1] == budget
    if extra:
        # 6, 6 and 8 evaluations: the model at the end of each stage.
        assert list(whole["frame_at"]) == [0, 6, 12, 20]
    assert not again["frames"][0][1:].std() > again["frames"][-1][1:].std()


def test_blocks_of_a_descent_go_on_from_one_another(tmp_path, monkeypatch):
    monkeypatch.setattr(descents, "problem_2d", small_2d)
    evaluate = problems.Problem.objective
    calls: list[int] = []

    def counted(self, model):
        calls.append(1)
        return evaluate(self, model)

    monkeypatch.setattr(problems.Problem, "objective", counted)
    config = study.Config(marmousi_share=0.01)
    blocks = ["marmousi-lbfgs-200", "marmousi-lbfgs-600"]
    short, long = (units for _, units in computed(study, config, blocks, tmp_path))
    assert len(calls) == long["misfit"].size == 7 and short["misfit"].size == 3
    np.testing.assert_array_equal(long["misfit"][:3], short["misfit"])
    units = [study.unit(name) for name in ("theory", *blocks, "marmousi-setup", "marmousi-cost", "noise-cg")]
    assert [[unit.name for unit in batch] for batch in study.batches(config, units)] == [
        ["theory"],
        blocks,
        ["marmousi-setup"],
        ["marmousi-cost"],
        ["noise-cg"],
    ]


def test_only_the_longest_descent_ships_its_film():
    units = fake(["marmousi-adam-100", "marmousi-cg-100", "marmousi-cg-800", "marmousi-setup", "noise-cg"])
    shipped = study.condense(units)
    assert list(shipped) == list(units)
    whole = 1 + len(FRAMES)
    kept = [len(shipped[name]["frames"]) for name in units if name != "marmousi-setup"]
    assert kept == [whole, 1, whole, whole]
    assert shipped["marmousi-cg-100"]["frame_at"] == units["marmousi-cg-100"]["frame_at"][-1]
    assert len(units["marmousi-cg-100"]["frames"]) == whole
    assert study.condense(shipped).keys() == units.keys()


def test_tables_and_selections():
    units = fake(study.names(study.Config.preset("paper")))
    chosen = tables.legend(units, "gd", "adam-40", "cg")
    assert list(chosen) == [f"gradient descent {r}" for r in (0.2, 0.4, 0.6, 0.8)] + ["Adam 40", "CG"]
    assert tables.legend(units, "momentum") != tables.legend(units, "momentum_b")
    assert tables.legend(units, "linear", "cg", setting="linear") == {"CG": units["linear-cg-f64"]}
    assert list(tables.eigenvalues(units).values()) == [(4.0, 1.0)] * 5
    assert len(tables.table(chosen).splitlines()) == 2 + len(chosen)
    assert "more than 3" in tables.table({"x": {**units["1d-cg-f64"], "misfit": np.ones(4)}})
    assert tables.speeds(units, "adam")[0][0] == 0.8
    assert [len(t) for t in tables.sensitivity(units)] == [5, 5]
    assert [len(t) for t in tables.extras(units)] == [5, 5]
    runs = tables.marmousi(units)
    assert list(runs) == ["Adam", "CG", "L-BFGS"] and runs["CG"] is units["marmousi-cg-1420"]
    # Eight stops and the last evaluation of three runs; an evaluation of CG takes 2 s.
    cost = tables.costs(units)
    lines = tables.marmousi_table(runs, cost).splitlines()
    assert len(lines) == 2 + 3 * 9 and " 50.0 |" in next(line for line in lines if "| CG | 1500 |" in line)
    assert cost == {"Adam": 2.0, "L-BFGS": 2.5, "CG": 2.0} and tables.costs({}) == {}
    assert "derivative" in tables.errata({"theory": units["theory"]})
    assert "| the gradient | 1.50 | 1.000000 |" in tables.slopes(units["theory"])
    assert len(tables.curvatures(units).splitlines()) == 2 + 5 and "not run" in tables.curvatures({})
    network = {
        **units["network"],
        "methods": np.array(["gd-0.4", "adam-40", "cg"]),
        "error_network": np.full((3, 12), 99.0),
    }
    assert "| gradient descent 0.4 | 11 | 0.1000 | 99.0 | below 1e-10 |" in tables.network(network)
    far = {**network, "misfit_kernels": 1.001 * network["misfit_network"]}
    assert "below" not in tables.network(far)


def test_no_number_of_a_table_or_a_sentence_is_a_power_of_ten_in_a_programs_words():
    units = studies.shipped(study).units
    runs = tables.marmousi(units)
    text = tables.table(told.everything(units)) + tables.marmousi_table(runs, tables.costs(units))
    text += tables.winners(units) + " ".join(quoted.numbers(units, studies.shipped_measures(study)).values())
    assert re.findall(r"\S*\de[-+]\d+", text) == []
    assert "| GD" not in text and "| gradient descent 0.8 | more than 1000 | 26.8 | 2,000 | 171 | 1 |" in text


def test_the_closest_model_wins_a_harder_setting():
    """CG has the smallest error, Adam the smallest misfit: the model decides."""
    units = fake(study.names(study.Config.preset("paper")))
    for method, (error, misfit) in {"adam": (300.0, 0.01), "cg": (200.0, 0.02), "lbfgs": (250.0, 0.03)}.items():
        unit = units[f"noise-{method}"]
        unit |= {"error": np.linspace(400, error, 101), "ssim": np.linspace(0.1, 1e-3 * error, 101)}
        unit |= {"misfit": np.linspace(1, misfit, 101)}
    rows = [line for line in tables.winners(units).splitlines() if line.startswith("| noise")]
    start, results = "400 / 0.10 / 100", "300 / 0.30 / 1 | 200 / 0.20 / 2 | 250 / 0.25 / 3"
    assert rows == [f"| noise at 10 dB | {start} | {results} | CG | Adam |"]
    # Ten metres per second apart is no victory.
    units["noise-lbfgs"]["error"] = np.linspace(400, 210, 101)
    assert " 210 / 0.25 / 3 | level | Adam |" in tables.winners(units)
    for name in set(tables.HARDER) - {"noise"}:
        del units[f"{name}-cg"]
    assert len(tables.winners(units).splitlines()) == 2 + 2
    # In the paper's own setting all three are made alike.
    found = tables.wins(units)
    assert (found["settings"], found["cg_error"], found["lbfgs_error"], found["adam_ssim"]) == (2, 2, 1, 2)
    assert found["adam_last"] == 2 and found["cg_last"] == 1


def test_an_evaluation_costs_what_the_processor_spent(monkeypatch):
    monkeypatch.setattr(descents, "problem_2d", small_2d)
    found = descents._cost(iterations=2, turns=2)
    assert list(found["methods"]) == list(descents.MARMOUSI) and found["cost"].shape == (3,)
    assert (found["cost"] > 0).all()


def test_figures_have_labelled_axes():
    units = fake(study.names(study.Config.preset("paper")))
    run, film, setup = units["1d-cg-f64"], units["marmousi-cg-1420"], units["marmousi-setup"]
    speed, error = tables.sensitivity(units)
    everything = told.everything(units)
    figures = [
        courses.study({"Adam 4": run, "Adam 40": run}, limit=9),
        courses.race({"CG": run, "Adam 40": run}, limit=9, title="a message"),
        courses.rate_figure(told.rates(units), 10, {"momentum": 1.0}, told.RANGES, "two"),
        courses.rate_figure({"a": {"Adam": [(1.0, 3.0), (2.0, np.inf)]}}, 10, {}, {}, fleeting={"Adam": [1.0]}),
        courses.ends(everything, list(tables.LABELS.values()), told.alike_title(everything)),
        courses.long_race({"CG": film}, 100),
        courses.losses({"CG": film}, {"CG": 2.0}),
        courses.losses({"CG": film}, {}),
        courses.dots_figure({"speed": speed, "error": error}, "a message"),
        plots.taylor_figure(units["theory"]["steps"], units["theory"]["remainders"]),
        plots.hessian_figure(np.ones(3), np.ones(5), [0.4, 0.6]),
        plots.line_figure(run),
        plots.gather_figure(np.eye(9), np.ones((9, 20)), (2, 3), 1e-3),
        plots.gathers(setup["gathers"], 1e-3, 10.0),
        plots.panels(told.stages(setup["velocity"], film, (100, 800, 1420)), title="a message"),
        plots.scaling(
            [
                {"varied": v, v: n, "forward_s": n, "gradient_s": 5 * n, "workspace_bytes": 2**20}
                for v in ("nt", "cells", "shots", "threads")
                for n in (1, 2, 4)
            ]
        ),
        plots.columns(setup["velocity"], {"CG": film}),
    ]
    for figure in figures:
        assert isinstance(figure, Figure) and any(axis.get_xlabel() for axis in figure.axes)
        figure.canvas.draw()
        plt.close(figure)
    assert plots.film(*told.film("CG", film)).startswith(b"GIF89a")
    assert plots.missing("nothing").axes[0].texts[0].get_text() == "nothing"
    plt.close("all")


def test_a_method_has_its_colour_and_names_at_the_ends_keep_apart():
    figure = courses.race({name: descent_of(1e-3, 90.0) for name in ("Adam 40", "CG", "L-BFGS")})
    assert [line.get_color() for line in figure.axes[0].lines] == [
        style.PALETTE[name] for name in ("Adam", "CG", "L-BFGS")
    ]
    assert {line.get_linestyle() for line in figure.axes[0].lines} == {"-"}
    shades = courses.race({f"gradient descent {rate}": descent_of(1e-3, 90.0) for rate in (0.2, 0.4, 0.6)})
    assert len({line.get_linestyle() for line in shades.axes[0].lines}) == 3  # one colour, three strokes
    names = [text for text in figure.axes[1].texts if text.get_text() in ("Adam 40", "CG", "L-BFGS")]
    heights = sorted(name.xy[1] for name in names)
    assert len(heights) == 3 and np.diff(heights).min() > 0.07 and 0 <= heights[0] <= heights[-1] <= 1
    plt.close("all")


def test_no_mark_hides_another():
    points = [(1.0, 30.0), (2.0, 40.0), (4.0, np.inf)]
    rates = {"a": {"gradient descent": points, "momentum": points}}
    ax = courses.rate_figure(rates, 100, {}, {}, fleeting={"gradient descent": [1.0]}).axes[0]
    line, ring, lost, other, _, lost_too, _ = ax.lines
    assert ring.get_xdata().tolist() == [1.0] and ring.get_markerfacecolor() == "none"
    assert ring.get_markersize() > 2 * line.get_markersize() > 2 * other.get_markersize()  # both are seen
    assert line.get_linewidth() > 1.5 * other.get_linewidth()
    # Shapes, and not colours alone, tell methods apart, also of runs that never got there.
    assert [each.get_marker() for each in (line, lost, other, lost_too)] == ["o", "o", "s", "s"]
    assert lost.get_markerfacecolor() == "none" and lost.get_ydata()[0] > 100
    level = courses.dots_figure({"error": {"a": {"Adam": 320.0, "L-BFGS": 320.0}}}).axes[0]
    assert len({float(drawn.get_ydata()[0]) for drawn in level.lines}) == 2  # one below the other
    runs = {"Adam 40": descent_of(1e-3, 90.0), "CG": descent_of(1e-4, 80.0)}
    texts = [text.get_text() for text in courses.ends(runs, ["Adam", "CG"], named=["Adam 40"]).axes[0].texts]
    assert "Adam 40" in texts and "CG" not in texts
    runs["TNC"] = descent_of(0.5, 300.0)  # which would squeeze the others into a heap
    ax = courses.ends(runs, ["Adam", "CG", "TNC"], named=["Adam 40"]).axes[0]
    assert all(len(line.get_xdata()) for line in ax.lines)  # an empty one widens the drawing by a blank strip
    assert "TNC: 300 ↑" in [text.get_text() for text in ax.texts] and ax.get_ylim()[1] < 200
    assert any(text.arrow_patch for text in ax.texts if text.get_text() == "Adam 40")
    plt.close("all")


def descent_of(misfit, error, n=200):
    """Return a 1-D run that ends at a share of the first misfit and at a model error."""
    truth = velocity.four_layers()
    run = {"misfit": np.geomspace(1, misfit, n + 1), "error": np.linspace(140, error, n + 1)}
    return {**run, "truth": truth, "start": truth, "model": truth}


def test_messages_are_made_from_what_is_drawn():
    runs = {"Adam 40": descent_of(1e-4, 100.0), "CG": descent_of(1e-8, 90.0), "TNC": descent_of(0.5, 99.0)}
    first = "CG is the first to come to 1 % of the misfit"
    assert told.order(runs) == f"{first}, TNC never does"
    assert told.order({name: runs[name] for name in ("Adam 40", "CG")}) == f"{first}, Adam 40 the last"
    assert told.order({"CG": runs["CG"]}) == first
    assert told.order({"TNC": runs["TNC"]}) == "No method came to 1 % of the misfit"
    rising = {**runs["CG"], "misfit": np.append(runs["CG"]["misfit"], 0.2)}
    gd = {"gradient descent 0.2": runs["CG"], "gradient descent 0.4": rising}
    assert told.settling(gd) == "The misfit falls at 0.2, rises again at 0.4"
    assert told.settling({"gradient descent 0.2": runs["CG"]}) == "The misfit falls at 0.2"
    worse = {**rising, "error": np.append(rising["error"], 171.0)}
    walls = "one curve, up and down with every step. At 0.6 the last model is 171 m/s off, the start 140. "
    walls += "GD: gradient descent."
    assert told.settling_caption({**gd, "gradient descent 0.6": worse}).endswith(walls)
    bumpy = {"gradient descent 0.6": {**worse, "misfit": np.append(rising["misfit"], 0.1)}}
    assert (
        "every step. After the jump its misfit falls, slowly, and its model error rises. At 0.6"
        in told.settling_caption(bumpy)
    )
    high = {"gradient descent 0.6": {**worse, "misfit": np.array([1, 0.1, 0.01, 0.5, 0.6, 0.7, 0.9, 0.89])}}
    assert "After the jump" not in told.settling_caption(high)  # it stays up
    assert "bounce" not in told.settling_caption({"gradient descent 0.2": runs["CG"]})
    drawn = "as in the paper's Figure 15, all in double precision."
    crossed = "After 200 evaluations Adam 40 fits better than TNC, and its model is worse"
    assert told.race_title(runs, 200) == crossed
    assert told.race_caption(runs, 200) == f"Adam 40, CG and TNC, {drawn} {told.order(runs)}."
    pair = {name: runs[name] for name in ("Adam 40", "CG")}
    assert told.race_caption(pair, 200) == f"Adam 40 and CG, {drawn}" and told.race_title(pair, 200) == told.order(pair)
    assert told.race_caption({"CG": runs["CG"]}, 200) == f"CG, {drawn}"
    assert told.after(runs, 200) == "After 200 evaluations the models of Adam 40, CG and TNC are level"
    assert told.after({"CG": descent_of(1e-3, 354.6)}, 200).endswith("the model of CG is 355 m/s off")
    far = {**runs, "GD": descent_of(1e-3, 120.0), "Adam 4": descent_of(1e-3, 130.0, 50)}
    assert told.common(far) == 50 and told.common(runs) == 100
    assert told.after(far, 200).endswith("CG and TNC are level, and GD and Adam 4 lag behind")
    assert told.after({"CG": runs["CG"], "GD": far["GD"]}, 200).endswith("CG has the best model, and GD lags behind")
    layers = {"truth": np.repeat([2000.0, 3000.0, 4000.0], 5)}
    assert told.velocities_title(layers) == "One trace has to tell 15 velocities, of 3 layers"
    assert tables.rounded(317.4) == "320" and told.between([28.0, 29.0, 28.0]) == "28 to 29"
    assert told.between([83.2, 82.9]) == "83"


def test_misfit_and_model_are_compared_among_the_runs_that_fit():
    agree = {f"Adam {n}": descent_of(10.0 ** -(3 + n), 120.0 - n) for n in range(6)}
    unfit = {"Adam 9": descent_of(0.5, 10.0)}
    found = told.alike({**agree, **unfit})
    assert found["count"] == 6 and found["rho"] == pytest.approx(1)
    against = {f"Adam {n}": descent_of(10.0 ** -(3 + n), 100.0 + n) for n in range(6)}
    assert told.alike(against)["rho"] == pytest.approx(-1)
    assert told.alike_title(agree) == "Among the 6 runs that fit to 1 % a better fit goes with a better model"
    assert told.alike_title(against) == "Among the 6 runs that fit to 1 % a better fit goes with a worse model"
    searches = {"CG": descent_of(1e-9, 90.0), "L-BFGS": descent_of(1e-10, 89.0)}
    both = told.alike_title(against | searches)
    assert both == "Among the 8 runs that fit to 1 % a better fit is no sign of a better model"
    assert told.alike_title(unfit) == "0 runs fit to 1 %"
    assert told.alike({f"Adam {n}": descent_of(1e-3, 100.0) for n in range(6)}) == {"count": 6}


def test_a_page_says_whose_run_it_shows_where_the_parameters_are_a_readers_own():
    cells = json.loads(paths.notebook("rnn_fwi").read_text(encoding="utf-8"))["cells"]
    (cell,) = (cell for cell in cells if cell["id"] == "scope")
    config, shown = study.Config(), {"told": told, "Markdown": str}
    assert cell["outputs"] == [] and eval("".join(cell["source"]), {**shown, "config": config}) is None
    mine = eval("".join(cell["source"]), {**shown, "config": study.Config(iterations=3)})
    assert "your run" in mine and "precomputed" in mine


def test_ten_metres_per_second_are_level():
    rows = {"a": {"Adam": 300, "CG": 350, "L-BFGS": 291}, "b": {"Adam": 300, "CG": 310, "L-BFGS": 280}}
    assert told.level(rows) == {"settings": 2, "level": 1, "lbfgs": 1, "adam": 0, "cg_last": 2}
    similar = {"a": {"Adam": 0.5, "CG": 0.4, "L-BFGS": 0.3}, "b": {"Adam": 0.5, "CG": 0.4, "L-BFGS": 0.6}}
    assert told.level_title(rows, similar) == "CG has the worst model in all 2 settings, by error"
    similar["a"]["L-BFGS"] = 0.45
    assert told.level_title(rows, similar).endswith("all 2 settings, by error and by structure")
    rows["b"]["L-BFGS"] = 320
    assert told.level_title(rows, similar) == "CG has the worst model in 1 of 2 settings, by error"
    assert told.level_title({"a": {"Adam": 300}}, {}) == "In no setting all methods were run"
    assert told.level({"a": {"Adam": 300}})["settings"] == 0


def test_a_run_that_ended_is_shown_where_it_ended():
    """Non-linear CG had 1420 evaluations and stopped at 1014."""
    film = fake(["marmousi-cg-1420"])["marmousi-cg-1420"]
    short = {**film, **{name: film[name][:1015] for name in ("misfit", "error", "ssim")}}
    titles = list(told.stages(np.ones((3, 4)), short, (400, 800, 1420, 1500)))
    assert titles[0] == "truth" and [title.split(":")[0] for title in titles[1:]] == [
        f"evaluation {n}" for n in (400, 800, 1014)
    ]
    np.testing.assert_array_equal(told.frame(film, 110), film["frames"][3])
    assert list(told.opening({"velocity": 1, "first": 2}, {"L-BFGS": short}))[2].startswith("L-BFGS after 1014: ")


def test_the_chapter_opens_with_two_optimisers_after_as_many_evaluations():
    def run(kept, left):
        n = max(kept) + 1
        frames = np.array(kept)[:, None, None] * np.ones((1, 3, 4))
        return {"misfit": np.ones(n), "error": np.linspace(400, left, n), "frame_at": np.array(kept), "frames": frames}

    runs = {"Adam": run([0, 50, 100], 320), "L-BFGS": run([0, 53, 105, 1000], 280)}
    found = told.opening({"velocity": 1, "first": 2}, runs)
    after = runs["L-BFGS"]["error"][105]
    names = ["the start: 400 m/s off", "Adam after 100: 320 m/s off"]
    assert list(found)[1:] == [*names, f"L-BFGS after 105: {after:.0f} m/s off"]
    assert list(found.values())[3].max() == 105
    told_left = ": after about 100 evaluations 80 to 97 % of the start's error is left"
    assert told.opening_title(runs) == f"Adam and L-BFGS{told_left}"
    level = {**runs, "L-BFGS": {**runs["L-BFGS"], "error": np.full(1001, 325.0)}}
    assert told.opening_title(level).startswith("Adam and L-BFGS are level: after about 100 evaluations ")
    assert told.opening_title({}) == "What an inversion makes of a blurred start"


def test_rates_within_and_beyond_the_papers_ranges_are_told_apart():
    counts = {"adam-0.8": 190, "adam-4": 149, "adam-40": 36, "adam-100": 37, "rmsprop-4": 136, "adagrad-4": None}
    units = {}
    for name, count in counts.items():
        misfit = np.ones(201)
        if count is not None:
            misfit[count:] = 5e-4
        if name == "adam-100":
            misfit[-1] = 0.5  # did not stay
        unit = {"misfit": misfit, "error": np.linspace(140, 100, 201), "change": np.linspace(1, 2, 201)}
        units[f"1d-{name}-f64"] = unit
    found = quoted.numbers(units, {})
    assert (found["adam_inside"], found["rmsprop_inside"]) == ("36 (at 40) and 37 (at 100)", "136 (at 4)")
    assert (found["adagrad_inside"], found["outside_least"]) == ("(not run)", "149 (Adam at 4)")
    assert (found["adam_inside_misfit"], found["adam_inside_errors"]) == ("50", "100 (at 40) and 100 (at 100)")
    assert found["adam_step_at"] == "0.8 m/s, in update 200"
    assert (found["adam_slow_misfit"], found["adam_slow_error"]) == ("0.05", "100")
    assert found["adam_inside_ratio"] == "1.0" and found["adam_fast_fine"] == "37"
    assert told.fleeting(units) == {"Adam": [100.0]}


def test_what_the_words_say_of_the_precomputed_runs_holds():
    units = studies.shipped(study).units
    runs = told.everything(units)
    fits = {name: run for name, run in runs.items() if run["misfit"][-1] < 0.01 * run["misfit"][0]}
    by_model = sorted(fits, key=lambda name: fits[name]["error"][-1])
    by_misfit = sorted(fits, key=lambda name: fits[name]["misfit"][-1])
    assert set(by_model[:2]) == {"CG", "L-BFGS"} < set(by_misfit[:3])
    assert told.alike(runs)["low"] < 0 < told.alike(runs)["high"]  # no trend is seen
    assert told.fleeting(units) == {"gradient descent": [0.6]}
    # The best fit of all has a worse model than gradient descent; a rate beyond its limit ends worse than the start.
    assert by_misfit[0] == "TNC" and runs["TNC"]["error"][-1] > runs["gradient descent 0.4"]["error"][-1]
    over, slow = runs["momentum 1"], runs["Adam 0.8"]
    assert min(over["error"][-1], slow["error"][-1]) > over["error"][0]
    found = studies.shipped_measures(study)
    assert found["momentum_rate_limit"].value < 1 < found["momentum_b_rate_limit"].value / 5
    # Both rates that fail are below the limit at the start.
    assert 2 / found["hessian_eigenvalue_at_start"].value > 0.8
    # Adam's model is the worst early, while the misfit falls by a thousand times after.
    adam = runs["Adam 40"]
    assert adam["error"][20:].max() < adam["error"][:20].max() and adam["misfit"][-1] < 1e-3 * adam["misfit"][20]
    assert (np.diff(adam["error"][[12, 100, 200, 1000]]) < 0).all()
    error, similar = tables.extras(units)
    paper, low = error["as in the paper"], error["low frequencies first"]
    assert all(low[name] > paper[name] for name in paper)
    assert all(row["Adam"] > row["L-BFGS"] > row["CG"] for row in similar.values())
    assert paper["Adam"] - paper["L-BFGS"] < tables.LEVEL
    large = tables.marmousi(units)
    last = {name: (run["misfit"][-1], run["error"][-1]) for name, run in large.items()}
    assert all(np.less(last["L-BFGS"], last["Adam"]))
    # A multiple of the top layer arrives between reflections 2 and 3.
    truth = velocity.four_layers()
    arrival = np.cumsum(20 / truth)[np.flatnonzero(np.diff(truth))]
    assert arrival[1] < 2 * arrival[0] < arrival[2]


def test_what_the_chapter_says_of_the_ledger_holds():
    from geolib.book import verify

    rows = verify.rows(["rnn_fwi"])["rnn_fwi"]
    card = verify.scorecard(rows)
    # A good part is reproduced, about as much mixed.
    assert card["reproduced"] > card["claims"] / 3 and 0.8 < card["mixed"] / card["reproduced"] < 1.25
    (fastest,) = (row for row in rows if row["id"] == "rnn_fwi.adam-fastest")
    assert (fastest["verdict"], fastest["robust"]["verdict"]) == ("reproduced", "fragile")
    assert fastest["robust"]["turns_with"] == ["converged at 0.1% of the first misfit"]


def test_a_descent_that_jumps_back_late_is_told():
    falls = {**descent_of(1e-5, 90.0, 100), "change": np.ones(101)}
    jumps = {**falls, "misfit": np.append(falls["misfit"], [0.28, 1e-5])}
    units = {"1d-adam-40-f64": falls, "1d-adam-100-f64": jumps}
    assert quoted.numbers(units, {})["adam_jumps"] == "28 % (at 100 m/s, evaluation 101)"
    assert quoted.numbers({"1d-adam-40-f64": falls}, {})["adam_jumps"] == "(not run)"


def test_line_searches_that_stop_by_themselves_are_told_of_single_precision():
    units = {f"1d-{name}-f32": {**descent_of(1e-3, 90.0, n)} for name, n in (("cg", 63), ("lbfgs", 41))}
    units["1d-adam-40-f64"] = {**descent_of(1e-3, 90.0, 100), "change": np.ones(101)}
    assert quoted.numbers(units, {})["stopped_single"] == "41 to 63"
    units["1d-tnc-f32"] = descent_of(1e-3, 90.0, 100)
    assert quoted.numbers(units, {})["stopped_single"] == "(not run)"


def test_every_number_that_sentences_quote_is_there_and_no_other():
    named, answers = set(), set()
    for page in study.pages:
        for cell in json.loads(paths.notebook(page).read_text(encoding="utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "markdown":
                named |= set(re.findall(r"\{glue:text\}`(\w+)`", source))
            else:  # what an exercise's code gives to the answer above it
                answers |= set(re.findall(r"\"(exercise_\w+)\"", json.dumps(cell.get("outputs"))))
    assert named & answers
    named -= answers
    assert named == set(quoted.QUOTED)
    shipped = studies.shipped(study)
    found = quoted.numbers(shipped.units, studies.shipped_measures(study))
    assert "(not run)" not in {found[name] for name in named}
    assert set(quoted.numbers({}, {}).values()) == {"(not run)", "0"}  # no setting was run, so none was won


def test_what_is_computed_again_is_compared_as_far_as_both_go(tiny):
    # The start, which all descents share, is no part of it.
    assert all(pair[0].size == 3 for pair in told.recheck(tiny.units, tiny.units).values())
    before = {**tiny.units, "hessian": {"estimates": np.ones(3)}}
    longer = {**before, "1d-gd-0.4-f64": {"misfit": np.append(tiny.units["1d-gd-0.4-f64"]["misfit"], 0.1)}}
    rows = told.recheck(tiny.units, longer)
    assert list(rows) == ["misfits of gradient descent at 0.4", "first misfits of L-BFGS"]
    assert [show.digits(*pair) for pair in rows.values()] == [12, 12]
    assert told.recheck(tiny.units, {}) == {} and told.recheck({}, before) == {}


@pytest.mark.parametrize("there", [True, False])
def test_a_gather_of_a_model_that_stands_in_is_not_compared(monkeypatch, tmp_path, there):
    monkeypatch.setattr(told.fetch, "locate", lambda name: tmp_path / name if there else None)
    units = {"gather": {"gather": np.ones(3)}, "hessian": {"estimates": np.ones(2)}}
    assert len(told.recheck(units, units)) == 1 + there


def test_the_printed_algorithm_ends_at_the_gradient_and_the_errata_say_how_far_its_middle_is_off():
    found = _rnn_theory.as_printed()
    assert found["last_line"] < 1e-12
    assert found["quadratic"] == pytest.approx(1, abs=1e-2) and found["quadratic"] != 1  # of second order, not exact
    # The same recursion named dJ/du gives g (v / v at the receiver)^2: a descent direction, and no gradient.
    assert found["named_scale"] < 1e-12 and 0.5 < found["named_cosine"] < 0.99
    ratio = found["named_ratio"]
    (entry,) = (e for e in claims.errata(paths.ledger()) if e["place"] == "Equations A-8 to A-11 and 7b")
    for text in (
        f"{ratio.min():.1f} to {ratio.max():.0f} times",
        f"in the median {np.median(ratio):.2f}",
        f"cosine {found['named_cosine']:.2f}",
    ):
        assert text in entry["why"], text


@pytest.mark.parametrize(
    ("method", "scale", "least", "most"),
    [
        ("lbfgs", 1e-6, 10, 25),
        ("lbfgs", 1.0, 10, 25),
        ("lbfgs", 1e6, 10, 25),
        ("cg", 1e-2, 60, 100),
        ("cg", 1.0, 22, 36),
        ("cg", 1e6, 22, 45),
    ],
)
def test_other_units_of_the_misfit_cost_lbfgs_a_few_evaluations_and_cg_many(method, scale, least, most):
    problem = problems.problem_1d()

    def objective(model):
        misfit, gradient = problem.objective(model)
        return scale * misfit, scale * gradient

    found = descent.minimize(objective, problem.start, method, iterations=most, bounds=(1000.0, 8000.0))
    # 15 and 29 in the units of the chapter. Trial steps of scipy's CG are at most one gradient long.
    assert least <= np.flatnonzero(found.misfit < 0.01 * found.misfit[0])[0] <= most


def test_a_gradient_that_sees_the_wrong_step_or_place_is_none():
    velocity = _rnn_theory.models.smooth(_rnn_theory.models.four_layers(nz=120), 6.0)
    source = _rnn_theory.ricker(10.0, _rnn_theory.DT, _rnn_theory.NT, 0.1).numpy().astype(float)
    observed = _rnn_theory._forward(_rnn_theory.models.four_layers(nz=120), source)[0]
    exact = _rnn_theory._gradient(velocity, source, observed).sum(0)
    last = _rnn_theory._last_line(velocity, source, observed)
    assert np.allclose(last, exact, rtol=1e-9, atol=1e-12 * np.abs(exact).max())
    late = _rnn_theory._gradient(velocity, source, observed, printed_a10=True).sum(0)
    assert np.linalg.norm(late - exact) > 1e-3 * np.linalg.norm(exact)


def test_other_choices_judge_only_what_rests_on_them():
    units = studies.shipped(studies.get("rnn_fwi")).units
    found = otherwise.variants(units)
    base = measures.measures({name: arrays for name, arrays in units.items() if name.startswith("1d-")})
    strict = found["converged at 0.1% of the first misfit"]
    assert "adam_fastest_of_five" in strict and "1d_gd_0.4_f64_roughness" not in strict
    assert strict["adam_fastest_of_five"] != base["adam_fastest_of_five"]
    assert "cg_model" in found["a well matched model is closer by a tenth"]
    # A descent that never comes to a tenth of a per cent is judged, and not left out.
    assert base["1d_rmsprop_4_f64_evaluations"].value < 200
    assert strict["1d_rmsprop_4_f64_evaluations"].value == np.inf


def test_the_erratum_on_adams_bound_quotes_what_is_measured():
    found = studies.shipped_measures(study)
    entry = next(each for each in claims.errata(paths.ledger()) if each["id"] == "rnn_fwi.11")
    for name, digits in (("adam_largest_step", 2), ("adam_largest_step_recommended", 4)):
        assert f"{found[name].value:.{digits}f} $" in entry["correct"]
