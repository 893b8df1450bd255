"""The messages of the figures of the latent appendix, each made from what the figure draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import ndimage

from geolib.runs.tables import listed
from geolib.runs.unit import Units, select
from geolib.studies.latent_inversion import facies, images, prior, search, tables
from geolib.studies.latent_inversion.config import PriorConfig
from geolib.studies.latent_inversion.facts import local_minima
from geolib.studies.latent_inversion.tables import LIMITS, ORDERS, ROMAN
from geolib.studies.latent_inversion.world import World

Trials = Sequence[Mapping[str, np.ndarray]]


#: A piece of so many pixels is as long as it is thick.
SPECK = 100


def loose(drawn: Mapping[str, np.ndarray]) -> dict[str, int]:
    """Return by title how many pieces of channel, cut at one half, end within an image.

    They touch fewer than two of its sides, where whole channels lead from one to another. What is
    below `SPECK` pixels is no piece of channel.
    """
    found = {}
    for title, picture in drawn.items():
        labels, count = ndimage.label(picture >= 0.5, np.ones((3, 3)))
        sides = (labels[0], labels[-1], labels[:, 0], labels[:, -1])
        found[title] = sum(
            int((labels == number).sum()) >= SPECK and sum(number in side for side in sides) < 2
            for number in range(1, count + 1)
        )
    return found


def broken(counts: Mapping[str, int]) -> str:
    """Return which generators break channels, by their loose pieces; the real image first."""
    (_, real), *others = counts.items()
    short = {title.removeprefix("generator, "): count for title, count in others}
    broken = {title: count for title, count in short.items() if count > real}
    if not broken:
        return "A generator breaks no more channels than its training image has broken"
    if len(short) == 1:
        return "A generator draws channels, and breaks some of them"
    if whole := [title for title in short if title not in broken]:
        told = f"{listed(whole)} draws channels, {listed(list(broken))} breaks them"
        return f"{told[0].upper()}{told[1:]}"
    most, least = (pick(broken, key=broken.__getitem__) for pick in (max, min))
    than = f", {most} more of them than {least}" if broken[most] > broken[least] else ""
    return f"Generators draw channels, and break some{than}"


def counted(counts: Mapping[str, int]) -> str:
    """Return how many loose pieces each image has, as a sentence."""
    told = [f"{count} ({title})" for title, count in counts.items()]
    return f"Pieces of channel that end within the image: {listed(told)}."


def closer(judged: Units, rivals: Mapping[str, str]) -> str:
    """Return which of two sets of images is closer to the training image, by each curve."""
    won: dict[str, int] = dict.fromkeys(rivals, 0)
    for what in facies.CURVES:
        mean = judged["training-image"][f"curve.{what}"][0]
        off = {
            rival: float(np.abs(judged[name][f"curve.{what}"] - mean).mean())
            for rival, name in rivals.items()
        }
        won[min(off, key=off.__getitem__)] += 1
    best = max(won, key=won.__getitem__)
    return (
        f"The {best} is closer to the training image in {won[best]} of {len(facies.CURVES)} curves"
    )


def checkpoint(quality: Sequence[Mapping[str, float]], chosen: int) -> str:
    """Return which checkpoint was chosen, of how many."""
    return f"Of {len(quality)} checkpoints that after {chosen:,} iterations is the best"


def learnt(checkpoints: Sequence[Mapping[str, float]]) -> str:
    """Return what a small training has learnt of patterns, from first to last checkpoint."""
    first, last = checkpoints[0], checkpoints[-1]
    word = "falls" if last["patterns"] < first["patterns"] else "goes"
    return (
        f"After {last['iteration']} updates: the misfit of patterns {word} from "
        f"{first['patterns']:.1f} to {last['patterns']:.1f}"
    )


def noise(trainings: Units, recipes: Sequence[str]) -> str:
    """Return how many of the trainings drawn end in noise."""
    ended = count = 0
    for recipe in recipes:
        for width in PriorConfig.preset("paper").widths:
            arrays = trainings.get(prior.Training(recipe, width, 16, 900, 0).name)
            count += arrays is not None
            ended += arrays is not None and not float(arrays["score"][-1]) <= prior.NOISE
    return f"{ended} of {count} trainings end in noise" if count else "No training was run"


def _fits(trials: Trials) -> str:
    return f"{sum(float(each['best'][-1]) <= LIMITS[-1] for each in trials)} of {len(trials)}"


def reached(units: Units, width: str) -> str:
    """Return how many binary trials of strategy 1 fit, else of strategy 2, with one generator."""
    for number, method in enumerate(("adam", "gn"), 1):
        counts = [
            f"{_fits(trials)} with {rays}" if rays == "true rays" else f"{_fits(trials)} {rays}"
            for order, rays in ORDERS.items()
            if (trials := tables.most(units, order, "binary", method))
        ]
        if counts:
            return f"Strategy {number} fits, {width}: {', '.join(counts)}"
    return "No binary trial was run"


def disagree(fits: Mapping[tuple[str, int], tuple[np.ndarray, int]]) -> str:
    """Return in how many cells the models that fit disagree, over all orders and true models."""
    apart = [100 * float(((share > 0) & (share < 1)).mean()) for share, count in fits.values()]
    if not apart:
        return "No trial fits"
    return f"Models that fit disagree in {min(apart):.1f} to {max(apart):.1f} % of the cells"


def minima(facts: Mapping[str, np.ndarray]) -> str:
    """Return how many minima the misfit has near the truth, with true rays and scrambled."""
    near, other = (local_minima(facts[f"landscape{end}"][1]) for end in ("", "_published"))
    return f"Minima near the truth: {near} with true rays, {other} scrambled"


def found(ends: Mapping[int, Trials]) -> str:
    """Return how many trials fit, by true model."""
    told = [
        f"{_fits(trials)} with model {ROMAN[model]}" for model, trials in ends.items() if trials
    ]
    return f"Trials that fit: {', '.join(told)}" if told else "No trial of this kind was run"


def wrong(world: World, truths: Mapping[int, np.ndarray], latents: Mapping[int, np.ndarray]) -> str:
    """Return in how many cells models that were found are wrong, by true model."""
    told = []
    for model, latent in latents.items():
        share = float(((world.image(latent) >= 0.5) != truths[model]).mean())
        told.append(f"{100 * share:.1f} % for {ROMAN[model]}")
    return f"Wrong cells in what was found: {', '.join(told)}" if told else "Not run"


def regression(searched: Units) -> str:
    """Return how many truths the search by regression fits."""
    told = []
    for order, rays in ORDERS.items():
        solves, _ = search.solved(searched, order, "binary")
        if solves.size:
            told.append(f"{int(np.isfinite(solves).sum())} of {solves.size} {rays}")
    return f"Regression fits {', '.join(told)}" if told else "Not searched"


def stopped(searched: Units) -> float:
    """Return the solves after which runs of the search by regression were stopped."""
    return float(max((unit.budget for unit in select(searched, search.Truth)), default=0))


def recovered(trials: Trials, model: int) -> str:
    """Return how many inversions of a whole image recovered it."""
    if not trials:
        return f"No image of true model {ROMAN[model]} was inverted"
    good = sum(float(each["best"][-1]) <= images.RECOVERED for each in trials)
    return f"{good} of {len(trials)} inversions recover the image of true model {ROMAN[model]}"
