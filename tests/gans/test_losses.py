import math

import pytest
import torch

from geolib.gans import losses


def linear_critic(weights):
    return lambda x: x.flatten(1) @ weights


@pytest.fixture
def batches():
    rng = torch.Generator().manual_seed(0)
    return torch.rand(7, 1, 5, generator=rng, dtype=torch.float64), torch.rand(7, 1, 5, generator=rng).double()


@pytest.mark.parametrize("norm", [0.3, 1.0, 2.5])
def test_gradient_penalty_of_a_linear_critic_is_known(batches, norm):
    weights = torch.arange(1.0, 6.0, dtype=torch.float64)
    weights *= norm / weights.norm()
    penalty = losses.gradient_penalty(linear_critic(weights), *batches)
    # Five products and a square root in float64: a few units of 1e-16.
    assert penalty.item() == pytest.approx((norm - 1) ** 2, abs=1e-14)


def test_gradient_penalty_is_the_mean_over_samples_and_not_the_norm_of_the_batch(batches):
    # Every sample's gradient has norm 1, so the penalty vanishes; the norm over the batch would be sqrt(7).
    weights = torch.tensor([1.0, 0, 0, 0, 0], dtype=torch.float64)
    assert losses.gradient_penalty(linear_critic(weights), *batches).item() == 0


def test_gradient_penalty_reaches_the_critics_weights(batches):
    weights = torch.full((5,), 0.2, dtype=torch.float64, requires_grad=True)
    losses.gradient_penalty(linear_critic(weights), *batches).backward()
    norm = 0.2 * math.sqrt(5)
    expected = 2 * (norm - 1) * 0.2 / norm  # d/dw (|w| - 1)^2 = 2 (|w| - 1) w / |w|
    assert torch.allclose(weights.grad, torch.full((5,), expected, dtype=torch.float64), rtol=0, atol=1e-14)


def test_gradient_penalty_is_taken_between_the_samples():
    seen = []

    def critic(x):
        seen.append(x.detach())
        return x.sum(dim=1)

    rng = torch.Generator().manual_seed(0)
    losses.gradient_penalty(critic, torch.zeros(1000, 1), torch.ones(1000, 1), rng)
    mixed = seen[0]
    assert mixed.min() >= 0 and mixed.max() <= 1
    # Mean of 1000 uniforms: standard error 0.0091, so 0.05 is more than five of them.
    assert mixed.mean().item() == pytest.approx(0.5, abs=0.05)
    assert len(mixed.unique()) > 900


def test_gradient_penalty_refuses_other_shapes():
    with pytest.raises(ValueError, match=r"real and fake must have one shape; got \(2, 3\) and \(4, 3\). Trim one."):
        losses.gradient_penalty(lambda x: x.sum(1), torch.zeros(2, 3), torch.zeros(4, 3))


def test_r1_penalty_of_a_quadratic_critic_is_known():
    # D(x) = |x|^2 / 2 has the gradient x, so the penalty is half the mean squared length of the samples.
    real = torch.tensor([[3.0, 4.0], [0.0, 1.0]], dtype=torch.float64)
    penalty = losses.r1_penalty(lambda x: x.square().sum(1) / 2, real)
    assert penalty.item() == pytest.approx(0.5 * (25 + 1) / 2, abs=1e-14)


def test_wasserstein_losses_are_opposed():
    real, fake = torch.tensor([1.0, 3.0]), torch.tensor([0.0, 1.0])
    assert losses.WASSERSTEIN.critic(real, fake).item() == -1.5
    assert losses.WASSERSTEIN.generator(fake).item() == -0.5


def test_cross_entropy_losses_of_an_undecided_discriminator():
    zero = torch.zeros(4, dtype=torch.float64)
    for loss in (losses.SATURATING, losses.NON_SATURATING):
        assert loss.critic(zero, zero).item() == pytest.approx(2 * math.log(2), abs=1e-15)
    assert losses.SATURATING.generator(zero).item() == pytest.approx(-math.log(2), abs=1e-15)
    assert losses.NON_SATURATING.generator(zero).item() == pytest.approx(math.log(2), abs=1e-15)


def test_the_saturating_generator_starves_where_the_other_does_not():
    sure = torch.full((1,), -20.0, dtype=torch.float64, requires_grad=True)
    (starved,) = torch.autograd.grad(losses.SATURATING.generator(sure), sure)
    (fed,) = torch.autograd.grad(losses.NON_SATURATING.generator(sure), sure)
    assert abs(starved.item()) < 1e-8  # sigmoid(-20) = 2e-9
    assert fed.item() == pytest.approx(-1, abs=1e-8)


def test_smoothed_label_moves_the_best_score_of_real_samples():
    # The cross entropy with target 0.9 is least where sigmoid(s) = 0.9.
    best = torch.tensor([math.log(9.0)], dtype=torch.float64, requires_grad=True)
    fake = torch.zeros(1, dtype=torch.float64)
    (slope,) = torch.autograd.grad(losses.smoothed(0.9).critic(best, fake), best)
    assert slope.item() == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize("label", [0.0, -1.0, 1.1])
def test_smoothed_refuses_a_label_outside_its_range(label):
    with pytest.raises(ValueError, match=rf"real_label must be in \(0, 1\]; got {label}. The usual choice is 0.9."):
        losses.smoothed(label)
