"""Li and Ortiz (2022), Generative Adversarial Network 101: equations, tricks, variants."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import ClassVar

import numpy as np

from geolib.gans import tricks as recipes
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, whole
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units
from geolib.studies.gan_101 import otherwise, recheck, theory
from geolib.studies.gan_101 import variants as models
from geolib.studies.gan_101.config import GanConfig, SeedsConfig
from geolib.studies.gan_101.measures import measures
from geolib.studies.gan_101.units import THEORY, Theory, Trick, Variant

DIMS = {
    "x": ("x",),
    "loss": ("step",),
    "divergence": ("step",),
    "expected_loss": ("step",),
    "densities": ("frame", "x"),
    "curves": ("frame", "x"),
    "optimal": ("frame", "x"),
    "history": ("frame", "quantity"),
    "paths": ("method", "step", "player"),
    "distance": ("method", "step"),
    "trace": ("record",),
    "critic": ("record", "quantity"),
    "table": ("row", "statistic"),
    "variograms": ("row", "axis", "lag"),
}


def experiment(config: GanConfig | SeedsConfig, label: str, seed: int = 0) -> Mapping[str, object]:
    """Return what an equation or a sketch gives; in some chance has no part (`units.SEEDED`)."""
    if label == "likelihood":
        return theory.likelihood(config.n_samples, seed)
    if label in ("mixture", "unaided"):
        return theory.mixture(config.mixture_iterations, seed, aided=label == "mixture")
    seeded = {"value": theory.value, "discriminator": theory.discriminator, "turns": theory.turns}
    if label in seeded:
        return seeded[label](seed)
    return {"starvation": theory.starvation, "bilinear": theory.bilinear}[label]()


def _trick(config: GanConfig, unit: Trick) -> Mapping[str, object]:
    rule = recipes.recipe(
        unit.trick,
        critic_steps=config.critic_steps,
        critic_rate=config.critic_rate,
        real_label=config.real_label,
    )
    return models.trick(unit.data, rule, config.trick_iterations, unit.seed)


def _variant(config: GanConfig, unit: Variant) -> Mapping[str, object]:
    iterations, seed = config.variant_iterations, unit.seed
    if unit.variant == "infogan":
        return models.infogan(iterations, seed, config.code_weight)
    if unit.variant == "superres":
        return models.superres(iterations, seed, config.adversarial_weight)
    plain = {"wgan": models.wgan, "dcgan": models.dcgan, "conditional": models.conditional}
    return plain[unit.variant](iterations, seed)


class Gan101(Study[GanConfig]):
    """Equations, tricks and variants, each unit by its configuration and seed alone."""

    name = "gan_101"
    paper = "li2022"
    title = "GAN 101: two networks, one game"
    question = (
        "What do the equations, tricks and variants of an introduction to GANs do when each of "
        "them is run?"
    )
    Config = GanConfig
    kinds = (Theory, Trick, Variant)
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    lends: ClassVar[Mapping[str, object]] = {
        "target": theory.TARGET,
        "bilinear_rate": theory.BILINEAR_RATE,
    }

    def units(self, config: GanConfig) -> list[Unit]:
        """Return theory, then the tricks with the plain recipe, then the variants."""
        seeds = range(config.n_seeds)
        units: list[Unit] = [Theory(label) for label in THEORY]
        for data in config.trick_data:
            for trick in ("plain", *config.tricks):
                units += [Trick(data, trick, seed) for seed in seeds]
        for variant in config.variants:
            units += [Variant(variant, seed) for seed in range(config.n_variant_seeds)]
        return units

    def compute(
        self, config: GanConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each unit's arrays."""
        for unit in units:
            if isinstance(unit, Trick):
                made = _trick(config, unit)
            elif isinstance(unit, Variant):
                made = _variant(config, unit)
            else:
                made = experiment(config, unit.name)
            yield unit, {key: np.asarray(value) for key, value in made.items()}

    def recheck(
        self, config: GanConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: equations whole, a trick's training by its beginning."""
        if isinstance(unit, Theory):
            return whole(self, config, unit, arrays, seconds)
        if isinstance(unit, Variant):  # what is kept of a variant is its end, which is chaotic
            return None
        return recheck.training(unit, arrays, seconds, partial(self.compute, config))

    def measures(self, config: GanConfig, units: Units) -> dict[str, Measure]:
        """Return the measures of the ledger that the given units support."""
        return measures(config.critic_steps, units)

    def variants(self, config: GanConfig, units: Units) -> dict[str, dict[str, Measure]]:
        """Return the measures without one of the first seeds."""
        return otherwise.variants(config.critic_steps, units)


STUDY = Gan101()
