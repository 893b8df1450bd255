"""What the chapter says of the tricks: how each compares with the plain recipe, how surely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np

from geolib.runs.tables import listed, percent
from geolib.runs.unit import Units, select
from geolib.studies.gan_101.ablation import (
    ENOUGH_SEEDS,
    NAMES,
    STUCK,
    effect,
    judgement,
    learnt,
    outcomes,
    with_interval,
)
from geolib.studies.gan_101.config import TricksConfig
from geolib.studies.gan_101.tricks import FIRST_SWEPT, jointly
from geolib.studies.gan_101.tricks import swept as sweep_ends
from geolib.studies.gan_101.units import DATA, TRICKS, Trick
from geolib.studies.gan_101.words import WHERE

#: What a trick is judged by, in words.
_WHAT = {
    "distance": "the distance",
    "unrest": "the unrest",
    "time": "the time",
    "critic_error": "the discriminator's error",
    "accuracy": "the accuracy",
}


class Row(TypedDict):
    """A trick in the comparison: its effect with the interval, every seed's, and the verdict."""

    trick: str
    mean: float
    low: float | None
    high: float | None
    ratios: np.ndarray
    verdict: str


def compared(units: Units, critic_steps: int, data: str) -> list[Row]:
    """Return for each trick its ratio of final distances, seed by seed and in the mean."""
    rows: list[Row] = []
    reached = learnt(units, data)
    stuck = reached is not None and reached.value > STUCK
    for trick in TRICKS:
        ratios = outcomes(units, data, trick, critic_steps)["distance"]
        if ratios.size:
            mean = effect("distance", ratios)
            rows.append(
                {
                    "trick": NAMES[trick],
                    "ratios": ratios,
                    "mean": mean.value,
                    "low": mean.low,
                    "high": mean.high,
                    "verdict": "" if stuck else judgement("distance", mean),
                }
            )
    return rows


def panels(first: Units, second: Units, critic_steps: int) -> dict[str, list[Row]]:
    """Return the comparisons of tricks by panel, headed by how far the plain recipe itself gets.

    Parameters
    ----------
    first, second : mapping
        Results by unit name: with the chapter's own plain recipe, and with one that learns.
    critic_steps : int
        Of the recipes that take several.
    """
    found = {}
    for units, kind in ((first, ""), (second, ", rate swept")):
        for data in DATA:
            rows, reached = compared(units, critic_steps, data), learnt(units, data)
            if rows and reached is not None:
                found[f"{data}{kind}:\nplain ends at {reached.value:.2f} of its start"] = rows
    return found


def tricks_title(shown: Mapping[str, Sequence[Row]]) -> str:
    """Return the title of the tricks' figure: what helps on which data, in each of its panels."""
    parts = []
    for data in DATA:
        panels = [rows for head, rows in shown.items() if head.startswith(data)]
        judged = [rows for rows in panels if rows[0]["verdict"] not in ("", "too few seeds")]
        helping = [
            trick
            for trick in NAMES.values()
            if judged and all((trick, "helps") in _verdicts(rows) for rows in judged)
        ]
        if not panels:
            continue
        if not judged:
            why = "no verdict" if panels[0][0]["verdict"] else "no baseline, no verdict"
            parts.append(f"on {WHERE[data]} {why}")
        else:
            several = "s" if len(helping) < 2 else ""
            whom = listed(helping) or "no trick"
            parts.append(f"on {WHERE[data]} {whom} help{several} in each comparison")
    text = "; ".join(parts) or "no tricks were run."
    return text[0].upper() + text[1:]


def _verdicts(rows: Sequence[Row]) -> set[tuple[str, str]]:
    return {(row["trick"], row["verdict"]) for row in rows}


def tricks(units: Units, critic_steps: int) -> str:
    """Return what the comparisons of tricks say, one paragraph for each kind of data."""
    parts = [part for data in DATA if (part := _tricks_on(units, critic_steps, data))]
    judged = [
        rows
        for data in DATA
        if (rows := compared(units, critic_steps, data))
        and rows[0]["verdict"] not in ("", "too few seeds")
    ]
    if judged:
        # However dependent the tricks are: they share the plain runs.
        number = len(judged[0])
        chance = min(1.0, 0.05 * number)
        some = f"one or more of {number} tricks" if number > 1 else "a trick"
        parts[0] += (
            f" (Judged one by one, {some} would look clear by chance alone in up to "
            f"{percent(chance)} of such tries.)"
        )
    return "\n\n".join(parts)


def swept(second: Units, critic_steps: int, config: TricksConfig | None = None) -> str:
    """Return what the comparisons say where the plain recipe's rate was swept first."""
    parts = [part for data in DATA if (part := _tricks_on(second, critic_steps, data))]
    if not parts:
        return (
            "A fair baseline needs its learning rate swept first, and larger batches. Trainings "
            "against it were not run yet. Until then the ledger calls no trick good or bad."
        )
    text = "So we swept the plain recipe's rate, enlarged its batches and asked again."
    parts[0] += _jointly(second, critic_steps)
    return "\n\n".join([f"{text} {_sweep(second, config)}".rstrip(), *parts])


def _jointly(second: Units, critic_steps: int) -> str:
    judged = jointly(critic_steps, second)
    clear = [
        f"{_WHAT[key]} under {NAMES[name]}"
        for (name, key), each in judged.items()
        if judgement(key, each) in ("helps", "harms")
    ]
    if len(judged) < 2:
        return ""
    return (
        f" All share the same plain runs, so the ledger judges {len(judged)} statements on tricks "
        f"together. There {f'only {listed(clear)} stays' if clear else 'none stays'} clear."
    )


def _sweep(second: Units, config: TricksConfig | None) -> str:
    best = {}
    for data in DATA:
        ends = {rate: float(each.mean()) for rate, each in sweep_ends(second, data).items()}
        if ends:
            best[WHERE[data]] = f"{min(ends, key=lambda rate: ends[rate]):g}"
    if not best or config is None:
        return ""
    same = len(best) > 1 and len(set(best.values())) == 1
    told = list(dict.fromkeys(f"{r} on {'both' if same else where}" for where, r in best.items()))
    seeds = sorted({unit.seed for unit in select(second, Trick)})
    return (
        f"Of {len(ends)} rates, tried with seed {FIRST_SWEPT}, the best was {listed(told)}; "
        f"batches have {config.mixture_batch} samples and {config.channels_batch} patches, "
        f"and seeds {seeds[0]} to {seeds[-1]} judge."
    )


def _tricks_on(units: Units, critic_steps: int, data: str) -> str:
    rows, reached = compared(units, critic_steps, data), learnt(units, data)
    if reached is None:
        return ""
    where = {"mixture": "On the *mixture*", "channels": "On *channel patches*"}[data]
    text = f"{where} the plain recipe ends at {with_interval(reached)} times its first distance."
    if not rows:
        return f"{text} No trick was run."
    if rows[0]["verdict"] == "too few seeds":
        return f"{text} With fewer than {ENOUGH_SEEDS} seeds no verdict is given."
    if not rows[0]["verdict"]:
        return f"{text[:-1]}, above our bar of {STUCK:g}: {_without_baseline(units, data)}"
    for verdict in ("helps", "harms"):
        named = [_with_ratio(row) for row in rows if row["verdict"] == verdict]
        text += f" {verdict.capitalize()}: {listed(named) if named else 'none'}."
    unclear = [row for row in rows if row["verdict"] == "no clear effect"]
    text += f" No clear effect: {listed([row['trick'] for row in unclear])}." if unclear else ""
    return text


def _without_baseline(units: Units, data: str) -> str:
    ends = {trick: learnt(units, data, trick) for trick in TRICKS}
    trained = [
        f"{NAMES[trick]} ({with_interval(end)})"
        for trick, end in ends.items()
        if end is not None and end.value <= STUCK
    ]
    text = "no baseline, so no verdict."
    if trained:
        text += (
            f" With {listed(trained)} a training ends below the bar. They get one going; whether "
            "they improve one that runs we could not ask."
        )
    return text


def _with_ratio(row: Row) -> str:
    # An end that excludes one must not be rounded to it.
    ends = [end for end in (row["low"], row["high"]) if end is not None]
    told = ", ".join(f"{end:.3f}" if f"{end:.2f}" == "1.00" else f"{end:.2f}" for end in ends)
    return f"{row['trick']} ({row['mean']:.2f} [{told}])"
