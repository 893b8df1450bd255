"""The networks that the book hands out: whether a rule would have chosen them, and what they miss.

They are those of the last epoch. A rule that chooses on the validation set stands here in code; it
was not written down before the run was seen, so that the page says only whether it agrees.
"""

from __future__ import annotations

import numpy as np

from geolib.gans import wgan
from geolib.metrics import traces
from geolib.metrics.traces import Interval
from geolib.runs.measure import Measure
from geolib.runs.tables import listed
from geolib.runs.unit import Units
from geolib.studies.wgan_traces import quality, tables
from geolib.studies.wgan_traces.config import TracesConfig
from geolib.studies.wgan_traces.data import part_of
from geolib.studies.wgan_traces.story import HIGHER, NOT_RUN, Run
from geolib.studies.wgan_traces.training import torch_rng

#: The measure that chooses an epoch: the share of the validation set that is covered.
RULE = "coverage"
#: Of the scores at the paper's epoch 100: generated traces and silence above real ones.
PUBLISHED_GAP, PUBLISHED_SILENCE = 0.008, 0.116
#: Others that might, as the sentences call them.
OTHERS = {"swd": "the sliced distance", "mmd2": "the squared mean discrepancy"}


def best_epoch(run: Run, measure: str = RULE) -> int:
    """Return the epoch whose traces are best on the validation set by a measure."""
    values = tables.curve(list(run), measure)
    return int(values.argmax() if measure in HIGHER else values.argmin()) + 1


def facts(config: TracesConfig, units: Units, judged: Units) -> dict[str, str]:
    """Return what the pages say of the networks handed out, by name.

    Parameters
    ----------
    config, units
        Of the precomputed run.
    judged : mapping
        Units of the study of quality.
    """
    run, networks = tables.epochs(units), wgan.load_pretrained()
    loud = loudness(config, networks)
    return choice(run, networks.epoch) | gaps(units) | {"missed": missed(judged, loud)}


def choice(run: Run, epoch: int) -> dict[str, str]:
    """Return whether the best epoch is the one handed out, and what other measures choose."""
    best = best_epoch(run)
    also = [f"{name} epoch {best_epoch(run, each)}" for each, name in OTHERS.items()]
    return {
        "best": "the best by coverage" if best == epoch else f"where epoch {best} covers most",
        "choice": f"Of {len(run)} epochs, coverage of the validation set chooses {best}, "
        + listed(also),
    }


def loudness(config: TracesConfig, networks: wgan.Pretrained, n: int = 1000) -> Interval:
    """Return the amplitude of generated traces over that of the test set, here and now: 2 s."""
    real = part_of(config, 2, networks.scale)
    made = networks.sample(n, torch_rng(config.seed, 15, networks.epoch))
    return traces.loudness(real, made, np.random.default_rng([config.seed, 31]))


def missed(units: Units, loud: Interval) -> str:
    """Return by how much the handed-out traces miss those of the test set.

    Parameters
    ----------
    units : mapping
        Of the study of quality.
    loud : Interval
        Of `loudness`.
    """
    epoch = quality.chosen_epoch(units)
    own, floor = units[f"test-epoch-{epoch:04d}"], units["test-floor"]
    if "polarity" not in own:
        return NOT_RUN
    share = quality.interval(own, "polarity")
    late, late_floor = (1000 * float(each["event_time"][0]) for each in (own, floor))
    off, off_floor = (100 * float(each["spectrum"][0]) for each in (own, floor))
    return (
        f"They begin with a positive swing {_points(share)} often than computed ones that no "
        f"network has seen. The times of their first events are {late:.0f} ms off, their mean "
        f"spectrum {off:.0f} %; two sets of computed traces differ by {late_floor:.0f} ms and "
        f"{off_floor:.0f} %. They are {loud.value:.2f} times as loud ({loud.low:.2f} to "
        f"{loud.high:.2f})."
    )


def _points(share: Measure) -> str:
    low, high = sorted(np.sign(share.value) * 100 * (end or 0) for end in (share.low, share.high))
    ends = f"({low:.0f} to {high:.0f})".replace("-", "−")
    more = "less" if share.value < 0 else "more"
    return f"{abs(100 * share.value):.0f} percentage points {ends} {more}"


def gaps(units: Units) -> dict[str, str]:
    """Return the score gaps as fractions of the distance between real traces and silence."""
    found = tables.measures(units)
    if not {"score_gap", "zero_minus_real", "held_out_gap"} <= found.keys():
        return dict.fromkeys(("gap_share", "held_out_share", "paper_share"), NOT_RUN)
    silence = found["zero_minus_real"].value
    shares = {
        "gap_share": found["score_gap"].value / silence,
        "held_out_share": found["held_out_gap"].value / silence,
        "paper_share": PUBLISHED_GAP / PUBLISHED_SILENCE,
    }
    return {name: f"{100 * abs(share):.1f} %" for name, share in shares.items()}
