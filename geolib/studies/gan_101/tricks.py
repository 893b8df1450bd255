"""The training tricks against a plain recipe whose rate is swept and whose batches are large.

The sweeps have seeds of their own (100, 101, ...): none of the trainings that judge the tricks took
part in a choice. On the mixture seeds 0 to 99 judge. On channels the plain recipe rarely learns at
the rate that seed 100 preferred; seeds 12 to 23 judge, for 0 to 11 had been seen when that rule was
made, and the same seeds have a plain recipe at the rate that three seeds of choice prefer.
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
from geolib.studies.gan_101 import otherwise, recheck, telling
from geolib.studies.gan_101.ablation import (
    STUCK,
    ablation,
    at_equal_distance,
    effect,
    end,
    learnt,
    outcomes,
    pairs,
    together,
)
from geolib.studies.gan_101.config import FIRST_ADDED, FIRST_SWEPT, TricksConfig
from geolib.studies.gan_101.telling import Telling, tell
from geolib.studies.gan_101.units import DATA, MORE_TRICKS, Trick
from geolib.studies.gan_101.variants import trick

_ON_BOTH = (
    ("batch_norm", "time"),
    ("batch_norm", "distance"),
    ("critic_rate", "distance"),
    ("critic_steps", "distance"),
    ("smooth_label", "telling"),
    ("smooth_label", "distance"),
    ("leaky_critic", "telling"),
    ("leaky_critic", "distance"),
    ("leaky", "distance"),
    ("all", "distance"),
)
#: What is compared with one plain recipe on some data, and corrected for together.
FAMILY = {
    "mixture": (*_ON_BOTH, ("batch_norm", "unrest"), ("critic_steps", "critic_error")),
    "channels": (*_ON_BOTH, ("smooth_label", "extreme")),
}
#: What twelve seeds had been run with on channels before the rule that now judges was made.
SEEN = ("plain", "batch_norm", "leaky", "smooth_label")
#: Seeds from 100 on by which each discriminator against a resting generator gets its rate.
TELLING_CHOICE = 3


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
        if unit.seed < FIRST_SWEPT:
            continue
        trace = arrays["trace"]
        found.setdefault(unit.rate, []).append(end(trace))
    return {rate: np.array(ends) for rate, ends in sorted(found.items())}


class Tricks(Study[TricksConfig]):
    """The sweep, then every recipe with each seed."""

    name = "gan_tricks"
    title = "Training tricks against a plain recipe whose rate is swept"
    question = "What does each training trick do, and which free a training that is stuck?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "trace": ("record",),
        "critic": ("record", "quantity"),
        "accuracy": ("recipe", "rate", "record"),
    }
    Config = TricksConfig
    kinds = (Swept, Telling, Trick)

    def units(self, config: TricksConfig) -> list[Unit]:
        """Return the sweeps' trainings, then the recipes seed by seed: a part can be judged."""
        sweep: list[Unit] = [
            Swept(data, rate, FIRST_SWEPT + index)
            for data in config.data
            for seeds, rates in [_sweep(config, data)]
            for index in range(seeds)
            for rate in rates
        ]
        telling: list[Unit] = [
            Telling(data, seed)
            for data in config.data
            if config.n_telling_seeds
            for seed in (
                *range(FIRST_SWEPT, FIRST_SWEPT + TELLING_CHOICE),
                *range(FIRST_ADDED, FIRST_ADDED + config.n_telling_seeds),
            )
        ]
        judging: list[Unit] = [
            Trick(data, name, seed)
            for seed in range(FIRST_SWEPT)
            for data in config.data
            if seed in _seeds(config, data)
            for name in ("plain", *config.tricks)
        ]
        judging += [
            Trick("channels", name, seed)
            for seed in range(FIRST_ADDED)
            for name in SEEN
            if "channels" in config.data and config.n_seeds > 1
            if name in ("plain", *config.tricks)
        ]
        rivals: list[Unit] = [
            Swept("channels", rate, seed)
            for seed in _seeds(config, "channels")
            for rate in config.rival_rates
            if "channels" in config.data and config.n_channels_sweep_seeds
        ]
        return sweep + telling + judging + rivals

    def compute(
        self, config: TricksConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each unit's arrays."""
        for unit in units:
            yield unit, tell(config, unit) if isinstance(unit, Telling) else _train(config, unit)

    def recheck(
        self, config: TricksConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: by its training's beginning, as in the chapter.

        Discriminators against a generator that rests are not: the game that made it is longer than
        a training can be followed from one processor to the next.
        """
        if isinstance(unit, Telling):
            return None
        return recheck.training(unit, arrays, seconds, partial(self.compute, config))

    def measures(self, config: TricksConfig, units: Units) -> dict[str, Measure]:
        """Return what each trick does, and how far the plain recipe gets.

        Where it hardly learns nothing is measured against it (``learns.tricks``), but on channels
        by the seeds that were added: what frees a training is what the tricks are for.
        ``holm.tricks`` has intervals that hold for all that is compared on the same data at once;
        ``learning`` is how many trainings more than plain ones come to half of plain's first
        distance, ``rival`` what a trick does beside the plain recipe at another rate.
        """
        found = {}
        for data in DATA:
            reached = learnt(units, data)
            if reached is not None:
                found[f"learns.plain.{data}"] = reached
            for label, part in (
                ("learns", units if reached and reached.value <= STUCK else {}),
                ("added", judging(units, data) if data == "channels" else {}),
                ("seen", judging(units, data, added=False) if data == "channels" else {}),
            ):
                for _, name, values in ablation(config.critic_steps, of_data(part, data)):
                    found |= {f"{label}.tricks.{data}.{name}.{k}": v for k, v in values.items()}
                    if label != "learns":
                        found[f"{label}.tricks.{data}.{name}.learning"] = learning(part, data, name)
            if data == "channels" or (reached and reached.value <= STUCK):
                found |= _judged(config, judging(units, data), data)
        return found | rivals(units) | telling.measures(units)

    def variants(self, config: TricksConfig, units: Units) -> dict[str, dict[str, Measure]]:
        """Return the measures without one of the first seeds, and of the seeds added to them."""
        found = otherwise.subsets(units, lambda part: self.measures(config, part))
        trained = select(of_data(units, "mixture"), Trick)
        added = {unit.name: run for unit, run in trained.items() if unit.seed >= FIRST_ADDED}
        if 0 < len(added) < len(trained):
            found["added seeds alone"] = self.measures(config, added)
        return found


def of_data(units: Units, data: str) -> Units:
    """Return the trainings by the recipes on some data."""
    return {unit.name: run for unit, run in select(units, Trick, data=data).items()}


def judging(units: Units, data: str, *, added: bool = True) -> Units:
    """Return what judges on some data; on channels the seeds that were added, or those before.

    Those before had been seen when the rule was made.
    """
    left_out = {
        unit.name
        for unit in select(units, Trick, data="channels")
        if data == "channels" and (unit.seed >= FIRST_ADDED) != added
    }
    return {name: run for name, run in units.items() if name not in left_out}


def halving(units: Units, data: str, trick: str) -> tuple[int, int]:
    """Return how many trainings end at half plain's first distance or below, and of how many."""
    both = pairs(units, data, trick).values()
    return sum(halves(run["trace"], plain["trace"]) for run, plain in both), len(both)


def halves(trace: np.ndarray, plain: np.ndarray) -> bool:
    """Return whether a training ends at half the first distance of a plain one or below."""
    return bool(end(trace) <= STUCK * plain[0])


def learning(units: Units, data: str, trick: str) -> Measure:
    """Return by how much the share of trainings that halve plain's distance exceeds plain's own.

    Newcombe's interval is for two independent shares; of pairs that go together it is wide.
    """
    ours, plain = (Measure.count(*halving(units, data, name)) for name in (trick, "plain"))
    return Measure.difference(ours, plain)


def rivals(units: Units) -> dict[str, Measure]:
    """Return what tricks on channels do beside the plain recipe at the rates of `rival_rates`.

    The final distance as a ratio, and by how much the share of trainings that halve plain's first
    distance (at the usual rate) exceeds that of the plain ones at the other rate.
    """
    part = judging(units, "channels")
    rival: dict[float, dict[int, np.ndarray]] = {}
    for unit, run in select(units, Swept, data="channels").items():
        rival.setdefault(unit.rate, {})[unit.seed] = run["trace"]
    found = {}
    for rate, other in rival.items():
        for name in MORE_TRICKS:
            runs = [
                (run["trace"], other[seed], usual["trace"])
                for seed, (run, usual) in pairs(part, "channels", name).items()
                if seed in other
            ]
            if runs:
                ratios = np.array([end(trace) / end(plain) for trace, plain, _ in runs])
                found[f"rival.{rate:g}.{name}.distance"] = effect("distance", ratios)
                ours, theirs = (
                    Measure.count(sum(halves(run[n], run[2]) for run in runs), len(runs))
                    for n in (0, 1)
                )
                found[f"rival.{rate:g}.{name}.learning"] = Measure.difference(ours, theirs)
    return found


def _sweep(config: TricksConfig, data: str) -> tuple[int, tuple[float, ...]]:
    """Return how many seeds the sweep on some data has, and its rates."""
    if data == "channels":
        return config.n_channels_sweep_seeds, config.channels_rates
    return config.n_sweep_seeds, config.sweep_rates


def _seeds(config: TricksConfig, data: str) -> range:
    """Return the seeds that judge: on channels those that nobody had seen."""
    if data == "mixture":
        return range(config.n_mixture_seeds)
    return range(FIRST_ADDED, min(FIRST_ADDED + config.n_seeds, FIRST_SWEPT))


def jointly(critic_steps: int, units: Units, data: str) -> dict[tuple[str, str], Measure]:
    """Return by trick and outcome what the ledger judges on some data, all of it together."""
    values = judged(critic_steps, units, data)
    return together(values) if values else {}


def judged(critic_steps: int, units: Units, data: str) -> dict[tuple[str, str], np.ndarray]:
    """Return by trick and outcome what the ledger judges on some data, a value for each seed."""
    by_trick = {
        name: outcomes(units, data, name, critic_steps)
        for name in dict.fromkeys(name for name, _ in FAMILY[data])
    }
    found = {
        (name, key): telling.gains(units, data, name)
        if key == "telling"
        else by_trick[name].get(key, np.empty(0))
        for name, key in FAMILY[data]
    }
    return {key: values for key, values in found.items() if values.size}


def _judged(config: TricksConfig, units: Units, data: str) -> dict[str, Measure]:
    found = {
        f"holm.tricks.{data}.{name}.{key}": each
        for (name, key), each in jointly(config.critic_steps, units, data).items()
    }
    for name in dict.fromkeys(name for name, _ in FAMILY[data]):
        # Of images nobody knows the best discriminator.
        equal = at_equal_distance(units, data, name) if data == "mixture" else None
        if equal is not None:
            found[f"learns.tricks.{data}.{name}.critic_error_at_equal_distance"] = equal
    return found


def _train(config: TricksConfig, unit: Unit) -> Arrays:
    assert isinstance(unit, (Swept, Trick))
    usual, batch = config.of(unit.data)
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
        batch=batch,
    )


STUDY = Tricks()
