"""Draws of the posterior of a model in a cube, of which searches have found the neighbourhood.

Searches that do not stop at a fit leave thousands of models with their misfits. Of these a wide cloud is taken, which
moves until it is at rest with the errors taken some times too large, and then the errors shrink to their size:
sequential Monte Carlo. Between two steps the particles move by differences of others (differential evolution)
and along chains through a quadratic fit of all predictions met nearby, which costs no simulation: the forward model
only decides whether a chain's end is taken. Neither derivatives nor smoothness are needed.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize, special, stats

from geolib._arguments import checked, hold
from geolib._runtime import steps
from geolib.inversion import _directions
from geolib.inversion import search as searches
from geolib.inversion.search import Simulate

#: Degrees of freedom of the distribution that is fitted to the particles: heavier tails than they have.
_FREEDOM = 6.0
#: Steps of a chain through the fit of the predictions.
_CHAIN = 50
#: Models that are remembered for that fit, those it is made from, and how many of these a coefficient asks for.
_MEMORY, _NEAR, _EACH = 20_000, 3000, 3
#: A model counts for the fit whose likelihood is less than that of the best by at most so much in its logarithm.
_COUNTS = 40.0
#: Shares of moves by a whole difference, from one mode to another, and of acceptance that the others' length aims at.
_WHOLE, _AIM = 0.05, 0.25
#: Of the first power, that at which the first cloud is drawn: too wide a cloud shrinks in a few moves, too narrow a one
#: grows in hundreds.
_WIDER = 0.1
#: A search has missed where the errors would make a misfit such as its own so seldom.
_SELDOM = 1e-3
#: Powers that are gone through at most, and the least step from one to the next.
_POWERS, _LEAST = 200, 1e-15
#: Moves at the first power and in the end, for each at a further one.
_WARM, _LAST = 4, 2


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
        Power of the likelihood that the cloud begins with: the errors' variance is larger by one over it.
    moves : int
        Moves of each particle at each power, every other one a chain through a fit; four times as many at the first,
        and twice as many more in the end. With one there are chains at the first power and in the end alone.
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
        By power of the likelihood: that power, and the shares taken of moves by differences and by chains.
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
        moved, finite predictions are fewer than particles, or the errors are so small that no number of powers leads
        from one model to the next.

    Notes
    -----
    Some 35,000 solves with the defaults, 50,000 where searches miss; the rest takes some ten seconds. Of the latest
    20,000 models every prediction is remembered, in four bytes, and copied once. A search has missed where its misfit
    is one that errors of that size give less than once in a thousand times; others follow then, until `searches` have
    not missed or `most` are made. One run cannot tell whether a mode was missed: make several with other `rng` and
    compare them (R-hat). The book calibrates the sampler on the paper's binary problem and says how far its draws can
    be trusted.

    The cloud begins as a choice among what the searches met, which is no sample of any posterior: that it becomes one
    rests on the moves at the first power, and how much each mode weighs on the moves between modes. Moves are proposed
    by other particles, and by a fit and lengths that follow all of them: draws are exact in the limit of many particles
    only.

    Every other move of a particle is a chain through a quadratic fit of the residuals, of all models met nearby that
    count at this power. It is reversible for the posterior of the fit; its end is taken or not by how far the fit is
    off here and there, for which one model is simulated.

    Particles are moved in coordinates in which a model's direction and its length, in the maximum norm, are apart: a
    generator that normalises its layers hardly sees the length. With :math:`w` on the cube's surface and
    :math:`u = s w`, the prior of :math:`w` is uniform and that of :math:`s^d` too; :math:`y = t w` has the density
    :math:`\exp(-|y|^2/2)\,(|y|_2/|y|_\infty)^d` and no bounds.

    References
    ----------
    Del Moral et al. (2006), J. R. Statist. Soc. B 68; ter Braak and Vrugt (2008), Statistics and Computing 18; Christen
    and Fox (2005), J. Comput. Graph. Statist. 14 (chains through an approximation).
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
    cloud = _Cloud(likelihood, _directions.apart(known[first], rng), values[first], rng)
    power, record = use.first, []
    with steps(0, 100, "posterior") as bar:
        record.append((power, *cloud.move(power, _WARM * use.moves)))
        while power < 1:
            if len(record) > _POWERS:
                raise _single(power)
            power, weight = _grown(cloud.value, power, use.effective)
            cloud.resample(weight)
            record.append((power, *cloud.move(power, use.moves)))
            bar.update(int(100 * power) - bar.n)
        cloud.move(1.0, _LAST * use.moves)
    return Posterior(_directions.together(cloud.place), cloud.value, made, reached, np.array(record), likelihood.count)


class _Likelihood:
    """Simulates and counts; remembers models with their log likelihoods, and the latest with their residuals."""

    def __init__(self, simulate: Callable[[np.ndarray], np.ndarray], data: np.ndarray, sigma: np.ndarray) -> None:
        self.forward, self.data, self.sigma, self.count = simulate, data, sigma, 0
        self.models: list[np.ndarray] = []
        self.values: list[np.ndarray] = []
        self.residuals: deque[np.ndarray] = deque()

    def simulate(self, models: np.ndarray) -> np.ndarray:
        made = np.array(self.forward(models.copy()), dtype=np.float64)
        self.count += len(models)
        with np.errstate(over="ignore", invalid="ignore"):
            residual = (made - self.data) / self.sigma
            value = -0.5 * np.square(residual).sum(1)
        self.models.append(models.copy())
        self.values.append(np.where(np.isfinite(value), value, -np.inf))
        self.residuals.append(residual.astype(np.float32))
        while len(self.residuals) > 1 and sum(map(len, self.residuals)) > _MEMORY:
            self.residuals.popleft()
        return made

    def __call__(self, models: np.ndarray) -> np.ndarray:
        self.simulate(models)
        return self.values[-1].copy()

    def known(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the models that could be simulated and their log likelihoods."""
        models, values = np.concatenate(self.models), np.concatenate(self.values)
        return models[np.isfinite(values)], values[np.isfinite(values)]

    def likely(self, power: float) -> tuple[np.ndarray, np.ndarray]:
        """Return of the latest models those that count at a power, and their residuals."""
        latest = len(self.residuals)
        values = np.concatenate(self.values[-latest:])
        counts = power * (values.max() - values) < _COUNTS
        return np.concatenate(self.models[-latest:])[counts], np.concatenate(self.residuals)[counts]


class _Fit:
    """Log likelihoods of a quadratic fit of the residuals, in coordinates in which the particles are round."""

    def __init__(self, likelihood: _Likelihood, place: np.ndarray, power: float) -> None:
        seen = _directions.seen(place)
        self.middle = seen.mean(0)
        size, axes = np.linalg.eigh(np.cov(seen.T))
        kept = size > 1e-6 * size[-1]
        self.axes = axes[:, kept] / np.sqrt(size[kept])
        self.pairs = np.triu_indices(int(kept.sum()))
        models, residuals = likelihood.likely(power)
        known = (_directions.seen(_directions.apart(models)) - self.middle) @ self.axes
        near = np.argsort(np.square(known).sum(1), kind="stable")[:_NEAR]
        if len(near) < _EACH * self._features(known[:1]).shape[1]:
            self.pairs = (np.empty(0, int), np.empty(0, int))  # too few for squares: a plane
        features = self._features(known[near])
        ridge = 1e-6 * len(near) * np.eye(features.shape[1])
        fit = np.linalg.solve(features.T @ features + ridge, features.T @ residuals[near].astype(np.float64))
        self.square = fit @ fit.T
        # Beyond the models that it was made from a fit may fall: it is not followed there.
        self.far = np.square(known[near]).sum(1).max()

    def _features(self, known: np.ndarray) -> np.ndarray:
        one, other = self.pairs
        return np.concatenate([np.ones((len(known), 1)), known, known[:, one] * known[:, other]], axis=1)

    def __call__(self, place: np.ndarray) -> np.ndarray:
        known = (_directions.seen(place) - self.middle) @ self.axes
        features = self._features(known)
        value = -0.5 * np.einsum("ij,ij->i", features @ self.square, features)
        beyond: np.ndarray = value - np.maximum(np.square(known).sum(1) - self.far, 0)
        return beyond


class _Cloud:
    """Particles, in coordinates without bounds, with their log likelihoods, and how far they move."""

    def __init__(self, likelihood: _Likelihood, place: np.ndarray, value: np.ndarray, rng: np.random.Generator) -> None:
        self.likelihood, self.place, self.value, self.rng = likelihood, place, value.copy(), rng
        self.prior, self.length, self.part = _directions.log_prior(place), 0.7, 0.7

    def resample(self, weight: np.ndarray) -> None:
        """Take each particle as often as its weight says, with one random number for all."""
        n = len(self.value)
        at = np.minimum(np.searchsorted(np.cumsum(weight), (self.rng.random() + np.arange(n)) / n), n - 1)
        self.place, self.value, self.prior = (each[at] for each in (self.place, self.value, self.prior))

    def move(self, power: float, times: int) -> tuple[float, float]:
        """Move every particle, one half by the other, and return the shares taken of differences and of chains."""
        taken: tuple[list[float], list[float]] = ([], [])
        fit = _Fit(self.likelihood, self.place, power)
        for number in range(times):
            order = self.rng.permutation(len(self.value))
            halves = order[: len(order) // 2], order[len(order) // 2 :]
            for movers, others in (halves, halves[::-1]):
                if number % 2:
                    taken[1].append(self._chain(power, movers, self.place[others], fit))
                else:
                    taken[0].append(self._difference(power, movers, self.place[others]))
        differences, chains = (float(np.mean(each)) if each else math.nan for each in taken)
        return differences, chains

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

    def _chain(self, power: float, movers: np.ndarray, others: np.ndarray, fit: _Fit) -> float:
        place, prior = self.place[movers], self.prior[movers]
        first = fit(place)
        value = first.copy()
        n, d = place.shape
        middle, shape = others.mean(0), np.cov(others.T) * (_FREEDOM - 2) / _FREEDOM
        root = np.linalg.cholesky(shape + max(1e-7 * np.trace(shape) / d, 1e-14) * np.eye(d))
        # White coordinates, in which the particles are nearly a round t-distribution: a normal one whose scale is a
        # random number. Each step keeps a part of where it is and is reversible for that distribution.
        here = linalg.solve_triangular(root, (place - middle).T, lower=True).T
        keep, shares = math.sqrt(1 - self.part**2), []
        for _ in range(_CHAIN):
            size = np.square(here).sum(1)
            scale = np.sqrt((_FREEDOM + size) / self.rng.chisquare(_FREEDOM + d, n))[:, None]
            there = keep * here + self.part * scale * self.rng.standard_normal((n, d))
            proposed = middle + there @ root.T
            value_there, prior_there = fit(proposed), _directions.log_prior(proposed)
            gain = power * (value_there - value) + prior_there - prior
            gain += 0.5 * (_FREEDOM + d) * np.log((_FREEDOM + np.square(there).sum(1)) / (_FREEDOM + size))
            took = np.log(self.rng.random(n)) < gain
            here[took], place[took] = there[took], proposed[took]
            value[took], prior[took] = value_there[took], prior_there[took]
            shares.append(float(took.mean()))
        self.part = float(np.clip(self.part * math.exp(0.2 * (np.mean(shares) - _AIM)), 0.05, 1))
        # The chain is reversible for the fit's posterior: what is left to decide is how far that one is off.
        factor = power * (first - value) + self.prior[movers] - prior
        return float(self._take(power, movers, place, factor).mean())

    def _take(self, power: float, movers: np.ndarray, proposed: np.ndarray, factor: np.ndarray) -> np.ndarray:
        value, prior = self.likelihood(_directions.together(proposed)), _directions.log_prior(proposed)
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

    if surplus(1.0) >= 0:
        return 1.0, weight(1.0)
    further = float(optimize.brentq(surplus, power, 1.0, rtol=1e-6))
    if abs(surplus(further)) > 0.1 * effective * len(value):  # a step too small for that precision
        if surplus(power + _LEAST) < 0:
            raise _single(power)
        log = optimize.brentq(lambda step: surplus(power + math.exp(step)), math.log(_LEAST), math.log(1 - power))
        further = power + math.exp(log)
    return further, weight(further)


def _single(power: float) -> ValueError:
    return ValueError(
        f"sigma must leave the posterior more than one model; at a power of {power:.1e} one outweighs all others. "
        "Give the errors' standard deviation, or one for what the forward model cannot explain."
    )
