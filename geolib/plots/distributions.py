"""Figures of the adversarial game: densities, discriminators, trainings, ablations and patches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from geolib.plots.style import COLORS, FACIES_MAP, gif

REAL, MADE, CRITIC = COLORS["green"], COLORS["vermilion"], COLORS["blue"]
X_LABEL = "x (standardised)"


def likelihood(axes: Sequence[Axes], unit: Mapping[str, Any]) -> None:
    """Draw the descent of the likelihood: densities on the way (left), loss and divergence (right)."""
    left, right = axes
    left.plot(unit["x"], unit["target"], color=REAL, lw=2.2, label="data")
    shades = plt.get_cmap("Oranges")(np.linspace(0.35, 0.9, len(unit["kept"])))
    for step, (index, fit) in enumerate(zip(unit["kept"], unit["fits"], strict=True)):
        if step % 4 == 0 or step == len(unit["kept"]) - 1:
            left.plot(unit["x"], fit, color=shades[step], lw=1.1, label=f"step {index}")
    ticks = unit["samples"][:200]
    left.plot(ticks, np.full(len(ticks), -0.01), "|", color=COLORS["black"], alpha=0.4)
    left.set(xlabel=X_LABEL, ylabel="density", xlim=(-5, 5), ylim=(-0.03, 0.54))
    left.legend(fontsize=8, ncols=2, loc="upper left")
    steps = np.arange(len(unit["loss"]))
    right.semilogy(steps, unit["divergence"], color=CRITIC, lw=2.4, label="KL(data || model)")
    gap = unit["expected_loss"] - unit["entropy"]
    right.semilogy(steps, gap, "--", color=COLORS["orange"], label="expected loss minus entropy")
    right.set(xlabel="gradient step", ylabel="nats", xlim=(0, 150))
    right.legend(fontsize=8)


def explicit_and_implicit(axes: Sequence[Axes], fit: Mapping[str, Any], gan: Mapping[str, Any]) -> None:
    """Draw an explicit model (a density with parameters) beside an implicit one (a mapping and what it produces)."""
    left, right = axes
    left.plot(fit["x"], fit["target"], color=REAL, lw=2.2, label="data")
    left.plot(fit["x"], fit["fits"][-1], color=MADE, label="explicit: fitted mixture")
    left.stairs(gan["densities"][-1], _edges(gan["x"]), color=CRITIC, label="implicit: histogram of G(z)")
    left.set(xlabel=X_LABEL, ylabel="density", xlim=(-5, 5))
    left.legend(fontsize=8, loc="upper right")
    left.set_ylim(top=1.35 * left.get_ylim()[1])
    right.plot(gan["z"], gan["mapping"], color=CRITIC)
    right.set(xlabel="latent number z (standard normal)", ylabel="G(z)")


def _edges(centres: np.ndarray) -> np.ndarray:
    step = centres[1] - centres[0]
    return np.append(centres - step / 2, centres[-1] + step / 2)


def discriminator(axes: Sequence[Axes], unit: Mapping[str, Any]) -> None:
    """Draw a trained discriminator on the closed form (left) and its error over the training (right)."""
    left, right = axes
    left.fill_between(unit["x"], unit["target"], color=REAL, alpha=0.25, label="data density")
    left.fill_between(unit["x"], unit["generated"], color=MADE, alpha=0.25, label="generated density")
    left.plot(unit["x"], unit["optimal"], color=COLORS["black"], lw=2.6, label="p / (p + q)")
    for index in (2, 4, -1):
        share = {2: 0.35, 4: 0.6, -1: 1.0}[index]
        label = f"trained, step {unit['steps'][index]}"
        left.plot(unit["x"], unit["curves"][index], color=CRITIC, alpha=share, lw=1.2, label=label)
    left.set(xlabel=X_LABEL, ylabel="discriminator D(x)", xlim=(-6, 6), ylim=(0, 1.75))
    left.legend(fontsize=7, loc="upper left", ncols=2)
    right.loglog(np.maximum(unit["steps"], 1), unit["errors"], "o-", color=CRITIC)
    right.set(xlabel="training step", ylabel="mean |D - D*|")


def values(axes: Sequence[Axes], unit: Mapping[str, Any]) -> None:
    """Draw the maximum of the value over discriminators (left) and its minimum over generators (right)."""
    left, right = axes
    left.plot(unit["bends"], unit["bent_values"], color=CRITIC)
    left.plot(0, unit["closed_form"], "o", color=COLORS["black"], label="-log 4 + 2 JSD")
    left.set(xlabel="bend b of the score: log(p/q) + b sin x", ylabel="value V(G, D)")
    left.legend(fontsize=8)
    right.plot(unit["shares"], unit["share_values"], color=MADE)
    right.plot(1, -np.log(4), "o", color=COLORS["black"], label="-log 4")
    right.set(xlabel="share of the data in the generator", ylabel="value at the best D")
    right.legend(fontsize=8)


def starvation(axis: Axes, unit: Mapping[str, Any]) -> None:
    """Draw the push on a generator against its distance from the data for the three losses."""
    shifts = unit["shifts"][1:]
    axis.semilogy(shifts, unit["non_saturating"][1:], color=COLORS["orange"], label="non-saturating: ascend log D")
    axis.semilogy(shifts, unit["saturating"][1:], color=CRITIC, label="saturating: descend log(1 - D)")
    axis.axhline(1.0, color=REAL, ls="--", label="Wasserstein")
    axis.set(xlabel="distance of the two normal distributions (standard deviations)", ylabel="push on the generator")
    axis.legend(fontsize=8)


def bilinear(axes: Sequence[Axes], unit: Mapping[str, Any], steps: int = 60) -> None:
    """Draw the paths of both players (left) and their distance from the equilibrium (right)."""
    left, right = axes
    colors = [COLORS[c] for c in ("vermilion", "orange", "blue", "green", "purple")]
    for method, path, distance, color in zip(
        unit["methods"].tolist(), unit["paths"], unit["distance"], colors, strict=True
    ):
        left.plot(*path[:steps].T, color=color, lw=1.1, label=method)
        right.semilogy(distance, color=color, label=method)
    left.plot(0, 0, "+", color=COLORS["black"], ms=9)
    left.set(xlabel="x, the minimiser", ylabel="y, the maximiser", aspect="equal", xlim=(-3.2, 3.2), ylim=(-3.2, 3.2))
    right.set(xlabel="step", ylabel="distance from the equilibrium", xlim=(0, 300), ylim=(1e-4, 1e6))
    right.legend(fontsize=8, ncols=2, loc="upper left")


def game(axis: Axes, unit: Mapping[str, Any], frame: int) -> None:
    """Draw one moment of the training: data density, generated density, trained and optimal discriminator."""
    x, made = unit["x"], unit["densities"][frame]
    axis.fill_between(x, unit["target"], color=REAL, alpha=0.3, label="data density")
    axis.stairs(made, _edges(x), color=MADE, lw=1.2, label="generated density")
    axis.plot(x, unit["curves"][frame], color=CRITIC, label="discriminator D")
    supported = unit["target"] + made > 1e-3
    best = np.where(supported, unit["optimal"][frame], np.nan)
    axis.plot(x, best, ":", color=COLORS["black"], label="best D = p / (p + q)")
    axis.axhline(0.5, color=COLORS["black"], lw=0.6)
    axis.set(xlabel=X_LABEL, xlim=(-5, 5), ylim=(0, 1.02))
    axis.set_title(f"step {unit['frames'][frame]}")


def legend_above(figure: Figure, axis: Axes, columns: int = 4) -> None:
    """Put the legend of one axis above the whole figure, where it hides nothing."""
    handles, labels = axis.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=columns, fontsize=8)


def history(axes: Sequence[Axes], unit: Mapping[str, Any]) -> None:
    """Draw the distance to the data (left) and the discriminator's accuracy (right) over the training."""
    left, right = axes
    steps = np.maximum(unit["frames"], 1)
    left.loglog(steps, unit["history"][:, 0], color=MADE, label="Wasserstein-1 distance")
    left.loglog(steps, unit["history"][:, 1], color=CRITIC, label="Jensen-Shannon divergence (nats)")
    left.set(xlabel="generator step", ylabel="distance of G(z) from the data")
    left.legend(fontsize=8)
    right.semilogx(steps, unit["history"][:, 3], color=CRITIC)
    right.axhline(0.5, color=COLORS["black"], lw=0.8, ls="--", label="guessing")
    right.set(xlabel="generator step", ylabel="discriminator's accuracy", ylim=(0.45, 1.0))
    right.legend(fontsize=8)


def animation(unit: Mapping[str, Any], frames: Sequence[int], *, dpi: int = 80, seconds: float = 0.16) -> bytes:
    """Return a looping GIF of the training, one picture for each of the given frames.

    Parameters
    ----------
    unit : mapping
        The `mixture` unit.
    frames : sequence of int
        Which of its frames.
    dpi : int
        Resolution; 80 gives 512 x 288 pixels.
    seconds : float
        Time per picture.

    Returns
    -------
    bytes
        The file, of about 5 kB per picture.
    """
    figure = plt.figure(figsize=(6.4, 3.6), dpi=dpi, layout="constrained")

    def draw(frame: int) -> None:
        figure.clear()
        axis = figure.subplots()
        game(axis, unit, frame)
        legend_above(figure, axis)
        axis.set_ylabel("density, D")

    return gif(figure, frames, draw, seconds=seconds, rest=1.5, colors=32)


def effects(
    axes: Sequence[Axes], rows: Sequence[tuple[str, str, Mapping[str, Any]]], outcomes: Mapping[str, str]
) -> None:
    """Draw effects with their intervals, one axis for each outcome, tricks downwards, colour by data."""
    tricks = list(dict.fromkeys(trick for _, trick, _ in rows))
    data = list(dict.fromkeys(where for where, _, _ in rows))
    for axis, (outcome, label) in zip(axes, outcomes.items(), strict=True):
        for where, trick, found in rows:
            if outcome not in found:
                continue
            place = tricks.index(trick) + 0.24 * (data.index(where) - 0.5 * (len(data) - 1))
            measure = found[outcome]
            color = (CRITIC, MADE)[data.index(where)]
            axis.plot(measure.value, place, "o", color=color, ms=4, label=where if trick == tricks[0] else None)
            if measure.low is not None:
                axis.plot([measure.low, measure.high], [place, place], color=color)
        ratio = outcome in ("distance", "unrest", "time", "equal_cost")
        axis.axvline(1.0 if ratio else 0.0, color=COLORS["black"], lw=0.8)
        if ratio:
            axis.set_xscale("log")
            axis.set_xlim(0.08, 12)
            axis.set_xticks([0.1, 0.3, 1, 3, 10], ["0.1", "0.3", "1", "3", "10"])
            axis.minorticks_off()
        else:
            axis.set_xlim(-0.45, 0.45)
        axis.set_yticks(range(len(tricks)), [t.replace("_", " ") for t in tricks] if axis is axes[0] else [])
        axis.invert_yaxis()
        axis.set_xlabel(label)


def divergences(axes: Sequence[Axes], unit: Mapping[str, Any]) -> None:
    """Draw both divergences of two disjoint lines against their gap (left) and the push they give (right)."""
    left, right = axes
    left.plot(unit["gaps"], unit["wasserstein"], "o-", color=REAL, label="Wasserstein, trained critic")
    left.plot(unit["gaps"], unit["wasserstein_closed_form"], ":", color=COLORS["black"], label="closed form")
    left.plot(unit["gaps"], unit["js"], "s-", color=CRITIC, label="Jensen-Shannon, trained D")
    left.axhline(np.log(2), color=COLORS["black"], lw=0.7, ls="--", label="log 2")
    left.set(xlabel="gap between the lines", ylabel="divergence")
    left.legend(fontsize=8)
    right.semilogy(unit["gaps"], unit["wasserstein_push"], "o-", color=REAL, label="Wasserstein")
    right.semilogy(unit["gaps"], unit["js_push"], "s-", color=CRITIC, label="minimax (saturating)")
    right.set(xlabel="gap between the lines", ylabel="push on the generator")
    right.legend(fontsize=8)


def convergence(axes: Sequence[Axes], trace: np.ndarray, gain: np.ndarray, floor: float, names: Sequence[str]) -> None:
    """Draw the distance to held-out patches over the training (left) and the critic's gain against it (right)."""
    left, right = axes
    for index, (name, color) in enumerate(zip(names, (CRITIC, REAL), strict=True)):
        share = np.linspace(0, 1, trace.shape[1] + 1)[1:]
        left.plot(share, trace[index], "o-", ms=3, color=color, label=name)
        right.plot(gain[index] / np.abs(gain[index]).max(), trace[index], "o", ms=4, color=color, label=name)
    left.axhline(floor, color=COLORS["black"], lw=0.8, ls="--", label="two sets of real patches")
    left.set(
        xlabel="share of the training (1: its end)",
        ylabel="sliced Wasserstein-2 distance",
        ylim=(0, 1.35 * trace.max()),
    )
    left.legend(fontsize=8, loc="upper left")
    right.set(xlabel="critic's gain over its largest size", ylabel="sliced Wasserstein-2 distance", ylim=(0, None))
    right.legend(fontsize=8)


def patch_rows(figure: Figure, axes: Sequence[Axes], samples: np.ndarray, labels: Sequence[str]) -> None:
    """Draw rows of patches `(row, n, size, size)` in [-1, 1], each row one image with its label on the left."""
    for axis, row, label in zip(axes, samples, labels, strict=True):
        # A white line between patches, as between photographs in an album.
        framed = np.pad(row, ((0, 0), (0, 0), (0, 1)), constant_values=np.nan)
        axis.imshow(np.concatenate(list(framed), axis=1)[:, :-1], cmap=FACIES_MAP, vmin=-1, vmax=1, aspect="equal")
        axis.set_xticks([])
        axis.set_yticks([])
        axis.grid(False)
        axis.spines[:].set_visible(False)
        axis.set_ylabel(label, rotation=0, ha="right", va="center", fontsize=8)
    figure.align_ylabels(list(axes))


def variograms(axes: Sequence[Axes], curves: np.ndarray, names: Sequence[str], spacing: float = 1.0) -> None:
    """Draw mean indicator variograms `(set, axis, lag)` along z (left) and x (right)."""
    colors = (COLORS["black"], REAL, MADE)
    for index, (axis, title) in enumerate(zip(axes, ("vertical", "horizontal"), strict=True)):
        for curve, name, color in zip(curves, names, colors, strict=True):
            axis.plot(spacing * np.arange(1, curve.shape[-1] + 1), curve[index], color=color, label=name)
        axis.set(xlabel=f"{title} lag (pixels)", ylabel="indicator variogram", ylim=(0, None))
    axes[0].legend(fontsize=8)


def asked_and_obtained(axis: Axes, asked: np.ndarray, obtained: np.ndarray) -> None:
    """Draw obtained against asked channel proportions, every sample and the mean of each level."""
    axis.plot(asked, obtained, ".", color=CRITIC, alpha=0.25, ms=4)
    levels = np.unique(asked)
    means = [obtained[asked == level].mean() for level in levels]
    spread = [obtained[asked == level].std() for level in levels]
    axis.errorbar(levels, means, spread, fmt="o", color=MADE, capsize=3, label="mean and standard deviation")
    axis.plot([0, 0.65], [0, 0.65], color=COLORS["black"], lw=0.8, label="what was asked")
    axis.set(xlabel="asked channel proportion", ylabel="obtained proportion", xlim=(0.05, 0.55), ylim=(0, 0.75))
    axis.legend(fontsize=8, loc="upper left")


def information(axes: Sequence[Axes], unit: Mapping[str, Any]) -> None:
    """Draw the information bound with and without its term (left) and the code against the proportion (right)."""
    left, right = axes
    share = np.linspace(0, 1, unit["bound"].shape[1] + 1)[1:]
    left.plot(share, unit["bound"][0], "o-", ms=3, color=REAL, label="with the information term")
    left.plot(share, unit["bound"][1], "s-", ms=3, color=COLORS["orange"], label="without")
    left.axhline(0, color=COLORS["black"], lw=0.8)
    low, high = np.nanmin(unit["bound"]), np.nanmax(unit["bound"])
    left.set(xlabel="share of the training (1: its end)", ylabel="lower bound of I(c; x) (nats)")
    # Room for the legend; single records of a bound can plunge while the reader catches up.
    left.set_ylim(max(low, -1.0) - 0.1, high + 0.45 * (high - max(low, -1.0)) + 0.1)
    left.legend(fontsize=8, loc="upper left")
    right.plot(unit["code"], unit["proportion"], ".", color=CRITIC, ms=4)
    right.set(xlabel="code c", ylabel="channel proportion of G(z, c)")
