"""The training tricks as recipes, and two small games on which each is measured against the plain recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import nn

from geolib import _checks
from geolib._arguments import checked, hold
from geolib.gans import theory
from geolib.gans.losses import NON_SATURATING, smoothed
from geolib.gans.train import Game, Players
from geolib.gans.variants import ConvCritic, ConvGenerator, Draw, Scores, adam, dense, initialise, leaky, normal_latent
from geolib.gans.words import TRICKS as TRICKS


@dataclass(frozen=True)
class Recipe:
    """What a training does beside the plain game.

    Attributes
    ----------
    batch_norm : bool
        Batch norm in both networks, but for the critic's first and the generator's last layer.
    critic_steps : int
        Critic updates per generator update.
    critic_rate : float
        The critic's learning rate in units of the generator's.
    leaky : bool
        Leaky ReLU of slope 0.2 in both networks instead of ReLU.
    leaky_critic : bool
        The same in the critic alone, as Radford et al. (2016) have it.
    real_label : float
        The critic's target for real samples.
    """

    batch_norm: bool = False
    critic_steps: int = 1
    critic_rate: float = 1.0
    leaky: bool = False
    real_label: float = 1.0
    leaky_critic: bool = False

    def __post_init__(self) -> None:
        """Check every number."""
        hold(self, critic_steps=(1, None), critic_rate=(1e-9, None), real_label=(1e-9, 1))


@checked(critic_steps=(1, None), critic_rate=(1e-9, None), real_label=...)
def recipe(name: str, *, critic_steps: int = 5, critic_rate: float = 4.0, real_label: float = 0.9) -> Recipe:
    """Return the recipe of a trick; the strengths are used by the tricks that have one."""
    _checks.choice("trick", name, (*TRICKS, "leaky_critic"))
    plain = Recipe()
    full = Recipe(True, critic_steps, critic_rate, True, real_label)
    changes = {
        "plain": plain,
        "batch_norm": replace(plain, batch_norm=True),
        "critic_steps": replace(plain, critic_steps=critic_steps),
        "critic_rate": replace(plain, critic_rate=critic_rate),
        "leaky": replace(plain, leaky=True),
        "leaky_critic": replace(plain, leaky_critic=True),
        "smooth_label": replace(plain, real_label=real_label),
        "all": full,
    }
    return changes[name]


def _activations(rule: Recipe) -> tuple[Callable[[], nn.Module], Callable[[], nn.Module]]:
    """Return what makes the generator's activations, and the critic's."""
    return leaky if rule.leaky else nn.ReLU, leaky if rule.leaky or rule.leaky_critic else nn.ReLU


def _game(players: tuple[nn.Module, nn.Module], draw: Draw, rule: Recipe, rate: float, latent: int, rng) -> tuple:
    g, d = (initialise(network, rng) for network in players)
    optimizers = adam(g.parameters(), rate), adam(d.parameters(), rate * rule.critic_rate)
    # The generator's loss is the non-saturating one for every recipe.
    loss = smoothed(rule.real_label) if rule.real_label != 1 else NON_SATURATING
    game = Game(loss, draw, normal_latent(rng, latent), critic_steps=rule.critic_steps)
    return Players(g, d, *optimizers), game


@checked(rate=(0, None), width=(1, None), batch=(1, None))
def mixture_game(
    target: theory.Mixture, rule: Recipe, rate: float, rng: torch.Generator, *, width: int = 48, batch: int = 128
) -> tuple[Players, Game]:
    """Return players and rules for learning a mixture in one dimension from a normal latent number.

    Parameters
    ----------
    target : Mixture
        The data's distribution.
    rule : Recipe
        The tricks.
    rate : float
        The generator's learning rate.
    rng : torch.Generator
        Source of weights, data and latent numbers.
    width : int
        Units of each of the two hidden layers.
    batch : int
        Samples per step.
    """
    ours, theirs = _activations(rule)
    g = dense([1, width, width, 1], ours, batch_norm=rule.batch_norm)
    d = Scores(_critic_body(width, theirs, rule.batch_norm))
    return _game((g, d), lambda: (target.sample(batch, rng).float()[:, None], ()), rule, rate, 1, rng)


def _critic_body(width: int, activation, batch_norm: bool) -> nn.Module:
    body = dense([1, width, width, 1], activation, batch_norm=batch_norm)
    # The first batch norm would hide the mean of the batch, which is what the critic is to judge.
    return nn.Sequential(body[0], *list(body)[2:]) if batch_norm else body


@checked(rate=(0, None), size=(8, None), width=(1, None))
def channel_game(
    draw: Draw, rule: Recipe, rate: float, rng: torch.Generator, *, size: int = 16, width: int = 16
) -> tuple[Players, Game]:
    """Return players and rules for convolutional networks on channel patches.

    Parameters
    ----------
    draw : callable
        Returns a batch of real patches `(n, 1, size, size)` and an empty tuple.
    rule : Recipe
        The tricks.
    rate : float
        The generator's learning rate.
    rng : torch.Generator
        Source of weights and latent vectors.
    size, width : int
        Pixels along a patch; channels of the first layer.
    """
    ours, theirs = _activations(rule)
    g = ConvGenerator(size, width, batch_norm=rule.batch_norm, activation=ours)
    d = ConvCritic(size, width, batch_norm=rule.batch_norm, activation=theirs)
    return _game((g, d), draw, rule, rate, 32, rng)
