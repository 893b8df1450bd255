"""The physics: one time step of the acoustic wave equation, as the cell of a recurrent network.

    u(t + dt) = v^2 dt^2 (Laplacian u(t) - s(t)) + 2 u(t) - u(t - dt)

This is the eager form, written to be read beside Figure 3 of Sun et al.; the kernels compute the same numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from geolib._arguments import checked
from geolib.waves.absorbing import Layer, layers
from geolib.waves.survey import Survey, space_order_of

DIVISORS = {2: (), 4: (12,), 6: (7.5, 12), 8: (56 / 9, 7.5, 12)}
"""By order, from the inside out: with d the second difference, d (1 - d / 12 (1 - d / 7.5 (1 - d / (56 / 9))))."""


class State(NamedTuple):
    """What a cell hands to the next."""

    now: torch.Tensor
    """Wavefield u(t)."""
    before: torch.Tensor
    """Wavefield u(t - dt)."""
    memory: tuple[tuple[torch.Tensor, torch.Tensor], ...]
    """Along each axis the two memory variables of the layer."""


class WaveCell(nn.Module):
    """One time step: wavefields and source in, wavefields and one sample of each trace out.

    The velocity is the only weight; the Laplacian is a fixed filter.

    Parameters
    ----------
    velocity : ``grid.shape`` or ``(n_shots, *grid.shape)`` tensor
        Velocity, m/s; an `nn.Parameter` becomes a parameter of the cell.
    survey : Survey
        Grid, time step, boundaries and positions.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.

    Notes
    -----
    Autograd keeps about ten fields for each step, so memory grows with nt.

    References
    ----------
    Sun et al. (2020), equation 2 and Figure 3.
    """

    @checked(space_order=...)
    def __init__(self, velocity: torch.Tensor, survey: Survey, space_order: int = 2):
        super().__init__()
        self.velocity = velocity
        self.survey = survey
        self.space_order = space_order_of(space_order)
        # All differences are divided by the square of the last axis's spacing.
        self.aspects = [(survey.grid.spacings[-1] / h) ** 2 for h in survey.grid.spacings]
        self.layers = tuple(Layer(*(c.to(velocity) for c in layer)) for layer in layers(survey))
        self.sources, self.spreading = self._places("source")
        self.receivers, self.adding = self._places("receiver")

    def _places(self, place: str) -> tuple[torch.Tensor, torch.Tensor | None]:
        # Flat indices (n_shots, n n_points), and weights (n_shots, n, n_points), None where each is one point.
        points, weights = self.survey.points(place)
        index = padded_index(points.flatten(1, 2), self.survey).to(self.velocity.device)
        return index, weights.to(self.velocity.detach()) if weights.shape[-1] > 1 else None

    def start(self) -> State:
        """Return the state of rest."""
        shape = (self.survey.n_shots, *padded_shape(self.survey))
        zero = self.velocity.new_zeros(shape)
        memory = []
        for axis in range(1, len(shape)):
            longer = list(shape)
            longer[axis] += 1
            memory.append((self.velocity.new_zeros(longer), zero))
        return State(zero, zero, tuple(memory))

    def forward(self, source: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """Advance by one time step.

        Parameters
        ----------
        source : (n_shots, n_sources) tensor
            s(t).
        state : State
            u(t), u(t - dt) and the layer's memory.

        Returns
        -------
        record : (n_shots, n_receivers) tensor
            u(t + dt) at the receivers.
        state : State
            u(t + dt), u(t) and the new memory.
        """
        u = state.now
        laplacian, memory = torch.zeros_like(u), []
        for axis, (layer, (slope, curvature)) in enumerate(zip(self.layers, state.memory, strict=True), start=1):
            decay, gain, decay_half, gain_half = (_along(c, axis, u.dim()) for c in layer)
            difference = _difference(u, axis)
            for divisor in DIVISORS[self.space_order]:
                difference = _difference(u - difference.diff(dim=axis) / divisor, axis)
            if self.aspects[axis - 1] != 1:
                difference = difference * self.aspects[axis - 1]
            # In the layer the derivative is taken twice along the stretched coordinate; inside the grid both memories
            # stay zero.
            slope = decay_half * slope + gain_half * difference
            second = (difference + slope).diff(dim=axis)
            curvature = decay * curvature + gain * second
            laplacian = laplacian + second + curvature
            memory.append((slope, curvature))
        laplacian = laplacian / self.survey.grid.spacings[-1] ** 2
        forcing = (laplacian.flatten(1)).scatter_add(1, self.sources, -self._spread(source)).view_as(u)
        courant = (pad(self.velocity, self.survey) * self.survey.dt) ** 2
        after = courant * forcing + 2 * u - state.before
        return self._heard(after), State(after, u, tuple(memory))

    def _spread(self, source: torch.Tensor) -> torch.Tensor:
        # A source between grid points acts on several.
        return source if self.spreading is None else (source[..., None] * self.spreading).flatten(1)

    def _heard(self, field: torch.Tensor) -> torch.Tensor:
        heard = field.flatten(1).gather(1, self.receivers)
        return heard if self.adding is None else (heard.view_as(self.adding) * self.adding).sum(-1)


def padded_shape(survey: Survey) -> tuple[int, ...]:
    """Return the shape of the grid with its absorbing layers."""
    padding = survey.boundary.padding(len(survey.grid.shape))
    return tuple(n + before + after for n, (before, after) in zip(survey.grid.shape, padding, strict=True))


def pad(model: torch.Tensor, survey: Survey) -> torch.Tensor:
    """Return the model continued through the absorbing layers by its outermost values."""
    padding = survey.boundary.padding(len(survey.grid.shape))
    for axis, (n, (before, after)) in enumerate(zip(survey.grid.shape, padding, strict=True), start=-len(padding)):
        if before or after:
            nearest = torch.arange(-before, n + after, device=model.device).clamp(0, n - 1)
            model = model.index_select(axis, nearest)
    return model


def padded_index(locations: torch.Tensor, survey: Survey) -> torch.Tensor:
    """Return the flat indices, in the padded grid, of locations on the grid: (n_shots, n)."""
    padding = survey.boundary.padding(len(survey.grid.shape))
    index = torch.zeros(locations.shape[:2], dtype=torch.int64)
    for axis, n in enumerate(padded_shape(survey)):
        index = index * n + locations[..., axis] + padding[axis][0]
    return index


def _difference(u: torch.Tensor, axis: int) -> torch.Tensor:
    # u is zero on both sides of the grid; the n + 1 differences lie halfway between the points.
    edge = torch.zeros_like(u.narrow(axis, 0, 1))
    return torch.cat((edge, u, edge), axis).diff(dim=axis)


def _along(coefficient: torch.Tensor, axis: int, ndim: int) -> torch.Tensor:
    shape = [1] * ndim
    shape[axis] = -1
    return coefficient.view(shape)
