"""What the chapter says of other generators and other searches, from results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from geolib.runs.tables import listed, percent_span
from geolib.runs.unit import Units, select
from geolib.studies.latent_inversion import effects, findings
from geolib.studies.latent_inversion.searches import POOL, POOL_STAGES, pool_solves
from geolib.studies.latent_inversion.tables import ORDERS, ROMAN, SOLVED, searches
from geolib.studies.latent_inversion.told import BUDGET, FIT, NARROW, WIDE, Told
from geolib.studies.latent_inversion.units import Trial
from geolib.studies.latent_inversion.world import N_LATENT


@dataclass(frozen=True)
class Compared(Told):
    """What helps: a better generator, or another search."""

    def generators(self, judged: Units) -> str:
        """Return how the generators of three widths compare, as images and as ground to search."""
        found = effects.largest(self.units).get("width")
        pieces = {w: float(judged[f"generator-{w}"]["misfit.components"]) for w in (64, 32)}
        text = (
            f"{WIDE.capitalize()} draws better channels: {pieces[64]:.1f} loose pieces too many in "
            f"an image against {pieces[32]:.1f} for {NARROW}."
        )
        if self.changed or found is None:
            return text
        medians = dict(zip(found["choices"].tolist(), np.median(found["outcome"], 1), strict=True))
        return (
            f"**A better generator: better images, a slower start.** {text} And it is furthest "
            f"from a fit: with true rays the median best WRMSE after {int(found['updates']):,} "
            f"updates is {medians['64']:.1f}, against {medians['32']:.1f} for {NARROW} and "
            f"{medians['16']:.1f} for width 16. Where it "
            "ends we do not know. Each width is one training with true models of its own, the "
            "widest by another recipe: any of these may matter."
        )

    def generators_title(self, compared: Mapping[str, np.ndarray]) -> str:
        """Return the message of the figure of generators, from a comparison of widths."""
        medians = np.median(compared["outcome"], 1)
        if np.argmax(medians) == 0:
            updates = int(compared["updates"])
            return f"After {updates:,} updates the best images are furthest from a fit"
        return "Images and searches of three generators"

    def searches(self) -> str:
        """Return how other searches fare beside strategy 1 with as many solves."""
        if self.changed:
            return "What the searches of this run did is in the figure."
        solves = pool_solves(N_LATENT)
        adam, dreams, pool = [], [], []
        for order in ORDERS:
            found = findings.solves_to_fit(self.units, order)
            pool.append(_of(found["pooled"], np.inf))
            adam.append(_of(found["Adam"], solves))
            dreams.append(found["DREAM"])
        dream = np.concatenate(dreams)
        stages = ", then ".join(dict.fromkeys(f"{kept}" for kept, *_ in POOL_STAGES))
        wide = any(select(self.wide, Trial, method=method) for method in ("dream", "pool"))
        return "\n\n".join(
            [
                f"**Another search: yes, with {self.label}.** Our {{term}}`pooled search` draws "
                f"{POOL} latents and descends from the best {stages} by "
                "{term}`Levenberg-Marquardt`, on the uncut model and at last on the binary one.",
                f"- **Pooled**, {solves:,} solves: **{pool[0]}** runs fit with true rays, "
                f"{pool[1]} scrambled.\n"
                f"- **Strategy 1**, as many solves: {adam[0]} and {adam[1]}. (Which difference "
                "helps we have not tested.)\n"
                f"- **DREAM(ZS)**: {_of(dream, np.inf)} over both orders, after "
                f"{_about(dream.min())} to {_about(dream.max())} solves.",
                *([advice] if (advice := self.advice()) else []),
                self.unseen() if wide else f"With {WIDE} neither was run. {self.unseen('was')}",
            ]
        )

    def advice(self) -> str:
        """Return where pooled searches fail, and what they and DREAM(ZS) cost there."""
        runs: dict[tuple[str, int], list[float]] = {}
        for (method, case, operator, model, _), rows in searches(self.units).items():
            if (case, operator) == ("binary", "as_published"):
                runs.setdefault((method, model), []).extend(rows[:, SOLVED.index(FIT)].tolist())
        easy, hard = (np.array(runs.get(("pool", model), [])) for model in ROMAN)
        there, hits = np.array(runs.get(("dream", 2), [])), int(np.isfinite(hard).sum())
        if not hits or hits == hard.size or not there.size:
            return ""
        return (
            f"Scrambled, pooling fits {_of(easy, np.inf)} with model I and {_of(hard, np.inf)} "
            "with II. For II it would take some "
            f"{_about(pool_solves(N_LATENT) * hard.size / hits)} solves a fit, repeated until it "
            f"fits; DREAM(ZS) took {listed([_about(each) for each in np.sort(there)])} "
            f"({_of(there, np.inf)} runs). So pool first. What to do where that fails these few "
            "runs do not say."
        )

    def unseen(self, was: str = f"was run with {WIDE}") -> str:
        """Return how many truths of unseen seeds the appendix's search fits, wide generator."""
        told = []
        for order, rays in (("consistent", "with true rays"), ("as_published", "scrambled")):
            found = self.measures.get(f"search.{order}.binary.within_{BUDGET}")
            if found is not None:
                span = percent_span(found.low, found.high)
                told.append(f"{found.k} of {found.n} {rays} ({span})")
        if not told:
            return ""
        return (
            "Another {ref}`search <latent_inversion-regression>`, which learns latents from "
            f"traveltimes, {was}: of unseen truths it fits "
            f"{' and '.join(told)}, within {BUDGET:,} solves, those that it learns from included."
        )

    def searches_title(self) -> str:
        """Return the message of the figure of solves, from what is drawn."""
        found = findings.solves_to_fit(self.units, "consistent")
        if not {"pooled", "Adam"} <= set(found):
            return "What a fit costs"
        solves = pool_solves(N_LATENT)
        if findings.stopped(self.units, "consistent")["Adam"] < solves:
            return "What a fit costs"
        pooled, adam = _of(found["pooled"], np.inf), _of(found["Adam"], solves)
        return f"True rays, {solves:,} solves: pooled fits {pooled}, Adam {adam}"


def _about(solves: float) -> str:
    return f"{float(f'{solves:.1e}'):,.0f}"


def _of(solves: np.ndarray, limit: float) -> str:
    fits = (solves < limit) if np.isinf(limit) else (solves <= limit)
    return f"{int(fits.sum())} of {solves.size}"
