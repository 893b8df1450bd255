"""The audit of a descent: its first steps again, as far as another processor follows them."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from geolib.runs.recheck import Recheck, beginning
from geolib.runs.unit import Arrays
from geolib.studies.rnn_fwi import descents
from geolib.studies.rnn_fwi.config import FwiConfig
from geolib.studies.rnn_fwi.problems import problem_2d
from geolib.studies.rnn_fwi.units import Block, Extra, Line, Steps

#: Evaluations that are followed: of a method with a rate, of a line search, and on Marmousi.
STEPS, SEARCHED, ON_MARMOUSI = 100, 20, 3


def line(config: FwiConfig, unit: Line | Steps, arrays: Arrays, seconds: float) -> Recheck:
    """Return the recheck of a one-dimensional descent."""
    n = min(SEARCHED if isinstance(unit, Line) else STEPS, config.iterations)
    again = partial(descents.unit, replace(config, iterations=n), unit, None)
    share = (n + 20) / config.iterations  # what is set up costs some evaluations
    kept = {"misfit": n + 1, "error": n + 1}
    return beginning(f"its first {n} evaluations", seconds * share, arrays, kept, again)


def on_marmousi(config: FwiConfig, unit: Block | Extra, arrays: Arrays, seconds: float) -> Recheck:
    """Return the recheck of a descent on Marmousi: its beginning, and its last model's error."""
    extra = unit.setting if isinstance(unit, Extra) else ""

    def made() -> dict[str, np.ndarray]:
        short = descents.beginning(unit.method, ON_MARMOUSI, extra)
        error = problem_2d().error(arrays["frames"][-1])
        return {
            "misfit": short["misfit"][:ON_MARMOUSI],
            "error": np.append(short["error"][:ON_MARMOUSI], error),
        }

    stored = {
        "misfit": arrays["misfit"][:ON_MARMOUSI],
        "error": np.append(arrays["error"][:ON_MARMOUSI], arrays["error"][-1]),
    }
    how = f"its first {ON_MARMOUSI} evaluations, and its last model's error"
    share = (ON_MARMOUSI + 3) / len(arrays["misfit"])
    return Recheck(how, seconds * share, stored, made)
