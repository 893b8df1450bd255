"""Full-waveform inversion as the training of a recurrent network (Sun et al.): optimisers, learning rates, Marmousi."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geolib.datasets import velocity
from geolib.inversion import descent
from geolib.runs.config import Config as Base
from geolib.runs.config import param
from geolib.runs.measure import Measure
from geolib.studies.rnn_fwi import measures as _rnn_measures
from geolib.studies.rnn_fwi import otherwise, theory
from geolib.studies.rnn_fwi.problems import Problem, problem_1d, problem_2d, qualities
from geolib.waves import Boundary, Grid, Survey, propagate, ricker

TITLE = "Full-waveform inversion as the training of a recurrent network (Sun et al. 2020)"
QUESTION = (
    "If a wave solver is a recurrent network, which of deep learning's optimisers inverts it best, at which rate?"
)
FILES = ("marmousi_vp_1601x401.f32",)
VERSION = 1
DIMS = {
    "misfit": ("evaluation",),
    "error": ("evaluation",),
    "change": ("evaluation",),
    "ssim": ("evaluation",),
    "seconds": ("evaluation",),
    "model": ("z",),
    "truth": ("z",),
    "start": ("z",),
    "trace": ("time",),
    "frames": ("frame", "z", "x"),
    "frame_at": ("frame",),
}

EXPERIMENTS = ("theory", "hessian", "gather", "network", "1d", "sensitivity", "marmousi", "extras")
BOUNDS = (1000.0, 8000.0)
WIDTHS = {"float32": "f32", "float64": "f64"}
# What the sensitivity panels change in the pinned one-dimensional setting, and the runs made there.
VARIANTS: dict[str, dict[str, Any]] = {
    "sigma8": {"smoothing": 8.0},
    "sigma10": {"smoothing": 10.0},
    "linear": {"start": "linear"},
    "absorbing8hz": {"top": "absorbing", "frequency": 8.0},
}
PROBES = (("gd", 0.4), ("momentum", 0.8), ("adam", 40.0), ("cg", None), ("lbfgs", None))
# The evaluations at which the paper shows Marmousi.
MARMOUSI = {"adam": (25, 50, 100), "lbfgs": (200, 600, 1000), "cg": (400, 800, 1420)}
# One descent in units that go on from one another, so that what there is can be shown before all is done.
EARLY_BLOCKS = ("adam-100", "lbfgs-200", "cg-100")
LATE_BLOCKS = ("cg-400", "lbfgs-600", "cg-800", "lbfgs-1000", "cg-1420")
EXTRAS = ("continuation", "noise", "finer", "linear")
EXTRA_BUDGET = 100
N_FRAMES = 20
# What is trained in the eager cell as well: one unrolled gradient costs as much as some hundred of the kernels'.
NETWORK_PROBES: tuple[tuple[str, float | None], ...] = (("gd", 0.4), ("adam", 40.0), ("lbfgs", None))
NETWORK_BUDGET = 12


@dataclass(frozen=True)
class Config(Base):
    """Parameters of the chapter; the 1-D setting is the same in both presets."""

    experiments: tuple[str, ...] = param(
        ("theory", "hessian", "gather", "network", "1d"),
        "what to run",
        paper=EXPERIMENTS,
        choices=EXPERIMENTS,
        extent=True,
    )
    optimisers: tuple[str, ...] = param(
        ("gd", "momentum", "momentum_b", "adam", "cg", "lbfgs"),
        "optimisers of the 1-D inversion",
        paper=descent.METHODS,
        choices=descent.METHODS,
        extent=True,
    )
    gd_rates: tuple[float, ...] = param(
        (0.4, 0.6), "learning rates of gradient descent", paper=(0.2, 0.4, 0.6, 0.8), low=1e-4, high=1e5, extent=True
    )
    momentum_rates: tuple[float, ...] = param(
        (0.8,),
        "learning rates of both momentum methods",
        paper=(0.1, 0.4, 0.6, 0.8, 1.0),
        low=1e-4,
        high=1e5,
        extent=True,
    )
    adagrad_rates: tuple[float, ...] = param(
        (40.0,), "learning rates of Adagrad", paper=(0.4, 4.0, 40.0, 100.0), low=1e-4, high=1e5, unit="m/s", extent=True
    )
    rmsprop_rates: tuple[float, ...] = param(
        (4.0,), "learning rates of RMSprop", paper=(0.4, 0.8, 4.0, 40.0), low=1e-4, high=1e5, unit="m/s", extent=True
    )
    adam_rates: tuple[float, ...] = param(
        (40.0,), "learning rates of Adam", paper=(0.8, 4.0, 40.0, 100.0), low=1e-4, high=1e5, unit="m/s", extent=True
    )
    precision: tuple[str, ...] = param(
        ("float64",), "number formats of the 1-D runs", paper=("float64", "float32"), choices=tuple(WIDTHS), extent=True
    )
    iterations: int = param(150, "evaluations of each 1-D run after its start", paper=1000, low=1, high=100000)
    frequency: float = param(10.0, "peak frequency of the 1-D source wavelet", low=1.0, high=12.0, unit="Hz")
    smoothing: float = param(6.0, "standard deviation of the 1-D start's smoothing", low=0.5, high=50.0, unit="cells")
    start: str = param("smooth", "1-D start: the smoothed truth, or 2 to 5 km/s", choices=("smooth", "linear"))
    top: str = param("free", "upper boundary of the 1-D model", choices=("free", "absorbing"))
    marmousi_share: float = param(1.0, "share of the paper's evaluations spent on Marmousi", low=0.01, high=10.0)


def rates(config: Config, method: str) -> Sequence[float | None]:
    """Return the learning rates that a configuration gives a method; (None,) for a line search."""
    return getattr(config, f"{method.removesuffix('_b')}_rates") if method in descent.STEP_METHODS else (None,)


def label(method: str, rate: float | None) -> str:
    """Return the name of a method at a rate, as it stands in unit names: 'adam-40', 'cg'."""
    return method if rate is None else f"{method}-{rate:g}"


def unit_names(config: Config) -> list[str]:
    """Return the units of a configuration, each once, the cheap ones first."""
    names: list[str] = [name for name in ("theory", "hessian", "gather", "network") if name in config.experiments]
    if "1d" in config.experiments:
        names += [
            f"1d-{label(method, rate)}-{WIDTHS[precision]}"
            for precision in config.precision
            for method in config.optimisers
            for rate in rates(config, method)
        ]
    if "sensitivity" in config.experiments:
        names += [f"hessian-{variant}" for variant in VARIANTS]
        names += [f"{variant}-{label(*probe)}-f64" for variant in VARIANTS for probe in PROBES]
    if {"marmousi", "extras"} & set(config.experiments):
        names.append("marmousi-setup")
    if "marmousi" in config.experiments:
        names += ["marmousi-cost"] + [f"marmousi-{block}" for block in EARLY_BLOCKS]
    if "extras" in config.experiments:
        names += [f"{extra}-{method}" for extra in EXTRAS for method in MARMOUSI]
    if "marmousi" in config.experiments:
        names += [f"marmousi-{block}" for block in LATE_BLOCKS]
    return list(dict.fromkeys(names))


def tasks(config: Config, names: Sequence[str]) -> list[list[str]]:
    """Return the units in groups that may run apart: the blocks of one Marmousi descent share a journal."""
    groups: dict[str, list[str]] = {}
    for name in names:
        first, _, rest = name.partition("-")
        shared = first == "marmousi" and rest not in ("setup", "cost")
        groups.setdefault(name.rpartition("-")[0] if shared else name, []).append(name)
    return list(groups.values())


def compute(
    config: Config, names: Sequence[str], folder: Path | None = None
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield each unit's arrays; Marmousi descents keep a journal in `folder`, from which they and longer ones go on."""
    for name in names:
        first, _, rest = name.partition("-")
        if name == "theory":
            yield name, theory.numbers()
        elif first == "hessian":
            yield name, _hessian(_varied(config, rest))
        elif name == "gather":
            yield name, _gather()
        elif name == "network":
            yield name, _network(config)
        elif name == "marmousi-setup":
            yield name, _setup()
        elif name == "marmousi-cost":
            yield name, _cost()
        elif first == "marmousi":
            method, _, budget = rest.partition("-")
            journal = folder / f"marmousi-{method}.journal" if folder is not None else None
            yield name, _marmousi(config, method, int(budget), journal=journal)
        elif rest in MARMOUSI:
            journal = folder / f"{name}.journal" if folder is not None else None
            yield name, _marmousi(config, rest, EXTRA_BUDGET, extra=first, journal=journal)
        else:
            yield name, _line(_varied(config, "" if first == "1d" else first), rest)


def _varied(config: Config, variant: str) -> Config:
    return replace(config, **VARIANTS[variant]) if variant else config


def _problem(config: Config, precision: str = "float64") -> Problem:
    return problem_1d(
        precision, frequency=config.frequency, smoothing=config.smoothing, start=config.start, top=config.top
    )


def _hessian(config: Config) -> dict[str, np.ndarray]:
    problem = _problem(config)
    found = [
        descent.largest_eigenvalue(
            lambda model: problem.objective(model)[1],
            model,
            generator=np.random.default_rng(0),
            step=0.1,
            iterations=12,
        )
        for model in (problem.truth, problem.start)
    ]
    return {"estimates": found[0][0], "vector": found[0][1], "at_start": found[1][0]}


def _line(config: Config, rest: str) -> dict[str, np.ndarray]:
    """One 1-D descent; `rest` is 'adam-40-f64' or 'cg-f32'."""
    parts = rest.split("-")
    precision = next(name for name, short in WIDTHS.items() if short == parts[-1])
    problem = _problem(config, precision)
    watch = functools.partial(_watch_line, problem, [problem.start])
    found = descent.minimize(
        problem.objective,
        problem.start,
        parts[0],
        iterations=config.iterations,
        rate=float(parts[1]) if len(parts) == 3 else None,
        bounds=BOUNDS,
        watch=watch,
    )
    error, change = found.watched.T.astype(np.float32)
    return {
        "misfit": found.misfit.astype(np.float32),
        "error": error,
        "change": change,
        "model": found.model.astype(np.float32),
        "truth": problem.truth.astype(np.float32),
        "start": problem.start.astype(np.float32),
        "trace": problem.observed[0, 0].numpy().astype(np.float32),
        "message": np.array(found.message),
    }


def _watch_line(problem: Problem, last: list[np.ndarray], model: np.ndarray) -> tuple[float, float]:
    """Return the model's error and the largest change of a cell since the last call."""
    change = float(np.abs(model - last[0]).max())
    last[0] = model.copy()
    return problem.error(model), change


def _network(config: Config) -> dict[str, np.ndarray]:
    """Return the first descents by back-propagation through the recurrent cell, beside those of the kernels."""
    problem = _problem(config)
    made: dict[str, np.ndarray] = {"methods": np.array([label(*probe) for probe in NETWORK_PROBES])}
    for name, objective in (("network", problem.by_autograd), ("kernels", problem.objective)):
        runs = [
            descent.minimize(
                objective,
                problem.start,
                method,
                iterations=NETWORK_BUDGET,
                rate=rate,
                bounds=BOUNDS,
                watch=lambda model: (problem.error(model),),
            )
            for method, rate in NETWORK_PROBES
        ]
        made[f"misfit_{name}"] = np.array([run.misfit for run in runs])
        made[f"error_{name}"] = np.array([run.watched[:, 0] for run in runs])
    return made


def _gather() -> dict[str, np.ndarray]:
    """Return one shot over a small part of Marmousi, 600 steps: what a receiver line records."""
    model, origin = velocity.marmousi()
    model = model[:60, 110:210]
    wavelet = ricker(10.0, 1e-3, 600).expand(1, 1, -1)
    receivers = [[[2, i] for i in range(model.shape[1])]]
    edge = Boundary(velocity=2500.0, frequency=10.0)
    survey = Survey(Grid(model.shape, 10.0), 1e-3, 600, [[[4, 50]]], receivers, wavelet, edge)
    data = propagate(torch.as_tensor(model, dtype=torch.float32), survey)
    return {"velocity": model.astype(np.float32), "gather": data[0].numpy(), "origin": np.array(origin)}


def _setup() -> dict[str, np.ndarray]:
    problem = problem_2d()
    # Every fourth receiver and sample of every shot are enough to draw Figure 17.
    return {
        "velocity": problem.truth.astype(np.float32),
        "first": problem.start,
        "gathers": problem.observed[:, ::4, ::8].numpy().astype(np.float32),
        "origin": np.array(velocity.marmousi()[1]),
    }


def _cost(iterations: int = 4, turns: int = 3) -> dict[str, np.ndarray]:
    """Return what an evaluation takes of one core with each method, its own work included; turns are medianed."""
    problem = problem_2d()
    problem.objective(problem.start)  # compiles
    spent: list[float] = []
    for method in list(MARMOUSI) * turns:
        # Processor time: other work on the machine does not count.
        begin = time.process_time()
        rate = 40.0 if method == "adam" else None
        found = descent.minimize(
            problem.objective, problem.start, method, iterations=iterations, rate=rate, bounds=BOUNDS
        )
        spent.append((time.process_time() - begin) / len(found.misfit))
    return {"methods": np.array(list(MARMOUSI)), "cost": np.median(np.reshape(spent, (turns, -1)), axis=0)}


def _marmousi(
    config: Config, method: str, budget: int, *, extra: str = "", journal: Path | None = None
) -> dict[str, np.ndarray]:
    """One descent on Marmousi, or on one of the harder settings named by `extra`."""
    snapshots = () if extra else [round(n * config.marmousi_share) for n in MARMOUSI[method] if n <= budget]
    budget = max(1, round(budget * config.marmousi_share))
    stages = [(3.0, budget // 3), (4.5, budget // 3), (6.0, budget - 2 * (budget // 3))]
    if extra != "continuation":
        stages = [(6.0, budget)]
    frames = {round(i) for i in np.linspace(0, budget, 2 if extra else N_FRAMES)} | set(snapshots)
    parts, seconds, start = [], [], None
    shown: dict[int, np.ndarray] = {}
    for number, (frequency, iterations) in enumerate(stages):
        problem = problem_2d(extra, frequency)
        done = sum(n for _, n in stages[:number])
        path = journal.with_name(f"{journal.name}{number}") if journal is not None else None
        remembered = descent.Journal(problem.objective, path)
        found = descent.minimize(
            remembered,
            problem.start if start is None else start,
            method,
            iterations=iterations,
            rate=40.0 if method == "adam" else None,
            bounds=BOUNDS,
            watch=functools.partial(qualities, problem),
            keep=[k - done for k in frames],
        )
        start = found.model
        parts.append(found)
        seconds += remembered.seconds
        # A line search may end before its budget does, where nothing lower can be told apart: its model stands.
        shown |= {k + done: model for k, model in found.snapshots.items()} | {done + iterations: found.model}
    watched = np.concatenate([p.watched for p in parts]).astype(np.float32)
    return {
        "misfit": np.concatenate([p.misfit for p in parts]).astype(np.float32),
        **dict(zip(("error", "ssim", "error_shallow", "error_deep"), watched.T, strict=True)),
        "seconds": np.array(seconds, dtype=np.float32),
        # One metre per second is finer than the eye: two bytes a cell.
        "frames": np.array([shown[k] for k in sorted(shown)]).round().astype(np.int16),
        "frame_at": np.array(sorted(shown)),
        "message": np.array("; ".join(p.message for p in parts)),
    }


def condense(units: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, np.ndarray]]:
    """Return the units for shipping: of a Marmousi descent that a longer one goes on from, the last model only."""
    shipped = dict(units)
    for method in MARMOUSI:
        blocks = [f"marmousi-{b}" for b in EARLY_BLOCKS + LATE_BLOCKS if b.startswith(f"{method}-")]
        for name in [block for block in blocks if block in units][:-1]:
            last = {key: units[name][key][-1:] for key in ("frames", "frame_at")}
            shipped[name] = {**units[name], **last}
    return shipped


def measures(config: Config, units: dict[str, dict[str, np.ndarray]]) -> dict[str, Measure]:
    """Return what the claims ledger asks for, as far as the units are there."""
    return _rnn_measures.measures(units)


def variants(config: Config, units: dict[str, dict[str, np.ndarray]]) -> dict[str, dict[str, Measure]]:
    """Return by a choice of ours the measures that another one gives."""
    return otherwise.variants(units)


if __name__ == "__main__":
    from geolib import studies

    raise SystemExit(studies.main(sys.modules[__name__]))
