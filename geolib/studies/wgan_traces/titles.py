"""The messages of the figures of the traces' appendix, each made from what the figure draws."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.unit import Units
from geolib.studies.wgan_traces import stopping
from geolib.studies.wgan_traces.story import QUIET, hiss

Arrays = Mapping[str, np.ndarray]


def draws(data: Arrays) -> str:
    """Return how many of the random earths' traces begin with which polarity."""
    positive = 100 * float((data["event_polarity"] == 1).mean())
    return f"Earths are drawn evenly; {positive:.0f} % of their traces begin positive"


def history(judge: Arrays, epoch: int) -> str:
    """Return how far the last generator's scores are from real traces', under one critic."""
    gap = float(judge["score_history"][-1]) - float(judge["score_validation"].mean())
    word = "below" if gap < 0 else "above"
    return f"Critic of epoch {epoch}: the last generator is {abs(gap):.1f} {word} real traces"


def events(last: Arrays, data: Arrays) -> str:
    """Return how loud generated traces are above the source's band, against real ones."""
    times = hiss(last["spectrum"], data["spectrum"])
    return f"Above {QUIET:.0f} Hz generated traces are {times:.0f} times as loud as real ones"


def stops(units: Units) -> str:
    """Return how many trainings the test stops with either patience."""
    found = [stopping.rules(arrays) for arrays in units.values()]
    many, few = (
        f"{sum(each[rule] is not None for each in found)} of {len(found)}"
        for rule in ("test", "test_impatient")
    )
    return f"Patience 10 stops {many} trainings, patience 3 stops {few}"


def ordered(measures: Mapping[str, Measure]) -> str:
    """Return how well depths are met, and those that were kept from the training."""
    met, kept = (measures[f"generated_depth{end}"].value for end in ("", "_kept_back"))
    return f"Median error of depth: {met:.0f} m; {kept:.0f} m where none was trained on"


def gathers(measures: Mapping[str, Measure]) -> str:
    """Return how far generated arrivals are from a parabola, over how far modelled ones are."""
    times = measures["gathers_moveout"].value / measures["gathers_moveout_floor"].value
    return f"Generated arrivals stray {times:.1f} times as far from a parabola"
