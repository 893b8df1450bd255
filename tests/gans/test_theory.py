"""Closed forms of the game against each other, against autograd and against known answers."""

import math

import pytest
import torch

from geolib.gans import theory
from geolib.gans.losses import NON_SATURATING, SATURATING
from geolib.gans.theory import Mixture

P = Mixture.of([0.35, 0.65], [-2.0, 1.5], [0.5, 0.8])
Q = Mixture.of([1.0], [0.0], [1.5])
X = theory.line()


def test_a_density_integrates_to_one_and_agrees_with_torch():
    assert theory.integral(P.density(X), X).item() == pytest.approx(1, abs=1e-12)
    exact = torch.distributions.Normal(0.0, 1.5).log_prob(X)
    assert torch.allclose(Q.log_density(X), exact.double(), atol=1e-5)  # the distribution's parameters are float32


def test_samples_follow_the_mixture():
    samples = P.sample(20000, torch.Generator().manual_seed(0))
    # Three standard errors of mean and second moment at 20000 draws.
    assert samples.mean().item() == pytest.approx(0.35 * -2 + 0.65 * 1.5, abs=0.04)
    assert (samples < 0).double().mean().item() == pytest.approx(0.35 + 0.65 * 0.0304, abs=0.012)


def test_quantiles_invert_the_distribution_function():
    levels = torch.tensor([0.025, 0.5, 0.975], dtype=torch.float64)
    exact = 1.5 * torch.special.ndtri(levels)
    assert torch.allclose(Q.quantiles(levels, X), exact, atol=1e-4)  # linear interpolation on a grid of 0.005


def test_divergence_of_two_normals():
    other = Mixture.of([1.0], [1.0], [2.0])
    exact = math.log(2.0 / 1.5) + (1.5**2 + 1.0) / (2 * 4.0) - 0.5
    wide = theory.line(-40, 40, 16001)
    assert theory.kl(Q, other, wide).item() == pytest.approx(exact, abs=1e-9)


def test_cross_entropy_is_entropy_plus_divergence():
    gap = theory.cross_entropy(P, Q, X) - theory.cross_entropy(P, P, X) - theory.kl(P, Q, X)
    assert abs(gap.item()) < 1e-12


def test_value_at_the_optimum_is_the_shannon_divergence():
    p, q = P.log_density(X), Q.log_density(X)
    found = theory.value(p, q, theory.optimal_logit(p, q), X)
    assert found.item() == pytest.approx(-math.log(4) + 2 * theory.jensen_shannon(p, q, X).item(), abs=1e-12)


def test_no_other_discriminator_has_a_larger_value():
    p, q = P.log_density(X), Q.log_density(X)
    best = theory.optimal_logit(p, q)
    source = torch.Generator().manual_seed(3)
    for _ in range(20):
        bent = best + torch.randn(1, generator=source, dtype=torch.float64) * torch.cos(
            X * torch.rand(1, generator=source)
        )
        assert theory.value(p, q, bent, X) < theory.value(p, q, best, X)


def test_disjoint_distributions_are_log_two_apart():
    p = Mixture.of([1.0], [-6.0], [0.2]).log_density(X)
    q = Mixture.of([1.0], [6.0], [0.2]).log_density(X)
    assert theory.jensen_shannon(p, q, X).item() == pytest.approx(math.log(2), abs=1e-12)


def test_printed_equations_differ_from_the_value():
    p, q = P.log_density(X), Q.log_density(X)
    best = theory.optimal_logit(p, q)
    right = theory.value(p, q, best, X).item()
    second, third = theory.printed_equation_9(p, q, X)
    assert abs(theory.printed_equation_7(p, q, best, X).item() - right) > 0.5
    assert abs(second.item() - right) > 0.5
    assert third.item() == pytest.approx(right, abs=1e-12)


def test_monte_carlo_agrees_within_its_error():
    p, q = P.log_density(X), Q.log_density(X)
    exact = theory.value(p, q, theory.optimal_logit(p, q), X).item()
    found, error = theory.value_monte_carlo(P, Q, 40000, torch.Generator().manual_seed(1))
    assert abs(found - exact) < 4 * error < 0.03


def test_descent_recovers_the_mixture():
    samples = P.sample(4000, torch.Generator().manual_seed(2))
    path, losses = theory.fit(samples, Mixture.of([0.5, 0.5], [-1.0, 1.0], [1.0, 1.0]), 200, 0.5)
    assert len(path) == len(losses) == 201
    assert losses[-1] <= min(losses) + 1e-9
    # Four standard errors of a mean of the smaller part: 0.5 / sqrt(1400).
    assert torch.allclose(path[-1].means, P.means, atol=0.06)


@pytest.mark.parametrize("shift", [0.5, 2.0, 6.0])
def test_pushes_of_both_losses_add_up_to_the_shift(shift):
    both = theory.push_of_generator(SATURATING, shift) + theory.push_of_generator(NON_SATURATING, shift)
    assert both == pytest.approx(shift, rel=1e-9)


@pytest.mark.parametrize("method", ["simultaneous", "extragradient"])
def test_bilinear_paths_grow_by_their_factor(method):
    path = theory.bilinear_game(method, 0.3, 50).norm(dim=1)
    assert torch.allclose(path[1:] / path[:-1], torch.full((50,), theory.bilinear_factor(method, 0.3)).double())


def test_alternating_steps_stay_on_an_ellipse():
    path = theory.bilinear_game("alternating", 0.3, 500)
    x, y = path.T
    # The map keeps x^2 - r x y + y^2.
    kept = x.square() - 0.3 * x * y + y.square()
    assert torch.allclose(kept, torch.ones_like(kept), atol=1e-10)


def test_damped_steps_have_their_spectral_radius():
    path = theory.bilinear_game("damped", 0.2, 300, damping=0.5).norm(dim=1)
    rate = (path[300] / path[100]) ** (1 / 200)
    assert rate.item() == pytest.approx(theory.bilinear_factor("damped", 0.2, 0.5), rel=2e-2)


def test_refusals():
    with pytest.raises(ValueError, match=r"weights must be shares that sum to 1; got \[0.5, 0.6\]"):
        Mixture.of([0.5, 0.6], [0, 1], [1, 1])
    with pytest.raises(ValueError, match=r"scales must be positive; got -1"):
        Mixture.of([1.0], [0.0], [-1.0])
    with pytest.raises(ValueError, match=r"must have one length; got 1, 2 and 1"):
        Mixture.of([1.0], [0.0, 1.0], [1.0])
    with pytest.raises(ValueError, match=r"method must be one of .*Did you mean 'damped'"):
        theory.bilinear_game("dampd", 0.1, 1)
    with pytest.raises(ValueError, match=r"method must be one of"):
        theory.bilinear_factor("euler", 0.1)


def test_the_factor_is_given_where_its_formula_holds():
    with pytest.raises(ValueError, match="damping must be between 0 and 2; got 3"):
        theory.bilinear_factor("damped", 0.2, 3.0)
    with pytest.raises(ValueError, match="rate must be between 0 and 2; got 3"):
        theory.bilinear_factor("alternating", 3.0)
