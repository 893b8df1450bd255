"""What is no finite number never becomes a search's best, its mean or its curve."""

import itertools
import math
import warnings

import numpy as np
import pytest
import torch

from geolib.inversion import descent, dream, gauss_newton, latent

BAD = [math.nan, math.inf, -math.inf]
START = torch.tensor([[0.5, 0.2], [0.1, 0.1], [-0.4, 0.3]], dtype=torch.float64)
DATA = torch.zeros(3, 2, dtype=torch.float64)


def spoilt(bad, when):
    """A linear simulation whose second row is `bad` from its call number `when` on."""
    calls = itertools.count()

    def simulate(latents):
        factor = torch.ones_like(latents)
        if next(calls) >= when:
            factor[1::3] = bad
        return 2 * latents * factor

    return simulate


def whole(search):
    for part in (search.misfit, search.best, search.best_latent, search.last_latent):
        assert part.isfinite().all()


@pytest.mark.parametrize("bad", BAD)
def test_a_start_that_is_lost_by_adam_rests_and_harms_no_other(bad):
    draws = torch.rand(3, 6, 2, dtype=torch.float64) * 2 - 1
    clean = latent.adam(spoilt(1.0, 0), DATA, START, draws, rate=0.05)
    found = latent.adam(spoilt(bad, 3), DATA, START, draws, rate=0.05)
    whole(found)
    for name in ("misfit", "best_latent", "last_latent"):
        assert torch.equal(getattr(found, name)[[0, 2]], getattr(clean, name)[[0, 2]])
    assert torch.equal(found.misfit[1, :3], clean.misfit[1, :3])
    assert found.misfit[1, 3:].tolist() == [found.misfit[1, 2].item()] * 3
    assert found.moving.tolist() == [True, False, True]


def test_a_gradient_that_is_no_number_moves_nothing():
    # The root of zero has a finite value and no finite slope.
    def simulate(latents):
        return torch.stack([latents[:, 0].abs().sqrt(), latents[:, 1]], 1)

    start = torch.tensor([[0.0, 0.5], [0.4, 0.5]], dtype=torch.float64)
    found = latent.adam(simulate, DATA[:2] + 1, start, torch.zeros(2, 5, 2, dtype=torch.float64), rate=0.05)
    whole(found)
    assert torch.equal(found.last_latent[0], start[0]) and found.misfit[1, -1] < found.misfit[1, 0]


@pytest.mark.parametrize("bad", BAD)
def test_a_start_that_is_lost_by_gauss_newton_rests_and_harms_no_other(bad):
    def linearise(simulate):
        return gauss_newton.central_differences(simulate, 0.1)

    # The differences put five latents of a start together, so the spoilt row is that of a start in every call.
    def rows(simulate):
        return lambda latents: simulate(latents.view(3, 5, 2).transpose(0, 1)).transpose(0, 1).reshape(15, 2)

    def stacked(bad, when):
        calls = itertools.count()

        def simulate(latents):
            factor = torch.ones_like(latents)
            if next(calls) >= when:
                factor[:, 1] = bad
            return 2 * latents * factor

        return rows(simulate)

    clean = gauss_newton.gauss_newton(linearise(stacked(1.0, 0)), DATA, START, 4)
    found = gauss_newton.gauss_newton(linearise(stacked(bad, 2)), DATA, START, 4)
    whole(found)
    assert torch.equal(found.misfit[[0, 2]], clean.misfit[[0, 2]])
    assert found.moving.tolist() == [True, False, True]


def test_a_singular_system_of_one_start_does_not_end_the_others():
    def linearise(latents):
        jacobian = torch.eye(2, dtype=torch.float64).repeat(3, 1, 1)
        jacobian[1] = 0
        return latents, jacobian

    found = gauss_newton.gauss_newton(linearise, DATA, START, 3, damping=0.0)
    whole(found)
    assert found.misfit[0, -1] == 0 and torch.equal(found.last_latent[1], START[1])


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("method", ["adam", "gn", "lm"])
def test_a_first_misfit_that_is_no_number_is_refused(method, bad):
    simulate = spoilt(bad, 0)
    linearise = lambda z: (simulate(z), torch.eye(2, dtype=torch.float64).repeat(3, 1, 1))  # noqa: E731
    with pytest.raises(ValueError, match=r"start must have finite predictions; row 1 has a misfit of (nan|inf)\. Draw"):
        if method == "adam":
            latent.adam(simulate, DATA, START, torch.zeros(3, 2, 2, dtype=torch.float64))
        elif method == "gn":
            gauss_newton.gauss_newton(linearise, DATA, START, 2)
        else:
            gauss_newton.levenberg_marquardt(linearise, simulate, DATA, START, 2)


@pytest.mark.parametrize("bad", BAD)
def test_levenberg_marquardt_keeps_what_is_finite(bad):
    linearise = gauss_newton.forward_mode(lambda z: 2 * z)
    found, misfit, _ = gauss_newton.levenberg_marquardt(linearise, spoilt(bad, 1), DATA, START, 4)
    assert found.isfinite().all() and misfit.isfinite().all()
    assert misfit[0] < 1e-2 * START[0].square().mean().sqrt()


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_no_chain_moves_to_a_likelihood_that_is_no_number(bad):
    def log_likelihood(states):
        return np.where(states[:, 0] > 0.2, bad, -50 * np.square(states).sum(1)) if moving else -np.ones(len(states))

    moving = False

    def late(states):
        nonlocal moving
        values = log_likelihood(states)
        moving = True
        return values

    found = dream.sample(late, 2, 300, np.random.default_rng(0))
    assert np.isfinite(found.log_likelihood).all() and np.isfinite(found.record).all() and np.isfinite(found.best).all()
    assert found.draws[:, 50:, 0].max() <= 0.2


def test_a_likelihood_of_zero_is_taken_without_a_warning():
    def log_likelihood(states):
        return np.where(np.abs(states).max(1) < 0.5, 0.0, -np.inf)

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = dream.sample(log_likelihood, 3, 400, np.random.default_rng(1))
        none = dream.sample(lambda states: np.full(len(states), -np.inf), 3, 20, np.random.default_rng(1))
    assert np.abs(found.draws[:, -50:]).max() < 0.5 and np.isfinite(found.record).all()
    assert none.record.shape == (0, 2) and not none.acceptance_rate.any()


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            lambda n: np.zeros((n, 1)),
            r"log_likelihood's result must have shape \(8\); got \(8, 1\)\. Return one",
        ),
        (lambda n: 0.0, r"log_likelihood's result must have shape \(8\); got \(\)\."),
        (lambda n: np.full(n, np.nan), r"must be a number at every first state; got nan\. Return -inf"),
        (lambda n: np.full(n, np.inf), r"must be a number at every first state; got inf\. Return -inf"),
    ],
)
def test_likelihoods_of_another_shape_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        dream.sample(lambda states: values(len(states)), 2, 10, np.random.default_rng(0))


def test_what_is_handed_out_and_back_may_be_kept_and_reused():
    kept, buffer = [], np.empty(8)

    def log_likelihood(states):
        kept.append(states)
        buffer[:] = -np.square(states).sum(1)
        states += 100  # ours to spoil
        return buffer

    spoiling = dream.sample(log_likelihood, 2, 50, np.random.default_rng(0))
    clean = dream.sample(lambda states: -np.square(states).sum(1), 2, 50, np.random.default_rng(0))
    np.testing.assert_array_equal(spoiling.draws, clean.draws)


@pytest.mark.parametrize("method", descent.METHODS)
def test_every_model_of_a_descent_may_be_kept(method):
    kept, seen = [], []

    def objective(model):
        kept.append(model)
        seen.append(model.copy())
        return float(np.square(model).sum()), 2 * model

    rate = {"rate": 0.25} if method in descent.STEP_METHODS else {}
    descent.minimize(objective, np.ones(1), method, iterations=3, **rate)
    np.testing.assert_array_equal(kept, seen)
    if method == "gd":
        assert [float(model[0]) for model in kept] == [1.0, 0.5, 0.25, 0.125]


@pytest.mark.parametrize("method", descent.METHODS)
@pytest.mark.parametrize("spoilt_part", ["misfit", "gradient"])
@pytest.mark.parametrize("bad", BAD)
def test_a_descent_refuses_what_is_no_number(method, spoilt_part, bad):
    calls = itertools.count()

    def objective(model):
        misfit, gradient = float(np.square(model).sum()), 2 * model
        if next(calls) == 2:
            misfit, gradient = (bad, gradient) if spoilt_part == "misfit" else (misfit, bad * np.ones(2))
        return misfit, gradient

    rate = {"rate": 0.1} if method in descent.STEP_METHODS else {}
    derivatives = 2 if spoilt_part == "gradient" else 0
    message = rf"got misfit \S+ and {derivatives} NaN or infinite derivatives at evaluation 2\. Lower"
    with pytest.raises(FloatingPointError, match=message):
        descent.minimize(objective, np.array([3.0, -1.0]), method, iterations=9, **rate)


@pytest.mark.parametrize(
    ("bounds", "kind", "message"),
    [
        (
            (0.0, None),
            TypeError,
            r"^bounds must be two numbers; got \(0\.0, None\)\. Give \(low, high\), -math\.inf or",
        ),
        (3.0, TypeError, r"^bounds must be two numbers; got 3\.0\."),
        ((1.0, 2.0, 3.0), TypeError, r"^bounds must be two numbers; got"),
        ((1.0, -1.0), ValueError, r"^bounds must rise; got 1 to -1\."),
        ((math.nan, 1.0), ValueError, r"^bounds must rise; got nan to 1\."),
    ],
)
def test_bounds_that_are_none_are_refused(bounds, kind, message):
    with pytest.raises(kind, match=message):
        descent.minimize(lambda m: (0.0, m), np.zeros(2), "lbfgs", iterations=2, bounds=bounds)


@pytest.mark.parametrize("method", descent.METHODS)
def test_a_side_may_be_open(method):
    rate = {"rate": 0.1} if method in descent.STEP_METHODS else {}
    objective = lambda m: (float(np.square(m + 1).sum()), 2 * (m + 1))  # noqa: E731
    found = descent.minimize(objective, np.ones(2), method, iterations=60, bounds=(0.0, math.inf), **rate)
    assert (found.model >= 0).all() and found.misfit[-1] < found.misfit[0]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_search_takes_its_gradients_in_every_mode(mode):
    draws = torch.zeros(3, 4, 2, dtype=torch.float64)
    expected = latent.adam(lambda z: 2 * z, DATA, START, draws)
    with mode():
        found = latent.adam(lambda z: 2 * z, DATA.clone(), START.clone(), draws.clone())
    assert torch.equal(found.misfit, expected.misfit)
