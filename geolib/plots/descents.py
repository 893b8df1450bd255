"""Figures of descents: histories, final models, speeds by learning rate, and methods side by side."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullLocator, StrMethodFormatter

from geolib.plots.style import COLORS, PALETTE, color_of, colors_of, headline, new_figure

Arrays = Mapping[str, np.ndarray]
Points = Sequence[tuple[float, float]]
TEXTS = {
    "misfit": "misfit / first misfit",
    "error": "model error (m/s)",
    "ssim": "structural similarity",
}
#: Marks of methods with a learning rate: colour alone does not tell them apart for everybody.
MARKS = {
    "gradient descent": "o",
    "momentum": "s",
    "momentum (app. B)": "D",
    "Adagrad": "^",
    "RMSprop": "v",
    "Adam": "P",
}
#: Of the start's model error: runs further off are shown at the edge of `ends`.
FURTHEST = 1.4
#: Strokes of curves that share a colour, from the smallest rate to the largest.
DASHES = (":", "-.", "--", "-")

#: Least distance of two names beside an axes, as a share of its height.
GAP = 0.075


def label_ends(ax: Axes, ends: Sequence[tuple[str, float, Any]]) -> Axes:
    """Write the names of curves to the right of an axes, level with their ends, and return the axes.

    Parameters
    ----------
    ax : Axes
        Its limits are taken as they are.
    ends : sequence of (name, y, colour)
        Where each curve ends.
    """
    to_share = ax.transData + ax.transAxes.inverted()
    x = ax.get_xlim()[0]
    # What ends beyond the axes is named at its edge.
    heights = [float(np.clip(to_share.transform((x, y))[1], 0, 1)) for _, y, _ in ends]
    order = np.argsort(heights)
    placed = np.array(heights)[order]
    for number in range(1, len(placed)):
        placed[number] = max(placed[number], placed[number - 1] + GAP)
    for number in range(len(placed) - 1, -1, -1):  # and back from the top
        above = placed[number + 1] - GAP if number + 1 < len(placed) else 1.0
        placed[number] = min(placed[number], above)
    for which, height in zip(order, placed, strict=True):
        name, _, color = ends[which]
        place: dict[str, Any] = {"xy": (1.02, height), "xycoords": "axes fraction", "va": "center"}
        ax.annotate(name, **place, color=color, annotation_clip=False)
    return ax


def histories(ax: Axes, runs: Mapping[str, Arrays], name: str = "misfit", limit: int | None = None) -> Axes:
    """Draw misfit, model error or similarity of runs by evaluation and return the axes.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    runs : mapping of str to mapping
        Each with ``misfit``, ``error`` or ``ssim`` by evaluation, by name; a name begins with its method.
    name : str
        ``misfit`` (as a share of the first, on a logarithmic axis), ``error`` (m/s) or ``ssim``.
    limit : int, optional
        Last evaluation drawn.
    """
    for color, (key, run) in zip(colors_of(list(runs)), runs.items(), strict=True):
        values = run[name][: limit + 1 if limit else None]
        values = values / values[0] if name == "misfit" else values
        ax.plot(values, color=color, linewidth=1.2, label=key)
    if name == "misfit":
        ax.set_yscale("log")
    ax.set(xlabel="evaluations", ylabel=TEXTS[name])
    return ax


def profiles(ax: Axes, runs: Mapping[str, Arrays], spacing: float = 10.0) -> Axes:
    """Draw final models of 1-D runs against depth, with truth and start, and return the axes.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    runs : mapping of str to mapping
        Each with ``model``, ``truth`` and ``start``, (nz,) in m/s, by name.
    spacing : float
        Distance of the cells, m.
    """
    first = next(iter(runs.values()))
    depth = np.arange(first["truth"].size) * spacing / 1000
    ax.plot(first["truth"] / 1000, depth, color=PALETTE["truth"], label="truth")
    ax.plot(first["start"] / 1000, depth, color=PALETTE["start"], linestyle=":", label="start")
    for color, (name, run) in zip(colors_of(list(runs)), runs.items(), strict=True):
        ax.plot(run["model"] / 1000, depth, color=color, linewidth=1, label=name)
    ax.set(xlabel="velocity (km/s)", ylabel="depth (km)", ylim=(depth[-1], 0))
    return ax


def _frame_errors(ax: Axes, start: float) -> None:
    # A descent that diverges would flatten the others.
    low, high = ax.get_ylim()
    ax.set_ylim(max(low, 0.5 * start), min(high, 1.6 * start))


def race(runs: Mapping[str, Arrays], limit: int | None = None, title: str = "") -> Figure:
    """Return the figure of 1-D runs by evaluation: what the optimiser sees, and what it does not.

    Parameters
    ----------
    runs : mapping of str to mapping
        Each with ``misfit`` and ``error``, by name.
    limit : int, optional
        Last evaluation drawn.
    title : str
        The figure's message.
    """
    figure, axes = new_figure(1, 2, height=2.9)
    for ax, name in zip(axes, ("misfit", "error"), strict=True):
        histories(ax, runs, name, limit)
    _frame_errors(axes[1], next(iter(runs.values()))["error"][0])
    # Shades of one method would be hard to tell apart, and pale ones hard to read as letters.
    alike = len({color_of(name) for name in runs}) < len(runs)
    for ax in axes if alike else ():
        for name, line, dashes in zip(runs, ax.lines, itertools.cycle(DASHES), strict=False):
            line.set(linestyle=dashes, color=color_of(name))
    figure.draw_without_rendering()
    for ax in axes:
        label_ends(
            ax,
            [
                (short(name), float(line.get_ydata()[-1]), PALETTE["truth"] if alike else line.get_color())
                for name, line in zip(runs, ax.lines, strict=True)
            ],
        )
    axes[0].set_title("what the optimiser sees")
    axes[1].set_title("what it does not see")
    headline(figure, title)
    return figure


def falls(runs: Mapping[str, Arrays]) -> Figure:
    """Return the figure of misfits by evaluation and, where runs have it, of the model's error."""
    shown = ["misfit", *(["error"] if all("error" in run for run in runs.values()) else [])]
    figure, axes = new_figure(1, len(shown), height=2.8)
    for ax, name in zip(axes, shown, strict=True):
        histories(ax, runs, name)
    axes[0].legend()
    return figure


def short(name: str) -> str:
    """Return a run's name as short as a figure wants it."""
    return name.replace("gradient descent", "GD")


def study(runs: Mapping[str, Arrays], limit: int | None = None, title: str = "") -> Figure:
    """Return the figure of a comparison: final models, misfits and model errors of 1-D runs, under its message."""
    figure, axes = new_figure(1, 3, height=3.4)
    profiles(axes[0], runs)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    histories(axes[1], runs, limit=limit)
    histories(axes[2], runs, "error", limit=limit)
    _frame_errors(axes[2], next(iter(runs.values()))["error"][0])
    for ax, text in zip(axes, ("last model", "misfit", "model error"), strict=True):
        ax.set_title(text)
    headline(figure, title)
    return figure


def rate_map(
    ax: Axes,
    runs: Mapping[str, Points],
    limit: float,
    stable: Mapping[str, float] | None = None,
    ranges: Mapping[str, tuple[float, float]] | None = None,
    fleeting: Mapping[str, Sequence[float]] | None = None,
) -> Axes:
    """Draw evaluations to convergence by learning rate and return the axes; hollow marks on top never converged.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    runs : mapping of str to sequence of (rate, evaluations)
        By method; infinity for a run that did not converge.
    limit : float
        Evaluations there were.
    stable : mapping of str to float, optional
        By method, the rate beyond which theory expects no convergence: a dashed line.
    ranges : mapping of str to (low, high), optional
        By method, recommended rates: a bar at the foot.
    fleeting : mapping of str to sequence of float, optional
        By method, rates whose run rose again after it had converged: in a ring.
    """
    for number, (name, points) in enumerate(runs.items()):
        color, mark = color_of(name), MARKS.get(name, "o")
        # What is drawn first is the widest, and is seen on both sides of what covers it.
        wide = len(runs) - 1 - number
        rates, counts = np.array(sorted(points)).T
        lost = ~np.isfinite(counts)
        kept = np.where(lost, np.nan, counts)
        rose = np.isin(rates, (fleeting or {}).get(name, ()))
        look: dict[str, Any] = {"marker": mark, "markersize": 4.5 + 1.5 * wide, "color": color}
        ax.loglog(rates, kept, linewidth=1.2 + 1.2 * wide, label=short(name), **look)
        # Above what other methods draw at the same place, and wider.
        hollow: dict[str, Any] = {"markerfacecolor": "none", "markeredgewidth": 1.5, "linestyle": "none"}
        ax.loglog(rates[rose], kept[rose], color=color, marker="o", markersize=15, zorder=5, **hollow)
        ax.loglog(rates[lost], np.full(lost.sum(), 1.4 * limit), color=color, marker=mark, markersize=6, **hollow)
        if stable and name in stable:
            ax.axvline(stable[name], color=color, linestyle="--", linewidth=1)
        if ranges and name in ranges:
            height = 0.03 + 0.03 * number
            ends = ax.get_xaxis_transform()
            ax.plot(ranges[name], (height, height), color=color, linewidth=4, transform=ends)
    ax.axhline(limit, color=COLORS["grey"], linewidth=0.8, linestyle=":")
    ax.set(xlabel="learning rate", ylim=(8, 2 * limit))
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=12))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3)
    return ax


def rate_figure(
    groups: Mapping[str, Mapping[str, Points]],
    limit: float,
    stable: Mapping[str, float],
    ranges: Mapping[str, tuple[float, float]],
    title: str = "",
    fleeting: Mapping[str, Sequence[float]] | None = None,
) -> Figure:
    """Return the figure of `rate_map` for groups of methods whose rates have one unit, named by their keys."""
    figure, axes = new_figure(1, len(groups), height=3.5, sharey=True)
    for ax, (name, runs) in zip(axes, groups.items(), strict=True):
        rate_map(ax, runs, limit, stable, ranges, fleeting).set_title(name)
        if name.endswith("in m/s"):
            ax.set_xlabel("learning rate (m/s)")
    axes[0].set_ylabel("evaluations to 1 % of the misfit")
    headline(figure, title)
    return figure


def ends(runs: Mapping[str, Arrays], methods: Sequence[str], title: str = "", named: Sequence[str] = ()) -> Figure:
    """Return the figure of runs by their final misfit and final model error, one point each.

    Parameters
    ----------
    runs : mapping of str to mapping
        Each with ``misfit`` and ``error``, by name; a name begins with its method.
    methods : sequence of str
        Names of methods, in the legend's order.
    title : str
        The figure's message.
    named : sequence of str
        Runs that the text compares: their names stand beside them.
    """
    import seaborn as sns

    def method(name: str) -> str:
        return max((each for each in methods if name.startswith(each)), key=len)

    kinds = [method(name) for name in runs]
    shown = [each for each in methods if each in kinds]
    x = [100 * run["misfit"][-1] / run["misfit"][0] for run in runs.values()]
    y = [run["error"][-1] for run in runs.values()]
    start = float(next(iter(runs.values()))["error"][0])
    edge = FURTHEST * start
    figure, (ax,) = new_figure(height=3.9)
    colors = {each: color_of(each) for each in shown}
    options: dict[str, Any] = {"hue_order": shown, "style_order": shown, "palette": colors, "s": 55, "clip_on": False}
    # Those that the text compares lie on top of the others.
    order = sorted(range(len(y)), key=lambda n: list(runs)[n] in named)
    kept = {"x": [x[n] for n in order], "y": [min(y[n], edge) for n in order]}
    kinds = [kinds[n] for n in order]
    sns.scatterplot(**kept, hue=kinds, style=kinds, ax=ax, zorder=3, **options)
    _name_ends(ax, {name: (a, min(b, edge)) for name, a, b in zip(runs, x, y, strict=True) if name in named})
    for name, a, b in zip(runs, x, y, strict=True):
        if not b <= edge:
            where: dict[str, Any] = {"xytext": (-7, 0), "textcoords": "offset points", "ha": "right", "va": "center"}
            ax.annotate(f"{short(name)}: {b:.0f} ↑", (a, edge), **where)
    ax.set(yscale="log", ylim=(0.94 * min(y), edge if max(y) > edge else 1.06 * max(*y, start)))
    ax.yaxis.set_major_locator(LogLocator(subs=(1, 1.2, 1.4, 1.6, 1.8, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)))
    ax.yaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.axhline(start, color=PALETTE["start"], linestyle=":")
    ax.annotate("the start", (1, start), xycoords=("axes fraction", "data"), ha="right", va="bottom")
    ax.set(xscale="log", xlabel="last misfit (% of the first)", ylabel=TEXTS["error"])
    ax.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    # What the legend was made from has no data, lies at the figure's corner and widens the drawing by a blank strip.
    for line in [line for line in ax.lines if not len(line.get_xdata())]:
        line.remove()
    headline(figure, title)
    return figure


def _name_ends(ax: Axes, named: Mapping[str, tuple[float, float]]) -> None:
    """Name marks in a ring, with a line from each: the better model's name below, the worse one's above it."""
    middle = np.mean([y for _, y in named.values()] or [0.0])
    for name, (x, y) in named.items():
        ax.plot(x, y, "o", color=COLORS["black"], markersize=11, markerfacecolor="none", zorder=4)
        up = y > middle
        leader: dict[str, Any] = {"arrowprops": {"arrowstyle": "-", "linewidth": 0.8, "shrinkB": 5.5}}
        place: dict[str, Any] = {
            "xytext": (0, 24) if up else (-40, -26),
            "textcoords": "offset points",
            "ha": "center" if up else "right",
            "va": "center",
        }
        ax.annotate(short(name), (x, y), **place, **leader)


def long_race(runs: Mapping[str, Arrays], mark: int, title: str = "") -> Figure:
    """Return the figure of misfit and model error of long runs, on a logarithmic axis of evaluations.

    Parameters
    ----------
    runs : mapping of str to mapping
        Each with ``misfit`` and ``error``, by name.
    mark : int
        An evaluation at which all are compared: a line.
    title : str
        The figure's message.
    """
    figure, axes = new_figure(1, 2, height=2.9)
    for ax, name in zip(axes, ("misfit", "error"), strict=True):
        histories(ax, runs, name)
        ax.set(xscale="log", xlim=(1, None))
        ax.axvline(mark, color=COLORS["grey"], linewidth=0.8, linestyle=":")
        for line, key in zip(ax.lines, runs, strict=False):
            x, y = line.get_data()
            place: dict[str, Any] = {"xytext": (3, 0), "textcoords": "offset points", "va": "center"}
            ax.annotate(key, (x[-1], y[-1]), **place, color=line.get_color(), annotation_clip=False)
    headline(figure, title)
    return figure


def losses(runs: Mapping[str, Arrays], cost: Mapping[str, float], title: str = "") -> Figure:
    """Return the figure of similarity by evaluation and of the misfit by seconds, under its message.

    `cost` holds the seconds of one evaluation by name; without it the seconds of each evaluation as it was made.
    """
    figure, axes = new_figure(1, 2, height=2.9)
    histories(axes[0], runs, "ssim")
    for color, (name, run) in zip(colors_of(list(runs)), runs.items(), strict=True):
        seconds = cost[name] * np.arange(run["misfit"].size) if cost else np.cumsum(run["seconds"])
        axes[1].semilogy(seconds, run["misfit"] / run["misfit"][0], color=color, label=name)
    axes[1].set(xlabel="seconds of one core", ylabel=TEXTS["misfit"])
    axes[0].legend()
    headline(figure, title)
    return figure


def dots(ax: Axes, table: Mapping[str, Mapping[str, float]], label: str) -> Axes:
    """Draw a value of each method (colour) in each setting (row) and return the axes; a missing value leaves a gap.

    Methods of one setting lie one below the other, so that none covers another.
    """
    names = list(dict.fromkeys(method for row in table.values() for method in row))
    for number, name in enumerate(names):
        below = 0.4 * (number / max(len(names) - 1, 1) - 0.5)
        found = [(row[name], place + below) for place, row in enumerate(table.values()) if name in row]
        ax.plot(*zip(*found, strict=True), "o", markersize=6, color=color_of(name), label=name)
    ax.set_yticks(range(len(table)), list(table))
    ax.set_ylim(len(table) - 0.5, -0.5)
    ax.set(xlabel=label, ylabel="")
    ax.grid(True, axis="both")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=3)
    return ax


def dots_figure(tables: Mapping[str, Mapping[str, Mapping[str, float]]], title: str = "") -> Figure:
    """Return the figure of several tables as `dots` side by side, labelled by their keys."""
    figure, axes = new_figure(1, len(tables), height=2.9, sharey=True)
    for ax, (label, table) in zip(axes, tables.items(), strict=True):
        dots(ax, table, label)
        ax.get_legend().remove()
    handles = axes[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower center", ncols=5)
    headline(figure, title)
    return figure
