"""Critics between two parallel lines, which share no point however close they are."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from geolib.gans.losses import NON_SATURATING, SATURATING, WASSERSTEIN, Loss, gradient_penalty
from geolib.gans.theory import LOG2
from geolib.gans.train import Game
from geolib.gans.variants import Scores, dense, initialise, leaky
from geolib.studies.gan_101.theory import Arrays, Shifted, source, train_critic_alone

GAPS = (0.25, 0.5, 1.0, 2.0, 4.0)
ITERATIONS, BATCH = 250, 128


def disjoint(seed: int) -> Arrays:
    """Train critics between two parallel lines a gap apart: each divergence and its push."""
    rng = source(seed, "disjoint")
    rows = []
    for gap in GAPS:
        row = []
        for loss, push in ((NON_SATURATING, SATURATING), (WASSERSTEIN, WASSERSTEIN)):
            critic, generator = _line_critic(loss, gap, rng)
            real, fake = _line(0.0, BATCH, rng), generator(_line(0.0, BATCH, rng))
            scores = critic(real), critic(fake)
            estimate = -loss.critic(*scores).item()
            (slope,) = torch.autograd.grad(push.generator(scores[1]), generator.shift)
            row += [estimate, abs(float(slope))]
        rows.append(row)
    table = np.array(rows)
    gaps = np.array(GAPS)
    return {
        "gaps": gaps,
        # The critic's gain is 2 JSD - log 4.
        "js": 0.5 * (table[:, 0] + 2 * LOG2),
        "js_push": table[:, 1],
        "wasserstein": table[:, 2],
        "wasserstein_push": table[:, 3],
        # The penalty of weight 10 lets the best slope exceed one by gap / 20.
        "wasserstein_closed_form": gaps * (1 + gaps / 20),
    }


def _line(x: float, n: int, rng: torch.Generator) -> Tensor:
    return torch.stack([torch.full((n,), x), torch.rand(n, generator=rng)], 1)


def _line_critic(loss: Loss, gap: float, rng: torch.Generator) -> tuple[nn.Module, Shifted]:
    critic, generator = Scores(initialise(dense([2, 32, 32, 1], leaky), rng)), Shifted(gap)
    penalty: Callable[..., Tensor] | None = None
    if loss is WASSERSTEIN:

        def penalty(critic: Callable[..., Tensor], real: Tensor, fake: Tensor) -> Tensor:
            return 10 * gradient_penalty(critic, real, fake, rng)

    game = Game(
        loss,
        lambda: (_line(0.0, BATCH, rng), ()),
        lambda n, _: (_line(0.0, n, rng),),
        penalty=penalty,
    )
    for _ in train_critic_alone(game, critic, generator, ITERATIONS, 1e-2):
        pass
    return critic, generator
