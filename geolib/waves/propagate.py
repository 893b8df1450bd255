"""Propagation: traces from a velocity model, and the gradient of their misfit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from geolib import _checks
from geolib._arguments import checked, tensor
from geolib._autograd import refused, taking_gradients
from geolib.waves._layout import Places, Shot, Workspace, empty, scheme_of, setup_of
from geolib.waves.cell import WaveCell, pad, padded_index
from geolib.waves.survey import Survey, space_order_of

STORE_ALL = 4 * 2**20
"""Bytes of fields up to which every step of a shot is kept; above it, memory grows with the square root of nt."""


def propagate(velocity: torch.Tensor, survey: Survey, *, space_order: int = 2, backend: str = "fused") -> torch.Tensor:
    """Return the shot gathers of a velocity model, u(t + dt) at the receivers for t = 0, dt, ...

    u(t + dt) = v^2 dt^2 (Laplacian u(t) - s(t)) + 2 u(t) - u(t - dt), from rest.

    Parameters
    ----------
    velocity : ``grid.shape`` or ``(n_shots, *grid.shape)`` tensor
        Velocity, m/s: one model for all shots or one for each. Type and device are those of the source amplitudes.
    survey : Survey
        Grid, time step, boundaries, sources and receivers.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.
    backend : {"fused", "eager"}
        "fused" runs compiled kernels on the CPU, one shot for each of torch's threads; "eager" is the recurrent network
        of torch operations, on any device.

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
    Fused: about 0.2 ns for each cell and step in float32 on one core of an AMD EPYC, layers included; orders 4 and 8
    take about 1.3 and 2 times as long as order 2. Its gradient propagates again from checkpoints, takes four to five
    times as long, and works in `workspace_bytes`.
    The eager backend keeps all wavefields for its gradient.

    References
    ----------
    Sun et al. (2020), equation 2.
    """
    space_order = _options(velocity, survey, space_order, backend)
    if backend == "fused":
        return _Fused.apply(pad(velocity, survey), survey.source_amplitudes, survey, space_order)
    cell = WaveCell(velocity, survey, space_order)
    state, records = cell.start(), []
    for source in survey.source_amplitudes.unbind(-1):
        record, state = cell(source, state)
        records.append(record)
    return torch.stack(records, -1)


def misfit_and_gradient(
    velocity: torch.Tensor, survey: Survey, observed: torch.Tensor, *, space_order: int = 2, backend: str = "fused"
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the misfit J = 1 / (2 n_shots) sum (data - observed)^2 and its gradient in velocity.

    Parameters
    ----------
    velocity : ``grid.shape`` or ``(n_shots, *grid.shape)`` tensor
        Velocity, m/s.
    survey : Survey
        Grid, time step, boundaries, sources and receivers.
    observed : (n_shots, n_receivers, nt) tensor
        Observed shot gathers.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.
    backend : {"fused", "eager"}
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
    space_order = _options(velocity, survey, space_order, backend)
    tensor("observed", observed, (*survey.receiver_locations.shape[:2], survey.nt))
    if observed.dtype != velocity.dtype:
        raise TypeError(f"observed must be {velocity.dtype} as velocity is; got {observed.dtype}. Use observed.to().")
    with taking_gradients():
        model = velocity.detach().clone().requires_grad_()
        if backend == "fused":
            padded = pad(model, survey)
            shots = _Shots(padded, survey.source_amplitudes, survey, space_order)
            value, padded_gradient, _ = shots.gradient(observed, fit=True)
            (gradient,) = torch.autograd.grad(padded, model, padded_gradient)
            return velocity.new_tensor(value), gradient
        residual = propagate(model, survey, space_order=space_order, backend=backend) - observed
        misfit = residual.square().sum() / (2 * survey.n_shots)
        (gradient,) = torch.autograd.grad(misfit, model)
    return misfit.detach(), gradient


@checked(space_order=...)
def workspace_bytes(survey: Survey, *, space_order: int = 2) -> int:
    """Return the bytes that one thread of the fused backend works in to compute a gradient.

    Parameters
    ----------
    survey : Survey
        Grid, boundaries, time steps and receivers.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.

    Returns
    -------
    int
        Bytes of wavefields, checkpoints, kept steps and traces. Beyond `STORE_ALL` they grow as the square root of nt.

    Notes
    -----
    The result of a shot, its gradient and its traces, come on top of it.
    """
    ones = torch.ones(survey.grid.shape, dtype=survey.source_amplitudes.dtype)
    shots = _Shots(pad(ones, survey), survey.source_amplitudes, survey, space_order_of(space_order))
    workspace = shots._workspace()
    # Between grid points come what is spread over the points, and what is yet to be added up.
    places = (shots.sources, shots.receivers)
    points = sum(place.points.shape[1] for place in places if place.weights is not None)
    return sum(part.nbytes for part in workspace) + 2 * points * survey.nt * shots.type.itemsize


def _options(velocity: torch.Tensor, survey: Survey, space_order: int, backend: str) -> int:
    if not isinstance(survey, Survey):
        raise TypeError(f"survey must be a waves.Survey; got {type(survey).__name__}. Make one first.")
    order = space_order_of(space_order)
    _checks.choice("backend", backend, ("fused", "eager"))
    survey.check_velocity(velocity, order)
    if backend == "fused":
        try:
            import geolib.waves._kernels  # noqa: F401
        except ImportError as error:
            raise ImportError(f"backend 'fused' must have Numba; {error}. Install it or use 'eager'.") from None
    if backend == "fused" and velocity.device.type != "cpu":
        raise ValueError(f"backend 'fused' must have a velocity on the CPU; got {velocity.device}. Use 'eager'.")
    return order


_BACKEND, _EAGER = "the fused backend", "Use backend='eager'."


class _Fused(torch.autograd.Function):
    """Propagation through a padded velocity by the kernels."""

    @staticmethod
    def forward(velocity: torch.Tensor, amplitudes: torch.Tensor, survey: Survey, space_order: int) -> torch.Tensor:
        return _Shots(velocity, amplitudes, survey, space_order).gathers()

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: torch.Tensor) -> None:
        ctx.save_for_backward(*inputs[:2])
        ctx.options = inputs[2:]

    @staticmethod
    def backward(ctx: Any, derivative: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None, None]:
        return *_Adjoint.apply(derivative, *ctx.saved_tensors, *ctx.options), None, None

    jvp = refused(_BACKEND, "one in forward mode", _EAGER)
    vmap = refused(_BACKEND, "a batch of them by vmap", _EAGER)


class _Adjoint(torch.autograd.Function):
    """The transpose of the propagation's derivative; it depends on velocity and source, but not by these kernels."""

    @staticmethod
    def forward(
        derivative: torch.Tensor, velocity: torch.Tensor, amplitudes: torch.Tensor, survey: Survey, space_order: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        return _Shots(velocity, amplitudes, survey, space_order).gradient(derivative, fit=False)[1:]

    setup_context = staticmethod(lambda ctx, inputs, output: None)
    backward = jvp = refused(_BACKEND, "a second one", _EAGER)
    vmap = refused(_BACKEND, "a batch of them by vmap", _EAGER)


class _Shots:
    """The shots of a survey in the layout of the kernels."""

    def __init__(self, velocity: torch.Tensor, amplitudes: torch.Tensor, survey: Survey, space_order: int):
        from geolib.waves import _kernels

        self.velocity, self.survey = velocity, survey
        self.kernels = _kernels
        self.type = _array(amplitudes).dtype
        self.setup, self.state_size = setup_of(survey, space_order, self.type)
        self.scheme = scheme_of(survey.grid, space_order, self.type)
        # A 1-D grid is one row: its depth runs along the kernels' fast axis.
        self.shape = nz, nx = self.setup.nz, self.setup.nx
        halo, lead = self.setup.halo, self.setup.lead
        self.field_size = (nz + 2 * halo) * self.setup.stride
        courant = (_array(velocity).reshape(-1, *self.shape) * (survey.dt / survey.grid.spacings[-1])) ** 2
        self.grid = slice(None), slice(halo, -halo), slice(lead, lead + nx)
        self.courant = empty((len(courant), self.field_size), self.type)
        self.courant[:] = 0
        self._fields(self.courant)[self.grid] = courant
        self.forcing = _array(amplitudes) * -(survey.grid.spacings[-1] ** 2)
        self.sources, self.receivers = self._places("source"), self._places("receiver")

    def _places(self, place: str) -> Places:
        points, weights = self.survey.points(place)
        row, column = np.divmod(padded_index(points.flatten(1, 2), self.survey).numpy(), self.setup.nx)
        flat = (row + self.setup.halo) * self.setup.stride + column + self.setup.lead
        return Places(flat, weights.numpy().astype(self.type) if weights.shape[-1] > 1 else None)

    def _fields(self, flat: np.ndarray) -> np.ndarray:
        return flat.reshape(len(flat), -1, self.setup.stride)

    def _shot(self, i: int) -> Shot:
        courant = self.courant[i if len(self.courant) > 1 else 0]
        forcing = np.ascontiguousarray(self.sources.spread(i, self.forcing[i]).T)
        return Shot(self.setup, courant, forcing, self.sources.points[i], self.receivers.points[i])

    def _workspace(self) -> Workspace:
        nt = self.survey.nt
        segment = _segment(nt, self.field_size, self.state_size, self.type.itemsize)
        segments = -(-nt // segment)
        return Workspace(
            empty((self.state_size,), self.type),
            empty((self.state_size,), self.type),
            np.empty((segments - 1, self.state_size), self.type),
            empty((segment, self.field_size), self.type),
            np.empty((nt, self.receivers.points.shape[1]), self.type),
        )

    def _gather(self, i: int, state: np.ndarray, traces: np.ndarray, gather: np.ndarray) -> None:
        whole = self.receivers.weights is None
        points = gather if whole else np.empty(traces.shape[::-1], self.type)
        self.kernels.forward(state, traces, points, self.scheme, self._shot(i))
        if not whole:
            gather[:] = self.receivers.added(i, points)

    def gathers(self) -> torch.Tensor:
        """Return the shot gathers."""
        shape = (*self.survey.receiver_locations.shape[:2], self.survey.nt)
        result = np.empty(shape, self.type)

        def work(take: Callable[[], int | None]) -> None:
            state = empty((self.state_size,), self.type)
            traces = np.empty((self.survey.nt, self.receivers.points.shape[1]), self.type)
            while (i := take()) is not None:
                self._gather(i, state, traces, result[i])

        _share(self.survey.n_shots, work)
        return torch.from_numpy(result)

    def gradient(self, data: torch.Tensor, *, fit: bool) -> tuple[float, torch.Tensor, torch.Tensor]:
        """Return misfit, gradient in the padded velocity and gradient in the source amplitudes."""
        n_shots, kernels = self.survey.n_shots, self.kernels
        misfits = np.zeros(n_shots)
        images = empty((n_shots, self.field_size), self.type)
        source_images = np.empty((*self.survey.source_locations.shape[:2], self.survey.nt), self.type)
        given, scale = _array(data), self.type.type(1 / n_shots)
        # The kernels compare what points record, and not what they add up to.
        fit_points = fit and self.receivers.weights is None

        def work(take: Callable[[], int | None]) -> None:
            workspace = self._workspace()
            while (i := take()) is not None:
                mine, whole = given[i], self.sources.weights is None
                if fit and not fit_points:
                    residual = np.empty_like(mine)
                    self._gather(i, workspace.state, workspace.traces, residual)
                    residual -= mine
                    misfits[i] = 0.5 * scale * np.square(residual, dtype=np.float64).sum()
                    mine = scale * residual
                mine = self.receivers.spread(i, mine)
                image = (
                    source_images[i] if whole else np.empty(self.sources.points.shape[1:] + mine.shape[1:], self.type)
                )
                misfits[i] += kernels.gradient(
                    workspace, mine, scale, fit_points, images[i], image, self.scheme, self._shot(i)
                )
                if not whole:
                    source_images[i] = self.sources.added(i, image)

        _share(n_shots, work)
        image = torch.from_numpy(self._fields(images)[self.grid])
        if len(self.courant) == 1:
            image = image.sum(0)
        gradient = image.reshape(self.velocity.shape) * 2 / self.velocity.detach()
        return float(misfits.sum()), gradient, torch.from_numpy(source_images * -(self.survey.grid.spacings[-1] ** 2))


def _segment(nt: int, field_size: int, state_size: int, itemsize: int) -> int:
    # Memory, segment * field + nt / segment * state, is least where both terms are equal; half of that segment costs a
    # quarter more memory and is a tenth faster, for the kept fields then stay in cache.
    if nt * field_size * itemsize <= STORE_ALL:
        return nt
    return min(nt, max(1, round(0.5 * (nt * state_size / field_size) ** 0.5)))


def _array(tensor: torch.Tensor) -> np.ndarray:
    return tensor.detach().contiguous().numpy()


def _share(n: int, work: Callable[[Callable[[], int | None]], None]) -> None:
    """Let torch's number of threads work on n shots; each takes the next shot when it is free.

    The kernels release the interpreter lock. What a shot yields does not depend on the thread that computes it.
    """
    shots = iter(range(n))
    errors: list[BaseException] = []

    def guarded() -> None:
        # Ahead of a wave the field decays through the denormal numbers, which are slow; the setting is this thread's.
        torch.set_flush_denormal(True)
        try:
            work(lambda: next(shots, None))
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(min(n, torch.get_num_threads()))]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:  # an interrupt: take the remaining shots from the threads
        list(shots)
        raise
    if errors:
        raise errors[0]
