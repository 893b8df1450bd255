"""Full-waveform inversion of the reader's own model or shot gathers, by several optimisers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib.datasets.velocity import smooth
from geolib.inversion import descent, words
from geolib.runs.measure import Measure
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Unit, Units, select
from geolib.studies.rnn_fwi.given import FASTER, SLOWER, OwnConfig, given
from geolib.studies.rnn_fwi.problems import Problem
from geolib.studies.rnn_fwi.tables import LABELS
from geolib.waves import Certificate, certify, estimate_wavelet, misfit_and_gradient, propagate

#: Times that a shot may be as strong as another before the page says so.
APART = 10.0


@dataclass(frozen=True)
class Own(Problem):
    """A problem of own data: dead traces count nothing, and the truth may be unknown.

    Gathers that were given have `alive`. A truth beside them judges models and does nothing else:
    what is tried is bounded by the velocity's file (`bounds`, m/s), not by it. Of each sample that
    the file has, `finer` are computed; the wavelet was multiplied by `strength`.
    """

    alive: torch.Tensor | None = None
    known: bool = True
    space_order: int = 4
    bounds: tuple[float, float] | None = None
    finer: int = 1
    strength: float = 1.0

    @property
    def wavelet(self) -> np.ndarray:
        """The wavelet of the first shot, sampled as the gathers' file is."""
        found: np.ndarray = self.survey.source_amplitudes[0, 0, :: self.finer].numpy()
        return found

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
        limits = _bounds(first, model)
        return Own(
            survey,
            data,
            model,
            first,
            config.frozen,
            space_order=order,
            bounds=limits,
            finer=read.finer,
        )
    alive = data.abs().amax(-1) > 0
    if config.source == "estimated":
        found = estimate_wavelet(torch.from_numpy(start), survey, data, space_order=order)
        survey = replace(survey, source_amplitudes=found.expand_as(survey.source_amplitudes))
    # The source's strength is what fits best at the start.
    made = propagate(torch.from_numpy(start), survey, space_order=order) * alive[..., None]
    strength = float((made * data).sum() / made.square().sum().clamp_min(1e-30)) or 1.0
    survey = replace(survey, source_amplitudes=survey.source_amplitudes * strength)
    known, truth = read.truth is not None, model if read.truth is None else read.truth
    limits = _bounds(start, model)
    return Own(
        survey,
        data,
        truth,
        start,
        config.frozen,
        alive,
        known,
        order,
        limits,
        read.finer,
        strength,
    )


def _bounds(start: np.ndarray, model: np.ndarray) -> tuple[float, float]:
    """Return the least and the greatest velocity that an inversion may try, m/s."""
    return SLOWER * float(start.min()), FASTER * float(model.max())


def certificate(config: OwnConfig) -> Certificate:
    """Return the certificate of a configuration's survey, at its start, with its data."""
    made = problem(config)
    data = None if made.alive is None else made.observed
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
    version = 3  # constant traces are dead, derivatives are scaled, units hold the wavelet
    title = "Full-waveform inversion of your own data"
    Config = OwnConfig
    kinds = (Descent,)
    lends: ClassVar[Mapping[str, object]] = {"certificate": certificate}

    def units(self, config: OwnConfig) -> list[Unit]:
        """Return an inversion for each optimiser."""
        return [Descent(method) for method in config.optimisers]

    def compute(
        self, config: OwnConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield misfits, models and, where the truth is known, errors."""
        made = problem(config)
        watch = (lambda model: (made.error(model),)) if made.known else None
        objective, scale = _scaled(made)
        for unit in units:
            assert isinstance(unit, Descent)
            found = descent.minimize(
                objective,
                made.start,
                unit.method,
                iterations=config.iterations,
                rate=config.rate if unit.method in words.STEP_METHODS else None,
                bounds=made.bounds,
                watch=watch,
            )
            with torch.no_grad():
                model = torch.from_numpy(found.model)
                fitted = propagate(model, made.survey, space_order=config.space_order)
            errors = {"error": found.watched[:, 0]} if made.known else {}
            yield (
                unit,
                {
                    "misfit": found.misfit * scale,
                    "model": found.model,
                    "start": made.start,
                    "observed": made.observed[0].numpy(),
                    "fitted": fitted[0].numpy(),
                    "message": np.array(found.message),
                    "wavelet": made.wavelet,
                    "left": np.array(_left(unit.method, found.misfit)),
                    **errors,
                    **({"truth": made.truth.astype(np.float32)} if made.known else {}),
                },
            )

    def measures(self, config: OwnConfig, units: Units) -> dict[str, Measure]:
        """Return the misfit's share that each optimiser left, and its model's error if known."""
        found = {}
        for unit, run in select(units, Descent).items():
            found[f"{unit.method}.misfit"] = Measure(float(run["left"]))
            if "error" in run:
                found[f"{unit.method}.error"] = Measure(float(run["error"][-1]))
        return found

    def arrays(self, config: OwnConfig, units: Units) -> dict[str, np.ndarray]:
        """Return the models, and the wavelet as another run may take it."""
        runs = select(units, Descent)
        models = {f"model-{unit.method}.npy": run["model"] for unit, run in runs.items()}
        return models | {"wavelet.npy": next(iter(runs.values()))["wavelet"]}


def _scaled(made: Own) -> tuple[descent.Objective, float]:
    """Return the objective over its largest derivative at the start, and that.

    Adam's epsilon and the first steps of line searches are made for derivatives of about one: with
    data of small numbers they stay where they are.
    """
    _, first = made.objective(made.start)
    scale = float(np.abs(first).max()) or 1.0

    def objective(model: np.ndarray) -> tuple[float, np.ndarray]:
        misfit, gradient = made.objective(model)
        return misfit / scale, gradient / scale

    return objective, scale


def _left(method: str, misfit: np.ndarray) -> float:
    """Return the share of the start's misfit that the model has which a descent returns."""
    standing = misfit.min() if method in words.SEARCH_METHODS else misfit[-1]
    return float(standing / max(misfit[0], 1e-300))


def named(units: Units) -> dict[str, Mapping[str, np.ndarray]]:
    """Return the inversions by their optimisers' names."""
    return {LABELS[unit.method]: arrays for unit, arrays in select(units, Descent).items()}


def places(made: Own) -> list[np.ndarray]:
    """Return where sources and receivers are, each once: depth and distance (m), (n, 2) each."""
    spacings = np.array(made.survey.grid.spacings)
    both = (getattr(made.survey, name).flatten(0, 1).numpy() for name in made.survey.PLACES)
    return [np.unique(each * spacings, axis=0) for each in both]


def surveyed(config: OwnConfig, made: Own) -> str:
    """Return what the survey is, and what in its amplitudes should be looked at."""
    survey, (n_shots, n_receivers) = made.survey, made.survey.receiver_locations.shape[:2]
    interval = survey.dt * made.finer
    told = (
        f"**{n_shots}** shots of **{n_receivers}** traces, {survey.nt // made.finer} samples every "
        f"{1000 * interval:.4g} ms"
    )
    if made.finer > 1:
        told += f", of each of which {made.finer} are computed"
    if made.alive is None:
        return f"{told}; the gathers are computed from the velocity."
    dead = int((~made.alive).sum())
    told += f"; **{dead}** dead, which count nothing. The wavelet was multiplied by "
    told += f"{made.strength:.3g} to fit the data best at the start."
    if made.strength < 0 and config.source != "estimated":
        told += " **It was turned over: check the polarity of data and wavelet.**"
    power = torch.where(made.alive[..., None], made.observed, 0).square().sum((1, 2))
    shots = (power / made.alive.sum(1).clamp_min(1)).sqrt()
    if (least := float(shots.min())) * APART < float(shots.max()):
        weakest, strongest = int(shots.argmin()) + 1, int(shots.argmax()) + 1
        more = f"{float(shots.max()) / least:.3g} times" if least else "infinitely"
        told += (
            f" **Shot {strongest} is {more} as strong as shot {weakest}: the misfit is that of the "
            "strong ones; scale them.**"
        )
    return told


def table(runs: Mapping[str, Mapping[str, np.ndarray]]) -> str:
    """Return a table of what each optimiser reached, with model errors where the truth is known."""
    known = all("error" in run for run in runs.values())
    heads = ["optimiser", "evaluations", "misfit, of the start's", *(["model error (m/s)"] * known)]
    rows = [
        [
            name,
            len(run["misfit"]) - 1,
            f"{float(run['left']):.3g}",
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
