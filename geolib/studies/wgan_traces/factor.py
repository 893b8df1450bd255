"""Is the normalisation's factor ten crucial? Trainings on larger and smaller traces.

Niu et al. (2020) divide the traces by ten times their mean amplitude and call the number crucial
for convergence. Here the same trainings see traces divided by other multiples; all are judged on
one scale.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.wgan_traces import stopping
from geolib.studies.wgan_traces.config import AMPLITUDE_FACTOR, FactorConfig

#: What a training is judged by.
Judged = Callable[[Mapping[str, np.ndarray]], float]
#: The discrepancy at the end is a mean of so many epochs.
LAST = 5


@dataclass(frozen=True)
class Training(Unit):
    """A training on traces divided by a multiple of their mean amplitude."""

    TEMPLATE: ClassVar[str] = "factor-{factor:g}-seed-{seed}"

    factor: float
    seed: int


def _at_the_end(arrays: Mapping[str, np.ndarray]) -> float:
    return float(arrays["mmd2"][-LAST:].mean())


def ends(units: Units, judged: Judged = _at_the_end) -> dict[float, dict[int, float]]:
    """Return by factor and seed the squared discrepancy, by default a mean of the last epochs."""
    found: dict[float, dict[int, float]] = {}
    for unit, arrays in select(units, Training).items():
        found.setdefault(unit.factor, {})[unit.seed] = judged(arrays)
    return dict(sorted(found.items()))


def ratios(units: Units, judged: Judged = _at_the_end) -> dict[float, np.ndarray]:
    """Return each factor's discrepancy over the published one's, for each shared seed."""
    reached = ends(units, judged)
    published = reached.pop(AMPLITUDE_FACTOR, {})
    found = {
        f: np.array([end / published[s] for s, end in by.items() if s in published])
        for f, by in reached.items()
    }
    return {factor: values for factor, values in found.items() if values.size}


def against_ten(units: Units, judged: Judged = _at_the_end) -> dict[float, Measure]:
    """Return the geometric mean of each factor's ratios, with its interval over the seeds."""
    return {
        factor: Measure.mean(np.log(values).tolist()).exponential()
        for factor, values in ratios(units, judged).items()
    }


def _least(arrays: Mapping[str, np.ndarray]) -> float:
    return float(arrays["mmd2"].min())


def _mean_of(first: int, last: int) -> Judged:
    return lambda arrays: float(arrays["mmd2"][first - 1 : last].mean())


#: Epochs, first and last, by whose mean discrepancy a training may be judged as well.
WINDOWS = ((1, 5), (4, 8), (6, 10), (9, 13), (11, 15))


def _ways(units: Units) -> dict[str, Judged]:
    """Return by the end of a measure's name what a training is judged by."""
    shortest = min((len(arrays["mmd2"]) for arrays in units.values()), default=0)
    windows = [(first, last) for first, last in WINDOWS if last <= shortest]
    return {
        "": _at_the_end,
        "_best": _least,
        **{f"_epochs_{first}_{last}": _mean_of(first, last) for first, last in windows},
    }


def ratio_table(runs: Mapping[str, Units]) -> str:
    """Return by run how much discrepancy the other factors leave over that of ten, in Markdown.

    Of the last epochs, and the least of all, by which the ledger judges: each with its interval.
    """
    rows = []
    for label, units in runs.items():
        least = against_ten(units, _least)
        for factor, ratio in against_ten(units).items():
            rows.append([label, f"{factor:g}", ratio.n, *map(_ratio, (ratio, least[factor]))])
    return markdown(["Training", "Factor", "Seeds", f"Last {LAST} epochs", "Least"], rows, "lrrrr")


def _ratio(ratio: Measure) -> str:
    ends = "" if ratio.low is None else f" ({ratio.low:.2g} to {ratio.high:.2g})"
    return f"{ratio.value:.2g}{ends}"


def as_markdown(units: Units) -> str:
    """Return the discrepancies at the end as a Markdown table, a column for each seed."""
    reached = ends(units)
    seeds = sorted({seed for by in reached.values() for seed in by})
    rows = []
    for factor, by in reached.items():
        cells = [f"{by[seed]:.4f}" if seed in by else "—" for seed in seeds]
        rows.append([f"{factor:g} times the mean amplitude", *cells])
    floor = [
        float(np.mean(a["floor_mmd2"])) if a["floor_mmd2"].size else float("nan")
        for a in units.values()
    ]
    rows.append(
        ["real traces among themselves", f"{np.nanmean(floor):.4f}", *[""] * (len(seeds) - 1)]
    )
    return markdown(
        ["Traces divided by", *(f"seed {seed}" for seed in seeds)], rows, "l" + "r" * len(seeds)
    )


class Factor(Study[FactorConfig]):
    """The trainings with each factor."""

    name = "wgan_factor"
    title = "The factor of the normalisation"
    question = "Is ten times the mean amplitude crucial for convergence?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {"mmd2": ("epoch",), "swd": ("epoch",)}
    shown = "bfloat16"  # all three factors; the preset's float32 lacks the hundred
    Config = FactorConfig
    kinds = (Training,)

    def units(self, config: FactorConfig) -> list[Unit]:
        """Return one unit for each factor and seed."""
        return [
            Training(factor, 11 + i) for i in range(config.n_seeds) for factor in config.factors
        ]

    def compute(
        self, config: FactorConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units."""
        for unit in of_kind(Training, units):
            rehearsal = stopping.Rehearsal(config, unit.seed, gain=AMPLITUDE_FACTOR / unit.factor)
            found = [
                rehearsal.discrepancy(rehearsal.draw(12, epoch)) for epoch in rehearsal.epochs()
            ]
            mmd2, swd = np.array(found).T
            yield unit, {"mmd2": mmd2, "swd": swd, "floor_mmd2": np.array(rehearsal.floor())}

    def recheck(
        self, config: FactorConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: by its first epoch."""
        assert isinstance(unit, Training)
        gain = AMPLITUDE_FACTOR / unit.factor
        return stopping.first_epoch(config, unit.seed, arrays, gain)

    def measures(self, config: FactorConfig, units: Units) -> dict[str, Measure]:
        """Return how much discrepancy each factor leaves over that of ten, a geometric mean.

        Of the last epochs; with ``best`` in its name the least of all, with ``epochs`` that of a
        window.
        """
        return {
            f"factor_{factor:g}_to_ten{end}": ratio
            for end, way in _ways(units).items()
            for factor, ratio in against_ten(units, way).items()
        }


STUDY = Factor()
