"""What is measured: the grid, its boundaries, and where and how waves are excited and recorded."""

from __future__ import annotations

import dataclasses
import functools
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

import numpy as np
import torch

from geolib import _checks
from geolib._arguments import checked, tensor

KINDS = ("free", "absorbing")
STIFFNESS = {2: 1.0, 4: 4 / 3, 6: 68 / 45, 8: 512 / 315}
"""By order of the spatial differences, the largest eigenvalue of the second difference over that of order 2."""
#: Points of the shortest wavelength at which a wave along an axis is still less than a tenth slow.
POINTS = {2: 4, 4: 3, 6: 2.6, 8: 2.5}


@dataclass(frozen=True)
class Grid:
    """A regular grid of square or rectangular cells.

    Parameters
    ----------
    shape : tuple of int
        `(nz,)` or `(nz, nx)`, depth first.
    spacing : float or tuple of float
        Distance of neighbouring grid points, m; `(dz, dx)` where it differs.
    """

    shape: tuple[int, ...]
    spacing: float | tuple[float, ...]

    def __post_init__(self) -> None:
        if not isinstance(self.shape, tuple) or len(self.shape) not in (1, 2):
            raise ValueError(
                f"grid shape must be (nz,) or (nz, nx); got {_checks.shown(self.shape)}. Give a tuple of one or two."
            )
        object.__setattr__(self, "shape", tuple(_checks.integer("grid shape", n, low=3) for n in self.shape))
        given = self.spacing if isinstance(self.spacing, tuple) else (self.spacing,)
        if isinstance(self.spacing, tuple) and len(given) != len(self.shape):
            raise ValueError(
                f"spacing must be a number or {len(self.shape)} of them; got {len(given)}. Give one an axis."
            )
        apart = tuple(_checks.number("spacing", h, low=1e-12, unit="m") for h in given)
        object.__setattr__(self, "spacing", apart[0] if len(set(apart)) == 1 else apart)

    @property
    def spacings(self) -> tuple[float, ...]:
        """The spacing along each axis, m."""
        return self.spacing if isinstance(self.spacing, tuple) else (self.spacing,) * len(self.shape)


@dataclass(frozen=True)
class Boundary:
    """What the four sides of the grid do to a wave.

    `"free"` sets u = 0 one spacing outside the first or last grid point: the first row of the model lies one spacing
    below the free surface, which itself holds no unknown. `"absorbing"` continues the outermost velocities through a
    perfectly matched layer of `width` points (and sets u = 0 beyond). A grid that is free on every side reflects
    everything and is the exact setting for comparisons between programs.

    Parameters
    ----------
    top, bottom : {"free", "absorbing"}
        Upper and lower side.
    sides : {"free", "absorbing"} or pair of these
        Left and right, one kind for both or (left, right); a 1-D grid has none.
    width : int
        Points of each absorbing layer, outside the grid.
    velocity, frequency : float, optional
        Wave speed (m/s) and dominant frequency (Hz) the layer is tuned for. Without them the layer follows the survey
        (`Survey.tuning`), at any scale. Neither is taken from the model, so that the layer stays the same while a model
        is inverted; give both where the source itself is sought. A velocity up to ten times too high, or a frequency
        too low, does little harm.
    """

    top: str = "free"
    sides: str | tuple[str, str] = "absorbing"
    bottom: str = "absorbing"
    width: int = 20
    velocity: float | None = None
    frequency: float | None = None

    def __post_init__(self) -> None:
        if isinstance(self.sides, str):
            object.__setattr__(self, "sides", (self.sides, self.sides))
        if not isinstance(self.sides, tuple) or len(self.sides) != 2:
            raise ValueError(
                f"sides must be a kind or a pair of kinds; got {_checks.shown(self.sides)}. Give (left, right)."
            )
        for name, kind in (("top", self.top), *(("sides", side) for side in self.sides), ("bottom", self.bottom)):
            _checks.choice(name, kind, KINDS)
        object.__setattr__(self, "width", _checks.integer("width", self.width, low=1, unit="cells"))
        for name, low, unit in (("velocity", 1e-9, "m/s"), ("frequency", 0, "Hz")):
            if getattr(self, name) is not None:
                value = _checks.number(f"boundary {name}", getattr(self, name), low=low, unit=unit)
                object.__setattr__(self, name, value)

    def padding(self, ndim: int) -> tuple[tuple[int, int], ...]:
        """Return the layers' points before and after the grid along each axis."""
        before_after = ((self.top, self.bottom), tuple(self.sides))[:ndim]
        width = {"free": 0, "absorbing": self.width}
        return tuple((width[before], width[after]) for before, after in before_after)


@dataclass(frozen=True, eq=False)
class Survey:
    """One or more shots over a grid.

    Parameters
    ----------
    grid : Grid
        Where the velocity is given.
    dt : float
        Time step, s.
    nt : int
        Number of time steps, and of samples of a trace.
    source_locations : (n_shots, n_sources, ndim) integers
        Grid indices, depth first.
    receiver_locations : (n_shots, n_receivers, ndim) integers
        Grid indices, depth first.
    source_amplitudes : (n_shots, n_sources, nt) tensor
        The source term s of the wave equation, in units of u per square metre; its type is the type of the computation.
        One wavelet for all is `wavelet.expand(n_shots, n_sources, nt)`.
    boundary : Boundary
        The sides of the grid; by default a free surface on top and absorbing elsewhere.

    Raises
    ------
    TypeError
        If locations are not integers or amplitudes no floating-point tensor.
    ValueError
        If a shape is wrong, a location is off the grid or an amplitude is not finite.
    """

    grid: Grid
    dt: float
    nt: int
    source_locations: Any
    receiver_locations: Any
    source_amplitudes: torch.Tensor
    boundary: Boundary = field(default_factory=Boundary)

    #: The fields that say where sources and receivers are.
    PLACES: ClassVar[tuple[str, str]] = ("source_locations", "receiver_locations")

    def __post_init__(self) -> None:
        for part, wanted in ((self.grid, Grid), (self.boundary, Boundary)):
            if not isinstance(part, wanted):
                what = wanted.__name__
                raise TypeError(f"{what.lower()} must be a waves.{what}; got {type(part).__name__}. Make one first.")
        object.__setattr__(self, "dt", _checks.number("dt", self.dt, low=1e-15, unit="s"))
        object.__setattr__(self, "nt", _checks.integer("nt", self.nt, low=1))
        for name in ("source_locations", "receiver_locations"):
            object.__setattr__(self, name, _locations(name, getattr(self, name), self.grid))
        amplitudes = self.source_amplitudes
        if not isinstance(amplitudes, torch.Tensor) or amplitudes.dtype not in (torch.float32, torch.float64):
            kind = getattr(amplitudes, "dtype", type(amplitudes).__name__)
            raise TypeError(f"source_amplitudes must be a float32 or float64 tensor; got {kind}. Use torch.as_tensor.")
        _checks.shape(
            "source_amplitudes",
            amplitudes,
            (*self.source_locations.shape[:2], self.nt),
            "Use wavelet.expand(n_shots, n_sources, nt).",
        )
        tensor("source_amplitudes", amplitudes.detach())
        if len(self.source_locations) != len(self.receiver_locations):
            raise ValueError(
                f"receiver_locations must have one entry for each of {len(self.source_locations)} shots; "
                f"got {len(self.receiver_locations)}. Repeat or expand them."
            )

    @property
    def n_shots(self) -> int:
        """Number of shots."""
        return len(self.source_locations)

    def of_shots(self, rows: Any, **changes: Any) -> Self:
        """Return the survey of some shots, by a slice or by their numbers, with other fields changed.

        Parameters
        ----------
        rows : slice or (n,) tensor
            Which shots.
        **changes
            Fields of the new survey, as for `dataclasses.replace`.
        """
        taken = {name: getattr(self, name)[rows].clone() for name in self.PLACES}
        if "source_amplitudes" not in changes:
            taken["source_amplitudes"] = self.source_amplitudes[rows]
        return dataclasses.replace(self, **taken | changes)

    def points(self, place: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the grid points that sources or receivers are made of, and the weight of each.

        Parameters
        ----------
        place : {"source", "receiver"}
            Which.

        Returns
        -------
        points : (n_shots, n, n_points, ndim) tensor
            Grid indices: one point each. Where places lie between grid points (`waves.between`) they are several, and
            those in an absorbing layer have indices below zero or beyond the grid.
        weights : (n_shots, n, n_points) tensor
            By which a source is spread and a receiver adds up, float64.
        """
        at = getattr(self, f"{place}_locations")[:, :, None]
        return at, torch.ones(at.shape[:3], dtype=torch.float64)

    @functools.cached_property
    def _spectra(self) -> tuple[torch.Tensor, float]:
        """The sources' largest spectral amplitudes, and the least of their mean numbers of periods in the record."""
        sources = self.source_amplitudes.detach().flatten(0, 1)
        largest, lowest = [], math.inf
        # In pieces, for the spectra of all sources at once may be larger than the survey.
        for part in sources.split(64):
            spectrum = torch.fft.rfft(part).abs()
            largest.append(spectrum.amax(0))
            sounding = spectrum[spectrum.amax(1) > 0].double()
            if len(sounding):
                energy = (sounding / sounding.amax(1, keepdim=True)).square()
                mean = (energy @ torch.arange(energy.shape[1]).to(energy)) / energy.sum(1)
                lowest = min(lowest, float(mean.min()))
        return torch.stack(largest).amax(0), lowest if lowest < math.inf else 0.0

    @functools.cached_property
    def highest_frequency(self) -> float:
        """Highest frequency (Hz) at which a source has a tenth of its largest spectral amplitude."""
        spectrum, _ = self._spectra
        if not spectrum.max() > 0:
            return 0.0
        return float(torch.nonzero(spectrum >= 0.1 * spectrum.max())[-1]) / (self.nt * self.dt)

    @property
    def mean_frequency(self) -> float:
        """Mean frequency (Hz) of a source's energy, the least of all sources; 0 if all are silent."""
        return self._spectra[1] / (self.nt * self.dt)

    @property
    def tuning(self) -> tuple[float, float]:
        """Velocity (m/s) and frequency (Hz) the absorbing layers are tuned for.

        What the boundary leaves open is the fastest velocity that the time step allows, for which the survey was made,
        and `mean_frequency`.
        """
        velocity, frequency = self.boundary.velocity, self.boundary.frequency
        return (
            longest_step(self.grid, 1.0) / self.dt if velocity is None else velocity,
            self.mean_frequency if frequency is None else frequency,
        )

    def check_velocity(self, velocity: torch.Tensor, space_order: int) -> None:
        """Refuse a velocity that this survey cannot propagate through.

        Parameters
        ----------
        velocity : ``grid.shape`` or ``(n_shots, *grid.shape)`` tensor
            Velocity, m/s.
        space_order : {2, 4, 6, 8}
            Order of the spatial differences.

        Raises
        ------
        TypeError
            If it is no tensor of the type and device of the source amplitudes.
        ValueError
            If its shape is wrong, an entry is not finite or not positive, or the time step is unstable.

        Warns
        -----
        UserWarning
            If the shortest wave has so few points that it will be dispersed, or the absorbing layer is tuned for other
            waves.
        """
        space_order = space_order_of(space_order)
        if not isinstance(velocity, torch.Tensor):
            raise TypeError(f"velocity must be a tensor; got {type(velocity).__name__}. Use torch.as_tensor.")
        amplitudes = self.source_amplitudes
        if velocity.dtype != amplitudes.dtype or velocity.device != amplitudes.device:
            raise TypeError(
                f"velocity must have the type and device of source_amplitudes, {amplitudes.dtype} on "
                f"{amplitudes.device}; got {velocity.dtype} on {velocity.device}. Use velocity.to(amplitudes)."
            )
        expected = self.grid.shape if velocity.dim() == len(self.grid.shape) else (self.n_shots, *self.grid.shape)
        _checks.shape("velocity", velocity, expected, f"Give {self.grid.shape}, or one such model for each shot.")
        tensor("velocity", velocity.detach())
        slowest, fastest = (float(v) for v in torch.aminmax(velocity.detach()))
        if slowest <= 0:
            raise ValueError(f"velocity must be positive; got {slowest:g} m/s. Clip the model from below.")
        limit = longest_step(self.grid, fastest, space_order)
        if self.dt > limit:
            raise ValueError(
                f"dt must be at most {limit:.5f} s for spacing {_by(self.grid)} m and velocity up to "
                f"{fastest:g} m/s; got {self.dt:g}. Reduce dt or coarsen the grid."
            )
        for doubt in self._doubts(slowest, fastest, space_order):
            warnings.warn(doubt, stacklevel=4)

    def _doubts(self, slowest: float, fastest: float, space_order: int) -> Iterator[str]:
        needed = POINTS[space_order]
        highest, coarsest = self.highest_frequency, max(self.grid.spacings)
        if highest * coarsest * needed > slowest:
            points = slowest / (highest * coarsest)
            yield (
                f"spacing should give the shortest wavelength at least {needed} points at order {space_order}; "
                f"{highest:.3g} Hz at {slowest:.0f} m/s has {points:.1f}. Refine the grid or lower the frequency."
            )
        if not any(map(any, self.boundary.padding(len(self.grid.shape)))):
            return
        # As measured on constant models, beyond these more than a hundredth of a wave's amplitude comes back.
        velocity, frequency = self.tuning
        if not 0.4 * fastest <= velocity <= 100 * fastest:
            yield (
                f"the absorbing layer should be tuned for a velocity near the model's; it is for {velocity:.3g} m/s, "
                f"the model has up to {fastest:.3g}, and so it will reflect. Give Boundary(velocity={fastest:.3g})."
            )
        if frequency > 5 * self.mean_frequency > 0:
            yield (
                f"the absorbing layer should be tuned for the sources' frequency; it is for {frequency:.3g} Hz, their "
                f"mean is {self.mean_frequency:.3g}, and so it will reflect. Leave Boundary(frequency) out."
            )


def space_order_of(value: Any) -> int:
    """Return the order of the spatial differences, 2, 4, 6 or 8, as an int; 4.0 is one too."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value not in STIFFNESS:
        raise ValueError(f"space_order must be 2, 4, 6 or 8; got {_checks.shown(value)}. Choose one of the four.")
    return int(value)


@checked(velocity=(1e-12, None, "m/s"), space_order=...)
def longest_step(grid: Grid, velocity: float, space_order: int = 2) -> float:
    """Return the longest stable time step (s) on `grid` for velocities (m/s) up to `velocity`.

    Notes
    -----
    Von Neumann: v dt sqrt(sum 1 / h^2) <= 1 over the axes at order 2; at orders 4, 6 and 8 the Laplacian's largest
    eigenvalue is 4/3, 68/45 and 512/315 times as large.
    """
    velocity = _checks.number("velocity", velocity, low=1e-12, unit="m/s")
    stiffness = STIFFNESS[space_order_of(space_order)]
    finest = min(grid.spacings)
    return finest / (velocity * math.sqrt(stiffness * sum((finest / h) ** 2 for h in grid.spacings)))


def _by(grid: Grid) -> str:
    return " x ".join(f"{h:g}" for h in (grid.spacing if isinstance(grid.spacing, tuple) else grid.spacings[:1]))


def _locations(name: str, value: Any, grid: Grid) -> torch.Tensor:
    if isinstance(value, np.ndarray):  # torch takes neither a turned one nor one of another byte order
        value = np.array(value, value.dtype.newbyteorder("="), order="C")
    try:
        locations = torch.as_tensor(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(
            f"{name} must be integers with as many positions in each shot; got lists that make no array "
            f"({str(error).splitlines()[0]}). Fill them up or split the survey."
        ) from None
    if locations.is_floating_point() or locations.is_complex() or locations.dtype == torch.bool:
        raise TypeError(f"{name} must be integer grid indices; got {locations.dtype}. Round them to indices.")
    remedy = "Axes are shot, position in the shot, and (depth, distance)."
    _checks.shape(name, locations, (None, None, len(grid.shape)), remedy)
    locations = locations.to("cpu", torch.int64)
    if locations.numel() == 0:
        raise ValueError(f"{name} must hold at least one location; got shape {tuple(locations.shape)}. Add one.")
    outside = ((locations < 0) | (locations >= torch.tensor(grid.shape))).any(-1)
    if outside.any():
        first = tuple(int(i) for i in locations[outside][0])
        raise ValueError(
            f"{name} must lie on the grid of shape {grid.shape}; got {first}. Give indices from 0 to n - 1."
        )
    return locations
