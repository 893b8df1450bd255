"""DREAM(ZS): differential-evolution Markov chains that propose from an archive of past states, all in one array."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from geolib import _checks
from geolib._arguments import checked, hold
from geolib._runtime import steps

LogLikelihood = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Settings:
    """Settings of the sampler.

    Attributes
    ----------
    n_chains : int
        Chains.
    jump_scale : float
        Factor on the standard jump 2.38 / sqrt(2 d').
    crossovers : int
        Number of crossover probabilities 1/n, 2/n, ... 1.
    archive_per_dimension : int
        Rows of the first archive for each dimension.
    append_every : int
        Generations between two additions to the archive.
    snooker, unit_jump : float
        Probabilities of a snooker update and of a jump of factor one.
    spread, jitter : float
        Half width of the relative and standard deviation of the absolute randomisation of a jump.
    adaptation : float
        Share of the run in which the crossover probabilities adapt.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    n_chains: int = 8
    jump_scale: float = 1.0
    crossovers: int = 3
    archive_per_dimension: int = 10
    append_every: int = 10
    snooker: float = 0.1
    unit_jump: float = 0.2
    spread: float = 0.05
    jitter: float = 1e-12
    adaptation: float = 0.1

    def __post_init__(self) -> None:
        """Check every number."""
        counts = dict.fromkeys(("n_chains", "crossovers", "append_every"), (1, None))
        shares = dict.fromkeys(("snooker", "unit_jump", "adaptation"), (0, 1))
        sizes = dict.fromkeys(("jump_scale", "spread", "jitter"), (0, None))
        # A snooker update takes three rows of the archive.
        hold(self, archive_per_dimension=(3, None), **counts, **shares, **sizes)


@dataclass
class Chains:
    """Chains on the box (-1, 1)^d.

    Attributes
    ----------
    draws : ndarray, shape (n_chains, n_draws, n_dim)
        Kept states.
    log_likelihood : ndarray, shape (n_chains, n_draws)
        Of the kept states.
    acceptance_rate : ndarray, shape (n_chains,)
        Share of accepted proposals.
    crossover : ndarray
        Probabilities of the crossover values at the end.
    best : ndarray, shape (n_dim,)
        State of the largest likelihood met.
    record : ndarray, shape (k, 2)
        Forward runs and log likelihood whenever the largest likelihood grew, none as long as it is zero.
    runs : int
        Evaluations of the likelihood.
    """

    draws: np.ndarray
    log_likelihood: np.ndarray
    acceptance_rate: np.ndarray
    crossover: np.ndarray
    best: np.ndarray
    record: np.ndarray
    runs: int


@checked()
def gaussian(simulate: Callable[[np.ndarray], np.ndarray], data: np.ndarray, sigma: float) -> LogLikelihood:
    """Return the log likelihood, up to a constant, of independent Gaussian errors of standard deviation `sigma`.

    Raises
    ------
    ValueError
        If sigma is not positive.
    """
    if not sigma > 0:
        raise ValueError(f"sigma must be positive; got {sigma:g}. Give the standard deviation of the errors.")
    return lambda latents: -0.5 * np.square((simulate(latents) - data) / sigma).sum(1)


@checked(n_dim=(1, None), generations=(1, None), thin=(1, None), target=...)
def sample(
    log_likelihood: LogLikelihood,
    n_dim: int,
    generations: int,
    rng: np.random.Generator,
    *,
    settings: Settings | None = None,
    thin: int = 1,
    target: float = math.inf,
) -> Chains:
    """Sample a likelihood under the uniform prior on (-1, 1)^d.

    Parameters
    ----------
    log_likelihood : callable
        Takes states (n_chains, n_dim), returns (n_chains,): -inf where the likelihood is zero. States at which it is
        NaN or +inf are refused.
    n_dim : int
        Dimensions.
    generations : int
        Proposals of each chain.
    rng : numpy.random.Generator
        Source of every draw.
    settings : geolib.inversion.dream.Settings, optional
        The published ones by default.
    thin : int
        Keep every so many states.
    target : float
        Stop once this log likelihood is reached: the sampler as a global optimiser.

    Returns
    -------
    Chains

    Raises
    ------
    ValueError
        If a number is out of range, the result has another shape, or the log likelihood of a first state is NaN or
        +inf.

    Notes
    -----
    One call of the likelihood for each generation, with all chains. The archive grows by `n_chains` rows at a time.

    References
    ----------
    Vrugt (2016), sections 3.3 and 4; Laloy et al. (2019), section 3.3.
    """
    use = settings or Settings()
    thin = _checks.integer("thin", thin, low=1, high=generations)
    _must_be_log(target)
    n = use.n_chains
    size = use.archive_per_dimension * n_dim
    archive = np.empty((size + n * (generations // use.append_every + 1), n_dim))
    archive[:size] = rng.uniform(-1, 1, (size, n_dim))
    state = rng.uniform(-1, 1, (n, n_dim))
    value = _first_values(log_likelihood, state)
    crossovers = _Crossovers(use.crossovers)
    draws, values = (np.empty((generations // thin, n, *shape)) for shape in ((n_dim,), ()))
    accepted, kept, runs = np.zeros(n), 0, n
    best, top = state[value.argmax()].copy(), float(value.max())
    record = [(runs, top)] if top > -math.inf else []
    bar = steps(1, generations + 1, "DREAM(ZS)")
    for generation in bar:
        crossover = rng.choice(use.crossovers, n, p=crossovers.probability)
        snooker = rng.random() < use.snooker
        if snooker:
            proposal, factor = _snooker(state, archive[:size], rng)
        else:
            share = (crossover + 1) / use.crossovers
            proposal, factor = _parallel(state, archive[:size], share, use, rng), np.zeros(n)
        # Snooker moves lie on a line through an archive state: folding would break their symmetry, so they are refused.
        inside = (np.abs(proposal) <= 1).all(1)
        proposed = _values(log_likelihood, np.where(inside[:, None], proposal, state))
        runs += n
        take = inside & _accepted(proposed, value, factor, rng)
        if not snooker and generation <= use.adaptation * generations:
            crossovers.learn(crossover, np.where(take[:, None], proposal - state, 0.0), state.std(0))
        state = np.where(take[:, None], proposal, state)
        value = np.where(take, proposed, value)
        accepted += take
        if value.max() > top:
            best, top = state[value.argmax()].copy(), float(value.max())
            record.append((runs, top))
            bar.set_postfix_str(f"largest log likelihood {top:.1f}", refresh=False)
        if generation % use.append_every == 0:
            archive[size : size + n] = state
            size += n
        if generation % thin == 0:
            draws[kept], values[kept] = state, value
            kept += 1
        if top >= target:
            break
    curve = np.array(record).reshape(-1, 2)
    whole = draws[:kept].swapaxes(0, 1), values[:kept].T, accepted / generation
    return Chains(*whole, crossovers.probability, best, curve, runs)


def _accepted(proposed: np.ndarray, value: np.ndarray, factor: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    # Of likelihood zero, -inf, to zero no chain moves; nor to what is no number.
    with np.errstate(divide="ignore", invalid="ignore"):
        return (proposed < math.inf) & (np.log(rng.random(len(value))) < proposed - value + factor)


class _Crossovers:
    """Probabilities of the crossovers, in proportion to the mean square jump that each has made."""

    def __init__(self, count: int) -> None:
        self.probability = np.full(count, 1 / count)
        self.distance, self.uses = np.zeros(count), np.zeros(count)

    def learn(self, crossover: np.ndarray, moved: np.ndarray, deviation: np.ndarray) -> None:
        """Add the jumps `(n, d)` of chains with these crossovers, in deviations of the states."""
        np.add.at(self.distance, crossover, np.square(moved / np.maximum(deviation, 1e-12)).sum(1))
        np.add.at(self.uses, crossover, 1)
        if (self.uses > 0).all() and (self.distance > 0).all():
            mean = self.distance / self.uses
            self.probability = mean / mean.sum()


def _first_values(log_likelihood: LogLikelihood, states: np.ndarray) -> np.ndarray:
    value = _values(log_likelihood, states)
    if not (value < math.inf).all():
        got = value[~(value < math.inf)][0]
        raise ValueError(
            f"log_likelihood must be a number at every first state; got {got}. Return -inf where it is zero."
        )
    return value


def _must_be_log(target: float) -> None:
    if isinstance(target, bool) or not isinstance(target, (int, float)) or target != target:
        raise TypeError(
            f"target must be a log likelihood; got {_checks.shown(target)}. Give a number, or math.inf for none."
        )


def _values(log_likelihood: LogLikelihood, states: np.ndarray) -> np.ndarray:
    """Return the log likelihoods `(n,)` of states, in arrays of our own on either side."""
    values = np.array(log_likelihood(states.copy()), dtype=np.float64)
    _checks.shape("log_likelihood's result", values, (len(states),), "Return one number for each state.")
    return values


def _parallel(
    state: np.ndarray, archive: np.ndarray, crossover: np.ndarray, use: Settings, rng: np.random.Generator
) -> np.ndarray:
    """Jump along the difference of two archive states, in a random subset of dimensions, folded into the box."""
    n, d = state.shape
    a, b = _distinct(len(archive), n, 2, rng)
    change = rng.random((n, d)) < crossover[:, None]
    change[np.arange(n), rng.integers(d, size=n)] |= ~change.any(1)
    jump = use.jump_scale * 2.38 / np.sqrt(2 * change.sum(1))
    jump = np.where(rng.random(n) < use.unit_jump, 1.0, jump)
    stretch = 1 + rng.uniform(-use.spread, use.spread, (n, d))
    step = stretch * jump[:, None] * (archive[a] - archive[b]) + use.jitter * rng.standard_normal((n, d))
    return np.where(change, np.mod(state + step + 1, 2) - 1, state)


def _snooker(state: np.ndarray, archive: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Jump along the line to an archive state by the difference of two others projected on it; log density factor."""
    n, d = state.shape
    a, b, c = _distinct(len(archive), n, 3, rng)
    line = state - archive[a]
    length = np.maximum(np.square(line).sum(1, keepdims=True), 1e-300)
    shadow = ((archive[b] - archive[c]) * line).sum(1, keepdims=True) / length * line
    proposal = state + rng.uniform(1.2, 2.2, (n, 1)) * shadow
    ahead = np.maximum(np.linalg.norm(proposal - archive[a], axis=1), 1e-300)
    return proposal, (d - 1) * np.log(ahead / np.sqrt(length[:, 0]))


def _distinct(size: int, n: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Return k different rows of an archive for each of n chains, shape (k, n)."""
    rows = np.empty((k, n), dtype=np.int64)
    for number in range(k):
        drawn = rng.integers(size - number, size=n)
        # Step over the rows taken before, in rising order: uniform without rejection.
        for taken in np.sort(rows[:number], axis=0):
            drawn += drawn >= taken
        rows[number] = drawn
    return rows
