"""Figures of traces, critic scores and training curves, as functions of arrays and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator
from scipy import stats

from geolib.plots.style import COLORS, gif

GENERATED, REAL = COLORS["blue"], COLORS["orange"]
_BY_LABEL = {"generated": GENERATED, "generator": GENERATED, "real": REAL, "critic": REAL}


def layers(axis: Axes, shapes: Sequence[tuple[int, int]], title: str) -> None:
    """Draw what flows through a network: a box for each layer, as high as its channels and as wide as its length (log).

    Parameters
    ----------
    axis : Axes
        Where to draw.
    shapes : sequence of (channels, length)
        From input to output.
    title : str
        Name of the network.
    """
    left = 0.0
    for channels, length in shapes:
        width, height = 0.35 + np.log10(length), 0.3 + np.log10(channels)
        axis.add_patch(Rectangle((left, -height / 2), width, height, facecolor=COLORS["sky"], edgecolor="black"))
        axis.text(left + width / 2, -height / 2 - 0.1, f"{channels}\n×{length}", ha="center", va="top", fontsize=8)
        left += width + 0.25
    axis.set(xlim=(-0.2, left), ylim=(-2.5, 1.7), title=title)
    axis.axis("off")


def models(axis: Axes, velocity: np.ndarray, thickness: np.ndarray) -> None:
    """Draw layered models: velocity `(n, 4)` in m/s against depth, from thicknesses `(n, 3)` in m."""
    colors = [COLORS[name] for name in ("blue", "vermilion", "green", "purple", "orange", "sky")]
    bottom = 1.1 * thickness.sum(axis=1).max()
    for color, v, h in zip(colors, velocity, thickness, strict=False):
        depth = np.concatenate([[0], np.repeat(np.cumsum(h), 2), [bottom]])
        axis.plot(np.repeat(v, 2) / 1000, depth, color=color)
    axis.set(xlabel="velocity (km/s)", ylabel="depth (m)", ylim=(bottom, 0))


def wiggles(axis: Axes, traces: np.ndarray, dt: float, color: str | None = None) -> None:
    """Draw traces `(n, nt)` sampled at `dt` seconds, one below the other, each in a colour of its own or all in one."""
    order = [COLORS[name] for name in ("blue", "vermilion", "green", "purple", "orange", "sky")]
    step = 1.2 * np.abs(traces).max()
    for index, trace in enumerate(traces):
        axis.plot(np.arange(trace.size) * dt, trace - index * step, color=color or order[index % len(order)], lw=0.9)
    axis.set(xlabel="time (s)", yticks=[], xlim=(0, traces.shape[1] * dt))


def scored(axes: Sequence[Axes], traces: np.ndarray, scores: np.ndarray, dt: float, color: str) -> None:
    """Draw one trace `(n, nt)` in each axis with its critic score in the upper right corner (Figure 2 of the paper)."""
    for axis, trace, score in zip(axes, traces, scores, strict=False):
        axis.plot(np.arange(trace.size) * dt, trace, color=color, lw=1)
        axis.text(0.98, 0.97, f"{score:.2f}", transform=axis.transAxes, ha="right", va="top", fontsize=8)
        axis.set(xlim=(0, trace.size * dt))
        axis.tick_params(labelsize=7)


def loss_curves(axis: Axes, curves: Mapping[str, np.ndarray], per_epoch: int) -> None:
    """Draw loss curves over epochs: every iteration pale, the mean of each epoch strong (Figure 3 of the paper).

    Parameters
    ----------
    axis : Axes
        Where to draw.
    curves : mapping of str to (iterations,) ndarray
        "generator" (blue) and "critic" (orange, as in the paper).
    per_epoch : int
        Iterations of an epoch.
    """
    for label, values in curves.items():
        color = _BY_LABEL[label]
        epoch = (np.arange(values.size) + 1) / per_epoch
        means = values.reshape(-1, per_epoch).mean(axis=1)
        axis.plot(epoch, values, color=color, alpha=0.3, lw=0.6)
        axis.plot(
            np.arange(1, means.size + 1) - 0.5, means, color=color, marker="." if means.size < 60 else "", label=label
        )
    axis.set(xlabel="epoch", ylabel="loss")
    axis.legend()


def evolution(axes: Sequence[Axes], panels: Mapping[str, np.ndarray], dt: float) -> None:
    """Draw the same latents' traces `(n, nt)` at several epochs, one panel each, real ones last (Figure 4)."""
    names = list(panels)
    for axis, name in zip(axes, names, strict=False):
        wiggles(axis, panels[name], dt, REAL if name == names[-1] else GENERATED)
        axis.set_title(name)


def score_histogram(axis: Axes, scores: Mapping[str, np.ndarray], lines: Mapping[str, float]) -> None:
    """Draw histogram and density of "generated" and "real" scores (Figure 5), and single scores as vertical lines."""
    both = np.concatenate(list(scores.values()))
    low, high = np.quantile(both, [0.002, 0.998])
    bins = np.linspace(float(low), float(high), 50)
    for label, values in scores.items():
        color = _BY_LABEL[label]
        axis.hist(values, bins=bins.tolist(), density=True, color=color, alpha=0.35)
        axis.plot(bins, stats.gaussian_kde(values)(bins), color=color, label=f"{label}, mean {values.mean():.3f}")
    for style, (label, value) in zip((":", "--", "-."), lines.items(), strict=False):
        axis.axvline(value, color="black", linestyle=style, label=f"{label}, {value:.3f}")
    axis.set(xlabel="critic score", ylabel="density")
    axis.legend(fontsize=8)


def score_history(axis: Axes, history: np.ndarray, real: float) -> None:
    """Draw the mean score of each epoch's traces under one critic, over the mean of real ones (Figure 6)."""
    axis.plot(np.arange(1, history.size + 1), history, color=GENERATED, marker=".", label="generated, mean")
    axis.axhline(real, color="grey", linestyle="--", label="real, mean")
    axis.set(xlabel="epoch of the generator", ylabel="critic score")
    axis.legend()


def against_floor(axis: Axes, values: np.ndarray, floor: np.ndarray, label: str) -> None:
    """Draw a measure `(epochs, sets)` over epochs with its spread, and the band that unseen real traces reach."""
    epoch = np.arange(1, len(values) + 1)
    axis.axhspan(floor.min(), floor.max(), color=REAL, alpha=0.4, label="real traces")
    axis.fill_between(epoch, values.min(axis=1), values.max(axis=1), color=GENERATED, alpha=0.3)
    axis.plot(epoch, values.mean(axis=1), color=GENERATED, marker="." if len(epoch) < 60 else "", label="generated")
    axis.set(xlabel="epoch", title=label)
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def spectra(axis: Axes, curves: Mapping[str, np.ndarray], dt: float) -> None:
    """Draw mean amplitude spectra, "generated" and "real", of traces sampled at `dt` seconds."""
    for label, values in curves.items():
        color = _BY_LABEL[label]
        axis.semilogy(np.fft.rfftfreq(2 * values.size - 1, dt), values, color=color, label=label)
    axis.set(xlabel="frequency (Hz)", ylabel="mean amplitude")
    axis.legend()


def events(axis: Axes, sets: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> None:
    """Draw histograms of first-event times (s) of "generated" and "real", negative polarity downwards."""
    bins = np.linspace(0, 2, 41)
    for label, (times, polarity) in sets.items():
        color = _BY_LABEL[label]
        for sign in (1, -1):
            height, _ = np.histogram(times[polarity == sign], bins)
            axis.stairs(sign * height / times.size, bins, color=color, label=label if sign == 1 else None)
    axis.axhline(0, color="black", lw=0.6)
    axis.set(xlabel="time of the first event (s)", ylabel="share, − for negative polarity")
    axis.legend()


def stops(axis: Axes, values: np.ndarray, epochs: Mapping[str, int | None]) -> None:
    """Draw a discrepancy over epochs, and the epochs at which rules stop; a rule that does not stop has no line."""
    axis.semilogy(np.arange(1, values.size + 1), values, color=GENERATED)
    colors = ("vermilion", "green", "purple")
    for name, dash, (label, epoch) in zip(colors, ("-", "--", ":"), epochs.items(), strict=False):
        if epoch is not None:
            axis.axvline(epoch, color=COLORS[name], linestyle=dash, label=label)
    axis.set(xlabel="epoch")


def asked_obtained(axis: Axes, asked: np.ndarray, sets: Mapping[str, np.ndarray], label: str) -> None:
    """Draw what was obtained against what was asked for, "real" and "generated", over the line of equality."""
    for name, values in sets.items():
        axis.plot(asked, values, ".", color=_BY_LABEL[name], ms=3, alpha=0.6, label=name)
    ends = [asked.min(), asked.max()]
    axis.plot(ends, ends, color="black", lw=0.8)
    margin = 0.3 * (ends[1] - ends[0])
    axis.set(xlabel=f"{label}, asked", ylabel=f"{label}, obtained", ylim=(ends[0] - margin, ends[1] + margin))


def gathers(axes: Sequence[Axes], images: np.ndarray, dt: float, spacing: float) -> None:
    """Draw shot gathers `(n, nt, n_receivers)` sampled at `dt` seconds, receivers `spacing` metres apart, in grey."""
    for axis, image in zip(axes, images, strict=False):
        half = image.shape[1] * spacing / 2000
        extent = (-half, half, image.shape[0] * dt, 0.0)
        axis.imshow(image, cmap="gray", vmin=-0.4, vmax=0.4, aspect="auto", extent=extent, interpolation="nearest")
        axis.tick_params(labelsize=7)


def film(frames: np.ndarray, dt: float, epochs: Sequence[int] | None = None) -> bytes:
    """Return an animated GIF of traces `(frames, n, nt)` sampled at `dt` seconds, numbered by `epochs` or 1, 2, ..."""
    numbers = list(epochs) if epochs is not None else list(range(1, len(frames) + 1))
    figure, axis = plt.subplots(figsize=(5, 3), dpi=90)

    def draw(index: int) -> None:
        axis.clear()
        wiggles(axis, frames[index], dt, GENERATED)
        axis.set_title(f"epoch {numbers[index]}")

    return gif(figure, range(len(frames)), draw, seconds=1 / 3)
