"""The pictures of the first page: small, one idea each."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from geolib.plots.style import PALETTE


def crossings(
    ax: Axes,
    model: np.ndarray,
    crossed: np.ndarray,
    summed: np.ndarray,
    ends: Sequence[tuple[float, float]],
    spacing: float = 0.1,
) -> Axes:
    """Draw a ray between two boreholes, the cells that it crosses and those that were summed.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    model : (nz, nx) array
        Facies in [0, 1], drawn pale.
    crossed, summed : (nz, nx) array
        Length in each cell, m: of the ray, and as the published code has it.
    ends : two pairs of float
        x and depth of source and receiver, m.
    spacing : float
        Side of a cell, m.
    """
    nz, nx = model.shape
    extent = (0.0, nx * spacing, nz * spacing, 0.0)
    ax.imshow(model, cmap="Greys", vmin=0, vmax=6, extent=extent, interpolation="nearest", alpha=0.9)
    true, scrambled = PALETTE["true rays"], PALETTE["scrambled"]
    for lengths, color in ((summed, scrambled), (crossed, true)):
        rows, columns = np.nonzero(lengths)
        x, z = (columns + 0.5) * spacing, (rows + 0.5) * spacing
        ax.scatter(x, z, s=7, marker="s", color=color, linewidths=0)
    ax.plot(*zip(*ends, strict=True), color="black", linewidth=1)  # the model stays pale on a dark page
    for end, marker in zip(ends, ("<", ">"), strict=True):
        ax.plot(*end, marker, color=PALETTE["truth"], markersize=7, clip_on=False)
    ax.text(0.02, 1.02, "cells of the ray", color=true, transform=ax.transAxes)
    text = "cells that the published code sums"
    ax.text(0.98, 1.02, text, color=scrambled, ha="right", transform=ax.transAxes)
    return bare(ax, xlim=(0, nx * spacing), ylim=(nz * spacing, 0), aspect="auto")


def spiral(ax: Axes, path: np.ndarray) -> Axes:
    """Draw the steps of both players `(n, 2)` around the solution of a game."""
    ax.plot(*path.T, color=PALETTE["minimax"], marker=".", markersize=3, linewidth=1)
    ax.plot(0, 0, "+", color=PALETTE["truth"], markersize=10)
    ax.annotate(
        "solution",
        (0, 0),
        xytext=(1, 0),
        textcoords="axes fraction",
        ha="right",
        va="bottom",
        arrowprops={"arrowstyle": "-", "linewidth": 0.6, "shrinkB": 4},
    )
    limit = 1.05 * np.abs(path).max()
    return bare(ax, xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")


def stacked(ax: Axes, traces: np.ndarray, color: str, text: str) -> Axes:
    """Draw traces `(n, nt)` one below the other under a line of text."""
    step = 1.1 * np.abs(traces).max()
    for index, trace in enumerate(traces):
        ax.plot(trace - index * step, color=color, linewidth=0.8)
    ax.set_title(text)
    return bare(ax)


def trials(ax: Axes, succeeded: int, total: int, color: str, text: str, across: int = 8) -> Axes:
    """Draw a square for each trial, `across` a row, those that succeed filled, under a line of text and their count."""
    rows, columns = np.divmod(np.arange(total), across)
    faces = [color if trial < succeeded else "none" for trial in range(total)]
    ax.scatter(columns, rows, s=20, marker="s", facecolors=faces, edgecolors=color, linewidths=0.8)
    ax.set_title(f"{text}\n{succeeded} of {total}")
    deep = max(1, -(-total // across))
    return bare(ax, xlim=(-0.7, across - 0.3), ylim=(max(deep, across) + 1.7, -0.7), aspect="equal")


def bare(ax: Axes, **settings: object) -> Axes:
    """Take ticks, frame and grid off."""
    ax.set(xticks=[], yticks=[], **settings)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.grid(False)
    return ax


def depth_profiles(ax: Axes, truth: np.ndarray, models: Sequence[tuple[str, np.ndarray]], rows: slice) -> Axes:
    """Draw some rows, every 10 m, of a 1-D truth (m/s) and of models, named in their colours, against depth."""
    depth = np.arange(truth.size)[rows] / 100
    for n, (name, model) in enumerate([("truth", truth), *models]):
        wide = 2.2 if name == "truth" else 1.4
        ax.plot(model[rows] / 1000, depth, color=PALETTE[name], linewidth=wide)
        # Velocities grow with depth: above on the right nothing is drawn.
        ax.text(1, 0.93 - 0.13 * n, name, color=PALETTE[name], ha="right", transform=ax.transAxes)
    ax.set(xlabel="velocity (km/s)", ylabel="depth (km)", ylim=(depth[-1], depth[0]))
    return ax


def worst_interface(truth: np.ndarray, better: np.ndarray, worse: np.ndarray, near: int = 14) -> slice:
    """Return the rows around that jump of a 1-D truth where the worse of two models is so by the most."""
    excess = np.square(worse - truth) - np.square(better - truth)
    around = [slice(max(0, jump + 1 - near), jump + 1 + near) for jump in np.flatnonzero(np.diff(truth))]
    return max(around, key=lambda rows: float(excess[rows].mean()))
