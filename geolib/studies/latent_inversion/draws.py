"""What the posteriors and their sampler's calibration say, in tables and words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from geolib.inversion import posterior
from geolib.inversion.crosshole import Crosshole
from geolib.runs.measure import Measure
from geolib.runs.tables import listed, markdown
from geolib.runs.unit import Units, select
from geolib.studies.latent_inversion.config import LatentConfig, PosteriorConfig
from geolib.studies.latent_inversion.posterior import (
    CENTRAL,
    SAMPLERS,
    Calibration,
    Posterior,
    agreement,
)
from geolib.studies.latent_inversion.tables import ORDERS, ROMAN
from geolib.studies.latent_inversion.units import SCENARIOS
from geolib.studies.latent_inversion.world import World

#: Runs agree whose R-hat is at most so much.
AGREED = 1.01
#: Beyond so much they do not.
POOR = 1.1
#: A cell is open where its probability of channel is between these.
OPEN = (0.05, 0.95)
#: Traveltimes of the survey.
DATA = len(Crosshole().source_depths) * len(Crosshole().receiver_depths)
_OPEN = f", channel with a probability of {100 * OPEN[0]:.0f} to {100 * OPEN[1]:.0f} %"
#: What a calibration ranks, by what stands in a measure's name.
QUANTITIES = {"": "directions", "cells.": "cells", "share.": "share of channel"}
#: The claim on each sampler.
CLAIMS = {"right": "ours-calibration", "warm": "ours-warm", "sharp": "ours-sharp"}
#: Of the histograms of ranks.
BINS = 10
#: What the samplers are called.
NAMES = {
    "right": "as it is",
    "warm": "for twice the variance",
    "sharp": "for half the noise",
}


def scenarios(units: Units) -> dict[tuple[str, int, int], list[Mapping[str, np.ndarray]]]:
    """Return the runs of each scenario: cell order, model, noise."""
    found: dict[tuple[str, int, int], list[Mapping[str, np.ndarray]]] = {}
    for unit, arrays in sorted(select(units, Posterior).items(), key=lambda pair: pair[0].run):
        found.setdefault((unit.operator, unit.model, unit.noise), []).append(arrays)
    return {key: found[key] for key in sorted(found, key=lambda key: (*key[1:], key[0]))}


def first(units: Units) -> dict[str, list[Mapping[str, np.ndarray]]]:
    """Return by cell order the runs of the first scenario."""
    return {key[0]: runs for key, runs in scenarios(units).items() if key[1:] == SCENARIOS[0]}


def probability(runs: Sequence[Mapping[str, np.ndarray]]) -> np.ndarray:
    """Return each cell's probability of channel (7500,), the mean of several runs; none of none."""
    if not runs:
        return np.empty(0)
    found: np.ndarray = np.mean([run["probability"] for run in runs], axis=0)
    return found


def truth(drawn: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> np.ndarray:
    """Return the facies (125, 60) of the true model of the runs of `first`."""
    config = PosteriorConfig()
    world = World(LatentConfig(width=config.width, seed=config.seed), "cpu")
    latents = [runs[0]["true_latent"] for runs in drawn.values()]
    return world.image(latents[0] if latents else world.true_latents[1][0].numpy()) >= 0.5


def caption(drawn: Mapping[str, Sequence[Mapping[str, np.ndarray]]]) -> str:
    """Return the caption of the figure of the runs of `first`, with how many there are."""
    counts = []
    for order, runs in drawn.items():
        models = sum(len(run["draws"]) for run in runs)
        counts.append(f"{models} models from {_counted(len(runs), 'run')} ({ORDERS[order]})")
    told = f" Drawn: {listed(counts)}." if counts else ""
    model, noise = (ROMAN[which] for which in SCENARIOS[0])
    return (
        f"Binary model {model} of width {PosteriorConfig().width} (each width has true models of "
        f"its own) with noise {noise}. Beside the truth, for either kind of "
        "rays, the probability that a cell is channel, and its entropy: 0 where the data decide, "
        f"1 bit where channel is as probable as not; the sampler's intervals are too narrow.{told}"
    )


def how(use: posterior.Settings) -> str:
    """Return how the sampler goes about it, with its settings."""
    return (
        f"Searches of {use.solves:,} solves are made until {use.searches} of them have come as "
        f"near to the data as the errors allow, {use.most} at most. Of all models that they have "
        f"simulated, a wide cloud of {use.particles} is drawn. It settles as if the likelihood "
        f"counted {100 * use.first:.0f} %; then its power grows to one, and at every power each "
        f"model is moved at least {use.moves} times, by differences of others and along chains "
        "through a quadratic fit of the traveltimes of all models met nearby, of which only the "
        "end is simulated."
    )


def as_markdown(units: Units) -> str:
    """Return a table of the posteriors: what they leave open, and whether runs agree."""
    rows = []
    for (order, model, noise), runs in scenarios(units).items():
        share = probability(runs)
        open_cells = ((share > OPEN[0]) & (share < OPEN[1])).mean()
        said = agreement(runs) if len(runs) > 1 else {}
        n = runs[0]["draws"].shape[0]
        rows.append(
            [
                ORDERS[order],
                ROMAN[model],
                ROMAN[noise],
                f"{len(runs)} of {n}",
                f"{np.mean([run['solves'] for run in runs]):,.0f}",
                _range([_misfit(run) for run in runs], "{:.3f}"),
                _range([100 * float(run["wrong"].mean()) for run in runs], "{:.1f}"),
                f"{100 * open_cells:.1f}",
                _range([100 * float(run["inside"]) for run in runs], "{:.0f}"),
                f"{said['r_hat']:.2f}" if said else "—",
                f"{said['ess_bulk']:.0f}" if said else "—",
            ]
        )
    heads = ["Rays", "Model", "Noise", "Runs, draws", "Solves of a run", "WRMSE", "Wrong cells (%)"]
    heads += ["Open cells (%)", "Data inside 95 % (%)", "Worst R-hat", "Least ESS"]
    return markdown(heads, rows, "lll" + "r" * 8, empty="No posterior was drawn.")


def _misfit(run: Mapping[str, np.ndarray]) -> float:
    # Log likelihoods count in noise levels of 1 ns, a WRMSE in the size that the errors have.
    return float(np.sqrt(-2 * run["log_likelihood"].mean() / DATA) / run["true_rmse"])


def _range(values: Sequence[float], form: str) -> str:
    low, high = form.format(min(values)), form.format(max(values))
    return low if low == high else f"{low} to {high}"


def calibration_markdown(units: Units, measures: Mapping[str, Measure]) -> str:
    """Return a table of how often truths lie within central intervals of each sampler."""
    rows = []
    for sampler in SAMPLERS:
        count = len(select(units, Calibration, sampler=sampler))
        if f"calibration.{sampler}.spread" not in measures:
            continue
        for front, quantity in QUANTITIES.items():
            label = f"calibration.{sampler}.{front}"
            cells: list[object] = [NAMES[sampler], count, quantity]
            cells += [_percent(measures[f"{label}c{share}"]) for share in CENTRAL]
            ratios = [measures.get(f"{label}{name}") for name in ("spread", "spread_to_right")]
            rows.append([*cells, *(_ends(ratio) if ratio else "—" for ratio in ratios)])
    heads = ["Sampler", "Truths", "Of the model", *(f"Within {share} %" for share in CENTRAL)]
    heads += ["Mean squared deviation", "Over the right one's"]
    return markdown(heads, rows, "lrl" + "r" * 5, empty="The sampler was not calibrated.")


def _ends(measure: Measure) -> str:
    return f"{measure.value:.2f} ({measure.low:.2f} to {measure.high:.2f})"


def _percent(measure: Measure) -> str:
    low, high = (100 * (end or 0) for end in (measure.low, measure.high))
    return f"{100 * measure.value:.0f} % ({low:.0f} to {high:.0f})"


def passes(measures: Mapping[str, Measure], sampler: str) -> bool:
    """Return whether every interval of a sampler's calibration holds what a right one has."""
    goals = {f"c{share}": share / 100 for share in CENTRAL} | {"spread": 1.0}
    found = [(measures[f"calibration.{sampler}.{name}"], goal) for name, goal in goals.items()]
    return all((m.low or 0) <= goal <= (m.high or 1) for m, goal in found)


def calibrated(
    units: Units, measures: Mapping[str, Measure], judged: Mapping[str, Mapping[str, object]]
) -> str:
    """Return what the calibration says of the sampler, and of those made wrong.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    measures : mapping
        Their measures.
    judged : mapping
        Rows of the ledger by claim, whose verdicts are told.
    """
    if "calibration.right.spread" not in measures:
        return "The sampler has not been calibrated."
    count = len(select(units, Calibration, sampler="right"))
    halves = [
        f"{_percent(measures[f'calibration.right.{front}c{CENTRAL[0]}'])} ({quantity})"
        for front, quantity in QUANTITIES.items()
    ]
    spread = measures["calibration.right.spread"]
    said = [
        f"Of {count} truths, each inverted from data of its own, the central half of the draws "
        f"holds {listed(halves)}. The mean squared deviation of the directions is {_ends(spread)} "
        "times what it should be. That the draws are as wide as they should be is "
        f"{_verdict(judged, 'right')} in the ledger.",
        "A sampler made wrong met the truths and data of the right one, so that truths are pairs.",
    ]
    for sampler, name in NAMES.items():
        ratio = measures.get(f"calibration.{sampler}.spread_to_right")
        if ratio is not None:
            said.append(
                f"{name.capitalize()} the mean squared deviation is {_ends(ratio)} times that of "
                f"the sampler as it is ({ratio.n} truths). That the test tells them apart is "
                f"{_verdict(judged, sampler)}."
            )
    return " ".join(said)


def _verdict(judged: Mapping[str, Mapping[str, object]], sampler: str) -> str:
    return f"*{judged[f'latent_inversion.{CLAIMS[sampler]}']['verdict']}*"


def ranks(units: Units, sampler: str) -> dict[str, np.ndarray]:
    """Return the ranks of all truths of a sampler, by quantity: (truths, components)."""
    found = list(select(units, Calibration, sampler=sampler).values())
    names = {"direction": "directions", "cells": "cells", "share": "share of channel"}
    return {
        word: np.array([truth[f"rank_{name}"] for truth in found]) for name, word in names.items()
    }


def histogram(found: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    """Return the share of ranks (truths, components) in each bin, and a right sampler's band.

    The band is as wide as the central 95 % of a bootstrap over the truths, whose components go
    together. The bins are taken as one: of a right sampler they are alike, and of one that no truth
    fell into a bootstrap knows nothing.
    """
    counts = [np.histogram(each, BINS, (0, 1))[0] / np.size(each) for each in found]
    shares = np.array(counts).mean(0)
    rows = np.random.default_rng(0).integers(len(found), size=(4000, len(found)))
    away = np.array(counts)[rows].mean(1) - shares
    low, high = 1 / BINS + np.quantile(away, [0.025, 0.975])
    return shares, (float(low), float(high))


def outside(found: np.ndarray) -> int:
    """Return how many bins of the ranks lie outside a right sampler's band."""
    shares, (low, high) = histogram(found)
    return int(((shares < low) | (shares > high)).sum())


def outside_told(units: Units) -> str:
    """Return for each sampler how many bins lie outside its band, as the end of a caption."""
    told = []
    for sampler, name in NAMES.items():
        found = {what: each for what, each in ranks(units, sampler).items() if len(each) > 1}
        if found:
            counts = listed([f"{outside(each)} ({what})" for what, each in found.items()])
            told.append(f"{name}, {counts}")
    return f"Of {BINS} bins lie outside: {'; '.join(told)}." if told else ""


def told(
    units: Units, measures: Mapping[str, Measure], judged: Mapping[str, Mapping[str, object]]
) -> str:
    """Return what the posteriors say: cells, noise, whether runs agree and the sampler is right.

    `judged` are rows of the ledger by claim.
    """
    found = scenarios(units)
    if not found:
        return "No posterior was drawn."
    lines: list[str] = []
    for order, rays in ORDERS.items():
        chosen = {key[1:]: runs for key, runs in found.items() if key[0] == order}
        if not chosen:
            continue
        wrong = [100 * float(run["wrong"].mean()) for runs in chosen.values() for run in runs]
        shares = {key: probability(runs) for key, runs in chosen.items()}
        loose = [
            100 * float(((share > OPEN[0]) & (share < OPEN[1])).mean()) for share in shares.values()
        ]
        apart = [
            100 * float(((one >= 0.5) != (shares[model, 2] >= 0.5)).mean())
            for (model, noise), one in shares.items()
            if noise == 1 and (model, 2) in shares
        ]
        noise = ""
        if apart:
            noise = (
                " With other noise the more probable facies changes in "
                f"{_range(apart, '{:.1f}')} % of the cells."
            )
        told = (
            f"a model drawn from it has {_range(wrong, '{:.1f}')} % of its cells wrong; "
            f"{_range(loose, '{:.1f}')} % are open{_OPEN}."
        )
        if lines:
            told = f"{_range(wrong, '{:.1f}')} % wrong, {_range(loose, '{:.1f}')} % open."
        lines.append(
            f"- **{rays.capitalize()}** ({_counted(len(chosen), 'scenario')}): {told}{noise}"
        )
    said = {
        f"{ORDERS[order]}, model {ROMAN[model]}, noise {ROMAN[noise]}": agreement(runs)["r_hat"]
        for (order, model, noise), runs in found.items()
        if len(runs) > 1
    }
    if said:
        lines.append(f"- **Do runs agree?** {_agreed(said)}")
    if "calibration.right.spread" in measures:
        lines.append(f"- **Is the sampler right?** {_trusted(units, measures, judged)}")
    return "\n".join(lines)


def _agreed(said: Mapping[str, float]) -> str:
    """Return how far runs of a scenario agree that began with searches of their own."""
    told = {where: _upwards(value) for where, value in said.items()}
    found = listed([f"{value} ({where})" for where, value in told.items()])
    if all(value <= AGREED for value in said.values()):
        answer = "Yes"
    elif all(value <= POOR for value in said.values()):
        answer = "Not quite"
    else:
        answer = "No"
    return (
        f"{answer}: {{term}}`R-hat` of separate runs is {found}; {AGREED} or less would be "
        "agreement."
    )


def _upwards(value: float) -> str:
    if not np.isfinite(value):
        return "no number"
    return f"at most {math.ceil(round(100 * value, 6)) / 100:.2f}"


def _trusted(
    units: Units, measures: Mapping[str, Measure], judged: Mapping[str, Mapping[str, object]]
) -> str:
    """Return whether the draws are as wide as they should be, and what their intervals hold."""
    count = len(select(units, Calibration, sampler="right"))
    held = [measures[f"calibration.right.c{share}"] for share in CENTRAL]
    spread = measures["calibration.right.spread"]
    less = any((m.high or 1) < share / 100 for m, share in zip(held, CENTRAL, strict=True))
    more = any((m.low or 0) > share / 100 for m, share in zip(held, CENTRAL, strict=True))
    if passes(measures, "right"):
        end = "are no more off than chance would have it"
    elif (less or (spread.low or 0) > 1) and not more and spread.value > 1:
        end = "are **too narrow**: more is open than is shown"
    elif (more or (spread.high or 2) < 1) and not less and spread.value < 1:
        end = "are **too wide**: less is open than is shown"
    else:
        end = "are **not calibrated**"
    inside = listed([_percent(m) for m in held])
    config = PosteriorConfig()
    return (
        f"In the ledger this is {_verdict(judged, 'right')} (width {config.narrow}; {config.width} "
        "was not tested). Its intervals of "
        f"{listed([str(share) for share in CENTRAL])} % hold {inside} of the components of {count} "
        f"true latents, scaled to one length. They {end}."
    )


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")
