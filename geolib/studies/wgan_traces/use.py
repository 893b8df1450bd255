"""Does generated data help where labels are scarce? A small network that picks first reflections.

Niu et al. (2020) make traces so that other networks can be trained on them. Here such a network is:
it finds time and polarity of the first reflection on noisy traces. Labels of modelled traces are
those of their earths; generated traces are labelled by a rule that reads them before the noise is
added. The rule's own error is measured. What a generator has to beat is not only the same few
labelled traces, but these traces altered by hand: shifted in time and turned over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from geolib.gans import wgan
from geolib.metrics import samples as metrics
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, whole
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Single, Unit, Units, of_kind
from geolib.studies.wgan_traces.config import TracesConfig, UseConfig
from geolib.studies.wgan_traces.data import SAMPLING, draw_models, forward
from geolib.studies.wgan_traces.training import torch_rng

WEIGHTS = "wgan_traces.safetensors"
SOURCES = {
    "real": "labelled traces",
    "altered": "labelled traces, shifted and turned over",
    "generated": "generated traces",
    "both": "labelled and generated traces",
}
SHARES = (0.02, 0.05, 0.1, 0.2, 0.3, 0.5)  # of a trace's largest amplitude, for the rule
CLOSE = 0.012  # s, three samples: a pick this close is right
SHIFT = 40  # samples, the largest alteration in time
WIDTH, KERNEL = 16, 9
#: Seconds of a recheck, measured on one core.
RULE_SECONDS, PICKER_SECONDS = 5.0, 45.0


@dataclass(frozen=True)
class Picker(Unit):
    """A picker trained on n labelled traces of a kind; generated ones alone have n = 0."""

    TEMPLATE: ClassVar[str] = "{source}-{n}-seed-{seed}"
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"source": tuple(SOURCES)}

    source: str
    n: int
    seed: int


@dataclass(frozen=True)
class Picked:
    """Traces `(n, 499)`, each scaled to size 1; times in samples; polarities, 1 or -1."""

    traces: np.ndarray
    time: np.ndarray
    polarity: np.ndarray

    def __getitem__(self, rows: np.ndarray | slice) -> Picked:
        """Return some of the traces."""
        return Picked(self.traces[rows], self.time[rows], self.polarity[rows])

    def __add__(self, other: Picked) -> Picked:
        """Return the traces of both."""
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Picked(*map(np.concatenate, pairs))


def modelled(n: int, entropy: Sequence[int]) -> Picked:
    """Return n modelled traces; time and polarity are those of the first interface."""
    sizes = TracesConfig.preset("paper")
    velocity, thickness = draw_models(sizes, n, np.random.default_rng(list(entropy)))
    traces = forward(velocity, thickness, sizes.frequency)
    time = 2 * thickness[:, 0] / velocity[:, 0] / SAMPLING
    return Picked(_scaled(traces), time, np.sign(velocity[:, 1] - velocity[:, 0]))


def _scaled(traces: np.ndarray) -> np.ndarray:
    return np.asarray(traces / np.abs(traces).max(axis=1, keepdims=True), dtype=np.float32)


class Rule:
    """Reads time and polarity off a trace without noise: its first event of a least size.

    Parameters
    ----------
    known : Picked
        Modelled traces, to choose the least size, the delay of the wavelet and the sign by.
    """

    def __init__(self, known: Picked) -> None:
        found = {}
        for share in SHARES:
            time, polarity = metrics.first_event(known.traces, 1.0, share)
            lag = time - known.time
            delay = float(np.nanmedian(lag))
            found[share] = (float(np.mean(np.abs(lag - delay) <= CLOSE / SAMPLING)), delay)
        self.share = max(found, key=lambda share: found[share][0])
        self.delay = found[self.share][1]
        polarity = metrics.first_event(known.traces, 1.0, self.share)[1]
        self.sign = 1.0 if np.mean(polarity == known.polarity) >= 0.5 else -1.0

    def label(self, traces: np.ndarray) -> Picked:
        """Return the traces that have an event after the delay, with their labels."""
        time, polarity = metrics.first_event(traces, 1.0, self.share)
        kept = np.isfinite(time) & (time >= self.delay)
        return Picked(traces[kept], time[kept] - self.delay, self.sign * polarity[kept])


class Network(nn.Module):
    """Five convolutions; of each sample whether it is the pick, and the polarity there."""

    def __init__(self, rng: torch.Generator) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        before = 1
        for dilation in (1, 2, 4, 8):
            reach = dilation * (KERNEL - 1) // 2
            layers += [nn.Conv1d(before, WIDTH, KERNEL, padding=reach, dilation=dilation)]
            layers += [nn.ReLU()]
            before = WIDTH
        self.layers = nn.Sequential(*layers, nn.Conv1d(WIDTH, 2, 1))
        wgan.initialise(self, None, rng)

    def forward(self, traces: Tensor) -> tuple[Tensor, Tensor]:
        """Return logits `(n, 499)` of the sample, and of the polarity `(n,)`."""
        where, sign = self.layers(traces[:, None]).unbind(1)
        return where, (torch.softmax(where, 1) * sign).sum(1)


class Sets:
    """The sets of a configuration, made when first asked for."""

    def __init__(self, config: UseConfig) -> None:
        self.config = config

    @cached_property
    def labelled(self) -> Picked:
        """As many labelled traces as the largest training takes."""
        return modelled(max(self.config.labelled), [self.config.seed, 40])

    @cached_property
    def test(self) -> Picked:
        """Unseen traces."""
        return modelled(self.config.n_test, [self.config.seed, 41])

    @cached_property
    def rule(self) -> Rule:
        """The rule, chosen on traces that neither train nor test."""
        return Rule(modelled(self.config.n_test, [self.config.seed, 42]))

    @cached_property
    def generated(self) -> Picked:
        """Generated traces that the rule could label."""
        rng = torch_rng(self.config.seed, 43)
        made = wgan.load_pretrained().sample(self.config.n_generated, rng)[:, 0]
        return self.rule.label(_scaled(made))

    def of(self, unit: Picker) -> Picked:
        """Return what a picker is trained on; of both kinds in equal shares (`_batch`)."""
        if unit.source == "generated":
            return self.generated
        rng = np.random.default_rng([self.config.seed, 44, unit.seed])
        return self.labelled[rng.permutation(len(self.labelled.time))[: unit.n]]


def _altered(part: Picked, rng: np.random.Generator) -> Picked:
    """Return traces shifted in time, as far as their pick allows, and half of them turned over."""
    n = len(part.time)
    shift = rng.integers(-SHIFT, SHIFT + 1, n).clip(min=-np.floor(part.time).astype(int))
    columns = np.arange(part.traces.shape[1]) - shift[:, None]
    inside = (columns >= 0) & (columns < part.traces.shape[1])
    moved = np.where(inside, np.take_along_axis(part.traces, columns * inside, 1), 0)
    turned = rng.choice([-1, 1], n)
    traces = (moved * turned[:, None]).astype(np.float32)
    return Picked(traces, part.time + shift, part.polarity * turned)


def _noisy(traces: np.ndarray, noise: float, rng: np.random.Generator) -> Tensor:
    drawn = rng.standard_normal(traces.shape, dtype=np.float32)
    return torch.from_numpy(traces + np.float32(noise) * drawn)


def _train(config: UseConfig, sets: Sets, unit: Picker) -> Arrays:
    rng = np.random.default_rng([config.seed, 45, unit.seed])
    network = Network(torch_rng(config.seed, 46, unit.seed))
    adam = torch.optim.Adam(network.parameters(), config.learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, config.steps)
    own = sets.of(unit)

    def draw(source: Picked, n: int) -> Picked:
        return source[rng.integers(len(source.time), size=n)]

    for _ in range(config.steps):
        if unit.source == "both":
            part = draw(own, config.batch // 2) + draw(sets.generated, config.batch // 2)
        else:
            part = draw(own, config.batch)
        if unit.source == "altered":
            part = _altered(part, rng)
        where, sign = network(_noisy(part.traces, config.noise, rng))
        target = torch.from_numpy(part.time.round().astype(np.int64)).clamp(0, where.shape[1] - 1)
        positive = torch.from_numpy((part.polarity > 0).astype(np.float32))
        loss = functional.cross_entropy(where, target)
        loss = loss + functional.binary_cross_entropy_with_logits(sign, positive)
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
    return _judge(network, sets.test, config)


@torch.no_grad()
def _judge(network: Network, test: Picked, config: UseConfig) -> Arrays:
    traces = _noisy(test.traces, config.noise, np.random.default_rng([config.seed, 47]))
    where, sign = network(traces)
    off = (where.argmax(1).numpy() - test.time) * SAMPLING
    right = np.sign(sign.numpy()) == test.polarity
    return {"time_error": off.astype(np.float32), "polarity_right": right}


def _judge_rule(sets: Sets) -> Arrays:
    time, polarity = metrics.first_event(sets.test.traces, 1.0, sets.rule.share)
    off = (time - sets.rule.delay - sets.test.time) * SAMPLING
    return {
        "time_error": off.astype(np.float32),
        "polarity_right": sets.rule.sign * polarity == sets.test.polarity,
        "share": np.array(sets.rule.share),
        "labelled_share": np.array(len(sets.generated.time) / sets.config.n_generated),
    }


def hits(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    """Return which test traces are picked within three samples and with the right polarity."""
    close: np.ndarray = np.abs(arrays["time_error"]) <= CLOSE
    found: np.ndarray = close & arrays["polarity_right"].astype(bool)
    return found


def shares(units: Units, source: str, n: int) -> np.ndarray:
    """Return the share of right picks of every seed, in the order of the seeds."""
    found = {}
    for name, arrays in units.items():
        unit = Picker.read(name)
        if unit is not None and (unit.source, unit.n) == (source, n):
            found[unit.seed] = float(hits(arrays).mean())
    return np.array([found[seed] for seed in sorted(found)])


def sizes(units: Units) -> list[int]:
    """Return the numbers of labelled traces that there are results of."""
    found = {unit.n for unit in map(Picker.read, units) if unit is not None}
    return sorted(found - {0})


class Use(Study[UseConfig]):
    """Pickers trained on labelled, altered, generated and mixed traces."""

    name = "wgan_use"
    title = "Generated traces where labels are scarce"
    question = "Does a picker of first reflections learn more with generated traces than without?"
    Config = UseConfig
    kinds = (Picker, Single)

    def units(self, config: UseConfig) -> list[Unit]:
        """Return the rule, the pickers of generated traces alone, and those of every size."""
        found: list[Unit] = [Single("rule")]
        for seed in range(1, config.n_seeds + 1):
            found += [Picker("generated", 0, seed)]
            found += [
                Picker(s, n, seed) for n in config.labelled for s in ("real", "altered", "both")
            ]
        # More seeds where the claim is made: the smallest size alone, to spare the others' cost.
        return found + [
            Picker(s, min(config.labelled), seed)
            for seed in range(config.n_seeds + 1, config.n_scarce + 1)
            for s in ("real", "altered", "both")
        ]

    def inputs(self, config: UseConfig, unit: Unit) -> Sequence[str]:
        """Return the generator's file."""
        return (WEIGHTS,)

    def compute(
        self, config: UseConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units."""
        sets = Sets(config)
        for unit in units:
            if isinstance(unit, Picker):
                yield unit, _train(config, sets, unit)
            else:
                yield unit, _judge_rule(sets)

    def batches(self, config: UseConfig, units: Sequence[Unit]) -> list[list[Unit]]:
        """Return the units of a seed together: they share their sets, and nothing else."""
        rest = [unit for unit in units if not isinstance(unit, Picker)]
        seeds: dict[int, list[Unit]] = {}
        for unit in of_kind(Picker, units):
            seeds.setdefault(unit.seed, []).append(unit)
        return [part for part in (rest, *seeds.values()) if part]

    def recheck(
        self, config: UseConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: the rule whole, a picker trained again by its hits.

        With another processor's arithmetic 2 of a thousand test traces were picked otherwise.
        """
        if isinstance(unit, Single):
            return whole(self, config, unit, arrays, RULE_SECONDS)

        def share(made: Arrays) -> Arrays:
            return {"right": np.array(hits(made).mean())}

        def again() -> Arrays:
            return share(dict(self.compute(config, [unit]))[unit])

        how = "trained again, its share of right picks"
        return Recheck(how, max(seconds, PICKER_SECONDS), share(arrays), again)

    def measures(self, config: UseConfig, units: Units) -> dict[str, Measure]:
        """Return shares of right picks, and what generated traces add to labelled ones."""
        found: dict[str, Measure] = {}
        if "rule" in units:
            found["use_rule"] = Measure.count(int(hits(units["rule"]).sum()), config.n_test)
        alone = shares(units, "generated", 0)
        if alone.size:
            found["use_generated"] = Measure.mean(alone.tolist())
        for n in sizes(units):
            values = {source: shares(units, source, n) for source in ("real", "altered", "both")}
            for source, each in values.items():
                if each.size:
                    found[f"use_{source}_{n}"] = Measure.mean(each.tolist())
            for rival in ("real", "altered"):
                if values["both"].size and values["both"].size == values[rival].size:
                    gain = values["both"] - values[rival]
                    found[f"use_gain_over_{rival}_{n}"] = Measure.mean(gain.tolist())
        return found


STUDY = Use()
