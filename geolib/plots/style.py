"""The house style: one palette for the whole book, figures that fit a phone, a printed page and the dark."""

from __future__ import annotations

import io
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text

from geolib.plots.absent import absent
from geolib.plots.data import table

#: Text, axes and the truth.
INK, GREY = "#1a1a1a", "#7f7f7f"
# Okabe and Ito's colours stay apart under all common colour deficiencies.
COLORS = {
    "black": INK,
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermilion": "#D55E00",
    "purple": "#CC79A7",
    "brown": "#8C6D31",
    "violet": "#7B4FA3",
    "wine": "#7D1128",
    "grey": GREY,
}
#: What a drawing's strokes and fills turn into on a dark page: at least six to one against it, and apart still.
IN_THE_DARK = {
    INK: "#e6e6e6",
    COLORS["sky"]: "#a5d8f7",
    COLORS["green"]: "#00ad7e",
    COLORS["blue"]: "#1f9df0",
    COLORS["vermilion"]: "#f2701a",
    COLORS["brown"]: "#b8904a",
    COLORS["violet"]: "#9f8be6",
    COLORS["wine"]: "#ff8a9a",
    GREY: "#969696",
}
#: What is drawn, and its colour in every figure of the book.
PALETTE = {
    "truth": INK,
    "real": INK,
    "published": COLORS["purple"],
    "start": GREY,
    "floor": GREY,
    "generated": COLORS["blue"],
    "critic": COLORS["violet"],
    # Losses of adversarial networks.
    "minimax": COLORS["vermilion"],
    "non-saturating": COLORS["orange"],
    "Wasserstein": COLORS["green"],
    # Optimisers of the waveform inversion.
    "gradient descent": COLORS["sky"],
    "momentum": COLORS["orange"],
    "momentum (app. B)": COLORS["brown"],
    "Adagrad": COLORS["violet"],
    "RMSprop": COLORS["purple"],
    "Adam": COLORS["vermilion"],
    "CG": COLORS["green"],
    "L-BFGS": COLORS["blue"],
    "TNC": COLORS["wine"],
    # Methods of the search for a latent vector; its Adam is the one above.
    "Gauss-Newton": COLORS["green"],
    "Gauss-Newton, exact": COLORS["sky"],
    "DREAM": COLORS["violet"],
    "pooled": COLORS["orange"],
    "regression": COLORS["blue"],
    # Rays through the right cells, and through those that the published code sums.
    "true rays": COLORS["blue"],
    "scrambled": COLORS["brown"],
}
VELOCITY_MAP = "viridis"
SIGNED_MAP = "RdBu_r"
FACIES_MAP = "cividis"
#: Inches that fill a page's text width; a figure is shown at its own size, so that its letters are as large as stated.
WIDTH, POINTS = 7.2, 9.0
#: Dots per inch of a film, of which a page shows each as a 96th of an inch: its letters too are as large as stated.
FILM = 96
#: Bold letters of a title that fit into an inch.
LETTERS = 10.5
#: A drawing of more bytes is shown as a picture: it holds too many strokes.
LARGEST = 300_000
_DARK = "".join(
    [
        "<style>@media (prefers-color-scheme: dark) {",
        *(
            f'[style*="{part}: {light.lower()}"] {{{part}: {dark} !important}} '
            for light, dark in IN_THE_DARK.items()
            for part in ("fill", "stroke")
        ),
        "}</style>",
    ]
)


def color_of(name: str) -> str:
    """Return the colour of what a label begins with, as of Adam in "Adam 40"; grey for what has none."""
    known = [key for key in PALETTE if name == key or name.startswith((f"{key} ", f"{key},"))]
    return PALETTE[max(known, key=len)] if known else GREY


def colors_of(names: Sequence[str]) -> list[Any]:
    """Return a colour for each label; those of one method are shades of its colour, from pale to dark."""
    import seaborn as sns

    own = [color_of(name) for name in names]
    shades: dict[str, list[Any]] = {}
    for color in dict.fromkeys(own):
        count = own.count(color)
        made = sns.light_palette(color, count + 2)[2:] if count > 1 else [color]
        shades[color] = list(made)
    return [shades[color].pop(0) for color in own]


def use_style() -> None:
    """Set matplotlib's defaults for the book, whatever a user's own settings say; each notebook calls it once."""
    import seaborn as sns

    mpl.rcdefaults()
    _show_in_notebooks()
    order = ("blue", "vermilion", "green", "orange", "purple", "sky", "black")
    texts = ("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize")
    sizes = (*texts, "legend.title_fontsize", "figure.titlesize", "figure.labelsize")
    inks = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    settings = {
        **dict.fromkeys(sizes, POINTS),
        **dict.fromkeys(inks, INK),
        "figure.figsize": (WIDTH, 3.0),
        "figure.dpi": 110,
        "savefig.dpi": 192,
        "savefig.bbox": "tight",
        "savefig.transparent": True,
        "savefig.pad_inches": 0.04,
        "figure.facecolor": "none",
        "axes.facecolor": "none",
        "figure.constrained_layout.use": True,
        "axes.titlelocation": "left",
        "figure.titleweight": "bold",
        "axes.grid": True,
        "grid.color": "#b0b0b0",
        "grid.alpha": 0.3,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.linewidth": 0.8,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "axes.prop_cycle": cycler(color=[COLORS[name] for name in order]),
        "font.family": ["DejaVu Sans"],
        "image.interpolation": "nearest",
        "image.cmap": VELOCITY_MAP,
        "legend.frameon": False,
        "patch.force_edgecolor": False,
        "patch.edgecolor": INK,
        "lines.linewidth": 1.4,
        # The same figure gives the same bytes in every build.
        "svg.hashsalt": "geolib",
    }
    sns.set_theme(context="notebook", style="ticks", rc=settings)


def _show_in_notebooks() -> None:
    # A figure is shown where it is a cell's last line or given to `display`, and closed after the cell. The backend of
    # notebooks would show each open one a second time, and a user's variable may name another.
    if "IPython" not in sys.modules or (shell := sys.modules["IPython"].get_ipython()) is None:
        return
    from IPython.core.pylabtools import select_figure_formats
    from matplotlib_inline.backend_inline import flush_figures

    select_figure_formats(shell, set())
    shell.display_formatter.mimebundle_formatter.for_type(Figure, bundle)
    for callback in list(shell.events.callbacks["post_execute"]):
        if callback in (flush_figures, _close):
            shell.events.unregister("post_execute", callback)
    shell.events.register("post_execute", _close)


def _close() -> None:
    plt.close("all")


def bundle(figure: Figure, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return a figure as a page wants it, by kind: a drawing or, of many strokes, a picture, and its numbers.

    Parameters
    ----------
    figure : Figure
        What is shown.

    Returns
    -------
    found : dict
        By kind of content.
    about : dict
        ``geolib`` with the figure's message (``title``), the height of what a page may cut off where it says the
        message itself (``cut``, pixels of a page) and, where panels are empty, ``absent``, why, and ``shown``, how many
        are not.
    """
    found: dict[str, Any] = {"text/csv": numbers} if (numbers := table(figure)) else {}
    text = svg(figure)
    found |= {"image/svg+xml": text} if len(text) <= LARGEST else {"image/png": png(figure)}
    reasons, shown = absent(figure)
    about = {"absent": reasons, "shown": shown} if reasons else {}
    if message := _message(figure):
        about["title"] = " ".join(message.get_text().split())
        if cut := _height(figure, message):
            about["cut"] = cut
    return found, {"geolib": about} if about else {}


def _message(figure: Figure) -> Text | None:
    """Return the text that is a figure's message: what stands above it, or the title of its only panel."""
    if text := figure.get_suptitle():
        return next(each for each in figure.texts if each.get_text() == text)
    only = figure.axes[0] if len(figure.axes) == 1 else None
    said = only and (only.get_title(loc="left") or only.get_title())
    return next((each for each in only.findobj(Text) if each.get_text() == said), None) if only and said else None


def _height(figure: Figure, message: Text) -> int:
    """Return how far a message reaches from the upper edge of a saved figure, in a page's pixels, if it leads there."""
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    own = message.get_window_extent(renderer)
    top = figure.get_tightbbox(renderer).y1
    leads = top - own.y1 / figure.dpi < POINTS / 72
    return round(96 * (top + mpl.rcParams["savefig.pad_inches"] - own.y0 / figure.dpi)) if leads else 0


def svg(figure: Figure) -> str:
    """Return a figure as SVG without a background, whose colours turn light on a dark page; images are pixels."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    start = text.index("<svg")
    inside = text.index(">", start) + 1
    return text[start:inside] + _DARK + text[inside:]


def png(figure: Figure) -> bytes:
    """Return a figure as PNG on white, at twice the size of a page."""
    buffer = io.BytesIO()
    options: dict[str, Any] = {"transparent": False, "facecolor": "white", "metadata": {"Software": None}}
    figure.savefig(buffer, format="png", **options)
    return buffer.getvalue()


def new_figure(
    rows: int = 1, columns: int = 1, *, width: float = WIDTH, height: float = 3.0, **options
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


def headline(figure: Figure, text: str) -> None:
    """Put the message of a figure, if it has one, above its panels, on the left, in lines as wide as it is."""
    if not text:
        return
    text = textwrap.fill(text, int(LETTERS * figure.get_figwidth()))
    figure.suptitle(text, x=0.01, ha="left", fontweight="bold")


def wrap(figure: Figure) -> None:
    """Break a figure's message, if it has one, into lines as wide as the figure, as `headline` does."""
    text = figure.get_suptitle()
    for shown in figure.texts:
        if text and shown.get_text() == text:
            shown.set_text(textwrap.fill(" ".join(text.split()), int(LETTERS * figure.get_figwidth())))


def label_end(ax: Axes, line: Line2D, text: str = "") -> Axes:
    """Write a line's label at its right end, in its colour, in place of a legend; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where the line is.
    line : Line2D
        What is labelled.
    text : str, optional
        In place of its own label.
    """
    x, y = (np.asarray(each, dtype=float) for each in line.get_data())
    last = int(np.flatnonzero(np.isfinite(x) & np.isfinite(y))[-1])
    ax.annotate(
        text or str(line.get_label()),
        (x[last], y[last]),
        xytext=(4, 0),
        textcoords="offset points",
        color=line.get_color(),
        va="center",
        annotation_clip=False,
    )
    return ax


def bars(ax: Axes, values: Mapping[str, float], title: str = "") -> Axes:
    """Draw horizontal bars from zero, each with its name and its number; return `ax`."""
    names = list(values)
    drawn = ax.barh(names, list(values.values()), color=COLORS["blue"], height=0.65)
    ax.bar_label(drawn, fmt="%.3g", padding=3)
    ax.invert_yaxis()
    ax.set(title=title, xticks=[])
    ax.margins(x=0.12)
    ax.spines["bottom"].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.grid(False)
    return ax


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

    # Letters are blended with what they stand on: a picture has no other background than this one.
    figure.set_facecolor("white")
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
