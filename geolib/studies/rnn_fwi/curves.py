"""What the curves and the model of one descent say."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

Arrays = Mapping[str, np.ndarray]
#: Numbers by name, each computed from units that there may not be.
Rules = dict[str, Callable[[], float]]

# A descent has converged when its misfit is below this share of the start's.
CONVERGED = 0.01
# A model is well matched when its error is below this share of the start's and its data fit.
WELL = 0.8
# Rises of the misfit that add up to more than this share of the first misfit are oscillations a
# reader sees in a plot.
ROUGH = 0.05
# The first few evaluations.
EARLY = 10


def evaluations(run: Arrays, share: float = CONVERGED) -> float:
    """Return the first evaluation with a misfit below `share` of the start's; infinity if none."""
    below = np.flatnonzero(run["misfit"] < share * run["misfit"][0])
    return float(below[0]) if below.size else np.inf


def roughness(run: Arrays, first: int = 0, last: int | None = None) -> float:
    """Return the sum of the misfit's rises between evaluations, as a share of the first misfit."""
    return float(np.maximum(np.diff(run["misfit"][first:last]), 0).sum() / run["misfit"][0])


def interfaces(run: Arrays) -> int:
    """Return how many true interfaces a model shows: 75 % of the step, four cells each side."""
    truth, model = run["truth"], run["model"]
    jumps = np.flatnonzero(np.diff(truth))
    steps = model[jumps + 4] - model[jumps - 3]
    return int((steps >= 0.75 * (truth[jumps + 1] - truth[jumps])).sum())


def bias(run: Arrays) -> float:
    """Return the root-mean-square error within six cells of the interfaces, m/s."""
    near = np.zeros(run["truth"].size, dtype=bool)
    for jump in np.flatnonzero(np.diff(run["truth"])):
        near[jump - 5 : jump + 7] = True
    return float(np.sqrt(np.mean((run["model"] - run["truth"])[near] ** 2)))


def ended(run: Arrays) -> bool:
    """Return whether a line search ended before its budget: its last model stands from then on."""
    return "all evaluations used" not in str(run["message"])
