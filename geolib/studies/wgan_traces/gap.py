"""Why does the critic tell our generated traces from real ones? One change at a time.

Niu et al. (2020) report a small gap between their critic's mean scores of real and of generated
traces beside its distance from real traces to traces of zeros. Trainings of ours have a gap as
large as that distance. Here the published setting is trained at reduced scale, then with one change
each: what the paper leaves open, or what a remedy would be. A network is also sampled in other ways
than ours, which needs no training.

All is said in fractions of one critic's distance between real traces and a trace of zeros, for
scores have a free offset and scale. The gap share is real less generated over that distance, the
held-out share real less unseen; real are the traces that were trained on.

The rule, fixed before there was any result: by the networks of the last epoch, and by traces drawn
as the chapter draws them, with running statistics, a change *closes the gap* where its gap share,
taken without its sign, is below half of the published setting's of the same seed, with every seed;
it *explains part* where it is below 0.8 with every seed; else it *does not explain*. One seed alone
decides nothing, and where the published setting has no gap nothing explains it. Another way of
sampling is judged in the same manner, by the published setting's own networks. A gap may also close
because a critic tells nothing: so the distance to zeros and the quality of the traces stand beside
it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from geolib.gans.train import Step
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.tables import listed, markdown, percent
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.wgan_traces import training
from geolib.studies.wgan_traces.config import GAP_CHANGES, GapConfig
from geolib.studies.wgan_traces.gap_trial import CHANGES, PUBLISHED, QUALITY, WAYS, Trial

#: Below these shares of the published setting's gap a change closes it, or explains part of it.
CLOSES, EXPLAINS = 0.5, 0.8
#: What the rule says of one seed.
UNDECIDED = "one seed only, not decided"
#: How the other ways are told, beside the changes.
SAMPLED = {
    "batch": "sampled with batch statistics",
    "mean": "weight average sampled",
    "mean_batch": "weight average sampled with batch statistics",
}
#: Steps of a training that a recheck makes again, and its seconds on one core of two that are busy:
#: most of them model the traces.
RECHECKED, SECONDS = 3, 6.0


@dataclass(frozen=True)
class Training(Unit):
    """A training with one change, or with none."""

    TEMPLATE: ClassVar[str] = "gap-{change}-seed-{seed}"
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"change": GAP_CHANGES}

    change: str
    seed: int


def _train(config: GapConfig, unit: Training) -> Arrays:
    trial = Trial(config, unit.change, unit.seed)
    steps: list[Step] = []
    judged: list[Arrays] = []
    for epoch in range(1, config.n_epochs + 1):
        steps += trial.run_epoch()
        if epoch in config.judged:
            judged.append(trial.judge())
    found = {name: np.array([each[name] for each in judged]) for name in judged[0]}
    found |= {"samples": judged[-1]["samples"], "at_epoch": np.array(config.judged)}
    return found | trial.floor() | training.curves(steps)


def gap_shares(arrays: Mapping[str, np.ndarray], way: str = WAYS[0]) -> np.ndarray:
    """Return by judged epoch real less generated, over the distance from real to zeros."""
    generated = arrays["score_generated"][:, WAYS.index(way)]
    return np.asarray((arrays["score_training"] - generated) / distance(arrays))


def held_out_shares(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return by judged epoch real less unseen, over the distance from real to zeros."""
    return np.asarray((arrays["score_training"] - arrays["score_unseen"]) / distance(arrays))


def distance(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return by judged epoch how far apart the critic scores real traces and a trace of zeros."""
    return np.asarray(np.abs(arrays["score_training"] - arrays["score_zero"]))


def trained(units: Units, change: str) -> dict[int, Mapping[str, np.ndarray]]:
    """Return the trainings with a change by their seeds, in order."""
    found = {unit.seed: arrays for unit, arrays in select(units, Training, change=change).items()}
    return dict(sorted(found.items()))


def rows(units: Units) -> dict[str, tuple[str, str]]:
    """Return what is compared, by name: the change of a training, and a way of sampling it.

    The changes that there are trainings with, then the published setting sampled otherwise.
    """
    found = {change: (change, WAYS[0]) for change in CHANGES if trained(units, change)}
    if PUBLISHED in found:
        found |= {way: (PUBLISHED, way) for way in SAMPLED}
    return found


def ratios(
    units: Units, change: str, way: str = WAYS[0], beside: str = WAYS[0]
) -> dict[int, float]:
    """Return by seed the last gap share, without its sign, over the published setting's.

    Infinite where that is not positive: there is no gap to explain.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    change : str
        Of `CHANGES`.
    way : str
        Of `WAYS`, in which the change is sampled.
    beside : str
        Of `WAYS`, in which the published setting is.
    """
    published = trained(units, PUBLISHED)
    return {
        seed: _ratio(gap_shares(arrays, way)[-1], gap_shares(published[seed], beside)[-1])
        for seed, arrays in trained(units, change).items()
        if seed in published
    }


def _ratio(share: float, published: float) -> float:
    # Where the published setting's generated traces score as high as real ones there is no gap.
    return abs(float(share)) / float(published) if published > 0 else math.inf


def outcome(found: Mapping[int, float]) -> str:
    """Return what the rule says of a change by its ratios: see the top of this module."""
    if len(found) < 2:
        return UNDECIDED if found else "not decided"
    worst = max(found.values())
    if worst < CLOSES:
        return "closes the gap"
    return "explains part" if worst < EXPLAINS else "does not explain"


def table(units: Units) -> str:
    """Return a row for each change as a Markdown table: gap shares by seed, what is beside them.

    Quality is that of the last epoch, a mean over the seeds; of real traces the last row tells.
    """
    seeds = sorted({unit.seed for unit in select(units, Training)})
    found = [_row(units, name, seeds) for name in rows(units)]
    published = trained(units, PUBLISHED)
    if published:
        found.append(_real_row(list(published.values()), seeds))
    heads = [
        "Change",
        *(f"Gap, seed {seed}" for seed in seeds),
        "Unseen",
        "Discrepancy",
        "Positive",
        "Spread",
        "Outcome",
    ]
    return markdown(heads, found, f"l{'r' * (len(seeds) + 4)}l", empty="No training is there yet.")


def told(units: Units) -> str:
    """Return in sentences how large the gap is, and what of it the changes leave."""
    published = trained(units, PUBLISHED)
    if not published:
        return ""
    gap, unseen = (
        float(np.mean([shares(arrays)[-1] for arrays in published.values()]))
        for shares in (gap_shares, held_out_shares)
    )
    sentences = [
        f"At this scale the published setting's gap is {gap:.1f} times the distance from real "
        f"traces to zeros; that of unseen real traces is {unseen:.2f}."
    ]
    left = {
        change: float(np.mean([abs(gap_shares(arrays)[-1]) for arrays in runs.values()]))
        for change in CHANGES
        if change != PUBLISHED and (runs := trained(units, change))
    }
    if left:
        least, most = (pick(left, key=left.__getitem__) for pick in (min, max))
        sentences.append(
            f"Of {len(left)} changes “{CHANGES[least].label}” leaves the least, "
            f"{left[least]:.1f} without its sign, and “{CHANGES[most].label}” the most, "
            f"{left[most]:.1f}."
        )
        off = {change: _discrepancy(units, change) for change in (PUBLISHED, *left)}
        best = min(off, key=off.__getitem__)
        if best != PUBLISHED:
            sentences.append(
                f"The traces nearest to real ones come with “{CHANGES[best].label}”: a discrepancy "
                f"of {off[best]:.3f} where the published setting has {off[PUBLISHED]:.3f}."
            )
    found = {change: outcome(ratios(units, change)) for change in left}
    if by_chance := [change for change, each in found.items() if each == UNDECIDED]:
        alone = "all" if len(by_chance) == len(left) else f"{len(by_chance)} of them"
        sentences.append(
            f"Only one seed was trained of {alone}, which by our rule decides nothing."
        )
    for each in ("closes the gap", "explains part"):
        if labels := [f"“{CHANGES[change].label}”" for change in found if found[change] == each]:
            verb = each if len(labels) == 1 else each.replace("s ", " ", 1)
            sentences.append(f"By our rule {listed(labels)} {verb}.")
    return " ".join(sentences)


def _discrepancy(units: Units, change: str) -> float:
    """Return a change's last discrepancy to real traces, a mean over its seeds."""
    return float(np.mean([arrays["mmd2"][-1, 0] for arrays in trained(units, change).values()]))


def _row(units: Units, name: str, seeds: Sequence[int]) -> list[str]:
    change, way = rows(units)[name]
    runs = trained(units, change)
    shares = [f"{gap_shares(runs[s], way)[-1]:.2f}" if s in runs else "—" for s in seeds]
    held = np.mean([held_out_shares(arrays)[-1] for arrays in runs.values()])
    said = "" if name == PUBLISHED else outcome(ratios(units, change, way))
    at = WAYS.index(way)
    quality = _mean([{q: float(a[q][-1, at]) for q in QUALITY} for a in runs.values()])
    label = SAMPLED.get(name) or CHANGES[change].label
    return [label, *shares, f"{held:.2f}", *_told(quality), said]


def _real_row(runs: Sequence[Mapping[str, np.ndarray]], seeds: Sequence[int]) -> list[str]:
    quality = _mean([{q: float(arrays[f"floor_{q}"]) for q in QUALITY} for arrays in runs])
    return ["traces trained on", *["—"] * (len(seeds) + 1), *_told(quality), ""]


def _mean(found: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: float(np.mean([each[name] for each in found])) for name in QUALITY}


def _told(quality: Mapping[str, float]) -> list[str]:
    mmd2, positive, varied = (quality[name] for name in ("mmd2", "positive", "spread"))
    return [f"{mmd2:.3f}", percent(positive), f"{varied:.2f}"]


class Gap(Study[GapConfig]):
    """The trainings with each change."""

    name = "wgan_gap"
    title = "The score gap, one change at a time"
    question = "Which choice makes the critic tell generated traces from real ones?"
    Config = GapConfig
    kinds = (Training,)
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        **dict.fromkeys(training.CURVES, ("iteration",)),
        **dict.fromkeys(("score_training", "score_unseen", "score_zero"), ("judgement",)),
        **dict.fromkeys(("score_deviation", "at_epoch"), ("judgement",)),
        **dict.fromkeys(("score_generated", *QUALITY), ("judgement", "way")),
        "samples": ("trace", "sample"),
    }

    def units(self, config: GapConfig) -> list[Unit]:
        """Return one unit for each change and seed; the first seed of all changes comes first."""
        return [
            Training(change, seed)
            for seed in range(1, config.n_seeds + 1)
            for change in config.ablations
        ]

    def compute(
        self, config: GapConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units."""
        for unit in of_kind(Training, units):
            yield unit, _train(config, unit)

    def recheck(
        self, config: GapConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: by the first steps of its training."""
        assert isinstance(unit, Training)
        known = CHANGES[unit.change].of(config.training(unit.seed))
        most = math.ceil(config.n_traces / config.batch)  # no more than its first epoch has

        def again(n: int) -> Arrays:
            return training.curves(Trial(config, unit.change, unit.seed).run_epoch(n))

        n = min(training.FOLLOWED[known.precision], RECHECKED, most)
        return training.first_steps(SECONDS, arrays, again, n)

    def measures(self, config: GapConfig, units: Units) -> dict[str, Measure]:
        """Return each change's gap and held-out share, and its largest ratio to the published gap.

        By the rule a ratio below 0.5 closes the gap, one below 0.8 explains part, with two seeds or
        more. ``ratio_batch`` is the same where both are sampled with batch statistics.
        """
        found: dict[str, Measure] = {}
        closing: list[bool] = []
        for name, (change, way) in rows(units).items():
            runs = trained(units, change)
            last = [float(gap_shares(arrays, way)[-1]) for arrays in runs.values()]
            held = [float(held_out_shares(arrays)[-1]) for arrays in runs.values()]
            found[f"gap_{name}"] = Measure.mean(last)
            if way == WAYS[0]:
                found[f"gap_{name}_held_out"] = Measure.mean(held)
            if name == PUBLISHED or not (ratio := ratios(units, change, way)):
                continue
            found[f"gap_{name}_ratio"] = Measure(max(ratio.values()), n=len(ratio))
            if way == WAYS[0]:
                other = ratios(units, change, "batch", "batch")
                found[f"gap_{name}_ratio_batch"] = Measure(max(other.values()), n=len(other))
            if len(ratio) > 1:
                closing.append(outcome(ratio) == "closes the gap")
        if closing:
            found["gap_closing"] = Measure.count(sum(closing), len(closing))
        return found


STUDY = Gap()
