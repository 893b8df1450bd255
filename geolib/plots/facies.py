"""Figures of channel patches and of many trainings on them: rows of patches, effects of tricks, what a code means."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from geolib.plots.absent import nothing
from geolib.plots.distributions import legend_below
from geolib.plots.style import COLORS, FACIES_MAP, INK, PALETTE, headline, new_figure

#: What a verdict on a trick is drawn in.
VERDICTS = {"helps": COLORS["green"], "harms": COLORS["vermilion"]}
#: Fewer tricks leave room for the number of each, and for a name on the line that all are compared with.
FEW = 3
SETS = (PALETTE["real"], PALETTE["generated"], COLORS["orange"])


def patch_rows(axes: Sequence[Axes], samples: np.ndarray, labels: Sequence[str]) -> Sequence[Axes]:
    """Draw rows of patches `(row, n, size, size)` in [-1, 1], an image each, its label on the left; return `axes`."""
    for ax, row, label in zip(axes, samples, labels, strict=True):
        # A gap between patches, as between photographs in an album.
        framed = np.pad(row, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        ax.imshow(np.concatenate(list(framed), axis=1)[:, :-1], cmap=FACIES_MAP, vmin=-1, vmax=1, aspect="equal")
        ax.set_xticks([])
        ax.set_yticks([])
        ax.grid(False)
        ax.spines[:].set_visible(False)
        ax.set_ylabel(label, rotation=0, ha="right", va="center")
    axes[0].figure.align_ylabels(list(axes))
    return axes


def album(
    unit: Mapping[str, Any] | None,
    labels: Sequence[str],
    title: str,
    heads: Sequence[str] = (),
    *,
    above: str = "",
    most: int = 9,
) -> Figure:
    """Return a figure of a unit's patches, a row for each label, under a title; without a unit it says so.

    Parameters
    ----------
    unit : mapping, optional
        With `samples` `(row, n, size, size)`.
    labels : sequence of str
        One for each row.
    title : str
        The figure's message.
    heads : sequence of str
        What stands above each column, if anything.
    above : str
        What the heads are of.
    most : int
        Patches of a row, at most: fewer are larger.
    """
    if unit is None:
        figure, axes = new_figure(height=1.0)
        nothing(axes[0], title)
        return figure
    samples = unit["samples"][:, :most]
    count = samples.shape[1]
    figure, axes = new_figure(len(labels), 1, height=0.45 + 0.2 * bool(above) + len(labels) * 6.3 / count)
    patch_rows(axes, samples, labels)
    if heads:
        size = unit["samples"].shape[-1]
        axes[0].set_xticks([size / 2 + (size + 1) * number for number in range(count)], heads)
        axes[0].tick_params(top=False, labeltop=True, bottom=False, labelbottom=False)
        axes[0].xaxis.set_label_position("top")
        axes[0].set_xlabel(above)
    headline(figure, title)
    return figure


def effects(groups: Mapping[str, Sequence[Mapping[str, Any]]], title: str) -> Figure:
    """Return a figure of what tricks do to the final distance: each seed, and the mean with its interval.

    Parameters
    ----------
    groups : mapping
        By the head of a panel its rows: ``trick``, ``ratios`` `(n_seeds,)`, ``mean``, ``low``, ``high``, ``verdict``
        and ``looks`` (a word for what is clear).
    title : str
        The figure's message.
    """
    lines = -(-len(groups) // 2)
    # Panels share their axis: a trick has its own place in each, also where others were not tried.
    tricks = list(dict.fromkeys(row["trick"] for rows in groups.values() for row in rows))
    few = 0 < len(tricks) < FEW
    # Fewer tricks take less height, but for heads, axes and, where there is room, words.
    each = 2.6 * (0.4 + 0.6 * len(tricks) / 6)
    figure, axes = new_figure(
        max(1, lines), min(2, max(1, len(groups))), height=0.5 + each * lines + (not groups), sharey=True
    )
    for ax in axes[len(groups) :]:
        nothing(ax, "" if groups else title)
    for ax, (head, rows) in zip(axes, groups.items(), strict=False):
        for row in rows:
            place = tricks.index(row["trick"])
            # Seeds lie below the bar, which would hide them.
            below = np.full(len(row["ratios"]), place + 0.25)
            ax.scatter(row["ratios"], below, s=7, color=PALETTE["floor"], alpha=0.7, lw=0)
            color = VERDICTS.get(row["verdict"], INK)
            if row["low"] is not None:
                ax.plot([row["low"], row["high"]], [place, place], color=color, lw=2.4)
            ax.plot(row["mean"], place, "o", color=color, ms=5)
            words = {"textcoords": "offset points", "color": color}
            told = row["looks"]
            if few:  # one dot on a line tells no more than where it is; words say what it is
                seeds = len(row["ratios"])
                told = f"{row['mean']:.2g} of plain, {'one seed' if seeds == 1 else f'{seeds} seeds'}"
                told += f": {row['looks']}" if row["looks"] else ""
                ax.annotate(told, (0.02, place), (0, 6), xycoords=("axes fraction", "data"), **words)
            elif told:  # above the bar, where nothing crosses the word
                ax.annotate(told, (row["mean"], place), (0, 4), ha="center", **words)
        ax.axvline(1, color=INK, lw=0.8)
        if few:
            words = {"textcoords": "offset points", "color": INK}
            ax.annotate("as plain", (1, 0), (3, 3), xycoords=("data", "axes fraction"), **words)
        ax.set(
            xscale="log",
            xlim=(0.08, 6),
            yticks=range(len(tricks)),
            yticklabels=tricks,
            ylim=(len(tricks) - 0.5, -0.8),
            xlabel="final distance, ratio to plain",
            ylabel="",
        )
        ax.set_xticks([0.1, 0.3, 1, 3], ["0.1", "0.3", "1", "3"])
        ax.minorticks_off()
        ax.set_title(head)
    headline(figure, title)
    return figure


def outcomes(
    rows: Sequence[tuple[str, str, Mapping[str, Any]]],
    shown: Mapping[str, str],
    names: Mapping[str, str] | None = None,
    title: str = "Effects of the tricks, against the plain recipe",
) -> Figure:
    """Return a figure of effects with their intervals, a panel for each outcome shown, colour by data.

    Parameters
    ----------
    rows : sequence of (data, trick, outcomes)
        Measures by outcome.
    shown : mapping
        What each outcome's axis is called.
    names : mapping, optional
        What tricks are called.
    title : str
        The figure's message.
    """
    tricks = list(dict.fromkeys(trick for _, trick, _ in rows))
    figure, axes = new_figure(1, len(shown), height=(16 + 3.5 * max(1, len(tricks))) / 10)
    data = list(dict.fromkeys(where for where, _, _ in rows))
    for ax, (outcome, label) in zip(axes, shown.items(), strict=True):
        for where, trick, found in rows:
            if outcome not in found:
                continue
            place = tricks.index(trick) + 0.24 * (data.index(where) - 0.5 * (len(data) - 1))
            measure = found[outcome]
            color = (PALETTE["generated"], COLORS["orange"])[data.index(where)]
            ax.plot(measure.value, place, "o", color=color, ms=4, label=where if trick == tricks[0] else None)
            if measure.low is not None:
                ax.plot([measure.low, measure.high], [place, place], color=color)
        ratio = outcome in ("distance", "unrest", "time", "equal_cost")
        ax.axvline(1.0 if ratio else 0.0, color=INK, lw=0.8)
        if ratio:
            ax.set_xscale("log")
            ax.set_xlim(0.08, 12)
            ax.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
            ax.minorticks_off()
        else:
            ax.set_xlim(-0.45, 0.45)
        ax.set_yticks(range(len(tricks)), [(names or {}).get(t, t) for t in tricks] if ax is axes[0] else [])
        ax.invert_yaxis()
        ax.set_xlabel(label)
    headline(figure, title)
    legend_below(axes[0])
    return figure


def sketch(
    draw: Callable[..., None], unit: Mapping[str, Any] | None, columns: int = 2, *, title: str, **size: float
) -> Figure:
    """Return a titled figure of a row of panels that `draw(axes, unit)` fills; without a unit it says so."""
    figure, axes = new_figure(1, columns if unit is not None else 1, **(size if unit is not None else {"height": 1.0}))
    if unit is None:
        nothing(axes[0], "Not run with these parameters.")
    else:
        draw(axes, unit)
        headline(figure, title)
    return figure


def convergence(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw the distance to held-out patches over the training (left), the critic's gain (right); return `axes`."""
    left, right = axes
    trace, gain, floor = unit["trace"], unit["critic_gain"], unit["table"][-1, -1]
    for index, name in enumerate(("minimax", "Wasserstein")):
        share, color = np.linspace(0, 1, trace.shape[1] + 1)[1:], PALETTE[name]
        left.plot(share, trace[index], "o-", ms=3, color=color, label=name)
        right.plot(gain[index] / np.abs(gain[index]).max(), trace[index], "o", ms=4, color=color, label=name)
    left.axhline(floor, color=PALETTE["floor"], lw=0.8, ls="--", label="two sets of real patches")
    left.set(
        xlabel="share of the training (1: its end)",
        ylabel="sliced Wasserstein-2 distance",
        ylim=(0, 1.55 * trace.max()),
    )
    left.legend(loc="upper left")
    right.set(xlabel="critic's gain over its largest size", ylabel="sliced Wasserstein-2 distance", ylim=(0, None))
    right.legend()
    return axes


def variograms(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw mean indicator variograms along z (left) and x (right), of real and of generated patches; return `axes`."""
    curves, names = unit["variograms"], ("real", "convolutional", "dense")
    for index, (ax, title) in enumerate(zip(axes, ("vertical", "horizontal"), strict=True)):
        for curve, name, color in zip(curves, names, SETS, strict=True):
            ax.plot(np.arange(1, curve.shape[-1] + 1), curve[index], color=color, label=name)
        ax.set(xlabel=f"{title} lag (pixels)", ylabel="indicator variogram", ylim=(0, None))
    axes[0].legend()
    return axes


def asked_and_obtained(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw obtained against asked channel proportions, every sample and the mean of each level; return `axes`."""
    (ax,), asked, obtained = axes, unit["asked"], unit["obtained"]
    ax.plot(asked, obtained, ".", color=PALETTE["generated"], alpha=0.25, ms=4)
    levels = np.unique(asked)
    means = [obtained[asked == level].mean() for level in levels]
    spread = [obtained[asked == level].std() for level in levels]
    ax.errorbar(levels, means, spread, fmt="o", color=COLORS["orange"], capsize=3, label="mean, standard deviation")
    ax.plot([0, 0.65], [0, 0.65], color=INK, lw=0.8, label="what was asked")
    ax.set(xlabel="asked channel proportion", ylabel="obtained proportion", xlim=(0.05, 0.55), ylim=(0, 0.75))
    ax.legend(loc="upper left")
    return axes


def information(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw the information bound with and without its term (left), code and proportion (right); return `axes`."""
    left, right = axes
    share = np.linspace(0, 1, unit["bound"].shape[1] + 1)[1:]
    left.plot(share, unit["bound"][0], "o-", ms=3, color=PALETTE["generated"], label="with the information term")
    left.plot(share, unit["bound"][1], "s-", ms=3, color=COLORS["orange"], label="without")
    left.axhline(0, color=INK, lw=0.8)
    low, high = np.nanmin(unit["bound"]), np.nanmax(unit["bound"])
    left.set(xlabel="share of the training (1: its end)", ylabel="lower bound of I(c; x) (nats)")
    # Room for the legend; single records of a bound can plunge while the reader catches up.
    left.set_ylim(max(low, -1.0) - 0.1, high + 0.45 * (high - max(low, -1.0)) + 0.1)
    left.legend(loc="upper left")
    right.plot(unit["code"], unit["proportion"], ".", color=PALETTE["generated"], ms=4)
    right.set(xlabel="code c", ylabel="channel proportion of G(z, c)")
    return axes
