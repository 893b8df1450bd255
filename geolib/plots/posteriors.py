"""Figures of posteriors: what is probable in each cell, and where truths rank among the draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy import special

from geolib.plots.style import COLORS, FACIES_MAP, INK
from geolib.plots.tomography import cells, draw_nothing

#: Colours of the sampler and of those made wrong on purpose.
_SAMPLERS = (COLORS["blue"], COLORS["orange"], COLORS["vermilion"])
#: Of a histogram of ranks.
BINS = 10


def draw_cells(ax: Axes, field: np.ndarray, title: str, label: str) -> Axes:
    """Draw what is said of each cell, in [0, 1]; its scale once in a figure, below the panel; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    field : ndarray, shape (nz, nx)
        A probability of channel, in the facies' colours, or another number.
    title, label : str
        What the panel tells, and what the numbers are; "probability" first has the facies' colours.
    """
    # Single open cells stand out on a pale ground.
    colours = FACIES_MAP if label.startswith("probability") else "magma_r"
    cells(ax, field, title, cmap=colours, vmin=0, vmax=1, interpolation="nearest")
    ax.label_outer()
    told = label.replace(" of ", "\nof ").replace(" (", "\n(")
    bars = [bar for panel in ax.figure.axes for bar in panel.child_axes]
    if told not in (bar.get_xlabel() for bar in bars):
        place = ax.inset_axes((0, -0.34, 1, 0.05))
        ax.figure.colorbar(ax.images[-1], cax=place, orientation="horizontal", label=told, ticks=[0, 1])
    return ax


def draw_open(axes: Sequence[Axes], share: np.ndarray, rays: str, shape: tuple[int, int] = (125, 60)) -> Sequence[Axes]:
    """Draw the probability of channel in each cell, flat, and beside it its entropy; return `axes`.

    Of no probability the two panels say so.
    """
    if not share.size:
        for ax in axes:
            draw_nothing(ax, f"{rays}:\nnot drawn")
        return axes
    bits = (special.entr(share) + special.entr(1 - share)) / np.log(2)
    draw_cells(axes[0], share.reshape(shape), f"channel,\n{rays}", "probability of channel")
    draw_cells(axes[1], bits.reshape(shape), f"entropy,\n{rays}", "entropy (bits)")
    return axes


def draw_ranks(ax: Axes, ranks: Mapping[str, np.ndarray], title: str) -> Axes:
    """Draw histograms of truths' ranks among the draws, with a right one's band; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    ranks : mapping
        By what samplers are called, three at most, the ranks in (0, 1) of all truths, shape (truths, components).
    title : str
        What the panel tells.

    Notes
    -----
    The band is that of a right sampler with as many truths as the first has: 95 % of what so many truths
    give in a bin if all components of one lie together.
    """
    edges, even = np.linspace(0, 1, BINS + 1), 1.0 / BINS
    highest = even
    for number, (sampler, found) in enumerate(ranks.items()):
        if not found.size:
            continue
        share = np.histogram(found, edges)[0] / found.size
        highest = max(highest, float(share.max()))
        ax.stairs(share, edges, color=_SAMPLERS[number], lw=1.4, label=f"{sampler}, {len(found)} truths")
        if not number:
            width = 1.96 * np.sqrt((1 - even) / BINS / len(found))
            ax.axhspan(max(0, even - width), even + width, color=INK, alpha=0.1, lw=0)
    ax.axhline(even, color=INK, ls=":", lw=1)
    ax.set(title=title, xlabel="rank of the truth", ylabel="share of ranks", xlim=(0, 1))
    # Panels that share their axis end above the highest bar of any.
    before = 0.0 if ax.get_autoscaley_on() else ax.get_ylim()[1]
    ax.set_ylim(0, max(before, 1.08 * highest))
    return ax
