"""A training of the channel generator whose checkpoints are judged; a killed one goes on exactly.

It is judged by a part of its image that it does not see. What was found of a checkpoint is kept in
the training's state, with the losses and the best weights: the state alone is enough to go on, and
to say what an undisturbed training says.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from geolib._runtime import steps
from geolib.datasets import channels
from geolib.gans import sgan
from geolib.gans.recipes import Recipe
from geolib.metrics import facies
from geolib.runs.store import Store
from geolib.runs.unit import Arrays, under

#: Rows and columns of a patch.
SIDE = 129
#: Share of an image's columns that is trained on; the rest judges.
TRAINED = 0.8
#: What `channels.quality` tells of a checkpoint; the sum of the absolute values of `SUMMED`
#: chooses among them.
MEASURES = (
    "proportion",
    "greyness",
    "vertical",
    "horizontal",
    "connectivity",
    "components",
    "width",
    "patterns",
)
SUMMED = ("proportion", "greyness", "vertical", "horizontal", "connectivity", "patterns")
#: Realisations of each checkpoint of which the state keeps pictures.
PICTURES = 2


def edge_of(image: np.ndarray) -> int:
    """Return the column up to which an image is trained on; the rest, a patch at least, judges."""
    columns = int(image.shape[1])
    return min(int(TRAINED * columns), columns - SIDE)


class Judge:
    """Realisations of latents that stay the same, beside patches that are not trained on.

    Parameters
    ----------
    image : ndarray, shape (nz, nx)
        Zeros and ones.
    recipe : Recipe
        Of the generators that are judged: it says the law of their latents.
    n : int
        Realisations, and patches.
    seed : int
        Of both.
    device : str
        Where the generators are.
    """

    def __init__(
        self, image: np.ndarray, recipe: Recipe, n: int, seed: int, device: str = "cpu"
    ) -> None:
        self.image, self.n, self.seed, self.device = image, n, seed, device
        rng = np.random.default_rng([seed, 1])
        self.patches = channels.patches(image[:, edge_of(image) :], (SIDE, SIDE), n, rng)
        latents = sgan.draw_latents((n, 1, 5, 5), recipe, torch.Generator().manual_seed(seed))
        self.latents = latents.to(device)

    def realise(self, network: sgan.Generator) -> np.ndarray:
        """Return realisations in [0, 1], shape (n, 129, 129), a few at a time."""
        with torch.no_grad():
            made = torch.cat([network(part).cpu() for part in self.latents.split(20)])
        return ((made[:, 0] + 1) / 2).numpy()

    def quality(self, realisations: np.ndarray) -> dict[str, float]:
        """Return the measures, and their sum by which checkpoints are chosen."""
        found = channels.quality(realisations, self.patches)
        return found | {"score": sum(abs(found[name]) for name in SUMMED)}

    def statistics(self, realisations: np.ndarray) -> Arrays:
        """Return by statistic the realisations' mean, and what the whole image has.

        Share ``inside`` and ``bounds`` are of the interval that as many windows of the image have.
        """
        blocks = min(5, *(length // SIDE for length in self.image.shape))
        rng = np.random.default_rng([self.seed, 2])
        means = facies.block_means(self.image, (SIDE, SIDE), self.n, rng, blocks=blocks)
        envelope = facies.envelope_of(means)
        judged = facies.judged((realisations >= 0.5).astype(np.float32), envelope)
        return {
            "statistics": np.array(list(judged)),
            "mean": np.array([mean for mean, _ in judged.values()]),
            "inside": np.array([inside for _, inside in judged.values()]),
            "bounds": np.array([[np.nanmean(end) for end in envelope[name]] for name in judged]),
        }


def grey(images: np.ndarray) -> np.ndarray:
    """Return images in [0, 1] as bytes."""
    return np.round(255 * images).astype(np.uint8)


def chosen(found: Mapping[str, np.ndarray]) -> int:
    """Return the place of the best checkpoint among all."""
    return int(np.argmin(found["score"]))


def _restore(
    store: Store, key: Mapping[str, object], recipe: Recipe, seed: int, device: str
) -> tuple[sgan.State, Arrays, Arrays]:
    """Return the training as the store has it, what was found of it, and its best weights."""
    found = store.get("state")
    if found is None:
        return sgan.start(recipe, seed, device), {}, {}
    arrays, record = found
    for name, value in key.items():
        if record.get("key", {}).get(name) != value:
            raise ValueError(
                f"checkpoint must be of the same {', '.join(key)}; that in {store.folder} is of "
                f"another {name}. Use another folder."
            )
    state = sgan.unpack_state(recipe, under("training.", arrays), device)
    return state, under("kept.", arrays), under("best.", arrays)


def train(
    judge: Judge, recipe: Recipe, seed: int, *, every: int, store: Store
) -> tuple[Arrays, sgan.Generator]:
    """Train on the part of the judge's image that does not judge, from where the store's state is.

    Parameters
    ----------
    judge : Judge
        Of the same law of latents as the recipe.
    recipe, seed
        As in `sgan.start`.
    every : int
        Updates between two checkpoints; the last one is a checkpoint as well.
    store : Store
        Gets a unit ``state`` at each checkpoint.

    Returns
    -------
    dict, Generator
        ``losses`` by update; of each checkpoint ``iteration``, the measures, ``score`` and
        ``pictures``; and the best checkpoint's generator.

    Raises
    ------
    ValueError
        If the store's training is of another recipe, seed or image, or was judged otherwise.
    FloatingPointError
        If a loss or a weight is no longer finite.
    """
    trained = judge.image[:, : edge_of(judge.image)]
    key = sgan.key_of(recipe, seed, trained) | {"every": every, "judge": [judge.n, judge.seed]}
    state, kept, best = _restore(store, key, recipe, seed, judge.device)
    losses = []
    bar = steps(state.iteration, recipe.iterations, "spatial GAN")
    for step, _ in zip(sgan.fit(state, recipe, trained), bar, strict=True):
        losses.append((step.critic_loss, step.generator_loss))
        told = f"losses {step.critic_loss:.3f}, {step.generator_loss:.3f}"
        bar.set_postfix_str(told, refresh=False)
        if state.iteration % every and state.iteration < recipe.iterations:
            continue
        network = sgan.snapshot(state)
        made = judge.realise(network)
        row = {name: np.array([value]) for name, value in judge.quality(made).items()}
        row |= {"iteration": np.array([state.iteration]), "pictures": grey(made[:PICTURES])[None]}
        row["losses"] = np.array(losses, dtype=np.float32)
        kept = {name: np.concatenate([kept[name], row[name]]) for name in row} if kept else row
        losses = []
        if chosen(kept) == len(kept["score"]) - 1:
            best = {n: value.half().cpu().numpy() for n, value in network.state_dict().items()}
        parts = {"training": sgan.pack_state(state), "kept": kept, "best": best}
        together = {f"{part}.{n}": v for part, held in parts.items() for n, v in held.items()}
        store.put("state", together, {"key": key})
    network = sgan.Generator(recipe.width).requires_grad_(False).eval()
    network.load_state_dict({name: torch.from_numpy(value).float() for name, value in best.items()})
    return kept, network.to(judge.device)
