"""The inverse problems of the rnn_fwi chapter: surveys, data, true and starting models."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
import torch

from geolib.datasets import velocity as models
from geolib.metrics.images import ssim
from geolib.waves import Boundary, Grid, Survey, misfit_and_gradient, propagate, ricker

SPACING = 10.0
COLUMNS = 6 + 25 * np.arange(12)
"""Columns of Marmousi's sources."""
SOURCE_ROW = 4


@dataclass(frozen=True)
class Problem:
    """An inverse problem: survey, data, true model and start; the first `frozen` rows stay."""

    survey: Survey
    observed: torch.Tensor
    truth: np.ndarray
    start: np.ndarray
    frozen: int = 0

    def objective(self, model: np.ndarray) -> tuple[float, np.ndarray]:
        """Return misfit and gradient at a model."""
        with warnings.catch_warnings():
            # Trial models may be slow enough to be dispersed; the survey says so for the truth
            # once.
            warnings.simplefilter("ignore", UserWarning)
            misfit, gradient = misfit_and_gradient(
                torch.from_numpy(model), self.survey, self.observed
            )
        gradient[: self.frozen] = 0
        return float(misfit), gradient.numpy()

    def by_autograd(self, model: np.ndarray) -> tuple[float, np.ndarray]:
        """Return misfit and gradient by back-propagation through the unrolled cell, as printed."""
        velocity = torch.tensor(model, requires_grad=True)
        residual = propagate(velocity, self.survey, backend="eager") - self.observed
        misfit = residual.square().sum() / (2 * self.survey.n_shots)
        (gradient,) = torch.autograd.grad(misfit, velocity)
        gradient[: self.frozen] = 0
        return misfit.item(), gradient.numpy()

    def error(self, model: np.ndarray) -> float:
        """Return the root-mean-square error of a model, m/s."""
        return float(np.sqrt(np.mean((model.astype(float) - self.truth) ** 2)))


def problem_1d(
    precision: str = "float64",
    *,
    frequency: float = 10.0,
    smoothing: float = 6.0,
    start: str = "smooth",
    top: str = "free",
) -> Problem:
    """Return the four-layer problem: 200 cells of 10 m, 1783 steps of 1 ms, both ends at index 2.

    Parameters
    ----------
    precision : str
        ``float64`` or ``float32``.
    frequency : float
        Peak frequency of the Ricker wavelet, Hz.
    smoothing : float
        Standard deviation of the smoothed start, cells.
    start : str
        ``smooth``, or ``linear`` from 2 to 5 km/s.
    top : str
        ``free`` or ``absorbing``.
    """
    dtype = getattr(torch, precision)
    truth = models.four_layers()
    first = (
        models.smooth(truth, smoothing)
        if start == "smooth"
        else np.linspace(2000.0, 5000.0, truth.size)
    )
    wavelet = ricker(frequency, 1e-3, 1783, 1 / frequency, dtype=dtype)
    survey = Survey(
        Grid(truth.shape, 10.0),
        1e-3,
        1783,
        [[[2]]],
        [[[2]]],
        wavelet.expand(1, 1, -1),
        Boundary(top=top, velocity=float(truth[-1]), frequency=frequency),
    )
    observed = propagate(torch.as_tensor(truth, dtype=dtype), survey)
    return Problem(survey, observed, truth, first.astype(precision))


def problem_2d(extra: str = "", frequency: float = 6.0) -> Problem:
    """Return the Marmousi problem: 12 shots, a receiver a column, 2500 steps of 0.8 ms, float32.

    Parameters
    ----------
    extra : str
        What is harder than in the paper: ``noise`` at 10 dB, data of a ``finer`` grid at fourth
        order, or a ``linear`` start from 1.5 to 4 km/s.
    frequency : float
        Peak frequency of the Ricker wavelet, Hz.
    """
    truth, _ = models.marmousi()
    frozen = int(np.argmax((truth > models.WATER + 1).any(1)))
    survey = _survey_2d(truth.shape, 1, frequency)
    if extra == "finer":
        # Row i lies at depth (i + 1) h under the free surface, so at row 2 i + 1 of the grid of
        # half the spacing.
        fine = np.repeat(np.repeat(truth, 2, axis=0), 2, axis=1)[:, :-1]
        fine_survey = _survey_2d(fine.shape, 2, frequency)
        data = propagate(torch.as_tensor(fine, dtype=torch.float32), fine_survey, space_order=4)
        observed = data[..., 1::2].contiguous()
    else:
        observed = propagate(torch.as_tensor(truth, dtype=torch.float32), survey)
    if extra == "noise":
        noise = np.random.default_rng(0).standard_normal(observed.shape).astype(np.float32)
        observed = observed + torch.from_numpy(noise) * observed.square().mean().sqrt() * 10 ** (
            -10 / 20
        )
    start = models.smooth(truth, 8.0, frozen)
    if extra == "linear":
        start[frozen:] = np.linspace(1500.0, 4000.0, len(truth) - frozen)[:, None]
    return Problem(survey, observed, truth, start.astype(np.float32), frozen)


def _survey_2d(shape: tuple[int, ...], refine: int, frequency: float) -> Survey:
    dt, nt = 0.8e-3 / refine, 2500 * refine
    n_receivers = 288
    sources = [[[(SOURCE_ROW + 1) * refine - 1, int(x) * refine]] for x in COLUMNS]
    receivers = [[[(2 + 1) * refine - 1, x * refine] for x in range(n_receivers)]] * len(COLUMNS)
    # A point source fills one cell: on cells of a quarter of the area its density is four times as
    # high.
    wavelet = ricker(frequency, dt, nt) * refine**2
    boundary = Boundary(width=20 * refine, velocity=3000.0, frequency=frequency)
    return Survey(
        Grid(shape, SPACING / refine),
        dt,
        nt,
        sources,
        receivers,
        wavelet.expand(len(COLUMNS), 1, -1),
        boundary,
    )


def qualities(problem: Problem, model: np.ndarray) -> tuple[float, ...]:
    """Return the model's RMS error (m/s), structural similarity, and its halves' errors."""
    gap = (model.astype(float) - problem.truth) ** 2
    half = len(gap) // 2
    return (
        float(np.sqrt(gap.mean())),
        ssim(model, problem.truth, float(np.ptp(problem.truth.astype(float)))),
        float(np.sqrt(gap[:half].mean())),
        float(np.sqrt(gap[half:].mean())),
    )
