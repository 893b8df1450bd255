"""The house style: Okabe-Ito colours, labelled axes, figures that fit a phone and a printed page."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.figure import Figure

# Okabe and Ito's eight colours stay apart under all common colour deficiencies.
COLORS = {
    "black": "#000000",
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
}
VELOCITY_MAP = "viridis"
SIGNED_MAP = "RdBu_r"
FACIES_MAP = "cividis"


def use_style() -> None:
    """Set matplotlib's defaults for the book, whatever a user's own settings say; each notebook calls it once."""
    mpl.rcdefaults()
    _show_in_notebooks()
    order = ("blue", "vermilion", "green", "orange", "purple", "sky", "black")
    mpl.rcParams.update(
        {
            "figure.dpi": 110,
            "savefig.dpi": 110,
            "savefig.bbox": "tight",
            "figure.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 10,
            "axes.titlesize": 10,
            "axes.labelsize": 10,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=[COLORS[name] for name in order]),
            "image.interpolation": "nearest",
            "image.cmap": VELOCITY_MAP,
            "legend.frameon": False,
            "lines.linewidth": 1.4,
            # The same figure gives the same bytes in every build.
            "svg.hashsalt": "geolib",
        }
    )


def _show_in_notebooks() -> None:
    # Only the backend of notebooks shows figures there, and a user's variable may name another.
    if "IPython" in sys.modules and (shell := sys.modules["IPython"].get_ipython()) is not None:
        from IPython.core.pylabtools import select_figure_formats

        select_figure_formats(shell, {"png"}, bbox_inches="tight")


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = 7.2, height: float = 3.0, **options
) -> tuple[Figure, list]:
    """Return a figure and its axes as a flat list.

    Parameters
    ----------
    rows, columns : int
        Grid of axes.
    width, height : float
        Inches; 7.2 fills a page's text width.
    options
        Passed on to `matplotlib.pyplot.subplots`.
    """
    figure, axes = plt.subplots(rows, columns, figsize=(width, height), squeeze=False, **options)
    return figure, list(axes.flat)


def gif(
    figure: Figure,
    frames: Sequence[Any],
    draw: Callable[[Any], object],
    *,
    seconds: float = 0.25,
    rest: float | None = None,
    colors: int = 256,
) -> bytes:
    """Return a looping GIF of a figure, which is closed.

    Parameters
    ----------
    figure : Figure
        Its size and resolution are those of the pictures.
    frames : sequence
        What is drawn, one picture each.
    draw : callable
        Takes one of them and changes the figure.
    seconds, rest : float
        Time of a picture; of the last one, if it is to be another.
    colors : int
        Colours of a picture; fewer take less space.
    """
    from PIL import Image

    pictures = []
    for frame in frames:
        draw(frame)
        figure.canvas.draw()
        pixels = np.asarray(figure.canvas.buffer_rgba())[..., :3]  # type: ignore[attr-defined]
        pictures.append(Image.fromarray(pixels).quantize(colors))
    plt.close(figure)
    last = seconds if rest is None else rest
    durations = [int(1000 * seconds)] * (len(pictures) - 1) + [int(1000 * last)]
    buffer = io.BytesIO()
    pictures[0].save(buffer, "GIF", save_all=True, append_images=pictures[1:], duration=durations, loop=0)
    return buffer.getvalue()
