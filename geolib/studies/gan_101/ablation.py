"""What each training trick does, measured against the plain recipe with the same seeds."""

from __future__ import annotations

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import markdown
from geolib.runs.unit import Units, select
from geolib.studies.gan_101.units import DATA, TRICKS, Trick

RATIOS = ("distance", "unrest", "jumps", "time", "equal_cost")
OUTCOMES = (*RATIOS, "critic_error", "accuracy", "extreme")
# A plain recipe that ends above this share of its first distance hardly learns.
STUCK = 0.5
# Below this number of seeds an interval says more about the seeds than about the trick.
ENOUGH_SEEDS = 5


def outcomes(units: Units, data: str, trick: str, critic_steps: int = 5) -> dict[str, np.ndarray]:
    """Return each outcome of a trick over the plain recipe, a value for each seed run with both.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    data, trick : str
        Which comparison.
    critic_steps : int
        Critic steps of the recipes that take several, for the comparison at equal cost.

    Returns
    -------
    dict
        Ratios for `distance` (mean over the last quarter of the training), `unrest` (standard
        deviation of its logarithm over the last half), `jumps` (that of its changes from record to
        record, to which a steady fall adds nothing), `time` (steps until the distance falls to
        where the plain recipe ends; the whole training where it never does), `equal_cost` (distance
        after as many network updates as the plain recipe made); differences for `critic_error`,
        `accuracy` and `extreme` (share of answers within 0.05 of 0 or 1), means over the last half.
    """
    found: dict[str, list[float]] = {name: [] for name in OUTCOMES}
    plain_runs = {
        unit.seed: run for unit, run in select(units, Trick, data=data, trick="plain").items()
    }
    for unit, arrays in select(units, Trick, data=data, trick=trick).items():
        plain = plain_runs.get(unit.seed)
        if plain is None:
            continue
        ours, base = arrays["trace"], plain["trace"]
        n = len(base)
        last, half = slice(n - n // 4, n), slice(n // 2, n)
        goal = base[last].mean()
        found["distance"].append(ours[last].mean() / goal)
        found["unrest"].append(np.log(ours[half]).std() / np.log(base[half]).std())
        found["jumps"].append(_jumps(ours[half]) / _jumps(base[half]))
        found["time"].append((_first(ours, goal) + 1) / (_first(base, goal) + 1))
        updates = critic_steps + 1 if trick in ("critic_steps", "all") else 2
        stop = max(1, round(n * 2 / updates))
        found["equal_cost"].append(ours[stop - max(1, stop // 4) : stop].mean() / goal)
        gap = (arrays["critic"][half] - plain["critic"][half]).mean(0)
        for key, value in zip(("critic_error", "accuracy", "extreme"), gap, strict=True):
            found[key].append(value)
    return {key: np.array(values) for key, values in found.items()}


def _jumps(trace: np.ndarray) -> float:
    return float(np.diff(np.log(trace)).std())


def _first(trace: np.ndarray, goal: float) -> int:
    reached = np.flatnonzero(trace <= goal)
    return int(reached[0]) if reached.size else len(trace) - 1


def effect(outcome: str, values: np.ndarray) -> Measure:
    """Return the mean effect with its 95 % interval: geometric for ratios, else arithmetic."""
    if outcome in RATIOS:
        return average(np.log(values)).exponential()
    return average(values)


def judgement(outcome: str, measure: Measure) -> str:
    """Return "helps", "harms" or "no clear effect"; lower is better but for the accuracy."""
    if (measure.n or 0) < ENOUGH_SEEDS:
        return "too few seeds"
    neutral = 1.0 if outcome in RATIOS else 0.0
    if measure.low is None or measure.high is None or measure.low <= neutral <= measure.high:
        return "no clear effect"
    return "helps" if (measure.high < neutral) != (outcome == "accuracy") else "harms"


def learnt(units: Units, data: str, trick: str = "plain") -> Measure | None:
    """Return a recipe's last distance over that at its own first record, if it was run."""
    traces = [run["trace"] for run in select(units, Trick, data=data, trick=trick).values()]
    if not traces:
        return None
    return effect("distance", np.array([t[-(len(t) // 4) :].mean() / t[0] for t in traces]))


def ablation(critic_steps: int, units: Units) -> list[tuple[str, str, dict[str, Measure]]]:
    """Return data, trick and measures by outcome for every comparison that the units allow."""
    rows = []
    for data in DATA:
        for trick in TRICKS:
            found = outcomes(units, data, trick, critic_steps)
            usable = {k: effect(k, v) for k, v in found.items() if v.size and np.isfinite(v).all()}
            if usable:
                rows.append((data, trick, usable))
    return rows


def ablation_table(critic_steps: int, units: Units, data: str) -> str:
    """Return a Markdown table of one data set's ablation: effect, interval, computed verdict.

    None is given where the plain recipe hardly learns.
    """
    told = {
        "distance": "final distance",
        "unrest": "unrest",
        "time": "time",
        "equal_cost": "at equal cost",
        "accuracy": "discriminator's accuracy",
        "extreme": "extreme answers",
    }
    reached = learnt(units, data)
    stuck = reached is not None and reached.value > STUCK
    rows = [
        [
            trick.replace("_", " "),
            name,
            with_interval(found[key]),
            "none" if stuck else judgement(key, found[key]),
        ]
        for where, trick, found in ablation(critic_steps, units)
        for key, name in told.items()
        if where == data and key in found
    ]
    heads = ["Trick", "Outcome", "Effect", "Verdict"]
    return markdown(heads, rows, "llr", empty="Not run with these parameters.")


def with_interval(measure: Measure, digits: int = 2) -> str:
    """Return a value with its interval, with so many decimals each."""
    ends = "" if measure.low is None else f" [{measure.low:.{digits}f}, {measure.high:.{digits}f}]"
    return f"{measure.value:.{digits}f}{ends}"


def average(values: np.ndarray | list[float]) -> Measure:
    """Return the mean of independent values with Student's interval."""
    return Measure.mean(np.asarray(values, dtype=float).tolist())
