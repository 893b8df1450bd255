"""The descents of the chapter and what is kept: in 1-D, through the network, on Marmousi."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from geolib.datasets import velocity
from geolib.inversion import descent
from geolib.runs.journal import Journal
from geolib.runs.store import Store
from geolib.runs.unit import Arrays, Unit
from geolib.studies.rnn_fwi import theory
from geolib.studies.rnn_fwi.config import FwiConfig
from geolib.studies.rnn_fwi.problems import Problem, problem_1d, problem_2d, qualities
from geolib.studies.rnn_fwi.units import WIDTHS, Block, Curvature, Extra, Line, Steps, label
from geolib.waves import Boundary, Grid, Survey, propagate, ricker

BOUNDS = (1000.0, 8000.0)
# What the varied settings change in the pinned one.
CHANGES: dict[str, Callable[[FwiConfig], FwiConfig]] = {
    "1d": lambda config: config,
    "sigma8": lambda config: replace(config, smoothing=8.0),
    "sigma10": lambda config: replace(config, smoothing=10.0),
    "linear": lambda config: replace(config, start="linear"),
    "absorbing8hz": lambda config: replace(config, top="absorbing", frequency=8.0),
}
# The runs made in them.
# The evaluations at which the paper shows Marmousi.
MARMOUSI = {"adam": (25, 50, 100), "lbfgs": (200, 600, 1000), "cg": (400, 800, 1420)}
#: Peak frequencies of the continuation, Hz; the last is that of every other descent.
CONTINUED = (3.0, 4.5, 6.0)
#: Adam's rate on Marmousi, m/s.
ADAM_RATE = 40.0
EXTRA_BUDGET = 100
N_FRAMES = 20
# What is trained in the eager cell as well: one unrolled gradient costs as much as some hundred of
# the kernels'.
NETWORK_PROBES: tuple[tuple[str, float | None], ...] = (
    ("gd", 0.4),
    ("adam", 40.0),
    ("lbfgs", None),
)
NETWORK_BUDGET = 12


def unit(config: FwiConfig, wanted: Unit, folder: Path | None) -> Arrays:
    """Return the arrays of a unit."""
    if isinstance(wanted, Curvature):
        return _hessian(CHANGES[wanted.setting](config))
    if isinstance(wanted, (Line, Steps)):
        return _line(config, wanted)
    if isinstance(wanted, (Block, Extra)):
        stem = f"marmousi-{wanted.method}" if isinstance(wanted, Block) else wanted.name
        journal = folder / f"{stem}-evaluations" if folder is not None else None
        if isinstance(wanted, Extra):
            return _marmousi(
                config, wanted.method, EXTRA_BUDGET, extra=wanted.setting, journal=journal
            )
        return _marmousi(config, wanted.method, wanted.budget, journal=journal)
    alone = {
        "theory": theory.numbers,
        "hessian": lambda: _hessian(config),
        "gather": _gather,
        "network": lambda: _network(config),
        "marmousi-setup": _setup,
        "marmousi-cost": _cost,
    }
    return alone[wanted.name]()


def _problem(config: FwiConfig, precision: str = "float64") -> Problem:
    return problem_1d(
        precision,
        frequency=config.frequency,
        smoothing=config.smoothing,
        start=config.start,
        top=config.top,
    )


def _hessian(config: FwiConfig) -> Arrays:
    problem = _problem(config)
    found = [
        descent.largest_eigenvalue(
            lambda model: problem.objective(model)[1],
            model,
            rng=np.random.default_rng(0),
            step=0.1,
            iterations=12,
        )
        for model in (problem.truth, problem.start)
    ]
    return {"estimates": found[0][0], "vector": found[0][1], "at_start": found[1][0]}


def _line(config: FwiConfig, unit: Line | Steps) -> Arrays:
    """One 1-D descent."""
    precision = next(name for name, short in WIDTHS.items() if short == unit.width)
    problem = _problem(CHANGES[unit.setting](config), precision)
    watch = functools.partial(_watch_line, problem, [problem.start])
    found = descent.minimize(
        problem.objective,
        problem.start,
        unit.method,
        iterations=config.iterations,
        rate=unit.rate,
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


def _network(config: FwiConfig) -> Arrays:
    """Return first descents by back-propagation through the cell, beside those of the kernels."""
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


def _gather() -> Arrays:
    """Return one shot over a small part of Marmousi, 600 steps: what a receiver line records."""
    model, origin = velocity.marmousi()
    model = model[:60, 110:210]
    wavelet = ricker(10.0, 1e-3, 600).expand(1, 1, -1)
    receivers = [[[2, i] for i in range(model.shape[1])]]
    edge = Boundary(velocity=2500.0, frequency=10.0)
    survey = Survey(Grid(model.shape, 10.0), 1e-3, 600, [[[4, 50]]], receivers, wavelet, edge)
    data = propagate(torch.as_tensor(model, dtype=torch.float32), survey)
    return {
        "velocity": model.astype(np.float32),
        "gather": data[0].numpy(),
        "origin": np.array(origin),
    }


def _setup() -> Arrays:
    problem = problem_2d()
    # Every fourth receiver and sample of every shot are enough to draw Figure 17.
    return {
        "velocity": problem.truth.astype(np.float32),
        "first": problem.start,
        "gathers": problem.observed[:, ::4, ::8].numpy().astype(np.float32),
        "origin": np.array(velocity.marmousi()[1]),
    }


def _cost(iterations: int = 4, turns: int = 3) -> Arrays:
    """Return an evaluation's core time with each method's own work; turns are medianed."""
    problem = problem_2d()
    problem.objective(problem.start)  # compiles
    spent: list[float] = []
    for method in list(MARMOUSI) * turns:
        # Processor time: other work on the machine does not count.
        begin = time.process_time()
        rate = ADAM_RATE if method == "adam" else None
        found = descent.minimize(
            problem.objective,
            problem.start,
            method,
            iterations=iterations,
            rate=rate,
            bounds=BOUNDS,
        )
        spent.append((time.process_time() - begin) / len(found.misfit))
    return {
        "methods": np.array(list(MARMOUSI)),
        "cost": np.median(np.reshape(spent, (turns, -1)), axis=0),
    }


def beginning(method: str, evaluations: int, extra: str = "") -> Arrays:
    """Return misfit and model error of the first evaluations of a descent on Marmousi."""
    problem = problem_2d(extra, CONTINUED[0] if extra == "continuation" else CONTINUED[-1])
    found = descent.minimize(
        problem.objective,
        problem.start,
        method,
        iterations=evaluations,
        rate=ADAM_RATE if method == "adam" else None,
        bounds=BOUNDS,
        watch=lambda model: (problem.error(model),),
    )
    return {"misfit": found.misfit, "error": found.watched[:, 0]}


def _marmousi(
    config: FwiConfig, method: str, budget: int, *, extra: str = "", journal: Path | None = None
) -> Arrays:
    """One descent on Marmousi, or on one of the harder settings named by `extra`."""
    snapshots = (
        () if extra else [round(n * config.marmousi_share) for n in MARMOUSI[method] if n <= budget]
    )
    budget = max(1, round(budget * config.marmousi_share))
    third = budget // 3
    stages = list(zip(CONTINUED, (third, third, budget - 2 * third), strict=True))
    if extra != "continuation":
        stages = [(CONTINUED[-1], budget)]
    frames = {round(i) for i in np.linspace(0, budget, 2 if extra else N_FRAMES)} | set(snapshots)
    parts, seconds, start = [], [], None
    shown: dict[int, np.ndarray] = {}
    for number, (frequency, iterations) in enumerate(stages):
        problem = problem_2d(extra, frequency)
        done = sum(n for _, n in stages[:number])
        store = (
            Store(journal.with_name(f"{journal.name}-{number}")) if journal is not None else None
        )
        remembered = Journal(problem.objective, store)
        found = descent.minimize(
            remembered,
            problem.start if start is None else start,
            method,
            iterations=iterations,
            rate=ADAM_RATE if method == "adam" else None,
            bounds=BOUNDS,
            watch=functools.partial(qualities, problem),
            keep=[k - done for k in frames if k >= done],
        )
        start = found.model
        parts.append(found)
        seconds += remembered.seconds
        # A line search may end before its budget does, where nothing lower can be told apart: its
        # model stands.
        shown |= {k + done: model for k, model in found.snapshots.items()} | {
            done + iterations: found.model
        }
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
