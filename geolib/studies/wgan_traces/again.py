"""What a build of the book makes again of a long run, or holds a reader's own run against."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.gans import wgan
from geolib.metrics import samples as metrics
from geolib.runs.measure import Measure
from geolib.runs.unit import Units
from geolib.studies.wgan_traces import data as wgan_data
from geolib.studies.wgan_traces import story, tables
from geolib.studies.wgan_traces.config import TracesConfig
from geolib.studies.wgan_traces.training import torch_rng
from geolib.studies.wgan_traces.units import DATA

#: What is made here, and what was before.
Pair = tuple[np.ndarray | float, np.ndarray | float]


def again(config: TracesConfig, units: Units, networks: wgan.Pretrained) -> dict[str, Pair]:
    """Return what can be made again of a long run in a second, beside what it kept: ours first.

    Parameters
    ----------
    config, units
        The run's configuration and its units.
    networks : Pretrained
        Generator and critic of one of its epochs.

    Notes
    -----
    A fifth of a second of modelling and 1064 draws of the generator.
    """
    data, kept = units[DATA.name], tables.epochs(units)[networks.epoch - 1]
    n = len(kept["samples"])
    latents = (torch_rng(config.seed, *entropy) for entropy in ((11,), (12, networks.epoch)))
    few, many = (
        wgan.sample(networks.generator, size, rng, networks.latent_low)
        for size, rng in zip((64, kept["event_polarity"].size), latents, strict=True)
    )
    return {
        "traces modelled from their earths": (modelled(config, data, n), data["traces"]),
        "traces drawn from their latents": (few[:n, 0], kept["samples"]),
        "mean amplitude spectrum of a thousand draws": (
            metrics.amplitude_spectrum(many, wgan_data.SAMPLING)[1],
            kept["spectrum"],
        ),
    }


def modelled(config: TracesConfig, data: Mapping[str, np.ndarray], n: int) -> np.ndarray:
    """Return the first n traces of a run's validation set (at most 200), shape (n, 499)."""
    # The absorbing layer is set by the mean velocity of 200 models, the grid by the deepest of all.
    velocity, thickness = story.unseen_models(data, 200)
    deepest = data["thickness"].sum(axis=1).argmax()
    velocity, thickness = (
        np.concatenate([part, data[name][deepest : deepest + 1]]).astype(np.float64)
        for part, name in ((velocity, "velocity"), (thickness, "thickness"))
    )
    made = wgan_data.forward(velocity, thickness, config.frequency)[:n]
    return np.asarray(made / data["scale"], dtype=np.float32)


def beside(own: Mapping[str, Measure], published: Mapping[str, Measure]) -> dict[str, Pair]:
    """Return what a reader's own run measures, beside the precomputed one, where both have it."""
    names = {
        "loss_correlation": "correlation of the two losses",
        "score_gap": "score of generated less that of real traces",
        "swd_over_floor": "distance to real traces over its floor",
        "coverage": "coverage",
        "generated_positive_share": "share of positive first events",
        "real_positive_share": "the same share of real traces",
    }
    there = {name: told for name, told in names.items() if name in own and name in published}
    return {told: (own[name].value, published[name].value) for name, told in there.items()}
