"""A descent that was killed goes on from its evaluations; what is damaged or foreign is computed again."""

import itertools

import numpy as np
import pytest

from geolib.inversion import descent, dream
from geolib.inversion.search import search
from geolib.runs.journal import Chained, Journal, Remembered
from geolib.runs.store import Store, read_unit

MATRIX, TARGET = np.diag([1.0, 4.0, 9.0]), np.array([1.0, -2.0, 0.5])


def quadratic(model):
    residual = MATRIX @ (model - TARGET)
    return 0.5 * float((model - TARGET) @ residual), residual


def run(journal, method="gd", start=0.0, budget=5):
    options = {"rate": 0.1} if method in descent.STEP_METHODS else {}
    return descent.minimize(journal, np.full(3, start), method, iterations=budget, **options)


@pytest.mark.parametrize("method", ["adam", "momentum_b", "cg", "lbfgs", "tnc"])
def test_a_killed_descent_goes_on_without_computing_twice(tmp_path, method):
    calls = []

    def objective(model):
        if len(calls) == 9:
            raise KeyboardInterrupt
        calls.append(1)
        return quadratic(model)

    undisturbed = run(quadratic, method, budget=15)
    with pytest.raises(KeyboardInterrupt):
        run(Journal(objective, Store(tmp_path)), method, budget=15)
    again = itertools.count()

    def counted(model):
        next(again)
        return quadratic(model)

    journal = Journal(counted, Store(tmp_path))
    found = run(journal, method, budget=15)
    np.testing.assert_array_equal(found.misfit, undisturbed.misfit)
    np.testing.assert_array_equal(found.model, undisturbed.model)
    assert next(again) == found.misfit.size - 9
    assert len(journal.seconds) == found.misfit.size


def test_a_damaged_evaluation_is_reported_and_computed_again(tmp_path):
    whole = run(Journal(quadratic, Store(tmp_path)))
    path = Store(tmp_path).path("evaluation-00002")
    path.write_bytes(path.read_bytes()[:-3])
    with pytest.warns(UserWarning, match="evaluation-00002.* will be computed again"):
        found = run(Journal(quadratic, Store(tmp_path)))
    np.testing.assert_array_equal(found.misfit, whole.misfit)


def test_evaluations_of_another_descent_are_not_believed(tmp_path):
    run(Journal(quadratic, Store(tmp_path)), start=1.0)
    found = run(Journal(quadratic, Store(tmp_path)))
    np.testing.assert_array_equal(found.misfit, run(quadratic).misfit)


def test_without_a_store_only_times_are_kept():
    journal = Journal(quadratic)
    assert len(journal.seconds) == 0 and run(journal).misfit.size == len(journal.seconds)


def test_a_killed_search_goes_on_without_simulating_twice(tmp_path):
    def cubes(models):
        cubes.simulated += len(models)
        if cubes.simulated > 400:
            raise KeyboardInterrupt
        return models**3 @ np.ones((3, 12)) + np.arange(12)

    def run(store):
        simulate = Remembered(cubes, store) if store else cubes
        return search(simulate, np.full(12, 9.0), 3, sigma=1.0, budget=700, rng=np.random.default_rng(0))

    cubes.simulated = -10_000
    undisturbed = run(None)
    cubes.simulated = 0
    with pytest.raises(KeyboardInterrupt):
        run(Store(tmp_path))
    # What was kept before the call that did not come back.
    kept = sum(len(read_unit(path)[0]["made"]) for path in tmp_path.glob("*.unit"))
    cubes.simulated = 400 - 700 + kept  # not one solve more is left than those that are missing
    found = run(Store(tmp_path))
    assert cubes.simulated == 400 and 0 < kept <= 400
    np.testing.assert_array_equal(found.record, undisturbed.record)


def peak(states):
    peak.computed += len(states)
    if peak.computed > 400:
        raise KeyboardInterrupt
    return -20 * np.square(states - 0.3).sum(1)


def chains(log_likelihood, seed=3):
    return dream.sample(log_likelihood, 3, 100, np.random.default_rng(seed))


def test_killed_chains_go_on_without_computing_twice(tmp_path):
    peak.computed = -10_000
    undisturbed = chains(peak)
    peak.computed = 0
    with pytest.raises(KeyboardInterrupt):
        chains(Chained(peak, Store(tmp_path), every=7))
    kept = len(Store(tmp_path).get(Chained.NAME)[0]["values"])
    assert 400 - 7 * 8 < kept <= 400
    peak.computed = kept - 408  # all that are missing, 808 in all, and not one more
    found = chains(Chained(peak, Store(tmp_path), every=7))
    assert peak.computed == 400
    np.testing.assert_array_equal(found.draws, undisturbed.draws)
    np.testing.assert_array_equal(found.record, undisturbed.record)


def test_values_of_other_chains_are_refused(tmp_path):
    peak.computed = -10_000
    chains(Chained(peak, Store(tmp_path), every=7))
    with pytest.raises(ValueError, match=r"likelihoods\.unit must hold values of these chains.* Delete it\."):
        chains(Chained(peak, Store(tmp_path), every=7), seed=4)
