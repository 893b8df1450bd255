"""What judges the claims of Sun et al. had we chosen otherwise: convergence, precision, start, boundary."""

from __future__ import annotations

from geolib.runs.measure import Measure
from geolib.studies.rnn_fwi.measures import Units, measures

#: Descents of other starts and of another boundary, by the front of their units' names.
ELSEWHERE = {
    "sigma8": "start smoothed over 8 cells",
    "sigma10": "start smoothed over 10 cells",
    "linear": "linear start",
    "absorbing8hz": "absorbing top, 8 Hz",
}


def variants(units: Units) -> dict[str, dict[str, Measure]]:
    """Return by choice the measures of the one-dimensional descents made otherwise, as far as there are results."""
    line = {name: arrays for name, arrays in units.items() if name.startswith("1d-")}
    found = {f"converged at {share:.1%} of the first misfit": measures(line, share) for share in (0.001, 0.05)}
    found["a well matched model is closer by a tenth"] = measures(line, well=0.9)
    single = {name.replace("-f32", "-f64"): arrays for name, arrays in line.items() if name.endswith("-f32")}
    found["single precision"] = measures(single)
    for front, label in ELSEWHERE.items():
        mine = {f"1d{name.removeprefix(front)}": a for name, a in units.items() if name.startswith(f"{front}-")}
        found[label] = measures({name: arrays for name, arrays in mine.items() if name.endswith("-f64")})
    # A measure that no such share changes does not rest on it, and is no alternative.
    touched = {
        "converged": [measures(line, share) for share in (1e-4, 1e-3, 0.05, 0.5)],
        "a well": [measures(line, well=share) for share in (0.3, 0.9, 0.99)],
    }
    base = measures(line)
    for label, each in found.items():
        for front, others in touched.items():
            if label.startswith(front):
                rests = {name for name in base if any(other.get(name) != base[name] for other in others)}
                found[label] = {name: measure for name, measure in each.items() if name in rests}
    return {label: each for label, each in found.items() if each}
