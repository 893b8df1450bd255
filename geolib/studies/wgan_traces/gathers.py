"""Shot gathers of layered 2-D models, from the package's engine and from a Wasserstein GAN.

Niu et al. (2020) name two-dimensional gathers as the next step. The earths have four layers with
dipping interfaces, the source is in the middle of a line of receivers, and the direct wave is
removed as for the traces. What tells a gather from an image is moveout: the first reflection of a
plane interface arrives at times whose squares are a parabola in offset.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from geolib import waves
from geolib._runtime import keep_memory
from geolib.gans import variants
from geolib.gans.train import Game, Players, evaluating, train
from geolib.metrics import samples as metrics
from geolib.runs.measure import Measure
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Units
from geolib.studies.wgan_traces.config import GathersConfig
from geolib.studies.wgan_traces.training import OneTraining, curves, torch_rng

SIZE = 64  # receivers, and samples in time
SPACING = 20.0  # m, of the grid and of the receivers
DEPTH_POINTS = 60
DT, DECIMATION = 2.5e-3, 8  # s; 512 steps, every eighth kept: 64 samples of 20 ms
SAMPLING = DT * DECIMATION
FREQUENCY = 8.0  # Hz, peak of the Ricker wavelet: nine points in its shortest wavelength
FASTEST = 4500.0  # m/s
DIP = 0.12  # largest slope of an interface


def draw_models(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return n models `(n, 60, 64)`, m/s: four layers, plane dips, velocity rising with depth."""
    x = np.arange(SIZE) - (SIZE - 1) / 2
    z = np.arange(DEPTH_POINTS)[:, None]
    base = np.cumsum(
        rng.uniform([12, 8, 8], [22, 16, 16], (n, 3)), axis=1
    )  # points below the surface
    slope = rng.uniform(-DIP, DIP, (n, 3))
    layer = (z > base[..., None, None] + slope[..., None, None] * x).sum(axis=1)
    velocity = np.sort(rng.uniform(1600, FASTEST, (n, 4)), axis=1)
    return np.take_along_axis(velocity, layer.reshape(n, -1), axis=1).reshape(layer.shape)


def model_gathers(models: np.ndarray) -> np.ndarray:
    """Return shot gathers `(n, 64 samples, 64 receivers)`, float32, each scaled to size 1."""
    gathers = raw_gathers(models)
    size = np.abs(gathers).max(axis=(1, 2), keepdims=True)
    return np.asarray(gathers / size, dtype=np.float32)


def raw_gathers(models: np.ndarray) -> np.ndarray:
    """Return shot gathers `(n, 64 samples, 64 receivers)`, as modelled, less the direct wave.

    The direct wave is the run through the first layer's velocity alone, which reflects nothing but
    from the surface.
    """
    nt = SIZE * DECIMATION
    wavelet = waves.ricker(FREQUENCY, DT, nt)
    line = torch.tensor([[[1, i] for i in range(SIZE)]])
    made = []
    for part in np.array_split(models, max(1, len(models) // 50)):
        n = len(part)
        survey = waves.Survey(
            waves.Grid(part.shape[1:], SPACING),
            DT,
            nt,
            torch.tensor([[[1, SIZE // 2]]]).expand(n, 1, 2),
            line.expand(n, SIZE, 2),
            wavelet.expand(n, 1, nt),
            waves.Boundary(velocity=2500.0, frequency=FREQUENCY),
        )
        first = np.broadcast_to(part[:, :1, SIZE // 2 : SIZE // 2 + 1], part.shape)
        with torch.no_grad():
            full, direct = (
                waves.propagate(
                    torch.as_tensor(np.ascontiguousarray(m), dtype=torch.float32), survey
                ).numpy()
                for m in (part, first)
            )
        made.append((full - direct)[:, :, ::DECIMATION].transpose(0, 2, 1))
    return np.concatenate(made)


def moveout_misfit(gathers: np.ndarray) -> np.ndarray:
    """Return for each gather the median departure (s) of its first event from a moveout.

    The first event is picked on each receiver; the squares of the times are fitted by a parabola in
    offset, which is exact for a plane interface under a homogeneous layer, dipping or not. A second
    fit leaves out the worst quarter.
    """
    offset = (np.arange(SIZE) - SIZE // 2) * SPACING / 1000
    found = []
    for gather in gathers:
        times, _ = metrics.first_event(gather.T, SAMPLING, share=0.3)
        kept = np.isfinite(times)
        if kept.sum() < SIZE // 2:
            found.append(np.nan)
            continue
        for _ in range(2):
            fit = np.polynomial.Polynomial.fit(offset[kept], np.square(times[kept]), 2)
            off = np.abs(times - np.sqrt(np.maximum(fit(offset), 0)))
            kept = np.isfinite(times) & (off <= np.nanquantile(off, 0.75))
        found.append(np.nanmedian(off))
    return np.array(found)


def _earths(config: GathersConfig) -> np.ndarray:
    n = config.n_gathers + 2 * config.n_held_out
    return draw_models(n, np.random.default_rng([config.seed, 0]))


def _players(config: GathersConfig, gathers: Callable[[Tensor], Tensor]) -> tuple[Players, Game]:
    """Return networks and game; `gathers` returns those of the training set in these rows."""
    rng = torch_rng(config.seed, 10)

    def draw() -> tuple[Tensor, tuple[Tensor, ...]]:
        return gathers(torch.randint(config.n_gathers, (config.batch,), generator=rng)), ()

    return variants.wgan(draw, SIZE, config.width, config.learning_rate, rng)


def _first(config: GathersConfig, n: int) -> Arrays:
    """Return the curves of the first n steps, for which no other gathers are modelled."""
    models = _earths(config)

    def gathers(rows: Tensor) -> Tensor:
        return torch.from_numpy(model_gathers(models[rows.numpy()]))[:, None]

    return curves(list(train(*_players(config, gathers), n)))


def _train(config: GathersConfig) -> Arrays:
    models = _earths(config)
    gathers = model_gathers(models)
    real, judge, other = np.split(gathers, [config.n_gathers, config.n_gathers + config.n_held_out])
    training = torch.from_numpy(real)[:, None]
    players, game = _players(config, training.__getitem__)
    keep_memory()
    untrained = _sample(players.generator, config.n_held_out, torch_rng(config.seed, 11))
    steps = list(train(players, game, config.iterations))
    samples = _sample(players.generator, config.n_held_out, torch_rng(config.seed, 11))
    width = metrics.median_distance(judge)
    arrays = curves(steps)
    for label, each in (("generated", samples), ("untrained", untrained), ("floor", other)):
        directions = np.random.default_rng([config.seed, 20])
        density, coverage = metrics.density_coverage(judge, each)
        distance, _ = metrics.nearest(real, each)
        arrays |= {
            f"{label}_swd": np.array(metrics.sliced_wasserstein(judge, each, directions)),
            f"{label}_mmd2": np.array(metrics.mmd2(judge, each, width)),
            f"{label}_density": np.array(density),
            f"{label}_coverage": np.array(coverage),
            f"{label}_nearest": distance.astype(np.float32),
            f"{label}_moveout": moveout_misfit(each).astype(np.float32),
        }
    shown = config.n_gathers + np.arange(4)
    return arrays | {
        "samples": samples[:4],
        "gathers": judge[:4],
        "models": models[shown].astype(np.float32),
    }


@torch.no_grad()
def _sample(generator: torch.nn.Module, n: int, rng: torch.Generator) -> np.ndarray:
    with evaluating(generator):
        made: torch.Tensor = generator(torch.randn(n, variants.LATENT, generator=rng))
    return made[:, 0].numpy()


def table(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the measures of generated, untrained and unseen modelled gathers, as Markdown."""
    rows = {
        "sliced Wasserstein-2 distance": lambda n: f"{float(arrays[f'{n}_swd']):.4f}",
        "squared maximum mean discrepancy": lambda n: f"{float(arrays[f'{n}_mmd2']):.4f}",
        "density (k = 5)": lambda n: f"{float(arrays[f'{n}_density']):.3f}",
        "coverage (k = 5)": lambda n: f"{float(arrays[f'{n}_coverage']):.3f}",
        "distance to the nearest training gather, median": lambda n: (
            f"{np.median(arrays[f'{n}_nearest']):.2f}"
        ),
        "departure from a reflection's moveout, median (ms)": lambda n: (
            f"{1e3 * _median(arrays[f'{n}_moveout']):.1f}"
        ),
    }
    heads = ("Measure", "Generated", "Untrained generator", "Unseen modelled gathers (floor)")
    order = ("generated", "untrained", "floor")
    return markdown(heads, [[label, *map(measure, order)] for label, measure in rows.items()])


def _median(values: np.ndarray) -> float:
    return float(np.nanmedian(values)) if np.isfinite(values).any() else float("nan")


class Gathers(OneTraining[GathersConfig]):
    """The one training, and its gathers beside real ones."""

    name = "wgan_gathers"
    title = "Shot gathers from a Wasserstein GAN"
    question = "Can the game that makes traces make two-dimensional shot gathers?"
    Config = GathersConfig
    seconds = 8.0

    def first(self, config: GathersConfig, n: int) -> Arrays:
        """Return the curves of the first n steps."""
        return _first(config, n)

    def train(self, config: GathersConfig) -> Arrays:
        """Return the training, its losses and what it makes."""
        return _train(config)

    def measures(self, config: GathersConfig, units: Units) -> dict[str, Measure]:
        """Return the generated gathers' measures as multiples of their floors."""
        found: dict[str, Measure] = {}
        for arrays in units.values():
            n = len(arrays["generated_nearest"])
            for name in ("swd", "coverage"):
                found[f"gathers_{name}_over_floor"] = Measure(
                    float(arrays[f"generated_{name}"] / arrays[f"floor_{name}"]), n=n
                )
            found["gathers_moveout"] = Measure(1e3 * _median(arrays["generated_moveout"]), n=n)
            found["gathers_moveout_floor"] = Measure(1e3 * _median(arrays["floor_moveout"]), n=n)
        return found


STUDY = Gathers()
