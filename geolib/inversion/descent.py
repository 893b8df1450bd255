"""Descent methods of torch, of Sun et al.'s appendix B and of scipy behind one call, one count and one result."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from scipy import optimize

from geolib import _checks
from geolib._arguments import array, checked, tensor
from geolib.inversion.words import METHODS as METHODS
from geolib.inversion.words import SEARCH_METHODS as SEARCH_METHODS
from geolib.inversion.words import STEP_METHODS as STEP_METHODS

Objective = Callable[[np.ndarray], tuple[float, np.ndarray]]
Watch = Callable[[np.ndarray], Sequence[float]]


@dataclass(frozen=True)
class Result:
    """What a descent did, evaluation by evaluation; number 0 is the start.

    Attributes
    ----------
    misfit : ndarray, shape (n + 1,)
        Misfit of each model that was evaluated, line-search trials included.
    watched : ndarray, shape (n + 1, n_watched)
        What `watch` returned for the standing model at that moment.
    model : ndarray
        The last standing model: the last one evaluated by a step method, the best one of a line-search method.
    snapshots : dict of int to ndarray
        The standing models at the evaluations asked for, as far as the descent came.
    message : str
        Why it ended.
    """

    misfit: np.ndarray
    watched: np.ndarray
    model: np.ndarray
    snapshots: dict[int, np.ndarray]
    message: str


class _Spent(Exception):
    """The evaluation budget is used up."""


class _Recorder:
    """Counts evaluations, keeps the histories and stops at the budget, alike for every method."""

    def __init__(self, objective: Objective, budget: int, best: bool, watch: Watch | None, keep: Sequence[int]) -> None:
        self.objective, self.budget, self.best, self.watch, self.keep = objective, budget, best, watch, set(keep)
        self.misfit: list[float] = []
        self.watched: list[np.ndarray] = []
        self.snapshots: dict[int, np.ndarray] = {}
        self.model = np.empty(0)

    def __call__(self, model: np.ndarray) -> tuple[float, np.ndarray]:
        if len(self.misfit) > self.budget:
            raise _Spent
        answer = self.objective(model)
        try:
            misfit, gradient = answer
            misfit, gradient = float(np.asarray(misfit).item()), np.asarray(gradient, float)
        except (TypeError, ValueError):
            shown = _checks.shown(answer)
            raise TypeError(
                f"objective must return the misfit, a number, and its gradient; got {shown}. Return a pair."
            ) from None
        _checks.shape("gradient", gradient, model.shape, "Return one derivative for each cell.")
        bad = int(np.count_nonzero(~np.isfinite(gradient)))
        if not np.isfinite(misfit) or bad:
            raise FloatingPointError(
                f"misfit and gradient must be finite; got misfit {misfit:g} and {bad} NaN or infinite derivatives at "
                f"evaluation {len(self.misfit)}. Lower the rate or narrow the bounds."
            )
        # A trial point of a line search is no iterate: there the best model so far stands.
        if not self.misfit or not self.best or misfit < min(self.misfit):
            self.model = model.copy()
        self.misfit.append(misfit)
        self.watched.append(np.asarray(self.watch(self.model) if self.watch else (), dtype=float))
        if len(self.misfit) - 1 in self.keep:
            self.snapshots[len(self.misfit) - 1] = self.model.copy()
        return misfit, gradient

    def result(self, message: str) -> Result:
        return Result(np.array(self.misfit), np.array(self.watched), self.model, self.snapshots, message)


@checked(start=..., method=METHODS, iterations=(0, None), rate=..., bounds=..., keep=(0, None))
def minimize(
    objective: Objective,
    start: np.ndarray,
    method: str,
    *,
    iterations: int,
    rate: float | None = None,
    bounds: tuple[float, float] | None = None,
    watch: Watch | None = None,
    keep: Sequence[int] = (),
) -> Result:
    """Return the history of a descent of at most `iterations` evaluations after that of the start.

    Parameters
    ----------
    objective : callable
        Takes a model, returns its misfit and the gradient of the same shape.
    start : ndarray
        First model; its dtype (float32 or float64) is that of every model evaluated.
    method : str
        Steps of a given rate: ``gd``, ``momentum`` (classical, m = 0.9 m + g), ``momentum_b`` (appendix B: a
        bias-corrected average), ``adagrad``, ``rmsprop``, ``adam``. Line searches of scipy: ``cg``, ``lbfgs``, ``tnc``.
    iterations : int
        Evaluations after the first, a hard limit: one evaluation costs the same whatever the method.
    rate : float
        Learning rate of a step method, in units of the model per unit of its update; no meaning for a line search.
    bounds : (float, float), optional
        Least and greatest value of a cell. Step methods and ``cg`` clip, ``lbfgs`` and ``tnc`` know bounds.
    watch : callable, optional
        Takes the standing model, returns numbers to record.
    keep : sequence of int
        Evaluations at which the standing model is kept.

    Returns
    -------
    Result
        Histories, final model, snapshots.

    Raises
    ------
    ValueError, TypeError
        For an unknown method, a missing or needless rate, a start that is no float array or out of bounds.
    FloatingPointError
        If misfit or gradient is no longer finite.

    Notes
    -----
    One evaluation per step for the step methods; ``cg`` takes about two per search direction, ``lbfgs`` about one.

    References
    ----------
    Sun et al., appendix B, algorithms 1 to 4. Torch's own optimisers serve where they follow the same formula.
    """
    if not isinstance(start, np.ndarray):
        raise TypeError(f"start must be a NumPy array; got {type(start).__name__}. Use numpy.asarray.")
    if start.dtype.newbyteorder("=") not in (np.float32, np.float64):
        raise TypeError(f"start must be float32 or float64; got {start.dtype}. Convert it with astype.")
    start = array("start", start)
    bounds = None if bounds is None else _box(bounds)
    if bounds is not None and not (bounds[0] <= start.min() and start.max() <= bounds[1]):
        raise ValueError(
            f"start must lie within the bounds {bounds[0]:g} to {bounds[1]:g}; got {start.min():g} to {start.max():g}. "
            "Clip it or widen the bounds."
        )
    stepping = method in STEP_METHODS
    if stepping == (rate is None):
        raise ValueError(f"rate must be {'given' if stepping else 'left out'} for {method}; got {rate}. Correct it.")
    recorder = _Recorder(objective, iterations, not stepping, watch, keep)
    try:
        if stepping:
            message = _step(recorder, start, method, _checks.number("rate", rate, low=0), bounds)
        else:
            message = _search(recorder, start, method, bounds)
    except _Spent:
        message = "all evaluations used"
    return recorder.result(message)


def _box(bounds: Sequence[float]) -> tuple[float, float]:
    remedy = "Give (low, high), -math.inf or math.inf for an open side."
    try:
        low, high = map(float, bounds)
    except (TypeError, ValueError, OverflowError):
        raise TypeError(f"bounds must be two numbers; got {_checks.shown(bounds)}. {remedy}") from None
    if not low < high:
        raise ValueError(f"bounds must rise; got {low:g} to {high:g}. {remedy}")
    return low, high


def _step(recorder: _Recorder, start: np.ndarray, method: str, rate: float, bounds: tuple[float, float] | None) -> str:
    model = torch.tensor(start)
    optimizer: torch.optim.Optimizer
    if method == "gd":
        optimizer = torch.optim.SGD([model], lr=rate)
    elif method == "momentum":
        optimizer = torch.optim.SGD([model], lr=rate, momentum=0.9)
    elif method == "adam":
        optimizer = torch.optim.Adam([model], lr=rate, betas=(0.9, 0.999), eps=1e-8)
    else:
        optimizer = AppendixB([model], method, lr=rate)
    while True:
        # A copy: who keeps the models must not see them move.
        _, gradient = recorder(model.numpy().copy())
        model.grad = torch.from_numpy(np.ascontiguousarray(gradient, dtype=start.dtype))
        optimizer.step()
        if bounds is not None:
            model.clamp_(*bounds)


def _search(recorder: _Recorder, start: np.ndarray, method: str, bounds: tuple[float, float] | None) -> str:
    def flat(x: np.ndarray) -> tuple[float, np.ndarray]:
        inside = np.ones(x.shape, dtype=bool)
        if bounds is not None:
            inside = (x >= bounds[0]) & (x <= bounds[1])
            x = np.clip(x, *bounds)
        misfit, gradient = recorder(x.reshape(start.shape).astype(start.dtype))
        # Beyond a bound the clipped misfit no longer depends on the cell.
        return misfit, np.where(inside, gradient.ravel().astype(float), 0.0)

    # Tolerances of zero: the budget ends a descent, or the search itself when no point is lower.
    names = {"cg": "CG", "lbfgs": "L-BFGS-B", "tnc": "TNC"}
    many = 10 * recorder.budget + 10
    options: dict[str, float] = {
        "cg": {"gtol": 0.0, "maxiter": many},
        "lbfgs": {"ftol": 0.0, "gtol": 0.0, "maxiter": many, "maxfun": many, "maxcor": 10},
        "tnc": {"ftol": 0.0, "gtol": 0.0, "xtol": 0.0, "maxfun": many},
    }[method]
    box = [bounds] * start.size if bounds is not None and method != "cg" else None
    x0 = start.ravel().astype(float)
    found = optimize.minimize(flat, x0, jac=True, method=names[method], bounds=box, options=options)
    return str(found.message)


class AppendixB(torch.optim.Optimizer):
    """The three methods of appendix B whose formulae are not torch's.

    Parameters
    ----------
    parameters : iterable of Tensor
        What to optimise.
    rule : str
        ``momentum_b``: v - lr m / (1 - 0.9^k), m the running average of g. ``adagrad``: v - lr g / sqrt(G + 1e-8),
        G the sum of squares. ``rmsprop``: v - lr g / (sqrt(r / (1 - 0.9^k)) + 1e-8), r the running average of squares.
    lr : float
        Learning rate.

    Notes
    -----
    torch's SGD adds gradients up (ten times the step in the long run), its Adagrad adds epsilon after the root, and its
    RMSprop knows no bias correction, which makes the first step 1 / sqrt(0.1) = 3.2 times as long.

    References
    ----------
    Sun et al., appendix B, algorithms 1 to 3. Their delta v is g in the formulae and -g in the text; here it is g.
    """

    @checked(rule=("momentum_b", "adagrad", "rmsprop"), lr=(0, None))
    def __init__(self, parameters: Sequence[torch.Tensor], rule: str, lr: float) -> None:
        parameters = list(parameters)
        if not parameters:
            raise ValueError("parameters must be tensors; got none. Give those to optimise.")
        for parameter in parameters:
            tensor("parameters", parameter)
        super().__init__(parameters, {"lr": lr})
        self.rule = rule

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Update the parameters from their gradients."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    parameter.sub_(self._update(parameter.grad, self.state[parameter]), alpha=group["lr"])

    def _update(self, gradient: torch.Tensor, state: dict) -> torch.Tensor:
        beta, epsilon = 0.9, 1e-8
        state["k"] = k = state.get("k", 0) + 1
        memory = state.setdefault("memory", torch.zeros_like(gradient))
        if self.rule == "momentum_b":
            memory.mul_(beta).add_(gradient, alpha=1 - beta)
            return memory / (1 - beta**k)
        if self.rule == "adagrad":
            memory.addcmul_(gradient, gradient)
            return gradient / (memory + epsilon).sqrt()
        memory.mul_(beta).addcmul_(gradient, gradient, value=1 - beta)
        return gradient / ((memory / (1 - beta**k)).sqrt() + epsilon)


@checked(step=(1e-300, None), iterations=(1, None))
def largest_eigenvalue(
    gradient: Callable[[np.ndarray], np.ndarray],
    model: np.ndarray,
    *,
    rng: np.random.Generator,
    step: float,
    iterations: int = 30,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the estimates of the Hessian's largest eigenvalue and its eigenvector, by power iteration.

    Each product H p is the central difference (g(m + h p) - g(m - h p)) / 2h. Gradient descent near a minimum is stable
    for rates below two over this eigenvalue.

    Parameters
    ----------
    gradient : callable
        Gradient of the misfit at a model.
    model : ndarray
        Where the Hessian is taken.
    rng : numpy Generator
        Draws the first direction.
    step : float
        Length h of the differences, in units of the model.
    iterations : int
        Products to make.

    Returns
    -------
    estimates : ndarray, shape (iterations,)
        Norm of H p for the unit vectors p, in misfit per squared unit of the model.
    vector : ndarray
        The last unit vector.

    Notes
    -----
    Two gradients for each iteration.
    """
    vector = rng.standard_normal(model.shape)
    vector /= np.linalg.norm(vector)
    estimates = []
    for _ in range(iterations):
        ahead, behind = (np.asarray(gradient(model + side * step * vector)) for side in (1, -1))
        _checks.shape("gradient", ahead, model.shape, "Return one derivative for each cell.")
        product = (ahead - behind) / (2 * step)
        estimates.append(float(np.linalg.norm(product)))
        if not 0 < estimates[-1] < math.inf:
            raise FloatingPointError(
                f"gradient must change along a direction, by a finite amount; it changes by {estimates[-1]:g}. "
                "Take another step."
            )
        vector = product / estimates[-1]
    return np.array(estimates), vector
