"""What the chapter says of tricks on channels, where the plain recipe is stuck: what frees it."""

from __future__ import annotations

from geolib.runs.tables import listed
from geolib.runs.unit import Units, select
from geolib.studies.gan_101 import telling
from geolib.studies.gan_101.ablation import NAMES, STUCK, average, learnt, with_interval
from geolib.studies.gan_101.config import TricksConfig
from geolib.studies.gan_101.tricks import Swept, halves, halving, judging
from geolib.studies.gan_101.units import MORE_TRICKS, Trick
from geolib.studies.gan_101.words import WHERE

DATA = "channels"


def counts(units: Units) -> dict[str, tuple[int, int]]:
    """Return by recipe how many of the trainings that judge halve their distance, of how many."""
    part = judging(units, DATA)
    found = {trick: halving(part, DATA, trick) for trick in ("plain", *MORE_TRICKS)}
    return {trick: each for trick, each in found.items() if each[1]}


def told(first: Units, second: Units, config: TricksConfig) -> str:
    """Return which tricks free a training, how often; empty where nothing of it was run."""
    found = counts(second)
    if len(found) < 2 or "plain" not in found:
        return ""
    before, swept = learnt(first, DATA), _swept(second)
    text = "On *channel patches* the plain recipe "
    if before is not None and before.value > STUCK:
        text += f"is stuck: it ends at {with_interval(before)} of its first distance. "
        text += f"{swept} " if swept else ""
    else:
        text += f"has a rate of {config.channels_rate:g}. "
    (plain, n), others = found["plain"], {k: v for k, v in found.items() if k != "plain"}
    seeds = sorted({unit.seed for unit in select(judging(second, DATA), Trick, data=DATA)})
    text += (
        f"So we ask what frees it. With seeds {seeds[0]} to {seeds[-1]}, which nobody had seen, "
        f"{plain} of {n} plain trainings halve their first distance; "
    )
    groups: dict[int, list[str]] = {}
    for name, (count, _) in sorted(others.items(), key=lambda item: -item[1][0]):
        groups.setdefault(count, []).append(NAMES[name])
    return text + listed([f"{count} with {listed(names)}" for count, names in groups.items()]) + "."


def _swept(units: Units) -> str:
    """Return that no rate of the sweep frees the plain recipe, or how many trainings do learn."""
    runs = {
        (unit.rate, unit.seed): run["trace"]
        for unit, run in select(units, Swept, data=DATA).items()
    }
    if not runs:
        return ""
    freed = sum(halves(trace, trace) for trace in runs.values())
    rates = sorted({rate for rate, _ in runs})
    span = f"at {len(rates)} rates from {rates[0]:g} to {rates[-1]:g}"
    halve = "halve" if freed > 1 else "halves"
    return f"Of {len(runs)} plain trainings, {span}, {freed or 'none'} {halve} it."


def discriminators(units: Units) -> str:
    """Return what the tricks of the discriminator do to it against a generator that rests."""
    told = []
    for trick in telling.RECIPES[1:]:
        gains = [
            f"{with_interval(average(100 * values), 1)} on {WHERE[data]}"
            for data in ("channels", "mixture")
            if (values := telling.gains(units, data, trick)).size
        ]
        told += [f"{NAMES[trick]} adds {listed(gains)}"] if gains else []
    if not told:
        return ""
    return (
        "Do leaky ReLU and the smoothed label help the discriminator to tell made data? In a game "
        "the generator answers, so here it rests, and fresh discriminators learn to tell its "
        f"samples. To the percentage that a plain one gets right {'; '.join(told)} (each alone)."
    )
