"""What the chapter's figures and sentences rest on, from whatever trials there are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import torch

from geolib.inversion import crosshole
from geolib.runs.measure import Measure
from geolib.runs.tables import markdown
from geolib.runs.unit import Units, select
from geolib.studies.latent_inversion import tables
from geolib.studies.latent_inversion.posterior import Posterior
from geolib.studies.latent_inversion.search import Truth
from geolib.studies.latent_inversion.tables import LIMITS, MARKS
from geolib.studies.latent_inversion.units import GENERATOR, SCENARIOS, Trial
from geolib.studies.latent_inversion.world import SOLVES, World

#: What the book calls the searches; the names of its palette.
SEARCHES = {"adam": "Adam", "gn": "Gauss-Newton", "dream": "DREAM", "pool": "pooled"}
#: How far a strategy is followed where it is computed again: its path grows round-off, and one that
#: is computed in another group has parted from itself by a per cent or more some steps later.
FOLLOWED = {
    "adam": ("strategy 1, the first 40 updates", 40),
    "gn": ("strategy 2, its start", 0),
}
_NAMES = {**tables.STRATEGIES, **tables.SEARCHES}
#: Draws of the prior over which traveltimes vary.
DRAWS = 64


def progress(
    units: Units, operator: str, case: str, method: str, limit: float
) -> dict[int, Measure]:
    """Return by updates the share of trials that a limit on WRMSE was reached in.

    All four scenarios are pooled; a number of updates that one of them lacks is left out. The four
    share their starts: the intervals are from a bootstrap over these.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    operator, case, method : str
        Fields of `Trial`.
    limit : float
        WRMSE that counts as a fit.
    """
    wanted = {"operator": operator, "case": case, "method": method}
    trials = {u: a for u, a in select(units, Trial, **wanted).items() if "marks" in a}
    marks = sorted({int(mark) for arrays in trials.values() for mark in arrays["marks"]})
    found: dict[int, Measure] = {}
    for mark in marks:
        starts: dict[int, dict[tuple[int, int], bool]] = {}
        for unit, arrays in trials.items():
            at = np.flatnonzero(arrays["marks"] == mark)
            if at.size:
                hit = bool(arrays["best"][at[0]] <= limit)
                starts.setdefault(unit.trial, {}).setdefault((unit.model, unit.noise), hit)
        if {pair for hits in starts.values() for pair in hits} == set(SCENARIOS):
            clusters = [list(hits.values()) for _, hits in sorted(starts.items())]
            found[mark] = Measure.clustered(clusters)
    return found


def shared_fits(units: Units, updates: int) -> tuple[int, ...]:
    """Return how many binary starts of strategy 1 both cell orders have, and who fits in either.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    updates : int
        Length of the trials that count.

    Returns
    -------
    tuple of int
        Starts (of a scenario each) in both, fits with true rays, fits scrambled.
    """
    fits = []
    for order in ("consistent", "as_published"):
        wanted = {"operator": order, "case": "binary", "method": "adam", "budget": updates}
        fits.append(
            {
                (trial.model, trial.noise, trial.trial): bool(arrays["best"][-1] <= LIMITS[-1])
                for trial, arrays in select(units, Trial, **wanted).items()
            }
        )
    both = fits[0].keys() & fits[1].keys()
    return len(both), *(sum(each[start] for start in both) for each in fits)


def published_progress(
    published: Mapping[str, Sequence[int]], table: str, strategy: int, limit: float
) -> dict[int, Measure]:
    """Return by updates the share of the paper's trials that reached a limit, all four scenarios.

    Parameters
    ----------
    published : mapping
        Counts of 100 by claim id, such as ``latent_inversion.table3.s1-100-I-I``.
    table : str
        ``table2`` (continuous) or ``table3`` (binary).
    strategy : int
        1 or 2.
    limit : float
        One of `LIMITS`.
    """
    place, found = LIMITS.index(limit), {}
    for updates in (*MARKS, 5000):
        head = f"latent_inversion.{table}.s{strategy}-{updates}-"
        counts = [row[place] for name, row in published.items() if name.startswith(head)]
        if len(counts) == len(SCENARIOS):
            found[updates] = Measure.count(sum(counts), 100 * len(counts))
    return dict(sorted(found.items()))


def wrong_cells(world: World, units: Units, operator: str) -> tuple[np.ndarray, np.ndarray]:
    """Return best WRMSE and share of wrong cells of the longest binary trials of strategy 1.

    Parameters
    ----------
    world : World
        Whose generator made the models.
    units : mapping
        Results by unit name.
    operator : str
        Cell order of the rays.

    Notes
    -----
    An image for each trial.
    """
    trials = select(units, Trial, operator=operator, case="binary", method="adam")
    budget = max((trial.budget for trial in trials), default=0)
    kept = [arrays for trial, arrays in trials.items() if trial.budget == budget]
    if not kept:
        return np.empty(0), np.empty(0)
    with torch.no_grad():
        found, true = (
            world.models(torch.as_tensor(np.stack([a[name] for a in kept]))) >= 0.5
            for name in ("best_latent", "true_latent")
        )
    best = np.array([float(arrays["best"][-1]) for arrays in kept])
    return best, (found != true).float().mean(1).numpy()


def channel_of_fits(world: World, units: Units) -> dict[tuple[str, int], tuple[np.ndarray, int]]:
    """Return by cell order and true model where fitting models have channel, and their number.

    The share (7500,) of the models of the longest binary trials of strategy 1 that fit, either
    noise, with channel in a cell.
    """
    found: dict[tuple[str, int], tuple[np.ndarray, int]] = {}
    for operator in tables.ORDERS:
        for model in tables.ROMAN:
            trials = tables.longest(units, operator, "binary", model)
            fits = [a["best_latent"] for a in trials if float(a["best"][-1]) <= LIMITS[-1]]
            if fits:
                with torch.no_grad():
                    models = world.models(torch.as_tensor(np.stack(fits))) >= 0.5
                found[operator, model] = (models.float().mean(0).numpy(), len(fits))
    return found


def solves_to_fit(units: Units, operator: str) -> dict[str, np.ndarray]:
    """Return by search the solves that each binary run took to fit, infinite where it did not.

    Of the two strategies the budget with the most trials counts, of two such the longer; the global
    searches stop where they fit.
    """
    found: dict[str, np.ndarray] = {}
    for method, name in SEARCHES.items():
        kept = _commonest(units, operator, method)
        if kept:
            found[name] = np.array([_solves(arrays, method) for arrays in kept.values()])
    return found


def _commonest(units: Units, operator: str, method: str) -> dict[Trial, Mapping[str, np.ndarray]]:
    """Return the binary runs of the budget that most have, of two such the larger."""
    runs = select(units, Trial, operator=operator, case="binary", method=method)
    budgets = [trial.budget for trial in runs]
    most = max(budgets, key=lambda budget: (budgets.count(budget), budget), default=0)
    return {trial: arrays for trial, arrays in runs.items() if trial.budget == most}


def stopped(units: Units, operator: str) -> dict[str, float]:
    """Return by search the solves after which the longest of its runs in `solves_to_fit` ended."""
    found: dict[str, float] = {}
    for method, name in SEARCHES.items():
        kept = _commonest(units, operator, method)
        if kept:
            found[name] = max(_ended(trial, arrays) for trial, arrays in kept.items())
    return found


def beside(wide: Units, narrow: Units, operator: str) -> dict[str, tuple[np.ndarray, float]]:
    """Return by search and width what `solves_to_fit` and `stopped` have: the wide one's if any."""
    found: dict[str, tuple[np.ndarray, float]] = {}
    for name in SEARCHES.values():
        for width, units in ((64, wide), (32, narrow)):
            solves = solves_to_fit(units, operator)
            if name in solves:
                found[f"{name}, width {width}"] = (solves[name], stopped(units, operator)[name])
                break
    return found


def _ended(trial: Trial, arrays: Mapping[str, np.ndarray]) -> float:
    if trial.method in SOLVES:
        return float(SOLVES[trial.method] * trial.budget)
    if trial.method == "dream" and np.isinf(_solves(arrays, trial.method)):
        return float(trial.budget)  # its record ends where it last improved
    return float(arrays["record"][-1, 0])


def _solves(arrays: Mapping[str, np.ndarray], method: str) -> float:
    if "record" in arrays:
        return tables.arrival(arrays["record"], LIMITS[-1])
    fitted = np.flatnonzero(arrays["running_best"] <= LIMITS[-1])
    # A misfit is that before an update, whose solves are needed to know it.
    return SOLVES[method] * (1 + float(arrays["iteration"][fitted[0]])) if fitted.size else np.inf


def spread(world: World) -> dict[str, float]:
    """Return by cell order how a traveltime (ns) varies over the prior, the mean over rays."""
    source = torch.Generator().manual_seed(6)
    latents = torch.rand(DRAWS, world.true_latents[1].shape[1], generator=source) * 2 - 1
    with torch.no_grad():
        slowness = torch.from_numpy(1 / crosshole.velocity(world.models(latents).numpy()))
    return {
        order: float(crosshole.times_of(matrix, slowness).std(0).mean())
        for order, matrix in world.matrices.items()
    }


def times(world: World) -> dict[str, np.ndarray]:
    """Return by cell order the noise-free traveltimes (ns) of true model I."""
    with torch.no_grad():
        return {
            order: world.simulate(order, "binary", world.true_latents[1])[0].numpy()
            for order in world.matrices
        }


def runs_markdown(columns: Mapping[str, tuple[Units, str]]) -> str:
    """Return what was run as Markdown: trials of each search and kind of model, or a bar.

    Searches by regression and posteriors, studies of their own, have a row if there are any.

    Parameters
    ----------
    columns : mapping
        Results and their cell order by the head of a column. Of several budgets the one with the
        most trials counts.
    """
    lines = []
    for method, name in _NAMES.items():
        for case in ("binary", "continuous"):
            cells = []
            for units, operator in columns.values():
                trials = select(units, Trial, operator=operator, case=case, method=method)
                counts = Counter(trial.budget for trial in trials)
                cells.append(str(max(counts.values(), default="—")))
            # Global searches are of binary models alone, and few have shorter jumps.
            if method in SOLVES or (
                case == "binary" and (method in SEARCHES or set(cells) > {"—"})
            ):
                lines.append([f"{name}, {case}", *cells])
    regression = [len(select(u, Truth, operator=o, case="binary")) for u, o in columns.values()]
    drawn = [len(select(u, Posterior, operator=o)) for u, o in columns.values()]
    for name, made in (("regression", regression), ("posterior", drawn)):
        if any(made):
            lines.append([f"{name}, binary", *(str(count or "—") for count in made)])
    return markdown(["Search, models", *columns], lines, "l" + "r" * len(columns))


def again(precomputed: Units, here: Units) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Return by name what was computed here and the same of the precomputed runs.

    Of a trial the beginning counts, as far as both have kept it and round-off lets it be followed.
    """
    rows: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    mine, theirs = here.get(GENERATOR.name), precomputed.get(GENERATOR.name)
    if mine is not None and theirs is not None:
        for label, name in (
            ("singular values of the Jacobian", "singular_values"),
            ("map of the misfit", "landscape"),
        ):
            rows[label] = (mine[name], theirs[name])
    for method, (label, last) in FOLLOWED.items():
        pairs = [
            pair
            for trial, arrays in select(here, Trial, method=method).items()
            for pair in _common(arrays, _longer(precomputed, trial), last)
        ]
        if pairs:
            ours, before = zip(*pairs, strict=True)
            rows[label] = (np.array(ours), np.array(before))
    return rows


def _longer(units: Units, trial: Trial) -> Mapping[str, np.ndarray]:
    fields = {name: value for name, value in vars(trial).items() if name != "budget"}
    found = {u.budget: a for u, a in select(units, Trial, **fields).items()}
    return found[max(found)] if found else {}


def _common(
    one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray], last: int
) -> list[tuple[float, float]]:
    if not other:
        return []
    shared, here, there = np.intersect1d(one["iteration"], other["iteration"], return_indices=True)
    kept = shared <= last
    return list(zip(one["trajectory"][here[kept]], other["trajectory"][there[kept]], strict=True))
