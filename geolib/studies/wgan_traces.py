"""Seismic traces from a Wasserstein GAN: forward modelling, training epoch by epoch, and how good the traces are."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch

from geolib import config
from geolib.claims import Measure
from geolib.gans import losses, metrics, wgan
from geolib.gans.train import Game, Players, pack, train, unpack
from geolib.store import Arrays, Store, write_atomic
from geolib.studies import wgan_tables
from geolib.studies.wgan_data import AMPLITUDE_FACTOR, N_STEPS, SAMPLING, SOURCE_ROW, SPACING, Data, dataset

TITLE = "Seismic traces from a Wasserstein GAN (Niu et al. 2020)"
QUESTION = "Can an adversarial network learn to draw seismic traces, and how does one know when to stop training it?"
FILES = ()
VERSION = 1
DIMS = {
    **dict.fromkeys(("critic_loss", "generator_loss", "penalty"), ("iteration",)),
    **dict.fromkeys(("samples", "traces"), ("trace", "sample")),
    **dict.fromkeys(("velocity", "thickness"), ("model", "layer")),
}

BETAS = (0.5, 0.999)  # published beta1; the paper does not mention beta2, so Adam's default
N_SHOWN = 16  # traces of fixed latents kept of every epoch
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
    precision: str = config.param(
        "float32", "Arithmetic of the critic's convolutions", paper="bfloat16", choices=("float32", "bfloat16")
    )
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


@dataclass
class Progress:
    """A training between two epochs: networks, random state, and what the next epochs look back on."""

    players: Players
    rng: torch.Generator
    epoch: int = 0
    history: list[np.ndarray] = field(default_factory=list)  # N_HISTORY traces of every epoch so far
    recent: list[np.ndarray] = field(default_factory=list)  # n_held_out traces of the last LAG epochs
    arrays: Arrays = field(default_factory=dict)  # the unit of the last epoch


def compute(config: Config, names: Iterable[str], folder: Path | None = None) -> Iterator[tuple[str, Arrays]]:
    """Yield the units in order; with `folder` the state is saved after each epoch and a later call goes on from it."""
    wanted = set(names)
    data = dataset(config)
    reference = Reference(config, data)
    if "data" in wanted:
        yield "data", {**_data_arrays(config, data), **reference.floors()}
    epochs = sorted(int(name.removeprefix("epoch-")) for name in wanted - {"data"})
    if not epochs:
        return
    store = Store(folder) if folder is not None else None
    progress = _restore(config, store)
    if progress.epoch > epochs[0]:
        progress = start(config)  # an earlier epoch was lost: nothing but the beginning leads to it
    if progress.epoch == epochs[0]:
        yield f"epoch-{progress.epoch:04d}", progress.arrays  # killed after the state was saved, before the unit was
    training = torch.from_numpy(data.training)
    while progress.epoch < epochs[-1]:
        run_epoch(config, training, reference, progress)
        if store is not None:
            store.put("state", _state(progress), {"key": config.key(), "epoch": progress.epoch, "scale": data.scale})
        if progress.epoch in epochs:
            yield f"epoch-{progress.epoch:04d}", progress.arrays


def start(config: Config) -> Progress:
    """Return a training before its first epoch."""
    rng = _torch_rng(config.seed, 10)
    generator = wgan.make_generator(config.init_std, rng=rng)
    critic = wgan.make_critic(config.init_std, rng=rng, precision=config.precision)
    adam = partial(torch.optim.Adam, lr=config.learning_rate, betas=BETAS)
    return Progress(Players(generator, critic, adam(generator.parameters()), adam(critic.parameters())), rng)


def run_epoch(config: Config, training: torch.Tensor, reference: Reference, progress: Progress) -> None:
    """Train one epoch and assess it; changes `progress` in place."""
    rng, players = progress.rng, progress.players
    passes = 1 if config.reuse_real else config.critic_steps
    orders = [torch.randperm(len(training), generator=rng) for _ in range(passes)]
    batches = iter([rows for order in orders for rows in order.split(config.batch)])
    game = Game(
        losses.WASSERSTEIN,
        draw_real=lambda: (training[next(batches)], ()),
        draw_inputs=lambda n, _: (wgan.draw_latents(n, rng, config.latent_low),),
        critic_steps=config.critic_steps,
        penalty=lambda c, x, y: config.penalty_weight * losses.gradient_penalty(c, x, y, rng),
        reuse_real=config.reuse_real,
    )
    steps = list(train(players, game, math.ceil(len(training) / config.batch)))
    progress.epoch += 1
    curves = {name: [getattr(s, name) for s in steps] for name in ("critic_loss", "generator_loss", "penalty")}
    progress.arrays = {name: np.array(v, dtype=np.float32) for name, v in curves.items()}
    progress.arrays |= _assess(config, reference, progress)


def _assess(config: Config, reference: Reference, progress: Progress) -> Arrays:
    generator, critic = progress.players.generator, progress.players.critic
    # The random numbers of the assessment are its own: looking at a training must not change it.
    draw = partial(wgan.sample, generator, low=config.latent_low)
    shown = draw(N_HISTORY, _torch_rng(config.seed, 11))
    samples = draw(config.n_held_out, _torch_rng(config.seed, 12, progress.epoch))
    noise = torch.randn(64, 1, wgan.N_SAMPLES, generator=_torch_rng(config.seed, 13)).numpy()
    progress.history.append(shown)
    data = reference.data
    arrays = {
        "samples": shown[:N_SHOWN, 0],
        "score_samples": wgan.score(critic, shown[:N_SHOWN]),
        "score_training": wgan.score(critic, data.training[: config.n_held_out]),
        "score_validation": wgan.score(critic, data.validation),
        "score_generated": wgan.score(critic, samples),
        "score_zero": wgan.score(critic, np.zeros_like(noise[:1])),
        "score_noise": wgan.score(critic, noise),
        "score_history": wgan.score(critic, np.concatenate(progress.history)).reshape(-1, N_HISTORY).mean(axis=1),
        **reference.quality(
            samples, [draw(config.n_held_out, _torch_rng(config.seed, 14, progress.epoch, i)) for i in range(1, N_SETS)]
        ),
    }
    if len(progress.recent) == LAG:
        test = metrics.relative_mmd_test(data.validation, samples, progress.recent[0], reference.width)
        arrays |= {"improvement": np.array(-test.difference), "improvement_p": np.array(test.p_value)}
    progress.recent = [*progress.recent, samples][-LAG:]
    return arrays


class Reference:
    """The real traces that generated ones are measured against, and the widths and directions of the measures."""

    def __init__(self, config: Config, data: Data) -> None:
        self.config, self.data = config, data
        self.width = metrics.median_distance(data.training[: config.n_held_out])

    def quality(self, samples: np.ndarray, more: list[np.ndarray]) -> Arrays:
        """Return every measure `(sets,)` on the validation set, and on the test set with the prefix `test_`."""
        distance, _ = metrics.nearest(self.data.training, samples)
        found = {"nearest": distance.astype(np.float32), **_trace_statistics(samples)}
        for prefix, real in (("", self.data.validation), ("test_", self.data.test)):
            rows = [self._measure(real, each) for each in (samples, *more)]
            found |= {f"{prefix}{name}": np.array([row[name] for row in rows]) for name in rows[0]}
        return found

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


def _torch_rng(*entropy: int) -> torch.Generator:
    seed = np.random.SeedSequence(entropy).generate_state(1, np.uint64)[0]
    return torch.Generator().manual_seed(int(seed >> np.uint64(1)))


def _state(progress: Progress) -> Arrays:
    return {
        **{f"players.{name}": value for name, value in pack(progress.players, progress.rng).items()},
        **{f"unit.{name}": value for name, value in progress.arrays.items()},
        "history": np.stack(progress.history),
        "recent": np.stack(progress.recent),
    }


def _restore(config: Config, store: Store | None) -> Progress:
    progress = start(config)
    found = store.get("state") if store is not None else None
    if found is None:
        return progress
    arrays, record = found
    if record.get("key") != config.key():
        raise ValueError(
            f"checkpoint must be of this configuration ({config.key()}); got {record.get('key')}. Use another folder."
        )
    unpack(progress.players, progress.rng, _under("players.", arrays))
    progress.epoch, progress.arrays = int(record["epoch"]), _under("unit.", arrays)
    progress.history, progress.recent = list(arrays["history"]), list(arrays["recent"])
    return progress


def _under(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


def export_weights(config: Config, folder: Path, path: Path | None = None) -> Path:
    """Write the networks of the last saved epoch of a run as safetensors.

    Parameters
    ----------
    config : Config
        The run's configuration.
    folder : Path
        The folder of its units.
    path : Path, optional
        Where to write; by default the shipped weights.

    Raises
    ------
    ValueError
        If the folder holds no state of a finished epoch.
    """
    store = Store(folder)
    found = store.get("state")
    if found is None:
        raise ValueError(f"folder must hold the state of a training; {folder} does not. Run at least one epoch.")
    progress = _restore(config, store)
    players = progress.players
    networks = wgan.Pretrained(
        players.generator, players.critic, float(found[1]["scale"]), config.latent_low, progress.epoch
    )
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
    return {**{name: Measure(value) for name, value in settings.items()}, **wgan_tables.measures(units)}


if __name__ == "__main__":
    from geolib import studies

    raise SystemExit(studies.main(sys.modules[__name__]))
