"""What each training trick does, measured against the plain recipe with the same seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, markdown
from geolib.runs.unit import Units, select
from geolib.studies.gan_101.units import DATA, MORE_TRICKS, Trick

#: What tricks are called.
NAMES = {
    "batch_norm": "batch norm",
    "critic_steps": "more D steps",
    "critic_rate": "faster D",
    "leaky": "leaky ReLU",
    "leaky_critic": "leaky ReLU in D",
    "smooth_label": "smoothed label",
    "all": "all together",
}

DIFFERENCES = ("critic_error", "accuracy", "extreme")
#: Outcomes that are differences, not ratios; `telling` is that of a discriminator alone.
ADDITIVE = (*DIFFERENCES, "telling")
#: Outcomes of which more is better.
RISING = ("accuracy", "telling")
# Distances that a training comes near the data with: the first, about a third of where it starts,
# is the goal of `time`.
GOALS = {"mixture": (0.4, 0.15, 0.2, 0.3, 0.35, 0.5), "channels": (0.5, 0.3, 0.4, 0.6)}
# A plain recipe that ends above this share of its first distance hardly learns.
STUCK = 0.5
# Below this number of seeds an interval says more about the seeds than about the trick.
ENOUGH_SEEDS = 5


#: Arrays of a training by name.
Run = Mapping[str, np.ndarray]


def pairs(units: Units, data: str, trick: str) -> dict[int, tuple[Run, Run]]:
    """Return by seed a trick's training and the plain one, of those seeds that have both."""
    plain = {unit.seed: run for unit, run in select(units, Trick, data=data, trick="plain").items()}
    return {
        unit.seed: (run, plain[unit.seed])
        for unit, run in select(units, Trick, data=data, trick=trick).items()
        if unit.seed in plain
    }


def end(trace: np.ndarray) -> float:
    """Return the distance at the end of a training: the mean over its last quarter."""
    return float(trace[-(len(trace) // 4) :].mean())


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
        deviation of its logarithm over the last half; `unrest_quarter` and `unrest_whole` over the
        last quarter and all of it), `jumps` (that of its changes from record to record, to which a
        steady fall adds nothing), `time` (steps until the distance falls to the first of `GOALS`,
        the whole training where it never does; `time_to_0.2` and so on to another goal,
        `time_to_plain_end` and `time_to_own_end` to where either training ends, which one of the
        two always reaches), `equal_cost` (distance after as many network updates as the plain
        recipe made); differences for `critic_error`, `accuracy` and `extreme` (share of answers
        within 0.05 of 0 or 1), means over the last half. Where no seed was run with both, distance
        and differences are empty and the rest is missing.
    """
    found: dict[str, list[float]] = {name: [] for name in ("distance", *DIFFERENCES)}
    for arrays, plain in pairs(units, data, trick).values():
        updates = critic_steps + 1 if trick in ("critic_steps", "all") else 2
        values = _ratios(arrays["trace"], plain["trace"], data, updates)
        half = len(plain["trace"]) // 2
        gap = (arrays["critic"][half:] - plain["critic"][half:]).mean(0)
        values |= dict(zip(DIFFERENCES, gap, strict=True))
        for key, value in values.items():
            found.setdefault(key, []).append(value)
    return {key: np.array(values) for key, values in found.items()}


def _ratios(ours: np.ndarray, base: np.ndarray, data: str, updates: int) -> dict[str, float]:
    n = len(base)
    last, half = slice(n - n // 4, n), slice(n // 2, n)
    ends = {"plain": end(base), "own": end(ours)}
    goal, *others = GOALS[data]
    times = {"time": goal, **{f"time_to_{other:g}": other for other in others}}
    times |= {f"time_to_{whose}_end": end for whose, end in ends.items()}
    parts = {"unrest": half, "unrest_quarter": last, "unrest_whole": slice(n)}
    stop = max(1, round(n * 2 / updates))
    return {
        "distance": ends["own"] / ends["plain"],
        **{name: np.log(ours[p]).std() / np.log(base[p]).std() for name, p in parts.items()},
        "jumps": _jumps(ours[half]) / _jumps(base[half]),
        **{name: (_first(ours, g) + 1) / (_first(base, g) + 1) for name, g in times.items()},
        "equal_cost": float(ours[stop - max(1, stop // 4) : stop].mean()) / ends["plain"],
    }


def at_equal_distance(units: Units, data: str, trick: str) -> Measure | None:
    """Return how a trick changes the discriminator's error where the distances are equal.

    The error is that against the best discriminator of each run's own generator, and grows with how
    far that is from the data. This is the intercept of its line over the logarithm of the ratio of
    distances (both over the last half), with Student's interval; None with fewer than four seeds.
    """
    from scipy import stats

    points = []
    for run, base in pairs(units, data, trick).values():
        half = len(run["trace"]) // 2
        ratio = run["trace"][half:].mean() / base["trace"][half:].mean()
        points.append((np.log(ratio), (run["critic"] - base["critic"])[half:, 0].mean()))
    if len(points) < 4 or np.ptp([x for x, _ in points]) == 0:
        return None
    line = stats.linregress(*np.transpose(points))
    reach = float(stats.t.ppf(0.975, len(points) - 2) * line.intercept_stderr)
    middle = float(line.intercept)
    return Measure(middle, middle - reach, middle + reach, len(points))


def together(
    values: Mapping[tuple[str, str], np.ndarray], level: float = 0.05
) -> dict[tuple[str, str], Measure]:
    """Return effects that are judged together, with intervals by Holm's procedure.

    Parameters
    ----------
    values : mapping of (trick, outcome) to array
        What is compared with one baseline, a value for each seed (`outcomes`).
    level : float
        Chance that any of them is taken for an effect where none has one.

    Returns
    -------
    dict
        Of effects that the procedure calls significant, in the order of their p-values (Student's
        test; of ratios, of their logarithms), the interval at ``1 - level``; of all others that at
        ``1 - level / m``, with `m` of them left where it stopped.
    """
    from scipy import stats

    logs = {key: each if key[1] in ADDITIVE else np.log(each) for key, each in values.items()}
    spread = {key: each for key, each in logs.items() if len(each) > 1 and np.ptp(each) > 0}
    p_values = {key: float(stats.ttest_1samp(each, 0).pvalue) for key, each in spread.items()}
    left = sorted(p_values, key=lambda key: p_values[key])
    found = {key: effect(key[1], values[key]) for key in values}
    while left and p_values[left[0]] <= level / len(left):
        left.pop(0)
    for key in left:
        each = spread[key]
        far = stats.t.ppf(1 - level / len(left) / 2, len(each) - 1) * each.std(ddof=1)
        reach = float(far) / math.sqrt(len(each))
        middle = float(each.mean())
        wide = Measure(middle, middle - reach, middle + reach, len(each))
        found[key] = wide if key[1] in ADDITIVE else wide.exponential()
    return found


def _jumps(trace: np.ndarray) -> float:
    return float(np.diff(np.log(trace)).std())


def _first(trace: np.ndarray, goal: float) -> int:
    reached = np.flatnonzero(trace <= goal)
    return int(reached[0]) if reached.size else len(trace) - 1


def effect(outcome: str, values: np.ndarray) -> Measure:
    """Return the mean effect with its 95 % interval: geometric for ratios, else arithmetic."""
    if outcome in ADDITIVE:
        return average(values)
    return average(np.log(values)).exponential()


def judgement(outcome: str, measure: Measure) -> str:
    """Return "helps", "harms" or "no clear effect"; lower is better but for the accuracy."""
    if (measure.n or 0) < ENOUGH_SEEDS:
        return "too few seeds"
    neutral = 0.0 if outcome in ADDITIVE else 1.0
    if measure.low is None or measure.high is None or measure.low <= neutral <= measure.high:
        return "no clear effect"
    return "helps" if (measure.high < neutral) != (outcome in RISING) else "harms"


def learnt(units: Units, data: str, trick: str = "plain") -> Measure | None:
    """Return a recipe's last distance over the plain recipe's at its first record, by seed."""
    both = pairs(units, data, trick).values()
    ends = [end(run["trace"]) / plain["trace"][0] for run, plain in both]
    return effect("distance", np.array(ends)) if ends else None


def ablation(critic_steps: int, units: Units) -> list[tuple[str, str, dict[str, Measure]]]:
    """Return data, trick and measures by outcome for every comparison that the units allow."""
    rows = []
    for data in DATA:
        for trick in MORE_TRICKS:
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
        "time": f"time to a distance of {GOALS[data][0]:g}",
        "equal_cost": "at equal cost",
        "accuracy": "discriminator's accuracy",
        "extreme": "extreme answers",
    }
    reached = learnt(units, data)
    stuck = reached is not None and reached.value > STUCK
    rows = [
        [
            NAMES[trick],
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


def title(rows: Sequence[tuple[str, str, Mapping[str, Measure]]], units: Units) -> str:
    """Return which tricks shorten the final distance beyond chance, where there is a baseline."""
    told = []
    for data in dict.fromkeys(where for where, _, _ in rows):
        reached = learnt(units, data)
        if reached is not None and reached.value > STUCK:
            told.append(f"no baseline on the {data}")
            continue
        helps = [
            NAMES[trick]
            for where, trick, found in rows
            if where == data
            and "distance" in found
            and judgement("distance", found["distance"]) == "helps"
        ]
        told.append(f"{listed(helps) if helps else 'none'} on the {data}")
    seeds = len({unit.seed for unit in select(units, Trick)})
    return (
        f"Tricks that shorten the final distance, each judged alone ({seeds} seeds): "
        f"{', '.join(told) or 'not run'}"
    )


def with_interval(measure: Measure, digits: int = 2) -> str:
    """Return a value with its interval, with so many decimals each."""
    ends = "" if measure.low is None else f" [{measure.low:.{digits}f}, {measure.high:.{digits}f}]"
    return f"{measure.value:.{digits}f}{ends}"


def average(values: np.ndarray | list[float]) -> Measure:
    """Return the mean of independent values with Student's interval."""
    return Measure.mean(np.asarray(values, dtype=float).tolist())
