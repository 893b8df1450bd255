"""The training tricks against a baseline that learns: its rates are swept, its batches are large.

In the chapter's own runs the plain game on channel patches hardly moves (rate 2e-3, batches of 16),
and a trick cannot be measured against what does not learn. Here the plain recipe's rate is the best
of a sweep, and the sweep has seeds of its own (100, 101, ...): none of the trainings that judge the
tricks (seeds 0, 1, ...) took part in the choice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from geolib.gans import tricks as recipes
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units, select
from geolib.studies.gan_101 import otherwise, recheck
from geolib.studies.gan_101.ablation import (
    STUCK,
    ablation,
    at_equal_distance,
    learnt,
    outcomes,
    together,
)
from geolib.studies.gan_101.config import FIRST_SWEPT, TricksConfig
from geolib.studies.gan_101.units import DATA, Trick
from geolib.studies.gan_101.variants import trick

#: What the ledger judges on the mixture, all against one baseline.
FAMILY = (
    ("batch_norm", "unrest"),
    ("batch_norm", "time"),
    ("critic_rate", "distance"),
    ("critic_steps", "distance"),
    ("critic_steps", "critic_error"),
    ("smooth_label", "accuracy"),
    ("smooth_label", "distance"),
    ("leaky", "accuracy"),
    ("leaky", "distance"),
    ("all", "distance"),
)
#: The first seed that was added when twelve had decided little.
FIRST_ADDED = 12


@dataclass(frozen=True)
class Swept(Unit):
    """A training of the plain recipe at one of the sweep's rates."""

    TEMPLATE: ClassVar[str] = "sweep-{data}-{rate:g}-{seed}"

    data: str
    rate: float
    seed: int


def swept(units: Units, data: str) -> dict[float, np.ndarray]:
    """Return by rate the distance at the end (mean of the last quarter), one for each seed."""
    found: dict[float, list[float]] = {}
    for unit, arrays in select(units, Swept, data=data).items():
        trace = arrays["trace"]
        found.setdefault(unit.rate, []).append(float(trace[-(len(trace) // 4) :].mean()))
    return {rate: np.array(ends) for rate, ends in sorted(found.items())}


class Tricks(Study[TricksConfig]):
    """The sweep, then every recipe with each seed."""

    name = "gan_tricks"
    title = "Training tricks against a baseline that learns"
    question = "Do the tricks help where the plain game learns as well?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "trace": ("record",),
        "critic": ("record", "quantity"),
    }
    Config = TricksConfig
    kinds = (Swept, Trick)

    def units(self, config: TricksConfig) -> list[Unit]:
        """Return the sweep's trainings, then the recipes seed by seed: a part can be judged."""
        sweep: list[Unit] = [
            Swept(data, rate, FIRST_SWEPT + index)
            for data in config.data
            for index in range(config.n_sweep_seeds)
            for rate in config.sweep_rates
        ]
        judging: list[Unit] = [
            Trick(data, name, seed)
            for seed in range(max(config.n_seeds, config.n_mixture_seeds))
            for data in config.data
            for name in ("plain", *config.tricks)
            if seed < (config.n_mixture_seeds if data == "mixture" else config.n_seeds)
        ]
        return sweep + judging

    def compute(
        self, config: TricksConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each unit's arrays."""
        for unit in units:
            yield unit, _train(config, unit)

    def recheck(
        self, config: TricksConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: by its training's beginning, as in the chapter."""
        return recheck.training(unit, arrays, seconds, partial(self.compute, config))

    def measures(self, config: TricksConfig, units: Units) -> dict[str, Measure]:
        """Return what each trick does, and how far the plain recipe gets.

        Where it still hardly learns nothing is measured against it. ``holm.tricks.mixture`` is what
        the ledger judges on the mixture, with intervals for all of it together.
        """
        reached = {data: far for data in DATA if (far := learnt(units, data)) is not None}
        found = {f"learns.plain.{data}": far for data, far in reached.items()}
        for data, name, values in ablation(config.critic_steps, units):
            if data in reached and reached[data].value <= STUCK:
                found |= {
                    f"learns.tricks.{data}.{name}.{key}": value for key, value in values.items()
                }
        if "learns.plain.mixture" in found and reached["mixture"].value <= STUCK:
            found |= _on_the_mixture(config, units)
        return found

    def variants(self, config: TricksConfig, units: Units) -> dict[str, dict[str, Measure]]:
        """Return the measures without one of the first seeds, and of the seeds added to them."""
        found = otherwise.subsets(units, lambda part: self.measures(config, part))
        trained = select(units, Trick)
        added = {unit.name: run for unit, run in trained.items() if unit.seed >= FIRST_ADDED}
        if 0 < len(added) < len(trained):
            found["added seeds alone"] = self.measures(config, added)
        return found


def jointly(critic_steps: int, units: Units) -> dict[tuple[str, str], Measure]:
    """Return by trick and outcome what the ledger judges on the mixture, all of it together."""
    by_trick = {
        name: outcomes(units, "mixture", name, critic_steps)
        for name in dict.fromkeys(name for name, _ in FAMILY)
    }
    return together(
        {
            (name, key): by_trick[name][key]
            for name, key in FAMILY
            if by_trick[name].get(key, np.empty(0)).size
        }
    )


def _on_the_mixture(config: TricksConfig, units: Units) -> dict[str, Measure]:
    judged = jointly(config.critic_steps, units)
    found = {f"holm.tricks.mixture.{name}.{key}": each for (name, key), each in judged.items()}
    for name in dict.fromkeys(name for name, _ in FAMILY):
        equal = at_equal_distance(units, "mixture", name)
        if equal is not None:
            found[f"learns.tricks.mixture.{name}.critic_error_at_equal_distance"] = equal
    return found


def _train(config: TricksConfig, unit: Unit) -> Arrays:
    assert isinstance(unit, (Swept, Trick))
    mixture = unit.data == "mixture"
    usual = config.mixture_rate if mixture else config.channels_rate
    rule = recipes.recipe(
        unit.trick if isinstance(unit, Trick) else "plain",
        critic_steps=config.critic_steps,
        critic_rate=config.critic_rate,
        real_label=config.real_label,
    )
    return trick(
        unit.data,
        rule,
        config.iterations,
        unit.seed,
        rate=unit.rate if isinstance(unit, Swept) else usual,
        batch=config.mixture_batch if mixture else config.channels_batch,
    )


STUDY = Tricks()
