import numpy as np
import pytest
from scipy import stats

from geolib.inversion import dream


def test_a_flat_likelihood_gives_the_prior():
    chains = dream.sample(lambda x: np.zeros(len(x)), 5, 8000, np.random.default_rng(0), thin=20)
    draws = chains.draws[:, 50:].reshape(-1, 5)
    # Proposals inside the box are all accepted: only snooker moves may leave it or meet a density factor.
    assert np.all(chains.acceptance_rate > 0.85)
    # Five tests at once: Bonferroni keeps a false alarm below one in a thousand.
    assert min(stats.kstest(draws[:, i], stats.uniform(-1, 2).cdf).pvalue for i in range(5)) > 2e-4


def test_a_correlated_gaussian():
    covariance = 0.03 * np.array([[1, 0.9], [0.9, 1]])
    precision = np.linalg.inv(covariance)
    target = lambda x: -0.5 * np.einsum("ni,ij,nj->n", x, precision, x)  # noqa: E731
    chains = dream.sample(target, 2, 10_000, np.random.default_rng(1), thin=5)
    draws = chains.draws[:, 500:].reshape(-1, 2)
    # Some 2000 effective draws: variances to 3 %, doubled.
    np.testing.assert_allclose(np.cov(draws.T), covariance, rtol=0.08)
    np.testing.assert_allclose(draws.mean(0), 0, atol=0.015)


def test_a_bimodal_mixture_in_ten_dimensions():
    def target(x):
        modes = [-0.5 * np.square(x - centre).sum(1) / 0.01 for centre in (-0.5, 0.5)]
        return np.logaddexp(np.log(1 / 3) + modes[0], np.log(2 / 3) + modes[1])

    chains = dream.sample(target, 10, 20_000, np.random.default_rng(0), thin=5)
    draws = chains.draws[:, 1000:].reshape(-1, 10)
    upper = draws.mean(1) > 0
    # Chains hop between the modes some hundred times: the share is known to about 0.03.
    assert upper.mean() == pytest.approx(2 / 3, abs=0.09)
    assert draws[upper].mean() == pytest.approx(0.5, abs=0.01)
    assert draws[upper].std(0).mean() == pytest.approx(0.1, rel=0.05)


def test_the_archive_rows_of_a_chain_are_different_and_uniform():
    rows = dream._distinct(6, 60_000, 3, np.random.default_rng(0))
    assert np.all((rows[0] != rows[1]) & (rows[1] != rows[2]) & (rows[0] != rows[2]))
    counts = np.array([np.bincount(row, minlength=6) for row in rows])
    assert stats.chisquare(counts.ravel()).pvalue > 1e-3


def test_states_stay_in_the_box_and_the_record_falls_in_line():
    target = lambda x: -50 * np.square(x - 0.98).sum(1)  # noqa: E731
    chains = dream.sample(target, 3, 500, np.random.default_rng(2))
    assert np.abs(chains.draws).max() <= 1
    assert chains.draws.shape == (8, 500, 3) and chains.runs == 8 * 501
    assert np.all(np.diff(chains.record, axis=0) > 0)
    assert target(chains.best[None])[0] == pytest.approx(chains.record[-1, 1])
    assert chains.log_likelihood.max() == pytest.approx(chains.record[-1, 1])


def test_a_target_ends_the_search_and_the_seed_fixes_it():
    target = lambda x: -50 * np.square(x).sum(1)  # noqa: E731
    runs = [dream.sample(target, 3, 5000, np.random.default_rng(5), target=-0.05) for _ in range(2)]
    assert runs[0].runs < 8 * 5000 and runs[0].record[-1, 1] >= -0.05
    np.testing.assert_array_equal(runs[0].draws, runs[1].draws)


def test_gaussian_likelihood():
    value = dream.gaussian(lambda x: x, np.zeros((1, 2)), 2.0)(np.array([[2.0, 4.0]]))
    np.testing.assert_allclose(value, [-2.5])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dream.gaussian(lambda x: x, np.zeros(2), 0.0), "sigma must be positive; got 0"),
        (lambda: dream.sample(lambda x: x[:, 0], 2, 0, np.random.default_rng(0)), "generations must be at least 1"),
        (lambda: dream.sample(lambda x: x[:, 0], 2, 5, np.random.default_rng(0), thin=6), "thin must be between 1"),
        (lambda: dream.sample(lambda x: x[:, 0], 0, 5, np.random.default_rng(0)), "n_dim must be at least 1"),
        (lambda: dream.sample(lambda x: x[:, 0] * np.nan, 2, 5, np.random.default_rng(0)), "first state; got nan"),
        (lambda: dream.Settings(crossovers=0), "crossovers must be at least 1"),
        (lambda: dream.Settings(append_every=0), "append_every must be at least 1"),
        (lambda: dream.Settings(archive_per_dimension=1), "archive_per_dimension must be at least 3"),
        (lambda: dream.Settings(snooker=2.0), "snooker must be between 0 and 1; got 2"),
        (lambda: dream.Settings(jitter=-1), "jitter must be at least 0; got -1"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
