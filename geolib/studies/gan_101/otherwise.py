"""What judges the claims on GANs with other seeds: one left out of few, halves of many."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.unit import Units, select
from geolib.studies.gan_101.measures import measures
from geolib.studies.gan_101.units import Trick, Variant

#: Seeds up to which one that is left out can change what they say; with more it is no alternative.
FEW = 6
HALVES = ("the first half of the seeds", "the second half of the seeds")


def variants(critic_steps: int, units: Units) -> dict[str, dict[str, Measure]]:
    """Return by choice the measures of the repeated trainings, from other seeds.

    Parameters
    ----------
    critic_steps : int
        Of the recipes that take several.
    units : mapping
        Results by unit name.
    """

    def measured(part: Units) -> dict[str, Measure]:
        return measures(critic_steps, part)

    return {**subsets(units, measured), **halves(units, measured)}


def halves(
    units: Units, measured: Callable[[Units], dict[str, Measure]]
) -> dict[str, dict[str, Measure]]:
    """Return by choice what the first and the second half of a variant's seeds give, where many.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    measured : callable
        Makes measures of results.
    """
    every = select(units, Variant)
    seeds = Counter(map(_repeated, every))
    found = {}
    for late, choice in enumerate(HALVES):
        kept = {
            unit.name: arrays
            for unit, arrays in every.items()
            if (n := seeds[_repeated(unit)]) > FEW and (2 * unit.seed >= n) == late
        }
        if kept:
            found[choice] = measured(kept)
    return found


def subsets(
    units: Units, measured: Callable[[Units], dict[str, Measure]]
) -> dict[str, dict[str, Measure]]:
    """Return by choice what some of the seeds give, where there are `FEW`.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    measured : callable
        Makes measures of results.
    """
    every: dict[Trick | Variant, Mapping[str, np.ndarray]] = {
        **select(units, Trick),
        **select(units, Variant),
    }
    seeds = Counter(map(_repeated, every))
    repeated = {unit: arrays for unit, arrays in every.items() if seeds[_repeated(unit)] <= FEW}
    found = {}
    for seed in range(3):
        kept = {unit.name: arrays for unit, arrays in repeated.items() if unit.seed != seed}
        if kept and len(kept) < len(repeated):
            found[f"without seed {seed}"] = measured(kept)
    return found


def _repeated(unit: Trick | Variant) -> tuple[str, ...]:
    """Return what a training repeats with other seeds."""
    return (unit.data, unit.trick) if isinstance(unit, Trick) else (unit.variant,)
