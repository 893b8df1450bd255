"""Time of forward and gradient per trial of strategy 1, and of DREAM(ZS) per forward run, beside the alternatives.

All drive the shipped generator in the binary case, one after the other in each round. The plain loop takes one latent
at a time through torch's own layers and a dense ray matrix, as the released code does; the package takes a batch, in
float32 and in bfloat16. PyDREAM drives the same generator, a process for each chain, without crossover adaptation,
which does not run on NumPy 2. Times are processor time, its processes' included; with a process on every core they are
wall time. For all of them the C library keeps freed memory; without, batches take up to a fifth longer. Writes
`latent_inversion.json` and `.md` beside this file. `--width 64` measures forward and gradient of a generator of
another width, on one thread, and writes `wide_generator.json` and `.md`; `--rounds 1` tries whether it runs and prints.
"""

import argparse
import functools
import json
import multiprocessing
import os
import resource
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import machines
import numpy as np
import torch
from scipy.stats import uniform

from geolib._runtime import keep_memory
from geolib.gans import sgan
from geolib.inversion import dream
from geolib.runs import store
from geolib.runs.tables import markdown
from geolib.studies.latent_inversion.config import LatentConfig
from geolib.studies.latent_inversion.world import World, weights_path

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


def gradient_runs(width: int = 32, *, gradient: bool = True) -> dict[str, Callable[[], None]]:
    """What computes forward, and gradient, of one batch of trials, each in its own way."""
    world = World(LatentConfig(width=width), "cpu")
    short = World(LatentConfig(width=width, precision="bfloat16"), "cpu")
    plain = sgan.load_weights(weights_path(width)).requires_grad_(True)
    matrix = torch.from_numpy(world.matrices["consistent"].toarray())
    data = world.observed("consistent", "binary", 1, 1)[0]
    latents = torch.rand(BATCH, 15, generator=torch.Generator().manual_seed(0)) * 2 - 1

    def one_by_one() -> None:
        for row in latents.split(1):
            z = row.clone().requires_grad_(True)
            model = sgan.to_model(plain(z.view(1, 1, 5, 3))).flatten(1)
            slowness = 12.5 + 25 / 6 * (model + ((model >= 0.5).float() - model).detach())
            misfit = (slowness @ matrix.T - data).square().sum()
            if gradient:
                torch.autograd.grad(misfit, z)

    def batched(of: World) -> None:
        z = latents.clone().requires_grad_(True)
        misfit = (of.simulate("consistent", "binary", z) - data).square().sum()
        if gradient:
            torch.autograd.grad(misfit, z)

    def run(work: Callable[[], None]) -> Callable[[], None]:
        return work if gradient else torch.no_grad()(work)

    runs = {"plain loop": one_by_one, "float32": lambda: batched(world), "bfloat16": lambda: batched(short)}
    return {name: run(work) for name, work in runs.items()}


def gradients(
    clock: Callable[[], float] = time.process_time, width: int = 32, rounds: int = ROUNDS, *, gradient: bool = True
) -> dict[str, float]:
    """Milliseconds per trial of this process."""
    torch.set_num_threads(1)
    keep_memory()
    runs = gradient_runs(width, gradient=gradient)
    spent: dict[str, list[float]] = {name: [] for name in runs}
    for index in range(rounds + 1):
        for name, run in runs.items():
            start = clock()
            run()
            if index:
                spent[name].append(1e3 * (clock() - start) / BATCH)
    return {name: statistics.median(values) for name, values in spent.items()}


def on_all_cores() -> dict[str, float]:
    """Milliseconds per trial where every core has a process of its own, all of them at work at the same time."""
    cores = len(os.sched_getaffinity(0))
    with multiprocessing.get_context("spawn").Pool(cores) as pool:
        found = pool.map(gradients, [time.perf_counter] * cores, chunksize=1)
    return {name: statistics.mean(each[name] for each in found) / cores for name in found[0]}


@functools.cache
def likelihood() -> dream.LogLikelihood:
    world = World(LatentConfig(), "cpu")
    data, _ = world.observed("consistent", "binary", 1, 1)

    def simulate(states: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            return world.simulate("consistent", "binary", torch.as_tensor(states, dtype=torch.float32)).numpy()

    return dream.gaussian(simulate, data.numpy(), 1.0)


def of_one(state: np.ndarray) -> float:
    return float(likelihood()(state[None])[0])


def samplers() -> dict[str, float]:
    """Milliseconds of processor time per forward run."""
    from pydream.core import run_dream
    from pydream.parameters import SampledParam

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


def wide(width: int, rounds: int) -> None:
    """Measure forward and gradient of one width beside the plain loop; only whole measurements are written."""
    timed = {
        "forward": gradients(width=width, rounds=rounds, gradient=False),
        "gradient": gradients(width=width, rounds=rounds),
    }
    here = {**machines.source(store.provenance()), "width": width, "load": os.getloadavg()[0], "ms": timed}
    if rounds < ROUNDS:
        print(wide_table(here))
        return
    print(machines.write(Path(__file__).resolve().parent / "wide_generator", here, wide_table))


def wide_table(machine: dict[str, Any]) -> str:
    """Return what one processor needs for a generator of one width, and how many times as fast as the plain loop."""
    rows, target = [], machines.TARGETS["wide_generator"]
    for task, times in machine["ms"].items():
        for name, ms in times.items():
            speed = times["plain loop"] / ms
            goal = [f"{target:g}", "met" if speed >= target else "**missed**"] if name == "float32" else ["", ""]
            rows.append([name, task, f"{ms:.2f}", f"{speed:.2f}", *goal])
    heads = [f"Width {machine['width']}", "", "ms per trial, one core", "speed", "target", ""]
    told = f"Batches of {BATCH}; processor time of one thread ({machine['device']}), {machine['source']};"
    return "\n".join([markdown(heads, rows, "llrrrl"), "", f"{told} load average {machine['load']:.1f}.", ""])


def main() -> None:
    folder = Path(__file__).resolve().parent
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--width", type=int)
    options.add_argument("--rounds", type=int, default=ROUNDS)
    given = options.parse_args()
    if given.width is None and given.rounds != ROUNDS:
        options.error("--rounds goes with --width, which alone prints and writes nothing")
    if given.width is not None:
        wide(given.width, given.rounds)
        return
    keep_memory()
    middle, together, rates = gradients(), on_all_cores(), best_rates()
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
        "gradient_ms_all_cores": together,
        "measured_gflops": {name: rate / 1e9 for name, rate in rates.items()},
        "share_of_peak": share,
        "dream_ms_per_run": sampled,
        "load": os.getloadavg()[0],
        "provenance": record,
    }
    speeds = {f"{kind}, times a plain loop": middle["plain loop"] / middle[kind] for kind in ("float32", "bfloat16")}
    result["machines"] = machines.rows(folder / "latent_inversion.json", record, speeds)
    (folder / "latent_inversion.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    cores = len(os.sched_getaffinity(0))
    heads = ["Strategy 1, forward and gradient", "ms per trial, one core", "speed", "share of the peak"]
    heads += [f"ms per trial, {cores} cores", "speed"]
    rows = []
    for name, value in middle.items():
        part = f"{100 * share[name]:.0f} %" if name in share else "—"
        speed, both = (each["plain loop"] / each[name] for each in (middle, together))
        rows.append([name, f"{value:.2f}", f"{speed:.2f}", part, f"{together[name]:.2f}", f"{both:.2f}"])
    slowest = max(sampled.values())
    runs = [[name, f"{value:.2f}", f"{slowest / value:.2f}"] for name, value in sampled.items()]
    lines = [markdown(heads, rows, "lrrrrr"), ""]
    lines += [markdown(["DREAM(ZS), 8 chains", "ms per forward run", "speed"], runs, "lrr")]
    lines += machines.table(result["machines"])
    peaks = ", ".join(f"{name} {rate / 1e9:.0f}" for name, rate in rates.items())
    lines += [
        f"Batches of {BATCH}, width 32; processor time of one thread, and wall time with a process on each of "
        f"{cores} cores; {record['device']}, torch "
        f"{record['versions']['torch']}, commit {record['commit'][:9]}, {record['date']}, load average "
        f"{result['load']:.1f}. The peak is the best measured, in GFLOP/s: "
        f"{peaks}. Freed memory is kept (`keep_memory`).",
    ]
    text = "\n".join(lines) + "\n"
    (folder / "latent_inversion.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    sys.exit(main())
