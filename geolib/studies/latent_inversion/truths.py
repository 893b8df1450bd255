"""Strategy 1 on other true models: what hangs on the two that were drawn.

The authors' two true models come from weights of their own, which are not released; ours are two
other draws. Here a dozen more are searched for, each from starts of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from geolib._runtime import keep_memory
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.latent_inversion import recheck, trials
from geolib.studies.latent_inversion.config import TruthsConfig, weights_name
from geolib.studies.latent_inversion.study import DIMS
from geolib.studies.latent_inversion.tables import LIMITS
from geolib.studies.latent_inversion.units import Trial
from geolib.studies.latent_inversion.world import World

#: The first of the other true models, the noise that was released, and trials computed together.
FIRST, NOISE, TOGETHER = 3, 2, 4
#: Numbers of starts that no table uses.
STARTS = 100_000


class Truths(Study[TruthsConfig]):
    """Binary trials of strategy 1 for each of the other true models."""

    name = "latent_truths"
    title = "Other true models"
    question = "Does success hang on the two true models that were drawn?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    Config = TruthsConfig
    kinds = (Trial,)

    def units(self, config: TruthsConfig) -> list[Unit]:
        """Return the trials, start by start."""
        return [
            Trial(operator, "binary", "adam", config.adam_iterations, FIRST + model, NOISE, number)
            for operator in config.operators
            if operator != "image"
            for start in range(config.n_starts)
            for model in range(config.n_models)
            for number in [STARTS + start * 100 + model]
        ]

    def batches(self, config: TruthsConfig, units: Sequence[Unit]) -> list[list[Unit]]:
        """Return each trial with three neighbours: where it stands among all, not what is asked."""
        everything, wanted = self.units(config), set(units)
        size = config.n_models
        parts = [
            everything[row + first : row + min(first + TOGETHER, size)]
            for row in range(0, len(everything), size)
            for first in range(0, size, TOGETHER)
        ]
        return [part for part in parts if wanted & set(part)]

    def compute(
        self, config: TruthsConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the trials that are wanted, computed in whole groups."""
        keep_memory()
        world = World(config)
        for part in self.batches(config, units):
            together = list(of_kind(Trial, part))
            for trial, arrays in zip(together, trials.descend(world, together), strict=True):
                if trial in units:
                    yield trial, arrays

    def inputs(self, config: TruthsConfig, unit: Unit) -> Sequence[str]:
        """Return the generator's weights."""
        return (weights_name(config.width),)

    def recheck(
        self, config: TruthsConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a trial is rechecked: by its best model."""
        assert isinstance(unit, Trial)
        return recheck.trial(config, unit, arrays)

    def measures(self, config: TruthsConfig, units: Units) -> dict[str, Measure]:
        """Return the share of trials that fit, bootstrapped over the true models."""
        found = {}
        for prefix, operator in (("", "consistent"), ("as_published.", "as_published")):
            models: dict[int, list[bool]] = {}
            for trial, arrays in select(units, Trial, operator=operator).items():
                models.setdefault(trial.model, []).append(bool(arrays["best"][-1] <= LIMITS[-1]))
            if models:
                found[f"{prefix}truths.s1.le{LIMITS[-1]}"] = Measure.clustered(
                    list(models.values())
                )
        return found


STUDY = Truths()
