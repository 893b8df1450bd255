"""The sampler of a posterior: priors and posteriors that are known, and samplers made wrong on purpose."""

import numpy as np
import pytest
from scipy import stats

from geolib.inversion import posterior

SMALL = posterior.Settings(searches=1, solves=400, particles=200, moves=6)


def drawn(simulate, data, d, seed, sigma=1.0, settings=SMALL):
    return posterior.sample(
        simulate, np.asarray(data, float), d, sigma=sigma, rng=np.random.default_rng(seed), settings=settings
    )


def test_data_that_tell_nothing_leave_the_prior():
    found = drawn(lambda models: np.zeros((len(models), 2)), [1.0, 1.0], 4, seed=1)
    for component in found.draws.T:
        assert stats.kstest(component, "uniform", args=(-1, 2)).pvalue > 0.01
    assert stats.kstest(np.abs(found.draws).max(1) ** 4, "uniform").pvalue > 0.01


def test_data_without_errors_of_size_leave_a_normal_posterior():
    """A linear problem whose posterior lies within the cube: its mean and covariance are known."""
    rng = np.random.default_rng(5)
    matrix, truth, sigma = rng.standard_normal((30, 5)), np.array([0.3, -0.2, 0.5, 0.0, -0.4]), 0.3
    data = matrix @ truth + sigma * rng.standard_normal(30)
    covariance = np.linalg.inv(matrix.T @ matrix) * sigma**2
    mean = np.linalg.lstsq(matrix, data, rcond=None)[0]
    draws = np.concatenate([drawn(lambda models: models @ matrix.T, data, 5, seed, sigma).draws for seed in range(4)])
    root = np.linalg.cholesky(np.linalg.inv(covariance))
    white = (draws - mean) @ root
    assert np.abs(white.mean(0)).max() < 0.15
    assert np.abs(np.cov(white.T) - np.eye(5)).max() < 0.25


def test_two_modes_get_the_weights_of_their_volumes():
    """Only the first number counts, by its square root's height: near -0.5 a valley four times as wide as at 0.5."""

    def simulate(models):
        x = models[:, :1]
        return np.where(x < 0, (x + 0.5) / 0.08, (x - 0.5) / 0.02)

    shares = [(drawn(simulate, [0.0], 2, seed).draws[:, 0] < 0).mean() for seed in range(8)]
    mean = np.mean(shares)
    assert 0.7 < mean < 0.9, shares  # 0.8


def bent(models):
    """Return predictions of a bent problem: the data see products and steps, not the numbers themselves."""
    a, b = models.T
    return np.stack([a + 0.5 * b**2, a * b, np.round(4 * b) / 4, a - 0.3 * b], axis=1)


def ranks(factor, truths):
    found = []
    for seed in range(truths):
        rng = np.random.default_rng([seed, 3])
        true = rng.uniform(-1, 1, (1, 2))
        data = bent(true)[0] + 0.05 * rng.standard_normal(4)
        quick = posterior.Settings(searches=1, solves=100, particles=30, moves=3)
        draws = posterior.sample(bent, data, 2, sigma=0.05 * factor, rng=rng, settings=quick).draws
        found.append(((draws < true).sum(0) + 0.5) / (len(draws) + 1))
    return np.array(found)


@pytest.mark.parametrize(("factor", "truths", "right"), [(1.0, 100, True), (2**0.5, 100, False), (0.5, 24, False)])
def test_a_truth_has_any_rank_and_wrong_samplers_are_told(factor, truths, right):
    """Ranks spread as if each were as probable; those of a sampler for twice the variance or half the noise do not.

    Their squares tell more than the share in a central half does: the gap is twice what the interval leaves to chance.
    """
    squares = 12 * np.square(ranks(factor, truths) - 0.5).mean(1)
    low, high = stats.t.interval(0.99, truths - 1, loc=squares.mean(), scale=stats.sem(squares))
    assert (low <= 1 <= high) == right, (low, high)


def test_same_numbers_same_draws_and_every_solve_counted():
    count = 0

    def simulate(models):
        nonlocal count
        count += len(models)
        return bent(models)

    first, second = (drawn(simulate, [0.1, 0.0, 0.25, 0.1], 2, seed=2) for _ in range(2))
    assert np.array_equal(first.draws, second.draws) and first.solves == second.solves
    assert count == 2 * first.solves
    assert first.steps[0, 0] == SMALL.first and first.steps[-1, 0] == 1 and (np.diff(first.steps[:, 0]) > 0).all()


@pytest.mark.parametrize(
    ("off", "sigma", "searches", "reached"), [(0.0, 0.05, 2, 2), (1.0, 0.05, 3, 0), (1.0, 1.0, 2, 2)]
)
def test_searches_go_on_until_enough_of_them_explain_the_data_by_their_errors(off, sigma, searches, reached):
    """Data that no model makes are reached by none; errors as large as they are off explain them."""
    use = posterior.Settings(searches=2, most=3, solves=400, particles=64, moves=1)
    found = drawn(bent, [0.1, 0.0, 0.25, 0.1 + off], 2, seed=2, sigma=sigma, settings=use)
    assert (found.searches, found.reached) == (searches, reached)


def test_errors_that_no_power_leads_to_are_told_and_tiny_ones_are_not():
    def line(models):
        return models @ np.array([[1.0, 0.3], [0.2, 1.0]])

    use = posterior.Settings(searches=1, most=1, solves=100, particles=16, moves=1)
    small = drawn(line, [0.3, 0.1], 2, seed=1, sigma=1e-6, settings=use)
    assert np.isfinite(small.log_likelihood).all()
    with pytest.raises(ValueError, match="sigma must leave the posterior more than one model"):
        drawn(line, [0.3, 0.1], 2, seed=1, sigma=1e-12, settings=use)


def test_more_models_at_once_than_are_remembered(monkeypatch):
    monkeypatch.setattr(posterior, "_MEMORY", 100)
    assert drawn(bent, [0.1, 0.0, 0.25, 0.1], 2, seed=2).draws.shape == (200, 2)


def test_models_that_cannot_be_simulated_are_never_drawn():
    def simulate(models):
        return np.where(models[:, :1] > 0, np.nan, bent(models))

    assert (drawn(simulate, [0.1, 0.0, 0.25, 0.1], 2, seed=2).draws[:, 0] <= 0).all()


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"sigma": -1.0}, "sigma must be positive"),
        ({"sigma": [1.0, 1.0]}, "sigma must have shape"),
        ({"settings": posterior.Settings(particles=16)}, "particles must be at least"),
        ({"d": 1}, "d must be"),
    ],
)
def test_what_is_wrong_is_told(wrong, says):
    kept = {"sigma": 1.0, "rng": np.random.default_rng(1), "settings": SMALL, "d": 5} | wrong
    d = kept.pop("d")
    with pytest.raises((ValueError, TypeError), match=says):
        posterior.sample(lambda models: models[:, :1] * np.ones(4), np.zeros(4), d, **kept)


def test_weights_shrink_the_cloud_where_moves_are_few():
    """With one move a power the cloud follows the likelihood by its weights alone."""
    rng = np.random.default_rng(5)
    matrix, sigma = rng.standard_normal((30, 5)), 0.1
    data = matrix @ np.array([0.3, -0.2, 0.5, 0.0, -0.4]) + sigma * rng.standard_normal(30)
    few = posterior.Settings(searches=1, solves=4000, particles=400, first=0.001, moves=1)
    found = drawn(lambda models: models @ matrix.T, data, 5, 1, sigma, few)
    rest = np.linalg.lstsq(matrix, data, rcond=None)[1][0] / sigma**2
    above = -2 * found.log_likelihood - rest  # chi square with five degrees of freedom
    assert above.mean() < 8
