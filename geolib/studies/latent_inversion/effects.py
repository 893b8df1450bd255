"""What single choices of the method change, on the same starts, data and number of updates."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import torch
from scipy import stats

from geolib.gans import sgan
from geolib.inversion import latent
from geolib.inversion.gauss_newton import central_differences, gauss_newton
from geolib.runs import paths
from geolib.runs.measure import Measure
from geolib.runs.tables import markdown, percent_span
from geolib.runs.unit import Arrays, Units, select
from geolib.studies.latent_inversion import searches
from geolib.studies.latent_inversion.config import weights_name
from geolib.studies.latent_inversion.units import Comparison, Trial
from geolib.studies.latent_inversion.world import World

WIDTHS = (64, 32, 16)
#: One value of a choice.
Choice = str | float | int
#: What is varied, and through which values; the paper's own comes first.
CHOICES: dict[str, tuple[Choice, ...]] = {
    "clipping": ("stochastic", "standard", "none", "released"),
    "rate": (0.01, 0.1, 0.001),
    "precision": ("float32", "bfloat16"),
    "perturbation": (0.1, 0.25, 0.01, 0.5),
    "damping": (1.0, 0.1, 10.0),
    "jacobian": ("differences", "exact"),
    "width": WIDTHS,
    "latents": ("uniform", "normal"),
}
#: Each of these has a generator of its own for every choice, hence true models of its own.
APART = ("width", "latents")
#: Generator trained with standard-normal latents, and its width.
NORMAL, NORMAL_WIDTH = "latent_inversion-normal16.safetensors", 16
#: A Gauss-Newton update takes 31 solves, one of Adam about three: so many times fewer are compared.
GN_SHARE = 20
#: Noise realisation of all comparisons, and the first of the trials: none that the tables judge.
NOISE, FIRST_TRIAL = 2, 5000


def weights_of(unit: Comparison, width: int) -> list[str]:
    """Return the weights that a comparison rests on, for a configuration's width."""
    others = {
        "width": [*map(weights_name, WIDTHS)],
        "latents": [weights_name(NORMAL_WIDTH), NORMAL],
    }
    return [weights_name(width), *others.get(unit.kind, [])]


def compare(world: World, unit: Comparison, n_choices: int | None = None) -> Arrays:
    """Return the best WRMSE of every start under every choice, binary case, both models.

    Parameters
    ----------
    world : latent_inversion.World
        Generator, operators and true data.
    unit : Comparison
        What is varied, on how much, and along which rays.
    n_choices : int, optional
        Only so many choices, from the published one on.

    Returns
    -------
    dict
        ``choices`` as text, ``outcome`` (choice, start) the best WRMSE, the number of ``updates``,
        and ``core_seconds`` of each choice for one update of one start (NaN on a GPU).
    """
    kind, iterations, trials = unit.kind, unit.iterations, unit.trials
    if kind in ("perturbation", "damping", "jacobian", "latents"):
        iterations = max(1, iterations // GN_SHARE)
    first, draws = starts_of(world, trials, iterations)
    outcome, seconds = [], []
    choices = CHOICES[kind][:n_choices]
    for choice in choices:
        there = _apart(world, kind, choice) if kind in APART else world
        pairs = [there.observed(unit.OPERATOR, "binary", model, NOISE) for model in (1, 2)]
        data = torch.cat([observed.expand(trials, -1) for observed, _ in pairs])
        begin = time.process_time()
        found = _search(there, unit, choice, data, first, draws)
        spent = time.process_time() - begin if world.device.type == "cpu" else np.nan
        outcome.append(found.best.numpy() / np.repeat([root for _, root in pairs], trials))
        seconds.append(spent / (iterations * 2 * trials))
    return {
        "choices": np.array([str(choice) for choice in choices]),
        "outcome": np.array(outcome),
        "updates": np.array(iterations),
        "core_seconds": np.array(seconds),
    }


def _apart(world: World, kind: str, choice: Choice) -> World:
    """Return the world of another generator, with true models of its own, as its latents are."""
    width = int(choice) if kind == "width" else NORMAL_WIDTH
    if choice == "normal":
        made = World(
            replace(world.config, width=width),
            str(world.device),
            sgan.load_weights(paths.weights(NORMAL)),
        )
        made.true_latents = {
            model: latent.to_normal(drawn) for model, drawn in made.true_latents.items()
        }
        return made
    return (
        world
        if width == world.config.width
        else World(replace(world.config, width=width), str(world.device))
    )


def starts_of(world: World, trials: int, iterations: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the same starts for both models, one after the other; not those of the tables."""
    units = [
        Trial("consistent", "binary", "adam", iterations, 1, NOISE, FIRST_TRIAL + t)
        for t in range(trials)
    ]
    return world.starts(units * 2, iterations)


def _search(
    world: World,
    unit: Comparison,
    choice: Choice,
    data: torch.Tensor,
    first: torch.Tensor,
    draws: torch.Tensor,
) -> latent.Search:
    """Run strategy 1, or 2 for what only it has, with everything but one choice as published."""
    kind, operator = unit.kind, unit.OPERATOR
    if kind in ("clipping", "rate", "precision", "width"):
        if kind == "precision" and choice != world.config.precision:
            world = World(
                replace(world.config, precision=str(choice)), str(world.device), world.network
            )
            # The data stay those of the world that was given.
        rule = str(choice) if kind == "clipping" else "stochastic"
        rate = float(choice) if kind == "rate" else 0.01
        return latent.adam(
            lambda z: world.simulate(operator, "binary", z),
            data,
            first,
            draws,
            rate=rate,
            clipping=rule,
        )
    step = float(choice) if kind == "perturbation" else None if choice == "exact" else 0.1
    linearise = searches.linearise(world, operator, "binary", step)
    if choice == "normal":  # nothing stands between strategy 2 and the generator
        linearise = central_differences(lambda z: world.simulate(operator, "binary", z), 0.1)
    damping = float(choice) if kind == "damping" else 1.0
    start = latent.to_normal(first)
    return gauss_newton(
        linearise, data, start, draws.shape[1], sigma=world.config.noise, damping=damping
    )


def measures(units: Units, made: type[Comparison] = Comparison) -> dict[str, Measure]:
    """Return how every other choice fares against the published one, on shared starts.

    Returns
    -------
    dict
        ``effect.KIND.CHOICE``, the median of the best misfits; ``KIND.worse.CHOICE``, the share of
        starts at which a choice ends with a larger misfit than the published one (of those where
        they differ); ``KIND.ratio.CHOICE``, by how much: the geometric mean of the ratios of
        misfits, paired by start. Each generator has true models of its own, so that nothing is
        paired: there it is the ratio of the geometric means. A start is tried with both models, and
        intervals are over starts.
    """
    found: dict[str, Measure] = {}
    for kind, arrays in largest(units, made).items():
        choices, outcome = arrays["choices"].tolist(), arrays["outcome"]
        for choice, values in zip(choices, outcome, strict=True):
            found[f"effect.{kind}.{choice}"] = Measure(float(np.median(values)), n=values.size)
        # (choice, start, model)
        logs = np.log(outcome).reshape(len(outcome), 2, -1).swapaxes(1, 2)
        for choice, other in zip(choices[1:], logs[1:], strict=True):
            gaps, ratio = other - logs[0], f"{kind}.ratio.{choice}"
            if kind in APART:
                found[ratio] = _ratio_apart(other.mean(1), logs[0].mean(1))
                continue
            found[ratio] = Measure.mean(gaps.mean(1).tolist()).exponential()
            # Where nothing differs there is no evidence, for either.
            if clusters := [(gap[gap != 0] > 0).tolist() for gap in gaps if gap.any()]:
                found[f"{kind}.worse.{choice}"] = Measure.clustered(clusters)
    return found


def _ratio_apart(left: np.ndarray, right: np.ndarray) -> Measure:
    """Return the ratio of the geometric means of two samples of logarithms (Welch's interval)."""
    value, interval = float(left.mean() - right.mean()), (None, None)
    if left.size > 1 and np.ptp(left) + np.ptp(right) > 0:
        interval = stats.ttest_ind(left, right, equal_var=False).confidence_interval()
    return Measure(value, *interval, n=left.size).exponential()


def largest(
    units: Units, made: type[Comparison] = Comparison
) -> dict[str, Mapping[str, np.ndarray]]:
    """Return by kind the comparison with the most updates and starts, of those of a type."""
    found: dict[str, tuple[int, Mapping[str, np.ndarray]]] = {}
    for unit, arrays in select(units, made).items():
        size = unit.iterations * unit.trials
        if size > found.get(unit.kind, (0, arrays))[0]:
            found[unit.kind] = (size, arrays)
    return {kind: arrays for kind, (_, arrays) in found.items()}


def as_markdown(units: Units, made: type[Comparison] = Comparison) -> str:
    """Return comparisons as Markdown: every choice's misfit, and how it fares against the first."""
    heads = (
        "Choice",
        "Value",
        "Updates",
        "Trials",
        "Median best WRMSE",
        "Worse than the first (95 %)",
        "Misfit over the first's",
    )
    found, rows = measures(units, made), []
    for kind, arrays in largest(units, made).items():
        if kind in APART:
            continue
        for choice in arrays["choices"].tolist():
            median = found[f"effect.{kind}.{choice}"]
            share, ratio = (found.get(f"{kind}.{what}.{choice}") for what in ("worse", "ratio"))
            rows.append(
                [
                    kind,
                    choice,
                    str(int(arrays["updates"])),
                    str(median.n),
                    f"{median.value:#.3g}",
                    "—" if share is None else f"{share} ({percent_span(share.low, share.high)})",
                    "—" if ratio is None else f"{ratio.value:#.3g}",
                ]
            )
    return markdown(heads, rows, "llrrrrr", empty="No comparison was run.")


def apart_as_markdown(units: Units, kind: str, made: type[Comparison] = Comparison) -> str:
    """Return a comparison of generators as Markdown: time of an update, what a strategy reaches.

    The p value is of a rank test (Mann-Whitney) against the first choice: starts are shared, true
    models are not.
    """
    heads = (
        kind.capitalize(),
        "Core time of an update (ms)",
        "Updates",
        "Starts",
        "Median best WRMSE",
        "Least",
    )
    rows = []
    found = largest(units, made).get(kind, {"choices": np.array([])})
    for row, choice in enumerate(found["choices"].tolist()):
        outcome = found["outcome"][row]
        p = f"{stats.mannwhitneyu(outcome, found['outcome'][0]).pvalue:.2g}" if row else "—"
        cells = [
            choice,
            f"{1e3 * float(found['core_seconds'][row]):.1f}",
            str(int(found["updates"])),
            str(outcome.size),
        ]
        rows.append([*cells, f"{np.median(outcome):#.3g}", f"{outcome.min():#.3g}", p])
    nothing = "No comparison of this kind was run."
    return markdown([*heads, "p (rank test)"], rows, "r" * 7, empty=nothing)


def laws_told(claim: str, bounds: tuple[float, float], verdict: str) -> str:
    """Return by what the ledger judges whether the latents' law matters, and its verdict."""
    low, high = bounds
    return (
        "The last column is a rank test; above 0.05 it sees no difference. That alone would not "
        "make two generators alike, and a trial that is far from a fit says little. The ledger's "
        f"claim is therefore about fits: *{claim.rstrip('.')}*, a ratio that has to lie "
        f"between {low:g} and {high:g}. Its verdict: *{verdict}*."
    )
