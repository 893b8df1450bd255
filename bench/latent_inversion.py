"""Time of forward and gradient per trial of strategy 1, and of DREAM(ZS) per forward run, beside the alternatives.

All drive the shipped generator in the binary case, one after the other in each round. The plain loop takes one latent
at a time through torch's own layers and a dense ray matrix, as the released code does; the package takes a batch, in
float32 and in bfloat16. PyDREAM drives the same generator, a process for each chain, without crossover adaptation,
which does not run on NumPy 2. All times are processor time, its processes' included. For all of them the C library
keeps freed memory; without, batches take up to a fifth longer. Writes `latent_inversion.json` and `.md` beside this
file.
"""

import functools
import json
import os
import resource
import statistics
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
from pydream.core import run_dream
from pydream.parameters import SampledParam
from scipy.stats import uniform

from geolib import store
from geolib._memory import keep_memory
from geolib.gans import sgan
from geolib.inversion import dream
from geolib.studies import latent_inversion as study

BATCH, ROUNDS, GENERATIONS = 16, 7, 40


def processor_seconds() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def best_rates() -> dict[str, float]:
    """Floating-point operations per second of large matrix products, and of a convolution, oneDNN's forte."""
    matrix, images, kernel = torch.randn(1024, 1024), torch.randn(8, 128, 34, 34), torch.randn(128, 128, 3, 3)
    images, kernel = (x.to(memory_format=torch.channels_last) for x in (images, kernel))
    short = matrix.bfloat16()
    product, convolution = 2 * 1024**3, 2 * 8 * 32**2 * 9 * 128**2
    runs = {
        "float32 product": (product, lambda: matrix @ matrix),
        "float32 convolution": (convolution, lambda: torch.nn.functional.conv2d(images, kernel)),
        "bfloat16 product": (product, lambda: short @ short),
    }
    rates = {}
    for name, (operations, run) in runs.items():
        run()
        start = time.process_time()
        for _ in range(10):
            run()
        rates[name] = 10 * operations / (time.process_time() - start)
    return rates


def multiplications(width: int) -> float:
    """Those of one 129 x 65 image: each latent or feature pixel meets each kernel once."""
    layers = [(1, 8, 15), (8, 4, 45), (4, 2, 153), (2, 1, 561)]
    wide = sum(25 * pixels * a * b * width ** (1 if number == 0 else 2) for number, (a, b, pixels) in enumerate(layers))
    return wide + 25 * width * (2145 + 2 * 8385)


def gradients() -> dict[str, float]:
    """Milliseconds per trial."""
    world = study.World(study.Config(), "cpu")
    short = study.World(study.Config(precision="bfloat16"), "cpu")
    plain = sgan.load_weights(study.weights_path(32)).requires_grad_(True)
    matrix = torch.from_numpy(world.matrices["consistent"].toarray())
    data = world.observed("consistent", "binary", 1, 1)[0]
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
            start = time.process_time()
            run()
            if index:
                spent[name].append(1e3 * (time.process_time() - start) / BATCH)
    return {name: statistics.median(values) for name, values in spent.items()}


@functools.cache
def likelihood() -> dream.LogLikelihood:
    world = study.World(study.Config(), "cpu")
    data, _ = world.observed("consistent", "binary", 1, 1)

    def simulate(states: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return world.simulate("consistent", "binary", torch.as_tensor(states, dtype=torch.float32)).numpy()

    return dream.gaussian(simulate, data.numpy(), 1.0)


def of_one(state: np.ndarray) -> float:
    return float(likelihood()(state[None])[0])


def samplers() -> dict[str, float]:
    """Milliseconds of processor time per forward run."""
    likelihood()(np.full((8, 15), 0.5))
    start = processor_seconds()
    chains = dream.sample(likelihood(), 15, GENERATIONS, np.random.default_rng(0))
    found = {"package": 1e3 * (processor_seconds() - start) / chains.runs}
    prior = SampledParam(uniform, loc=-np.ones(15), scale=2 * np.ones(15))
    options = {"nchains": 8, "adapt_crossover": False, "multitry": False, "save_history": False, "verbose": False}

    def run(generations: int) -> float:
        start = processor_seconds()
        run_dream([prior], of_one, niterations=generations, **options)
        return processor_seconds() - start

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        home = Path.cwd()
        os.chdir(folder)
        # Two lengths, so that starting its processes does not count; of tens, or its history overflows.
        few, many = run(10), run(10 + GENERATIONS)
        os.chdir(home)
    return found | {"PyDREAM": 1e3 * (many - few) / (8 * GENERATIONS)}


def main() -> None:
    folder = Path(__file__).resolve().parent
    keep_memory()
    middle, rates = gradients(), best_rates()
    operations = 4 * multiplications(32)  # a product is two, and the way back takes as many as the way there
    share = {
        kind: 1e3 * operations / middle[kind] / max(rate for name, rate in rates.items() if kind in name)
        for kind in ("float32", "bfloat16")
    }
    sampled = samplers()
    record = {key: store.provenance()[key] for key in ("commit", "device", "cores", "versions", "date")}
    result = {
        "batch": BATCH,
        "gradient_ms": middle,
        "measured_gflops": {name: rate / 1e9 for name, rate in rates.items()},
        "share_of_peak": share,
        "dream_ms_per_run": sampled,
        "load": os.getloadavg()[0],
        "record": record,
    }
    (folder / "latent_inversion.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    lines = ["| Strategy 1, forward and gradient | ms per trial | speed | share of the peak |", "|---|--:|--:|--:|"]
    for name, value in middle.items():
        part = f"{100 * share[name]:.0f} %" if name in share else "—"
        lines.append(f"| {name} | {value:.2f} | {middle['plain loop'] / value:.2f} | {part} |")
    lines += ["", "| DREAM(ZS), 8 chains | ms per forward run | speed |", "|---|--:|--:|"]
    slowest = max(sampled.values())
    lines += [f"| {name} | {value:.2f} | {slowest / value:.2f} |" for name, value in sampled.items()]
    peaks = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in rates.items())
    lines += [
        "",
        f"Processor time, batches of {BATCH}, width 32, {record['cores']} threads, {record['device']}, torch "
        f"{record['versions']['torch']}, commit {record['commit'][:9]}, {record['date']}, load average "
        f"{result['load']:.1f}. The peak is the best measured, in GFLOP/s: "
        f"{peaks}. Freed memory is kept (`keep_memory`).",
    ]
    text = "\n".join(lines) + "\n"
    (folder / "latent_inversion.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
