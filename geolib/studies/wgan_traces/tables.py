"""What the units of `wgan_traces` say: the ledger's measures, quality table, stopping rule."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TypedDict

import numpy as np
import torch
from scipy import stats

from geolib.gans import wgan
from geolib.runs.measure import Measure
from geolib.runs.tables import markdown
from geolib.runs.unit import Units
from geolib.studies.wgan_traces.units import DATA, Epoch

#: The deviation that `torch.nn.init.normal_`, which sets a deviation by hand, has by default.
NORMAL = float((torch.nn.init.normal_.__defaults__ or ())[1])
QUALITY = {
    "swd": "sliced Wasserstein-2 distance",
    "mmd2": "squared maximum mean discrepancy",
    "density": "density (k = 5)",
    "coverage": "coverage (k = 5)",
    "neighbour_accuracy": "nearest-neighbour classifier, accuracy",
}
#: The rule: stop when the relative test has found no improvement this many epochs in a row. As many
#: as lie between the two generators of a test: the opening of the game swings, and no swing shorter
#: than that may end a training.
ALPHA, PATIENCE = 0.05, 10
#: Epochs of the paper's Figure 4 that it compares.
COMPARED = ((5, 1), (20, 5), (100, 47))
TRAINED = 100  # the epoch whose networks the paper calls the best


def epochs(units: Units) -> list[Mapping[str, np.ndarray]]:
    """Return the arrays of epochs 1, 2, ... up to the first one missing."""
    found: list[Mapping[str, np.ndarray]] = []
    while (name := Epoch(len(found) + 1).name) in units:
        found.append(units[name])
    return found


def curve(run: list[Mapping[str, np.ndarray]], name: str) -> np.ndarray:
    """Return the mean of an array in each epoch."""
    return np.array([float(np.mean(arrays[name])) for arrays in run])


def stopping_epoch(p_values: Mapping[int, float], patience: int = PATIENCE) -> int | None:
    """Return the epoch at which the rule stops, or None if it goes on.

    Parameters
    ----------
    p_values : mapping of int to float
        By epoch, the p-value of "no closer to the validation set than ten epochs ago".
    patience : int
        Tests without a significant improvement, one after the other, that stop the training.
    """
    return idle_epoch({epoch: p < ALPHA for epoch, p in sorted(p_values.items())}, patience)


def idle_epoch(better: Mapping[int, bool], patience: int) -> int | None:
    """Return the epoch that ends a row of `patience` ones which were not better, or None."""
    idle = 0
    for epoch, improved in better.items():
        idle = 0 if improved else idle + 1
        if idle == patience:
            return epoch
    return None


def level_epoch(history: np.ndarray) -> int | None:
    """Return the epoch from which scores under one critic stay within two late deviations.

    None if that is true of little more than the last ten themselves, as on a straight slope.
    """
    band = 2 * history[-10:].std()
    outside = np.flatnonzero(np.abs(history - history[-10:].mean()) > band)
    level = int(outside[-1] + 2) if len(outside) else 1
    return level if level < len(history) - 10 else None


def last_history(run: list[Mapping[str, np.ndarray]]) -> int:
    """Return the last epoch whose critic has scored the traces of all epochs before it."""
    return max(e for e, arrays in enumerate(run, 1) if "score_history" in arrays)


def p_values(run: list[Mapping[str, np.ndarray]]) -> dict[int, float]:
    """Return the p-values of the relative test by epoch."""
    return {
        e: float(arrays["improvement_p"])
        for e, arrays in enumerate(run, 1)
        if "improvement_p" in arrays
    }


class Quality(TypedDict):
    """A measure of generated traces beside the floor between real ones."""

    measure: str
    generated: Measure
    floor: Measure


def quality_rows(units: Units, epoch: int) -> list[Quality]:
    """Return each measure's name, its value for an epoch, and the floor between real traces."""
    arrays, data = units[Epoch(epoch).name], units[DATA.name]
    return [
        {
            "measure": label,
            "generated": Measure.mean(arrays[name].tolist()),
            "floor": Measure.mean(data[f"floor_{name}"].tolist()),
        }
        for name, label in QUALITY.items()
    ]


def quality_table(columns: Mapping[str, list[Quality]]) -> str:
    """Return generated traces against the floor as Markdown; `quality_rows` for each label."""
    rows = [
        [row[0]["measure"], *(each["generated"] for each in row), row[0]["floor"]]
        for row in zip(*columns.values(), strict=True)
    ]
    return markdown(["Measure", *columns, "Unseen real traces (floor)"], rows)


def score_table(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the scores that an epoch's critic gives as a Markdown table."""
    rows = []
    for label, name in {
        "real": "validation",
        "generated": "generated",
        "zero": "zero",
        "white noise": "noise",
    }.items():
        scores = arrays[f"score_{name}"]
        rows.append(
            [label, *(f"{number:.3f}" for number in (scores.mean(), scores.min(), scores.max()))]
        )
    return markdown(["Traces", "Mean score", "Least", "Greatest"], rows)


def spread(samples: np.ndarray, real: np.ndarray) -> float:
    """Return the deviation among traces `(n, nt)`, RMS over time, over that among real ones.

    Near zero the generator has collapsed to one trace.
    """
    own, other = (
        np.sqrt(traces.var(axis=0, ddof=1).mean(dtype=np.float64)) for traces in (samples, real)
    )
    return float(own / other)


def default_deviations() -> list[float]:
    r"""Return the standard deviations that PyTorch's default gives the kernels of the 14 layers.

    The default is uniform within :math:`\pm 1/\sqrt{n}`, n the fan-in, so the deviation is
    :math:`1/\sqrt{3n}`. For a transposed convolution PyTorch takes outputs times kernel for n.
    """
    rng = torch.Generator()
    layers = [
        layer
        for network in (wgan.make_generator(rng=rng), wgan.make_critic(rng=rng))
        for layer in network.modules()
        if isinstance(layer, (torch.nn.Conv1d, torch.nn.ConvTranspose1d))
    ]
    return [float(1 / np.sqrt(3 * layer.weight[0].numel())) for layer in layers]


def initial_score(std: float | None, traces: np.ndarray) -> float:
    """Return untrained critics' mean absolute score of traces `(n, nt)`; None is the default."""
    critics = (wgan.make_critic(std, rng=torch.Generator().manual_seed(n)) for n in range(5))
    return float(
        np.mean([np.abs(wgan.score(critic, traces[:, None])).mean() for critic in critics])
    )


def architecture() -> dict[str, Measure]:
    """Return channels and length of what reaches every layer, found by running both networks."""
    rng = torch.Generator().manual_seed(0)
    found: dict[str, Measure] = {}
    sides = (
        ("generator", wgan.make_generator(rng=rng), wgan.draw_latents(2, rng)),
        ("critic", wgan.make_critic(rng=rng), torch.zeros(2, 1, wgan.N_SAMPLES)),
    )
    for name, network, inputs in sides:
        shapes = wgan.layer_inputs(network, inputs)
        for index, (channels, length) in enumerate(shapes, 1):
            found[f"{name}_{index}_channels"] = Measure(channels)
            found[f"{name}_{index}_length"] = Measure(length)
        with torch.no_grad():
            found[f"{name}_output"] = Measure(network(inputs)[0].numel())
    filters = [layer[2] for layer in wgan.GENERATOR_LAYERS]
    drops = [(a, b) for a, b in itertools.pairwise(filters) if a != b]
    # The paper names the last layer, which has one filter, apart.
    found["filters_halved"] = Measure.count(sum(a == 2 * b for a, b in drops[:-1]), len(drops) - 1)
    found["filter_halvings"] = Measure(float(sum(a == 2 * b for a, b in drops)))
    found["length_as_printed"] = Measure(wgan.layer_lengths(as_printed=True)[-1])
    deviations = default_deviations()
    found["default_larger_than_0.2"] = Measure.count(
        sum(d > 0.2 for d in deviations), len(deviations)
    )
    found["normal_default_larger_than_0.2"] = Measure(float(NORMAL > 0.2))
    return found


def measures(units: Units) -> dict[str, Measure]:
    """Return what the units say; a claim about an epoch that was not run gets no number."""
    found = architecture()
    run = epochs(units)
    if "data" in units:
        data = units["data"]
        found |= _spectra(run, data["spectrum"])
        polarity = data["event_polarity"]
        found["real_positive_share"] = Measure.count(
            int((polarity > 0).sum()), int((polarity != 0).sum())
        )
        scores = {std: initial_score(std, data["traces"]) for std in (0.2, None, NORMAL)}
        found["initial_score_over_default"] = Measure(scores[0.2] / scores[None], n=5)
        found["initial_score_over_normal"] = Measure(scores[0.2] / scores[NORMAL], n=5)
        found["signed_over_absolute_mean"] = Measure(
            float(abs(data["signed_mean"]) / (data["scale"] / 10))
        )
    if run:
        found |= _curves(run)
    # The paper judges scores and traces of the networks of epoch 100: no others can confirm or
    # refute it.
    if len(run) >= TRAINED:
        found |= _scores(run[TRAINED - 1])
        for epoch in (80, 90):  # what another epoch's networks would have said
            if "score_validation" in run[epoch - 1]:
                found |= {
                    f"epoch_{epoch}.{name}": measure
                    for name, measure in _scores(run[epoch - 1]).items()
                }
        if "data" in units:
            found |= _quality(units, TRAINED)
    elif run and (scored := [arrays for arrays in run if "score_validation" in arrays]):
        found |= {f"last.{name}": measure for name, measure in _scores(scored[-1]).items()}
    if len(run) >= 300:
        found["epochs_run"] = Measure(len(run))
    return found


def _scores(last: Mapping[str, np.ndarray]) -> dict[str, Measure]:
    real, fake = last["score_validation"].astype(float), last["score_generated"].astype(float)
    zero, noise = float(last["score_zero"][0]), last["score_noise"].astype(float)
    centre, spread = real.mean(), real.std(ddof=1)
    gap = fake.mean() - centre
    least, most = stats.ttest_ind(fake, real, equal_var=False).confidence_interval()
    low, high = np.quantile(real, [0.025, 0.975])
    polarity, far = last["event_polarity"], abs(zero - centre)
    return {
        "real_score": Measure.mean(real.tolist()),
        "generated_score": Measure.mean(fake.tolist()),
        "zero_score": Measure(zero),
        "score_gap": Measure(gap, least, most, len(fake)),
        "score_gap_in_sd": Measure(gap / spread, least / spread, most / spread, len(fake)),
        # Scores have a free offset and scale: the distance to a trace of zeros is a yardstick of
        # the same critic.
        "score_gap_of_zero": Measure(gap / far, least / far, most / far, len(fake)),
        "generated_above_real": Measure(float(gap > 0)),
        "held_out_gap": Measure(float(centre - last["score_training"].mean()), n=len(real)),
        "zero_minus_real": Measure(zero - centre),
        "zero_among_real": Measure(float(low <= zero <= high)),
        "generated_among_real": Measure(float(low <= fake.mean() <= high)),
        "noise_minus_real_low": Measure(float(noise.min() - centre), n=len(noise)),
        "noise_minus_real_high": Measure(float(noise.max() - centre), n=len(noise)),
        "noise_below_all_real": Measure(float(noise.max() < real.min())),
        **_shape_of_scores(real),
        "generated_positive_share": Measure.count(
            int((polarity > 0).sum()), max(1, int((polarity != 0).sum()))
        ),
    }


def _shape_of_scores(real: np.ndarray) -> dict[str, Measure]:
    """Return skewness and excess kurtosis with bootstrap intervals (the same draws always)."""
    again, found = real[np.random.default_rng(0).integers(0, len(real), (1000, len(real)))], {}
    for name, of in (("skewness", stats.skew), ("excess_kurtosis", stats.kurtosis)):
        low, high = map(float, np.quantile(of(again, axis=1), [0.025, 0.975]))
        found[f"real_score_{name}"] = Measure(float(of(real)), low, high, len(real))
    return found


def _curves(run: list[Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    power = np.square(np.abs(np.fft.rfft(run[0]["samples"], axis=1))).mean(axis=0)[1:]
    flatness = Measure(float(np.exp(np.log(power).mean()) / power.mean()))
    return {"epoch_1_flatness": flatness, **_losses(run), **_distances(run), **_rule(run)}


def _losses(run: list[Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    critic, generator = curve(run, "critic_loss"), curve(run, "generator_loss")
    found: dict[str, Measure] = {}
    # Less the critic's free constant the generator's loss is what the critic tells apart.
    told_apart = curve(run, "penalty") - critic
    if len(run) >= TRAINED:
        found["free_correlation"] = Measure(float(np.corrcoef(critic[1:], told_apart[1:])[0, 1]))
        rise = (told_apart[:10].max() - told_apart[0]) / np.ptp(told_apart)
        found["free_generator_rise"] = Measure(float(rise))
        slope = stats.linregress(np.arange(20, len(run) + 1), told_apart[19:]).slope
        found["free_generator_slope_after_20"] = Measure(float(slope))
    if len(run) >= 20:
        # The first epoch's critic loss is far from all others; it alone decides what is measured
        # from it on. No interval: epochs of one training follow from one another, and there is one.
        for first in (1, 2, 11, 21):
            if len(run) > first + 1:
                r = float(np.corrcoef(critic[first - 1 :], generator[first - 1 :])[0, 1])
                if abs(r) < 1:
                    found[_from("loss_correlation", first)] = Measure(r)
        for first in (1, 2, 3, 4):
            parts = run[first - 1 : 10], run[10:]
            early, late = (np.concatenate([a["critic_loss"] for a in part]).std() for part in parts)
            found[_from("swing_ratio", first)] = Measure(float(early / late))
    # Before that the range of the curves would be hardly more than that of the tested epochs.
    if len(run) >= TRAINED:
        for first, end in ((0, ""), (1, "_from_2")):
            fall = (critic[first] - critic[first:10].min()) / np.ptp(critic[first:])
            rise = (generator[first:10].max() - generator[first]) / np.ptp(generator[first:])
            found[f"critic_loss_drop{end}"] = Measure(fall)
            found[f"generator_loss_rise{end}"] = Measure(rise)
    if len(run) >= 40:
        for first in (20, 24, 40):
            if len(run) > first:
                x = np.arange(first, len(run) + 1)
                slope = stats.linregress(x, generator[first - 1 :]).slope
                found[f"generator_slope_after_{first}"] = Measure(slope)
    return found


def _from(name: str, first: int) -> str:
    # The second epoch is where the ledger measures from; others stand beside it.
    return name if first == 2 else f"{name}_from_{first}"


def _distances(run: list[Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    found = {
        f"{name}_{later}_over_{earlier}": Measure(values[later - 1] / values[earlier - 1])
        for name, values in (
            (name, curve(run, name)) for name in ("swd", "mmd2", "neighbour_accuracy")
        )
        for later, earlier in COMPARED
        if len(run) >= later
    }
    if len(run) >= TRAINED:
        history = run[TRAINED - 1]["score_history"]
        # The critic of epoch 100 must have scored later generators to say that nothing changes
        # after epoch 100.
        if len(history) >= 150 and (level := level_epoch(history)) is not None:
            found["fig_6_level_epoch"] = Measure(level)
    if len(run) >= 150:
        swd = curve(run, "swd")
        found["swd_after_100"] = Measure(swd[100:].mean() / swd[90:100].mean())
    return found


def _spectra(run: list[Mapping[str, np.ndarray]], real: np.ndarray) -> dict[str, Measure]:
    """Return how the shape of the mean spectrum changes: its misfit with loudness taken out."""
    unit = real / np.linalg.norm(real)
    kept = {n: each["spectrum"] for n, each in enumerate(run, 1) if "spectrum" in each}
    misfit = {n: float(np.linalg.norm(s / np.linalg.norm(s) - unit)) for n, s in kept.items()}
    return {
        f"spectrum_{later}_over_{earlier}": Measure(misfit[later] / misfit[earlier])
        for later, earlier in COMPARED
        if {later, earlier} <= set(misfit)
    }


def _rule(run: list[Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    tests = p_values(run)
    found: dict[str, Measure] = {}
    for patience in (3, 5, PATIENCE) if tests else ():
        epoch = stopping_epoch(tests, patience=patience)
        end = f"_patience_{patience}" if patience != PATIENCE else ""
        found[f"no_rule_stops{end}"] = Measure(float(epoch is None), n=len(tests))
        if epoch is not None:
            found[f"rule_epoch{end}"] = Measure(epoch, n=len(tests))
    return found


def _quality(units: Units, epoch: int) -> dict[str, Measure]:
    arrays, data = units[Epoch(epoch).name], units[DATA.name]
    found: dict[str, Measure] = {}
    for name in QUALITY:
        found[name] = Measure.mean(arrays[name].tolist())
        found[f"floor_{name}"] = Measure.mean(data[f"floor_{name}"].tolist())
        if name in ("swd", "density", "coverage"):
            floor = float(np.mean(data[f"floor_{name}"]))
            ours = found[name]
            low, high = (None if v is None else v / floor for v in (ours.low, ours.high))
            found[f"{name}_over_floor"] = Measure(ours.value / floor, low, high, ours.n)
    found["nearest_over_unseen"] = Measure(
        float(np.median(arrays["nearest"]) / np.median(data["nearest"]))
    )
    return found
