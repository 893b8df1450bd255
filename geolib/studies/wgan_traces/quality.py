"""The traces of chosen epochs under every measure, bootstrapped, from the kept networks.

Run it beside a training or after it: `python -m geolib.studies.wgan_traces.quality --folder runs`.
Needs scikit-learn.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib import studies
from geolib.gans import wgan
from geolib.metrics import traces
from geolib.runs import paths
from geolib.runs.measure import Measure
from geolib.runs.provenance import provenance
from geolib.runs.store import Arrays, Results, Store, load, save
from geolib.runs.tables import markdown
from geolib.runs.unit import Unit, select
from geolib.studies.wgan_traces import training as wgan_training
from geolib.studies.wgan_traces.config import TracesConfig
from geolib.studies.wgan_traces.data import SAMPLING, dataset
from geolib.studies.wgan_traces.study import STUDY, export_weights
from geolib.studies.wgan_traces.training import torch_rng
from geolib.studies.wgan_traces.units import Epoch

SHOWN = (10, 20, 47, 60, 80, 100, 150, 200)
LABEL = "quality"


@dataclass(frozen=True)
class Tested(Unit):
    """The epoch that was judged on the test set."""

    TEMPLATE: ClassVar[str] = "test-epoch-{number:04d}"

    number: int


def assess(config: TracesConfig, folder: Path, epochs: list[int], chosen: int) -> Results:
    """Return the measures of the traces of epochs, and of the chosen one on the test set.

    Parameters
    ----------
    config : Config
        The run's configuration.
    folder : Path
        Where its units are.
    epochs : list of int
        Epochs to judge on the validation set, by the generator and by the averaged one.
    chosen : int
        The epoch to judge on the test set, which nothing else looks at.

    Returns
    -------
    Results
        Units `floor`, `test-floor`, `epoch-0010`, `mean-0010`, `test-epoch-0010`, ...; an array of
        each is a measure's value and the ends of its interval.

    Raises
    ------
    ValueError
        If the folder does not hold an epoch.

    Notes
    -----
    About ten seconds for each set of 1000 traces.
    """
    store, data = Store(folder), dataset(config)
    n = config.n_held_out
    results = Results(config.as_dict())

    def judge(name: str, real: np.ndarray, fake: np.ndarray, training: np.ndarray) -> None:
        begin = time.perf_counter()
        rng = np.random.default_rng([config.seed, 30])
        found = traces.compare(real, fake, training, SAMPLING, rng)
        found["classifier_accuracy"] = traces.classifier_accuracy(real, fake, rng)
        results.units[name] = {label: np.array(interval) for label, interval in found.items()}
        results.records[name] = {**provenance(), "seconds": time.perf_counter() - begin}

    # Traces that were trained on stand for a perfect generator; of its neighbours, they themselves
    # do not count.
    judge("floor", data.validation, data.training[:n], data.training[n:])
    judge("test-floor", data.test, data.training[:n], data.training[n:])
    for epoch in sorted({*epochs, chosen}):
        kept = wgan_training.load_networks(store, epoch)
        for part, prefix in (("generator", "epoch"), ("mean", "mean")):
            network = wgan_training.fill(wgan.make_generator(rng=torch.Generator()), kept, part)
            samples = wgan.sample(network, n, torch_rng(config.seed, 15, epoch), config.latent_low)
            if epoch in epochs:
                judge(f"{prefix}-{epoch:04d}", data.validation, samples, data.training)
            if epoch == chosen:
                judge(f"test-{prefix}-{epoch:04d}", data.test, samples, data.training)
    return results


def interval(arrays: Mapping[str, np.ndarray], name: str) -> Measure:
    """Return a measure of a unit."""
    value, low, high = arrays[name].tolist()
    return Measure(value, low, high)


def table(units: Mapping[str, Arrays], columns: Mapping[str, str]) -> str:
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


def judged(units: Mapping[str, Arrays]) -> list[int]:
    """Return the epochs judged on the validation set, in order."""
    return sorted(epoch.number for epoch in select(units, Epoch))


def chosen_epoch(units: Mapping[str, Arrays]) -> int:
    """Return the epoch that was judged on the test set."""
    return max(tested.number for tested in select(units, Tested))


def main(arguments: list[str] | None = None) -> int:
    """Judge the kept epochs of the paper-scale run and ship the measures."""
    parser = argparse.ArgumentParser(
        prog="python -m geolib.studies.wgan_traces.quality", description=assess.__doc__
    )
    parser.add_argument("--folder", default="runs", help="where the run is (default: runs)")
    parser.add_argument(
        "--chosen", type=int, help="epoch to ship and to judge on the test set (default: the last)"
    )
    parser.add_argument(
        "--weights",
        type=Path,
        metavar="FILE",
        help="write the chosen epoch's networks to a new file",
    )
    options = parser.parse_args(arguments)
    config = STUDY.Config.preset("paper")
    key = studies.key(STUDY, config)
    folder = Path(options.folder) / STUDY.name / key
    done = sorted(Epoch.parse(path.stem).number for path in folder.glob("epoch-*.unit"))
    if not done:
        parser.exit(
            1,
            f"{parser.prog}: folder must hold finished epochs; {folder} holds none. Train first.\n",
        )
    chosen = options.chosen or done[-1]
    results = assess(config, folder, sorted({e for e in SHOWN if e in done} | {chosen}), chosen)
    path = paths.shipped(STUDY.name, LABEL)
    save(path, results, key=key)
    if options.weights is not None:
        export_weights(config, folder, chosen, options.weights)
    print(f"{path}: epoch {chosen} of {done[-1]}")
    return 0


def shipped() -> dict[str, Arrays]:
    """Return the shipped units, none if there are none."""
    path = paths.shipped(STUDY.name, LABEL)
    return load(path)[0].units if path.is_file() else {}


if __name__ == "__main__":
    raise SystemExit(main())
