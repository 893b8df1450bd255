"""What the rnn_fwi chapter says of the runs it is given: messages of figures, and numbers."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

from geolib.datasets import fetch, velocity
from geolib.inversion import descent
from geolib.runs.measure import Measure
from geolib.runs.tables import listed
from geolib.runs.unit import Units
from geolib.studies.rnn_fwi import tables
from geolib.studies.rnn_fwi.curves import (
    CONVERGED,
    ROUGH,
    Arrays,
    evaluations,
    roughness,
)
from geolib.studies.rnn_fwi.marmousi_measures import BUDGETS

#: The paper's recommended rates, by a legend's text.
RANGES = {"RMSprop": (1.0, 10.0), "Adagrad": (10.0, 100.0), "Adam": (10.0, 100.0)}

#: Methods whose rate multiplies the gradient, and those whose rate is a step in m/s.
GROUPS = {
    "rate times gradient": ("gd", "momentum", "momentum_b"),
    "rate is a step in m/s": ("adagrad", "rmsprop", "adam"),
}

#: Settings of Marmousi that differ in their data alone.
NEAR = ("as in the paper", "noise at 10 dB", "finer grid's data")


def scope() -> str:
    """Return, for a page with a reader's own parameters, whose run it shows, as Markdown."""
    return (
        ":::{note}\nFigures, tables and bold numbers are of your run. The sentences around them, "
        "and the verdicts, were written for the precomputed runs of the book.\n:::"
    )


def between(values: list[float]) -> str:
    """Return the range of some whole numbers, or the one that there is."""
    low, high = f"{min(values):.0f}", f"{max(values):.0f}"
    return low if low == high else f"{low} to {high}"


def order(runs: Mapping[str, Arrays]) -> str:
    """Return who comes to 1 % of the misfit first, who last, and who never."""
    counts = {name: evaluations(run) for name, run in runs.items()}
    there = sorted((count, name) for name, count in counts.items() if np.isfinite(count))
    never = [name for name, count in counts.items() if not np.isfinite(count)]
    if not there:
        return "No method came to 1 % of the misfit"
    told = f"{there[0][1]} is the first to come to 1 % of the misfit"
    if never:
        return f"{told}, {listed(never)} never {'does' if len(never) == 1 else 'do'}"
    return f"{told}, {there[-1][1]} the last" if len(there) > 1 else told


def settling(runs: Mapping[str, Arrays]) -> str:
    """Return at which rates of a method the misfit falls to the end, at which it rises again."""
    rises = {name.rpartition(" ")[2]: roughness(run) > ROUGH for name, run in runs.items()}
    told = {
        word: " and ".join(rate for rate, rising in rises.items() if rising == which)
        for which, word in ((False, "falls"), (True, "rises again"))
    }
    return "The misfit " + ", ".join(f"{word} at {rates}" for word, rates in told.items() if rates)


def race_title(runs: Mapping[str, Arrays], last: int) -> str:
    """Return who fits better with a worse model up to an evaluation; else who is first."""
    crossed = _crossed(runs, last)
    return f"After {last} evaluations {listed(crossed)}" if crossed else order(runs)


def race_caption(runs: Mapping[str, Arrays], last: int) -> str:
    """Return who is drawn, and who comes first where the title tells something else."""
    drawn = listed(list(runs))
    told = f"{drawn[0].upper()}{drawn[1:]}, as in the paper's Figure 15, all in double precision."
    return f"{told} {order(runs)}." if _crossed(runs, last) else told


def _crossed(runs: Mapping[str, Arrays], last: int) -> list[str]:
    ends = {
        name: [run[what][: last + 1][-1] for what in ("misfit", "error")]
        for name, run in runs.items()
    }
    return [
        f"{one} fits better than {other}, and its model is worse"
        for one, other in itertools.permutations(ends, 2)
        if ends[one][0] < ends[other][0] and ends[one][1] > ends[other][1]
    ]


def settling_caption(runs: Mapping[str, Arrays]) -> str:
    """Return what the misfits of one method at several rates show, as `settling` finds it."""
    told = "One curve for each rate."
    rising = {name: run for name, run in runs.items() if roughness(run) > ROUGH}
    if rising:
        name = max(rising, key=lambda each: float(rising[each]["error"][-1]))
        told += (
            " Where it rises again the steps bounce from wall to wall of the valley: a band is "
            "one curve, up and down with every step."
        )
        if all(_fell_again(run["misfit"]) for run in rising.values()):
            told += " After the jump its misfit falls, slowly"
            told += ", and its model error rises." if all(map(_worse, rising.values())) else "."
        told += (
            f" At {name.rpartition(' ')[2]} the last model is {rising[name]['error'][-1]:.0f} m/s "
            f"off, the start {rising[name]['error'][0]:.0f}."
        )
    return f"{told} GD: {tables.LABELS['gd']}." if all("gradient" in n for n in runs) else told


def _worse(run: Arrays) -> bool:
    """Return whether a run's model is at its end further off than at the best before."""
    return bool(run["error"][-1] > 1.05 * run["error"].min())


def _fell_again(misfit: np.ndarray) -> bool:
    """Return whether a misfit, after its highest point past its lowest, came down by a tenth."""
    low = int(misfit.argmin())
    peak = low + int(misfit[low:].argmax())
    after = misfit[peak:]
    some = max(1, min(10, len(after) // 2))
    near, last = np.median(after[:some]), np.median(after[-some:])
    return bool(last < 0.9 * near)


def velocities_title(run: Arrays) -> str:
    """Return how much one trace has to tell: what is unknown, and in how many layers it lies."""
    truth = run["truth"]
    return f"One trace has to tell {truth.size} velocities, of {len(np.unique(truth))} layers"


def alike(runs: Mapping[str, Arrays]) -> dict[str, float]:
    """Return how misfits rank beside the errors of models, among runs that fit to 1 %.

    Returns
    -------
    dict
        `count` of these runs, rank correlation `rho`, and its 95 % interval `low` to `high`, as if
        the runs were independent.
    """
    ends = [(run["misfit"][-1] / run["misfit"][0], run["error"][-1]) for run in runs.values()]
    ranks = stats.rankdata([end for end in ends if end[0] < CONVERGED], axis=0)
    if len(ranks) < 4 or not np.ptp(ranks, axis=0).all():
        return {"count": float(len(ranks))}
    found = stats.pearsonr(*ranks.T)
    low, high = found.confidence_interval()
    return {"count": float(len(ranks)), "rho": float(found.statistic), "low": low, "high": high}


def alike_title(runs: Mapping[str, Arrays]) -> str:
    """Return what `alike` says, as a figure's message: a trend if its interval leaves zero out."""
    found = alike(runs)
    if "rho" not in found:
        return f"{found['count']:.0f} runs fit to 1 %"
    told = f"Among the {found['count']:.0f} runs that fit to 1 % "
    if found["low"] > 0:
        return f"{told}a better fit goes with a better model"
    if found["high"] < 0:
        return f"{told}a better fit goes with a worse model"
    return f"{told}a better fit is no sign of a better model"


def with_a_rate(runs: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """Return the runs of methods that have a learning rate."""
    return {name: run for name, run in runs.items() if name not in tables.LINE_SEARCHES}


def signed(value: float) -> str:
    """Return a number to two decimals, with the minus of a printed page."""
    return f"{value:.2f}".replace("-", "−")


def shortest(runs: Mapping[str, Arrays]) -> int:
    """Return the last evaluation that all runs have."""
    return min(len(run["misfit"]) for run in runs.values()) - 1


def common(runs: Mapping[str, Arrays]) -> int:
    """Return the evaluation at which runs are compared: the paper's last of Adam, or an earlier."""
    return min(BUDGETS["adam"], shortest(runs))


def after(runs: Mapping[str, Arrays], mark: int) -> str:
    """Return whose models are the best at an evaluation, or level, and whose lag behind."""
    errors = {
        name: float(run["error"][min(mark, len(run["error"]) - 1)]) for name, run in runs.items()
    }
    least = min(errors.values())
    front = [name for name, error in errors.items() if error - least <= tables.LEVEL]
    behind = [name for name in errors if name not in front]
    told = f"After {mark} evaluations "
    if len(errors) == 1:
        return f"{told}the model of {front[0]} is {least:.0f} m/s off"
    told += (
        f"the models of {listed(front)} are level"
        if len(front) > 1
        else f"{front[0]} has the best model"
    )
    return f"{told}, and {listed(behind)} lag{'s' * (len(behind) == 1)} behind" if behind else told


def level(errors: tables.Table) -> dict[str, int]:
    """Return in how many settings CG is last, Adam and L-BFGS are level, and either is ahead."""
    whole = [row for row in errors.values() if len(row) == len(tables.MARMOUSI)]
    gaps = [row["Adam"] - row["L-BFGS"] for row in whole]
    return {
        "settings": len(whole),
        "level": sum(abs(gap) <= tables.LEVEL for gap in gaps),
        "lbfgs": sum(gap > tables.LEVEL for gap in gaps),
        "adam": sum(gap < -tables.LEVEL for gap in gaps),
        "cg_last": sum(row["CG"] == max(row.values()) for row in whole),
    }


def level_title(errors: tables.Table, similarities: tables.Table) -> str:
    """Return whose model is the worst in most settings, and whether by structure as well."""
    whole = [name for name, row in errors.items() if len(row) == len(tables.MARMOUSI)]
    if not whole:
        return "In no setting all methods were run"
    last = [max(errors[name], key=errors[name].__getitem__) for name in whole]
    worst = max(dict.fromkeys(last), key=last.count)
    count, of = last.count(worst), len(whole)
    where = f"all {of}" if count == of > 1 else f"{count} of {of}"
    told = f"{worst} has the worst model in {where} settings"
    rows = [similarities.get(name, {}) for name in whole]
    alike = all(
        len(row) == len(tables.MARMOUSI) and min(row, key=row.__getitem__) == worst for row in rows
    )
    return f"{told}, by error and by structure" if alike and count == of else f"{told}, by error"


def frame(run: Arrays, evaluation: int) -> np.ndarray:
    """Return the model of a Marmousi run kept nearest to an evaluation, (nz, nx) in m/s."""
    model: np.ndarray = run["frames"][int(np.abs(run["frame_at"] - evaluation).argmin())]
    return model


def quality(run: Arrays, evaluation: int) -> str:
    """Return a model's title: the evaluation, or the run's last one, and how good the model is."""
    n = min(evaluation, len(run["error"]) - 1)  # a line search may end before its budget does
    return f"evaluation {n}: about {tables.rounded(run['error'][n])} m/s, SSIM {run['ssim'][n]:.2f}"


def stages(truth: np.ndarray, run: Arrays, stops: Sequence[int]) -> dict[str, np.ndarray]:
    """Return the truth and a run's models at some evaluations, or where it ended, by title."""
    last = len(run["misfit"]) - 1
    reached = dict.fromkeys(min(n, last) for n in stops)
    return {"truth": truth, **{quality(run, n): frame(run, n) for n in reached}}


def film(name: str, run: Arrays) -> tuple[np.ndarray, list[str]]:
    """Return the models kept of a Marmousi run and a title for each."""
    return run["frames"], [f"{name}, {quality(run, int(n))}" for n in run["frame_at"]]


def opening(setup: Arrays, runs: Mapping[str, Arrays]) -> dict[str, np.ndarray]:
    """Return the models that the chapter opens with, by title: truth, start, two optimisers.

    Of both optimisers the model is shown that was kept nearest to the end of the shorter run.
    """
    wrong = f"{next(iter(runs.values()))['error'][0]:.0f}" if runs else ""
    found = {"the truth": setup["velocity"], f"the start: {wrong} m/s off": setup["first"]}
    for name, run in opened(runs).items():
        n = kept(runs, run)
        text = f"{name} after {n}: {run['error'][n]:.0f} m/s off"
        found[text] = frame(run, n)
    return found


def opening_title(runs: Mapping[str, Arrays]) -> str:
    """Return the message of the figure that the chapter opens with: the errors that are left."""
    pair = opened(runs)
    if len(pair) < 2:
        return "What an inversion makes of a blurred start"
    at = {name: kept(runs, run) for name, run in pair.items()}
    errors = {name: run["error"][at[name]] for name, run in pair.items()}
    left = [100 * errors[name] / run["error"][0] for name, run in pair.items()]
    level = abs(np.subtract(*errors.values())) <= tables.LEVEL
    about = "about " if len(set(at.values())) > 1 else ""
    told = f"{listed(list(pair))}{' are level' if level else ''}: "
    told += f"after {about}{shortest(pair)} evaluations "
    return f"{told}{between(left)} % of the start's error is left"


def opened(runs: Mapping[str, Arrays]) -> dict[str, Arrays]:
    """Return the two optimisers that the chapter opens with, as far as they were run."""
    return {name: runs[name] for name in ("Adam", "L-BFGS") if name in runs}


def kept(runs: Mapping[str, Arrays], run: Arrays) -> int:
    """Return the evaluation nearest to the end of the shorter run whose model was kept."""
    at = np.minimum(run["frame_at"], len(run["misfit"]) - 1)
    return int(at[np.abs(at - shortest(opened(runs))).argmin()])


def rates(units: Units) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Return learning rates and evaluations to 1 % of each method, by the unit of the rate."""
    found = {
        group: {tables.LABELS[m]: each for m in methods if (each := tables.speeds(units, m))}
        for group, methods in GROUPS.items()
    }
    return {group: runs for group, runs in found.items() if runs}


def fleeting(units: Units) -> dict[str, list[float]]:
    """Return by method the rates at which a misfit came below 1 % and ended above it."""
    found: dict[str, list[float]] = {}
    for method in (each for methods in GROUPS.values() for each in methods):
        for name, run in tables.legend(units, method).items():
            lost = run["misfit"][-1] >= CONVERGED * run["misfit"][0]
            if np.isfinite(evaluations(run)) and lost:
                label, _, rate = name.rpartition(" ")
                found.setdefault(label, []).append(float(rate))
    return found


def limits(measures: Mapping[str, Measure]) -> dict[str, float]:
    """Return the rates at which theory expects a method to turn unstable, by a legend's text."""
    names = {"gd": "gd_rate_limit", "momentum": "momentum_rate_limit"}
    return {tables.LABELS[m]: measures[name].value for m, name in names.items() if name in measures}


def everything(units: Units) -> dict[str, Arrays]:
    """Return all double-precision runs, by a legend's text."""
    return tables.legend(units, *descent.METHODS)


def spent(units: Units) -> int:
    """Return how many evaluations the one-dimensional runs had."""
    return max((run["misfit"].size - 1 for run in everything(units).values()), default=0)


def recheck(here: Units, before: Units) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return what this build computed beside what is precomputed, as far as both are there.

    Notes
    -----
    Line searches amplify round-off: of theirs the first twenty misfits are compared. So does a rate
    beyond the limit of stability, once its misfit rises. The misfit of the start, which all
    descents share, is left out.
    """
    texts = {
        "gd-0.4": ("misfits of gradient descent at 0.4", 151),
        "gd-0.6": ("first misfits of gradient descent at 0.6", 80),
        "adam-40": ("misfits of Adam at 40 m/s", 151),
        "momentum-0.8": ("misfits of momentum at 0.8", 151),
        "momentum_b-0.8": ("misfits of momentum as in appendix B, at 0.8", 151),
        "cg": ("first misfits of CG", 20),
        "lbfgs": ("first misfits of L-BFGS", 20),
    }
    # Without its file the gather is that of another model.
    stands_in = {"gather"} if fetch.locate(velocity.FILE) is None else set()
    found = {}
    for method, (text, count) in texts.items():
        pair = [tables.legend(units, method) for units in (here, before)]
        if all(pair):
            one, other = (next(iter(runs.values()))["misfit"][1:count] for runs in pair)
            found[text] = (one, other)
    for name, key, text in (
        ("gather", "gather", "samples of the shot gather"),
        ("network", "misfit_network", "misfits of the unrolled network"),
        ("theory", "derivative", "slope of the Taylor test (misfit a step of 10 m/s): differences"),
        ("theory", "corrected", "the same slope by the gradient"),
        ("hessian", "estimates", "largest eigenvalue, by power iteration"),
    ):
        if name in here and name in before and name not in stands_in:
            found[text] = (here[name][key], before[name][key])
    return found
