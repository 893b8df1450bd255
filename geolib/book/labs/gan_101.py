"""What the laboratory of the gan_101 chapter starts from and is checked against."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from geolib import studies
from geolib.book.labs._data import encode
from geolib.gans.losses import NON_SATURATING, SATURATING, WASSERSTEIN, gradient_penalty, r1_penalty
from geolib.gans.train import Game, Players, train
from geolib.gans.variants import Scores, adam, dense, initialise, leaky

TARGET = studies.get("gan_101").lends["target"]
WIDTH, BATCH = 24, 128
# Shares, means and standard deviations of what the reader can choose; the first is the chapter's.
DATA = {
    "two bumps": [v.tolist() for v in (TARGET.weights, TARGET.means, TARGET.scales)],
    "one bump": [[1.0], [1.0], [0.7]],
    "far away": [[1.0], [5.0], [0.35]],
    "four spikes": [[0.25] * 4, [-4.5, -1.5, 1.5, 4.5], [0.25] * 4],
}
LOSSES = {"minimax": SATURATING, "non-saturating": NON_SATURATING, "wasserstein": WASSERSTEIN}
RATES = {"generator": 1e-3, "critic": 2e-3}
R1, GRADIENT = 0.05, 10.0
# From the second iteration on an optimiser's memory shows.
ITERATIONS = 3


def scripts() -> dict[str, dict[str, Any]]:
    """Return the laboratory's data, and the game it is checked against."""
    levels = (torch.arange(1024, dtype=torch.float64) + 0.5) / 1024
    return {
        "gan_101": {
            "width": WIDTH,
            "batch": BATCH,
            "data": DATA,
            "edge": 7.0,
            "bins": 140,
            "latent": encode(torch.special.ndtri(levels).numpy()),
            "rates": RATES,
            "r1": R1,
            "gradient": GRADIENT,
        },
        "gan_101-check": check(),
    }


def check() -> dict[str, Any]:
    """Return a few iterations of each game in double precision: what goes in and what comes out."""
    rng = torch.Generator().manual_seed(0)
    sizes = [1, WIDTH, WIDTH, 1]
    start = [initialise(dense(sizes, leaky), rng).double() for _ in range(2)]
    for network in start:  # biases that are not zero, so that they are compared too
        for parameter in network.parameters():
            parameter.data += 0.05 * torch.randn(
                parameter.shape, generator=rng, dtype=torch.float64
            )
    real = TARGET.sample(BATCH, rng)[:, None]
    latent = [
        torch.randn(BATCH, 1, generator=rng, dtype=torch.float64) for _ in range(2 * ITERATIONS)
    ]
    same = torch.Generator().manual_seed(1)
    ratios = [torch.rand(BATCH, 1, generator=same, dtype=torch.float64) for _ in range(ITERATIONS)]
    with torch.no_grad():
        fake = start[0](latent[0])
        scores = start[1](real)
    return {
        "generator": flat(start[0]),
        "critic": flat(start[1]),
        "real": encode(real.ravel(), "f8"),
        "latent": [encode(z.ravel(), "f8") for z in latent],
        "iterations": ITERATIONS,
        "ratios": [encode(r.ravel(), "f8") for r in ratios],
        "fake": encode(fake.ravel(), "f8"),
        "scores": encode(scores.ravel(), "f8"),
        "games": {name: played(name, start, real, latent) for name in LOSSES},
    }


def played(name: str, start: list[nn.Module], real: Tensor, latent: list[Tensor]) -> dict[str, Any]:
    """Return the last losses and weights after `ITERATIONS` of the game from `start`."""
    generator, body = (dense([1, WIDTH, WIDTH, 1], leaky).double() for _ in range(2))
    generator.load_state_dict(start[0].state_dict())
    body.load_state_dict(start[1].state_dict())
    critic = Scores(body)
    turns: Iterator[Tensor] = iter(latent)
    ratios = torch.Generator().manual_seed(1)

    def penalty(judge: Any, real: Tensor, fake: Tensor) -> Tensor:
        if name == "wasserstein":
            return GRADIENT * gradient_penalty(judge, real, fake, ratios)
        return R1 * r1_penalty(judge, real)

    game = Game(LOSSES[name], lambda: (real, ()), lambda n, _: (next(turns),), penalty=penalty)
    players = Players(
        generator,
        critic,
        adam(generator.parameters(), RATES["generator"]),
        adam(critic.parameters(), RATES["critic"]),
    )
    *_, step = train(players, game, ITERATIONS)
    return {
        "critic_loss": step.critic_loss,
        "generator_loss": step.generator_loss,
        "generator": flat(generator),
        "critic": flat(body),
    }


def flat(network: nn.Module) -> dict[str, Any]:
    """Return all parameters of a network in one array, in torch's order."""
    return encode(torch.cat([p.detach().ravel() for p in network.parameters()]).numpy(), "f8")
