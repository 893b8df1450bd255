"""Figures of traces, critic scores and training curves, as functions of arrays and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import FixedLocator, LogLocator, MaxNLocator, NullFormatter

from geolib.plots.style import COLORS, FILM, PALETTE, gif, label_end

GENERATED, REAL, CRITIC = PALETTE["generated"], PALETTE["real"], PALETTE["critic"]
FLOOR, INK, AVERAGED = PALETTE["floor"], COLORS["black"], COLORS["sky"]
_BY_LABEL = {"generated": GENERATED, "generator": GENERATED, "real": REAL, "modelled": REAL, "critic": CRITIC}
_APART = [COLORS[name] for name in ("blue", "vermilion", "green", "purple", "orange", "sky")]


def layers(ax: Axes, shapes: Sequence[tuple[int, int]], title: str) -> Axes:
    """Draw what flows through a network: a box for each layer, as high as its channels and as wide as its length (log).

    Parameters
    ----------
    ax : Axes
        Where to draw.
    shapes : sequence of (channels, length)
        From input to output.
    title : str
        Name of the network.
    """
    left = 0.0
    for channels, length in shapes:
        width, height = 0.35 + np.log10(length), 0.3 + np.log10(channels)
        ax.add_patch(Rectangle((left, -height / 2), width, height, facecolor=COLORS["sky"], edgecolor=INK))
        ax.text(left + width / 2, -height / 2 - 0.1, f"{channels}\n×{length}", ha="center", va="top")
        left += width + 0.25
    ax.set(xlim=(-0.2, left), ylim=(-2.5, 1.7), title=title)
    ax.axis("off")
    return ax


def models(ax: Axes, velocity: np.ndarray, thickness: np.ndarray) -> Axes:
    """Draw layered models: velocity `(n, 4)` in m/s against depth, from thicknesses `(n, 3)` in m."""
    bottom = 1.1 * thickness.sum(axis=1).max()
    for color, v, h in zip(_APART, velocity, thickness, strict=False):
        depth = np.concatenate([[0], np.repeat(np.cumsum(h), 2), [bottom]])
        ax.plot(np.repeat(v, 2) / 1000, depth, color=color)
    ax.set(xlabel="velocity (km/s)", ylabel="depth (m)", ylim=(bottom, 0))
    return ax


def wiggles(ax: Axes, traces: np.ndarray, dt: float, color: str | None = None) -> Axes:
    """Draw traces `(n, nt)` sampled at `dt` seconds, one below the other, each in a colour of its own or all in one."""
    step = 1.2 * np.abs(traces).max()
    for index, trace in enumerate(traces):
        own = color or _APART[index % len(_APART)]
        ax.plot(np.arange(trace.size) * dt, trace - index * step, color=own, lw=0.9)
    ax.set(xlabel="time (s)", yticks=[], xlim=(0, traces.shape[1] * dt))
    return ax


def picked(ax: Axes, traces: np.ndarray, dt: float, events: tuple[np.ndarray, np.ndarray], share: float = 0.5) -> Axes:
    """Draw traces `(n, nt)` as `wiggles` does, each over its own largest amplitude, with its first event.

    Parameters
    ----------
    ax : Axes
        Where.
    traces : (n, nt) ndarray
        Sampled at `dt` seconds.
    dt : float
        Seconds.
    events : (times, polarities)
        Of each trace, in seconds, and +1, -1 or, where there is none, 0; its sign is written beside it.
    share : float
        Of the largest amplitude, from which an extremum is an event: the grey band ends there.
    """
    size = np.abs(traces).max(axis=1, keepdims=True)
    shown = traces / np.where(size > 0, size, 1.0)
    wiggles(ax, shown, dt)
    for index, (time, sign) in enumerate(zip(*events, strict=False)):
        if index >= len(shown):
            break
        level, own = -1.2 * index * np.abs(shown).max(), _APART[index % len(_APART)]
        ax.axhspan(level - share, level + share, color=FLOOR, alpha=0.2, lw=0)
        if sign:
            ax.plot(time, shown[index][round(time / dt)] + level, "o", color=own, ms=5)
            where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
            ax.annotate("+" if sign > 0 else "−", (1, level), (3, 0), color=own, weight="bold", va="center", **where)
    # What comes later is smaller, and not needed to judge a pick.
    last = np.nanmax(np.where(events[1] != 0, events[0], 0.0)[: len(shown)])
    ax.set_xlim(0, min(last + 0.5, traces.shape[1] * dt))
    return ax


def scored(axes: Sequence[Axes], traces: np.ndarray, scores: np.ndarray, dt: float, color: str) -> Sequence[Axes]:
    """Draw one trace `(n, nt)` in each panel with its score (the paper's Figure 2); return `axes`."""
    for ax, trace, score in zip(axes, traces, scores, strict=False):
        ax.plot(np.arange(trace.size) * dt, trace, color=color, lw=1)
        ax.text(0.98, 0.97, f"{score:.2f}".replace("-", "−"), transform=ax.transAxes, ha="right", va="top")
        ax.set(xlim=(0, trace.size * dt))
    return axes


def loss_curves(ax: Axes, curves: Mapping[str, np.ndarray], per_epoch: int) -> Axes:
    """Draw losses over epochs: the mean of each and a band of nine tenths of its iterations (the paper's Figure 3).

    Parameters
    ----------
    ax : Axes
        Where to draw; the scale is linear up to 10 and logarithmic beyond.
    curves : mapping of str to (iterations,) ndarray
        "generator" and "critic".
    per_epoch : int
        Iterations of an epoch.
    """
    for label, values in curves.items():
        by_epoch = values.reshape(-1, per_epoch)
        epoch = np.arange(1, len(by_epoch) + 1)
        low, high = np.quantile(by_epoch, [0.05, 0.95], axis=1)
        ax.fill_between(epoch, low, high, color=_BY_LABEL[label], alpha=0.25, lw=0)
        marker = "." if len(epoch) < 60 else ""
        (line,) = ax.plot(epoch, by_epoch.mean(axis=1), color=_BY_LABEL[label], marker=marker, label=label)
        label_end(ax, line)
    ax.set(xlabel="epoch", ylabel="loss")
    ax.set_yscale("symlog", linthresh=10)
    ticks = [0, 5, *(10.0**power for power in range(1, 9))]
    ax.yaxis.set_major_locator(FixedLocator(sorted({sign * tick for sign in (1, -1) for tick in ticks})))
    ax.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}".replace("-", "−"))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return ax


def departures(ax: Axes, curves: Mapping[str, np.ndarray], first: int) -> Axes:
    """Draw how far two losses' epoch means are from their own means, in deviations, from an epoch on; return `ax`."""
    for label, values in curves.items():
        ax.plot(first + np.arange(values.size), values, color=_BY_LABEL[label], label=label)
    ax.axhline(0, color=INK, lw=0.6)
    ax.set(xlabel="epoch", ylabel="standard deviations off its mean")
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return ax


def evolution(axes: Sequence[Axes], panels: Mapping[str, np.ndarray], dt: float) -> Sequence[Axes]:
    """Draw the same latents' traces `(n, nt)` at several epochs, real ones last (Figure 4); return `axes`."""
    names = list(panels)
    for ax, name in zip(axes, names, strict=False):
        wiggles(ax, panels[name], dt, REAL if name == names[-1] else GENERATED)
        ax.set_title(name)
    return axes


def score_distributions(ax: Axes, scores: Mapping[str, np.ndarray], lines: Mapping[str, float]) -> Axes:
    """Draw histogram and density of "generated" and "real" scores (Figure 5), and single scores as dashed lines."""
    import seaborn as sns

    low, high = np.quantile(np.concatenate(list(scores.values())), [0.002, 0.998])
    for label, values in scores.items():
        color = _BY_LABEL[label]
        bins = {"bins": 50, "binrange": (float(low), float(high))}
        sns.histplot(x=values, stat="density", color=color, alpha=0.25, linewidth=0, ax=ax, **bins)
        sns.kdeplot(x=values, color=color, ax=ax, clip=(float(low), float(high)))
        x, y = (np.asarray(each) for each in ax.lines[-1].get_data())
        peak = int(np.argmax(y))
        text = f"{label}, mean {values.mean():.2f}".replace("-", "−")
        ax.annotate(text, (x[peak], y[peak]), (6, 4), textcoords="offset points", color=color)
    for label, value in lines.items():
        ax.axvline(value, color=FLOOR, linestyle="--")
        text = f"{label}, {value:.2f} ".replace("-", "−")
        ax.text(value, 0.97, text, transform=ax.get_xaxis_transform(), ha="right", va="top", color=FLOOR)
    ax.set(xlabel="score", ylabel="density")
    ax.margins(y=0.12)
    return ax


def score_history(ax: Axes, history: np.ndarray, real: float) -> Axes:
    """Draw the mean score of each epoch's traces under one critic, over the mean of real ones (Figure 6)."""
    ax.plot(np.arange(1, history.size + 1), history, color=GENERATED, marker=".", label="generated, mean")
    ax.axhline(real, color=REAL, linestyle="--", label="real, mean")
    ax.set(xlabel="epoch of the generator", ylabel="critic score")
    ax.legend()
    return ax


def against_floor(
    ax: Axes, values: np.ndarray, floor: np.ndarray, label: str, averaged: np.ndarray | None = None, log: bool = False
) -> Axes:
    """Draw a measure `(epochs, sets)` over epochs with its spread, and the band that unseen real traces reach.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    values : (epochs, sets) ndarray
        Of generated traces.
    floor : (parts,) ndarray
        Of real ones.
    label : str
        Name of the measure.
    averaged : (epochs,) ndarray, optional
        Of the averaged generator.
    log : bool
        Draw on a logarithmic scale where all values are positive; of a band that is not, only the part that is.
    """
    epoch = np.arange(1, len(values) + 1)
    log = log and bool(values.min() > 0 and floor.max() > 0)
    low = max(floor.min(), floor.max() / 4) if log else floor.min()
    ax.axhspan(low, floor.max(), color=FLOOR, alpha=0.4, lw=0, label="other real traces")
    ax.fill_between(epoch, values.min(axis=1), values.max(axis=1), color=GENERATED, alpha=0.3, lw=0)
    marker = "." if len(epoch) < 60 else ""
    ax.plot(epoch, values.mean(axis=1), color=GENERATED, marker=marker, label="generated")
    if averaged is not None:
        ax.plot(epoch, averaged, color=AVERAGED, linestyle="--", label="generated, with a running\nmean of the weights")
    if log:
        ax.set_yscale("log")
        wide = values.max() > 30 * low
        ax.yaxis.set_major_locator(LogLocator(subs=(1.0,) if wide else (1.0, 3.0)))
        ax.yaxis.set_major_formatter("{x:g}")
        ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set(xlabel="epoch", title=label)
    ax.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    return ax


def drift(
    ax: Axes, shares: Mapping[int, tuple[float, float, float]], real: tuple[float, float, float], label: str
) -> Axes:
    """Draw shares over epochs with their intervals, and the interval of the share in real traces as a band.

    Parameters
    ----------
    ax : Axes
        Where to draw.
    shares : mapping of int to (value, low, high)
        By epoch.
    real : (value, low, high)
        Of real traces.
    label : str
        What is shared.
    """
    ax.axhspan(*real[1:], color=FLOOR, alpha=0.3, lw=0)
    ax.axhline(real[0], color=REAL, linestyle="--")
    ax.annotate("real", (1, real[0]), (4, 0), ("axes fraction", "data"), "offset points", va="center", color=REAL)
    if shares:
        value, low, high = np.array(list(shares.values())).T
        ends = [value - low, high - value]
        drawn = ax.errorbar(list(shares), value, ends, color=GENERATED, marker="o", ms=4, capsize=2, label="generated")
        label_end(ax, drawn.lines[0], "generated")
    ax.set(xlabel="epoch", ylabel=label, ylim=(0, 1))
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    return ax


def spectra(ax: Axes, curves: Mapping[str, np.ndarray], dt: float) -> Axes:
    """Draw mean amplitude spectra, "generated" and "real", of traces sampled at `dt` seconds."""
    for label, values in curves.items():
        ax.semilogy(np.fft.rfftfreq(2 * values.size - 1, dt), values, color=_BY_LABEL[label], label=label)
    ax.set(xlabel="frequency (Hz)", ylabel="mean amplitude")
    ax.legend()
    return ax


def events(ax: Axes, sets: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> Axes:
    """Draw histograms of first-event times (s) of "generated" and "real", negative polarity downwards."""
    bins = np.linspace(0, 2, 41)
    for label, (times, polarity) in sets.items():
        for sign in (1, -1):
            height, _ = np.histogram(times[polarity == sign], bins)
            name = label if sign == 1 else None
            ax.stairs(sign * height / times.size, bins, color=_BY_LABEL[label], label=name)
    ax.axhline(0, color=INK, lw=0.6)
    for offset, name, side in ((6, "positive", "bottom"), (-6, "negative", "top")):
        ax.annotate(name, (bins[-1], 0), (0, offset), textcoords="offset points", ha="right", va=side)
    ax.set(xlabel="time of the first event (s)", ylabel="share")
    ax.yaxis.set_major_formatter(lambda value, _: f"{abs(value):g}")
    if len(sets) > 1:
        ax.legend()
    return ax


def stops(ax: Axes, values: np.ndarray, epochs: Mapping[str, int | None]) -> Axes:
    """Draw a discrepancy over epochs, and the epochs at which rules stop; a rule that does not stop has no line."""
    ax.semilogy(np.arange(1, values.size + 1), values, color=GENERATED)
    colors = ("vermilion", "green", "purple")
    for name, dash, (label, epoch) in zip(colors, ("-", "--", ":"), epochs.items(), strict=False):
        if epoch is not None:
            ax.axvline(epoch, color=COLORS[name], linestyle=dash, label=label)
    ax.set(xlabel="epoch")
    return ax


def asked_obtained(ax: Axes, asked: np.ndarray, sets: Mapping[str, np.ndarray], label: str) -> Axes:
    """Draw what was obtained against what was asked for, "modelled" and "generated", over the line of equality.

    Of each set the middle 95 % are in the panel at least.
    """
    for name, values in sets.items():
        ax.plot(asked, values, ".", color=_BY_LABEL[name], ms=3, alpha=0.6, label=name)
    ends = [asked.min(), asked.max()]
    ax.plot(ends, ends, color=FLOOR, lw=0.8)
    margin = 0.3 * (ends[1] - ends[0])
    low, high = np.quantile(np.stack(list(sets.values())), [0.025, 0.975], axis=1)
    limits = min(ends[0] - margin, low.min()), max(ends[1] + margin, high.max())
    ax.set(xlabel=f"{label}, asked", ylabel=f"{label}, obtained", ylim=limits)
    return ax


def gathers(axes: Sequence[Axes], images: np.ndarray, dt: float, spacing: float) -> Sequence[Axes]:
    """Draw shot gathers `(n, nt, n_receivers)` in grey, every `dt` s and `spacing` m; return `axes`."""
    for ax, image in zip(axes, images, strict=False):
        half = image.shape[1] * spacing / 2000
        extent = (-half, half, image.shape[0] * dt, 0.0)
        ax.imshow(image, cmap="gray", vmin=-0.4, vmax=0.4, aspect="auto", extent=extent, interpolation="nearest")
    return axes


def film(frames: np.ndarray, dt: float, epochs: Sequence[int] | None = None) -> bytes:
    """Return an animated GIF of traces `(frames, n, nt)` sampled at `dt` seconds, numbered by `epochs` or 1, 2, ..."""
    numbers = list(epochs) if epochs is not None else list(range(1, len(frames) + 1))
    figure, ax = plt.subplots(figsize=(5, 3), dpi=FILM)

    def draw(index: int) -> None:
        ax.clear()
        wiggles(ax, frames[index], dt, GENERATED)
        ax.set_title(f"epoch {numbers[index]}")

    return gif(figure, range(len(frames)), draw, seconds=1 / 3)


def picks(ax: Axes, sizes: Sequence[int], rows: Mapping[str, np.ndarray], alone: np.ndarray) -> Axes:
    """Draw shares of right picks over numbers of labelled traces, a line for each way of training; return `ax`.

    Parameters
    ----------
    ax : Axes
        Where.
    sizes : sequence of int
        Labelled traces.
    rows : mapping of (k, 3) arrays
        By what a picker was trained on ("real", "altered", "both"): its share and the interval's ends, by size.
    alone : (3,) array
        The same of pickers that saw generated traces only.
    """
    styles = {
        "real": (REAL, "o-", "labelled traces"),
        "altered": (COLORS["orange"], "s-", "labelled, shifted and turned over"),
        "both": (GENERATED, "D-", "labelled and generated"),
    }
    for number, (name, found) in enumerate(rows.items()):
        color, line, label = styles[name]
        x = np.array(sizes) * 1.04 ** (number - 1)  # side by side, so that bars do not hide one another
        value, low, high = 100 * found.T
        ax.errorbar(x, value, [value - low, high - value], fmt=line, color=color, ms=4, lw=1.2, label=label)
    value, low, high = 100 * alone
    ax.axhspan(low, high, color=GENERATED, alpha=0.2, lw=0)
    where: dict[str, Any] = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
    ax.annotate("generated alone", (0, value), xytext=(4, 0), va="center", color=GENERATED, **where)
    ax.set(xscale="log", xlabel="labelled traces", ylabel="right picks (%)")
    ax.set_xticks(list(sizes), [f"{size:,}" for size in sizes])
    ax.minorticks_off()
    ax.legend()
    return ax
