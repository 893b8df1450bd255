"""Numbers that the ledger's sentences give beside a verdict: alternatives, and what was noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy import stats
from torch import nn

from geolib.gans import wgan
from geolib.runs.measure import Measure
from geolib.runs.unit import Units
from geolib.studies.wgan_traces.story import loudness, polarity_shares
from geolib.studies.wgan_traces.tables import TRAINED, default_deviations, epochs
from geolib.studies.wgan_traces.units import DATA

#: Epochs whose pairs of scores the ledger asks about.
ORDERED = (1, 5, 10, 20, 80, 90, 100)
#: The deviation that DCGAN starts with.
DCGAN = 0.02


def measures(units: Units) -> dict[str, Measure]:
    """Return the numbers of the sentences, from whatever units there are."""
    deviations, run = default_deviations(), epochs(units)
    larger = sum(deviation > DCGAN for deviation in deviations)
    found = {f"default_larger_than_{DCGAN}": Measure.count(larger, len(deviations)), **_unpadded()}
    found |= _told_apart(run)
    if len(run) < TRAINED:
        return found
    found |= _training(run)
    if DATA.name in units:
        real = units[DATA.name]["traces"]
        for epoch in (1, 5):
            if "samples" in run[epoch - 1]:
                loud = loudness(run[epoch - 1]["samples"], real)
                found[f"epoch_{epoch}_loudness"] = Measure(loud)
    return found


def _told_apart(run: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    """Return how often a critic scores an unseen real trace above a generated one of its epoch.

    And in how many epochs each loss is higher than in the one before.
    """
    found = {}
    for epoch in (epoch for epoch in ORDERED if epoch <= len(run)):
        if "score_validation" in (arrays := run[epoch - 1]):
            real, generated = (arrays[f"score_{each}"] for each in ("validation", "generated"))
            ordered = stats.mannwhitneyu(real, generated).statistic
            found[f"told_apart_{epoch}"] = Measure(float(ordered) / real.size / generated.size)
    for player in ("critic", "generator") if len(run) > 1 else ():
        rises = np.diff([float(arrays[f"{player}_loss"].mean()) for arrays in run]) > 0
        found[f"{player}_loss_rises"] = Measure.count(int(rises.sum()), len(rises))
    return found


def _unpadded() -> dict[str, Measure]:
    """Return the lengths within a critic whose convolutions are not padded."""
    x, found = torch.zeros(1, 1, wgan.N_SAMPLES), {}
    layers = wgan.make_critic(rng=torch.Generator()).modules()
    convolutions = [layer for layer in layers if isinstance(layer, nn.Conv1d)]
    for index, layer in enumerate(convolutions[:3], 2):
        # The length alone is asked for, which one channel tells as well.
        x = torch.nn.functional.conv1d(x, layer.weight[:1, :1], stride=layer.stride)
        found[f"critic_{index}_length_unpadded"] = Measure(x.shape[2])
    return found


def _training(run: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    found = {
        f"epoch_{epoch}.positive_share": share for epoch, share in polarity_shares(run).items()
    }
    swings = [float(arrays["critic_loss"].std()) for arrays in run]
    found["epoch_14_swings"] = Measure(swings[13])
    found["greatest_swings_2_to_10"] = Measure(max(swings[1:10]))
    for epoch in (4, 7):
        found[f"epoch_{epoch}_swd"] = Measure(float(np.mean(run[epoch - 1]["swd"])))
    scored = [arrays for arrays in run if "score_validation" in arrays]
    return found | (_scores(scored) if scored else {})


def _scores(scored: Sequence[Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    means = [[a[f"score_{kind}"].mean() for kind in ("validation", "generated")] for a in scored]
    above = [real > fake for real, fake in means]
    found = {"real_above_generated": Measure.count(int(sum(above)), len(above))}
    real, fake = (scored[-1][f"score_{kind}"].astype(float) for kind in ("validation", "generated"))
    low, high = np.quantile(real, [0.025, 0.975])
    among = int(((low <= fake) & (fake <= high)).sum())
    found["generated_scores_among_real"] = Measure.count(among, len(fake))
    normal = stats.kstest(real, "norm", args=(real.mean(), real.std(ddof=1)))
    found["real_scores_off_normal"] = Measure(float(normal.statistic))
    return found
