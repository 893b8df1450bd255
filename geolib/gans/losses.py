"""Adversarial losses and the two gradient penalties, one of each for the whole package."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from geolib._arguments import checked, hold
from geolib._autograd import taking_gradients

Critic = Callable[..., Tensor]


@dataclass(frozen=True)
class Loss:
    """A pair of losses on scores (before any sigmoid).

    Attributes
    ----------
    critic : callable
        Takes scores of real and of generated samples, returns what the critic minimises.
    generator : callable
        Takes scores of generated samples, returns what the generator minimises.
    """

    critic: Callable[[Tensor, Tensor], Tensor]
    generator: Callable[[Tensor], Tensor]

    def __post_init__(self) -> None:
        """Check that both are functions."""
        hold(self)


def _wasserstein_critic(real: Tensor, fake: Tensor) -> Tensor:
    return fake.mean() - real.mean()


def _cross_entropy_critic(real: Tensor, fake: Tensor, real_label: float = 1.0) -> Tensor:
    ones = torch.full_like(real, real_label)
    zeros = torch.zeros_like(fake)
    to_real = functional.binary_cross_entropy_with_logits(real, ones)
    return to_real + functional.binary_cross_entropy_with_logits(fake, zeros)


#: The Wasserstein game (Arjovsky et al. 2017); Niu et al. (2020), equations 3 and 4 without the penalty.
WASSERSTEIN = Loss(_wasserstein_critic, lambda fake: -fake.mean())

#: The minimax game (Goodfellow et al. 2014): the generator descends E log(1 - D); starves when D is sure.
SATURATING = Loss(_cross_entropy_critic, lambda fake: functional.logsigmoid(-fake).mean())

#: The usual remedy: the generator ascends E log D.
NON_SATURATING = Loss(_cross_entropy_critic, lambda fake: -functional.logsigmoid(fake).mean())


@checked()
def smoothed(real_label: float = 0.9) -> Loss:
    """Return the non-saturating loss with one-sided label smoothing (Salimans et al. 2016, section 3.4).

    Parameters
    ----------
    real_label : float
        Target of real samples, in (0, 1]; generated samples keep the target 0.

    Raises
    ------
    ValueError
        If the label is outside (0, 1].
    """
    if not 0 < real_label <= 1:
        raise ValueError(f"real_label must be in (0, 1]; got {real_label}. The usual choice is 0.9.")
    return Loss(lambda real, fake: _cross_entropy_critic(real, fake, real_label), NON_SATURATING.generator)


def _samples(real: Tensor) -> None:
    if real.ndim < 2:
        raise ValueError(
            f"real must have an axis of samples and another; got shape {tuple(real.shape)}. Give (n, ...)."
        )


@checked("real", "fake")
@taking_gradients()
def gradient_penalty(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator | None = None) -> Tensor:
    r"""Return the two-sided gradient penalty of WGAN-GP.

    :math:`E[(\|\nabla_x D(x)\|_2 - 1)^2]` at points drawn uniformly on the segments between pairs of samples.

    Parameters
    ----------
    critic : callable
        Maps `(n, ...)` to one score for each sample.
    real, fake : Tensor
        Samples `(n, ...)` of the same shape.
    rng : torch.Generator, optional
        Source of the mixing ratios.

    Returns
    -------
    Tensor
        A scalar that can be differentiated in the critic's parameters.

    Raises
    ------
    ValueError
        If the shapes differ.

    Notes
    -----
    Costs one forward, one backward and, later, one double backward pass of the critic.

    References
    ----------
    Gulrajani et al. (2017), equation 3; Niu et al. (2020), equation 2, which lacks the expectation.
    """
    _samples(real)
    if real.shape != fake.shape:
        raise ValueError(
            f"real and fake must have one shape; got {tuple(real.shape)} and {tuple(fake.shape)}. Trim one."
        )
    ratio = torch.rand(len(real), *[1] * (real.ndim - 1), generator=rng, device=real.device, dtype=real.dtype)
    mixed = (ratio * real.detach() + (1 - ratio) * fake.detach()).requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(mixed).sum(), mixed, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


@checked("real")
@taking_gradients()
def r1_penalty(critic: Critic, real: Tensor) -> Tensor:
    r"""Return half the mean squared gradient norm at real samples, :math:`\frac12 E\|\nabla_x D(x)\|^2`.

    References
    ----------
    Mescheder, Geiger and Nowozin (2018), equation 9, with gamma left to the caller.
    """
    _samples(real)
    points = real.detach().clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(critic(points).sum(), points, create_graph=True)
    return 0.5 * gradient.flatten(1).square().sum(1).mean()
