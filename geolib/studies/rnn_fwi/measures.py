"""What the claims of Sun et al. are measured by, from whatever units there are."""

from __future__ import annotations

import numpy as np

from geolib.runs.measure import Measure, evaluated
from geolib.runs.unit import Units, need, select
from geolib.studies.rnn_fwi import line_measures, marmousi_measures, sidelights
from geolib.studies.rnn_fwi.curves import (
    CONVERGED,
    ROUGH,
    WELL,
    Arrays,
    Rules,
    evaluations,
    interfaces,
    roughness,
)
from geolib.studies.rnn_fwi.theory import as_printed
from geolib.studies.rnn_fwi.units import Line, Part, Steps


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
    single = line_measures.rules(units, converged, well)
    found |= evaluated(_theory(units) | single | marmousi_measures.rules(units))
    found |= evaluated(sidelights.rules(units, converged, well))
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
        # For a step so small that what equation 11 neglects is small.
        "eq11_ratio_small": lambda: theory("derivative") and float(as_printed()["quadratic"]),
        "plus_sign_descends": lambda: need(units, Part("theory"))["ascent"][0] < 1,
        "minus_sign_descends": lambda: need(units, Part("theory"))["ascent"][1] < 1,
        "rate_is_dimensionless": lambda: abs(need(units, Part("theory"))["scaled"][0] - 1) < 0.01,
        "hessian_eigenvalue": eigenvalue,
        "hessian_eigenvalue_at_start": lambda: need(units, Part("hessian"))["at_start"][-1],
        "gd_rate_limit": lambda: 2 / eigenvalue(),
        "momentum_rate_limit": lambda: 3.8 / eigenvalue(),
        "momentum_b_rate_limit": lambda: 38 / eigenvalue(),
    }
