"""Closed forms of the adversarial game: mixtures, divergences, the value function, its optimum, its gradients."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from geolib import _checks
from geolib._arguments import checked, hold
from geolib._autograd import taking_gradients
from geolib.gans.losses import Loss

LOG2 = 0.6931471805599453
TWO_PI = 6.283185307179586


@dataclass(frozen=True)
class Mixture:
    """A mixture of normal distributions in one dimension.

    Attributes
    ----------
    weights, means, scales : Tensor
        `(k,)` each, float64; the weights sum to one.
    """

    weights: Tensor
    means: Tensor
    scales: Tensor

    def __post_init__(self) -> None:
        """Check that each is a row of numbers, as many as the others."""
        hold(self, weights=(None,), means=(None,), scales=(None,))
        for name in ("means", "scales"):
            _checks.shape(name, getattr(self, name), self.weights.shape, "Give each part its own.")

    @classmethod
    @checked()
    def of(cls, weights: list[float], means: list[float], scales: list[float]) -> Mixture:
        """Return the mixture of plain numbers.

        Raises
        ------
        ValueError
            If the lists differ in length, a scale is not positive, or the weights do not sum to one.
        """
        if not weights or not len(weights) == len(means) == len(scales):
            raise ValueError(
                "weights, means and scales must have one length; "
                f"got {len(weights)}, {len(means)} and {len(scales)}. Add the missing ones."
            )
        if min(scales) <= 0:
            raise ValueError(f"scales must be positive; got {min(scales)}. Give standard deviations.")
        if abs(sum(weights) - 1) > 1e-12 or min(weights) < 0:
            raise ValueError(f"weights must be shares that sum to 1; got {weights}. Divide by their sum.")
        return cls(*(torch.tensor(v, dtype=torch.float64) for v in (weights, means, scales)))

    def log_density(self, x: Tensor) -> Tensor:
        """Return log p(x) for x of any shape, in natural units."""
        standard = (x[..., None] - self.means) / self.scales
        parts = self.weights.log() - self.scales.log() - 0.5 * standard.square() - 0.5 * torch.log(x.new_tensor(TWO_PI))
        return torch.logsumexp(parts, dim=-1)

    def density(self, x: Tensor) -> Tensor:
        """Return p(x)."""
        return self.log_density(x).exp()

    def sample(self, n: int, rng: torch.Generator) -> Tensor:
        """Return n independent draws `(n,)`."""
        part = torch.multinomial(self.weights, n, replacement=True, generator=rng)
        noise = torch.randn(n, generator=rng, dtype=torch.float64)
        return self.means[part] + self.scales[part] * noise

    def quantiles(self, levels: Tensor, x: Tensor) -> Tensor:
        """Return the quantiles at `levels` by inverting the distribution function on the grid `x`."""
        standard = (x[:, None] - self.means) / self.scales
        steps = (self.weights * torch.special.ndtr(standard)).sum(1)
        right = torch.searchsorted(steps, levels.contiguous()).clamp(1, len(x) - 1)
        share = (levels - steps[right - 1]) / (steps[right] - steps[right - 1]).clamp_min(1e-300)
        return x[right - 1] + share.clamp(0, 1) * (x[right] - x[right - 1])


@checked(n=(2, None))
def line(low: float = -12.0, high: float = 12.0, n: int = 4801) -> Tensor:
    """Return a uniform grid for quadrature; smooth densities that vanish at its ends are integrated to round-off."""
    return torch.linspace(low, high, n, dtype=torch.float64)


@checked()
def integral(f: Tensor, x: Tensor) -> Tensor:
    """Return the trapezoidal integral of f over x."""
    _checks.shape("x", x, f.shape[-1:], "Give each value its place.")
    return torch.trapezoid(f, x)


def _logs(*logs: Tensor) -> None:
    """Refuse log densities and scores on one grid that are of several lengths, or too large for a density."""
    for log in logs:
        _checks.shape("log_p, log_q and logit", log, logs[0].shape, "Take them on one grid.")
    if max(float(log.max()) for log in logs[:2]) > 300:
        raise ValueError("log_p and log_q must be log densities; they reach beyond 300. Take the logarithm first.")


@checked()
def kl(p: Mixture, q: Mixture, x: Tensor) -> Tensor:
    r"""Return :math:`KL(p\|q) = \int p \log(p/q)`; Li and Ortiz (2022), equation 4."""
    return integral(p.density(x) * (p.log_density(x) - q.log_density(x)), x)


@checked()
def cross_entropy(p: Mixture, q: Mixture, x: Tensor) -> Tensor:
    r"""Return :math:`-E_p[\log q]`, what maximum likelihood minimises; Li and Ortiz (2022), equation 3."""
    return -integral(p.density(x) * q.log_density(x), x)


@checked()
def jensen_shannon(log_p: Tensor, log_q: Tensor, x: Tensor) -> Tensor:
    """Return the Jensen-Shannon divergence of two log densities on the grid `x`; it lies between 0 and log 2."""
    _logs(log_p, log_q)
    log_m = torch.logaddexp(log_p, log_q) - LOG2
    terms = log_p.exp() * (log_p - log_m) + log_q.exp() * (log_q - log_m)
    return 0.5 * integral(terms, x)


@checked()
def optimal_logit(log_p: Tensor, log_q: Tensor) -> Tensor:
    """Return the score whose sigmoid is p / (p + q); Li and Ortiz (2022), equation 8."""
    _logs(log_p, log_q)
    return log_p - log_q


@checked()
def value(log_p: Tensor, log_q: Tensor, logit: Tensor, x: Tensor) -> Tensor:
    r"""Return :math:`V = E_p[\log D] + E_q[\log(1-D)]` by quadrature, D the sigmoid of `logit`.

    References
    ----------
    Li and Ortiz (2022), equations 5 to 7.
    """
    _logs(log_p, log_q, logit)
    log_sigmoid = nn.functional.logsigmoid
    return integral(log_p.exp() * log_sigmoid(logit) + log_q.exp() * log_sigmoid(-logit), x)


@checked()
def printed_equation_7(log_p: Tensor, log_q: Tensor, logit: Tensor, x: Tensor) -> Tensor:
    """Return the first line of equation 7 as it is printed, with a minus sign between the two terms."""
    _logs(log_p, log_q, logit)
    log_sigmoid = nn.functional.logsigmoid
    return integral(log_p.exp() * log_sigmoid(logit) - log_q.exp() * log_sigmoid(-logit), x)


@checked()
def printed_equation_9(log_p: Tensor, log_q: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return the second and third line of equation 9 as printed.

    The second line has p over the generated samples as well; the third has two divergences to the sum of both densities
    (not a density: it integrates to two), which is right only if that is meant.
    """
    _logs(log_p, log_q)
    log_sum = torch.logaddexp(log_p, log_q)
    second = integral((log_p.exp() + log_q.exp()) * (log_p - log_sum), x)
    third = integral(log_p.exp() * (log_p - log_sum) + log_q.exp() * (log_q - log_sum), x)
    return second, third


@checked(n=(2, None))
def value_monte_carlo(p: Mixture, q: Mixture, n: int, rng: torch.Generator) -> tuple[float, float]:
    """Return V at the optimal discriminator from n draws of each distribution, and its standard error."""
    log_sigmoid = nn.functional.logsigmoid
    real, fake = p.sample(n, rng), q.sample(n, rng)
    first = log_sigmoid(p.log_density(real) - q.log_density(real))
    second = log_sigmoid(q.log_density(fake) - p.log_density(fake))
    error = ((first.var() + second.var()) / n).sqrt()
    return float(first.mean() + second.mean()), float(error)


@checked(iterations=(0, None), rate=(0, None))
@taking_gradients()
def fit(samples: Tensor, start: Mixture, iterations: int, rate: float) -> tuple[list[Mixture], list[float]]:
    """Return the mixtures that gradient descent on the mean negative log-likelihood passes through, and that loss.

    Parameters
    ----------
    samples : Tensor
        Draws `(n,)` of the unknown distribution.
    start : Mixture
        Where the descent starts; its number of parts is kept.
    iterations : int
        Steps.
    rate : float
        Step length in the logits of the weights, the means and the logarithms of the scales.

    Returns
    -------
    list of Mixture, list of float
        One of each per step, the start included.

    References
    ----------
    Li and Ortiz (2022), equations 1 to 3.
    """
    logits, means, logs = (
        t.detach().clone().requires_grad_(True) for t in (start.weights.log(), start.means, start.scales.log())
    )
    path, losses = [], []
    for _ in range(iterations + 1):
        now = Mixture(torch.softmax(logits, 0), means, logs.exp())
        loss = -now.log_density(samples).mean()
        gradients = torch.autograd.grad(loss, (logits, means, logs))
        path.append(Mixture(*(t.detach().clone() for t in (now.weights, now.means, now.scales))))
        losses.append(loss.item())
        with torch.no_grad():
            for parameter, gradient in zip((logits, means, logs), gradients, strict=True):
                parameter -= rate * gradient
    return path, losses


@checked()
@taking_gradients()
def push_of_generator(loss: Loss, shift: float) -> float:
    """Return how hard the generator G(z) = z + shift is pushed when D is optimal and the data are N(0, 1).

    Parameters
    ----------
    loss : Loss
        Saturating or non-saturating.
    shift : float
        Distance of the two normal distributions in standard deviations.

    Returns
    -------
    float
        The derivative of the generator's loss in its shift, D held fixed.

    Notes
    -----
    The optimal score is log p(x) - log q(x) = shift^2 / 2 - shift x, so the derivative is shift E[D] for the saturating
    and shift E[1 - D] for the non-saturating loss. One forward and backward pass over 4001 points.
    """
    z = line(-10, 10, 4001)
    weight = torch.exp(-0.5 * z.square())
    weight = weight / weight.sum()
    moved = torch.tensor(shift, dtype=torch.float64, requires_grad=True)
    scores = 0.5 * shift**2 - shift * (z + moved)
    # The loss averages over its batch; a batch of one per point lets the quadrature weights in.
    total = (torch.vmap(loss.generator)(scores[:, None]) * weight).sum()
    (gradient,) = torch.autograd.grad(total, moved)
    return float(gradient)


GAMES = ("simultaneous", "alternating", "extragradient", "damped", "averaged")


@checked(method=..., steps=(0, None))
def bilinear_game(method: str, rate: float, steps: int, damping: float = 1.0) -> Tensor:
    r"""Return the path of two players on :math:`\min_x \max_y xy` from (1, 0).

    Parameters
    ----------
    method : str
        "simultaneous" gradient steps; "alternating" (y answers the new x); "extragradient" (the gradient is taken at a
        look-ahead point); "damped" (simultaneous with a penalty damping y^2 / 2, as the R1 penalty acts); "averaged"
        (the running mean of the alternating path).
    rate : float
        Step length.
    steps : int
        Steps.
    damping : float
        Strength of the penalty.

    Returns
    -------
    Tensor
        Positions `(steps + 1, 2)`, float64.

    Raises
    ------
    ValueError
        If the method is unknown.

    Notes
    -----
    Each step is linear; `bilinear_factor` gives the closed form of its growth.
    """
    _checks.choice("method", method, GAMES)
    matrix = _bilinear_matrix(method, rate, damping)
    point = torch.tensor([1.0, 0.0], dtype=torch.float64)
    path = [point]
    for _ in range(steps):
        point = matrix @ point
        path.append(point)
    points = torch.stack(path)
    if method == "averaged":
        points = points.cumsum(0) / torch.arange(1, steps + 2, dtype=torch.float64)[:, None]
    return points


def _bilinear_matrix(method: str, rate: float, damping: float) -> Tensor:
    one = torch.eye(2, dtype=torch.float64)
    turn = torch.tensor([[0.0, -1.0], [1.0, 0.0]], dtype=torch.float64)
    brake = torch.diag(torch.tensor([0.0, damping], dtype=torch.float64))
    if method == "simultaneous":
        return one + rate * turn
    if method == "extragradient":
        return one + rate * turn @ (one + rate * turn)
    if method == "damped":
        return one + rate * (turn - brake)
    # Alternating: y answers the new x.
    return torch.tensor([[1.0, -rate], [rate, 1.0 - rate**2]], dtype=torch.float64)


def bilinear_factor(method: str, rate: float, damping: float = 1.0) -> float:
    """Return by what the distance to the equilibrium is multiplied per step in the long run, in the ranges named.

    sqrt(1 + r^2) for simultaneous steps (they spiral outwards for every rate), 1 for alternating steps with r < 2 (they
    circle), sqrt(1 - r^2 + r^4) for extragradient, and the spectral radius sqrt(1 - r g + r^2) for damping g <= 2 with
    the penalty taken at the old point. The running mean of a path that circles falls as 1 / steps, so its factor is 1.
    """
    _checks.choice("method", method, GAMES)
    rate = _checks.number("rate", rate, low=0, high=2)
    damping = _checks.number("damping", damping, low=0, high=2)
    if method == "simultaneous":
        return (1 + rate**2) ** 0.5
    if method == "extragradient":
        return (1 - rate**2 + rate**4) ** 0.5
    if method == "damped":
        return (1 - rate * damping + rate**2) ** 0.5
    return 1.0
