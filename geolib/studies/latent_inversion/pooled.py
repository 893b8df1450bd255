"""Shares of trials pooled over the four scenarios, and their differences; starts are shared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from geolib.runs.measure import Measure
from geolib.runs.unit import Units
from geolib.studies.latent_inversion.tables import LIMITS, ROMAN, best_by
from geolib.studies.latent_inversion.units import SCENARIOS

#: The scenarios, pairs of true model and noise, that are pooled: all, both noises of a model, both
#: models of a noise. And updates of either strategy at which shares are pooled: the three budgets
#: of each.
PARTS = {
    "": SCENARIOS,
    "-I": ((1, 1), (1, 2)),
    "-II": ((2, 1), (2, 2)),
    "-noise-I": ((1, 1), (2, 1)),
    "-noise-II": ((1, 2), (2, 2)),
}
BUDGETS = {"adam": (1, (100, 1000, 10000)), "gn": (2, (100, 1000, 5000))}


def pooled_measures(
    trials: Units, operator: str, image: Measure | None = None
) -> dict[str, Measure]:
    """Return shares over all scenarios and their differences, bootstrapped over starts.

    Parameters
    ----------
    trials : mapping
        Results by unit name.
    operator : str
        Cell order of the rays.
    image : Measure, optional
        Share of the whole-image inversions that found the image.

    Returns
    -------
    dict of str to Measure
        ``table3.s1-10000.le1.01.pooled`` for each table, strategy, budget and limit of which every
        scenario has a trial; ``table3.s1_minus_s2`` at the largest budgets and
        ``table3.s1_minus_s2_at_1000`` at 1.1; ``table3.noise_apart``, how far
        apart the shares with both noises are;
        ``table3.s2_minus_s1_model_I_at_1000`` at 1.2, and of model II;
        ``thresholding.difference``, Table 2 less Table 3 for strategy 1, and
        ``thresholding.model_I``, for strategy 2 and model I at 1.1; ``table3.whole_minus_times``,
        the whole image less the traveltimes.
    """
    found: dict[str, Measure] = {}
    for table, case in (("table2", "continuous"), ("table3", "binary")):
        for method, (strategy, budgets) in BUDGETS.items():
            for updates in budgets:
                wanted = {"operator": operator, "case": case, "method": method}
                best = {
                    (model, noise): best_by(trials, updates, model=model, noise=noise, **wanted)
                    for model, noise in SCENARIOS
                }
                for part, scenarios in PARTS.items():
                    label = f"{table}.s{strategy}-{updates}{part}"
                    like = None
                    for limit in LIMITS:
                        if clusters := _by_start(best, limit, scenarios):
                            like = found[f"{label}.le{limit}.pooled"] = Measure.clustered(
                                clusters, like
                            )
    return found | _differences(found, image)


def _by_start(
    best: Mapping[tuple[int, int], Mapping[int, float]],
    limit: float,
    scenarios: Sequence[tuple[int, int]],
) -> list[list[bool]]:
    """Return by start which scenarios came within the limit, or nothing if one is missing."""
    starts: dict[int, list[bool]] = {}
    for scenario in scenarios:
        if not best[scenario]:
            return []  # a sum over scenarios is stated only where all of them were run
        for trial, value in best[scenario].items():
            starts.setdefault(trial, []).append(value <= limit)
    return list(starts.values())


def _differences(found: Mapping[str, Measure], image: Measure | None) -> dict[str, Measure]:
    def share(name: str) -> Measure | None:
        return found.get(f"{name}.pooled")

    pairs: dict[str, tuple[Measure | None, Measure | None]] = {
        "thresholding.difference": (
            share("table2.s1-10000.le1.01"),
            share("table3.s1-10000.le1.01"),
        ),
        f"thresholding.model_{ROMAN[1]}": (
            share("table2.s2-5000-I.le1.1"),
            share("table3.s2-5000-I.le1.1"),
        ),
    }
    for table in ("table2", "table3"):
        largest = share(f"{table}.s1-10000.le1.01")
        pairs[f"{table}.s1_minus_s2"] = (largest, share(f"{table}.s2-5000.le1.01"))
        pairs[f"{table}.s1_minus_s2_at_1000"] = (
            share(f"{table}.s1-1000.le1.1"),
            share(f"{table}.s2-1000.le1.1"),
        )
        pairs[f"{table}.whole_minus_times"] = (image, largest)
        noise = [share(f"{table}.s1-10000-noise-{each}.le1.01") for each in ("II", "I")]
        pairs[f"{table}.noise_apart"] = (noise[0], noise[1])
        for model in ROMAN.values():
            at_1000 = [share(f"{table}.s{strategy}-1000-{model}.le1.2") for strategy in (2, 1)]
            pairs[f"{table}.s2_minus_s1_model_{model}_at_1000"] = (at_1000[0], at_1000[1])
    differences = {
        name: Measure.difference(a, b)
        for name, (a, b) in pairs.items()
        if a is not None and b is not None
    }
    return {
        name: _amount(each) if name.endswith(".noise_apart") else each
        for name, each in differences.items()
    }


def _amount(difference: Measure) -> Measure:
    """Return how far two shares are apart, whichever is the larger."""
    ends = [difference.low or 0.0, difference.high or 0.0]
    least = 0.0 if ends[0] <= 0 <= ends[1] else min(map(abs, ends))
    return replace(difference, value=abs(difference.value), low=least, high=max(map(abs, ends)))
