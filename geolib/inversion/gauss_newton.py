"""Damped Gauss-Newton in standard-normal latents, with the Jacobian by differences or by forward-mode derivatives."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from geolib import _checks
from geolib._arguments import checked
from geolib._runtime import steps
from geolib.inversion.latent import Search, Simulate, check_start, data_of, root_mean_square

#: Takes latents (n, d) and returns predictions (n, n_data) and Jacobians (n, n_data, d).
Linearise = Callable[[Tensor], tuple[Tensor, Tensor]]


@checked(perturbation=(1e-6, None))
def central_differences(simulate: Simulate, perturbation: float) -> Linearise:
    r"""Return predictions and Jacobians by :math:`(F(\xi + h e_i) - F(\xi - h e_i)) / 2h`.

    Parameters
    ----------
    simulate : callable
        Predictions `(n, n_data)` of latents `(n, d)`.
    perturbation : float
        Step h; the paper states 0.1, the released code runs with 0.25.

    Notes
    -----
    2 d + 1 solves for each latent, all in one batch.

    References
    ----------
    Laloy et al. (2019), section 3.4.
    """

    def linearise(latents: Tensor) -> tuple[Tensor, Tensor]:
        n, d = latents.shape
        steps = perturbation * torch.eye(d, dtype=latents.dtype, device=latents.device)
        steps = torch.cat([torch.zeros_like(steps[:1]), steps, -steps])
        with torch.no_grad():
            predictions = simulate((latents[:, None] + steps).reshape(-1, d)).reshape(n, 2 * d + 1, -1)
        slopes = (predictions[:, 1 : d + 1] - predictions[:, d + 1 :]) / (2 * perturbation)
        return predictions[:, 0], slopes.transpose(1, 2)

    return linearise


@checked()
def forward_mode(simulate: Simulate) -> Linearise:
    """Return predictions and exact Jacobians of a differentiable simulation, by d forward-mode products.

    Notes
    -----
    d forward-mode products, each of a few solves' time; the operations must not write in place.
    """

    def linearise(latents: Tensor) -> tuple[Tensor, Tensor]:
        columns = []
        predictions = None
        for i in range(latents.shape[1]):
            tangent = torch.zeros_like(latents)
            tangent[:, i] = 1
            predictions, column, *_ = torch.func.jvp(simulate, (latents,), (tangent,))
            columns.append(column)
        assert predictions is not None
        return predictions, torch.stack(columns, 2)

    return linearise


@checked(iterations=(1, None), damping=(0, None))
def gauss_newton(
    linearise: Linearise,
    data: Tensor,
    start: Tensor,
    iterations: int,
    *,
    sigma: float = 1.0,
    damping: float = 1.0,
    enough: Tensor | None = None,
) -> Search:
    r"""Run strategy 2: :math:`\xi \leftarrow (J^T J / \sigma^2 + \lambda I)^{-1} J^T (d - F + J \xi) / \sigma^2`.

    Parameters
    ----------
    linearise : callable
        From `central_differences` or `forward_mode`.
    data : Tensor, shape (n, n_data)
        One row for each start.
    start : Tensor, shape (n, d)
        First latents, standard normal.
    iterations : int
        Updates; there is no line search.
    sigma : float
        Standard deviation of the data's errors, in the data's unit.
    damping : float
        Weight lambda of the standard-normal prior.
    enough : Tensor, shape (n,), optional
        Misfits at which starts rest: their `misfit` then stays the last. They keep their places and are computed in
        vain until all rest, which ends the search.

    Returns
    -------
    Search

    Raises
    ------
    ValueError
        If sigma is not positive or shapes do not go together.

    Notes
    -----
    The d x d systems are solved in float64; the cost is the Jacobians'.

    References
    ----------
    Laloy et al. (2019), equation 11, printed with a transpose too many in its first bracket.
    """
    check_start(start, data)
    if not sigma > 0:
        raise ValueError(f"sigma must be positive; got {sigma:g}. Give the standard deviation of the errors.")
    search = Search(start, iterations, enough)
    latent = start
    bar = steps(0, iterations, "strategy 2")
    for iteration in bar:
        predictions, jacobian = linearise(latent)
        residual = data - data_of(predictions, data)
        going_on = search.add(iteration, root_mean_square(residual), latent)
        bar.set_postfix_str(search.standing, refresh=False)
        if not going_on:
            break
        updated = _update(jacobian.double() / sigma, residual.double() / sigma, latent.double(), damping)
        latent = search.move(updated.to(start.dtype))
    return search


def _update(jacobian: Tensor, residual: Tensor, latent: Tensor, damping: float) -> Tensor:
    target = residual + (jacobian @ latent[..., None])[..., 0]
    unit = torch.eye(latent.shape[1]).to(latent)
    normal = jacobian.transpose(1, 2) @ jacobian + damping * unit
    return _solved(normal, (jacobian.transpose(1, 2) @ target[..., None])[..., 0])


def _solved(matrices: Tensor, right: Tensor) -> Tensor:
    """Return the solutions `(n, d)` of n systems; NaN where a matrix is singular, so that the others are not lost."""
    solution, failed = torch.linalg.solve_ex(matrices, right)
    return torch.where(failed[:, None] == 0, solution, torch.nan)


@checked(iterations=(1, None))
def levenberg_marquardt(
    linearise: Linearise,
    simulate: Simulate,
    data: Tensor,
    start: Tensor,
    iterations: int,
    damping: Tensor | None = None,
) -> tuple[Tensor, Tensor, Tensor]:
    r"""Descend :math:`\|d - F(z)\|` by steps :math:`(J^T J + \mu D)^{-1} J^T (d - F)`, each kept only if it helps.

    Parameters
    ----------
    linearise : callable
        From `forward_mode` or `central_differences`.
    simulate : callable
        Predictions `(n, n_data)` of latents `(n, d)`.
    data : Tensor, shape (n, n_data)
        One row for each start.
    start : Tensor, shape (n, d)
        First latents; nothing bounds them.
    iterations : int
        Steps tried.
    damping : Tensor, shape (n,), optional
        Factors mu to begin with, as an earlier call returned them.

    Returns
    -------
    latents : Tensor, shape (n, d)
        The best met.
    misfit : Tensor, shape (n,)
        Their root mean square residuals.
    damping : Tensor, shape (n,)
        Factors to go on with.

    Raises
    ------
    ValueError
        If shapes do not go together, there is no step to try, or a start's predictions are not finite.

    Notes
    -----
    About 2 d + 2 solves for each start and iteration. D is the diagonal of the first term (Marquardt's scaling).
    """
    check_start(start, data)
    if damping is not None:
        _checks.shape("damping", damping, (len(start),), "Give each start its factor.")
    mu = torch.full((len(start),), 0.1, dtype=torch.float64, device=start.device) if damping is None else damping
    latent = start.detach().clone()
    misfit = torch.full_like(mu, math.inf)
    for _ in range(iterations):
        predictions, jacobian = linearise(latent)
        residual, wide = (data - data_of(predictions, data)).double(), jacobian.double()
        now = residual.square().mean(1).sqrt()
        misfit = torch.where(now.isfinite(), now, misfit)
        if not misfit.isfinite().all():
            row = int((~misfit.isfinite()).nonzero()[0])
            got = float(now[row])
            raise ValueError(f"start must have finite predictions; row {row} has a misfit of {got}. Draw it anew.")
        square = wide.transpose(1, 2) @ wide
        # A latent that does nothing (its column is zero) stays where it is.
        scale = square.diagonal(dim1=1, dim2=2)
        scale = torch.maximum(scale, 1e-6 * scale.max(1, keepdim=True).values + 1e-30)
        step = _solved(
            square + torch.diag_embed(mu[:, None] * scale), (wide.transpose(1, 2) @ residual[..., None])[..., 0]
        )
        tried = latent + step.to(latent.dtype)
        with torch.no_grad():
            reached = (data - simulate(tried)).double().square().mean(1).sqrt()
        better = reached < misfit
        latent = torch.where(better[:, None], tried, latent)
        misfit = torch.where(better, reached, misfit)
        mu = torch.where(better, mu / 3, mu * 4).clamp(1e-6, 1e6)
    return latent, misfit, mu
