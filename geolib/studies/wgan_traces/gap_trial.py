"""A training of `wgan_gap`: what it changes of the published setting, and how it is judged."""

from __future__ import annotations

import copy
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import nn

from geolib import waves
from geolib._runtime import keep_memory
from geolib.gans import wgan
from geolib.gans.train import Step, evaluating
from geolib.metrics import samples as metrics
from geolib.runs.unit import Arrays
from geolib.studies.wgan_traces import training
from geolib.studies.wgan_traces.config import GapConfig, TracesConfig
from geolib.studies.wgan_traces.data import SAMPLING, Source, dataset, draw_models, forward
from geolib.studies.wgan_traces.tables import spread

PUBLISHED = "published"
#: Ways to draw from a training's networks: by its generator or that of averaged weights, with the
#: statistics of all batches so far or of the batch itself. The first is the chapter's.
WAYS = ("running", "batch", "mean", "mean_batch")
#: Generated traces that are kept for a look.
KEPT = 8
#: Measures of generated traces beside real ones.
QUALITY = ("mmd2", "spectrum", "positive", "loudness", "spread")


@dataclass(frozen=True)
class Change:
    """What a training has other than the published setting.

    Attributes
    ----------
    label : str
        How it is told.
    settings : mapping
        Parameters of the training, by name.
    gain : float
        What traces are multiplied by before the networks see them.
    activation_first : bool
        The generator's leaky ReLU stands before its batch norm.
    normal : bool
        Latents are standard normal.
    decay : bool
        The learning rate falls linearly, epoch by epoch, to zero after the last.
    source : callable
        Makes the wavelet of the data.
    """

    label: str
    settings: Mapping[str, float | str] = field(default_factory=dict)
    gain: float = 1.0
    activation_first: bool = False
    normal: bool = False
    decay: bool = False
    source: Source = waves.gaussian

    def of(self, config: TracesConfig) -> TracesConfig:
        """Return the parameters with those that it has otherwise."""
        return TracesConfig.stored({**config.as_dict(), **self.settings})

    def latents(self, config: TracesConfig) -> training.Latents:
        """Return what draws the latents."""
        if self.normal:
            return lambda n, rng: torch.randn(n, wgan.N_LATENT, 1, generator=rng)
        return partial(wgan.draw_latents, low=config.latent_low)


CHANGES = {
    PUBLISHED: Change("published setting"),
    "order": Change("batch norm after the leaky ReLU", activation_first=True),
    "critic5": Change("five critic steps for each of the generator", {"critic_steps": 5}),
    "amplitude3": Change("traces three times as large", gain=3.0),
    "latents01": Change("latents uniform from 0 to 1", {"latent_low": 0.0}),
    "decay": Change("learning rate falling to zero", decay=True),
    "init002": Change("first kernels of deviation 0.02", {"init_std": 0.02}),
    # The second derivative of the published pulse: nothing of its lowest frequencies is left.
    "ricker": Change("Ricker wavelet in place of the Gaussian", source=waves.ricker),
    "frequency30": Change("Gaussian of 30 Hz", {"frequency": 30.0}),
    "normal": Change("normal latents", normal=True),
    "bfloat16": Change("critic's convolutions in bfloat16", {"precision": "bfloat16"}),
}


class Trial:
    """A training with one change, and the traces that it is judged by.

    Parameters
    ----------
    config : GapConfig
        Sizes.
    change : str
        Of `CHANGES`.
    seed : int
        Of models, networks and everything random.
    """

    def __init__(self, config: GapConfig, change: str, seed: int) -> None:
        keep_memory()
        self.config, self.seed, self.change = config, seed, CHANGES[change]
        self.settings = self.change.of(config.training(seed))
        data = dataset(self.settings, self.change.source)
        models = draw_models(
            self.settings, config.n_judge, np.random.default_rng([seed, 70])
        )  # more than are held out of a set this small, so that their mean score is known
        unseen = forward(*models, self.settings.frequency, source=self.change.source)
        self.training = data.training[:, 0]
        self.unseen = (unseen / data.scale).astype(np.float32)
        self.width = metrics.median_distance(self.unseen)
        self.latents = self.change.latents(self.settings)
        self.progress = training.start(self.settings, activation_first=self.change.activation_first)

    def run_epoch(self, first: int | None = None) -> list[Step]:
        """Train an epoch, or its first steps."""
        traces = torch.from_numpy(self.training)[:, None] * self.change.gain
        players = self.progress.players
        if self.change.decay:
            left = 1 - self.progress.epoch / self.config.n_epochs
            for optimizer in (players.generator_optimizer, players.critic_optimizer):
                for group in optimizer.param_groups:
                    group["lr"] = self.settings.learning_rate * left
        return training.run_epoch(self.settings, traces, self.progress, first, self.latents)

    @torch.no_grad()
    def draw(self) -> dict[str, np.ndarray]:
        """Return traces `(n_judge, 499)` of one set of latents, drawn in every way, by way."""
        rng = training.torch_rng(self.seed, 12, self.progress.epoch)
        latents = self.latents(self.config.n_judge, rng)
        found = {}
        for prefix, network in (
            ("", self.progress.players.generator),
            ("mean", self.progress.mean),
        ):
            found[prefix or "running"] = _running(network, latents)
            found["_".join(filter(None, (prefix, "batch")))] = _batchwise(
                network, latents, self.config.batch
            )
        return found

    def judge(self) -> Arrays:
        """Return mean scores of all kinds of traces, and the quality of each way of drawing."""
        critic, gain = self.progress.players.critic, np.float32(self.change.gain)

        def score(traces: np.ndarray) -> np.ndarray:
            return wgan.score(critic, traces[:, None]).astype(np.float64)

        drawn = self.draw()
        real = score(self.training * gain)
        scores = {
            "training": real.mean(),
            "unseen": score(self.unseen * gain).mean(),
            "zero": score(np.zeros_like(self.unseen[:1])).mean(),
            "generated": [score(drawn[way]).mean() for way in WAYS],
        }
        found = {f"score_{kind}": np.array(value) for kind, value in scores.items()}
        each = [self.quality(drawn[way] / gain) for way in WAYS]
        found |= {name: np.array([quality[name] for quality in each]) for name in QUALITY}
        found["score_deviation"] = np.array(real.std())
        return found | {"samples": drawn["running"][:KEPT] / gain}

    def quality(self, traces: np.ndarray) -> dict[str, float]:
        """Return the cheap measures of traces `(n, 499)` against as many unseen real ones."""
        own, other = (metrics.amplitude_spectrum(x, SAMPLING)[1] for x in (traces, self.unseen))
        power = [np.square(x, dtype=np.float64).mean() for x in (traces, self.unseen)]
        return {
            "mmd2": metrics.mmd2(self.unseen, traces, self.width),
            "spectrum": float(np.linalg.norm(own - other) / np.linalg.norm(other)),
            "positive": _positive(traces),
            "loudness": math.sqrt(power[0] / power[1]),
            "spread": spread(traces, self.unseen),
        }

    def floor(self) -> Arrays:
        """Return the same measures of traces that were trained on, and the real positive share."""
        made = self.quality(self.training[: self.config.n_judge])
        found = {f"floor_{name}": np.array(value) for name, value in made.items()}
        return found | {"unseen_positive": np.array(_positive(self.unseen))}


def _running(network: nn.Module, latents: torch.Tensor) -> np.ndarray:
    with evaluating(network):
        return np.concatenate([network(part)[:, 0].numpy() for part in latents.split(500)])


def _batchwise(network: nn.Module, latents: torch.Tensor, batch: int) -> np.ndarray:
    # In a copy: drawing must not move the running statistics of a network that is trained on.
    drawing = copy.deepcopy(network).train()
    return np.concatenate([drawing(part)[:, 0].numpy() for part in latents.split(batch)])


def _positive(traces: np.ndarray) -> float:
    polarity = metrics.first_event(traces, SAMPLING)[1]
    return float((polarity > 0).sum() / max(1, (polarity != 0).sum()))
