"""What judges the claims on GANs had other seeds been drawn: each comparison without one of its first three seeds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from geolib.runs.measure import Measure
from geolib.runs.store import Arrays


def variants(config: Any, units: Mapping[str, Arrays]) -> dict[str, dict[str, Measure]]:
    """Return by choice the measures of the repeated trainings, from other seeds.

    Parameters
    ----------
    config : study.Config
        Of the run.
    units : mapping
        Results by unit name, whose last part is the seed where there are several.
    """
    from geolib.studies.gan_101.study import measures

    repeated = {name: arrays for name, arrays in units.items() if name.rsplit("-", 1)[-1].isdigit()}
    found = {}
    for seed in range(3):
        kept = {name: arrays for name, arrays in repeated.items() if not name.endswith(f"-{seed}")}
        if kept and len(kept) < len(repeated):
            found[f"without seed {seed}"] = measures(config, kept)
    return found
