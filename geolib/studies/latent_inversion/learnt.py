"""A generator of the reader's own training image: trained, judged by a part kept apart."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from geolib._runtime import keep_memory, kept_bytes
from geolib.datasets import files
from geolib.gans import sgan
from geolib.gans.recipes import Recipe
from geolib.runs.store import Store
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays
from geolib.studies.latent_inversion import checkpoints
from geolib.studies.latent_inversion.checkpoints import MEASURES, SIDE, Judge

#: Rows and columns that an image has at least: two patches, so that one may judge.
SMALLEST = 2 * SIDE
#: Where the state of a training is kept, and the weights of its best checkpoint.
STATE = "training.state"
CHOSEN = f"{STATE}/chosen.safetensors"
#: Checkpoints of a training, and updates of which its time is told; a penalty comes every fourth.
CHECKPOINTS, TIMED = 18, 4
PICTURES = 3


def image(path: str, threshold: float) -> np.ndarray | None:
    """Return the training image (nz, nx) of zeros and ones, or None where no path is given.

    Raises
    ------
    TypeError, ValueError
        If the file is refused (`files.facies`).
    """
    if not path:
        return None
    return files.facies("training_image", path, threshold=threshold, least=SMALLEST)


def training_bytes(recipe: Recipe) -> int:
    """Return the bytes that an update of a training takes at most."""
    with torch.device("meta"):
        players = sgan.Generator(recipe.width), sgan.Discriminator(recipe.width)
        latent = torch.zeros(1, 1, recipe.latent, recipe.latent)
    kept = kept_bytes(lambda: players[1](players[0](latent)))
    weights = sum(int(p.nbytes) for player in players for p in player.parameters())
    # The penalty goes through a derivative; Adam and the mean keep four more of each weight.
    return 3 * recipe.batch * kept + 5 * weights


def seconds(image: np.ndarray, recipe: Recipe) -> float:
    """Return how long a training takes on this machine, by its first updates."""
    state, begin = sgan.start(recipe, 0), time.perf_counter()
    count = sum(1 for _ in sgan.fit(state, recipe, image, TIMED))
    return (time.perf_counter() - begin) / count * recipe.iterations


def train(image: np.ndarray, recipe: Recipe, seed: int, n_judge: int, folder: Path) -> Arrays:
    """Train in a folder, go on where a killed training was, and keep the best checkpoint's weights.

    Parameters
    ----------
    image : ndarray, shape (nz, nx)
        Zeros and ones, `SMALLEST` rows and columns at least.
    recipe : Recipe
        How it is trained.
    seed : int
        Of the training and of what judges it.
    n_judge : int
        Realisations and patches by which each checkpoint is judged.
    folder : Path
        Gets `STATE` and `CHOSEN`.

    Returns
    -------
    dict
        Losses by update; `iteration` and measures of each checkpoint, and its `score`, by which the
        best is chosen; of that `pictures` beside `patches`, and by statistic `mean`, share
        `inside`, and the interval `bounds` of the image.
    """
    keep_memory()
    judge = Judge(image, recipe, n_judge, seed)
    every = max(1, recipe.iterations // CHECKPOINTS)
    found, network = checkpoints.train(
        judge, recipe, seed, every=every, store=Store(folder / STATE)
    )
    sgan.save_weights(folder / CHOSEN, network)
    best = judge.realise(network)
    return {
        **found,
        "chosen": np.array(checkpoints.chosen(found)),
        "pictures": best[:PICTURES].astype(np.float32),
        "patches": judge.patches[:PICTURES].astype(np.float32),
        **judge.statistics(best),
    }


def pictures(run: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return windows of the image and of realisations, by what each is."""
    shown = {"image": run["patches"], "generator": run["pictures"]}
    return {f"{name} {n}": one for name, each in shown.items() for n, one in enumerate(each, 1)}


def as_markdown(run: Mapping[str, np.ndarray]) -> str:
    """Return the generator's statistics beside those of the image, and which checkpoint it is."""
    chosen = int(run["chosen"])
    rows = [
        [name, f"{low:.3g} to {high:.3g}", f"{mean:.3g}", f"{100 * inside:.0f} %"]
        for name, (low, high), mean, inside in zip(
            run["statistics"].tolist(),
            run["bounds"].tolist(),
            run["mean"].tolist(),
            run["inside"].tolist(),
            strict=True,
        )
    ]
    heads = ["statistic", "training image, 95 % of means", "generator", "inside"]
    misfits = ", ".join(f"{name} {float(run[name][chosen]):.3g}" for name in MEASURES)
    told = (
        f"Of {len(run['iteration'])} checkpoints that of update {int(run['iteration'][chosen])} is "
        f"the best (score {float(run['score'][chosen]):.2f}; a perfect one has 0, noise more than "
        f"1). Its misfits on the part that was not trained on: {misfits}."
    )
    return f"{told}\n\n{markdown(heads, rows, 'lrrr')}"
