"""What the chapter says of its results, in words whose numbers are looked up.

A page with the parameters of the book tells of the precomputed runs. One with others tells of a
reader's run: then no sentence about the precomputed ones stands as its result.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import stats

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, percent, percent_span
from geolib.runs.unit import select
from geolib.studies.latent_inversion import findings
from geolib.studies.latent_inversion.compared import Compared
from geolib.studies.latent_inversion.draws import DATA
from geolib.studies.latent_inversion.tables import MARKS, ORDERS, early_stop, most
from geolib.studies.latent_inversion.told import FIT, NARROW, WIDE, longest
from geolib.studies.latent_inversion.units import GENERATOR, Trial
from geolib.studies.latent_inversion.world import N_LATENT, World


@dataclass(frozen=True)
class Story(Compared):
    """What a page says, in its order; every number is looked up."""

    def which(self, others: int) -> str:
        """Return which generators the page is of; `others` are trials on other true models."""
        if self.changed:
            return f"This page shows one run with the generator of {self.label}."
        whole, other = (
            len(select(each, Trial, operator="image")) for each in (self.units, self.wide)
        )
        return (
            "Our trials use two, named by their {term}`width`, the number of filters in the last "
            "hidden layer:\n\n"
            f"- **{WIDE.capitalize()}** is as near as we come to the paper: its width, loss, batch "
            f"size and number of updates.\n- **{NARROW.capitalize()}** is half as wide, trained by "
            "a recipe of our own.\n\n"
            "A third, of width 16, serves in one comparison and a sampler's test.\n\n"
            "{numref}`tbl-latent_inversion-runs` counts our runs. It leaves out inversions of an "
            f"image ({whole} trials of {NARROW}, {other} of {WIDE}), {others} trials on other "
            f"true models ({NARROW}), and short comparisons of choices, among them the width."
        )

    def answer(self) -> str:
        """Return what our runs say of the paper's conclusion, that the generator is to blame."""
        if self.changed:
            return ""
        ones = self.last("adam", FIT)
        true, scrambled = (ones[f"{rays}, {self.label}"][1] for rays in ORDERS.values())
        early = self.progress("adam", FIT)[f"{ORDERS['consistent']}, {self.label}"][1000]
        return (
            "**Is it the generator, then?** Not alone, for our smaller one: from random starts "
            f"gradients fit the data in {scrambled} inversions with scrambled rays and in {true} "
            "with true rays, through the same non-linear generator. For one as wide as the paper's "
            "the question is open: with true rays we ran it for 1,000 steps only, too few even for "
            f"the smaller one ({early})."
        )

    # The findings, in the order of the chapter.

    def rays(self, misfit: Sequence[float]) -> str:
        """Return what released data say of the rays; `misfit` in ns, true rays and scrambled."""
        true, scrambled = misfit
        size = "to rounding" if scrambled < 1e-9 else f"within {scrambled:.1g} ns"
        return (
            f"**No.** With the scrambled order the released noise-free traveltimes follow, {size}, "
            "from the released model. With true rays they are off by "
            f"{true:.1f} ns (root mean square), where the noise is 1 ns. Data and inversion share "
            "the order: the authors solved a consistent problem, only another one, in which a "
            "datum sums cells that do not lie along one ray "
            "({numref}`fig-latent_inversion-order`).\n\n"
            "Which code made the paper's tables we do not know; we assume that it had this matrix."
        )

    def success(self) -> str:
        """Return how often gradients fit, by rays and generator, and what the ledger says."""
        ones = self.last("adam", FIT)
        if self.changed:
            return _of_a_run(ones, "come within 1 % of the noise level")
        wide, paper = ones[f"{ORDERS['as_published']}, {WIDE}"][1], ones["published"][1]
        alone = Measure.count(wide.k or 0, wide.n or 1)
        true, scrambled = (ones[f"{rays}, {self.label}"][1] for rays in ORDERS.values())
        shared = findings.shared_fits(self.units, MARKS[-1])
        fits, fits_scrambled, fits_paper = (
            self.progress("gn", FIT)[label][1000]
            for label in (*(f"{rays}, {self.label}" for rays in ORDERS.values()), "published")
        )
        verdict, needed = (of("pooled.table3.s1") for of in (self.verdict, self.needed))
        told = f": {verdict}."
        if "undecided" in verdict:
            told = f", which {wide.n} trials can hardly tell from half or double{told} {needed}"
        return "\n\n".join(
            [
                f"**Seldom, scrambled, with {WIDE}:** in **{wide}** binary trials ({_span(wide)}, "
                f"if the starts are drawn again; {_span(alone)}, if all trials were "
                f"independent). The paper reports {paper} "
                f"({100 * paper.value:.0f} %){told}",
                f"**Mostly, with true rays and {self.label}:** in **{true}** trials "
                f"({_span(true)}), against {scrambled} scrambled ({_span(scrambled)}); of the "
                f"{shared[0]} trials that both have from the same starts, {shared[1]} and "
                f"{shared[2]} fit. Generator and noise are the same, so the numbering of cells "
                "makes the difference, for this generator.",
                "**Gauss-Newton fits now and then.** After 1,000 updates "
                f"{self.label} fits in {fits_scrambled} trials scrambled and in {fits} with true "
                f"rays. The paper, with its own generator, has {fits_paper}.",
            ]
        )

    def success_title(self) -> str:
        """Return the message of the figure of progress, from what is drawn."""
        more: dict[str, list[str]] = {}
        for method, name in (("adam", "Adam"), ("gn", "Gauss-Newton")):
            ends = self.last(method, FIT)
            pair = [ends.get(f"{rays}, {self.label}", (0, None))[1] for rays in ORDERS.values()]
            if pair[0] is not None and pair[1] is not None:
                true, scrambled = (measure.value for measure in pair if measure is not None)
                where = "as often either way" if true == scrambled else "more often with true rays"
                if true < scrambled:
                    where = "more often with scrambled rays"
                more.setdefault(where, []).append(name)
        told = [
            f"{listed(names)} fit{'s'[: len(names) == 1]} {where}" for where, names in more.items()
        ]
        if not told:
            return "Share of trials that fit"
        return f"{self.label.capitalize()}: {', '.join(told)}"

    def success_caption(self) -> str:
        """Return the caption of the figure of progress, with the points of few trials named."""
        few: dict[str, list[str]] = {}
        for method, number in (("adam", 1), ("gn", 2)):
            for label, found in self.progress(method, FIT).items():
                whole = max(measure.n or 0 for measure in found.values())
                for updates, measure in found.items():
                    if 2 * (measure.n or 0) < whole:
                        point = f"Hollow: strategy {number} after {updates:,} updates"
                        few.setdefault(point, []).append(f"{measure} ({label})")
        named = [f"{point}, {'; '.join(found)}." for point, found in few.items()]
        told = (
            "Share of binary trials within 1 % of the noise level, all four scenarios, with 95 % "
            "intervals: ours from a bootstrap over starts, which scenarios share; the paper's as "
            "if trials were independent. Points of equal updates are set apart."
        )
        return " ".join([told, *self._zeros(), *named])

    def _zeros(self) -> list[str]:
        """Return by which rule a share of none has its interval, and what is odd about it."""
        for label, found in reversed(self.progress("adam", FIT).items()):
            none, some = ([m for m in found.values() if bool(m.k) == any_] for any_ in (0, 1))
            lower = [m for m in some if none and (m.high or 0) < (none[-1].high or 0)]
            if label != "published" and lower:
                return [
                    "Where none fits we count starts, not trials: "
                    f"{none[-1]} reaches higher than {lower[-1]}."
                ]
        return []

    def landscape(self, spread: Mapping[str, float]) -> str:
        """Return what scrambling does to the data's spread and to the misfit near the truth."""
        near = [self._minima(order, 1) for order in ORDERS]
        whole = [self._minima(order, 0) for order in ORDERS]
        varies = (
            f"from model to model a scrambled traveltime varies by {spread['as_published']:.1f} "
            f"ns, a true one by {spread['consistent']:.1f} ns (standard deviation, mean of the "
            "rays)"
        )
        start = f"{varies[0].upper()}{varies[1:]}. The misfit has,"
        if near[1] > near[0] and spread["as_published"] < spread["consistent"]:
            start = (
                "**Scrambling does two things.** First, a sum over cells from everywhere averages "
                f"channels out: {varies}. So the same noise hides more. "
                "Second, it roughens the misfit. This has,"
            )
        return (
            f"{start} on a grid near the truth, {near[1]} local minima scrambled and {near[0]} "
            f"with true rays; over the whole box {whole[1]} and {whole[0]} "
            "({numref}`fig-latent_inversion-landscape`: one slice, through one true model)."
            f"{self._wide_minima()}{self.rough()}"
        )

    def rough(self) -> str:
        """Return whether roughness or the cut explains the failures, from continuous trials."""
        if self.changed:
            return ""
        top = float(np.max(self.units[GENERATOR.name]["landscape_published"][1]))
        ends = [float(a["best"][-1]) for a in most(self.units, "as_published", "binary", "adam")]
        failed = [end for end in ends if end > FIT]
        adam, cut = self._both("adam", "continuous"), self._both("adam", "binary")
        gauss, stepped = self._both("gn", "continuous"), self._both("gn", "binary")
        return (
            f"\n\n**Does this roughness stop Adam?** Hardly: of the {len(failed)} scrambled trials "
            f"that fail {sum(end > top for end in failed)} end above a WRMSE of {top:.2f}, the "
            "highest on the rough map. (Elsewhere our grid is too coarse to see roughness.) Does "
            f"the cut? Hardly either: without it {adam[0]} trials fit with true rays and "
            f"{adam[1]} scrambled, with it {cut[0]} and {cut[1]}. (Gauss-Newton, whose differences "
            f"feel the cut, gains without it: {gauss[0]} and {gauss[1]}, against {stepped[0]} and "
            f"{stepped[1]}.) What stops Adam is open."
        )

    def _both(self, method: str, case: str) -> list[Measure]:
        """Return the share of trials that fit with true rays and scrambled, at most trials."""
        found = [findings.progress(self.units, order, case, method, FIT) for order in ORDERS]
        return [longest(each)[1] for each in found]

    def _wide_minima(self) -> str:
        """Return the scrambled minima of the wide generator, by which the ledger judges."""
        name = "width64.as_published.landscape."
        if self.changed or f"{name}near.minima" not in self.measures:
            return ""
        near, whole = (int(self.measures[f"{name}{at}.minima"].value) for at in ("near", "whole"))
        return (
            f" Another generator has another map: with {WIDE}, scrambled, there are {near} near "
            f"the truth and {whole} over the whole box "
            "({numref}`fig-latent_inversion-landscape-wide`)."
        )

    def _minima(self, order: str, zoom: int) -> int:
        name = {"consistent": "", "as_published": "as_published."}[order]
        return int(self.measures[f"{name}landscape.{('whole', 'near')[zoom]}.minima"].value)

    def landscape_title(self) -> str:
        """Return the message of the maps of the misfit."""
        near = [self._minima(order, 1) for order in ORDERS]
        return f"Minima near the truth: {near[0]} with true rays, {near[1]} scrambled"

    def recovery(self, wrong: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
        """Return how many cells are wrong where a trial fits and where it does not."""
        told = []
        for order, (misfit, share) in wrong.items():
            fits = misfit <= FIT
            if fits.any() and not fits.all():
                told.append(
                    f"{ORDERS[order]}: {100 * np.median(share[fits]):.1f} % in the {fits.sum()} "
                    f"trials that fit, {100 * np.median(share[~fits]):.0f} % in the other "
                    f"{(~fits).sum()}"
                )
        if not told:
            return "No trial of this run fits, or all do: nothing can be compared."
        lines = "\n".join(f"- {line[0].upper()}{line[1:]}." for line in told)
        head = f"Cells that are wrong, the median (binary, strategy 1, {self.label})"
        lines = f"{head}:\n\n{lines}"
        if self.changed:
            return lines
        wide = self.measures["width64.as_published.s1.wrong_cells_where_fits"]
        return (
            f"**Yes, here.** {lines}\n\nWith {WIDE}, scrambled, it is {100 * wide.value:.1f} % in "
            f"the mean of the {wide.n} that fit: that a fit resembles the truth, as the paper "
            f"says, is {self.verdict('recovery')}. "
            f"{{numref}}`fig-latent_inversion-found` shows {self.label}'s best and worst. But the "
            "problem is easy: the true models are images of the generator that is searched, as "
            f"no real channel belt is, {N_LATENT} numbers meet {DATA} data, and the noise is known."
        )

    def ends_title(
        self, ends: Mapping[str, Sequence[Mapping[str, np.ndarray]]], world: World
    ) -> str:
        """Return how far the best and the worst trials drawn are from their true model."""
        best, worst = (
            [wrong_share(world, trials[at]) for trials in ends.values() if trials] for at in (0, -1)
        )
        if not best:
            return "Best and worst trials"
        return f"Wrong cells: at most {max(best):.1f} % at best, up to {max(worst):.1f} % at worst"

    def recovery_title(self, wrong: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
        """Return the message of the figure of recovery, from what is drawn."""
        worst = [share[misfit <= FIT].max(initial=0) for misfit, share in wrong.values()]
        fits = sum(int((misfit <= FIT).sum()) for misfit, _ in wrong.values())
        if not fits:
            return "No trial fits"
        right = np.floor(1000 * (1 - max(worst))) / 10
        return f"Each of the {fits} fits has at least {right:.1f} % of the cells right"

    def latents(self) -> str:
        """Return what the generator feels of a latent's length, and what latents were found."""
        facts = self.units[GENERATOR.name]
        change = facts["scale_change"].max() / facts["redraw_change"]
        text = (
            "**The latent is another matter.** Layers without bias pass a factor of $z$ on until "
            "a normalisation divides it out: $G(cz) \\approx G(z)$. A factor from 1/4 to 4 changes "
            f"the image by at most {100 * change:.1f} % of the difference between two draws "
            "({numref}`fig-latent_inversion-spectrum`)."
        )
        found = [
            [self.measures.get(f"table1.{model}.{kind}") for model in ("I", "II")]
            for kind in ("latent_given_image", "latent_scaled")
        ]
        images = sum(measure.n or 0 for measure in found[0] if measure)
        if any(measure is None for pair in found for measure in pair) or not images:
            return text
        exact, scaled = (sum(measure.k or 0 for measure in pair if measure) for pair in found)
        every = f"all {scaled} have" if scaled == images else f"{scaled} have"
        return text + (
            " This may be why the paper's Table 1 has right images with wrong latents. Of "
            f"{images} images that we recovered ({self.label}, the image itself as data), {exact} "
            f"have the right latent, and {every} it up to a factor."
        )

    def latents_title(self) -> str:
        """Return the message of the figure of latents."""
        rank = int(self.measures["generator.effective_dimension"].value)
        return f"{N_LATENT} numbers, {rank} directions: the length of $z$ hardly matters"

    def verdicts(self) -> str:
        """Return how many claims of the ledger are decided, and which way."""
        verdicts = [row["verdict"] for row in self.judged.values() if row["kind"] != "ours"]
        words = ("reproduced", "not reproduced", "mixed", "undecided", "not run")
        counts = ", ".join(f"{verdicts.count(word)} {word}" for word in words)
        return (
            "The ledger, this book's list of claims and verdicts, holds "
            f"{len(verdicts)} of this paper: {counts}. Those that count "
            f"trials are judged by our few runs nearest to the paper: {WIDE}, scrambled rays. The "
            "paper's conclusion, that the generator's non-linearity defeats gradients, is not "
            "among them: the paper varies nothing that would test it."
        )

    def early_stop(self) -> str:
        """Return what the early stop of the released code would have cost, if there are trials."""
        told, ended = [], False
        kept = [(self.units, self.label), *([] if self.changed else [(self.wide, WIDE)])]
        for units, label in kept:
            found = [early_stop(units, order) for order in ORDERS]
            hits, lost = sum(each[1] for each in found), sum(each[3] for each in found)
            if hits:
                many, ended = (
                    f"all {hits}" if lost == hits else f"{lost} of {hits}",
                    ended or lost > 0,
                )
                told.append(f"{many} fits of {label}")
        if not told:
            return ""
        return (
            "The released code stops a binary run as soon as, after update 100, its sum of squares "
            f"exceeds 1,000 ns². That would have ended {' and '.join(told)} before they fitted."
            + self.say(self._left() * ended, "")
        )

    def _left(self) -> str:
        """Return what that rule leaves of the wide generator's fits, beside the paper's rate."""
        shares = self.last("adam", FIT)
        wide = shares.get(f"{ORDERS['as_published']}, {WIDE}", (0, None))[1]
        if wide is None:
            return ""
        paper, lost = shares["published"][1].value, early_stop(self.wide, "as_published")[3]
        left, n = (wide.k or 0) - lost, wide.n or 0
        chance = float(stats.binom.cdf(left, n, paper))
        return (
            f" That leaves {left} of {n} for {WIDE}; were trials independent, the chance of so few "
            f"at the paper's rate is {percent(chance)}. Whether this code made its counts is open."
        )


def wrong_share(world: World, arrays: Mapping[str, np.ndarray]) -> float:
    """Return the percentage of cells that is wrong in a trial's best model, cut at a half."""
    found, true = (world.image(arrays[name]) >= 0.5 for name in ("best_latent", "true_latent"))
    return 100 * float(np.mean(found != true))


def _span(measure: Measure) -> str:
    return percent_span(measure.low, measure.high)


def _of_a_run(found: Mapping[str, tuple[int, Measure]], what: str) -> str:
    told = [
        f"{label}: {measure} trials {what} within {updates:,} updates ({_span(measure)})."
        for label, (updates, measure) in found.items()
    ]
    return "\n".join(f"- {line}" for line in told)
