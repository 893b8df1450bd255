"""Seconds per iteration of the trace GAN: the package against a plain WGAN-GP loop, interleaved in one run.

Both play the paper's game from the same weights: two critic steps and one generator step on 64 traces. The plain loop
is what one writes down: PyTorch's own layers and autograd, in single precision. The package is timed with the critic's
convolutions in single precision and in bfloat16, and all three a second time with the C library told to keep freed
memory, as the study does. Writes bench/wgan_traces.json and its table, bench/wgan_traces.md.
"""

import json
import os
import statistics
import time
from functools import partial
from pathlib import Path

import machines
import torch
from torch import nn

from geolib._runtime import keep_memory
from geolib.gans import losses, wgan
from geolib.gans.train import Game, Players, train
from geolib.runs.store import provenance, write_atomic
from geolib.runs.tables import markdown

HERE = Path(__file__).parent
BATCH, ROUNDS = 64, 7


class PlainCritic(nn.Module):
    """Table 2 with PyTorch's layers."""

    def __init__(self):
        super().__init__()
        slope = wgan.LEAKY_SLOPE
        self.features = nn.Sequential(
            *[
                nn.Conv1d(1, 64, 3, padding=1),
                nn.LeakyReLU(slope),
                nn.Conv1d(64, 64, 3, padding=1),
                nn.LeakyReLU(slope),
            ],
            *[
                nn.Conv1d(64, 64, 3, padding=1),
                nn.LeakyReLU(slope),
                nn.Conv1d(64, 1, 3, padding=1),
                nn.LeakyReLU(slope),
            ],
        )
        self.head = nn.Sequential(nn.Conv1d(499, 250, 1), nn.LeakyReLU(slope), nn.Conv1d(250, 1, 1))

    def forward(self, traces):
        return self.head(self.features(traces).transpose(1, 2)).flatten()


def players(critic):
    rng = torch.Generator().manual_seed(0)
    generator = wgan.make_generator(rng=rng)
    critic.load_state_dict(wgan.make_critic(rng=rng).state_dict())
    adam = partial(torch.optim.Adam, lr=1e-4, betas=(0.5, 0.999))
    return Players(generator, critic, adam(generator.parameters()), adam(critic.parameters())), rng


def plain_iteration(sides, rng, real):
    for _ in range(2):
        fake = sides.generator(wgan.draw_latents(len(real), rng)).detach()
        ratio = torch.rand(len(real), 1, 1, generator=rng)
        mixed = (ratio * real + (1 - ratio) * fake).requires_grad_()
        (slope,) = torch.autograd.grad(sides.critic(mixed).sum(), mixed, create_graph=True)
        penalty = (slope.flatten(1).norm(dim=1) - 1).square().mean()
        loss = sides.critic(fake).mean() - sides.critic(real).mean() + 10 * penalty
        sides.critic_optimizer.zero_grad()
        loss.backward()
        sides.critic_optimizer.step()
    loss = -sides.critic(sides.generator(wgan.draw_latents(len(real), rng))).mean()
    sides.generator_optimizer.zero_grad()
    loss.backward()
    sides.generator_optimizer.step()


def package_iteration(sides, rng, real):
    game = Game(
        losses.WASSERSTEIN,
        draw_real=lambda: (real, ()),
        draw_inputs=lambda n, _: (wgan.draw_latents(n, rng),),
        critic_steps=2,
        penalty=lambda c, x, y: 10 * losses.gradient_penalty(c, x, y, rng),
        reuse_real=True,
    )
    list(train(sides, game, 1))


def measure(runs):
    """Return the median seconds of each run, taken in turn so that other work on the machine meets all alike."""
    seconds = {name: [] for name in runs}
    for index in range(ROUNDS + 2):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            if index >= 2:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def speeds(made):
    kept = made["memory_kept"]
    return {f"{name}, times a plain loop": kept["plain loop, float32"] / kept[name] for name in list(kept)[1:]}


def table(made):
    rows = []
    plain = [made[column]["plain loop, float32"] for column in ("as_is", "memory_kept")]
    for name in made["as_is"]:
        cells = [made[column][name] for column in ("as_is", "memory_kept")]
        rows.append([name, *(text for a, p in zip(cells, plain, strict=True) for text in (f"{a:.3f}", f"{p / a:.2f}"))])
    heads = ["Training loop", "s per iteration", "times as fast", "s, memory kept", "times as fast"]
    origin = made["provenance"]
    lines = [markdown(heads, rows, "lrrrr"), *machines.table(made["machines"])]
    lines += [
        f"Medians of {ROUNDS} rounds, batch {BATCH}, {made['threads']} threads ({origin['device']}), commit "
        f"{origin['commit'][:9]}, {origin['date']}; load average {made['load']:.1f}.",
    ]
    return "\n".join(lines) + "\n"


def main():
    real = torch.randn(BATCH, 1, wgan.N_SAMPLES, generator=torch.Generator().manual_seed(1)) / 4
    runs = {
        "plain loop, float32": partial(plain_iteration, *players(PlainCritic()), real),
        "package, float32": partial(package_iteration, *players(wgan.Critic()), real),
        "package, bfloat16": partial(package_iteration, *players(wgan.Critic("bfloat16")), real),
    }
    made = {"as_is": measure(runs)}
    keep_memory()
    made |= {"memory_kept": measure(runs), "threads": torch.get_num_threads(), "load": os.getloadavg()[0]}
    made["provenance"] = provenance()
    made["machines"] = machines.rows(HERE / "wgan_traces.json", made["provenance"], speeds(made))
    write_atomic(HERE / "wgan_traces.json", (json.dumps(made, indent=1) + "\n").encode())
    write_atomic(HERE / "wgan_traces.md", table(made).encode())
    print(table(made))


if __name__ == "__main__":
    main()
