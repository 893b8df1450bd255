"""Draws of the posterior of a model in a cube, of which searches have found the neighbourhood.

Searches that do not stop at a fit leave thousands of models with their misfits. Of these a cloud is drawn as if the
data's errors were some times larger, so that it covers all that they have found, and then the errors shrink to their
size: sequential Monte Carlo. Between two steps the particles move by differences of others (differential evolution)
and by draws of a distribution fitted to others. Neither derivatives nor smoothness are needed.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, special, stats

from geolib._arguments import checked, hold
from geolib._runtime import steps
from geolib.inversion import search as searches
from geolib.inversion.search import Simulate

#: Degrees of freedom of the distribution that is fitted to the particles: heavier tails than they have.
_FREEDOM = 6.0
#: Shares of moves by a whole difference, from one mode to another, and of acceptance that the others' length aims at.
_WHOLE, _AIM = 0.05, 0.25
#: Of the first power, that at which the first cloud is drawn: too wide a cloud shrinks in a few moves, too narrow a one
#: grows in hundreds.
_WIDER = 0.1
#: A search has missed where the errors would make a misfit such as its own so seldom.
_SELDOM = 1e-3
#: Moves at the first power and in the end, for each at a further one.
_WARM, _LAST = 4, 2
#: Of the uniform numbers that lengths stand for: normal numbers of more would be infinite.
_EDGE = 1e-12


@dataclass(frozen=True)
class Settings:
    """Settings of the sampler; the defaults were chosen on the problem of Laloy et al. (2019) with seeds below 5000.

    Attributes
    ----------
    searches, most : int
        Searches that have to come as near to the data as their errors allow, and searches in all at most.
    solves : int
        Models that each of them simulates.
    particles : int
        Draws that are returned.
    first : float
        Power of the likelihood that the cloud begins with: the errors' variance is as many times larger.
    moves : int
        Moves of each particle at each power; four times as many at the first, twice as many in the end.
    effective : float
        Share of the particles that must count when the power grows.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    searches: int = 2
    most: int = 8
    solves: int = 2500
    particles: int = 200
    first: float = 0.05
    moves: int = 10
    effective: float = 0.5

    def __post_init__(self) -> None:
        """Check every number."""
        low = {"searches": 1, "most": self.searches, "solves": 100, "particles": 16, "moves": 1}
        hold(self, **{name: (least, None) for name, least in low.items()})
        hold(self, first=(1e-6, 1), effective=(0.05, 0.99))


@dataclass(frozen=True)
class Posterior:
    """Draws of a posterior, and what they took.

    Attributes
    ----------
    draws : ndarray, shape (n, d)
        Models in (-1, 1), each as probable as the others.
    log_likelihood : ndarray, shape (n,)
        Of each, up to a constant.
    searches, reached : int
        Searches made, and those that came as near to the data as their errors allow. Of none: the errors are larger
        than was said, the forward model is wrong, or the searches were too short; the draws are of what they found.
    steps : ndarray, shape (k, 3)
        By power of the likelihood: that power, and the shares of moves taken of both kinds.
    solves : int
        Models simulated, those of the searches among them.
    """

    draws: np.ndarray
    log_likelihood: np.ndarray
    searches: int
    reached: int
    steps: np.ndarray
    solves: int


@checked(data=(None,), d=(2, None))
def sample(
    simulate: Simulate,
    data: np.ndarray,
    d: int,
    *,
    sigma: float | np.ndarray,
    rng: np.random.Generator,
    settings: Settings | None = None,
) -> Posterior:
    r"""Return draws of the posterior of models that are uniform on (-1, 1)^d, for data with normal errors.

    Parameters
    ----------
    simulate : callable
        Takes models `(n, d)`, returns predictions `(n, n_data)`. It need not be smooth.
    data : ndarray, shape (n_data,)
        What was measured.
    d : int
        Dimensions of the cube.
    sigma : float or ndarray, shape (n_data,)
        Standard deviation of the data's errors, which are independent, in the data's unit.
    rng : numpy.random.Generator
        Source of every draw.
    settings : geolib.inversion.posterior.Settings, optional
        Those that were chosen on the paper's problem, by default.

    Returns
    -------
    Posterior

    Raises
    ------
    ValueError, TypeError
        If shapes do not go together, sigma is not positive, particles are fewer than four for each number that is
        moved, or finite predictions are fewer than particles.

    Notes
    -----
    Some 33,000 solves with the defaults, 48,000 where searches miss; the rest of the work is small. A search has missed
    where its misfit is one that errors of that size give less than once in a thousand times; others follow then, until
    `searches` have not missed or `most` are made. One run cannot tell whether a mode was missed: make several with
    other `rng` and compare them (R-hat). The book calibrates the sampler on the paper's binary problem and says how far
    its draws can be trusted there.

    Particles are moved in coordinates in which a model's direction and its length, in the maximum norm, are apart: a
    generator that normalises its layers hardly sees the length. With :math:`w` on the cube's surface and
    :math:`u = s w`, the prior of :math:`w` is uniform and that of :math:`s^d` too; :math:`y = t w` has the density
    :math:`\exp(-|y|^2/2)\,(|y|_2/|y|_\infty)^d` and no bounds.

    References
    ----------
    Del Moral et al. (2006), J. R. Statist. Soc. B 68; ter Braak and Vrugt (2008), Statistics and Computing 18.
    """
    use = settings or Settings()
    if use.particles < 4 * (d + 1):
        raise ValueError(f"particles must be at least 4 (d + 1), {4 * (d + 1)}; got {use.particles}. Take more.")
    likelihood = _Likelihood(simulate, data.astype(np.float64), searches.deviations(sigma, data))
    never = searches.Settings(target=1e-9)  # the neighbourhood is asked for, not one fit
    made = reached = 0
    near = math.sqrt(stats.chi2.isf(_SELDOM, len(data)) / len(data))
    while made < use.most and reached < use.searches:
        found = searches.search(likelihood.simulate, data, d, sigma=sigma, budget=use.solves, rng=rng, settings=never)
        made, reached = made + 1, reached + (found.misfit <= near)
    known, values = likelihood.known()
    if len(known) < use.particles:
        raise ValueError(
            f"simulate must return finite predictions for more models than particles; got {len(known)} of "
            f"{use.particles}. Check it on one model."
        )
    # Gumbel numbers make the largest ones draws without replacement, by the likelihood's first power.
    chance = _WIDER * use.first * values + rng.gumbel(size=len(values))
    first = np.argsort(-chance, kind="stable")[: use.particles]
    cloud = _Cloud(likelihood, _apart(known[first], rng), values[first], rng)
    power, record = use.first, []
    with steps(0, 100, "posterior") as bar:
        record.append((power, *cloud.move(power, _WARM * use.moves)))
        while power < 1:
            power, weight = _grown(cloud.value, power, use.effective)
            cloud.resample(weight)
            record.append((power, *cloud.move(power, use.moves)))
            bar.update(int(100 * power) - bar.n)
        cloud.move(1.0, _LAST * use.moves)
    return Posterior(_together(cloud.place), cloud.value, made, reached, np.array(record), likelihood.count)


class _Likelihood:
    """Simulates, counts, and keeps each model with its log likelihood for the first cloud."""

    def __init__(self, simulate: Callable[[np.ndarray], np.ndarray], data: np.ndarray, sigma: np.ndarray) -> None:
        self.forward, self.data, self.sigma, self.count = simulate, data, sigma, 0
        self.met: list[tuple[np.ndarray, np.ndarray]] = []

    def simulate(self, models: np.ndarray) -> np.ndarray:
        made = np.array(self.forward(models.copy()), dtype=np.float64)
        self.count += len(models)
        self.met.append((models.copy(), self._of(made)))
        return made

    def known(self) -> tuple[np.ndarray, np.ndarray]:
        models, values = (np.concatenate(each) for each in zip(*self.met, strict=True))
        finite = np.isfinite(values)
        return models[finite], values[finite]

    def __call__(self, models: np.ndarray) -> np.ndarray:
        made = np.array(self.forward(models), dtype=np.float64)
        self.count += len(models)
        return self._of(made)

    def _of(self, made: np.ndarray) -> np.ndarray:
        with np.errstate(over="ignore", invalid="ignore"):
            value = -0.5 * np.square((made - self.data) / self.sigma).sum(1)
        return np.where(np.isfinite(value), value, -np.inf)


class _Cloud:
    """Particles, in coordinates without bounds, with their log likelihoods and log priors."""

    def __init__(self, likelihood: _Likelihood, place: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> None:
        self.likelihood, self.place, self.value, self.rng = likelihood, place, value.copy(), rng
        self.prior, self.length, self.part = _log_prior(place), 0.7, 0.7

    def resample(self, weight: np.ndarray) -> None:
        """Take each particle as often as its weight says, with one random number for all."""
        n = len(self.value)
        at = np.minimum(np.searchsorted(np.cumsum(weight), (self.rng.random() + np.arange(n)) / n), n - 1)
        self.place, self.value, self.prior = (each[at] for each in (self.place, self.value, self.prior))

    def move(self, power: float, times: int) -> tuple[float, float]:
        """Move every particle, one half by the other, and return the shares taken of differences and of fits."""
        taken: tuple[list[float], list[float]] = ([], [])
        for number in range(times):
            order = self.rng.permutation(len(self.value))
            halves = order[: len(order) // 2], order[len(order) // 2 :]
            for movers, others in (halves, halves[::-1]):
                propose = self._fitted if number % 2 else self._difference
                taken[number % 2].append(propose(power, movers, self.place[others]))
        differences, fits = (float(np.mean(each)) if each else math.nan for each in taken)
        return differences, fits

    def _difference(self, power: float, movers: np.ndarray, others: np.ndarray) -> float:
        n, d = len(movers), self.place.shape[1]
        first = self.rng.integers(len(others), size=n)
        second = (first + self.rng.integers(1, len(others), size=n)) % len(others)
        usual = self.length * 2.38 / math.sqrt(2 * d) * np.exp(0.4 * self.rng.standard_normal(n))
        whole = self.rng.random(n) < _WHOLE
        step = np.where(whole, 1.0, usual)[:, None] * (others[first] - others[second])
        near = self.place[movers] + step + 1e-5 * self.rng.standard_normal((n, d))
        took = self._take(power, movers, near, np.zeros(n))
        share = float(took[~whole].mean()) if not whole.all() else 0.0
        self.length = float(np.clip(self.length * math.exp(0.2 * (share - _AIM)), 0.05, 3))
        return share

    def _fitted(self, power: float, movers: np.ndarray, others: np.ndarray) -> float:
        n, d = len(movers), self.place.shape[1]
        middle, shape = others.mean(0), np.cov(others.T) * (_FREEDOM - 2) / _FREEDOM
        root = np.linalg.cholesky(shape + 1e-7 * np.trace(shape) / d * np.eye(d))
        # White coordinates, in which the fit is a round t-distribution: a normal one whose scale is a random number.
        here = linalg.solve_triangular(root, (self.place[movers] - middle).T, lower=True).T
        square = np.square(here).sum(1)
        scale = np.sqrt((_FREEDOM + square) / self.rng.chisquare(_FREEDOM + d, n))[:, None]
        there = math.sqrt(1 - self.part**2) * here + self.part * scale * self.rng.standard_normal((n, d))
        factor = 0.5 * (_FREEDOM + d) * np.log((_FREEDOM + np.square(there).sum(1)) / (_FREEDOM + square))
        share = float(self._take(power, movers, middle + there @ root.T, factor).mean())
        self.part = float(np.clip(self.part * math.exp(0.2 * (share - _AIM)), 0.05, 1))
        return share

    def _take(self, power: float, movers: np.ndarray, proposed: np.ndarray, factor: np.ndarray) -> np.ndarray:
        value, prior = self.likelihood(_together(proposed)), _log_prior(proposed)
        gain = power * (value - self.value[movers]) + prior - self.prior[movers] + factor
        took: np.ndarray = np.log(self.rng.random(len(movers))) < gain
        at = movers[took]
        self.place[at], self.value[at], self.prior[at] = proposed[took], value[took], prior[took]
        return took


def _grown(value: np.ndarray, power: float, effective: float) -> tuple[float, np.ndarray]:
    """Return the next power, at which that share of the particles counts, and the particles' weights."""

    def weight(further: float) -> np.ndarray:
        return special.softmax((further - power) * value)

    def surplus(further: float) -> float:
        return float(1 / np.square(weight(further)).sum() - effective * len(value))

    further = 1.0 if surplus(1.0) >= 0 else float(optimize.brentq(surplus, power, 1.0, rtol=1e-6))
    return further, weight(further)


def _apart(models: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return models of the cube `(n, d)` as `(n, d + 1)` numbers: a direction's, and one for the length."""
    n, d = models.shape
    length = np.abs(models).max(1, keepdims=True)
    surface = models / length
    radius = np.sqrt(rng.chisquare(d, size=(n, 1)))
    part = special.ndtri(np.clip(length**d, _EDGE, 1 - _EDGE))
    return np.concatenate([surface * radius / np.linalg.norm(surface, axis=1, keepdims=True), part], axis=1)


def _together(place: np.ndarray) -> np.ndarray:
    """Return the models `(n, d)` of the cube that `_apart` took apart."""
    direction = place[:, :-1]
    length = special.ndtr(place[:, -1:]) ** (1 / direction.shape[1])
    return direction / np.abs(direction).max(1, keepdims=True) * length


def _log_prior(place: np.ndarray) -> np.ndarray:
    direction = place[:, :-1]
    corner = np.log(np.linalg.norm(direction, axis=1) / np.abs(direction).max(1))
    return -0.5 * np.square(place).sum(1) + direction.shape[1] * corner
