"""Figures of waves and of velocity models, as functions of arrays and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from geolib.plots.absent import nothing
from geolib.plots.style import COLORS, FILM, PALETTE, SIGNED_MAP, VELOCITY_MAP, color_of, gif, headline, new_figure

Arrays = Mapping[str, np.ndarray]


def shot_gather(ax: Axes, gather: np.ndarray, dt: float, spacing: float, clip: float = 0.02) -> Axes:
    """Draw a shot gather as an image, early times on top, clipped at a share of its largest amplitude; return the axes.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    gather : (n_receivers, nt) array
        Traces.
    dt : float
        Sampling interval, s.
    spacing : float
        Distance of the receivers, m.
    clip : float
        Share of the largest amplitude at which the colours saturate.
    """
    n, nt = gather.shape
    limit = clip * np.abs(gather).max()
    extent = (0, n * spacing / 1000, nt * dt, 0)
    ax.imshow(gather.T, aspect="auto", cmap=SIGNED_MAP, vmin=-limit, vmax=limit, extent=extent)
    ax.set(xlabel="distance (km)", ylabel="time (s)")
    ax.grid(False)
    return ax


def velocity(
    ax: Axes, model: np.ndarray, spacing: float | tuple[float, ...] = 10.0, limits: tuple[float, float] = (1.5, 4.7)
) -> Axes:
    """Draw a velocity model (nz, nx) in m/s as an image in km/s; return `ax`.

    The spacing, m, may be one in depth and one along the line. For a colour bar the image is ``ax.images[-1]``.
    """
    (nz, nx), (dz, dx) = model.shape, spacing if isinstance(spacing, tuple) else (spacing, spacing)
    extent = (0, nx * dx / 1000, nz * dz / 1000, 0)
    ax.imshow(model / 1000, cmap=VELOCITY_MAP, vmin=limits[0], vmax=limits[1], extent=extent)
    ax.set(xlabel="distance (km)", ylabel="depth (km)")
    ax.grid(False)
    return ax


def panels(
    models: Mapping[str, np.ndarray],
    columns: int = 2,
    spacing: float | tuple[float, ...] = 10.0,
    title: str = "",
    limits: tuple[float, float] = (1.5, 4.7),
    places: Mapping[str, Sequence[np.ndarray]] | None = None,
) -> Figure:
    """Return the figure of several velocity models under one colour bar (km/s), each named by its key.

    `places` are sources and receivers, depth and distance (n, 2) in m, by the model that they are marked on.
    """
    rows = -(-len(models) // columns)
    figure, axes = new_figure(rows, columns, height=1.35 * rows + 0.5)
    for ax in axes[len(models) :]:
        ax.remove()
    for ax, (name, model) in zip(axes, models.items(), strict=False):
        velocity(ax, model, spacing, limits).set_title(name)
        marked = zip((places or {}).get(name, ()), ("*", "v"), ("vermilion", "black"), (6, 3), strict=False)
        for where, marker, color, size in marked:
            look: dict[str, Any] = {
                "markersize": size,
                "clip_on": False,
                "markeredgecolor": "white",
                "markeredgewidth": 0.3,
            }
            ax.plot(where[:, 1] / 1000, where[:, 0] / 1000, marker, color=COLORS[color], **look)
        ax.label_outer()
    headline(figure, title)
    figure.colorbar(axes[0].images[-1], ax=axes[: len(models)], label="velocity (km/s)", shrink=0.8)
    return figure


def taylor(ax: Axes, steps: np.ndarray, remainders: np.ndarray) -> Axes:
    """Draw the Taylor remainders without a derivative, with the field named dJ/du, with the gradient; return the axes.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    steps : (n,) array
        Lengths of the step, standard deviation over the cells, m/s.
    remainders : (3, n) array
        Absolute remainders.
    """
    texts = ("nothing subtracted: g = 0", "g from the field named ∂J/∂u", "g: the gradient")
    beside: dict[str, Any] = {"textcoords": "offset points", "va": "center"}
    drawn = zip(("grey", "vermilion", "blue"), "so^", texts, (7, -5, 0), remainders, strict=True)
    for color, marker, text, shift, values in drawn:
        ax.loglog(steps, values, marker=marker, markersize=4, color=COLORS[color])
        ax.annotate(text, (steps[0], values[0]), xytext=(8, shift), color=COLORS[color], **beside)
    # A little below what they are compared with.
    for color, power, anchor in (("blue", 2, remainders[2, -1] / 4), ("vermilion", 1, remainders[1, -1] / 4)):
        ax.loglog(steps, anchor * (steps / steps[-1]) ** power, ":", color=COLORS[color])
        ax.annotate(f"slope {power}", (steps[-1], anchor), xytext=(-6, 0), ha="right", color=COLORS[color], **beside)
    text = "size of the step: standard deviation over the cells (m/s)"
    ax.set(xlabel=text, ylabel="Taylor remainder (unit of J)")
    ax.set_xlim(steps.min() / 3, steps.max() * 20)
    return ax


def power_iteration(ax: Axes, estimates: np.ndarray, rates: Sequence[float]) -> Axes:
    """Draw estimates of the largest eigenvalue, and those at which given rates turn unstable; return the axes."""
    count = np.arange(1, len(estimates) + 1)
    ax.plot(count, estimates, marker="o", markersize=4, color=COLORS["blue"])
    for rate in rates:
        ax.axhline(2 / rate, color=PALETTE["gradient descent"], linestyle="--", linewidth=1)
        ax.annotate(f"rate {rate:g}", (count[-1], 2 / rate), ha="right", va="bottom")
    ax.set(xlabel="power iteration", ylabel="largest eigenvalue", ylim=(0, None))
    return ax


def accuracy(ax: Axes, rows: Sequence[Mapping[str, Any]], goal: float) -> Axes:
    """Draw how far traces are off against the seconds that they took, an order of an engine a line; return the axes.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    rows : sequence of mapping
        ``engine``, ``order``, ``spacing_m``, ``error`` (relative) and ``seconds``; of the rows of one spacing that
        which comes nearest is drawn. Each engine's quickest row within the goal has a point of its own, in a ring.
    goal : float
        Relative error that is asked for.
    """
    engines = list(dict.fromkeys(row["engine"] for row in rows))
    for engine, color in zip(engines, ("blue", "orange", "green"), strict=False):
        mine = [row for row in rows if row["engine"] == engine]
        for order in sorted({row["order"] for row in mine}):
            one = [row for row in mine if row["order"] == order]
            near = [
                min((row for row in one if row["spacing_m"] == h), key=lambda row: row["error"])
                for h in sorted({row["spacing_m"] for row in one}, reverse=True)
            ]
            x, y = ([row[name] for row in near] for name in ("seconds", "error"))
            label = engine if order == min(row["order"] for row in mine) else None
            ax.loglog(x, 100 * np.array(y), marker="o", markersize=3, lw=1, color=COLORS[color], label=label)
            ax.annotate(f"{order}", (x[-1], 100 * y[-1]), xytext=(4, -3), textcoords="offset points")
        within = [row for row in mine if row["error"] <= goal]
        if within:
            best = min(within, key=lambda row: row["seconds"])
            ax.plot(best["seconds"], 100 * best["error"], "o", markersize=3, color=COLORS[color])
            ax.plot(best["seconds"], 100 * best["error"], "o", markersize=11, mfc="none", color=COLORS[color])
    ax.axhline(100 * goal, color=COLORS["grey"], ls=":")
    for side in (ax.xaxis, ax.yaxis):
        side.set_major_formatter(StrMethodFormatter("{x:g}"))
        side.set_minor_formatter(NullFormatter())
    ax.set(xlabel="seconds", ylabel="traces off by (%)")
    ax.legend()
    return ax


def orders(machines: Mapping[str, Sequence[Mapping[str, Any]]]) -> Figure:
    """Return the figure of how many times as long another program takes, by order in space.

    Parameters
    ----------
    machines : mapping
        By machine, a row of panels each, a sequence of mappings with ``task``, ``order``, ``threads``, ``other``,
        ``ratio`` and ``target``; an other whose name has a comma is a variant of the program before it, and hollow.
    """
    every = [row for rows in machines.values() for row in rows]
    tasks = list(dict.fromkeys(row["task"] for row in every))
    figure, axes = new_figure(len(machines), len(tasks), height=0.4 + 2.5 * len(machines))
    panels = ((device, rows, task) for device, rows in machines.items() for task in tasks)
    for ax, (device, rows, task) in zip(axes, panels, strict=True):
        mine = [row for row in rows if row["task"] == task]
        for shift, threads in ((-0.15, 1), (0.15, 2)):
            color = COLORS["blue" if threads == 1 else "orange"]
            for row in (row for row in mine if row["threads"] == threads):
                face = "none" if "," in row["other"] else color
                ax.plot(row["order"] + shift, row["ratio"], "o", color=color, markerfacecolor=face)
            ax.plot([], [], "o", color=color, label=f"{threads} thread{'s' * (threads > 1)}")
        for row in mine[:1]:
            ax.axhline(row["target"], color=COLORS["grey"], linestyle="--", label="target")
        ax.set(title=f"{task}, {device}", xlabel="order in space", ylabel="times as long as ours", ylim=(0, None))
        ax.set_xticks(sorted({row["order"] for row in mine}))
    axes[0].legend(loc="lower left", ncols=3)
    met = sum(row["ratio"] >= row["target"] for row in every)
    headline(figure, f"{met} of {len(every)} measurements reach their target")
    return figure


def missing(text: str) -> Figure:
    """Return a figure that says what there is not."""
    figure, (ax,) = new_figure(height=0.8)
    nothing(ax, text)
    return figure


def gather_figure(
    velocity_model: np.ndarray, gather: np.ndarray, source: tuple[int, int], dt: float, title: str = ""
) -> Figure:
    """Return the figure of a model with 10 m cells, its source (row, column), and the shot gather beside it."""
    figure, axes = new_figure(1, 2, height=2.8)
    velocity(axes[0], velocity_model, limits=(velocity_model.min() / 1000, velocity_model.max() / 1000))
    # Row i lies i + 1 cells below the free surface.
    axes[0].plot(source[1] * 0.01, (source[0] + 1) * 0.01, "*", color=COLORS["vermilion"], markersize=10)
    axes[0].set_title("the weights: velocity")
    figure.colorbar(axes[0].images[-1], ax=axes[0], label="velocity (km/s)", shrink=0.7)
    shot_gather(axes[1], gather, dt, 10.0, clip=0.2)
    axes[1].set_title("the output: a shot gather")
    headline(figure, title)
    return figure


def taylor_figure(steps: np.ndarray, remainders: np.ndarray, title: str = "") -> Figure:
    """Return the figure of `taylor`."""
    figure, (ax,) = new_figure(height=3.2)
    taylor(ax, steps, remainders)
    headline(figure, title)
    return figure


def hessian_figure(estimates: np.ndarray, vector: np.ndarray, rates: Sequence[float], title: str = "") -> Figure:
    """Return the figure of `power_iteration` with the eigenvector against depth, 10 m cells, under its message."""
    figure, axes = new_figure(1, 2, height=2.8)
    power_iteration(axes[0], estimates, rates)
    axes[1].plot(vector, np.arange(vector.size) * 0.01, color=COLORS["blue"])
    axes[1].set(xlabel="eigenvector", ylabel="depth (km)", ylim=(vector.size * 0.01, 0))
    headline(figure, title)
    return figure


def line_figure(run: Arrays, title: str = "") -> Figure:
    """Return the figure of a 1-D problem: truth and start, and the trace with the primaries' arrival times."""
    dt, peak = 1e-3, 0.1  # of the trace and of its wavelet, in s
    figure, axes = new_figure(1, 2, height=2.9, width_ratios=(1, 2))
    truth, trace = run["truth"], run["trace"]
    depth = np.arange(truth.size) * 0.01
    axes[0].plot(truth / 1000, depth, color=PALETTE["truth"], label="truth")
    axes[0].plot(run["start"] / 1000, depth, color=PALETTE["start"], linestyle="--", label="start")
    axes[0].set(xlabel="velocity (km/s)", ylabel="depth (km)", ylim=(depth[-1], 0))
    axes[0].legend()
    time = np.arange(trace.size) * dt
    # The direct wave is a hundred times as strong as what comes after it.
    late = time > 3 * peak
    axes[1].plot(time[late], trace[late], color=PALETTE["real"], linewidth=1)
    delay = peak + np.cumsum(2 * 10.0 / truth)
    for number, jump in enumerate(np.flatnonzero(np.diff(truth)), 1):
        axes[1].axvline(delay[jump], color=COLORS["grey"], linestyle="--", linewidth=1)
        place: dict[str, Any] = {"xytext": (0, 2), "textcoords": "offset points", "ha": "center"}
        axes[1].annotate(f"{number}", (delay[jump], 1), xycoords=("data", "axes fraction"), **place)
    axes[1].set(xlabel="time (s)", ylabel="recorded u (arbitrary unit)", xlim=(3 * peak, time[-1]))
    headline(figure, title)
    return figure


def vertical_profiles(
    axes: Sequence[Axes], truth: np.ndarray, models: Mapping[str, np.ndarray], columns: Sequence[int]
) -> Sequence[Axes]:
    """Draw velocity against depth at columns of 2-D models with 10 m cells, a panel for each; return `axes`."""
    depth = np.arange(len(truth)) * 0.01
    for ax, column in zip(axes, columns, strict=True):
        ax.plot(truth[:, column] / 1000, depth, color=PALETTE["truth"], label="truth")
        for name, model in models.items():
            ax.plot(model[:, column] / 1000, depth, color=color_of(name), linewidth=1, label=name)
        ax.set(title=f"x = {10 * column} m", xlabel="velocity (km/s)", ylim=(depth[-1], 0))
    axes[0].set_ylabel("depth (km)")
    axes[-1].legend()
    return axes


def gathers(shots: np.ndarray, dt: float, spacing: float, title: str = "") -> Figure:
    """Return the figure of up to ten shot gathers, (n, n_receivers, nt), in two rows, under its message."""
    figure, axes = new_figure(2, 5, height=4.2)
    for number, (ax, shot) in enumerate(zip(axes, shots, strict=False), start=1):
        shot_gather(ax, shot, dt, spacing, clip=0.05)
        ax.set_title(f"shot {number}")
        ax.label_outer()
    headline(figure, title)
    return figure


def fitted(observed: np.ndarray, found: np.ndarray, dt: float, alive: np.ndarray | None = None) -> Figure:
    """Return the figure of an observed gather (n_receivers, nt), beside that of a model, and their difference.

    Traces are in a row by their number, for receivers may lie anywhere. Those that are not `alive` are left white where
    they were observed.
    """
    figure, axes = new_figure(1, 3, height=3.0)
    live = observed if alive is None else np.where(alive[:, None], observed, np.nan)
    limit = 0.1 * float(np.nanmax(np.abs(live), initial=1e-30))
    extent = (0.5, len(observed) + 0.5, observed.shape[1] * dt, 0)
    for ax, title, gather in zip(axes, ("observed", "found", "rest"), (live, found, live - found), strict=True):
        # The rest is drawn on the scale of the data.
        ax.imshow(gather.T, aspect="auto", cmap=SIGNED_MAP, vmin=-limit, vmax=limit, extent=extent)
        ax.set(title=title, xlabel="trace", ylabel="time (s)")
        ax.xaxis.get_major_locator().set_params(integer=True)
        ax.grid(False)
        ax.label_outer()
    return figure


def wavelet(amplitudes: np.ndarray, dt: float) -> Figure:
    """Return the figure of a source wavelet (nt,) with its spectrum, both over their largest value.

    Both axes end where a hundred-thousandth of the energy is left.
    """
    figure, axes = new_figure(1, 2, height=2.2, sharey=False)
    spectrum = np.abs(np.fft.rfft(amplitudes))
    frequency = np.fft.rfftfreq(len(amplitudes), dt)
    pairs = ((np.arange(len(amplitudes)) * dt, amplitudes, "time (s)"), (frequency, spectrum, "frequency (Hz)"))
    for ax, (x, y, label) in zip(axes, pairs, strict=True):
        energy = np.cumsum(np.square(y))
        last = int(np.searchsorted(energy, (1 - 1e-5) * energy[-1])) + 2
        ax.plot(x[:last], (y / max(np.abs(y).max(), 1e-300))[:last], color=COLORS["blue"])
        ax.set_xlabel(label)
    return figure


def scaling(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the figure of the engine's seconds as one size varies, and of a thread's workspace.

    Parameters
    ----------
    rows : sequence of mapping
        Each with ``varied`` (the name of the size), its value under that name, ``forward_s``, ``gradient_s`` and
        ``workspace_bytes``.
    """
    texts = {"nt": "time steps", "cells": "thousands of cells, layers included", "shots": "shots", "threads": "threads"}
    figure, axes = new_figure(2, 2, height=5.2)
    for ax, (name, text) in zip(axes, texts.items(), strict=True):
        chosen = [row for row in rows if row["varied"] == name]
        size = np.array([row[name] for row in chosen], float)
        for color, marker, task in (("blue", "o", "forward"), ("vermilion", "s", "gradient")):
            seconds = np.array([row[f"{task}_s"] for row in chosen])
            ax.loglog(size, seconds, marker=marker, color=COLORS[color], label=task)
            ideal = size[0] / size if name == "threads" else size / size[0]
            ax.loglog(size, seconds[0] * ideal, ":", color=COLORS[color], linewidth=1)
        ax.set(xlabel=text, ylabel="seconds")
        sides = [ax.yaxis]
        if name in ("nt", "cells"):
            beside = ax.twinx()
            beside.loglog(size, [row["workspace_bytes"] / 2**20 for row in chosen], "--", color=COLORS["green"])
            beside.set_ylabel("workspace (MiB)")
            beside.grid(False)
            sides.append(beside.yaxis)
        for side in sides:
            side.set_major_locator(LogLocator(subs=(1, 2, 5)))
            side.set_major_formatter(StrMethodFormatter("{x:g}"))
            side.set_minor_formatter(NullFormatter())
        ax.xaxis.set_minor_locator(NullLocator())
        # Long numbers would meet.
        named = [f"{n / 1000:.3g}" if name == "cells" else f"{n:,.0f}" for n in size]
        ax.set_xticks(size, named)
    axes[0].legend()
    return figure


#: Columns of Marmousi at which profiles are drawn.
COLUMNS = (20, 150, 250)


def columns(truth: np.ndarray, runs: Mapping[str, Arrays], title: str = "") -> Figure:
    """Return the figure of `vertical_profiles` through the last models of Marmousi runs, under its message."""
    figure, axes = new_figure(1, len(COLUMNS), height=3.2, sharey=True)
    vertical_profiles(axes, truth, {name: run["frames"][-1] for name, run in runs.items()}, COLUMNS)
    headline(figure, title)
    return figure


def film(models: np.ndarray, titles: Sequence[str]) -> bytes:
    """Return models (n, nz, nx) in m/s as an animated GIF of four frames per second, each under its title."""
    figure, (ax,) = new_figure(width=5.4, height=2.2, dpi=FILM)
    (image,) = velocity(ax, models[0]).images
    figure.colorbar(image, ax=ax, label="km/s")

    def draw(number: int) -> None:
        image.set_data(models[number] / 1000)
        ax.set_title(titles[number])

    return gif(figure, range(len(models)), draw, colors=40)
