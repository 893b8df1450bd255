"""Li and Ortiz (2022), Generative Adversarial Network 101: equations run, tricks measured, variants alive."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from geolib.gans import tricks as recipes
from geolib.runs import config
from geolib.runs.config import param
from geolib.runs.measure import Measure
from geolib.studies.gan_101 import theory
from geolib.studies.gan_101 import variants as models
from geolib.studies.gan_101.otherwise import variants as variants

TITLE = "GAN 101: the adversarial game, its tricks and its variants"
QUESTION = "What do the equations, tricks and variants of an introduction to GANs do when each of them is run?"
FILES = ()
VERSION = 1
Arrays = dict[str, np.ndarray]

TRICKS = tuple(name for name in recipes.TRICKS if name != "plain")
DATA = ("mixture", "channels")
VARIANTS = ("wgan", "dcgan", "conditional", "infogan", "superres")
THEORY = ("likelihood", "value", "discriminator", "starvation", "bilinear", "turns", "mixture", "unaided")
OUTCOMES = ("distance", "unrest", "time", "equal_cost", "critic_error", "accuracy", "extreme")
STATISTICS = models.STATISTICS
# A distance that a training comes near the data with: about a third of where it starts.
GOALS = {"mixture": 0.4, "channels": 0.5}
# Below this number of seeds an interval says more about the seeds than about the trick.
ENOUGH_SEEDS = 5

DIMS = {
    "x": ("x",),
    "loss": ("step",),
    "divergence": ("step",),
    "expected_loss": ("step",),
    "densities": ("frame", "x"),
    "curves": ("frame", "x"),
    "optimal": ("frame", "x"),
    "history": ("frame", "quantity"),
    "paths": ("method", "step", "player"),
    "distance": ("method", "step"),
    "trace": ("record",),
    "critic": ("record", "quantity"),
    "table": ("row", "statistic"),
    "variograms": ("row", "axis", "lag"),
}


@dataclass(frozen=True)
class Config(config.Config):
    """Parameters of the study; the quick preset takes under two minutes on one thread."""

    n_samples: int = param(
        1000, "samples of the mixture that maximum likelihood is given", paper=10000, low=50, high=10**6
    )
    mixture_iterations: int = param(1000, "generator steps of the GAN that learns the mixture", paper=4000, low=50)
    tricks: tuple[str, ...] = param(TRICKS, "training tricks to try", choices=TRICKS, extent=True)
    trick_data: tuple[str, ...] = param(
        ("mixture",), "what the tricks are tried on", paper=DATA, choices=DATA, extent=True
    )
    n_seeds: int = param(2, "seeds of each trick", paper=6, low=1, high=100, extent=True)
    trick_iterations: int = param(300, "generator steps of each trick's training", paper=800, low=48)
    critic_steps: int = param(5, "discriminator steps per generator step in the trick of that name", low=2, high=20)
    critic_rate: float = param(4.0, "discriminator's learning rate over the generator's", low=0.01, high=100.0)
    real_label: float = param(0.9, "target of real samples under one-sided smoothing", low=0.51, high=1.0)
    variants: tuple[str, ...] = param(VARIANTS, "variants trained on channel patches", choices=VARIANTS, extent=True)
    n_variant_seeds: int = param(1, "seeds of each variant", paper=3, low=1, high=100, extent=True)
    variant_iterations: int = param(200, "generator steps of each variant's training", paper=600, low=20)
    code_weight: float = param(10.0, "weight of InfoGAN's information term", low=0.01, high=100.0)
    adversarial_weight: float = param(0.1, "weight of super-resolution's adversarial loss", low=0.001, high=10.0)


def unit_names(config: Config) -> list[str]:
    """Return the units: theory, then `trick-<data>-<trick>-<seed>` with the plain recipe, then `<variant>-<seed>`."""
    names = list(THEORY)
    for data in config.trick_data:
        for trick in ("plain", *config.tricks):
            names += [f"trick-{data}-{trick}-{seed}" for seed in range(config.n_seeds)]
    for variant in config.variants:
        names += [f"{variant}-{seed}" for seed in range(config.n_variant_seeds)]
    return names


def compute(config: Config, names: Iterable[str]) -> Iterator[tuple[str, Arrays]]:
    """Yield each unit's arrays; a unit depends on the configuration and the seed in its name alone."""
    for name in names:
        yield name, {key: np.asarray(value) for key, value in _unit(config, name).items()}


def _unit(config: Config, name: str) -> Mapping:
    if name == "likelihood":
        return theory.likelihood(config.n_samples, 0)
    if name in ("mixture", "unaided"):
        return theory.mixture(config.mixture_iterations, 0, aided=name == "mixture")
    if name in ("value", "discriminator", "turns"):
        return getattr(theory, name)(0)
    if name in THEORY:
        return getattr(theory, name)()
    if name.startswith("trick-"):
        _, data, trick, seed = name.split("-")
        rule = recipes.recipe(
            trick, critic_steps=config.critic_steps, critic_rate=config.critic_rate, real_label=config.real_label
        )
        return models.trick(data, rule, config.trick_iterations, int(seed))
    variant, number = name.split("-")
    weights = {"infogan": (config.code_weight,), "superres": (config.adversarial_weight,)}.get(variant, ())
    return getattr(models, variant)(config.variant_iterations, int(number), *weights)


def outcomes(units: Mapping[str, Arrays], data: str, trick: str, critic_steps: int = 5) -> dict[str, np.ndarray]:
    """Return each outcome of a trick over the plain recipe, one value for each seed that both were run with.

    Parameters
    ----------
    units : mapping
        Results by unit name.
    data, trick : str
        Which comparison.
    critic_steps : int
        Critic steps of the recipes that take several, for the comparison at equal cost.

    Returns
    -------
    dict
        Ratios for `distance` (mean over the last quarter of the training), `unrest` (standard deviation of its
        logarithm over the last half), `time` (steps until the distance falls to where the plain recipe ends;
        the whole training where it never does), `equal_cost` (distance after as many network updates as the plain
        recipe made); differences for `critic_error`, `accuracy` and `extreme` (share of answers within 0.05 of 0
        or 1), means over the last half.
    """
    found: dict[str, list[float]] = {name: [] for name in OUTCOMES}
    prefix = f"trick-{data}-{trick}-"
    for name, arrays in units.items():
        plain = units.get(f"trick-{data}-plain-{name.removeprefix(prefix)}")
        if not name.startswith(prefix) or plain is None:
            continue
        ours, base = arrays["trace"], plain["trace"]
        n = len(base)
        last, half = slice(n - n // 4, n), slice(n // 2, n)
        goal = base[last].mean()
        found["distance"].append(ours[last].mean() / goal)
        found["unrest"].append(np.log(ours[half]).std() / np.log(base[half]).std())
        found["time"].append((_first(ours, goal) + 1) / (_first(base, goal) + 1))
        updates = critic_steps + 1 if trick in ("critic_steps", "all") else 2
        stop = max(1, round(n * 2 / updates))
        found["equal_cost"].append(ours[stop - max(1, stop // 4) : stop].mean() / goal)
        gap = (arrays["critic"][half] - plain["critic"][half]).mean(0)
        for key, value in zip(("critic_error", "accuracy", "extreme"), gap, strict=True):
            found[key].append(value)
    return {key: np.array(values) for key, values in found.items()}


def _first(trace: np.ndarray, goal: float) -> int:
    reached = np.flatnonzero(trace <= goal)
    return int(reached[0]) if reached.size else len(trace) - 1


def effect(outcome: str, values: np.ndarray) -> Measure:
    """Return the mean effect with its 95 % interval: geometric for ratios, arithmetic for differences."""
    if outcome in ("distance", "unrest", "time", "equal_cost"):
        logs = _mean(np.log(values))
        low, high = (None if v is None else float(np.exp(v)) for v in (logs.low, logs.high))
        return Measure(float(np.exp(logs.value)), low, high, logs.n)
    return _mean(values)


def judgement(outcome: str, measure: Measure) -> str:
    """Return "helps", "harms" or "no clear effect" from the interval; lower is better but for the accuracy."""
    if (measure.n or 0) < ENOUGH_SEEDS:
        return "too few seeds"
    neutral = 1.0 if outcome in ("distance", "unrest", "time", "equal_cost") else 0.0
    if measure.low is None or measure.high is None or measure.low <= neutral <= measure.high:
        return "no clear effect"
    return "helps" if (measure.high < neutral) != (outcome == "accuracy") else "harms"


def ablation(config: Config, units: Mapping[str, Arrays]) -> list[tuple[str, str, dict[str, Measure]]]:
    """Return data, trick and measures by outcome for every comparison that the units allow."""
    rows = []
    for data in DATA:
        for trick in TRICKS:
            found = outcomes(units, data, trick, config.critic_steps)
            usable = {k: effect(k, v) for k, v in found.items() if v.size and np.isfinite(v).all()}
            if usable:
                rows.append((data, trick, usable))
    return rows


def ablation_table(config: Config, units: Mapping[str, Arrays], data: str) -> str:
    """Return a Markdown table of one data set's ablation: effect with its interval, and the computed verdict."""
    heads = [
        "Trick",
        "Final distance",
        "Unrest",
        "Time",
        "At equal cost",
        "Discriminator's accuracy",
        "Extreme answers",
    ]
    keys = ("distance", "unrest", "time", "equal_cost", "accuracy", "extreme")
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    for where, trick, found in ablation(config, units):
        if where == data:
            cells = [f"{_short(found[k])}: {judgement(k, found[k])}" for k in keys]
            lines.append("| " + " | ".join([trick.replace("_", " "), *cells]) + " |")
    return "\n".join(lines)


def _short(measure: Measure) -> str:
    ends = "" if measure.low is None else f" [{measure.low:.2f}, {measure.high:.2f}]"
    return f"{measure.value:.2f}{ends}"


def tally(config: Config, units: Mapping[str, Arrays], outcome: str = "distance") -> dict[str, int]:
    """Return how many comparisons end in each judgement."""
    found = [judgement(outcome, values[outcome]) for _, _, values in ablation(config, units) if outcome in values]
    return {word: found.count(word) for word in ("helps", "harms", "no clear effect", "too few seeds")}


def stack(units: Mapping[str, Arrays], variant: str, array: str) -> np.ndarray:
    """Return an array of a variant for all its seeds, `(n_seeds, ...)`; empty if there is none."""
    found = [arrays[array] for name, arrays in units.items() if name.rsplit("-", 1)[0] == variant]
    return np.stack(found) if found else np.empty(0)


def measures(config: Config, units: Mapping[str, Arrays]) -> dict[str, Measure]:
    """Return the measures of the claims ledger that the given units support."""
    found: dict[str, Measure] = {}
    for name in THEORY:
        if name in units:
            found.update({f"{name}.{k}": m for k, m in _theory_measures(name, units[name]).items()})
    for data, trick, values in ablation(config, units):
        found.update({f"tricks.{data}.{trick}.{key}": value for key, value in values.items()})
    plain = [(name.split("-")[1], arrays["trace"]) for name, arrays in units.items() if "-plain-" in name]
    if plain:
        found["plain.fails"] = Measure.count(sum(trace.min() > GOALS[data] for data, trace in plain), len(plain))
    for variant in VARIANTS:
        if any(name.rsplit("-", 1)[0] == variant for name in units):
            found.update({f"{variant}.{k}": m for k, m in _variant_measures(variant, units).items()})
    return found


def _theory_measures(name: str, u: Arrays) -> dict[str, Measure]:
    def number(key: str) -> float:
        return float(u[key])

    if name == "likelihood":
        ends = u["divergence"][-1] < 0.01 * u["divergence"][0]
        return {
            "identity_error": Measure(number("identity_error")),
            "identity": _holds(number("identity_error") < 1e-10 and number("gradient_error") < 1e-10),
            "divergence_falls": _holds(bool(ends)),
            "wilks": _mean(u["wilks"]),
            "largest_parameter_error": Measure(float(np.abs(u["fitted"] - u["truth"]).max())),
            "product_underflows": _holds(number("product") == 0.0),
            "same_maximum": _holds(number("peak_of_product") == number("peak_of_sum")),
            "sum_error": Measure(float(np.abs(u["sample_loss"] / u["expected_loss"][u["kept"]] - 1).max())),
            "log10_likelihood": Measure(number("log10_likelihood")),
        }
    if name == "value":
        v, jsd = number("value"), number("jsd")
        return {
            "value": Measure(v),
            "identity_error": Measure(number("identity_error")),
            "identity": _holds(number("identity_error") < 1e-6),
            "monte_carlo_error": Measure(abs(number("monte_carlo") - v)),
            "monte_carlo_standard_errors": Measure(abs(number("monte_carlo") - v) / number("monte_carlo_error")),
            "optimum": _holds(int(np.argmax(u["bent_values"])) == len(u["bends"]) // 2),
            "printed_7_gap": Measure(number("printed_7") - v),
            "printed_7": _holds(abs(number("printed_7") - v) < 1e-6),
            "printed_9_second_gap": Measure(number("printed_9_second") - v),
            "printed_9_second": _holds(abs(number("printed_9_second") - v) < 1e-6),
            # As an integral the sum of densities is right as it stands; divergences are to the mean, log 4 below.
            "printed_9_third": _holds(abs(number("printed_9_third") - v) < 1e-6),
            "mean_gap": Measure(2 * jsd - v),
            "minimum_at_data": _holds(int(np.argmin(u["share_values"])) == len(u["shares"]) - 1),
            "equilibrium_value": Measure(number("equilibrium_value")),
            "equilibrium_error": Measure(number("equilibrium_discriminator")),
        }
    if name == "discriminator":
        return {
            "error": Measure(float(u["errors"][-1])),
            "largest_error": Measure(number("largest_error")),
            "value_gap": Measure(abs(number("value") - number("value_closed_form"))),
            "equal_error": Measure(number("equal_error")),
            "pull_error": Measure(float(u["pull_errors"][-1])),
            "pull_error_ratio": Measure(float(u["pull_errors"][-1] / u["pull_errors"][1])),
        }
    if name == "starvation":
        return {
            "closed_form_error": Measure(number("closed_form_error")),
            "ratio_at_8": Measure(number("ratio_at_8")),
        }
    if name == "bilinear":
        ends = dict(zip(u["methods"].tolist(), u["converges"], strict=True))
        converges = {f"{m}_converges": _holds(bool(end)) for m, end in ends.items()}
        apart = _holds(not ends["simultaneous"])
        return {"spiral_error": Measure(number("spiral_error")), "simultaneous_diverges": apart, **converges}
    if name == "turns":
        before, after = u["accuracy"][:, -1]
        return {"accuracy_before": Measure(float(before)), "accuracy_after": Measure(float(after))}
    history = u["history"]
    return {
        "half_error": Measure(number("half_error")),
        "accuracy": Measure(float(history[-1, 3])),
        "first_accuracy": Measure(float(history[1:6, 3].max())),
        "first_best_accuracy": Measure(_best_accuracy(u)),
        "distance": Measure(float(history[-1, 0])),
        "distance_ratio": Measure(float(history[-1, 0] / history[0, 0])),
        "jsd": Measure(float(history[-1, 1])),
    }


def _mean(values: np.ndarray | list[float]) -> Measure:
    return Measure.mean(np.asarray(values, dtype=float).tolist())


def _best_accuracy(u: Arrays) -> float:
    """Return the accuracy that the best discriminator has against the untrained generator."""
    width = u["x"][1] - u["x"][0]
    return float(0.5 * np.maximum(u["target"], u["densities"][0]).sum() * width)


def _holds(condition: bool) -> Measure:
    return Measure(float(condition), n=1)


def _variant_measures(variant: str, units: Mapping[str, Arrays]) -> dict[str, Measure]:
    tables = stack(units, variant, "table")
    found = {}
    rows = {
        "wgan": ("minimax", "wasserstein", "floor"),
        "dcgan": ("convolutional", "dense", "floor"),
        "conditional": ("conditional", "floor"),
        "infogan": ("informed", "uninformed", "floor"),
        "superres": ("bicubic", "content", "adversarial", "without_skips"),
    }[variant]
    for index, row in enumerate(rows):
        for column, statistic in enumerate(STATISTICS):
            found[f"{row}.{statistic}"] = _mean(tables[:, index, column])
    compared = {"wgan": (1, 0), "dcgan": (0, 1), "superres": (2, 1)}
    if variant in compared:
        first, second = compared[variant]
        for column, statistic in enumerate(STATISTICS):
            found[f"{statistic}_ratio"] = effect("distance", tables[:, first, column] / tables[:, second, column])
    if variant == "wgan":
        found["floor_ratio"] = effect("distance", tables[:, 1, -1] / tables[:, 2, -1])
        error = np.abs(stack(units, variant, "wasserstein") / stack(units, variant, "wasserstein_closed_form") - 1)
        js, push = stack(units, variant, "js"), stack(units, variant, "js_push")
        found["js_spread"] = _mean(np.ptp(js, axis=1))
        found["js_at_largest_gap"] = _mean(js[:, -1] / np.log(2))
        # The median, for one critic in fifteen may get stuck; the count says how many did not.
        found["wasserstein_error"] = _mean(np.median(error, axis=1))
        found["wasserstein_measured"] = Measure.count(int((error < 0.05).sum()), error.size)
        bias = np.abs(stack(units, variant, "wasserstein") / stack(units, variant, "gaps") - 1)
        found["distance_measured"] = Measure.count(int((bias < 0.05).sum()), bias.size)
        logs = np.log(stack(units, variant, "trace")[:, :, 5:]).std(axis=2)
        found["unrest_ratio"] = effect("unrest", logs[:, 1] / logs[:, 0])
        found["js_push"] = _mean(push[:, -1])
        found["wasserstein_push"] = _mean(stack(units, variant, "wasserstein_push")[:, -1])
        found["wasserstein_grows"] = _mean(
            [float((np.diff(w) > 0).all()) for w in stack(units, variant, "wasserstein")]
        )
    if variant == "dcgan":
        found["parameter_ratio"] = _mean([p[1] / p[0] for p in stack(units, variant, "parameters")])
    if variant == "conditional":
        found["error"] = _mean(stack(units, variant, "error"))
        found["error_ratio"] = effect("distance", stack(units, variant, "error") / stack(units, variant, "blind_error"))
    if variant == "infogan":
        correlation, bound = stack(units, variant, "correlation"), stack(units, variant, "bound")
        for index, name in enumerate(("correlation", "correlation_without")):
            mean = _mean(correlation[:, index, 0])
            # Of the size of a correlation no interval reaches beyond 0 and 1.
            low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in (mean.low, mean.high))
            found[name] = Measure(mean.value, low, high, mean.n)
        # The reader chases a moving generator, so single records scatter: take the median of the last third.
        last = bound[..., -max(1, bound.shape[-1] // 3) :]
        found["bound"] = _mean(np.median(last[:, 0], axis=-1))
        found["bound_without"] = _mean(np.median(last[:, 1], axis=-1))
        found["recovered"] = Measure.count(int((correlation[:, 0, 0] > 0.7).sum()), len(correlation))
    if variant == "superres":
        for key in ("psnr", "ssim", "greyness"):
            values = stack(units, variant, key)
            for index, row in enumerate(rows):
                found[f"{row}.{key}"] = _mean(values[:, index])
            found[f"{key}_gain"] = _mean(values[:, 2] - values[:, 1])
            found[f"{key}_gain_over_bicubic"] = _mean(values[:, 2] - values[:, 0])
            found[f"{key}_gain_of_skips"] = _mean(values[:, 1] - values[:, 3])
    return found


if __name__ == "__main__":
    from geolib import studies

    raise SystemExit(studies.main(sys.modules[__name__]))
