"""Figures of waves and of velocity inversion, as functions of arrays and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from geolib.plots.style import COLORS, SIGNED_MAP, VELOCITY_MAP, gif, new_figure

Arrays = Mapping[str, np.ndarray]
ORDER = ("blue", "vermilion", "green", "purple", "orange", "sky", "black")


def profiles(axis: Axes, runs: Mapping[str, Arrays], spacing: float = 10.0) -> None:
    """Draw the final models of 1-D runs against depth, over the truth (black) and the start (dotted).

    Parameters
    ----------
    axis : Axes
        Where to draw.
    runs : mapping of str to mapping
        Each with ``model``, ``truth`` and ``start``, (nz,) in m/s, by legend text.
    spacing : float
        Distance of the cells, m.
    """
    first = next(iter(runs.values()))
    depth = np.arange(first["truth"].size) * spacing / 1000
    axis.plot(first["truth"] / 1000, depth, color=COLORS["black"], label="truth")
    axis.plot(first["start"] / 1000, depth, color=COLORS["black"], linestyle=":", label="start")
    for color, (name, run) in zip(ORDER, runs.items(), strict=False):
        axis.plot(run["model"] / 1000, depth, color=COLORS[color], linewidth=1, label=name)
    axis.set(xlabel="velocity (km/s)", ylabel="depth (km)", ylim=(depth[-1], 0))


def histories(axis: Axes, runs: Mapping[str, Arrays], name: str = "misfit", limit: int | None = None) -> None:
    """Draw misfit or model error of runs against the number of evaluations.

    Parameters
    ----------
    axis : Axes
        Where to draw.
    runs : mapping of str to mapping
        Each with ``misfit`` or ``error`` by evaluation, by legend text.
    name : str
        ``misfit`` (as a share of the first), ``error`` (m/s) or ``ssim``.
    limit : int, optional
        Last evaluation drawn.
    """
    texts = {"misfit": "misfit / first misfit", "error": "model error (m/s)", "ssim": "structural similarity"}
    for color, (key, run) in zip(ORDER, runs.items(), strict=False):
        values = run[name][: limit + 1 if limit else None]
        values = values / values[0] if name == "misfit" else values
        axis.plot(values, color=COLORS[color], linewidth=1, label=key)
    if name == "misfit":
        axis.set_yscale("log")
    axis.set(xlabel="evaluations", ylabel=texts[name])


def study(runs: Mapping[str, Arrays], limit: int | None = None) -> Figure:
    """Return the figure of a comparison: final models, misfits and model errors of 1-D runs."""
    figure, axes = new_figure(1, 3, width=9.0, height=4.0)
    profiles(axes[0], runs)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=5, fontsize=9)
    histories(axes[1], runs, limit=limit)
    histories(axes[2], runs, "error", limit=limit)
    # A descent that diverges would flatten the others.
    start = next(iter(runs.values()))["error"][0]
    axes[2].set_ylim(0.5 * start, 1.6 * start)
    for axis, text in zip(axes, "abc", strict=True):
        axis.set_title(f"({text})", loc="left")
    return figure


def shot_gather(axis: Axes, gather: np.ndarray, dt: float, spacing: float, clip: float = 0.02) -> None:
    """Draw a shot gather as an image, early times on top, clipped at a share of its largest amplitude.

    Parameters
    ----------
    axis : Axes
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
    axis.imshow(gather.T, aspect="auto", cmap=SIGNED_MAP, vmin=-limit, vmax=limit, extent=extent)
    axis.set(xlabel="distance (km)", ylabel="time (s)")
    axis.grid(False)


def velocity(axis: Axes, model: np.ndarray, spacing: float = 10.0, limits: tuple[float, float] = (1.5, 4.7)) -> Any:
    """Draw a velocity model (nz, nx) in m/s as an image in km/s and return the image, for a colour bar."""
    nz, nx = model.shape
    extent = (0, nx * spacing / 1000, nz * spacing / 1000, 0)
    image = axis.imshow(model / 1000, cmap=VELOCITY_MAP, vmin=limits[0], vmax=limits[1], extent=extent)
    axis.set(xlabel="distance (km)", ylabel="depth (km)")
    axis.grid(False)
    return image


def panels(models: Mapping[str, np.ndarray], columns: int = 2, spacing: float = 10.0) -> Figure:
    """Return the figure of several velocity models under one colour bar, titled by their keys."""
    rows = -(-len(models) // columns)
    figure, axes = new_figure(rows, columns, width=8.0, height=1.4 * rows + 0.5)
    for axis in axes[len(models) :]:
        axis.remove()
    for axis, (title, model) in zip(axes, models.items(), strict=False):
        image = velocity(axis, model, spacing)
        axis.set_title(title)
        axis.label_outer()
    figure.colorbar(image, ax=axes[: len(models)], label="velocity (km/s)", shrink=0.8)
    return figure


def frame(run: Arrays, evaluation: int) -> np.ndarray:
    """Return the model of a Marmousi run at the kept evaluation nearest to the one asked for, (nz, nx) in m/s."""
    return run["frames"][int(np.abs(run["frame_at"] - evaluation).argmin())]


def taylor(axis: Axes, steps: np.ndarray, remainders: np.ndarray) -> None:
    """Draw the Taylor remainders without a derivative, with the printed one and with the corrected one.

    Parameters
    ----------
    axis : Axes
        Where to draw.
    steps : (n,) array
        Lengths of the step, in units of the direction.
    remainders : (3, n) array
        Absolute remainders.
    """
    texts = ("no derivative", "A-9 as printed", "A-9 corrected")
    for color, marker, text, values in zip(("black", "vermilion", "blue"), "so^", texts, remainders, strict=True):
        axis.loglog(steps, values, marker=marker, markersize=4, color=COLORS[color], label=text)
    axis.loglog(steps, remainders[2, 0] * steps**2, linestyle=":", color=COLORS["blue"], label="slope 2")
    axis.loglog(steps, remainders[1, 0] * steps, linestyle=":", color=COLORS["vermilion"], label="slope 1")
    axis.set(xlabel="step along the direction", ylabel="Taylor remainder of the misfit")
    axis.legend(fontsize=8)


def power_iteration(axis: Axes, estimates: np.ndarray, rates: Sequence[float]) -> None:
    """Draw the estimates of the largest eigenvalue, and the eigenvalues at which given rates turn unstable."""
    count = np.arange(1, len(estimates) + 1)
    axis.plot(count, estimates, marker="o", markersize=4, color=COLORS["blue"], label="estimate")
    for color, rate in zip(("green", "vermilion", "purple"), rates, strict=False):
        axis.axhline(2 / rate, color=COLORS[color], linestyle="--", linewidth=1, label=f"2 / {rate:g}")
    axis.set(xlabel="power iteration", ylabel="largest eigenvalue", ylim=(0, None))
    axis.legend(fontsize=8)


def rate_map(axis: Axes, runs: Mapping[str, Sequence[tuple[float, float]]], limit: float) -> None:
    """Draw evaluations to convergence against learning rate for each method; crosses on top never converged.

    Parameters
    ----------
    axis : Axes
        Where to draw.
    runs : mapping of str to sequence of (rate, evaluations)
        Infinity for a run that did not converge.
    limit : float
        Evaluations there were.
    """
    for color, (name, points) in zip(ORDER, runs.items(), strict=False):
        rates, counts = np.array(sorted(points)).T
        lost = ~np.isfinite(counts)
        axis.loglog(rates, np.where(lost, np.nan, counts), marker="o", markersize=4, color=COLORS[color], label=name)
        axis.loglog(rates[lost], np.full(lost.sum(), 1.3 * limit), "x", color=COLORS[color])
    axis.axhline(limit, color=COLORS["black"], linewidth=0.8, linestyle=":")
    axis.set(xlabel="learning rate", ylabel="evaluations to 1 % of the misfit")
    axis.legend(fontsize=8)


def rate_figure(runs: Mapping[str, Sequence[tuple[float, float]]], limit: float) -> Figure:
    """Return the figure of `rate_map`."""
    figure, (axis,) = new_figure(width=6.0, height=3.6)
    rate_map(axis, runs, limit)
    return figure


def missing(text: str) -> Figure:
    """Return a figure that says what there is not."""
    figure, (axis,) = new_figure(width=6.0, height=0.8)
    axis.text(0.5, 0.5, text, ha="center", va="center", transform=axis.transAxes)
    axis.set_axis_off()
    return figure


def gather_figure(velocity_model: np.ndarray, gather: np.ndarray, source: tuple[int, int], dt: float) -> Figure:
    """Return the figure of a model with 10 m cells, its source (row, column), and the shot gather beside it."""
    figure, axes = new_figure(1, 2, width=8.0, height=3.2)
    image = velocity(axes[0], velocity_model, limits=(velocity_model.min() / 1000, velocity_model.max() / 1000))
    axes[0].plot(source[1] * 0.01, source[0] * 0.01, "*", color=COLORS["vermilion"], markersize=10)
    figure.colorbar(image, ax=axes[0], label="velocity (km/s)", shrink=0.7)
    shot_gather(axes[1], gather, dt, 10.0, clip=0.2)
    return figure


def taylor_figure(steps: np.ndarray, remainders: np.ndarray) -> Figure:
    """Return the figure of `taylor`."""
    figure, (axis,) = new_figure(width=5.4, height=3.6)
    taylor(axis, steps, remainders)
    return figure


def hessian_figure(estimates: np.ndarray, vector: np.ndarray, rates: Sequence[float]) -> Figure:
    """Return the figure of `power_iteration` with the eigenvector against depth, 10 m cells."""
    figure, axes = new_figure(1, 2, width=8.0, height=3.0)
    power_iteration(axes[0], estimates, rates)
    axes[1].plot(vector, np.arange(vector.size) * 0.01, color=COLORS["blue"])
    axes[1].set(xlabel="eigenvector", ylabel="depth (km)", ylim=(vector.size * 0.01, 0))
    return figure


def line_figure(run: Arrays, dt: float = 1e-3, peak: float = 0.1) -> Figure:
    """Return the figure of a 1-D problem: truth and start, and the trace with the primaries' arrival times."""
    figure, axes = new_figure(1, 2, width=8.0, height=3.2, width_ratios=(1, 2))
    truth = run["truth"]
    depth = np.arange(truth.size) * 0.01
    axes[0].plot(truth / 1000, depth, color=COLORS["black"], label="truth")
    axes[0].plot(run["start"] / 1000, depth, color=COLORS["vermilion"], label="start")
    axes[0].set(xlabel="velocity (km/s)", ylabel="depth (km)", ylim=(depth[-1], 0))
    axes[0].legend(fontsize=8)
    trace = run["trace"]
    time = np.arange(trace.size) * dt
    # The direct wave is a hundred times as strong as what comes after it.
    late = time > 3 * peak
    axes[1].plot(time[late], trace[late], color=COLORS["blue"])
    delay = peak + np.cumsum(2 * 10.0 / truth)
    for jump in np.flatnonzero(np.diff(truth)):
        axes[1].axvline(delay[jump], color=COLORS["vermilion"], linestyle="--", linewidth=1)
    axes[1].set(xlabel="time (s)", ylabel="recorded u")
    return figure


def bars(axis: Axes, table: Mapping[str, Mapping[str, float]], label: str) -> None:
    """Draw grouped bars: a group for each key of `table`, a bar for each key within; a missing value leaves a gap."""
    groups, names = list(table), list(dict.fromkeys(name for group in table.values() for name in group))
    width = 0.8 / len(names)
    for index, (color, name) in enumerate(zip(ORDER, names, strict=False)):
        values = [table[group].get(name, np.nan) for group in groups]
        axis.bar(np.arange(len(groups)) + (index + 0.5) * width - 0.4, values, width, color=COLORS[color], label=name)
    axis.set_xticks(range(len(groups)), groups)
    axis.set_ylabel(label)
    axis.legend(fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)


def vertical_profiles(
    axes: Sequence[Axes], truth: np.ndarray, models: Mapping[str, np.ndarray], columns: Sequence[int]
) -> None:
    """Draw velocity against depth at some columns of 2-D models with 10 m cells, one axis for each column."""
    depth = np.arange(len(truth)) * 0.01
    for axis, column in zip(axes, columns, strict=True):
        axis.plot(truth[:, column] / 1000, depth, color=COLORS["black"], label="truth")
        for color, (name, model) in zip(ORDER, models.items(), strict=False):
            axis.plot(model[:, column] / 1000, depth, color=COLORS[color], linewidth=1, label=name)
        axis.set(title=f"x = {10 * column} m", xlabel="velocity (km/s)", ylim=(depth[-1], 0))
    axes[0].set_ylabel("depth (km)")
    axes[-1].legend(fontsize=7)


def bars_figure(tables: Mapping[str, Mapping[str, Mapping[str, float]]], lines: Sequence[float | None]) -> Figure:
    """Return the figure of several tables as `bars` side by side, titled by their labels, with a line for reference."""
    figure, axes = new_figure(1, len(tables), width=9.0, height=3.4)
    for axis, (label, table), line in zip(axes, tables.items(), lines, strict=True):
        bars(axis, table, label)
        axis.tick_params(axis="x", labelrotation=30, labelsize=8)
        if line is not None:
            axis.axhline(line, color=COLORS["black"], linewidth=1)
    return figure


def gathers(shots: np.ndarray, dt: float, spacing: float) -> Figure:
    """Return the figure of up to ten shot gathers, (n, n_receivers, nt), in two rows."""
    figure, axes = new_figure(2, 5, width=9.0, height=5.0)
    for number, (axis, shot) in enumerate(zip(axes, shots, strict=False), start=1):
        shot_gather(axis, shot, dt, spacing, clip=0.05)
        axis.set_title(f"shot {number}")
        axis.label_outer()
    return figure


def stages(truth: np.ndarray, run: Arrays, evaluations: Sequence[int]) -> Figure:
    """Return the figure of the truth and a Marmousi run's models at some evaluations."""
    last = int(run["frame_at"][-1])
    # A run that is still under way shows how far it has come.
    reached = [n for n in evaluations if n < last] + [min(last, max(evaluations))]
    return panels({"truth": truth, **{quality(run, n): frame(run, n) for n in reached}})


def quality(run: Arrays, evaluation: int) -> str:
    """Return a title: the evaluation with the model's error and similarity there."""
    n = min(evaluation, len(run["error"]) - 1)  # a line search may end before its budget does
    return f"evaluation {evaluation}: {run['error'][n]:.0f} m/s, SSIM {run['ssim'][n]:.2f}"


def losses(runs: Mapping[str, Arrays], cost: Mapping[str, float]) -> Figure:
    """Return the figure of misfit, model error and similarity by evaluation, and of the misfit by seconds.

    `cost` holds the seconds of one evaluation by legend text; without it the seconds of each evaluation as it was made.
    """
    figure, axes = new_figure(2, 2, width=8.0, height=5.4)
    for axis, name in zip(axes, ("misfit", "error", "ssim"), strict=False):
        histories(axis, runs, name)
    for color, (name, run) in zip(ORDER, runs.items(), strict=False):
        seconds = cost[name] * np.arange(run["misfit"].size) if cost else np.cumsum(run["seconds"])
        axes[3].semilogy(seconds, run["misfit"] / run["misfit"][0], color=COLORS[color], label=name)
    axes[3].set(xlabel="seconds of one core", ylabel="misfit / first misfit")
    axes[0].legend(fontsize=8)
    return figure


def scaling(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Return the figure of the engine's seconds as one size varies, and of a thread's workspace.

    Parameters
    ----------
    rows : sequence of mapping
        Each with ``varied`` (the name of the size), its value under that name, ``forward_s``, ``gradient_s`` and
        ``workspace_bytes``.
    """
    texts = {"nt": "time steps", "cells": "cells, layers included", "shots": "shots", "threads": "threads"}
    figure, axes = new_figure(2, 2, width=8.0, height=5.2)
    for axis, (name, text) in zip(axes, texts.items(), strict=True):
        chosen = [row for row in rows if row["varied"] == name]
        size = np.array([row[name] for row in chosen], float)
        for color, marker, task in (("blue", "o", "forward"), ("vermilion", "s", "gradient")):
            seconds = np.array([row[f"{task}_s"] for row in chosen])
            axis.loglog(size, seconds, marker=marker, color=COLORS[color], label=task)
            ideal = size[0] / size if name == "threads" else size / size[0]
            axis.loglog(size, seconds[0] * ideal, ":", color=COLORS[color], linewidth=1)
        axis.set(xlabel=text, ylabel="seconds")
        sides = [axis.yaxis]
        if name in ("nt", "cells"):
            beside = axis.twinx()
            beside.loglog(size, [row["workspace_bytes"] / 2**20 for row in chosen], "--", color=COLORS["green"])
            beside.set_ylabel("workspace (MiB)")
            beside.grid(False)
            sides.append(beside.yaxis)
        for side in sides:
            side.set_major_locator(LogLocator(subs=(1, 2, 5)))
            side.set_major_formatter(StrMethodFormatter("{x:g}"))
            side.set_minor_formatter(NullFormatter())
        axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xticks(size, [f"{n:,.0f}" for n in size], fontsize=8)
    axes[0].legend(fontsize=8)
    return figure


def columns(truth: np.ndarray, runs: Mapping[str, Arrays], chosen: Sequence[int] = (20, 150, 250)) -> Figure:
    """Return the figure of `vertical_profiles` through the last models of Marmousi runs."""
    figure, axes = new_figure(1, len(chosen), width=8.0, height=3.8, sharey=True)
    vertical_profiles(axes, truth, {name: run["frames"][-1] for name, run in runs.items()}, chosen)
    return figure


def film(run: Arrays, title: str) -> bytes:
    """Return the kept models of a Marmousi run as an animated GIF of four frames per second."""
    figure, (axis,) = new_figure(width=5.4, height=2.2, dpi=80)
    image = velocity(axis, run["frames"][0])
    figure.colorbar(image, ax=axis, label="km/s")

    def draw(number: int) -> None:
        image.set_data(run["frames"][number] / 1000)
        axis.set_title(f"{title}, {quality(run, int(run['frame_at'][number]))}")

    return gif(figure, range(len(run["frames"])), draw)
