"""The page on speed: a chart for each question, the measured table below it."""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

from geolib.book import goals
from geolib.runs.tables import listed, markdown

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Given = ParamSpec("Given")

#: The measurements of `bench/` in the order of the page, each with its question.
QUESTIONS = {
    "waves": "How fast is the wave engine beside its alternatives?",
    "waves_orders": "How fast is it at each order in space?",
    "waves_accuracy": "How long do accurate traces take?",
    "wgan_traces": "How fast does the trace GAN train?",
    "latent_inversion": "How fast is a step in the latent space?",
}
#: What follows a table: goals, and why some are missed.
GOALS = {
    "waves": goals.of_waves,
    "waves_orders": goals.of_orders,
    "waves_accuracy": goals.of_accuracy,
    "latent_inversion": goals.of_width,
}
SCALING = """:::{{figure}} /_generated/scaling{number}.svg
:name: fig-scaling{number}
:alt: Four log-log panels: seconds against time steps, cells, shots, threads; lines of proportion.

How the wave engine scales on {device}: seconds of a forward run (circles) and of misfit and
gradient (squares) as one size varies from 4 shots, 1000 steps and 140 by 340 cells on all cores.
Dotted: in proportion to the first point. The dashed line is the workspace of one thread (right
axis). Two threads want two free cores.
:::

"""


ORDERS = """:::{{figure}} /_generated/orders.svg
:name: fig-orders
:alt: Dots of the ratio over the order in space, forward and with gradient, over a dashed target.

How many times as long deepwave takes, by order in space and number of threads, on {devices}. Of
both numbers of threads deepwave has the better one, up to ours. Dashed: what we aimed at. Hollow:
deepwave where it saves time or memory of the gradient.
:::

"""


ACCURACY = """:::{{figure}} /_generated/accuracy.svg
:name: fig-accuracy
:alt: Curves that fall from upper left to lower right, error over seconds, for engines and orders.

How far traces are off a converged solution against the seconds that they took ({device}): a line
for each engine and order in space (the number at its end), a point for each spacing at the time
step that comes nearest. Ringed: the quickest of each engine within the dotted line, at any step.
:::

"""


def page(bench: Path) -> dict[str, bytes]:
    """Return what the page takes in: charts and tables, one after the other."""
    text, made = "", {}
    for name, question in QUESTIONS.items():
        table, numbers = (bench / f"{name}.{kind}" for kind in ("md", "json"))
        if not table.is_file():
            continue
        text += f"## {question}\n\n"
        measured = json.loads(numbers.read_text(encoding="utf-8")) if numbers.is_file() else {}
        if measured and name in _PANELS:
            # A file may hold each machine as a whole, or the last one with the speeds of others.
            whole = measured["machines"] if name == "waves" else [measured]
            for number, machine in enumerate(whole, 1):
                figure = name if number == 1 else f"{name}-{number}"
                made[f"speed-{figure}.svg"] = _drawing(_PANELS[name](machine))
                text += _figure(figure, question, name, _device(machine))
        if name == "waves_accuracy" and measured:
            made["accuracy.svg"] = _accuracy(measured["machines"][0])
            text += ACCURACY.format(device=measured["machines"][0]["device"])
        told = f"{table.read_text(encoding='utf-8')}\n"
        if name == "waves_orders" and measured:
            made["orders.svg"] = _orders(measured["machines"])
            devices = [machine["device"] for machine in measured["machines"]]
            text += ORDERS.format(devices=listed(devices))
            told = _folded("The measurements behind the dots", told)
        text += told
        if name in GOALS and (bench / "targets.json").is_file():
            text += GOALS[name](bench)
        if name == "waves" and measured:
            drawn, shown = _scalings(measured["machines"])
            made |= drawn
            text += shown
    return {"speed.md": (text or "Nothing was measured.\n").encode(), **made}


def _device(measured: Mapping[str, Any]) -> str:
    """Return the processor of a measurement: its own entry, or that of its provenance."""
    return str(measured.get("device") or measured["provenance"]["device"])


def _scalings(machines: Sequence[Mapping[str, Any]]) -> tuple[dict[str, bytes], str]:
    """Return the figures of how waves grow, one for each machine, and their place on the page."""
    made, text = {}, "## How do waves grow with the problem?\n\n"
    for index, machine in enumerate(machines):
        number = f"-{index + 1}" if index else ""
        made[f"scaling{number}.svg"] = _scaling(machine["scaling"])
        text += SCALING.format(number=number, device=machine["device"])
        text += _folded("The measurements of this figure", _sizes(machine["scaling"]))
    return made, text


def _folded(title: str, text: str) -> str:
    return f":::{{dropdown}} {title}\n{text.strip()}\n:::\n\n"


def _sizes(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the measurements of `scaling` as a Markdown table."""
    varied = {"nt": "steps", "cells": "cells", "shots": "shots", "threads": "threads"}
    cells = [
        [
            varied[row["varied"]],
            f"{row[row['varied']]:,}",
            f"{row['forward_s']:.3f}",
            f"{row['gradient_s']:.3f}",
            f"{row['workspace_bytes'] / 2**20:.1f}",
        ]
        for row in rows
    ]
    heads = ["Varied", "To", "Forward (s)", "Gradient (s)", "Workspace of a thread (MiB)"]
    return markdown(heads, cells, "lrrrr")


def _figure(figure: str, question: str, name: str, device: str) -> str:
    return f""":::{{figure}} /_generated/speed-{figure}.svg
:name: fig-speed-{figure}
:alt: Bars that answer the question with the numbers of the table below.

{question} {_BARS.get(name, "The longer the bar, the faster.")} On {device}.
:::

"""


#: What the bars of a chart are, where they are not all speeds.
_BARS = {
    "waves": "Bars are ratios: how many times as long the other program takes, and, in the lower "
    "panel, how many times as much memory."
}

Panel = tuple[str, Mapping[str, float]]


def _waves(measured: Mapping[str, Any]) -> list[Panel]:
    rows = {row["what"]: float(row["ratio"]) for row in measured["rows"]}
    memory = {name: value for name, value in rows.items() if "memory" in name}
    times = {name: value for name, value in rows.items() if name not in memory}
    return [("times as fast as the other", times), ("times less memory", memory)]


def _training(measured: Mapping[str, Any]) -> list[Panel]:
    return [
        ("iterations a second", {name: 1 / value for name, value in measured["as_is"].items()}),
        ("with freed memory kept", {n: 1 / v for n, v in measured["memory_kept"].items()}),
    ]


def _latent(measured: Mapping[str, Any]) -> list[Panel]:
    steps = {name: 1000 / value for name, value in measured["gradient_ms"].items()}
    runs = {name: 1000 / value for name, value in measured["dream_ms_per_run"].items()}
    return [("gradients a second, one core", steps), ("forward runs a second, DREAM", runs)]


_PANELS = {"waves": _waves, "wgan_traces": _training, "latent_inversion": _latent}


def _drawn(draw: Callable[Given, Figure]) -> Callable[Given, bytes]:
    """Return what draws as a function that draws in the book's style and returns the SVG."""

    @functools.wraps(draw)
    def svg(*args: Given.args, **kwargs: Given.kwargs) -> bytes:
        import matplotlib.pyplot as plt

        from geolib.plots import style

        style.use_style()
        figure = draw(*args, **kwargs)
        text = style.svg(figure)
        plt.close(figure)
        return text.encode()

    return svg


@_drawn
def _drawing(panels: Sequence[Panel]) -> Figure:
    from geolib.plots import style

    counts = [len(values) for _, values in panels]
    grid = {"height_ratios": [count + 0.5 for count in counts]}
    height = 0.4 * len(panels) + 0.3 * sum(counts)
    figure, axes = style.new_figure(len(panels), 1, height=height, gridspec_kw=grid)
    for ax, (title, values) in zip(axes, panels, strict=True):
        style.bars(ax, {name.replace("`", ""): value for name, value in values.items()}, title)
    return figure


@_drawn
def _orders(machines: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw how the ratio depends on the order, for forward and gradient on each machine."""
    from geolib.plots import waves

    return waves.orders(
        {
            machine["device"]: [row for row in machine["rows"] if "other" in row]
            for machine in machines
        }
    )


@_drawn
def _scaling(rows: Sequence[Mapping[str, Any]]) -> Figure:
    from geolib.plots import waves

    return waves.scaling(rows)


@_drawn
def _accuracy(machine: Mapping[str, Any]) -> Figure:
    from geolib.plots import style, waves

    figure, (ax,) = style.new_figure(height=3.6)
    waves.accuracy(ax, machine["rows"], machine["goal"])
    return figure


@_drawn
def throughput(measurement: Mapping[str, Any]) -> Figure:
    """Draw runs and shots a second against workers, measured and modelled."""
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    from geolib.plots import style

    figure, axes = style.new_figure(1, 2, height=2.8)
    for ax, name, label in zip(
        axes, ("units_per_s", "shots_per_s"), ("runs", "shots"), strict=True
    ):
        seen, modelled = measurement["measured"], measurement["modelled"]
        one, most = modelled[0][name], modelled[-1]["workers"]
        bend = min(
            most, max(row[name] for row in modelled) / one
        )  # from here the scheduler is the limit
        ax.loglog([1, bend, most], [one, bend * one, modelled[-1][name]], "--", label="model")
        ax.loglog(
            [row["workers"] for row in seen], [row[name] for row in seen], "o", label="measured"
        )
        for side in (ax.xaxis, ax.yaxis):
            side.set_major_formatter(StrMethodFormatter("{x:g}"))
            side.set_minor_formatter(NullFormatter())
        ax.set(xlabel="workers", ylabel=f"{label} per second")
        ax.legend()
    return figure
