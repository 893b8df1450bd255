"""Tables of the appendix on traces: settings, arithmetic, stopping rule, proofs of the errata."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from geolib.gans import losses, wgan
from geolib.runs.tables import markdown
from geolib.studies.wgan_traces import data as wgan_data
from geolib.studies.wgan_traces import tables
from geolib.studies.wgan_traces.config import AMPLITUDE_FACTOR, TracesConfig
from geolib.studies.wgan_traces.story import Run


def settings(config: TracesConfig) -> str:
    """Return as a Markdown table the settings of data and training, and which of them are ours."""
    given, ours = "the paper", "our choice"
    steps = f"{wgan_data.N_STEPS} of {1000 * wgan_data.DT:.0f} ms"
    depth = (wgan_data.SOURCE_ROW + 1) * wgan_data.SPACING
    game = f"{config.batch}, {config.critic_steps}, {config.penalty_weight:g}"
    rows = [
        ("Traces to train on", f"{config.n_traces:,}", given),
        ("Layers of an earth", 4, given),
        ("Interval velocities (m/s), uniform", _range(config.velocity), ours),
        ("Thicknesses (m), uniform", _range(config.thickness), ours),
        ("Time steps", steps, "number: the paper; length: ours"),
        ("Samples of a trace", f"{wgan.N_SAMPLES}, every fourth", given),
        ("Spacing of the grid (m)", f"{wgan_data.SPACING:.0f}", ours),
        ("Depth of source and receiver (m)", f"{depth:.0f}", ours),
        ("Frequency that sets the Gaussian's width (Hz)", f"{config.frequency:.0f}", ours),
        ("Traces divided by", f"{AMPLITUDE_FACTOR:.0f} times a mean", "absolute: ours"),
        ("Latents, uniform", f"{config.latent_low:g} to 1", "number: the paper; range: ours"),
        ("Slope of the leaky ReLU", 0.2, ours),
        ("Initial deviation of the kernels", f"{config.init_std:g}", given),
        ("Learning rate and first decay of Adam", f"{config.learning_rate:g}, 0.5", given),
        ("Batch, critic steps, weight of the penalty", game, given),
        ("Epochs", config.n_epochs, "paper: 300, judged at 100"),
        ("Arithmetic of the critic", config.precision, ours),
    ]
    return markdown(["Setting", "Value", "Whose"], rows)


def _range(pair: Sequence[float]) -> str:
    return f"{pair[0]:.0f} to {pair[1]:.0f}"


def layers() -> str:
    """Return what enters each layer of both networks, channels by length, as a Markdown table."""
    found = tables.architecture()
    count = max(len(wgan.GENERATOR_LAYERS), len(wgan.CRITIC_FILTERS) + len(wgan.CRITIC_HEAD))
    rows = []
    for layer in range(1, count + 1):
        cells = []
        for network in ("generator", "critic"):
            pair = [found.get(f"{network}_{layer}_{part}") for part in ("channels", "length")]
            cells.append(" × ".join(f"{m.value:.0f}" for m in pair if m is not None) or "—")
        rows.append([layer, *cells])
    outputs = [f"1 × {found[f'{network}_output'].value:.0f}" for network in ("generator", "critic")]
    return markdown(["Layer", "Generator", "Critic"], [*rows, ["output", *outputs]], "rrr")


def arithmetic(pair: Mapping[str, Run]) -> str:
    """Return the losses of two epochs in two number formats, beside what one epoch does to them."""
    rows = []
    for name in ("critic_loss", "generator_loss"):
        means = {label: tables.curve(list(run), name) for label, run in pair.items()}
        step = np.diff(next(iter(means.values())))[0]
        for epoch in range(2):
            cells = [f"{each[epoch]:.3g}" for each in means.values()]
            rows.append([epoch + 1, name.replace("_", " "), *cells, f"{step:.3g}"])
    return markdown(["Epoch", "Loss", *pair, "Change from epoch 1 to 2"], rows, "rlrrr")


def arithmetic_change(pair: Mapping[str, Run]) -> float:
    """Return how far two number formats are apart, over what one epoch does (1 if that is less)."""
    changes = []
    for name in ("critic_loss", "generator_loss"):
        one, other = (tables.curve(list(run), name) for run in pair.values())
        changes.append(float(abs(one - other).max() / max(1.0, abs(np.diff(one))[0])))
    return max(changes)


def stopping(run: Run) -> str:
    """Return what the relative test says of a run, and when scores of its last critic level off."""
    tests = tables.p_values(list(run))
    rows: list[list[object]] = [
        ["Epochs", len(run)],
        ["Tests", len(tests)],
        ["Significant improvements", sum(p < tables.ALPHA for p in tests.values())],
    ]
    for patience in (3, 5, tables.PATIENCE):
        epoch = tables.stopping_epoch(tests, patience=patience)
        rows.append([f"Stops with a patience of {patience}", epoch or "does not stop"])
    late = tables.last_history(list(run))
    level = tables.level_epoch(run[late - 1]["score_history"])
    rows.append([f"Scores under the critic of epoch {late} level off at", level or "no epoch"])
    return markdown(["Rule", "Epoch or number"], rows, "lr")


def errata(traces: np.ndarray) -> str:
    """Return what the misprints give, beside what is right, as a Markdown table.

    Parameters
    ----------
    traces : (n, 499) ndarray
        Real ones, for untrained critics to score.
    """
    default = tables.default_deviations()
    larger = sum(deviation > 0.2 for deviation in default)
    smaller = sum(deviation > 0.02 for deviation in default)
    scores = [f"{tables.initial_score(std, traces):.1g}" for std in (None, 0.2, 0.02)]
    filters = [layer[2] for layer in wgan.GENERATOR_LAYERS]
    ends = [wgan.layer_lengths(as_printed)[-1] for as_printed in (True, False)]
    pairs = ((1, 64), (64, 64), (64, 64), (64, 1))
    unpadded = torch.nn.Sequential(*[torch.nn.Conv1d(i, o, 3) for i, o in pairs])
    length = unpadded(torch.zeros(1, 1, wgan.N_SAMPLES)).shape[-1]
    w, points = torch.tensor([1.0, 2.0, 2.0]), torch.rand(5, 3)
    bare = torch.func.vmap(torch.func.grad(lambda x: x @ w))(points)
    penalty = losses.gradient_penalty(lambda x: x @ w, points, points)
    rows = [
        [1, "Length at the end of the generator", *ends],
        [2, "Layers, of 14, whose default deviation is above 0.2; above 0.02", larger, smaller],
        [2, "Score of untrained critics from 0.2; from the default", scores[1], scores[0]],
        [2, "The same from 0.02; from the default", scores[2], scores[0]],
        [3, "Filters, layer by layer", "halved", ", ".join(map(str, filters))],
        [4, "Samples that reach layer 5 of the critic", length, wgan.N_SAMPLES],
        [6, "Numbers in the penalty of five samples", bare.numel(), penalty.numel()],
    ]
    return markdown(["Erratum", "What", "As printed", "Right, or as built"], rows, "rlrr")
