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
    return (
        f"Under the critic of epoch {epoch} the last generator's mean score is {abs(gap):.1f} "
        f"{word} that of real traces"
    )


def events(last: Arrays, data: Arrays) -> str:
    """Return how loud generated traces are above the source's band, against real ones."""
    times = hiss(last["spectrum"], data["spectrum"])
    return f"Above {QUIET:.0f} Hz generated traces are {times:.0f} times as loud as real ones"


def stops(units: Units) -> str:
    """Return how many trainings each rule stops, and when."""
    found = [stopping.rules(arrays) for arrays in units.values()]
    told = []
    for rule, name in (("test", "patience 10"), ("test_impatient", "patience 3")):
        epochs = sorted(each[rule] or 0 for each in found if each[rule] is not None)
        text = f"{len(epochs)} of {len(found)}"
        if epochs:
            text += f", at the earliest after epoch {epochs[0]}"
        told.append(f"{name} stops {text}")
    return f"The test with {'; with '.join(told)}"


def ordered(measures: Mapping[str, Measure]) -> str:
    """Return how well depths are met, and those that were kept from the training."""
    met, kept = (measures[f"generated_depth{end}"].value for end in ("", "_kept_back"))
    return (
        f"Half of the depths are met to {met:.0f} m; of those kept from the training, to "
        f"{kept:.0f} m"
    )


def gathers(measures: Mapping[str, Measure]) -> str:
    """Return how far the arrivals of generated gathers are from a parabola."""
    times = measures["gathers_moveout"].value / measures["gathers_moveout_floor"].value
    return f"Generated arrivals stray {times:.1f} times as far from a parabola as modelled ones"
