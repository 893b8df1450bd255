"""The traces of `wgan_traces`: random layers, modelling, normalisation, three disjoint sets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch

from geolib import _checks, waves
from geolib.gans import wgan
from geolib.studies.wgan_traces.config import AMPLITUDE_FACTOR, TracesConfig

# What the paper leaves open, beside the parameters of the study's Config:
DT = 1e-3  # s: 2000 steps make 2 s, in which the deepest reflection (1200 m at 1500 m/s) returns
N_STEPS = 2000  # published
# 2000 / 4 = 500 samples of 4 ms, trimmed to 499; the wavelet has nothing above their Nyquist.
DECIMATION = 4
SPACING = 5.0  # m: 10 points in the shortest wavelength (30 Hz at 1500 m/s), stable up to 5000 m/s
SOURCE_ROW = (
    3  # 20 m below the free surface: source and ghosts overlap ("shallow"), two bends and not one
)
SAMPLING = DT * DECIMATION  # s, of the traces the networks see
#: What makes a wavelet of a frequency in Hz, a time step in s and a number of samples.
Source = Callable[[float, float, int], torch.Tensor]


@dataclass(frozen=True)
class Data:
    """Three disjoint sets of traces `(n, 1, 499)`, float32, normalised; all models in order."""

    training: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    velocity: np.ndarray
    thickness: np.ndarray
    scale: float
    signed_mean: float


def draw_models(
    config: TracesConfig, n: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Return n four-layer models: velocities `(n, 4)`, m/s, thicknesses `(n, 3)`, m, uniform."""
    velocity, thickness = config.velocity, config.thickness
    return rng.uniform(velocity[0], velocity[1], (n, 4)), rng.uniform(
        thickness[0], thickness[1], (n, 3)
    )


def forward(
    velocity: np.ndarray,
    thickness: np.ndarray,
    frequency: float,
    backend: str = "fused",
    source: Source = waves.gaussian,
) -> np.ndarray:
    """Return the traces `(n, 499)`, every 4 ms, of layered models, direct arrival removed.

    Parameters
    ----------
    velocity : (n, n_layers) ndarray
        Interval velocities, m/s; the last layer is the half-space.
    thickness : (n, n_layers - 1) ndarray
        Thicknesses, m.
    frequency : float
        Sets the width of the source, Hz.
    backend : str
        Of `waves.propagate`.
    source : callable
        Makes the wavelet, by default a Gaussian.

    Notes
    -----
    The direct arrival is the run through a model that has the first layer's velocity everywhere.
    """
    nz = int(np.ceil(thickness.sum(1).max() / SPACING)) + 4
    depth = (np.arange(nz) + 1) * SPACING  # the free surface is one spacing above the first row
    traces = []
    for start in range(0, len(velocity), 200):  # 200 models stay in the processor's cache
        v, interfaces = (
            velocity[start : start + 200],
            np.cumsum(thickness[start : start + 200], axis=1),
        )
        layer = (depth[None, :, None] > interfaces[:, None, :]).sum(axis=2)
        model = np.take_along_axis(v, layer, axis=1)
        row = torch.full((len(v), 1, 1), SOURCE_ROW)
        wavelet = source(frequency, DT, N_STEPS).expand(len(v), 1, N_STEPS)
        edge = waves.Boundary(velocity=float(v[:, -1].mean()), frequency=frequency)
        survey = waves.Survey(waves.Grid((nz,), SPACING), DT, N_STEPS, row, row, wavelet, edge)
        with torch.no_grad():
            full, direct = (
                waves.propagate(torch.as_tensor(m, dtype=torch.float32), survey, backend=backend)[
                    :, 0
                ].numpy()
                for m in (model, np.repeat(v[:, :1], nz, axis=1))
            )
        traces.append((full - direct)[:, ::DECIMATION][:, : wgan.N_SAMPLES])
    return np.concatenate(traces)


def amplitude_scale(traces: np.ndarray) -> float:
    """Return what traces are divided by: ten times their mean absolute amplitude.

    Raises
    ------
    ValueError
        If the traces are not of 499 samples, not finite, or all constant.

    Notes
    -----
    The paper says "global mean"; the signed mean of traces that swing about zero is an accident of
    rounding.
    """
    _checks.shape(
        "traces", traces, (None, wgan.N_SAMPLES), "Resample and trim them to 499 samples."
    )
    _checks.finite("traces", traces)
    if not np.ptp(traces, axis=1).any():
        raise ValueError(
            "traces must vary in time; got constant ones. Check the forward modelling."
        )
    return float(AMPLITUDE_FACTOR * np.abs(traces).mean(dtype=np.float64))


def _sizes(config: TracesConfig) -> tuple[int, int, int]:
    return config.n_traces, config.n_held_out, config.n_held_out


def earths(config: TracesConfig) -> tuple[np.ndarray, np.ndarray]:
    """Return velocities and thicknesses of the three sets, each whatever the others' sizes."""
    models = [
        draw_models(config, n, np.random.default_rng([config.seed, part]))
        for part, n in enumerate(_sizes(config))
    ]
    velocity, thickness = (np.concatenate([m[i] for m in models]) for i in (0, 1))
    return velocity, thickness


def part_of(config: TracesConfig, part: int, scale: float) -> np.ndarray:
    """Return one set, 1 validation or 2 test, of a scale that is known, the others not modelled.

    As in `dataset` where sets are of multiples of the 200 models that are computed together.
    """
    ends = np.cumsum((0, *_sizes(config)))
    rows = slice(ends[part], ends[part + 1])
    velocity, thickness = earths(config)
    # The deepest earth of all sets decides on the grid: it is modelled as well, and left out.
    deepest = int(thickness.sum(axis=1).argmax())
    v, h = (np.concatenate([x[rows], x[deepest : deepest + 1]]) for x in (velocity, thickness))
    return (forward(v, h, config.frequency)[:-1] / scale).astype(np.float32)[:, None]


def dataset(config: TracesConfig, source: Source = waves.gaussian) -> Data:
    """Return a configuration's three sets of traces, modelled over its earths."""
    velocity, thickness = earths(config)
    raw = forward(velocity, thickness, config.frequency, source=source)
    scale = amplitude_scale(raw[: config.n_traces])
    training, validation, test = np.split(
        (raw / scale).astype(np.float32)[:, None], np.cumsum(_sizes(config))[:2]
    )
    signed = float(raw[: config.n_traces].mean(dtype=np.float64))
    return Data(training, validation, test, velocity, thickness, scale, signed)
