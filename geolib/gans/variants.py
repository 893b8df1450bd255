"""Small working models of the GAN family: each is one function that returns players and rules for the common loop."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from geolib import _checks
from geolib._arguments import checked
from geolib.gans.losses import NON_SATURATING, WASSERSTEIN, Loss, gradient_penalty, r1_penalty
from geolib.gans.train import Game, Players

#: Components of the latent vector of every model on patches; by how much super-resolution refines each side.
LATENT, FACTOR = 32, 4
Draw = Callable[[], tuple[Tensor, tuple[Tensor, ...]]]


@checked()
def initialise(network: nn.Module, rng: torch.Generator) -> nn.Module:
    """Return the network with PyTorch's usual uniform weights drawn from `rng`, zero biases, identity norms."""
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d, nn.ConvTranspose2d)):
            nn.init.kaiming_uniform_(module.weight, a=math.sqrt(5), generator=rng)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def dense(sizes: list[int], activation: Callable[[], nn.Module], *, batch_norm: bool = False) -> nn.Sequential:
    """Return a multilayer perceptron; the activation and, on request, batch norm follow all layers but the last."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes[:-1]):
        layers += [nn.Linear(n_in, n_out), *([nn.BatchNorm1d(n_out)] if batch_norm else []), activation()]
    return nn.Sequential(*layers, nn.Linear(sizes[-2], sizes[-1]))


def leaky() -> nn.Module:
    """Return the leaky ReLU of Radford et al. (2016), slope 0.2."""
    return nn.LeakyReLU(0.2)


def _stages(size: int) -> int:
    """Return how often a patch of 4 pixels is doubled to become one of `size`."""
    stages = round(math.log2(max(size, 1) / 4))
    if stages < 1 or size != 4 * 2**stages:
        raise ValueError(f"size must be 8, 16, 32 or another power of two; got {size}. Take the nearest.")
    return stages


class DenseGenerator(nn.Module):
    """Latent vectors and conditions `(n, k)` to patches `(n, 1, size, size)` through fully connected layers."""

    def __init__(self, size: int, width: int) -> None:
        super().__init__()
        self.size = size
        self.body = dense([LATENT, 8 * width, 8 * width, size * size], nn.ReLU, batch_norm=True)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return patches in [-1, 1]."""
        return torch.tanh(self.body(torch.cat(inputs, 1))).unflatten(1, (1, self.size, self.size))


class Scores(nn.Module):
    """Samples `(n, ...)` to scores `(n,)` through a body of fully connected layers with one output."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, samples: Tensor) -> Tensor:
        """Return one score for each sample."""
        return self.body(samples.flatten(1))[:, 0]


class ConvGenerator(nn.Module):
    """Latent vectors and conditions `(n, k)` to patches `(n, 1, size, size)` through transposed convolutions."""

    @checked(size=(8, None), width=(1, None), n_inputs=(1, None))
    def __init__(
        self,
        size: int,
        width: int,
        n_inputs: int = LATENT,
        *,
        batch_norm: bool = True,
        activation: Callable[[], nn.Module] = nn.ReLU,
    ) -> None:
        super().__init__()
        stages = _stages(size)
        widths = [width * 2 ** (stages - 1 - i) for i in range(stages)]
        norm = nn.BatchNorm2d if batch_norm else lambda _: nn.Identity()
        layers: list[nn.Module] = [nn.Linear(n_inputs, widths[0] * 16), nn.Unflatten(1, (widths[0], 4, 4))]
        for n_in, n_out in zip(widths, [*widths[1:], 1], strict=True):
            layers += [norm(n_in), activation(), nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1)]
        self.body = nn.Sequential(*layers, nn.Tanh())

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return patches in [-1, 1]."""
        return self.body(torch.cat(inputs, 1))


class ConvCritic(nn.Module):
    """Patches `(n, 1, size, size)` to scores `(n, n_outputs)` (one score: `(n,)`) through strided convolutions.

    Conditions `(n, n_conditions)` enter as constant maps beside the patch. A pooled critic averages its last features
    over the patch, so that it judges the pattern and not where things lie.
    """

    @checked(size=(8, None), width=(1, None), n_conditions=(0, None), n_outputs=(1, None))
    def __init__(
        self,
        size: int,
        width: int,
        *,
        n_conditions: int = 0,
        n_outputs: int = 1,
        batch_norm: bool = False,
        pooled: bool = False,
        activation: Callable[[], nn.Module] = leaky,
    ) -> None:
        super().__init__()
        self.size, stages = size, _stages(size)
        widths = [1 + n_conditions, *(width * 2**i for i in range(stages))]
        layers: list[nn.Module] = []
        for index, (n_in, n_out) in enumerate(pairwise(widths)):
            # Radford et al. (2016) leave the critic's first layer without batch norm.
            norm = [nn.BatchNorm2d(n_out)] if batch_norm and index else []
            layers += [nn.Conv2d(n_in, n_out, 4, stride=2, padding=1), *norm, activation()]
        pool, n_features = (nn.AdaptiveAvgPool2d(1), widths[-1]) if pooled else (nn.Identity(), widths[-1] * 16)
        self.body = nn.Sequential(*layers, pool, nn.Flatten(), nn.Linear(n_features, n_outputs))

    def forward(self, samples: Tensor, *conditions: Tensor) -> Tensor:
        """Return the scores."""
        _checks.shape("samples", samples, (None, 1, self.size, self.size), "Give patches of the critic's size.")
        maps = [c[:, :, None, None].expand(-1, -1, *samples.shape[2:]) for c in conditions]
        scores = self.body(torch.cat([samples, *maps], 1))
        return scores[:, 0] if scores.shape[1] == 1 else scores


def adam(parameters: Iterable[nn.Parameter], rate: float) -> torch.optim.Adam:
    """Return the Adam optimiser that all models share, with Radford's first moment of 0.5."""
    return torch.optim.Adam(parameters, rate, betas=(0.5, 0.999))


@checked(size=(1, None))
def normal_latent(rng: torch.Generator, size: int = LATENT) -> Callable[[int, tuple], tuple[Tensor, ...]]:
    """Return a rule that draws standard normal latent vectors and appends the conditions of the batch."""
    return lambda n, conditions: (torch.randn(n, size, generator=rng), *conditions)


@checked("real", "fake", weight=(0, None))
def damped(critic: Callable, real: Tensor, fake: Tensor, weight: float = 2.0) -> Tensor:
    """Return the R1 penalty with the weight that suits patches of 32 pixels."""
    return weight * r1_penalty(critic, real)


@checked(size=(8, None), width=(1, None), rate=(0, None))
def dcgan(
    draw: Draw, size: int, width: int, rate: float, rng: torch.Generator, *, convolutional: bool = True
) -> tuple[Players, Game]:
    """Return a GAN on patches with convolutional networks, or with fully connected ones of more parameters.

    Parameters
    ----------
    draw : callable
        Returns a batch of real patches and its conditions.
    size : int
        Pixels along the side of a patch.
    width : int
        Channels of the widest image layer; deeper layers double it.
    rate : float
        Learning rate of both networks.
    rng : torch.Generator
        Source of weights and latent vectors.
    convolutional : bool
        False for the multilayer perceptrons of the original GAN.

    References
    ----------
    Radford et al. (2016); Li and Ortiz (2022), section 4.2.
    """
    networks: tuple[nn.Module, nn.Module] = ConvGenerator(size, width), ConvCritic(size, width)
    if not convolutional:
        networks = DenseGenerator(size, width), Scores(dense([size * size, 8 * width, 8 * width, 1], leaky))
    g, d = (initialise(network, rng) for network in networks)
    players = Players(g, d, adam(g.parameters(), rate), adam(d.parameters(), rate))
    return players, Game(NON_SATURATING, draw, normal_latent(rng), penalty=damped, penalty_every=4)


def wgan(draw: Draw, size: int, width: int, rate: float, rng: torch.Generator) -> tuple[Players, Game]:
    """Return the networks of `dcgan` under the Wasserstein game: gradient penalty 10, two critic steps.

    References
    ----------
    Arjovsky et al. (2017), with the penalty of Gulrajani et al. (2017); Li and Ortiz (2022), section 4.1.
    """
    players, game = dcgan(draw, size, width, rate, rng)
    return players, wasserstein(game, rng)


@checked()
def wasserstein(game: Game, rng: torch.Generator) -> Game:
    """Return the game under Wasserstein rules: gradient penalty of weight 10 and two critic steps."""

    def penalty(critic: Callable, real: Tensor, fake: Tensor) -> Tensor:
        return 10 * gradient_penalty(critic, real, fake, rng)

    return replace(game, loss=WASSERSTEIN, penalty=penalty, penalty_every=1, critic_steps=2)


@checked(size=(8, None), width=(1, None), rate=(0, None))
def conditional(draw: Draw, size: int, width: int, rate: float, rng: torch.Generator) -> tuple[Players, Game]:
    """Return a GAN whose networks are both told the label that `draw` gives with each patch, `(n, 1)` in [-1, 1].

    References
    ----------
    Mirza and Osindero (2014); Li and Ortiz (2022), section 4.3, which gives the label to the generator's input only.
    """
    g, d = ConvGenerator(size, width, LATENT + 1), ConvCritic(size, width, n_conditions=1)
    initialise(g, rng)
    initialise(d, rng)
    players = Players(g, d, adam(g.parameters(), rate), adam(d.parameters(), rate))
    return players, Game(NON_SATURATING, draw, normal_latent(rng), penalty=damped, penalty_every=4)


@checked("samples")
def code_log_likelihood(reader: Callable[[Tensor], Tensor], samples: Tensor, code: Tensor) -> Tensor:
    """Return log Q(c | x) for each sample and code component, Q a normal law with mean and log scale from `reader`."""
    if samples.dtype != code.dtype:
        raise TypeError(f"samples must be {code.dtype} as the code is; got {samples.dtype}. Convert one.")
    read = reader(samples)
    _checks.shape("reader's result", read, (len(code), 2 * code.shape[-1]), "Return mean and log scale of the code.")
    mean, log_scale = read.chunk(2, dim=1)
    # A floor under the scale keeps a confident reader from exploding the gradient.
    log_scale = log_scale.clamp(-3, 2)
    return -0.5 * ((code - mean) / log_scale.exp()).square() - log_scale - 0.5 * math.log(2 * math.pi)


def information_bound(reader: Callable[[Tensor], Tensor], samples: Tensor, code: Tensor) -> Tensor:
    """Return the lower bound of the mutual information I(c; x) in nats for each component of a uniform code.

    References
    ----------
    Chen et al. (2016), equation 4: E[log Q(c|x)] + H(c), with H = log 2 for a code uniform on [-1, 1].
    """
    return code_log_likelihood(reader, samples, code).mean(0) + math.log(2)


@checked(size=(8, None), width=(1, None), rate=(0, None), n_codes=(1, None), weight=(0, None))
def infogan(
    draw: Draw,
    size: int,
    width: int,
    rate: float,
    rng: torch.Generator,
    *,
    n_codes: int = 1,
    weight: float = 10.0,
) -> tuple[Players, Game, nn.Module]:
    """Return an InfoGAN: players, rules and the network Q that reads the code back from a patch.

    Parameters
    ----------
    draw, size, width, rate, rng
        As for `dcgan`.
    n_codes : int
        Components of the code, uniform on [-1, 1].
    weight : float
        Weight lambda of the information bound, beside Wasserstein scores of the order of ten; at 0 the network Q
        watches without the generator learning from it.

    References
    ----------
    Chen et al. (2016), equations 4 and 6; Li and Ortiz (2022), equation 10.
    """
    g, d = ConvGenerator(size, width, LATENT + n_codes), ConvCritic(size, width)
    reader = ConvCritic(size, width, n_outputs=2 * n_codes, pooled=True)
    for network in (g, d, reader):
        initialise(network, rng)

    def inputs(n: int, conditions: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        code = 2 * torch.rand(n, n_codes, generator=rng) - 1
        return torch.randn(n, LATENT, generator=rng), code

    def extra(fake: Tensor, given: tuple[Tensor, ...], conditions: tuple[Tensor, ...]) -> Tensor:
        seen, share = (fake, weight) if weight else (fake.detach(), 1.0)
        return -share * information_bound(reader, seen, given[1]).sum()

    both = [*g.parameters(), *reader.parameters()]
    players = Players(g, d, adam(both, rate), adam(d.parameters(), rate))
    return players, wasserstein(Game(WASSERSTEIN, draw, inputs, extra=extra), rng), reader


class Residual(nn.Module):
    """A residual block: the input plus two convolutions of it (He et al. 2016), or without `skip` these alone."""

    def __init__(self, width: int, skip: bool = True) -> None:
        super().__init__()
        self.skip = skip
        self.body = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=1), nn.ReLU(), nn.Conv2d(width, width, 3, padding=1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return x + f(x)."""
        return x + self.body(x) if self.skip else self.body(x)


class SuperGenerator(nn.Module):
    """Coarse patches `(n, 1, s, s)` to fine ones `(n, 1, 4 s, 4 s)`: three residual blocks, then pixel shuffles."""

    def __init__(self, width: int, *, skip: bool = True) -> None:
        super().__init__()
        self.skip = skip
        self.head = nn.Conv2d(1, width, 3, padding=1)
        self.blocks = nn.Sequential(*(Residual(width, skip) for _ in range(3)))
        ups: list[nn.Module] = []
        for _ in range(round(math.log2(FACTOR))):
            ups += [nn.Conv2d(width, 4 * width, 3, padding=1), nn.PixelShuffle(2), nn.ReLU()]
        self.tail = nn.Sequential(*ups, nn.Conv2d(width, 1, 3, padding=1))

    def forward(self, coarse: Tensor) -> Tensor:
        """Return fine patches in [-1, 1]."""
        features = self.head(coarse)
        refined = self.blocks(features)
        return torch.tanh(self.tail(features + refined if self.skip else refined))


class Unconditional(nn.Module):
    """A critic that looks at the samples alone, whatever conditions the batch carries."""

    def __init__(self, critic: nn.Module) -> None:
        super().__init__()
        self.critic = critic

    def forward(self, samples: Tensor, *conditions: Tensor) -> Tensor:
        """Return the critic's scores."""
        return self.critic(samples)


@checked("fine")
def coarsen(fine: Tensor) -> Tensor:
    """Return block means, the coarse view that super-resolution starts from."""
    _checks.shape("fine", fine, (None, None, None, None), "Give patches (n, 1, size, size).")
    _checks.integer("size of fine", min(fine.shape[2:]), low=FACTOR, unit="pixels")
    return functional.avg_pool2d(fine, FACTOR)


@checked(size=(8, None), width=(1, None), rate=(0, None), adversarial=(0, None))
def superres(
    draw: Draw,
    size: int,
    width: int,
    rate: float,
    rng: torch.Generator,
    *,
    adversarial: float = 0.1,
    skip: bool = True,
) -> tuple[Players, Game]:
    """Return a super-resolution GAN of factor 4: squared-error content loss plus the adversarial loss.

    Parameters
    ----------
    draw : callable
        Returns fine patches and, as their condition, the same patches.
    size, width, rate, rng
        As for `dcgan`.
    adversarial : float
        Weight of the adversarial loss; 0 leaves the content loss alone.
    skip : bool
        False takes the skip connections out of the generator.

    Notes
    -----
    The content is compared pixel by pixel: there is no photograph network whose features would suit facies.

    References
    ----------
    Ledig et al. (2017), equation 3; Li and Ortiz (2022), section 4.4.
    """
    g, d = SuperGenerator(2 * width, skip=skip), Unconditional(ConvCritic(size, width))
    initialise(g, rng)
    initialise(d, rng)
    loss = Loss(NON_SATURATING.critic, lambda fake: adversarial * NON_SATURATING.generator(fake))
    players = Players(g, d, adam(g.parameters(), rate), adam(d.parameters(), rate))
    game = Game(
        loss,
        draw,
        lambda n, conditions: (coarsen(conditions[0]),),
        penalty=damped,
        penalty_every=4,
        extra=lambda fake, inputs, conditions: functional.mse_loss(fake, conditions[0]),
    )
    return players, game
