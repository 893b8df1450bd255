"""The descent methods follow their formulae, count every evaluation and resume from a journal."""

import numpy as np
import pytest
import torch

from geolib.inversion import descent

MATRIX = np.diag([1.0, 4.0, 9.0])
TARGET = np.array([1.0, -2.0, 3.0])


def quadratic(model):
    gap = model - TARGET
    return 0.5 * gap @ MATRIX @ gap, MATRIX @ gap


def run(method, iterations=50, **options):
    if method in descent.STEP_METHODS:
        options.setdefault("rate", 0.1)
    return descent.minimize(quadratic, np.zeros(3), method, iterations=iterations, **options)


def by_hand(method, rate, n):
    """Return the n-th model by appendix B, written out term by term."""
    v, m, r = np.zeros(3), np.zeros(3), np.zeros(3)
    for k in range(1, n + 1):
        g = quadratic(v)[1]
        if method == "gd":
            v = v - rate * g
        elif method == "momentum":
            m = 0.9 * m + g
            v = v - rate * m
        elif method == "momentum_b":
            m = 0.9 * m + 0.1 * g
            v = v - rate * m / (1 - 0.9**k)
        elif method == "adagrad":
            r = r + g**2
            v = v - rate * g / np.sqrt(r + 1e-8)
        elif method == "rmsprop":
            r = 0.9 * r + 0.1 * g**2
            v = v - rate * g / (np.sqrt(r / (1 - 0.9**k)) + 1e-8)
        else:
            m, r = 0.9 * m + 0.1 * g, 0.999 * r + 0.001 * g**2
            v = v - rate * (m / (1 - 0.9**k)) / (np.sqrt(r / (1 - 0.999**k)) + 1e-8)
    return v


@pytest.mark.parametrize("method", descent.STEP_METHODS)
def test_step_methods_follow_appendix_b(method):
    found = run(method, 7, rate=0.05)
    # Seven steps of a handful of operations each: a few units of the last place.
    np.testing.assert_allclose(found.model, by_hand(method, 0.05, 7), rtol=1e-13, atol=1e-14)


def test_adagrad_epsilon_is_under_the_root():
    tiny = descent.minimize(lambda m: (0.0, np.full(1, 1e-5)), np.zeros(1), "adagrad", iterations=1, rate=1.0)
    # sqrt(1e-10 + 1e-8) is far from 1e-5 + 1e-8: here torch's Adagrad would step almost the whole rate.
    np.testing.assert_allclose(tiny.model, -1e-5 / np.sqrt(1e-10 + 1e-8), rtol=1e-12)


def test_momentum_variants_differ_tenfold_in_the_long_run():
    def slope(model):
        return 0.0, np.ones(1)

    last = [
        descent.minimize(slope, np.zeros(1), name, iterations=400, rate=1.0, keep=(399,))
        for name in ("momentum", "momentum_b")
    ]
    steps = [float((r.model - r.snapshots[399])[0]) for r in last]
    assert steps[0] / steps[1] == pytest.approx(10, rel=1e-9)


@pytest.mark.parametrize("method", descent.METHODS)
def test_every_evaluation_counts_and_the_budget_is_hard(method):
    calls = []

    def objective(model):
        calls.append(model.copy())
        return quadratic(model)

    options = {"rate": 0.01} if method in descent.STEP_METHODS else {}
    found = descent.minimize(objective, np.zeros(3), method, iterations=4, **options)
    assert len(calls) == found.misfit.size == 5
    assert found.misfit[0] == quadratic(np.zeros(3))[0]
    assert found.message == "all evaluations used"


@pytest.mark.parametrize("method", descent.SEARCH_METHODS)
def test_line_searches_reach_the_minimum(method):
    found = run(method, 60)
    # Quadratic with condition number 9: round-off is all that is left, at the square root for a misfit-based search.
    np.testing.assert_allclose(found.model, TARGET, atol=1e-6)
    assert np.all(np.diff(found.misfit[:2]) < 0)


def test_best_model_stands_in_a_line_search_and_the_last_in_a_step_method():
    def wavy(model):
        return float(np.sum(model**4 - 3 * model**2 + model)), 4 * model**3 - 6 * model + 1

    start = np.array([3.0])
    watch = {"watch": lambda m: [wavy(m)[0]], "iterations": 12}
    search = descent.minimize(wavy, start, "cg", **watch)
    np.testing.assert_array_equal(search.watched[:, 0], np.minimum.accumulate(search.misfit))
    step = descent.minimize(wavy, start, "gd", rate=0.02, **watch)
    np.testing.assert_array_equal(step.watched[:, 0], step.misfit)


@pytest.mark.parametrize("method", descent.METHODS)
def test_models_stay_within_the_bounds(method):
    seen = []
    options = {"rate": 1.0} if method in descent.STEP_METHODS else {}
    descent.minimize(
        lambda m: (seen.append(m.copy()), quadratic(m))[1],
        np.zeros(3),
        method,
        iterations=20,
        bounds=(-1.0, 2.0),
        **options,
    )
    assert min(m.min() for m in seen) >= -1 and max(m.max() for m in seen) <= 2


@pytest.mark.parametrize("method", ["adam", "lbfgs"])
def test_precision_of_the_start_is_that_of_every_model(method):
    kinds = set()

    def objective(model):
        kinds.add(model.dtype)
        misfit, gradient = quadratic(model)
        return misfit, gradient.astype(model.dtype)

    options = {"rate": 0.1} if method == "adam" else {}
    found = descent.minimize(objective, np.zeros(3, np.float32), method, iterations=5, **options)
    assert kinds == {np.dtype(np.float32)} and found.model.dtype == np.float32


def test_snapshots_are_the_models_of_those_evaluations():
    found = run("gd", 9, keep=(0, 3, 9, 99))
    assert sorted(found.snapshots) == [0, 3, 9]
    np.testing.assert_allclose(found.snapshots[3], by_hand("gd", 0.1, 3), rtol=1e-13)


@pytest.mark.parametrize(
    ("change", "kind", "text"),
    [
        ({"method": "adamm"}, ValueError, "Did you mean 'adam'"),
        ({"method": "adam", "rate": None}, ValueError, "rate must be given for adam"),
        ({"method": "cg", "rate": 1.0}, ValueError, "rate must be left out for cg"),
        ({"rate": -1.0}, ValueError, "rate must be at least 0"),
        ({"iterations": -1}, ValueError, "iterations must be at least 0"),
        ({"start": np.zeros(3, int)}, TypeError, "start must be float32 or float64; got int64"),
        ({"start": np.array([np.nan, 0, 0])}, ValueError, "start must be finite"),
        ({"bounds": (1.0, 2.0)}, ValueError, "start must lie within the bounds 1 to 2; got 0 to 0"),
        ({"objective": lambda m: (0.0, np.zeros(2))}, ValueError, "gradient must have shape"),
        ({"objective": lambda m: (np.inf, m)}, FloatingPointError, "misfit and gradient must be finite"),
    ],
)
def test_refusals(change, kind, text):
    options = {"objective": quadratic, "start": np.zeros(3), "method": "gd", "iterations": 3, "rate": 0.1, **change}
    with pytest.raises(kind, match=text) as caught:
        descent.minimize(options.pop("objective"), options.pop("start"), options.pop("method"), **options)
    assert "\n" not in str(caught.value)


def test_unknown_rule_is_refused():
    with pytest.raises(ValueError, match="rule must be one of momentum_b"):
        descent.AppendixB([torch.zeros(1)], "adam", lr=1.0)


def test_largest_eigenvalue_of_a_known_hessian():
    rotation = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))[0]
    hessian = rotation @ MATRIX @ rotation.T
    estimates, vector = descent.largest_eigenvalue(
        lambda m: hessian @ m, np.zeros(3), rng=np.random.default_rng(1), step=1.0, iterations=40
    )
    # The second eigenvalue is 4/9 of the first: (4/9)^(2 * 40) is below round-off.
    assert estimates[-1] == pytest.approx(9.0, rel=1e-12)
    np.testing.assert_allclose(np.abs(vector @ rotation[:, 2]), 1, rtol=1e-9)
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        descent.largest_eigenvalue(lambda m: m, TARGET, rng=np.random.default_rng(1), step=1.0, iterations=0)
