"""Tables 1 to 3 of Laloy et al. (2019) from whatever trials there are, and the measures of the claims ledger."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from geolib import tomography
from geolib.claims import Measure
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
NO_TRIAL = "*No trial of this kind has been shipped yet.*"


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


def longest(units: Units, operator: str, case: str, model: int) -> list[Mapping[str, np.ndarray]]:
    """Return the longest trials of strategy 1 on a true model, either noise, the best first."""
    named = [(Unit.parse(name), arrays) for name, arrays in units.items() if not alone(name)]
    wanted = (operator, case, "adam", model)
    mine = [(u.budget, a) for u, a in named if (u.operator, u.case, u.method, u.model) == wanted]
    end = max((budget for budget, _ in mine), default=0)
    return sorted((a for budget, a in mine if budget == end), key=lambda a: float(a["best"][-1]))


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
            f"{_compatible(published[label][-1], 100, row['counts'][-1], row['trials']):.2g}" if theirs != "—" else "—"
        )
        lines.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(lines) if rows else NO_TRIAL


def _compatible(theirs: int, of: int, ours: int, trials: int) -> float:
    return float(stats.fisher_exact([[theirs, of - theirs], [ours, trials - ours]]).pvalue)


def images_markdown(units: Units, published: Mapping[str, Sequence[int]]) -> str:
    """Return Table 1 as Markdown: images recovered to 0.02 and latents to 0.01, theirs of 50 and ours of so many.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    published : mapping
        Counts by claim id, such as ``latent_inversion.table1.I``.
    """
    found = _image_measures({name: arrays for name, arrays in units.items() if not alone(name)})
    lines = ["| Model | Recovered | Published, of 50 | Trials | Ours | p |", "|---|---|--:|--:|--:|--:|"]
    for model in ROMAN.values():
        for place, what in enumerate(("image", "latent")):
            share = found.get(f"table1.{model}.{what}")
            if share is not None and share.n:
                theirs, count = published[f"latent_inversion.table1.{model}"][place], round(share.value * share.n)
                interval = f"{count} ({100 * (share.low or 0):.0f} to {100 * (share.high or 0):.0f} %)"
                p = f"{_compatible(theirs, 50, count, share.n):.2g}"
                lines.append("| " + " | ".join([model, what, str(theirs), str(share.n), interval, p]) + " |")
    return "\n".join(lines) if len(lines) > 2 else NO_TRIAL


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
    ``table3.s1-10000.le1.01.all``; Table 1 ``table1.I.image``.
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
    for name, pairs in counts.items():
        # The mean over the four scenarios is stated only where all four were run.
        if len(pairs) == len(SCENARIOS):
            found[f"{name}.all"] = Measure.count(sum(k for k, _ in pairs), sum(n for _, n in pairs))
            shares = [k / n for k, n in pairs]
            found[f"{name}.lowest"], found[f"{name}.highest"] = Measure(min(shares)), Measure(max(shares))
    found.update(_comparisons(found))
    found.update(_descent(trials))
    found.update(_image_measures(trials))
    found.update(_dream_measures(trials))
    return found


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
        "s2.solves_5000": Measure(5000.0 * solves),
        "generator.rows": Measure(float(facts["rows"][0])),
        "generator.latents_513": Measure(float((512 // 32 + 1) ** 2)),
        "generator.latents": Measure(float(values.shape[1])),
        "generator.effective_dimension": Measure(float(np.median(rank)), n=len(rank)),
        "generator.scale_change": Measure(float(facts["scale_change"].max() / facts["redraw_change"])),
        "generator.proportion": Measure.mean(facts["proportion"].tolist()),
        "generator.greyness": Measure.mean(facts["greyness"].tolist()),
        # Both truths are drawn from the generator, so neither can lie nearer to its range than the other.
        "truth.outside_box": Measure(float((np.abs(facts["true_latents"]) > 1).any(1).mean())),
    }
    for zoom, grid in zip(("whole", "near"), facts["landscape"], strict=True):
        found[f"landscape.{zoom}.minima"] = Measure(float(local_minima(grid)))
    if facts["operator_misfit"].size:
        found["operator.consistent_misfit"] = Measure(float(facts["operator_misfit"][0]))
        found["operator.published_misfit"] = Measure(float(facts["operator_misfit"][1]))
    return found


def _comparisons(found: Mapping[str, Measure]) -> dict[str, Measure]:
    """Return the yes-or-no statements about pairs of rows, as the share of pairs in which they hold."""
    made: dict[str, Measure] = {}
    pair = [found.get(f"{name}.s1-10000.le1.01.all") for name in ("table2", "table3")]
    if pair[0] and pair[1]:
        sides = [[round(m.value * (m.n or 1)), (m.n or 1) - round(m.value * (m.n or 1))] for m in pair if m]
        made["thresholding.no_effect"] = Measure(float(stats.fisher_exact(sides).pvalue >= 0.05))
    easier = [
        measure.value >= found[other].value
        for name, measure in found.items()
        if "-I-" in name and (other := name.replace("-I-", "-II-")) in found and not name.startswith("as_published")
        if name.startswith(("table2.s1-10000", "table3.s1-10000", "table2.s2-1000", "table3.s2-1000"))
    ]
    if easier:
        made["model_I_easier"] = Measure(float(np.mean(easier)), n=len(easier))
    return made


def _descent(trials: Units) -> dict[str, Measure]:
    """Return when either strategy descends, its best trials, and how often a run that is poor after 2000 recovers."""
    named = [(Unit.parse(name), arrays) for name, arrays in trials.items()]
    named = [(unit, arrays) for unit, arrays in named if unit.operator == "consistent"]
    found: dict[str, Measure] = {}
    for strategy, method, enough in ((1, "adam", MARKS[-1]), (2, "gn", 1000)):
        mine = [(unit, arrays) for unit, arrays in named if unit.method == method and unit.budget >= enough]
        for model, noise in SCENARIOS:
            best = [a["best"][-1] for u, a in mine if (u.case, u.model, u.noise) == ("binary", model, noise)]
            if best:
                found[f"s{strategy}.best.{ROMAN[model]}-{ROMAN[noise]}"] = Measure(float(np.min(best)), n=len(best))
        curves = [(a["iteration"], a["running_best"]) for _, a in mine]
        done = [int(i[np.argmax(c <= 1.2)]) for i, c in curves if c[-1] <= 1.2]
        if done:
            found[f"s{strategy}.iterations_to_fit"] = Measure(float(np.median(done)), n=len(done))
        if strategy == 2 or not mine:
            continue
        poor = [c[-1] <= LIMITS[-1] for i, c in curves if c[np.searchsorted(i, 2000)] > 2.5]
        if poor:
            found["s1.late_recoveries"] = Measure.count(int(np.sum(poor)), len(poor))
        hits = [a for _, a in mine if a["best"][-1] <= LIMITS[-1]]
        if hits:
            lost = sum(float(a["best_if_stopped"]) > LIMITS[-1] for a in hits)
            found["s1.lost_to_early_stop"] = Measure.count(lost, len(hits))
    return found


def _image_measures(trials: Units) -> dict[str, Measure]:
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


def _dream_measures(trials: Units) -> dict[str, Measure]:
    """Return the best WRMSE of the global and the pooled searches, and the solves they took to the limits."""
    found: dict[str, Measure] = {}
    for name, arrays in trials.items():
        unit = Unit.parse(name)
        if (unit.operator, unit.case) != ("consistent", "binary") or unit.method not in ("dream", "lm"):
            continue
        scenario = f"{unit.method}.{ROMAN[unit.model]}-{ROMAN[unit.noise]}"
        runs, misfit = arrays["record"].T
        found[f"{scenario}.best"] = Measure(float(misfit.min()))
        for limit in (1.1, 1.01, 1.0):
            if (misfit <= limit).any():
                found[f"{scenario}.runs_to_{limit}"] = Measure(float(runs[misfit <= limit].min()))
    return found
