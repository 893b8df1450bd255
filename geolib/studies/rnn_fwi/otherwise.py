"""What judges Sun et al.'s claims had we chosen otherwise: precision, start, boundary."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.unit import Units, select
from geolib.studies.rnn_fwi.curves import CONVERGED
from geolib.studies.rnn_fwi.measures import measures
from geolib.studies.rnn_fwi.units import WIDTHS, Line, Steps, line

#: Descents of other starts and of another boundary, by the front of their units' names.
ELSEWHERE = {
    "sigma8": "start smoothed over 8 cells",
    "sigma10": "start smoothed over 10 cells",
    "linear": "linear start",
    "absorbing8hz": "absorbing top, 8 Hz",
}


def variants(units: Units) -> dict[str, dict[str, Measure]]:
    """Return by choice the measures of the 1-D descents made otherwise, where there are results."""
    line = _moved(units, "1d")
    found = {
        f"converged at {share:.1%} of the first misfit": _judged(line, share)
        for share in (0.001, 0.05)
    }
    found["a well matched model is closer by a tenth"] = _judged(line, well=0.9)
    found["single precision"] = _judged(_moved(units, "1d", width="f32"))
    for setting, label in ELSEWHERE.items():
        found[label] = _judged(_moved(units, setting, width="f64"))
    # A measure that no such share changes does not rest on it, and is no alternative.
    touched = {
        "converged": [measures(line, share) for share in (1e-4, 1e-3, 0.05, 0.2, 0.5, 0.8, 0.97)],
        "a well": [measures(line, well=share) for share in (0.3, 0.9, 0.99)],
    }
    base = measures(line)
    for label, each in found.items():
        for front, others in touched.items():
            if label.startswith(front):
                rests = {
                    name for name in base if any(other.get(name) != base[name] for other in others)
                }
                found[label] = {name: measure for name, measure in each.items() if name in rests}
    return {label: each for label, each in found.items() if each}


def _judged(units: Units, converged: float = CONVERGED, **bars: float) -> dict[str, Measure]:
    """Return the measures; a descent that never comes so far takes more than any evaluations."""
    made = measures(units, converged, **bars)
    never = [
        name.removesuffix("_converged")
        for name, each in made.items()
        if name.endswith("_converged") and each.value == 0
    ]
    return {f"{name}_evaluations": Measure(math.inf) for name in never} | made


def _moved(units: Units, setting: str, width: str = "") -> Units:
    """Return a setting's 1-D descents under the names of the pinned one, a width's as double."""
    widths = (width,) if width else tuple(WIDTHS.values())
    runs: dict[Line | Steps, Mapping[str, np.ndarray]] = {
        **select(units, Line, setting=setting, width=widths),
        **select(units, Steps, setting=setting, width=widths),
    }
    return {
        line(unit.method, unit.rate, "f64" if width else unit.width).name: arrays
        for unit, arrays in runs.items()
    }
