"""A search for models that fit data to their errors: no derivative, many basins, and every solve counted.

It knows a function from models in the cube (-1, 1)^d to predictions, and nothing of what lies between. Each attempt
draws a pool from the prior, regresses models on their predictions, and asks that regression for the data: once for
its guess, and again with what it left unexplained of models that predict alike. What is proposed is simulated, the
best are kept, and the regression learns from them. Near the end a third of the proposals are Gauss-Newton's. When
progress ends without a fit, the next attempt begins with a larger pool.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import special

from geolib import _checks
from geolib._arguments import array, checked, hold
from geolib._runtime import steps

#: Takes models (n, d) in (-1, 1), returns predictions (n, n_data).
Simulate = Callable[[np.ndarray], np.ndarray]

#: Solves that are paid for unless another number is given.
BUDGET = 10_000
#: Kernel widths in medians of the squared distances, shares of a linear kernel, and ridges that the regression
#: chooses among.
_WIDTHS, _LINEAR, _RIDGES = (1.0, 4.0, 16.0), (0.0, 0.1), (0.1, 0.3, 1.0)
#: Components of the predictions that it sees at most.
_COMPONENTS = 60
#: How far from the cube's middle a start may be: its faces are infinitely far away in normal numbers.
_EDGE = 1 - 1e-6
#: Median misfit of the kept, in targets, below which one proposal of so many is a step from the best.
_NEAR, _SHARE = 1.25, 3


@dataclass(frozen=True)
class Settings:
    """Settings of the search; the defaults were chosen on the problem of Laloy et al. (2019).

    Attributes
    ----------
    target : float
        Misfit at which the search ends: a root mean square residual in standard deviations.
    pool : int
        Draws of the prior that the first attempt begins with.
    growth : float
        By how much the pool of each attempt is larger than that of the one before.
    proposals : int
        Models simulated in a round.
    kept : int
        Models, the best known of the attempt, that a round learns from; half as many as the pool has at least.
    patience : int
        Rounds in which the median misfit of the kept must come nearer to the target by a tenth, or the attempt ends.
    kernels : bool
        Whether the regression may bend; without kernels it is a plane, as in an iterative ensemble smoother.
    steps : bool
        Whether a third of the proposals near the end are steps from the best model.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    target: float = 1.01
    pool: int = 256
    growth: float = 1.5
    proposals: int = 48
    kept: int = 200
    patience: int = 3
    kernels: bool = True
    steps: bool = True

    def __post_init__(self) -> None:
        """Check every number."""
        low = {"target": 0, "pool": 8, "growth": 1, "proposals": 2, "kept": 8, "patience": 1}
        hold(self, **{name: (least, None) for name, least in low.items()})


@dataclass(frozen=True)
class Found:
    """What a search has found, and what it took.

    Attributes
    ----------
    model : ndarray, shape (d,)
        The best model met, in (-1, 1).
    misfit : float
        Root mean square of its residuals in standard deviations.
    solves : int
        Models simulated.
    record : ndarray, shape (k, 2)
        Solves and misfit whenever the least misfit fell.
    models : ndarray, shape (n, d)
        The best model of each attempt.
    misfits : ndarray, shape (n,)
        Their misfits.
    message : str
        Why the search ended.
    """

    model: np.ndarray
    misfit: float
    solves: int
    record: np.ndarray
    models: np.ndarray
    misfits: np.ndarray
    message: str


class _Ended(Exception):
    """The target is reached or the budget spent; the message says which."""


class _Solves:
    """Simulates, counts, keeps each attempt's best, and ends the search at the target or the budget.

    Models are standard-normal numbers here, which nothing bounds; `simulate` gets uniform ones.
    """

    def __init__(self, simulate: Simulate, data: np.ndarray, sigma: np.ndarray, budget: int, target: float) -> None:
        self.simulate, self.data, self.sigma, self.budget, self.target = simulate, data, sigma, budget, target
        self.count = 0
        self.record: list[tuple[int, float]] = []
        self.attempts: list[tuple[float, np.ndarray]] = []
        self.bar = steps(0, budget, "search")

    def __call__(self, models: np.ndarray, known: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        """Return misfits `(n,)` and residuals `(n, n_data)` in standard deviations; infinite where they are none.

        The first models' predictions may be known: these are not simulated and not counted.
        """
        told = np.empty((0, len(self.data))) if known is None else known
        wanted, models = len(models), models[: len(told) + self.budget - self.count]
        uniform = special.erf(models / math.sqrt(2))
        asked = uniform[len(told) :]
        made = np.array(self.simulate(asked.copy()) if len(asked) else told[:0], dtype=np.float64)
        _checks.shape("simulate's result", made, (len(asked), len(self.data)), "Return one row for each model.")
        self.count += len(asked)
        self.bar.update(len(asked))
        made = np.concatenate([told, made])
        residual = (made - self.data) / self.sigma
        with np.errstate(over="ignore", invalid="ignore"):
            misfit = np.sqrt(np.square(residual).mean(1))
        misfit = np.where(np.isfinite(misfit), misfit, np.inf)
        best = int(misfit.argmin())
        if misfit[best] < self.attempts[-1][0]:
            self.attempts[-1] = float(misfit[best]), uniform[best]
        if misfit[best] < (self.record[-1][1] if self.record else np.inf):
            self.record.append((self.count, float(misfit[best])))
            self.bar.set_postfix_str(f"least misfit {misfit[best]:.3f}", refresh=False)
        if misfit[best] <= self.target:
            raise _Ended("a model fits")
        if self.count >= self.budget or len(models) < wanted:
            raise _Ended("the budget is spent")
        return misfit, residual

    def found(self, message: str) -> Found:
        met = [pair for pair in self.attempts if pair[0] < np.inf]
        if not met:
            raise ValueError("simulate must return finite predictions; it returned none. Check it on one model.")
        misfits, models = (np.array(each) for each in zip(*met, strict=True))
        best = int(misfits.argmin())
        record = np.array(self.record)
        return Found(models[best], float(misfits[best]), self.count, record, models, misfits, message)


@checked(data=(None,), d=(1, None), budget=(1, None))
def search(
    simulate: Simulate,
    data: np.ndarray,
    d: int,
    *,
    sigma: float | np.ndarray,
    budget: int = BUDGET,
    rng: np.random.Generator,
    start: np.ndarray | tuple[np.ndarray, np.ndarray] | None = None,
    settings: Settings | None = None,
) -> Found:
    r"""Return the best model that a search of the cube (-1, 1)^d meets within a budget of solves.

    Parameters
    ----------
    simulate : callable
        Takes models `(n, d)`, returns predictions `(n, n_data)`. It need not be smooth. A model of which it returns
        what is not finite never counts.
    data : ndarray, shape (n_data,)
        What was measured.
    d : int
        Dimensions of the cube, on which the prior is uniform.
    sigma : float or ndarray, shape (n_data,)
        Standard deviation of the data's errors, in the data's unit.
    budget : int
        Models simulated at most; the search stops at that number exactly.
    rng : numpy.random.Generator
        Source of every draw.
    start : ndarray, shape (n, d), or a pair of it and an ndarray, shape (n, n_data), optional
        Models in [-1, 1] that take the place of the first pool's first draws: what is known already. Of more than the
        pool has the first are taken. In a pair, the second is what `simulate` returns of them, where that is known too:
        of models simulated beforehand, say, those whose predictions come nearest to the data. Nothing is simulated
        again then, and no solve counted.
    settings : geolib.inversion.search.Settings, optional
        Those that were chosen on the paper's problem, by default.

    Returns
    -------
    Found

    Raises
    ------
    ValueError, TypeError
        If shapes do not go together, sigma is not positive, a start lies outside of the cube or no prediction is
        finite.

    Notes
    -----
    Beside the solves, a round takes six eigenvalue problems of `kept` rows. Same `rng`, same search: one that was
    killed goes on if `simulate` remembers what it has returned (`geolib.runs.journal.Remembered`).

    The rounds are an iterative ensemble smoother whose gain is a kernel regression: with a linear kernel alone the
    proposals :math:`x_i + g(d) - g(d_i)` are those of Chen and Oliver (2013), with the regression g of the other
    models in place of the Kalman gain.

    References
    ----------
    Chen and Oliver (2013), Computational Geosciences 17; Emerick and Reynolds (2013), Computers & Geosciences 55.
    """
    use = settings or Settings()
    spread = deviations(sigma, data)
    models, known = start if isinstance(start, tuple) and len(start) == 2 else (start, None)
    first = _normal(models, d)
    if known is not None:
        _checks.shape("start's predictions", known, (len(first), len(data)), "Give one row for each model.")
        known = array("start's predictions", known, finite=False).astype(np.float64)[: use.pool]
    solves = _Solves(simulate, data.astype(np.float64), spread, budget, use.target)
    pool = float(use.pool)
    try:
        while True:
            solves.attempts.append((np.inf, np.empty(d)))
            drawn = rng.standard_normal((int(pool), d))
            drawn[: len(first)] = first[: len(drawn)]
            _attempt(solves, drawn, known, use, rng)
            first, known, pool = first[:0], None, pool * use.growth
    except _Ended as why:
        return solves.found(str(why))
    finally:
        solves.bar.close()


def deviations(sigma: float | np.ndarray, data: np.ndarray) -> np.ndarray:
    """Return the errors' standard deviations, one or one for each datum; what is neither raises ValueError."""
    spread = np.array(array("sigma", sigma, finite=False), dtype=np.float64)
    if not (np.isfinite(spread).all() and (spread > 0).all()):
        raise ValueError(f"sigma must be positive; got {_checks.shown(sigma)}. Give the errors' standard deviation.")
    if spread.ndim:
        _checks.shape("sigma", spread, data.shape, "Give one number, or one for each datum.")
    return spread


def _normal(start: np.ndarray | None, d: int) -> np.ndarray:
    """Return models of the cube as standard-normal numbers `(n, d)`, or none."""
    if start is None:
        return np.empty((0, d))
    start = array("start", start)
    _checks.shape("start", start, (None, d))
    if not (np.abs(start) <= 1).all():
        raise ValueError(f"start must lie in [-1, 1]; got {float(np.abs(start).max()):g}. Scale each model to it.")
    return math.sqrt(2) * special.erfinv(np.clip(start.astype(np.float64), -_EDGE, _EDGE))


def _attempt(
    solves: _Solves, models: np.ndarray, known: np.ndarray | None, use: Settings, rng: np.random.Generator
) -> None:
    """Draw models `(n, d)` nearer to the data round by round until the best no longer gains."""
    most = max(use.kept, len(models) // 2)
    misfit, residual = solves(models, known)
    best, waited = np.inf, 0
    while waited < use.patience:
        kept = misfit.argsort(kind="stable")[:most]
        kept = kept[np.isfinite(misfit[kept])]
        if len(kept) < 8:
            return  # too few to learn from
        models, misfit, residual = models[kept], misfit[kept], residual[kept]
        close = np.median(misfit) < _NEAR * use.target
        local = use.proposals // _SHARE if close and use.steps else 0
        proposed = _propose(models, residual, use.proposals - local, rng, use.kernels)
        if local:
            proposed = np.concatenate([proposed, _step(models, misfit, residual, local, rng)])
        further = solves(proposed)
        models = np.concatenate([models, proposed])
        misfit, residual = (np.concatenate(pair) for pair in zip((misfit, residual), further, strict=True))
        middle = float(np.median(np.sort(misfit)[:most]))
        waited += 1
        if middle - use.target < 0.9 * (best - use.target):
            best, waited = middle, 0


def _propose(
    models: np.ndarray, residual: np.ndarray, count: int, rng: np.random.Generator, kernels: bool = True
) -> np.ndarray:
    """Return what the data make of models `(n, d)` with residuals `(n, n_data)` in standard deviations.

    The first proposal is the regression's guess for a residual of zero, the others are that with what it left of
    models that predict alike.
    """
    known, wanted = _components(residual)
    distance = np.square(known - wanted).sum(1)
    guess, left = _regress(models, known, wanted, kernels)
    alike = rng.permutation(distance.argsort(kind="stable")[: 2 * count])[: count - 1]
    return np.concatenate([guess[None], guess + left[alike]])


def _step(
    models: np.ndarray, misfit: np.ndarray, residual: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Return Levenberg-Marquardt's models from the best one, every second with a draw of half that covariance.

    The Jacobian is that of a plane through the nearest models: no solve is made for it, and it sees over roughness.
    """
    d, best = models.shape[1], int(misfit.argmin())
    near = np.square(models - models[best]).sum(1).argsort(kind="stable")[: 4 * d]
    jacobian = np.linalg.lstsq(models[near] - models[best], residual[near] - residual[best], rcond=None)[0]
    square, slope = jacobian @ jacobian.T + np.eye(d), jacobian @ residual[best]
    made = []
    for number, damping in enumerate(np.geomspace(1e-3, 3, count)):
        covariance = np.linalg.inv(square + damping * np.diag(square.diagonal()))
        draw = np.linalg.cholesky(covariance) @ rng.standard_normal(d)
        made.append(models[best] - covariance @ slope + (number % 2) * draw / 2)
    return np.array(made)


def _components(residual: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return principal components `(n, k)` of residuals, and those of a residual of zero.

    Only those count that stand out of the errors; larger ones are half whitened.
    """
    middle = residual.mean(0)
    _, scale, axes = np.linalg.svd((residual - middle) / math.sqrt(len(residual)), full_matrices=False)
    count = int(np.clip((scale > 1).sum(), 1, _COMPONENTS))
    weights = axes[:count].T / np.sqrt(np.maximum(scale[:count], 1e-300))
    return (residual - middle) @ weights, -middle @ weights


def _regress(
    models: np.ndarray, known: np.ndarray, wanted: np.ndarray, kernels: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Return the guess `(d,)` at `wanted` `(k,)`, and the models less what the others make of their `known` `(n, k)`.

    Kernel ridge regression, its width, linear share and ridge by the leave-one-out error; without kernels linear.
    """
    squares, centre = np.square(known).sum(1), models.mean(0)
    product = known @ known.T
    between = np.maximum(squares[:, None] + squares - 2 * product, 0)
    unit = float(np.median(between)) or 1.0
    away, along = np.square(known - wanted).sum(1), known @ wanted
    least, chosen = np.inf, (centre, models - centre)
    for width in _WIDTHS if kernels else (np.inf,):
        for linear in _LINEAR if kernels else (1.0,):
            kernel, near = (
                np.exp(-apart / (width * unit)) + 2 * linear * dot / unit
                for apart, dot in ((between, product), (away, along))
            )
            values, vectors = np.linalg.eigh(kernel)
            for ridge in _RIDGES:
                inverse = (vectors / (np.maximum(values, 0) + ridge)) @ vectors.T
                weights = inverse @ (models - centre)
                left = weights / inverse.diagonal()[:, None]
                error = float(np.square(left).mean())
                if error < least:
                    least, chosen = error, (centre + near @ weights, left)
    return chosen
