"""Tables 1 to 3 of Laloy et al. (2019) from whatever trials there are, and the measures of the claims ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from geolib import tomography
from geolib.claims import Claim, Measure, no_rows
from geolib.studies import latent_effects
from geolib.studies.latent_facts import local_minima

#: Name of the unit that holds the generator's own properties.
GENERATOR = "generator"
SCENARIOS = ((1, 1), (1, 2), (2, 1), (2, 2))
#: Iterations at which the paper's tables read off the best misfit so far, and its three limits on WRMSE.
MARKS = (100, 1000, 5000, 10000)
LIMITS = (1.2, 1.1, 1.01)
#: The released strategy 1 gives a run up once its sum of squares exceeds this (ns^2) after so many iterations.
EARLY_STOP = (100, 1000.0)
ROMAN = {1: "I", 2: "II"}
NO_TRIAL = no_rows("No trial of this kind has been shipped yet.")


def alone(name: str) -> bool:
    """Return whether a unit is no trial: the generator's facts or a comparison of choices."""
    return name == GENERATOR or name.startswith("effect-")


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


Units = Mapping[str, Mapping[str, np.ndarray]]


def best_by(units: Units, iterations: int, **wanted: Any) -> dict[int, float]:
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
        if alone(name):
            continue
        unit = Unit.parse(name)
        if any(getattr(unit, key) != value for key, value in wanted.items()) or "marks" not in arrays:
            continue
        at = np.flatnonzero(arrays["marks"] == iterations)
        if at.size:
            found.setdefault(unit.trial, float(arrays["best"][at[0]]))
    return found


def longest(units: Units, operator: str, case: str, model: int, method: str = "adam") -> list[Mapping[str, np.ndarray]]:
    """Return the longest trials of a method on a true model, either noise, the best first."""
    named = [(Unit.parse(name), arrays) for name, arrays in units.items() if not alone(name)]
    wanted = (operator, case, method, model)
    mine = [(u.budget, a) for u, a in named if (u.operator, u.case, u.method, u.model) == wanted]
    end = max((budget for budget, _ in mine), default=0)
    return sorted((a for budget, a in mine if budget == end), key=lambda a: float(a["best"][-1]))


def most(units: Units, operator: str, case: str, method: str) -> list[Mapping[str, np.ndarray]]:
    """Return the trials of the length of which there are most, of two such lengths the longer."""
    by_budget: dict[int, list[Mapping[str, np.ndarray]]] = {}
    for name, arrays in units.items():
        if not alone(name) and (unit := Unit.parse(name))[:3] == (operator, case, method):
            by_budget.setdefault(unit.budget, []).append(arrays)
    return max(sorted(by_budget.items(), reverse=True), key=lambda item: len(item[1]), default=(0, []))[1]


def table(units: Units, case: str, operator: str = "consistent") -> list[dict[str, Any]]:
    """Return the rows of Table 2 (continuous) or 3 (binary): strategy, iterations, model, noise, trials and counts.

    Rows without a trial are left out; iteration counts are those of the paper and those that were run.
    """
    rows = []
    for strategy, method in ((1, "adam"), (2, "gn"), ("2 exact", "gnx")):
        names = [name for name in units if not alone(name)]
        budgets = {u.budget for u in map(Unit.parse, names) if u.method == method}
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


def as_markdown(rows: list[dict[str, Any]], published: Mapping[str, Sequence[int]], name: str) -> str:
    """Return rows of Table 2 or 3 as Markdown, ours with Wilson 95 % intervals beside the published counts of 100.

    The last column is the p value of Fisher's exact test that both counts at 1.01 come from one proportion.

    Parameters
    ----------
    rows : list of dict
        From `table`.
    published : mapping
        Counts by claim id, such as ``latent_inversion.table3.s1-100-I-I``.
    name : str
        ``table2`` or ``table3``.
    """
    head = "| Strategy | Iterations | Model | Noise | Published, of 100 | Trials | " + " | ".join(
        f"Ours, ≤ {limit}" for limit in LIMITS
    )
    lines = [head + " | p, ≤ 1.01 |", "|" + "---|" * (7 + len(LIMITS))]
    for row in rows:
        label = f"latent_inversion.{name}.s{row['strategy']}-{row['iterations']}-{row['model']}-{row['noise']}"
        theirs = ", ".join(map(str, published[label])) if label in published else "—"
        cells = [row["strategy"], row["iterations"], row["model"], row["noise"], theirs, row["trials"]]
        for count in row["counts"]:
            share = Measure.count(count, row["trials"])
            cells.append(f"{count} ({100 * (share.low or 0):.0f} to {100 * (share.high or 0):.0f} %)")
        cells.append(
            f"{compatible(published[label][-1], 100, row['counts'][-1], row['trials']):.2g}" if theirs != "—" else "—"
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) if rows else NO_TRIAL


def compatible(theirs: int, of: int, ours: int, trials: int) -> float:
    """Return the p value of Fisher's exact test that two counts, each of so many, come from one proportion."""
    return float(stats.fisher_exact([[theirs, of - theirs], [ours, trials - ours]]).pvalue)


def searches_markdown(units: Units) -> str:
    """Return the global and pooled searches as Markdown: scenario, order, solves to 1.1, 1.01 and 1.0, best WRMSE."""
    kinds = {"dream": "DREAM(ZS)", "lm": "pooled"}
    lines = ["| Search | Case | Cell order | Model | Noise | to 1.1 | to 1.01 | to 1.0 | Solves in all | Best WRMSE |"]
    lines.append("|" + "---|" * 10)
    for name, arrays in units.items():
        if alone(name) or (unit := Unit.parse(name)).method not in kinds:
            continue
        runs, misfit = arrays["record"].T
        first = [f"{runs[misfit <= limit].min():.0f}" if (misfit <= limit).any() else "—" for limit in (1.1, 1.01, 1.0)]
        scenario = [
            kinds[unit.method],
            unit.case,
            unit.operator.replace("_", " "),
            ROMAN[unit.model],
            ROMAN[unit.noise],
        ]
        spent = int(arrays["runs"]) if "runs" in arrays else int(runs[-1])
        lines.append("| " + " | ".join([*scenario, *first, str(spent), f"{misfit.min():.3f}"]) + " |")
    return "\n".join(lines) if len(lines) > 2 else NO_TRIAL


def measures(units: Units) -> dict[str, Measure]:
    """Return the numbers of the claims ledger, from whatever units there are.

    Rows of Tables 2, 3 are named ``table3.s1-10000-I-II.le1.01`` (consistent ordering) and
    ``as_published.table3...`` (the released one), their sum over the four scenarios
    ``table3.s1-10000.le1.01.all``, over both noises ``table3.s1-10000-I.le1.01``; Table 1 ``table1.I.image``.
    """
    found = _facts(units.get(GENERATOR, {}))
    trials = {name: arrays for name, arrays in units.items() if not alone(name)}
    found.update(latent_effects.measures(units))
    counts: dict[str, list[tuple[int, int]]] = {}
    for prefix, operator in (("", "consistent"), ("as_published.", "as_published")):
        for name, case in (("table2", "continuous"), ("table3", "binary")):
            for row in table(trials, case, operator):
                label = f"{prefix}{name}.s{row['strategy']}-{row['iterations']}"
                for limit, count in zip(LIMITS, row["counts"], strict=True):
                    found[f"{label}-{row['model']}-{row['noise']}.le{limit}"] = Measure.count(count, row["trials"])
                    counts.setdefault(f"{label}.le{limit}", []).append((count, row["trials"]))
                    counts.setdefault(f"{label}-{row['model']}.le{limit}", []).append((count, row["trials"]))
    for name, pairs in counts.items():
        # A sum over the four scenarios, or a model's two noises, is stated only where all of them were run.
        model = re.search(r"-I+\.", name)
        if len(pairs) == len(SCENARIOS) // (2 if model else 1):
            total = Measure.count(sum(k for k, _ in pairs), sum(n for _, n in pairs))
            found[name if model else f"{name}.all"] = total
    found.update(image_measures(trials))
    for prefix, operator in (("", "consistent"), ("as_published.", "as_published")):
        made = {**_comparisons(found, prefix), **_descent(trials, operator), **_search_measures(trials, operator)}
        found.update({f"{prefix}{name}": measure for name, measure in made.items()})
    return found


def published_measures(ledger: Iterable[Claim]) -> dict[str, Measure]:
    """Return what the published Tables 2 and 3 say themselves: how often model I beats model II, strictly.

    Pairs of counts that are both zero say nothing and are left out.
    """
    rows = {claim.id: claim.published for claim in ledger if re.search(r"table[23]\.s\d-\d+-I+-I+$", claim.id)}
    pairs = []
    for name, counts in rows.items():
        head, model, noise = name.rsplit("-", 2)
        if model == "I" and (other := rows.get(f"{head}-II-{noise}")):
            pairs += [(a, b) for a, b in zip(counts, other, strict=True) if a or b]
    if not pairs:
        return {}
    # All the published pairs, not a sample: no interval.
    return {"published.model_I_larger": Measure(sum(a > b for a, b in pairs) / len(pairs), n=len(pairs))}


def _facts(facts: Mapping[str, np.ndarray]) -> dict[str, Measure]:
    if not facts:
        return {}
    values = facts["singular_values"]
    # The dimension is where the spectrum breaks off: the largest ratio of neighbours.
    rank = (values[:, :-1] / values[:, 1:]).argmax(1) + 1
    survey = tomography.Crosshole()
    n_data = len(survey.source_depths) * len(survey.receiver_depths)
    solves = 2 * values.shape[1] + 1
    found = {
        "data.rmse.I": Measure(float(facts["true_rmse"][0])),
        "data.rmse.II": Measure(float(facts["true_rmse"][1])),
        "data.n": Measure(float(n_data)),
        "data.offset": Measure(round(survey.receiver_x - survey.source_x, 9)),
        "s2.solves_per_iteration": Measure(float(solves)),
        **{f"s2.solves_{updates}": Measure(float(updates * solves)) for updates in (100, 1000, 5000)},
        "generator.rows": Measure(float(facts["rows"][0])),
        "generator.latents_513": Measure(float((512 // 32 + 1) ** 2)),
        "generator.latents": Measure(float(values.shape[1])),
        "generator.effective_dimension": Measure(float(np.median(rank)), n=len(rank)),
        "generator.scale_change": Measure(float(facts["scale_change"].max() / facts["redraw_change"])),
        "generator.proportion": Measure.mean(facts["proportion"].tolist()),
        "generator.greyness": Measure.mean(facts["greyness"].tolist()),
    }
    for zoom, grid in zip(("whole", "near"), facts["landscape"], strict=True):
        found[f"landscape.{zoom}.minima"] = Measure(float(local_minima(grid)))
    if facts["operator_misfit"].size:
        found["operator.consistent_misfit"] = Measure(float(facts["operator_misfit"][0]))
        found["operator.published_misfit"] = Measure(float(facts["operator_misfit"][1]))
    for name, fact in (("data.released_rmse.II", "released_rmse"), ("jacobian.seconds", "reverse_seconds")):
        if facts.get(fact, np.empty(0)).size:  # units of before 20 November 2026 lack these
            found[name] = Measure(float(facts[fact].flat[0]))
    return found


def _comparisons(found: Mapping[str, Measure], prefix: str) -> dict[str, Measure]:
    """Return the statements about pairs of shares that hold (1), fail (0) or cannot be told from chance (one half)."""
    made: dict[str, Measure] = {}
    shares = {name: found.get(f"{prefix}{name}.le1.01.all") for name in _LARGEST}
    one, two = shares["table2.s1-10000"], shares["table3.s1-10000"]
    if one and two:
        made["thresholding.no_effect"] = Measure(float(_larger(one, two) == 0.5))
    for table in ("table2", "table3"):
        first, second = shares[f"{table}.s1-10000"], shares[f"{table}.s2-5000"]
        if first and second:
            made[f"{table}.s1_beats_s2"] = Measure(_larger(first, second))
        if first and (whole := found.get("table1.all.image")):
            made[f"{table}.whole_image_is_easier"] = Measure(_larger(whole, first))
    return made


_LARGEST = ("table2.s1-10000", "table3.s1-10000", "table2.s2-5000", "table3.s2-5000")


def _larger(one: Measure, other: Measure) -> float:
    """Return 1 where the first share is clearly larger, 0 where it is smaller (Fisher, p < 0.05), else one half."""
    (a, n), (b, m) = ((round(share.value * (share.n or 1)), share.n or 1) for share in (one, other))
    return 0.5 if compatible(a, n, b, m) >= 0.05 else float(a / n > b / m)


def _descent(trials: Units, operator: str) -> dict[str, Measure]:
    """Return when either strategy descends, its best trials, and how often a run that is poor after 2000 recovers."""
    named = [(Unit.parse(name), arrays) for name, arrays in trials.items()]
    named = [(unit, arrays) for unit, arrays in named if unit.operator == operator]
    found: dict[str, Measure] = {}
    for strategy, method, enough, early in ((1, "adam", MARKS[-1], 5000), (2, "gn", 1000, 500)):
        mine = [(unit, arrays) for unit, arrays in named if unit.method == method and unit.budget >= enough]
        for model, noise in SCENARIOS:
            best = [a["best"][-1] for u, a in mine if (u.case, u.model, u.noise) == ("binary", model, noise)]
            if best:
                # The paper's best is one of 100: fewer trials bound it from above only.
                low, high = (0.0, float(np.min(best))) if len(best) < 100 else (None, None)
                label = f"s{strategy}.best.{ROMAN[model]}-{ROMAN[noise]}"
                found[label] = Measure(float(np.min(best)), low, high, len(best))
        # Of a run's whole descent, what its first updates did.
        curves = [(a["iteration"], a["running_best"]) for _, a in mine if a["best"][-1] <= LIMITS[0]]
        done = [(c[0] - c[np.searchsorted(i, early, side="right") - 1]) / max(c[0] - c[-1], 1e-30) for i, c in curves]
        if done:
            share = Measure.count(sum(bool(d >= 0.9) for d in done), len(done))
            found[f"s{strategy}.nine_tenths_by_{early}"] = share
        if strategy == 2 or not mine:
            continue
        # A value that is still sampled counts, however good the best one before it was, until the trial fits.
        late = [a for _, a in mine if (a["trajectory"][(a["iteration"] >= 2000) & _searching(a)] > 2.5).any()]
        if late:
            recovered = sum(float(a["best"][-1]) <= LIMITS[-1] for a in late)
            found["s1.late_recoveries"] = Measure.count(recovered, len(late))
        hits = [a for _, a in mine if a["best"][-1] <= LIMITS[-1]]
        if hits:
            lost = sum(float(a["best_if_stopped"]) > LIMITS[-1] for a in hits)
            found["s1.lost_to_early_stop"] = Measure.count(lost, len(hits))
    return found


def _searching(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    return np.asarray(arrays["running_best"] > LIMITS[-1])


def image_measures(trials: Units) -> dict[str, Measure]:
    """Count Table 1: images recovered to 0.02, latents to a mean squared error of 0.01, by runs of 10 000 updates."""
    runs = [(Unit.parse(name), arrays) for name, arrays in trials.items()]
    runs = [(unit, arrays) for unit, arrays in runs if unit.operator == "image" and unit.budget >= MARKS[-1]]
    found: dict[str, Measure] = {}
    if not runs:
        return found
    misfit = np.array([arrays["best"][-1] for _, arrays in runs])
    error = [np.square(a["best_latent"] - a["true_latent"]).mean() for _, a in runs]
    # What is left of the error once the best common factor is taken out of the latent.
    scaled = [np.square(a["true_latent"] - _along(a["true_latent"], a["best_latent"])).mean() for _, a in runs]
    image, exact, ray = misfit <= 0.02, np.array(error) <= 0.01, np.array(scaled) <= 0.01
    for model in sorted({unit.model for unit, _ in runs}):
        mine = np.array([unit.model == model for unit, _ in runs])
        name = f"table1.{ROMAN[model]}"
        found[f"{name}.image"] = Measure.count(int(image[mine].sum()), int(mine.sum()))
        found[f"{name}.latent"] = Measure.count(int(exact[mine].sum()), int(mine.sum()))
        if good := int((image & mine).sum()):
            found[f"{name}.latent_given_image"] = Measure.count(int((image & exact & mine).sum()), good)
            found[f"{name}.latent_scaled"] = Measure(float((image & ray & mine).sum() / good), n=good)
    if len({unit.model for unit, _ in runs}) == 2:
        found["table1.all.image"] = Measure.count(int(image.sum()), len(runs))
    found["table1.gap"] = Measure(float(((misfit > 0.02) & (misfit < 0.2)).mean()), n=len(runs))
    return found


def _along(target: np.ndarray, vector: np.ndarray) -> np.ndarray:
    """Return the part of `target` along `vector`."""
    return (target @ vector) / max(float(vector @ vector), 1e-30) * vector


def _search_measures(trials: Units, operator: str) -> dict[str, Measure]:
    """Return the best WRMSE of the global and the pooled searches, and the solves they took to the limits."""
    found: dict[str, Measure] = {}
    for name, arrays in trials.items():
        unit = Unit.parse(name)
        if (unit.operator, unit.case) != (operator, "binary") or unit.method not in ("dream", "lm"):
            continue
        scenario = f"{unit.method}.{ROMAN[unit.model]}-{ROMAN[unit.noise]}"
        runs, misfit = arrays["record"].T
        found[f"{scenario}.best"] = Measure(float(misfit.min()))
        for limit in (1.1, 1.01, 1.0):
            if (misfit <= limit).any():
                found[f"{scenario}.runs_to_{limit}"] = Measure(float(runs[misfit <= limit].min()))
    return found
