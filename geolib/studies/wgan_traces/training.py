"""The training of `wgan_traces`: each epoch's networks are kept, a killed run goes on exactly.

What is kept of an epoch is all that its assessment needs, so that measures may be added later
without training again.
"""

from __future__ import annotations

import copy
import math
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import ClassVar, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from geolib._runtime import keep_memory
from geolib.gans import losses, wgan
from geolib.gans.train import Game, Players, Step, average, pack, train, unpack
from geolib.runs.recheck import Recheck, beginning
from geolib.runs.store import Arrays, Store
from geolib.runs.study import Study
from geolib.runs.unit import Single, Unit, under
from geolib.studies.wgan_traces.config import ConditionalConfig, GathersConfig, TracesConfig

BETAS = (0.5, 0.999)  # published beta1; the paper does not mention beta2, so Adam's default
CURVES = ("critic_loss", "generator_loss", "penalty")

#: Steps that another processor still follows, by the critic's arithmetic. bfloat16 rounds to 0.4 %:
#: after the first step the losses of traces to order are 5 % apart by the sixth.
FOLLOWED = {"float32": 10, "bfloat16": 1}
C = TypeVar("C", ConditionalConfig, GathersConfig)
#: What draws n latents.
Latents = Callable[[int, torch.Generator], torch.Tensor]


def first_steps(
    seconds: float, arrays: Arrays, train: Callable[[int], Arrays], n: int = FOLLOWED["float32"]
) -> Recheck:
    """Return the recheck of a training by its first n losses; `train` makes so many again."""
    how = f"the first {n} steps of its training" if n > 1 else "the first step of its training"
    return beginning(how, seconds, arrays, dict.fromkeys(CURVES, n), lambda: train(n))


class OneTraining(Study[C]):
    """A study of one unit, a training that is rechecked by its first steps."""

    kinds = (Single,)

    #: Seconds that its first steps take, measured on one core: most of it models what they see.
    seconds: ClassVar[float]

    @abstractmethod
    def train(self, config: C) -> Arrays:
        """Return what is kept of the training."""

    def first(self, config: C, n: int) -> Arrays:
        """Return the curves of the first n steps."""
        return self.train(replace(config, iterations=n))

    def units(self, config: C) -> list[Unit]:
        """Return the one unit."""
        return [Single("training")]

    def compute(
        self, config: C, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the unit."""
        for unit in units:
            yield unit, self.train(config)

    def recheck(self, config: C, unit: Unit, arrays: Arrays, seconds: float) -> Recheck | None:
        """Return how the training is rechecked: by its first steps."""
        n = FOLLOWED[getattr(config, "precision", "float32")]
        return first_steps(self.seconds, arrays, partial(self.first, config), n)


@dataclass
class Progress:
    """A training between two epochs; `mean` is the generator of averaged weights."""

    players: Players
    mean: nn.Module
    rng: torch.Generator
    epoch: int = 0


def torch_rng(*entropy: int) -> torch.Generator:
    """Return a generator whose stream depends on all the numbers given."""
    seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))


def start(config: TracesConfig, *, activation_first: bool = False) -> Progress:
    """Return a training before its first epoch; `activation_first` as in `wgan.make_generator`."""
    rng = torch_rng(config.seed, 10)
    generator = wgan.make_generator(config.init_std, rng=rng, activation_first=activation_first)
    critic = wgan.make_critic(config.init_std, rng=rng, precision=config.precision)
    adam = partial(torch.optim.Adam, lr=config.learning_rate, betas=BETAS, fused=True)
    players = Players(generator, critic, adam(generator.parameters()), adam(critic.parameters()))
    return Progress(players, copy.deepcopy(generator), rng)


def run_epoch(
    config: TracesConfig,
    training: torch.Tensor,
    progress: Progress,
    first: int | None = None,
    latents: Latents | None = None,
) -> list[Step]:
    """Train one epoch, or its first steps, and return these; changes `progress` in place.

    Latents are uniform as the configuration says, or as `latents` draws them.
    """
    draw = latents or partial(wgan.draw_latents, low=config.latent_low)
    rng, players = progress.rng, progress.players
    passes = 1 if config.reuse_real else config.critic_steps
    orders = [torch.randperm(len(training), generator=rng) for _ in range(passes)]
    batches = iter([rows for order in orders for rows in order.split(config.batch)])
    game = Game(
        losses.WASSERSTEIN,
        draw_real=lambda: (training[next(batches)], ()),
        draw_inputs=lambda n, _: (draw(n, rng),),
        critic_steps=config.critic_steps,
        penalty=lambda c, x, y: config.penalty_weight * losses.gradient_penalty(c, x, y, rng),
        reuse_real=config.reuse_real,
    )
    iterations = math.ceil(len(training) / config.batch)
    steps = []
    before = progress.epoch * iterations
    for step in train(players, game, first or iterations, start=before):
        average(progress.mean, players.generator, step.iteration, config.averaging)
        steps.append(step)
    progress.epoch += 1
    return steps


class Album(Protocol):
    """What is drawn from every epoch because later ones look back on it."""

    def add(self, epoch: int, kept: Mapping[str, np.ndarray]) -> None:
        """Take the networks of the next epoch."""

    def clear(self) -> None:
        """Forget all epochs."""

    def pack(self) -> Arrays:
        """Return all that `restore` needs besides the networks."""

    def restore(self, arrays: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray]) -> None:
        """Take what `pack` gave, and the networks of the epoch at which it did."""


def epochs(
    config: TracesConfig,
    training: torch.Tensor,
    store: Store | None,
    last: int,
    *,
    first: int = 1,
    album: Album | None = None,
) -> Iterator[tuple[int, Arrays]]:
    """Yield curves and networks of epochs `first` to `last`, from `store` or by training.

    The store's unit `state` alone is enough to go on from its epoch: it holds the album as well.
    Earlier epochs are made from the networks that are kept of every epoch.
    """
    keep_memory()
    progress, state = _restore(config, store)
    epoch = 0
    if first >= progress.epoch > 0:
        epoch = progress.epoch
        if album is not None:
            album.restore(under("album.", state), state)
        if epoch == first:
            yield epoch, state
    shown = max(epoch, first - 1)
    while epoch < last:
        epoch, found = epoch + 1, None
        if epoch <= progress.epoch:
            found = store.get(_name(epoch)) if store is not None else None
            if found is None:  # a lost epoch: nothing but the beginning leads to it
                progress, epoch = start(config), 0
                if album is not None:
                    album.clear()
                continue
            kept = found[0]
        else:
            kept = _curves(run_epoch(config, training, progress)) | _networks(progress)
        if album is not None:
            album.add(epoch, kept)
        if store is not None and found is None:
            _save(config, store, progress, kept, album)
        if epoch > shown:
            shown = epoch
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
            f"folder must hold the networks of epoch {epoch}; {store.folder} does not. "
            "Run that epoch first."
        )
    return found[0]


def fill(network: nn.Module, arrays: Mapping[str, np.ndarray], prefix: str) -> nn.Module:
    """Return a network with the weights kept under `prefix` ("generator", "mean", "critic")."""
    found = under(f"{prefix}.", arrays)
    network.load_state_dict(
        {name: torch.from_numpy(np.array(value)) for name, value in found.items()}
    )
    return network


def _name(epoch: int) -> str:
    return f"networks-{epoch:04d}"


def curves(steps: list[Step]) -> Arrays:
    """Return the losses of steps and the penalty, by name."""
    return {name: np.array([getattr(s, name) for s in steps], dtype=np.float32) for name in CURVES}


def _curves(steps: list[Step]) -> Arrays:
    return {f"curve.{name}": value for name, value in curves(steps).items()}


def _networks(progress: Progress) -> Arrays:
    players = progress.players
    parts = {"generator": players.generator, "mean": progress.mean, "critic": players.critic}
    return {
        name: value
        for prefix, network in parts.items()
        for name, value in _weights(prefix, network).items()
    }


def _weights(prefix: str, network: nn.Module) -> Arrays:
    return {
        f"{prefix}.{name}": value.numpy().copy() for name, value in network.state_dict().items()
    }


def _save(
    config: TracesConfig, store: Store, progress: Progress, kept: Arrays, album: Album | None
) -> None:
    """Save an epoch's networks, then the state: an epoch counts once all of it is saved."""
    record = {"key": config.key(), "epoch": progress.epoch}
    store.put(_name(progress.epoch), kept, record)
    state = {
        f"players.{name}": value for name, value in pack(progress.players, progress.rng).items()
    }
    state |= _weights("mean", progress.mean)
    state |= {name: value for name, value in kept.items() if name.startswith("curve.")}
    state |= (
        {f"album.{name}": value for name, value in album.pack().items()}
        if album is not None
        else {}
    )
    store.put("state", state, record)


def _restore(config: TracesConfig, store: Store | None) -> tuple[Progress, Arrays]:
    """Return the training as the store has it, and curves, networks and album of its epoch."""
    progress = start(config)
    found = store.get("state") if store is not None else None
    if found is None:
        return progress, {}
    arrays, record = found
    if record.get("key") != config.key():
        raise ValueError(
            f"checkpoint must be of this configuration ({config.key()}); got {record.get('key')}. "
            "Use another folder."
        )
    unpack(progress.players, progress.rng, under("players.", arrays))
    fill(progress.mean, arrays, "mean")
    progress.epoch = int(record["epoch"])
    rest = {name: value for name, value in arrays.items() if name.startswith(("curve.", "album."))}
    return progress, rest | _networks(progress)
