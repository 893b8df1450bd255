"""What the chapter says of the tricks: how each compares with the plain recipe, how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, markdown, percent
from geolib.runs.unit import Units, select
from geolib.studies.gan_101 import freed
from geolib.studies.gan_101.ablation import (
    ADDITIVE,
    ENOUGH_SEEDS,
    NAMES,
    RISING,
    STUCK,
    effect,
    judgement,
    learnt,
    outcomes,
    with_interval,
)
from geolib.studies.gan_101.config import FIRST_SWEPT, TricksConfig
from geolib.studies.gan_101.tricks import FAMILY, jointly, judged, judging
from geolib.studies.gan_101.tricks import swept as sweep_ends
from geolib.studies.gan_101.units import DATA, MORE_TRICKS, Trick
from geolib.studies.gan_101.variants import BATCH, RATE, TRICK_BATCH, TRICK_RATE
from geolib.studies.gan_101.words import WHERE

#: What a trick is judged by, in words.
_WHAT = {
    "distance": "the distance",
    "unrest": "the unrest",
    "time": "the time",
    "critic_error": "the discriminator's error",
    "accuracy": "the accuracy",
    "extreme": "extreme answers",
    "telling": "the accuracy against a generator that rests",
}
#: Tricks that look clear, of which a sentence takes the intervals too.
MANY = 2
#: What a trick looks where it is judged alone.
_LOOKS = {"helps": "better", "harms": "worse"}
_WHERE = {"mixture": "the *mixture*", "channels": "*channel patches*"}
#: Rate and batch of the chapter's own plain recipe.
_USUAL = {"mixture": (TRICK_RATE, TRICK_BATCH), "channels": (RATE, BATCH)}


class Joint(TypedDict):
    """An effect judged together with others: its interval, which holds for all, and the verdict."""

    low: float | None
    high: float | None
    verdict: str


class Row(TypedDict):
    """A trick in the comparison: its effect, every seed's, and the verdicts, alone and together."""

    trick: str
    mean: float
    low: float | None
    high: float | None
    ratios: np.ndarray
    verdict: str
    looks: str
    together: Joint | None


def compared(
    units: Units, data: str, judged: Mapping[tuple[str, str], Measure] | None = None
) -> list[Row]:
    """Return for each trick its ratio of final distances, seed by seed and in the mean.

    `judged` are the effects that are judged together (`jointly`), if any are.
    """
    rows: list[Row] = []
    reached = learnt(units, data)
    # What the ledger judges has a plain recipe that is stuck at every rate, or learns.
    stuck = reached is not None and reached.value > STUCK and not judged
    for trick in MORE_TRICKS:
        ratios = outcomes(units, data, trick)["distance"]
        if ratios.size:
            mean, wide = effect("distance", ratios), (judged or {}).get((trick, "distance"))
            verdict = "" if stuck else judgement("distance", mean)
            joint: Joint | None = None
            if wide is not None and not stuck:
                told = judgement("distance", wide)
                joint = {"low": wide.low, "high": wide.high, "verdict": told}
            rows.append(
                {
                    "trick": NAMES[trick],
                    "ratios": ratios,
                    "mean": mean.value,
                    "low": mean.low,
                    "high": mean.high,
                    "verdict": verdict,
                    "looks": _LOOKS.get(verdict, ""),
                    "together": joint,
                }
            )
    return rows


def _on(second: Units, critic_steps: int, data: str) -> dict[tuple[str, str], Measure]:
    """Return what the ledger judges together on some data: one statement alone is not corrected."""
    found = jointly(critic_steps, second, data) if data in FAMILY else {}
    return found if len(found) > 1 else {}


def panels(
    first: Units, second: Units, critic_steps: int, config: TricksConfig | None = None
) -> dict[str, list[Row]]:
    """Return the comparisons of tricks by panel, headed by rate and batch, and by plain's end.

    Parameters
    ----------
    first, second : mapping
        Results by unit name: with the chapter's own plain recipe, and with that of the sweep.
    critic_steps : int
        Of the recipes that take several.
    config : TricksConfig, optional
        Of the second.
    """
    found = {}
    again = config or TricksConfig()
    swept = {data: again.of(data) for data in DATA}
    for whole, settings in ((first, _USUAL), (second, swept)):
        for data in DATA:
            units = judging(whole, data) if whole is second else whole
            judged = _on(units, critic_steps, data) if whole is second else {}
            rows, reached = compared(units, data, judged), learnt(units, data)
            if rows and reached is not None:
                rate, batch = settings[data]
                head = f"{data}, rate {rate:g}, batches of {batch}"
                found[f"{head}:\nplain ends at {reached.value:.2f} of its first distance"] = rows
    return found


def tricks_title(shown: Mapping[str, Sequence[Row]]) -> str:
    """Return the title of the tricks' figure: what looks clear alone, and what stays so."""
    parts = []
    for data in DATA:
        panels = [rows for head, rows in shown.items() if head.startswith(data)]
        judged = [rows for rows in panels if rows[0]["verdict"] not in ("", "too few seeds")]
        if panels and not judged:
            why = "no verdict" if panels[0][0]["verdict"] else "no baseline, no verdict"
            parts.append(f"on {WHERE[data]} {why}")
        elif panels:
            parts.append(f"on {WHERE[data]} {_looks(judged)}{_together(judged)}")
    text = "; ".join(parts) or "no tricks were run."
    return text[0].upper() + text[1:]


def _looks(judged: Sequence[Sequence[Row]]) -> str:
    """Return which tricks look clear, each judged alone, in every comparison."""
    groups = {
        word: [
            name
            for name in NAMES.values()
            if all((name, verdict) in {(r["trick"], r["verdict"]) for r in rows} for rows in judged)
        ]
        for verdict, word in _LOOKS.items()
    }
    told = _list_looks(groups)
    return f"{told}, judged alone" if told else "no trick looks clear in each comparison"


def _list_looks(groups: Mapping[str, Sequence[str]]) -> str:
    """Return who looks better and who worse, as one clause; empty where nobody looks either."""
    told: list[str] = []
    for word, names in groups.items():
        if names:
            look = "" if told else "look " if len(names) > 1 else "looks "
            told.append(f"{listed(names)} {look}{word}")
    return listed(told)


def _together(judged: Sequence[Sequence[Row]]) -> str:
    """Return which tricks stay clear where they are judged together, if they are anywhere."""
    joint = [(row["trick"], each) for rows in judged for row in rows if (each := row["together"])]
    if not joint:
        return ""
    clear = [name for name, each in joint if each["verdict"] in ("helps", "harms")]
    stay = "stay" if len(clear) > 1 else "stays"
    return f"; of those judged together {listed(clear) if clear else 'none'} {stay} clear"


def tricks(
    first: Units, second: Units, critic_steps: int, config: TricksConfig | None = None
) -> str:
    """Return what the comparisons of tricks say: data by data, the chapter's own runs first.

    Parameters
    ----------
    first, second : mapping
        Results by unit name: with the chapter's own plain recipe, and with that of the sweep.
    critic_steps : int
        Of the recipes that take several.
    config : TricksConfig, optional
        Of the second.
    """
    parts, swept = [], _sweep(first, second, config)
    for data in DATA:
        judged = _on(judging(second, data), critic_steps, data)
        if data == freed.DATA and judged:
            parts.append(freed.told(first, second, config or TricksConfig()))
            parts[-1] += _jointly(second, critic_steps, data)
            continue
        ran = [units for units in (first, second) if learnt(units, data) is not None]
        if ran and all(_stuck(units, data) for units in ran):
            parts.append(_without_baseline(ran, data))
            continue
        for units in ran:
            if units is second:
                before = learnt(first, data)
                parts.append(swept + _tricks_on(second, data, before))
                parts[-1] += _jointly(second, critic_steps, data)
                swept = ""
            else:
                parts.append(_tricks_on(first, data) + ("" if judged else _chance(first, data)))
    return "\n\n".join(parts)


def _stuck(units: Units, data: str) -> bool:
    reached = learnt(units, data)
    return reached is not None and reached.value > STUCK


def _chance(units: Units, data: str) -> str:
    rows = compared(units, data)
    if _stuck(units, data) or not rows or rows[0]["verdict"] == "too few seeds":
        return ""
    # However dependent the tricks are: they share the plain runs.
    chance = min(1.0, 0.05 * len(rows))
    some = f"one or more of {len(rows)} tricks" if len(rows) > 1 else "a trick"
    return f" (By chance alone {some} would look so in up to {percent(chance)} of such tries.)"


def _jointly(second: Units, critic_steps: int, data: str) -> str:
    units = judging(second, data)
    judged = _on(units, critic_steps, data)
    if not judged or (data != freed.DATA and _stuck(second, data)):
        return ""
    looks = [row for row in compared(units, data, judged) if row["verdict"] in _LOOKS]
    lost = [
        row["trick"]
        for row in looks
        if (joint := row["together"]) and joint["verdict"] == "no clear effect"
    ]
    ledger = "" if data == freed.DATA else ", our list of verdicts,"
    text = (
        f" The {{doc}}`ledger </reproduces>`{ledger} judges {len(judged)} statements on these runs "
        "together, with wider intervals."
    )
    if lost:
        text += f" There {listed(lost)} {'is' if len(lost) == 1 else 'are'} undecided."
    clear: dict[tuple[str, str], list[str]] = {}
    for (name, key), each in judged.items():
        verdict = judgement(key, each)
        if verdict in ("helps", "harms"):
            word = "higher" if (verdict == "helps") == (key in RISING) else "lower"
            clear.setdefault((NAMES[name], word), []).append(_WHAT[key])
    told = [
        f"with {name} {listed(whats)} {'is' if len(whats) == 1 else 'are'} {word}"
        for (name, word), whats in clear.items()
    ]
    text += f" Clear is only that {listed(told)}." if told else " None is clear."
    if _WHAT["distance"] in clear.get((NAMES["critic_steps"], "lower"), ()):
        equal = outcomes(units, data, "critic_steps", critic_steps)["equal_cost"]
        text += (
            f" After as many updates of both networks, {NAMES['critic_steps']} end at "
            f"{with_interval(effect('equal_cost', equal))} of plain's distance."
        )
    return text


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
            with_interval(each, 4) if key in ADDITIVE else _told(each.value, each.low, each.high)
            for each in (effect(key, values[name, key]), wide)
        ]
        rows.append([NAMES[name], _WHAT[key].removeprefix("the "), *cells, judgement(key, wide)])
    heads = ["Trick", "Outcome", "Alone", "Together", "Verdict"]
    return markdown(heads, rows, "llrrl", empty="Not run with these parameters.")


def _sweep(first: Units, second: Units, config: TricksConfig | None) -> str:
    """Return how the second plain recipe of the mixture was chosen, and whose seeds judge."""
    ends, seeds = sweep_ends(second, "mixture"), sorted(_seeds(second, "mixture"))
    if not ends or config is None or not seeds:
        return ""
    best = min(ends, key=lambda rate: ends[rate].mean())
    old = sorted(_seeds(first, "mixture") & set(seeds))
    return (
        f"Then we tried the rates {listed([f'{rate:g}' for rate in ends])} for the plain recipe, "
        f"with seed {FIRST_SWEPT} alone, and batches of {config.mixture_batch} samples. The best "
        f"rate was {best:g}. Seeds {seeds[0]} to {seeds[-1]} judge"
        + (f"; {old[0]} to {old[-1]} had judged before. " if old else ". ")
    )


def _seeds(units: Units, data: str) -> set[int]:
    return {unit.seed for unit in select(units, Trick, data=data)}


def _tricks_on(units: Units, data: str, before: Measure | None = None) -> str:
    rows, reached = compared(units, data), learnt(units, data)
    if reached is None:
        return ""
    text = (
        f"On {_WHERE[data]} the plain recipe ends at {with_interval(reached)} of its first distance"
    )
    if before is not None and reached.low is not None and reached.high is not None:
        text += ", about as before" if reached.low <= before.value <= reached.high else ""
    text += "."
    if not rows:
        return f"{text} No trick was run."
    if rows[0]["verdict"] == "too few seeds":
        return f"{text} With fewer than {ENOUGH_SEEDS} seeds no verdict is given."
    if not rows[0]["verdict"]:
        return f"{text[:-1]}, above our bar of {STUCK:g}: no baseline, so no verdict."
    # Of many the figure draws the intervals.
    many = sum(row["verdict"] in _LOOKS for row in rows) > MANY
    looks = _list_looks(
        {
            word: [_with_ratio(row, many) for row in rows if row["verdict"] == verdict]
            for verdict, word in _LOOKS.items()
        }
    )
    if not looks:
        return f"{text} Judged alone, no trick looks better or worse."
    rest = "; no other is clear" if "no clear effect" in {r["verdict"] for r in rows} else ""
    return f"{text} Each judged alone, {looks}{rest}."


def _without_baseline(ran: Sequence[Units], data: str) -> str:
    ends = [end for units in ran if (end := learnt(units, data)) is not None]
    far = listed([with_interval(end) for end in ends])
    text = (
        f"On {_WHERE[data]} the plain recipe is stuck: it ends at {far} of its first distance"
        f"{' in the two comparisons' if len(ends) > 1 else ''}, above our bar of {STUCK:g}. That "
        "is no baseline, so there is no verdict."
    )
    trained: list[str] = []
    for trick in MORE_TRICKS:
        ratios = [
            f"{row['mean']:.2f}"
            for units in ran
            for row in compared(units, data)
            if row["trick"] == NAMES[trick] and _learns(units, data, trick)
        ]
        if ratios:
            whose = "" if trained else " of plain's final distance"
            trained.append(f"{NAMES[trick]} ({listed(ratios)}{whose})")
    if trained:
        text += (
            f" With {listed(trained)} a training does learn. Whether they improve one that learns "
            "without them we have not tested."
        )
    return text


def _learns(units: Units, data: str, trick: str) -> bool:
    end = learnt(units, data, trick)
    return end is not None and end.value <= STUCK


def _with_ratio(row: Row, bare: bool = False) -> str:
    ends = () if bare else (row["low"], row["high"])
    return f"{row['trick']} ({_told(row['mean'], *ends)})"


def _told(mean: float, *ends: float | None) -> str:
    # An end that excludes one must not be rounded to it.
    known = [end for end in ends if end is not None]
    told = ", ".join(f"{end:.3f}" if f"{end:.2f}" == "1.00" else f"{end:.2f}" for end in known)
    return f"{mean:.2f} [{told}]" if told else f"{mean:.2f}"
