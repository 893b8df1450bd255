"""The audit of a trial: its best latent is simulated again, and its misfit compared."""

from __future__ import annotations

import functools

import numpy as np
import torch

from geolib.runs.recheck import Recheck
from geolib.runs.unit import Arrays
from geolib.studies.latent_inversion.config import LatentConfig
from geolib.studies.latent_inversion.units import Trial
from geolib.studies.latent_inversion.world import World

#: Seconds that it takes, the generator's loading shared among a file's trials.
SECONDS = 0.5

_world = functools.lru_cache(maxsize=2)(World)


def trial(config: LatentConfig, unit: Trial, arrays: Arrays) -> Recheck:
    """Return the recheck of a trial: the best model's misfit, and the true latent."""
    found = arrays["record"][-1, 1] if "record" in arrays else arrays["best"][-1]

    def again() -> dict[str, np.ndarray]:
        world = _world(config)
        data, rmse = world.data(unit)
        with torch.no_grad():
            made = world.simulate(
                unit.operator, unit.case, torch.from_numpy(arrays["best_latent"])[None]
            )
        misfit = float((made - data).square().mean().sqrt()) / rmse
        truth = world.true_latents[unit.model][0].numpy()
        return {"misfit": np.array(misfit), "true_latent": truth}

    stored = {"misfit": np.asarray(found, float), "true_latent": arrays["true_latent"]}
    return Recheck("its best model evaluated again", SECONDS, stored, again)
