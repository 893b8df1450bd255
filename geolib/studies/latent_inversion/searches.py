"""The searches beside the paper's two strategies: DREAM(ZS), and one of our own."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor

from geolib.inversion import dream, latent
from geolib.inversion.gauss_newton import (
    Linearise,
    central_differences,
    forward_mode,
    levenberg_marquardt,
)
from geolib.runs.journal import Chained
from geolib.runs.store import Store
from geolib.runs.tables import markdown
from geolib.runs.unit import Arrays, Units, select
from geolib.studies.latent_inversion.tables import ORDERS, ROMAN
from geolib.studies.latent_inversion.units import Trial
from geolib.studies.latent_inversion.world import World

#: Factor on the jumps of DREAM(ZS): the standard length, and the tenth of the released program.
JUMPS = {"dream": 1.0, "dreamshort": 0.1}
#: Draws of the pooled search, and its stages: starts kept, steps tried with each, step of the
#: differences, and whether the case is guided by itself or without its threshold. Chosen with true
#: models of other seeds (777 and following).
POOL, POOL_STAGES = (
    256,
    ((16, 10, 0.01, False), (8, 8, 0.01, False), (4, 8, 0.01, False), (4, 8, 0.02, True)),
)


def linearise(world: World, operator: str, case: str, perturbation: float | None) -> Linearise:
    """Return traveltimes and Jacobian in standard-normal latents for strategy 2.

    Parameters
    ----------
    world : latent_inversion.World
        Generator and operators.
    operator, case : str
        What is observed.
    perturbation : float or None
        Step of the central differences, as published; None takes exact derivatives, of the model
        before thresholding where the thresholded one has none.

    Notes
    -----
    31 solves for each latent by differences; the exact Jacobian takes fifteen forward-mode products
    and a solve.
    """

    def simulate(normal: Tensor) -> Tensor:
        return world.simulate(operator, case, latent.to_uniform(normal))

    if perturbation is not None:
        return central_differences(simulate, perturbation)
    smooth = "surrogate" if case == "binary" else case
    exact = forward_mode(
        lambda normal: world.simulate(
            operator, smooth, latent.to_uniform(normal), forward_mode=True
        )
    )

    def with_exact(normal: Tensor) -> tuple[Tensor, Tensor]:
        with torch.no_grad():
            times = simulate(normal)
        return times, exact(normal)[1]

    return with_exact


def globally(world: World, unit: Trial, folder: Path | None = None) -> Arrays:
    """Run DREAM(ZS) on a scenario until it fits as well as the truth, or its runs are spent.

    That takes hours at width 64: what is kept in the folder is not computed again.
    """
    data, rmse = world.data(unit)
    observed = data.cpu().numpy().astype(float)
    d = world.true_latents[unit.model].shape[1]

    def simulate(states: np.ndarray) -> np.ndarray:
        latents = torch.as_tensor(states, dtype=torch.float32, device=world.device)
        with torch.no_grad():
            return world.simulate(unit.operator, unit.case, latents).cpu().numpy().astype(float)

    sigma, n_data = world.config.noise, observed.shape[1]
    settings = dream.Settings(jump_scale=JUMPS[unit.method])
    generations = max(1, unit.budget // settings.n_chains)
    log_likelihood = dream.gaussian(simulate, observed, sigma)
    if folder is not None:
        log_likelihood = Chained(log_likelihood, Store(folder / f"{unit.name}.chains"))
    chains = dream.sample(
        log_likelihood,
        d,
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


def pool_solves(n_dim: int) -> int:
    """Return a pooled search's forward solves: draws, Jacobians, steps tried, models judged."""
    return POOL + sum(
        kept * (iterations * (2 * n_dim + 2) + 1) for kept, iterations, *_ in POOL_STAGES
    )


def pooled(world: World, unit: Trial) -> Arrays:
    """Descend by Levenberg-Marquardt from the best of many draws, halve twice, and polish.

    The case without threshold guides the descent and the case itself the last steps, with
    differences wide enough to see across the threshold. The Jacobians are by central differences,
    which the frozen generator computes faster than exact derivatives; every solve counts.
    """
    observed, rmse = world.data(unit)
    d = world.true_latents[unit.model].shape[1]
    rng = np.random.default_rng([world.config.seed, 5, unit.model, unit.noise, unit.trial])
    pool = torch.as_tensor(
        rng.uniform(-1, 1, (unit.budget, d)), dtype=torch.float32, device=world.device
    )
    smooth = "surrogate" if unit.case == "binary" else unit.case

    def simulate(case: str, latents: Tensor) -> Tensor:
        with torch.no_grad():
            return torch.cat(
                [world.simulate(unit.operator, case, part) for part in latents.split(64)]
            )

    def misfit(case: str, latents: Tensor) -> Tensor:
        found = (simulate(case, latents) - observed).square().mean(1).sqrt()
        return torch.where(found.isfinite(), found, torch.inf)  # of no rank in a search

    solves, record = unit.budget, []
    pool = pool[misfit(smooth, pool).argsort()]
    for kept, iterations, step, itself in POOL_STAGES:
        guide = functools.partial(simulate, unit.case if itself else smooth)
        # As the generator ignores a latent's length nothing bounds the search; steps have their
        # meaning inside the box.
        pool = pool[:kept] / pool[:kept].abs().amax(1, keepdim=True)
        linearise = central_differences(guide, step)
        pool, reached, _ = levenberg_marquardt(
            linearise, guide, observed.expand(kept, -1), pool, iterations
        )
        pool = pool[reached.argsort()]
        ratios = misfit(unit.case, pool) / rmse
        solves += kept * (iterations * (2 * d + 2) + 1)
        record.append((solves, float(ratios.min())))
    best = pool[0] / pool[0].abs().max().clamp_min(1)
    return {
        "record": np.array(record),
        "final": ratios.cpu().numpy(),
        "best_latent": best.cpu().numpy(),
        "true_latent": world.true_latents[unit.model][0].cpu().numpy(),
        "true_rmse": np.array(rmse),
    }


class Chain(TypedDict):
    """What ArviZ says of the chains of one run, and which run it is."""

    order: str
    model: str
    noise: str
    jumps: float
    run: int
    acceptance: float
    draws: int
    r_hat: float
    ess_bulk: float
    ess_tail: float


def chains(units: Units) -> list[Chain]:
    """Return what ArviZ says of the last draws of each run of DREAM(ZS), binary case.

    Parameters
    ----------
    units : mapping
        Results by unit name; those of other methods are passed over, and runs with fewer than four
        draws.

    Returns
    -------
    list of dict
        ``order``, ``model``, ``noise`` and ``run`` as words and number; ``jumps``, the factor on
        their length; ``acceptance``, the share of proposals taken; ``draws`` of each chain; and
        what `diagnostics` returns.
    """
    rows = []
    for unit, arrays in select(units, Trial, method=tuple(JUMPS), case="binary").items():
        if arrays["draws"].shape[1] >= 4:  # ArviZ halves the chains
            said = diagnostics(arrays["draws"])
            rows.append(
                Chain(
                    order=ORDERS[unit.operator],
                    model=ROMAN[unit.model],
                    noise=ROMAN[unit.noise],
                    jumps=JUMPS[unit.method],
                    run=unit.trial + 1,
                    acceptance=float(arrays["acceptance_rate"].mean()),
                    draws=arrays["draws"].shape[1],
                    r_hat=said["r_hat"],
                    ess_bulk=said["ess_bulk"],
                    ess_tail=said["ess_tail"],
                )
            )
    return rows


def chains_markdown(rows: Sequence[Chain]) -> str:
    """Return the rows of `chains` as Markdown."""
    heads = ["Cell order", "Model", "Noise", "Jumps", "Run", "Acceptance", "Draws of a chain"]
    lines = []
    for row in rows:
        sizes = (f"{row['ess_bulk']:.0f}", f"{row['ess_tail']:.0f}")
        share = f"{100 * row['acceptance']:.1f} %"
        place = (row["order"], row["model"], row["noise"], f"{row['jumps']:g}", row["run"])
        lines.append([*place, share, row["draws"], f"{row['r_hat']:.2f}", *sizes])
    return markdown(
        [*heads, "Worst R-hat", "Least ESS, bulk", "tail"],
        lines,
        "lllrrrrrrr",
        empty="No chain was run.",
    )


def diagnostics(draws: np.ndarray) -> dict[str, float]:
    """Return ArviZ's worst rank-normalised R-hat, smallest bulk and tail effective sample sizes.

    Parameters
    ----------
    draws : ndarray, shape (n_chains, n_draws, n_dim)
        As DREAM(ZS) leaves them.

    Returns
    -------
    dict
        ``r_hat`` (below 1.01 where the chains agree), ``ess_bulk``, ``ess_tail``.

    Raises
    ------
    ImportError
        Without ArviZ: `pip install "geolib[diagnostics]"`.

    References
    ----------
    Vehtari et al. (2021), Bayesian Analysis 16.
    """
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # tells at every import that a rewrite is coming
        import arviz

    data = arviz.convert_to_dataset({"latent": draws})
    r_hat = arviz.rhat(data, method="rank")["latent"].to_numpy()
    sizes = {kind: arviz.ess(data, method=kind)["latent"].to_numpy() for kind in ("bulk", "tail")}
    return {
        "r_hat": float(r_hat.max()),
        **{f"ess_{kind}": float(size.min()) for kind, size in sizes.items()},
    }
