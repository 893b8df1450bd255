"""Own data in: the survey that files make, the page's numbers, and what identifies results."""

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest
import torch

from geolib import cli, studies
from geolib.book import reruns
from geolib.datasets import velocity
from geolib.studies import examples
from geolib.studies.rnn_fwi import own as fwi
from geolib.waves import longest_step, propagate

DEPTH = np.arange(20)[:, None]
MODEL = (1800 + 30.0 * DEPTH + np.zeros((20, 30))).astype(np.float32)


@pytest.fixture
def gathers(tmp_path):
    """A survey with its files: 2 shots, 5 receivers, sampled at twice the step that is stable, a dead trace."""
    np.save(tmp_path / "v.npy", MODEL)
    rows = [f"{s},10,{x},10,{r}" for s, x in ((1, 50), (2, 200)) for r in range(30, 280, 50)]
    head = "shot,source_depth,source_x,receiver_depth,receiver_x"
    (tmp_path / "g.csv").write_text("\n".join([head, *rows]))
    data = np.zeros((2, 5, 150), dtype=np.float32)
    data[..., 60] = 1
    np.save(tmp_path / "d.npy", data)
    config = fwi.OwnConfig(velocity=str(tmp_path / "v.npy"), geometry=str(tmp_path / "g.csv"), frequency=10.0, dt=4e-3)
    config = fwi.OwnConfig(**config.as_dict() | {"gathers": str(tmp_path / "d.npy")})
    made = fwi.problem(config)
    made_data = propagate(torch.from_numpy(MODEL), made.survey, space_order=4)
    finer = made.survey.nt // 150
    data = made_data[..., ::finer].numpy()
    data[1, 3] = 0
    np.save(tmp_path / "d.npy", data)
    return config


def test_a_velocity_alone_is_the_truth(tmp_path):
    np.save(tmp_path / "v.npy", MODEL / 1000)
    config = fwi.OwnConfig(
        velocity=str(tmp_path / "v.npy"),
        velocity_unit="km/s",
        seconds=0.2,
        shots=2,
        iterations=3,
        optimisers=("lbfgs",),
    )
    made = fwi.problem(config)
    np.testing.assert_allclose(made.truth, MODEL, rtol=1e-6)
    assert made.known and made.survey.n_shots == 2 and made.survey.receiver_locations.shape == (2, 30, 2)
    units = studies.run(fwi.STUDY, config).units
    run = units["own-lbfgs"]
    assert run["misfit"].min() < run["misfit"][0] and run["error"].shape == run["misfit"].shape
    assert (
        fwi.table(fwi.named(units)).splitlines()[0]
        == "| optimiser | evaluations | misfit, of the start's | model error (m/s) |"
    )


def test_gathers_make_the_velocity_the_start(gathers):
    made = fwi.problem(gathers)
    assert not made.known and made.survey.nt > 150 and made.survey.nt % 150 == 0
    assert made.alive.tolist() == [[True] * 5, [True, True, True, False, True]]
    np.testing.assert_array_equal(made.survey.source_locations, [[[1, 5]], [[1, 20]]])
    np.testing.assert_array_equal(made.survey.receiver_locations[0, :, 1], [3, 8, 13, 18, 23])
    # The data are of this velocity, with this wavelet and another strength: the gradient is nearly nothing, which a
    # trace taken for silent would spoil, and resampling leaves a few thousandths.
    misfit, _ = made.objective(made.start)
    assert misfit < 1e-3 * float(made.observed.square().sum() / 4)
    whole = fwi.Own(made.survey, made.observed, made.truth, made.start)
    assert whole.objective(made.start)[0] > 10 * misfit


def test_a_truth_beside_gathers_judges_models_and_changes_none(gathers, tmp_path):
    truth = MODEL + 4000 * (DEPTH > 14)  # far beyond what an inversion from this start may reach
    np.save(tmp_path / "t.npy", truth)
    alone = replace(gathers, optimisers=("adam", "lbfgs"), iterations=2)
    told = replace(alone, truth=str(tmp_path / "t.npy"))
    made = fwi.problem(told)
    assert made.known and made.bounds == fwi.problem(alone).bounds
    np.testing.assert_array_equal(made.truth, truth)
    np.testing.assert_array_equal(made.start, MODEL)
    found, before = (studies.run(fwi.STUDY, config).units for config in (told, alone))
    for unit, run in found.items():
        assert set(run) - set(before[unit]) == {"error", "truth"}
        for name, values in before[unit].items():
            np.testing.assert_array_equal(run[name], values)
        assert run["error"][0] == pytest.approx(2000, rel=1e-6)  # 4000 m/s in a quarter of the rows
    heads, _, *rows = fwi.table(fwi.named(found)).splitlines()
    assert heads.endswith("| model error (m/s) |") and all(" 2000 to " in row for row in rows)
    assert "error" not in fwi.table(fwi.named(before))
    # Start and truth exchanged, or one file for both, are other runs.
    swapped = replace(told, velocity=told.truth, truth=told.velocity)
    same = replace(told, truth=told.velocity)
    assert len({studies.whole_key(fwi.STUDY, each) for each in (told, alone, swapped, same)}) == 4
    folders = {reruns.sweep_folder("fwi_own", [each]) for each in (told, alone, fwi.OwnConfig(velocity="other.npy"))}
    assert len(folders) == 3 and reruns.sweep_folder("rnn_fwi", []).name == "rnn_fwi-sweep"
    # The data are looked at as before: what is known of the truth does not stand in their place.
    assert any("cycles" in row.check for row in fwi.certificate(told).rows)


def test_constant_and_broken_traces_are_dead_and_the_survey_is_told(gathers, tmp_path):
    made = fwi.problem(gathers)
    told = fwi.surveyed(gathers, made)
    assert told.startswith(f"**2** shots of **5** traces, 150 samples every 4 ms, of each of which {made.finer} are")
    assert "**1** dead, " in told and "turned over" in told and "Shot" not in told  # an impulse is a Ricker's opposite
    data = np.load(gathers.gathers)
    data[0, 1, 7], data[1, 0], data[1, 3] = np.nan, 3.0, 0.0
    np.save(gathers.gathers, -data)
    made = fwi.problem(gathers)
    assert made.alive.tolist() == [[True, False, True, True, True], [False, True, True, False, True]]
    told = fwi.surveyed(gathers, made)
    assert made.strength > 0 and "**3** dead, " in told and "turned over" not in told
    data[1] *= 100
    np.save(gathers.gathers, data)
    told = fwi.surveyed(gathers, fwi.problem(gathers))
    assert re.search(r"\*\*Shot 2 is [\d.]+ times as strong as shot 1: ", told)
    # Where half of the traces are broken it is the file that is wrong.
    data[0] = np.nan
    np.save(gathers.gathers, data)
    with pytest.raises(ValueError, match=r"gathers must be finite; got 750 NaN"):
        fwi.problem(gathers)


def test_what_a_run_leaves_is_the_model_of_which_all_its_numbers_speak(gathers):
    config = replace(gathers, optimisers=("adam", "lbfgs"), iterations=3, rate=400.0)
    made, units = fwi.problem(config), studies.run(fwi.STUDY, config).units
    measures, left = fwi.STUDY.measures(config, units), fwi.STUDY.arrays(config, units)
    assert set(left) == {"model-adam.npy", "model-lbfgs.npy", "wavelet.npy"}
    for method in config.optimisers:
        first = units[f"own-{method}"]["misfit"][0]
        share = made.objective(left[f"model-{method}.npy"])[0] / first
        assert measures[f"{method}.misfit"].value == pytest.approx(share, rel=1e-4)
        assert f"| {share:.3g} |" in fwi.table(fwi.named(units))
    adam = units["own-adam"]["misfit"]
    assert adam[-1] > 1.5 * adam.min()  # which was told of a model that nobody got
    # The wavelet is sampled as the gathers are, so that it may be given.
    assert len(left["wavelet.npy"]) == 150


@pytest.mark.parametrize("method", ["gd", "adam", "cg", "lbfgs"])
def test_the_unit_of_the_data_changes_no_model(gathers, method):
    """Line searches stayed at the start where amplitudes were small, and so did Adam where they were smaller."""
    data = np.load(gathers.gathers)
    slower = MODEL * np.where(DEPTH > 8, 0.95, 1).astype(np.float32)
    np.save(gathers.velocity, slower)
    config, found = replace(gathers, optimisers=(method,), iterations=6, rate=2.0), []
    for factor in (1e-6, 1e6):
        np.save(gathers.gathers, factor * data)
        (run,) = studies.run(fwi.STUDY, config).units.values()
        found.append(run["model"] - slower)
        assert run["left"] < 0.999
        exact = fwi.problem(config).objective(run["model"])[0] / run["misfit"][0]
        assert float(run["left"]) == pytest.approx(exact, rel=1e-3)
    assert np.abs(found[0]).max() > 1e-2
    np.testing.assert_allclose(found[0], found[1], atol=0.05 * np.abs(found[0]).max())


def test_the_gradient_without_dead_traces_is_that_of_its_misfit(gathers):
    made = fwi.problem(gathers)
    model = made.start.astype(np.float64) * 1.01
    double = replace(made.survey, source_amplitudes=made.survey.source_amplitudes.double())
    exact = fwi.Own(double, made.observed.double(), made.truth, made.start, 2, made.alive)
    _, gradient = exact.objective(model)
    assert (gradient[:2] == 0).all()
    step = np.zeros_like(model)
    step[2:] = np.sign(gradient[2:])
    change = exact.objective(model + 0.1 * step)[0] - exact.objective(model - 0.1 * step)[0]
    assert change / 0.2 == pytest.approx((gradient * step).sum(), rel=1e-5)


def test_what_does_not_go_together_is_refused(gathers, tmp_path):
    values = gathers.as_dict()
    with pytest.raises(ValueError, match=r"gathers must have their geometry and dt; one is missing"):
        fwi.OwnConfig(**values | {"dt": 0.0})
    with pytest.raises(ValueError, match=r"velocity must name a file; none is given\. Add -p velocity FILE"):
        fwi.OwnConfig().ready()
    np.save(tmp_path / "e.npy", np.ones((2, 4, 150)))
    with pytest.raises(ValueError, match=r"gathers must have the 2 shots and 5 receivers of geometry; .*\(2, 4, 150\)"):
        fwi.OwnConfig(**values | {"gathers": str(tmp_path / "e.npy")}).ready()
    np.save(tmp_path / "e.npy", np.zeros((2, 5, 150)))
    with pytest.raises(ValueError, match=r"gathers must hold a live trace; all are zero"):
        fwi.OwnConfig(**values | {"gathers": str(tmp_path / "e.npy")}).ready()
    with pytest.raises(ValueError, match=r"geometry must lie on the model of 38 by 58 m"):
        fwi.OwnConfig(**values | {"spacing": 2.0}).ready()


def test_positions_count_as_they_are_given_and_rows_may_lie_closer_than_columns(tmp_path):
    """On columns of 5 m positions are grid points that on columns of 10 m are none; the model is as wide."""
    head = "shot,source_depth,source_x,receiver_depth,receiver_x\n"
    (tmp_path / "g.csv").write_text(head + "\n".join(f"1,16,45,8,{x}" for x in (75, 110, 135, 180)))
    values = {"geometry": str(tmp_path / "g.csv"), "seconds": 0.25, "spacing_z": 8.0, "frequency": 8.0, "dt": 4e-4}
    made = []
    for name, spacing, columns in (("coarse", 10.0, 30), ("fine", 5.0, 59)):
        np.save(tmp_path / f"{name}.npy", np.repeat(MODEL[:, :1], columns, 1))
        config = fwi.OwnConfig(velocity=str(tmp_path / f"{name}.npy"), spacing=spacing, **values)
        made.append(fwi.problem(config))
    coarse, fine = made
    assert coarse.survey.grid.spacings == (8.0, 10.0) and fine.survey.grid.spacings == (8.0, 5.0)
    assert coarse.survey.receiver_positions[0, :, 1].tolist() == [7.5, 11.0, 13.5, 18.0]
    for made_ in (coarse, fine):
        sources, receivers = fwi.places(made_)
        np.testing.assert_allclose(sources, [[16, 45]])
        np.testing.assert_allclose(receivers, [[8, 75], [8, 110], [8, 135], [8, 180]])
    # A source of one column is half as strong where columns are half as wide.
    error = (coarse.observed - 2 * fine.observed).norm() / coarse.observed.norm()
    nearest = replace(coarse.survey, receiver_positions=coarse.survey.receiver_positions.round())
    moved = propagate(torch.from_numpy(coarse.truth).float(), nearest, space_order=4) - 2 * fine.observed
    assert float(error) < 0.03 < 0.1 < float(moved.norm() / coarse.observed.norm())
    # What is inverted knows the places too: at the truth nothing is left, and the gradient is that of the misfit.
    assert coarse.objective(coarse.truth.astype(np.float32))[0] == 0
    # A start is smoothed as far in depth as along the line, in metres.
    steep = velocity.smooth(coarse.truth, 6.0, 0, 10 / 8)
    np.testing.assert_allclose(coarse.start, steep, rtol=1e-6)
    with pytest.raises(ValueError, match=r"geometry must lie on the model of 152 by 290 m; one is at depth 160 m"):
        (tmp_path / "g.csv").write_text(head + "1,160,45,8,50")
        fwi.OwnConfig(velocity=str(tmp_path / "coarse.npy"), **values).ready()


@pytest.mark.parametrize("order", [2, 8])
def test_the_order_of_the_differences_is_the_reader_s(order, tmp_path):
    np.save(tmp_path / "v.npy", MODEL)
    values = {"velocity": str(tmp_path / "v.npy"), "seconds": 0.2, "shots": 2}
    made = fwi.problem(fwi.OwnConfig(**values, space_order=order))
    found = propagate(torch.from_numpy(MODEL), made.survey, space_order=order)
    torch.testing.assert_close(made.observed, found, rtol=0, atol=0)
    fastest = fwi.FASTER * float(MODEL.max())
    assert made.survey.dt == pytest.approx(0.95 * longest_step(made.survey.grid, fastest, order))
    # Of these very data no other order says that they fit.
    misfits = [replace(made, space_order=n).objective(MODEL)[0] for n in (2, 4, 6, 8)]
    assert [misfit == 0 for misfit in misfits] == [n == order for n in (2, 4, 6, 8)]


def test_an_order_that_there_is_not_is_refused_and_order_four_has_the_results_of_before(gathers):
    with pytest.raises(ValueError, match=r"space_order must be 2, 4, 6 or 8; got 5\. Choose one of the four\."):
        fwi.OwnConfig(**gathers.as_dict() | {"space_order": 5})
    assert fwi.OwnConfig().key() == "1ac75612217a7e0d"  # as before there was the parameter
    assert replace(gathers, space_order=8).key() != gathers.key()
    assert replace(gathers, spacing_z=5.0).key() != gathers.key()


def test_a_file_s_content_identifies_results_and_its_place_does_not(gathers, tmp_path):
    def key(config):
        return studies.whole_key(fwi.STUDY, config)

    first = key(gathers)
    (tmp_path / "moved").mkdir()
    moved = (tmp_path / "d.npy").rename(tmp_path / "moved" / "d.npy")
    other = fwi.OwnConfig(**gathers.as_dict() | {"gathers": str(moved)})
    assert key(other) == first
    np.save(moved, 2 * np.load(moved))
    assert key(other) != first
    (tmp_path / "moved" / "v.npy").write_bytes((tmp_path / "v.npy").read_bytes())
    with pytest.raises(ValueError, match=r"must be a file of a name of its own; another is v\.npy"):
        key(fwi.OwnConfig(**other.as_dict() | {"wavelet": str(tmp_path / "moved" / "v.npy")}))


def test_a_relative_path_is_of_the_folder_in_which_it_was_given(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert fwi.OwnConfig(velocity="v.npy").velocity == str(tmp_path / "v.npy")
    assert reruns.default_folder(fwi.STUDY, fwi.OwnConfig()).name.startswith("fwi_own-")


def test_certify_reads_the_same_files(gathers, capsys):
    options = [word for name in ("velocity", "gathers", "geometry") for word in ("-p", name, getattr(gathers, name))]
    assert cli.main(["certify", *options, "-p", "dt", "0.004", "-p", "frequency", "10"]) == 0
    told = capsys.readouterr().out
    assert "cycles skipped at this velocity  " in told and " of 9 traces" in told


def test_certify_takes_closer_rows_and_positions_between_grid_points(gathers, capsys):
    options = [word for name in ("velocity", "geometry") for word in ("-p", name, getattr(gathers, name))]
    assert cli.main(["certify", *options, "-p", "spacing_z", "8", "-p", "seconds", "0.3", "-p", "frequency", "10"]) == 0
    told = capsys.readouterr().out
    assert "receiver cells" in told and "FAULT" not in told
    assert re.search(r"dispersion .* over 320 m", told)  # down 20 rows of 8 m and back


def test_gathers_in_segy_bring_their_geometry_and_make_the_same_problem(tmp_path):
    pytest.importorskip("segyio")
    examples.make("survey", tmp_path)

    def made(**changes):
        return fwi.problem(fwi.OwnConfig(velocity=str(tmp_path / "start.npy"), **changes))

    found = made(gathers=str(tmp_path / "gathers.sgy"))
    table = made(gathers=str(tmp_path / "gathers.npy"), geometry=str(tmp_path / "geometry.csv"), dt=1e-3)
    for name in ("source_locations", "receiver_locations", "source_amplitudes"):
        np.testing.assert_array_equal(getattr(found.survey, name), getattr(table.survey, name))
    assert found.survey.dt == table.survey.dt and int((~found.alive).sum()) == 3
    np.testing.assert_array_equal(found.observed, table.observed)
    lower = made(gathers=str(tmp_path / "gathers.sgy"), datum=50.0, origin=(10.0, 0.0))
    moved = lower.survey.receiver_locations - found.survey.receiver_locations
    assert (moved == torch.tensor([5, -1])).all()
    between = made(gathers=str(tmp_path / "gathers.sgy"), datum=2.0, origin=(2.5, 0.0))
    moved = between.survey.receiver_positions - found.survey.receiver_positions
    assert moved.unique(dim=1).squeeze().unique(dim=0).tolist() == [[pytest.approx(0.2), -0.25]]
    with pytest.raises(ValueError, match=r"positions in gathers must lie on the model .* depth -480 m"):
        made(gathers=str(tmp_path / "gathers.sgy"), datum=-500.0)
    with pytest.raises(ValueError, match=r"origin must be x and y"):
        fwi.OwnConfig(origin=(0.0,))


def test_the_wavelet_is_estimated_from_the_gathers(tmp_path):
    paths = {path.name: str(path) for path in examples.make("survey", tmp_path)}
    known = {"velocity": paths["start.npy"], "gathers": paths["gathers.npy"], "geometry": paths["geometry.csv"]}
    made = fwi.problem(fwi.OwnConfig(**known, dt=1e-3, frequency=6.0, source="estimated"))
    found, true = made.survey.source_amplitudes[0, 0].numpy(), np.load(paths["wavelet.npy"])
    n = made.survey.nt // len(true)
    # Statics and noise are in the gathers.
    assert np.corrcoef(found[::n], true)[0, 1] > 0.97
    with pytest.raises(ValueError, match=r"source must be ricker with a wavelet's file, or without gathers"):
        fwi.OwnConfig(velocity=paths["start.npy"], source="estimated")


def test_units_alone_say_their_memory_too(gathers, tmp_path, capsys):
    options = [word for name in ("velocity", "gathers", "geometry") for word in ("-p", name, getattr(gathers, name))]
    options += ["-p", "dt", "0.004", "-p", "iterations", "1", "-p", "optimisers", "cg"]
    assert cli.main(["study", "fwi_own", *options, "--folder", str(tmp_path / "runs")]) == 0
    assert capsys.readouterr().out.startswith("memory: a gradient takes up to about ")


def test_the_certificate_of_each_page_is_in_the_memory_that_is_told(gathers, monkeypatch):
    module = importlib.import_module("geolib.studies.rnn_fwi.given")
    assert module.certificate_bytes(fwi.problem(gathers).survey) > module.gradient_bytes(fwi.problem(gathers).survey)
    monkeypatch.setattr(module, "certificate_bytes", lambda survey, **_: 2**60)
    with pytest.raises(ValueError, match=r"the survey must fit into this machine's .* Take a coarser grid or fewer"):
        gathers.ready()
