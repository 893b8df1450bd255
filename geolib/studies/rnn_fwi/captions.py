"""The captions of the rnn_fwi figures, each made from what the figure draws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from geolib.datasets.velocity import WATER
from geolib.runs.measure import Measure
from geolib.runs.tables import listed
from geolib.studies.rnn_fwi import tables, told
from geolib.studies.rnn_fwi.curves import Arrays
from geolib.studies.rnn_fwi.problems import SPACING

Points = Sequence[tuple[float, float]]


def opening(runs: Mapping[str, Arrays]) -> str:
    """Return what the chapter opens with, and which models stand for those of one evaluation."""
    text = "The Marmousi model, the blurred start"
    pair = told.opened(runs)
    if not pair:
        return f"{text}."
    text += f", and what {listed(list(pair))} make{'s' * (len(pair) == 1)} of it: "
    text += "root-mean-square errors of the velocity."
    counts = [told.kept(runs, run) for run in pair.values()]
    if len(set(counts)) > 1:
        text += f" Models: those kept nearest to evaluation {told.shortest(pair)}."
    return text


def line(run: Arrays, top: str) -> str:
    """Return what the trace of the one-dimensional problem holds under its upper boundary."""
    truth = run["truth"]
    arrivals = np.cumsum(2 * SPACING / truth)[np.flatnonzero(np.diff(truth))]
    text = (
        "Left: the true layers and the start. Right: the recorded trace after the direct wave. "
        "Numbers mark the arrivals of the reflections."
    )
    if top != "free":
        return f"{text} The surface absorbs, and sends no multiples down."
    text += " The others are multiples, which the free surface sent down again"
    later = np.flatnonzero(arrivals > 2 * arrivals[0])
    if later.size:
        text += f"; that of the top layer comes before reflection {later[0] + 1}"
    return f"{text}."


def gather(unit: Arrays, source: tuple[int, int]) -> str:
    """Return what the figure of one shot draws: cells, water, where source and receivers lie."""
    velocity = unit["velocity"]
    water = int(np.argmax((velocity > WATER + 1).any(axis=1)))
    # Row i lies i + 1 cells below the free surface.
    depth = (source[0] + 1) * SPACING
    return (
        f"Cells of {SPACING:.0f} m, of which the upper {water} rows ({water * SPACING:.0f} m) are "
        f"water. The star marks the source, {depth:.0f} m below the surface; a receiver lies in "
        "every column. Colours of the gather end at a fifth of its largest amplitude. The strong "
        "bands are the direct wave and its echo from the surface (the ghost); below them come "
        "reflections."
    )


def rates(
    groups: Mapping[str, Mapping[str, Points]],
    fleeting: Mapping[str, Sequence[float]],
    measures: Mapping[str, Measure],
) -> str:
    """Return what the figure of learning rates draws: marks, limits, ranges."""
    runs = {name: points for methods in groups.values() for name, points in methods.items()}
    parts = ["Evaluations until the misfit is below one per cent of the first."]
    if any(np.isinf(count) for points in runs.values() for _, count in points):
        parts.append("Hollow marks above the dotted line never got there.")
    if any(name in runs for name in fleeting):
        parts.append("Ringed: got below one per cent, and ended above it.")
    limits = [name for name in told.limits(measures) if name in runs]
    if limits:
        text = "Dashed: where the largest eigenvalue predicts that stability ends"
        averaged, limit = tables.LABELS["momentum_b"], measures.get("momentum_b_rate_limit")
        if averaged in runs and limit and limit.value > 2 * max(rate for rate, _ in runs[averaged]):
            text += "; for momentum as in appendix B that is far beyond the axis"
        parts.append(f"{text}.")
    if any(name in runs for name in told.RANGES):
        parts.append("Bars: the paper's ranges.")
    if tables.LABELS["gd"] in runs:
        parts.append("GD: gradient descent.")
    return " ".join(parts)


def ends(runs: Mapping[str, Arrays], named: Sequence[str]) -> str:
    """Return what the figure of last misfits and model errors draws."""
    text = (
        "Each mark is one run, at its last evaluation. The dotted line is the error of the start."
    )
    there = [name for name in named if name in runs]
    if there:
        text += f" Named: {'the two runs' if len(there) == 2 else 'a run'} that the text compares."
    return text


def long_race(mark: int) -> str:
    """Return what the figure of the runs on Marmousi draws."""
    return (
        "Misfit and model error on Marmousi (the paper's Figure 21 shows the left panel). The axis "
        f"of evaluations is logarithmic and begins at 1. Dotted: evaluation {mark}. Each curve "
        "ends where its run ended."
    )


def extras(count: int) -> str:
    """Return what the figure of Marmousi in several settings draws."""
    return f"Marmousi after {count} evaluations, in the paper's setting and in others."


def harder(count: int) -> str:
    """Return what the table of the same settings holds."""
    return (
        f"After {count} evaluations: model error (m/s), structural similarity, misfit (% of the "
        f"first). Level: the two best are less than {tables.LEVEL:.0f} m/s apart."
    )
