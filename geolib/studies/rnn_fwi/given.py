"""The reader's own survey: what its files say, checked before anything is computed."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy.signal import resample_poly

from geolib._runtime import within_memory
from geolib.datasets import files, segy, tables
from geolib.inversion import words
from geolib.runs.config import Config, file_param, param
from geolib.waves import Boundary, Grid, Survey, between, gradient_bytes, longest_step, ricker
from geolib.waves.memory import certificate_bytes
from geolib.waves.survey import space_order_of

#: An inversion may make the earth so much slower or faster than its start.
SLOWER, FASTER = 0.6, 1.4
#: Least and greatest largest amplitude of which float32 can add up squares.
AMPLITUDES = (1e-15, 1e12)


@dataclass(frozen=True)
class OwnConfig(Config):
    """Parameters; a file's content is part of what identifies results, its place is not."""

    velocity: str = file_param("file of the velocity: the truth, or with gathers the start")
    gathers: str = file_param("file of observed gathers, shot by shot")
    truth: str = file_param("file of the gathers' true velocity, if known; it judges models alone")
    geometry: str = file_param("table of sources and receivers, in m; SEG-Y gathers have their own")
    wavelet: str = file_param("file of the wavelet; without it, that of source")
    velocity_unit: str = param("m/s", "unit of the velocity's file", choices=tuple(files.UNITS))
    shape: tuple[int, ...] = param((0, 0), "rows and columns of a raw file", low=0)
    spacing: float = param(10.0, "distance of grid points", low=1e-3, high=1e5, unit="m")
    spacing_z: float = param(
        0.0, "that in depth, if it differs; 0: the same", low=0, high=1e5, unit="m", former=0.0
    )
    datum: float = param(
        0.0, "elevation of the first row, for SEG-Y gathers", low=-2e4, high=2e4, unit="m"
    )
    origin: tuple[float, ...] = param(
        (0.0, 0.0), "x and y of the first column, as in SEG-Y headers", low=-1e9, high=1e9, unit="m"
    )
    dt: float = param(
        0.0, "sampling of gathers; 0 takes that of SEG-Y, or a stable step", low=0, high=1, unit="s"
    )
    seconds: float = param(1.5, "length of made gathers", low=1e-3, high=100, unit="s")
    shots: int = param(4, "shots where no geometry is given", low=1, high=1000)
    source: str = param(
        "ricker", "wavelet without a file; estimated from gathers", choices=("ricker", "estimated")
    )
    frequency: float = param(
        8.0, "peak of the Ricker wavelet; of the estimated, about", low=1e-2, high=1e5, unit="Hz"
    )
    smoothing: float = param(
        6.0, "deviation of the start's smoothing, without gathers", low=0.5, high=100, unit="cells"
    )
    top: str = param("free", "upper boundary", choices=("free", "absorbing"))
    frozen: int = param(0, "rows from the top that stay as they are", low=0, high=10_000)
    space_order: int = param(
        4, "order of the spatial differences: 2, 4, 6 or 8", low=2, high=8, former=4
    )
    optimisers: tuple[str, ...] = param(
        ("adam", "cg", "lbfgs"), "what inverts", choices=words.METHODS, extent=True
    )
    rate: float = param(40.0, "rate of optimisers without a line search", low=1e-6, high=1e6)
    iterations: int = param(20, "evaluations after the start", paper=200, low=1, high=100_000)

    def check(self) -> None:
        """Check what belongs together, and the order."""
        space_order_of(self.space_order)
        if self.truth and not self.gathers:
            raise ValueError(
                "truth must come with gathers; there are none, so that the velocity is the truth. "
                "Leave truth out, or add -p gathers FILE."
            )
        segy_ = Path(self.gathers).suffix.lower() in files.SEGY
        if self.gathers and not segy_ and not (self.geometry and self.dt):
            raise ValueError(
                "gathers must have their geometry and dt; one is missing. Give both, or SEG-Y."
            )
        if self.source == "estimated" and (self.wavelet or not self.gathers):
            raise ValueError(
                "source must be ricker with a wavelet's file, or without gathers; it is "
                "estimated. Give gathers alone."
            )
        if self.wavelet and not (self.dt or self.gathers):
            raise ValueError(
                "wavelet must have a sampling; neither dt nor gathers tell it. Give -p dt SECONDS."
            )
        if not self.wavelet and self.dt > 0.5 / self.frequency:
            raise ValueError(
                f"dt must be at most {0.5 / self.frequency:.3g} s, half a period of the source's "
                f"{self.frequency:g} Hz; got {self.dt:g}. Give it in seconds, not milliseconds, or "
                "a lower -p frequency."
            )
        if self.wavelet and self.dt > files.LONGEST:
            raise ValueError(
                f"dt must be at most {files.LONGEST:g} s; got {self.dt:g}. Give it in seconds, not "
                "milliseconds."
            )
        if len(self.shape) != 2:
            raise ValueError(f"shape must be rows and columns; got {self.shape}. Give two numbers.")
        if len(self.origin) != 2:
            raise ValueError(f"origin must be x and y; got {self.origin}. Give two numbers.")

    @property
    def spacings(self) -> tuple[float, float]:
        """The distance of grid points in depth and along the line, m."""
        return self.spacing_z or self.spacing, self.spacing

    def ready(self) -> None:
        """Read and check every file, and the memory that is needed."""
        self.told()

    def told(self) -> list[str]:
        """Return how much memory a gradient or the certificate takes; too much is refused."""
        read = given(self)
        survey, remedy = read.survey, "Take a coarser grid or fewer shots."
        gathers = 4 * survey.n_shots * survey.receiver_locations.shape[1] * survey.nt
        # Observed, resampled, of the model, and what dead traces are filled up with.
        needed = gradient_bytes(survey, space_order=self.space_order) + 4 * gathers
        # Each page begins with a certificate, which keeps more.
        needed = max(needed, certificate_bytes(survey, space_order=self.space_order) + gathers)
        return [within_memory("the survey", needed, remedy)]


@dataclass(frozen=True)
class Given:
    """What the files say, checked: survey, model, gathers or None, and the truth if it is known.

    Nothing is computed yet. Of the gathers' samples each became `finer`.
    """

    survey: Survey
    model: np.ndarray
    observed: torch.Tensor | None
    truth: np.ndarray | None
    finer: int = 1


def given(config: OwnConfig) -> Given:
    """Return what the files of a configuration say.

    Raises
    ------
    TypeError, ValueError
        If a file is refused (`geolib.datasets.files`), or what is in them does not go together.
    """
    if not config.velocity:
        raise ValueError("velocity must name a file; none is given. Add -p velocity FILE.")
    shape = config.shape if all(config.shape) else None
    model = files.velocity("velocity", config.velocity, unit=config.velocity_unit, shape=shape)
    if min(model.shape) < 3 or config.frozen >= len(model):
        raise ValueError(
            f"velocity must have 3 rows and columns at least, and one that is not frozen; it has "
            f"{model.shape}, frozen {config.frozen}. Give a larger model."
        )
    truth = _truth(config, model.shape) if config.truth else None
    read = _read(config)
    sources, receivers = _places(config, model.shape, read and read.geometry)
    grid, fastest = Grid(model.shape, config.spacings), FASTER * float(model.max())
    stable = 0.95 * longest_step(grid, fastest, config.space_order)
    sampling = config.dt or (read and read.interval)
    if read and not sampling:
        raise ValueError("gathers must have a sampling interval; byte 117 is 0. Give -p dt.")
    told = config.dt and read and read.interval
    if told and not math.isclose(config.dt, told, rel_tol=1e-3, abs_tol=1e-6):  # whole microseconds
        raise ValueError(
            f"dt must be that of the gathers' headers, {told:g} s; got {config.dt:g}. "
            "Leave it out, or correct byte 117."
        )
    finer = math.ceil(sampling / stable) if sampling else 1
    dt = sampling / finer if sampling else stable
    nt = read.data.shape[-1] * finer if read else max(2, round(config.seconds / dt))
    _must_fit(len(sources), receivers.shape[1], nt)
    amplitudes = _wavelet(config, dt, nt, finer).expand(len(sources), 1, nt)
    on_grid = [np.rint(each).astype(np.int64) for each in (sources, receivers)]
    edge = Boundary(top=config.top)
    points = Survey(grid, dt, nt, on_grid[0], on_grid[1], amplitudes, edge)
    survey = between(points, sources, receivers)
    survey.check_velocity(torch.from_numpy(model).float(), config.space_order)
    if read is None:
        return Given(survey, model, None, model, finer)
    if not read.data.any():
        raise ValueError("gathers must hold a live trace; all are zero. Check the file.")
    _must_be_bearable("gathers", read.data)
    finely = resample_poly(read.data, finer, 1, axis=-1).astype(np.float32)
    return Given(survey, model, torch.from_numpy(finely), truth, finer)


def _truth(config: OwnConfig, shape: tuple[int, ...]) -> np.ndarray:
    """Return the true velocity, of the start's shape and unit."""
    # A raw file is of the start's shape or refused; of others the shape is told.
    told = shape if Path(config.truth).suffix.lower() in files.RAW else None
    found = files.velocity("truth", config.truth, unit=config.velocity_unit, shape=told)
    if found.shape != shape:
        raise ValueError(
            f"truth must have the rows and columns of velocity, {shape}; got {found.shape}. "
            "Cut it, or resample it to the start's grid."
        )
    return found


def _read(config: OwnConfig) -> segy.Gathers | None:
    """Return gathers with their geometry, if there are any."""
    path = Path(config.gathers)
    if not config.gathers:
        return None
    if not config.geometry:
        return segy.gathers("gathers", path, top=config.datum, origin=config.origin)
    known = tables.geometry("geometry", config.geometry)
    told = segy.interval_of("gathers", path) if path.suffix.lower() in files.SEGY else None
    return segy.Gathers(_gathers(config, path, known.receivers.shape[:2]), known, told)


def _must_fit(n_shots: int, n_receivers: int, nt: int) -> None:
    """Refuse a survey whose traces alone are more than the memory, before one is made."""
    remedy = "Take fewer shots, a shorter record (-p seconds) or a coarser grid."
    # Gathers are there up to four times, amplitudes twice, a wavelet in float64 while it is made.
    within_memory("the survey", 4.0 * nt * (4 * n_shots * n_receivers + 2 * n_shots + 8), remedy)


def _places(
    config: OwnConfig, shape: tuple[int, int], known: tables.Geometry | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (n_shots, n, 2) of sources and receivers in grid indices."""
    if known is None and config.geometry:
        known = tables.geometry("geometry", config.geometry)
    if known:
        name = "geometry" if config.geometry else "positions in gathers"
        remedy = "Check spacing and units."
        if not config.geometry:  # headers count from where the surveyor did
            remedy = (
                "Say where its first point is: -p origin X,Y as in the headers and -p datum "
                "ELEVATION; or check spacing."
            )
        _must_be_metres(name, known, config.spacings, shape)
        sources, receivers = (
            tables.places(name, each, config.spacings, shape, remedy) for each in known
        )
        return sources, receivers
    columns = np.linspace(0, shape[1] - 1, config.shots + 2)[1:-1].round()
    sources, receivers = (
        np.stack([np.ones(len(x)), x], -1) for x in (columns, np.arange(float(shape[1])))
    )
    return sources[:, None], np.repeat(receivers[None], config.shots, 0)


def _gathers(config: OwnConfig, path: Path, known: tuple[int, int]) -> np.ndarray:
    """Return gathers (n_shots, n_receivers, nt); traces in a row are those of the table's rows."""
    n_traces = known[0] * known[1]
    if path.suffix.lower() in files.RAW:
        samples = path.stat().st_size // 4 // n_traces if path.is_file() else 0
        found = files.array("gathers", path, 2, (n_traces, samples), of_traces=True)
    else:
        axes = (2,) if path.suffix.lower() in files.SEGY else (2, 3)
        found = files.array("gathers", path, axes, of_traces=True)
    if found.shape[:-1] not in (known, (n_traces,)):
        raise ValueError(
            f"gathers must have the {known[0]} shots and {known[1]} receivers of geometry; "
            f"they have shape {found.shape}. Correct one of the two."
        )
    if found.ndim == 2:
        found = np.take(found, tables.by_shots("geometry", config.geometry), axis=0)
    return found


def _wavelet(config: OwnConfig, dt: float, nt: int, finer: int) -> torch.Tensor:
    if not config.wavelet:
        return ricker(config.frequency, dt, nt)
    read = files.array("wavelet", config.wavelet, 1)
    _must_be_bearable("wavelet", read)
    given = resample_poly(read, finer, 1)[:nt]
    if not given.any():
        raise ValueError(
            f"wavelet must have an amplitude within the record; {config.wavelet} is silent for its "
            f"{nt * dt:g} s. Lengthen the record, or check the file."
        )
    return torch.from_numpy(np.pad(given, (0, nt - len(given))).astype(np.float32))


def _must_be_metres(
    name: str, known: tables.Geometry, spacings: tuple[float, float], shape: tuple[int, int]
) -> None:
    """Check that positions of several traces are no kilometres: within a cell, and fit as km."""
    every = np.concatenate([each.reshape(-1, 2) for each in known])
    spread, cell = np.ptp(every, axis=0), min(spacings)
    length = (np.array(shape) - 1) * spacings
    in_km = (1000 * every.max(axis=0) <= length).all() and 1000 * spread.max() > cell
    if len(every) > 2 and spread.max() < cell and in_km:
        raise ValueError(
            f"{name} must spread over a cell of {cell:g} m at least; all positions are within "
            f"{spread.max():g} m and would fit as km. Give metres, or a finer -p spacing."
        )


def _must_be_bearable(name: str, amplitudes: np.ndarray) -> None:
    """Check that float32 can square amplitudes; that all are zero is another matter."""
    largest = float(np.abs(amplitudes).max())
    if largest and not AMPLITUDES[0] <= largest <= AMPLITUDES[1]:
        raise ValueError(
            f"{name} must have a largest amplitude between {AMPLITUDES[0]:g} and "
            f"{AMPLITUDES[1]:g}, which float32 can square; it is {largest:g}. Scale it."
        )
