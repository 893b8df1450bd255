"""How the generator of `latent_inversion` is trained: as printed, as released, as works.

At several widths all recipes see the same patches for the same number of updates, and every
checkpoint is judged by the same numbers on a part of the training image that was not trained on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch

from geolib._runtime import keep_memory
from geolib.datasets import channels
from geolib.gans import sgan
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, beginning
from geolib.runs.store import Store
from geolib.runs.study import Study
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Unit, Units, of_kind, select
from geolib.studies.latent_inversion import checkpoints
from geolib.studies.latent_inversion.checkpoints import MEASURES, Judge
from geolib.studies.latent_inversion.checkpoints import SUMMED as SUMMED
from geolib.studies.latent_inversion.checkpoints import TRAINED as TRAINED
from geolib.studies.latent_inversion.config import PriorConfig

#: The last one is the working recipe with standard-normal latents, of which the paper has a remark
#: in section 4.2.
RECIPES = {
    "working": sgan.Recipe(),
    "published": sgan.PUBLISHED,
    "released": sgan.RELEASED,
    "normal": sgan.Recipe(normal=True),
}
#: What tables and figures call them.
NAMES = {
    "working": "ours",
    "published": "the paper's",
    "released": "the authors' code",
    "normal": "ours, normal latents",
}
#: The measures in a table's head.
_SHORT = {
    "proportion": "prop.",
    "greyness": "grey",
    "vertical": "vert.",
    "horizontal": "hor.",
    "connectivity": "conn.",
    "components": "bodies",
    "width": "width",
    "patterns": "patt.",
}
#: A last score above which a training has ended in noise.
NOISE = 1.0
#: Checkpoints of which pictures are kept.
MOMENTS = 6
#: Updates of a training that another processor still follows.
FOLLOWED = 5


@dataclass(frozen=True)
class Training(Unit):
    """One training."""

    TEMPLATE: ClassVar[str] = "{recipe}-w{width}-b{batch}-i{iterations}-s{number}"

    recipe: str
    width: int
    batch: int
    iterations: int
    number: int


def _recipe(unit: Training) -> sgan.Recipe:
    return replace(
        RECIPES[unit.recipe], width=unit.width, batch=unit.batch, iterations=unit.iterations
    )


def _device() -> str:
    return "cuda" if torch.cuda.is_available() else "cpu"


def _first_losses(config: PriorConfig, unit: Training) -> Arrays:
    """Return the losses of the first updates of a training."""
    image, _ = channels.load(np.random.default_rng([config.seed, 0]))
    recipe, seed = _recipe(unit), config.seed + unit.number
    state = sgan.start(recipe, seed, _device())
    training = sgan.fit(state, recipe, image[:, : checkpoints.edge_of(image)])
    steps = [step for _, step in zip(range(FOLLOWED), training, strict=False)]
    return {"losses": np.array([(step.critic_loss, step.generator_loss) for step in steps])}


def _train(config: PriorConfig, unit: Training, store: Store) -> Arrays:
    recipe = _recipe(unit)
    image, _ = channels.load(np.random.default_rng([config.seed, 0]))
    judge = Judge(image, recipe, config.n_judge, config.seed, _device())
    # Trainings of one number, width and batch start with the same generator and see the same
    # patches.
    seed = config.seed + unit.number
    found, network = checkpoints.train(judge, recipe, seed, every=config.every, store=store)
    best = judge.realise(network)
    judged = judge.statistics(best)
    last = len(found["iteration"]) - 1
    places = np.unique(np.linspace(0, last, MOMENTS).round().astype(int))
    return {
        **found,
        "pictured": found["iteration"][places],
        "pictures": found["pictures"][places],
        "best_pictures": checkpoints.grey(best[: checkpoints.PICTURES]),
        **{name: judged[name] for name in ("statistics", "mean", "inside")},
    }


def chosen(arrays: Mapping[str, np.ndarray]) -> int:
    """Return the iteration of a training's best checkpoint, by the sum of `SUMMED`."""
    return int(arrays["iteration"][checkpoints.chosen(arrays)])


def at(arrays: Mapping[str, np.ndarray], iteration: int) -> dict[str, float]:
    """Return the quality of a training's checkpoint at an iteration.

    Raises
    ------
    ValueError
        If there is no checkpoint at it.
    """
    place = np.flatnonzero(arrays["iteration"] == iteration)
    if not place.size:
        raise ValueError(
            f"iteration must be one of a checkpoint, {arrays['iteration'].tolist()}; got "
            f"{iteration}."
        )
    return {name: float(arrays[name][place[0]]) for name in (*MEASURES, "score")}


def as_markdown(units: Units, iterations: Iterable[int] = ()) -> str:
    """Return the trainings as Markdown: quality at the given iterations and at the best checkpoint.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    iterations : iterable of int
        Moments at which all trainings are compared; each training shows those that it has.
    """
    heads = ["Recipe, width", "Run", "Update", *(_SHORT[name] for name in MEASURES), "score"]
    rows = []
    for unit, arrays in sorted(select(units, Training).items(), key=lambda item: _order(item[0])):
        best = chosen(arrays)
        moments = sorted({*iterations} & set(arrays["iteration"].tolist()) | {best})
        for moment in moments:
            label = f"{moment}\u00a0(best)" if moment == best else str(moment)
            named = f"{NAMES[unit.recipe]}, {unit.width}"
            named += f" (batch {unit.batch})" if unit.batch != 16 else ""
            cells = [named, str(unit.number + 1), label]
            cells += [
                f"{round(value, 2) + 0:.2f}".replace("-", "−")
                for value in at(arrays, moment).values()
            ]
            rows.append(cells)
    return markdown(heads, rows, "l" + "r" * (len(heads) - 1), empty="No training was run.")


def pictured(units: Units, recipe: str) -> list[tuple[str, np.ndarray | None]]:
    """Return by width a title and the last picture of a recipe, or None where it was not run."""
    found = []
    for width in PriorConfig.preset("paper").widths:
        arrays = units.get(Training(recipe, width, 16, 900, 0).name)
        picture = None if arrays is None else arrays["pictures"][-1, 0] / 255
        found.append((f"{NAMES[recipe]},\nwidth {width}", picture))
    return found


def scores_markdown(units: Units) -> str:
    """Return by width and recipe, as Markdown, the best score and how many end in noise."""
    lines = []
    for width in PriorConfig.preset("paper").widths:
        for recipe in ("working", "published", "released"):
            kept = list(
                select(
                    units, Training, recipe=recipe, width=width, batch=16, iterations=900
                ).values()
            )
            if kept:
                best = np.mean([arrays["score"].min() for arrays in kept])
                noise = sum(float(arrays["score"][-1]) > NOISE for arrays in kept)
                lines.append([width, NAMES[recipe], f"{best:.2f}", f"{noise} of {len(kept)}"])
    heads = ["Width", "Recipe", "Best score", "End in noise"]
    return markdown(heads, lines, "rlrr", empty="No training was run.")


def _order(unit: Training) -> tuple[int, ...]:
    return -unit.width, list(RECIPES).index(unit.recipe), unit.batch, unit.iterations, unit.number


class Prior(Study[PriorConfig]):
    """The trainings of every recipe and width."""

    name = "latent_prior"
    title = "Training recipes and widths of the channel generator"
    question = (
        "Does the paper's recipe train a generator of channels, and what does its width change?"
    )
    files = (channels.FILE,)
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {
        "pictured": ("moment",),
        "pictures": ("moment", "realisation", "z", "x"),
        "best_pictures": ("realisation", "z", "x"),
        "losses": ("update", "critic_and_generator"),
        "inside": ("statistic",),
        "mean": ("statistic",),
    }
    Config = PriorConfig
    kinds = (Training,)

    def units(self, config: PriorConfig) -> list[Unit]:
        """Return one unit for each training."""
        kinds = [(recipe, width) for width in config.widths for recipe in config.recipes]
        return [
            Training(recipe, width, config.batch, config.iterations, number)
            for number in range(config.trainings)
            for recipe, width in kinds
        ]

    def compute(
        self, config: PriorConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Train and yield each unit; a killed training goes on from its state in `folder`."""
        keep_memory()
        for unit in of_kind(Training, units):
            with tempfile.TemporaryDirectory() as temporary:
                store = Store(Path(folder or temporary) / f"{unit.name}.state")
                yield unit, _train(config, unit, store)

    def recheck(
        self, config: PriorConfig, unit: Unit, arrays: Arrays, seconds: float
    ) -> Recheck | None:
        """Return how a training is rechecked: by its first updates."""
        assert isinstance(unit, Training)
        # Measured on one core: many were trained on a GPU, whose seconds are not a reader's.
        expected = 2 + 3e-4 * unit.batch * unit.width**2
        how = f"the first {FOLLOWED} updates of its training"
        kept = {"losses": FOLLOWED}
        return beginning(how, expected, arrays, kept, lambda: _first_losses(config, unit))

    def measures(self, config: PriorConfig, units: Units) -> dict[str, Measure]:
        """Return for each kind of training its best checkpoint's score, mean over trainings."""
        scores: dict[str, list[float]] = {}
        for unit, arrays in select(units, Training).items():
            kind = f"prior.{unit.recipe}.w{unit.width}.b{unit.batch}.i{unit.iterations}.score"
            scores.setdefault(kind, []).append(float(np.min(arrays["score"])))
        return {
            kind: Measure(float(np.mean(values)), n=len(values)) for kind, values in scores.items()
        }


STUDY = Prior()
