"""The search of `search.py` with a part left out or changed, on truths that judge nothing else.

All variants search the same truths, and are compared in pairs. One of them begins from a
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
    Search,
    fitted_at,
    rechecked,
    searched,
    simulated,
    world_of,
)
from geolib.studies.latent_inversion.tables import ORDERS
from geolib.studies.latent_inversion.units import Words
from geolib.studies.latent_inversion.world import N_LATENT, weights_path

#: What each variant changes; the first is the search as it is.
VARIANTS: Mapping[str, tuple[str, Settings]] = {
    "whole": ("as it is", Settings()),
    "pool64": (f"first pool of 64 in place of {Settings().pool}", Settings(pool=64)),
    "pool1024": ("first pool of 1,024", Settings(pool=1024)),
    "plane": ("regression on a plane, without kernels", Settings(kernels=False)),
    "nosteps": ("without the steps near the end", Settings(steps=False)),
    "norestart": ("one attempt that never gives up", Settings(patience=10**6)),
    "bank": ("first pool from a bank", Settings()),
}
#: Below it a difference is not called chance.
LEVEL = 0.05
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
    """Return what takes traveltimes (n_rays,) and gives those nearest to them, of a bank of models.

    What it gives are latents (pool, 15) in (-1, 1) and their traveltimes (pool, n_rays) in ns. All
    are kept in float32: 46 MB for 20,000 models.
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
    dims = Search.dims
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
        """Return the generator's weights."""
        return (weights_name(config.width),)

    def compute(
        self, config: AblationConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each truth's search."""
        keep_memory()
        network = sgan.load_weights(weights_path(config.width))
        banks: dict[str, Known] = {}
        for unit in of_kind(Variant, units):
            known = None
            if unit.variant == "bank":
                if unit.operator not in banks:
                    banks[unit.operator] = bank_of(config, unit.operator, network)
                known = banks[unit.operator]
            world = world_of(config.width, config.noise, unit.seed, network)
            settings = VARIANTS[unit.variant][1]
            where = (unit.operator, "binary", unit.seed, unit.budget)
            yield unit, searched(world, *where, settings, known)

    def batches(self, config: AblationConfig, units: Sequence[Unit]) -> list[list[Unit]]:
        """Return each search by itself, and in one group those that share a bank."""
        groups: dict[str, list[Unit]] = {}
        for unit in of_kind(Variant, units):
            name = unit.operator if unit.variant == "bank" else unit.name
            groups.setdefault(name, []).append(unit)
        return list(groups.values())

    def recheck(
        self, config: AblationConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return the recheck of a search: its best model's misfit, and the true latent."""
        if not isinstance(unit, Variant):
            return None
        return rechecked(config.width, config.noise, unit.operator, "binary", unit.seed, arrays)

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


def solved(units: Units, variant: str, operator: str) -> dict[int, float]:
    """Return by seed the solves to a WRMSE of 1.01, infinite without one."""
    chosen = select(units, Variant, variant=variant, operator=operator)
    return {unit.seed: fitted_at(arrays) for unit, arrays in chosen.items()}


def against(units: Units, variant: str, operator: str) -> tuple[int, int]:
    """Return on how many truths a variant took fewer solves than the search as it is, and more.

    Truths that neither fits, or both in as many, are not counted.
    """
    whole, other = (solved(units, each, operator) for each in ("whole", variant))
    pairs = [(whole[seed], other[seed]) for seed in whole if seed in other]
    return sum(b < a for a, b in pairs), sum(b > a for a, b in pairs)


def chance(fewer: int, more: int) -> float:
    """Return how likely counts as unlike are, were either as likely on each truth (sign test)."""
    return float(stats.binomtest(fewer, fewer + more).pvalue) if fewer + more else float("nan")


def as_markdown(units: Units, operator: str) -> str:
    """Return by variant how many truths it fitted within so many solves, and how it compares."""
    rows: list[list[object]] = []
    budget = max((unit.budget for unit in select(units, Variant, operator=operator)), default=0)
    marks = [mark for mark in MARKS if mark <= budget]
    for variant, (text, _) in VARIANTS.items():
        solves = np.array(list(solved(units, variant, operator).values()))
        if not solves.size:
            continue
        counts = [int((solves <= mark).sum()) for mark in marks]
        middle = float(np.median(solves))
        shown = f"{middle:,.0f}" if np.isfinite(middle) else "—"
        compared: list[object] = ["—", "—"]
        if variant != "whole":
            fewer, more = against(units, variant, operator)
            p = chance(fewer, more)
            compared = [f"{fewer} and {more}", f"{p:.2g}" if np.isfinite(p) else "—"]
        rows.append([text, solves.size, *counts, shown, *compared])
    heads = ["Search", "Truths", *(f"≤ {mark:,}" for mark in marks), "Median", "Fewer, more", "p"]
    return markdown(heads, rows, "l" + "r" * (len(heads) - 1), empty="No variant was searched.")


def setting(config: AblationConfig, units: Units, operator: str) -> str:
    """Return of which truths and which generator the searches are, and how large the bank is."""
    chosen = select(units, Variant, operator=operator)
    seeds = sorted({unit.seed for unit in chosen})
    if not seeds:
        return ""
    text = (
        f"Truths of the seeds {seeds[0]} to {seeds[-1]}, binary, {ORDERS[operator]}, generator of "
        f"width {config.width}. *Fewer, more*: on how many truths the variant took fewer solves "
        "than the search as it is, and on how many more; *p* is their sign test."
    )
    if all(unit.variant != "bank" for unit in chosen):
        return text
    return (
        f"{text} The last variant is *amortised*: it begins not from a pool but from those of "
        f"{config.bank:,} models simulated once, for all data to come, whose traveltimes are "
        "nearest; these solves are not in its columns."
    )


def told(units: Units, operator: str) -> str:
    """Return which variants differ from the search as it is beyond chance, and which way."""
    pairs = {v: against(units, v, operator) for v in VARIANTS if v != "whole"}
    pairs = {variant: pair for variant, pair in pairs.items() if sum(pair)}
    if not pairs:
        return ""
    clear = [v for v, pair in pairs.items() if chance(*pair) <= LEVEL / len(pairs)]
    groups = {
        "fewer solves": [v for v in clear if pairs[v][0] > pairs[v][1]],
        "more solves": [v for v in clear if pairs[v][0] < pairs[v][1]],
    }
    said = [f"{what}: {listed([VARIANTS[v][0] for v in g])}" for what, g in groups.items() if g]
    rest = "" if len(clear) == len(pairs) else " Of the others these truths cannot tell."
    return (
        "Beyond chance (a twentieth, shared by the comparisons) "
        f"{'; '.join(said) or 'nothing differs'}.{rest}"
    )


STUDY = Ablation()
