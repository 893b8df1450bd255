"""Full-waveform inversion as training a recurrent network (Sun et al.): optimisers, rates."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from geolib.datasets import velocity
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, whole
from geolib.runs.study import Study
from geolib.runs.unit import Arrays, Unit, Units, select
from geolib.studies.rnn_fwi import descents, measures, otherwise, recheck, told
from geolib.studies.rnn_fwi.config import FwiConfig, rates
from geolib.studies.rnn_fwi.problems import problem_1d
from geolib.studies.rnn_fwi.units import (
    EXTRAS,
    METHODS,
    VARIANTS,
    WIDTHS,
    Block,
    Curvature,
    Extra,
    Line,
    Part,
    Steps,
    line,
)

DIMS = {
    "misfit": ("evaluation",),
    "error": ("evaluation",),
    "change": ("evaluation",),
    "ssim": ("evaluation",),
    "seconds": ("evaluation",),
    "model": ("z",),
    "truth": ("z",),
    "start": ("z",),
    "trace": ("time",),
    "frames": ("frame", "z", "x"),
    "frame_at": ("frame",),
}


PROBES: tuple[tuple[str, float | None], ...] = (
    ("gd", 0.4),
    ("momentum", 0.8),
    ("adam", 40.0),
    ("cg", None),
    ("lbfgs", None),
)
# One descent in units that go on from one another, so that what there is can be shown before all is
# done.
EARLY_BLOCKS = (Block("adam", 100), Block("lbfgs", 200), Block("cg", 100))
LATE_BLOCKS = (
    Block("cg", 400),
    Block("lbfgs", 600),
    Block("cg", 800),
    Block("lbfgs", 1000),
    Block("cg", 1420),
)


class RnnFwi(Study[FwiConfig]):
    """Descents by every optimiser, in one dimension and on Marmousi."""

    name = "rnn_fwi"
    paper = "sun2020"
    address = "https://doi.org/10.1190/geo2019-0138.1"
    title = "Full-waveform inversion as the training of a recurrent network"
    question = (
        "If a wave solver is a recurrent network, which of deep learning's optimisers inverts it "
        "best, at which rate?"
    )
    files = (velocity.FILE,)
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = DIMS
    lends: ClassVar[Mapping[str, object]] = {
        "problem": problem_1d,
        "bounds": descents.BOUNDS,
        "alike": lambda units: told.alike_title(told.everything(units)),
    }
    Config = FwiConfig
    kinds = (Part, Curvature, Block, Steps, Line, Extra)

    def units(self, config: FwiConfig) -> list[Unit]:
        """Return the units, each once, the cheap ones first."""
        wanted = set(config.experiments)
        units: list[Unit] = [
            Part(label) for label in ("theory", "hessian", "gather", "network") if label in wanted
        ]
        if "1d" in wanted:
            units += [
                line(method, rate, WIDTHS[precision])
                for precision in config.precision
                for method in config.optimisers
                for rate in rates(config, method)
            ]
        if "sensitivity" in wanted:
            units += [Curvature(setting) for setting in VARIANTS]
            units += [
                line(method, rate, "f64", setting)
                for setting in VARIANTS
                for method, rate in PROBES
            ]
        if {"marmousi", "extras"} & wanted:
            units.append(Part("marmousi-setup"))
        if "marmousi" in wanted:
            units += [Part("marmousi-cost"), *EARLY_BLOCKS]
        if "extras" in wanted:
            units += [Extra(setting, method) for setting in EXTRAS for method in METHODS]
        if "marmousi" in wanted:
            units += LATE_BLOCKS
        return list(dict.fromkeys(units))

    def batches(self, config: FwiConfig, units: Sequence[Unit]) -> list[list[Unit]]:
        """Return each unit by itself, but blocks of one Marmousi descent (they share a journal)."""
        groups: dict[object, list[Unit]] = {}
        for unit in units:
            groups.setdefault(unit.method if isinstance(unit, Block) else unit, []).append(unit)
        return list(groups.values())

    def compute(
        self, config: FwiConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each unit's arrays; Marmousi descents keep a journal to go on from."""
        for unit in units:
            yield unit, descents.unit(config, unit, folder)

    def inputs(self, config: FwiConfig, unit: Unit) -> Sequence[str]:
        """Return the public Marmousi model for the units on it; those in 1-D need no file."""
        named = isinstance(unit, Part) and unit.label in (
            "gather",
            "marmousi-setup",
            "marmousi-cost",
        )
        return self.files if named or isinstance(unit, (Block, Extra)) else ()

    def recheck(
        self, config: FwiConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a unit is rechecked: descents by their beginnings, the rest whole."""
        if isinstance(unit, (Line, Steps)):
            return recheck.line(config, unit, arrays, seconds)
        if isinstance(unit, (Block, Extra)):
            return recheck.on_marmousi(config, unit, arrays, seconds)
        if unit == Part("marmousi-cost"):  # times, which no machine repeats
            return None
        return whole(self, config, unit, arrays, seconds)

    def measures(self, config: FwiConfig, units: Units) -> dict[str, Measure]:
        """Return what the claims ledger asks for, as far as the units are there."""
        return measures.measures(units)

    def variants(self, config: FwiConfig, units: Units) -> dict[str, dict[str, Measure]]:
        """Return by a choice of ours the measures that another one gives."""
        return otherwise.variants(units)

    def condense(self, units: dict[str, Arrays]) -> dict[str, Arrays]:
        """Return the units; of a Marmousi descent that a longer one continues, the last model."""
        shipped = dict(units)
        for method in METHODS:
            for block in sorted(
                select(units, Block, method=method), key=lambda block: block.budget
            )[:-1]:
                last = {key: units[block.name][key][-1:] for key in ("frames", "frame_at")}
                shipped[block.name] = {**units[block.name], **last}
        return shipped


STUDY = RnnFwi()
