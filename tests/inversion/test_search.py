"""The search on problems whose answers are known, its count of solves, and its refusals."""

import numpy as np
import pytest

from geolib.inversion import search as module
from geolib.inversion.search import Settings, search

POSITIONS = np.linspace(-1, 1, 40)


def bumps(models):
    """Return profiles of two bumps, at the first two components, cut to zeros and ones."""
    return (np.exp(-np.square((POSITIONS - models[:, :2, None]) / 0.2)) > 0.5).any(1).astype(float)


def waves(models):
    """Return data of many basins: in each component the misfit has several minima, one of them the truth."""
    return np.concatenate([models, np.cos(8 * models)], 1) @ MIXING


MIXING = np.random.default_rng(0).standard_normal((10, 30))
TRUTH = np.array([0.7, -0.55, 0.3, 0.8, -0.2])


def counting(function):
    """Return the function behind a count of the models that it was given."""

    def counted(models):
        counted.count += len(models)
        return function(models)

    counted.count = 0
    return counted


def test_the_basin_of_the_truth_is_found_among_many():
    sigma = 0.1
    data = waves(TRUTH[None])[0] + sigma * np.random.default_rng(1).standard_normal(30)
    found = search(waves, data, 5, sigma=sigma, budget=5000, rng=np.random.default_rng(2))
    assert found.message == "a model fits" and found.misfit <= 1.01
    # Fifteen errors of 0.1 leave a component uncertain by about 0.01; other basins are 0.3 away.
    np.testing.assert_allclose(found.model, TRUTH, atol=0.05)
    assert found.solves > 256  # of which the pool, all that the prior gives, has none


def test_a_model_that_is_thresholded_is_fitted():
    data = bumps(np.array([[-0.5, 0.4]]))[0]
    found = search(bumps, data, 2, sigma=0.01, budget=5000, rng=np.random.default_rng(3))
    # Of forty cells none differs: there is no misfit between this and 16 standard deviations.
    assert found.misfit == 0
    np.testing.assert_allclose(np.sort(found.model), [-0.5, 0.4], atol=0.05)


@pytest.mark.parametrize("budget", [1, 255, 256, 257, 300, 1001])
def test_the_budget_is_spent_to_the_last_solve_and_no_further(budget):
    simulate = counting(waves)
    data = np.full(30, 50.0)  # which nothing predicts
    found = search(simulate, data, 5, sigma=1.0, budget=budget, rng=np.random.default_rng(0))
    assert simulate.count == found.solves == budget
    assert found.message == "the budget is spent" and found.record[-1, 0] <= budget


def test_what_is_known_takes_the_place_of_the_first_draws():
    simulate, seen = counting(waves), []

    def watched(models):
        seen.append(models.copy())
        return simulate(models)

    known = np.stack([TRUTH, TRUTH / 2])
    data = waves(TRUTH[None])[0]
    found = search(watched, data, 5, sigma=0.3, rng=np.random.default_rng(4), start=known)
    np.testing.assert_allclose(seen[0][:2], known, rtol=1e-12)
    assert found.misfit <= 1e-10 and found.solves == 256
    plain = []
    search(lambda m: (plain.append(m.copy()), waves(m))[1], data, 5, sigma=0.3, rng=np.random.default_rng(4))
    assert np.array_equal(plain[0][2:], seen[0][2:])  # the other draws are those that a search without it has


def test_what_was_simulated_beforehand_is_not_simulated_again():
    simulate, data = counting(waves), waves(TRUTH[None])[0]
    near = np.clip(TRUTH + 0.1 * np.random.default_rng(6).standard_normal((300, 5)), -1, 1)
    settings, asked = module.Settings(pool=40), []
    for start in (near, (near, waves(near))):
        rng = np.random.default_rng(4)
        simulate.count = 0
        found = search(simulate, data, 5, sigma=0.3, rng=rng, start=start, settings=settings)
        assert found.misfit <= 1.01 and found.solves == simulate.count
        asked.append(found.solves)
    assert asked[0] - asked[1] == 40  # the first forty are the pool
    few = near[:3], waves(near[:3])  # the others are drawn and simulated
    found = search(waves, data, 5, sigma=0.3, rng=np.random.default_rng(4), budget=37, start=few, settings=settings)
    assert found.solves == 37 and found.message == "the budget is spent"
    fits = TRUTH[None], waves(TRUTH[None])
    found = search(waves, data, 5, sigma=0.3, rng=np.random.default_rng(4), start=fits, settings=settings)
    assert found.solves == 39 and found.misfit < 1e-10
    with pytest.raises(ValueError, match=r"start's predictions must have shape \(300, 30\)"):
        search(waves, data, 5, sigma=0.3, rng=np.random.default_rng(4), start=(near, waves(near[:5])))


@pytest.mark.parametrize("start", [np.full((1, 4), 0.5), np.full((1, 5), 1.1), np.zeros(5)])
def test_a_start_that_is_no_model_of_the_cube_is_refused(start):
    with pytest.raises(ValueError, match=r"^start must"):
        search(waves, np.zeros(30), 5, sigma=1.0, rng=np.random.default_rng(0), start=start)


def test_what_a_fit_took_is_what_was_simulated():
    simulate = counting(waves)
    found = search(simulate, waves(TRUTH[None])[0], 5, sigma=0.3, rng=np.random.default_rng(4))
    assert found.solves == simulate.count == found.record[-1, 0] < 10_000


def test_the_record_and_the_models_of_attempts_tell_the_truth():
    data = waves(TRUTH[None])[0] + np.random.default_rng(1).standard_normal(30)  # which is more than sigma
    settings = Settings(pool=64, patience=1)
    found = search(waves, data, 5, sigma=0.2, budget=1500, rng=np.random.default_rng(5), settings=settings)
    again = np.sqrt(np.square((waves(found.models) - data) / 0.2).mean(1))
    np.testing.assert_allclose(found.misfits, again, rtol=1e-12)
    assert found.misfit == found.misfits.min() == found.record[-1, 1] and len(found.models) > 1
    assert (np.diff(found.record[:, 0]) > 0).all() and (np.diff(found.record[:, 1]) < 0).all()
    assert np.abs(found.models).max() <= 1


def test_one_seed_is_one_search():
    found = [search(waves, np.zeros(30), 5, sigma=0.1, budget=700, rng=np.random.default_rng(6)) for _ in range(2)]
    np.testing.assert_array_equal(found[0].model, found[1].model)


def test_models_without_a_prediction_are_passed_over():
    def half(models):
        return np.where(models[:, :1] < 0, np.nan, waves(models))

    data = waves(TRUTH[None])[0]
    found = search(half, data, 5, sigma=0.3, budget=5000, rng=np.random.default_rng(7))
    assert found.message == "a model fits" and (found.models[:, 0] >= 0).all()


def test_the_regression_is_exact_where_the_problem_is_linear():
    rng = np.random.default_rng(8)
    matrix, models = rng.standard_normal((3, 12)), rng.standard_normal((60, 3))
    data = np.array([0.3, -0.8, 0.5]) @ matrix
    proposed = module._propose(models, 100 * (models @ matrix - data), 2, rng)
    # Models spread by one: the least ridge, a tenth beside sixty models, holds the guess back by so much.
    np.testing.assert_allclose(proposed[0], [0.3, -0.8, 0.5], atol=0.05)


def test_without_kernels_the_regression_is_a_plane():
    rng = np.random.default_rng(8)
    known = rng.standard_normal((60, 3))
    models, wanted = np.square(known) + known, np.array([3.0, 0.0, 0.0])
    bent, flat = (module._regress(models, known, wanted, kernels) for kernels in (True, False))
    assert np.abs(bent[1]).mean() < np.abs(flat[1]).mean() / 2  # what they leave of models left out
    twice, _ = module._regress(models, known, 2 * wanted, False)
    once, _ = module._regress(models, known, 0 * wanted, False)
    np.testing.assert_allclose(twice - once, 2 * (flat[0] - once), rtol=1e-9)


def test_steps_are_left_out_when_told(monkeypatch):
    made = []
    step = module._step
    monkeypatch.setattr(module, "_step", lambda *those: (made.append(1), step(*those))[1])
    data = waves(TRUTH[None])[0] + 0.3 * np.random.default_rng(1).standard_normal(30)
    for steps, expected in ((True, True), (False, False)):
        made.clear()
        settings = module.Settings(steps=steps, target=0.85)
        search(waves, data, 5, sigma=0.3, rng=np.random.default_rng(4), budget=1500, settings=settings)
        assert bool(made) == expected


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sigma": 0.0}, "sigma must be positive; got 0.0"),
        ({"sigma": np.ones(3)}, r"sigma must have shape"),
        ({"budget": 0}, "budget must be at least 1"),
        ({"d": 0}, "d must be at least 1"),
        ({"data": np.full(30, np.nan)}, "data must"),
        ({"rng": 3}, "rng must be a numpy.random.Generator; got int 3"),
        ({"simulate": lambda models: models}, "simulate's result must have shape"),
        ({"simulate": lambda models: np.nan * waves(models)}, "simulate must return finite predictions"),
        ({"settings": None, "pool": 2}, "pool must be at least 8"),
    ],
)
def test_what_is_wrong_is_refused_in_one_line(change, message):
    given = {"simulate": waves, "data": np.zeros(30), "d": 5, "sigma": 1.0, "budget": 300}
    given |= {"rng": np.random.default_rng(0)} | change
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        if "pool" in given:
            Settings(pool=given.pop("pool"))
        search(**given)
    assert "\n" not in str(caught.value)
