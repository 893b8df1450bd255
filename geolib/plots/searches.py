"""Figures of searches in a latent space: shares that fit, what fits look like, and what they cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter
from scipy.stats import binomtest

from geolib.plots.style import COLORS, GREY, INK, color_of
from geolib.plots.tomography import draw_latents, draw_model, draw_nothing

#: Dashes and marks of the generators, where a figure has several.
_MARKS = {"width 64": ("--", "s"), "published": ("-", "D")}
#: A share of fewer trials is drawn hollow, and no line leads to it.
FEW = 10
#: So far beyond the limit of a fit its enlarged panel goes.
NEAR = 0.05
#: Where the axis of solves ends.
_LAST = 1e6


def draw_progress(ax: Axes, series: Mapping[str, Mapping[int, Any]], title: str) -> Axes:
    """Draw shares of trials over the updates, with their intervals, those of few trials hollow; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    series : mapping
        By label, a measure with ``value``, ``low`` and ``high`` for each number of updates.
    title : str
        What the panel tells.
    """
    shown = {label: found for label, found in series.items() if found}
    for number, (label, found) in enumerate(shown.items()):
        dashes, mark = next((m for key, m in _MARKS.items() if key in label), ("-", "o"))
        # Intervals that begin at the same updates would hide one another.
        updates = np.array(list(found)) * 1.07 ** (number - (len(shown) - 1) / 2)
        values = np.array([measure.value for measure in found.values()])
        ends = np.array([(m.value - m.low, m.high - m.value) for m in found.values()]).T
        few = np.array([measure.n is not None and measure.n < FEW for measure in found.values()])
        style: dict[str, Any] = {"color": color_of(label), "marker": mark, "ms": 4, "lw": 1.4, "elinewidth": 1}
        hollow: dict[str, Any] = {"ls": "", "markerfacecolor": "none"}
        for chosen, more in ((~few, {"ls": dashes}), (few, hollow)):
            if chosen.any():
                drawn = np.clip(ends[:, chosen], 0, None)
                named = label if chosen.all() or more is not hollow else None
                ax.errorbar(updates[chosen], values[chosen], drawn, label=named, **style, **more)
    ax.set(title=title, xlabel="updates", ylabel="share of trials", xscale="log")
    ax.set_ylim(-0.03, 1.03)
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if shown:
        ax.legend(loc="upper left")
    return ax


def draw_recovery(
    axes: Sequence[Axes], series: Mapping[str, tuple[np.ndarray, np.ndarray]], limit: float
) -> Sequence[Axes]:
    """Draw the share of wrong cells of models over their WRMSE, a mark for each trial; return the axes.

    Parameters
    ----------
    axes : sequence of Axes
        Two: of all trials, and of those near the limit, enlarged.
    series : mapping
        By label, WRMSE and share of wrong cells.
    limit : float
        WRMSE up to which a model counts as a fit.
    """
    whole, close = axes
    _draw_wrong(whole, series, limit, "all trials")
    whole.set_xscale("log")
    whole.set_xticks([1, 1.5, 2, 3, 5], ["1", "1.5", "2", "3", "5"])
    whole.minorticks_off()
    whole.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    _draw_wrong(close, series, limit, "those that fit, or nearly do")
    near = [(m[m <= limit + NEAR], w[m <= limit + NEAR]) for m, w in series.values()]
    misfits, wrong = (np.concatenate([pair[place] for pair in near]) for place in (0, 1))
    if misfits.size:
        left, top = misfits.min() - 0.1 * NEAR, 1.15 * max(wrong.max(), 0.01)
        close.set(xlim=(left, limit + NEAR), ylim=(-0.05 * top, top))
        whole.add_patch(Rectangle((left, -0.01), limit + NEAR - left, top + 0.01, fill=False, edgecolor=GREY, lw=0.8))
    close.yaxis.set_major_formatter(PercentFormatter(1, decimals=1))
    close.set_ylabel("")
    if whole.collections:  # of a legend without a trial matplotlib would warn, on the reader's page
        whole.figure.legend(*whole.get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return axes


def _draw_wrong(ax: Axes, series: Mapping[str, tuple[np.ndarray, np.ndarray]], limit: float, title: str) -> None:
    for label, (misfit, wrong) in series.items():
        if misfit.size:
            fits = f"{label}, {int((misfit <= limit).sum())} of {misfit.size} fit"
            mark = next((mark for key, (_, mark) in _MARKS.items() if key in label), "o")
            look: dict[str, Any] = {"color": color_of(label), "marker": mark, "s": 26, "alpha": 0.7}
            sns.scatterplot(x=misfit, y=wrong, ax=ax, label=fits, legend=False, **look)
    ax.axvline(limit, color=INK, lw=0.8, ls=":")
    ax.set(title=title, xlabel="best WRMSE", ylabel="cells with the wrong facies")


def draw_solves(
    ax: Axes,
    series: Mapping[str, np.ndarray],
    title: str,
    first: float = 1e3,
    ends: Mapping[str, float] | None = None,
) -> Axes:
    """Draw the share of runs that fit within so many solves, a staircase and its interval for each; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    series : mapping
        By search, the solves of each run, infinite where it did not fit.
    title : str
        What the panel tells.
    first : float
        Where the axis begins: below the solves of any run.
    ends : mapping, optional
        By search, the solves at which its runs were stopped: its curve goes no further.

    Notes
    -----
    Bands are Wilson's 95 % intervals of a share at each number of solves, as if runs were independent.
    """
    for label, solves in series.items():
        taken = np.sort(solves[np.isfinite(solves)])
        done = int(taken.size)
        x = np.concatenate([[first], taken, [(ends or {}).get(label, _LAST)]])
        y = np.concatenate([np.arange(done + 1), [done]]) / len(solves)
        text = f"{label}, {done} of {len(solves)}"
        ax.step(x, y, where="post", color=color_of(label), label=text)
        spans = [binomtest(round(share * len(solves)), len(solves)).proportion_ci(method="wilson") for share in y]
        low, high = np.array([(span.low, span.high) for span in spans]).T
        ax.fill_between(x, low, high, step="post", color=color_of(label), alpha=0.12, lw=0)
    ax.set(title=title, xlabel="solves", ylabel="share of runs that fit", xscale="log")
    ax.set_xlim(first, _LAST)
    ax.set_ylim(-0.03, 1.06)
    ax.set_yticks([0, 0.25, 0.5, 0.75, 1])
    ax.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    if series:  # below the panel: curves go everywhere in it
        columns = 2 if max(map(len, series)) < len("Gauss-Newton, width 32") else 1
        ax.legend(loc="upper center", bbox_to_anchor=(0.45, -0.22), ncols=columns, columnspacing=1)
    return ax


def draw_by_generator(ax: Axes, values: Mapping[str, np.ndarray], label: str, title: str, *, log: bool = False) -> Axes:
    """Draw the runs of each generator as points, with a line at the median of several; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    values : mapping
        By generator, its numbers.
    label : str
        What they are.
    title : str
        What the panel tells.
    log : bool
        Whether the axis is logarithmic.
    """
    if log:  # before the points, whose places depend on it
        ax.set_yscale("log")
        ax.set_ylim(0.9, 1.15 * max(np.max(each) for each in values.values()))
        ax.set_yticks([1, 2, 5, 10], ["1", "2", "5", "10"])
        ax.minorticks_off()
    listed = {name: np.atleast_1d(each) for name, each in values.items()}
    names = np.repeat(list(listed), [each.size for each in listed.values()])
    numbers = np.concatenate(list(listed.values()))
    # A swarm's places follow from its numbers; a strip's would be drawn anew in every build.
    alone = all(each.size == 1 for each in listed.values())
    look = {"alpha": 1.0, "size": 8} if alone else {"alpha": 0.6, "size": 4.5}
    sns.swarmplot(x=names, y=numbers, ax=ax, color=COLORS["blue"], legend=False, **look)
    for place, each in enumerate(listed.values()):
        if not alone:  # the line would hide the only dot
            ax.hlines(np.median(each), place - 0.3, place + 0.3, color=INK, lw=2)
    if alone and not log and numbers.min() >= 0:
        ax.set_ylim(0, 1.15 * numbers.max())
    ax.set(title=title, xlabel="", ylabel=label)
    return ax


def draw_ends(
    axes: Sequence[Axes],
    ends: Mapping[str, Sequence[Mapping[str, np.ndarray]]],
    image_of: Callable[[np.ndarray], np.ndarray],
) -> Sequence[Axes]:
    """Draw the models of the best and the worst trial of each label, two panels each; return the axes.

    Parameters
    ----------
    axes : sequence of Axes
        Two for each label.
    ends : mapping
        By label, arrays of trials, the best first.
    image_of : callable
        Takes a latent, returns a model in [0, 1], which is cut at one half.
    """
    pairs = zip(axes[::2], axes[1::2], strict=True)
    for pair, (label, trials) in zip(pairs, ends.items(), strict=True):
        for ax, rank in zip(pair, ("best", "worst"), strict=True):
            if not trials:
                draw_nothing(ax, f"{label}:\nnot run")
                continue
            trial = trials[0 if rank == "best" else -1]
            title = f"{label}\n{rank}, {trial['best'][-1]:.2f}"
            draw_model(ax, image_of(trial["best_latent"]) >= 0.5, title)
    for ax in axes:
        ax.set_ylabel("")
    return axes


def draw_rescaled(ax: Axes, shown: Sequence[Any], truth: np.ndarray) -> Axes:
    """Draw the latent with the largest error among those whose image was recovered over the true one; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    shown : sequence
        Inversions with ``recovered``, ``latent`` and ``error``.
    truth : ndarray, shape (d,)
        The true latent.
    """
    good = [each for each in shown if each.recovered]
    if good:
        worst = max(good, key=lambda each: each.error)
        draw_latents(ax, truth, worst.latent, "A latent whose image was recovered")
    else:
        draw_nothing(ax, "no image was recovered:\nnone was inverted, or none found")
    return ax


def draw_times(ax: Axes, true: np.ndarray, other: np.ndarray, title: str) -> Axes:
    """Draw the traveltimes (ns) of scrambled rays over those of true ones; return `ax`."""
    span = np.array([min(true.min(), other.min()), max(true.max(), other.max())])
    ax.plot(span, span, ":", color=INK, lw=0.8)
    ax.plot(true, other, ".", color=color_of("scrambled"), ms=3, alpha=0.6)
    ax.set(title=title, xlabel="true rays (ns)", ylabel="scrambled (ns)", aspect="equal")
    return ax
