"""What the study of use has found, in sentences and as a figure's numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, percent

Measures = Mapping[str, Measure]


def drawn(measures: Measures) -> tuple[list[int], dict[str, np.ndarray], np.ndarray]:
    """Return numbers of labelled traces, and shares with their intervals by what was trained on."""

    def row(name: str) -> list[float]:
        found = measures[name]
        return [found.value, *(found.value if v is None else v for v in (found.low, found.high))]

    sizes = {int(name.rsplit("_", 1)[1]) for name in measures if name.startswith("use_both_")}
    gains = ("use_gain_over_real", "use_gain_over_altered")
    counts = sorted(n for n in sizes if all(f"{gain}_{n}" in measures for gain in gains))
    rows = {
        source: np.array([row(f"use_{source}_{n}") for n in counts])
        for source in ("real", "altered", "both")
    }
    return counts, rows, np.array(row("use_generated"))


def told(measures: Measures, labelled: float) -> str:
    """Return what generated traces add to the fewest and to the most labelled ones.

    Parameters
    ----------
    measures : mapping
        Of the study.
    labelled : float
        Share of the generated traces that the rule could label.
    """
    counts, rows, alone = drawn(measures)
    count = measures["use_generated"].n or 1
    scarce = measures[f"use_gain_over_real_{counts[0]}"].n or 1
    more = f", {scarce} with {counts[0]:,} labels" if scarce != count else ""
    sentences = [
        f"The rule labels {percent(measures['use_rule'].value)} of unseen modelled traces right, "
        f"without noise; of generated traces it can label {percent(labelled)}, how many of these "
        "rightly nobody knows. A picker that has seen generated traces only is right in "
        f"{percent(alone[0])} ({_trainings(count)} of each kind{more})."
    ]
    for place in sorted({0, len(counts) - 1}):
        n = counts[place]
        gain = measures[f"use_gain_over_real_{n}"]
        real, altered, both = (
            _share(rows[source][place][0], gain) for source in ("real", "altered", "both")
        )
        sentences.append(
            f"With {n:,} labelled traces a picker is right in {real}, in {both} "
            f"if generated ones are mixed in ({_gain(gain)}), and "
            f"in {altered} if its own are shifted and turned over instead (generated ones "
            f"against that: {_gain(measures[f'use_gain_over_altered_{n}'])})."
        )
    return " ".join(sentences)


def change(measures: Measures) -> str:
    """Return how generated traces change the share of right picks, of few labelled ones and many.

    Parameters
    ----------
    measures : mapping
        Of the study.
    """
    counts, rows, _ = drawn(measures)

    def between(place: int) -> str:
        gain = measures[f"use_gain_over_real_{counts[place]}"]
        real, both = (_share(rows[source][place][0], gain) for source in ("real", "both"))
        return f"from {real} to {both} with {counts[place]:,} labelled traces ({_gain(gain)})"

    return listed([between(place) for place in sorted({0, len(counts) - 1})])


def message(measures: Measures) -> str:
    """Return the figure's message: what generated traces add to few and to many labelled ones."""
    counts = drawn(measures)[0]
    told: list[str] = []
    for n in sorted({counts[0], counts[-1]}):
        gain = measures[f"use_gain_over_real_{n}"]
        sure = not (gain.low or 0.0) <= 0.0 <= (gain.high or 0.0)
        found = f"{_points(gain.value)} points" if sure else "no clear change"
        told.append(f"{found} with {n:,}{' traces' * (not told)}")
    return f"Mixed in: {', '.join(told)}"


def _trainings(count: int) -> str:
    return f"{count} training{'s' * (count != 1)}"


def _fine(gain: Measure) -> bool:
    """Return whether a gain is less than a point, and needs its tenths."""
    return abs(gain.value) < 0.01


def _share(share: float, gain: Measure) -> str:
    return f"{100 * share:.1f} %" if _fine(gain) else percent(share)


def _points(value: float, fine: bool = False) -> str:
    told = f"{100 * value:+.1f}" if fine else f"{round(100 * value) + 0:+d}"
    return told.replace("-", "−")


def _gain(gain: Measure) -> str:
    said = f"{_points(gain.value, _fine(gain))} points"
    if gain.low is None or gain.high is None:
        return said
    low, high = (_points(end, _fine(gain)) for end in (gain.low, gain.high))
    told = f"{said}, {low} to {high}"
    return f"{told}, which may be chance" if gain.low < 0 < gain.high else told
