"""Does the stopping rule of `wgan_traces` stop on noise? Seeds trained beyond its verdict.

A rule that reads one noisy number for each epoch stops at the first unlucky run of them. The
relative test asks whether a change is larger than its own noise, at a lag of ten epochs. Both rules
are applied to the same trainings, which go on whatever they say, so that what was missed by
stopping is known.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib.gans import wgan
from geolib.metrics import samples as metrics
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, beginning
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Unit, Units, of_kind
from geolib.studies.wgan_traces import tables
from geolib.studies.wgan_traces import training as wgan_training
from geolib.studies.wgan_traces.config import Scale, StoppingConfig
from geolib.studies.wgan_traces.data import dataset, draw_models, forward
from geolib.studies.wgan_traces.gallery import LAG

NAIVE_PATIENCE = 3


@dataclass(frozen=True)
class Training(Unit):
    """A training of a seed."""

    TEMPLATE: ClassVar[str] = "seed-{seed}"

    seed: int


class Rehearsal:
    """A training of a seed at reduced scale, and the fresh real traces that it is judged by.

    Parameters
    ----------
    config : Scale
        Sizes.
    seed : int
        Of models, networks and everything random.
    gain : float
        What the normalised traces are multiplied by before the networks see them. Judged are the
        traces divided by it.
    """

    def __init__(self, config: Scale, seed: int, gain: float = 1.0) -> None:
        training = config.training(seed)
        self.config, self.seed, self.gain = config, seed, gain
        self.data = dataset(training)
        # The validation set of a training this small would be too small to judge by.
        models = draw_models(training, config.n_judge, np.random.default_rng([seed, 1]))
        self.real = (forward(*models, training.frequency) / self.data.scale).astype(np.float32)
        self.width = metrics.median_distance(self.real)
        self.generator = wgan.make_generator(rng=torch.Generator())

    def epochs(self) -> Iterator[int]:
        """Train; after each epoch its number is yielded, and `draw` draws from it."""
        traces = torch.from_numpy(self.data.training) * self.gain
        for epoch, kept in wgan_training.epochs(
            self.config.training(self.seed), traces, None, self.config.n_epochs
        ):
            wgan_training.fill(self.generator, kept, "generator")
            yield epoch

    def draw(self, *entropy: int) -> np.ndarray:
        """Return `n_judge` generated traces from a seed of their own."""
        rng = wgan_training.torch_rng(self.seed, *entropy)
        return wgan.sample(self.generator, self.config.n_judge, rng) / np.float32(self.gain)

    def discrepancy(self, samples: np.ndarray) -> tuple[float, float]:
        """Return squared maximum mean discrepancy, sliced Wasserstein distance to real traces."""
        directions = np.random.default_rng([self.seed, 20])
        return (
            metrics.mmd2(self.real, samples, self.width),
            metrics.sliced_wasserstein(self.real, samples, directions),
        )

    def improvement(self, newer: np.ndarray, older: np.ndarray) -> float:
        """Return the test's p value that newer traces are closer to the real ones than older."""
        return metrics.relative_mmd_test(self.real, newer, older, self.width).p_value

    def floor(self) -> list[float]:
        """Return squared discrepancies between real traces and equal parts of the training set."""
        n, traces = self.config.n_judge, self.data.training
        parts = [traces[i : i + n] for i in range(0, len(traces) - n + 1, n)]
        return [metrics.mmd2(self.real, part, self.width) for part in parts]


def first_epoch(config: Scale, seed: int, arrays: Arrays, gain: float = 1.0) -> Recheck:
    """Return the recheck of a training by the discrepancy of its first epoch."""

    def again() -> Arrays:
        rehearsal = Rehearsal(config, seed, gain)
        epoch = next(rehearsal.epochs())
        mmd2, swd = rehearsal.discrepancy(rehearsal.draw(12, epoch))
        return {"mmd2": np.array([mmd2]), "swd": np.array([swd])}

    # Measured on one core: a step, and before and after them the modelling and judging of traces.
    expected = 0.25 * config.n_traces / config.batch + 3
    return beginning("its first epoch", expected, arrays, {"mmd2": 1, "swd": 1}, again)


def _train(config: StoppingConfig, seed: int) -> Arrays:
    rehearsal = Rehearsal(config, seed)
    sets: list[np.ndarray] = []
    p_values, found = [], []
    for epoch in rehearsal.epochs():
        sets.append(rehearsal.draw(12, epoch))
        found.append(rehearsal.discrepancy(sets[-1]))
        if epoch > LAG:
            p_values.append(rehearsal.improvement(sets[-1], sets[-1 - LAG]))
    null = [
        rehearsal.improvement(rehearsal.draw(30, i), rehearsal.draw(31, i))
        for i in range(config.n_null)
    ]  # one generator, drawn twice: nothing has improved
    mmd2, swd = np.array(found).T
    return {
        "p": np.array(p_values),
        "mmd2": mmd2,
        "swd": swd,
        "null_p": np.array(null),
        "floor_mmd2": np.array(rehearsal.floor()),
    }


def naive_epoch(values: np.ndarray) -> int | None:
    """Return the epoch at which waiting three epochs for a new least value stops, or None."""
    new = values[1:] < np.minimum.accumulate(values)[:-1]
    return tables.idle_epoch(dict(enumerate(new.tolist(), 2)), NAIVE_PATIENCE)


def rules(arrays: Mapping[str, np.ndarray]) -> dict[str, int | None]:
    """Return the epoch at which each rule stops: the test with two patiences, the naive one."""
    tests = {LAG + 1 + i: float(p) for i, p in enumerate(arrays["p"])}
    return {
        "test": tables.stopping_epoch(tests),
        "test_impatient": tables.stopping_epoch(tests, patience=NAIVE_PATIENCE),
        "naive": naive_epoch(arrays["mmd2"]),
    }


def missed(arrays: Mapping[str, np.ndarray], epoch: int | None) -> float:
    """Return how many times smaller the discrepancy became after an epoch: 1 if no more, or None.

    Means of five epochs on either side are compared, so that one lucky epoch does not decide.
    """
    values = np.convolve(
        arrays["mmd2"], np.full(5, 0.2), mode="valid"
    )  # entry i ends at epoch i + 5
    if epoch is None or epoch <= 5:
        return 1.0 if epoch is None else float(arrays["mmd2"][epoch - 1] / values.min())
    here = values[epoch - 5]
    return float(here / min(here, values[epoch - 5 :].min()))


def as_markdown(units: Units, labels: Mapping[str, str]) -> str:
    """Return the trainings as Markdown: where each rule stops, what the discrepancy then loses.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    labels : mapping of str to str
        What the rules of `rules` are called.
    """
    rows = []
    for name, arrays in units.items():
        for rule, epoch in rules(arrays).items():
            later = "—" if epoch is None else f"{missed(arrays, epoch):.1f}"
            rows.append([name.replace("-", " "), labels[rule], epoch or "does not stop", later])
    heads = ["Training", "Rule", "Stops after epoch", "Later discrepancy smaller by a factor of"]
    return markdown(heads, rows, "llrr")


class Stopping(Study[StoppingConfig]):
    """The trainings of all seeds, beyond the rules' verdict."""

    name = "wgan_stopping"
    title = "The stopping rule at reduced scale"
    question = "Does the rule stop on noise?"
    shown = "bfloat16"  # in the preset's float32 nothing is trained yet
    Config = StoppingConfig
    kinds = (Training,)

    def units(self, config: StoppingConfig) -> list[Unit]:
        """Return one unit for each seed."""
        return [Training(seed) for seed in range(1, config.n_seeds + 1)]

    def compute(
        self, config: StoppingConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units."""
        for unit in of_kind(Training, units):
            yield unit, _train(config, unit.seed)

    def recheck(
        self, config: StoppingConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: by its first epoch."""
        assert isinstance(unit, Training)
        return first_epoch(config, unit.seed, arrays)

    def measures(self, config: StoppingConfig, units: Units) -> dict[str, Measure]:
        """Return how often each rule stops too early: the discrepancy still halves after it."""
        found: dict[str, Measure] = {}
        for rule in ("test", "test_impatient", "naive"):
            early = [bool(missed(arrays, rules(arrays)[rule]) > 2) for arrays in units.values()]
            if early:
                found[f"early_{rule}"] = Measure.count(sum(early), len(early))
        null = [bool(p < tables.ALPHA) for arrays in units.values() for p in arrays["null_p"]]
        if null:
            found["null_share"] = Measure.count(sum(null), len(null))
        return found


STUDY = Stopping()
