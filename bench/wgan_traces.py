"""Seconds per iteration of the trace GAN's training, package against a plain WGAN-GP loop, interleaved in one run.

Both play the paper's game: two critic steps and one generator step on 64 traces. The plain loop is written out with
autograd in float32; the package runs the critic's convolutions in bfloat16, as the paper preset does.
"""

import statistics
import time
from functools import partial

import torch

from geolib.gans import losses, wgan
from geolib.gans.train import Game, Players, train

BATCH, ROUNDS = 64, 5


def networks(precision):
    rng = torch.Generator().manual_seed(0)
    generator = wgan.make_generator(rng=rng)
    critic = wgan.make_critic(rng=rng, precision=precision)
    adam = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.999))
    return Players(generator, critic, adam(generator.parameters()), adam(critic.parameters())), rng


def plain(players, rng, real):
    for _ in range(2):
        fake = players.generator(wgan.draw_latents(len(real), rng)).detach()
        ratio = torch.rand(len(real), 1, 1, generator=rng)
        mixed = (ratio * real + (1 - ratio) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(players.critic(mixed).sum(), mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        loss = players.critic(fake).mean() - players.critic(real).mean() + 10 * penalty
        players.critic_optimizer.zero_grad()
        loss.backward()
        players.critic_optimizer.step()
    loss = -players.critic(players.generator(wgan.draw_latents(len(real), rng))).mean()
    players.generator_optimizer.zero_grad()
    loss.backward()
    players.generator_optimizer.step()


def main():
    real = torch.randn(BATCH, 1, wgan.N_SAMPLES, generator=torch.Generator().manual_seed(1)) / 4
    (ours, rng), (theirs, other) = networks("bfloat16"), networks("float32")
    game = Game(
        losses.WASSERSTEIN,
        draw_real=lambda: (real, ()),
        draw_inputs=lambda n, _: (wgan.draw_latents(n, rng),),
        critic_steps=2,
        penalty=lambda c, x, y: 10 * losses.gradient_penalty(c, x, y, rng),
        reuse_real=True,
    )
    runs = {"package": lambda: list(train(ours, game, 1)), "plain loop": lambda: plain(theirs, other, real)}
    seconds = {name: [] for name in runs}
    for index in range(ROUNDS + 1):
        for name, run in runs.items():
            # Processor time: other work on the machine must not decide.
            start = time.process_time()
            run()
            if index:
                seconds[name].append(time.process_time() - start)
    median = {name: statistics.median(values) for name, values in seconds.items()}
    for name, value in median.items():
        print(f"{name:12s} {value:.3f} processor seconds per iteration, {torch.get_num_threads()} threads")
    print(f"package is {median['plain loop'] / median['package']:.2f} times as fast")


if __name__ == "__main__":
    main()
