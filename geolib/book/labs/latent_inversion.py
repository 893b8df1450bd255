"""Data of the latent inversion's laboratory: generator, experiment, numbers to check."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geolib import studies
from geolib.book.labs._data import encode
from geolib.inversion import gauss_newton, latent, search
from geolib.inversion.crosshole import CELL_ORDERS

STUDY = studies.get("latent_inversion")
N_LATENT: int = STUDY.lends["n_latent"]
WIDTH = 16
KINDS = ("binary", "continuous", "surrogate")
NOISES = (1, 2)


def scripts() -> dict[str, dict[str, Any]]:
    """Return the laboratory's script: weights (half precision), true latents, errors, a check."""
    world = small_world()
    weights = {name: encode(value, "f2") for name, value in world.network.state_dict().items()}
    truths = {str(model): encode(value[0]) for model, value in world.true_latents.items()}
    return {
        "latent_inversion": {
            "weights": weights,
            "truths": truths,
            "errors": {str(noise): encode(errors(world, noise)) for noise in NOISES},
            "ours": ours(),
            "check": check(world),
        }
    }


def small_world() -> Any:
    """Return the study's world with the generator that runs in the page."""
    return STUDY.lends["world"](STUDY.Config(width=WIDTH), "cpu")


def errors(world: Any, noise: int) -> np.ndarray:
    """Return the errors (ns), shape (576,), that the study adds to traveltimes."""
    rng = np.random.default_rng([world.config.seed, 2, noise])
    return float(world.config.noise) * rng.standard_normal(576)


def ours() -> dict[str, Any]:
    """Return the numbers of `geolib.search_models`: settings, budget, and what it is built on."""
    return {
        "settings": dataclasses.asdict(search.Settings()),
        "budget": search.BUDGET,
        "constants": {
            "widths": search._WIDTHS,
            "linear": search._LINEAR,
            "ridges": search._RIDGES,
            "most_components": search._COMPONENTS,
            "near": search._NEAR,
            "share": search._SHARE,
        },
    }


def check(world: Any) -> dict[str, Any]:
    """Return the package's answer to a latent: model, times, misfits, gradients, one update."""
    start, model = _clear(world)
    cases = {
        f"{order} {kind}": _case(world, order, kind, start)
        for order in CELL_ORDERS
        for kind in KINDS
    }
    parts = {name: encode(each, "f8") for name, each in _proposed(world).items()}
    return {"latent": encode(start[0]), "model": encode(model), "cases": cases, "ours": parts}


class _NoChance:
    """Draws that the page can repeat."""

    def permutation(self, values: np.ndarray) -> np.ndarray:
        return values

    def standard_normal(self, size: int) -> np.ndarray:
        return np.ones(size)


def _proposed(world: Any) -> dict[str, np.ndarray]:
    """Return models (normal numbers), and what our search proposes from them without chance."""
    models = np.random.default_rng(9).standard_normal((80, N_LATENT))
    data, rms = world.observed("consistent", "continuous", 1, 1)
    with torch.no_grad():
        latents = latent.to_uniform(torch.from_numpy(models)).float()
        residual = (world.simulate("consistent", "continuous", latents) - data).numpy() / rms
    residual = residual.astype(np.float64)
    misfit = np.sqrt(np.square(residual).mean(1))
    chance: Any = _NoChance()
    return {
        "models": models,
        "proposals": search._propose(models, residual, 8, chance),
        "steps": search._step(models, misfit, residual, 8, chance),
    }


def _clear(world: Any) -> tuple[Tensor, Tensor]:
    """Return a latent, and its model, no cell of which round-off would turn at the threshold."""
    generator = torch.Generator().manual_seed(0)
    for _ in range(1000):
        start = torch.rand(1, N_LATENT, generator=generator) * 2 - 1
        with torch.no_grad():
            model = world.models(start)[0]
        if (model - 0.5).abs().min() > 1e-4:
            return start, model
    raise ValueError(
        "a model must keep 1e-4 from its threshold in every cell; of 1000 none did. Draw more."
    )


def _case(world: Any, order: str, kind: str, start: Tensor) -> dict[str, Any]:
    data, rms = world.observed(order, kind, 1, 1)
    moving = start.clone().requires_grad_(True)
    times = world.simulate(order, kind, moving)
    (slope,) = torch.autograd.grad((times - data).square().sum(), moving)
    draws = torch.zeros(1, 3, N_LATENT)
    stepped = latent.adam(lambda z: world.simulate(order, kind, z), data, start, draws)

    def simulate(normal: Tensor) -> Any:
        return world.simulate(order, kind, latent.to_uniform(normal))

    found = {"times": times.detach()[0], "gradient": slope[0], "adam": stepped.last_latent[0]}
    if kind == "continuous":  # of 31 thresholded images, round-off would turn a cell in some
        linearise = gauss_newton.central_differences(simulate, world.config.perturbation)
        moved = gauss_newton.gauss_newton(
            linearise, data, latent.to_normal(start), 1, sigma=world.config.noise
        )
        found["gauss_newton"] = latent.to_uniform(moved.last_latent[0])
    misfit = float(latent.root_mean_square(times.detach() - data)) / rms
    return {name: encode(value) for name, value in found.items()} | {"wrmse": misfit, "rms": rms}
