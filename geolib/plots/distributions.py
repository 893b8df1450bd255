"""Figures of the adversarial game in one dimension: densities, discriminators, trainings, steps of both players."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from geolib.plots.absent import nothing
from geolib.plots.style import COLORS, FILM, INK, PALETTE, gif, headline, label_end

REAL, MADE, CRITIC = PALETTE["real"], PALETTE["generated"], PALETTE["critic"]
X_LABEL = "x"
GAMES = {
    "simultaneous": COLORS["vermilion"],
    "alternating": COLORS["orange"],
    "averaged": COLORS["purple"],
    "extragradient": COLORS["blue"],
    "damped": COLORS["green"],
}


def legend_below(ax: Axes, columns: int = 4) -> Axes:
    """Put the legend of one panel below its whole figure, where it hides nothing; return `ax`."""
    handles, labels = ax.get_legend_handles_labels()
    ax.figure.legend(handles, labels, loc="outside lower left", ncols=columns)
    return ax


def _label(ax: Axes, x: float, y: float, text: str, color: str, place: tuple[float, float] = (3, 3)) -> None:
    ax.annotate(
        text,
        (x, y),
        place,
        textcoords="offset points",
        color=color,
        ha="left" if place[0] >= 0 else "right",
        va="bottom" if place[1] >= 0 else "top",
    )


def likelihood(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw the descent of the likelihood: densities on the way (left), loss and divergence (right); return `axes`."""
    left, right = axes
    left.fill_between(unit["x"], unit["target"], color=REAL, alpha=0.2, lw=0, label="data")
    shades = plt.get_cmap("Blues")(np.linspace(0.4, 0.95, len(unit["kept"])))
    for step, (index, fit) in enumerate(zip(unit["kept"], unit["fits"], strict=True)):
        if step % 4 == 0 or step == len(unit["kept"]) - 1:
            left.plot(unit["x"], fit, color=shades[step], lw=1.1, label=f"step {index}")
    ticks = unit["samples"][:200]
    left.plot(ticks, np.full(len(ticks), -0.01), "|", color=INK, alpha=0.4)
    left.set(xlabel=X_LABEL, ylabel="density", xlim=(-5, 5), ylim=(-0.03, 0.54))
    left.legend(ncols=2, loc="upper left")
    steps = np.arange(len(unit["loss"]))
    right.semilogy(steps, unit["divergence"], color=CRITIC, lw=2.4, label="KL(data || model)")
    gap = unit["expected_loss"] - unit["entropy"]
    right.semilogy(steps, gap, "--", color=COLORS["orange"], label="expected loss minus entropy")
    right.set(xlabel="gradient step", ylabel="nats", xlim=(0, 150))
    right.legend()
    return axes


def explicit_and_implicit(axes: Sequence[Axes], fit: Mapping[str, Any], gan: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw an explicit model (a density) beside an implicit one (a mapping and what it makes); return `axes`."""
    left, right = axes
    left.fill_between(fit["x"], fit["target"], color=REAL, alpha=0.2, lw=0, label="data")
    left.plot(fit["x"], fit["fits"][-1], color=COLORS["orange"], label="explicit: fitted mixture")
    left.stairs(gan["densities"][-1], _edges(gan["x"]), color=MADE, label="implicit: histogram of G(z)")
    left.set(xlabel=X_LABEL, ylabel="density", xlim=(-5, 5))
    left.legend(loc="upper right")
    left.set_ylim(top=1.35 * left.get_ylim()[1])
    right.plot(gan["z"], gan["mapping"], color=MADE)
    right.set(xlabel="latent number z (standard normal)", ylabel="G(z)")
    return axes


def _edges(centres: np.ndarray) -> np.ndarray:
    step = centres[1] - centres[0]
    return np.append(centres - step / 2, centres[-1] + step / 2)


def discriminator(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw a trained discriminator on the closed form (left), its errors over the training (right); return `axes`."""
    left, right = axes
    left.fill_between(unit["x"], unit["target"], color=REAL, alpha=0.2, lw=0, label="data")
    left.fill_between(unit["x"], unit["generated"], color=MADE, alpha=0.2, lw=0, label="generated")
    left.plot(unit["x"], unit["optimal"], ":", color=INK, lw=2.4, label=r"best: $P_{data}/(P_{data} + P_g)$")
    for index in (2, 4, -1):
        share = {2: 0.35, 4: 0.6, -1: 1.0}[index]
        label = f"trained, step {unit['steps'][index]}"
        left.plot(unit["x"], unit["curves"][index], color=CRITIC, alpha=share, lw=1.2, label=label)
    left.set(xlabel=X_LABEL, ylabel="answer D(x); densities", xlim=(-6, 6), ylim=(0, 1.02))
    legend_below(left, 3)
    steps = np.maximum(unit["steps"], 1)
    right.loglog(steps, unit["errors"], "o-", color=CRITIC)
    _label(right, steps[3], unit["errors"][3], "answer: mean |D - D*|", CRITIC, (-3, -12))
    right.loglog(steps, unit["pull_errors"], "s-", color=COLORS["orange"])
    _label(right, steps[3], unit["pull_errors"][3], "slope: relative error", COLORS["orange"], (-3, -12))
    right.set(xlabel="training step", ylabel="error")
    return axes


def values(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw the value's maximum over discriminators (left) and its minimum over generators (right); return `axes`."""
    left, right = axes
    left.plot(unit["bends"], unit["bent_values"], color=CRITIC)
    left.plot(0, unit["closed_form"], "o", color=INK, label="-log 4 + 2 JSD")
    left.set(xlabel=r"bend b of the score: $\log(P_{data}/P_g)$ + b sin x", ylabel="value V(G, D)")
    left.legend()
    right.plot(unit["shares"], unit["share_values"], color=MADE)
    right.plot(1, -np.log(4), "o", color=INK, label="-log 4")
    right.set(xlabel="share of the data in the generator", ylabel="value at the best D")
    right.legend()
    return axes


def pushes(axes: Sequence[Axes], normal: Mapping[str, Any], lines: Sequence[Mapping[str, Any]]) -> Sequence[Axes]:
    """Draw the push on a generator against its distance from the data, by the loss; return `axes`.

    Parameters
    ----------
    axes : sequence of Axes
        Two: normal distributions under the best discriminator; lines that share no point, under trained critics.
    normal : mapping
        The unit `starvation`.
    lines : sequence of mapping
        The units `wgan`, one for each seed; a page may lack them.
    """
    left, right = axes
    shifts = normal["shifts"][1:]
    curves = {"non-saturating": normal["non_saturating"][1:], "minimax": normal["saturating"][1:]}
    for name, push in {**curves, "Wasserstein": np.ones(len(shifts))}.items():
        left.semilogy(shifts, push, color=PALETTE[name])
        _label(
            left,
            shifts[22],
            push[22],
            name,
            PALETTE[name],
            (3, -3) if name == "Wasserstein" else (-20, 6) if name == "non-saturating" else (3, 3),
        )
    left.set(xlabel="distance of two normal densities", ylabel="push on the generator", ylim=(2e-6, 60))
    left.set_title("the best discriminator")
    if not lines:
        nothing(right, "The Wasserstein GAN was not run\nwith these parameters.")
        return axes
    gaps = lines[0]["gaps"]
    for name, key in (("Wasserstein", "wasserstein_push"), ("minimax", "js_push")):
        seeds = np.stack([unit[key] for unit in lines])
        right.semilogy(gaps, seeds.mean(0), color=PALETTE[name])
        for each in seeds:
            right.semilogy(gaps, each, "o", color=PALETTE[name], ms=3, alpha=0.6)
        _label(right, gaps[-1], seeds.mean(0)[-1], name, PALETTE[name], (-3, 6))
    right.set(xlabel="gap between two lines", ylabel="push on the generator", ylim=(2e-6, 60))
    right.set_title("trained networks, no overlap")
    return axes


def bilinear(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw the paths of both players (left) and their distance from the equilibrium (right); return `axes`."""
    left, right = axes
    steps, last, lowest = 60, 300, 1e-4
    for method, path, distance in zip(unit["methods"].tolist(), unit["paths"], unit["distance"], strict=True):
        left.plot(*path[:steps].T, color=GAMES[method], lw=1.1)
        # A curve that leaves the panel is named where it does, the others at its edge.
        far = np.flatnonzero(distance[: last + 1] < lowest)
        (line,) = right.semilogy(distance[: last + 1], color=GAMES[method])
        if far.size:
            _label(right, far[0], lowest, method, GAMES[method])
        else:
            label_end(right, line, method)
    left.plot(0, 0, "+", color=INK, ms=9)
    left.set(xlabel="x, the minimiser", ylabel="y, the maximiser", aspect="equal", xlim=(-3.2, 3.2), ylim=(-3.2, 3.2))
    right.set(xlabel="step", ylabel="distance from the equilibrium", xlim=(0, last), ylim=(lowest, 1e3))
    return axes


def game(ax: Axes, unit: Mapping[str, Any], frame: int) -> Axes:
    """Draw one moment of the training: both densities, trained and optimal discriminator; return `ax`."""
    x, made = unit["x"], unit["densities"][frame]
    ax.fill_between(x, unit["target"], color=REAL, alpha=0.2, lw=0, label="data")
    ax.stairs(made, _edges(x), color=MADE, lw=1.2, label="generated")
    ax.plot(x, unit["curves"][frame], color=CRITIC, label="discriminator D")
    supported = unit["target"] + made > 1e-3
    best = np.where(supported, unit["optimal"][frame], np.nan)
    ax.plot(x, best, ":", color=INK, label=r"best D = $P_{data}/(P_{data} + P_g)$")
    ax.axhline(0.5, color=INK, lw=0.6)
    ax.set(xlabel=X_LABEL, xlim=(-5, 5), ylim=(0, 1.02))
    if (peak := float(made.max())) > 1.02:
        where = x[int(made.argmax())]
        _label(ax, where, 1.0, f"up to {peak:.2g}", MADE, (8 if where < 0 else -8, -14))
    ax.set_title(f"step {unit['frames'][frame]}: {unit['history'][frame, 1]:.2g} nats from the data")
    return ax


def moments(unit: Mapping[str, Any], title: str) -> Figure:
    """Return a figure of a training at four moments, under a title."""
    figure, axes = plt.subplots(2, 2, figsize=(7.2, 4.9), sharex=True, sharey=True)
    last = len(unit["frames"]) - 1
    for ax, share in zip(axes.flat, (0, 0.4, 0.7, 1), strict=True):
        game(ax, unit, round(share * last))
    for ax in axes[0]:
        ax.set_xlabel("")
    for ax in axes[:, 0]:
        ax.set_ylabel("density; answer D")
    headline(figure, title)
    legend_below(axes[0, 0])
    return figure


def ends(units: Mapping[str, Mapping[str, Any]], title: str) -> Figure:
    """Return a figure of where trainings end, side by side by what they are called, under a title."""
    figure, axes = plt.subplots(1, len(units), figsize=(7.2, 3.2), sharey=True, squeeze=False)
    for ax, (name, unit) in zip(axes[0], units.items(), strict=True):
        game(ax, unit, -1)
        ax.set_title(f"{name}: {unit['history'][-1, 1]:.2g} nats from the data")
    axes[0, 0].set_ylabel("density; answer D")
    headline(figure, title)
    legend_below(axes[0, 0])
    return figure


def history(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw distance to the data (left) and discriminator's accuracy (right) over the training; return `axes`."""
    left, right = axes
    steps = np.maximum(unit["frames"], 1)
    left.loglog(steps, unit["history"][:, 0], color=MADE, label="Wasserstein-1 distance")
    left.loglog(steps, unit["history"][:, 1], "--", color=MADE, label="Jensen-Shannon divergence (nats)")
    left.set(xlabel="generator step", ylabel="distance of G(z) from the data")
    left.set_ylim(bottom=left.get_ylim()[0] / 6)  # room for the legend
    left.legend(loc="lower left")
    right.semilogx(steps, unit["history"][:, 3], color=CRITIC)
    right.axhline(0.5, color=INK, lw=0.8, ls="--", label="guessing")
    right.set(xlabel="generator step", ylabel="discriminator's accuracy", ylim=(0.45, 1.0))
    right.legend()
    return axes


def animation(unit: Mapping[str, Any], frames: Sequence[int]) -> bytes:
    """Return a looping GIF of the training, one picture for each of the given frames.

    Parameters
    ----------
    unit : mapping
        The `mixture` unit.
    frames : sequence of int
        Which of its frames.

    Returns
    -------
    bytes
        The file, of about 5 kB per picture.
    """
    figure = plt.figure(figsize=(6.4, 3.6), dpi=FILM, layout="constrained", facecolor="white")

    def draw(frame: int) -> None:
        figure.clear()
        ax = figure.subplots()
        game(ax, unit, frame)
        legend_below(ax)
        ax.set_ylabel("density; answer D")

    return gif(figure, frames, draw, seconds=0.16, rest=1.5, colors=32)


def divergences(axes: Sequence[Axes], unit: Mapping[str, Any]) -> Sequence[Axes]:
    """Draw both divergences of two disjoint lines against their gap (left) and their push (right); return `axes`."""
    left, right = axes
    wide, flat = PALETTE["Wasserstein"], PALETTE["minimax"]
    left.plot(unit["gaps"], unit["wasserstein"], "o-", color=wide, label="Wasserstein, trained critic")
    left.plot(unit["gaps"], unit["wasserstein_closed_form"], ":", color=INK, label="closed form")
    left.plot(unit["gaps"], unit["js"], "s-", color=flat, label="Jensen-Shannon, trained D")
    left.axhline(np.log(2), color=INK, lw=0.7, ls="--", label="log 2")
    left.set(xlabel="gap between the lines", ylabel="divergence")
    left.legend()
    right.semilogy(unit["gaps"], unit["wasserstein_push"], "o-", color=wide, label="Wasserstein")
    right.semilogy(unit["gaps"], unit["js_push"], "s-", color=flat, label="minimax")
    right.set(xlabel="gap between the lines", ylabel="push on the generator")
    right.legend()
    return axes
