"""Straight-ray traveltime tomography between two boreholes: path lengths in cells, traveltimes; metres, m/ns and ns."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from geolib import _checks
from geolib._arguments import array, checked, taken
from geolib.inversion.words import CELL_ORDERS as CELL_ORDERS

#: Velocities of the two facies in m/ns: outside and inside channels.
MATRIX_VELOCITY, CHANNEL_VELOCITY = 0.08, 0.06


def _antennas() -> tuple[float, ...]:
    return tuple(0.5 * number for number in range(1, 25))


@dataclass(frozen=True)
class Crosshole:
    """Cells and antennas of a crosshole survey; the defaults are those of Laloy et al. (2019).

    Attributes
    ----------
    shape : (int, int)
        Rows (depth) and columns (x) of cells.
    spacing : float
        Side of a cell in m.
    source_x, receiver_x : float
        Positions of the boreholes' antennas in m; the released survey has them 5.98 m apart, not 6.
    source_depths, receiver_depths : tuple of float
        In m.

    Raises
    ------
    ValueError
        If an antenna is outside the cells, or a borehole has none.
    """

    shape: tuple[int, int] = (125, 60)
    spacing: float = 0.1
    source_x: float = 0.01
    receiver_x: float = 5.99
    source_depths: tuple[float, ...] = field(default_factory=_antennas)
    receiver_depths: tuple[float, ...] = field(default_factory=_antennas)

    def __post_init__(self) -> None:
        """Check that the cells hold every antenna."""
        object.__setattr__(self, "spacing", _checks.number("spacing", self.spacing, low=1e-6, unit="m"))
        if not isinstance(self.shape, tuple | list) or len(self.shape) != 2:
            raise ValueError(
                f"shape must be rows and columns of cells; got {_checks.shown(self.shape)}. Give (nz, nx)."
            )
        object.__setattr__(self, "shape", tuple(_checks.integer("shape", n, low=1) for n in self.shape))
        depth, width = (length * self.spacing for length in self.shape)
        for name in ("source", "receiver"):
            x = _checks.number(f"{name}_x", getattr(self, f"{name}_x"), low=0, high=width, unit="m")
            object.__setattr__(self, f"{name}_x", x)
            depths = taken(f"{name}_depths", getattr(self, f"{name}_depths"), tuple[float, ...], (0, depth, "m"))
            if not depths:
                raise ValueError(f"{name}_depths must hold at least one depth; got none. Place an antenna.")
            object.__setattr__(self, f"{name}_depths", depths)


@checked(cell_order=CELL_ORDERS)
def ray_matrix(survey: Crosshole, cell_order: str = "consistent") -> sparse.csr_matrix:
    r"""Return the path length of every ray in every cell, :math:`A` of :math:`d = A s`.

    Parameters
    ----------
    survey : Crosshole
        Cells and antennas.
    cell_order : str
        ``consistent``: column ``row * n_columns + column`` is that cell: ``A @ slowness.ravel()`` is the physics.
        ``as_published``: the columns are numbered with x fastest while the model vector runs with depth fastest, as in
        the released code, so that a ray samples cells it never crosses. Both act on ``slowness.ravel()`` of (nz, nx).

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n_sources * n_receivers, nz * nx)
        Lengths in m, source by source; each row sums to the distance of its antennas.

    Raises
    ------
    ValueError
        If the order is unknown.

    Notes
    -----
    Exact: a ray is cut at all grid lines it meets. A piece that runs along a grid line belongs to the cell of smaller
    index (the cell above), as in the released kernel. A loop over the rays.

    References
    ----------
    Laloy et al. (2019), equation 13 and section 3.4.
    """
    depths = [(source, receiver) for source in survey.source_depths for receiver in survey.receiver_depths]
    ends = [((source, survey.source_x), (receiver, survey.receiver_x)) for source, receiver in depths]
    return _matrix(np.array(ends), survey.shape, survey.spacing, cell_order)


@checked(sources=(None, 2), receivers=(None, 2), shape=(1, 10**6), spacing=(1e-6, None, "m"))
def path_lengths(
    sources: np.ndarray, receivers: np.ndarray, shape: tuple[int, int] = (125, 60), spacing: float = 0.1
) -> sparse.csr_matrix:
    """Return the path lengths of straight rays that each have two ends of their own, as in deviated boreholes.

    Parameters
    ----------
    sources, receivers : ndarray, shape (n_rays, 2)
        Depth and x (m) of the ends of each ray, from the upper left corner of the model.
    shape : (int, int)
        Rows (depth) and columns (x) of cells.
    spacing : float
        Side of a cell in m.

    Returns
    -------
    scipy.sparse.csr_matrix, shape (n_rays, nz * nx)
        Lengths in m, in the order of the rays; each row sums to the distance of its ends.

    Raises
    ------
    ValueError
        If the two have not as many rays, or an end is outside the cells; the row is told.

    Notes
    -----
    Rays and cells as for `ray_matrix`, whose rows these are for its antennas. A loop over the rays.
    """
    _checks.shape("receivers", receivers, sources.shape, "Give each ray its two ends.")
    extent = np.array(shape) * spacing
    for name, ends in (("sources", sources), ("receivers", receivers)):
        outside = ((ends < 0) | (ends > extent)).any(1)
        if outside.any():
            row = int(np.argmax(outside))
            raise ValueError(
                f"{name} must lie within {extent[0]:g} m of depth and {extent[1]:g} m of x; row {row} is at depth "
                f"{ends[row, 0]:g} m, x {ends[row, 1]:g} m. Move it, or take more cells."
            )
    return _matrix(np.stack([sources, receivers], 1), shape, spacing)


def _matrix(
    ends: np.ndarray, shape: tuple[int, int], spacing: float, cell_order: str = "consistent"
) -> sparse.csr_matrix:
    """Return the path lengths of rays by their two ends, shape (n_rays, 2, 2)."""
    nz, nx = shape
    rows, columns, lengths = [], [], []
    for number, (start, stop) in enumerate(ends):
        cells, pieces = _cut(start, stop, shape, spacing)
        rows.append(np.full(len(cells), number))
        columns.append(cells)
        lengths.append(pieces)
    column = np.concatenate(columns)
    if cell_order == "as_published":
        # Entry k of a vector that runs down the columns is the cell (k mod nz, k div nz).
        column = (column % nz) * nx + column // nz
    entries = (np.concatenate(lengths), (np.concatenate(rows), column))
    return sparse.csr_matrix(entries, shape=(len(ends), nz * nx))


def _cut(start: np.ndarray, stop: np.ndarray, shape: tuple[int, int], spacing: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the cells (x fastest) a ray crosses and its length in each; points are (depth, x)."""
    a, b = start / spacing, stop / spacing
    at = [np.array([0.0, 1.0])]
    for p, q in zip(a, b, strict=True):
        if p != q:
            lines = np.arange(np.ceil(min(p, q)), np.floor(max(p, q)) + 1)
            at.append(np.clip((lines - p) / (q - p), 0, 1))
    t = np.unique(np.concatenate(at))
    middle = a + 0.5 * (t[1:] + t[:-1])[:, None] * (b - a)
    # Coordinates a round-off away from a grid line lie on it.
    near = np.rint(middle)
    middle = np.where(np.abs(middle - near) < 1e-9, near, middle)
    cell = np.clip(np.ceil(middle).astype(int) - 1, 0, np.array(shape) - 1)
    pieces = np.diff(t) * np.linalg.norm(b - a) * spacing
    kept = pieces > 1e-12
    return (cell[:, 0] * shape[1] + cell[:, 1])[kept], pieces[kept]


@checked()
def velocity(models: np.ndarray) -> np.ndarray:
    """Return velocities in m/ns of facies models in [0, 1], 0.08 outside and 0.06 inside channels, linear between.

    References
    ----------
    Laloy et al. (2019), section 4.2.
    """
    return CHANNEL_VELOCITY + (MATRIX_VELOCITY - CHANNEL_VELOCITY) * (1 - models)


def traveltimes(matrix: sparse.csr_matrix, velocities: np.ndarray) -> np.ndarray:
    """Return first-arrival times of straight rays.

    Parameters
    ----------
    matrix : sparse matrix, shape (n_rays, nz * nx)
        From `ray_matrix`, in m.
    velocities : ndarray, shape (nz, nx) or (n, nz, nx)
        In m/ns, in the shape of the matrix's survey; the matrix knows their number only, so that a transposed model
        is not noticed.

    Returns
    -------
    ndarray, shape (n_rays,) or (n, n_rays)
        In ns.

    Raises
    ------
    TypeError
        If the velocities are a tensor, whose derivatives would be lost.
    ValueError
        If a velocity is not positive, or the number of axes or of cells differs.
    """
    if isinstance(velocities, Tensor):
        raise TypeError("velocities must be a NumPy array; got a tensor. Use times_of for derivatives.")
    models = array("velocities", velocities).astype(float)
    taken("matrix", matrix, sparse.csr_matrix)
    if models.ndim not in (2, 3):
        raise ValueError(f"velocities must have two or three axes; got {models.ndim}. Use the survey's shape.")
    cells = models.shape[-2] * models.shape[-1]
    if cells != matrix.shape[1]:
        raise ValueError(f"velocities must have {matrix.shape[1]} cells; got {cells}. Use the survey's shape.")
    if models.min() <= 0:
        raise ValueError(f"velocities must be positive; got {models.min():g} m/ns. Correct the model.")
    flat = (1 / models).reshape(-1, cells)
    times = (matrix @ flat.T).T
    return times[0] if models.ndim == 2 else times


class _Product(torch.autograd.Function):
    """Sparse matrix times each row of a tensor; scipy's product takes a fourteenth of a dense one's time here."""

    @staticmethod
    def forward(rows: Tensor, matrix: sparse.csr_matrix) -> Tensor:
        return torch.from_numpy((matrix @ rows.detach().numpy().T).T)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        ctx.matrix = inputs[1]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return _Product.apply(gradient, ctx.matrix.T), None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, _: Any) -> Tensor:
        return _Product.apply(tangent, ctx.matrix)


def times_of(matrix: sparse.csr_matrix, slowness: Tensor) -> Tensor:
    """Return traveltimes (ns), shape (n, n_rays), of slowness (ns/m), shape (n, nz * nx), with their derivatives.

    Notes
    -----
    On the CPU; the result has the matrix's precision, so convert it to float32 for a float32 network.
    """
    if not isinstance(slowness, Tensor) or slowness.device.type != "cpu":
        got = slowness.device if isinstance(slowness, Tensor) else type(slowness).__name__
        raise TypeError(f"slowness must be a tensor on the CPU; got {got}. Use torch.as_tensor or traveltimes.")
    taken("matrix", matrix, sparse.csr_matrix)
    _checks.shape("slowness", slowness, (None, matrix.shape[1]), "Flatten each model to one row.")
    return _Product.apply(slowness, matrix)


@checked()
def noisy(times: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Return times with independent Gaussian errors of standard deviation `sigma` (ns) added.

    Raises
    ------
    ValueError
        If sigma is not positive.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive; got {sigma:g} ns. The paper uses 1 ns.")
    return times + sigma * rng.standard_normal(np.shape(times))
