"""Inversions of the whole image: Table 1 and Figures 2 and 3 of Laloy et al. (2019)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.tables import markdown, percent_span
from geolib.runs.unit import Units, select
from geolib.studies.latent_inversion.tables import MARKS, NO_TRIAL, ROMAN, compatible, longest
from geolib.studies.latent_inversion.units import Trial

#: Root mean square error below which the paper calls an image recovered.
RECOVERED = 0.02


class Shown(NamedTuple):
    """One inversion to be shown.

    Attributes
    ----------
    recovered : bool
        Whether its image is.
    rmse : float
        Of the image.
    latent : ndarray, shape (15,)
        Where it ended.
    error : float
        Mean squared error of the latent.
    """

    recovered: bool
    rmse: float
    latent: np.ndarray
    error: float


def shown(units: Mapping[str, Mapping[str, np.ndarray]], model: int) -> list[Shown]:
    """Return up to three of the longest inversions of an image: two that recovered it, one not.

    Of those that recovered it, the ones with the smallest and the largest error of the latent; of
    the others, the one whose image has the median error. None of them is chosen by eye.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    model : int
        1 or 2.
    """
    trials = longest(units, "image", "continuous", model)
    made = []
    for arrays in trials:
        truth, latent = (arrays[name].astype(float) for name in ("true_latent", "best_latent"))
        rmse, error = float(arrays["best"][-1]), float(np.square(latent - truth).mean())
        made.append(Shown(rmse <= RECOVERED, rmse, latent, error))
    good = sorted((each for each in made if each.recovered), key=lambda each: each.error)
    rest = sorted((each for each in made if not each.recovered), key=lambda each: each.rmse)
    return good[:1] + good[1:][-1:] + rest[len(rest) // 2 :][:1]


def as_markdown(
    units: Mapping[str, Mapping[str, np.ndarray]], published: Mapping[str, Sequence[int]]
) -> str:
    """Return Table 1 as Markdown: images recovered to 0.02, latents to 0.01, theirs and ours.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    published : mapping
        Counts by claim id, such as ``latent_inversion.table1.I``.
    """
    found = image_measures(units)
    rows = []
    for model in ROMAN.values():
        for place, what in enumerate(("image", "latent")):
            share = found.get(f"table1.{model}.{what}")
            if share is not None and share.n:
                theirs, count = (
                    published[f"latent_inversion.table1.{model}"][place],
                    round(share.value * share.n),
                )
                interval = f"{count} ({percent_span(share.low, share.high)})"
                p = f"{compatible(theirs, 50, count, share.n):.2g}"
                rows.append([model, what, theirs, share.n, interval, p])
    return markdown(
        ["Model", "Recovered", "Published, of 50", "Trials", "Ours", "p"],
        rows,
        "llrrrr",
        empty=NO_TRIAL,
    )


def image_measures(trials: Units) -> dict[str, Measure]:
    """Count Table 1: images recovered to 0.02, latents to 0.01 (squared), 10 000 updates each."""
    runs = list(select(trials, Trial).items())
    runs = [
        (unit, arrays)
        for unit, arrays in runs
        if unit.operator == "image" and unit.budget >= MARKS[-1]
    ]
    found: dict[str, Measure] = {}
    if not runs:
        return found
    misfit = np.array([arrays["best"][-1] for _, arrays in runs])
    error = [np.square(a["best_latent"] - a["true_latent"]).mean() for _, a in runs]
    # What is left of the error once the best common factor is taken out of the latent.
    scaled = [
        np.square(a["true_latent"] - _along(a["true_latent"], a["best_latent"])).mean()
        for _, a in runs
    ]
    image, exact, ray = misfit <= RECOVERED, np.array(error) <= 0.01, np.array(scaled) <= 0.01
    for model in sorted({unit.model for unit, _ in runs}):
        mine = np.array([unit.model == model for unit, _ in runs])
        name = f"table1.{ROMAN[model]}"
        found[f"{name}.image"] = Measure.count(int(image[mine].sum()), int(mine.sum()))
        found[f"{name}.latent"] = Measure.count(int(exact[mine].sum()), int(mine.sum()))
        if good := int((image & mine).sum()):
            found[f"{name}.latent_given_image"] = Measure.count(
                int((image & exact & mine).sum()), good
            )
            found[f"{name}.latent_scaled"] = Measure.count(int((image & ray & mine).sum()), good)
    if len({unit.model for unit, _ in runs}) == 2:
        starts: dict[int, list[bool]] = {}
        for (unit, _), good_image in zip(runs, image.tolist(), strict=True):
            starts.setdefault(unit.trial, []).append(good_image)
        found["table1.all.image"] = Measure.clustered(
            list(starts.values())
        )  # both models share their starts
    found["table1.gap"] = Measure.count(
        int(((misfit > RECOVERED) & (misfit < 0.2)).sum()), len(runs)
    )
    return found


def _along(target: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return the part of `target` along `vector`."""
    size = float(target @ vector) / max(float(vector @ vector), 1e-30)
    return np.asarray(size * vector)
