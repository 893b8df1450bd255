"""What a page of the latent inversion is told from: results, measures, verdicts."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from geolib.runs.measure import Measure
from geolib.runs.unit import Units
from geolib.studies.latent_inversion import findings
from geolib.studies.latent_inversion.search import MARKS as SOLVED
from geolib.studies.latent_inversion.tables import LIMITS, ORDERS

#: The label of the generator that most runs are of, and of the one that is nearest to the paper's.
NARROW, WIDE = "width 32", "width 64"
FIT = LIMITS[-1]
#: Solves of the search on unseen truths.
BUDGET = SOLVED[-1]
Series = dict[str, dict[int, Measure]]


@dataclass(frozen=True)
class Told:
    """The results that a page tells of, and what is looked up in them.

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
            found[label] = longest(each)
        return found

    def verdict(self, claim: str) -> str:
        """Return a claim's verdict in the ledger, for a sentence."""
        return f"*{self.judged[f'latent_inversion.{claim}']['verdict']}*"

    def needed(self, claim: str) -> str:
        """Return how many independent trials would decide a claim of a count, or nothing."""
        found = re.search(
            r"About (\d+) independent trials", str(self.judged[f"latent_inversion.{claim}"]["note"])
        )
        told = "independent trials would decide it with four chances in five."
        return f"About {found[1]} {told}" if found else ""

    def say(self, text: str, otherwise: str) -> str:
        """Return what is true of the precomputed runs, or what a reader's run gets in its place."""
        return otherwise if self.changed else text


def longest(shares: Mapping[int, Measure]) -> tuple[int, Measure]:
    """Return the budget with the most trials, of two such the longer, and its share."""
    return max(shares.items(), key=lambda item: (item[1].n or 0, item[0]))
