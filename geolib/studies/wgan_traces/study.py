"""Seismic traces from a Wasserstein GAN: modelling, training by epochs, and their quality."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck
from geolib.runs.store import Arrays, Store
from geolib.runs.study import Study
from geolib.runs.unit import Unit, Units, select, under
from geolib.studies.wgan_traces import again, recheck, sidelights, tables, training
from geolib.studies.wgan_traces.config import AMPLITUDE_FACTOR, TracesConfig
from geolib.studies.wgan_traces.data import N_STEPS, SAMPLING, SOURCE_ROW, SPACING, dataset
from geolib.studies.wgan_traces.gallery import (
    LOOKED_AT,
    N_ANIMATED,
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
    shown = "bfloat16"  # all hundred epochs; of the preset's float32 there are twenty
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    lends: ClassVar[Mapping[str, object]] = {
        "epochs": tables.epochs,
        "spread": tables.spread,
        "drawn": N_ANIMATED,
        "modelled": again.modelled,
        "sampling": SAMPLING,
    }
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

        The data by their earths, an epoch whose networks are shipped by what these draw, the first
        one of another training by its first steps; other epochs follow from those before alone.
        """
        if not isinstance(unit, Epoch):
            return recheck.modelled(config, arrays)
        networks = recheck.networks(config)
        if unit.number in networks:
            return recheck.epoch(config, networks[unit.number], arrays)
        if unit.number == 1:
            return recheck.first_steps(config, arrays)
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
