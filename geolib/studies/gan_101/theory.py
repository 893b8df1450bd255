"""Units of `gan_101` on theory: arrays that hold a statement of the paper and its closed form."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from geolib.gans import theory
from geolib.gans.losses import NON_SATURATING, SATURATING, r1_penalty
from geolib.gans.theory import LOG2, Mixture
from geolib.gans.train import Game, Players, evaluating, train
from geolib.gans.tricks import Recipe, mixture_game
from geolib.gans.variants import Scores, adam, dense, initialise, leaky

# Tensors, arrays and numbers; the study turns them all into arrays.
Arrays = dict[str, object]
#: The data of every one-dimensional experiment: two porosity classes, say, in units of no meaning.
TARGET = Mixture.of([0.35, 0.65], [-2.0, 1.5], [0.5, 0.8])
#: A fixed generated distribution that overlaps with it.
OTHER = Mixture.of([1.0], [0.0], [1.5])
SHIFTS = np.linspace(0.0, 10.0, 41)
BILINEAR_RATE = 0.2


def source(seed: int, label: str) -> torch.Generator:
    """Return the random stream of a unit, a function of the seed and the unit's label alone."""
    words = np.random.SeedSequence([seed, *label.encode()]).generate_state(2, np.uint32)
    return torch.Generator().manual_seed(int(words[0]) << 16 ^ int(words[1]))


def likelihood(n: int, seed: int) -> Arrays:
    """Fit a mixture by descent of the negative log-likelihood; the divergence beside it."""
    x = theory.line()
    samples = TARGET.sample(n, source(seed, "likelihood"))
    path, losses = theory.fit(samples, Mixture.of([0.5, 0.5], [-0.5, 0.5], [1.0, 1.0]), 400, 0.5)
    kept = [0, 1, 2, 3, 5, 8, 12, 20, 30, 50, 80, 120, 200, 300, 400]
    entropy = theory.cross_entropy(TARGET, TARGET, x)
    divergence = torch.stack([theory.kl(TARGET, m, x) for m in path])
    expected = torch.stack([theory.cross_entropy(TARGET, m, x) for m in path])
    logs = TARGET.log_density(samples)
    found = path[-1]
    repeats = [TARGET.sample(n, source(seed, f"likelihood-{i}")) for i in range(10)]
    # Few enough samples for their product to be a number: it peaks where its logarithm does.
    few, places = samples[:40], torch.linspace(-1, 1, 201, dtype=torch.float64)
    moved = [
        Mixture(TARGET.weights, TARGET.means + s, TARGET.scales).log_density(few) for s in places
    ]
    fits = [theory.fit(r, TARGET, 150, 0.5)[0][-1] for r in repeats]
    return {
        "x": x[::8],
        "samples": samples[:500],
        "target": TARGET.density(x)[::8],
        "kept": np.array(kept),
        "fits": torch.stack([path[i].density(x)[::8] for i in kept]),
        "loss": np.array(losses),
        "divergence": divergence,
        "expected_loss": expected,
        "entropy": entropy,
        # KL = cross-entropy - entropy holds at every step of the descent, not just at its end.
        "identity_error": (expected - entropy - divergence).abs().max(),
        "gradient_error": _gradient_difference(x),
        "fitted": torch.cat([found.weights, found.means, found.scales]),
        "truth": torch.cat([TARGET.weights, TARGET.means, TARGET.scales]),
        # Wilks: 2 n KL is chi-square with a degree of freedom for each of the five parameters.
        "wilks": torch.stack([2 * n * theory.kl(TARGET, m, x) for m in fits]),
        # What the samples say of each kept model, and what their distribution says.
        "sample_loss": torch.stack([-path[i].log_density(samples).mean() for i in kept]),
        "peak_of_product": places[torch.stack([m.exp().prod() for m in moved]).argmax()],
        "peak_of_sum": places[torch.stack([m.sum() for m in moved]).argmax()],
        "log10_likelihood": logs.sum() / math.log(10),
        "product": logs.exp().prod(),
    }


def _gradient_difference(x: Tensor) -> float:
    """Return the largest difference between the gradients of divergence and expected loss."""
    mean = torch.tensor([-0.5, 0.5], dtype=torch.float64, requires_grad=True)
    model = Mixture(
        OTHER.weights.new_tensor([0.5, 0.5]), mean, OTHER.weights.new_tensor([1.0, 1.0])
    )
    (a,) = torch.autograd.grad(theory.kl(TARGET, model, x), mean)
    (b,) = torch.autograd.grad(theory.cross_entropy(TARGET, model, x), mean)
    return float((a - b).abs().max())


def value(seed: int) -> Arrays:
    """Evaluate the game at the optimal discriminator three ways; equations 7 and 9 as printed."""
    x = theory.line()
    log_p, log_q = TARGET.log_density(x), OTHER.log_density(x)
    best = theory.optimal_logit(log_p, log_q)
    divergence = theory.jensen_shannon(log_p, log_q, x)
    quadrature = theory.value(log_p, log_q, best, x)
    sampled, error = theory.value_monte_carlo(TARGET, OTHER, 200_000, source(seed, "value"))
    second, third = theory.printed_equation_9(log_p, log_q, x)
    bends = torch.linspace(-1, 1, 41, dtype=torch.float64)
    wave = torch.sin(x)
    shares = torch.linspace(0, 1, 41, dtype=torch.float64)
    # A family of generators that ends in the data: the value at its best discriminator falls to
    # -log 4.
    blends = [torch.logaddexp(log_p + w.log(), log_q + (1 - w).log()) for w in shares[1:-1]]
    chain = [log_q, *blends, log_p]
    return {
        "value": quadrature,
        "closed_form": -2 * LOG2 + 2 * divergence,
        "jsd": divergence,
        "identity_error": (quadrature + 2 * LOG2 - 2 * divergence).abs(),
        "monte_carlo": np.array(sampled),
        "monte_carlo_error": np.array(error),
        "printed_7": theory.printed_equation_7(log_p, log_q, best, x),
        "printed_9_second": second,
        "printed_9_third": third,
        "bends": bends,
        "bent_values": torch.stack([theory.value(log_p, log_q, best + b * wave, x) for b in bends]),
        "shares": shares,
        "share_values": torch.stack(
            [theory.value(log_p, c, theory.optimal_logit(log_p, c), x) for c in chain]
        ),
        "equilibrium_value": theory.value(log_p, log_p, torch.zeros_like(x), x),
        "equilibrium_discriminator": torch.sigmoid(theory.optimal_logit(log_p, log_p))
        .sub(0.5)
        .abs()
        .max(),
    }


class Shifted(nn.Module):
    """A generator that adds a constant to its input: the smallest there is."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.shift = nn.Parameter(torch.tensor([shift]))

    def forward(self, x: Tensor) -> Tensor:
        """Return the input with its first component moved."""
        return torch.cat([x[:, :1] + self.shift, x[:, 1:]], 1)


def train_critic_alone(
    game: Game, critic: nn.Module, generator: nn.Module, iterations: int, rate: float
) -> Iterator[int]:
    """Train a critic against a fixed generator, yielding iterations; the rate falls to zero."""
    optimizer = adam(critic.parameters(), rate)
    still = torch.optim.SGD(generator.parameters(), 0.0)
    for step in train(Players(generator, critic, still, optimizer), game, iterations):
        for group in optimizer.param_groups:
            group["lr"] = rate * (1 - step.iteration / iterations)
        yield step.iteration


def discriminator(seed: int, iterations: int = 1500) -> Arrays:
    """Train a discriminator against a fixed generator and hold it against p / (p + q) (eq 8)."""
    x = theory.line(-8, 8, 801)
    log_p, log_q = TARGET.log_density(x), OTHER.log_density(x)
    best = torch.sigmoid(log_p - log_q)
    middle = 0.5 * (log_p.exp() + log_q.exp())
    best_push = _pull(log_p - log_q, x)
    rng = source(seed, "discriminator")
    steps, logits = _discriminator_against(OTHER, rng, x, iterations)
    curves = torch.sigmoid(logits)
    errors = torch.stack([theory.integral(middle * (c - best).abs(), x) for c in curves])
    # How wrong is what generated samples are told, in units of what the best discriminator tells
    # them?
    scale = theory.integral(log_q.exp() * best_push.abs(), x)
    wrong = [
        theory.integral(log_q.exp() * (_pull(each, x) - best_push).abs(), x) / scale
        for each in logits
    ]
    rng = source(seed, "discriminator-equal")
    equal = _discriminator_against(TARGET, rng, x, iterations)[1][-1]
    logit = logits[-1]
    return {
        "pull_errors": torch.stack(wrong),
        "equal_error": theory.integral(log_p.exp() * (torch.sigmoid(equal) - 0.5).abs(), x),
        "x": x,
        "target": log_p.exp(),
        "generated": log_q.exp(),
        "optimal": best,
        "steps": np.array(steps),
        "curves": curves,
        "errors": errors,
        "largest_error": (curves[-1] - best).abs()[middle > 0.01].max(),
        "value": theory.value(log_p, log_q, logit, x),
        "value_closed_form": theory.value(log_p, log_q, log_p - log_q, x),
    }


def _discriminator_against(
    generated: Mixture, rng: torch.Generator, x: Tensor, iterations: int
) -> tuple[list[int], Tensor]:
    """Return recorded steps and logits on `x` of a discriminator against a fixed distribution."""
    critic = Scores(initialise(dense([1, 48, 48, 1], leaky), rng))
    game = Game(
        NON_SATURATING,
        lambda: (TARGET.sample(512, rng).float()[:, None], ()),
        lambda n, _: (generated.sample(n, rng).float()[:, None],),
    )
    steps, logits = [0], [generate(critic, x.float()[:, None]).double()]
    for iteration in train_critic_alone(game, critic, Shifted(), iterations, 1e-2):
        if iteration + 1 in (10, 30, 100, 300, 1000, iterations):
            steps.append(iteration + 1)
            logits.append(generate(critic, x.float()[:, None]).double())
    return steps, torch.stack(logits)


def _pull(logit: Tensor, x: Tensor) -> Tensor:
    """Return the slope of log D at `x`, which the generator's usual loss hands to samples there."""
    return torch.gradient(torch.nn.functional.logsigmoid(logit), spacing=(x,))[0]


def starvation() -> Arrays:
    """Return the push on a generator `shift` away from its data, both losses, with closed forms."""
    x = theory.line(-20, 20, 8001)
    pushes = {"saturating": SATURATING, "non_saturating": NON_SATURATING}
    found = {
        k: np.array([theory.push_of_generator(rule, float(s)) for s in SHIFTS])
        for k, rule in pushes.items()
    }
    exact = []
    for shift in SHIFTS:
        # shift E_q[D] with D optimal; the non-saturating push is the rest of shift.
        generated = torch.exp(-0.5 * (x - shift).square()) / math.sqrt(2 * math.pi)
        exact.append(
            float(shift * theory.integral(generated * torch.sigmoid(0.5 * shift**2 - shift * x), x))
        )
    saturating = np.array(exact)
    errors = [
        np.abs(found["saturating"] - saturating),
        np.abs(found["non_saturating"] - (SHIFTS - saturating)),
    ]
    return {
        "shifts": SHIFTS,
        **found,
        "closed_form_error": np.max(errors),
        "ratio_at_8": _ratio(found, 8.0),
    }


def _ratio(found: dict[str, np.ndarray], shift: float) -> np.ndarray:
    at = int(np.argmin(np.abs(SHIFTS - shift)))
    return np.asarray(found["saturating"][at] / found["non_saturating"][at])


def bilinear() -> Arrays:
    """Play min_x max_y xy by every method; the distance's growth beside its closed form."""
    steps = 400
    paths = torch.stack([theory.bilinear_game(m, BILINEAR_RATE, steps) for m in theory.GAMES])
    distance = paths.norm(dim=2)
    # The spiral's factor is exact; others with complex eigenvalues wobble: hence the long baseline.
    factors = (distance[:, -1] / distance[:, steps // 2]) ** (2 / steps)
    exact = torch.tensor(
        [theory.bilinear_factor(m, BILINEAR_RATE) for m in theory.GAMES], dtype=torch.float64
    )
    spiral = (1 + BILINEAR_RATE**2) ** (torch.arange(steps + 1, dtype=torch.float64) / 2)
    return {
        "methods": np.array(theory.GAMES),
        "paths": paths,
        "distance": distance,
        "factors": factors,
        "converges": distance[:, -1] < 0.1,
        "closed_form": exact,
        "spiral_error": (distance[0] / spiral - 1).abs().max(),
    }


def density_of(generator: nn.Module, edges: Tensor) -> Tensor:
    """Return the density that a generator with one normal input spreads over bins (`edges`).

    Evenly spaced quantiles of the input stand for its samples: there is no noise to smooth away.
    """
    n = 40_000
    levels = (torch.arange(n, dtype=torch.float64) + 0.5) / n
    made = generate(generator, torch.special.ndtri(levels).float()[:, None])[:, 0].double()
    counts = torch.histogram(made, edges).hist
    return counts / (n * (edges[1] - edges[0]))


def generate(generator: nn.Module, z: Tensor) -> Tensor:
    """Return samples of a generator with its batch norms in evaluation mode."""
    with evaluating(generator), torch.no_grad():
        made: Tensor = generator(z)
    return made


class Judge:
    """Measures how far a 1-D generator is from the target, and how well its critic knows."""

    def __init__(self, label: float = 1.0) -> None:
        grid = theory.line(n=2401)
        self.levels = (torch.arange(4096, dtype=torch.float64) + 0.5) / 4096
        self.quantiles = TARGET.quantiles(self.levels, grid)
        self.z = torch.special.ndtri(self.levels).float()[:, None]
        self.edges = torch.linspace(-7, 7, 141, dtype=torch.float64)
        self.x = 0.5 * (self.edges[1:] + self.edges[:-1])
        self.target = TARGET.density(self.x)
        self.label = label

    def distance(self, generator: nn.Module) -> float:
        """Return the Wasserstein-1 distance: the mean gap between quantiles."""
        return float(
            (generate(generator, self.z)[:, 0].double().sort().values - self.quantiles).abs().mean()
        )

    def curves(self, players: Players) -> tuple[Tensor, Tensor, Tensor]:
        """Return generated density, the critic's curve and the optimal one at the bins' centres."""
        made = density_of(players.generator, self.edges)
        # Smoothed labels scale the optimum by the label; undone here, so that all critics face the
        # same truth.
        curve = (
            torch.sigmoid(generate(players.critic, self.x.float()[:, None]).double()) / self.label
        )
        return made, curve, self.target / (self.target + made).clamp_min(1e-12)

    def critic(self, players: Players) -> tuple[float, float, float]:
        """Return the critic's mean error against the optimum, accuracy, extreme share."""
        made, curve, best = self.curves(players)
        width = self.edges[1] - self.edges[0]
        middle = 0.5 * (self.target + made)
        sure = curve > 0.5  # a smoothed label lowers the critic's threshold as well
        accuracy = 0.5 * float((self.target * sure).sum() + (made * ~sure).sum()) * float(width)
        extreme = (curve - 0.5).abs() > 0.45
        return (
            float((middle * (curve - best).abs()).sum() * width),
            accuracy,
            float((middle * extreme).sum() * width),
        )


def turns(seed: int) -> Arrays:
    """Train the discriminator alone, then the generator alone (Figs 3a and 3b): who tells what."""
    rng = source(seed, "turns")
    players, game = mixture_game(TARGET, Recipe(leaky=True), 1e-3, rng, width=64, batch=256)
    judge, accuracy = Judge(), []

    def play(side: Players) -> None:
        for _ in train(side, game, 300):
            accuracy.append(judge.critic(players)[1])

    play(replace(players, generator_optimizer=torch.optim.SGD(players.generator.parameters(), 0.0)))
    play(replace(players, critic_optimizer=torch.optim.SGD(players.critic.parameters(), 0.0)))
    return {"accuracy": np.array(accuracy).reshape(2, -1)}


def mixture(iterations: int, seed: int, *, aided: bool = True) -> Arrays:
    """Train a GAN on the mixture and keep densities and discriminator curves over time (Figs 1-3).

    It is aided by an R1 penalty of weight 0.05 and a learning rate that falls over the second half,
    neither of which the paper names; without them (`aided` false) it is the paper's procedure.
    """
    rng = source(seed, "mixture")
    players, game = mixture_game(
        TARGET, Recipe(critic_steps=2, leaky=True), 1e-3, rng, width=64, batch=256
    )
    if aided:
        # A little R1 penalty turns the circling of the bilinear game into an inward spiral.
        game = replace(game, penalty=lambda critic, real, fake: 0.05 * r1_penalty(critic, real))
    judge = Judge()
    frames = np.unique(np.round(np.concatenate([[0], np.geomspace(5, iterations, 47)])).astype(int))
    densities, curves, bests, history = [], [], [], []

    def record() -> None:
        made, curve, best = judge.curves(players)
        densities.append(made)
        curves.append(curve)
        bests.append(best)
        error, accuracy, _ = judge.critic(players)
        log_p, log_q = judge.target.clamp_min(1e-30).log(), made.clamp_min(1e-30).log()
        divergence = theory.jensen_shannon(log_p, log_q, judge.x)
        history.append([judge.distance(players.generator), float(divergence), error, accuracy])

    record()
    rates = [
        (o, o.param_groups[0]["lr"])
        for o in (players.generator_optimizer, players.critic_optimizer)
    ]
    for step in train(players, game, iterations):
        done = step.iteration + 1
        for optimizer, rate in rates if aided else ():
            optimizer.param_groups[0]["lr"] = rate * min(1.0, 2 * (1 - done / iterations)) + 1e-6
        if done in frames:
            record()
    z = torch.linspace(-3, 3, 61)[:, None]
    inside = judge.target > 0.02
    return {
        "x": judge.x,
        "target": judge.target,
        "frames": frames,
        "densities": torch.stack(densities),
        "curves": torch.stack(curves),
        "optimal": torch.stack(bests),
        "history": np.array(history),
        "z": z[:, 0],
        "mapping": generate(players.generator, z)[:, 0],
        "half_error": (curves[-1][inside] - 0.5).abs().mean(),
    }
