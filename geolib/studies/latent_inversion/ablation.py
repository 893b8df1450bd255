"""The search of `search.py` with a part left out or changed, on truths that judge nothing else.

All variants search the same truths, so that they are compared in pairs. One of them begins from a
bank of simulated models in place of a pool: those whose traveltimes come nearest to the data. The
bank's solves are told apart from the search's, since one bank serves every truth.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
from scipy import stats

from geolib._runtime import keep_memory
from geolib.gans import sgan
from geolib.inversion import words
from geolib.inversion.search import Settings
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.tables import listed, markdown
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.latent_inversion.config import AblationConfig, weights_name
from geolib.studies.latent_inversion.search import (
    Known,
    fitted_at,
    rechecked,
    searched,
    simulated,
    world_of,
)
from geolib.studies.latent_inversion.units import Words
from geolib.studies.latent_inversion.world import N_LATENT, weights_path

#: What each variant changes; the first is the search as it is.
VARIANTS: Mapping[str, tuple[str, Settings]] = {
    "whole": ("as it is", Settings()),
    "pool64": ("first pool of 64 in place of 256", Settings(pool=64)),
    "pool1024": ("first pool of 1,024", Settings(pool=1024)),
    "plane": ("regression on a plane, without kernels", Settings(kernels=False)),
    "nosteps": ("without the steps near the end", Settings(steps=False)),
    "norestart": ("one attempt that never gives up", Settings(patience=10**6)),
    "width32": ("generator of width 32", Settings()),
    "bank": ("first pool from a bank", Settings()),
}
NARROW = 32
#: Solves at which success is told, that of a bank early.
MARKS = (300, 1000, 2000, 5000, 10000)
#: Models that are simulated at once for the bank.
_BATCH = 100


@dataclass(frozen=True)
class Variant(Unit):
    """One truth, searched by a variant for so many solves."""

    TEMPLATE: ClassVar[str] = "{variant}-{operator}-b{budget}-s{seed}"
    ALLOWED: ClassVar[Words] = {"variant": tuple(VARIANTS), "operator": words.CELL_ORDERS}

    variant: str
    operator: str
    budget: int
    seed: int


def bank_of(config: AblationConfig, operator: str, network: sgan.Generator) -> Known:
    """Return what chooses, of a bank of simulated models, those nearest to what is observed.

    Traveltimes are kept in float32: 46 MB for 20,000 models.
    """
    world = world_of(config.width, config.noise, config.first, network)
    simulate = simulated(world, operator, "binary")
    models = np.random.default_rng([config.width, 7]).uniform(-1, 1, (config.bank, N_LATENT))
    parts = [models[at : at + _BATCH] for at in range(0, config.bank, _BATCH)]
    times = np.concatenate([simulate(part) for part in parts])

    def nearest(observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        away = np.square(times - observed).sum(1)
        chosen = away.argsort(kind="stable")[: VARIANTS["bank"][1].pool]
        return models[chosen], times[chosen]

    return nearest


class Ablation(Study[AblationConfig]):
    """What each part of the search buys, on the same truths."""

    name = "latent_ablation"
    title = "What each part of the search buys"
    question = "Which part of a search that restarts until it fits could be left out?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "record": ("improvement", "solves_and_misfit"),
        "best_latent": ("latent",),
        "true_latent": ("latent",),
        "attempts": ("attempt", "latent"),
        "misfits": ("attempt",),
    }
    Config = AblationConfig
    kinds = (Variant,)

    def units(self, config: AblationConfig) -> list[Unit]:
        """Return the truths, all variants of one together."""
        return [
            Variant(variant, operator, config.budget, seed)
            for seed in range(config.first, config.first + config.truths)
            for operator in config.operators
            for variant in config.variants
        ]

    def inputs(self, config: AblationConfig, unit: Unit) -> Sequence[str]:
        """Return the weights of the unit's generator."""
        return (weights_name(_width(config, unit)),)

    def compute(
        self, config: AblationConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each truth's search."""
        keep_memory()
        networks: dict[int, sgan.Generator] = {}
        banks: dict[str, Known] = {}
        for unit in of_kind(Variant, units):
            width = _width(config, unit)
            if width not in networks:
                networks[width] = sgan.load_weights(weights_path(width))
            known = None
            if unit.variant == "bank":
                if unit.operator not in banks:
                    banks[unit.operator] = bank_of(config, unit.operator, networks[width])
                known = banks[unit.operator]
            world = world_of(width, config.noise, unit.seed, networks[width])
            settings = VARIANTS[unit.variant][1]
            where = (unit.operator, "binary", unit.seed, unit.budget)
            yield unit, searched(world, *where, settings, known)

    def batches(self, config: AblationConfig, units: Sequence[Unit]) -> list[list[Unit]]:
        """Return each search by itself, and in one group those that share a bank."""
        banked = [unit for unit in units if isinstance(unit, Variant) and unit.variant == "bank"]
        alone = [[unit] for unit in units if unit not in banked]
        groups: dict[str, list[Unit]] = {}
        for unit in banked:
            groups.setdefault(unit.operator, []).append(unit)
        return [*alone, *groups.values()]

    def recheck(
        self, config: AblationConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return the recheck of a search: its best model's misfit, and the true latent."""
        if not isinstance(unit, Variant):
            return None
        width = _width(config, unit)
        return rechecked(width, config.noise, unit.operator, "binary", unit.seed, arrays)

    def measures(self, config: AblationConfig, units: Units) -> dict[str, Measure]:
        """Return by variant the share of truths fitted within so many solves.

        ``ablation.whole.consistent.within_1000`` and so on, at each of `MARKS` up to the budget.
        """
        found: dict[str, Measure] = {}
        for operator in words.CELL_ORDERS:
            for variant in VARIANTS:
                chosen = select(units, Variant, variant=variant, operator=operator)
                solves = np.array([fitted_at(arrays) for arrays in chosen.values()])
                end = max((unit.budget for unit in chosen), default=0)
                for mark in MARKS:
                    if mark <= end:
                        share = Measure.count(int((solves <= mark).sum()), solves.size)
                        found[f"ablation.{variant}.{operator}.within_{mark}"] = share
        return found


def _width(config: AblationConfig, unit: Unit) -> int:
    return NARROW if isinstance(unit, Variant) and unit.variant == "width32" else config.width


def solved(units: Units, variant: str, operator: str) -> dict[int, float]:
    """Return by seed the solves to a WRMSE of 1.01, infinite without one."""
    chosen = select(units, Variant, variant=variant, operator=operator)
    return {unit.seed: fitted_at(arrays) for unit, arrays in chosen.items()}


def chance(units: Units, variant: str, operator: str) -> float:
    """Return how likely truths would differ so much from the whole search's if none did.

    Each truth of both says which took fewer solves; those that neither fits say nothing. Sign test,
    two-sided. Not a number where no truth says anything.
    """
    whole, other = solved(units, "whole", operator), solved(units, variant, operator)
    pairs = [(whole[seed], other[seed]) for seed in whole if seed in other]
    better, worse = sum(b < a for a, b in pairs), sum(b > a for a, b in pairs)
    if not better + worse:
        return float("nan")
    return float(stats.binomtest(better, better + worse).pvalue)


def as_markdown(units: Units, operator: str) -> str:
    """Return by variant how many truths it fitted within so many solves, and how it compares."""
    rows: list[list[object]] = []
    for variant, (text, _) in VARIANTS.items():
        solves = np.array(list(solved(units, variant, operator).values()))
        if not solves.size:
            continue
        counts = [int((solves <= mark).sum()) for mark in MARKS]
        middle = float(np.median(solves))
        p = chance(units, variant, operator)
        rows.append(
            [
                text,
                solves.size,
                *counts,
                f"{middle:,.0f}" if np.isfinite(middle) else "—",
                "—" if variant in ("whole", "width32") or np.isnan(p) else f"{p:.2g}",
            ]
        )
    heads = ["Search", "Truths", *(f"≤ {mark:,}" for mark in MARKS), "Median solves", "p"]
    return markdown(heads, rows, "l" + "r" * (len(heads) - 1), empty="No variant was searched.")


def told(units: Units, operator: str) -> str:
    """Return which variants differ from the whole search, and how long a list would make one do."""
    compared = [v for v in VARIANTS if v not in ("whole", "width32")]
    apart = {v: p for v in compared if (p := chance(units, v, operator)) == p}
    if not apart:
        return ""
    limit = 0.05 / len(apart)
    whole = solved(units, "whole", operator)
    words_of: dict[bool, list[str]] = {True: [], False: []}
    for variant, p in apart.items():
        if p <= limit:
            other = solved(units, variant, operator)
            fewer = sum(other[seed] < whole[seed] for seed in other if seed in whole)
            more = sum(other[seed] > whole[seed] for seed in other if seed in whole)
            words_of[fewer > more].append(VARIANTS[variant][0])
    better, worse = words_of[True], words_of[False]
    said = [
        f"{what}: {listed(which)}"
        for what, which in (("fewer solves", better), ("more", worse))
        if which
    ]
    seen = "; ".join(said) if said else "none"
    return (
        f"Beyond chance (sign test over the truths, a twentieth shared by {len(apart)} "
        f"comparisons) differ from the search as it is: {seen}. Of the rest these truths cannot "
        "tell."
    )


STUDY = Ablation()
