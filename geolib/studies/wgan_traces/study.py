"""Seismic traces from a Wasserstein GAN: forward modelling, training epoch by epoch, and how good the traces are."""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from geolib.gans import wgan
from geolib.metrics import samples as metrics
from geolib.runs import config
from geolib.runs.measure import Measure
from geolib.runs.store import Arrays, Store, write_atomic
from geolib.studies.wgan_traces import tables, training
from geolib.studies.wgan_traces.data import AMPLITUDE_FACTOR, N_STEPS, SAMPLING, SOURCE_ROW, SPACING, Data, dataset
from geolib.studies.wgan_traces.training import BETAS, torch_rng

TITLE = "Seismic traces from a Wasserstein GAN (Niu et al. 2020)"
QUESTION = "Can an adversarial network learn to draw seismic traces, and how does one know when to stop training it?"
FILES = ()
VERSION = 2
DIMS = {
    **dict.fromkeys(("critic_loss", "generator_loss", "penalty"), ("iteration",)),
    **dict.fromkeys(("samples", "traces"), ("trace", "sample")),
    **dict.fromkeys(("velocity", "thickness"), ("model", "layer")),
}

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


@dataclass(frozen=True)
class Config(config.Config):
    """Parameters of data and training."""

    n_epochs: int = config.param(15, "Epochs to train", paper=100, low=1, high=1000, extent=True)
    n_traces: int = config.param(480, "Traces to train on", paper=10_000, low=8, high=100_000)
    batch: int = config.param(16, "Traces in a batch", paper=64, low=2, high=4096)
    init_std: float = config.param(0.2, "Standard deviation of the initial kernels", low=1e-4, high=1)
    latent_low: float = config.param(-1.0, "Lower end of the uniform latents, the upper end is 1", low=-10, high=0.99)
    reuse_real: bool = config.param(True, "One batch of real traces for all critic steps, as in algorithm 1")
    critic_steps: int = config.param(2, "Critic steps for each generator step", low=1, high=20)
    penalty_weight: float = config.param(10.0, "Weight of the gradient penalty", low=0, high=1e4)
    learning_rate: float = config.param(1e-4, "Learning rate of both Adam optimisers", low=0, high=1)
    averaging: float = config.param(0.999, "Decay of the running mean of the generator's weights", low=0, high=1)
    precision: str = config.param("float32", "Arithmetic of the critic's convolutions", choices=("float32", "bfloat16"))
    velocity: tuple[float, ...] = config.param(
        (1500.0, 4500.0), "Lowest and highest interval velocity", low=1000, high=5000, unit="m/s"
    )
    thickness: tuple[float, ...] = config.param(
        (150.0, 400.0), "Least and greatest thickness of a layer", low=50, high=1000, unit="m"
    )
    frequency: float = config.param(20.0, "Frequency that sets the width of the Gaussian", low=5, high=30, unit="Hz")
    seed: int = config.param(1, "Seed of everything random", low=0, high=2**31 - 1)

    def check(self) -> None:
        """Check pairs and the batch against the data."""
        for name in ("velocity", "thickness"):
            pair = getattr(self, name)
            if len(pair) != 2 or pair[0] >= pair[1]:
                raise ValueError(f"{name} must be two rising numbers; got {list(pair)}. Give the lower one first.")
        if self.batch > self.n_traces:
            raise ValueError(f"batch must be at most n_traces = {self.n_traces}; got {self.batch}. Reduce the batch.")

    @property
    def n_held_out(self) -> int:
        """Traces of the validation set, and of the test set."""
        return min(self.n_traces, max(64, self.n_traces // 10))


def unit_names(config: Config) -> list[str]:
    """Return the units: the data, then the epochs, each of which needs the one before."""
    return ["data", *(f"epoch-{epoch:04d}" for epoch in range(1, config.n_epochs + 1))]


def compute(config: Config, names: Iterable[str], folder: Path | None = None) -> Iterator[tuple[str, Arrays]]:
    """Yield the units in order; with `folder` each epoch is kept there and a later call goes on from it."""
    wanted = set(names)
    data = dataset(config)
    reference = Reference(config, data)
    if "data" in wanted:
        yield "data", {**_data_arrays(config, data), **reference.floors()}
    numbers = sorted(int(name.removeprefix("epoch-")) for name in wanted - {"data"})
    if not numbers:
        return
    store = Store(folder) if folder is not None else None
    gallery = Gallery(config, reference)
    for epoch, kept in training.epochs(config, torch.from_numpy(data.training), store, numbers[-1]):
        gallery.add(epoch, kept)
        if epoch in numbers:
            yield f"epoch-{epoch:04d}", training.under("curve.", kept) | gallery.assess(epoch)


class Gallery:
    """The networks of the last epoch added, and what its assessment looks back on."""

    def __init__(self, config: Config, reference: Reference) -> None:
        self.config, self.reference = config, reference
        rng = torch.Generator()
        self.generator, self.mean = wgan.make_generator(rng=rng), wgan.make_generator(rng=rng)
        self.critic = wgan.make_critic(rng=rng, precision=config.precision)
        self.history: list[np.ndarray] = []  # N_HISTORY traces of every epoch
        self.recent: deque[np.ndarray] = deque(maxlen=LAG + 1)  # n_held_out traces of the last epochs

    def add(self, epoch: int, kept: Mapping[str, np.ndarray]) -> None:
        """Take the networks of the next epoch."""
        for name, network in (("generator", self.generator), ("mean", self.mean), ("critic", self.critic)):
            training.fill(network, kept, name)
        # The random numbers of the assessment are its own: looking at a training must not change it.
        self.history.append(self._draw(self.generator, N_HISTORY, 11))
        self.recent.append(self._draw(self.generator, self.config.n_held_out, 12, epoch))

    def assess(self, epoch: int) -> Arrays:
        """Return samples, scores, and the measures of quality."""
        config, data, critic = self.config, self.reference.data, self.critic
        shown, samples = self.history[-1], self.recent[-1]
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
        if epoch <= 20 or epoch % 10 == 0:  # all traces so far: too many to score at every epoch of a long run
            history = wgan.score(critic, np.concatenate(self.history))
            arrays["score_history"] = history.reshape(-1, N_HISTORY).mean(axis=1)
        if len(self.recent) > LAG:
            test = metrics.relative_mmd_test(data.validation, samples, self.recent[0], self.reference.width)
            arrays |= {"improvement": np.array(-test.difference), "improvement_p": np.array(test.p_value)}
        return arrays

    def _draw(self, generator: torch.nn.Module, n: int, *entropy: int) -> np.ndarray:
        return wgan.sample(generator, n, torch_rng(self.config.seed, *entropy), low=self.config.latent_low)


class Reference:
    """The real traces that generated ones are measured against, and the widths and directions of the measures."""

    def __init__(self, config: Config, data: Data) -> None:
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
        return {f"mean_{k}": np.array(v) for k, v in self._measure(self.data.validation, samples).items()}

    def floors(self) -> Arrays:
        """Return the measures between parts of the training set and the validation set: what real traces reach."""
        n = self.config.n_held_out
        parts = [self.data.training[i : i + n] for i in range(0, len(self.data.training) - n + 1, n)][:10]
        rows = [self._measure(self.data.validation, part) for part in parts]
        found = {f"floor_{name}": np.array([row[name] for row in rows]) for name in rows[0]}
        distance, _ = metrics.nearest(self.data.training, self.data.validation)
        return {**found, "nearest": distance.astype(np.float32), **_trace_statistics(self.data.validation)}

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


def _data_arrays(config: Config, data: Data) -> Arrays:
    return {
        "traces": data.validation[:N_SHOWN, 0],
        "velocity": data.velocity.astype(np.float32),
        "thickness": data.thickness.astype(np.float32),
        "scale": np.array(data.scale),
        "signed_mean": np.array(data.signed_mean),
    }


def condense(units: dict[str, Arrays]) -> dict[str, Arrays]:
    """Return the units for shipping: single traces and scores of the epochs that are looked at, the curves of all."""
    last = max((name for name in units if name.startswith("epoch-")), default="")
    shipped = dict(units)
    for name, arrays in units.items():
        epoch = int(name.removeprefix("epoch-")) if name.startswith("epoch-") else 0
        if epoch % 10 and epoch not in LOOKED_AT and name != last:
            kept = {key: value for key, value in arrays.items() if key not in PER_TRACE}
            shipped[name] = {**kept, "samples": arrays["samples"][:N_ANIMATED]}
    return shipped


def export_weights(config: Config, folder: Path, epoch: int, path: Path | None = None) -> Path:
    """Write generator and critic of an epoch as safetensors.

    Parameters
    ----------
    config : Config
        The run's configuration.
    folder : Path
        The folder of its units.
    epoch : int
        Which epoch's networks.
    path : Path, optional
        Where to write; by default the shipped weights.

    Raises
    ------
    ValueError
        If the folder does not hold that epoch.
    """
    kept = training.load_networks(Store(folder), epoch)
    rng = torch.Generator()
    generator = training.fill(wgan.make_generator(rng=rng), kept, "generator")
    critic = training.fill(wgan.make_critic(rng=rng), kept, "critic")
    found = Store(folder).get("data")
    scale = float(found[0]["scale"]) if found else dataset(config).scale
    networks = wgan.Pretrained(generator, critic, scale, config.latent_low, epoch)
    path = wgan.weights_path() if path is None else path
    write_atomic(path, wgan.pack_weights(networks))
    return path


def measures(config: Config, units: Mapping[str, Arrays]) -> dict[str, Measure]:
    """Return the numbers of the claims ledger, from whatever units there are."""
    spread = 1 / (math.pi * config.frequency * math.sqrt(2))  # standard deviation of the Gaussian, s
    delay = 2 * (SOURCE_ROW + 1) * SPACING / np.mean(config.velocity)
    names = ("n_traces", "batch", "critic_steps", "penalty_weight", "learning_rate", "init_std")
    settings = {name: getattr(config, name) for name in names}
    settings |= {"beta1": BETAS[0], "time_steps": N_STEPS, "amplitude_factor": AMPLITUDE_FACTOR}
    # The ghost overlaps the primary where it comes within the pulse's full width at half height.
    settings["ghost_overlaps"] = float(delay < 2 * math.sqrt(2 * math.log(2)) * spread)
    return {**{name: Measure(value) for name, value in settings.items()}, **tables.measures(units)}


if __name__ == "__main__":
    from geolib import studies

    raise SystemExit(studies.main(sys.modules[__name__]))
