"""What the chapter says of its results: sentences and titles, true of the runs they are given."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, percent
from geolib.runs.unit import Units, select
from geolib.studies.gan_101 import seeds
from geolib.studies.gan_101.ablation import with_interval
from geolib.studies.gan_101.config import GanConfig
from geolib.studies.gan_101.measures import best_accuracy, biases
from geolib.studies.gan_101.theory import BILINEAR_RATE
from geolib.studies.gan_101.units import Trick, Variant

#: The measure that a variant's picture is headed by.
TITLED = {
    "dcgan": "dcgan.patterns_ratio",
    "conditional": "conditional.error_ratio",
    "infogan": "infogan.correlation",
    "superres": "superres.greyness_gain",
    "wgan": "wgan.distance_ratio",
}

#: Rank correlation above which a code is said to order the patches.
ORDERED = 0.8
#: What the data of the tricks are called in a sentence.
WHERE = {"mixture": "the mixture", "channels": "channels"}

Measures = Mapping[str, Measure]

Arrays = Mapping[str, np.ndarray]


def behind(units: Units, second: Units) -> str:
    """Return how many runs the page rests on."""
    tried = len(select(units, Trick)) + len(select(second, Trick))
    return (
        f"{len(units) + len(second):,} runs stand behind this page; {tried:,} of them are "
        "trainings that compare tricks."
    )


def training(unit: Arrays) -> str:
    """Return the title of a training's four moments."""
    first, last = unit["history"][[0, -1], 1]
    if last < 0.02 and unit["half_error"] < 0.05:
        return f"With two aids the generator ends {last:.2g} nats from the data"
    return f"The divergence from the data goes from {first:.2g} to {last:.2g} nats"


def ratio(found: Measures, unit: Arrays) -> str:
    """Return how well a trained discriminator finds the ratio of densities."""
    first, last = unit["pull_errors"][[1, -1]]
    return (
        f"After {unit['steps'][-1]} steps its mean distance from the ratio is "
        f"{found['discriminator.error'].value:.1g}. Nowhere among the data is it off by more "
        f"than {found['discriminator.largest_error'].value:.1g}. And the *slope* of log D, "
        f"from which a generator learns, is wrong by {percent(last)} of its size; after "
        f"{unit['steps'][1]} steps it was wrong by {percent(first)}."
    )


def ratio_title(found: Measures) -> str:
    """Return the title of the trained discriminator's figure."""
    error = found["discriminator.error"].value
    return f"A trained discriminator is {error:.1g} from the ratio of densities"


def undecided(units: Units) -> str:
    """Return how two trainings end that leave their discriminators undecided, or not."""
    plain, aided = units["unaided"], units["mixture"]
    return (
        "At the end the first discriminator is off one half by "
        f"{float(plain['half_error']):.1g}, the second by "
        f"{float(aided['half_error']):.1g} (mean over x where there are data). R1 flattens the "
        "second by itself. The first generator's samples are "
        f"{plain['history'][-1, 1]:.2g} nats from the data, the second's "
        f"{aided['history'][-1, 1]:.2g}. The best discriminator would still tell the first's from "
        f"real ones in {percent(best_accuracy(plain, -1))} of the cases, the second's in "
        f"{percent(best_accuracy(aided, -1))}, where 50 % is a guess."
    )


def repeated(second: Units) -> str:
    """Return how both trainings end with the seeds of `gan_seeds`; nothing without them."""
    found = seeds.measures(second)
    pairs = [
        [found.get(f"seeds.{training}.{name}") for training in ("unaided", "mixture")]
        for name in ("half_error", "jsd")
    ]
    off, far = [[each for each in pair if each is not None] for pair in pairs]
    if len(off) + len(far) < 4:
        return ""
    return (
        f"With {far[0].n} other seeds they are off by {off[0].value:.1g} and {off[1].value:.1g} in "
        f"the mean, the samples by {with_interval(far[0])} and {with_interval(far[1])} nats."
    )


def undecided_title(units: Units) -> str:
    """Return the title of the two ends."""
    plain, aided = units["unaided"], units["mixture"]
    if max(plain["half_error"], aided["half_error"]) > 0.05:
        return "Two ends of one training"
    if plain["history"][-1, 1] > 3 * aided["history"][-1, 1]:
        return "Both discriminators answer one half; one generator is nearer"
    return "Both discriminators answer one half"


def turning_title(unit: Arrays) -> str:
    """Return the title of the figure of the smallest game."""
    ends = dict(zip(unit["methods"].tolist(), unit["converges"], strict=True))
    inward = [name for name, end in ends.items() if end]
    several = "" if len(inward) != 1 else "es"
    return (
        f"At a rate of {BILINEAR_RATE:g}, {len(inward)} of {len(ends)} ways to step "
        f"approach{several} the equilibrium"
    )


def starving_title(unit: Arrays) -> str:
    """Return the title of the pushes: which loss pushes least, by the unit `starvation`."""
    least = unit["saturating"][1:], np.minimum(unit["non_saturating"][1:], 1.0)
    if not (least[0] < least[1]).all():
        return "The push on a generator, by loss"
    return "Under the best discriminator the minimax loss pushes least, from afar next to nothing"


def of_seeds(units: Units, variant: str) -> list[Arrays]:
    """Return the runs of a variant, one for each seed."""
    return list(select(units, Variant, variant=variant).values())


def starving(found: Measures) -> str:
    """Return what the losses say from far away."""
    text = (
        "Eight standard deviations away, the minimax push is "
        f"{power(found['starvation.ratio_at_8'].value)} of the non-saturating one."
    )
    if "wgan.js_push" not in found:
        return text
    nearest, farthest = min(gaps := _gaps(found)), max(gaps)
    count = found["wgan.js_push"].n or 1
    seeds = f"in the mean of {count} seeds" if count > 1 else "with one seed"
    return (
        f"{text} Between lines at a gap of {farthest:g} the trained networks push with "
        f"{found['wgan.wasserstein_push'].value:.1f} (Wasserstein; the penalty lets it exceed one) "
        f"and {power(found['wgan.js_push'].value)} (minimax), {seeds}. At {nearest:g} "
        f"minimax still pushes with {found[f'wgan.js_push_at_{nearest:g}'].value:.2g}."
    )


def _gaps(found: Measures) -> list[float]:
    front = "wgan.js_push_at_"
    return [float(name.removeprefix(front)) for name in found if name.startswith(front)]


def power(value: float) -> str:
    """Return a small number as a person would write it: digit times power of ten."""
    digit, exponent = f"{value:.0e}".split("e")
    return f"{{math}}`{digit}\\times10^{{{int(exponent)}}}`"


def strengths(config: GanConfig, units: Units) -> str:
    """Return how strong the tricks are that have a strength, and when distances are first taken."""
    every = [int(run["every"]) for run in select(units, Trick).values()]
    text = (
        f"*More D steps* are {config.critic_steps} for each step of G, *faster D* has "
        f"{config.critic_rate:g} times G's learning rate, the *smoothed label* of real samples "
        f"is {config.real_label:g}; batch norm and leaky ReLU are in both networks. "
        "*All together* are these five."
    )
    return f"{text} The first distance is that after {every[0]} steps." if every else text


def clear(measure: Measure) -> str:
    """Return what an interval of a ratio leaves open."""
    if measure.low is None or measure.high is None:
        return "one seed decides nothing"
    if measure.low <= 1 <= measure.high:
        return f"undecided with {measure.n} seeds"
    return "clearly less" if measure.high < 1 else "clearly more"


def wasserstein(found: Measures) -> str:
    """Return how the two games compare on channels, and how near the better is to data."""
    if "wgan.distance_ratio" not in found:
        return "The Wasserstein GAN was not run."
    ratio, floor = found["wgan.distance_ratio"], found["wgan.floor_ratio"]
    near = f"They are {with_interval(floor)} times as far from the data as other real ones"
    if clear(ratio).startswith("undecided"):
        return (
            f"{ratio.n} seeds cannot tell the two games apart: its samples end at "
            f"{with_interval(ratio)} of the minimax game's distance from the data. {near}."
        )
    return (
        f"Its samples end at {with_interval(ratio)} of the minimax game's distance from the "
        f"data: {clear(ratio)}. {near}."
    )


def convolutions(found: Measures) -> str:
    """Return how convolutional and dense networks compare."""
    if "dcgan.patterns_ratio" not in found:
        return "Convolutional and dense networks were not run."
    patterns, two_point = found["dcgan.patterns_ratio"], found["dcgan.two_point_ratio"]
    return (
        f"The dense networks have {found['dcgan.parameter_ratio'].value:.1f} times the weights. "
        f"The convolutions' misfit of 3 by 3 pixel patterns is {with_interval(patterns)} of "
        f"theirs: {clear(patterns)}, and {_over_floor(found):.0f} times the floor. "
        f"The misfit of the variogram is {with_interval(two_point)} of theirs: "
        f"{clear(two_point)}.{_one_of_two(patterns, two_point)}"
    )


def _one_of_two(*ratios: Measure) -> str:
    decided = [clear(ratio).startswith("clearly") for ratio in ratios]
    if sum(decided) != 1:
        return ""
    return " The paper names no statistic. One decides and one does not: so it is undecided."


def _over_floor(found: Measures) -> float:
    return found["dcgan.convolutional.patterns"].value / found["dcgan.floor.patterns"].value


def levels(unit: Arrays | None) -> list[str]:
    """Return the channel proportions that were asked for, column by column."""
    return [] if unit is None else [f"{level:.2f}" for level in np.unique(unit["asked"])]


def lines(found: Measures) -> str:
    """Return how well a penalised critic measures the gap between two lines."""
    if "wgan.wasserstein_error" not in found:
        return ""
    measured = found["wgan.distance_measured"]
    return (
        "That slope predicts the trained estimate to "
        f"{found['wgan.wasserstein_error'].value:.1g} of its size (median), and within 5 % in "
        f"{found['wgan.wasserstein_measured']} trainings. Taken for the gap itself the estimate "
        f"is too large: within 5 % in {measured} trainings only."
    )


def skips(found: Measures) -> str:
    """Return what skip connections are worth in three residual blocks."""
    if "superres.psnr_gain_of_skips" not in found:
        return ""
    gain = found["superres.psnr_gain_of_skips"]
    return (
        "The skip connections of the three residual blocks change the PSNR by "
        f"{with_interval(gain)} dB. They are made for networks that are deep; ours is not."
    )


def conditional(found: Measures, units: Units) -> str:
    """Return how well a label steers the channel proportion."""
    if "conditional.error" not in found:
        return "The conditional GAN was not run."
    blind, strict = found["conditional.error_ratio"], found["conditional.strict_error_ratio"]
    off = [f"{bias:+.2f}".replace("-", "−") for bias in biases(units)]
    seeds = f"in the {len(off)} seeds" if len(off) > 1 else "in the one seed"
    return (
        "Asked for channel proportions from 0.1 to 0.5, it misses by "
        f"{found['conditional.error'].value:.2f} (root mean square); the mean is off by "
        f"{listed(off)} {seeds}. The error is {with_interval(blind)} of that of a generator that "
        f"ignores the question, and {with_interval(strict)} of that of one that always answers the "
        f"mean of what is asked: {clear(strict)}."
    )


def conditional_caption(unit: Arrays | None) -> str:
    """Return what the patches to order are, and how far those shown are from what was asked."""
    text = "What the generator of one seed draws to order"
    if unit is None:
        return f"{text}."
    off = float((unit["obtained"] - unit["asked"]).mean())
    return (
        f"{text}; each patch has latent numbers of its own. Over all draws of this seed "
        f"the proportion is {abs(off):.2f} too {'small' if off < 0 else 'large'}."
    )


def code(found: Measures) -> str:
    """Return what the code of InfoGAN came to mean."""
    if "infogan.correlation" not in found:
        return "InfoGAN was not run."
    with_it, without = found["infogan.correlation"], found["infogan.correlation_without"]
    return (
        "The {term}`rank correlation` of code and channel proportion (its size; 1: one order) is "
        f"{with_interval(with_it)}, and {with_interval(without)} without the reward{_of(with_it)}."
    )


def _of(measure: Measure) -> str:
    return f" ({measure.n} seeds)" if measure.n and measure.n > 1 else " (one seed)"


def codes(unit: Arrays | None) -> list[str]:
    """Return the codes that patches were drawn for, column by column."""
    count = 0 if unit is None else unit["samples"].shape[1]
    return [f"{code:.1f}".replace("-", "−") for code in np.linspace(-1, 1, count)]


def detail_caption(found: Measures) -> str:
    """Return what the rows of super-resolution are, with the grey of each of the two losses."""
    text = (
        "Coarse patches of an image that no network has seen, made fine: by bicubic interpolation, "
        "by the content loss, by content and adversarial loss; below them the truth. One seed."
    )
    if "superres.content.greyness" not in found:
        return text
    grey = [found[f"superres.{name}.greyness"].value for name in ("content", "adversarial")]
    return (
        f"{text} The mean distance to the nearer facies goes from {grey[0]:.2f} to {grey[1]:.2f}"
        f"{_of(found['superres.adversarial.greyness'])}."
    )


def detail(found: Measures) -> str:
    """Return what the adversarial loss buys in super-resolution, and for how much."""
    if "superres.psnr_gain" not in found:
        return "Super-resolution was not run."
    grey = [found[f"superres.{name}.greyness"] for name in ("content", "adversarial", "truth")]
    gain = found["superres.psnr_gain"]
    told = with_interval(gain).replace("-", "−")
    change = f"It changes the {{term}}`PSNR`, which the content loss trains for, by {told} dB"
    if grey[1].value >= grey[0].value:
        return f"{change} and takes no grey away{_of(gain)}."
    return (
        f"{change} and takes away some of the grey{_of(gain)}: the mean distance of a pixel from "
        "the nearer {term}`facies` (channel or background), 1 where it is midway, goes from "
        f"{with_interval(grey[0])} to {with_interval(grey[1])}. The truth, whose edges are soft, "
        f"has {grey[2].value:.2f}."
    )


def album_title(variant: str, found: Measures) -> str:
    """Return the title of a variant's patches, or that there are none."""
    if (key := TITLED[variant]) not in found:
        return "Not run with these parameters."
    ours = found[key].value
    if variant == "dcgan":
        over = f"{_over_floor(found):.0f} times the floor"
        return f"Convolutions have {ours:.2f} of dense layers' pattern misfit, still {over}"
    if variant == "conditional":
        return "Asked for more channel, it draws more" if ours < 1 else "Asked for more channel"
    if variant == "infogan":
        if ours > ORDERED:
            return "A code that nobody explained orders the patches by their channel proportion"
        return "A code that nobody explained"
    if variant == "wgan":
        told = f"The Wasserstein game ends at {ours:.2f} of the minimax game's distance"
        return f"{told}, {clear(found[key])}"
    if ours < 0:
        return "The adversarial loss takes some of the grey away"
    return "The adversarial loss takes no grey away"
