"""The whole list of methods and rates from other starts: what hangs on the start that we chose.

Sun et al. (2020) do not say how their start model was smoothed, nor what bounds the model. The
chapter's pinned setting is one choice; here every descent of its list is made in four others, so
that a claim is judged in each of them (`otherwise.variants`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units
from geolib.studies.rnn_fwi import descents, otherwise, recheck
from geolib.studies.rnn_fwi.config import StartsConfig, rates
from geolib.studies.rnn_fwi.study import DIMS
from geolib.studies.rnn_fwi.units import Line, Steps, line


class Starts(Study[StartsConfig]):
    """Every one-dimensional descent of the chapter from other starts and under another top."""

    name = "rnn_starts"
    title = "Every optimiser from other starts"
    question = "Which statements on optimisers hang on the start model?"
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    Config = StartsConfig
    kinds = (Steps, Line)

    def units(self, config: StartsConfig) -> list[Unit]:
        """Return a setting's descents one after the other, in double precision."""
        return [
            line(method, rate, "f64", setting)
            for setting in config.settings
            for method in config.optimisers
            for rate in rates(config, method)
        ]

    def compute(
        self, config: StartsConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each unit's arrays."""
        for unit in units:
            yield unit, descents.unit(config, unit, folder)

    def recheck(
        self, config: StartsConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: by the descent's beginning, as in the chapter."""
        if isinstance(unit, (Line, Steps)):
            return recheck.line(config, unit, arrays, seconds)
        return None

    def variants(self, config: StartsConfig, units: Units) -> dict[str, dict[str, Measure]]:
        """Return the chapter's measures in each setting."""
        return otherwise.variants(units)


STUDY = Starts()
