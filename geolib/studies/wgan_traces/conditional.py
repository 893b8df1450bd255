"""Traces to order: a generator that is told its first reflector's depth and contrast.

Niu et al. (2020) name labelled traces as the use of their generator and conditions as the way
there. Here sixteen of the generator's hundred inputs carry the conditions. What was obtained is
measured on the trace by a matched filter, whose own error on modelled traces is the floor. One
range of depths is kept from the training altogether.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn

from geolib._runtime import keep_memory
from geolib.gans import losses, wgan
from geolib.gans.train import Game, Players, train
from geolib.runs.measure import Measure
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Units
from geolib.studies.wgan_traces import training
from geolib.studies.wgan_traces.config import ConditionalConfig
from geolib.studies.wgan_traces.data import SAMPLING, amplitude_scale, forward
from geolib.studies.wgan_traces.training import BETAS, torch_rng

FIRST_VELOCITY = 2500.0  # m/s, of the first layer: with it unknown, time would not tell depth
DEPTH = (150.0, 400.0)  # m
BAND = (250.0, 300.0)  # m, depths that are never trained on
CONTRAST = (0.08, 0.28)  # size of (v2 - v1) / (v2 + v1); either sign
DEEPER = (1500.0, 4500.0)  # m/s, of the layers below
FREQUENCY = 20.0  # Hz
LOBE = 13  # samples between the first lobe of a reflection and its largest, at most
N_CODES = 16  # inputs of the generator, of its hundred, that carry the conditions
N_SHOWN = 4  # traces of one condition kept for the figure


def draw_conditions(n: int, rng: np.random.Generator, band: bool) -> np.ndarray:
    """Return n pairs `(n, 2)` of depth (m) and contrast, inside or outside the range kept back."""
    if band:
        depth = rng.uniform(*BAND, n)
    else:
        below, above = BAND[0] - DEPTH[0], DEPTH[1] - BAND[1]
        drawn = rng.uniform(0, below + above, n)
        depth = DEPTH[0] + drawn + np.where(drawn > below, BAND[1] - BAND[0], 0)
    return np.stack([depth, rng.uniform(*CONTRAST, n) * rng.choice([-1, 1], n)], axis=1)


def model_traces(conditions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return modelled traces `(n, 499)` with the first reflector asked for, the rest random."""
    n, contrast = len(conditions), conditions[:, 1]
    first = np.full(n, FIRST_VELOCITY)
    second = FIRST_VELOCITY * (1 + contrast) / (1 - contrast)
    velocity = np.column_stack([first, second, rng.uniform(*DEEPER, (n, 2))])
    thickness = np.column_stack([conditions[:, 0], rng.uniform(*DEPTH, (n, 2))])
    return forward(velocity, thickness, FREQUENCY)


def encode(conditions: np.ndarray) -> tuple[Tensor, Tensor]:
    """Return what the generator, `(n, 16)` in -1 to 1, and the critic, `(n, 1, 499)`, are told.

    The generator gets the contrast times cosines and sines of the depth: linear maps of these are
    pulses at any depth, where the two bare numbers would first have to be made into them. The
    critic is a stack of short convolutions: numbers constant in time would not tell it where to
    look. It gets a pulse as high as the contrast where the reflection is to come.
    """
    depth, contrast = torch.as_tensor(conditions, dtype=torch.float32).T
    height = (contrast / CONTRAST[1])[:, None]
    angles = (
        torch.pi
        * ((depth - DEPTH[0]) / (DEPTH[1] - DEPTH[0]))[:, None]
        * torch.arange(N_CODES // 2)
    )
    codes = height * torch.cat([angles.cos(), (angles + angles[:, 1:2]).sin()], dim=1)
    sample = (2 * depth / FIRST_VELOCITY + 1.5 / FREQUENCY) / SAMPLING
    pulse = torch.exp(-0.5 * ((torch.arange(wgan.N_SAMPLES) - sample[:, None]) / 2).square())
    return codes, (height * pulse)[:, None]


class ConditionalCritic(nn.Module):
    """The critic of table 2 with a second channel for the conditions."""

    def __init__(self, network: wgan.Critic) -> None:
        super().__init__()
        self.network = network

    def forward(self, traces: Tensor, codes: Tensor, pulses: Tensor) -> Tensor:
        """Return scores `(n,)` of traces `(n, 1, 499)` under the generator's codes."""
        scores: Tensor = self.network(torch.cat([traces, pulses], dim=1))
        return scores


def latents(codes: Tensor, rng: torch.Generator) -> Tensor:
    """Return latents `(n, 100, 1)` whose first entries are the codes."""
    return torch.cat(
        [codes[:, :, None], wgan.draw_latents(len(codes), rng)[:, codes.shape[1] :]], dim=1
    )


class Reader:
    """Reads depth and contrast of the first reflector off traces by a matched filter.

    The template is a modelled reflection; the filter's output is picked at the largest lobe that
    follows the first one above half the least contrast.

    Parameters
    ----------
    scale : float
        What the traces were divided by.
    """

    def __init__(self, scale: float) -> None:
        self.depth, contrast = 275.0, 0.2
        second = FIRST_VELOCITY * (1 + contrast) / (1 - contrast)
        velocity = np.array([[FIRST_VELOCITY, second, second, second]])
        trace = forward(velocity, np.array([[self.depth, 100.0, 100.0]]), FREQUENCY)[0] / scale
        centre = round(float(np.average(np.arange(trace.size), weights=trace**2)))
        self.template = trace[centre - 15 : centre + 16] / np.square(trace).sum()
        self.gain = contrast
        self.sample = self._pick(trace[None])[0][0]

    def _pick(self, traces: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        filtered = np.stack([np.correlate(trace, self.template, mode="same") for trace in traces])
        size = np.abs(filtered)
        first = (size > CONTRAST[0] / self.gain / 2).argmax(axis=1)
        window = np.arange(LOBE + 1)
        where = np.minimum(first[:, None] + window, size.shape[1] - 2)
        peak = np.maximum(
            where[np.arange(len(where)), np.take_along_axis(size, where, 1).argmax(1)], 1
        )
        row = np.arange(len(peak))
        left, middle, right = (filtered[row, peak + k] for k in (-1, 0, 1))
        bend = left - 2 * middle + right
        shift = np.divide(left - right, 2 * bend, out=np.zeros_like(bend), where=bend != 0).clip(
            -0.5, 0.5
        )
        return peak + shift, middle - (left - right) * shift / 4

    def read(self, traces: np.ndarray) -> np.ndarray:
        """Return depth in m and contrast `(n, 2)` of traces `(n, 499)`."""
        sample, height = self._pick(traces)
        depth = self.depth + (sample - self.sample) * SAMPLING * FIRST_VELOCITY / 2
        return np.stack([depth, height * self.gain], axis=1)


def _train(config: ConditionalConfig) -> Arrays:
    streams = [np.random.default_rng([config.seed, part]) for part in range(4)]
    trained_on = draw_conditions(config.n_traces, streams[0], band=False)
    raw = model_traces(trained_on, streams[1])
    scale = amplitude_scale(raw)
    real = torch.from_numpy((raw / scale).astype(np.float32))[:, None]
    rng = torch_rng(config.seed, 10)
    generator = wgan.make_generator(rng=rng)
    critic = ConditionalCritic(wgan.make_critic(rng=rng, precision=config.precision, channels=2))
    adam = partial(torch.optim.Adam, lr=config.learning_rate, betas=BETAS, fused=True)
    players = Players(generator, critic, adam(generator.parameters()), adam(critic.parameters()))
    codes, pulses = encode(trained_on)

    def draw_real() -> tuple[Tensor, tuple[Tensor, ...]]:
        rows = torch.randint(len(real), (config.batch,), generator=rng)
        return real[rows], (codes[rows], pulses[rows])

    game = Game(
        losses.WASSERSTEIN,
        draw_real=draw_real,
        draw_inputs=lambda _, conditions: (latents(conditions[0], rng),),
        critic_steps=2,
        penalty=lambda c, x, y: 10 * losses.gradient_penalty(c, x, y, rng),
        reuse_real=True,
    )
    keep_memory()
    steps = list(train(players, game, config.iterations))
    return training.curves(steps) | _assess(
        config, generator.eval(), Reader(scale), scale, streams[2]
    )


@torch.no_grad()
def _assess(
    config: ConditionalConfig,
    generator: nn.Module,
    reader: Reader,
    scale: float,
    stream: np.random.Generator,
) -> Arrays:
    half = config.n_asked // 2
    asked = np.concatenate([draw_conditions(half, stream, band) for band in (False, True)])
    modelled = model_traces(asked, stream) / scale
    rng = torch_rng(config.seed, 11)
    made = generator(latents(encode(asked)[0], rng))[:, 0].numpy()
    shown = np.repeat(asked[[0, 1, half, half + 1]], N_SHOWN, axis=0)
    return {
        "asked": asked,
        "kept_back": np.arange(len(asked)) >= half,
        "generated": reader.read(made),
        "modelled": reader.read(modelled),
        "shown_conditions": shown,
        "shown_generated": generator(latents(encode(shown)[0], rng))[:, 0].numpy(),
        "shown_modelled": (model_traces(shown, stream) / scale).astype(np.float32),
    }


def errors(
    arrays: Mapping[str, np.ndarray], name: str, rows: np.ndarray
) -> tuple[Measure, Measure, Measure]:
    """Return median errors in depth (m) and contrast, and the share with the right polarity.

    `name` is "generated" or "modelled", or "shuffled" for generated traces held against the
    conditions of others: what a generator would reach that did not listen.
    """
    asked = arrays["asked"][rows]
    found = arrays["generated" if name == "shuffled" else name][rows]
    if name == "shuffled":
        found = np.roll(found, len(found) // 2, axis=0)
    off = np.abs(found - asked)
    rng = np.random.default_rng(0)
    medians = []
    for column in off.T:
        resampled = np.median(rng.choice(column, (1000, len(column))), axis=1)
        low, high = np.quantile(resampled, [0.025, 0.975])
        medians.append(Measure(float(np.median(column)), float(low), float(high), len(column)))
    right = np.sign(found[:, 1]) == np.sign(asked[:, 1])
    return medians[0], medians[1], Measure.count(int(right.sum()), len(right))


def table(arrays: Mapping[str, np.ndarray]) -> str:
    """Return the errors as a Markdown table."""
    found = []
    band = arrays["kept_back"].astype(bool)
    for name in ("modelled", "generated", "shuffled"):
        for label, rows in (("trained on", ~band), ("kept back", band)):
            found.append([name, label, *errors(arrays, name, rows)])
    return markdown(
        ["Traces", "Depths", "Error in depth (m)", "Error in contrast", "Right polarity"], found
    )


class Conditional(training.OneTraining[ConditionalConfig]):
    """The one training, and what it makes to order."""

    name = "wgan_conditional"
    title = "Traces to order"
    question = (
        "Does a generator that is told depth and contrast of the first reflector make traces "
        "that have them?"
    )
    shown = "bfloat16"  # in the preset's float32 nothing is trained yet
    Config = ConditionalConfig
    seconds = 7.0

    def train(self, config: ConditionalConfig) -> Arrays:
        """Return the training, its losses and what it makes."""
        return _train(config)

    def measures(self, config: ConditionalConfig, units: Units) -> dict[str, Measure]:
        """Return median errors on conditions that were not trained on, and those of no listener."""
        found: dict[str, Measure] = {}
        for arrays in units.values():
            band = arrays["kept_back"].astype(bool)
            for name in ("generated", "modelled", "shuffled"):
                for label, rows in (("", ~band), ("_kept_back", band)):
                    values = errors(arrays, name, rows)
                    keys = (
                        f"{name}_depth{label}",
                        f"{name}_contrast{label}",
                        f"{name}_polarity{label}",
                    )
                    found |= dict(zip(keys, values, strict=True))
        return found


STUDY = Conditional()
