"""What judges the claims on GANs had other seeds been drawn: one of the first three left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.unit import Units, select
from geolib.studies.gan_101.measures import measures
from geolib.studies.gan_101.units import Trick, Variant


def variants(critic_steps: int, units: Units) -> dict[str, dict[str, Measure]]:
    """Return by choice the measures of the repeated trainings, from other seeds.

    Parameters
    ----------
    critic_steps : int
        Of the recipes that take several.
    units : mapping
        Results by unit name.
    """
    return subsets(units, lambda part: measures(critic_steps, part))


def subsets(
    units: Units, measured: Callable[[Units], dict[str, Measure]]
) -> dict[str, dict[str, Measure]]:
    """Return by choice what some of the seeds give.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    measured : callable
        Makes measures of results.
    """
    repeated: dict[Trick | Variant, Mapping[str, np.ndarray]] = {
        **select(units, Trick),
        **select(units, Variant),
    }
    found = {}
    for seed in range(3):
        kept = {unit.name: arrays for unit, arrays in repeated.items() if unit.seed != seed}
        if kept and len(kept) < len(repeated):
            found[f"without seed {seed}"] = measured(kept)
    return found
