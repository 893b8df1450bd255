"""The training of `wgan_traces`, epoch by epoch: each epoch's networks are kept, and a killed run goes on exactly.

What is kept of an epoch is all that its assessment needs, so that measures may be added later without training again.
"""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from torch import nn

from geolib._runtime import keep_memory
from geolib.gans import losses, wgan
from geolib.gans.train import Game, Players, Step, average, pack, train, unpack
from geolib.runs.store import Arrays, Store
from geolib.studies.wgan_traces.config import TracesConfig

BETAS = (0.5, 0.999)  # published beta1; the paper does not mention beta2, so Adam's default
CURVES = ("critic_loss", "generator_loss", "penalty")


@dataclass
class Progress:
    """A training between two epochs; `mean` is the generator whose weights are averaged over the iterations."""

    players: Players
    mean: nn.Module
    rng: torch.Generator
    epoch: int = 0


def torch_rng(*entropy: int) -> torch.Generator:
    """Return a generator whose stream depends on all the numbers given."""
    seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))


def start(config: TracesConfig) -> Progress:
    """Return a training before its first epoch."""
    rng = torch_rng(config.seed, 10)
    generator = wgan.make_generator(config.init_std, rng=rng)
    critic = wgan.make_critic(config.init_std, rng=rng, precision=config.precision)
    adam = partial(torch.optim.Adam, lr=config.learning_rate, betas=BETAS, fused=True)
    players = Players(generator, critic, adam(generator.parameters()), adam(critic.parameters()))
    return Progress(players, copy.deepcopy(generator), rng)


def run_epoch(config: TracesConfig, training: torch.Tensor, progress: Progress) -> list[Step]:
    """Train one epoch and return its steps; changes `progress` in place."""
    rng, players = progress.rng, progress.players
    passes = 1 if config.reuse_real else config.critic_steps
    orders = [torch.randperm(len(training), generator=rng) for _ in range(passes)]
    batches = iter([rows for order in orders for rows in order.split(config.batch)])
    game = Game(
        losses.WASSERSTEIN,
        draw_real=lambda: (training[next(batches)], ()),
        draw_inputs=lambda n, _: (wgan.draw_latents(n, rng, config.latent_low),),
        critic_steps=config.critic_steps,
        penalty=lambda c, x, y: config.penalty_weight * losses.gradient_penalty(c, x, y, rng),
        reuse_real=config.reuse_real,
    )
    iterations = math.ceil(len(training) / config.batch)
    steps = []
    for step in train(players, game, iterations, start=progress.epoch * iterations):
        average(progress.mean, players.generator, step.iteration, config.averaging)
        steps.append(step)
    progress.epoch += 1
    return steps


def epochs(
    config: TracesConfig, training: torch.Tensor, store: Store | None, last: int
) -> Iterator[tuple[int, Arrays]]:
    """Yield for epochs 1 to `last` the curves and the networks, from `store` where it has them, else by training."""
    keep_memory()
    progress = _restore(config, store)
    for epoch in range(1, last + 1):
        kept = None
        if epoch <= progress.epoch:
            found = store.get(_name(epoch)) if store is not None else None
            if found is None:
                progress = start(config)  # a lost epoch: nothing but the beginning leads to it
            else:
                kept = found[0]
        while kept is None:
            kept = _kept(progress, run_epoch(config, training, progress))
            if store is not None:
                record = {"key": config.key(), "epoch": progress.epoch}
                store.put(_name(progress.epoch), kept, record)
                store.put("state", _state(progress), record)  # last: an epoch counts once all of it is saved
            if progress.epoch < epoch:
                kept = None
        yield epoch, kept


def load_networks(store: Store, epoch: int) -> Arrays:
    """Return what is kept of an epoch.

    Raises
    ------
    ValueError
        If the folder does not hold it.
    """
    found = store.get(_name(epoch))
    if found is None:
        raise ValueError(
            f"folder must hold the networks of epoch {epoch}; {store.folder} does not. Run that epoch first."
        )
    return found[0]


def fill(network: nn.Module, arrays: Mapping[str, np.ndarray], prefix: str) -> nn.Module:
    """Put the kept weights under `prefix` ("generator", "mean", "critic") into a network of their kind; returns it."""
    found = under(f"{prefix}.", arrays)
    network.load_state_dict({name: torch.from_numpy(np.array(value)) for name, value in found.items()})
    return network


def under(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays whose name starts with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def _name(epoch: int) -> str:
    return f"networks-{epoch:04d}"


def _kept(progress: Progress, steps: list[Step]) -> Arrays:
    kept = {f"curve.{name}": np.array([getattr(s, name) for s in steps], dtype=np.float32) for name in CURVES}
    players = progress.players
    for prefix, network in (("generator", players.generator), ("mean", progress.mean), ("critic", players.critic)):
        kept |= _weights(prefix, network)
    return kept


def _weights(prefix: str, network: nn.Module) -> Arrays:
    return {f"{prefix}.{name}": value.numpy().copy() for name, value in network.state_dict().items()}


def _state(progress: Progress) -> Arrays:
    packed = {f"players.{name}": value for name, value in pack(progress.players, progress.rng).items()}
    return packed | _weights("mean", progress.mean)


def _restore(config: TracesConfig, store: Store | None) -> Progress:
    progress = start(config)
    found = store.get("state") if store is not None else None
    if found is None:
        return progress
    arrays, record = found
    if record.get("key") != config.key():
        raise ValueError(
            f"checkpoint must be of this configuration ({config.key()}); got {record.get('key')}. Use another folder."
        )
    unpack(progress.players, progress.rng, under("players.", arrays))
    fill(progress.mean, arrays, "mean")
    progress.epoch = int(record["epoch"])
    return progress
