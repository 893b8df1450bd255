"""What a figure does not show: how a panel says so, and how whoever captions the figure learns of it."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

# The label of the sentence in a panel's place; matplotlib shows no label that begins so.
_MARK = "_nothing"


def nothing(ax: Axes, text: str, **options: Any) -> Axes:
    """Leave a panel empty but for a sentence that says why; return `ax`.

    Parameters
    ----------
    ax : Axes
        The panel.
    text : str
        What there is not, such as "Adam was not run".
    options
        Passed on to `matplotlib.axes.Axes.text`.
    """
    where: dict[str, Any] = {"ha": "center", "va": "center", "transform": ax.transAxes}
    ax.text(0.5, 0.5, text, **where, **options, label=_MARK)
    ax.set_axis_off()
    return ax


def absent(figure: Figure) -> tuple[list[str], int]:
    """Return why panels are empty, each reason once, and how many panels do show something.

    A panel is empty that `nothing` was put into, or whose axes hold neither curve, point, bar nor image: lines that
    reach from edge to edge are limits, not results. The reason of such bare axes is not known; an empty text stands
    for it.

    Parameters
    ----------
    figure : Figure
        What is to be captioned.
    """
    reasons, shown = [], 0
    for ax in figure.axes:
        said = [text.get_text() for text in ax.texts if text.get_label() == _MARK]
        if said:
            reasons += said
        elif _holds(ax):
            shown += 1
        elif ax.axison:
            reasons.append("")
    return list(dict.fromkeys(reasons)), shown


def _holds(ax: Axes) -> bool:
    points = (each for each in ax.collections if len(each.get_paths()) and np.size(each.get_offsets()))
    lines = (each for each in ax.lines if each.get_transform() == ax.transData and np.size(each.get_xydata()))
    areas = (each for each in ax.patches if each.get_data_transform() == ax.transData)
    return len([*ax.images, *points, *lines, *areas]) > 0
