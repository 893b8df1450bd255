"""What the claims on one-dimensional descents are measured by: speed, roughness, model, rates."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from geolib.runs.unit import Units, need
from geolib.studies.rnn_fwi.curves import (
    EARLY,
    ROUGH,
    Arrays,
    Rules,
    bias,
    evaluations,
    interfaces,
    roughness,
)
from geolib.studies.rnn_fwi.units import Part, line

# What "much faster" says at least, as a ratio of evaluations.
MUCH = 2.0
# The best learning rates by the paper's Figure 11.
BEST = {"gd": 0.4, "momentum": 0.8, "adagrad": 40, "rmsprop": 4, "adam": 40}
LISTS = {
    "gd": (0.2, 0.4, 0.6, 0.8),
    "momentum": (0.1, 0.4, 0.6, 0.8, 1),
    "adagrad": (0.4, 4, 40, 100),
    "rmsprop": (0.4, 0.8, 4, 40),
    "adam": (0.8, 4, 40, 100),
}


def final(which: Arrays) -> float:
    """Return the last model error, m/s."""
    return float(which["error"][-1])


def lasting(which: Arrays) -> bool:
    """Return whether a misfit still oscillates when the paper's plots have settled.

    Adam's late spikes are judged on their own.
    """
    return roughness(which, 50, 300) > ROUGH


def jumps(which: Arrays) -> bool:
    """Return whether the misfit exceeds its first value within the first few evaluations."""
    return bool(which["misfit"][1:EARLY].max() > which["misfit"][0])


def shrinks(which: Arrays) -> bool:
    """Return whether the last step is below a tenth of the first."""
    return bool(which["change"][-1] < 0.1 * which["change"][1])


def share(cases: Sequence[bool]) -> float:
    """Return in which share of the cases it is so."""
    return float(np.mean(cases))


@dataclass(frozen=True)
class Descents:
    """The descents of the pinned setting, and when they count as converged and well matched."""

    units: Units
    converged: float
    well: float

    def run(self, method: str, rate: float | None = None, precision: str = "f64") -> Arrays:
        """Return a descent; NotRun if it is not there."""
        return need(self.units, line(method, rate, precision))

    def best(self, method: str, precision: str = "f64") -> Arrays:
        """Return the descent at the published best rate."""
        return self.run(method, BEST.get(method.removesuffix("_b")), precision)

    def every(self, method: str) -> list[Arrays]:
        """Return the descents at all published rates."""
        return [self.run(method, rate) for rate in LISTS[method.removesuffix("_b")]]

    def reached(self, which: Arrays) -> float:
        """Return the evaluations until a descent has converged."""
        return evaluations(which, self.converged)

    def at(self, method: str, rate: float) -> float:
        """Return the evaluations until the descent at a rate has converged."""
        return self.reached(self.run(method, rate))

    def first(self, method: str, precision: str = "f64") -> float:
        """Return the evaluations until the descent at the best rate has converged."""
        return self.reached(self.best(method, precision))

    def better(self, which: Arrays) -> bool:
        """Return whether the model is well matched and the data are fitted."""
        close = final(which) <= self.well * which["error"][0]
        return bool(close and np.isfinite(self.reached(which)))

    def shows(self, which: Arrays) -> bool:
        """Return whether all three interfaces are seen and the data are fitted."""
        return interfaces(which) == 3 and bool(np.isfinite(self.reached(which)))

    def speeds(self, method: str, rates: Sequence[float]) -> float:
        """Return the slowest over the fastest of some rates."""
        values = [self.at(method, rate) for rate in rates]
        return max(values) / min(values)

    def errors(self, method: str, rates: Sequence[float] = ()) -> float:
        """Return the largest final model error over the smallest, of some rates or all."""
        runs = [self.run(method, rate) for rate in rates] or self.every(method)
        values = [final(run) for run in runs]
        return max(values) / min(values)

    def best_rate(self, method: str) -> float:
        """Return whether none that stays below the first misfit and settles is faster by a tenth.

        The published best rate must settle itself.
        """
        fine = [
            run
            for run in self.every(method)
            if run["misfit"].max() <= run["misfit"][0] and not lasting(run)
        ]
        best = self.best(method)
        return not lasting(best) and self.reached(best) <= 1.1 * min(map(self.reached, fine))

    def recommended(self, method: str, low: float, high: float, limit: float) -> float:
        """Return for which share of rates being within the range is being fast and settled."""
        quick = [self.reached(run) <= limit and not lasting(run) for run in self.every(method)]
        return share(
            [q == (low <= rate <= high) for q, rate in zip(quick, LISTS[method], strict=True)]
        )


def rules(units: Units, converged: float, well: float) -> Rules:
    """Return the measures of the one-dimensional descents, each to be evaluated."""
    d = Descents(units, converged, well)
    families = (_plain(d), _momentum(d), _adagrad(d), _rmsprop(d), _adam(d), _searches(d))
    made = {name: rule for family in families for name, rule in family.items()}
    return made | _compared(d)


def _plain(d: Descents) -> Rules:
    def agreement() -> float:
        network = need(d.units, Part("network"))
        return float(np.abs(network["misfit_network"] / network["misfit_kernels"] - 1).max())

    return {
        "gd_slower_at_0.2": lambda: d.at("gd", 0.2) > d.at("gd", 0.4),
        "gd_range_share": lambda: share([not lasting(r) for r in d.every("gd")]),
        "gd_not_acceptable": lambda: not d.better(d.best("gd")),
        "gd_shows_not": lambda: not d.shows(d.best("gd")),
        "network_to_kernels": agreement,
    }


def _momentum(d: Descents) -> Rules:
    middle = (0.4, 0.6, 0.8)

    def small_early_oscillation(m: str) -> bool:
        run = d.best(m)
        settled = roughness(run, 50) < 0.01 and np.isfinite(d.first(m))
        return bool(roughness(run, 0, 50) > 0.001 and settled)

    def less_rough(m: str) -> float:
        return share([roughness(d.run(m, r)) < roughness(d.run("gd", r)) for r in (0.6, 0.8)])

    def one_differs(m: str) -> bool:
        return bool(abs(np.log(d.at(m, 1) / d.at(m, 0.8))) > np.log(d.speeds(m, middle)))

    def of(m: str) -> Rules:
        return {
            "faster_than_gd": lambda: d.first(m) < d.first("gd"),
            "model_better_than_gd": lambda: final(d.best(m)) < final(d.best("gd")),
            "less_rough_than_gd": lambda: less_rough(m),
            "small_early_oscillation": lambda: small_early_oscillation(m),
            "speed_ratio_middle": lambda: d.speeds(m, middle),
            "one_differs": lambda: one_differs(m),
            "speed_ratio": lambda: d.speeds(m, LISTS["momentum"]),
            "error_ratio": lambda: d.errors(m),
            "error_ratio_middle": lambda: d.errors(m, middle),
            "error_ratio_small": lambda: d.errors(m, (0.1, *middle)),
            "one_is_rough": lambda: roughness(d.run(m, 1)) > 2 * roughness(d.run(m, 0.8)) + 0.01,
            "speedup_over_gd": lambda: d.first("gd") / d.first(m),
        }

    made = {f"{m}_{name}": rule for m in ("momentum", "momentum_b") for name, rule in of(m).items()}
    made["momentum_range_share"] = lambda: share([not lasting(r) for r in d.every("momentum")])
    return made


def _adagrad(d: Descents) -> Rules:
    def run(rate: float) -> Arrays:
        return d.run("adagrad", rate)

    return {
        "adagrad_model_moved": lambda: 1 - final(run(0.4)) / run(0.4)["error"][0],
        "adagrad_smooth_to_40": lambda: share([roughness(run(r)) < 1e-3 for r in (0.4, 4, 40)]),
        "adagrad_faster_with_rate": lambda: bool(
            np.all(np.diff([r["misfit"][EARLY * 5] for r in d.every("adagrad")][:3]) < 0)
        ),
        # The misfit jumps above its start at once and is smooth after the first fifty reached.
        "adagrad_100_early_jump": lambda: jumps(run(100)) and not lasting(run(100)),
        "adagrad_100_faster": lambda: d.reached(run(100)) < d.reached(run(40)),
        "adagrad_100_misfit_ratio": lambda: run(100)["misfit"][-1] / run(40)["misfit"][-1],
        # On a linear axis, where what is left of a misfit is hardly seen.
        "adagrad_100_misfit_gap": lambda: (
            abs(d.run("adagrad", 100)["misfit"][-1] - d.run("adagrad", 40)["misfit"][-1])
            / d.run("adagrad", 40)["misfit"][0]
        ),
        "adagrad_100_model": lambda: d.better(run(100)),
        "adagrad_first_step": lambda: float(run(40)["change"][1]) / 40,
        "adagrad_largest_step": lambda: run(40)["change"].max() / 40,
        "adagrad_steps_shrink": lambda: shrinks(run(40)),
        "adagrad_recommended": lambda: d.recommended("adagrad", 10, 100, 200),
        "adagrad_recommended_100": lambda: d.recommended("adagrad", 10, 100, 100),
    }


def _rmsprop(d: Descents) -> Rules:
    def run(rate: float) -> Arrays:
        return d.run("rmsprop", rate)

    def rough(rate: float) -> bool:
        return roughness(run(rate)) > ROUGH

    def uncorrected() -> float:
        # Hinton's RMSprop, which is torch's, has no bias correction.
        model = torch.zeros(1, dtype=torch.float64)
        model.grad = torch.ones_like(model)
        torch.optim.RMSprop([model], lr=4.0, alpha=0.9).step()
        return float(model.abs()) / 4

    return {
        "rmsprop_40_rough": lambda: rough(40) and not np.isfinite(d.reached(run(40))),
        "rmsprop_slow_below_1": lambda: share([d.reached(run(r)) > 200 for r in (0.4, 0.8)]),
        "rmsprop_4_smooth": lambda: not rough(4),
        "rmsprop_4_fastest": lambda: d.reached(run(4)) == min(map(d.reached, d.every("rmsprop"))),
        "rmsprop_4_model": lambda: d.better(run(4)),
        "rmsprop_recommended": lambda: d.recommended("rmsprop", 1, 10, 200),
        "rmsprop_recommended_100": lambda: d.recommended("rmsprop", 1, 10, 100),
        "rmsprop_first_step": lambda: float(run(4)["change"][1]) / 4,
        "rmsprop_first_step_uncorrected": lambda: uncorrected() if len(run(4)) else 0.0,
    }


def _adam(d: Descents) -> Rules:
    def run(rate: float) -> Arrays:
        return d.run("adam", rate)

    def largest_step(rates: Sequence[float]) -> float:
        return float(max(run(rate)["change"].max() / rate for rate in rates))

    return {
        "adam_all_match": lambda: share([d.better(r) for r in d.every("adam")]),
        "adam_all_show": lambda: share([d.shows(r) for r in d.every("adam")]),
        "adam_error_ratio": lambda: d.errors("adam"),
        "adam_error_ratio_recommended": lambda: d.errors("adam", (40, 100)),
        "adam_100_early_jump": lambda: jumps(run(100)),
        "adam_100_smooth_after": lambda: roughness(run(100), 50) < ROUGH,
        "adam_100_smooth_to_300": lambda: roughness(d.run("adam", 100), 50, 300) < ROUGH,
        "adam_largest_step": lambda: largest_step(LISTS["adam"]),
        "adam_largest_step_recommended": lambda: largest_step((40, 100)),
        "adam_slow_below_1": lambda: d.reached(run(0.8)) > 200,
        "adam_steps_shrink": lambda: shrinks(run(40)),
        "adam_recommended": lambda: d.recommended("adam", 10, 100, 100),
        "adam_recommended_200": lambda: d.recommended("adam", 10, 100, 200),
    }


def _searches(d: Descents) -> Rules:
    def bias_over_cg(precision: str) -> float:
        return bias(d.best("tnc", precision)) / bias(d.best("cg", precision))

    return {
        "cg_model": lambda: d.better(d.best("cg")),
        "cg_faster_than_gd": lambda: d.first("cg") < d.first("gd"),
        "cg_speedup_over_gd": lambda: d.first("gd") / d.first("cg"),
        "lbfgs_to_cg": lambda: d.first("lbfgs") / d.first("cg"),
        "lbfgs_cg_error_ratio": lambda: final(d.best("lbfgs")) / final(d.best("cg")),
        "tnc_rough": lambda: lasting(d.best("tnc")),
        "tnc_rough_f32": lambda: lasting(d.best("tnc", "f32")),
        "tnc_bias_ratio": lambda: bias_over_cg("f64"),
        "tnc_bias_ratio_f32": lambda: bias_over_cg("f32"),
    }


def _compared(d: Descents) -> Rules:
    def beats_the_rest() -> float:
        rest = ("cg", "tnc", "gd", "momentum", "adagrad", "rmsprop")
        return share([MUCH * d.first("adam") <= d.first(m) for m in rest])

    def lbfgs_ahead() -> float:
        rest = ("cg", "tnc", "gd", "momentum", "adagrad", "rmsprop")
        return min(map(d.first, rest)) / d.first("lbfgs")

    def falls(m: str) -> float:
        return evaluations(d.best(m), 0.2)

    searches = ("cg", "lbfgs", "tnc")
    return {
        **{f"{m}_best_rate": functools.partial(d.best_rate, m) for m in BEST},
        "acceptable_but_gd": lambda: share([d.better(d.best(m)) for m in BEST if m != "gd"]),
        "shows_but_gd": lambda: share([d.shows(d.best(m)) for m in BEST if m != "gd"]),
        "gd_slowest": lambda: d.first("gd") > max(d.first(m) for m in BEST if m != "gd"),
        "adam_fastest_of_five": lambda: (
            d.first("adam") < min(d.first(m) for m in BEST if m != "adam")
        ),
        "adam_to_lbfgs": lambda: d.first("adam") / d.first("lbfgs"),
        "adam_falls_to_lbfgs": lambda: falls("adam") / falls("lbfgs"),
        "adam_falls_before_cg": lambda: falls("adam") < falls("cg"),
        "adam_faster_than_cg": lambda: d.first("adam") < d.first("cg"),
        "gd_error_to_cg": lambda: final(d.best("gd")) / final(d.best("cg")),
        "adam_error_to_cg": lambda: final(d.best("adam")) / final(d.best("cg")),
        "adam_beats_the_rest": beats_the_rest,
        "lbfgs_speedup_over_the_rest": lbfgs_ahead,
        "some_second_order_slower": lambda: any(
            d.first(m, p) > d.first("adam", p) for m in searches for p in ("f64", "f32")
        ),
        "second_order_slower": lambda: share([d.first(m) > d.first("adam") for m in searches]),
    }
