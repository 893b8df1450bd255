"""The numbers behind a figure, as a table that a reader can take away."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle, StepPatch

#: Images of more pixels are not listed: they are in the results that the page leads to.
PIXELS = 4096
#: The label of a larger image that is listed all the same: a line for each row of its pixels, in [0, 1].
LISTED = "grey levels 0 to 255, from left to right"
Column = tuple[str, np.ndarray, np.ndarray]


def table(figure: Figure) -> str:
    """Return the curves, points, bars and small images of a figure as CSV, or nothing where it has none.

    Returns
    -------
    str
        Columns ``panel`` (its title or number), ``series`` (its label), ``x`` and ``y``; of an image ``value`` too,
        with ``x`` and ``y`` the number of its column and row; of an image with the label `LISTED` all values of a row.
    """
    buffer = io.StringIO()
    rows = csv.writer(buffer, lineterminator="\n")
    rows.writerow(["panel", "series", "x", "y", "value"])
    count = 0
    for number, ax in enumerate(figure.axes, 1):
        panel = ax.get_title(loc="left") or ax.get_title() or str(number)
        for name, x, y in _columns(ax):
            for pair in zip(x, y, strict=True):
                rows.writerow([panel, name, *(f"{float(each):.6g}" for each in pair), ""])
                count += 1
        for image in ax.images:
            pixels: np.ndarray = np.ma.filled(np.ma.asarray(image.get_array(), dtype=float), np.nan)
            if pixels.ndim == 2 and image.get_label() == LISTED:
                for row, levels in enumerate(np.rint(255 * pixels).astype(int)):
                    rows.writerow([panel, LISTED, "", row, " ".join(map(str, levels))])
                    count += 1
            elif pixels.ndim == 2 and pixels.size <= PIXELS:
                for (row, column), value in np.ndenumerate(pixels):
                    rows.writerow([panel, _name(image), column, row, f"{value:.6g}"])
                    count += 1
    return buffer.getvalue() if count else ""


def _columns(ax: Axes) -> Iterator[Column]:
    for line in ax.lines:
        x, y = (np.atleast_1d(np.asarray(each, dtype=float)) for each in line.get_data())
        if x.size > 1 and x.size == y.size:
            yield _name(line), x, y
    for points in ax.collections:
        if isinstance(points, PathCollection):
            x, y = np.ma.filled(np.ma.asarray(points.get_offsets(), dtype=float), np.nan).T
            yield _name(points), x, y
    bars = [each for each in ax.patches if isinstance(each, Rectangle)]
    if bars:
        ends = [(bar.get_x() + bar.get_width() / 2, bar.get_y() + bar.get_height()) for bar in bars]
        x, y = np.array(ends, dtype=float).T
        yield "bars", x, y
    for step in ax.patches:
        if isinstance(step, StepPatch):
            values, edges, _ = step.get_data()
            yield _name(step), (edges[1:] + edges[:-1]) / 2, np.asarray(values, dtype=float)


def _name(artist: Any) -> str:
    label = str(artist.get_label())
    return "" if label.startswith("_") else label
