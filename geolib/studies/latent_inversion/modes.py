"""The modes of a posterior: groups of its draws that no small step joins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy.cluster import hierarchy
from scipy.spatial import distance

from geolib.runs.unit import Units
from geolib.studies.latent_inversion.config import LatentConfig, PosteriorConfig
from geolib.studies.latent_inversion.draws import scenarios
from geolib.studies.latent_inversion.tables import ORDERS, ROMAN
from geolib.studies.latent_inversion.world import World

#: Draws of a scenario that are compared, of all its runs evenly.
KEPT = 100
#: Modes are parted by steps of so large a share of the cells, and hold so many of the draws:
#: a draw that stands alone is none.
GAP, MODE = 0.01, 0.05


def facies(world: World, runs: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Return the facies of `KEPT` draws (n, 7500), at even distances through all runs."""
    latents = np.concatenate([run["draws"] for run in runs])
    chosen = latents[:: max(1, len(latents) // KEPT)][:KEPT]
    with torch.no_grad():
        found: np.ndarray = world.models(torch.from_numpy(chosen).float()).numpy() >= 0.5
    return found


def groups(models: np.ndarray, gap: float = GAP) -> list[int]:
    """Return the sizes of groups of models that no step below the gap joins, largest first.

    A step is the share of cells in which two models differ.
    """
    joined = hierarchy.linkage(distance.pdist(models, "hamming"))
    sizes = np.bincount(hierarchy.fcluster(joined, gap, "distance"))[1:]
    return sorted(sizes.tolist(), reverse=True)


def told(units: Units) -> str:
    """Return for each scenario of several runs whether its draws make one mode."""
    config, said = PosteriorConfig(), []
    world = World(LatentConfig(width=config.width, seed=config.seed), "cpu")
    for (order, model, noise), runs in scenarios(units).items():
        if len(runs) < 2:
            continue
        models = facies(world, runs)
        most, sizes = float(distance.pdist(models, "hamming").max()), groups(models)
        modes = sum(size >= MODE * len(models) for size in sizes)
        said.append(
            f"- {ORDERS[order].capitalize()}, model {ROMAN[model]}, noise {ROMAN[noise]}: "
            f"{modes} mode{'s'[: modes != 1]}. Of {len(models)} draws of {len(runs)} runs two "
            f"differ in {100 * most:.1f} % of the cells at most, and {sizes[0]} are joined by "
            f"steps below {100 * GAP:g} %."
        )
    head = "How many modes are there? A mode is a group of draws from which no small step leads."
    return "\n".join([head, "", *said]) if said else ""
