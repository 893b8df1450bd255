"""Seismic traces from a Wasserstein GAN: modelling, training by epochs, and their quality."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib.gans import wgan
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, whole
from geolib.runs.store import Arrays, Store
from geolib.runs.study import Study
from geolib.runs.unit import Unit, Units, select, under
from geolib.studies.wgan_traces import sidelights, tables, training
from geolib.studies.wgan_traces.config import AMPLITUDE_FACTOR, TracesConfig
from geolib.studies.wgan_traces.data import N_STEPS, SOURCE_ROW, SPACING, dataset
from geolib.studies.wgan_traces.gallery import (
    LOOKED_AT,
    N_ANIMATED,
    N_HISTORY,
    PER_TRACE,
    Gallery,
    Reference,
    data_arrays,
)
from geolib.studies.wgan_traces.training import BETAS
from geolib.studies.wgan_traces.units import DATA, Epoch

DIMS = {
    **dict.fromkeys(("critic_loss", "generator_loss", "penalty"), ("iteration",)),
    **dict.fromkeys(("samples", "traces"), ("trace", "sample")),
    **dict.fromkeys(("velocity", "thickness"), ("model", "layer")),
}


class WganTraces(Study[TracesConfig]):
    """The data, then the epochs, each of which needs the one before."""

    name = "wgan_traces"
    paper = "niu2020"
    title = "Seismic traces from a Wasserstein GAN"
    question = (
        "Can an adversarial network learn to draw seismic traces, and how does one know when to "
        "stop training it?"
    )
    version = 2
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    sequential = True
    Config = TracesConfig
    kinds = (type(DATA), Epoch)

    def units(self, config: TracesConfig) -> list[Unit]:
        """Return the data, then the epochs in order."""
        return [DATA, *(Epoch(number) for number in range(1, config.n_epochs + 1))]

    def compute(
        self, config: TracesConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units in order; with `folder` each epoch is kept and gone on from."""
        data = dataset(config)
        reference = Reference(config, data)
        if DATA in units:
            yield DATA, {**data_arrays(config, data), **reference.floors()}
        wanted = {unit.number for unit in units if isinstance(unit, Epoch)}
        if not wanted:
            return
        store = Store(folder) if folder is not None else None
        gallery = Gallery(config, reference)
        traces = torch.from_numpy(data.training)
        for number, kept in training.epochs(
            config, traces, store, max(wanted), first=min(wanted), album=gallery
        ):
            if number in wanted:
                yield Epoch(number), under("curve.", kept) | gallery.assess(number)

    def condense(self, units: dict[str, Arrays]) -> dict[str, Arrays]:
        """Return traces and scores of the epochs that are looked at, and the curves of all."""
        shipped = dict(units)
        epochs = select(units, Epoch)
        last = max((epoch.number for epoch in epochs), default=0)
        for epoch in epochs:
            if epoch.number % 10 and epoch.number not in (*LOOKED_AT, last):
                arrays = units[epoch.name]
                kept = {key: value for key, value in arrays.items() if key not in PER_TRACE}
                shipped[epoch.name] = {**kept, "samples": arrays["samples"][:N_ANIMATED]}
        return shipped

    def recheck(
        self, config: TracesConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked.

        The data whole, the first epoch by its first steps, and the epoch whose networks are shipped
        by what they draw; the others follow from the epochs before them alone.
        """
        if not isinstance(unit, Epoch):
            return whole(self, config, unit, arrays, seconds)
        networks = wgan.load_pretrained()
        of_shipped = config == replace(self.Config.preset("paper"), precision="bfloat16")
        if of_shipped and unit.number == networks.epoch:

            def drawn() -> Arrays:
                rng = training.torch_rng(config.seed, 11)
                traces = wgan.sample(networks.generator, N_HISTORY, rng, low=config.latent_low)
                return {"samples": traces[: len(arrays["samples"]), 0]}

            stored = {"samples": arrays["samples"]}
            return Recheck("what its generator draws", 2.0, stored, drawn)
        if unit.number == 1:
            one = replace(config, n_epochs=1)
            return training.first_steps(
                seconds, arrays, lambda _: dict(self.compute(one, [unit]))[unit]
            )
        return None

    def measures(self, config: TracesConfig, units: Units) -> dict[str, Measure]:
        """Return the numbers of the claims ledger, from whatever units there are."""
        spread = 1 / (
            math.pi * config.frequency * math.sqrt(2)
        )  # standard deviation of the Gaussian, s
        delay = 2 * (SOURCE_ROW + 1) * SPACING / np.mean(config.velocity)
        names = ("n_traces", "batch", "critic_steps", "penalty_weight", "learning_rate", "init_std")
        settings = {name: getattr(config, name) for name in names}
        settings |= {"beta1": BETAS[0], "time_steps": N_STEPS, "amplitude_factor": AMPLITUDE_FACTOR}
        # The ghost overlaps the primary where it comes within the pulse's full width at half
        # height.
        settings["ghost_overlaps"] = float(delay < 2 * math.sqrt(2 * math.log(2)) * spread)
        trained = units.get(Epoch(tables.TRAINED).name)
        if trained is not None:
            settings["gradient_norm_deviation"] = math.sqrt(
                float(trained["penalty"].mean()) / config.penalty_weight
            )
        return {
            **{name: Measure(value) for name, value in settings.items()},
            **tables.measures(units),
            **sidelights.measures(units),
        }


STUDY = WganTraces()
