"""Single choices of the method, varied with the rays that were published.

The paper tried its choices with the rays that it had, and those were scrambled: so are these. Every
choice of a kind has the same starts, which no table uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from geolib._runtime import keep_memory
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units, of_kind
from geolib.studies.latent_inversion import effects
from geolib.studies.latent_inversion.config import ChoicesConfig
from geolib.studies.latent_inversion.study import DIMS
from geolib.studies.latent_inversion.units import Scrambled
from geolib.studies.latent_inversion.world import World

#: So many times the updates: with a rate of 0.001 a latent moves by one in a thousand of them, and
#: its box is two wide.
LONGER = {"rate": 3}


class Choices(Study[ChoicesConfig]):
    """A comparison for each kind of choice."""

    name = "latent_choices"
    title = "Single choices with the published rays"
    question = "Is each choice of the method the best of those that were tried?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    Config = ChoicesConfig
    kinds = (Scrambled,)

    def units(self, config: ChoicesConfig) -> list[Unit]:
        """Return a comparison for each kind."""
        iterations, trials = config.effect_iterations, config.effect_trials
        return [
            Scrambled(kind, iterations * LONGER.get(kind, 1), trials) for kind in config.effects
        ]

    def compute(
        self, config: ChoicesConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the comparisons."""
        keep_memory()
        world = World(config)
        for unit in of_kind(Scrambled, units):
            yield unit, effects.compare(world, unit)

    def inputs(self, config: ChoicesConfig, unit: Unit) -> Sequence[str]:
        """Return the weights of the generators that a comparison rests on."""
        assert isinstance(unit, Scrambled)
        return effects.weights_of(unit, config.width)

    def recheck(
        self, config: ChoicesConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a comparison is rechecked: the published choice, by its median outcome.

        Half of the starts are enough, and one or another ends elsewhere on another processor.
        """
        assert isinstance(unit, Scrambled)
        few = replace(unit, trials=(unit.trials + 1) // 2)

        def median(outcome: np.ndarray) -> Arrays:
            by_model = outcome[0].reshape(2, -1)[:, : few.trials]
            return {"median": np.array(np.median(by_model))}

        def again() -> Arrays:
            return median(effects.compare(World(config), few, n_choices=1)["outcome"])

        a_start = float(arrays["core_seconds"][0] * arrays["updates"])
        how = "its published choice, the median of half of the starts"
        return Recheck(how, a_start * 2 * few.trials + 2, median(arrays["outcome"]), again)

    def measures(self, config: ChoicesConfig, units: Units) -> dict[str, Measure]:
        """Return how the other choices fare against the published one, with scrambled rays."""
        found = effects.measures(units, Scrambled)
        return {f"as_published.{name}": value for name, value in found.items()}


STUDY = Choices()
