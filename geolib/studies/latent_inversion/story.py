"""What the chapter says of its results, in words whose numbers are looked up.

A page with the parameters of the book tells of the precomputed runs. One with others tells of a
reader's run: then no sentence about the precomputed ones stands as its result.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.unit import Units, select
from geolib.studies.latent_inversion import effects, findings
from geolib.studies.latent_inversion.searches import pool_solves
from geolib.studies.latent_inversion.tables import LIMITS, ORDERS, early_stop
from geolib.studies.latent_inversion.units import GENERATOR, Trial
from geolib.studies.latent_inversion.world import N_LATENT

#: The label of the generator that most runs are of, and of the one that is nearest to the paper's.
NARROW, WIDE = "width 32", "width 64"
FIT, NEAR = LIMITS[-1], LIMITS[1]
Series = dict[str, dict[int, Measure]]


@dataclass(frozen=True)
class Story:
    """The results that a page tells of.

    Attributes
    ----------
    units : mapping
        Results by unit name: precomputed ones of the narrow generator, or a reader's run.
    wide : mapping
        Precomputed results of the generator of the paper's width.
    published : mapping
        The paper's counts by claim id.
    judged : mapping
        Rows of the ledger by claim id (`ledger.judge`).
    measures : mapping
        Numbers by name, of `units`; those of `wide` begin with ``width64.``
    changed : bool
        Whether the units are a reader's, made with other parameters.
    label : str
        What the generator of `units` is called.
    """

    units: Units
    wide: Units
    published: Mapping[str, Sequence[int]]
    judged: Mapping[str, Mapping[str, object]]
    measures: Mapping[str, Measure]
    changed: bool = False
    label: str = NARROW
    series: dict[tuple[str, float], Series] = field(default_factory=dict)

    def progress(self, method: str, limit: float) -> Series:
        """Return by label and updates the shares of binary trials within a limit."""
        key = (method, limit)
        if key not in self.series:
            strategy = {"adam": 1, "gn": 2}[method]
            made = {
                f"{rays}, {self.label}": findings.progress(
                    self.units, order, "binary", method, limit
                )
                for order, rays in ORDERS.items()
            }
            if not self.changed:
                made[f"{ORDERS['as_published']}, {WIDE}"] = findings.progress(
                    self.wide, "as_published", "binary", method, limit
                )
            made["published"] = findings.published_progress(
                self.published, "table3", strategy, limit
            )
            self.series[key] = {label: found for label, found in made.items() if found}
        return self.series[key]

    def last(self, method: str, limit: float) -> dict[str, tuple[int, Measure]]:
        """Return by label the share at the budget with the most trials, the longer of two such."""
        found = {}
        for label, each in self.progress(method, limit).items():
            updates = max(each, key=lambda updates: (each[updates].n, updates))
            found[label] = (updates, each[updates])
        return found

    def verdict(self, claim: str) -> str:
        """Return a claim's verdict in the ledger, for a sentence."""
        return f"*{self.judged[f'latent_inversion.{claim}']['verdict']}*"

    def needed(self, claim: str) -> str:
        """Return how many independent trials would decide a claim, or nothing."""
        found = re.search(
            r"About \d+ independent trials", str(self.judged[f"latent_inversion.{claim}"]["note"])
        )
        return f"{found[0]} would decide." if found else ""

    def say(self, text: str, otherwise: str) -> str:
        """Return what is true of the precomputed runs, or what a reader's run gets in its place."""
        return otherwise if self.changed else text

    def which(self) -> str:
        """Return which generators the numbers of the page belong to."""
        if self.changed:
            return f"This page shows one run with the generator of {self.label}."
        found = effects.largest(self.units)["width"]
        cost = dict(zip(found["choices"].tolist(), found["core_seconds"], strict=True))
        whole = len(select(self.units, Trial, operator="image"))
        return (
            "Two generators draw them, and every number below names its own by its *width*:\n\n"
            f"- **{WIDE.capitalize()}**: the paper's width, "
            "loss, batch and number of updates, as near as we come to the paper. An update takes "
            f"{cost['64'] / cost['32']:.1f} times as long.\n- **{NARROW.capitalize()}**: half as "
            "wide, trained by a recipe of our own. Most runs are of this one.\n\n"
            "{numref}`tbl-latent_inversion-runs` counts the trials of either; a dash means that it "
            f"was not run. {whole} trials more, of {NARROW}, were given the whole image in place "
            "of traveltimes."
        )

    # The findings, in the order of the chapter.

    def rays(self, misfit: Sequence[float]) -> str:
        """Return what released data say of the rays; `misfit` in ns, true rays and scrambled."""
        true, scrambled = misfit
        bound = 10.0 ** np.ceil(np.log10(scrambled))
        return (
            "**No.** With the scrambled order the released noise-free traveltimes follow from "
            f"the released model to less than {bound:.0e} ns. With true rays they are off by "
            f"{true:.1f} ns, where the noise is 1 ns. Data and inversion share the order, so the "
            "authors solved a consistent problem, only another one: each datum is still a weighted "
            "sum of cells, but the cells do not lie on a ray. (We assume that all of the paper's "
            "tables were made with the released matrix.)"
        )

    def success(self) -> str:
        """Return how often gradients fit, by rays and generator, and what the ledger says."""
        ones = self.last("adam", FIT)
        if self.changed:
            return _of_a_run(ones, "come within 1 % of the noise level")
        wide, paper = ones[f"{ORDERS['as_published']}, {WIDE}"][1], ones["published"][1]
        true, scrambled = (ones[f"{rays}, {self.label}"][1] for rays in ORDERS.values())
        twos = {label: measure for label, (_, measure) in self.last("gn", NEAR).items()}
        near = {label: twos.get(f"{rays}, {self.label}") for label, rays in ORDERS.items()}
        paper_2 = self.progress("gn", NEAR)["published"][1000]
        return "\n\n".join(
            [
                f"**Seldom, with the paper's rays.** The generator of {WIDE}, scrambled, fits in "
                f"**{wide}** binary trials ({_span(wide)}); the paper reports {paper} "
                f"({100 * paper.value:.0f} %). The two shares are compatible, but so few trials "
                f"could hardly tell; the verdict is {self.verdict('pooled.table3.s1')}. "
                f"{self.needed('pooled.table3.s1')}",
                f"**Mostly, with true rays.** The generator of {self.label} fits in {scrambled} "
                f"trials scrambled ({_span(scrambled)}) and in **{true}** with true rays "
                f"({_span(true)}). Generator, starts and noise are the same in both, so the "
                "numbering of cells makes the difference, for this generator. (The one of "
                f"{WIDE} was not run with true rays beyond 1,000 updates.)",
                f"**Gauss-Newton is not hopeless either.** The generator of {self.label} comes "
                f"within 10 % of the noise level in {near['as_published']} trials scrambled and "
                f"in {near['consistent']} with true rays, after 1,000 updates; the paper has "
                f"{paper_2}. Why ours do better is open. Strategy 2 was not run with the "
                f"generator of {WIDE}.",
            ]
        )

    def success_title(self) -> str:
        """Return the message of the figure of progress, from what is drawn."""
        ones = self.last("adam", FIT)
        pairs = [ones.get(f"{rays}, {self.label}", (0, None)) for rays in ORDERS.values()]
        if None in (each for _, each in pairs):
            return "Share of trials that fit"
        (updates, true), (_, scrambled) = pairs
        return (
            f"After {updates:,} updates {true} trials fit with true rays, {scrambled} scrambled "
            f"({self.label})"
        )

    def landscape(self, spread: Mapping[str, float]) -> str:
        """Return what scrambling does to the data's spread and to the ground near the truth."""
        near = [self._minima(order, 1) for order in ORDERS]
        whole = [self._minima(order, 0) for order in ORDERS]
        return (
            "Two things. Over the prior a scrambled traveltime varies by only "
            f"{spread['as_published']:.1f} ns, a true one by {spread['consistent']:.1f} ns: a sum "
            "over cells from all over the model averages channels out, so the same noise hides "
            "more. And the ground is rougher. On a grid of 31 by 31 points near the truth the "
            f"scrambled misfit has {near[1]} local minima, the true one {near[0]}; over the whole "
            f"box {whole[1]} and {whole[0]} ({{numref}}`fig-latent_inversion-landscape`). This is "
            f"one slice, through one true model of {self.label}. That the roughness is what stops "
            "Adam is our reading; we have not tested it."
        )

    def _minima(self, order: str, zoom: int) -> int:
        name = {"consistent": "", "as_published": "as_published."}[order]
        return int(self.measures[f"{name}landscape.{('whole', 'near')[zoom]}.minima"].value)

    def landscape_title(self) -> str:
        """Return the message of the maps of the misfit."""
        near = [self._minima(order, 1) for order in ORDERS]
        return f"Near the truth: {near[0]} local minima with true rays, {near[1]} scrambled"

    def recovery(self, wrong: Mapping[str, tuple[np.ndarray, np.ndarray]]) -> str:
        """Return how many cells are wrong where a trial fits and where it does not."""
        told = []
        for order, (misfit, share) in wrong.items():
            fits = misfit <= FIT
            if fits.any() and not fits.all():
                told.append(
                    f"{ORDERS[order]}: {100 * share[fits].mean():.1f} % of the cells are wrong in "
                    f"the {fits.sum()} trials that fit, {100 * share[~fits].mean():.0f} % in the "
                    f"other {(~fits).sum()}"
                )
        if not told:
            return "No trial of this run fits, or all do: nothing can be compared."
        lines = "\n".join(f"- {line[0].upper()}{line[1:]}." for line in told)
        if self.changed:
            return lines
        return (
            f"**Yes, here** (binary, strategy 1, {self.label}):\n\n{lines}\n\nThe worst trials "
            "miss or misplace whole channels ({numref}`fig-latent_inversion-found`). (For the "
            f"generator of {WIDE} the verdict is {self.verdict('recovery')}.)"
        )

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
            "The latent is another matter. No layer of the generator has a bias, a ReLU passes a "
            "common factor on, and instance normalisation takes it out: $G(cz) \\approx G(z)$. "
            "Multiplying $z$ by anything from 1/4 to 4 changes the image by at most "
            f"{100 * change:.1f} % of what another draw would "
            "({numref}`fig-latent_inversion-spectrum`). Fifteen numbers, fourteen directions."
        )
        found = [
            [self.measures.get(f"table1.{model}.{kind}") for model in ("I", "II")]
            for kind in ("latent_given_image", "latent_scaled")
        ]
        if any(measure is None for pair in found for measure in pair):
            return text
        exact, scaled = (sum(measure.k or 0 for measure in pair if measure) for pair in found)
        images = sum(measure.n or 0 for measure in found[0] if measure)
        return text + (
            " This explains a puzzle of the paper's Table 1, images found with a wrong latent. "
            f"Of the {images} images that our inversions of a whole image recover ({self.label}), "
            f"{exact} come with the right latent and {scaled} with the right one up to a factor."
        )

    def latents_title(self) -> str:
        """Return the message of the figure of latents."""
        rank = int(self.measures["generator.effective_dimension"].value)
        return f"{N_LATENT} numbers, {rank} directions: the length of $z$ does nothing"

    def generators(self, judged: Units) -> str:
        """Return how the generators of three widths compare, as images and as ground to search."""
        found = effects.largest(self.units).get("width")
        pieces = {w: float(judged[f"generator-{w}"]["misfit.components"]) for w in (64, 32)}
        text = (
            f"The generator of {WIDE}, trained by the paper's recipe, draws better channels: "
            f"{pieces[64]:.1f} loose pieces too many in an image against {pieces[32]:.1f} for "
            f"{NARROW}, and channels that break off less often."
        )
        if self.changed or found is None:
            return text
        medians = dict(zip(found["choices"].tolist(), np.median(found["outcome"], 1), strict=True))
        return (
            f"**Better images, harder search.** {text} And it is the hardest to invert: with true "
            f"rays the median best WRMSE after {int(found['updates']):,} updates is "
            f"{medians['64']:.1f}, against {medians['32']:.1f} for {NARROW} and "
            f"{medians['16']:.1f} for width 16 ({found['outcome'].shape[1]} starts each). One "
            "generator of each width, each with two true models of its own and the widest with "
            "another training recipe: what differs may be width, recipe or truth. A blurred dead "
            "end can creep, a sharp channel has to jump; that is our guess, and we have not "
            "tested it."
        )

    def generators_title(self, compared: Mapping[str, np.ndarray]) -> str:
        """Return the message of the figure of generators, from a comparison of widths."""
        medians = np.median(compared["outcome"], 1)
        if np.argmax(medians) == 0:
            return "The generator with the best images is the hardest to search"
        return "Images and searches of three generators"

    def searches(self) -> str:
        """Return how other searches fare beside strategy 1 with as many solves."""
        if self.changed:
            return "What the searches of this run did is in the figure."
        solves = pool_solves(N_LATENT)
        pool, adam, dream, longer = [], [], [], []
        for order in ORDERS:
            found = findings.solves_to_fit(self.units, order)
            pool.append(_of(found["pooled"], np.inf))
            adam.append(_of(found["Adam"], solves))
            dream.append(_of(found["DREAM"], np.inf))
            middles = [np.median(found[name][found[name] < np.inf]) for name in ("DREAM", "pooled")]
            longer.append(middles[0] / middles[1])
        return "\n\n".join(
            [
                "**Yes, for the narrow generator.** Our *pooled search* draws 256 latents, "
                "descends from the best sixteen by Levenberg-Marquardt, halves their number "
                f"twice, and polishes the last four across the threshold: {solves:,} solves. With "
                f"the generator of {self.label} it fits in **{pool[0]}** runs with true rays and "
                f"in {pool[1]} scrambled. Strategy 1 with as many solves fits in {adam[0]} and "
                f"{adam[1]}. DREAM(ZS) fits in {dream[0]} and {dream[1]}, as the paper's did, and "
                f"takes {min(longer):.0f} to {max(longer):.0f} times as many.",
                f"**Do not carry this over to the generator of {WIDE}.** Neither search was run "
                "with it for this edition, and the last finding says that its ground is harder. So "
                "the verdict on what the paper says of DREAM(ZS) is "
                f"{self.verdict('dream.always')}.",
            ]
        )

    def searches_title(self) -> str:
        """Return the message of the figure of solves, from what is drawn."""
        found = findings.solves_to_fit(self.units, "consistent")
        if not {"pooled", "Adam"} <= set(found):
            return "What a fit costs"
        solves = pool_solves(N_LATENT)
        return (
            f"{self.label.capitalize()}, true rays: {_of(found['pooled'], np.inf)} pooled "
            f"searches fit in {solves:,} solves, {_of(found['Adam'], solves)} of Adam"
        )

    def verdicts(self) -> str:
        """Return how many claims of the ledger are decided, and which way."""
        verdicts = [row["verdict"] for row in self.judged.values()]
        words = ("reproduced", "not reproduced", "mixed", "undecided", "not run")
        counts = ", ".join(f"{verdicts.count(word)} {word}" for word in words)
        return (
            f"The ledger holds {len(verdicts)} claims of this paper: {counts}. They are judged by "
            "the generator of "
            f"{WIDE} with scrambled rays, which is nearest to the paper, and of which little has "
            "been run: that is why most wait."
        )

    def early_stop(self) -> str:
        """Return what the early stop of the released code would have cost, if there are trials."""
        found = [early_stop(self.units, order) for order in ORDERS]
        hits, lost = sum(each[1] for each in found), sum(each[3] for each in found)
        if not hits:
            return ""
        return (
            "The released code gives a binary run up once its sum of squares exceeds 1,000 ns² "
            f"after update 100. That rule would have ended {lost} of our {hits} fitting trials "
            "before they fitted. The paper's counts can hardly have been made with it."
        )


def _of(solves: np.ndarray, limit: float) -> str:
    fits = (solves < limit) if np.isinf(limit) else (solves <= limit)
    return f"{int(fits.sum())} of {solves.size}"


def _span(measure: Measure) -> str:
    return f"{100 * (measure.low or 0):.0f} to {100 * (measure.high or 0):.0f} %"


def _of_a_run(found: Mapping[str, tuple[int, Measure]], what: str) -> str:
    told = [
        f"{label}: {measure} trials {what} within {updates:,} updates ({_span(measure)})."
        for label, (updates, measure) in found.items()
    ]
    return "\n".join(f"- {line}" for line in told)
