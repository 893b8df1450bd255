"""What the chapter on traces says: its numbers, rounded, and the messages of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy import stats

from geolib.gans import wgan
from geolib.runs.measure import Measure
from geolib.runs.tables import listed, percent, percent_span
from geolib.runs.unit import Units
from geolib.studies.wgan_traces import data as wgan_data
from geolib.studies.wgan_traces import tables
from geolib.studies.wgan_traces.units import DATA

Run = Sequence[Mapping[str, np.ndarray]]

#: What stands in a sentence for the number of a run that is not there.
NOT_RUN = "(not run)"
#: The epoch from which the losses have come to rest, and are told apart.
SETTLED = 40

#: The epochs at which the paper shows traces.
SHOWN = (1, 5, 20, 47, 100)

#: Epochs that follow one another upwards or downwards before a share is said to drift.
STEADY = 4

#: Scores are alike within this share of the distance between real traces and silence.
CLOSE = 0.25

#: Epochs at the end of a run over which ranges are told: a single epoch may be the curve's best.
LATE = 10

#: Reading errors, over those on modelled traces, up to which an order counts as met.
MET = 3.0

#: Hz: above it the source has next to nothing.
QUIET = 60.0

#: Measures of which more is better.
HIGHER = ("density", "coverage")

#: Titles of panels.
BRIEF = {
    "swd": "sliced Wasserstein distance",
    "mmd2": "squared mean discrepancy",
    "density": "density",
    "coverage": "coverage",
    "neighbour_accuracy": "accuracy of the classifier",
}


def facts(units: Units) -> dict[str, str]:
    """Return the numbers of the chapter's sentences by name, from a run's units."""
    run, made = tables.epochs(units), tables.measures(units)

    def number(name: str, form: str = ".2f", factor: float = 1.0) -> str:
        return f"{factor * made[name].value:{form}}" if name in made else NOT_RUN

    gap = made.get("score_gap")
    ends = f"{-(gap.high or 0):.2f} to {-(gap.low or 0):.2f}" if gap else NOT_RUN
    return {
        "epochs": f"{len(run)}",
        "epoch_steps": f"{run[0]['critic_loss'].size}",
        "generator": f"{wgan.n_parameters(wgan.make_generator(rng=torch.Generator())):,}",
        "critic": f"{wgan.n_parameters(wgan.make_critic(rng=torch.Generator())):,}",
        "correlation": number("loss_correlation").replace("-", "−"),
        "correlation_late": _correlation(run[SETTLED - 1 :]),
        "correlation_from_1": number("loss_correlation_from_1").replace("-", "−"),
        "swings_from_3": number("swing_ratio_from_3", ".1f"),
        "first_loss": f"{run[0]['critic_loss'].mean():.0f}",
        **_late(run, units[DATA.name]),
        "swd": number("swd_over_floor", ".1f"),
        "coverage": number("coverage", ".0f", 100),
        "floor_coverage": number("floor_coverage", ".0f", 100),
        "accuracy": number("neighbour_accuracy", ".0f", 100),
        "averaged_coverage": f"{100 * float(run[-1]['mean_coverage']):.0f}",
        "gap": number("score_gap", factor=-1),
        "gap_interval": ends,
        "silence": number("zero_minus_real", factor=-1),
        "hiss": f"{hiss(run[-1]['spectrum'], units[DATA.name]['spectrum']):.0f}",
        **_scored(run),
        **_faint(run, units[DATA.name]["traces"]),
        **_polarities(run, made),
        "default_larger": f"{made['default_larger_than_0.2'].k}",
        "layers": f"{made['default_larger_than_0.2'].n}",
        "untrained": number("initial_score_over_default", ".0f"),
        "signed": number("signed_over_absolute_mean", ".2f", 100),
    }


def _late(run: Run, data: Mapping[str, np.ndarray]) -> dict[str, str]:
    """Return what the distances are at epoch 47 and over the last epochs."""
    swd, mmd2 = (tables.curve(list(run), name) for name in ("swd", "mmd2"))
    found = dict.fromkeys(("swd_47", "swd_52", "swd_from_52", "mmd2_late"), NOT_RUN)
    found["mmd2"] = f"{mmd2[-1] / data['floor_mmd2'].max():.0f}"
    if len(run) < 60 + LATE:
        return found
    late = np.sort(100 * (1 - mmd2[-LATE:] / mmd2[46]))
    return found | {
        "swd_47": f"{swd[46]:.3f}",
        "swd_52": f"{swd[51]:.3f}",
        "swd_from_52": f"{swd[51:].min():.3f} and {swd[51:].max():.3f}",
        "mmd2_late": f"{late[0]:.0f} to {late[-1]:.0f} %",
    }


def companion_facts(
    ordered: Mapping[str, Measure], stopped: Mapping[str, Measure]
) -> dict[str, str]:
    """Return the numbers of traces to order and of the stopping rule, from their measures."""
    ratio = ordered["generated_contrast"].value / ordered["modelled_contrast"].value
    return {
        "depth": f"{ordered['generated_depth'].value:.0f}",
        "depth_floor": f"{ordered['modelled_depth'].value:.0f}",
        "depth_band": f"{ordered['generated_depth_kept_back'].value:.0f}",
        "depth_band_deaf": f"{ordered['shuffled_depth_kept_back'].value:.0f}",
        "contrast_error": f"{ordered['generated_contrast'].value:.2f}",
        "contrast_deaf": f"{ordered['shuffled_contrast'].value:.2f}",
        "contrast": f"{ratio:.0f}",
        "polarity": f"{100 * ordered['generated_polarity'].value:.0f}",
        "early_impatient": f"{stopped['early_test_impatient']}",
        "early_patient": f"{stopped['early_test']}",
        "null": f"{100 * stopped['null_share'].value:.1f}",
        "null_n": f"{stopped['null_share'].n}",
    }


def _scored(run: Run) -> dict[str, str]:
    late = [arrays for arrays in run[29:] if "score_validation" in arrays]
    if not late:
        return dict.fromkeys(("picked", "silence_picked", "least_gap", "scored_epochs"), NOT_RUN)
    return {
        "picked": f"{100 * picked_right(run[-1]):.0f}",
        "silence_picked": f"{100 * picked_right(run[-1], 'zero'):.0f}",
        "least_gap": f"{min(map(gap_of_silence, late)):.1f}",
        "scored_epochs": f"{len(late)}",
    }


def _faint(run: Run, real: np.ndarray) -> dict[str, str]:
    accuracies = tables.curve(list(run[:10]), "neighbour_accuracy")
    epoch = int(accuracies.argmin())
    arrays = run[epoch]
    return {
        "faint_epoch": f"{epoch + 1}",
        "faint_accuracy": f"{100 * accuracies[epoch]:.0f}",
        "faint_density": f"{arrays['density'].mean():.4f}",
        "faint_loudness": f"{100 * loudness(arrays['samples'], real):.0f}",
    }


def _polarities(run: Run, made: Mapping[str, Measure]) -> dict[str, str]:
    shares, real = polarity_shares(run), made["real_positive_share"]
    last = shares[max(shares)].value - real.value if shares else None
    return {
        "positive_first": percent(min(shares.items())[1].value) if shares else NOT_RUN,
        "positive_real": percent(real.value),
        "positive_off": NOT_RUN if last is None else f"{100 * last:.0f}",
        "positive_real_interval": percent_span(real.low, real.high),
        **_drift(run, shares, real),
    }


def _drift(run: Run, shares: Mapping[int, Measure], real: Measure) -> dict[str, str]:
    drifting = steady(shares)
    if len(drifting) < STEADY:
        names = ("from", "first", "last", "agree", "nearest", "better")
        return {f"drift_{name}": NOT_RUN for name in names}
    nearest = min(drifting, key=lambda epoch: abs(shares[epoch].value - real.value))
    better = 0
    for name in tables.QUALITY:
        gain = run[drifting[-1] - 1][name].mean() - run[nearest - 1][name].mean()
        better += bool(gain > 0 if name in HIGHER else gain < 0)
    return {
        "drift_from": f"{drifting[0]}",
        "drift_first": f"{100 * shares[drifting[0]].value:.0f}",
        "drift_last": percent(shares[drifting[-1]].value),
        "drift_agree": listed([f"{e}" for e in drifting if _agrees(shares[e], real)]) or NOT_RUN,
        "drift_nearest": f"{nearest}",
        "drift_better": f"{better} of {len(tables.QUALITY)}",
    }


def steady(shares: Mapping[int, Measure]) -> list[int]:
    """Return the last epochs of those given over which the share only rises, or only falls."""
    epochs = sorted(shares)
    steps = np.sign(np.diff([shares[epoch].value for epoch in epochs]))
    turns = np.flatnonzero((steps != steps[-1:]) | (steps == 0))
    return epochs[int(turns[-1]) + 1 if len(turns) else 0 :]


def _agrees(own: Measure, real: Measure) -> bool:
    ends = (real.low or 0.0, real.high or 1.0)
    return (own.low or 0.0) <= ends[1] and (own.high or 1.0) >= ends[0]


def loudness(traces: np.ndarray, real: np.ndarray) -> float:
    """Return the root mean square amplitude of traces over that of real ones."""
    own, other = (np.sqrt(np.square(each, dtype=np.float64).mean()) for each in (traces, real))
    return float(own / other)


def hiss(spectrum: np.ndarray, real: np.ndarray) -> float:
    """Return the mean amplitude above `QUIET` hertz over that of real traces, from mean spectra."""
    frequency = np.fft.rfftfreq(wgan.N_SAMPLES, wgan_data.SAMPLING)
    above = frequency > QUIET
    return float(spectrum[above].mean() / real[above].mean())


def picked_right(arrays: Mapping[str, np.ndarray], other: str = "generated") -> float:
    """Return in what share of pairs, real and of another kind, the real one scores higher."""
    real, fake = arrays["score_validation"], arrays[f"score_{other}"]
    return float(stats.mannwhitneyu(real, fake).statistic / (real.size * fake.size))


def gap_of_silence(arrays: Mapping[str, np.ndarray]) -> float:
    """Return the gap between real and generated scores, over that between real ones and silence."""
    real = float(arrays["score_validation"].mean(dtype=np.float64))
    fake = float(arrays["score_generated"].mean(dtype=np.float64))
    return (real - fake) / abs(real - float(arrays["score_zero"][0]))


def polarity_shares(run: Run) -> dict[int, Measure]:
    """Return by epoch the share of positive first events, where those of all traces were kept."""
    found = {}
    for epoch, arrays in enumerate(run, 1):
        signs = arrays.get("event_polarity", np.zeros(0))
        if (signs != 0).any():
            found[epoch] = Measure.count(int((signs > 0).sum()), int((signs != 0).sum()))
    return found


def _correlation(run: Sequence[Mapping[str, np.ndarray]]) -> str:
    """Return the correlation of both losses' epoch means, with its sign."""
    if len(run) < 3:
        return NOT_RUN
    pair = [
        [float(arrays[f"{name}_loss"].mean()) for arrays in run] for name in ("generator", "critic")
    ]
    return f"{float(stats.pearsonr(*pair).statistic):+.2f}".replace("-", "−")


def shown_epochs(run: Run) -> list[int]:
    """Return the epochs whose traces are shown: the paper's, and the last one of a shorter run."""
    return sorted({*(epoch for epoch in SHOWN if epoch <= len(run)), len(run)})


def unseen_models(data: Mapping[str, np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return velocities and thicknesses of the first n earths of the validation set."""
    held_out = len(data["event_time"])  # validation and test set follow the training set
    first = len(data["velocity"]) - 2 * held_out
    return data["velocity"][first : first + n], data["thickness"][first : first + n]


def losses_message(run: Run) -> str:
    """Return what the loss curves show."""
    critic, generator = (
        tables.curve(list(run), f"{name}_loss")[1:] for name in ("critic", "generator")
    )
    if len(critic) < 3:
        return "The losses of both networks"
    mirrored = -0.5
    early, late = (
        float(np.corrcoef(critic[part], generator[part])[0, 1]) if len(critic[part]) > 2 else None
        for part in (slice(SETTLED - 2), slice(SETTLED - 2, None))
    )
    if early is not None and late is not None and early < mirrored <= late:
        return f"The losses mirror one another at first, not from epoch {SETTLED} on"
    r = float(np.corrcoef(critic, generator)[0, 1])
    mirror = "mirror one another" if r < mirrored else "do not mirror one another"
    return f"From epoch 2 on the losses {mirror} (correlation {r:.2f})".replace("-", "−")


def evolution_message(run: Run, data: Mapping[str, np.ndarray]) -> str:
    """Return whether the last epoch shown is closer to real traces than the one before."""
    distances = tables.curve(list(run), "swd") / data["floor_swd"].mean()
    *before, last = shown_epochs(run)
    if not before:
        return f"After epoch {last} traces are {distances[-1]:.1f} times the floor from real ones"
    nearer = distances[last - 1] < distances[before[-1] - 1]
    word = "closer to" if nearer else "no closer to"
    return f"After epoch {last} traces are {word} real ones than after {before[-1]}"


def quality_message(run: Run, data: Mapping[str, np.ndarray]) -> str:
    """Return in how many measures the last epoch's traces are outside the range of real ones."""
    outside = [
        not data[f"floor_{name}"].min() <= run[-1][name].mean() <= data[f"floor_{name}"].max()
        for name in tables.QUALITY
    ]
    count = f"{sum(outside)} of {len(outside)} measures miss what real traces reach"
    return f"At epoch {len(run)}, {count}"


def shown_message(generated: np.ndarray, modelled: np.ndarray) -> str:
    """Return in how many pairs of the traces shown the modelled one scores higher."""
    higher = int((modelled[:, None] > generated).sum())
    pairs = modelled.size * generated.size
    if higher == pairs:
        return "Every modelled trace here scores above every generated one"
    return f"The modelled trace scores higher in {higher} of the {pairs} pairs here"


def scores_message(arrays: Mapping[str, np.ndarray]) -> str:
    """Return whether a critic scores generated traces like real ones, zeros, or neither."""
    real, fake = (float(arrays[f"score_{name}"].mean()) for name in ("validation", "generated"))
    zero = float(arrays["score_zero"][0])
    close = CLOSE * abs(real - zero)
    if abs(fake - zero) < close:
        return "The critic scores generated traces like silence"
    if abs(fake - real) < close:
        return "The critic scores generated traces like real traces"
    return "The critic scores generated traces neither like real traces nor like silence"


def polarity_message(shares: Mapping[int, Measure], real: Measure) -> str:
    """Return how the share of positive events drifts, or where it lies, and what real ones have."""
    if not shares:
        return "No first events"
    data, drifting = f"{100 * real.value:.0f} %", steady(shares)
    values = [100 * share.value for share in shares.values()]
    if len(values) == 1:
        return f"Of the first events {values[0]:.0f} % are positive; in the data {data}"
    if len(drifting) < STEADY:
        ends = f"{min(values):.0f} to {max(values):.0f} %"
        return f"First events: {ends} are positive; in the data {data}"
    first, last = (shares[drifting[place]].value for place in (0, -1))
    past = min(first, last) < real.value < max(first, last)
    word = "rises" if last > first else "falls"
    told = f"From epoch {drifting[0]} on the positive share {word} to {100 * last:.0f} %"
    return f"{told}, past {data}" if past else f"{told}; in the data {data}"


def ordered_message(found: Mapping[str, Measure]) -> str:
    """Return which orders are met, from the measures of traces to order."""

    def met(name: str) -> bool:
        own, kind = found[f"generated_{name}"], name.partition("_")[0]
        return own.value <= MET * found[f"modelled_{kind}"].value

    if not met("depth"):
        return "Neither depth nor contrast is met" if not met("contrast") else "Depth is not met"
    where = "everywhere" if met("depth_kept_back") else "where there were examples"
    return f"Depth is met {where}, contrast {'as well' if met('contrast') else 'only roughly'}"


def deeper(arrays: Mapping[str, np.ndarray], deepest: float) -> str:
    """Return in how many traces a reader finds its event too deep, of depths never trained on."""
    kept = arrays["kept_back"].astype(bool)
    return percent(float((arrays["generated"][kept, 0] > deepest).mean()))


def ordered_caption(arrays: Mapping[str, np.ndarray], panel: tuple[float, float]) -> str:
    """Return what the figure of traces to order shows.

    Parameters
    ----------
    arrays : mapping
        Of the training; depths in m.
    panel : (low, high)
        Between which depths are drawn.
    """
    depths, kept = arrays["generated"][:, 0], arrays["kept_back"].astype(bool)
    beyond = (depths < panel[0]) | (depths > panel[1])
    trained, gap = (f"{beyond[rows].sum()} of {rows.sum()}" for rows in (~kept, kept))
    return (
        "Depth of and contrast across the first reflector, read off generated and modelled traces, "
        "against what was asked for. Left: the grey depths were kept from the training; outside "
        f"the panel lie {gap} generated ones of these and {trained} of the others. Right: only "
        "depths that were trained on."
    )
