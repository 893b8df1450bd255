"""Propagation: traces from a velocity model, and the gradient of their misfit."""

from __future__ import annotations

import torch

from geolib import _checks
from geolib.waves.cell import WaveCell
from geolib.waves.survey import Survey


def propagate(velocity: torch.Tensor, survey: Survey, *, space_order: int = 2, backend: str = "eager") -> torch.Tensor:
    """Return the shot gathers of a velocity model, u(t + dt) at the receivers for t = 0, dt, ...

    u(t + dt) = v^2 dt^2 (Laplacian u(t) - s(t)) + 2 u(t) - u(t - dt), from rest.

    Parameters
    ----------
    velocity : grid.shape or (n_shots, *grid.shape) tensor
        Velocity, m/s: one model for all shots or one for each. Type and device are those of the source amplitudes.
    survey : Survey
        Grid, time step, boundaries, sources and receivers.
    space_order : {2, 4}
        Order of the spatial differences.
    backend : {"eager"}
        "eager" is the recurrent network of torch operations, on any device.

    Returns
    -------
    (n_shots, n_receivers, nt) tensor
        Shot gathers in the units of u, differentiable in velocity and source amplitudes.

    Raises
    ------
    TypeError, ValueError
        If the survey cannot propagate through this velocity (`Survey.check_velocity`), or an option is unknown.

    Notes
    -----
    The eager backend keeps all wavefields for its gradient.

    References
    ----------
    Sun et al. (2020), equation 2.
    """
    _options(space_order, backend)
    survey.check_velocity(velocity, space_order)
    cell = WaveCell(velocity, survey, space_order)
    state, records = cell.start(), []
    for source in survey.source_amplitudes.unbind(-1):
        record, state = cell(source, state)
        records.append(record)
    return torch.stack(records, -1)


def misfit_and_gradient(
    velocity: torch.Tensor, survey: Survey, observed: torch.Tensor, *, space_order: int = 2, backend: str = "eager"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the misfit J = 1 / (2 n_shots) sum (data - observed)^2 and its gradient in velocity.

    Parameters
    ----------
    velocity : grid.shape or (n_shots, *grid.shape) tensor
        Velocity, m/s.
    survey : Survey
        Grid, time step, boundaries, sources and receivers.
    observed : (n_shots, n_receivers, nt) tensor
        Observed shot gathers.
    space_order : {2, 4}
        Order of the spatial differences.
    backend : {"eager"}
        As for `propagate`.

    Returns
    -------
    misfit : scalar tensor
        J, in squared units of u.
    gradient : tensor of the shape of `velocity`
        dJ/dv, per m/s.

    Raises
    ------
    TypeError, ValueError
        As `propagate`; also if the observed data do not fit the survey.

    References
    ----------
    Sun et al. (2020), equations 3 and A-11 with the adjoint equation corrected.
    """
    _checks.shape("observed", observed, (*survey.receiver_locations.shape[:2], survey.nt), "Record the same survey.")
    if observed.dtype != velocity.dtype:
        raise TypeError(f"observed must be {velocity.dtype} as velocity is; got {observed.dtype}. Use observed.to().")
    _checks.finite("observed", observed)
    model = velocity.detach().requires_grad_()
    with torch.enable_grad():
        residual = propagate(model, survey, space_order=space_order, backend=backend) - observed
        misfit = residual.square().sum() / (2 * survey.n_shots)
    (gradient,) = torch.autograd.grad(misfit, model)
    return misfit.detach(), gradient


def _options(space_order: int, backend: str) -> None:
    if space_order not in (2, 4):
        raise ValueError(f"space_order must be 2 or 4; got {space_order!r}. Choose one of the two.")
    _checks.choice("backend", backend, ("eager",))
