"""Figures of posteriors: what is probable in each cell, and where truths rank among the draws."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from scipy import special

from geolib.plots.style import COLORS, FACIES_MAP, INK
from geolib.plots.tomography import cells, draw_nothing


def draw_cells(ax: Axes, field: np.ndarray, title: str, label: str) -> Axes:
    """Draw what is said of each cell, in [0, 1]; its scale once in a figure, below the panel; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    field : ndarray, shape (nz, nx)
        A probability of channel, in the facies' colours, or another number.
    title, label : str
        What the panel tells, and what the numbers are; "probability" or "share" first has the facies' colours.
    """
    # Single open cells stand out on a pale ground.
    colours = FACIES_MAP if label.startswith(("probability", "share")) else "magma_r"
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


def draw_ranks(ax: Axes, shares: np.ndarray, band: tuple[float, float], title: str, outside: int) -> Axes:
    """Draw a histogram of truths' ranks among the draws, with a right sampler's band; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    shares : ndarray
        Of the ranks in each bin.
    band : pair of float
        Where a right sampler's shares lie.
    title : str
        What the panel tells.
    outside : int
        How many bins are not in the band, which the title says.
    """
    bins = len(shares)
    ax.axhspan(max(0.0, band[0]), band[1], color=INK, alpha=0.1, lw=0)
    ax.stairs(shares, np.linspace(0, 1, bins + 1), color=COLORS["blue"], lw=1.4)
    ax.axhline(1 / bins, color=INK, ls=":", lw=1)
    told = f"{title}:\n{outside} of {bins} bins outside"
    ax.set(title=told, xlabel="rank of the truth", ylabel="share of ranks", xlim=(0, 1))
    ax.label_outer()
    # Panels that share their axis end above the highest bar of any.
    before = 0.0 if ax.get_autoscaley_on() else ax.get_ylim()[1]
    ax.set_ylim(0, max(before, 1.08 * float(max(shares.max(), band[1]))))
    return ax
