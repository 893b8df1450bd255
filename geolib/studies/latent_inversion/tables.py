"""Tables 2 and 3 of Laloy et al. (2019) and of global searches, from whatever trials exist."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

import numpy as np
from scipy import stats

from geolib.runs.measure import Measure
from geolib.runs.tables import listed, markdown
from geolib.runs.unit import Units, select
from geolib.studies.latent_inversion.units import SCENARIOS, Trial

#: Iterations at which the paper's tables read off the best misfit so far, and its three limits on
#: WRMSE.
MARKS = (100, 1000, 5000, 10000)
LIMITS = (1.2, 1.1, 1.01)
#: The released strategy 1 gives a run up once its sum of squares exceeds this (ns^2) after so many
#: iterations.
EARLY_STOP = (100, 1000.0)
ROMAN = {1: "I", 2: "II"}
#: What the page calls the cell orders.
ORDERS = {"consistent": "true rays", "as_published": "scrambled"}
#: And the paper's two strategies.
STRATEGIES = {"adam": "strategy 1", "gn": "strategy 2"}
NO_TRIAL = "No trial of this kind was run."


class Row(TypedDict):
    """A row of Table 2 or 3: how many trials came within each limit."""

    strategy: int | str
    iterations: int
    model: str
    noise: str
    trials: int
    counts: list[int]
    best: float


def best_by(units: Units, iterations: int, **wanted: str | int) -> dict[int, float]:
    """Return by trial the smallest WRMSE of its first `iterations` updates, for `wanted` units.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    iterations : int
        A run that was asked for fewer updates does not count; of a longer one its first part does.
    wanted
        Fields of `Trial`, such as operator, case, method, model and noise.
    """
    found: dict[int, float] = {}
    for unit, arrays in select(units, Trial, **wanted).items():
        if "marks" not in arrays:
            continue
        at = np.flatnonzero(arrays["marks"] == iterations)
        if at.size:
            found.setdefault(unit.trial, float(arrays["best"][at[0]]))
    return found


def longest(units: Units, operator: str, case: str, model: int) -> list[Mapping[str, np.ndarray]]:
    """Return strategy 1's longest trials on a true model, either noise, the best first."""
    named = select(units, Trial, operator=operator, case=case, method="adam", model=model)
    mine = [(trial.budget, arrays) for trial, arrays in named.items()]
    end = max((budget for budget, _ in mine), default=0)
    return sorted((a for budget, a in mine if budget == end), key=lambda a: float(a["best"][-1]))


def most(
    units: Units, operator: str, case: str, method: str, model: int | None = None
) -> list[Mapping[str, np.ndarray]]:
    """Return the trials of the commonest length, of two such the longer; the best first.

    Those of both true models are taken together unless one is named.
    """
    by_budget: dict[int, list[Mapping[str, np.ndarray]]] = {}
    for trial, arrays in select(units, Trial, operator=operator, case=case, method=method).items():
        if model in (None, trial.model):
            by_budget.setdefault(trial.budget, []).append(arrays)
    trials = max(
        sorted(by_budget.items(), reverse=True), key=lambda item: len(item[1]), default=(0, [])
    )[1]
    return sorted(trials, key=lambda arrays: float(arrays["best"][-1]))


def table(units: Units, case: str, operator: str = "consistent") -> list[Row]:
    """Return rows of Table 2 (continuous) or 3 (binary): strategy to counts, one a scenario.

    Rows without a trial are left out; iteration counts are those of the paper and those that were
    run.
    """
    rows: list[Row] = []
    for strategy, method in ((1, "adam"), (2, "gn"), ("2 exact", "gnx")):
        kind = {"operator": operator, "case": case, "method": method}
        budgets = {trial.budget for trial in select(units, Trial, method=method)}
        for iterations in sorted(budgets | set(MARKS)):
            for model, noise in SCENARIOS:
                scenario = {"model": model, "noise": noise}
                best = np.array(list(best_by(units, iterations, **kind, **scenario).values()))
                if best.size:
                    rows.append(
                        Row(
                            strategy=strategy,
                            iterations=iterations,
                            model=ROMAN[model],
                            noise=ROMAN[noise],
                            trials=best.size,
                            counts=[int((best <= limit).sum()) for limit in LIMITS],
                            best=float(best.min()),
                        )
                    )
    return rows


def as_markdown(rows: list[Row], published: Mapping[str, Sequence[int]], name: str) -> str:
    """Return rows of Table 2 or 3 as Markdown, with Wilson 95 % intervals, beside those of 100.

    The last column has, for each limit, the p value of Fisher's exact test that both counts come
    from one proportion.

    Parameters
    ----------
    rows : list of dict
        From `table`.
    published : mapping
        Counts by claim id, such as ``latent_inversion.table3.s1-100-I-I``.
    name : str
        ``table2`` or ``table3``.
    """
    lines = []
    for row in rows:
        scenario = f"{row['model']}-{row['noise']}"
        label = f"latent_inversion.{name}.s{row['strategy']}-{row['iterations']}-{scenario}"
        theirs = ", ".join(map(str, published[label])) if label in published else "—"
        cells = [row["strategy"], row["iterations"], scenario, theirs, row["trials"]]
        for count in row["counts"]:
            share = Measure.count(count, row["trials"])
            ends = _whole(f"({100 * (share.low or 0):.0f}–{100 * (share.high or 0):.0f} %)")
            cells.append(f"{count} {ends}")
        pairs = zip(published[label], row["counts"], strict=True) if label in published else ()
        ps = (f"{compatible(k, 100, n, row['trials']):.1g}" for k, n in pairs)
        cells.append(", ".join(p.replace("-", "\u2011") for p in ps) or "—")
        lines.append(cells)
    limits = (f"≤ {limit}" for limit in LIMITS)
    heads = ["S", "Updates", "Scenario", "Paper, of 100", "Trials", *limits, "p"]
    return markdown(heads, lines, empty=NO_TRIAL)


def summary_markdown(
    columns: Mapping[str, tuple[Units, str]], published: Mapping[str, Sequence[int]]
) -> str:
    """Return Tables 2 and 3 pooled over scenarios as Markdown: trials within 1.1 and 1.01.

    Parameters
    ----------
    columns : mapping
        Results and their cell order by the head of a column.
    published : mapping
        Counts by claim id, each of 100.
    """
    lines = []
    for name, case in (("table3", "binary"), ("table2", "continuous")):
        for strategy, iterations in ((1, 100), (1, 1000), (1, 10000), *((2, n) for n in MARKS[:3])):
            head = f"latent_inversion.{name}.s{strategy}-{iterations}-"
            theirs = [counts for label, counts in published.items() if label.startswith(head)]
            cells = [case, str(strategy), f"{iterations:,}"]
            sums = [sum(counts[place] for counts in theirs) for place in (1, 2)]
            cells.append(_whole(f"{sums[0]}, {sums[1]} of {100 * len(theirs)}"))
            for units, operator in columns.values():
                rows = table(units, case, operator)
                rows = [
                    row
                    for row in rows
                    if (row["strategy"], row["iterations"]) == (strategy, iterations)
                ]
                sums = [sum(row["counts"][place] for row in rows) for place in (1, 2)]
                text = _whole(f"{sums[0]}, {sums[1]} of {sum(row['trials'] for row in rows)}")
                cells.append(text if len(rows) == len(SCENARIOS) else "—")
            lines.append(cells)
    return markdown(
        ["Case", "Strategy", "Iterations", "Paper", *columns], lines, "l" + "r" * (3 + len(columns))
    )


def pooled_count(units: Units, operator: str, iterations: int) -> tuple[int, int]:
    """Return how many binary trials of strategy 1 are within 1 % of the noise, of how many."""
    rows = [
        row
        for row in table(units, "binary", operator)
        if (row["strategy"], row["iterations"]) == (1, iterations)
    ]
    return sum(row["counts"][-1] for row in rows), sum(row["trials"] for row in rows)


def early_stop(units: Units, operator: str) -> tuple[int, int, int, int]:
    """Return trials, fits, trials and fits that the released early stop would have ended early.

    Binary trials of strategy 1, of as many updates as the paper's; a fit that comes later is lost.
    """
    wanted = {"operator": operator, "case": "binary", "method": "adam", "budget": MARKS[-1]}
    trials = list(select(units, Trial, **wanted).values())
    hits = [arrays for arrays in trials if arrays["best"][-1] <= LIMITS[-1]]
    ended = sum(int(arrays["stopped"]) >= 0 for arrays in trials)
    lost = sum(float(arrays["best_if_stopped"]) > LIMITS[-1] for arrays in hits)
    return len(trials), len(hits), ended, lost


def early_stop_markdown(units: Units) -> str:
    """Return by cell order what the early stop of the released code would have ended."""
    rows = [[rays, *early_stop(units, operator)] for operator, rays in ORDERS.items()]
    heads = ["Rays", "Trials", "Fit", "Ended early", "Fit, and ended before"]
    return markdown(heads, [row for row in rows if row[1]], "lrrrr", empty=NO_TRIAL)


def compatible(theirs: int, of: int, ours: int, trials: int) -> float:
    """Return the p value of Fisher's exact test that two counts come from one proportion."""
    return float(stats.fisher_exact([[theirs, of - theirs], [ours, trials - ours]]).pvalue)


#: Method, case, operator, model and noise of a search.
Place = tuple[str, str, str, int, int]
#: Searches of which a scenario has few runs, and what they are called.
SEARCHES = {"pool": "pooled", "dream": "DREAM(ZS)", "dreamshort": "DREAM(ZS), short jumps"}
#: Limits on WRMSE to which their solves are counted.
SOLVED = (1.1, 1.01, 1.0)


def arrival(record: np.ndarray, limit: float) -> float:
    """Return the solves after which a search came to a WRMSE, infinite where it did not."""
    solves, misfit = record.T
    return float(solves[misfit <= limit].min(initial=np.inf))


def searches(units: Units) -> dict[Place, np.ndarray]:
    """Return by (method, case, operator, model, noise) the global and the pooled searches' runs.

    Each has a row: the forward solves to each limit of `SOLVED` (infinite where it was not reached)
    and the best WRMSE. Of a run that was made with several budgets the longest counts.
    """
    longest: dict[tuple[Place, int], tuple[int, list[float]]] = {}
    for unit, arrays in select(units, Trial, method=tuple(SEARCHES)).items():
        record = arrays["record"]
        row = [*(arrival(record, limit) for limit in SOLVED), float(record[:, 1].min())]
        place = (unit.method, unit.case, unit.operator, unit.model, unit.noise)
        key = (place, unit.trial)
        longest[key] = max(longest.get(key, (0, row)), (unit.budget, row))

    def order(key: tuple[Place, int]) -> tuple[int, bool, Place, int]:
        place, number = key
        return list(SEARCHES).index(place[0]), place[2] != "consistent", place, number

    rows: dict[Place, list[list[float]]] = {}
    for place, number in sorted(longest, key=order):
        rows.setdefault(place, []).append(longest[place, number][1])
    return {place: np.array(runs) for place, runs in rows.items()}


def _whole(text: str) -> str:
    """Return text that no table breaks: its spaces do not break, nor do its dashes."""
    return text.replace(" ", "\u00a0").replace("–", "\u2060–\u2060")


def searches_markdown(by_width: Mapping[str, Units]) -> str:
    """Return global and pooled searches as Markdown: scenario, number of runs, medians.

    A run that missed a limit counts as one with more solves than any. Of several runs the range
    follows, and how many reached the limit where not all did. A search that a width lacks has a row
    that says so.
    """
    lines = []
    for width, units in by_width.items():
        found = searches(units)
        for (method, case, operator, model, noise), runs in found.items():
            search = SEARCHES[method] if case == "binary" else f"{SEARCHES[method]}, {case}"
            scenario = f"{ROMAN[model]}-{ROMAN[noise]}"
            cells = [f"{search}, {ORDERS[operator]}", width, scenario, str(len(runs))]
            places = zip(runs.T, (0, 0, 0, 3), strict=True)
            lines.append([*cells, *(_median_cell(column, digits) for column, digits in places)])
        for method in ("pool", "dream") if any(map(searches, by_width.values())) else ():
            if all(key[0] != method for key in found):
                lines.append([SEARCHES[method], width, "—", "none", *["—"] * (len(SOLVED) + 1)])
    limits = (f"Solves to {limit}" for limit in SOLVED)
    heads = ["Search, rays", "Width", "Scenario", "Runs", *limits, "Best WRMSE"]
    return markdown(heads, lines, "lllrrrrr", empty=NO_TRIAL)


def _median_cell(column: np.ndarray, places: int) -> str:
    """Return the median of several runs, their range, and how many arrived if not all did."""
    middle, low, high = (
        f"{value:,.{places}f}" if np.isfinite(value) else "—"
        for value in (np.median(column), column.min(), column.max())
    )
    done = int(np.isfinite(column).sum())
    text = middle if low == high or not done else f"{middle} ({_whole(low)} to {high})"
    return text + (f", {_whole(f'{done} of {len(column)}')}" if 0 < done < len(column) else "")


def runs_told(units: Units, operator: str) -> str:
    """Return which of the paper's trials were made with a generator and cell order, as a list."""
    told = []
    for method, strategy in STRATEGIES.items():
        for case in ("binary", "continuous"):
            found = select(units, Trial, operator=operator, case=case, method=method)
            if found:
                updates = max(trial.budget for trial in found)
                told.append(f"{len(found)} {case} of {strategy} (of up to {updates:,} updates)")
    return f"So far there are of its trials: {listed(told) or 'none'}."


def curves(units: Units, method: str) -> dict[str, list[tuple[np.ndarray, np.ndarray]]]:
    """Return by rays updates and best WRMSE so far of binary trials of the commonest length."""
    return {
        rays: [(a["iteration"], a["running_best"]) for a in most(units, order, "binary", method)]
        for order, rays in ORDERS.items()
    }


def printed_counts(published: Mapping[str, Sequence[int]]) -> str:
    """Return what the paper's own tables say of its strategies and of its two models.

    Parameters
    ----------
    published : mapping
        What is printed, by claim.
    """
    counts = {claim: row for claim, row in published.items() if ".s1-" in claim or ".s2-" in claim}
    sums = [
        sum(row[1] for claim, row in counts.items() if f".{table}.s{strategy}-1000-" in claim)
        for table in ("table2", "table3")
        for strategy in (1, 2)
    ]
    first = [claim for claim in counts if claim.split("-")[2] == "I"]
    pairs = [(counts[claim], counts[claim.replace("-I-", "-II-", 1)]) for claim in first]
    both = [(a, b) for one, two in pairs for a, b in zip(one, two, strict=True) if a or b]
    ahead, behind = (sum(sign * (a - b) > 0 for a, b in both) for sign in (1, -1))
    return (
        f"**Section 4.2.** At 1,000 iterations and 1.1 strategies 1 and 2 have {sums[0]} and "
        f"{sums[1]} of 400 in Table 2, {sums[2]} and {sums[3]} in Table 3. Of {len(both)} counts "
        f"of which not both are zero, model I is ahead of model II in {ahead}, level in "
        f"{len(both) - ahead - behind} and behind in {behind}."
    )
