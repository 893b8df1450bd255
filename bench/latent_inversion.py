"""Milliseconds of forward and gradient per trial of strategy 1, package against one trial at a time, interleaved.

Both use the shipped generator and the binary case. The plain loop takes one latent at a time through torch's own layers
and a dense ray matrix in float32; the package takes a batch, its own route through the last layers and sparse rays, in
float32 and in bfloat16. The share of the cores' measured matrix-multiply rate is that of the package in float32.
"""

import statistics
import time

import torch

from geolib.gans import sgan
from geolib.studies import latent_inversion as study

BATCH, ROUNDS = 8, 7


def best_rate() -> float:
    """Multiplications per second of a large float32 product."""
    matrix = torch.randn(1024, 1024)
    matrix @ matrix
    start = time.process_time()
    for _ in range(5):
        matrix @ matrix
    return 5 * 1024**3 / (time.process_time() - start)


def multiplications(width: int) -> float:
    """Those of one 129 x 65 image: each latent or feature pixel meets each kernel once."""
    layers = [(1, 8, 15), (8, 4, 45), (4, 2, 153), (2, 1, 561)]
    wide = sum(25 * pixels * a * b * width ** (1 if number == 0 else 2) for number, (a, b, pixels) in enumerate(layers))
    return wide + 25 * width * (2145 + 2 * 8385)


def main() -> None:
    world = study.World(study.Config(), "cpu")
    short = study.World(study.Config(precision="bfloat16"), "cpu", world.network)
    plain = sgan.load_weights(study.weights_path(32)).requires_grad_(True)
    matrix = torch.from_numpy(world.matrices["consistent"].toarray())
    data = world.data(study.Unit("consistent", "binary", "adam", 1, 1, 1, 0))[0]
    latents = torch.rand(BATCH, 15, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def one_by_one() -> None:
        for row in latents.split(1):
            z = row.clone().requires_grad_(True)
            model = sgan.to_model(plain(z.view(1, 1, 5, 3))).flatten(1)
            slowness = 12.5 + 25 / 6 * (model + ((model >= 0.5).float() - model).detach())
            torch.autograd.grad((slowness @ matrix.T - data).square().sum(), z)

    def batched(of: study.World) -> None:
        z = latents.clone().requires_grad_(True)
        torch.autograd.grad((of.simulate("consistent", "binary", z) - data).square().sum(), z)

    runs = {"plain loop": one_by_one, "float32": lambda: batched(world), "bfloat16": lambda: batched(short)}
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(ROUNDS + 1):
        for name, run in runs.items():
            # Processor time: other work on the machine must not decide.
            start = time.process_time()
            run()
            if index:
                spent[name].append((time.process_time() - start) / BATCH)
    middle = {name: statistics.median(values) for name, values in spent.items()}
    for name, value in middle.items():
        ratio = middle["plain loop"] / value
        print(f"latent_inversion {name}: {1e3 * value:.2f} ms per trial ({ratio:.2f} times the plain loop's speed)")
    share = 2 * multiplications(32) / middle["float32"] / best_rate()
    print(f"latent_inversion float32: {100 * share:.0f} % of the matrix-multiply rate")


if __name__ == "__main__":
    main()
