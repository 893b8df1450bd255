"""A Wasserstein GAN trained on the reader's own traces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.signal import resample

from geolib._runtime import kept_bytes, within_memory
from geolib.datasets import files, segy
from geolib.gans import wgan
from geolib.metrics import traces as metrics
from geolib.runs.config import Config, file_param, param
from geolib.runs.store import Store
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Unit, Units, select, under
from geolib.studies.wgan_traces import training
from geolib.studies.wgan_traces.config import TracesConfig
from geolib.studies.wgan_traces.data import amplitude_scale
from geolib.studies.wgan_traces.units import DATA, Epoch

#: Traces without which neither a training nor a measure says anything.
FEWEST = 64
#: Sampling interval (s) where neither the reader nor the file tells it.
USUAL = 0.004


@dataclass(frozen=True)
class OwnConfig(Config):
    """Parameters; the file's content is part of what identifies results, its place is not."""

    traces: str = file_param("file of traces, one a row (.npy) or as SEG-Y")
    interval: float = param(
        0.0, "sampling interval; 0 takes that of SEG-Y, or 4 ms", low=0, high=10, unit="s"
    )
    epochs: int = param(10, "epochs to train", paper=100, low=1, high=1000, extent=True)
    batch: int = param(16, "traces in a batch", paper=64, low=2, high=4096)
    learning_rate: float = param(1e-4, "learning rate of both Adams", low=0, high=1)
    seed: int = param(1, "seed of everything random", low=0, high=2**31 - 1)

    def check(self) -> None:
        """Check the interval."""
        if self.interval > files.LONGEST:
            raise ValueError(
                f"interval must be at most {files.LONGEST:g} s; got {self.interval:g}. "
                "Give it in seconds, not milliseconds."
            )

    def ready(self) -> None:
        """Check the memory that is needed, then read and check the file."""
        self.told()
        data(self)

    def told(self) -> list[str]:
        """Return how much memory a step takes; more than there is is refused, so is the file's."""
        fewer = "Take fewer traces, or shorter ones."
        within_memory("traces", _file_bytes(self), fewer, "to resample them")
        rng = torch.Generator()
        with torch.device("meta"):
            latents = torch.empty(self.batch, *wgan.draw_latents(1, rng.manual_seed(0)).shape[1:])
            networks = [
                wgan.make_generator(rng=rng).to("meta"),
                wgan.make_critic(rng=rng).to("meta"),
            ]
        kept = kept_bytes(lambda: networks[1](networks[0](latents)))
        weights = sum(p.nbytes for network in networks for p in network.parameters())
        # The critic's penalty goes through its derivative; Adam keeps three more of each weight.
        return [within_memory("a batch", 4 * kept + 4 * weights, "Take a smaller batch.")]


def _file_bytes(config: OwnConfig) -> int:
    """Return about how much memory it takes to read and resample the file, by its size alone."""
    path = Path(config.traces)
    if not config.traces or not path.is_file():
        return 0  # `data` says so
    numbers = path.stat().st_size // 4  # of float32, as SEG-Y has them
    if path.suffix.lower() == ".npy":
        try:
            numbers = np.load(path, mmap_mode="r", allow_pickle=False).size
        except (ValueError, OSError, EOFError):
            return 0
    # In float64: as read, without dead ones, and spectra while they are resampled.
    return 32 * numbers


@dataclass(frozen=True)
class Data:
    """Traces (n, 499), divided by `scale`, to train on and to judge by; their interval `dt`, s.

    Of the file's traces `dead` were left out.
    """

    training: np.ndarray
    unseen: np.ndarray
    scale: float
    dt: float
    dead: int


def data(config: OwnConfig) -> Data:
    """Return the traces of the file, resampled to 499 samples over the same time, in two sets.

    Raises
    ------
    TypeError, ValueError
        If the file is refused (`geolib.datasets.files`), or holds too few live traces.
    """
    if not config.traces:
        raise ValueError("traces must name a file; none is given. Add -p traces FILE.")
    found = files.array("traces", config.traces, 2, of_traces=True)
    n_given, found = len(found), found[found.any(axis=1)]
    if len(found) < max(FEWEST, 2 * config.batch):
        raise ValueError(
            f"traces must hold at least {max(FEWEST, 2 * config.batch)} that vary; it has "
            f"{len(found)}. Give more, or a smaller batch."
        )
    interval = config.interval
    if not interval and Path(config.traces).suffix.lower() in files.SEGY:
        interval = segy.interval_of("traces", config.traces) or 0.0
    dt = (interval or USUAL) * found.shape[1] / wgan.N_SAMPLES
    made = resample(found, wgan.N_SAMPLES, axis=1)
    order = np.random.default_rng([config.seed, 1]).permutation(len(made))
    unseen = max(FEWEST // 2, len(made) // 10)
    known = made[order[unseen:]]
    scale = amplitude_scale(known)
    known, rest = ((part / scale).astype(np.float32) for part in (known, made[order[:unseen]]))
    return Data(known, rest, scale, dt, n_given - len(found))


class OwnTraces(Study[OwnConfig]):
    """The file's traces, then the epochs, each of which needs the one before."""

    name = "traces_own"
    title = "A Wasserstein GAN of your own traces"
    sequential = True
    Config = OwnConfig
    kinds = (type(DATA), Epoch)

    def units(self, config: OwnConfig) -> list[Unit]:
        """Return the data, then the epochs in order."""
        return [DATA, *(Epoch(number) for number in range(1, config.epochs + 1))]

    def compute(
        self, config: OwnConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield what training traces would get, then each epoch's losses, traces and measures."""
        made = data(config)
        half = len(made.unseen)
        if DATA in units:  # of the neighbours of training traces, they themselves do not count
            floor = _compared(config, made, made.training[:half], made.training[half:])
            yield DATA, {"traces": made.unseen, **floor}
        wanted = {unit.number for unit in units if isinstance(unit, Epoch)}
        if not wanted:
            return
        settings = TracesConfig(
            n_epochs=max(wanted),
            n_traces=len(made.training),
            batch=config.batch,
            learning_rate=config.learning_rate,
            seed=config.seed,
        )
        store = Store(folder) if folder is not None else None
        real = torch.from_numpy(made.training[:, None])
        for number, kept in training.epochs(settings, real, store, max(wanted), first=min(wanted)):
            if number in wanted:
                empty = wgan.make_generator(rng=torch.Generator())
                network = training.fill(empty, kept, "generator")
                rng = training.torch_rng(config.seed, 15, number)
                drawn = wgan.sample(network, half, rng, settings.latent_low)[:, 0]
                judged = _compared(config, made, drawn, made.training)
                yield Epoch(number), under("curve.", kept) | {"traces": drawn, **judged}

    def arrays(self, config: OwnConfig, units: Units) -> dict[str, np.ndarray]:
        """Return the last generated traces, in the amplitudes of the file."""
        return {"generated.npy": last(units)["traces"] * np.float32(data(config).scale)}


def _compared(config: OwnConfig, made: Data, fake: np.ndarray, known: np.ndarray) -> Arrays:
    rng = np.random.default_rng([config.seed, 30])
    found = metrics.compare(made.unseen, fake, known, made.dt, rng, 50)
    return {f"judged.{name}": np.array(interval) for name, interval in found.items()}


def curves(units: Units) -> dict[str, np.ndarray]:
    """Return the losses of both networks, all epochs in a row."""
    epochs = sorted(select(units, Epoch).items(), key=lambda pair: pair[0].number)
    return {
        name: np.concatenate([run[f"{name}_loss"] for _, run in epochs])
        for name in ("generator", "critic")
    }


def last(units: Units) -> Mapping[str, np.ndarray]:
    """Return the last epoch."""
    return max(select(units, Epoch).items(), key=lambda pair: pair[0].number)[1]


def table(units: Units) -> str:
    """Return the measures of the last epoch's traces, beside those of traces trained on."""
    floor, judged = units[DATA.name], last(units)

    def told(run: Mapping[str, np.ndarray], name: str) -> str:
        value, low, high = run[name]
        return f"{value:.3g} ({low:.3g} to {high:.3g})"

    rows = [
        [metrics.LABELS[name.removeprefix("judged.")], told(judged, name), told(floor, name)]
        for name in judged
        if name.startswith("judged.")
    ]
    return markdown(["measure, against unseen traces", "generated", "trained on"], rows, "lrr")


STUDY = OwnTraces()
