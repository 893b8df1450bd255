"""What the claims of Sun et al. are measured by, from whatever units there are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
from scipy import ndimage

from geolib.runs.measure import Measure, evaluated
from geolib.runs.unit import NotRun, Units, need, select
from geolib.studies.rnn_fwi.problems import SOURCE_ROW, SPACING
from geolib.studies.rnn_fwi.theory import as_printed
from geolib.studies.rnn_fwi.units import Block, Extra, Line, Part, Steps, line

Arrays = Mapping[str, np.ndarray]

# A descent has converged when its misfit is below this share of the start's.
CONVERGED = 0.01
# A model is well matched when its error is below this share of the start's and its data fit.
WELL = 0.8
# Rises of the misfit that add up to more than this share of the first misfit are oscillations a
# reader sees in a plot.
ROUGH = 0.05
# The first few evaluations.
EARLY = 10
# What "much faster" says at least, as a ratio of evaluations.
MUCH = 2.0
# The best learning rates by the paper's Figure 11.
BEST = {"gd": 0.4, "momentum": 0.8, "adagrad": 40, "rmsprop": 4, "adam": 40}
BUDGETS = {"adam": 100, "lbfgs": 1000, "cg": 1420}
LISTS = {
    "gd": (0.2, 0.4, 0.6, 0.8),
    "momentum": (0.1, 0.4, 0.6, 0.8, 1),
    "adagrad": (0.4, 4, 40, 100),
    "rmsprop": (0.4, 0.8, 4, 40),
    "adam": (0.8, 4, 40, 100),
}


def evaluations(run: Arrays, share: float = CONVERGED) -> float:
    """Return the first evaluation with a misfit below `share` of the start's; infinity if none."""
    below = np.flatnonzero(run["misfit"] < share * run["misfit"][0])
    return float(below[0]) if below.size else np.inf


def roughness(run: Arrays, first: int = 0, last: int | None = None) -> float:
    """Return the sum of the misfit's rises between evaluations, as a share of the first misfit."""
    return float(np.maximum(np.diff(run["misfit"][first:last]), 0).sum() / run["misfit"][0])


def interfaces(run: Arrays, model: np.ndarray | None = None, half: int = 4) -> int:
    """Return how many true interfaces a model shows: 75 % of the step, four cells each side."""
    truth, model = run["truth"], run["model"] if model is None else model
    jumps = np.flatnonzero(np.diff(truth))
    return int(
        sum(
            (model[j + half] - model[j + 1 - half]) >= 0.75 * (truth[j + 1] - truth[j])
            for j in jumps
        )
    )


def bias(run: Arrays, half: int = 6) -> float:
    """Return the root-mean-square error within six cells of the interfaces, m/s."""
    near = np.zeros(run["truth"].size, dtype=bool)
    for jump in np.flatnonzero(np.diff(run["truth"])):
        near[jump + 1 - half : jump + 1 + half] = True
    return float(np.sqrt(np.mean((run["model"] - run["truth"])[near] ** 2)))


def ended(run: Arrays) -> bool:
    """Return whether a line search ended before its budget: its last model stands from then on."""
    return "all evaluations used" not in str(run["message"])


def longest(units: Units, method: str) -> Arrays:
    """Return the longest Marmousi run of a method; NotRun if there is none."""
    blocks = select(units, Block, method=method)
    if not blocks:
        raise NotRun(f"marmousi-{method}")
    return blocks[max(blocks, key=lambda block: block.budget)]


def measures(units: Units, converged: float = CONVERGED, well: float = WELL) -> dict[str, Measure]:
    """Return every measure whose units are there.

    Parameters
    ----------
    units : mapping of str to mapping of str to ndarray
        Any subset of a run.
    converged, well : float
        Shares of the first misfit and of the start's model error that count as converged and as
        well matched.

    Returns
    -------
    dict of str to Measure
        Statements are shares of the cases in which they hold: 1 or 0 for a single case.
    """
    found: dict[str, float] = {}
    for kind in (Line, Steps):
        for unit, run in select(units, kind, setting="1d").items():
            found |= _single(unit.name.replace("-", "_"), run, converged)
    found |= evaluated({**_theory(units), **_line(units, converged, well), **_marmousi(units)})
    # A descent that never converges has no number of evaluations; what rests on it is settled by
    # comparisons.
    return {name: Measure(value) for name, value in found.items() if np.isfinite(value)}


def _single(name: str, run: Arrays, converged: float) -> dict[str, float]:
    return {
        f"{name}_evaluations": evaluations(run, converged),
        f"{name}_converged": float(np.isfinite(evaluations(run, converged))),
        f"{name}_misfit": float(run["misfit"][-1] / run["misfit"][0]),
        f"{name}_error": float(run["error"][-1]),
        f"{name}_roughness": roughness(run),
        f"{name}_oscillates": float(roughness(run) > ROUGH),
        f"{name}_interfaces": float(interfaces(run)),
    }


Rules = dict[str, Callable[[], float]]


def _theory(units: Units) -> Rules:
    def theory(name: str) -> float:
        return float(need(units, Part("theory"))[name])

    def eigenvalue() -> float:
        return float(need(units, Part("hessian"))["estimates"][-1])

    def exact(name: str) -> float:
        # Central differences of J agree with its derivative to some 1e-8 here.
        return abs(theory(name) / theory("derivative") - 1) < 1e-6

    return {
        "adjoint_is_gradient": lambda: exact("corrected"),
        # The printed algorithm itself, computed here: it takes a second and needs no unit of the
        # run but the theory's.
        "a11_last_line": lambda: theory("derivative") and float(as_printed()["last_line"]),
        "a11_named_cosine": lambda: theory("derivative") and float(as_printed()["named_cosine"]),
        "a11_named_ratio_least": lambda: (
            theory("derivative") and float(as_printed()["named_ratio"].min())
        ),
        "a11_named_ratio_greatest": lambda: (
            theory("derivative") and float(as_printed()["named_ratio"].max())
        ),
        "a9_is_gradient": lambda: exact("printed"),
        "a9_ratio": lambda: theory("printed") / theory("derivative"),
        "a10_is_gradient": lambda: exact("late"),
        "a10_ratio": lambda: theory("late") / theory("derivative"),
        "eq6_without_sum_ratio": lambda: theory("one_step") / theory("derivative"),
        "eq7_is_gradient": lambda: exact("everywhere"),
        "eq11_ratio": lambda: (
            need(units, Part("theory"))["eq11"][0] / need(units, Part("theory"))["eq11"][1]
        ),
        "plus_sign_descends": lambda: need(units, Part("theory"))["ascent"][0] < 1,
        "rate_is_dimensionless": lambda: abs(need(units, Part("theory"))["scaled"][0] - 1) < 0.01,
        "hessian_eigenvalue": eigenvalue,
        "hessian_eigenvalue_at_start": lambda: need(units, Part("hessian"))["at_start"][-1],
        "gd_rate_limit": lambda: 2 / eigenvalue(),
        "momentum_rate_limit": lambda: 3.8 / eigenvalue(),
        "momentum_b_rate_limit": lambda: 38 / eigenvalue(),
    }


def _line(units: Units, converged: float, well: float) -> Rules:
    def reached(which: Arrays) -> float:
        return evaluations(which, converged)

    def run(method: str, rate: float | None = None, precision: str = "f64") -> Arrays:
        return need(units, line(method, rate, precision))

    def best(method: str, precision: str = "f64") -> Arrays:
        return run(method, BEST.get(method.removesuffix("_b")), precision)

    def first(method: str, precision: str = "f64") -> float:
        return reached(best(method, precision))

    def every(method: str) -> list[Arrays]:
        return [run(method, rate) for rate in LISTS[method.removesuffix("_b")]]

    def final(which: Arrays) -> float:
        return float(which["error"][-1])

    def rough(which: Arrays) -> bool:
        return roughness(which) > ROUGH

    def early_only(which: Arrays) -> bool:
        # The misfit jumps above its start at once and is smooth after the first fifty reached.
        return which["misfit"][1:EARLY].max() > which["misfit"][0] and not lasting(which)

    def share(cases: list[bool]) -> float:
        return float(np.mean(cases))

    def lasting(which: Arrays) -> bool:
        # The paper's plots have settled by then; Adam's late spikes are judged on their own.
        return roughness(which, 50, 300) > ROUGH

    def best_rate_confirmed(method: str) -> bool:
        # No rate of the list that keeps below the first misfit and settles is faster by more than a
        # tenth.
        fine = [r for r in every(method) if r["misfit"].max() <= r["misfit"][0] and not lasting(r)]
        return not lasting(best(method)) and first(method) <= 1.1 * min(map(reached, fine))

    def better(which: Arrays) -> bool:
        return final(which) <= well * which["error"][0] and np.isfinite(reached(which))

    def step_ratio(method: str, rate: float, n: int = 1) -> float:
        return float(run(method, rate)["change"][n]) / rate

    def recommended(method: str, low: float, high: float, limit: float) -> float:
        # Rates of the list are fast and free of lasting oscillation if, and only if, they are in
        # the range.
        quick = [reached(r) <= limit and not lasting(r) for r in every(method)]
        return share(
            [q == (low <= rate <= high) for q, rate in zip(quick, LISTS[method], strict=True)]
        )

    def speeds(method: str, chosen: tuple[float, ...]) -> float:
        values = [reached(run(method, rate)) for rate in chosen]
        return max(values) / min(values)

    def spread(method: str) -> float:
        values = [final(r) for r in every(method)]
        return max(values) / min(values)

    momenta = {
        f"{m}_{name}": rule
        for m in ("momentum", "momentum_b")
        for name, rule in {
            "faster_than_gd": lambda m=m: first(m) < first("gd"),
            "model_better_than_gd": lambda m=m: final(best(m)) < final(best("gd")),
            "less_rough_than_gd": lambda m=m: share(
                [roughness(run(m, r)) < roughness(run("gd", r)) for r in (0.6, 0.8)]
            ),
            "small_early_oscillation": lambda m=m: (
                roughness(best(m), 0, 50) > 0.001
                and roughness(best(m), 50) < 0.01
                and np.isfinite(first(m))
            ),
            "speed_ratio_middle": lambda m=m: speeds(m, (0.4, 0.6, 0.8)),
            "one_differs": lambda m=m: (
                abs(np.log(reached(run(m, 1)) / reached(run(m, 0.8))))
                > np.log(speeds(m, (0.4, 0.6, 0.8)))
            ),
            "speed_ratio": lambda m=m: speeds(m, LISTS["momentum"]),
            "error_ratio": lambda m=m: spread(m),
            "one_is_rough": lambda m=m: roughness(run(m, 1)) > 2 * roughness(run(m, 0.8)) + 0.01,
        }.items()
    }
    return {
        **momenta,
        "gd_slower_at_0.2": lambda: reached(run("gd", 0.2)) > reached(run("gd", 0.4)),
        "gd_range_share": lambda: share([not lasting(r) for r in every("gd")]),
        "momentum_range_share": lambda: share([not lasting(r) for r in every("momentum")]),
        "adagrad_model_moved": lambda: (
            1 - final(run("adagrad", 0.4)) / run("adagrad", 0.4)["error"][0]
        ),
        "adagrad_smooth_to_40": lambda: share(
            [roughness(run("adagrad", r)) < 1e-3 for r in (0.4, 4, 40)]
        ),
        "adagrad_faster_with_rate": lambda: bool(
            np.all(np.diff([r["misfit"][EARLY * 5] for r in every("adagrad")][:3]) < 0)
        ),
        "adagrad_100_early_jump": lambda: early_only(run("adagrad", 100)),
        "adagrad_100_faster": lambda: reached(run("adagrad", 100)) < reached(run("adagrad", 40)),
        "adagrad_100_misfit_ratio": lambda: (
            run("adagrad", 100)["misfit"][-1] / run("adagrad", 40)["misfit"][-1]
        ),
        "adagrad_100_model": lambda: better(run("adagrad", 100)),
        "adagrad_first_step": lambda: step_ratio("adagrad", 40),
        "adagrad_largest_step": lambda: run("adagrad", 40)["change"].max() / 40,
        "adagrad_steps_shrink": lambda: (
            run("adagrad", 40)["change"][-1] < 0.1 * run("adagrad", 40)["change"][1]
        ),
        "adagrad_recommended": lambda: recommended("adagrad", 10, 100, 200),
        "rmsprop_40_rough": lambda: (
            rough(run("rmsprop", 40)) and not np.isfinite(reached(run("rmsprop", 40)))
        ),
        "rmsprop_slow_below_1": lambda: share(
            [reached(run("rmsprop", r)) > 200 for r in (0.4, 0.8)]
        ),
        "rmsprop_4_smooth": lambda: not rough(run("rmsprop", 4)),
        "rmsprop_4_fastest": lambda: (
            reached(run("rmsprop", 4)) == min(map(reached, every("rmsprop")))
        ),
        "rmsprop_4_model": lambda: better(run("rmsprop", 4)),
        "rmsprop_recommended": lambda: recommended("rmsprop", 1, 10, 200),
        "rmsprop_first_step": lambda: step_ratio("rmsprop", 4),
        "adam_all_match": lambda: share([better(r) for r in every("adam")]),
        "adam_error_ratio": lambda: spread("adam"),
        "adam_100_early_jump": lambda: (
            run("adam", 100)["misfit"][1:EARLY].max() > run("adam", 100)["misfit"][0]
        ),
        "adam_100_smooth_after": lambda: roughness(run("adam", 100), 50) < ROUGH,
        "adam_largest_step": lambda: max(run("adam", r)["change"].max() / r for r in LISTS["adam"]),
        "adam_slow_below_1": lambda: reached(run("adam", 0.8)) > 200,
        "adam_steps_shrink": lambda: (
            run("adam", 40)["change"][-1] < 0.1 * run("adam", 40)["change"][1]
        ),
        "adam_recommended": lambda: recommended("adam", 10, 100, 100),
        **{f"{m}_best_rate": functools.partial(best_rate_confirmed, m) for m in BEST},
        "acceptable_but_gd": lambda: share(
            [better(best(m)) for m in ("momentum", "adagrad", "rmsprop", "adam")]
        ),
        "gd_slowest": lambda: first("gd") > max(first(m) for m in BEST if m != "gd"),
        "adam_fastest_of_five": lambda: first("adam") < min(first(m) for m in BEST if m != "adam"),
        "cg_model": lambda: better(best("cg")),
        "cg_faster_than_gd": lambda: first("cg") < first("gd"),
        "cg_speedup_over_gd": lambda: first("gd") / first("cg"),
        "lbfgs_to_cg": lambda: first("lbfgs") / first("cg"),
        "lbfgs_cg_error_ratio": lambda: final(best("lbfgs")) / final(best("cg")),
        "tnc_rough": lambda: lasting(best("tnc")),
        "tnc_rough_f32": lambda: lasting(best("tnc", "f32")),
        "tnc_bias_ratio": lambda: bias(best("tnc")) / bias(best("cg")),
        "tnc_bias_ratio_f32": lambda: bias(best("tnc", "f32")) / bias(best("cg", "f32")),
        "adam_to_lbfgs": lambda: first("adam") / first("lbfgs"),
        "adam_faster_than_cg": lambda: first("adam") < first("cg"),
        "gd_error_to_cg": lambda: final(best("gd")) / final(best("cg")),
        "adam_error_to_cg": lambda: final(best("adam")) / final(best("cg")),
        "adam_beats_the_rest": lambda: share(
            [
                MUCH * first("adam") <= first(m)
                for m in ("cg", "tnc", "gd", "momentum", "adagrad", "rmsprop")
            ]
        ),
        "some_second_order_slower": lambda: any(
            first(m, p) > first("adam", p) for m in ("cg", "lbfgs", "tnc") for p in ("f64", "f32")
        ),
        "second_order_slower": lambda: share(
            [first(m) > first("adam") for m in ("cg", "lbfgs", "tnc")]
        ),
        "gd_not_acceptable": lambda: not better(best("gd")),
        "momentum_speedup_over_gd": lambda: first("gd") / first("momentum"),
        "momentum_b_speedup_over_gd": lambda: first("gd") / first("momentum_b"),
        "network_to_kernels": lambda: float(
            np.abs(
                need(units, Part("network"))["misfit_network"]
                / need(units, Part("network"))["misfit_kernels"]
                - 1
            ).max()
        ),
    }


def _marmousi(units: Units) -> Rules:
    def run(method: str, extra: str = "marmousi") -> Arrays:
        return longest(units, method) if extra == "marmousi" else need(units, Extra(extra, method))

    def at(which: Arrays, name: str, n: int) -> float:
        if n >= len(which[name]) and not ended(which):
            raise NotRun(f"{name} at evaluation {n} is not computed yet")
        return float(which[name][min(n, len(which[name]) - 1)])

    def structure(method: str, n: int, half: str) -> float:
        """Correlation of the update made with that needed, in the model's upper or lower half."""
        which, truth = run(method), need(units, Part("marmousi-setup"))["velocity"]
        if n > which["frame_at"][-1] and not ended(which):
            raise NotRun(f"frame {n} is not computed yet")
        nearest = which["frames"][int(np.abs(which["frame_at"] - n).argmin())]
        start = which["frames"][0].astype(float)
        # Beds thinner than three cells are out of a 6 Hz wave's reach, whatever the method.
        made, needed = (ndimage.gaussian_filter(x - start, 3.0) for x in (nearest, truth))
        rows = slice(0, len(truth) // 2) if half == "upper" else slice(len(truth) // 2, None)
        return float(np.corrcoef(made[rows].ravel(), needed[rows].ravel())[0, 1])

    def result(extra: str, method: str, name: str, n: int | None = None) -> float:
        which = run(method, extra)
        return at(which, name, len(which[name]) - 1 if n is None else n)

    def over_adam(extra: str, method: str) -> float:
        return result(extra, method, "error") / result(extra, "adam", "error")

    def share(method: str, n: int) -> float:
        at(run(method), "misfit", n)
        misfit = run(method)["misfit"]
        return float(misfit[: n + 1].min() / misfit[0])

    def profile(method: str, x: int, rows: slice = slice(None)) -> float:
        truth = need(units, Part("marmousi-setup"))["velocity"]
        whole = need(units, Block(method, BUDGETS[method]))
        return float(np.sqrt(np.mean((whole["frames"][-1][rows, x] - truth[rows, x]) ** 2)))

    def needed(method: str, misfit: float) -> float:
        """Return the evaluations until a method's misfit is a share of the first, or NotRun."""
        which = run(method)["misfit"]
        below = np.flatnonzero(which <= misfit * which[0])
        if not below.size:
            raise NotRun(f"{method} does not come down to {misfit}")
        return float(max(below[0], 1))

    shallow, middle, deep = slice(0, 31), slice(31, 62), slice(62, None)
    rules: Rules = {
        "marmousi_shots": lambda: len(need(units, Part("marmousi-setup"))["gathers"]),
        # The surface lies one cell above the first row.
        "marmousi_source_depth": lambda: (
            (SOURCE_ROW + 1) * SPACING if need(units, Part("marmousi-setup")) else 0.0
        ),
        "marmousi_cost_ratio": lambda: (
            max(need(units, Part("marmousi-cost"))["cost"])
            / min(need(units, Part("marmousi-cost"))["cost"])
        ),
        "marmousi_adam_shallow_50": lambda: structure("adam", 50, "upper"),
        "marmousi_adam_deep_100": lambda: structure("adam", 100, "lower"),
        "marmousi_cg_shallow_400": lambda: structure("cg", 400, "upper"),
        "marmousi_cg_shallow_800": lambda: structure("cg", 800, "upper"),
        "marmousi_cg_error_to_adam": lambda: (
            at(run("cg"), "error", 1420) / at(run("adam"), "error", 100)
        ),
        "marmousi_cg_shallow_1420": lambda: structure("cg", 1420, "upper"),
        "marmousi_cg_smooth": lambda: roughness(need(units, Block("cg", 1420))) < ROUGH,
        "marmousi_lbfgs_speedup_over_cg": lambda: 1000 / needed("lbfgs", share("cg", 1000)),
        "marmousi_lbfgs_error_left": lambda: (
            at(run("lbfgs"), "error", 1000) / at(run("lbfgs"), "error", 0)
        ),
        "marmousi_lbfgs_shallow_600": lambda: structure("lbfgs", 600, "upper"),
        "marmousi_lbfgs_deep_1000": lambda: structure("lbfgs", 1000, "lower"),
        "marmousi_adam_100_beats_lbfgs_1000": lambda: (
            at(run("adam"), "error", 100) < at(run("lbfgs"), "error", 1000)
        ),
        "marmousi_adam_100_beats_cg_1420": lambda: (
            at(run("adam"), "error", 100) < at(run("cg"), "error", 1420)
        ),
        "marmousi_adam_speedup_over_cg": lambda: needed("cg", share("adam", 100)) / 100,
        "marmousi_adam_speedup_over_lbfgs": lambda: needed("lbfgs", share("adam", 100)) / 100,
        "marmousi_adam_steadier": lambda: float(
            np.mean(
                [
                    roughness(run("adam"), EARLY, 100) < roughness(run(m), EARLY, 100)
                    for m in ("cg", "lbfgs")
                ]
            )
        ),
        "profile_1500_cg_to_adam": lambda: profile("cg", 150) / profile("adam", 150),
        "profile_200_lbfgs_shallow": lambda: (
            profile("lbfgs", 20, shallow) / profile("adam", 20, shallow)
        ),
        "profile_200_lbfgs_middle": lambda: (
            profile("lbfgs", 20, middle) / profile("adam", 20, middle)
        ),
        "profile_2500_lbfgs_shallow": lambda: (
            profile("lbfgs", 250, shallow) / profile("adam", 250, shallow)
        ),
        "profile_2500_lbfgs_middle": lambda: (
            profile("lbfgs", 250, middle) / profile("adam", 250, middle)
        ),
        "profile_200_lbfgs_deep": lambda: profile("lbfgs", 20, deep) / profile("adam", 20, deep),
        "profile_2500_lbfgs_deep": lambda: profile("lbfgs", 250, deep) / profile("adam", 250, deep),
    }
    for half in ("upper", "lower"):
        rules[f"marmousi_adam_25_{half}"] = functools.partial(structure, "adam", 25, half)
    for method, n in (("adam", 100), ("cg", 1420), ("lbfgs", 1000), ("cg", 100), ("lbfgs", 100)):
        rules[f"marmousi_{method}_{n}_misfit"] = functools.partial(share, method, n)
        for name in ("error", "ssim"):
            rules[f"marmousi_{method}_{n}_{name}"] = functools.partial(
                result, "marmousi", method, name, n
            )
    for extra in ("continuation", "noise", "finer", "linear"):
        for method in ("adam", "cg", "lbfgs"):
            for name in ("error", "ssim"):
                rules[f"{extra}_{method}_{name}"] = functools.partial(result, extra, method, name)
        for method in ("cg", "lbfgs"):
            rules[f"{extra}_{method}_error_to_adam"] = functools.partial(over_adam, extra, method)
    return rules
