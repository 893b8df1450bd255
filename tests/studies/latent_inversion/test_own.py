"""Own travel times, weights and training images: what is made of them, and how methods stand beside one another."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from scipy.stats import norm

from geolib import _runtime, studies
from geolib.datasets.channels import procedural_channels
from geolib.gans import sgan
from geolib.inversion import crosshole
from geolib.metrics import facies
from geolib.plots import tomography as plots
from geolib.studies import examples
from geolib.studies.latent_inversion import checkpoints, given, learnt
from geolib.studies.latent_inversion import own as tomography
from geolib.studies.latent_inversion.world import weights_path
from tests.conftest import computed


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
