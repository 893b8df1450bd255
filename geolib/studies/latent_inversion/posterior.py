"""Posteriors of the paper's binary scenarios, and whether their sampler tells the truth.

A posterior is drawn several times over, each time from searches of its own. The calibration (Talts
et al. 2018) draws truths from the prior, and data from them: among the draws of a right posterior
a truth has any rank with the same probability. Samplers made wrong on purpose have to fail it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib._runtime import keep_memory
from geolib.gans import sgan
from geolib.inversion import crosshole, posterior, words
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units, select
from geolib.studies.latent_inversion.config import LatentConfig, PosteriorConfig, weights_name
from geolib.studies.latent_inversion.search import simulated
from geolib.studies.latent_inversion.searches import diagnostics
from geolib.studies.latent_inversion.units import SCENARIOS, Words
from geolib.studies.latent_inversion.world import N_LATENT, World, weights_path

CASE = "binary"
#: By what the errors' deviation is multiplied in the sampler, right and wrong: a posterior as wide
#: as temperature two makes it, and one for half the noise.
SAMPLERS = {"right": 1.0, "warm": 2**0.5, "sharp": 0.5}
#: Central intervals that a calibration counts, in per cent.
CENTRAL = (50, 80, 95)
#: Cells of the calibration, every so many down and across.
EVERY = (25, 15)


@dataclass(frozen=True)
class Posterior(Unit):
    """The posterior of a scenario, drawn once."""

    TEMPLATE: ClassVar[str] = "posterior-{operator}-m{model}-n{noise}-r{run}"
    ALLOWED: ClassVar[Words] = {"operator": words.CELL_ORDERS}

    operator: str
    model: int
    noise: int
    run: int


@dataclass(frozen=True)
class Calibration(Unit):
    """The ranks of one truth among the draws of a sampler."""

    TEMPLATE: ClassVar[str] = "calibration-{operator}-{sampler}-s{seed}"
    ALLOWED: ClassVar[Words] = {"operator": words.CELL_ORDERS, "sampler": tuple(SAMPLERS)}

    operator: str
    sampler: str
    seed: int


def settings(config: PosteriorConfig) -> posterior.Settings:
    """Return the sampler's settings."""
    return posterior.Settings(particles=config.particles, solves=config.solves, moves=config.moves)


def _facies(world: World, latents: np.ndarray) -> np.ndarray:
    """Return facies models (n, 7500) in [0, 1] of latents (n, 15)."""
    with torch.no_grad():
        return world.models(torch.from_numpy(latents).float()).numpy()


def _scenario(world: World, config: PosteriorConfig, unit: Posterior) -> Arrays:
    observed, rmse = world.observed(unit.operator, CASE, unit.model, unit.noise)
    data = observed[0].double().numpy()
    simulate = simulated(world, unit.operator, CASE)
    which = (words.CELL_ORDERS.index(unit.operator), unit.model, unit.noise, unit.run)
    rng = np.random.default_rng([config.seed, 7, *which])
    found = posterior.sample(
        simulate, data, N_LATENT, sigma=config.noise, rng=rng, settings=settings(config)
    )
    predicted = simulate(found.draws)
    predicted = predicted + config.noise * rng.standard_normal(predicted.shape)
    low, high = np.quantile(predicted, [0.025, 0.975], axis=0)
    true = world.true_latents[unit.model][0].numpy()
    channel = _facies(world, found.draws) >= 0.5
    return {
        "draws": found.draws.astype(np.float32),
        "log_likelihood": found.log_likelihood,
        "searches": np.array([found.searches, found.reached]),
        "powers": found.steps,
        "solves": np.array(found.solves),
        "probability": channel.mean(0).astype(np.float32),
        "wrong": (channel != (_facies(world, true[None]) >= 0.5)).mean(1).astype(np.float32),
        "inside": np.array(((low <= data) & (data <= high)).mean()),
        "true_latent": true,
        "true_rmse": np.array(rmse),
    }


def _truth(
    world: World, config: PosteriorConfig, unit: Calibration
) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """Return a truth of the prior, data of it, and the generator of what is drawn further."""
    rng = np.random.default_rng([unit.seed, 8, words.CELL_ORDERS.index(unit.operator)])
    true = rng.uniform(-1, 1, N_LATENT)
    clean = simulated(world, unit.operator, CASE)(true[None])[0]
    return true, clean + config.noise * rng.standard_normal(clean.shape), rng


def _calibration(world: World, config: PosteriorConfig, unit: Calibration) -> Arrays:
    true, data, rng = _truth(world, config, unit)
    simulate = simulated(world, unit.operator, CASE)
    sigma = config.noise * SAMPLERS[unit.sampler]
    found = posterior.sample(
        simulate, data, N_LATENT, sigma=sigma, rng=rng, settings=settings(config)
    )
    both = np.concatenate([true[None], found.draws])
    direction = both / np.linalg.norm(both, axis=1, keepdims=True)
    facies = _facies(world, both)
    cells = facies.reshape(len(both), *crosshole.Crosshole().shape)[:, :: EVERY[0], :: EVERY[1]]
    share = (facies >= 0.5).mean(1, keepdims=True)
    told = {"direction": direction, "cells": cells.reshape(len(both), -1), "share": share}
    spread = (direction[0] - direction[1:].mean(0)) / direction[1:].std(0, ddof=1)
    return {
        **{f"rank_{name}": _ranks(values, rng) for name, values in told.items()},
        "spread": np.square(spread),
        "searches": np.array([found.searches, found.reached]),
        "solves": np.array(found.solves),
        "draw": found.draws[0],
        "log_likelihood": found.log_likelihood[0],
    }


def _ranks(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the ranks in (0, 1) of the first row among the others, at random among equals."""
    below = (values[1:] < values[0]).sum(0)
    equal = (values[1:] == values[0]).sum(0)
    ranks: np.ndarray = (below + rng.random(equal.shape) * (equal + 1)) / len(values)
    return ranks


def agreement(runs: Sequence[Mapping[str, np.ndarray]]) -> dict[str, float]:
    """Return ArviZ's worst R-hat and least bulk size over the directions' components.

    Each run counts as a chain. Its draws have common ancestors, so that the size is an upper bound.
    """
    draws = np.array([run["draws"] for run in runs])
    return diagnostics(draws / np.linalg.norm(draws, axis=2, keepdims=True))


class LatentPosterior(Study[PosteriorConfig]):
    """Posteriors of the scenarios in both cell orders, and the sampler's calibration."""

    name = "latent_posterior"
    version = 2  # the sampler searches until searches have come near enough
    title = "What the data leave open"
    question = "Which models fit as well as the truth, and can one trust the sampler that says so?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "draws": ("draw", "latent"),
        "log_likelihood": ("draw",),
        "powers": ("step", "power_and_shares"),
        "searches": ("made_and_reached",),
        "probability": ("cell",),
        "wrong": ("draw",),
        "true_latent": ("latent",),
        "rank_direction": ("latent",),
        "rank_cells": ("place",),
        "rank_share": ("one",),
        "spread": ("latent",),
        "draw": ("latent",),
    }
    Config = PosteriorConfig
    kinds = (Posterior, Calibration)

    def units(self, config: PosteriorConfig) -> list[Unit]:
        """Return the scenarios, run by run, and the truths of the calibration."""
        scenarios: list[Unit] = [
            Posterior(operator, model, noise, run)
            for run in range(config.runs)
            for model, noise in SCENARIOS[: config.scenarios]
            for operator in config.operators
        ]
        truths: list[Unit] = [
            Calibration("consistent", sampler, config.first + number)
            for number in range(config.truths)
            for sampler in SAMPLERS
            if sampler == "right" or number < config.wrong
        ]
        return scenarios + truths

    def inputs(self, config: PosteriorConfig, unit: Unit) -> Sequence[str]:
        """Return the generator's weights."""
        return (weights_name(_width(config, unit)),)

    def compute(
        self, config: PosteriorConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each posterior's draws, and each truth's ranks."""
        keep_memory()
        worlds: dict[int, World] = {}
        for unit in units:
            width = _width(config, unit)
            world = worlds.setdefault(width, _world(config, width))
            if isinstance(unit, Posterior):
                yield unit, _scenario(world, config, unit)
            elif isinstance(unit, Calibration):
                yield unit, _calibration(world, config, unit)

    def recheck(
        self, config: PosteriorConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return the recheck of a posterior: the log likelihood of its first draw, again."""
        assert isinstance(unit, (Posterior, Calibration))

        def again() -> dict[str, np.ndarray]:
            world = _world(config, _width(config, unit))
            if isinstance(unit, Posterior):
                draw, sigma = arrays["draws"][:1], config.noise
                observed = world.observed(unit.operator, CASE, unit.model, unit.noise)[0]
                data = observed[0].double().numpy()
            else:
                draw, sigma = arrays["draw"][None], config.noise * SAMPLERS[unit.sampler]
                data = _truth(world, config, unit)[1]
            times = simulated(world, unit.operator, CASE)(draw)[0].astype(float)
            residual = (times - data) / sigma
            return {"log_likelihood": np.array(-0.5 * np.square(residual).sum())}

        stored = {"log_likelihood": np.array(arrays["log_likelihood"].flat[0])}
        return Recheck("its first draw evaluated again", 1.0, stored, again)

    def measures(self, config: PosteriorConfig, units: Units) -> dict[str, Measure]:
        """Return what the posteriors say, and what the calibration says of their sampler.

        ``posterior.consistent.m1n1.wrong`` and so on, the mean share of wrong cells; ``.inside``,
        the share of data within the central 95 % of their predictions; ``posterior.r_hat``, the
        worst of all scenarios with several runs, where ArviZ is there; `calibration_measures`.
        """
        found: dict[str, Measure] = {}
        several: list[list[Mapping[str, np.ndarray]]] = []
        drawn = select(units, Posterior)
        for key in dict.fromkeys((unit.operator, unit.model, unit.noise) for unit in drawn):
            rows = [
                arrays
                for unit, arrays in drawn.items()
                if (unit.operator, unit.model, unit.noise) == key
            ]
            label = f"posterior.{key[0]}.m{key[1]}n{key[2]}"
            found[f"{label}.wrong"] = Measure.mean([float(row["wrong"].mean()) for row in rows])
            found[f"{label}.inside"] = Measure.mean([float(row["inside"]) for row in rows])
            if len(rows) > 1:
                several.append(rows)
        if several:
            with contextlib.suppress(ImportError):
                found["posterior.r_hat"] = Measure(
                    max(agreement(rows)["r_hat"] for rows in several)
                )
        found.update(calibration_measures(units))
        return found


def calibration_measures(units: Units) -> dict[str, Measure]:
    """Return what the calibration says of each sampler, with intervals over truths.

    ``calibration.right.c50`` is the share of directions' components within their central 50 % (80,
    95), ``.cells.c50`` that of cells, ``.share.c50`` that of the share of channel; ``.spread`` the
    mean square of how many deviations the components are off, one if right;
    ``calibration.warm.spread_to_right`` that over the right sampler's, the geometric mean of the
    truths that both had: they share the truth and its data.
    """
    found: dict[str, Measure] = {}
    spreads: dict[str, dict[int, float]] = {}
    for sampler in SAMPLERS:
        chosen = select(units, Calibration, sampler=sampler)
        if len(chosen) < 2:
            continue
        for quantity, name in (("direction", ""), ("cells", "cells."), ("share", "share.")):
            ranks = np.array([np.ravel(truth[f"rank_{quantity}"]) for truth in chosen.values()])
            for share in CENTRAL:
                within = (np.abs(ranks - 0.5) < share / 200).tolist()
                found[f"calibration.{sampler}.{name}c{share}"] = Measure.clustered(within)
        mine = {unit.seed: float(truth["spread"].mean()) for unit, truth in chosen.items()}
        found[f"calibration.{sampler}.spread"] = Measure.positive(list(mine.values()))
        spreads[sampler] = mine
        right = spreads.get("right", {})
        ratios = [np.log(mine[seed] / right[seed]) for seed in mine.keys() & right.keys()]
        if sampler != "right" and len(ratios) > 1:
            name = f"calibration.{sampler}.spread_to_right"
            found[name] = Measure.mean(ratios).exponential()
    return found


def _width(config: PosteriorConfig, unit: Unit) -> int:
    return config.narrow if isinstance(unit, Calibration) else config.width


def _world(config: PosteriorConfig, width: int) -> World:
    chapter = LatentConfig(width=width, noise=config.noise, seed=config.seed)
    return World(chapter, "cpu", sgan.load_weights(weights_path(width)))


STUDY = LatentPosterior()
