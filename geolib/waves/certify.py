"""A certificate of one survey: that its gradient is the gradient, and what its grid and layers do to the waves."""

from __future__ import annotations

import dataclasses
import itertools
import math
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from geolib._arguments import checked, tensor
from geolib.waves._trial import ALL, Trial
from geolib.waves.cell import padded_shape
from geolib.waves.memory import gradient_bytes
from geolib.waves.propagate import propagate
from geolib.waves.survey import STIFFNESS, Survey, longest_step, space_order_of

#: What rounding and the steps' own error leave of an exact adjoint: a fifth of these is seen on 200 random surveys.
DOT, DERIVATIVE, SINGLE = {torch.float64: 1e-13, torch.float32: 1e-5}, (1e-5, 5e-4), 5e-3
#: Of the misfit itself.
VALUE = {torch.float64: 1e-12, torch.float32: 1e-5}
#: Of sums of float64 numbers, over the sum of their magnitudes.
ROUNDING = 1e-13
#: At order 2; at higher ones the layer is symmetric up to the discretisation only.
RECIPROCAL, RECIPROCAL_ABOVE = 1e-10, 1e-2
#: Of x, the squared sine of half a point's phase: the scheme's second difference is -4 x (1 + x / 3 + ...).
SERIES = ((1, 1.0), (2, 1 / 3), (3, 8 / 45), (4, 4 / 35))
#: Energy: a hundredth of the amplitude. Periods: half of one.
REFLECTED, HALF = 1e-4, 0.5


@dataclass(frozen=True)
class Row:
    """One check: what was found, the rule, and "holds", "caution" or "FAULT" (or "" where there is no rule)."""

    check: str
    found: str
    rule: str = ""
    state: str = ""


@dataclass(frozen=True)
class Certificate:
    """What `certify` returns; `print` shows it as a table with its verdict.

    Parameters
    ----------
    rows : tuple of Row
        The checks.
    seconds, gradients : float
        What they took, and that in gradients of the whole survey; to compile the engine is not in it.
    compiling : float
        Seconds that went before: the kernels of both precisions, compiled or read from the cache.
    """

    rows: tuple[Row, ...]
    seconds: float
    gradients: float
    compiling: float = 0.0

    @property
    def faults(self) -> tuple[Row, ...]:
        """The checks that an exact engine passes on every survey, and that failed."""
        return tuple(row for row in self.rows if row.state == "FAULT")

    @property
    def cautions(self) -> tuple[Row, ...]:
        """The checks of the survey's choices that it would be better to change."""
        return tuple(row for row in self.rows if row.state == "caution")

    @property
    def verdict(self) -> str:
        """One sentence."""
        if self.faults:
            named = "; ".join(dict.fromkeys(row.check for row in self.faults))
            return f"Do not invert with this: the engine fails at {named}. Please report it with this table."
        if self.cautions:
            named = "; ".join(row.check for row in self.cautions)
            return f"The gradient is exact on this survey; think again about: {named}."
        return "The gradient is exact on this survey, and its grid, time step and layers serve its waves."

    def __str__(self) -> str:
        """Return table and verdict."""
        lines = [("check", "found", "rule", ""), *map(dataclasses.astuple, self.rows)]
        widths = [max(len(line[column]) for line in lines) for column in range(3)]
        table = ["  ".join([*(w.ljust(n) for w, n in zip(line, widths, strict=False)), line[3]]) for line in lines]
        before = f", after {self.compiling:.2g} s to make the engine ready" if self.compiling >= 1 else ""
        cost = f"It took {self.seconds:.2g} s, as {self.gradients:.1f} gradients of the survey{before}."
        return "\n".join([*(line.rstrip() for line in table), "", self.verdict, cost])


@checked(space_order=..., backend=("fused", "eager"), seed=(0, None))
def certify(
    velocity: torch.Tensor,
    survey: Survey,
    observed: torch.Tensor | None = None,
    *,
    space_order: int = 2,
    backend: str = "fused",
    seed: int = 0,
) -> Certificate:
    """Return whether the gradient of this very survey is right, and how well its grid and layers serve its waves.

    Parameters
    ----------
    velocity : ``grid.shape`` or ``(n_shots, *grid.shape)`` tensor
        Velocity at which an inversion would start, m/s.
    survey : Survey
        Grid, time step, boundaries, sources and receivers, on grid points or between them.
    observed : (n_shots, n_receivers, nt) tensor, optional
        Observed shot gathers, which the misfit that is tried takes, and by which cycles skipped are counted.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.
    backend : {"fused", "eager"}
        As for `propagate`.
    seed : int
        Of weights and directions.

    Returns
    -------
    Certificate
        Adjoint by dot products and Taylor remainders, for traces and misfit, in float64 and float32; reciprocity;
        energy reflected by the layers; time step; dispersion; cycles skipped; time and memory of a gradient.

    Raises
    ------
    TypeError, ValueError
        As `propagate`; also if all sources are silent, or observed data do not fit the survey.

    Notes
    -----
    Counted in work ten gradients of the survey or less from two shots on, eleven of one, and up to eighteen where the
    energy of one or two comes late. On the clock it is more for small surveys, since short runs are no quicker: 14 and
    23 were measured of one shot, on a busy machine. Of many shots six are tried, spread evenly; of few shots cell by
    cell the first third of their record, or as much of it as brings half of the energy, and then all cells together
    the whole record. The first row says which. A gradient's seconds are extrapolated from the quickest that a check
    makes. On a machine's first call the engine compiles before, which is told apart.

    The misfit that is tried is of the observed data, or of traces of this velocity, as strong as the traces, with as
    much noise: so there is something to fit at each sample.
    """
    begin = time.perf_counter()
    order = space_order_of(space_order)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # the table says it
        survey.check_velocity(velocity, order)
        if not survey.highest_frequency:
            raise ValueError("source_amplitudes must not be silent; all are zero. Give a wavelet, such as ricker.")
        if observed is not None:
            tensor("observed", observed, (*survey.receiver_locations.shape[:2], survey.nt))
        survey, velocity = _fixed(survey), velocity.detach()
        trial = Trial(velocity, survey, observed, {"space_order": order, "backend": backend}, seed)
        rows = [_tried(trial), *_dot_products(trial), *_taylor(trial), *_single(trial), *_values(trial)]
        rows += _to_the_last_sample(trial)
        rows += [*_reciprocity(trial), *_reflection(trial), *_grid(velocity, survey, order)]
        if observed is not None:
            rows.append(_cycles(trial, observed))
        rows.append(_cost(survey, order, backend, trial.seconds))
    seconds = time.perf_counter() - begin
    seconds -= trial.compiling
    return Certificate(tuple(rows), seconds, seconds / trial.seconds, trial.compiling)


def _fixed(survey: Survey) -> Survey:
    """Return the survey without graphs, with the layers that it has, whichever of its shots are tried."""
    speed, frequency = survey.tuning
    edge = dataclasses.replace(survey.boundary, velocity=speed, frequency=frequency)
    return dataclasses.replace(survey, boundary=edge, source_amplitudes=survey.source_amplitudes.detach())


def _sums(values: torch.Tensor) -> torch.Tensor:
    return values.flatten(1).sum(1)


def _row(check: str, error: float, limit: float, found: str = "") -> Row:
    return Row(check, found or f"{error:.1e}", f"at most {limit:.0e}", "holds" if error <= limit else "FAULT")


def _dot_products(trial: Trial) -> list[Row]:
    """Traces are linear in the source, so that <F s, w> = <s, F' w> without any step."""
    pairs = ((torch.float64, trial.double), (torch.float32, trial.single))
    return [_row(f"dot product, {str(kind)[6:]}", found.gap, DOT[kind]) for kind, found in pairs]


def _taylor(trial: Trial) -> Iterator[Row]:
    """Try what two steps in a direction change against what the derivative says of them."""
    groups, n, exact = trial.groups(), len(trial.shots), trial.double
    tried = list(zip(itertools.cycle(range(n)), itertools.cycle(groups), range(max(n, len(groups)))))
    rows = torch.tensor([row for row, *_ in tried])
    # Uphill: what is wrong in one cell is then not made up for in another.
    size = [g.abs().flatten(1).sum(1).clamp_min(1e-300) for g in (exact.weighted, exact.misfit)]
    by_shot = (-1, *[1] * (trial.models.dim() - 1))
    uphill = exact.weighted / size[0].view(by_shot) + exact.misfit / size[1].view(by_shot)
    steps = trial.models * trial.sizes * torch.where(uphill < 0, -1.0, 1.0)
    lengths = {name: trial.step if name == ALL else trial.step_of_few for name in groups}
    steps = torch.stack([lengths[name] * (groups[name] * steps)[row] for row, name, _ in tried])
    survey, models = trial.part(trial.amplitudes[rows], rows), trial.models[rows]
    moved = [propagate(models + k * steps, survey, **trial.options) for k in (1, 2)]
    observed = trial.observed[rows, :, : moved[0].shape[-1]]
    functionals = {
        "traces": lambda data: trial.weights[rows] * data,
        "misfit": lambda data: (data - observed).square() / 2,
    }
    for what, gradient in (("traces", exact.weighted), ("misfit", exact.misfit)):
        here = functionals[what](exact.traces[rows])
        first, second = (_sums(functionals[what](data) - here) for data in moved)
        told = _sums(gradient[rows] * steps)
        # Both steps together cancel the second order of what they change.
        change = 2 * first - second / 2
        scale = torch.stack([_sums((gradient[rows] * steps).abs()), change.abs(), second.abs()]).amax(0)
        # Cells that no recorded wave has met change rounding alone.
        scale = torch.maximum(scale, ROUNDING / DERIVATIVE[1] * _sums(here.abs()))
        error = ((change - told).abs() / scale.clamp_min(1e-300)).nan_to_num(math.inf)
        slope = torch.log2((second - 2 * told).abs() / (first - told).abs())
        for name in groups:
            mine = [i for i, (_, other, _) in enumerate(tried) if other == name]
            worst = max(mine, key=lambda i: float(error[i]))
            found = f"{float(error[worst]):.1e}, slope {float(slope[worst]):.2f}"
            limit = DERIVATIVE[name != ALL]
            yield _row(f"derivative of {what}, {name}", float(error[worst]), limit, found)


def _single(trial: Trial) -> Iterator[Row]:
    for what in ("weighted", "misfit"):
        exact, found = getattr(trial.double, what), getattr(trial.single, what).double()
        error = float((found - exact).abs().sum() / exact.abs().sum().clamp_min(1e-300))
        yield _row(f"gradient of {'traces' if what == 'weighted' else what}, float32", error, SINGLE)


def _values(trial: Trial) -> list[Row]:
    pairs = ((torch.float64, trial.double), (torch.float32, trial.single))
    return [_row(f"value of misfit, {str(kind)[6:]}", found.off, VALUE[kind]) for kind, found in pairs]


def _tried(trial: Trial) -> Row:
    survey, samples = trial.survey, trial.amplitudes.shape[-1]
    found = f"{len(trial.shots)} of {survey.n_shots} shots, {samples} of {survey.nt} samples"
    whole = "" if samples == survey.nt else f"; all in {str(trial.model.dtype)[6:]}"
    return Row("tried", found + whole)


def _to_the_last_sample(trial: Trial) -> Iterator[Row]:
    """Try all shots together over the whole record, in the survey's precision: what the parts did not come to."""
    kind, ends = trial.model.dtype, "to the last sample"
    value, found = trial.misfit_gradient(trial.model, trial.whole)
    if trial.amplitudes.shape[-1] == trial.survey.nt:
        apart = (trial.single if kind == torch.float32 else trial.double).misfit.double()
    else:
        # With what the misfit leaves as weights, the gradient of the traces is that of the misfit.
        left = trial.left(trial.heard)
        scale = left.abs().max().clamp_min(1e-300)
        weights = (left / scale).to(kind)
        models, sources = trial.models.to(kind).clone().requires_grad_(), trial.whole.clone().requires_grad_()
        traces = propagate(models, trial.part(sources), **trial.options)
        weighted, source = torch.autograd.grad((weights * traces).sum(), (models, sources))
        apart = weighted.double() * scale
        gap = (weights.double() * trial.heard).sum() - (trial.whole.double() * source.double()).sum()
        yield _row(f"dot product, {ends}", float(gap.abs() / (weights.double().norm() * trial.heard.norm())), DOT[kind])
        yield _row(f"value of misfit, {ends}", trial.off(value, trial.heard), VALUE[kind])
        yield _whole_derivative(trial, found, ends)
    if trial.shared:
        apart = apart.sum(0)
    error = found.double() - apart
    check = "gradient of all shots, against each by itself" if trial.shared else f"gradient of misfit, {ends}"
    yield _row(check, float(error.abs().sum() / apart.abs().sum().clamp_min(1e-300)), SINGLE)


def _whole_derivative(trial: Trial, gradient: torch.Tensor, ends: str) -> Row:
    """Try a step of all cells forth and back: in float64, for float32 rounds as much off as they change."""
    model = trial.model.double()
    sizes = trial.sizes[0] if trial.shared else trial.sizes
    step = trial.step * model * sizes * torch.where(gradient < 0, -1.0, 1.0)
    survey = trial.part(trial.whole.double())
    forth, back = (trial.left(propagate(model + way * step, survey, **trial.options)) for way in (1, -1))
    change = float(((forth - back) * (forth + back)).sum()) / 4
    told = float((gradient.double() * step).sum())
    scale = max(abs(told), abs(change), 1e-300)
    return _row(f"derivative of misfit, {ends}", abs(change - told) / scale, SINGLE)


def _reciprocity(trial: Trial) -> Iterator[Row]:
    """Source and receiver may change places."""
    source, receiver = (getattr(trial.survey, name)[trial.shots[0]] for name in trial.survey.PLACES)
    metres = torch.tensor(trial.survey.grid.spacings, dtype=torch.float64)
    heard = trial.heard[0].abs().amax(-1).cpu()
    distance = ((receiver - source[0]) * metres).norm(dim=-1) * (heard >= 1e-3 * heard.max())
    if float(distance.max()) == 0:
        return
    here, there = source[0], receiver[int(distance.argmax())]
    wavelet = max(trial.whole[0].double(), key=lambda wavelet: float(wavelet.abs().max()))

    def exchanged(here: torch.Tensor, there: torch.Tensor) -> Survey:
        ends = zip(trial.survey.PLACES, ((here, there), (there, here)), strict=True)
        places: dict[str, Any] = {name: torch.stack(pair)[:, None] for name, pair in ends}
        return dataclasses.replace(trial.survey, **places, source_amplitudes=wavelet.expand(2, 1, -1))

    pair = exchanged(here, there)
    points, _ = pair.points("source")
    if ((points < 0) | (points >= torch.tensor(pair.grid.shape))).any():
        # In a layer what is sent and what is heard do not fade alike: try the nearest points.
        pair = exchanged(here.round(), there.round())
    forth, back = propagate(trial.models[0], pair, **trial.options)
    error = float((forth - back).abs().max() / forth.abs().max().clamp_min(1e-300))
    yield _row("reciprocity", error, RECIPROCAL if trial.options["space_order"] == 2 else RECIPROCAL_ABOVE)


def _reflection(trial: Trial) -> Iterator[Row]:
    """Find what comes back from the layers by others, three times as wide and tuned for the model."""
    edge = trial.survey.boundary
    if "absorbing" not in (edge.top, edge.bottom, *edge.sides)[: 2 * len(trial.survey.grid.shape)]:
        return
    row = torch.tensor([len(trial.shots) // 2])
    fastest, width = float(trial.models.max()), max(40, 3 * edge.width)
    wider = dataclasses.replace(edge, width=width, velocity=fastest, frequency=trial.survey.mean_frequency)
    survey = dataclasses.replace(trial.part(trial.whole[row], row), boundary=wider)
    endless = propagate(trial.models[row].to(trial.model), survey, **trial.options).double()
    scale = endless.abs().max().clamp_min(1e-300)
    energy = float(((trial.heard[row] - endless) / scale).square().sum() / (endless / scale).square().sum())
    state = "holds" if energy <= REFLECTED else "caution"
    yield Row("energy that the layers send back", f"{energy:.1e}", f"at most {REFLECTED:.0e}", state)


def _grid(velocity: torch.Tensor, survey: Survey, order: int) -> Iterator[Row]:
    """Tell how far the time step is from the longest, and by how much the shortest waves run early or late."""
    share = survey.dt / longest_step(survey.grid, float(velocity.max()), order)
    yield Row("time step", f"{share:.0%} of the longest stable", "at most 100%", "holds")
    late = max(_late(survey, velocity.double(), spacing, order) for spacing in set(survey.grid.spacings))
    frequency = survey.highest_frequency
    if late == math.inf:
        found = f"{frequency:.3g} Hz does not travel at {float(velocity.min()):.4g} m/s"
        yield Row("dispersion", found, "it should", "caution")
        return
    # Over the longest offset, or down to the last row and back, as far as a wave comes.
    apart = torch.tensor(survey.grid.spacings, dtype=torch.float64)
    sources, receivers = (getattr(survey, name) for name in survey.PLACES)
    offsets = ((sources[:, :, None] - receivers[:, None]) * apart).norm(dim=-1)
    metres = max(float(offsets.max()), 2.0 * survey.grid.shape[0] * survey.grid.spacings[0])
    metres = min(metres, survey.nt * survey.dt * float(velocity.double().mean()))
    periods = late * metres
    found = f"{periods:.2f} periods of {frequency:.3g} Hz over {metres:.4g} m"
    yield Row("dispersion", found, f"at most {HALF}", "holds" if periods <= HALF else "caution")


def _late(survey: Survey, speeds: torch.Tensor, spacing: float, order: int) -> float:
    """Return the periods a metre by which the shortest waves run early or late along an axis, where they do most.

    Along the axis of longer cells it is the differences that err, along the other it may be the time step.
    """
    frequency = survey.highest_frequency
    # The scheme's own wavenumber along an axis times half the spacing, by its sine.
    s = (math.sin(min(math.pi * frequency * survey.dt, math.pi / 2)) * spacing / (speeds * survey.dt)).square()
    if float(s.max()) >= STIFFNESS[order]:
        return math.inf
    series, x = SERIES[: order // 2], s
    for _ in range(20):  # Newton's steps on sum c x^n = s, which is convex
        x = x - (sum(c * x**n for n, c in series) - s) / sum(n * c * x ** (n - 1) for n, c in series)
    return float((x.sqrt().asin() / math.pi - frequency * spacing / speeds).abs().mean()) / spacing


def _cycles(trial: Trial, observed: torch.Tensor) -> Row:
    """Return by how many periods traces of this velocity and observed ones are apart, by cross-correlation."""
    mine, other = trial.heard.flatten(0, 1), observed[trial.shots].to(trial.heard).flatten(0, 1)
    n, dt = mine.shape[1], trial.survey.dt
    across = torch.fft.irfft(torch.fft.rfft(mine, 2 * n).conj() * torch.fft.rfft(other, 2 * n), 2 * n)
    lag = across.argmax(1)
    periods = torch.where(lag > n, lag - 2 * n, lag).abs() * dt * trial.survey.mean_frequency
    alive = (mine.abs().amax(1) > 0) & (other.abs().amax(1) > 0)
    skipped, traces = int((periods[alive] > HALF).sum()), int(alive.sum())
    worst = float(periods[alive].max()) if traces else 0.0
    found = f"{skipped} of {traces} traces, the worst by {worst:.1f} periods of {trial.survey.mean_frequency:.3g} Hz"
    return Row("cycles skipped at this velocity", found, "none", "caution" if skipped else "holds")


def _cost(survey: Survey, order: int, backend: str, seconds: float) -> Row:
    if backend == "fused":
        memory = gradient_bytes(survey, space_order=order)
    else:
        cells = math.prod(padded_shape(survey)) * survey.source_amplitudes.element_size()
        memory = 10 * cells * survey.n_shots * survey.nt
    return Row("one gradient of the survey", f"{seconds:.2g} s and {memory / 2**20:.3g} MiB")
