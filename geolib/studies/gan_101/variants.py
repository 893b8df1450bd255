"""Units of `gan_101` on channel patches and on the training tricks."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import torch
from scipy.spatial import distance
from torch import Tensor, nn
from torch.nn import functional

from geolib.datasets import channels as training_images
from geolib.datasets import patches
from geolib.gans import tricks, variants
from geolib.gans.train import Game, Players, evaluating, train
from geolib.gans.tricks import Recipe
from geolib.metrics import images
from geolib.metrics import samples as metrics
from geolib.studies.gan_101.lines import disjoint
from geolib.studies.gan_101.theory import TARGET, Arrays, Judge, generate, source

SIZE, WIDTH, RATE, BATCH = 32, 16, 2e-3, 16
#: Small patches keep the ablations affordable.
TRICK_SIZE, TRICK_RATE, TRICK_BATCH = 16, 1e-3, 128
N_TEST = 400
N_POINTS = 24
LAGS = 12
#: A label is a channel proportion; the networks see it centred and scaled.
LABEL_CENTRE, LABEL_SCALE = 0.3, 0.3


@functools.lru_cache(maxsize=4)
def image(seed: int, graded: bool = False) -> Tensor:
    """Return a channel image in [-1, 1], edges softened; the graded one fills with depth."""
    rng = np.random.default_rng([seed, int(graded)])
    channels = functools.partial(training_images.procedural_channels, rng=rng, width=12.0)
    if graded:
        layers = [channels((300, 900), proportion=p) for p in np.linspace(0.08, 0.5, 8)]
        binary = np.concatenate(layers)
    else:
        binary = channels((1000, 1000))
    pixels = torch.from_numpy(2 * binary - 1)[None, None]
    return functional.avg_pool2d(pixels, 3, 1, 1)[0, 0]


def drawer(
    picture: Tensor,
    rng: torch.Generator,
    *,
    size: int = SIZE,
    spacing: float = 3.0,
    label: str = "",
    n: int = BATCH,
) -> Callable[[], tuple[Tensor, tuple[Tensor, ...]]]:
    """Return a rule that draws patches with conditions: "", "proportion" or "itself"."""

    def draw() -> tuple[Tensor, tuple[Tensor, ...]]:
        batch = patches.patches(picture, n, size, spacing=spacing, rng=rng)
        if label == "proportion":
            return batch, (scaled(patches.proportion(batch)),)
        return batch, (batch,) if label == "itself" else ()

    return draw


def scaled(share: Tensor) -> Tensor:
    """Return proportions `(n,)` as labels `(n, 1)`."""
    return (share[:, None] - LABEL_CENTRE) / LABEL_SCALE


def held_out(seed: int, *, size: int = SIZE, spacing: float = 3.0, graded: bool = False) -> Tensor:
    """Return test patches from an image that no network is trained on."""
    rng = source(seed, "test")
    picture = image(seed + 1000, graded)
    return patches.patches(picture, N_TEST, size, spacing=spacing, rng=rng)


def compare(samples: Tensor, reference: Tensor) -> dict[str, float]:
    """Return how far patches are from reference patches: see `training_images` for the statistics.

    `patterns` (Jensen-Shannon divergence of the 3 x 3 pattern histograms at spacings 1 and 3, in
    bits), `two_point` (relative misfit of the variograms along both axes), `proportion` (absolute
    difference), `distance` (sliced Wasserstein-2).
    """
    ours, theirs = ((s[:, 0] > 0).numpy() for s in (samples, reference))
    histograms = [
        [training_images.pattern_histogram(b, 3, s) for b in (ours, theirs)] for s in (1, 3)
    ]
    gaps = []
    for axis in (1, 2):
        a, b = (training_images.variogram(x, LAGS, axis).mean(0) for x in (ours, theirs))
        gaps.append(np.sqrt(np.square(a - b).mean()) / b.max())
    rng = np.random.default_rng(0)
    return {
        "patterns": float(
            np.mean([distance.jensenshannon(*pair, base=2) ** 2 for pair in histograms])
        ),
        "two_point": float(np.mean(gaps)),
        "proportion": abs(float(ours.mean() - theirs.mean())),
        "distance": metrics.sliced_wasserstein(samples.numpy(), reference.numpy(), rng, 64),
    }


STATISTICS = ("patterns", "two_point", "proportion", "distance")


def row(samples: Tensor, reference: Tensor) -> np.ndarray:
    """Return the statistics of `compare` as an array."""
    found = compare(samples, reference)
    return np.array([found[name] for name in STATISTICS])


def floor(seed: int, reference: Tensor, *, spacing: float, graded: bool = False) -> np.ndarray:
    """Return the statistics of real patches against the reference: a perfect generator's."""
    rng = source(seed, "floor")
    real = patches.patches(image(seed, graded), len(reference), SIZE, spacing=spacing, rng=rng)
    return row(real, reference)


def trick(
    data: str,
    rule: Recipe,
    iterations: int,
    seed: int,
    *,
    rate: float | None = None,
    batch: int | None = None,
) -> dict[str, np.ndarray]:
    """Train one recipe on one kind of data; follow the generator's distance, the critic's skill.

    All recipes of a seed share weights and data as far as their shapes allow, so that they can be
    compared in pairs. Rate and batch are those of the chapter's own runs unless they are given.
    """
    usual = (TRICK_RATE, TRICK_BATCH) if data == "mixture" else (RATE, BATCH)
    rng = source(seed, f"trick-{data}")
    players, game, far, skill = assessed_game(
        data, rule, seed, rng, rate or usual[0], batch or usual[1]
    )
    every = max(1, iterations // N_POINTS)
    trace, critics = [], []
    for step in train(players, game, iterations):
        if (step.iteration + 1) % every == 0:
            trace.append(far(players))
            critics.append(skill(players))
    return {"trace": np.array(trace), "critic": np.array(critics), "every": np.array(every)}


#: The critic's error against the best one, its accuracy, its share of extreme answers.
Skill = tuple[float, float, float]


def assessed_game(
    data: str, rule: Recipe, seed: int, rng: torch.Generator, rate: float, batch: int
) -> tuple[Players, Game, Callable[[Players], float], Callable[[Players], Skill]]:
    """Return a recipe's players and rules, and what is known of players by data held out.

    That is how far the generator is, and the critic's skill.
    """
    if data == "mixture":
        judge = Judge(rule.real_label)
        players, game = tricks.mixture_game(TARGET, rule, rate, rng, batch=batch)
        return players, game, lambda each: judge.distance(each.generator), judge.critic
    draw = drawer(image(seed), rng, size=TRICK_SIZE, spacing=4.0, n=batch)
    reference = held_out(seed, size=TRICK_SIZE, spacing=4.0)
    players, game = tricks.channel_game(draw, rule, rate, rng, size=TRICK_SIZE)
    z = torch.randn(N_TEST, variants.LATENT, generator=source(seed, "latent"))

    def far(each: Players) -> float:
        return compare(generate(each.generator, z), reference)["distance"]

    return players, game, far, lambda each: _skill(each, z, reference, rule.real_label)


def _skill(players: Players, z: Tensor, reference: Tensor, label: float) -> Skill:
    made = generate(players.generator, z)
    # A smoothed label scales the critic's best answers, and its threshold: undone as for the
    # mixture.
    real, fake = (torch.sigmoid(generate(players.critic, x)) / label for x in (reference, made))
    accuracy = 0.5 * float((real > 0.5).float().mean() + (fake <= 0.5).float().mean())
    extreme = float(((torch.cat([real, fake]) - 0.5).abs() > 0.45).float().mean())
    return float("nan"), accuracy, extreme


def _run(players: Players, game: Game, iterations: int) -> None:
    for _ in train(players, game, iterations):
        pass


def _latent(seed: int, n: int = N_TEST) -> Tensor:
    return torch.randn(n, variants.LATENT, generator=source(seed, "latent"))


def wgan(iterations: int, seed: int) -> Arrays:
    """Compare Jensen-Shannon with Wasserstein on disjoint lines, then both games on channels."""
    reference, arrays = held_out(seed), disjoint(seed)
    traces, scores, samples = [], [], []
    for name in ("minimax", "wasserstein"):
        rng = source(seed, "wgan")
        build = variants.wgan if name == "wasserstein" else variants.dcgan
        players, game = build(drawer(image(seed), rng), SIZE, WIDTH, RATE, rng)
        if name == "minimax":
            game = _unaided(game)
        trace, losses, recent = [], [], []
        for step in train(players, game, iterations):
            recent.append(step.critic_loss - step.penalty)
            if (step.iteration + 1) % max(1, iterations // 10) == 0:
                made = generate(players.generator, _latent(seed))
                trace.append(compare(made, reference)["distance"])
                losses.append(-np.mean(recent))
                recent = []
        traces.append(trace)
        scores.append(losses)
        samples.append(made)
    return {
        **arrays,
        "trace": np.array(traces),
        "critic_gain": np.array(scores),
        "table": np.stack(
            [row(s, reference) for s in samples] + [floor(seed, reference, spacing=3.0)]
        ),
        "samples": _examples(reference, *samples),
    }


def _unaided(game: Game) -> Game:
    return replace(game, penalty=None, critic_steps=2)


def _examples(*sets: Tensor) -> np.ndarray:
    return np.stack([s[:8, 0].numpy() for s in sets]).astype(np.float32)


def _variograms(*sets: Tensor) -> np.ndarray:
    """Return mean variograms `(set, axis, lag)`."""
    binary = [(s[:, 0] > 0).numpy() for s in sets]
    return np.stack(
        [[training_images.variogram(b, LAGS, axis).mean(0) for axis in (1, 2)] for b in binary]
    )


def dcgan(iterations: int, seed: int) -> Arrays:
    """Train convolutional and fully connected networks on the same patches; compare statistics."""
    reference, samples, sizes = held_out(seed), [], []
    for convolutional in (True, False):
        rng = source(seed, "dcgan")
        players, game = variants.dcgan(
            drawer(image(seed), rng), SIZE, WIDTH, RATE, rng, convolutional=convolutional
        )
        _run(players, game, iterations)
        samples.append(generate(players.generator, _latent(seed)))
        sizes.append(
            sum(p.numel() for net in (players.generator, players.critic) for p in net.parameters())
        )
    return {
        "table": np.stack(
            [row(s, reference) for s in samples] + [floor(seed, reference, spacing=3.0)]
        ),
        "variograms": _variograms(reference, *samples),
        "samples": _examples(reference, *samples),
        "parameters": np.array(sizes),
    }


def conditional(iterations: int, seed: int) -> Arrays:
    """Ask a conditional GAN for channel proportions and measure what it gives."""
    rng = source(seed, "conditional")
    picture = image(seed, True)
    players, game = variants.conditional(
        drawer(picture, rng, label="proportion"), SIZE, WIDTH, RATE, rng
    )
    _run(players, game, iterations)
    levels = torch.linspace(0.1, 0.5, 9)
    asked = levels.repeat_interleave(40)
    made = generate_with(players.generator, _latent(seed, len(asked)), scaled(asked))
    obtained = patches.proportion(made)
    reference = held_out(seed, graded=True)
    labels = patches.proportion(
        patches.patches(picture, N_TEST, SIZE, spacing=3.0, rng=source(seed, "labels"))
    )
    like_data = generate_with(players.generator, _latent(seed), scaled(labels))
    return {
        "asked": asked,
        "obtained": obtained,
        "error": (obtained - asked).square().mean().sqrt(),
        # An unconditional generator answers every question with its own spread of proportions.
        "blind_error": (labels[None, :] - levels[:, None]).square().mean().sqrt(),
        "table": np.stack(
            [row(like_data, reference), floor(seed, reference, spacing=3.0, graded=True)]
        ),
        "samples": made.unflatten(0, (9, 40))[:, :4, 0].transpose(0, 1),
    }


def generate_with(generator: nn.Module, *inputs: Tensor) -> Tensor:
    """Return samples of a generator of several inputs with its batch norms in evaluation mode."""
    with evaluating(generator), torch.no_grad():
        made: Tensor = generator(*inputs)
    return made


def infogan(iterations: int, seed: int, weight: float) -> Arrays:
    """Train InfoGAN with and without its information term: which factor the code became."""
    from scipy import stats

    found: dict[str, list[list[float]]] = {"bound": [], "correlation": []}
    reference = held_out(seed, spacing=4.0, graded=True)
    rows = []
    for share in (weight, 0.0):
        rng = source(seed, "infogan")
        draw = drawer(image(seed, True), rng, spacing=4.0)
        players, game, reader = variants.infogan(draw, SIZE, WIDTH, RATE, rng, weight=share)
        test = source(seed, "codes")
        code = 2 * torch.rand(N_TEST, 1, generator=test) - 1
        bounds = []
        for step in train(players, game, iterations):
            if (step.iteration + 1) % max(1, iterations // 15) == 0:
                made = generate_with(players.generator, _latent(seed), code)
                with torch.no_grad():
                    bounds.append(float(variants.information_bound(reader, made, code)))
        factors = patches.proportion(made), patches.orientation(made)
        if share:
            shares = factors[0]
            sweep = torch.linspace(-1, 1, 8)[:, None]
            z = _latent(seed, 4).repeat_interleave(8, 0)
            samples = generate_with(players.generator, z, sweep.repeat(4, 1)).reshape(
                4, 8, SIZE, SIZE
            )
            first_code = code[:, 0]
        found["bound"].append(bounds)
        found["correlation"].append(
            [abs(stats.spearmanr(code[:, 0], f).statistic) for f in factors]
        )
        rows.append(row(made, reference))
    return {
        "bound": np.array(found["bound"]),
        "correlation": np.array(found["correlation"]),
        "code": first_code,
        "proportion": shares,
        "samples": samples,
        "table": np.stack([*rows, floor(seed, reference, spacing=4.0, graded=True)]),
    }


def superres(iterations: int, seed: int, weight: float) -> Arrays:
    """Refine coarse patches fourfold: bicubic, content, content and adversary, no skips."""
    truth = held_out(seed, spacing=6.0)
    coarse = variants.coarsen(truth)
    estimates = [functional.interpolate(coarse, scale_factor=4, mode="bicubic").clamp(-1, 1)]
    for adversarial, skip in ((0.0, True), (weight, True), (0.0, False)):
        rng = source(seed, "superres")
        draw = drawer(image(seed), rng, spacing=6.0, label="itself")
        players, game = variants.superres(
            draw, SIZE, WIDTH, RATE, rng, adversarial=adversarial, skip=skip
        )
        _run(players, game, iterations)
        estimates.append(generate(players.generator, coarse))
    greyness = [float((1 - e.abs()).mean()) for e in [*estimates, truth]]
    return {
        "psnr": np.array([images.psnr(e.numpy(), truth.numpy(), 2.0) for e in estimates]),
        "ssim": np.array([images.ssim(e.numpy(), truth.numpy(), 2.0, width=7) for e in estimates]),
        "greyness": np.array(greyness),
        "table": np.stack([row(e, truth) for e in estimates]),
        "samples": _examples(functional.interpolate(coarse, scale_factor=4), *estimates[:3], truth),
    }
