"""What the laboratories of the rnn_fwi chapter start from and are checked against."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from geolib import studies
from geolib.book.labs._data import encode
from geolib.inversion import descent
from geolib.waves import Boundary, Grid, Survey, misfit_and_gradient, propagate, ricker

STUDY = studies.get("rnn_fwi")
problem_1d, BOUNDS = STUDY.lends["problem"], STUDY.lends["bounds"]
# One step of each method at a rate at which it moves every cell by something.
RATES = {
    "gd": 0.4,
    "momentum": 0.4,
    "momentum_b": 0.4,
    "adagrad": 40.0,
    "rmsprop": 4.0,
    "adam": 40.0,
}
UPDATES = 5

SHAPE, SPACING, DT, NT, FREQUENCY = (100, 300), 10.0, 1.2e-3, 1000, 8.0
BOUNDARY = Boundary(width=12, velocity=2500.0, frequency=FREQUENCY)
SOURCE = (4, 90)
RECEIVERS = [(2, 3 * i + 1) for i in range(100)]
# The anomaly that is there before the reader paints: a slow lens.
LENS = {"z": 48, "x": 165, "radius": 14.0, "velocity": -400.0}
SHOWN_STEP = 500


def background() -> np.ndarray:
    """Return the velocities of the tank without an anomaly, m/s: linear in depth."""
    return np.repeat(np.linspace(2000.0, 3000.0, SHAPE[0])[:, None], SHAPE[1], axis=1)


def lens() -> np.ndarray:
    """Return the velocities of the tank with the first anomaly, m/s."""
    z, x = np.indices(SHAPE)
    return background() + LENS["velocity"] * np.exp(
        -((z - LENS["z"]) ** 2 + (x - LENS["x"]) ** 2) / (2 * LENS["radius"] ** 2)
    )


def tank(receivers: Any = RECEIVERS, nt: int = NT) -> Survey:
    """Return the one-shot survey of the wave tank."""
    wavelet = ricker(FREQUENCY, DT, nt, dtype=torch.float64).expand(1, 1, -1)
    return Survey(
        Grid(SHAPE, SPACING),
        DT,
        nt,
        [[list(SOURCE)]],
        [[list(r) for r in receivers]],
        wavelet,
        BOUNDARY,
    )


def scripts() -> dict[str, dict[str, Any]]:
    """Return the data of both laboratories, and what each is checked against."""
    return {
        "rnn_fwi": {"line": _line(), "tank": _tank()},
        "rnn_fwi-line": line(),
        "rnn_fwi-tank": wave_tank(),
    }


def _line() -> dict[str, Any]:
    results = studies.shipped(STUDY)
    if results is None:
        raise ValueError(
            "the shipped results of rnn_fwi must be there; they are not. Check book/results."
        )
    problem = problem_1d()
    starts = {
        "smooth6": problem,
        "smooth10": problem_1d(smoothing=10.0),
        "linear": problem_1d(start="linear"),
    }
    return {
        "spacing": problem.survey.grid.spacing,
        "dt": problem.survey.dt,
        "nt": problem.survey.nt,
        "index": int(problem.survey.source_locations[0, 0, 0]),
        "frequency": 10.0,
        "velocity": problem.survey.tuning[0],
        "bounds": list(BOUNDS),
        "limit": 2 / float(results.units["hessian"]["estimates"][-1]),
        "truth": encode(problem.truth),
        "starts": {name: encode(found.start, "f8") for name, found in starts.items()},
    }


def _tank() -> dict[str, Any]:
    return {
        "shape": list(SHAPE),
        "spacing": SPACING,
        "dt": DT,
        "nt": NT,
        "frequency": FREQUENCY,
        "width": BOUNDARY.width,
        "velocity": BOUNDARY.velocity,
        "source": list(SOURCE),
        "receivers": [list(r) for r in RECEIVERS],
        "top": 2000.0,
        "bottom": 3000.0,
        "lens": LENS,
    }


def line() -> dict[str, Any]:
    """Return the 1-D problem's first misfit and gradient, and five updates of each method."""
    problem = problem_1d()
    misfit, gradient = problem.objective(problem.start)
    models = {name: _updated(problem, name, rate) for name, rate in RATES.items()}
    return {
        "misfit": misfit,
        "gradient": encode(gradient, "f8"),
        "trace": encode(problem.observed[0, 0].numpy(), "f8"),
        "rates": RATES,
        "updates": UPDATES,
        "models": {name: encode(model, "f8") for name, model in models.items()},
    }


def _updated(problem: Any, method: str, rate: float) -> np.ndarray:
    found = descent.minimize(
        problem.objective, problem.start, method, iterations=UPDATES, rate=rate, bounds=BOUNDS
    )
    return found.model


def wave_tank() -> dict[str, Any]:
    """Return gather, one wavefield, misfit and gradient of the wave tank, in double precision."""
    truth, start = torch.from_numpy(lens()), torch.from_numpy(background())
    observed = propagate(truth, tank())
    misfit, gradient = misfit_and_gradient(start, tank(), observed)
    cells = [(z, x) for z in range(0, SHAPE[0], 2) for x in range(0, SHAPE[1], 2)]
    field = propagate(truth, tank(cells, SHOWN_STEP))[0, :, -1]
    return {
        "step": SHOWN_STEP,
        "field": encode(field.numpy()),
        "gather": encode(observed[0, ::2].numpy().T),
        "misfit": float(misfit),
        "gradient": encode(gradient.numpy()[::2, ::2].ravel()),
    }
