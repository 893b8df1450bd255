"""Laloy et al. (2019): traveltimes inverted in the latent space of a generator of channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from geolib._runtime import keep_memory
from geolib.datasets import channels
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, whole
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units
from geolib.studies.latent_inversion import (
    effects,
    facts,
    findings,
    measures,
    recheck,
    searches,
    trials,
)
from geolib.studies.latent_inversion.config import LatentConfig, weights_name
from geolib.studies.latent_inversion.units import (
    ALONE,
    GENERATOR,
    Comparison,
    Facts,
    Trial,
    group,
    scenarios,
)
from geolib.studies.latent_inversion.world import N_LATENT, World

DIMS = {
    "marks": ("mark",),
    "best": ("mark",),
    "trajectory": ("kept",),
    "running_best": ("kept",),
    "iteration": ("kept",),
    "start": ("latent",),
    "best_latent": ("latent",),
    "true_latent": ("latent",),
    "singular_values": ("draw", "latent"),
    "landscape": ("zoom", "z2", "z1"),
    "landscape_published": ("zoom", "z2", "z1"),
    "record": ("improvement", "runs_and_misfit"),
    "outcome": ("choice", "trial"),
    "draws": ("chain", "draw", "latent"),
}


class LatentInversion(Study[LatentConfig]):
    """Trials of the paper's strategies and of global searches; comparisons of single choices."""

    name = "latent_inversion"
    paper = "laloy2019"
    address = "https://doi.org/10.1016/j.cageo.2019.104333"
    title = "Inversion in the latent space of a generator"
    question = (
        "Can gradients find an earth in a generator's latent space, and which earth did the "
        "published rays see?"
    )
    files = (channels.FILE, facts.RELEASED)
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    lends: ClassVar[Mapping[str, object]] = {"world": World, "n_latent": N_LATENT}
    Config = LatentConfig
    kinds = (Facts, Comparison, Trial)

    def units(self, config: LatentConfig) -> list[Unit]:
        """Return the generator's facts, the comparisons, and the trials."""
        compared = [
            Comparison(kind, config.effect_iterations, config.effect_trials)
            for kind in config.effects
        ]
        return [GENERATOR, *compared, *_trials(config)]

    def batches(self, config: LatentConfig, units: Sequence[Unit]) -> list[list[Unit]]:
        """Return the units by the groups in which they are computed."""
        found: dict[Unit, list[Unit]] = {}
        for unit in units:
            found.setdefault(group(unit)[0] if isinstance(unit, Trial) else unit, []).append(unit)
        return list(found.values())

    def grouping(self, unit: Unit) -> str:
        """Return the scenarios of a trial's group in their places, or that it is computed alone."""
        together = group(unit) if isinstance(unit, Trial) else []
        return (
            " ".join(f"m{each.model}-n{each.noise}" for each in together)
            if len(together) > 1
            else "alone"
        )

    def compute(
        self,
        config: LatentConfig,
        units: Sequence[Unit],
        folder: Path | None = None,
        *,
        world: World | None = None,
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units; trials are computed in whole groups, whichever of them are wanted.

        Parameters
        ----------
        config, units, folder
            As for every study; the folder keeps the likelihoods of DREAM(ZS).
        world : World, optional
            In place of the one of the shipped weights.
        """
        keep_memory()
        world = world or World(config)
        for wanted in self.batches(config, units):
            first = wanted[0]
            if isinstance(first, Comparison):
                yield first, effects.compare(world, first)
            elif not isinstance(first, Trial):
                yield first, facts.generator_facts(world)
            elif first.method in searches.JUMPS:
                yield first, searches.globally(world, first, folder)
            elif first.method == "pool":
                yield first, searches.pooled(world, first)
            else:
                places = group(first)
                found = zip(places, trials.descend(world, places), strict=True)
                yield from ((trial, arrays) for trial, arrays in found if trial in wanted)

    def inputs(self, config: LatentConfig, unit: Unit) -> Sequence[str]:
        """Return the generator's weights; its facts have the released data beside them."""
        if isinstance(unit, Comparison):
            return effects.weights_of(unit, config.width)
        return (weights_name(config.width), *([facts.RELEASED] if unit == GENERATOR else []))

    def recheck(
        self, config: LatentConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: a trial by its best model, anything else whole."""
        if isinstance(unit, Trial):
            return recheck.trial(config, unit, arrays)
        times = ("core_seconds", "reverse_seconds")
        return whole(self, config, unit, arrays, seconds, but=times)

    def measures(self, config: LatentConfig, units: Units) -> dict[str, Measure]:
        """Return the numbers of the ledger, from whatever units there are."""
        found = measures.measures(units)
        for prefix, operator in (("", "consistent"), ("as_published.", "as_published")):
            if fitted := measures.fitted(units, operator):
                # An image for each; the generator is read where there is one to make.
                _, wrong = findings.wrong_cells(World(config), fitted, operator)
                found[f"{prefix}s1.wrong_cells_where_fits"] = Measure.mean(wrong.tolist())
        return found

    def published(self, values: Mapping[str, Sequence[int]]) -> dict[str, Measure]:
        """Return what the paper's Tables 2 and 3 say of one another."""
        return measures.published_measures(values)


def _trials(config: LatentConfig) -> Iterator[Trial]:
    gn = config.gn_iterations
    budgets = {"adam": config.adam_iterations, "gn": gn, "gnx": gn}
    budgets |= dict.fromkeys(searches.JUMPS, config.dream_runs) | {"pool": searches.POOL}
    for method in config.methods:
        for operator in config.operators:
            for case in config.cases:
                # The whole image is inverted by strategy 1 alone, before thresholding and without
                # noise.
                if operator == "image" and (method, case) != ("adam", "continuous"):
                    continue
                count = config.searches if method in ALONE else config.trials
                # Trial by trial, so that a run that is stopped early leaves all rows with the same
                # trials.
                for number in range(count):
                    for pair in scenarios(operator):
                        yield Trial(operator, case, method, budgets[method], *pair, number)


STUDY = LatentInversion()
