"""Laloy et al. (2019): inverting traveltimes by gradients in the latent space of a generator of channel images."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geolib import _checks
from geolib._runtime import keep_memory
from geolib.book import ledger
from geolib.gans import sgan
from geolib.gans.fast import inference
from geolib.inversion import crosshole, latent
from geolib.inversion.gauss_newton import gauss_newton
from geolib.runs import paths
from geolib.runs.config import Config as BaseConfig
from geolib.runs.config import param
from geolib.runs.measure import Measure
from geolib.studies.latent_inversion import effects as latent_effects
from geolib.studies.latent_inversion import facts, tables
from geolib.studies.latent_inversion import measures as latent_measures
from geolib.studies.latent_inversion import searches as latent_searches
from geolib.studies.latent_inversion.tables import EARLY_STOP, IMAGE_SCENARIOS, MARKS, SCENARIOS, Unit

TITLE = "Gradient-based inversion in a generator's latent space (Laloy et al. 2019)"
QUESTION = "Can gradients find an earth in a generator's latent space, and which earth did the published rays see?"
FILES = ("laloy2019_training_image.png", "laloy2019_model1_noise2.npz")
VERSION = 1
DIMS = {
    "marks": ("mark",),
    "best": ("mark",),
    "trajectory": ("kept",),
    "running_best": ("kept",),
    "iteration": ("kept",),
    "start": ("latent",),
    "best_latent": ("latent",),
    "true_latent": ("latent",),
    "singular_values": ("draw", "latent"),
    "landscape": ("zoom", "z2", "z1"),
    "landscape_published": ("zoom", "z2", "z1"),
    "record": ("improvement", "runs_and_misfit"),
    "outcome": ("choice", "trial"),
    "draws": ("chain", "draw", "latent"),
}
N_LATENT = sgan.LATENT[0] * sgan.LATENT[1]
#: WRMSE at which a trial on traveltimes rests: as good as the truth, and below every limit of the tables.
ENOUGH = 1.0
#: Points kept of a trial's misfit curve.
KEPT = 250


@dataclass(frozen=True)
class Config(BaseConfig):
    """Parameters; those down to the precision fix what a trial is, the others how many there are and how long."""

    seed: int = param(2019, "seed of true models, noise and starts", low=0, high=10**9)
    width: int = param(32, "filters of the generator's narrowest wide layer; 64 is the paper's", low=2, high=128)
    noise: float = param(1.0, "standard deviation of the traveltime errors", low=1e-3, high=100.0, unit="ns")
    learning_rate: float = param(0.01, "Adam's learning rate (strategy 1)", low=1e-6, high=10.0)
    clipping: str = param("stochastic", "what becomes of latents that leave the box", choices=latent.CLIPPING)
    perturbation: float = param(0.1, "step of the central differences (strategy 2)", low=1e-4, high=2.0)
    precision: str = param("float32", "arithmetic of the generator", choices=("float32", "bfloat16"))
    operators: tuple[str, ...] = param(
        ("consistent",),
        "what is observed: traveltimes in either cell order, or the whole image",
        paper=("consistent", "as_published", "image"),
        choices=(*crosshole.CELL_ORDERS, "image"),
        extent=True,
    )
    cases: tuple[str, ...] = param(
        ("continuous", "binary"), "models before or after thresholding", choices=("continuous", "binary"), extent=True
    )
    methods: tuple[str, ...] = param(
        ("adam", "gn"),
        "strategy 1, strategy 2 (gnx: with exact derivatives), the global search and our pooled one",
        paper=("adam", "gn", "dream", "pool"),
        choices=("adam", "gn", "gnx", "dream", "pool"),
        extent=True,
    )
    trials: int = param(2, "starts for each row of the tables", paper=100, low=1, high=10_000, extent=True)
    adam_iterations: int = param(100, "updates of strategy 1", paper=10_000, low=1, high=100_000, extent=True)
    gn_iterations: int = param(8, "updates of strategy 2", paper=5000, low=1, high=100_000, extent=True)
    searches: int = param(
        1, "runs of the global and the pooled search in each scenario", paper=10, low=1, high=1000, extent=True
    )
    dream_runs: int = param(4000, "forward runs of DREAM(ZS)", paper=800_000, low=16, high=10_000_000, extent=True)
    effects: tuple[str, ...] = param(
        ("clipping",),
        "which choices of the method are varied, each unit a comparison on shared starts",
        paper=latent_effects.KINDS,
        choices=latent_effects.KINDS,
        extent=True,
    )
    effect_trials: int = param(
        2, "starts for each true model in such a comparison", paper=20, low=1, high=1000, extent=True
    )
    effect_iterations: int = param(50, "updates of strategy 1 in it", paper=1000, low=1, high=100_000, extent=True)

    #: How many trials were computed together, before the groups below were fixed.
    GONE = frozenset({"batch"})


def _units(config: Config) -> Iterator[Unit]:
    gn = config.gn_iterations
    budgets = {"adam": config.adam_iterations, "gn": gn, "gnx": gn}
    budgets |= {"dream": config.dream_runs, "pool": latent_searches.POOL}
    for method in config.methods:
        for operator in config.operators:
            for case in config.cases:
                # The whole image is inverted by strategy 1 alone, before thresholding and without noise.
                if operator == "image" and (method, case) != ("adam", "continuous"):
                    continue
                trials = config.searches if method in ("dream", "pool") else config.trials
                # Trial by trial, so that a run that is stopped early leaves all rows with the same trials.
                for trial in range(trials):
                    for pair in scenarios(operator):
                        yield Unit(operator, case, method, budgets[method], *pair, trial)


def scenarios(operator: str) -> tuple[tuple[int, int], ...]:
    """Return model and noise of the scenarios that every trial of an operator is run in."""
    return IMAGE_SCENARIOS if operator == "image" else SCENARIOS


def group(unit: Unit) -> list[Unit]:
    """Return the trials that are computed together with one, in their places: this is part of what a trial is.

    A trial of strategy 1 or 2 is computed with the same trial of the other scenarios, always all of them and always in
    this order; runs of the global searches are computed alone. Larger groups gain less than a tenth: in groups of 4, 8,
    16 and 32 an update takes 26.3, 24.5, 28.2 and 24.2 ms a trial with width 64, and 8.6, 9.3, 9.8 and 7.9 ms with
    width 32 (strategy 1, float32, one thread of an AMD EPYC, the least of three times 20 updates).

    Trials whose record names no `group` were computed by sixteens, before this was fixed.
    """
    if unit.method in ("dream", "pool"):
        return [unit]
    return [unit._replace(model=model, noise=noise) for model, noise in scenarios(unit.operator)]


def grouping(name: str) -> str:
    """Return what a unit's record says of its group: the scenarios in their places, or that it is computed alone."""
    together = [] if tables.alone(name) else group(Unit.parse(name))
    return " ".join(f"m{unit.model}-n{unit.noise}" for unit in together) if len(together) > 1 else "alone"


def unit_names(config: Config) -> list[str]:
    """Return the names of all trials of a configuration."""
    effects = [latent_effects.name(kind, config.effect_iterations, config.effect_trials) for kind in config.effects]
    return [tables.GENERATOR, *effects, *(unit.name for unit in _units(config))]


class World:
    """Generator, operators and true data of a configuration on a device.

    Parameters
    ----------
    config : Config
        Which generator, noise and precision.
    device : str, optional
        CUDA where there is one, by default.
    network : sgan.Generator, optional
        In place of the shipped weights.
    """

    def __init__(self, config: Config, device: str | None = None, network: sgan.Generator | None = None) -> None:
        self.config = config
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = network or sgan.load_weights(weights_path(config.width))
        self.network = network.to(self.device).requires_grad_(False)
        self.reduced = config.precision == "bfloat16"
        # Without Numba, as on a bare machine, the network's own layers do the work.
        fast = self.device.type == "cpu" and inference.available()
        precision = torch.bfloat16 if self.reduced else torch.float32
        self.frozen = inference.Frozen(self.network, precision) if fast else None
        survey = crosshole.Crosshole()
        self.matrices = {o: crosshole.ray_matrix(survey, o).astype(np.float32) for o in crosshole.CELL_ORDERS}
        self.dense = {}
        if self.device.type != "cpu":
            self.dense = {o: torch.from_numpy(m.toarray()).to(self.device) for o, m in self.matrices.items()}
        self.true_latents = {model: self._true_latent(model) for model in (1, 2)}

    def models(self, latents: Tensor, *, forward_mode: bool = False) -> Tensor:
        """Return facies models in [0, 1], shape (n, 7500), of latents (n, 15); see `simulate` for `forward_mode`."""
        _checks.shape("latents", latents, (None, N_LATENT), "Give each latent a row.")
        latents = latents.view(-1, 1, *sgan.LATENT)
        if self.frozen is not None and not forward_mode:
            # Many images at once would leave the cache.
            parts = latents.tensor_split(-(-len(latents) // 16))
            images = torch.cat([self.frozen(part) for part in parts])
            return sgan.to_model(images).flatten(1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced):
            images = self.network(latents)
        return sgan.to_model(images.float()).flatten(1)

    def image(self, latent: np.ndarray) -> np.ndarray:
        """Return the facies model in [0, 1], shape (125, 60), of one latent (15,)."""
        with torch.no_grad():
            model = self.models(torch.as_tensor(latent, dtype=torch.float32, device=self.device)[None])
        return model.cpu().numpy().reshape(crosshole.Crosshole().shape)

    def simulate(self, operator: str, case: str, latents: Tensor, *, forward_mode: bool = False) -> Tensor:
        """Return traveltimes in ns, shape (n, 576), or for operator ``image`` the model itself.

        Case ``surrogate`` is the binary case without its threshold: linear in the model, with derivatives that tell.
        With `forward_mode` the network's own layers are used, which forward-mode derivatives can follow. ValueError if
        latents have another shape, or operator or case is unknown.
        """
        _checks.choice("operator", operator, (*crosshole.CELL_ORDERS, "image"))
        _checks.choice("case", case, ("continuous", "binary", "surrogate"))
        models = self.models(latents, forward_mode=forward_mode)
        if operator == "image":
            return models
        if case != "continuous":
            # Slowness is linear in a binary model, so that the published adjoint is its exact derivative.
            low, high = 1 / crosshole.MATRIX_VELOCITY, 1 / crosshole.CHANNEL_VELOCITY
            slowness = low + (high - low) * (latent.threshold(models) if case == "binary" else models)
        else:
            slowness = 1 / (crosshole.CHANNEL_VELOCITY + 0.02 * (1 - models))
        if operator in self.dense:
            return slowness @ self.dense[operator].T
        return crosshole.times_of(self.matrices[operator], slowness)

    def _true_latent(self, model: int) -> Tensor:
        """Draw the true latent of model I or II, the first whose image holds the training image's share of channels."""
        rng = np.random.default_rng([self.config.seed, 1, model])
        for _ in range(100):
            drawn = torch.as_tensor(rng.uniform(-1, 1, (1, N_LATENT)), dtype=torch.float32, device=self.device)
            if 0.2 <= float((self.models(drawn) >= 0.5).float().mean()) <= 0.32:
                return drawn
        raise ValueError("the generator must make images with 20 to 32 % channels; it does not. Train it for longer.")

    def data(self, unit: Unit) -> tuple[Tensor, float]:
        """Return the data of a unit's scenario, shape (1, n_data), and the root mean square of its errors (ns)."""
        return self.observed(unit.operator, unit.case, unit.model, unit.noise)

    def observed(self, operator: str, case: str, model: int, noise: int) -> tuple[Tensor, float]:
        """Return noisy data, shape (1, n_data), and the root mean square of their errors (ns)."""
        with torch.no_grad():
            clean = self.simulate(operator, case, self.true_latents[model])
        if operator == "image":
            return clean, 1.0
        # The same errors for both models, cases and cell orders, as in the paper.
        errors = self.config.noise * np.random.default_rng([self.config.seed, 2, noise]).standard_normal(clean.shape)
        rmse = float(np.sqrt(np.square(errors).mean()))
        return clean + torch.as_tensor(errors, dtype=torch.float32, device=self.device), rmse

    def starts(self, units: list[Unit], iterations: int) -> tuple[Tensor, Tensor]:
        """Return first latents (n, 15) and the clipping's draws (n, iterations, 15) by each trial's number."""
        pairs = []
        for unit in units:
            rng = np.random.default_rng([self.config.seed, 3, unit.trial])
            pairs.append((rng.uniform(-1, 1, N_LATENT), rng.random((iterations, N_LATENT), dtype=np.float32) * 2 - 1))
        first = np.stack([pair[0] for pair in pairs]).astype(np.float32)
        return torch.as_tensor(first).to(self.device), torch.as_tensor(np.stack([p[1] for p in pairs])).to(self.device)


def weights_path(width: int) -> Path:
    """Return the file of the shipped generator of a width."""
    path = paths.results() / f"latent_inversion-sgan{width}.safetensors"
    if not path.is_file():
        known = sorted(int(p.stem.split("sgan")[1]) for p in paths.results().glob("latent_inversion-sgan*.safetensors"))
        raise ValueError(
            f"width must be one with shipped weights, {known}; got {width}. Train others with geolib.gans.sgan."
        )
    return path


def compute(
    config: Config, names: Iterable[str], *, device: str | None = None, world: World | None = None
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield `(name, arrays)` of the named units; trials are computed in whole groups, whichever of them are named.

    Parameters
    ----------
    config : Config
        Settings.
    names : iterable of str
        Units.
    device : str, optional
        Where to compute; CUDA where there is one, by default.
    world : World, optional
        In place of the one of the shipped weights.
    """
    keep_memory()
    world = world or World(config, device)
    for wanted in tasks(config, list(names)):
        first = wanted[0]
        if first == tables.GENERATOR:
            yield first, facts.generator_facts(world)
        elif tables.alone(first):
            yield first, latent_effects.compare(world, first)
        elif (unit := Unit.parse(first)).method in ("dream", "pool"):
            search = latent_searches.globally if unit.method == "dream" else latent_searches.pooled
            yield first, search(world, unit)
        else:
            places = group(unit)
            found = zip(places, _search(world, places), strict=True)
            yield from ((each.name, arrays) for each, arrays in found if each.name in wanted)


def tasks(config: Config, names: list[str]) -> list[list[str]]:
    """Return the units by groups, which may be computed apart from one another."""
    found: dict[str, list[str]] = {}
    for name in names:
        first = name if tables.alone(name) else group(Unit.parse(name))[0].name
        found.setdefault(first, []).append(name)
    return list(found.values())


def _search(world: World, units: list[Unit]) -> Iterator[dict[str, np.ndarray]]:
    """Run one group of strategy 1 or 2 and yield each trial's arrays."""
    config, unit = world.config, units[0]
    pairs = {u[4:6]: world.data(u) for u in units}
    data = torch.cat([pairs[u[4:6]][0] for u in units])
    first, draws = world.starts(units, unit.budget if unit.method == "adam" else 0)
    # The whole image has no noise to fit, and its table asks for the latent as well.
    enough = torch.tensor([0.0 if unit.operator == "image" else ENOUGH * pairs[u[4:6]][1] for u in units])
    if unit.method == "adam":
        found = latent.adam(
            lambda z: world.simulate(unit.operator, unit.case, z),
            data,
            first,
            draws,
            rate=config.learning_rate,
            clipping=config.clipping,
            enough=enough,
        )
        best_latent = found.best_latent
    else:
        step = config.perturbation if unit.method == "gn" else None
        linearise = latent_searches.linearise(world, unit.operator, unit.case, step)
        start = latent.to_normal(first)
        found = gauss_newton(linearise, data, start, unit.budget, sigma=config.noise, enough=enough)
        best_latent = latent.to_uniform(found.best_latent)
    for row, each in enumerate(units):
        rmse = pairs[each[4:6]][1]
        arrays = _arrays(found.misfit[row].numpy() / rmse, rmse, data.shape[1])
        latents = {
            "start": first[row],
            "best_latent": best_latent[row],
            "true_latent": world.true_latents[each.model][0],
        }
        yield arrays | {name: value.cpu().numpy() for name, value in latents.items()}


def _arrays(ratio: np.ndarray, rmse: float, n_data: int) -> dict[str, np.ndarray]:
    """Return what is kept of a trial's misfits: best at the tables' marks, thinned curves, the early stop's verdict."""
    running = np.minimum.accumulate(ratio)
    kept = np.unique(np.linspace(0, len(ratio) - 1, min(KEPT, len(ratio))).astype(int))
    marks = np.array(sorted({mark for mark in MARKS if mark <= len(ratio)} | {len(ratio)}))
    after, limit = EARLY_STOP
    beyond = np.flatnonzero(ratio[after:] * rmse > np.sqrt(limit / n_data))
    stop = after + int(beyond[0]) if beyond.size else -1
    return {
        "marks": marks,
        "best": running[marks - 1],
        "iteration": kept,
        "trajectory": ratio[kept].astype(np.float32),
        "running_best": running[kept].astype(np.float32),
        "true_rmse": np.array(rmse),
        "stopped": np.array(stop),
        "best_if_stopped": np.array(running[stop] if stop >= 0 else running[-1]),
    }


def measures(config: Config, units: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    """Return the numbers of the claims ledger, from whatever units there are; names are those of `latent_measures`."""
    found = latent_measures.measures(units)
    return latent_measures.published_measures(ledger.load(paths.ledger())) | found if found else found


if __name__ == "__main__":
    from geolib import studies

    raise SystemExit(studies.main(sys.modules[__name__]))
