"""What the chapter says of tricks on channels, where few plain trainings learn: what frees them."""

from __future__ import annotations

from collections.abc import Mapping

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, markdown
from geolib.runs.unit import Units, select
from geolib.studies.gan_101 import telling
from geolib.studies.gan_101.ablation import NAMES, learnt, with_interval
from geolib.studies.gan_101.config import FIRST_SWEPT
from geolib.studies.gan_101.tricks import Swept, halves, halving, jointly, judging, rivals
from geolib.studies.gan_101.units import MORE_TRICKS, Trick
from geolib.studies.gan_101.words import WHERE

DATA = "channels"


def counts(units: Units) -> dict[str, tuple[int, int]]:
    """Return by recipe how many of the trainings that judge halve their distance, of how many."""
    part = judging(units, DATA)
    found = {trick: halving(part, DATA, trick) for trick in ("plain", *MORE_TRICKS)}
    return {trick: each for trick, each in found.items() if each[1]}


def told(second: Units) -> str:
    """Return which tricks free a training, how often; empty where nothing of it was run."""
    found, part = counts(second), judging(second, DATA)
    reached = learnt(part, DATA)
    if len(found) < 2 or "plain" not in found or reached is None:
        return ""
    plain, n = found["plain"]
    seeds = sorted({unit.seed for unit in select(part, Trick, data=DATA)})
    return (
        f"On *channel patches* the plain recipe ends at {with_interval(reached)} of its first "
        f"distance.{_swept(second)}{_chosen(second)} So we ask what frees a training. "
        f"With seeds {seeds[0]} to {seeds[-1]}, which nobody had seen, {plain} of {n} plain "
        "trainings end at half of it or below:"
        f"\n\n{_table(second, found)}\n\n"
    )


def _table(second: Units, found: Mapping[str, tuple[int, int]]) -> str:
    """Return how many trainings each recipe frees, and its end beside plain at another rate."""
    rates, beside = _other_rates(second), rivals(second)

    def told(rate: str, trick: str) -> str:
        name = f"rival.{rate}.{trick}.distance"
        return with_interval(beside[name]) if name in beside else "—"

    ranked = sorted(found.items(), key=lambda item: (item[0] != "plain", -item[1][0]))
    rows = [
        [NAMES.get(trick, trick), f"{count} of {n}", *(told(rate, trick) for rate in rates)]
        for trick, (count, n) in ranked
    ]
    heads = [f"Final distance over plain's at the rate {rate}" for rate in rates]
    return markdown(["Recipe", "Trainings that do", *heads], rows, "lr" + "r" * len(rates))


def _swept(units: Units) -> str:
    """Return how many plain trainings of the sweep halve their first distance, as a sentence."""
    runs = [
        (unit.rate, halves(run["trace"], run["trace"]))
        for unit, run in select(units, Swept, data=DATA).items()
        if unit.seed >= FIRST_SWEPT
    ]
    if not runs:
        return ""
    by_rate: dict[float, int] = {}
    for rate, halved in runs:
        by_rate[rate] = by_rate.get(rate, 0) + halved
    seeds, best = len(runs) // len(by_rate), max(by_rate, key=by_rate.__getitem__)
    most = f"at most {by_rate[best]} halved it (at {best:g})" if by_rate[best] else "none halved it"
    return f" In a sweep of {len(by_rate)} rates with {seeds} trainings each {most}."


def _chosen(second: Units) -> str:
    """Return how the rate was chosen, where the plain recipe was also run at another."""
    others = _other_rates(second)
    if not others:
        return ""
    return (
        " Our rate had been chosen by one of these trainings, so the table has plain at "
        f"{listed(others)} as well."
    )


def _other_rates(second: Units) -> list[str]:
    """Return the other rates that the plain recipe has with the seeds that judge."""
    found = {unit.rate for unit in select(second, Swept, data=DATA) if unit.seed < FIRST_SWEPT}
    return [f"{rate:g}" for rate in sorted(found)]


def discriminators(units: Units, critic_steps: int) -> str:
    """Return what the tricks of the discriminator do to it against a generator that rests."""
    told = []
    for trick in telling.RECIPES[1:]:
        points = []
        for data in ("channels", "mixture"):
            gain = jointly(critic_steps, judging(units, data), data).get((trick, "telling"))
            if gain is not None:
                low, high = (None if end is None else 100 * end for end in (gain.low, gain.high))
                share = Measure(100 * gain.value, low, high, gain.n)
                points.append(f"{with_interval(share, 1)} points on {WHERE[data]}")
        told += [f"{NAMES[trick]} adds {listed(points)}"] if points else []
    if not told:
        return ""
    return (
        "Do leaky ReLU and the smoothed label help the discriminator to tell made data? In a game "
        "the generator answers, so here it rests, and fresh discriminators learn to tell its "
        "samples, each at its own rate. To the share that a plain one gets right "
        f"{'; '.join(told)}."
    )
