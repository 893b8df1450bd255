"""The paper's inverse problem on many unseen truths, by a search that needs no derivative.

A truth is the first model of a seed, its data those of the chapter (`World.observed`) with that
seed. Everything about the search was chosen on seeds below 5000; those of the paper preset were
opened once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from scipy import stats

from geolib._runtime import keep_memory
from geolib.gans import sgan
from geolib.inversion import words
from geolib.inversion.search import Settings, Simulate, search
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.tables import listed, markdown, percent, percent_span
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.latent_inversion.config import (
    LatentConfig,
    SearchConfig,
    weights_name,
)
from geolib.studies.latent_inversion.tables import LIMITS, ORDERS, arrival
from geolib.studies.latent_inversion.units import CASES, Words
from geolib.studies.latent_inversion.world import N_LATENT, World, weights_path

#: Takes what is observed, returns models and their traveltimes that are known beforehand.
Known = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
#: Of a truth's seed these are searched: model I with noise I.
MODEL, NOISE = 1, 1
#: A truth that was not fitted was nearly so below this WRMSE, and where fewer cells are wrong.
NEAR = (1.05, 0.02)
#: Solves at which success is told.
MARKS = (1000, 2000, 5000, 10000)


@dataclass(frozen=True)
class Truth(Unit):
    """One truth: what is observed of which case, and for how many solves it is searched."""

    TEMPLATE: ClassVar[str] = "{operator}-{case}-b{budget}-s{seed}"
    ALLOWED: ClassVar[Words] = {"operator": words.CELL_ORDERS, "case": CASES}

    operator: str
    case: str
    budget: int
    seed: int


def world_of(width: int, noise: float, seed: int, network: sgan.Generator | None = None) -> World:
    """Return the world in which the truth of a seed is searched."""
    return World(LatentConfig(width=width, noise=noise, seed=seed), "cpu", network)


def simulated(world: World, operator: str, case: str) -> Simulate:
    """Return what the search takes: traveltimes (n, n_rays) in ns of latents (n, 15)."""

    def simulate(latents: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            made = world.simulate(operator, case, torch.from_numpy(latents).float())
        return made.numpy()

    return simulate


def searched(
    world: World,
    operator: str,
    case: str,
    seed: int,
    budget: int,
    settings: Settings | None = None,
    known: Known | None = None,
) -> Arrays:
    """Return the search of one truth; what is `known` may stand for its first pool.

    Latents are (15,) in (-1, 1), misfits in units of the noise, `wrong` a share of the cells.
    """
    observed, rmse = world.observed(operator, case, MODEL, NOISE)
    number = words.CELL_ORDERS.index(operator) + 2 * CASES.index(case)
    found = search(
        simulated(world, operator, case),
        observed[0].numpy(),
        N_LATENT,
        sigma=rmse,
        budget=budget,
        rng=np.random.default_rng([seed, 6, number]),
        start=known(observed[0].numpy()) if known else None,
        settings=settings,
    )
    true = world.true_latents[MODEL][0].numpy()
    models = [world.image(latent) for latent in (found.model, true)]
    if case == "binary":
        wrong = float(((models[0] >= 0.5) != (models[1] >= 0.5)).mean())
    else:
        wrong = float(np.abs(models[0] - models[1]).mean())
    return {
        "record": found.record,
        "solves": np.array(found.solves),
        "best_latent": found.model.astype(np.float32),
        "true_latent": true,
        "true_rmse": np.array(rmse),
        "wrong": np.array(wrong),
        "attempts": found.models.astype(np.float32),
        "misfits": found.misfits,
        "message": np.array(found.message),
    }


class Search(Study[SearchConfig]):
    """A derivative-free search of the latent cube on many truths, in both cell orders."""

    name = "latent_search"
    title = "A search that restarts until it fits"
    question = (
        "How often does an inversion in the generator's latent space fit, if every start may?"
    )
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "record": ("improvement", "solves_and_misfit"),
        "best_latent": ("latent",),
        "true_latent": ("latent",),
        "attempts": ("attempt", "latent"),
        "misfits": ("attempt",),
    }
    Config = SearchConfig
    kinds = (Truth,)

    def units(self, config: SearchConfig) -> list[Unit]:
        """Return the binary truths, both orders of a seed together, and then the continuous."""
        seeds = range(config.first, config.first + config.truths)
        return [
            Truth(operator, case, config.budget, seed)
            for case, some in (("binary", seeds), ("continuous", seeds[: config.continuous]))
            for seed in some
            for operator in config.operators
        ]

    def inputs(self, config: SearchConfig, unit: Unit) -> Sequence[str]:
        """Return the generator's weights."""
        return (weights_name(config.width),)

    def compute(
        self, config: SearchConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each truth's search."""
        keep_memory()
        network = sgan.load_weights(weights_path(config.width))
        for unit in of_kind(Truth, units):
            world = world_of(config.width, config.noise, unit.seed, network)
            yield unit, searched(world, unit.operator, unit.case, unit.seed, unit.budget)

    def recheck(
        self, config: SearchConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return the recheck of a search: its best model's misfit, and the true latent."""
        if not isinstance(unit, Truth):
            return None
        return rechecked(config.width, config.noise, unit.operator, unit.case, unit.seed, arrays)

    def measures(self, config: SearchConfig, units: Units) -> dict[str, Measure]:
        """Return shares of truths that are fitted within so many solves, and their wrong cells.

        ``search.consistent.binary.within_1000`` and so on; ``.solves``, their median where half
        were fitted; and ``.wrong``, the mean share of wrong cells of all models found (of the
        continuous case the mean difference of facies).
        """
        found: dict[str, Measure] = {}
        for operator in words.CELL_ORDERS:
            for case in CASES:
                label = f"search.{operator}.{case}"
                solves, wrong = solved(units, operator, case)
                if not solves.size:
                    continue
                for mark in MARKS:
                    if mark <= max(u.budget for u in select(units, Truth)):
                        share = Measure.count(int((solves <= mark).sum()), solves.size)
                        found[f"{label}.within_{mark}"] = share
                if np.isfinite(np.median(solves)):
                    found[f"{label}.solves"] = Measure(float(np.median(solves)), n=solves.size)
                found[f"{label}.wrong"] = Measure.mean(wrong.tolist())
        return found


def rechecked(
    width: int, noise: float, operator: str, case: str, seed: int, arrays: Arrays
) -> Recheck:
    """Return the recheck of a truth's search."""

    def again() -> dict[str, np.ndarray]:
        world = world_of(width, noise, seed)
        data, rmse = world.observed(operator, case, MODEL, NOISE)
        made = simulated(world, operator, case)(arrays["best_latent"][None])
        misfit = float(np.sqrt(np.square(made - data.numpy()).mean())) / rmse
        truth = world.true_latents[MODEL][0].numpy()
        return {"misfit": np.array(misfit), "true_latent": truth}

    stored = {"misfit": arrays["record"][-1, 1], "true_latent": arrays["true_latent"]}
    return Recheck("its best model evaluated again", 1.0, stored, again)


def fitted_at(arrays: Mapping[str, np.ndarray]) -> float:
    """Return the solves to a WRMSE of 1.01, infinite without one."""
    return arrival(arrays["record"], LIMITS[-1])


def solved(units: Units, operator: str, case: str) -> tuple[np.ndarray, np.ndarray]:
    """Return by truth the solves to a WRMSE of 1.01, infinite without one, and the wrong cells."""
    chosen = select(units, Truth, operator=operator, case=case)
    solves, wrong = [], []
    for _, arrays in sorted(chosen.items(), key=lambda pair: pair[0].seed):
        solves.append(fitted_at(arrays))
        wrong.append(float(arrays["wrong"]))
    return np.array(solves), np.array(wrong)


def as_markdown(units: Units) -> str:
    """Return by cell order and case how many truths were fitted within so many solves.

    Cells of a continuous model are not right or wrong: of these the mean difference of facies
    stands, from 0 to 1.
    """
    rows = []
    for case in reversed(CASES):
        for operator, rays in ORDERS.items():
            solves, wrong = solved(units, operator, case)
            if not solves.size:
                continue
            cells: list[object] = [rays, case, solves.size]
            for mark in MARKS:
                share = Measure.count(int((solves <= mark).sum()), solves.size)
                cells.append(f"{share.k} ({percent_span(share.low, share.high)})")
            middle = float(np.median(solves))
            cells.append(f"{middle:,.0f}" if np.isfinite(middle) else "—")
            off = np.median(wrong)
            rows.append([*cells, f"{100 * off:.1f} %" if case == "binary" else f"off by {off:.3f}"])
    heads = ["Rays", "Case", "Truths", *(f"≤ {mark:,} solves" for mark in MARKS)]
    return markdown([*heads, "Median solves", "Median of wrong cells"], rows, "ll" + "r" * 7)


def attempts(units: Units, operator: str) -> list[Measure]:
    """Return how many first attempts fit, how many second ones where the first did not, and so on.

    The attempt that the budget cut short is left out.
    """
    counts: list[list[int]] = []
    for arrays in select(units, Truth, operator=operator, case="binary").values():
        fits = (arrays["misfits"] <= LIMITS[-1]).tolist()
        whole = fits[: fits.index(True) + 1] if True in fits else fits[:-1]
        for number, fit in enumerate(whole):
            counts += [[0, 0]] * (number == len(counts))
            counts[number] = [counts[number][0] + fit, counts[number][1] + 1]
    return [Measure.count(*pair) for pair in counts]


def attempts_markdown(units: Units) -> str:
    """Return by cell order and attempt how many of those that were made fitted."""
    found = {rays: attempts(units, order) for order, rays in ORDERS.items()}
    rows = [
        [
            number + 1,
            *(_share(each[number]) if number < len(each) else "—" for each in found.values()),
        ]
        for number in range(max(map(len, found.values())))
    ]
    return markdown(["Attempt", *found], rows, "rrr", empty="No truth was searched.")


def _share(measure: Measure) -> str:
    return f"{measure.k} of {measure.n} ({percent_span(measure.low, measure.high)})"


def attempts_told(units: Units) -> str:
    """Return whether the attempts on a truth are alike, as they would be if all truths were."""
    told = []
    for order, rays in ORDERS.items():
        found = attempts(units, order)
        if len(found) < 2:
            continue
        first, rest = found[0], found[1:]
        k, n = (sum(getattr(each, name) or 0 for each in rest) for name in ("k", "n"))
        table = [[first.k, (first.n or 0) - (first.k or 0)], [k, n - k]]
        p = float(stats.fisher_exact(table).pvalue)
        verdict = "the difference could be chance" if p > 0.05 else "so some truths are harder"
        told.append(
            f"with {rays if rays != 'scrambled' else 'scrambled rays'} a first attempt fits "
            f"{first.k} of {first.n}, later ones {k} of {n} (Fisher, p = {p:.2g}: {verdict})"
        )
    if not told:
        return ""
    return (
        "Were all truths alike, each attempt, which knows nothing of the one before, would fit "
        f"with the same probability, and failures would die out. In fact {'; '.join(told)}."
        f"{_equal(units)}{_cut(units)}"
    )


def _equal(units: Units) -> str:
    """Return what attempts as good as the first would fit, beside what was fitted.

    A truth has as many attempts as the one not fitted that had the fewest whole ones.
    """
    told = []
    for order, rays in ORDERS.items():
        runs = select(units, Truth, operator=order, case="binary").values()
        missed = [run["misfits"] for run in runs if run["misfits"].min() > LIMITS[-1]]
        least = min((len(each) - 1 for each in missed), default=0)
        if least:
            fails = 1 - attempts(units, order)[0].value
            got = percent(1 - len(missed) / len(runs))
            told.append(
                f"{percent(1 - fails**least)} with {least} attempts ({rays}; {got} were fitted)"
            )
    return f" Attempts as good as the first would fit {listed(told)}." if told else ""


def missed_told(units: Units) -> str:
    """Return by cell order how many truths were fitted, and how near the others came."""
    lines: list[str] = []
    near = right = of = 0
    for order, rays in ORDERS.items():
        runs = list(select(units, Truth, operator=order, case="binary").values())
        missed = [run for run in runs if not np.isfinite(fitted_at(run))]
        if not runs:
            continue
        wrong = [float(run["wrong"]) for run in missed]
        median = f"{100 * float(np.median([run['wrong'] for run in runs])):.1f} %"
        told = f"- {rays[0].upper()}{rays[1:]}: of {len(runs)} truths {len(runs) - len(missed)} "
        told += f"were fitted; median share of wrong cells {median}"
        if missed:
            ends = np.sort([float(run["record"][-1, 1]) for run in missed])
            close = (int((ends < NEAR[0]).sum()), sum(share < NEAR[1] for share in wrong))
            told += (
                f". Of the {len(missed)} not fitted, with a WRMSE of {ends[0]:.4f} to "
                f"{ends[-1]:.4f}, {close[0]} are below {NEAR[0]}, and {close[1]} have less than "
                f"{percent(NEAR[1])} of their cells wrong"
            )
            near, right, of = near + close[0], right + close[1], of + len(missed)
        lines.append(f"{told}.")
    if 2 * min(near, right) > of:
        lines += ["", "Most failures are near misses: what they lack is the last polish."]
    return "\n".join(lines)


def _cut(units: Units) -> str:
    """Return how many truths are fitted before the cut and after it, of those that have both."""
    told = []
    for order, rays in ORDERS.items():
        by_case = {
            case: {
                u.seed: run for u, run in select(units, Truth, operator=order, case=case).items()
            }
            for case in CASES
        }
        grey, black = by_case["continuous"], by_case["binary"]
        fits = [
            [bool(np.isfinite(fitted_at(run[s]))) for run in (grey, black)]
            for s in grey
            if s in black
        ]
        alone = [sum(pair == each for pair in fits) for each in ([True, False], [False, True])]
        if sum(alone):
            p = float(stats.binomtest(alone[0], sum(alone)).pvalue)
            before, after = np.sum(fits, 0)
            words_ = f"with {rays}" if rays != "scrambled" else "scrambled"
            told.append(
                f"{words_} {before} of {len(fits)} before it and {after} after (p = {p:.2g})"
            )
    if not told:
        return ""
    return f" Of truths searched before the cut as well it fits {listed(told)}; sign tests."


STUDY = Search()
