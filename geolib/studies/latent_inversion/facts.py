"""What the study's generator is like before any inversion: spectrum, scale, misfit landscape."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import numpy as np
import torch
from scipy import ndimage

from geolib.datasets import fetch
from geolib.gans import sgan
from geolib.inversion import crosshole
from geolib.inversion.gauss_newton import forward_mode
from geolib.runs.tables import markdown
from geolib.studies.latent_inversion.world import World

#: The released true model with its traveltimes, with and without noise.
RELEASED = "laloy2019_model1_noise2.npz"


def generator_facts(world: World, draws: int = 16, points: int = 31) -> dict[str, np.ndarray]:
    """Return what the generator is like, before any inversion.

    Parameters
    ----------
    world : latent_inversion.World
        Generator, operators and true models.
    draws : int
        Latents drawn from the prior.
    points : int
        Points along each axis of the landscapes.

    Returns
    -------
    dict
        ``singular_values`` of the traveltimes' Jacobian in z at each draw; ``scales`` c and
        ``scale_change``, the mean pixel change from G(z) to G(cz), beside ``redraw_change`` to
        another draw's image; ``proportion`` and ``greyness`` of the draws; ``landscape``, the WRMSE
        of binary model I with noise II over z1 and z2, whole and near the truth, with its ``axes``,
        and ``landscape_published``, the same in the released cell order.
    """
    device = world.true_latents[1].device
    # A fixed sample of the prior: these are properties of the weights, not of a trial.
    sample = np.random.default_rng(0).uniform(-1, 1, (draws, world.true_latents[1].shape[1]))
    latents = torch.as_tensor(sample, dtype=torch.float32, device=device)
    _, jacobians = forward_mode(
        lambda z: world.simulate("consistent", "continuous", z, forward_mode=True)
    )(latents)
    with torch.no_grad():
        images = world.models(latents)
        scales = (0.25, 0.5, 2.0, 4.0)
        change = [float((world.models(c * latents) - images).abs().mean()) for c in scales]
        facts = {
            "singular_values": torch.linalg.svdvals(jacobians).cpu().numpy(),
            "scales": np.array(scales),
            "scale_change": np.array(change),
            "redraw_change": np.array(float((images.roll(1, 0) - images).abs().mean())),
            "proportion": (images >= 0.5).float().mean(1).cpu().numpy(),
            "greyness": torch.minimum(images, 1 - images).mean(1).cpu().numpy(),
            "true_latents": torch.cat([world.true_latents[m] for m in (1, 2)]).cpu().numpy(),
            "true_rmse": np.array(
                [world.observed("consistent", "binary", 1, n)[1] for n in (1, 2)]
            ),
        }
        grids = [landscape(world, half, points) for half in (1.0, 0.1)]
        scrambled = [landscape(world, half, points, "as_published")[0] for half in (1.0, 0.1)]
        facts["rows"] = np.array([world.network(latents[:1].view(1, 1, 5, 3)).shape[2]])
    facts["operator_misfit"], facts["released_rmse"] = released_misfit(), released_rmse()
    facts["reverse_seconds"] = np.array(reverse_seconds())
    facts["landscape"] = np.stack([grid for grid, _ in grids])
    facts["landscape_published"] = np.stack(scrambled)
    facts["axes"] = np.stack([axes for _, axes in grids])
    return facts


def scales_markdown(facts: Mapping[str, np.ndarray]) -> str:
    """Return as a table how much factors on a latent change its image."""
    scales, changes = facts["scales"], facts["scale_change"]
    rows = [
        [f"{scale:.2f}", f"{change:.4f}", f"{100 * change / facts['redraw_change']:.2f} %"]
        for scale, change in zip(scales, changes, strict=True)
    ]
    heads = ["Factor on z", "Mean pixel change", "Of that to another draw"]
    return markdown(heads, rows, "rrr")


def released_misfit() -> np.ndarray:
    """Return the root mean square misfit (ns) of the noise-free data under either cell order.

    Returns
    -------
    ndarray, shape (2,)
        In the order of `tomography.CELL_ORDERS`; empty where the released data is not at hand.
    """
    path = fetch.locate(RELEASED)
    if path is None:
        return np.empty(0)
    with np.load(path, allow_pickle=False) as released:
        model, observed = released["m_true"].astype(float), released["d_true"]
    matrices = (
        crosshole.ray_matrix(crosshole.Crosshole(), order) for order in crosshole.CELL_ORDERS
    )
    times = (crosshole.traveltimes(matrix, crosshole.velocity(model)) for matrix in matrices)
    return np.array([np.sqrt(np.square(t - observed).mean()) for t in times])


def released_rmse() -> np.ndarray:
    """Return the root mean square (ns) of the released noise II, shape (1,), or empty without it.

    Realisation I is not released.
    """
    path = fetch.locate(RELEASED)
    if path is None:
        return np.empty(0)
    with np.load(path, allow_pickle=False) as released:
        return np.array([np.sqrt(np.square(released["d"] - released["d_true"]).mean())])


def reverse_seconds() -> float:
    """Return the core time (s) of reverse mode for the derivatives of a whole image in z.

    One backward pass for each of the 7500 pixels of the model, as one would write it in PyTorch;
    the median of six, at the paper's width, on the CPU, whose time does not depend on the weights.
    """
    network = sgan.Generator(64)
    latents = torch.zeros(1, 1, *sgan.LATENT).uniform_(
        -1, 1, generator=torch.Generator().manual_seed(0)
    )
    image = sgan.to_model(network(latents.requires_grad_(True))).flatten()
    times = []
    for pixel in range(7):
        begin = time.process_time()
        torch.autograd.grad(image[pixel], latents, retain_graph=True)
        times.append(time.process_time() - begin)
    return image.numel() * float(np.median(times[1:]))  # the first pass sets things up


def landscape(
    world: World, half: float, points: int = 31, operator: str = "consistent"
) -> tuple[np.ndarray, np.ndarray]:
    """Return the WRMSE (z2, z1) around true model I, noise II, binary, and both axes (Figure 8).

    Parameters
    ----------
    world : latent_inversion.World
        Generator, operators and true models.
    half : float
        Half width of the window around the truth, cut to the box; 1 takes the whole box.
    points : int
        Points along each axis.
    operator : str
        Cell order of the rays.
    """
    truth = world.true_latents[1]
    observed, rmse = world.observed(operator, "binary", 1, 2)
    centre = truth[0, :2].cpu().numpy()
    low, high = (
        (-np.ones(2), np.ones(2))
        if half >= 1
        else (np.maximum(centre - half, -1), np.minimum(centre + half, 1))
    )
    axes = np.linspace(low, high, points, axis=1)
    z2, z1 = np.meshgrid(axes[1], axes[0], indexing="ij")
    states = truth.repeat(points * points, 1)
    states[:, 0] = torch.as_tensor(z1.ravel(), dtype=truth.dtype, device=truth.device)
    states[:, 1] = torch.as_tensor(z2.ravel(), dtype=truth.dtype, device=truth.device)
    times = torch.cat([world.simulate(operator, "binary", part) for part in states.split(64)])
    misfit = (times - observed).square().mean(1).sqrt() / rmse
    return misfit.cpu().numpy().reshape(points, points), axes


def local_minima(grid: np.ndarray) -> int:
    """Return the number of interior points of a grid below all their eight neighbours."""
    around = ndimage.minimum_filter(
        grid, footprint=np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]]), mode="nearest"
    )
    return int((grid < around)[1:-1, 1:-1].sum())


def depths(grid: np.ndarray) -> np.ndarray:
    """Return how deep each minimum inside a grid lies below the lowest pass to a deeper one.

    A plateau counts once. The deepest minimum of all has no pass: its depth is infinite.
    """
    rows, columns = grid.shape
    values = grid.ravel()
    above: dict[int, int] = {}  # of each point flooded so far, another of its basin

    def lowest(point: int) -> int:
        while above[point] != point:
            point = above[point]
        return point

    found = {}
    for point in map(int, np.argsort(values, kind="stable")):
        row, column = divmod(point, columns)
        around = [
            r * columns + c
            for r in range(max(row - 1, 0), min(row + 2, rows))
            for c in range(max(column - 1, 0), min(column + 2, columns))
        ]
        basins = sorted({lowest(each) for each in around if each in above}, key=values.__getitem__)
        above[point] = basins[0] if basins else point
        if not basins:
            found[point] = math.inf
        for shallower in basins[1:]:
            found[shallower] = values[point] - values[shallower]
            above[shallower] = basins[0]
    inside = [p for p in found if 0 < p // columns < rows - 1 and 0 < p % columns < columns - 1]
    return np.array(sorted(found[point] for point in inside))


def seen(grid: np.ndarray, share: float) -> int:
    """Return the minima inside a grid that are deeper than a share of the grid's range."""
    return int((depths(grid) > share * np.ptp(grid)).sum())


def flat_area(grid: np.ndarray, share: float) -> float:
    """Return the largest connected area, as a share, where neighbours differ less than so much.

    So much is a share of the grid's range, over a point and its eight neighbours.
    """
    steps = ndimage.maximum_filter(grid, 3) - ndimage.minimum_filter(grid, 3)
    areas, count = ndimage.label(steps < share * np.ptp(grid))
    return float(np.bincount(areas.ravel())[1:].max() / grid.size) if count else 0.0


def flat_share(grid: np.ndarray) -> float:
    """Return the share of neighbours along a grid's axes whose values differ less than 0.01."""
    return float(np.mean([*(np.abs(np.diff(grid, axis=axis)).ravel() < 0.01 for axis in (0, 1))]))
