"""Does a trick help the discriminator to tell made data from real? One generator, which rests.

In a game the generator answers: where a trick makes it better, its discriminator is right less
often. So here a game (with batch norm, which learns on all data) is stopped half way, its generator
rests (its weights do; its batch norms go on counting), and new discriminators learn to tell its
samples from real ones, with each recipe at each of several rates. A recipe's rate is chosen with
seeds that judge nothing, and so is one for all of them.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from geolib.gans import tricks as recipes
from geolib.gans.train import train
from geolib.runs.measure import Measure
from geolib.runs.unit import Arrays, Unit, Units, select
from geolib.studies.gan_101.config import FIRST_SWEPT, TricksConfig
from geolib.studies.gan_101.theory import source
from geolib.studies.gan_101.units import DATA
from geolib.studies.gan_101.variants import N_POINTS, assessed_game

#: The recipes of the discriminators, in the order of the arrays.
RECIPES = ("plain", "leaky_critic", "smooth_label")


@dataclass(frozen=True)
class Telling(Unit):
    """Discriminators of every recipe and rate against one generator that rests."""

    TEMPLATE: ClassVar[str] = "telling-{data}-{seed}"

    data: str
    seed: int


def tell(config: TricksConfig, unit: Telling) -> Arrays:
    """Train the discriminators; return their `accuracy` by recipe, rate and record, and `every`.

    All share the generator, the data's stream and their start. The accuracy is that on data that
    nobody learns from.
    """
    rate, batch = config.of(unit.data)
    first = source(unit.seed, f"telling-{unit.data}")
    learns = recipes.recipe("batch_norm")  # on channels the plain game makes nothing hard to tell
    players, game, *_ = assessed_game(unit.data, learns, unit.seed, first, rate, batch)
    for _ in train(players, game, config.telling_start):
        pass
    every = max(1, config.telling_steps // N_POINTS)
    accuracy = np.full((len(RECIPES), len(config.telling_rates), N_POINTS), np.nan)
    for i, name in enumerate(RECIPES):
        rule = recipes.recipe(name, real_label=config.real_label)
        for j, own in enumerate(config.telling_rates):
            rng = source(unit.seed, f"telling-{unit.data}-discriminator")
            fresh, rules, _, skill = assessed_game(unit.data, rule, unit.seed, rng, own, batch)
            # A step of nothing is the generator's; it only marks the records.
            rest = torch.optim.SGD(players.generator.parameters(), 0.0)
            fixed = replace(fresh, generator=players.generator, generator_optimizer=rest)
            for step in train(fixed, replace(rules, critic_steps=every), N_POINTS):
                accuracy[i, j, step.iteration] = skill(fixed)[1]
    return {"accuracy": accuracy, "every": np.array(every)}


def chosen(units: Units, data: str, *, common: bool = False) -> dict[str, int] | None:
    """Return by recipe the place of the rate that is best on the seeds of choice; None of none.

    Where it is `common`, it is the one that is best for all recipes in the mean.
    """
    found = [
        arrays["accuracy"].mean(-1)
        for unit, arrays in select(units, Telling, data=data).items()
        if unit.seed >= FIRST_SWEPT
    ]
    if not found:
        return None
    mean = np.mean(found, axis=0)
    best = np.broadcast_to(mean.mean(0), mean.shape).argmax(-1) if common else mean.argmax(-1)
    return {name: int(place) for name, place in zip(RECIPES, best, strict=True)}


def gains(
    units: Units, data: str, trick: str, *, last: bool = False, common: bool = False
) -> np.ndarray:
    """Return what a recipe adds to the plain discriminator's accuracy, a value for each seed.

    Each has its own rate, or all a `common` one (`chosen`). The accuracy is the mean over the
    training, so that learning fast counts; that of the `last` quarter on request. Empty where
    nothing was run.
    """
    places = chosen(units, data, common=common)
    if places is None:
        return np.empty(0)
    part = slice(-N_POINTS // 4, None) if last else slice(None)
    found = []
    for unit, arrays in select(units, Telling, data=data).items():
        if unit.seed < FIRST_SWEPT:
            ours, plain = (
                arrays["accuracy"][RECIPES.index(name), places[name], part].mean()
                for name in (trick, "plain")
            )
            found.append(ours - plain)
    return np.array(found)


def measures(units: Units) -> dict[str, Measure]:
    """Return by data and recipe the gain over the training, at its end, and at one rate for all."""
    found = {}
    for data in DATA:
        for trick in RECIPES[1:]:
            for key, values in (
                ("telling", gains(units, data, trick)),
                ("telling_at_the_end", gains(units, data, trick, last=True)),
                ("telling_at_one_rate", gains(units, data, trick, common=True)),
            ):
                if values.size:
                    found[f"{key}.{data}.{trick}"] = Measure.mean(values.tolist())
    return found
