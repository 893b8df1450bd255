"""Strategy 1 on other true models: what hangs on the two that were drawn.

The authors' two true models come from weights of their own, which are not released; ours are two
other draws. Here a dozen more are searched for, each from starts of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from geolib._runtime import keep_memory
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.latent_inversion import measures, recheck, trials
from geolib.studies.latent_inversion.config import TruthsConfig, weights_name
from geolib.studies.latent_inversion.study import DIMS
from geolib.studies.latent_inversion.tables import LIMITS
from geolib.studies.latent_inversion.units import Trial
from geolib.studies.latent_inversion.world import World

#: The first of the other true models, the noise that was released, and trials computed together.
FIRST, NOISE, TOGETHER = 3, 2, 4
#: Numbers of starts that no table uses.
STARTS = 100_000


def block(trial: Trial) -> list[Trial]:
    """Return the trials computed together with one, in their places: part of what a trial is.

    They are the same start's of four models, whether or not as many are wanted: a trial's last
    digits hang on those beside it, and how many models there are must not change a result.
    """
    row, place = trial.trial - (trial.model - FIRST), (trial.model - FIRST) // TOGETHER * TOGETHER
    return [
        replace(trial, model=FIRST + number, trial=row + number)
        for number in range(place, place + TOGETHER)
    ]


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
        """Return the trials by the blocks in which they are computed."""
        found: dict[Unit, list[Unit]] = {}
        for trial in of_kind(Trial, units):
            found.setdefault(block(trial)[0], []).append(trial)
        return list(found.values())

    def compute(
        self, config: TruthsConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the trials that are wanted, computed in whole blocks."""
        keep_memory()
        world = World(config)
        for wanted in self.batches(config, units):
            places = block(next(of_kind(Trial, wanted)))
            found = zip(places, trials.descend(world, places), strict=True)
            yield from ((trial, arrays) for trial, arrays in found if trial in wanted)

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
        """Return how trials descend, and the share that fits, bootstrapped over the true models."""
        found: dict[str, Measure] = {}
        for prefix, operator in (("", "consistent"), ("as_published.", "as_published")):
            models: dict[int, list[bool]] = {}
            for trial, arrays in select(units, Trial, operator=operator).items():
                models.setdefault(trial.model, []).append(bool(arrays["best"][-1] <= LIMITS[-1]))
            if models:
                found[f"{prefix}truths.s1.le{LIMITS[-1]}"] = Measure.clustered(
                    list(models.values())
                )
            descents = measures.descent(units, operator).items()
            found |= {f"{prefix}truths.{name}": measure for name, measure in descents}
        return found


STUDY = Truths()
