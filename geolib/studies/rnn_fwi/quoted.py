"""The numbers that the rnn_fwi chapter and its appendix quote in sentences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import digits, listed
from geolib.runs.unit import Units
from geolib.studies.rnn_fwi import tables
from geolib.studies.rnn_fwi.curves import (
    CONVERGED,
    evaluations,
    interfaces,
)
from geolib.studies.rnn_fwi.descents import CONTINUED, EXTRA_BUDGET
from geolib.studies.rnn_fwi.told import (
    NEAR,
    RANGES,
    alike,
    alike_title,
    between,
    everything,
    level,
    signed,
    spent,
    with_a_rate,
)

#: What sentences of the chapter and its appendix quote.
QUOTED = (
    "adagrad_inside",
    "adam",
    "adam_100",
    "adam_100_misfit",
    "adam_fast_fine",
    "adam_fine",
    "adam_inside",
    "adam_inside_errors",
    "adam_inside_misfit",
    "adam_inside_ratio",
    "adam_jumps",
    "adam_linear",
    "adam_slow_error",
    "adam_slow_misfit",
    "adam_step",
    "adam_step_at",
    "alike_count",
    "alike_high",
    "alike_low",
    "alike_rho",
    "alike_step_count",
    "alike_step_high",
    "alike_step_low",
    "alike_step_rho",
    "alike_told",
    "cg",
    "cg_100",
    "cg_100_misfit",
    "cg_last",
    "eigenvalue",
    "eigenvalue_at_start",
    "gd",
    "gd_error",
    "gd_interfaces",
    "gd_interfaces_far",
    "gd_limit",
    "gd_limit_at_start",
    "lbfgs",
    "lbfgs_100",
    "lbfgs_100_misfit",
    "lbfgs_last",
    "lbfgs_last_error",
    "lbfgs_last_misfit",
    "lbfgs_linear",
    "line_digits",
    "line_last",
    "line_start",
    "momentum",
    "momentum_b_limit",
    "momentum_error",
    "momentum_fine",
    "momentum_limit",
    "momentum_over",
    "momentum_over_error",
    "momentum_over_misfit",
    "momentum_times",
    "network_digits",
    "outside_least",
    "rmsprop_inside",
    "rmsprop_uncorrected",
    "similar_cg",
    "similar_lbfgs",
    "stopped_single",
    "start_error",
    "tnc",
    "detour",
    "harder_adam",
    "harder_similar",
    "harder_cg_last",
    "harder_lbfgs",
    "harder_settings",
    "harder_level",
)


def numbers(units: Units, measures: Mapping[str, Measure]) -> dict[str, str]:
    """Return what sentences quote, as one would say it; what is missing is "(not run)"."""
    found = _theory(measures) | _speeds(units) | _ends(units) | _marmousi(units)
    found |= _ranges(units) | _adam(units)
    return {name: found.get(name, "(not run)") for name in QUOTED}


def _theory(measures: Mapping[str, Measure]) -> dict[str, str]:
    names = {
        "eigenvalue": "hessian_eigenvalue",
        "eigenvalue_at_start": "hessian_eigenvalue_at_start",
        "gd_limit": "gd_rate_limit",
        "momentum_limit": "momentum_rate_limit",
        "adam_step": "adam_largest_step",
    }
    if "rmsprop_first_step_uncorrected" in measures:
        names["rmsprop_uncorrected"] = "rmsprop_first_step_uncorrected"
    found = {key: f"{measures[name].value:.2f}" for key, name in names.items() if name in measures}
    if "hessian_eigenvalue_at_start" in measures:
        found["gd_limit_at_start"] = f"{2 / measures['hessian_eigenvalue_at_start'].value:.2f}"
    if "momentum_b_rate_limit" in measures:
        found["momentum_b_limit"] = f"{measures['momentum_b_rate_limit'].value:.1f}"
    # Beyond twelve digits there is nothing but round-off, which differs among machines.
    for key, name in {
        "network_digits": "network_to_kernels",
        "line_digits": "a11_last_line",
    }.items():
        if name in measures:
            gap = max(measures[name].value, 1e-16)
            found[key] = str(min(12, int(np.floor(-np.log10(gap)))))
    return found


def _speeds(units: Units) -> dict[str, str]:
    """Return evaluations to 1 % of the misfit, over both precisions: round-off moves searches."""
    found = {}
    methods = {"gd-0.4": "gd", "momentum-0.8": "momentum", "adam-40": "adam"}
    for method, key in {**methods, "cg": "cg", "lbfgs": "lbfgs", "tnc": "tnc"}.items():
        both = [tables.legend(units, method, precision=each) for each in ("float64", "float32")]
        counts = [evaluations(run) for runs in both for run in runs.values()]
        if counts and np.isfinite(counts).all():
            found[key] = between(counts)
    fine = {"momentum-0.8": "momentum_fine", "adam-40": "adam_fine", "adam-100": "adam_fast_fine"}
    for method, key in fine.items():
        for run in tables.legend(units, method).values():
            if np.isfinite(count := evaluations(run, CONVERGED / 10)):
                found[key] = f"{count:.0f}"
    return found | _stopped(units)


def _stopped(units: Units) -> dict[str, str]:
    """Return after how many evaluations the line searches stopped by themselves in single."""
    runs = tables.legend(units, "cg", "lbfgs", "tnc", precision="float32").values()
    ends = [float(run["misfit"].size - 1) for run in runs]
    early = bool(ends) and max(ends) < spent(units)
    return {"stopped_single": between(ends)} if early else {}


def _ends(units: Units) -> dict[str, str]:
    """Return what the double-precision runs end at."""
    runs = everything(units)
    found: dict[str, str] = {}
    for front, chosen in (("alike", runs), ("alike_step", with_a_rate(runs))):
        found |= {f"{front}_{key}": signed(value) for key, value in alike(chosen).items()}
        found[f"{front}_count"] = f"{alike(chosen)['count']:.0f}"
    if runs:
        found["alike_told"] = alike_title(runs)
        found["line_last"] = f"{spent(units):,}"
        found["line_start"] = f"{next(iter(runs.values()))['error'][0]:.0f}"
    if "momentum 1" in runs and np.isfinite(evaluations(runs["momentum 1"])):
        over = runs["momentum 1"]
        found |= {
            "momentum_over": f"{evaluations(over):.0f}",
            "momentum_over_error": f"{over['error'][-1]:.0f}",
            "momentum_over_misfit": digits(100 * over["misfit"][-1] / over["misfit"][0], 1),
        }
    if "gradient descent 0.4" in runs:
        slow = runs["gradient descent 0.4"]
        found |= {"gd_error": f"{slow['error'][-1]:.0f}", "gd_interfaces": str(interfaces(slow))}
        if "momentum 0.8" in runs:
            fast = runs["momentum 0.8"]
            ratio = slow["misfit"][-1] / fast["misfit"][-1]
            found |= {
                "momentum_error": f"{fast['error'][-1]:.0f}",
                "momentum_times": f"{ratio:.0f}",
            }
    for far in tables.legend(units, "gd-0.4", setting="sigma10").values():
        found["gd_interfaces_far"] = str(interfaces(far))
    return found


def _ranges(units: Units) -> dict[str, str]:
    """Return evaluations to 1 % within the paper's ranges of rates, and the least beyond them."""
    found: dict[str, str] = {}
    beyond: list[tuple[float, str, float]] = []
    for method in ("adagrad", "rmsprop", "adam"):
        low, high = RANGES[tables.LABELS[method]]
        speeds = tables.speeds(units, method)
        inside = {rate: count for rate, count in speeds if low <= rate <= high}
        label = tables.LABELS[method]
        beyond += [(count, label, rate) for rate, count in speeds if not low <= rate <= high]
        if inside and np.isfinite(list(inside.values())).all():
            told = [f"{count:.0f} (at {rate:g})" for rate, count in inside.items()]
            found[f"{method}_inside"] = listed(told)
    if beyond and np.isfinite(min(beyond)[0]):
        count, label, rate = min(beyond)
        found["outside_least"] = f"{count:.0f} ({label} at {rate:g})"
    return found


def _adam(units: Units) -> dict[str, str]:
    """Return how Adam ends at the rates of the paper's range, and where its longest step is."""
    runs = {float(name.split(" ")[-1]): run for name, run in tables.legend(units, "adam").items()}
    low, high = RANGES["Adam"]
    inside = {rate: run for rate, run in runs.items() if low <= rate <= high}
    found = {}
    if inside:
        left = max(100 * run["misfit"][-1] / run["misfit"][0] for run in inside.values())
        each = [f"{run['error'][-1]:.0f} (at {rate:g})" for rate, run in inside.items()]
        found["adam_inside_errors"] = listed(each)
        found["adam_inside_misfit"] = digits(left, 1)
        errors = [float(run["error"][-1]) for run in inside.values()]
        found["adam_inside_ratio"] = f"{max(errors) / min(errors):.1f}"
        if jumps := [told for rate, run in inside.items() if (told := _jump(rate, run))]:
            found["adam_jumps"] = listed(jumps)
    if 0.8 in runs:
        slow = runs[0.8]
        found["adam_slow_error"] = f"{slow['error'][-1]:.0f}"
        found["adam_slow_misfit"] = digits(100 * slow["misfit"][-1] / slow["misfit"][0], 1)
    if runs:
        rate = max(runs, key=lambda each: float(runs[each]["change"].max() / each))
        found["adam_step_at"] = f"{rate:g} m/s, in update {runs[rate]['change'].argmax()}"
    return found


def _jump(rate: float, run: Mapping[str, np.ndarray]) -> str:
    """Return how far a run jumps back that had come to a tenth of a per cent, if beyond one."""
    shares = run["misfit"] / run["misfit"][0]
    there = np.flatnonzero(shares < CONVERGED / 10)
    if not there.size:
        return ""
    highest = int(there[0] + shares[there[0] :].argmax())
    back = f"{100 * shares[highest]:.0f} % (at {rate:g} m/s, evaluation {highest})"
    return back if shares[highest] > CONVERGED else ""


def _detour(errors: tables.Table) -> str:
    """Return what low frequencies first do to the models from the smooth start, as a sentence.

    Parameters
    ----------
    errors : dict
        Model errors (m/s) by setting and method (`tables.extras`).
    """
    paper = errors.get("as in the paper", {})
    low = errors.get(tables.HARDER["continuation"], {})
    worse = {name: low[name] - paper[name] for name in low if name in paper}
    if len(worse) < len(tables.MARMOUSI):
        return ""
    listed_stages = ", ".join(f"{frequency:g}" for frequency in CONTINUED)
    told = f"From the smooth start, low frequencies first ({listed_stages} Hz, sharing the "
    told += f"{EXTRA_BUDGET} evaluations) "
    lost = [name for name, change in worse.items() if change > 0]
    if not lost:
        return f"{told}worsen no model"
    most = max(worse, key=worse.__getitem__)
    told += "worsen all three models" if len(lost) == len(worse) else f"worsen {listed(lost)}"
    moved = {name: f"from {paper[name]:.0f} to {low[name]:.0f}" for name in worse}
    others = listed([f"{name} {text}" for name, text in moved.items() if name != most])
    return (
        f"{told}, {most}'s most: {moved[most]} m/s ({others}). "
        "The detour costs more evaluations than it saves"
    )


def _marmousi(units: Units) -> dict[str, str]:
    found: dict[str, str] = {}
    for label, run in tables.marmousi(units).items():
        key = label.lower().replace("-", "")
        found |= {"start_error": f"{run['error'][0]:.0f}"}
        found |= {f"{key}_last": str(len(run["misfit"]) - 1)}
        found |= {f"{key}_last_error": tables.rounded(run["error"][-1])}
        shares = 100 * run["misfit"] / run["misfit"][0]
        found |= {f"{key}_last_misfit": digits(shares[-1], 1)}
        if len(shares) > 100:
            found |= {f"{key}_100_misfit": digits(shares[100], 1)}
    errors, similarities = tables.extras(units)
    # Noise and a finer grid change the data a little: a range in place of one number.
    near = [errors[name] for name in NEAR if name in errors]
    for label in (tables.LABELS[method] for method in tables.MARMOUSI):
        if values := [row[label] for row in near if label in row]:
            found[f"{label.lower().replace('-', '')}_100"] = between(values)
    for label, value in errors.get("linear start", {}).items():
        found[f"{label.lower().replace('-', '')}_linear"] = f"{value:.0f}"
    for key, first, second in (("lbfgs", "Adam", "L-BFGS"), ("cg", "L-BFGS", "CG")):
        rows = [row for row in similarities.values() if {first, second} <= set(row)]
        if gaps := [row[first] - row[second] for row in rows]:
            ends = sorted({f"{min(gaps):.3f}", f"{max(gaps):.3f}"}, key=float)
            found[f"similar_{key}"] = " to ".join(ends).replace("-", "−")
    if detour := _detour(errors):
        found["detour"] = detour
    alike = level(errors) | {"similar": tables.wins(units)["adam_ssim"]}
    return found | {f"harder_{key}": str(value) for key, value in alike.items()}
