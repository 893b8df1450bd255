"""Figures of the crosshole chapter: channel images, rays, variograms, misfit curves and landscapes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter
from scipy.ndimage import minimum_filter

from geolib.plots.absent import nothing
from geolib.plots.data import LISTED
from geolib.plots.style import COLORS, FACIES_MAP, color_of, new_figure

#: Side of a cell of the paper's models, in m.
CELL = 0.1


def draw_image(ax: Axes, image: np.ndarray, title: str, *, listed: bool = False) -> Axes:
    """Draw an image of facies in [0, 1], shape (rows, columns), with pixels on the axes; return `ax`.

    Where it is `listed`, its pixels are among the numbers of the figure however many they are.
    """
    shown = ax.imshow(image, cmap=FACIES_MAP, vmin=0, vmax=1, interpolation="nearest")
    if listed:
        shown.set_label(LISTED)
    ax.set(title=title, xlabel="x (pixels)", ylabel="depth (pixels)")
    ax.grid(False)
    return ax


def cells(ax: Axes, values: np.ndarray, title: str, spacing: float = CELL, **look: Any) -> Axes:
    """Draw a value of each cell (nz, nx) between the boreholes, in metres, as the last image of `ax`; return `ax`."""
    nz, nx = values.shape
    ax.imshow(values, extent=(0.0, nx * spacing, nz * spacing, 0.0), **look)
    ax.set(title=title, xlabel="x (m)", ylabel="depth (m)")
    ax.grid(False)
    return ax


def draw_model(ax: Axes, model: np.ndarray, title: str, depths: Sequence[float] = (), spacing: float = CELL) -> Axes:
    """Draw a facies model (nz, nx) in metres; return `ax`.

    Sources (triangles) and receivers (squares) stand at the given depths.
    """
    cells(ax, model, title, spacing, cmap=FACIES_MAP, vmin=0, vmax=1, interpolation="nearest")
    if len(depths):
        look: dict[str, Any] = {"clip_on": False, "markeredgecolor": "white", "markeredgewidth": 0.3, "zorder": 4}
        ax.plot(np.zeros(len(depths)), depths, ">", color=COLORS["vermilion"], markersize=5, **look)
        right = np.full(len(depths), model.shape[1] * spacing)
        ax.plot(right, depths, "s", color=COLORS["sky"], markersize=3.5, **look)
    return ax


def models(images: Mapping[str, np.ndarray], spacing: float = CELL, title: str = "", *, empty: str = "") -> Figure:
    """Return the figure of several facies models (nz, nx) in metres, each named by its key; of none it says `empty`."""
    if not images:
        figure, (ax,) = new_figure(height=0.6)
        nothing(ax, empty)
        return figure
    figure, axes = new_figure(1, len(images), height=3.2, sharey=True)
    for ax, (name, image) in zip(axes, images.items(), strict=True):
        draw_model(ax, image, name, spacing=spacing)
        ax.label_outer()
    figure.suptitle(title, x=0.01, ha="left", weight="bold")
    return figure


def residuals(time: np.ndarray, fits: Mapping[str, np.ndarray], deviation: np.ndarray, depth: np.ndarray) -> Figure:
    """Return the figure of picked times (ns) against those of models, and of what is left by the rays' mean depth (m).

    A row for each of `fits`, whose times (ns) are by name. What is left is in deviations of the times; the band holds
    two.
    """
    figure, axes = new_figure(len(fits), 2, height=0.6 + 2.2 * len(fits), sharex="col", sharey="col")
    everything = np.concatenate([time, *fits.values()])
    ends = [float(everything.min()), float(everything.max())]
    for (name, fit), left, right in zip(fits.items(), axes[::2], axes[1::2], strict=True):
        left.plot(ends, ends, color=COLORS["grey"], linewidth=1)
        left.plot(time, fit, ".", color=COLORS["blue"], markersize=3)
        left.set(title=name, ylabel="time of the model (ns)")
        right.axvspan(-2, 2, color=COLORS["grey"], alpha=0.2, linewidth=0)
        right.plot((time - fit) / deviation, depth, ".", color=COLORS["blue"], markersize=3)
        right.set(ylabel="mean depth (m)")
    axes[-2].set_xlabel("picked time (ns)")
    axes[-1].set(xlabel="picked less modelled (deviations)", ylim=axes[-1].get_ylim()[::-1])
    return figure


def draw_ray(ax: Axes, model: np.ndarray, lengths: np.ndarray, title: str) -> Axes:
    """Draw the cells in which a ray has length, on a pale model, both (nz, nx), in the title's colour; return `ax`."""
    cells(ax, model, title, cmap="Greys", vmin=-0.2, vmax=2.5)
    rows, columns = np.nonzero(lengths)
    ax.plot((columns + 0.5) * CELL, (rows + 0.5) * CELL, "s", color=color_of(title), markersize=2)
    return ax


def draw_coverage(ax: Axes, coverage: np.ndarray, title: str) -> Axes:
    """Draw the length of all rays in each cell (m), shape (nz, nx), with its colour bar; return `ax`."""
    ax.figure.colorbar(cells(ax, coverage, title, cmap="viridis").images[-1], ax=ax, label="ray length (m)")
    return ax


def draw_curves(
    ax: Axes, ours: np.ndarray, reference: np.ndarray, title: str, label: str, name: str = "generator"
) -> Axes:
    """Draw curves over lags 1, 2, ...; return `ax`.

    `ours` (lags,) lies over `reference` (3, lags), a mean and a band's two edges.
    """
    lags = np.arange(1, ours.size + 1)
    mean, low, high = reference
    ax.fill_between(lags, low, high, color=COLORS["sky"], alpha=0.35, linewidth=0, label="training image, 5-95 %")
    ax.plot(lags, mean, color=COLORS["blue"], label="training image, mean")
    ax.plot(lags, ours, color=COLORS["vermilion"], linestyle="--", label=f"{name}, mean")
    ax.set(title=title, xlabel="lag (pixels)", ylabel=label)
    return ax


def draw_misfits(
    ax: Axes,
    curves: Sequence[tuple[np.ndarray, np.ndarray]],
    title: str,
    color: str = "blue",
    label: str = "",
    level: float = 1.0,
) -> Axes:
    """Draw WRMSE curves, each a pair (iteration, WRMSE), over the level at which the data are fitted; return `ax`."""
    # One empty line carries the label, so that the legend also tells of a case without trials.
    ax.plot([], [], color=COLORS[color], label=label or None)
    for iteration, misfit in curves:
        ax.plot(np.asarray(iteration) + 1, misfit, color=COLORS[color], alpha=0.7, linewidth=1)
    ax.axhline(level, color=COLORS["black"], linestyle=":", linewidth=1)
    ax.set(title=title, xlabel="iteration", ylabel="WRMSE")
    _logarithmic(ax)
    return ax


def draw_by_rays(ax: Axes, curves: Mapping[str, Sequence[tuple[np.ndarray, np.ndarray]]], title: str) -> Axes:
    """Draw the WRMSE curves of both kinds of rays, true ones first, or say that there are none; return `ax`."""
    if not any(curves.values()):
        return draw_nothing(ax, f"{title}:\nnone was run")
    for (rays, found), color in zip(curves.items(), ("blue", "brown"), strict=True):
        if found:
            draw_misfits(ax, found, title, color, f"{rays}, {len(found)} trials")
    ax.legend()
    return ax


def _logarithmic(ax: Axes) -> None:
    """Make the vertical axis logarithmic, with plain numbers: 2, not two times ten to the zero."""
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.yaxis.set_major_formatter("{x:g}")
    ax.yaxis.set_minor_formatter(NullFormatter())


def draw_spectrum(ax: Axes, values: np.ndarray) -> Axes:
    """Draw singular values (n, d) of n Jacobians, each relative to its largest; return `ax`."""
    index = np.arange(1, values.shape[1] + 1)
    ax.semilogy(index, (values / values[:, :1]).T, color=COLORS["blue"], alpha=0.5, linewidth=1, marker=".")
    ax.set(xlabel="singular value number", ylabel="singular value / largest", xticks=index[::2])
    return ax


def lowest(grid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of a grid's interior points below all their eight neighbours."""
    around = minimum_filter(grid, footprint=[[1, 1, 1], [1, 0, 1], [1, 1, 1]], mode="nearest")
    rows, columns = np.nonzero((grid < around)[1:-1, 1:-1])
    return rows + 1, columns + 1


def draw_landscape(
    ax: Axes,
    grid: np.ndarray,
    z: np.ndarray,
    truth: Sequence[float],
    title: str,
    limits: tuple[float | None, float | None] = (None, None),
) -> Axes:
    """Draw WRMSE over two latents and a dot on each of its local minima, which the title counts; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    grid : ndarray, shape (z2, z1)
        WRMSE.
    z : ndarray, shape (2, n)
        Both axes, z1 first.
    truth : pair of float
        The true values: a cross.
    title : str
        What the panel tells.
    limits : pair of float, optional
        WRMSE at the ends of the colour scale; else the grid's own.
    """
    low, high = limits
    look: dict[str, Any] = {"cmap": "viridis", "shading": "nearest", "vmin": low, "vmax": high}
    drawn = ax.pcolormesh(z[0], z[1], grid, rasterized=True, **look)
    ax.figure.colorbar(drawn, ax=ax, label="WRMSE")
    rows, columns = lowest(grid)
    # Above the cross, which would hide a minimum at the truth.
    ax.plot(z[0][columns], z[1][rows], ".", color=COLORS["vermilion"], markersize=4, zorder=4)
    ax.plot(*truth, "+", color="white", markersize=10, markeredgewidth=2)
    minima = "minimum (dot)" if len(rows) == 1 else "minima (dots)"
    ax.set(title=f"{title}:\n{len(rows)} local {minima}", xlabel="$z_1$", ylabel="$z_2$")
    ax.grid(False)
    return ax


def draw_landscapes(
    axes: Sequence[Axes], grids: Mapping[str, np.ndarray], z: np.ndarray, truth: Sequence[float]
) -> Sequence[Axes]:
    """Draw maps of the whole box and of near the truth, a row for each kind of rays, either place on one scale.

    Parameters
    ----------
    axes : sequence of Axes
        Two for each kind of rays.
    grids : mapping
        By rays, both maps.
    z : ndarray, shape (2, 2, n)
        Axes of either map.
    truth : pair of float
        The true values.
    """
    ends = [(np.min(both), np.max(both)) for both in zip(*grids.values(), strict=True)]
    for row, (rays, pair) in zip(np.reshape(np.asarray(axes), (-1, 2)), grids.items(), strict=True):
        places = ("whole box", "near the truth")
        for axis, grid, each, where, limits in zip(row, pair, z, places, ends, strict=True):
            draw_landscape(axis, grid, each, truth, f"{rays}, {where}", limits)
    return axes


#: A colour for each measure of a generator, the same in every figure.
_MEASURES = {
    "vertical": COLORS["blue"],
    "horizontal": COLORS["vermilion"],
    "connectivity": COLORS["green"],
    "patterns": COLORS["orange"],
    "proportion": COLORS["purple"],
    "greyness": COLORS["sky"],
}


def draw_scores(
    ax: Axes, quality: Sequence[Mapping[str, float]], names: Sequence[str], chosen: int | None = None
) -> Axes:
    """Draw quality figures of a generator's checkpoints over the iteration, the chosen one marked; return `ax`."""
    iterations = [entry["iteration"] for entry in quality]
    for name in names:
        ax.plot(iterations, [abs(entry[name]) for entry in quality], marker=".", color=_MEASURES.get(name), label=name)
    if chosen is not None:
        ax.axvline(chosen, color=COLORS["black"], linestyle=":", linewidth=1)
    ax.set(xlabel="training iteration", ylabel="misfit to the training image")
    _logarithmic(ax)
    ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))  # beside the panel: curves go everywhere in it
    return ax


def draw_training(
    axes: Sequence[Axes],
    losses: np.ndarray,
    quality: Sequence[Mapping[str, float]],
    names: Sequence[str],
    realisation: np.ndarray,
) -> Sequence[Axes]:
    """Draw in three panels how a training stands: losses, misfits of checkpoints, a realisation; return `axes`.

    Parameters
    ----------
    axes : sequence of Axes
        Three.
    losses : ndarray, shape (updates, 2)
        Of discriminator and generator.
    quality : sequence of mapping
        Of each checkpoint, with its ``iteration``.
    names : sequence of str
        Which of the misfits are drawn.
    realisation : ndarray, shape (rows, columns)
        In [0, 1], of the last checkpoint.
    """
    for column, (name, color) in enumerate((("discriminator", "blue"), ("generator", "vermilion"))):
        axes[0].plot(np.arange(1, len(losses) + 1), losses[:, column], color=COLORS[color], linewidth=1, label=name)
    axes[0].set(title="losses", xlabel="training iteration", ylabel="loss (nats)")
    axes[0].legend()
    draw_scores(axes[1], quality, names)
    axes[1].set_title("misfits")
    draw_image(axes[2], realisation, f"after {quality[-1]['iteration']} updates")
    return axes


def draw_latents(ax: Axes, truth: np.ndarray, found: np.ndarray, title: str) -> Axes:
    """Draw a latent that was found over the true one, with equality and the best common factor; return `ax`."""
    span = np.array([-1.05, 1.05])
    factor = float(found @ truth / (truth @ truth))
    ax.plot(span, span, color=COLORS["black"], linestyle=":", linewidth=1, label="equal")
    ax.plot(span, factor * span, color=COLORS["vermilion"], linewidth=1, label=f"{factor:.2f} times")
    ax.plot(truth, found, "o", color=COLORS["blue"], markersize=4)
    ax.set(title=title, xlabel="true component of $z$", ylabel="found", xlim=span, ylim=span)
    ax.set_aspect("equal")
    # In the corners that the lines leave free, where a legend would fill a small panel.
    ax.text(0.04, 0.97, f"{factor:.2f} times", color=COLORS["vermilion"], va="top", transform=ax.transAxes)
    ax.text(0.98, 0.03, "dotted: equal", ha="right", transform=ax.transAxes)
    return ax


def draw_found(
    axes: Sequence[Axes],
    truth: np.ndarray,
    trials: Sequence[Mapping[str, np.ndarray]],
    image_of: Callable[[np.ndarray], np.ndarray],
    name: str,
    depths: Sequence[float],
) -> Sequence[Axes]:
    """Draw in four panels the true model, those of the best and the worst trial, and the misfits of all; return `axes`.

    Parameters
    ----------
    axes : sequence of Axes
        Four.
    truth : ndarray, shape (nz, nx)
        The true model.
    trials : sequence of mapping
        Arrays of trials, the best first.
    image_of : callable
        Takes a latent, returns a model in [0, 1], which is cut at one half.
    name : str
        Of the true model.
    depths : sequence of float
        Of sources and receivers, m.
    """
    draw_model(axes[0], truth, f"true {name}", depths)
    for ax, trial, rank in zip(axes[1:3], trials[:: max(1, len(trials) - 1)], ("best", "worst"), strict=False):
        draw_model(ax, image_of(trial["best_latent"]) >= 0.5, f"{rank}, WRMSE {trial['best'][-1]:.3f}", depths)
    for ax in axes[1 + min(len(trials), 2) : 3]:
        draw_nothing(ax, "no such trial\nwas run")
    draw_misfits(axes[3], [(t["iteration"], t["trajectory"]) for t in trials], f"{len(trials)} trials")
    return axes


def draw_recoveries(
    axes: Sequence[Axes],
    truth: np.ndarray,
    trials: Sequence[Mapping[str, np.ndarray]],
    examples: Sequence[Any],
    image_of: Callable[[np.ndarray], np.ndarray],
    name: str,
    limit: float,
) -> Sequence[Axes]:
    """Draw inversions of an image in two rows of four: truth and examples, errors of all and latents; return `axes`.

    Parameters
    ----------
    axes : sequence of Axes
        Eight.
    truth : ndarray, shape (d,)
        The true latent.
    trials : sequence of mapping
        Arrays of all trials.
    examples : sequence
        Up to three, with the attributes of `latent_images.Shown`.
    image_of : callable
        Takes a latent, returns a model in [0, 1].
    name : str
        Of the true model.
    limit : float
        Root mean square error below which an image counts as recovered.
    """
    draw_model(axes[0], image_of(truth), f"true {name}")
    for column, each in enumerate(examples, start=1):
        draw_model(axes[column], image_of(each.latent), f"{'' if each.recovered else 'not '}recovered, {each.rmse:.1g}")
        draw_latents(axes[4 + column], truth, each.latent, f"squared error {each.error:.2g}")
    for column in range(len(examples) + 1, 4):
        for ax in (axes[column], axes[4 + column]):
            draw_nothing(ax, "no such inversion\nwas made" if trials else "none of the whole image\nwas run")
    draw_misfits(axes[4], [(t["iteration"], t["trajectory"]) for t in trials], f"{len(trials)} trials", level=limit)
    axes[4].set_ylabel("RMSE of the image")
    axes[4].yaxis.set_major_locator(LogLocator())  # over four decades labels of 2 and 5 would stand too close
    return axes


def draw_picture(ax: Axes, picture: np.ndarray | None, title: str) -> Axes:
    """Draw an image of facies, or say that there is none; without a title leave the panel empty; return `ax`."""
    if picture is not None:
        draw_image(ax, picture, title)
    elif title:
        draw_nothing(ax, f"{title}:\nnot trained")
    else:
        ax.set_axis_off()
    return ax


def draw_nothing(ax: Axes, text: str) -> Axes:
    """Leave a panel empty but for a sentence that says why; return `ax`."""
    return nothing(ax, text, wrap=True)
