"""The traces of chosen epochs under every measure, bootstrapped, from the networks of a training.

The training is `wgan_traces` with the same parameters: what of it is kept in the same folder of
runs is gone on from. Needs scikit-learn.
"""

from __future__ import annotations

import importlib.util
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import nn

from geolib.gans import wgan
from geolib.metrics import traces
from geolib.runs import runner
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, whole
from geolib.runs.store import Store
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Single, Unit, Units, select
from geolib.studies.wgan_traces import recheck, training
from geolib.studies.wgan_traces import study as trained
from geolib.studies.wgan_traces.config import QualityConfig
from geolib.studies.wgan_traces.data import SAMPLING, dataset, part_of
from geolib.studies.wgan_traces.units import Epoch

#: The generator's networks that are judged, by the words of the units: the last and the averaged.
PARTS = {"epoch": "generator", "mean": "mean"}

#: Seconds of a recheck, measured on one core: all traces are modelled for a floor.
FLOOR_SECONDS, JUDGING_SECONDS = 25.0, 10.0


class Floor(Single):
    """Traces that were trained on, in place of generated ones, beside one of the other sets."""

    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"label": ("floor", "test-floor")}


@dataclass(frozen=True)
class Shown(Unit):
    """An epoch judged on the validation set."""

    TEMPLATE: ClassVar[str] = "{part}-{number:04d}"
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"part": tuple(PARTS)}

    part: str
    number: int


@dataclass(frozen=True)
class Tested(Unit):
    """The epoch that is judged on the test set, which nothing else looks at."""

    TEMPLATE: ClassVar[str] = "test-{part}-{number:04d}"
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"part": tuple(PARTS)}

    part: str
    number: int


class Quality(Study[QualityConfig]):
    """Measures with their intervals; an array is a measure's value and the ends of its interval."""

    name = "wgan_quality"
    title = "Generated traces under every measure"
    question = "How far are the generated traces from unseen real ones, and how sure is that?"
    version = trained.STUDY.version
    shown = trained.STUDY.shown
    Config = QualityConfig
    kinds = (Floor, Shown, Tested)
    sequential = True

    def units(self, config: QualityConfig) -> list[Unit]:
        """Return the floors, the epochs shown, and the last on the test set."""
        return [
            Floor("floor"),
            Floor("test-floor"),
            *(Shown(part, epoch) for epoch in config.epochs for part in PARTS),
            *(Tested(part, config.n_epochs) for part in PARTS),
        ]

    def compute(
        self, config: QualityConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units, about ten seconds each; epochs that are not kept are trained first."""
        if importlib.util.find_spec("sklearn") is None:
            raise ModuleNotFoundError(
                "wgan_quality needs scikit-learn, which is not installed. "
                "Run pip install scikit-learn."
            )
        with tempfile.TemporaryDirectory() as elsewhere:
            runs = folder.parents[1] if folder is not None else Path(elsewhere)
            judged = [unit.number for unit in units if isinstance(unit, (Shown, Tested))]
            if judged:
                wanted = [Epoch(number) for number in range(1, max(judged) + 1)]
                runner.run(trained.STUDY, config.training(), folder=runs, units=wanted)
            store = Store(runs / trained.STUDY.name / runner.key(trained.STUDY, config.training()))
            data, n = dataset(config.training()), config.n_held_out
            for unit in units:
                test = isinstance(unit, Tested) or unit == Floor("test-floor")
                real, known = data.test if test else data.validation, data.training
                if isinstance(unit, Floor):
                    # Traces that were trained on stand for a perfect generator; of its neighbours,
                    # they themselves do not count.
                    fake, known = known[:n], known[n:]
                else:
                    assert isinstance(unit, (Shown, Tested))
                    kept = training.load_networks(store, unit.number)
                    blank = wgan.make_generator(rng=torch.Generator())
                    fake = _drawn(config, unit, training.fill(blank, kept, PARTS[unit.part]))
                yield unit, _judged(config, real, fake, known)

    def recheck(
        self, config: QualityConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: a floor whole, an epoch by a generator that is shipped.

        Of other epochs, and of averaged generators, no networks are shipped.
        """
        if isinstance(unit, Floor):
            return whole(self, config, unit, arrays, FLOOR_SECONDS)
        assert isinstance(unit, (Shown, Tested))
        path = recheck.networks(config.training()).get(unit.number)
        if path is None or unit.part != "epoch":
            return None

        def again() -> Arrays:
            networks = wgan.load_pretrained(path)
            part = 2 if isinstance(unit, Tested) else 1
            real = part_of(config.training(), part, networks.scale)
            # The training set is not modelled, so that nobody is the nearest of it.
            made = _judged(config, real, _drawn(config, unit, networks.generator), real)
            return {name: made[name] for name in stored}

        stored = {name: value for name, value in arrays.items() if name != "nearest"}
        return Recheck("its traces drawn and judged again", JUDGING_SECONDS, stored, again)


def _drawn(config: QualityConfig, unit: Shown | Tested, network: nn.Module) -> np.ndarray:
    rng = training.torch_rng(config.seed, 15, unit.number)
    return wgan.sample(network, config.n_held_out, rng, config.latent_low)


def _judged(config: QualityConfig, real: np.ndarray, fake: np.ndarray, known: np.ndarray) -> Arrays:
    rng = np.random.default_rng([config.seed, 30])
    found = traces.compare(real, fake, known, SAMPLING, rng)
    found["classifier_accuracy"] = traces.classifier_accuracy(real, fake, rng)
    return {label: np.array(interval) for label, interval in found.items()}


def interval(arrays: Mapping[str, np.ndarray], name: str) -> Measure:
    """Return a measure of a unit."""
    value, low, high = arrays[name].tolist()
    return Measure(value, low, high)


def table(units: Units, columns: Mapping[str, str]) -> str:
    """Return the measures as a Markdown table with a column for each (heading, unit)."""
    there = {heading: units[name] for heading, name in columns.items() if name in units}
    rows = [
        [label, *(_told(interval(arrays, name)) for arrays in there.values())]
        for name, label in traces.LABELS.items()
    ]
    return markdown(["Measure", *there], rows)


def _told(measure: Measure) -> str:
    # Few digits: five columns of intervals are to fit a phone.
    return f"{measure.value:.2g} [{measure.low:.2g}, {measure.high:.2g}]"


def judged(units: Units) -> list[int]:
    """Return the epochs judged on the validation set, in order."""
    return sorted({shown.number for shown in select(units, Shown)})


def chosen_epoch(units: Units) -> int:
    """Return the epoch that was judged on the test set."""
    return max(tested.number for tested in select(units, Tested))


STUDY = Quality()
