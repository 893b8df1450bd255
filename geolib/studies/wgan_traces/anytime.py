"""The stopping rule held to account: patience fixed on one training, and a test for any time.

The rule of the appendix stops where ten tests in a row find no improvement. It is not valid at any
time: each test keeps its level, the row of tests has none. So its patience is fixed on one training
and judged on the others, and its rate of false stops is simulated. Beside it stands a rule that may
look after every epoch: an e-detector (Shin, Ramdas and Rinaldo, 2022) for "worse than ten epochs
ago", made of the same p values.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial

import numpy as np

from geolib.runs.tables import markdown, percent
from geolib.runs.unit import Units
from geolib.studies.wgan_traces import stopping, tables
from geolib.studies.wgan_traces.gallery import LAG

#: A stop is early where the discrepancy still becomes so many times smaller, as in the chapter.
EARLY = 2.0
#: Of single tests, the shares that find an improvement: 5 % where there is none to find.
POWERS = (0.05, 0.5, 0.8, 0.95)
SIMULATED = 20_000


def _tests(arrays: Mapping[str, np.ndarray]) -> dict[int, float]:
    return {LAG + 1 + i: float(p) for i, p in enumerate(arrays["p"])}


def early(arrays: Mapping[str, np.ndarray], epoch: int | None) -> bool:
    """Return whether stopping after an epoch misses much; never stopping misses nothing."""
    return stopping.missed(arrays, epoch) > EARLY


def fixed_patience(arrays: Mapping[str, np.ndarray]) -> int:
    """Return the least patience that does not stop a training early."""
    tests = _tests(arrays)
    return next(
        patience
        for patience in range(1, len(tests) + 2)
        if not early(arrays, tables.stopping_epoch(tests, patience))
    )


def detected(p_values: Iterable[float], level: float = tables.ALPHA) -> int | None:
    """Return the place of the test after which an e-detector calls the traces worse, or None.

    Parameters
    ----------
    p_values : iterable of float
        Of "no closer than ten epochs ago": near one where traces have become worse.
    level : float
        The largest chance that it stops within these tests while nothing becomes worse.

    Notes
    -----
    With q = 1 - p, q is a p value of "no worse", and 1 / (2 sqrt(q)) an e value. Their detector
    M_t = e_t (M_(t-1) + 1) has a mean of at most t while nothing becomes worse, whatever the
    dependence on the past. M_t - t is then a supermartingale, so that M reaches n / level within n
    tests with a chance of at most the level (Doob). Valid as far as each p value is, given what was
    before: the real traces are the same throughout.
    """
    values = np.asarray(list(p_values), dtype=float)
    detector = 0.0
    for place, p in enumerate(values):
        detector = (detector + 1) / (2 * np.sqrt(max(1 - p, np.finfo(float).tiny)))
        if detector >= len(values) / level:
            return place
    return None


def detected_epoch(arrays: Mapping[str, np.ndarray]) -> int | None:
    """Return the epoch after which the detector stops a training, or None."""
    place = detected(arrays["p"])
    return None if place is None else LAG + 1 + place


def stopped_share(patience: int, n_tests: int, power: float) -> float:
    """Return how often n independent tests of a power stop a training that a rule goes on with."""
    rng = np.random.default_rng([patience, n_tests, round(100 * power)])
    idle = rng.random((SIMULATED, n_tests)) >= power
    rows = np.lib.stride_tricks.sliding_window_view(idle, patience, axis=1).all(axis=2)
    return float(np.any(rows, axis=1).mean())


def detected_share(n_tests: int) -> float:
    """Return how often the detector stops on p values of a generator that stays as it is."""
    rng = np.random.default_rng(n_tests)
    drawn = rng.random((SIMULATED, n_tests))
    return float(np.mean([detected(row) is not None for row in drawn[: SIMULATED // 10]]))


def as_markdown(units: Units) -> str:
    """Return where the rules stop and how often they do falsely, as Markdown.

    The patience is fixed on the first training; so the first row's first entry judges nothing.
    """
    trainings = list(units.values())
    patience = fixed_patience(trainings[0])
    rules = {
        f"patience {n}": partial(_patient, patience=n)
        for n in dict.fromkeys((tables.PATIENCE, patience))
    } | {"e-detector": detected_epoch}
    rows = [
        [name, *(_told(arrays, rule(arrays)) for arrays in trainings)]
        for name, rule in rules.items()
    ]
    return markdown(["Rule", *(name.replace("-", " ") for name in units)], rows)


def _patient(arrays: Mapping[str, np.ndarray], patience: int) -> int | None:
    return tables.stopping_epoch(_tests(arrays), patience)


def _told(arrays: Mapping[str, np.ndarray], epoch: int | None) -> str:
    if epoch is None:
        return "does not stop"
    return f"after {epoch}; then {stopping.missed(arrays, epoch):.1f} times smaller"


def rates(units: Units) -> str:
    """Return the simulated shares of stopped trainings by the power of a single test, Markdown."""
    n_tests = len(next(iter(units.values()))["p"])
    fixed = fixed_patience(next(iter(units.values())))
    rows = []
    for patience in dict.fromkeys((stopping.NAIVE_PATIENCE, fixed, tables.PATIENCE)):
        shares = (stopped_share(patience, n_tests, power) for power in POWERS)
        rows.append([f"patience {patience}", *map(percent, shares)])
    heads = [f"{percent(power)} find it" for power in POWERS]
    return markdown(["Rule", *heads], rows)


def facts(units: Units) -> dict[str, str]:
    """Return what the appendix says of the rules, by name."""
    first, *others = units.values()
    patience = fixed_patience(first)
    judged = [early(arrays, _patient(arrays, patience)) for arrays in others]
    stops = [detected_epoch(arrays) for arrays in units.values()]
    n_tests = len(first["p"])
    return {
        "fixed_patience": f"{patience}",
        "fixed_early": f"{sum(judged)} of {len(judged)}",
        "detector_false": percent(detected_share(n_tests)),
        "detector_level": percent(tables.ALPHA),
        "detector_tests": f"{n_tests}",
        "detector_early": f"{sum(map(early, units.values(), stops))} of {len(stops)}",
    }
