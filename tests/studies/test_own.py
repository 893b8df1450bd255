"""Own data in: the survey that files make, the page's numbers, and what identifies results."""

import importlib
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from conftest import computed
from scipy.stats import norm

from geolib import _runtime, cli, studies
from geolib.book import reruns
from geolib.datasets import segy, tables, velocity
from geolib.datasets.channels import procedural_channels
from geolib.gans import sgan
from geolib.inversion import crosshole
from geolib.metrics import facies
from geolib.plots import tomography as plots
from geolib.studies import examples
from geolib.studies.latent_inversion import checkpoints, given, learnt
from geolib.studies.latent_inversion import own as tomography
from geolib.studies.latent_inversion.world import weights_path
from geolib.studies.rnn_fwi import own as fwi
from geolib.studies.wgan_traces import own as traces
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


def test_a_file_asks_for_the_study_of_own_data(capsys, tmp_path):
    assert studies.asked_for("rnn_fwi", ["iterations", "velocity"]) == "fwi_own"
    assert studies.asked_for("wgan_traces", ["velocity"]) == "wgan_traces"
    assert studies.asked_for("latent_inversion", ["weights"]) == "latent_own"
    assert cli.main(["run", "rnn_fwi", "-p", "velocity", str(tmp_path / "none.npy")]) == 2
    assert "velocity must be a file; " in capsys.readouterr().err
    file = tmp_path / "own.json"
    file.write_text('{"velocity": "none.npy", "spacing": 5}')  # so does its name in a file of parameters
    assert cli.main(["run", "rnn_fwi", "-f", str(file)]) == 2
    assert "velocity must be a file; " in capsys.readouterr().err
    file.unlink()
    assert cli.main(["params", "rnn_fwi"]) == 0
    assert "Your own data: geolib run rnn_fwi with -p velocity FILE, " in capsys.readouterr().out
    assert not list(tmp_path.iterdir())


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


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A file of the authors' layout with our own weights of width 64."""
    own = sgan.load_weights(weights_path(64)).state_dict()
    path = tmp_path_factory.mktemp("weights") / "netG_epoch_36.pth"
    torch.save({theirs: own[ours] for theirs, ours in given.AUTHORS.items()}, path)
    return path


def test_weights_in_the_authors_layout_are_the_same_generator(published):
    found = given.network(str(published), 32)
    expected = sgan.load_weights(weights_path(64)).state_dict()
    assert all(torch.equal(value, expected[name]) for name, value in found.state_dict().items())
    shipped = given.network(str(weights_path(16)), 32)
    assert shipped.merge.weight.shape[0] == 16


def test_other_weights_are_refused(published, tmp_path):
    tensors = torch.load(published, weights_only=True)

    def refused(changed, message):
        torch.save(changed, tmp_path / "x.pth")
        with pytest.raises(ValueError, match=message):
            given.network(str(tmp_path / "x.pth"), 32)

    refused(
        {**tensors, "main.3.weight": tensors["main.3.weight"][:-1]}, r"main\.3\.weight must have shape \(512, 256, 5"
    )
    refused({n: t for n, t in tensors.items() if n != "main.6.weight"}, r"alone; they lack 'main\.6\.weight'")
    refused({**tensors, "main.1.bias": torch.zeros(1)}, r"alone; they have 'main\.1\.bias'")
    refused({**tensors, "main.0.weight": tensors["main.0.weight"] * torch.nan}, r"main\.0\.weight must be finite")
    refused({n: t.long() for n, t in tensors.items()}, r"must be floating-point; got torch\.int64")
    refused({"a": torch.zeros(1)}, r"weights must be of this generator; main\.17\.weight .* is missing")
    refused([1, 2], r"weights must hold tensors by name")


def test_any_subset_of_rays_is_inverted(tmp_path):
    (path,) = examples.make("traveltimes", tmp_path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join(lines[:1] + lines[5:300:30]))
    config = tomography.OwnConfig(traveltimes=str(path), width=16, starts=2, iterations=4, draws=64, moves=1, solves=60)
    config = replace(config, gn_iterations=0)
    physics = tomography.Physics(config)
    assert len(physics.time) == 10
    # An earth without channels: each ray's length over 0.08 m/ns.
    depths = np.array([[float(entry) for entry in line.split(",")[:2]] for line in lines[5:300:30]])
    length = np.hypot(5.98, depths[:, 0] - depths[:, 1])
    np.testing.assert_allclose(
        physics.rays.matrix.sum(1).A1
        if hasattr(physics.rays.matrix.sum(1), "A1")
        else np.asarray(physics.rays.matrix.sum(1)).ravel(),
        length,
        rtol=1e-5,
    )
    units = studies.run(tomography.STUDY, config).units
    assert units["descent"]["misfit"].shape == (2, 4) and units["posterior"]["probability"].shape == (125, 60)
    drawn = units["posterior"]
    assert 0.5 < drawn["misfits"].mean() < 1.6 and drawn["misfits"].shape == (
        64,
    )  # ten data, with errors of their size
    assert len(tomography.pictures(units)) == 2
    # Ten rays with a deviation of 1 ns each are soon fitted, again and again.
    run = units["search"]
    assert (np.diff(run["misfits"]) >= 0).all() and run["images"].shape[1:] == (125, 60) and run["other"][0] == 0
    best = physics.simulate(run["latents"][:1].astype(float))[0] - physics.data.numpy()
    assert np.sqrt(np.square(best).mean()) == pytest.approx(run["misfits"][0], rel=1e-4)
    assert len(tomography.ends(units).splitlines()) == 2 + len(run["misfits"]) and len(tomography.modes(units)) <= 6


@pytest.fixture
def uneven(tmp_path):
    """A configuration of 20 rays of the example with deviations of their own, and what is observed."""
    (path,) = examples.make("traveltimes", tmp_path)
    heads, *lines = path.read_text().splitlines()
    lines = [f"{line.rpartition(',')[0]},{1 + n % 5}" for n, line in enumerate(lines[7:387:19])]
    path.write_text("\n".join([heads, *lines]))
    small = {"width": 16, "starts": 3, "iterations": 1, "gn_iterations": 3, "solves": 0, "inside": 0.05}
    config = tomography.OwnConfig(traveltimes=str(path), **small)
    return config, np.array([line.split(",")[2:] for line in lines]).astype(float).T


def test_gauss_newton_takes_the_published_update_with_each_ray_s_own_deviation(uneven):
    config, (time, deviation) = uneven
    physics = tomography.Physics(config)
    assert set(deviation) == {1, 2, 3, 4, 5} and len(time) == 20
    run = tomography._gauss_newton(physics)
    assert run["misfit"].shape == (3, 3) and run["images"].shape == (3, 125, 60)
    # Equation 11 by hand, in float64 and in ns: from Adam's starts, differences of 0.1 in normal latents.
    first = np.random.default_rng([config.seed, 2]).uniform(-1, 1, (3, 15))
    descent = tomography._descent(replace_config(physics, iterations=1))
    np.testing.assert_allclose(descent["latents"], first, atol=1e-6)

    def simulate(normal):
        with torch.no_grad():
            return physics.times(torch.from_numpy(2 * norm.cdf(normal) - 1).float()).double().numpy()

    for start, curve in zip(norm.ppf((first + 1) / 2), run["misfit"], strict=True):
        told = simulate(start[None])[0]
        rms = np.sqrt(np.mean(((time - told) / deviation) ** 2))
        assert curve[0] == pytest.approx(rms, rel=1e-4)
        steps = 0.1 * np.eye(15)
        slopes = ((simulate(start + steps) - simulate(start - steps)) / 0.2).T
        weighted = slopes.T / deviation**2
        moved = np.linalg.solve(weighted @ slopes + np.eye(15), weighted @ (time - told + slopes @ start))
        rms = np.sqrt(np.mean(((time - simulate(moved[None])[0]) / deviation) ** 2))
        assert curve[1] == pytest.approx(rms, rel=5e-3)
        unweighted = slopes.T / 9
        moved = np.linalg.solve(unweighted @ slopes + np.eye(15), unweighted @ (time - told + slopes @ start))
        rms = np.sqrt(np.mean(((time - simulate(moved[None])[0]) / deviation) ** 2))
        assert abs(curve[1] / rms - 1) > 0.02  # one deviation for all rays would be seen
    wide = tomography._gauss_newton(tomography.Physics(replace(config, perturbation=0.5)))
    np.testing.assert_array_equal(wide["misfit"][:, 0], run["misfit"][:, 0])
    assert not np.allclose(wide["misfit"][:, 1], run["misfit"][:, 1], rtol=1e-3)


def replace_config(physics, **changes):
    physics.config = replace(physics.config, **changes)
    return physics


def test_the_solves_of_gauss_newton_are_counted_and_what_fits_rests(uneven):
    config, (time, deviation) = uneven
    physics, counted = tomography.Physics(config), []
    scaled = physics.scaled
    physics.scaled = lambda latents: counted.append(len(latents)) or scaled(latents)
    run = tomography._gauss_newton(physics)
    assert run["solves"].tolist() == [93] * 3 and sum(counted) == 279 and max(counted) == 3
    best = physics.simulate(run["latents"].astype(float)) - time / deviation
    np.testing.assert_allclose(np.sqrt(np.square(best).mean(1)), run["misfit"].min(1), rtol=1e-3)
    loose = replace(config, traveltimes="", noise=90.0)  # every start fits, at once
    rest = tomography._gauss_newton(tomography.Physics(loose))
    assert rest["solves"].tolist() == [31] * 3 and (rest["misfit"] == rest["misfit"][:, :1]).all()


def test_methods_stand_beside_one_another(uneven):
    config, _ = uneven
    units = studies.run(tomography.STUDY, replace(config, solves=40, draws=64, moves=1)).units
    assert list(units) == ["descent", "newton", "search", "posterior"]
    heads, _, *rows = tomography.beside(units).splitlines()
    cells = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows]
    assert heads == "| method | models | fit | best | median | solves |"
    assert [row[:2] for row in cells] == [["Adam", "3"], ["Gauss-Newton", "3"], ["search", "1"], ["posterior", "64"]]
    assert [row[-1] for row in cells[:3]] == ["6", "279", "40"] and cells[3][2] == ""
    best = units["newton"]["misfit"].min(1)
    assert cells[1][2:5] == [f"{(best <= 1.01).sum()}", f"{best.min():.2f}", f"{np.median(best):.2f}"]
    heads, _, *rows = tomography.summary(units).splitlines()
    assert heads == "| rank | start | misfit, Adam | misfit, Gauss-Newton |" and len(rows) == 3
    assert f"{best.min():.2f} |" in rows[0]  # three updates of Gauss-Newton are more than one of Adam
    shown = tomography.pictures(units, "Gauss-Newton")
    np.testing.assert_array_equal(next(iter(shown.values())), units["newton"]["images"][best.argmin()])
    alone = {"descent": units["descent"]}
    assert tomography.pictures(alone, "Gauss-Newton") == tomography.modes(alone) == {}
    assert len(tomography.beside(alone).splitlines()) == 3 and "Gauss" not in tomography.summary(alone)


def test_gauss_newton_tells_its_solves_and_memory_before(uneven, monkeypatch):
    config, _ = uneven
    _, line = config.told()
    assert re.fullmatch(r"Gauss-Newton: 279 solves at most, about [\d.]+ (s|min), as measured now", line)

    without = replace(config, gn_iterations=0)
    assert [unit.name for unit in tomography.STUDY.units(without)] == ["descent"] and len(without.told()) == 1
    assert tomography.OwnConfig.stored({"starts": 8}).gn_iterations == 0  # of a run before there was the parameter
    monkeypatch.setattr(_runtime, "machine_bytes", lambda: 2**10)

    def needed(config):
        with pytest.raises(ValueError, match=r"all starts together must fit") as caught:
            config.ready()
        return float(re.search(r"needs ([\d,]+) MiB", str(caught.value))[1].replace(",", ""))

    # Of 576 rays 31 times are held twice in single precision, and 15 slopes in 28 bytes: 376 KiB a start.
    many = tomography.OwnConfig(width=16, starts=1000)
    assert needed(many) - needed(replace(many, gn_iterations=0)) == pytest.approx(576 * 668 / 2**20 * 1000, rel=0.02)


def test_boreholes_are_where_the_table_says_or_centred(tmp_path):
    (path,) = examples.make("traveltimes", tmp_path)
    heads, *lines = path.read_text().splitlines()
    values = {"traveltimes": str(tmp_path / "x.csv"), "width": 16}

    def made(across, **changes):
        (tmp_path / "x.csv").write_text("\n".join([f"{heads},source_x,receiver_x", *map(across, lines)]))
        return tomography.rays(tomography.OwnConfig(**values | changes))

    old = tomography.rays(tomography.OwnConfig(traveltimes=str(path)))
    assert old.placed == "sources at x 0.01 m and receivers at x 5.99 m"
    survey = crosshole.Crosshole(source_x=(6 - 5.98) / 2, receiver_x=(6 - 5.98) / 2 + 5.98)
    depths = np.array([line.split(",")[:2] for line in lines]).astype(float) / 0.5
    rows = ((depths[:, 0] - 1) * 24 + depths[:, 1] - 1).astype(int)
    before = crosshole.ray_matrix(survey)[rows].astype(np.float32)
    same = made(lambda line: f"{line},{(6 - 5.98) / 2!r},{(6 - 5.98) / 2 + 5.98!r}")
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(old.matrix, part), getattr(before, part))
        np.testing.assert_array_equal(getattr(same.matrix, part), getattr(before, part))
    # A borehole that leans; the distance of vertical ones does not matter, though it is more than the model's width.
    leaning = made(lambda line: f"{line},{0.5 + 0.1 * float(line.split(',')[0]):.3f},5.5", distance=60.0)
    assert leaning.placed == "sources at x 0.55 to 1.7 m and receivers at x 5.5 m"
    source, receiver = (0.5 * depths[:, n] for n in (0, 1))
    expected = np.hypot(5 - 0.1 * source, source - receiver)
    np.testing.assert_allclose(np.asarray(leaning.matrix.sum(1)).ravel(), expected, rtol=1e-5)
    with pytest.raises(ValueError, match=r"distance must be at most the model's 6 m; got 60\. Take larger cells, or"):
        tomography.rays(tomography.OwnConfig(traveltimes=str(path), distance=60.0))
    with pytest.raises(ValueError, match=r"distance must be at most the model's 6 m; got 60"):
        tomography.OwnConfig(distance=60.0)
    with pytest.raises(ValueError, match=r"traveltimes must have receiver_x between 0 and 6 m, .*; line 3 has 7\."):
        made(lambda line: f"{line},1,{7 if line == lines[1] else 5}")


def test_without_times_they_are_made_and_the_truth_is_known():
    config = tomography.OwnConfig(width=16, starts=2, iterations=3, solves=0, gn_iterations=0)
    assert [unit.name for unit in tomography.STUDY.units(config)] == ["descent"]
    units = studies.run(tomography.STUDY, config).units
    assert next(iter(tomography.pictures(units))) == "truth"
    assert len(units["descent"]["time"]) == 576


def test_a_training_on_own_traces_is_judged_beside_its_floor(tmp_path):
    (path,) = examples.make("traces", tmp_path)
    config = traces.OwnConfig(traces=str(path), epochs=1, interval=0.004)
    made = traces.data(config)
    assert len(made.training) == 166 and len(made.unseen) == 32 and made.dead == 2  # of 200
    assert np.abs(made.training).mean() == pytest.approx(0.1, rel=1e-5)
    units = studies.run(traces.STUDY, config, folder=tmp_path / "runs").units
    assert list(units) == ["data", "epoch-0001"] and units["epoch-0001"]["traces"].shape == (32, 499)
    rows = traces.table(units).splitlines()
    assert len(rows) == 2 + sum(name.startswith("judged.") for name in units["data"])
    assert traces.curves(units)["critic"].shape == (11,)


def test_traces_of_any_length_keep_their_time(tmp_path):
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * 5.0 * 0.002 * np.arange(1000) + rng.uniform(0, 6, (70, 1)))
    np.save(tmp_path / "t.npy", wave)
    made = traces.data(traces.OwnConfig(traces=str(tmp_path / "t.npy"), interval=0.002))
    assert made.dt == pytest.approx(2.0 / 499)
    spectrum = np.abs(np.fft.rfft(made.training)).mean(0)
    assert np.fft.rfftfreq(499, made.dt)[spectrum.argmax()] == pytest.approx(5.0, abs=0.01)
    same = traces.data(traces.OwnConfig(traces=str(tmp_path / "t.npy")))
    assert same.dt == pytest.approx(4.0 / 499)  # nobody told
    if pytest.importorskip("segyio"):
        places = tables.Geometry(np.zeros((70, 1, 2)), np.ones((70, 1, 2)))
        path = segy.write(tmp_path / "t.sgy", wave[:, None], places, 0.002)
        same = traces.data(traces.OwnConfig(traces=str(path)))
        assert same.dt == pytest.approx(2.0 / 499)
        np.testing.assert_allclose(same.training, made.training, atol=1e-5)
    np.save(tmp_path / "t.npy", wave[:20])
    with pytest.raises(ValueError, match=r"traces must hold at least 64 that vary; it has 20"):
        traces.OwnConfig(traces=str(tmp_path / "t.npy")).ready()


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


def test_the_search_begins_anew_until_its_solves_are_spent(tmp_path):
    # Errors that large are fitted by the first pool: 256 solves, 256, and what is left.
    config = tomography.OwnConfig(width=16, noise=60.0, solves=600, starts=1, iterations=1)
    run = tomography._search(tomography.Physics(config))
    assert len(run["misfits"]) == 3 and (run["misfits"] < run["target"]).all()
    assert (run["other"][1:] > 0).all() and run["record"][-1, 0] <= 256
    rows = tomography.ends({"search": run}).splitlines()
    assert rows[0] == "| rank | misfit (deviations) | fits | cells unlike rank 1 |" and rows[2].count("yes") == 1


@pytest.mark.parametrize("unit", ["search", "posterior"])
def test_a_killed_search_or_sampler_goes_on_without_simulating_twice(unit, tmp_path, monkeypatch):
    config = tomography.OwnConfig(width=16, noise=60.0, solves=600, draws=64, moves=1)
    simulate, counts = tomography.Physics.simulate, []

    def found(folder=None, end=None):
        def counted(physics, latents):
            if len(counts) == end:
                raise KeyboardInterrupt
            counts.append(len(latents))
            return simulate(physics, latents)

        monkeypatch.setattr(tomography.Physics, "simulate", counted)
        counts.clear()
        ((_, arrays),) = computed(tomography.STUDY, config, [unit], folder)
        return arrays, list(counts)

    whole, needed = found()
    end = len(needed) // 2 + 1
    with pytest.raises(KeyboardInterrupt):
        found(tmp_path, end)
    arrays, more = found(tmp_path)
    assert more == needed[end:] and 0 < len(more) < len(needed) and arrays.keys() == whole.keys()
    for label, value in whole.items():
        np.testing.assert_array_equal(arrays[label], value, label)


@pytest.mark.parametrize("kind", ["gathers", "latent", "traces"])
def test_memory_is_told_before_and_too_much_is_refused_before_a_kernel(kind, gathers, tmp_path, monkeypatch):
    config = gathers
    if kind == "latent":
        config = tomography.OwnConfig(width=16, starts=8, gn_iterations=0)
    elif kind == "traces":
        config = traces.OwnConfig(traces=str(examples.make("traces", tmp_path)[0]))
    (line,) = config.told()
    assert line.startswith("memory: a gradient takes up to about ") and " MiB of this machine's " in line
    monkeypatch.setattr(fwi, "propagate", None)
    config.ready()
    monkeypatch.setattr(_runtime, "machine_bytes", lambda: 2**16)
    with pytest.raises(ValueError, match=r"must fit into this machine's 0 MiB; .* needs? [\d,]+ MiB\. Take "):
        config.ready()


def test_more_starts_and_more_shots_take_more_memory(tmp_path):
    def needed(config):
        return float(config.told()[0].split("about ")[1].split(" MiB")[0].replace(",", ""))

    few, many = (needed(tomography.OwnConfig(width=16, starts=starts)) for starts in (10, 100))
    # By hand: 16 filters of 129 x 65 pixels in float32 are half a MiB, of which two to eight are kept.
    assert many == pytest.approx(10 * few, rel=0.05) and 10 < few < 80
    np.save(tmp_path / "v.npy", np.full((200, 300), 2000.0))
    few, many = (needed(fwi.OwnConfig(velocity=str(tmp_path / "v.npy"), seconds=s)) for s in (1.0, 4.0))
    assert many > 1.5 * few


def test_the_machine_s_memory_is_what_a_group_may_have(monkeypatch):
    assert 2**28 < _runtime.machine_bytes() < 2**50
    monkeypatch.setattr(_runtime.Path, "read_text", lambda self: "4096\n")
    assert _runtime.machine_bytes() == 4096
    monkeypatch.setattr(_runtime.Path, "read_text", lambda self: "max\n")
    assert _runtime.machine_bytes() > 2**28


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """A configuration with a training image, and its units, of the smallest size."""
    folder = tmp_path_factory.mktemp("training")
    np.save(folder / "i.npy", 7 + 2 * procedural_channels((260, 270), np.random.default_rng(0), width=6.0))
    small = {"updates": 3, "batch": 2, "judged": 4, "starts": 1, "iterations": 2, "solves": 20}
    small |= {"gn_iterations": 1}
    config = tomography.OwnConfig(training_image=str(folder / "i.npy"), width=2, **small)
    return config, folder, studies.run(tomography.STUDY, config, folder=folder / "runs").units


def test_a_generator_is_trained_on_ones_own_image_judged_and_inverted_with(trained):
    config, folder, units = trained
    assert list(units) == ["training", "descent", "newton", "search"]
    run = units["training"]
    assert run["losses"].shape == (3, 2) and np.isfinite(run["losses"]).all()
    assert run["iteration"].tolist() == [1, 2, 3] and run["score"].argmin() == run["chosen"]
    rows = learnt.as_markdown(run).splitlines()
    assert rows[0].startswith(f"Of 3 checkpoints that of update {run['chosen'] + 1} is the best")
    assert rows[2] == "| statistic | training image, 95 % of means | generator | inside |"
    assert len(rows) == 4 + len(facies.statistics(run["patches"]))
    image = learnt.image(config.training_image, 0.0)
    assert set(np.unique(image)) == {0, 1} and checkpoints.edge_of(image) == 270 - 129
    # The interval of the proportion is about that of the image itself.
    low, high = run["bounds"][run["statistics"].tolist().index("proportion")]
    assert 0.5 * low < image.mean() < 1.5 * high
    (weights,) = (folder / "runs").glob(f"*/*/{tomography.STUDY.leaves['weights.safetensors']}")
    network = given.network(str(weights), 32)
    latent = torch.from_numpy(units["descent"]["latents"]).view(-1, 1, 5, 3)
    with torch.no_grad():
        image = sgan.to_model(network(latent)).numpy()
    np.testing.assert_allclose(image, units["descent"]["images"], atol=1e-3)


def test_a_training_says_before_how_long_it_takes(trained):
    config, _, _ = trained
    memory, solves, time = config.told()
    assert solves.startswith("Gauss-Newton: 31 solves at most, about ")
    assert memory.startswith("memory: a gradient takes up to about ")
    assert re.fullmatch(r"training: 3 updates, about [\d.]+ (s|min|h|days), as measured now", time)
    image = learnt.image(config.training_image, 0.0)
    few, many = (learnt.seconds(image, replace(tomography.recipe(config), iterations=n)) for n in (8, 800))
    assert 20 < many / few < 500
    with pytest.raises(ValueError, match=r"weights must not be given with a training_image"):
        tomography.OwnConfig(training_image="a.npy", weights="b.pth")
    assert studies.asked_for("latent_inversion", ["training_image"]) == "latent_own"


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


def test_times_that_no_image_can_give_are_told_and_where_most_are_refused(tmp_path):
    (path,) = examples.make("traveltimes", tmp_path)
    heads, *lines = path.read_text().splitlines()
    config = tomography.OwnConfig(traveltimes=str(path), width=16)
    read = given.rays(config)
    assert not given.beyond(config, read).any() and not given.told_of(config, read)
    config.ready()

    def picked(count):
        """Write as many times as are nearly twice too long, of a mean velocity that no mixture has."""
        cells = [line.split(",") for line in lines]
        cells = [[*row[:2], f"{1.8 * float(row[2])}", row[3]] if n < count else row for n, row in enumerate(cells)]
        path.write_text("\n".join([heads, *map(",".join, cells)]))

    picked(3)
    assert given.beyond(config, given.rays(config)).nonzero()[0].tolist() == [0, 1, 2]
    assert " **3 of them are 4 deviations or more beyond " in given.told_of(config, given.rays(config))
    config.ready()
    picked(len(lines))
    with pytest.raises(ValueError, match=r"traveltimes must be such as images of 0\.06 and 0\.08 m/ns .* -p inside"):
        config.ready()
    replace(config, inside=0.03, outside=0.05).ready()


def test_the_fits_that_are_drawn_are_those_of_each_methods_best_model():
    run = {"misfit": np.array([[3.0, 2.0], [2.5, 1.5]]), "fit": np.eye(2), "time": np.ones(2), "deviation": np.ones(2)}
    units = {
        "descent": run,
        "newton": {**run, "misfit": run["misfit"][::-1]},
        "search": {"misfits": np.array([1.0, 4]), "fit": np.array([[5.0, -5], [0, 0]])},
    }
    found = {name: fit.tolist() for name, fit in tomography.fits(units).items()}
    expected = {"Adam, misfit 1.50": [0, 1], "Gauss-Newton, misfit 1.50": [1, 0], "search, misfit 1.00": [5, -5]}
    assert found == expected
    assert "are 0 by Adam, 0 by Gauss-Newton and 2 by search of 2 times" in tomography.beyond(units)
    fits = {"one": np.array([71.0, 80]), "other": np.array([70.0, 81])}
    figure = plots.residuals(np.array([70.0, 80]), fits, np.array([0.5, 1]), np.array([1.0, 3]))
    np.testing.assert_allclose(figure.axes[1].lines[0].get_xydata(), [[-2, 1], [0, 3]])
    np.testing.assert_allclose(figure.axes[3].lines[0].get_xydata(), [[0, 1], [-1, 3]])
    assert [ax.get_title() for ax in figure.axes[::2]] == ["one", "other"]
    low, high = figure.axes[1].get_ylim()
    assert low > high, "depth grows downwards"


def test_traces_beyond_the_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    np.save(tmp_path / "t.npy", np.random.default_rng(0).standard_normal((70, 400)).astype(np.float32))
    config = traces.OwnConfig(traces=str(tmp_path / "t.npy"))
    monkeypatch.setattr(traces, "data", lambda config: pytest.fail("it was read"))
    monkeypatch.setattr(_runtime, "machine_bytes", lambda: 32 * 70 * 400 - 1)
    with pytest.raises(ValueError, match=r"traces must fit into .*; to resample them needs .* Take fewer traces"):
        config.ready()
