"""How the traces of an epoch stand beside real ones: samples, scores, measures and their floors."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping

import numpy as np
import torch

from geolib.gans import wgan
from geolib.metrics import samples as metrics
from geolib.runs.store import Arrays
from geolib.studies.wgan_traces import training
from geolib.studies.wgan_traces.config import TracesConfig
from geolib.studies.wgan_traces.data import SAMPLING, Data
from geolib.studies.wgan_traces.training import torch_rng

N_SHOWN = 16  # traces of fixed latents kept of every epoch
N_ANIMATED = 5  # of these in the animation of all epochs
LOOKED_AT = (1, 5, 20, 47, 100)  # the epochs of the paper's Figure 4; every tenth is kept as well
PER_TRACE = (
    *("nearest", "event_time", "event_polarity", "spectrum"),
    *("score_samples", "score_training", "score_validation", "score_generated", "score_noise"),
)
N_SETS = 3  # independent sets of generated traces, whose spread gives the measures their interval
N_HISTORY = 64  # traces of every epoch that later critics score again (Figure 6)
LAG = 10  # epochs between the two generators of the stopping test


class Gallery:
    """The networks of the last epoch added, and what its assessment looks back on."""

    def __init__(self, config: TracesConfig, reference: Reference) -> None:
        self.config, self.reference = config, reference
        rng = torch.Generator()
        self.generator, self.mean = wgan.make_generator(rng=rng), wgan.make_generator(rng=rng)
        self.critic = wgan.make_critic(rng=rng, precision=config.precision)
        self.history: list[np.ndarray] = []  # N_HISTORY traces of every epoch
        self.samples = np.empty(0)  # n_held_out traces of the last epoch
        self.recent: deque[np.ndarray] = deque(maxlen=LAG + 1)  # `mmd_terms` of the last epochs'

    def add(self, epoch: int, kept: Mapping[str, np.ndarray]) -> None:
        """Take the networks of the next epoch."""
        self._fill(kept)
        # The random numbers of the assessment are its own: looking at a training must not change
        # it.
        self.history.append(self._draw(self.generator, N_HISTORY, 11))
        self.recent.append(self._terms(self._show(epoch)))

    def clear(self) -> None:
        """Forget all epochs."""
        self.history.clear()
        self.recent.clear()

    def pack(self) -> Arrays:
        """Return what later assessments look back on, 128 kB of traces for each epoch."""
        return {"history": np.concatenate(self.history), "recent": np.stack(self.recent)}

    def restore(self, arrays: Mapping[str, np.ndarray], kept: Mapping[str, np.ndarray]) -> None:
        """Take what `pack` gave, and the networks of the epoch at which it did."""
        self._fill(kept)
        self.history = np.split(arrays["history"], len(arrays["history"]) // N_HISTORY)
        self._show(len(self.history))
        self.recent = deque(arrays["recent"], maxlen=LAG + 1)

    def assess(self, epoch: int) -> Arrays:
        """Return samples, scores, and the measures of quality."""
        config, data, critic = self.config, self.reference.data, self.critic
        shown, samples = self.history[-1], self.samples
        noise = torch.randn(64, 1, wgan.N_SAMPLES, generator=torch_rng(config.seed, 13)).numpy()
        more = [self._draw(self.generator, len(samples), 14, epoch, i) for i in range(1, N_SETS)]
        arrays = {
            "samples": shown[:N_SHOWN, 0],
            "score_samples": wgan.score(critic, shown[:N_SHOWN]),
            "score_training": wgan.score(critic, data.training[: config.n_held_out]),
            "score_validation": wgan.score(critic, data.validation),
            "score_generated": wgan.score(critic, samples),
            "score_zero": wgan.score(critic, np.zeros_like(noise[:1])),
            "score_noise": wgan.score(critic, noise),
            **self.reference.quality(samples, more),
            **self.reference.mean_quality(self._draw(self.mean, len(samples), 12, epoch)),
        }
        if (
            epoch <= 20 or epoch % 10 == 0
        ):  # all traces so far: too many to score at every epoch of a long run
            history = wgan.score(critic, np.concatenate(self.history))
            arrays["score_history"] = history.reshape(-1, N_HISTORY).mean(axis=1)
        if len(self.recent) > LAG:
            test = metrics.relative_test(self.recent[-1], self.recent[0])
            arrays |= {
                "improvement": np.array(-test.difference),
                "improvement_p": np.array(test.p_value),
            }
        return arrays

    def _fill(self, kept: Mapping[str, np.ndarray]) -> None:
        for name, network in (
            ("generator", self.generator),
            ("mean", self.mean),
            ("critic", self.critic),
        ):
            training.fill(network, kept, name)

    def _show(self, epoch: int) -> np.ndarray:
        self.samples = self._draw(self.generator, self.config.n_held_out, 12, epoch)
        return self.samples

    def _terms(self, traces: np.ndarray) -> np.ndarray:
        return metrics.mmd_terms(self.reference.data.validation, traces, self.reference.width)

    def _draw(self, generator: torch.nn.Module, n: int, *entropy: int) -> np.ndarray:
        return wgan.sample(
            generator, n, torch_rng(self.config.seed, *entropy), low=self.config.latent_low
        )


class Reference:
    """The real traces that generated ones are measured against, and the measures' settings."""

    def __init__(self, config: TracesConfig, data: Data) -> None:
        self.config, self.data = config, data
        self.width = metrics.median_distance(data.training[: config.n_held_out])

    def quality(self, samples: np.ndarray, more: list[np.ndarray]) -> Arrays:
        """Return every measure `(sets,)` on the validation set, and statistics of the traces."""
        distance, _ = metrics.nearest(self.data.training, samples)
        rows = [self._measure(self.data.validation, each) for each in (samples, *more)]
        found = {name: np.array([row[name] for row in rows]) for name in rows[0]}
        return {**found, "nearest": distance.astype(np.float32), **_trace_statistics(samples)}

    def mean_quality(self, samples: np.ndarray) -> Arrays:
        """Return the measures of traces of the averaged generator."""
        return {
            f"mean_{k}": np.array(v)
            for k, v in self._measure(self.data.validation, samples).items()
        }

    def floors(self) -> Arrays:
        """Return measures between parts of training and validation sets: what real traces reach."""
        n = self.config.n_held_out
        parts = [
            self.data.training[i : i + n] for i in range(0, len(self.data.training) - n + 1, n)
        ][:10]
        rows = [self._measure(self.data.validation, part) for part in parts]
        found = {f"floor_{name}": np.array([row[name] for row in rows]) for name in rows[0]}
        distance, _ = metrics.nearest(self.data.training, self.data.validation)
        return {
            **found,
            "nearest": distance.astype(np.float32),
            **_trace_statistics(self.data.validation),
        }

    def _measure(self, real: np.ndarray, samples: np.ndarray) -> dict[str, float]:
        directions = np.random.default_rng([self.config.seed, 20])
        density, coverage = metrics.density_coverage(real, samples)
        return {
            "swd": metrics.sliced_wasserstein(real, samples, directions),
            "mmd2": metrics.mmd2(real, samples, self.width),
            "density": density,
            "coverage": coverage,
            "neighbour_accuracy": metrics.neighbour_accuracy(real, samples),
        }


def _trace_statistics(traces: np.ndarray) -> Arrays:
    times, polarity = metrics.first_event(traces, SAMPLING)
    _, spectrum = metrics.amplitude_spectrum(traces, SAMPLING)
    return {
        "event_time": times.astype(np.float32),
        "event_polarity": polarity.astype(np.int8),
        "spectrum": spectrum.astype(np.float32),
    }


def data_arrays(config: TracesConfig, data: Data) -> Arrays:
    """Return what is kept of the modelled traces."""
    return {
        "traces": data.validation[:N_SHOWN, 0],
        "velocity": data.velocity.astype(np.float32),
        "thickness": data.thickness.astype(np.float32),
        "scale": np.array(data.scale),
        "signed_mean": np.array(data.signed_mean),
    }
