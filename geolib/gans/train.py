"""One adversarial training loop for every network of the book."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from geolib._arguments import checked, hold
from geolib._autograd import taking_gradients
from geolib.gans.losses import Loss

Penalty = Callable[[Callable[[Tensor], Tensor], Tensor, Tensor], Tensor]
# What a network takes beside its first argument (labels, codes) travels as a tuple, so one loop serves all variants.
Inputs = tuple[Tensor, ...]
_PARTS = ("rng", "generator", "critic", "generator_optimizer", "critic_optimizer")


@dataclass
class Players:
    """The two networks with their optimisers.

    Attributes
    ----------
    generator, critic : nn.Module
        `generator(*inputs)` makes samples; `critic(samples, *conditions)` returns one score each.
    generator_optimizer, critic_optimizer : torch.optim.Optimizer
        One for each network.
    """

    generator: nn.Module
    critic: nn.Module
    generator_optimizer: torch.optim.Optimizer
    critic_optimizer: torch.optim.Optimizer

    def __post_init__(self) -> None:
        """Check that each is what it should be."""
        hold(self)


@dataclass(frozen=True)
class Game:
    """The rules of a training.

    Attributes
    ----------
    loss : Loss
        The pair of losses.
    draw_real : callable
        Returns a batch of real samples `(n, ...)` and the conditions that go with it (an empty tuple for none).
    draw_inputs : callable
        Takes n and those conditions, returns the generator's inputs.
    critic_steps : int
        Critic updates before each generator update.
    penalty : callable, optional
        Takes critic, real and generated samples and returns what is added to the critic's loss.
    penalty_every : int
        The penalty is taken at every so many critic steps and multiplied by that number.
    reuse_real : bool
        Use one real batch for all critic steps of an iteration (Niu et al. 2020, algorithm 1).
    extra : callable, optional
        Takes generated samples, inputs and conditions and returns a term of the generator's loss.
    """

    loss: Loss
    draw_real: Callable[[], tuple[Tensor, Inputs]]
    draw_inputs: Callable[[int, Inputs], Inputs]
    critic_steps: int = 1
    penalty: Penalty | None = None
    penalty_every: int = 1
    reuse_real: bool = False
    extra: Callable[[Tensor, Inputs, Inputs], Tensor] | None = None

    def __post_init__(self) -> None:
        """Check losses, functions and counts."""
        hold(self, critic_steps=(1, None), penalty_every=(1, None))


@dataclass(frozen=True)
class Step:
    """Losses of one iteration (critic's last step), detached."""

    iteration: int
    critic_loss: float
    generator_loss: float
    penalty: float


@checked(iterations=(0, None), start=(0, None))
def train(players: Players, game: Game, iterations: int, *, start: int = 0) -> Iterator[Step]:
    """Train, yielding after every generator step; the caller records, averages, evaluates and saves.

    Parameters
    ----------
    players : Players
        Changed in place.
    game : Game
        The rules.
    iterations : int
        Generator steps to make.
    start : int
        Number of the first iteration, for a resumed run (it keeps the rhythm of `penalty_every`).

    Yields
    ------
    Step
        The losses of the iteration.

    Raises
    ------
    FloatingPointError
        If a loss is no longer finite.
    """
    critic_step = start * game.critic_steps
    for iteration in range(start, start + iterations):
        with taking_gradients():
            real, conditions = game.draw_real()
            for index in range(game.critic_steps):
                if index and not game.reuse_real:
                    real, conditions = game.draw_real()
                critic_loss, penalty = _critic_step(players, game, real, conditions, critic_step)
                critic_step += 1
            generator_loss = _generator_step(players, game, len(real), conditions)
        step = Step(iteration, critic_loss, generator_loss, penalty)
        if not all(map(torch.isfinite, map(torch.tensor, (critic_loss, generator_loss)))):
            raise FloatingPointError(
                f"losses must be finite; got {step}. Lower the learning rate or the initial scale."
            )
        yield step


def _critic_step(players: Players, game: Game, real: Tensor, conditions: Inputs, number: int) -> tuple[float, float]:
    inputs = game.draw_inputs(len(real), conditions)
    with torch.no_grad():
        fake = players.generator(*inputs)
    loss = game.loss.critic(players.critic(real, *conditions), players.critic(fake, *conditions))
    penalty = torch.zeros(())
    if game.penalty is not None and number % game.penalty_every == 0:
        penalty = game.penalty(lambda x: players.critic(x, *conditions), real, fake) * game.penalty_every
    players.critic_optimizer.zero_grad(set_to_none=True)
    (loss + penalty).backward()
    players.critic_optimizer.step()
    return (loss + penalty).item(), penalty.item()


def _generator_step(players: Players, game: Game, n: int, conditions: Inputs) -> float:
    inputs = game.draw_inputs(n, conditions)
    # The critic is frozen here: its gradients would be thrown away.
    with frozen(players.critic):
        fake = players.generator(*inputs)
        loss = game.loss.generator(players.critic(fake, *conditions))
        if game.extra is not None:
            loss = loss + game.extra(fake, inputs, conditions)
        players.generator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        players.generator_optimizer.step()
    return loss.item()


@contextlib.contextmanager
def frozen(network: nn.Module) -> Iterator[None]:
    """Take no gradients of a network's parameters; afterwards each takes them again that did before."""
    learning = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)


@contextlib.contextmanager
def evaluating(network: nn.Module) -> Iterator[None]:
    """Put a network in evaluation mode; afterwards every module of it is in the mode it was in."""
    training = [module for module in network.modules() if module.training]
    network.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True


@checked(iteration=(0, None), decay=(0, 1))
@torch.no_grad()
def average(mean: nn.Module, current: nn.Module, iteration: int, decay: float) -> None:
    """Move the weights of `mean` towards those of `current`, the less the more iterations have gone into it.

    The decay rises from 0.1 to `decay`, so that the random start is soon forgotten. Statistics of batch norms are taken
    over as they are.

    Parameters
    ----------
    mean, current : nn.Module
        Networks of one kind; `mean` is changed in place.
    iteration : int
        Number of the iteration that made `current`, from 0.
    decay : float
        Share of the old mean that stays, in the long run.
    """
    decay = min(decay, (1 + iteration) / (10 + iteration))
    for own, other in zip(mean.parameters(), current.parameters(), strict=True):
        own.lerp_(other, 1 - decay)
    for statistic, latest in zip(mean.buffers(), current.buffers(), strict=True):
        statistic.copy_(latest)


@checked()
def pack(players: Players, rng: torch.Generator) -> dict[str, np.ndarray]:
    """Return the whole state of a training as arrays: networks, optimisers and the state of `rng`.

    A training restored by `unpack` goes on bit for bit as if it had never stopped (same machine, same thread count).
    """
    arrays = {"rng": rng.get_state().numpy()}
    for name, network, optimizer in _sides(players):
        for key, value in network.state_dict().items():
            arrays[f"{name}.{key}"] = value.cpu().numpy().copy()
        for index, slots in optimizer.state_dict()["state"].items():
            for key, value in slots.items():
                arrays[f"{name}_optimizer.{index}.{key}"] = torch.as_tensor(value).cpu().numpy().copy()
    return arrays


@checked()
def unpack(players: Players, rng: torch.Generator, arrays: Mapping[str, np.ndarray]) -> None:
    """Put the state saved by `pack` into `players` and `rng`, in place.

    Raises
    ------
    ValueError
        If the arrays are of other networks or incomplete.
    """
    lacking = sorted(_expected(players, arrays) ^ {key for key in arrays if key.split(".")[0] in _PARTS})
    if lacking:
        raise ValueError(
            f"checkpoint must hold the state of these networks; {lacking[0]!r} differs. Delete it and start anew."
        )
    try:
        for name, network, optimizer in _sides(players):
            weights = {k.removeprefix(f"{name}."): v for k, v in arrays.items() if k.startswith(f"{name}.")}
            network.load_state_dict({k: torch.from_numpy(np.array(v)) for k, v in weights.items()})
            state: dict[int, dict[str, Tensor]] = {}
            for key, value in arrays.items():
                if key.startswith(f"{name}_optimizer."):
                    _, index, slot = key.split(".")
                    state.setdefault(int(index), {})[slot] = torch.from_numpy(np.array(value))
            optimizer.load_state_dict({**optimizer.state_dict(), "state": state})
        rng.set_state(torch.from_numpy(np.array(arrays["rng"])))
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"checkpoint must hold the state of these networks; {reason}. Delete it and start anew."
        ) from None


def _expected(players: Players, arrays: Mapping[str, np.ndarray]) -> set[str]:
    """Return the names that a whole checkpoint of these players has, given what its optimisers keep of a weight."""
    optimizers = [optimizer for _, _, optimizer in _sides(players)]
    slots = {(key.split(".")[0], key.split(".")[-1]) for key in arrays if key.split(".")[0].endswith("_optimizer")}
    if type(optimizers[0]) is type(optimizers[1]):
        slots = {(side, slot) for side in _PARTS if side.endswith("_optimizer") for _, slot in slots}
    names = {"rng"}
    for name, network, optimizer in _sides(players):
        names |= {f"{name}.{key}" for key in network.state_dict()}
        n = sum(len(group["params"]) for group in optimizer.param_groups)
        names |= {f"{side}.{i}.{slot}" for side, slot in slots if side == f"{name}_optimizer" for i in range(n)}
    return names


def _sides(players: Players) -> tuple[tuple[str, nn.Module, torch.optim.Optimizer], ...]:
    return (
        ("generator", players.generator, players.generator_optimizer),
        ("critic", players.critic, players.critic_optimizer),
    )
