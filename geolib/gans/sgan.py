"""The spatial GAN of channel images: networks of Laloy et al. (2019), training, weights on disk."""

from __future__ import annotations

import copy
import hashlib
import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from geolib import _checks
from geolib._arguments import checked
from geolib.gans import weights
from geolib.gans.fast.narrow import many_to_one, one_to_many
from geolib.gans.losses import NON_SATURATING, SATURATING, r1_penalty
from geolib.gans.recipes import NORMS, Recipe
from geolib.gans.recipes import PUBLISHED as PUBLISHED
from geolib.gans.recipes import RELEASED as RELEASED
from geolib.gans.train import Game, Players, Step, average, pack, train, unpack

LATENT = (5, 3)
#: Rows and columns of the model that the generator's 129 x 65 pixels are cut to.
CROP = (slice(2, 127), slice(3, 63))


class Generator(nn.Module):
    r"""Latent image to channel image, every pixel of the latent opening into 32 x 32 pixels.

    Parameters
    ----------
    width : int
        Filters of the last hidden layer; 64 is the paper's.

    Notes
    -----
    No layer has a bias and instance normalisation follows each ReLU, so that the image hardly depends on the latent's
    scale: :math:`G(cz) \approx G(z)` for c > 0, up to the small constant of the normalisation. Width 64 takes
    0.4 billion multiplications for 129 x 65 pixels, width 32 a quarter.

    References
    ----------
    Laloy et al. (2019), equation 1 and section 8.
    """

    @checked(width=(2, None))
    def __init__(self, width: int = 64) -> None:
        super().__init__()
        channels = [1, 8 * width, 4 * width, 2 * width, width, 1]
        self.up = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 5, stride=2, padding=2, bias=False) for a, b in itertools.pairwise(channels)
        )
        self.widen = nn.ConvTranspose2d(1, width, 5, padding=6, dilation=3, bias=False)
        self.merge = nn.ConvTranspose2d(width, 1, 5, padding=10, dilation=5, bias=False)

    def forward(self, latent: Tensor) -> Tensor:
        """Return images in [-1, 1], shape (n, 1, 32 rows - 31, 32 columns - 31), of latents (n, 1, rows, columns)."""
        _checks.shape("latent", latent, (None, 1, None, None), "Give one channel of rows and columns.")
        weight = list(self.up.parameters())[-1]
        learning = any(w.requires_grad for w in (weight, self.widen.weight, self.merge.weight))
        frozen = latent.device.type == "cpu" and not learning
        x = latent
        for layer in list(self.up)[:-1]:
            x = functional.instance_norm(functional.relu(layer(x)))
        x = functional.relu(many_to_one(x, weight, 2, 2, 1) if frozen else self.up[-1](x))
        x = one_to_many(x, self.widen.weight, 6, 3) if frozen else self.widen(x)
        x = functional.instance_norm(functional.relu(x))
        return torch.tanh(many_to_one(x, self.merge.weight, 1, 10, 5) if frozen else self.merge(x))


class Discriminator(nn.Module):
    """Channel image to a map of scores, one for each latent pixel.

    Parameters
    ----------
    width : int
        Filters of the first layer.
    norms : str
        One of `NORMS`. With normalisation no layer has a bias.

    Raises
    ------
    ValueError
        If norms is none of them.
    """

    @checked(width=(1, None), norms=NORMS)
    def __init__(self, width: int = 64, *, norms: str = "none") -> None:
        super().__init__()
        self.norms = norms
        channels = [1, width, 2 * width, 4 * width, 8 * width, 1]
        self.down = nn.ModuleList(
            nn.Conv2d(a, b, 5, stride=2, padding=2, bias=norms == "none") for a, b in itertools.pairwise(channels)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Return scores before the sigmoid, shape (n, 1, rows, columns)."""
        x = image
        for number, layer in enumerate(self.down):
            x = layer(x)
            if number == len(self.down) - 1:
                break
            if self.norms == "before" and number:
                x = functional.instance_norm(x)
            x = functional.leaky_relu(x, 0.2)
            if self.norms == "after":
                x = functional.instance_norm(x)
        return x


@checked("images")
def to_model(images: Tensor) -> Tensor:
    """Return facies models in [0, 1] (1 is channel), shape (n, 125, 60), of generated images (n, 1, 129, 65)."""
    _checks.shape("images", images, (None, 1, 129, 65), "Generate them from latents (n, 1, 5, 3).")
    return (images[:, 0, CROP[0], CROP[1]] + 1) / 2


@dataclass
class State:
    """All that a training needs to go on exactly where it stopped."""

    players: Players
    averaged: Generator
    rng: torch.Generator
    iteration: int = 0


@checked()
def start(recipe: Recipe, seed: int, device: str = "cpu") -> State:
    """Return freshly drawn networks and optimisers.

    Parameters
    ----------
    recipe : Recipe
        Sizes and rates.
    seed : int
        Of weights, patches and latents.
    device : str
        Where to train.
    """
    try:
        torch.device(device)
    except RuntimeError:
        raise ValueError(f"device must be one of torch's; got {_checks.shown(device)}. The usual one is cpu.") from None
    # nn modules draw their weights from the global stream; a fork leaves the caller's alone.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = Generator(recipe.width)
        for parameter in network.parameters():
            nn.init.normal_(parameter, std=0.02)
        critic = Discriminator(recipe.width, norms=recipe.norms)
        if recipe.spread:
            for parameter in critic.parameters():
                nn.init.normal_(parameter, std=recipe.spread)
    network, critic = network.to(device), critic.to(device)
    optimizers = [
        torch.optim.Adam(net.parameters(), lr=recipe.rate, betas=(0.5, 0.999), weight_decay=recipe.decay)
        for net in (network, critic)
    ]
    return State(Players(network, critic, *optimizers), copy.deepcopy(network), torch.Generator().manual_seed(seed))


@checked(iterations=(0, None))
def fit(state: State, recipe: Recipe, image: np.ndarray, iterations: int | None = None) -> Iterator[Step]:
    """Train on random patches of an image, yielding after every step; the state changes in place.

    Parameters
    ----------
    state : State
        From `start` or `unpack_state`.
    recipe : Recipe
        The same as the state's.
    image : ndarray, shape (nz, nx)
        Zeros and ones.
    iterations : int, optional
        Stop after so many steps; the recipe's end otherwise.

    Yields
    ------
    Step
        Losses of the step; `state.averaged` is up to date.

    Raises
    ------
    ValueError
        If the image has not two axes, holds other values than zeros and ones, or is smaller than a patch.

    References
    ----------
    Laloy et al. (2019), equation 2; Mescheder et al. (2018) for the penalty.
    """
    device = next(state.averaged.parameters()).device
    side = 32 * (recipe.latent - 1) + 1
    pixels = torch.as_tensor(_checks.binary_image("image", image) * 2 - 1)
    draw_patches = _patch_source(pixels, side, recipe.batch, state.rng)
    shape = (1, recipe.latent, recipe.latent)
    game = Game(
        loss=SATURATING if recipe.saturating else NON_SATURATING,
        draw_real=lambda: (draw_patches().to(device), ()),
        draw_inputs=lambda n, _: (draw_latents((n, *shape), recipe, state.rng).to(device),),
        penalty=(lambda critic, real, _: recipe.penalty_weight * r1_penalty(critic, real))
        if recipe.penalty_weight
        else None,
        penalty_every=4,
    )
    left = recipe.iterations - state.iteration
    count = left if iterations is None else min(left, iterations)
    _set_rate(state, recipe)
    for step in train(state.players, game, count, start=state.iteration):
        state.iteration = step.iteration + 1
        _set_rate(state, recipe)
        average(state.averaged, state.players.generator, step.iteration, recipe.average)
        yield step


def _set_rate(state: State, recipe: Recipe) -> None:
    rate = recipe.rate * (1 - state.iteration / recipe.iterations if recipe.falling else 1)
    for optimizer in (state.players.generator_optimizer, state.players.critic_optimizer):
        optimizer.param_groups[0]["lr"] = rate


@checked(shape=(1, None))
def draw_latents(shape: tuple[int, ...], recipe: Recipe, rng: torch.Generator) -> Tensor:
    """Return latents of the law that a recipe trains with, on the CPU."""
    if not shape:
        raise ValueError("shape must have a length at least; got none. Give (n, 1, rows, columns).")
    if recipe.normal:
        return torch.randn(*shape, generator=rng)
    return torch.rand(*shape, generator=rng) * 2 - 1


def _patch_source(pixels: Tensor, side: int, batch: int, rng: torch.Generator) -> Callable[[], Tensor]:
    nz, nx = pixels.shape
    if min(nz, nx) < side:
        raise ValueError(f"image must have at least {side} rows and columns; got {(nz, nx)}. Use a larger one.")

    def draw() -> Tensor:
        rows = torch.randint(nz - side + 1, (batch,), generator=rng).tolist()
        columns = torch.randint(nx - side + 1, (batch,), generator=rng).tolist()
        return torch.stack([pixels[None, r : r + side, c : c + side] for r, c in zip(rows, columns, strict=True)])

    return draw


@checked()
def key_of(recipe: Recipe, seed: int, image: np.ndarray) -> dict[str, Any]:
    """Return all that a training depends on: recipe, seed and the image's content."""
    pixels = _checks.binary_image("image", image)
    content = hashlib.sha256(f"{pixels.shape}".encode() + pixels.tobytes()).hexdigest()
    return {"recipe": asdict(recipe), "seed": _checks.integer("seed", seed), "image": content}


@checked()
def pack_state(state: State) -> dict[str, np.ndarray]:
    """Return all that `unpack_state` needs.

    Raises
    ------
    FloatingPointError
        If a weight is no longer finite: such a training must not be gone on with.
    """
    arrays = pack(state.players, state.rng)
    arrays |= {f"averaged.{name}": value.cpu().numpy().copy() for name, value in state.averaged.state_dict().items()}
    lost = [name for name, value in arrays.items() if not np.isfinite(value).all()]
    if lost:
        raise FloatingPointError(f"weights must be finite; {lost[0]} is not. Lower the learning rate.")
    return {**arrays, "iteration": np.array(state.iteration)}


@checked()
def unpack_state(recipe: Recipe, arrays: Mapping[str, np.ndarray], device: str = "cpu") -> State:
    """Return the state that `pack_state` gave of a training by a recipe.

    Raises
    ------
    ValueError
        If the arrays are of other networks or incomplete.
    """
    state = start(recipe, 0, device)
    unpack(state.players, state.rng, arrays)
    try:
        mean = {name: torch.from_numpy(np.array(arrays[f"averaged.{name}"])) for name in state.averaged.state_dict()}
        state.averaged.load_state_dict(mean)
        state.iteration = int(arrays["iteration"])
    except (KeyError, RuntimeError, TypeError, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise ValueError(f"state must be of this recipe's networks; {reason}. Start anew.") from None
    return state


@checked()
def snapshot(state: State) -> Generator:
    """Return the averaged generator as a file would hold it: of half precision, frozen and ready for use."""
    return copy.deepcopy(state.averaged).half().float().requires_grad_(False).eval()


@checked()
def save_weights(path: Path, network: Generator) -> None:
    """Write a generator's weights as float16 safetensors."""
    weights.write(path, weights.pack({name: value.half() for name, value in network.state_dict().items()}))


@checked()
def load_weights(path: Path) -> Generator:
    """Return a generator with the weights of a file, in float32, frozen and ready for use.

    Raises
    ------
    ValueError
        If the file is missing, damaged or holds other weights.
    """
    tensors, _ = weights.read(path)
    try:
        network = Generator(tensors["merge.weight"].shape[0])
        network.load_state_dict({name: value.float() for name, value in tensors.items()})
    except (KeyError, RuntimeError) as error:
        raise ValueError(f"weights {path} must be a generator's; {error}. Restore the file or train anew.") from None
    return network.requires_grad_(False).eval()
