"""What the reader gives: parameters, traveltimes, a generator (the authors' file, or ours)."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse

from geolib._runtime import kept_bytes, within_memory
from geolib.datasets import tables
from geolib.datasets.weights import must_fit, state_dict
from geolib.gans import sgan
from geolib.gans.fast import inference
from geolib.gans.recipes import Recipe
from geolib.inversion import crosshole
from geolib.runs.config import Config, file_param, param
from geolib.runs.tables import duration
from geolib.studies.latent_inversion import learnt
from geolib.studies.latent_inversion.config import check_width
from geolib.studies.latent_inversion.world import N_LATENT, SOLVES, weights_path

#: Rows and columns of the model.
SHAPE = crosshole.Crosshole().shape
#: Deviations beyond which a time is none that an image can give; of normal errors one in 30,000.
FAR = 4.0
#: Tensors of the authors' `netG_epoch_36.pth`, by the place of each layer, and their names here.
AUTHORS = {
    **{f"main.{3 * layer}.weight": f"up.{layer}.weight" for layer in range(5)},
    "main.14.weight": "widen.weight",
    "main.17.weight": "merge.weight",
}


def network(weights: str, width: int) -> sgan.Generator:
    """Return the generator: that of a file, of the authors' layout or ours, or the shipped one.

    Raises
    ------
    TypeError, ValueError
        If the file is refused (`geolib.datasets.weights`).
    """
    if not weights:
        check_width(width)
        return sgan.load_weights(weights_path(width))
    given = state_dict("weights", weights)
    names = {**AUTHORS, **{name: name for name in AUTHORS.values()}}
    first = next(
        (given[name] for name in ("main.17.weight", "merge.weight") if name in given), None
    )
    if first is None or first.dim() != 4:
        raise ValueError(
            "weights must be of this generator; main.17.weight (the authors' layout) or "
            f"merge.weight (ours) is missing in {weights}. Give another file."
        )
    made = sgan.Generator(max(2, len(first)))
    own = made.state_dict()
    layout = {name: names[name] for name in (AUTHORS if "main.17.weight" in given else own)}
    must_fit("weights", given, {name: tuple(own[to].shape) for name, to in layout.items()})
    made.load_state_dict({to: given[name].float() for name, to in layout.items()})
    return made.requires_grad_(False).eval()


@dataclass(frozen=True)
class OwnConfig(Config):
    """Parameters; a file's content is part of what identifies results, its place is not."""

    traveltimes: str = file_param("table of picked times; without it they are made, with noise")
    weights: str = file_param("generator's weights, as published or as ours; ours without it")
    training_image: str = file_param("image of two facies, on which a generator is trained")
    threshold: float = param(
        0.0,
        "value of the image from which a pixel is inside; 0 if it has two",
        low=-1e30,
        high=1e30,
    )
    updates: int = param(900, "updates of that training", low=1, high=10**6)
    batch: int = param(16, "patches in an update", low=1, high=1024)
    judged: int = param(40, "realisations by which it is judged", low=4, high=1000)
    width: int = param(32, "filters of the generator, where no weights are given", low=2, high=128)
    distance: float = param(
        5.98, "between boreholes, where the table has no x", low=0.1, high=1000, unit="m"
    )
    cell: float = param(
        0.1, "side of a cell; the model has 125 by 60", low=1e-3, high=100, unit="m"
    )
    inside: float = param(0.06, "velocity inside channels", low=0.03, high=0.3, unit="m/ns")
    outside: float = param(0.08, "velocity outside channels", low=0.03, high=0.3, unit="m/ns")
    noise: float = param(
        1.0, "deviation of times that have none of their own", low=1e-3, high=100, unit="ns"
    )
    starts: int = param(8, "starts of the descent", paper=64, low=1, high=4096)
    iterations: int = param(200, "updates of each", paper=2000, low=1, high=100_000)
    rate: float = param(0.01, "Adam's learning rate", low=1e-6, high=10)
    gn_iterations: int = param(
        20,
        "updates of Gauss-Newton from the same starts; 0 leaves it out",
        paper=200,
        low=0,
        high=100_000,
        former=0,
    )
    perturbation: float = param(
        0.1, "step of its central differences", low=1e-4, high=2.0, former=0.1
    )
    solves: int = param(
        2000, "models simulated by the search; 0 leaves it out", paper=10_000, low=0, high=10**7
    )
    draws: int = param(
        0, "models drawn of the posterior, 64 at least; 0 leaves it out", low=0, high=10**6
    )
    moves: int = param(10, "moves of each of them at each power", low=1, high=10_000)
    seed: int = param(1, "of starts, and of times that are made", low=0, high=10**9)

    def check(self) -> None:
        """Check that boreholes of no table are on the model and the facies differ."""
        across = SHAPE[1] * self.cell
        if self.distance > across and not self.traveltimes:  # which may place them otherwise
            raise ValueError(
                f"distance must be at most the model's {across:g} m; got {self.distance:g}. "
                "Take larger cells."
            )
        if self.weights and self.training_image:
            raise ValueError(
                "weights must not be given with a training_image; both are. Leave one of them out."
            )
        if 0 < self.draws < 64:
            raise ValueError(f"draws must be 0 or at least 64; got {self.draws}. Draw more.")
        if self.inside == self.outside:
            raise ValueError(
                f"inside must differ from outside; both are {self.inside:g} m/ns. Change one."
            )

    def ready(self) -> None:
        """Read and check every file, and the memory that is needed."""
        learnt.image(self.training_image, self.threshold)
        _must_be_possible(self, rays(self))
        self.memory()

    def told(self) -> list[str]:
        """Return how much memory a gradient takes, and how long Gauss-Newton and a training."""
        lines = [self.memory()]
        if self.gn_iterations:
            most = SOLVES["gn"] * self.starts * self.gn_iterations
            took = duration(most * _solve_seconds(self))
            lines.append(f"Gauss-Newton: {most:,} solves at most, about {took}, as measured now")
        picture = learnt.image(self.training_image, self.threshold)
        if picture is not None:
            took = duration(learnt.seconds(picture, recipe(self)))
            lines.append(f"training: {self.updates} updates, about {took}, as measured now")
        return lines

    def memory(self) -> str:
        """Return how much memory a gradient takes; more than there is is refused."""
        width = (
            self.width
            if self.training_image
            else len(network(self.weights, self.width).merge.weight)
        )
        with torch.device("meta"):
            empty = sgan.Generator(width).requires_grad_(False)
            latents = torch.zeros(1, 1, *sgan.LATENT, requires_grad=True)
        # The fused layers keep less than a graph does, without them the derivatives come on top.
        more = 1 if inference.available() else 2
        kept = kept_bytes(lambda: empty(latents))
        needed = self.starts * max(more * kept, kept + self._jacobian_bytes())
        if not self.training_image:
            return within_memory("all starts together", needed, "Take fewer starts.")
        needed = max(needed, learnt.training_bytes(recipe(self)))
        return within_memory("a training", needed, "Take a smaller width, batch or starts.")

    def _jacobian_bytes(self) -> int:
        """Return the bytes that Gauss-Newton takes for a start, beside its solves."""
        if not self.gn_iterations:
            return 0
        # Solves in float32, twice while they are put together; their slopes, again in float64, and
        # once more in another order.
        return len(rays(self).deviation) * (2 * 4 * SOLVES["gn"] + (4 + 8 + 8 + 8) * N_LATENT)


def _solve_seconds(config: OwnConfig) -> float:
    """Return how long a solve takes on this machine, without the first, which compiles."""
    made = (
        sgan.Generator(config.width).requires_grad_(False).eval()  # not yet trained, as fast
        if config.training_image
        else network(config.weights, config.width)
    )
    frozen = inference.Frozen(made) if inference.available() else made
    count = min(8, config.starts)
    latents = torch.zeros(count, 1, *sgan.LATENT)
    with torch.no_grad():
        frozen(latents)
        begin = time.perf_counter()
        frozen(latents)
    return (time.perf_counter() - begin) / count


def recipe(config: OwnConfig) -> Recipe:
    """Return the recipe that works, at this size."""
    return Recipe(width=config.width, batch=config.batch, iterations=config.updates)


@dataclass(frozen=True)
class Rays:
    """What is observed: ends of rays (depth and x in m), lengths in cells (m), times (ns).

    Times may be unknown; their deviations are not.
    """

    sources: np.ndarray
    receivers: np.ndarray
    matrix: sparse.csr_matrix
    time: np.ndarray | None
    deviation: np.ndarray

    @property
    def placed(self) -> str:
        """Where the boreholes are, in words."""
        ends = {"sources": self.sources[:, 1], "receivers": self.receivers[:, 1]}
        told = (
            f"{name} at x {x.min():g}{f' to {x.max():g}' if np.ptp(x) else ''} m"
            for name, x in ends.items()
        )
        return " and ".join(told)


def beyond(config: OwnConfig, read: Rays) -> np.ndarray:
    """Return which times no image can give, by `FAR` deviations or more: all in one facies."""
    if read.time is None:
        return np.zeros(len(read.deviation), dtype=bool)
    length = np.asarray(read.matrix.sum(1)).ravel()
    slow, fast = sorted((config.inside, config.outside))
    early = length / fast - read.time
    late = read.time - length / slow
    found: np.ndarray = np.maximum(early, late) >= FAR * read.deviation
    return found


def _must_be_possible(config: OwnConfig, read: Rays) -> None:
    far = beyond(config, read)
    if 2 * np.count_nonzero(far) <= len(far) or read.time is None:
        return
    mean = np.asarray(read.matrix.sum(1)).ravel() / read.time
    slow, fast = sorted((config.inside, config.outside))
    raise ValueError(
        f"traveltimes must be such as images of {slow:g} and {fast:g} m/ns give; "
        f"{np.count_nonzero(far)} of {len(far)} are {FAR:g} deviations or more beyond, and their "
        f"mean velocities {mean.min():.3g} to {mean.max():.3g} m/ns. Give -p inside and -p outside."
    )


def told_of(config: OwnConfig, read: Rays) -> str:
    """Return a caution where no image can give some of the times; else nothing."""
    far = int(np.count_nonzero(beyond(config, read)))
    if not far:
        return ""
    return (
        f" **{far} of them are {FAR:g} deviations or more beyond what either facies alone would "
        "give: no image explains these. Check picks, deviations, `inside` and `outside`.**"
    )


def rays(config: OwnConfig) -> Rays:
    """Return the rays of a table, or all of the published survey's.

    Raises
    ------
    TypeError, ValueError
        If the file is refused (`tables.traveltimes`).
    """
    found = None
    if config.traveltimes:
        depth, width = (n * config.cell for n in SHAPE)
        known = {"distance": config.distance, "depth": depth, "width": width}
        found = tables.traveltimes("traveltimes", config.traveltimes, **known)
    sources, receivers = _ends(config, found)
    matrix = crosshole.path_lengths(sources, receivers, SHAPE, config.cell).astype(np.float32)
    deviation = np.full(matrix.shape[0], config.noise)
    if found is not None and found.deviation is not None:
        deviation = found.deviation
    return Rays(sources, receivers, matrix, None if found is None else found.time, deviation)


def _ends(config: OwnConfig, found: tables.Traveltimes | None) -> tuple[np.ndarray, np.ndarray]:
    """Return depth and x (m) of each ray's source and receiver, shape (n_rays, 2)."""
    if found is not None:
        depths = found.source_depth, found.receiver_depth
    else:  # those of the published survey, as deep in cells
        antennas = np.array(crosshole.Crosshole().source_depths) * config.cell / 0.1
        first, second = np.meshgrid(antennas, antennas, indexing="ij")
        depths = first.ravel(), second.ravel()
    if found is not None and found.source_x is not None and found.receiver_x is not None:
        across = found.source_x, found.receiver_x
    else:
        margin = (SHAPE[1] * config.cell - config.distance) / 2
        left = np.full(len(depths[0]), margin)
        across = left, left + config.distance
    return np.stack([depths[0], across[0]], -1), np.stack([depths[1], across[1]], -1)
