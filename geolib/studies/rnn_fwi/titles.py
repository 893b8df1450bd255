"""The messages of the figures of the rnn_fwi appendix, each made from what the figure draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from geolib.runs.tables import listed
from geolib.studies.rnn_fwi import tables
from geolib.studies.rnn_fwi.curves import Arrays

Points = Sequence[tuple[float, float]]


def stability(estimates: np.ndarray, rates: Sequence[float]) -> str:
    """Return which rates of gradient descent the largest eigenvalue allows."""
    limit = 2 / float(estimates[-1])
    stable = [f"{rate:g}" for rate in rates if rate < limit]
    beyond = [f"{rate:g}" for rate in rates if rate >= limit]
    parts = [f"{listed(stable)} below it"] if stable else []
    parts += [f"{listed(beyond)} beyond"] if beyond else []
    return f"Gradient descent is stable up to a rate of {limit:.2f}: {', '.join(parts)}"


def ends(runs: Mapping[str, Arrays], limit: int | None = None) -> str:
    """Return which run ends with the smallest misfit, and which with the best model."""
    last = None if limit is None else limit + 1
    fits = {name: run["misfit"][:last][-1] / run["misfit"][0] for name, run in runs.items()}
    errors = {name: run["error"][:last][-1] for name, run in runs.items()}
    fits, errors = ({n: v for n, v in each.items() if np.isfinite(v)} for each in (fits, errors))
    if len(fits) < 2 or len(errors) < 2:
        return ""
    fit, model = min(fits, key=fits.__getitem__), min(errors, key=errors.__getitem__)
    if fit == model:
        return f"{_begin(fit)} ends with the smallest misfit and the best model"
    return f"{_begin(fit)} ends with the smallest misfit, {model} with the best model"


def _begin(name: str) -> str:
    return name[0].upper() + name[1:]


def orders(speed: tables.Table, error: tables.Table) -> str:
    """Return whether methods rank alike in all settings, by speed and by the model's error."""
    told = []
    for text, table in (("speed", speed), ("model error", error)):
        # Who never came to 1 % is missing there, and the last of all.
        names = dict.fromkeys(name for row in table.values() for name in row)
        ranks = {
            tuple(sorted(names, key=lambda name: row.get(name, np.inf))) for row in table.values()
        }
        told.append(f"by {text} {'one order' if len(ranks) == 1 else f'{len(ranks)} orders'}")
    return f"Methods in {len(speed)} settings: {told[0]}, {told[1]}"


def start(truth: np.ndarray, first: np.ndarray) -> str:
    """Return how far the start of Marmousi is from the truth."""
    off = float(np.sqrt(np.mean(np.square(first - truth, dtype=float))))
    return f"The start is the truth, blurred: {off:.0f} m/s off"


def left(name: str, run: Arrays) -> str:
    """Return what a run on Marmousi leaves of the start's error."""
    share = 100 * run["error"][-1] / run["error"][0]
    count = len(run["error"]) - 1
    return f"{name} leaves about {share:.0f} % of the start's model error after {count} evaluations"


def costs(runs: Mapping[str, Arrays], cost: Mapping[str, float]) -> str:
    """Return whose image is the best after as many evaluations, and who fits best in one time."""
    count = min(len(run["ssim"]) for run in runs.values()) - 1
    similar = max(runs, key=lambda name: float(runs[name]["ssim"][count]))
    times = {
        name: cost[name] * np.arange(run["misfit"].size) if cost else np.cumsum(run["seconds"])
        for name, run in runs.items()
    }
    end = min(float(each[-1]) for each in times.values())

    def left_then(name: str) -> float:
        at = max(0, int(np.searchsorted(times[name], end, side="right")) - 1)
        return float(runs[name]["misfit"][at] / runs[name]["misfit"][0])

    fit = min(runs, key=left_then)
    return (
        f"After {count} evaluations {similar}'s image is the most like the truth; "
        f"after {end:.0f} seconds {fit} fits best"
    )


def profiles(truth: np.ndarray, runs: Mapping[str, Arrays], columns: Sequence[int]) -> str:
    """Return who is closest to the truth along some columns of the last models."""
    off = {
        name: float(np.sqrt(np.mean(np.square((run["frames"][-1] - truth)[:, list(columns)]))))
        for name, run in runs.items()
    }
    best, worst = min(off, key=off.__getitem__), max(off, key=off.__getitem__)
    told = f"At {len(columns)} places {best} is the closest to the truth"
    return told if best == worst else f"{told}, {worst} the furthest off"


def rates(groups: Mapping[str, Mapping[str, Points]]) -> str:
    """Return which rate of which method came to 1 % of the misfit first."""
    found = [
        (count, method, rate)
        for runs in groups.values()
        for method, points in runs.items()
        for rate, count in points
        if np.isfinite(count)
    ]
    if not found:
        return "No rate brings the misfit to 1 %"
    count, method, rate = min(found)
    return (
        f"The fastest of all rates: {method} at {rate:g}, in {count:.0f} evaluations to 1 % of "
        "the misfit"
    )
