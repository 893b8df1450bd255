"""Numbers that the ledger's sentences give beside a verdict: alternatives, and what was noticed."""

from __future__ import annotations

import functools

import numpy as np

from geolib.runs.unit import Units, need
from geolib.studies.rnn_fwi.curves import EARLY, Rules, evaluations, roughness
from geolib.studies.rnn_fwi.line_measures import Descents, final
from geolib.studies.rnn_fwi.marmousi_measures import BUDGETS, EDGES, THIRDS, Runs, longest
from geolib.studies.rnn_fwi.units import Block, Part

#: What is compared with the update needed, and with its mirror image: method, evaluation, half.
MIRRORED = (
    ("adam", 25, "upper"),
    ("adam", 25, "lower"),
    ("adam", 50, "upper"),
    ("cg", 1420, "upper"),
    ("lbfgs", 600, "upper"),
    ("lbfgs", 1000, "lower"),
)


def rules(units: Units, converged: float, well: float) -> Rules:
    """Return the numbers of the sentences, each to be evaluated."""
    return _theory(units) | _line(Descents(units, converged, well)) | _marmousi(Runs(units))


def _theory(units: Units) -> Rules:
    def over_derivative(name: str) -> float:
        found = need(units, Part("theory"))
        return float(found[name] / found["derivative"])

    return {
        "eq7_ratio": lambda: over_derivative("everywhere"),
        "a10_short": lambda: 1 - over_derivative("late"),
        "adjoint_error": lambda: abs(over_derivative("corrected") - 1),
    }


def _line(d: Descents) -> Rules:
    def left_after_fifty(method: str, rate: float) -> float:
        misfit = d.run(method, rate)["misfit"]
        return float(misfit[5 * EARLY] / misfit[0])

    def steps() -> list[float]:
        changes = [run["change"] for run in d.every("rmsprop")]
        return [float(change[-1] / change[1]) for change in changes]

    def spike() -> float:
        # The first rise by a hundredth of the first misfit after the plots have settled, if any.
        misfit = d.run("adam", 100)["misfit"]
        risen = np.flatnonzero(np.diff(misfit[300:]) > 0.01 * misfit[0])
        return float(300 + risen[0]) if risen.size else np.inf

    def above_rate(rate: float) -> float:
        return float((d.run("adam", rate)["change"] > rate * (1 + 1e-6)).sum())

    def moved(rate: float) -> float:
        run = d.run("adagrad", rate)
        return 1 - final(run) / float(run["error"][0])

    def ahead_to() -> float:
        # Shares of the first misfit, from a half down, to which Adam comes no later than CG.
        least = np.inf
        for share in np.linspace(0.5, 0.02, 49):
            if evaluations(d.best("adam"), share) > evaluations(d.best("cg"), share):
                break
            least = float(share)
        return least

    return {
        "momentum_1_late_rises": lambda: roughness(d.run("momentum", 1), 50),
        "adagrad_40_model_moved": lambda: moved(40),
        "rmsprop_4_misfit_50": lambda: left_after_fifty("rmsprop", 4),
        "rmsprop_40_misfit_50": lambda: left_after_fifty("rmsprop", 40),
        "rmsprop_last_step_least": lambda: min(steps()),
        "rmsprop_last_step_greatest": lambda: max(steps()),
        "adam_100_first_spike": spike,
        "adam_steps_above_rate_40": lambda: above_rate(40),
        "adam_steps_above_rate_100": lambda: above_rate(100),
        "adam_ahead_of_cg_to": ahead_to,
    }


def _marmousi(runs: Runs) -> Rules:
    def rises(method: str) -> float:
        return roughness(need(runs.units, Block(method, BUDGETS[method])))

    def evaluated() -> float:
        return float(len(longest(runs.units, "cg")["misfit"]) - 1)

    def start_over_adam(x: int, rows: slice) -> float:
        first = need(runs.units, Block("adam", BUDGETS["adam"]))["frames"][0]
        off = (first[:, x] - runs.setup()["velocity"][:, x])[rows].astype(float)
        return float(np.sqrt(np.mean(off**2))) / runs.profile("adam", x, rows, 0.0, 0)

    made: Rules = {f"marmousi_{m}_rises": functools.partial(rises, m) for m in ("adam", "lbfgs")}
    for of in MIRRORED:
        name = "marmousi_{}_{}_{}_mirrored".format(*of)
        made[name] = functools.partial(runs.structure, *of, mirrored=True)
    for x, metres in EDGES:
        for third in ("shallow", "middle"):
            name = f"profile_{metres}_start_{third}"
            made[name] = functools.partial(start_over_adam, x, THIRDS[third])
    return made | {"marmousi_cg_evaluations": evaluated}
