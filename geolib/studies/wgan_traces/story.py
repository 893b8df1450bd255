"""What the chapter on traces says: its numbers, rounded, and the messages of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from scipy import stats

from geolib.gans import wgan
from geolib.runs.measure import Measure
from geolib.runs.store import Results
from geolib.runs.unit import Units
from geolib.studies.wgan_traces import data as wgan_data
from geolib.studies.wgan_traces import tables
from geolib.studies.wgan_traces.gallery import N_ANIMATED
from geolib.studies.wgan_traces.units import DATA

Run = Sequence[Mapping[str, np.ndarray]]
#: What stands in a sentence for the number of a run that is not there.
NOT_RUN = "(not run)"
#: Below this share of the real traces' spread a generator makes one trace whatever its latent.
COLLAPSED = 0.1
#: The epochs at which the paper shows traces, and those at which this book looks at the polarity.
SHOWN, LOOKED_AT = (1, 5, 20, 47, 100), (47, 60, 80, 100)
#: Scores are alike within this share of the distance between real traces and silence.
CLOSE = 0.25
#: Hz: above it the source has next to nothing.
QUIET = 60.0
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

    def less(name: str) -> str:
        return f"{100 * (1 - made[name].value):.0f} %" if name in made else NOT_RUN

    gap = made.get("score_gap")
    ends = f"{gap.low:.2f} to {gap.high:.2f}" if gap else NOT_RUN
    return {
        "epochs": f"{len(run)}",
        "steps": f"{sum(arrays['critic_loss'].size for arrays in run):,}",
        "generator": f"{wgan.n_parameters(wgan.make_generator(rng=torch.Generator())):,}",
        "critic": f"{wgan.n_parameters(wgan.make_critic(rng=torch.Generator())):,}",
        "correlation": number("loss_correlation").replace("-", "−"),
        "correlation_from_1": number("loss_correlation_from_1").replace("-", "−"),
        "swings": number("swing_ratio", ".1f"),
        "swings_from_3": number("swing_ratio_from_3", ".1f"),
        "first_loss": f"{run[0]['critic_loss'].mean():.0f}",
        "nearer": less("swd_100_over_47"),
        "nearer_mmd2": less("mmd2_100_over_47"),
        "swd": number("swd_over_floor", ".1f"),
        "coverage": number("coverage", ".0f", 100),
        "floor_coverage": number("floor_coverage", ".0f", 100),
        "covered": number("coverage_over_floor", ".0f", 100),
        "accuracy": number("neighbour_accuracy", ".0f", 100),
        "averaged_coverage": f"{100 * float(run[-1]['mean_coverage']):.0f}",
        "gap": number("score_gap").replace("-", "−"),
        "gap_interval": ends.replace("-", "−"),
        "silence": number("zero_minus_real").replace("-", "−"),
        "held_out": number("held_out_gap").removeprefix("-"),
        "hiss": f"{hiss(run[-1]['spectrum'], units[DATA.name]['spectrum']):.0f}",
        **_scored(run),
        **_faint(run, units[DATA.name]["traces"]),
        **_polarities(run, made),
        "default_larger": f"{made['default_larger_than_0.2'].k}",
        "layers": f"{made['default_larger_than_0.2'].n}",
        "untrained": number("initial_score_over_default", ".0f"),
        "signed": number("signed_over_absolute_mean", ".2f", 100),
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
        return {"picked": NOT_RUN, "least_gap": NOT_RUN, "scored_epochs": NOT_RUN}
    return {
        "picked": f"{100 * picked_right(run[-1]):.0f}",
        "least_gap": f"{min(map(gap_of_silence, late)):.1f}",
        "scored_epochs": f"{len(late)}",
    }


def _faint(run: Run, real: np.ndarray) -> dict[str, str]:
    accuracies = tables.curve(list(run[:10]), "neighbour_accuracy")
    epoch = int(accuracies.argmin())
    arrays = run[epoch]
    distances = tables.curve(list(run), "swd")
    later = np.flatnonzero(distances[epoch + 1 :] < distances[epoch])
    return {
        "faint_epoch": f"{epoch + 1}",
        "faint_accuracy": f"{100 * accuracies[epoch]:.0f}",
        "faint_density": f"{arrays['density'].mean():.4f}",
        "faint_loudness": f"{100 * loudness(arrays['samples'], real):.0f}",
        "faint_until": f"{epoch + 2 + later[0]}" if later.size else NOT_RUN,
    }


def _polarities(run: Run, made: Mapping[str, Measure]) -> dict[str, str]:
    shares = polarity_shares(run)
    real = made["real_positive_share"]
    last = shares[max(shares)].value - real.value if shares else None
    return {
        **{
            f"positive_{epoch}": _percent(shares[epoch].value) if epoch in shares else NOT_RUN
            for epoch in LOOKED_AT
        },
        "positive_real": _percent(real.value),
        "positive_off": NOT_RUN if last is None else f"{100 * last:.0f}",
        "positive_real_interval": f"{100 * (real.low or 0):.0f} to {100 * (real.high or 1):.0f} %",
    }


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def loudness(traces: np.ndarray, real: np.ndarray) -> float:
    """Return the root mean square amplitude of traces over that of real ones."""
    own, other = (np.sqrt(np.square(each, dtype=np.float64).mean()) for each in (traces, real))
    return float(own / other)


def hiss(spectrum: np.ndarray, real: np.ndarray) -> float:
    """Return the mean amplitude above `QUIET` hertz over that of real traces, from mean spectra."""
    frequency = np.fft.rfftfreq(wgan.N_SAMPLES, wgan_data.SAMPLING)
    above = frequency > QUIET
    return float(spectrum[above].mean() / real[above].mean())


def picked_right(arrays: Mapping[str, np.ndarray]) -> float:
    """Return in what share of pairs, real and generated, the critic scores the real one higher."""
    real, fake = arrays["score_validation"], arrays["score_generated"]
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


def shown_epochs(run: Run) -> list[int]:
    """Return the epochs whose traces are shown: the paper's, and the last one of a shorter run."""
    return sorted({*(epoch for epoch in SHOWN if epoch <= len(run)), len(run)})


def unseen_models(data: Mapping[str, np.ndarray], n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return velocities and thicknesses of the first n earths of the validation set."""
    held_out = len(data["event_time"])  # validation and test set follow the training set
    first = len(data["velocity"]) - 2 * held_out
    return data["velocity"][first : first + n], data["thickness"][first : first + n]


# Messages: each says what its figure shows of the run that was drawn, whichever that is.


def losses_message(run: Run) -> str:
    """Return what the loss curves show."""
    critic, generator = (
        tables.curve(list(run), f"{name}_loss")[1:] for name in ("critic", "generator")
    )
    if len(critic) < 3:
        return "The losses of both networks"
    r = float(np.corrcoef(critic, generator)[0, 1])
    mirror = "mirror one another" if r < -0.5 else "do not mirror one another"
    return f"From epoch 2 on the losses {mirror} (correlation {r:.2f})".replace("-", "−")


def evolution_message(run: Run, data: Mapping[str, np.ndarray]) -> str:
    """Return how far from real traces the last two epochs shown are."""
    distances = tables.curve(list(run), "swd") / data["floor_swd"].mean()
    shown = shown_epochs(run)[-2:]
    told = " and ".join(f"{distances[epoch - 1]:.1f}" for epoch in shown)
    epochs = " and ".join(map(str, shown))
    return f"Distance to real traces after epoch {epochs}: {told} times the floor"


def quality_message(run: Run, data: Mapping[str, np.ndarray]) -> str:
    """Return in how many measures the last epoch's traces are outside the range of real ones."""
    outside = [
        not data[f"floor_{name}"].min() <= run[-1][name].mean() <= data[f"floor_{name}"].max()
        for name in tables.QUALITY
    ]
    count = f"{sum(outside)} of {len(outside)} measures are outside what real traces reach"
    return f"At epoch {len(run)}, {count}"


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
    """Return how the last share of positive first events stands to that of real traces."""
    if not shares:
        return "No first events"
    epoch = max(shares)
    own, ends = shares[epoch], (real.low or 0.0, real.high or 1.0)
    apart = (own.low or 0.0) > ends[1] or (own.high or 1.0) < ends[0]
    told = "have drifted from those of the data" if apart else "agree with the data"
    return f"At epoch {epoch} the polarities {told}"


def by_deviation(found: Sequence[Results]) -> dict[float, Run]:
    """Return the epochs of trainings by the initial deviation of their kernels."""
    return {float(each.config["init_std"]): tables.epochs(each.units) for each in found}


def spreads(run: Run, real: np.ndarray) -> np.ndarray:
    """Return for each epoch the spread among traces of fixed latents, over that of real ones."""
    return np.array([tables.spread(arrays["samples"][:N_ANIMATED], real) for arrays in run])


def narrowest(runs: Mapping[float, Run], real: np.ndarray) -> int:
    """Return the epoch, of those all runs reached, at which the last run's traces differ least."""
    shown = min(map(len, runs.values()))
    return int(spreads(list(runs.values())[-1][:shown], real).argmin()) + 1


def deviation_titles(runs: Mapping[float, Run], real: np.ndarray) -> dict[float, str]:
    """Return by initial deviation in how many epochs the generator made one and the same trace."""
    shown = min(map(len, runs.values()))
    counts = {d: int((spreads(run[:shown], real) < COLLAPSED).sum()) for d, run in runs.items()}
    return {d: f"from {d:g}: {n} of {shown} epochs collapsed" for d, n in counts.items()}


def deviation_facts(runs: Mapping[float, Run], real: np.ndarray) -> dict[str, str]:
    """Return what the second of two trainings from different deviations says, beside the first."""
    if len(runs) < 2:
        names = ("epochs", "collapsed", "narrow", "spread", "spread_other", "ratio")
        return {f"deviation_{name}": NOT_RUN for name in names}
    shown, narrow = min(map(len, runs.values())), narrowest(runs, real)
    own, other = (spreads(run[:shown], real) for run in list(runs.values())[:2])
    ends = [np.median(tables.curve(list(run[shown // 2 : shown]), "mmd2")) for run in runs.values()]
    return {
        "deviation_epochs": f"{shown}",
        "deviation_collapsed": f"{(other < COLLAPSED).sum()}",
        "deviation_narrow": f"{narrow}",
        "deviation_spread": f"{100 * own[narrow - 1]:.0f}",
        "deviation_spread_other": f"{100 * other[narrow - 1]:.1f}",
        "deviation_ratio": f"{ends[1] / ends[0]:.0f}",
    }
