"""The chapter's theory with other seeds: what one training had judged is judged by more.

The chapter runs each equation and each sketch once, with seed 0. Where chance has a part, in the
samples or in a training, one run says nothing of another. Here the same experiments, of the same
sizes, have seeds from 1 on, which nobody had seen when the rules were made. What draws samples and
trains no network takes seconds and has more seeds: enough to show, with a power of 0.8, what
happens once in twenty.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.gan_101.ablation import average
from geolib.studies.gan_101.config import SeedsConfig
from geolib.studies.gan_101.measures import of_theory
from geolib.studies.gan_101.otherwise import HALVES
from geolib.studies.gan_101.study import DIMS, experiment
from geolib.studies.gan_101.units import DRAWN, Seeded

_SHARE, _ERROR, _SIGNED = (0.0, 1.0), (0.0, math.inf), (-math.inf, math.inf)
#: By experiment the measures that are kept of a seed, and the ends of what each can be: no interval
#: reaches beyond them. A statement, which holds or does not, has none.
MEASURED: Mapping[str, Mapping[str, tuple[float, float] | None]] = {
    "likelihood": {"divergence_falls": None, "divergence_ratio": _ERROR, "sum_error": _ERROR},
    "value": {"monte_carlo_standard_errors": _ERROR, "monte_carlo_signed": _SIGNED},
    "discriminator": {
        "error": _ERROR,
        "largest_error": _SHARE,
        "value_gap": _ERROR,
        "equal_error": _ERROR,
        "pull_error_ratio": _ERROR,
    },
    "turns": {"accuracy_before": _SHARE, "accuracy_after": _SHARE},
    "mixture": {
        "half_error": _ERROR,
        "first_accuracy": _SHARE,
        "first_best_accuracy": _SHARE,
        "distance_ratio": _ERROR,
        "jsd": _ERROR,
    },
    "unaided": {"half_error": _ERROR, "jsd": _ERROR},
}
#: What is kept of its course, recorded at the steps at which the chapter's is.
COURSE = {
    "discriminator": ("errors", "pull_errors"),
    "turns": ("accuracy",),
    "mixture": ("history",),
    "unaided": ("history",),
}
#: Accuracies of a standing discriminator at which fakes go unnoticed in one training, as the ledger
#: has it for their mean.
UNNOTICED = (0.45, 0.56)


class Seeds(Study[SeedsConfig]):
    """Every experiment of the chapter's theory in which chance has a part, with other seeds."""

    name = "gan_seeds"
    title = "The theory of adversarial networks with other seeds"
    question = "Which statements on samples and single trainings hold with seeds nobody had seen?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {"history": DIMS["history"]}
    Config = SeedsConfig
    kinds = (Seeded,)

    def units(self, config: SeedsConfig) -> list[Unit]:
        """Return the experiments seed by seed, so that a part can be judged."""
        return [
            Seeded(label, seed)
            for seed in range(1, max(config.n_seeds, config.n_draws) + 1)
            for label in config.labels
            if seed <= (config.n_draws if label in DRAWN else config.n_seeds)
        ]

    def compute(
        self, config: SeedsConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield of each unit what it is measured by, and its course."""
        for unit in of_kind(Seeded, units):
            made = experiment(config, unit.label, unit.seed)
            arrays = {key: np.asarray(value) for key, value in made.items()}
            found = of_theory(unit.label, arrays)
            kept = {name: np.array(found[name].value) for name in MEASURED[unit.label]}
            yield unit, kept | {name: arrays[name] for name in COURSE.get(unit.label, ())}

    def measures(self, config: SeedsConfig, units: Units) -> dict[str, Measure]:
        """Return the chapter's measures over the seeds, by their names behind ``seeds.``."""
        return measures(units)

    def variants(self, config: SeedsConfig, units: Units) -> dict[str, dict[str, Measure]]:
        """Return the measures of either half of the seeds."""
        return halves(units)


def measures(units: Units) -> dict[str, Measure]:
    """Return the means over seeds with their intervals; of a statement in how many it holds."""
    found: dict[str, Measure] = {}
    for label, names in MEASURED.items():
        runs = select(units, Seeded, label=label).values()
        for name, ends in names.items() if runs else ():
            values = np.array([float(run[name]) for run in runs])
            found[f"seeds.{label}.{name}"] = (
                Measure.count(int(values.sum()), values.size)
                if ends is None
                else _bounded(average(values), *ends)
            )
    if runs := select(units, Seeded, label="turns").values():
        low, high = UNNOTICED
        unnoticed = [low <= float(run["accuracy_after"]) <= high for run in runs]
        found["seeds.turns.unnoticed"] = Measure.count(sum(unnoticed), len(unnoticed))
    return found


def _bounded(mean: Measure, low: float, high: float) -> Measure:
    if mean.low is None or mean.high is None:
        return mean
    return replace(mean, low=max(mean.low, low), high=min(mean.high, high))


def halves(units: Units) -> dict[str, dict[str, Measure]]:
    """Return by choice the measures of the seeds of an experiment up to its middle, and beyond."""
    every = select(units, Seeded)
    last: dict[str, int] = {}
    for unit in every:
        last[unit.label] = max(unit.seed, last.get(unit.label, 0))
    found = {}
    for late, choice in enumerate(HALVES):
        part = {
            unit.name: arrays
            for unit, arrays in every.items()
            if last[unit.label] > 1 and (2 * unit.seed > last[unit.label]) == late
        }
        if part:
            found[choice] = measures(part)
    return found


STUDY = Seeds()
