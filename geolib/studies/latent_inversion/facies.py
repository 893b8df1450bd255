"""The training image and the generators trained on it, judged by a geostatistician's numbers.

What needs the published image is computed once and shipped, so that a page built without it tells
the same.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib.datasets import channels
from geolib.gans import sgan
from geolib.metrics import facies
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Single, Unit, Units
from geolib.studies.latent_inversion.checkpoints import MEASURES
from geolib.studies.latent_inversion.config import FaciesConfig, weights_name
from geolib.studies.latent_inversion.world import weights_path

SIZE, ENVELOPE_LAGS, CURVE_LAGS = (129, 129), 60, 40
_measure = functools.partial(facies.shapes, lags=ENVELOPE_LAGS)
WIDTHS = (64, 32, 16)
#: Statistics that curves are drawn of: the function, and the axis it runs along.
CURVES = {
    "down": (channels.variogram, 1),
    "along": (channels.variogram, 2),
    "connected, down": (channels.connectivity, 1),
}


class Image(Single):
    """The training image, or its procedural stand-in."""

    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"label": ("training-image", "procedural")}


@dataclass(frozen=True)
class Realisations(Unit):
    """Realisations of the shipped generator of a width."""

    TEMPLATE: ClassVar[str] = "generator-{width}"

    width: int


def _procedural(config: FaciesConfig) -> np.ndarray:
    image = channels.procedural_channels((700, 700), np.random.default_rng(config.seed))
    return channels.patches(image, SIZE, config.realisations, np.random.default_rng(6))


def _realisations(config: FaciesConfig, width: int) -> np.ndarray:
    source = torch.Generator().manual_seed(4)
    latents = torch.rand(config.realisations, 1, 5, 5, generator=source) * 2 - 1
    network = sgan.load_weights(weights_path(width))
    with torch.no_grad():
        made = torch.cat([network(part) for part in latents.split(10)])
    return ((made + 1) / 2)[:, 0].numpy()


def _judged(binary: np.ndarray, envelope: Mapping[str, np.ndarray]) -> Arrays:
    """Return each statistic's mean and share inside the envelope, ranges, and mean curves."""
    found = {
        f"judged.{label}": np.array(pair)
        for label, pair in facies.judged(binary, envelope, _measure).items()
    }
    for label, axis in (("vertical", 1), ("horizontal", 2)):
        found[f"range.{label}"] = np.array(
            facies.fitted_range(channels.variogram(binary, ENVELOPE_LAGS, axis).mean(0))
        )
    return found | {f"curve.{label}": np.nanmean(_curve(binary, label), 0) for label in CURVES}


def _bounds(
    config: FaciesConfig, image: np.ndarray, windows: np.ndarray, means: Mapping[str, np.ndarray]
) -> Arrays:
    """Return the 95 % interval of each statistic over sets of windows as large as those judged."""
    found = {
        label: np.array([np.mean(bound) for bound in pair])
        for label, pair in facies.envelope_of(means).items()
    }
    for label in ("vertical", "horizontal"):
        spread = [facies.fitted_range(curve) for curve in means[label][:100]]
        found[f"range, {label}"] = np.percentile(spread, [2.5, 97.5])
    rng = np.random.default_rng(9)
    again = [channels.patches(image, SIZE, config.realisations, rng) for _ in range(10)]
    patterns = [channels.quality(stack, windows)["patterns"] for stack in again]
    found["patterns"] = np.percentile(patterns, [2.5, 97.5])
    return {f"bounds.{label}": bounds for label, bounds in found.items()}


def _curve(images: np.ndarray, label: str) -> np.ndarray:
    statistic, axis = CURVES[label]
    return statistic(images, CURVE_LAGS, axis)


def _band(windows: np.ndarray, label: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, 5 % and 95 % points of a curve over the windows."""
    curves = _curve(windows, label)
    return np.nanmean(curves, 0), *np.nanpercentile(curves, [5, 95], axis=0)


def verdicts(units: Units, name: str) -> dict[str, tuple[float, float, float, float]]:
    """Return each statistic's interval in the training image, a unit's mean, its share inside."""
    image, made = units["training-image"], units[name]
    found = {}
    for key, (low, high) in (
        (key, bounds) for key, bounds in image.items() if key.startswith("bounds.")
    ):
        label = key.removeprefix("bounds.")
        kind, _, axis = label.partition(", ")
        if f"judged.{label}" in made:
            mean, inside = (float(value) for value in made[f"judged.{label}"])
        else:
            mean = float(made[f"range.{axis}" if kind == "range" else f"misfit.{label}"])
            inside = float(low <= mean <= high)
        found[label] = (float(low), float(high), mean, inside)
    return found


def as_markdown(units: Units, names: Mapping[str, str]) -> str:
    """Return statistics of the training image beside those of titled units, as Markdown."""
    judged = {title: verdicts(units, name) for title, name in names.items()}
    heads = ["Statistic", "Training image, 95 % of means of 40"]
    heads += [head for title in judged for head in (title, "inside")]
    lines = []
    for label, (low, high, *_) in next(iter(judged.values())).items():
        pairs = (rows[label][2:] for rows in judged.values())
        cells = [
            text for mean, inside in pairs for text in (f"{mean:.3g}", f"{100 * inside:.0f} %")
        ]
        lines.append([label, f"{low:.3g} to {high:.3g}", *cells])
    return markdown(heads, lines, "l" + "r" * (len(heads) - 1))


def misfits_as_markdown(units: Units, names: Mapping[str, str]) -> str:
    """Return the misfits of units to the training image, by each column's title, as Markdown."""
    rows = []
    for label in MEASURES:
        cells = [f"{float(units[name][f'misfit.{label}']):.3f}" for name in names.values()]
        rows.append([label, *cells])
    return markdown(["Misfit", *names], rows, "l" + "r" * len(names))


class Facies(Study[FaciesConfig]):
    """Statistics of the training image, of its stand-in, and of each shipped generator."""

    name = "latent_facies"
    title = "The training image and its generators in numbers"
    question = "Are the channels of a generator those of its training image?"
    files = (channels.FILE,)
    Config = FaciesConfig
    kinds = (Realisations, Image)

    def units(self, config: FaciesConfig) -> list[Unit]:
        """Return the training image, its procedural stand-in, a unit for each shipped generator."""
        return [Image("training-image"), Image("procedural"), *map(Realisations, WIDTHS)]

    def inputs(self, config: FaciesConfig, unit: Unit) -> Sequence[str]:
        """Return the training image, and the weights of a generator that is judged by it."""
        return (
            *self.files,
            *([weights_name(unit.width)] if isinstance(unit, Realisations) else []),
        )

    def compute(
        self, config: FaciesConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the units; no measures, for the ledger judges trainings, not these realisations."""
        image, origin = channels.load(np.random.default_rng(config.seed))
        windows = channels.patches(image, SIZE, config.patches, np.random.default_rng(5))
        rng = np.random.default_rng(7)
        means = facies.block_means(image, SIZE, config.realisations, rng, measure=_measure)
        envelope = facies.envelope_of(means)
        for unit in units:
            if unit == Image("training-image"):
                about = {"shape": image.shape, "origin": origin, "proportion": image.mean()}
                bands = {f"curve.{label}": np.stack(_band(windows, label)) for label in CURVES}
                bounds = _bounds(config, image, windows, means)
                yield (
                    unit,
                    {**{key: np.array(value) for key, value in about.items()}, **bounds, **bands},
                )
                continue
            images = (
                _realisations(config, unit.width)
                if isinstance(unit, Realisations)
                else _procedural(config)
            )
            misfits = channels.quality(images, windows)
            binary = (images >= 0.5).astype(np.float32)
            found = {f"misfit.{label}": np.array(value) for label, value in misfits.items()}
            yield unit, {**found, **_judged(binary, envelope)}


STUDY = Facies()
