"""The figure of each laboratory, for pages without scripts, drawn by the package itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from geolib import studies
from geolib.book.labs import latent_inversion, rnn_fwi
from geolib.book.labs import wgan_traces as traces_lab
from geolib.gans import wgan
from geolib.plots import style
from geolib.runs.unit import Arrays
from geolib.waves import misfit_and_gradient, propagate


def _unit(study: str, name: str) -> Arrays:
    results = studies.shipped(studies.get(study))
    assert results is not None
    return results.units[name]


def game() -> Figure:
    """Draw densities and discriminator at the end of a training, and its value."""
    run = _unit("gan_101", "mixture")
    figure, (left, right) = style.new_figure(1, 2, height=2.6)
    left.plot(run["x"], run["target"], color=style.PALETTE["real"], label="data")
    left.plot(run["x"], run["densities"][-1], color=style.PALETTE["generated"], label="generator")
    left.plot(run["x"], run["curves"][-1], color=style.PALETTE["critic"], label="discriminator")
    # Above the curves is room for the legend.
    left.set(title="The generator's density meets the data's", xlabel="x", ylim=(None, 0.85))
    left.legend(loc="upper left")
    # Against the best discriminator: twice the Jensen-Shannon divergence, less log 4.
    value = 2 * run["history"][:, 1] - np.log(4)
    right.plot(run["frames"], value, color=style.PALETTE["generated"])
    right.axhline(-np.log(4), color=style.GREY, linestyle="--", label="−log 4")
    right.set(title="The game's value falls to −log 4", xlabel="step")
    right.legend()
    return figure


def line() -> Figure:
    """Draw the four layers as gradient descent and Adam leave them, misfit and model error."""
    figure, (model, misfit, error) = style.new_figure(1, 3, height=3.0)
    for name, label in (("1d-gd-0.4-f64", "gradient descent"), ("1d-adam-40-f64", "Adam")):
        run, color = _unit("rnn_fwi", name), style.PALETTE[label]
        model.plot(run["model"], color=color, label=label)
        misfit.semilogy(run["misfit"], color=color)
        error.plot(run["error"], color=color)
    model.plot(run["truth"], color=style.PALETTE["truth"], label="truth")
    model.plot(run["start"], color=style.PALETTE["start"], linestyle="--", label="start")
    model.set(title="Four layers, found", xlabel="depth, cells", ylabel="velocity, m/s")
    names = model.get_legend_handles_labels()
    figure.legend(*names, loc="outside lower center", ncols=4)
    misfit.set(title="Misfit", xlabel="update")
    error.set(title="Model error, m/s", xlabel="update")
    return figure


def tank() -> Figure:
    """Draw the lens, its gather, and the gradient of the shot."""
    truth, start = torch.from_numpy(rnn_fwi.lens()), torch.from_numpy(rnn_fwi.background())
    observed = propagate(truth, rnn_fwi.tank())
    _, gradient = misfit_and_gradient(start, rnn_fwi.tank(), observed)
    figure, (velocity, gather, slope) = style.new_figure(1, 3, height=2.4)
    velocity.imshow(rnn_fwi.lens(), cmap=style.VELOCITY_MAP)
    velocity.set(title="A slow lens, m/s")
    high = float(observed.abs().quantile(0.99))
    gather.imshow(
        observed[0].T.numpy(), cmap=style.SIGNED_MAP, aspect="auto", vmin=-high, vmax=high
    )
    gather.set(title="What the receivers record", xlabel="receiver", ylabel="time step")
    high = float(gradient.abs().quantile(0.995))
    slope.imshow(gradient.numpy(), cmap=style.SIGNED_MAP, vmin=-high, vmax=high)
    slope.set(title="Gradient of the shot")
    for ax in (velocity, slope):
        ax.set(xticks=[], yticks=[])
    for ax in (velocity, gather, slope):
        ax.grid(False)
    return figure


def search() -> Figure:
    """Draw images of the generator on the way from one latent to another."""
    world = latent_inversion.small_world()
    first, last = (world.true_latents[model][0].numpy() for model in (1, 2))
    figure, axes = style.new_figure(1, 5, height=2.6)
    for ax, share in zip(axes, np.linspace(0, 1, 5), strict=True):
        ax.imshow(world.image((1 - share) * first + share * last) >= 0.5, cmap=style.FACIES_MAP)
        ax.set(xticks=[], yticks=[])
        ax.grid(False)
    title = "Fifteen numbers make an earth; here they go from one to another"
    figure.suptitle(title, x=0, ha="left")
    return figure


def epochs() -> Figure:
    """Draw one latent through the networks of the shipped epochs, a real trace beside it."""
    found = dict(sorted(traces_lab.files().items()))
    figure, (ax,) = style.new_figure(height=3.2)
    for place, path in enumerate(found.values()):
        networks = wgan.load_pretrained(path)
        latent = wgan.draw_latents(1, torch.Generator().manual_seed(1), networks.latent_low)
        with torch.no_grad():
            trace = networks.generator(latent)[0, 0].numpy()
        _wiggle(ax, place, trace, style.PALETTE["generated"])
    real = traces_lab.real_traces(1)[0]
    _wiggle(ax, len(found), real, style.PALETTE["real"])
    ax.set_xticks(range(len(found) + 1), [*map(str, found), "real"])
    ax.set(title="One draw through the epochs, and a real trace", xlabel="networks after epoch")
    ax.invert_yaxis()
    ax.set_ylabel("time, s")
    return figure


def _wiggle(ax: Axes, place: int, trace: np.ndarray, color: str) -> None:
    time = np.arange(trace.size) * 0.004
    ax.plot(place + 0.45 * trace / np.abs(trace).max(), time, color=color, linewidth=0.8)


#: By the laboratory's name: its figure, and what stands in its place for a reader without eyes.
STILLS: dict[str, tuple[Callable[[], Figure], str]] = {
    "gan_101-game": (
        game,
        "Densities of data and generator, the discriminator, and the value of the game",
    ),
    "rnn_fwi-train": (
        line,
        "Velocity of four layers by gradient descent and Adam, their misfit and model error",
    ),
    "rnn_fwi-tank": (
        tank,
        "A slow lens in rock, the shot gather over it, and the gradient of that shot",
    ),
    "latent_inversion-search": (
        search,
        "Five channel images of the generator on a straight way through its latents",
    ),
    "wgan_traces-epochs": (
        epochs,
        "A trace of one latent by the networks of each epoch, and a real trace",
    ),
}
