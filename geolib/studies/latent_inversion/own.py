"""The reader's own traveltimes, or own generator, in the inversion of latents."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from geolib.gans import sgan
from geolib.gans.fast import inference
from geolib.inversion import crosshole, latent, posterior
from geolib.inversion.gauss_newton import central_differences, gauss_newton
from geolib.inversion.search import Settings, Simulate, search
from geolib.runs.journal import Remembered
from geolib.runs.measure import Measure
from geolib.runs.store import Store
from geolib.runs.study import Study
from geolib.runs.tables import listed, markdown
from geolib.runs.unit import Arrays, Single, Unit, Units
from geolib.studies.latent_inversion import learnt
from geolib.studies.latent_inversion.given import (
    SHAPE,
    OwnConfig,
    network,
    rays,
    recipe,
)
from geolib.studies.latent_inversion.world import N_LATENT, SOLVES

_SHOWN = 6  # images, of the best first
_SEARCHED = 500  # solves of each of the sampler's searches at least


class Physics:
    """Times that a generator's images give along the rays, over their deviations.

    In the folder of a run it remembers what search and sampler simulated: a killed one goes on.
    """

    def __init__(
        self,
        config: OwnConfig,
        trained: sgan.Generator | None = None,
        folder: Path | None = None,
    ) -> None:
        self.config, self.rays, self.folder = config, rays(config), folder
        self.network = network(config.weights, config.width) if trained is None else trained
        self.frozen = inference.Frozen(self.network) if inference.available() else self.network
        self.deviation = torch.from_numpy(self.rays.deviation).float()
        self.true_latent, time = None, self.rays.time
        if time is None:
            rng = np.random.default_rng([config.seed, 1])
            self.true_latent = torch.from_numpy(rng.uniform(-1, 1, (1, N_LATENT))).float()
            with torch.no_grad():
                clean = self.times(self.true_latent)[0].numpy()
            time = crosshole.noisy(clean, config.noise, rng)
        self.time = time
        self.data = torch.from_numpy(np.asarray(time)).float() / self.deviation

    def images(self, latents: Tensor) -> Tensor:
        """Return facies (n, nz, nx) in [0, 1], 1 inside channels, of latents (n, 15)."""
        images = self.frozen(latents.view(-1, 1, *sgan.LATENT))
        return sgan.to_model(images.float()).view(-1, *SHAPE)

    def times(self, latents: Tensor) -> Tensor:
        """Return traveltimes (ns), shape (n, n_rays)."""
        inside, outside = self.config.inside, self.config.outside
        velocity = outside + (inside - outside) * self.images(latents).flatten(1)
        return crosshole.times_of(self.rays.matrix, 1 / velocity)

    def scaled(self, latents: Tensor) -> Tensor:
        """Return traveltimes over their deviations."""
        return self.times(latents) / self.deviation

    def simulate(self, latents: np.ndarray) -> np.ndarray:
        """Return traveltimes over their deviations, (n, n_rays), without a graph."""
        with torch.no_grad():
            found: np.ndarray = self.scaled(torch.from_numpy(latents).float()).numpy()
        return found

    def remembered(self, unit: str) -> Simulate:
        """Return `simulate`, which remembers what a killed computation of a unit simulated."""
        if self.folder is None:
            return self.simulate
        return Remembered(self.simulate, Store(self.folder / f"{unit}.state"))


class OwnLatent(Study[OwnConfig]):
    """Two descents from many starts, a search and a sampler, on the reader's own traveltimes."""

    name = "latent_own"
    version = 4  # every method's models hold the times that they give
    title = "Your own traveltimes in a generator's latent space"
    Config = OwnConfig
    kinds = (Single,)
    leaves: ClassVar[Mapping[str, str]] = {"weights.safetensors": learnt.CHOSEN}
    sequential = True

    def units(self, config: OwnConfig) -> list[Unit]:
        """Return Adam's descent, and what else is asked for."""
        asked = {
            "training": len(config.training_image),
            "descent": 1,
            "newton": config.gn_iterations,
            "search": config.solves,
            "posterior": config.draws,
        }
        return [Single(name) for name, count in asked.items() if count]

    def compute(
        self, config: OwnConfig, units: Sequence[Unit], folder: Path | None = None
    ) -> Iterator[tuple[Unit, Arrays]]:
        """Yield the training; misfits and images of descents and search; the sampler's."""
        picture, trained = learnt.image(config.training_image, config.threshold), None
        if picture is not None:
            with tempfile.TemporaryDirectory() as temporary:
                place = Path(folder or temporary)
                if Single("training") in units or not (place / learnt.CHOSEN).is_file():
                    made = learnt.train(picture, recipe(config), config.seed, config.judged, place)
                    if Single("training") in units:
                        yield Single("training"), made
                trained = sgan.load_weights(place / learnt.CHOSEN)
        physics = Physics(config, trained, folder)
        how = {"descent": _descent, "newton": _gauss_newton, "search": _search}
        how["posterior"] = _posterior
        for unit in units:
            if unit.name == "training":
                continue
            truth = {} if physics.true_latent is None else _images(physics, physics.true_latent)
            yield (
                unit,
                how[unit.name](physics) | {f"true_{name}": value for name, value in truth.items()},
            )

    def measures(self, config: OwnConfig, units: Units) -> dict[str, Measure]:
        """Return the least misfit of each method, in deviations."""
        least = {name: run["misfit"].min() for name, run in descents(units).items()}
        if "search" in units:
            least["search"] = units["search"]["misfits"].min()
        return {f"{name}.misfit": Measure(float(misfit)) for name, misfit in least.items()}

    def arrays(self, config: OwnConfig, units: Units) -> dict[str, np.ndarray]:
        """Return each method's models, best first, and how probable channel is in each cell."""
        found = {
            f"models-{name.lower()}.npy": run["images"][np.argsort(run["misfit"].min(1))]
            for name, run in descents(units).items()
        }
        if "search" in units:
            found["models-search.npy"] = units["search"]["images"]
        if "posterior" in units:
            found["probability.npy"] = units["posterior"]["probability"]
        return found


def _starts(config: OwnConfig, rng: np.random.Generator) -> Tensor:
    """Return first latents (n, 15), the first that a generator draws."""
    return torch.from_numpy(rng.uniform(-1, 1, (config.starts, N_LATENT))).float()


def _descent(physics: Physics) -> Arrays:
    config, rng = physics.config, np.random.default_rng([physics.config.seed, 2])
    start = _starts(config, rng)
    shape = (config.starts, config.iterations, N_LATENT)
    draws = torch.from_numpy(rng.uniform(-1, 1, shape)).float()
    data = physics.data.expand(config.starts, -1)
    enough = torch.ones(config.starts)  # as good as the errors of the times
    found = latent.adam(physics.scaled, data, start, draws, rate=config.rate, enough=enough)
    return {
        "misfit": found.misfit.numpy(),
        "time": np.asarray(physics.time),
        "deviation": physics.rays.deviation,
        "solves": SOLVES["adam"] * found.visits.numpy(),
        **_images(physics, found.best_latent),
    }


def _gauss_newton(physics: Physics) -> Arrays:
    """Return what Gauss-Newton makes of Adam's starts, each time weighted by its deviation."""
    config = physics.config
    start = _starts(config, np.random.default_rng([config.seed, 2]))
    # Where float32 rounds a draw to the box's very end there is no normal number.
    inner = 1 - torch.finfo(start.dtype).eps / 2
    start = latent.to_normal(start.clamp(-inner, inner))

    def simulate(normal: Tensor) -> Tensor:
        # As many at once as there are starts, so that it takes no more memory than the descent.
        parts = normal.split(config.starts)
        return torch.cat([physics.scaled(latent.to_uniform(part)) for part in parts])

    found = gauss_newton(
        central_differences(simulate, config.perturbation),
        physics.data.expand(config.starts, -1),
        start,
        config.gn_iterations,
        enough=torch.ones(config.starts),  # as for the descent
    )
    kept = {"misfit": found.misfit.numpy(), "solves": SOLVES["gn"] * found.visits.numpy()}
    return kept | _images(physics, latent.to_uniform(found.best_latent))


def _search(physics: Physics) -> Arrays:
    """Return all models at which the search ended, as it is begun anew until its solves are spent.

    A search ends where a model fits; of the last one, that may not, the best of each attempt count.
    """
    config, rng = physics.config, np.random.default_rng([physics.config.seed, 4])
    data, used, simulate = physics.data.double().numpy(), 0, physics.remembered("search")
    models: list[np.ndarray] = []
    misfits: list[float] = []
    record = np.empty((0, 2))
    while used < config.solves:
        budget = config.solves - used
        found = search(simulate, data, N_LATENT, sigma=1.0, budget=budget, rng=rng)
        record = record if used else found.record
        used += found.solves
        fits = found.misfit <= Settings().target
        models += [found.model] if fits else list(found.models)
        misfits += [found.misfit] if fits else found.misfits.tolist()
    order = np.argsort(misfits, kind="stable")
    made = _images(physics, torch.from_numpy(np.array(models)[order]).float())
    facies = made["images"] >= 0.5
    other = (facies != facies[:1]).mean((1, 2))
    kept = {"misfits": np.array(misfits)[order], "other": other, "record": record}
    return {**made, **kept, "target": np.array(Settings().target), "solves": np.array(used)}


def _images(physics: Physics, latents: Tensor) -> Arrays:
    with torch.no_grad():
        return {
            "images": physics.images(latents).numpy(),
            "latents": latents.numpy(),
            "fit": physics.times(latents).numpy(),
        }


def _posterior(physics: Physics) -> Arrays:
    config, rng = physics.config, np.random.default_rng([physics.config.seed, 3])
    how = posterior.Settings(
        particles=config.draws,
        solves=max(config.solves, _SEARCHED),
        moves=config.moves,
    )
    data = physics.data.double().numpy()
    simulate = physics.remembered("posterior")
    found = posterior.sample(simulate, data, N_LATENT, sigma=1.0, rng=rng, settings=how)
    facies = _images(physics, torch.from_numpy(found.draws).float())["images"] >= 0.5
    level = np.sqrt(-2 * found.log_likelihood / len(data))
    return {
        "probability": facies.mean(0).astype(np.float32),
        "misfits": level,
        "searches": np.array([found.searches, found.reached]),
        "solves": np.array(found.solves),
    }


#: Share of normal errors that lies beyond two deviations.
TWO_DEVIATIONS = 0.0455
#: Names of the descents, by their units.
DESCENTS = {"descent": "Adam", "newton": "Gauss-Newton"}


def descents(units: Units) -> dict[str, Mapping[str, np.ndarray]]:
    """Return the descents that there are, by their names."""
    return {name: units[unit] for unit, name in DESCENTS.items() if unit in units}


def summary(units: Units) -> str:
    """Return a table of what each start reached, best first, in deviations of the times."""
    best = {name: run["misfit"].min(1) for name, run in descents(units).items()}
    order = np.argsort(np.min(list(best.values()), axis=0))
    rows = [
        [place, int(start) + 1, *(f"{reached[start]:.2f}" for reached in best.values())]
        for place, start in enumerate(order, 1)
    ]
    return markdown(["rank", "start", *(f"misfit, {name}" for name in best)], rows, "rrrr")


def beside(units: Units) -> str:
    """Return a table of what each method reached, and with how many solves."""
    found = {
        name: (run["misfit"].min(1), run["solves"].sum()) for name, run in descents(units).items()
    }
    for unit in ("search", "posterior"):
        if unit in units:
            found[unit] = units[unit]["misfits"], units[unit]["solves"]
    limit = Settings().target
    rows = [
        [
            name,
            len(misfits),
            # Draws are not looked for one by one: how many of them are below is no success.
            "" if name == "posterior" else int((misfits <= limit).sum()),
            f"{misfits.min():.2f}",
            f"{np.median(misfits):.2f}",
            f"{int(solves):,}",
        ]
        for name, (misfits, solves) in found.items()
    ]
    return markdown(["method", "models", "fit", "best", "median", "solves"], rows, "lrrrrr")


def pictures(units: Units, name: str = "Adam") -> dict[str, np.ndarray]:
    """Return the images of a descent's best starts, by what is said of each, after a known truth.

    There are none of a descent that was left out.
    """
    if name not in descents(units):
        return {}
    run = descents(units)[name]
    best = run["misfit"].min(1)
    shown = {"truth": run["true_images"][0]} if "true_images" in run else {}
    for start in np.argsort(best)[:_SHOWN]:
        shown[f"start {start + 1}: {best[start]:.2f}"] = run["images"][start]
    return shown


def fits(units: Units) -> dict[str, np.ndarray]:
    """Return the times (ns) of each method's best model, by method and misfit."""
    found = {}
    for name, run in descents(units).items():
        reached = run["misfit"].min(1)
        found[f"{name}, misfit {reached.min():.2f}"] = run["fit"][reached.argmin()]
    if "search" in units:
        run = units["search"]
        found[f"search, misfit {run['misfits'][0]:.2f}"] = run["fit"][0]
    return found


def beyond(units: Units) -> str:
    """Return how many times each method's best model leaves more than two deviations off."""
    time, deviation = units["descent"]["time"], units["descent"]["deviation"]
    counts = [
        f"{int((np.abs(time - fit) > 2 * deviation).sum())} by {name.split(',')[0]}"
        for name, fit in fits(units).items()
    ]
    return (
        f"More than two deviations off are {listed(counts)} of {len(time)} times; normal errors "
        f"would leave about {round(TWO_DEVIATIONS * len(time))}."
    )


def ends(units: Units) -> str:
    """Return a table of the models that the search found: misfit, and cells unlike the best's."""
    run = units["search"]
    rows = [
        [place, f"{misfit:.2f}", "yes" if misfit <= run["target"] else "no", f"{100 * other:.0f} %"]
        for place, (misfit, other) in enumerate(
            zip(run["misfits"].tolist(), run["other"].tolist(), strict=True), 1
        )
    ]
    return markdown(["rank", "misfit (deviations)", "fits", "cells unlike rank 1"], rows, "rrlr")


def modes(units: Units) -> dict[str, np.ndarray]:
    """Return the images at the best ends of the search, if it was made, by what is said of each."""
    if "search" not in units:
        return {}
    run = units["search"]
    titles = (
        f"{place}: {misfit:.2f}, {100 * other:.0f} %"
        for place, (misfit, other) in enumerate(zip(run["misfits"], run["other"], strict=True), 1)
    )
    return dict(zip(titles, run["images"][:_SHOWN], strict=False))


def trusted(units: Units) -> str:
    """Return what the searches say of the draws that began with them; nothing of none."""
    if "posterior" not in units:
        return ""
    run = units["posterior"]
    made, reached = run["searches"].tolist()
    told = (
        f"The draws took {int(run['solves']):,} solves. Of {made} searches that they began with, "
        f"{reached} came as near to the times as their deviations allow"
    )
    if reached:
        return f"{told}."
    return (
        f"{told}: the searches were too short (`solves`), the deviations are larger than was said, "
        "or this generator, these velocities and straight rays do not make such times. The draws "
        "are of the best that was found, **not of the posterior**."
    )


STUDY = OwnLatent()
