"""The audit of traces: networks that are shipped draw and score again, earths are modelled again.

A training is chaotic, so an epoch whose networks are not shipped cannot be checked: only the epochs
before lead to it, and from another processor's they lead elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from geolib.gans import wgan
from geolib.metrics import samples as metrics
from geolib.runs import paths
from geolib.runs.recheck import Recheck
from geolib.runs.store import Arrays
from geolib.studies.wgan_traces import again, data, training
from geolib.studies.wgan_traces.config import TracesConfig
from geolib.studies.wgan_traces.gallery import N_HISTORY
from geolib.studies.wgan_traces.training import torch_rng

#: Seconds that they take, measured on one core: what their networks draw, some earths' traces, and
#: the first steps after all twelve thousand traces are modelled.
DRAWING, MODELLING, TRAINING = 2.0, 2.0, 25.0
#: Traces from latents of their own that are scored and whose spectrum is taken.
N_MANY = 1000


def networks(config: TracesConfig) -> dict[int, Path]:
    """Return the shipped files of a training's networks by epoch; none of a training of others."""
    published = TracesConfig.preset("paper")
    if config.key() == replace(published, precision="bfloat16").key():
        return {published.n_epochs: wgan.weights_path()}
    if config.key() == replace(published, precision="float32").key():
        kept = paths.results().glob("wgan_traces-epoch*.safetensors")
        return {int(path.stem.removeprefix("wgan_traces-epoch")): path for path in kept}
    return {}


def epoch(config: TracesConfig, path: Path, arrays: Arrays) -> Recheck:
    """Return the recheck of an epoch by its networks: what they draw, and how they score it."""

    def made() -> Arrays:
        shipped = wgan.load_pretrained(path)
        critic = _critic(config, shipped)
        few, many = (
            wgan.sample(shipped.generator, n, torch_rng(config.seed, *entropy), config.latent_low)
            for n, entropy in ((N_HISTORY, (11,)), (N_MANY, (12, shipped.epoch)))
        )
        noise = torch.randn(64, 1, wgan.N_SAMPLES, generator=torch_rng(config.seed, 13)).numpy()
        times, polarities = metrics.first_event(many, data.SAMPLING)
        again = {
            "samples": few[: len(arrays["samples"]), 0],
            "score_samples": wgan.score(critic, few[: len(arrays["samples"])]),
            "score_generated": wgan.score(critic, many),
            "score_zero": wgan.score(critic, np.zeros_like(noise[:1])),
            "score_noise": wgan.score(critic, noise),
            "spectrum": metrics.amplitude_spectrum(many, data.SAMPLING)[1],
            "event_time": times,
            "event_polarity": polarities,
        }
        return _comparable({name: again[name] for name in again.keys() & arrays.keys()})

    known = ("samples", "spectrum", "event_time", "event_polarity")
    stored = {n: v for n, v in arrays.items() if n in known or n.startswith("score_")}
    # Real traces would have to be modelled first, and earlier epochs drawn by networks not kept.
    for name in ("score_training", "score_validation", "score_history"):
        stored.pop(name, None)
    how = "what its networks draw, and how they score it"
    return Recheck(how, DRAWING, _comparable(stored), made)


def _critic(config: TracesConfig, shipped: wgan.Pretrained) -> nn.Module:
    # A score is that of the arithmetic in which the training had the critic.
    critic = wgan.make_critic(rng=torch.Generator(), precision=config.precision)
    critic.load_state_dict(shipped.critic.state_dict())
    return critic.eval()


def _comparable(arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return arrays with shares and means of events: rounding may move a single one far."""
    found = dict(arrays)
    if "event_time" in found:
        found["event_time"] = np.array(np.nanmedian(found["event_time"]))
        found["event_polarity"] = np.array(np.mean(found["event_polarity"] > 0))
    return found


def first_steps(config: TracesConfig, arrays: Arrays) -> Recheck:
    """Return the recheck of an epoch that is the first by its first steps."""

    def made(n: int) -> Arrays:
        traces = torch.from_numpy(data.dataset(config).training)
        return training.curves(training.run_epoch(config, traces, training.start(config), n))

    n = training.FOLLOWED[config.precision]
    return training.first_steps(TRAINING, arrays, made, n)


def modelled(config: TracesConfig, arrays: Arrays) -> Recheck:
    """Return the recheck of the data: all earths drawn again, and the traces kept of them."""

    def made() -> Arrays:
        velocity, thickness = data.earths(config)
        traces = again.modelled(config, arrays, len(arrays["traces"]))
        return {"velocity": velocity, "thickness": thickness, "traces": traces}

    stored = {name: arrays[name] for name in ("velocity", "thickness", "traces")}
    how = "its earths drawn again, and the traces kept of them modelled"
    return Recheck(how, MODELLING, stored, made)
