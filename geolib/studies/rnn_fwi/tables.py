"""What the rnn_fwi chapter shows of its units: selections and tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.runs.tables import digits, markdown
from geolib.runs.unit import Units, select
from geolib.studies.rnn_fwi.curves import Arrays, evaluations, interfaces, roughness
from geolib.studies.rnn_fwi.marmousi_measures import BUDGETS, longest
from geolib.studies.rnn_fwi.measures import measures
from geolib.studies.rnn_fwi.theory import as_printed
from geolib.studies.rnn_fwi.units import WIDTHS, Block, Line, Steps, label

LABELS = {
    "gd": "gradient descent",
    "momentum": "momentum",
    "momentum_b": "momentum (app. B)",
    "adagrad": "Adagrad",
    "rmsprop": "RMSprop",
    "adam": "Adam",
    "cg": "CG",
    "lbfgs": "L-BFGS",
    "tnc": "TNC",
}
LINE_SEARCHES = {LABELS[method] for method in ("cg", "lbfgs", "tnc")}
SETTINGS = {
    "1d": "as in the chapter",
    "sigma8": "start 8 cells",
    "sigma10": "start 10 cells",
    "linear": "linear start",
    "absorbing8hz": "absorbing, 8 Hz",
}
HARDER = {
    "continuation": "low frequencies first",
    "noise": "noise at 10 dB",
    "finer": "finer grid's data",
    "linear": "linear start",
}
MARMOUSI = ("adam", "cg", "lbfgs")
Table = dict[str, dict[str, float]]


#: Model errors (m/s) that differ by less are level: a line search is determined no better.
LEVEL = 10.0


def rounded(value: float) -> str:
    """Return a number to two digits: what line searches end at is determined no better."""
    return f"{float(f'{value:.1e}'):.0f}"


def named(label: str) -> str:
    """Return how figures and tables call a method, or one at a rate: Adam 40 for adam-40."""
    method, _, rate = label.partition("-")
    return f"{LABELS[method]} {rate}".strip()


def legend(
    units: Units, *methods: str, precision: str = "float64", setting: str = "1d"
) -> dict[str, Arrays]:
    """Return the 1-D runs of methods ('adam') or of a method at a rate ('adam-40'), by legend."""
    found = []
    runs: dict[Line | Steps, Arrays] = {
        **select(units, Line, setting=setting, width=WIDTHS[precision]),
        **select(units, Steps, setting=setting, width=WIDTHS[precision]),
    }
    for unit, arrays in runs.items():
        if unit.method in methods or label(unit.method, unit.rate) in methods:
            order = (list(LABELS).index(unit.method), unit.rate or 0.0)
            found.append((order, named(label(unit.method, unit.rate)), arrays))
    return {name: arrays for _, name, arrays in sorted(found, key=lambda entry: entry[0])}


def table(runs: Mapping[str, Arrays]) -> str:
    """Return a Markdown table of 1-D runs: speed, misfit, rises (% of first), errors, interfaces.

    Notes
    -----
    Line searches amplify round-off: from some seventy evaluations on, two processors differ in the
    third digit of the misfit of CG, and after 150 by a sixth; what little it rises, by a factor of
    nine. So of their ends the power of ten below which the misfit lies is told, rises from one per
    cent on, and two digits of the model's error.
    """
    heads = (
        "Run",
        "Evaluations to 1 %",
        "Last misfit (%)",
        "Sum of rises (%)",
        "Model error (m/s)",
        "Interfaces",
    )
    rows = []
    for name, run in runs.items():
        count, misfit = evaluations(run), 100 * run["misfit"][-1] / run["misfit"][0]
        ends = [digits(misfit, 3), digits(100 * roughness(run), 2), f"{run['error'][-1]:.0f}"]
        if name in LINE_SEARCHES:
            error = rounded(run["error"][-1])
            ends = [_below(misfit), _below(max(1.0, 100 * roughness(run))), f"about {error}"]
        reached = f"{count:.0f}" if np.isfinite(count) else f"more than {run['misfit'].size - 1}"
        rows.append([name, reached, *ends, interfaces(run)])
    return markdown(heads, rows)


def _below(value: float) -> str:
    """Return the power of ten that is not exceeded."""
    return f"below {digits(10.0 ** np.ceil(np.log10(value)), 1)}" if value > 0 else "0"


def errata(units: Units) -> str:
    """Return a Markdown table of misprints with their proofs, as far as the units are there."""
    theory, found = units["theory"], measures(units)
    truth = float(theory["derivative"])
    printed = as_printed()
    ratio = printed["named_ratio"]
    off = float(printed["last_line"])
    slopes = (
        f"slopes over the true ones along {ratio.size} random directions: "
        f"{ratio.min():.1f} to {ratio.max():.1f}, median {np.median(ratio):.1f}"
    )
    rows = [
        (
            "Eq A-11, last line",
            "right: the printed recursion's field is what it correlates",
            f"relative difference to the gradient {'below 1e-10' if off < 1e-10 else f'{off:.1e}'}",
            "0",
        ),
        (
            "Eqs 7b, A-8, A-9; A-11, lines 2 and 3",
            "that field is v² dt² times dJ/du, and not dJ/du",
            slopes,
            "1",
        ),
        (
            "Eqs A-10, A-11",
            "the right side is one time step late",
            f"derivative {float(theory['late']):.5g}",
            f"{truth:.5g}",
        ),
    ]
    up, down = theory["ascent"]
    rows.append(
        ("Appendix B", "v − α m with δv = −g climbs", f"misfit × {up:.4f}", f"× {down:.4f}")
    )
    loud, adam = theory["scaled"]
    rows.append(
        (
            "Ranges of rates",
            "ten times the data: first step of GD, of Adam",
            f"× {loud:.4g}",
            f"× {adam:.4g}",
        )
    )
    if "hessian_eigenvalue" in found:
        value = found["hessian_eigenvalue"].value
        rows.append(
            ("Eq 9", "H⁻¹ stands for H: its largest eigenvalue", f"{1 / value:.4g}", f"{value:.4g}")
        )
    if "rmsprop_first_step" in found:
        step = found["rmsprop_first_step"].value
        what = "first step over rate: 1/√(1 − β) without bias correction"
        rows.append(("RMSprop's range", what, "3.162", f"{step:.4g}"))
    change, predicted, best, first = theory["eq11"]
    what = f"describes a step of gradient descent (here the best, α = {best:.3g})"
    shares = (f"predicts J {100 * predicted / first:+.1f} %", f"true {100 * change / first:+.1f} %")
    rows.append(("Eq 11", what, *shares))
    return markdown(("Where", "What", "Number", "Right"), rows)


def slopes(theory: Arrays) -> str:
    """Return a Markdown table of the misfit's slope, by what the adjoint is taken for."""
    exact = float(theory["derivative"])
    rows = [
        (text, f"{float(theory[key]):.2f}", f"{float(theory[key]) / exact:.6f}")
        for text, key in (
            ("the gradient", "corrected"),
            ("the field of A-9 taken for ∂J/∂u", "printed"),
            ("A-10 with its printed time index", "late"),
        )
    ]
    rows.append(("differences of the misfit", f"{exact:.2f}", "1"))
    return markdown(("Slope by", "Value", "Ratio"), rows, "lrr")


def network(unit: Arrays) -> str:
    """Return a Markdown table of the unrolled network's descents beside those of the kernels."""
    misfits, kernels = unit["misfit_network"], unit["misfit_kernels"]
    gaps = abs(misfits / kernels - 1).max(axis=1)
    rows = [
        (
            named(str(name)),
            misfit.size - 1,
            f"{misfit[-1] / misfit[0]:.4f}",
            f"{error[-1]:.1f}",
            gap,
        )
        for name, misfit, error, gap in zip(
            unit["methods"],
            misfits,
            unit["error_network"],
            ("below 1e-10" if each < 1e-10 else f"{each:.1e}" for each in gaps),
            strict=True,
        )
    ]
    heads = ("Run", "Evaluations", "Misfit / first", "Model error (m/s)", "Difference")
    return markdown(heads, rows, "lrrrr")


def curvatures(units: Units) -> str:
    """Return a Markdown table of the Hessian's largest eigenvalue by setting."""
    rows = [
        (setting, f"{at_truth:.3f}", f"{at_start:.3f}")
        for setting, (at_truth, at_start) in eigenvalues(units).items()
    ]
    heads = ("Setting", "At the truth", "At the start")
    return markdown(heads, rows, "lrr", empty="The Hessian was not run.")


def speeds(units: Units, method: str) -> list[tuple[float, float]]:
    """Return rate and evaluations to 1 % of every double-precision run of a step method."""
    runs = legend(units, method)
    return [(float(name.split(" ")[-1]), evaluations(run)) for name, run in runs.items()]


def eigenvalues(units: Units) -> dict[str, tuple[float, float]]:
    """Return the Hessian's largest eigenvalue at truth and start by setting, where computed."""
    names = {**{key: f"hessian-{key}" for key in SETTINGS}, "1d": "hessian"}
    return {
        text: (float(units[names[key]]["estimates"][-1]), float(units[names[key]]["at_start"][-1]))
        for key, text in SETTINGS.items()
        if names[key] in units
    }


def sensitivity(units: Units) -> tuple[Table, Table]:
    """Return evaluations to 1 % and final model errors (m/s) by setting and method, where run."""
    speed: Table = {}
    error: Table = {}
    for key, setting in SETTINGS.items():
        runs = legend(units, "gd-0.4", "momentum-0.8", "adam-40", "cg", "lbfgs", setting=key)
        if runs:
            speed[setting] = {
                name: evaluations(run)
                for name, run in runs.items()
                if np.isfinite(evaluations(run))
            }
            error[setting] = {name: float(run["error"][-1]) for name, run in runs.items()}
    return speed, error


def compared(units: Units) -> int:
    """Return the evaluation at which settings are compared: the last of Adam, which never stops."""
    runs = [longest(units, "adam")] if select(units, Block, method="adam") else []
    # A continuation counts the first evaluation of each of its stages as well.
    keys = [key for key in HARDER if key != "continuation"]
    runs += [units[f"{key}-adam"] for key in keys if f"{key}-adam" in units]
    return min((len(run["misfit"]) - 1 for run in runs), default=BUDGETS["adam"])


def extras(units: Units) -> tuple[Table, Table]:
    """Return model error (m/s) and SSIM at the evaluation of `compared`, by setting and method."""
    count = compared(units)
    tables: tuple[Table, Table] = ({}, {})
    for key, setting in {"marmousi": "as in the paper", **HARDER}.items():
        runs = (
            marmousi(units)
            if key == "marmousi"
            else {LABELS[m]: units.get(f"{key}-{m}") for m in MARMOUSI}
        )
        for table, name in zip(tables, ("error", "ssim"), strict=True):
            # The paper's own runs are longer; a continuation counts the first evaluation of each of
            # its stages as well.
            found = {
                m: r[name][count if key == "marmousi" else -1]
                for m, r in runs.items()
                if r and len(r[name]) > count
            }
            if found:
                table[setting] = {method: float(value) for method, value in found.items()}
    return tables


def winners(units: Units) -> str:
    """Return a Markdown table of harder settings: start, end at `compared`, and who wins."""
    count = compared(units)
    methods = [LABELS[m] for m in MARMOUSI]
    rows = []
    errors, similarities = extras(units)
    first: dict[str, float] = {}
    for key, setting in {"marmousi": "as in the paper", **HARDER}.items():
        if len(errors.get(setting, {})) < len(methods):
            continue
        runs = (
            marmousi(units)
            if key == "marmousi"
            else {LABELS[m]: units[f"{key}-{m}"] for m in MARMOUSI}
        )
        misfits = {
            m: run["misfit"][: count + 1] if key == "marmousi" else run["misfit"]
            for m, run in runs.items()
        }
        first = first or {m: values[0] for m, values in misfits.items()}
        if key == "continuation":
            # Its last stage has the paper's frequency, and there the smooth start's misfit to be
            # compared with.
            shares = {
                m: values[-max(1, 3 * count // 10) :].min() / first[m]
                for m, values in misfits.items()
            }
        else:
            shares = {m: values.min() / values[0] for m, values in misfits.items()}
        start = next(iter(runs.values()))
        cells = [f"{rounded(start['error'][0])} / {start['ssim'][0]:.2f} / 100"]
        quality = ((errors[setting][m], similarities[setting][m], 100 * shares[m]) for m in methods)
        cells += [
            f"{rounded(error)} / {ssim:.2f} / {digits(share, 1)}" for error, ssim, share in quality
        ]
        first_two = sorted(errors[setting].values())[:2]
        level = first_two[1] - first_two[0] <= LEVEL
        cells += [
            "level" if level else min(methods, key=errors[setting].__getitem__),
            max(methods, key=similarities[setting].__getitem__),
        ]
        rows.append([setting, *cells])
    heads = ["Setting", "Start", *methods, "Smallest error", "Most similar"]
    return markdown(heads, rows, "l" + "r" * (1 + len(methods)))


def wins(units: Units) -> dict[str, int]:
    """Return in how many settings a method is the best after 100 evaluations (or the `last`)."""
    errors, similarities = extras(units)
    whole = [name for name in errors if len(errors[name]) == len(MARMOUSI)]
    found = {"settings": len(whole)}
    for method in MARMOUSI:
        label = LABELS[method]
        found[f"{method}_error"] = sum(errors[s][label] == min(errors[s].values()) for s in whole)
        found[f"{method}_ssim"] = sum(
            similarities[s][label] == max(similarities[s].values()) for s in whole
        )
        found[f"{method}_last"] = sum(errors[s][label] == max(errors[s].values()) for s in whole)
    return found


def costs(units: Units) -> dict[str, float]:
    """Return one Marmousi evaluation's core time, s, by legend; empty before it is measured."""
    unit = units.get("marmousi-cost")
    if unit is None:
        return {}
    return {
        LABELS[str(m)]: float(cost) for m, cost in zip(unit["methods"], unit["cost"], strict=True)
    }


def marmousi_table(runs: Mapping[str, Arrays], cost: Mapping[str, float]) -> str:
    """Return a Markdown table of Marmousi runs at some evaluations; `cost` is that of `costs`."""
    stops = (0, 25, 50, 100, 200, 400, 600, 1000)
    heads = ["Method", "Evaluation", "Minutes of a core", "Misfit (%)", "Model error (m/s)"]
    rows = []
    for name, run in runs.items():
        last = len(run["misfit"]) - 1
        for n in [stop for stop in stops if stop < last] + [last]:
            minutes = f"{n * cost[name] / 60:.1f}" if cost else "—"
            misfit = 100 * run["misfit"][: n + 1].min() / run["misfit"][0]
            errors = (rounded(run[key][n]) for key in ("error", "error_shallow", "error_deep"))
            rows.append([name, n, minutes, digits(misfit, 1), *errors, f"{run['ssim'][n]:.2f}"])
    heads += ["Upper half", "Lower half", "Structural similarity"]
    return markdown(heads, rows, "l" + "r" * 7)


def marmousi(units: Units) -> dict[str, Arrays]:
    """Return the longest Marmousi run of each method, by a legend's text."""
    have = [m for m in MARMOUSI if select(units, Block, method=m)]
    return {LABELS[m]: longest(units, m) for m in have}
