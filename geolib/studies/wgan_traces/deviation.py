"""What the chapter on traces says of the first weights' deviation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from geolib.runs.store import Results
from geolib.studies.wgan_traces import tables
from geolib.studies.wgan_traces.gallery import N_ANIMATED
from geolib.studies.wgan_traces.story import NOT_RUN, Run

#: Below this share of the real traces' spread a generator makes one trace whatever its latent.
COLLAPSED = 0.1


def by_deviation(found: Sequence[Results]) -> dict[float, Run]:
    """Return the epochs of trainings by the initial deviation of their kernels."""
    return {float(each.config["init_std"]): tables.epochs(each.units) for each in found}


def spreads(run: Run, real: np.ndarray) -> np.ndarray:
    """Return for each epoch the spread among traces of fixed latents, over that of real ones."""
    return np.array([tables.spread(arrays["samples"][:N_ANIMATED], real) for arrays in run])


def narrowest(runs: Mapping[float, Run], real: np.ndarray) -> int:
    """Return the epoch, of those all runs reached, at which the last run's traces differ least."""
    shown = min(map(len, runs.values()))
    return int(spreads(list(runs.values())[-1][:shown], real).argmin()) + 1


def titles(runs: Mapping[float, Run], real: np.ndarray) -> dict[float, str]:
    """Return by initial deviation in how many epochs the generator made one and the same trace."""
    shown = min(map(len, runs.values()))
    counts = {d: int((spreads(run[:shown], real) < COLLAPSED).sum()) for d, run in runs.items()}
    return {d: f"from {d:g}: {n} of {shown} epochs collapsed" for d, n in counts.items()}


def message(runs: Mapping[float, Run], real: np.ndarray) -> str:
    """Return from which initial deviations the generator made one and the same trace."""
    shown = min(map(len, runs.values()))
    fell = [f"{d:g}" for d, run in runs.items() if (spreads(run[:shown], real) < COLLAPSED).any()]
    if len(fell) == len(runs):
        return "Some epochs make one and the same trace"
    return f"From {' and '.join(fell)} the training collapses" if fell else "No epoch collapses"


def facts(runs: Mapping[float, Run], real: np.ndarray) -> dict[str, str]:
    """Return what the second of two trainings from different deviations says, beside the first."""
    if len(runs) < 2:
        names = ("epochs", "collapsed", "narrow", "spread_other")
        return {f"deviation_{name}": NOT_RUN for name in names}
    shown, narrow = min(map(len, runs.values())), narrowest(runs, real)
    other = spreads(list(runs.values())[1][:shown], real)
    return {
        "deviation_epochs": f"{shown}",
        "deviation_collapsed": f"{(other < COLLAPSED).sum()}",
        "deviation_narrow": f"{narrow}",
        "deviation_spread_other": f"{100 * other[narrow - 1]:.1f}",
    }
