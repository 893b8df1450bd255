"""Small files such as a reader may have: what `geolib example` makes."""

from __future__ import annotations

import csv
import importlib.util
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from geolib._runtime import write_atomic
from geolib.datasets import segy, tables
from geolib.datasets.channels import procedural_channels
from geolib.datasets.velocity import smooth
from geolib.inversion import crosshole
from geolib.studies.wgan_traces import data
from geolib.studies.wgan_traces.config import TracesConfig
from geolib.waves import Boundary, Grid, Survey, propagate, ricker


def survey(folder: Path) -> list[Path]:
    """Make a survey of 6 shots over a lens: start, gathers, geometry, wavelet, and the truth.

    Its gathers have noise, three dead traces, and statics: traces come up to 4 ms late. With segyio
    they are also written as SEG-Y, whose headers have the geometry.
    """
    spacing, dt, nt, rng = 10.0, 1e-3, 900, np.random.default_rng(0)
    depth, x = np.mgrid[:50, :90]
    truth = 1800.0 + 12.0 * depth + 400.0 * (np.hypot((depth - 25) / 8, (x - 45) / 15) < 1)
    sources = [[[2, column]] for column in range(7, 90, 15)]
    receivers = [[[2, column] for column in range(2, 90, 3)]] * len(sources)
    wavelet = ricker(8.0, dt, nt)
    amplitudes = wavelet.expand(len(sources), 1, nt)
    made = Survey(Grid(truth.shape, spacing), dt, nt, sources, receivers, amplitudes, Boundary())
    gathers = propagate(torch.from_numpy(truth).float(), made, space_order=4).numpy()
    statics = rng.integers(0, 5, size=(gathers.shape[1],)).tolist()
    gathers = np.stack([np.roll(gathers[:, i], n, -1) for i, n in enumerate(statics)], 1)
    late = gathers[..., nt // 3 :]
    gathers = gathers + 0.1 * late.std() * rng.standard_normal(gathers.shape)
    gathers[[0, 2, 5], [4, 11, 20]] = 0
    geometry = tables.Geometry(spacing * np.array(sources), spacing * np.array(receivers))
    rows = [
        (shot, *geometry.sources[shot - 1, 0].tolist(), *receiver)
        for shot, places in enumerate(geometry.receivers.tolist(), 1)
        for receiver in places
    ]
    arrays = {
        "truth": truth,
        "start": smooth(truth, 8.0),
        "gathers": gathers,
        "wavelet": wavelet.numpy(),
    }
    names = ("shot", "source_depth", "source_x", "receiver_depth", "receiver_x")
    written = [*_arrays(folder, arrays), _table(folder / "geometry.csv", names, rows)]
    if importlib.util.find_spec("segyio"):
        written.append(segy.write(folder / "gathers.sgy", gathers, geometry, dt))
    return written


def traveltimes(folder: Path) -> list[Path]:
    """Make traveltimes of a crosshole survey over two channels; every third ray was not picked."""
    rng, setting = np.random.default_rng(0), crosshole.Crosshole()
    depth, x = np.mgrid[: setting.shape[0], : setting.shape[1]]
    channels = [np.abs(depth - top - 8 * np.sin(x / 15)) < 6 for top in (40, 85)]
    times = crosshole.traveltimes(
        crosshole.ray_matrix(setting), crosshole.velocity(np.logical_or(*channels).astype(float))
    )
    times = crosshole.noisy(times, 1.0, rng)
    pairs = [(a, b) for a in setting.source_depths for b in setting.receiver_depths]
    rows = [(*pair, f"{time:.3f}", 1.0) for pair, time in zip(pairs, times.tolist(), strict=True)]
    del rows[::3]
    names = ("source_depth", "receiver_depth", "time", "deviation")
    return [_table(folder / "traveltimes.csv", names, rows)]


def training_image(folder: Path) -> list[Path]:
    """Make an image of wandering channels, 400 by 400 pixels, in grey values of two facies."""
    made = procedural_channels((400, 400), np.random.default_rng(0))
    return _arrays(folder, {"training_image": 30 + 150 * made})


def traces(folder: Path) -> list[Path]:
    """Make 200 zero-offset traces over random layers, with noise; two are dead."""
    rng, config = np.random.default_rng(0), TracesConfig()
    made = data.forward(*data.draw_models(config, 200, rng), config.frequency)
    made = made + 0.02 * made.std() * rng.standard_normal(made.shape)
    made[[3, 70]] = 0
    return _arrays(folder, {"traces": made})


def _arrays(folder: Path, arrays: Mapping[str, np.ndarray]) -> list[Path]:
    for name, values in arrays.items():
        buffer = io.BytesIO()
        np.save(buffer, values.astype(np.float32))
        write_atomic(folder / f"{name}.npy", buffer.getvalue())
    return [folder / f"{name}.npy" for name in arrays]


def _table(path: Path, names: Sequence[str], rows: Sequence[Sequence[object]]) -> Path:
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([names, *rows])
    write_atomic(path, stream.getvalue().encode())
    return path


_MAKERS = {"survey": survey, "traveltimes": traveltimes, "training_image": training_image}
_MAKERS["traces"] = traces
NAMES = tuple(_MAKERS)


def make(name: str, folder: Path) -> list[Path]:
    """Make the files of an example in a folder and return them."""
    return _MAKERS[name](folder)
