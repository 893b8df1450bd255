"""What the chapter's figures of losses and of picked events draw beside the data, and say of it."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.runs.tables import listed, percent
from geolib.studies.wgan_traces import tables
from geolib.studies.wgan_traces.data import DT, SOURCE_ROW, SPACING
from geolib.studies.wgan_traces.story import SETTLED, Run, unseen_models

#: Fewest epochs from `SETTLED` on of which a panel is worth its place.
FEWEST = 5


def settled(run: Run) -> dict[str, np.ndarray]:
    """Return both losses' epoch means from `SETTLED` on, less their mean and over their deviation.

    Empty for a run that ends before, or too soon after.
    """
    late = list(run[SETTLED - 1 :])
    if len(late) < FEWEST:
        return {}
    curves = {name: tables.curve(late, f"{name}_loss") for name in ("generator", "critic")}
    return {name: (each - each.mean()) / (each.std() or 1.0) for name, each in curves.items()}


def losses_caption(run: Run) -> str:
    """Return what the figure of losses shows."""
    told = (
        "losses of generator and critic: the mean of each epoch, and the band that holds nine "
        "tenths of its iterations; linear up to 10, logarithmic beyond."
    )
    if not settled(run):
        return f"L{told[1:]}"
    return (
        f"Left: {told} Right: the means from epoch {SETTLED} on, each less its average and over "
        "its standard deviation."
    )


def second_lobes(data: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return of which unseen traces a later lobe than the reflection's first was picked.

    Parameters
    ----------
    data : mapping
        Of the study: earths, and times (s) and polarities of the events.

    Returns
    -------
    turned : ndarray, shape (n,), bool

    Notes
    -----
    A pick belongs to the reflector whose two-way time it follows by most nearly the usual delay of
    a pick, the median over all traces. It is on a later lobe if it comes later than that and has
    not the sign that its reflector gives to a first lobe.
    """
    velocity, thickness = unseen_models(data, len(data["event_time"]))
    time, polarity = (data[f"event_{name}"] for name in ("time", "polarity"))
    # Source and receiver lie below the surface.
    depth = (SOURCE_ROW + 1) * SPACING
    arrival = 2 * np.cumsum(thickness / velocity[:, :-1], axis=1) - 2 * depth / velocity[:, :1]
    lag = time[:, None] - arrival
    since = np.where(lag > DT, lag, np.inf).min(axis=1)
    usual = np.median(since[np.isfinite(since)]) if np.isfinite(since).any() else 0.0
    own = np.abs(lag - usual).argmin(axis=1)
    # Where velocity increases, a reflection begins negative.
    sign = -np.sign(np.diff(velocity, axis=1))[np.arange(len(own)), own]
    later = lag[np.arange(len(own)), own] > usual
    return np.asarray((polarity != 0) & (polarity != sign) & later)


def data_caption(data: Mapping[str, np.ndarray], n: int) -> str:
    """Return what the figure of earths, traces and events shows, of which the first n are drawn."""
    turned = second_lobes(data)
    told = (
        "Left: random earths. Middle: their traces in the same colours, each over its largest "
        "amplitude. Dot: the event picked, the first extremum outside the grey band of half that "
        "amplitude; beside it its sign. Right: time and sign of the event in "
        f"{turned.size:,} unseen traces; in {percent(turned.mean())} of them a reflection's first "
        "lobe stays in the band and a later one is picked"
    )
    rows = [str(row + 1) for row in np.flatnonzero(turned[:n])]
    if not rows:
        return f"{told}."
    return f"{told} (here trace{'s' * (len(rows) > 1)} {listed(rows)} from the top)."
