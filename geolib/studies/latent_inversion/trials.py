"""Trials of strategies 1 and 2, a group at a time, and what is kept of each."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from geolib.inversion import latent
from geolib.inversion.gauss_newton import gauss_newton
from geolib.runs.unit import Arrays
from geolib.studies.latent_inversion import searches
from geolib.studies.latent_inversion.tables import EARLY_STOP, MARKS
from geolib.studies.latent_inversion.units import Trial
from geolib.studies.latent_inversion.world import World

#: WRMSE at which a trial on traveltimes rests: as good as the truth, and below every limit of the
#: tables.
ENOUGH = 1.0
#: Points kept of a trial's misfit curve.
KEPT = 250


def descend(world: World, units: list[Trial]) -> Iterator[Arrays]:
    """Run one group of strategy 1 or 2 and yield each trial's arrays."""
    config, unit = world.config, units[0]
    pairs = {(u.model, u.noise): world.data(u) for u in units}
    data = torch.cat([pairs[u.model, u.noise][0] for u in units])
    first, draws = world.starts(units, unit.budget if unit.method == "adam" else 0)
    # The whole image has no noise to fit, and its table asks for the latent as well.
    enough = torch.tensor(
        [0.0 if unit.operator == "image" else ENOUGH * pairs[u.model, u.noise][1] for u in units]
    )
    if unit.method == "adam":
        found = latent.adam(
            lambda z: world.simulate(unit.operator, unit.case, z),
            data,
            first,
            draws,
            rate=config.learning_rate,
            clipping=config.clipping,
            enough=enough,
        )
        best_latent = found.best_latent
    else:
        step = config.perturbation if unit.method == "gn" else None
        linearise = searches.linearise(world, unit.operator, unit.case, step)
        start = latent.to_normal(first)
        found = gauss_newton(linearise, data, start, unit.budget, sigma=config.noise, enough=enough)
        best_latent = latent.to_uniform(found.best_latent)
    for row, each in enumerate(units):
        rmse = pairs[each.model, each.noise][1]
        arrays = kept_of(found.misfit[row].numpy() / rmse, rmse, data.shape[1])
        latents = {
            "start": first[row],
            "best_latent": best_latent[row],
            "true_latent": world.true_latents[each.model][0],
        }
        yield arrays | {name: value.cpu().numpy() for name, value in latents.items()}


def kept_of(ratio: np.ndarray, rmse: float, n_data: int) -> Arrays:
    """Return a trial's misfits: best at the tables' marks, thinned curves, early stop's verdict."""
    running = np.minimum.accumulate(ratio)
    kept = np.unique(np.linspace(0, len(ratio) - 1, min(KEPT, len(ratio))).astype(int))
    marks = np.array(sorted({mark for mark in MARKS if mark <= len(ratio)} | {len(ratio)}))
    after, limit = EARLY_STOP
    beyond = np.flatnonzero(ratio[after:] * rmse > np.sqrt(limit / n_data))
    stop = after + int(beyond[0]) if beyond.size else -1
    return {
        "marks": marks,
        "best": running[marks - 1],
        "iteration": kept,
        "trajectory": ratio[kept].astype(np.float32),
        "running_best": running[kept].astype(np.float32),
        "true_rmse": np.array(rmse),
        "stopped": np.array(stop),
        "best_if_stopped": np.array(running[stop] if stop >= 0 else running[-1]),
    }
