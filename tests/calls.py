"""A small valid call of every public function, from which the campaign makes wrong ones."""

from __future__ import annotations

import contextlib
import functools
import importlib
import inspect
import math
import pkgutil
import signal
import tempfile
import types
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import geolib
from geolib import waves
from geolib.datasets import channels, fetch, frozen, patches, velocity
from geolib.gans import losses, sgan, theory, train, tricks, variants, weights, wgan
from geolib.gans.fast import inference
from geolib.inversion import crosshole, descent, dream, gauss_newton, latent, posterior, search
from geolib.metrics import facies, images, samples, traces
from geolib.waves import absorbing, memory, shots

PARTS = (waves, importlib.import_module("geolib.gans"), geolib.inversion, geolib.datasets, geolib.metrics)
#: Public, and nothing that a user calls with values of their own: what is a result, a piece of a network, or a helper
#: of a class above it that is checked there.
APART = {
    "geolib.waves.absorbing.Layer",
    "geolib.waves.cell.State",
    "geolib.waves.cell.pad",
    "geolib.waves.cell.padded_index",
    "geolib.waves.cell.padded_shape",
    "geolib.inversion.descent.Result",
    "geolib.inversion.dream.Chains",
    "geolib.inversion.posterior.Posterior",
    "geolib.inversion.search.Found",
    "geolib.inversion.search.deviations",
    "geolib.metrics.samples.RelativeTest",
    "geolib.metrics.traces.Interval",
    "geolib.gans.train.Step",
    "geolib.gans.sgan.State",
    "geolib.inversion.latent.data_of",
    "geolib.gans.wgan.Pretrained",
    "geolib.gans.wgan.weights_path",
    "geolib.datasets.frozen.folder",
    "geolib.gans.fast.inference.available",
    "geolib.gans.fast.layers.Kink",
    "geolib.gans.fast.layers.Convolution",
    "geolib.gans.fast.narrow.one_to_many",
    "geolib.gans.fast.narrow.many_to_one",
    "geolib.gans.variants.leaky",
    "geolib.gans.variants.Scores",
    "geolib.gans.variants.Residual",
    "geolib.gans.variants.Unconditional",
    "geolib.gans.variants.DenseGenerator",
    "geolib.gans.variants.SuperGenerator",
    "geolib.gans.variants.dense",
    "geolib.gans.variants.adam",
    "geolib.waves.between.Between",
    "geolib.waves.certify.Row",
    "geolib.waves.certify.Certificate",
    # What the configurations read a reader's file by; tests/datasets/test_files.py gives them wrong ones.
    *(f"geolib.datasets.files.{name}" for name in ["find", "array", "velocity"]),
    *(f"geolib.datasets.files.{name}" for name in ["facies", "segyio", "live"]),
    *(f"geolib.datasets.tables.{name}" for name in ["read", "geometry", "places", "by_shots", "traveltimes"]),
    *(f"geolib.datasets.tables.{name}" for name in ["Geometry", "Traveltimes"]),
    *(f"geolib.datasets.weights.{name}" for name in ["state_dict", "must_fit"]),
    *(f"geolib.datasets.segy.{name}" for name in ["Gathers", "gathers", "interval_of", "write"]),
}


def public() -> dict[str, Any]:
    """Return the public functions and classes of the package's sciences, by name."""
    found = {}
    for part in PARTS:
        for module in pkgutil.walk_packages(part.__path__, f"{part.__name__}."):
            if module.name.rpartition(".")[2].startswith("_"):
                continue
            for name, value in vars(importlib.import_module(module.name)).items():
                mine = getattr(value, "__module__", None) == module.name
                if mine and not name.startswith("_") and (inspect.isfunction(value) or inspect.isclass(value)):
                    found[f"{module.name}.{name}"] = value
    return found


def _rng() -> np.random.Generator:
    return np.random.default_rng(0)


def _torch() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def _wave() -> dict[str, Any]:
    grid = waves.Grid((8, 9), 10.0)
    wavelet = waves.ricker(20.0, 1e-3, 12).expand(1, 1, 12)
    survey = waves.Survey(grid, 1e-3, 12, [[[4, 4]]], [[[2, 2]]], wavelet)
    return {"velocity": torch.full((8, 9), 2000.0), "survey": survey}


def _survey() -> dict[str, Any]:
    survey = _wave()["survey"]
    parts = ("grid", "dt", "nt", "source_locations", "receiver_locations", "source_amplitudes", "boundary")
    return {name: getattr(survey, name) for name in parts}


def _facies(n: int = 3, side: int = 48) -> np.ndarray:
    image = channels.procedural_channels((64, 64), _rng(), width=5.0)
    return channels.patches(image, (side, side), n, _rng())


def _linear(latents: torch.Tensor) -> torch.Tensor:
    return latents.sum(1, keepdim=True) * torch.ones(3).to(latents)


def _mixture() -> theory.Mixture:
    return theory.Mixture.of([0.4, 0.6], [-1.0, 1.0], [0.5, 0.7])


def _logs() -> dict[str, Any]:
    x = theory.line(-8.0, 8.0, 201)
    return {"log_p": _mixture().log_density(x), "log_q": theory.Mixture.of([1.0], [0.0], [1.0]).log_density(x), "x": x}


def _match() -> dict[str, Any]:
    networks = nn.Linear(2, 2), nn.Sequential(nn.Linear(2, 1), nn.Flatten(0))
    return {
        "players": train.Players(*networks, *(torch.optim.SGD(net.parameters(), 1e-2) for net in networks)),
        "game": train.Game(
            losses.WASSERSTEIN,
            lambda: (torch.randn(4, 2, generator=_torch()), ()),
            lambda n, conditions: (torch.randn(n, 2, generator=_torch()),),
        ),
    }


def _draw() -> tuple[torch.Tensor, tuple]:
    return torch.zeros(4, 1, 8, 8), ()


def _recipe() -> sgan.Recipe:
    return sgan.Recipe(width=2, batch=2, iterations=1, latent=2)


def _image() -> np.ndarray:
    return (_rng().random((40, 40)) > 0.5).astype(np.float32)


_PLACE = tempfile.TemporaryDirectory(prefix="geolib-calls-")  # until this process ends


def _folder() -> Path:
    return Path(tempfile.mkdtemp(dir=_PLACE.name))


@functools.cache
def _networks() -> wgan.Pretrained:
    return wgan.Pretrained(wgan.make_generator(rng=_torch()), wgan.make_critic(rng=_torch()), 1.0, -1.0, 1)


@functools.cache
def _stored() -> Path:
    weights.write(path := _folder() / "w.safetensors", wgan.pack_weights(_networks()))
    return path


@functools.cache
def _generator_file() -> Path:
    sgan.save_weights(path := _folder() / "g.safetensors", sgan.Generator(2))
    return path


@functools.cache
def _state() -> dict[str, np.ndarray]:
    state = sgan.start(_recipe(), 1)
    list(sgan.fit(state, _recipe(), _image()))
    return sgan.pack_state(state)


def _sets(n: int = 12, length: int = 16) -> dict[str, np.ndarray]:
    first, second = _rng().normal(size=(2, n, length))
    return {"first": first, "second": second}


def _named(*names: str) -> dict[str, np.ndarray]:
    return dict(zip(names, _rng().normal(size=(len(names), 12, 16)), strict=True))


def _curves() -> dict[str, Any]:
    return {"images": _facies(), "lags": 5}


def _statistics(images: np.ndarray) -> dict[str, np.ndarray]:
    return facies.statistics(images, 5)


def _search() -> dict[str, Any]:
    start = torch.rand(2, 2, generator=_torch())
    return {"data": torch.ones(2, 3), "start": start}


def _fold(models: np.ndarray) -> np.ndarray:
    return np.asarray(models, dtype=float) @ np.ones((2, 3))


def _cube() -> dict[str, Any]:
    given = {"simulate": _fold, "data": np.full(3, 0.3), "d": 2, "sigma": 0.1, "budget": 20}
    use = {"start": np.full((1, 2), 0.2), "settings": search.Settings(pool=8, proposals=2, kept=8)}
    return {**given, "rng": np.random.default_rng(1), **use}


def _patch_players() -> dict[str, Any]:
    return {"draw": _draw, "size": 8, "width": 2, "rate": 1e-3, "rng": _torch()}


def _reader() -> nn.Module:
    return variants.ConvCritic(8, 2, n_outputs=2, pooled=True)


def _points() -> dict[str, Any]:
    return {"critic": lambda x: x.square().sum(1), "real": torch.randn(4, 2, generator=_torch())}


def _matrix() -> Any:
    return crosshole.ray_matrix(_hole())


def _hole() -> crosshole.Crosshole:
    return crosshole.Crosshole((6, 5), 0.1, 0.01, 0.49, (0.1, 0.3), (0.2, 0.5))


def _quadratic(model: np.ndarray) -> tuple[float, np.ndarray]:
    return 0.5 * float(np.square(model).sum()), model


#: A spherical variogram that reaches its sill at lag 8 of 15.
_SPAN = np.minimum(np.arange(1, 16) / 8, 1.0)

#: By function, what makes the arguments of a valid call, each time anew.
CALLS: dict[Callable, Callable[[], dict[str, Any]]] = {
    waves.Grid: lambda: {"shape": (8, 9), "spacing": 10.0},
    waves.Boundary: lambda: {
        "top": "free",
        "sides": "absorbing",
        "bottom": "free",
        "width": 5,
        "velocity": 2000.0,
        "frequency": 10.0,
    },
    waves.Survey: _survey,
    waves.WaveCell: lambda: {**_wave(), "space_order": 2},
    waves.propagate: lambda: {**_wave(), "space_order": 4, "backend": "eager"},
    shots.misfit_and_gradient: lambda: {**_wave(), "observed": torch.zeros(1, 1, 12), "at_once": 1},
    waves.misfit_and_gradient: lambda: {
        **_wave(),
        "observed": torch.zeros(1, 1, 12),
        "space_order": 2,
        "backend": "eager",
    },
    waves.certify: lambda: {
        **_wave(),
        "observed": torch.ones(1, 1, 12),
        "space_order": 2,
        "backend": "eager",
        "seed": 1,
    },
    waves.estimate_wavelet: lambda: {
        **_wave(),
        "observed": torch.ones(1, 1, 12),
        "periods": 2.0,
        "space_order": 2,
        "backend": "eager",
    },
    waves.gradient_bytes: lambda: {"survey": _wave()["survey"], "space_order": 2},
    memory.certificate_bytes: lambda: {"survey": _wave()["survey"], "space_order": 2},
    waves.workspace_bytes: lambda: {"survey": _wave()["survey"], "space_order": 2},
    waves.longest_step: lambda: {"grid": waves.Grid((8, 9), 10.0), "velocity": 2000.0, "space_order": 2},
    waves.survey.space_order_of: lambda: {"value": 4},
    waves.ricker: lambda: {"frequency": 20.0, "dt": 1e-3, "nt": 12, "delay": 0.01, "dtype": torch.float64},
    waves.gaussian: lambda: {"frequency": 20.0, "dt": 1e-3, "nt": 12, "delay": 0.01, "dtype": torch.float64},
    waves.between: lambda: {
        "survey": _wave()["survey"],
        "sources": torch.full((1, 1, 2), 4.0),
        "receivers": torch.full((1, 1, 2), 2.0),
    },
    absorbing.layers: lambda: {"survey": _wave()["survey"]},
    crosshole.Crosshole: lambda: {
        "shape": (6, 5),
        "spacing": 0.1,
        "source_x": 0.01,
        "receiver_x": 0.49,
        "source_depths": (0.1, 0.3),
        "receiver_depths": (0.2, 0.5),
    },
    crosshole.ray_matrix: lambda: {"survey": _hole(), "cell_order": "consistent"},
    crosshole.path_lengths: lambda: {
        "sources": np.array([[0.1, 0.0], [0.3, 0.2]]),
        "receivers": np.array([[0.2, 0.5], [0.6, 0.1]]),
        "shape": (6, 5),
        "spacing": 0.1,
    },
    crosshole.velocity: lambda: {"models": _rng().random((6, 5))},
    crosshole.traveltimes: lambda: {"matrix": _matrix(), "velocities": np.full((6, 5), 0.08)},
    crosshole.times_of: lambda: {"matrix": _matrix(), "slowness": torch.full((2, 30), 12.0, dtype=torch.float64)},
    crosshole.noisy: lambda: {"times": np.ones(4), "sigma": 0.5, "rng": _rng()},
    descent.minimize: lambda: {
        "objective": _quadratic,
        "start": np.ones(3),
        "method": "gd",
        "iterations": 2,
        "rate": 0.1,
        "bounds": (-2.0, 2.0),
        "watch": lambda model: (float(model.sum()),),
        "keep": (1,),
    },
    descent.AppendixB: lambda: {"parameters": [torch.ones(2)], "rule": "adagrad", "lr": 0.1},
    descent.largest_eigenvalue: lambda: {
        "gradient": lambda model: 2 * model,
        "model": np.ones(3),
        "rng": _rng(),
        "step": 0.1,
        "iterations": 2,
    },
    dream.Settings: lambda: {
        "n_chains": 4,
        "jump_scale": 1.0,
        "crossovers": 3,
        "archive_per_dimension": 10,
        "append_every": 10,
        "snooker": 0.1,
        "unit_jump": 0.2,
        "spread": 0.05,
        "jitter": 1e-12,
        "adaptation": 0.1,
    },
    dream.gaussian: lambda: {"simulate": lambda latents: latents, "data": np.zeros(2), "sigma": 1.0},
    dream.sample: lambda: {
        "log_likelihood": lambda states: -np.square(states).sum(1),
        "n_dim": 2,
        "generations": 4,
        "rng": _rng(),
        "settings": dream.Settings(n_chains=3),
        "thin": 2,
        "target": 0.5,
    },
    gauss_newton.central_differences: lambda: {"simulate": _linear, "perturbation": 0.1},
    gauss_newton.forward_mode: lambda: {"simulate": _linear},
    gauss_newton.gauss_newton: lambda: {
        "linearise": gauss_newton.forward_mode(_linear),
        **_search(),
        "iterations": 1,
        "sigma": 1.0,
        "damping": 1.0,
        "enough": torch.zeros(2),
    },
    gauss_newton.levenberg_marquardt: lambda: {
        "linearise": gauss_newton.forward_mode(_linear),
        "simulate": _linear,
        **_search(),
        "iterations": 1,
        "damping": torch.ones(2, dtype=torch.float64),
    },
    latent.Search: lambda: {"start": torch.zeros(2, 2), "iterations": 2, "enough": torch.zeros(2)},
    search.Settings: lambda: {
        "target": 1.01,
        "pool": 8,
        "growth": 1.5,
        "proposals": 2,
        "kept": 8,
        "patience": 3,
    },
    search.search: _cube,
    posterior.Settings: lambda: {
        "searches": 1,
        "most": 1,
        "solves": 100,
        "particles": 16,
        "first": 0.05,
        "moves": 1,
        "effective": 0.5,
    },
    posterior.sample: lambda: {
        "simulate": _fold,
        "data": np.full(3, 0.3),
        "d": 2,
        "sigma": 0.1,
        "rng": _rng(),
        "settings": posterior.Settings(searches=1, solves=100, particles=16, moves=1),
    },
    latent.check_start: _search,
    latent.root_mean_square: lambda: {"residual": torch.ones(2, 3)},
    latent.threshold: lambda: {"models": torch.rand(2, 3, generator=_torch())},
    latent.clip: lambda: {"latents": torch.full((2, 2), 1.5), "rule": "released", "draws": torch.zeros(2, 2)},
    latent.adam: lambda: {
        "simulate": _linear,
        **_search(),
        "draws": torch.zeros(2, 1, 2),
        "rate": 0.01,
        "clipping": "standard",
        "enough": torch.zeros(2),
    },
    latent.to_uniform: lambda: {"normal": torch.randn(4, generator=_torch())},
    latent.to_normal: lambda: {"uniform": torch.rand(4, generator=_torch()) * 0.9},
    channels.load: lambda: {"rng": _rng(), "size": 32},
    channels.patches: lambda: {"image": _image(), "size": (5, 6), "n": 2, "rng": _rng()},
    channels.procedural_channels: lambda: {"shape": (32, 32), "rng": _rng(), "proportion": 0.2, "width": 4.0},
    channels.variogram: lambda: {**_curves(), "axis": 1},
    channels.connectivity: lambda: {**_curves(), "axis": 2},
    channels.components: lambda: {"images": _facies()},
    channels.channel_width: lambda: {"images": _facies()},
    channels.pattern_histogram: lambda: {"images": _facies(), "side": 3, "stride": 2},
    channels.quality: lambda: {"images": _facies(), "reference": _facies(2), "lags": 5},
    fetch.locate: lambda: {"name": "marmousi_vp_1601x401.f32"},
    frozen.checksum: lambda: {"path": _generator_file()},
    patches.patches: lambda: {
        "image": torch.from_numpy(_image()),
        "n": 2,
        "size": 6,
        "spacing": 1.5,
        "angles": torch.zeros(2),
        "rng": _torch(),
    },
    patches.proportion: lambda: {"samples": torch.rand(2, 1, 8, 8, generator=_torch())},
    patches.orientation: lambda: {"samples": torch.rand(2, 1, 8, 8, generator=_torch())},
    velocity.layered: lambda: {"thicknesses": [50.0], "velocities": [2000.0, 3000.0], "spacing": 10.0, "nz": 12},
    velocity.four_layers: lambda: {"nz": 12, "spacing": 10.0},
    velocity.smooth: lambda: {"velocity": np.full((12, 9), 2000.0), "sigma": 1.5, "frozen": 2, "aspect": 1.5},
    velocity.marmousi: lambda: {"seed": 1},
    velocity.marmousi_like: lambda: {"rng": _rng(), "shape": (20, 30), "water": 2},
    facies.statistics: _curves,
    facies.shapes: _curves,
    facies.fitted_range: lambda: {"variogram": 0.2 * (1.5 * _SPAN - 0.5 * _SPAN**3)},
    facies.block_means: lambda: {
        "image": channels.procedural_channels((64, 64), _rng(), width=5.0),
        "size": (20, 20),
        "n": 2,
        "rng": _rng(),
        "measure": _statistics,
        "blocks": 2,
        "windows": 2,
        "repeats": 3,
    },
    facies.envelope_of: lambda: {"means": {"a": _rng().random(9)}},
    facies.judged: lambda: {
        "images": _facies(),
        "envelope": {name: np.stack([v.mean(0), v.mean(0)]) for name, v in facies.statistics(**_curves()).items()},
        "measure": _statistics,
    },
    images.psnr: lambda: {**_named("estimate", "truth"), "span": 2.0},
    images.ssim: lambda: {**_named("estimate", "truth"), "span": 2.0, "width": 5, "sigma": 1.5},
    samples.sliced_wasserstein: lambda: {**_sets(), "rng": _rng(), "n_projections": 8},
    samples.root_mean_transport: lambda: {name: np.sort(x, axis=0) for name, x in _sets().items()},
    samples.pair: _sets,
    samples.median_distance: lambda: {"samples": _sets()["first"]},
    samples.kernel: lambda: {**_named("a", "b"), "width": 3.0},
    samples.squared_distances: lambda: _named("a", "b"),
    samples.mmd2: lambda: {**_sets(), "width": 3.0},
    samples.relative_mmd_test: lambda: {**_named("reference", "new", "old"), "width": 3.0},
    samples.mmd_terms: lambda: {**_named("reference", "samples"), "width": 3.0},
    samples.relative_test: lambda: {"new": _rng().random(9), "old": _rng().random(9) ** 2},
    samples.density_coverage: lambda: {**_named("real", "fake"), "k": 3},
    samples.ball_members: lambda: {**_named("real", "fake"), "k": 3},
    samples.neighbour_accuracy: lambda: _named("real", "fake"),
    samples.neighbour_hits: lambda: _named("real", "fake"),
    samples.nearest: lambda: _named("training", "samples"),
    samples.amplitude_spectrum: lambda: {**_named("traces"), "dt": 0.004},
    samples.first_event: lambda: {**_named("traces"), "dt": 0.004, "share": 0.5},
    traces.loudness: lambda: {**_named("real", "fake"), "rng": _rng(), "n_resamples": 3},
    traces.compare: lambda: {**_named("real", "fake", "training"), "dt": 0.004, "rng": _rng(), "n_resamples": 3},
    traces.classifier_accuracy: lambda: {**_named("real", "fake"), "rng": _rng()},
    losses.Loss: lambda: {"critic": lambda real, fake: 0, "generator": lambda fake: 0},
    losses.smoothed: lambda: {"real_label": 0.9},
    losses.gradient_penalty: lambda: {
        **_points(),
        "fake": torch.randn(4, 2, generator=_torch()),
        "rng": _torch(),
    },
    losses.r1_penalty: _points,
    train.Players: lambda: vars(_match()["players"]),
    train.Game: lambda: {
        **{name: getattr(_match()["game"], name) for name in ("loss", "draw_real", "draw_inputs")},
        "critic_steps": 1,
        "penalty": losses.gradient_penalty,
        "penalty_every": 1,
        "reuse_real": True,
    },
    train.train: lambda: {**_match(), "iterations": 1, "start": 0},
    train.frozen: lambda: {"network": nn.Linear(2, 2)},
    train.evaluating: lambda: {"network": nn.Linear(2, 2)},
    train.average: lambda: {"mean": nn.Linear(2, 2), "current": nn.Linear(2, 2), "iteration": 1, "decay": 0.9},
    train.pack: lambda: {"players": _match()["players"], "rng": _torch()},
    train.unpack: lambda: {
        "players": _match()["players"],
        "rng": _torch(),
        "arrays": train.pack(_match()["players"], _torch()),
    },
    inference.Frozen: lambda: {"network": sgan.Generator(2), "precision": torch.float32},
    sgan.Generator: lambda: {"width": 2},
    sgan.Discriminator: lambda: {"width": 2, "norms": "before"},
    sgan.to_model: lambda: {"images": torch.zeros(2, 1, 129, 65)},
    sgan.Recipe: lambda: dict(vars(_recipe())),
    sgan.start: lambda: {"recipe": _recipe(), "seed": 1, "device": "cpu"},
    sgan.fit: lambda: {
        "state": sgan.start(_recipe(), 1),
        "recipe": _recipe(),
        "image": _image(),
        "iterations": 1,
    },
    sgan.draw_latents: lambda: {"shape": (2, 1, 2, 2), "recipe": _recipe(), "rng": _torch()},
    sgan.key_of: lambda: {"recipe": _recipe(), "seed": 1, "image": _image()},
    sgan.pack_state: lambda: {"state": sgan.start(_recipe(), 1)},
    sgan.unpack_state: lambda: {"recipe": _recipe(), "arrays": _state(), "device": "cpu"},
    sgan.snapshot: lambda: {"state": sgan.start(_recipe(), 1)},
    sgan.save_weights: lambda: {"path": _folder() / "g", "network": sgan.Generator(2)},
    sgan.load_weights: lambda: {"path": _generator_file()},
    theory.Mixture: lambda: dict(vars(_mixture())),
    theory.Mixture.of: lambda: {"weights": [0.4, 0.6], "means": [-1.0, 1.0], "scales": [0.5, 0.7]},
    theory.line: lambda: {"low": -8.0, "high": 8.0, "n": 201},
    theory.integral: lambda: {"f": torch.ones(5), "x": torch.arange(5.0)},
    theory.kl: lambda: {"p": _mixture(), "q": _mixture(), "x": theory.line(-8.0, 8.0, 201)},
    theory.cross_entropy: lambda: {"p": _mixture(), "q": _mixture(), "x": theory.line(-8.0, 8.0, 201)},
    theory.jensen_shannon: _logs,
    theory.optimal_logit: lambda: {name: value for name, value in _logs().items() if name != "x"},
    theory.value: lambda: {**_logs(), "logit": torch.zeros(201, dtype=torch.float64)},
    theory.printed_equation_7: lambda: {**_logs(), "logit": torch.zeros(201, dtype=torch.float64)},
    theory.printed_equation_9: _logs,
    theory.value_monte_carlo: lambda: {"p": _mixture(), "q": _mixture(), "n": 9, "rng": _torch()},
    theory.fit: lambda: {
        "samples": torch.randn(9, generator=_torch()),
        "start": _mixture(),
        "iterations": 1,
        "rate": 0.1,
    },
    theory.push_of_generator: lambda: {"loss": losses.SATURATING, "shift": 1.0},
    theory.bilinear_game: lambda: {"method": "damped", "rate": 0.1, "steps": 3, "damping": 1.0},
    theory.bilinear_factor: lambda: {"method": "damped", "rate": 0.1, "damping": 1.0},
    tricks.Recipe: lambda: dict(vars(tricks.Recipe())),
    tricks.recipe: lambda: {"name": "all", "critic_steps": 2, "critic_rate": 2.0, "real_label": 0.9},
    tricks.mixture_game: lambda: {
        "target": _mixture(),
        "rule": tricks.recipe("plain"),
        "rate": 1e-3,
        "rng": _torch(),
        "width": 4,
        "batch": 5,
    },
    tricks.channel_game: lambda: {
        "draw": _draw,
        "rule": tricks.recipe("plain"),
        "rate": 1e-3,
        "rng": _torch(),
        "size": 8,
        "width": 2,
    },
    variants.initialise: lambda: {"network": nn.Linear(2, 2), "rng": _torch()},
    variants.normal_latent: lambda: {"rng": _torch(), "size": 3},
    variants.ConvGenerator: lambda: {"size": 8, "width": 2, "n_inputs": 3, "batch_norm": True, "activation": nn.ReLU},
    variants.ConvCritic: lambda: {
        "size": 8,
        "width": 2,
        "n_conditions": 1,
        "n_outputs": 2,
        "batch_norm": True,
        "pooled": True,
        "activation": nn.ReLU,
    },
    variants.damped: lambda: {**_points(), "fake": torch.randn(4, 2, generator=_torch()), "weight": 2.0},
    variants.dcgan: lambda: {**_patch_players(), "convolutional": True},
    variants.wgan: _patch_players,
    variants.wasserstein: lambda: {"game": _match()["game"], "rng": _torch()},
    variants.conditional: _patch_players,
    variants.code_log_likelihood: lambda: {
        "reader": _reader(),
        "samples": torch.zeros(4, 1, 8, 8),
        "code": torch.zeros(4, 1),
    },
    variants.information_bound: lambda: {
        "reader": _reader(),
        "samples": torch.zeros(4, 1, 8, 8),
        "code": torch.zeros(4, 1),
    },
    variants.infogan: lambda: {**_patch_players(), "n_codes": 1, "weight": 1.0},
    variants.coarsen: lambda: {"fine": torch.zeros(2, 1, 8, 8)},
    variants.superres: lambda: {**_patch_players(), "adversarial": 0.1, "skip": True},
    weights.pack: lambda: {"tensors": {"a": torch.ones(2)}},
    weights.write: lambda: {"path": _folder() / "w", "content": b"w"},
    weights.read: lambda: {"path": _stored()},
    wgan.Critic: lambda: {"precision": "float32", "channels": 1},
    wgan.make_generator: lambda: {"std": 0.2, "rng": _torch(), "activation_first": True},
    wgan.make_critic: lambda: {"std": 0.2, "rng": _torch(), "precision": "float32", "channels": 1},
    wgan.initialise: lambda: {"network": nn.Linear(2, 2), "std": 0.2, "rng": _torch()},
    wgan.n_parameters: lambda: {"network": nn.Linear(2, 2)},
    wgan.layer_inputs: lambda: {"network": _networks().generator, "inputs": torch.zeros(2, 100, 1)},
    wgan.layer_lengths: lambda: {"as_printed": True},
    wgan.draw_latents: lambda: {"n": 2, "rng": _torch(), "low": -1.0},
    wgan.sample: lambda: {"generator": _networks().generator, "n": 2, "rng": _torch(), "low": -1.0},
    wgan.score: lambda: {"critic": _networks().critic, "traces": np.zeros((2, 1, 499), dtype=np.float32)},
    wgan.pack_weights: lambda: {"networks": _networks()},
    wgan.load_pretrained: lambda: {"path": _stored()},
}


#: What is no finite number goes through these: a training or a search looks at it where it can tell of it.
THROUGH = {losses.gradient_penalty, losses.r1_penalty, variants.damped, variants.coarsen, variants.code_log_likelihood}
THROUGH |= {variants.information_bound, sgan.to_model, latent.root_mean_square, latent.threshold, latent.clip}
THROUGH |= {latent.to_uniform, crosshole.times_of}
#: These answer NaN where there is nothing to measure, as they say.
NOTHING = {channels.channel_width, channels.connectivity, facies.statistics, facies.shapes, facies.judged}
NOTHING |= {samples.first_event, patches.orientation}


def named(function: Callable) -> str:
    """Return the name under which a function is public."""
    return f"{function.__module__}.{function.__qualname__}"


#: Wrong for an argument of any kind; a bool is, where a number is wanted.
FOREIGN = (None, "no such word", "", b"1", object(), {}, {1}, [], [[1, 2], [3]], [None], 1j, np.complex64(1j), True)
FOREIGN += (math.nan, -math.inf, 10**400, -1, 0, 1.5, -0.5, 1e300, "nan", torch.ones(0), torch.tensor([math.inf]))
FOREIGN += (np.array([]), np.array(["a"]), np.array([1, None]), np.full((3, 3), np.nan), np.zeros((2, 2, 2, 2, 2)))


def wrong(value: Any, rng: np.random.Generator) -> Any:
    """Return a wrong value for an argument, often one that looks like the right one."""
    if isinstance(value, (np.ndarray, torch.Tensor)) and value.ndim and rng.random() < 0.6:
        return _spoilt(value, rng)
    return FOREIGN[int(rng.integers(len(FOREIGN)))]


def _spoilt(value: Any, rng: np.random.Generator) -> Any:
    array = value.detach().numpy().copy() if isinstance(value, torch.Tensor) else value.copy()
    hole = array.astype(float)
    hole.flat[int(rng.integers(hole.size))] = rng.choice([np.nan, np.inf, -np.inf])
    made = [
        hole,
        array[None],
        array[:0],
        array[..., :0],
        array[:-1],
        array[..., :-1],
        array.ravel(),
        array[0],
        np.concatenate([array, array]),
        -1e3 * array - 1,
        array.astype(complex),
        array.astype(str),
        array.astype(object),
        array.astype(np.int64),
        array.astype(bool),
        array.tolist(),
        1e300 * (array.astype(float) + 1),
        np.swapaxes(array, 0, -1),
    ][int(rng.integers(18))]
    if isinstance(value, torch.Tensor) and isinstance(made, np.ndarray) and made.dtype.kind in "biufc":
        tensor = torch.from_numpy(np.ascontiguousarray(made))
        return tensor.to(value.dtype) if tensor.is_floating_point() and rng.random() < 0.7 else tensor
    return made


def not_finite(found: Any, depth: int = 0) -> bool:
    """Return whether a result holds a number that is none."""
    if isinstance(found, (float, complex, np.floating)):
        return not np.isfinite(found)
    if isinstance(found, np.ndarray):
        return found.dtype.kind in "fc" and not np.isfinite(found).all()
    if isinstance(found, torch.Tensor):
        return not bool(found.detach().isfinite().all())
    if isinstance(found, dict):
        return any(not_finite(value, depth + 1) for value in found.values())
    if isinstance(found, (list, tuple)):
        return any(not_finite(value, depth + 1) for value in found)
    inner = getattr(found, "__dict__", None)
    if inner and depth < 3 and type(found).__module__.startswith("geolib"):
        return any(not_finite(value, depth + 1) for value in inner.values())
    return False


def _no_number(value: Any) -> bool:
    """Return whether a value holds what is no number, or one whose square is none."""
    large = isinstance(value, torch.Tensor) and value.is_floating_point() and bool((value.abs() > 1e100).any())
    return large or not_finite(value)


@contextlib.contextmanager
def within(seconds: int) -> Iterator[None]:
    """Raise TimeoutError where the block takes longer."""

    def late(*_: Any) -> None:
        raise TimeoutError(f"nothing came of it in {seconds} s")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@functools.cache
def expected(function: Callable) -> Any:
    """Return what the valid call gives."""
    return called(function, CALLS[function](), seconds=600)  # which may compile, on a busy machine


def called(function: Callable, given: dict[str, Any], seconds: int = 60) -> Any:
    """Return a call's result, the first value where it yields several."""
    # There, for a word that is taken for a file's name makes a file.
    with warnings.catch_warnings(), np.errstate(all="ignore"), within(seconds), contextlib.chdir(_folder()):
        warnings.simplefilter("ignore")
        found = function(**given)
        if isinstance(found, types.GeneratorType):
            found = list(found)
        return found


def fault(function: Callable, given: dict[str, Any], expected: Any) -> str:
    """Return what is wrong with the answer to a call with a wrong argument, or nothing."""
    try:
        found = called(function, given)
    except (TypeError, ValueError, FloatingPointError, MemoryError, OSError) as error:
        text = str(error)
        if len(text.splitlines()) != 1 or len(text) > 500:
            return f"{len(text.splitlines())} lines, {len(text)} characters: {text[:120]!r}"
        return (
            "" if " must " in text or isinstance(error, (MemoryError, OSError)) else f"{type(error).__name__}: {text!r}"
        )
    except BaseException as error:
        return f"{type(error).__name__} came through: {str(error)[:160]!r}"
    silent = not_finite(found) and not not_finite(expected)
    if silent and (function in NOTHING or (function in THROUGH and any(map(_no_number, given.values())))):
        return ""
    return "a result that is no finite number" if silent else ""
