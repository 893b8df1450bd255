"""What the chapter says of the tricks: how each compares with the plain recipe, how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, markdown
from geolib.runs.unit import Units, select
from geolib.studies.gan_101 import freed
from geolib.studies.gan_101.ablation import (
    ADDITIVE,
    ENOUGH_SEEDS,
    NAMES,
    STUCK,
    effect,
    judgement,
    learnt,
    outcomes,
    with_interval,
)
from geolib.studies.gan_101.config import FIRST_SWEPT, TricksConfig
from geolib.studies.gan_101.tricks import jointly, judged, judging
from geolib.studies.gan_101.tricks import swept as sweep_ends
from geolib.studies.gan_101.units import DATA, MORE_TRICKS, Trick
from geolib.studies.gan_101.variants import BATCH, RATE, TRICK_BATCH, TRICK_RATE
from geolib.studies.gan_101.words import WHERE

#: What a trick is judged by, in words.
_WHAT = {
    "distance": "final distance",
    "unrest": "unrest",
    "time": "time to a goal",
    "critic_error": "discriminator's error",
    "extreme": "extreme answers",
    "telling": "accuracy against a generator that rests",
}
#: What a generator's end looks like with a trick.
_LOOKS = {"helps": "nearer", "harms": "farther"}
_WHERE = {"mixture": "the *mixture*", "channels": "*channel patches*"}
#: Rate and batch of the chapter's own plain recipe.
_USUAL = {"mixture": (TRICK_RATE, TRICK_BATCH), "channels": (RATE, BATCH)}


class Row(TypedDict):
    """A trick in the comparison: its effect on the final distance, every seed's, and the verdict.

    The interval is that which holds for all that is judged at once (`at_once`), or its own.
    """

    trick: str
    mean: float
    low: float | None
    high: float | None
    ratios: np.ndarray
    verdict: str
    looks: str
    at_once: int


def compared(units: Units, data: str, critic_steps: int, *, swept: bool = False) -> list[Row]:
    """Return for each trick its ratio of final distances, seed by seed and in the mean.

    What was `swept` is judged at once with all that the ledger judges there. Elsewhere a plain
    recipe that is stuck gives no verdict.
    """
    part = judging(units, data) if swept else units
    together = jointly(critic_steps, part, data) if swept else {}
    at_once = len(together) if len(together) > 1 else 0
    rows: list[Row] = []
    reached = learnt(part, data)
    silent = reached is not None and reached.value > STUCK and not at_once
    for trick in MORE_TRICKS:
        ratios = outcomes(part, data, trick)["distance"]
        if ratios.size:
            own = effect("distance", ratios)
            wide = together.get((trick, "distance"), own) if at_once else own
            verdict = "" if silent else judgement("distance", wide)
            rows.append(
                {
                    "trick": NAMES[trick],
                    "ratios": ratios,
                    "mean": own.value,
                    "low": wide.low,
                    "high": wide.high,
                    "verdict": verdict,
                    "looks": _LOOKS.get(verdict, ""),
                    "at_once": at_once,
                }
            )
    return rows


def panels(
    first: Units, second: Units, critic_steps: int, config: TricksConfig | None = None
) -> dict[str, list[Row]]:
    """Return the comparisons of tricks by panel, headed by data, rate, batch and plain's end.

    Parameters
    ----------
    first, second : mapping
        Results by unit name: with the chapter's own plain recipe, and with that of a sweep. Where
        there is a second, it is shown.
    critic_steps : int
        Of the recipes that take several.
    config : TricksConfig, optional
        Of the second.
    """
    again = config or TricksConfig()
    swept = {data: again.of(data) for data in DATA}
    for units, settings in ((second, swept), (first, _USUAL)):
        found = {}
        for data in DATA:
            rows = compared(units, data, critic_steps, swept=units is second)
            reached = learnt(judging(units, data) if units is second else units, data)
            if rows and reached is not None:
                rate, batch = settings[data]
                head = f"{data}, rate {rate:g}, batches of {batch}"
                found[f"{head}:\nplain ends at {reached.value:.2f} of its first distance"] = rows
        if found:
            return found
    return {}


def tricks_title(shown: Mapping[str, Sequence[Row]]) -> str:
    """Return the title of the tricks' figure: which bring the generator nearer, by data."""
    judged, silent = [], []
    for head, rows in shown.items():
        where = WHERE[head.partition(",")[0]]
        if rows[0]["verdict"] in ("", "too few seeds"):
            why = "no verdict" if rows[0]["verdict"] else "no baseline, no verdict"
            silent.append(f"on {where} {why}")
        else:
            nearer = [row["trick"] for row in rows if row["verdict"] == "helps"]
            judged.append(f"on {where} {listed(nearer) if nearer else 'no trick'}")
    text = "; ".join(judged + silent) or "no tricks were run."
    return f"Nearer the data: {text}" if judged else text[0].upper() + text[1:]


def tricks(
    first: Units, second: Units, critic_steps: int, config: TricksConfig | None = None
) -> str:
    """Return what the comparisons of tricks say, data by data; of the second where there is one.

    Parameters
    ----------
    first, second : mapping
        Results by unit name: with the chapter's own plain recipe, and with that of a sweep.
    critic_steps : int
        Of the recipes that take several.
    config : TricksConfig, optional
        Of the second.
    """
    parts: list[str] = []
    for data in DATA:
        rows = compared(second, data, critic_steps, swept=True)
        if not rows:
            parts += filter(None, [_on(first, data, compared(first, data, critic_steps))])
            continue
        if data == freed.DATA:
            text = freed.told(second)
        else:
            text = _sweep(second, config) + _on(second, data, [])
        parts.append(f"{text} {_verdicts(rows)}{_cost(second, data, critic_steps, rows)}".strip())
    return "\n\n".join([*parts, *filter(None, [freed.discriminators(second, critic_steps)])])


def _on(units: Units, data: str, rows: Sequence[Row]) -> str:
    reached = learnt(units, data)
    if reached is None:
        return ""
    text = (
        f"On {_WHERE[data]} the plain recipe ends at {with_interval(reached)} of its first distance"
    )
    if rows and not rows[0]["verdict"]:
        return f"{text}, above our bar of {STUCK:g}. That is no baseline, so there is no verdict."
    return f"{text}. {_verdicts(rows)}" if rows else f"{text}."


def _verdicts(rows: Sequence[Row]) -> str:
    """Return who ends nearer the data, who farther, and of whom it is not known."""
    if rows[0]["verdict"] == "too few seeds":
        return f"With fewer than {ENOUGH_SEEDS} seeds no verdict is given."
    told, ratio = [], " of plain's distance"
    for verdict, where in (("helps", "nearer to the data"), ("harms", "farther from it")):
        mine = [row for row in rows if row["verdict"] == verdict]
        names = [
            f"{row['trick']} ({row['mean']:.2f}{'' if n else ratio})" for n, row in enumerate(mine)
        ]
        if names:
            told.append(f"{where} with {listed(names)}")
            ratio = ""
    open_ = [row["trick"] for row in rows if row["verdict"] == "no clear effect"]
    text = f"The generator ends {listed(told)}" if told else ""
    if open_:
        text += f"; {listed(open_)} {'is' if len(open_) == 1 else 'are'} undecided"
    count = rows[0]["at_once"]
    if count:
        text += f" (intervals hold for all {count} effects that are compared there at once)"
    text = text.removeprefix("; ")
    return f"{text[0].upper()}{text[1:]}."


def _cost(units: Units, data: str, critic_steps: int, rows: Sequence[Row]) -> str:
    """Return what more discriminator steps bring by update of a network, if they bring anything."""
    name = NAMES["critic_steps"]
    if not any(row["trick"] == name and row["verdict"] == "helps" for row in rows):
        return ""
    equal = outcomes(judging(units, data), data, "critic_steps", critic_steps)["equal_cost"]
    return (
        f" After as many updates of both networks, {name} end at "
        f"{with_interval(effect('equal_cost', equal))} of it."
    )


def judged_markdown(second: Units, critic_steps: int, data: str) -> str:
    """Return what the ledger judges on some data: effects alone, and all of them together.

    Parameters
    ----------
    second : mapping
        Results by unit name, with the plain recipe of the sweep.
    critic_steps : int
        Of the recipes that take several.
    data : str
        One that `FAMILY` knows.
    """
    units = judging(second, data)
    rows, values = [], judged(critic_steps, units, data)
    for (name, key), wide in jointly(critic_steps, units, data).items():
        cells = [
            with_interval(each, 4) if key in ADDITIVE else _told(each)
            for each in (effect(key, values[name, key]), wide)
        ]
        rows.append([NAMES[name], _WHAT[key], *cells, judgement(key, wide)])
    if data == freed.DATA:
        shares = {name: f"{k} of {n}" for name, (k, n) in freed.counts(second).items()}
        plain = shares.pop("plain", "")
        what = f"trainings that learn (plain: {plain})"
        rows += [[NAMES[name], what, told, "", ""] for name, told in shares.items()]
    heads = ["Trick", "Outcome", "Alone", "Together", "Verdict"]
    return markdown(heads, rows, "llrrl", empty="Not run with these parameters.")


def _sweep(second: Units, config: TricksConfig | None) -> str:
    """Return how the plain recipe of the mixture was chosen, and whose seeds judge."""
    ends = sweep_ends(second, "mixture")
    seeds = sorted({unit.seed for unit in select(second, Trick, data="mixture")})
    if not ends or config is None or not seeds:
        return ""
    best = min(ends, key=lambda rate: ends[rate].mean())
    rates = listed([f"{rate:g}" for rate in ends])
    return (
        f"The plain recipe is best at the rate {best:g}, of {rates} "
        f"(seed {FIRST_SWEPT}, batches of {config.mixture_batch} samples); seeds {seeds[0]} to "
        f"{seeds[-1]} judge. "
    )


def _told(measure: Measure) -> str:
    # An end that excludes one must not be rounded to it.
    known = [end for end in (measure.low, measure.high) if end is not None]
    told = ", ".join(f"{end:.3f}" if f"{end:.2f}" == "1.00" else f"{end:.2f}" for end in known)
    return f"{measure.value:.2f} [{told}]" if told else f"{measure.value:.2f}"
