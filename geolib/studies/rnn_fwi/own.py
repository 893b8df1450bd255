"""Full-waveform inversion of the reader's own model or shot gathers, by several optimisers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from scipy.signal import resample_poly

from geolib._runtime import within_memory
from geolib.datasets import files, segy
from geolib.datasets.velocity import smooth
from geolib.inversion import descent, words
from geolib.runs.config import Config, file_param, param
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Unit, Units, select
from geolib.studies.rnn_fwi.problems import Problem
from geolib.studies.rnn_fwi.tables import LABELS
from geolib.waves import (
    Boundary,
    Certificate,
    Grid,
    Survey,
    between,
    certify,
    estimate_wavelet,
    gradient_bytes,
    longest_step,
    misfit_and_gradient,
    propagate,
    ricker,
)
from geolib.waves.survey import space_order_of

#: An inversion may make the earth so much slower or faster than its start.
SLOWER, FASTER = 0.6, 1.4


@dataclass(frozen=True)
class OwnConfig(Config):
    """Parameters; a file's content is part of what identifies results, its place is not."""

    velocity: str = file_param("file of the velocity: the truth, or with gathers the start")
    gathers: str = file_param("file of observed gathers, shot by shot")
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
        """Return how much memory a gradient takes; more than there is is refused."""
        read = given(self)
        survey, remedy = read.survey, "Take a coarser grid or fewer shots."
        gathers = 4 * survey.n_shots * survey.receiver_locations.shape[1] * survey.nt
        # Observed, resampled, of the model, and what dead traces are filled up with.
        needed = gradient_bytes(survey, space_order=self.space_order) + 4 * gathers
        return [within_memory("the survey", needed, remedy)]


@dataclass(frozen=True)
class Own(Problem):
    """A problem of own data: dead traces count nothing, and the truth may be unknown."""

    alive: torch.Tensor | None = None
    known: bool = True
    space_order: int = 4

    def objective(self, model: np.ndarray) -> tuple[float, np.ndarray]:
        """Return misfit and gradient at a model, without dead traces."""
        velocity = torch.from_numpy(model)
        observed = self.observed
        if self.alive is not None and not self.alive.all():
            # What is not observed is what the model says.
            with torch.no_grad():
                mine = propagate(velocity, self.survey, space_order=self.space_order)
            observed = torch.where(self.alive[..., None], observed, mine)
        misfit, gradient = misfit_and_gradient(
            velocity, self.survey, observed, space_order=self.space_order
        )
        gradient[: self.frozen] = 0
        return float(misfit), gradient.numpy()


@dataclass(frozen=True)
class Given:
    """What the files say, checked: survey, model, and gathers or None; nothing is computed yet."""

    survey: Survey
    model: np.ndarray
    observed: torch.Tensor | None


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
    read = _read(config)
    sources, receivers = _places(config, model.shape, read and read.geometry)
    grid, fastest = Grid(model.shape, config.spacings), FASTER * float(model.max())
    stable = 0.95 * longest_step(grid, fastest, config.space_order)
    sampling = config.dt or (read and read.interval)
    if read and not sampling:
        raise ValueError("gathers must have a sampling interval; byte 117 is 0. Give -p dt.")
    finer = math.ceil(sampling / stable) if sampling else 1
    dt = sampling / finer if sampling else stable
    nt = read.data.shape[-1] * finer if read else max(2, round(config.seconds / dt))
    amplitudes = _wavelet(config, dt, nt, finer).expand(len(sources), 1, nt)
    on_grid = [np.rint(each).astype(np.int64) for each in (sources, receivers)]
    edge = Boundary(top=config.top)
    points = Survey(grid, dt, nt, on_grid[0], on_grid[1], amplitudes, edge)
    survey = between(points, sources, receivers)
    survey.check_velocity(torch.from_numpy(model).float(), config.space_order)
    if read is None:
        return Given(survey, model, None)
    if not read.data.any():
        raise ValueError("gathers must hold a live trace; all are zero. Check the file.")
    finely = resample_poly(read.data, finer, 1, axis=-1).astype(np.float32)
    return Given(survey, model, torch.from_numpy(finely))


def problem(config: OwnConfig) -> Own:
    """Return survey, data and start of a configuration.

    Raises
    ------
    TypeError, ValueError
        As `given`.
    """
    read = given(config)
    survey, model, data = read.survey, read.model, read.observed
    start, order = model.astype(np.float32), config.space_order
    if data is None:
        data = propagate(torch.from_numpy(start), survey, space_order=order)
        # As far in depth as along the line, in metres.
        dz, dx = config.spacings
        first = smooth(model, config.smoothing, config.frozen, dx / dz).astype(np.float32)
        return Own(survey, data, model, first, config.frozen, space_order=order)
    alive = data.abs().amax(-1) > 0
    if config.source == "estimated":
        found = estimate_wavelet(torch.from_numpy(start), survey, data, space_order=order)
        survey = replace(survey, source_amplitudes=found.expand_as(survey.source_amplitudes))
    # The source's strength is what fits best at the start.
    made = propagate(torch.from_numpy(start), survey, space_order=order) * alive[..., None]
    strength = float((made * data).sum() / made.square().sum().clamp_min(1e-30)) or 1.0
    survey = replace(survey, source_amplitudes=survey.source_amplitudes * strength)
    return Own(survey, data, model, start, config.frozen, alive, known=False, space_order=order)


def _read(config: OwnConfig) -> segy.Gathers | None:
    """Return gathers with their geometry, if there are any."""
    path = Path(config.gathers)
    if not config.gathers:
        return None
    if not config.geometry:
        return segy.gathers("gathers", path, top=config.datum, origin=config.origin)
    known = files.geometry("geometry", config.geometry)
    return segy.Gathers(_gathers(path, known.receivers.shape[:2]), known, None)


def _places(
    config: OwnConfig, shape: tuple[int, int], known: files.Geometry | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions (n_shots, n, 2) of sources and receivers in grid indices."""
    if known is None and config.geometry:
        known = files.geometry("geometry", config.geometry)
    if known:
        name = "geometry" if config.geometry else "positions in gathers"
        sources, receivers = (files.places(name, each, config.spacings, shape) for each in known)
        return sources, receivers
    columns = np.linspace(0, shape[1] - 1, config.shots + 2)[1:-1].round()
    sources, receivers = (
        np.stack([np.ones(len(x)), x], -1) for x in (columns, np.arange(float(shape[1])))
    )
    return sources[:, None], np.repeat(receivers[None], config.shots, 0)


def _gathers(path: Path, known: tuple[int, int]) -> np.ndarray:
    """Return gathers (n_shots, n_receivers, nt); traces in a row are cut by their geometry."""
    n_traces = known[0] * known[1]
    if path.suffix.lower() in files.RAW:
        samples = path.stat().st_size // 4 // n_traces if path.is_file() else 0
        return files.array("gathers", path, 3, (*known, samples))
    axes = 2 if path.suffix.lower() in files.SEGY else 3
    found = files.array("gathers", path, axes)
    if found.shape[:-1] not in (known, (n_traces,)):
        raise ValueError(
            f"gathers must have the {known[0]} shots and {known[1]} receivers of geometry; "
            f"they have shape {found.shape}. Correct one of the two."
        )
    return found.reshape(*known, -1)


def _wavelet(config: OwnConfig, dt: float, nt: int, finer: int) -> torch.Tensor:
    if not config.wavelet:
        return ricker(config.frequency, dt, nt)
    given = resample_poly(files.array("wavelet", config.wavelet, 1), finer, 1)[:nt]
    return torch.from_numpy(np.pad(given, (0, nt - len(given))).astype(np.float32))


def certificate(config: OwnConfig) -> Certificate:
    """Return the certificate of a configuration's survey, at its start, with its data."""
    made = problem(config)
    data = None if made.known else made.observed
    return certify(torch.from_numpy(made.start), made.survey, data, space_order=config.space_order)


def certified(found: Certificate) -> str:
    """Return a certificate as a table, with its verdict."""
    rows = [[row.check, row.found, row.rule, row.state] for row in found.rows]
    return f"**{found.verdict}**\n\n{markdown(['check', 'found', 'rule', ''], rows)}"


@dataclass(frozen=True)
class Descent(Unit):
    """An inversion by one optimiser."""

    TEMPLATE: ClassVar[str] = "own-{method}"
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"method": words.METHODS}

    method: str


class OwnFwi(Study[OwnConfig]):
    """Inversions of the reader's own data."""

    name = "fwi_own"
    version = 2  # positions count as they are given, not as the nearest grid point
    title = "Full-waveform inversion of your own data"
    Config = OwnConfig
    kinds = (Descent,)

    def units(self, config: OwnConfig) -> list[Unit]:
        """Return an inversion for each optimiser."""
        return [Descent(method) for method in config.optimisers]

    def inputs(self, config: OwnConfig, unit: Unit) -> Sequence[str]:
        """Return the files that are given."""
        return config.files()

    def compute(
        self, config: OwnConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield misfits, models and, where the truth is known, errors."""
        made = problem(config)
        low, high = SLOWER * float(made.start.min()), FASTER * float(made.truth.max())
        watch = (lambda model: (made.error(model),)) if made.known else None
        for unit in units:
            assert isinstance(unit, Descent)
            found = descent.minimize(
                made.objective,
                made.start,
                unit.method,
                iterations=config.iterations,
                rate=config.rate if unit.method in words.STEP_METHODS else None,
                bounds=(low, high),
                watch=watch,
            )
            with torch.no_grad():
                model = torch.from_numpy(found.model)
                fitted = propagate(model, made.survey, space_order=config.space_order)
            errors = {"error": found.watched[:, 0]} if made.known else {}
            yield (
                unit,
                {
                    "misfit": found.misfit,
                    "model": found.model,
                    "start": made.start,
                    "observed": made.observed[0].numpy(),
                    "fitted": fitted[0].numpy(),
                    "message": np.array(found.message),
                    **errors,
                    **({"truth": made.truth.astype(np.float32)} if made.known else {}),
                },
            )


def named(units: Units) -> dict[str, Mapping[str, np.ndarray]]:
    """Return the inversions by their optimisers' names."""
    return {LABELS[unit.method]: arrays for unit, arrays in select(units, Descent).items()}


def receiver_spacing(made: Own) -> float:
    """Return the mean distance of neighbouring receivers of the first shot, m."""
    _, receivers = made.survey.PLACES
    columns = getattr(made.survey, receivers)[0, :, -1]
    return (
        made.survey.grid.spacings[-1]
        * float(columns.max() - columns.min())
        / max(1, len(columns) - 1)
    )


def table(runs: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """Return a table of what each optimiser reached, with model errors where the truth is known."""
    known = all("error" in run for run in runs.values())
    heads = ["optimiser", "evaluations", "misfit, of the start's", *(["model error (m/s)"] * known)]
    rows = [
        [
            name,
            len(run["misfit"]) - 1,
            f"{run['misfit'].min() / run['misfit'][0]:.3g}",
            *(
                f"{error[0]:.0f} to {error[-1]:.0f}"
                for error in [run.get("error")]
                if error is not None
            ),
        ]
        for name, run in runs.items()
    ]
    return markdown(heads, rows, "lrrr"[: len(heads)])


STUDY = OwnFwi()
