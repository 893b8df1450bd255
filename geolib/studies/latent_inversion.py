"""Laloy et al. (2019): can gradients invert traveltimes in the latent space of a generator of channel images?"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from geolib import paths, tomography
from geolib.claims import Measure
from geolib.config import Config as BaseConfig
from geolib.config import param
from geolib.gans import sgan
from geolib.inversion import dream, latent
from geolib.inversion.gauss_newton import central_differences, gauss_newton

TITLE = "Gradient-based inversion in a generator's latent space (Laloy et al. 2019)"
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
    "record": ("improvement", "runs_and_misfit"),
    "draws": ("chain", "draw", "latent"),
}
SCENARIOS = ((1, 1), (1, 2), (2, 1), (2, 2))
#: Iterations at which the paper's tables read off the best misfit so far, and its three limits on WRMSE.
MARKS = (100, 1000, 5000, 10000)
LIMITS = (1.2, 1.1, 1.01)
ROMAN = {1: "I", 2: "II"}
N_LATENT = sgan.LATENT[0] * sgan.LATENT[1]
#: The released strategy 1 gives a run up once its sum of squares exceeds this (ns^2) after iteration 100.
EARLY_STOP = (100, 1000.0)
KEPT = 250


@dataclass(frozen=True)
class Config(BaseConfig):
    """Parameters of the study; those of the first block fix what a trial is, the others how many there are and how long."""

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
        choices=(*tomography.CELL_ORDERS, "image"),
        extent=True,
    )
    cases: tuple[str, ...] = param(
        ("continuous", "binary"), "models before or after thresholding", choices=("continuous", "binary"), extent=True
    )
    methods: tuple[str, ...] = param(
        ("adam", "gn"),
        "strategy 1, strategy 2 and the global search",
        paper=("adam", "gn", "dream"),
        choices=("adam", "gn", "dream"),
        extent=True,
    )
    trials: int = param(2, "starts for each row of the tables", paper=100, low=1, high=10_000, extent=True)
    adam_iterations: int = param(100, "updates of strategy 1", paper=10_000, low=1, high=100_000, extent=True)
    gn_iterations: int = param(8, "updates of strategy 2", paper=5000, low=1, high=100_000, extent=True)
    dream_runs: int = param(4000, "forward runs of DREAM(ZS)", paper=800_000, low=16, high=10_000_000, extent=True)
    batch: int = param(8, "trials computed together; results agree to round-off", low=1, high=4096, extent=True)


class Unit(NamedTuple):
    """One trial: what is observed, of which case, by which method and for how long."""

    operator: str
    case: str
    method: str
    budget: int
    model: int
    noise: int
    trial: int

    @property
    def name(self) -> str:
        """Its file name."""
        return f"{self.operator}-{self.case}-{self.method}{self.budget}-m{self.model}-n{self.noise}-t{self.trial:03d}"

    @classmethod
    def parse(cls, name: str) -> Unit:
        """Return the unit of a file name.

        Raises
        ------
        ValueError
            If it is no unit's name.
        """
        found = re.fullmatch(r"(\w+)-(\w+)-([a-z]+)(\d+)-m(\d)-n(\d)-t(\d+)", name)
        if not found:
            raise ValueError(f"unit name must look like consistent-binary-adam100-m1-n2-t003; got {name!r}.")
        operator, case, method, *numbers = found.groups()
        return cls(operator, case, method, *map(int, numbers))


def _units(config: Config) -> Iterator[Unit]:
    budgets = {"adam": config.adam_iterations, "gn": config.gn_iterations, "dream": config.dream_runs}
    for method in config.methods:
        for operator in config.operators:
            for case in config.cases:
                # The whole image is inverted by strategy 1 alone, before thresholding and without noise.
                if operator == "image" and (method, case) != ("adam", "continuous"):
                    continue
                scenarios = ((1, 0), (2, 0)) if operator == "image" else SCENARIOS
                trials = 1 if method == "dream" else config.trials
                # Trial by trial, so that a run that is stopped early leaves all rows with the same trials.
                for trial in range(trials):
                    yield from (Unit(operator, case, method, budgets[method], *pair, trial) for pair in scenarios)


def unit_names(config: Config) -> list[str]:
    """Return the names of all trials of a configuration."""
    return [unit.name for unit in _units(config)]


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
        survey = tomography.Crosshole()
        self.matrices = {o: tomography.ray_matrix(survey, o).astype(np.float32) for o in tomography.CELL_ORDERS}
        self.dense = {}
        if self.device.type != "cpu":
            self.dense = {o: torch.from_numpy(m.toarray()).to(self.device) for o, m in self.matrices.items()}
        self.true_latents = {model: self._true_latent(model) for model in (1, 2)}

    def models(self, latents: Tensor) -> Tensor:
        """Return facies models in [0, 1], shape (n, 7500), of latents (n, 15)."""
        reduced = self.config.precision == "bfloat16"
        with torch.autocast(self.device.type, torch.bfloat16, enabled=reduced):
            images = self.network(latents.view(-1, 1, *sgan.LATENT))
        return sgan.to_model(images.float()).flatten(1)

    def simulate(self, operator: str, case: str, latents: Tensor) -> Tensor:
        """Return traveltimes in ns, shape (n, 576), or for operator ``image`` the model itself."""
        models = self.models(latents)
        if operator == "image":
            return models
        if case == "binary":
            # Slowness is linear in a binary model, so that the published adjoint is its exact derivative.
            low, high = 1 / tomography.MATRIX_VELOCITY, 1 / tomography.CHANNEL_VELOCITY
            slowness = low + (high - low) * latent.threshold(models)
        else:
            slowness = 1 / (tomography.CHANNEL_VELOCITY + 0.02 * (1 - models))
        if operator in self.dense:
            return slowness @ self.dense[operator].T
        return tomography.times_of(self.matrices[operator], slowness)

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
        with torch.no_grad():
            clean = self.simulate(unit.operator, unit.case, self.true_latents[unit.model])
        if unit.operator == "image":
            return clean, 1.0
        # The same errors for both models, cases and cell orders, as in the paper.
        errors = self.config.noise * np.random.default_rng([self.config.seed, 2, unit.noise]).standard_normal(clean.shape)
        rmse = float(np.sqrt(np.square(errors).mean()))
        return clean + torch.as_tensor(errors, dtype=torch.float32, device=self.device), rmse

    def starts(self, units: list[Unit], iterations: int) -> tuple[Tensor, Tensor]:
        """Return first latents (n, 15) and the clipping's draws (n, iterations, 15), a function of each trial's number."""
        pairs = []
        for unit in units:
            rng = np.random.default_rng([self.config.seed, 3, unit.trial])
            pairs.append((rng.uniform(-1, 1, N_LATENT), rng.random((iterations, N_LATENT), dtype=np.float32) * 2 - 1))
        first = np.stack([pair[0] for pair in pairs]).astype(np.float32)
        return torch.as_tensor(first).to(self.device), torch.as_tensor(np.stack([p[1] for p in pairs])).to(self.device)


def weights_path(width: int) -> Any:
    """Return the file of the shipped generator of a width."""
    path = paths.results() / f"latent_inversion-sgan{width}.safetensors"
    if not path.is_file():
        known = sorted(int(p.stem.split("sgan")[1]) for p in paths.results().glob("latent_inversion-sgan*.safetensors"))
        raise ValueError(f"width must be one with shipped weights, {known}; got {width}. Train others with geolib.gans.sgan.")
    return path


def compute(
    config: Config, names: Iterable[str], *, device: str | None = None, world: World | None = None
) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Yield `(name, arrays)` of the named trials, in batches of one operator, case and method.

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
    world = world or World(config, device)
    groups: dict[tuple, list[Unit]] = {}
    for name in names:
        unit = Unit.parse(name)
        groups.setdefault(unit[:4], []).append(unit)
    for (_, _, method, _), units in groups.items():
        if method == "dream":
            for unit in units:
                yield unit.name, _global_search(world, unit)
            continue
        # A batch is always full: its shape, hence its round-off, does not depend on which trials are missing.
        size = config.batch if method == "adam" else max(1, config.batch // 4)
        for first in range(0, len(units), size):
            chunk = units[first : first + size]
            full = chunk + chunk[-1:] * (size - len(chunk))
            yield from zip((unit.name for unit in chunk), _search(world, full), strict=False)


def _search(world: World, units: list[Unit]) -> Iterator[dict[str, np.ndarray]]:
    """Run one batch of strategy 1 or 2 and yield each trial's arrays."""
    config, unit = world.config, units[0]
    pairs = {u[4:6]: world.data(u) for u in units}
    data = torch.cat([pairs[u[4:6]][0] for u in units])
    first, draws = world.starts(units, unit.budget if unit.method == "adam" else 0)
    if unit.method == "adam":
        found = latent.adam(
            lambda z: world.simulate(unit.operator, unit.case, z),
            data,
            first,
            draws,
            rate=config.learning_rate,
            clipping=config.clipping,
        )
        best_latent = found.best_latent
    else:
        linearise = central_differences(
            lambda normal: world.simulate(unit.operator, unit.case, latent.to_uniform(normal)), config.perturbation
        )
        start = latent.to_normal(first)
        found = gauss_newton(linearise, data, start, unit.budget, sigma=config.noise)
        best_latent = latent.to_uniform(found.best_latent)
    for row, each in enumerate(units):
        rmse = pairs[each[4:6]][1]
        arrays = _arrays(found.misfit[row].numpy() / rmse, rmse, data.shape[1])
        latents = {"start": first[row], "best_latent": best_latent[row], "true_latent": world.true_latents[each.model][0]}
        yield arrays | {name: value.cpu().numpy() for name, value in latents.items()}


def _arrays(ratio: np.ndarray, rmse: float, n_data: int) -> dict[str, np.ndarray]:
    """Return what is kept of a trial's misfits: the best at the tables' marks, thinned curves, the early stop's verdict."""
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


def _global_search(world: World, unit: Unit) -> dict[str, np.ndarray]:
    """Run DREAM(ZS) on a scenario until it fits the data as well as the truth does, or its runs are spent."""
    data, rmse = world.data(unit)
    observed = data.cpu().numpy().astype(float)

    def simulate(states: np.ndarray) -> np.ndarray:
        latents = torch.as_tensor(states, dtype=torch.float32, device=world.device)
        with torch.no_grad():
            return world.simulate(unit.operator, unit.case, latents).cpu().numpy().astype(float)

    sigma, n_data = world.config.noise, observed.shape[1]
    settings = dream.Settings()
    generations = max(1, unit.budget // settings.n_chains)
    chains = dream.sample(
        dream.gaussian(simulate, observed, sigma),
        N_LATENT,
        generations,
        np.random.default_rng([world.config.seed, 4, unit.model, unit.noise, unit.trial]),
        settings=settings,
        thin=max(1, generations // 1000),
        target=-0.5 * n_data * (rmse / sigma) ** 2,
    )
    record = chains.record.copy()
    record[:, 1] = np.sqrt(-2 * record[:, 1] / n_data) * sigma / rmse
    return {
        "record": record,
        "best_latent": chains.best.astype(np.float32),
        "true_latent": world.true_latents[unit.model][0].cpu().numpy(),
        "draws": chains.draws[:, -200:].astype(np.float32),
        "acceptance_rate": chains.acceptance_rate,
        "crossover": chains.crossover,
        "runs": np.array(chains.runs),
        "true_rmse": np.array(rmse),
    }


# Tables: whatever units there are, counted row by row.


def best_by(units: Mapping[str, Mapping[str, np.ndarray]], iterations: int, **wanted: Any) -> dict[int, float]:
    """Return by trial the smallest WRMSE of its first `iterations` updates, for units with the `wanted` attributes.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    iterations : int
        A run that was asked for fewer updates does not count; of a longer one its first part does.
    wanted
        Attributes of `Unit`, such as operator, case, method, model and noise.
    """
    found: dict[int, float] = {}
    for name, arrays in units.items():
        unit = Unit.parse(name)
        if any(getattr(unit, key) != value for key, value in wanted.items()) or "marks" not in arrays:
            continue
        at = np.flatnonzero(arrays["marks"] == iterations)
        if at.size:
            found.setdefault(unit.trial, float(arrays["best"][at[0]]))
    return found


def table(units: Mapping[str, Mapping[str, np.ndarray]], case: str, operator: str = "consistent") -> list[dict[str, Any]]:
    """Return the rows of Table 2 (continuous) or 3 (binary): strategy, iterations, model, noise, trials and counts.

    Rows without a trial are left out; iteration counts are those of the paper and those that were run.
    """
    rows = []
    for strategy, method in ((1, "adam"), (2, "gn")):
        budgets = {u.budget for u in map(Unit.parse, units) if u.method == method}
        for iterations in sorted(budgets | set(MARKS)):
            for model, noise in SCENARIOS:
                wanted = {"operator": operator, "case": case, "method": method, "model": model, "noise": noise}
                best = np.array(list(best_by(units, iterations, **wanted).values()))
                if best.size:
                    counts = [int((best <= limit).sum()) for limit in LIMITS]
                    rows.append(
                        {
                            "strategy": strategy,
                            "iterations": iterations,
                            "model": ROMAN[model],
                            "noise": ROMAN[noise],
                            "trials": best.size,
                            "counts": counts,
                            "best": float(best.min()),
                        }
                    )
    return rows


def measures(config: Config, units: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    """Return the numbers of the claims ledger, from whatever units there are.

    Rows of Tables 2 and 3 are named ``table3.s1-10000-I-II.le1.01`` (consistent ordering) and
    ``as_published.table3...`` (the released one); Table 1 ``table1.I.image`` and ``table1.I.latent``.
    """
    found: dict[str, Measure] = {}
    pooled: dict[str, list[tuple[int, int]]] = {}
    for prefix, operator in (("", "consistent"), ("as_published.", "as_published")):
        for name, case in (("table2", "continuous"), ("table3", "binary")):
            for row in table(units, case, operator):
                label = f"s{row['strategy']}-{row['iterations']}"
                for limit, count in zip(LIMITS, row["counts"], strict=True):
                    here = f"{prefix}{name}.{label}-{row['model']}-{row['noise']}.le{limit}"
                    found[here] = Measure.count(count, row["trials"])
                    pooled.setdefault(f"{prefix}{name}.{label}.le{limit}", []).append((count, row["trials"]))
    for name, pairs in pooled.items():
        # The mean over the four scenarios is stated only where all four were run.
        if len(pairs) == len(SCENARIOS):
            found[f"{name}.all"] = Measure.count(sum(k for k, _ in pairs), sum(n for _, n in pairs))
            shares = [k / n for k, n in pairs]
            found[f"{name}.lowest"], found[f"{name}.highest"] = Measure(min(shares)), Measure(max(shares))
    found.update(_image_measures(config, units))
    found.update(_dream_measures(units))
    return found


def _image_measures(config: Config, units: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    """Count Table 1: images recovered to 0.02, latents to a mean squared error of 0.01, by runs of 10 000 updates."""
    runs = [(Unit.parse(name), arrays) for name, arrays in units.items()]
    runs = [(unit, arrays) for unit, arrays in runs if unit.operator == "image" and unit.budget >= MARKS[-1]]
    found: dict[str, Measure] = {}
    for model in sorted({unit.model for unit, _ in runs}):
        mine = [arrays for unit, arrays in runs if unit.model == model]
        image = np.array([arrays["running_best"][-1] <= 0.02 for arrays in mine])
        exact = np.array([np.square(arrays["best_latent"] - arrays["true_latent"]).mean() <= 0.01 for arrays in mine])
        found[f"table1.{ROMAN[model]}.image"] = Measure.count(int(image.sum()), len(mine))
        found[f"table1.{ROMAN[model]}.latent"] = Measure.count(int(exact.sum()), len(mine))
    return found


def _dream_measures(units: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, Measure]:
    """Return the best WRMSE of the global searches and the forward runs they took to 1.1 and 1.0."""
    found: dict[str, Measure] = {}
    for name, arrays in units.items():
        unit = Unit.parse(name)
        if (unit.operator, unit.case, unit.method) != ("consistent", "binary", "dream"):
            continue
        scenario = f"{ROMAN[unit.model]}-{ROMAN[unit.noise]}"
        runs, misfit = arrays["record"].T
        found[f"dream.{scenario}.best"] = Measure(float(misfit.min()))
        for limit in (1.1, 1.0):
            if (misfit <= limit).any():
                found[f"dream.{scenario}.runs_to_{limit}"] = Measure(float(runs[misfit <= limit].min()))
    return found


if __name__ == "__main__":
    from geolib import studies

    raise SystemExit(studies.main(sys.modules[__name__]))
