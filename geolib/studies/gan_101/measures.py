"""What the claims of Li and Ortiz are measured by, from whatever units there are."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping

import numpy as np
import torch

from geolib.gans.theory import Mixture
from geolib.runs.measure import Measure
from geolib.runs.unit import Units, select
from geolib.studies.gan_101.ablation import GOALS, ablation, average, effect
from geolib.studies.gan_101.theory import TARGET
from geolib.studies.gan_101.units import THEORY, VARIANTS, Trick, Variant
from geolib.studies.gan_101.variants import STATISTICS

Arrays = Mapping[str, np.ndarray]
#: An array of a variant for all its seeds, by its name.
Stacks = Callable[[str], np.ndarray]


def stack(units: Units, variant: str, array: str) -> np.ndarray:
    """Return an array of a variant for all its seeds, `(n_seeds, ...)`; empty if there is none."""
    found = [arrays[array] for arrays in select(units, Variant, variant=variant).values()]
    return np.stack(found) if found else np.empty(0)


def biases(units: Units) -> np.ndarray:
    """Return the mean of what a conditional GAN draws less what was asked for, by seed `(n,)`."""
    return _biases(functools.partial(stack, units, "conditional"))


def measures(critic_steps: int, units: Units) -> dict[str, Measure]:
    """Return the measures of the claims ledger that the given units support."""
    found: dict[str, Measure] = {}
    for name in THEORY:
        if name in units:
            found.update({f"{name}.{k}": m for k, m in of_theory(name, units[name]).items()})
    for data, trick, values in ablation(critic_steps, units):
        found.update({f"tricks.{data}.{trick}.{key}": value for key, value in values.items()})
    plain = select(units, Trick, trick="plain")
    if plain:
        lost = [run["trace"].min() > GOALS[unit.data][0] for unit, run in plain.items()]
        found["plain.fails"] = Measure.count(sum(lost), len(lost))
    for variant in VARIANTS:
        if select(units, Variant, variant=variant):
            found.update({f"{variant}.{k}": m for k, m in _variant(variant, units).items()})
    return found


def of_theory(label: str, arrays: Arrays) -> dict[str, Measure]:
    """Return what an equation or a sketch is measured by."""
    return _THEORY[label](arrays)


def _holds(condition: bool) -> Measure:
    return Measure(float(condition), n=1)


def _likelihood(u: Arrays) -> dict[str, Measure]:
    identity, product = float(u["identity_error"]), float(u["product"])
    sums = np.abs(u["sample_loss"] / u["expected_loss"][u["kept"]] - 1)
    return {
        "identity_error": Measure(identity),
        "identity": _holds(identity < 1e-10 and float(u["gradient_error"]) < 1e-10),
        "divergence_falls": _holds(bool(u["divergence"][-1] < 0.01 * u["divergence"][0])),
        "divergence_ratio": Measure(float(u["divergence"][-1] / u["divergence"][0])),
        "wilks": average(u["wilks"]),
        "largest_parameter_error": Measure(float(np.abs(u["fitted"] - u["truth"]).max())),
        "product_underflows": _holds(product == 0.0),
        "same_maximum": _holds(float(u["peak_of_product"]) == float(u["peak_of_sum"])),
        "sum_error": Measure(float(sums.max())),
        "entropy": Measure(float(u["entropy"])),
        "peak_of_product": Measure(float(u["peak_of_product"])),
        "peak_of_densities": Measure(_peak_of_densities(u["samples"])),
        "log10_likelihood": Measure(float(u["log10_likelihood"])),
    }


def _peak_of_densities(samples: np.ndarray) -> float:
    """Return the shift of the target at which the few samples' densities have the largest sum."""
    few, places = torch.from_numpy(samples[:40]), torch.linspace(-1, 1, 201, dtype=torch.float64)
    moved = (Mixture(TARGET.weights, TARGET.means + s, TARGET.scales) for s in places)
    return float(places[torch.stack([each.density(few).sum() for each in moved]).argmax()])


def _value(u: Arrays) -> dict[str, Measure]:
    value, identity = float(u["value"]), float(u["identity_error"])
    off = float(u["monte_carlo"]) - value
    gaps = {
        name: float(u[name]) - value
        for name in ("printed_7", "printed_9_second", "printed_9_third")
    }
    return {
        "value": Measure(value),
        "identity_error": Measure(identity),
        "identity": _holds(identity < 1e-6),
        "monte_carlo_error": Measure(abs(off)),
        "monte_carlo_standard_errors": Measure(abs(off) / float(u["monte_carlo_error"])),
        "monte_carlo_signed": Measure(off / float(u["monte_carlo_error"])),
        "optimum": _holds(int(np.argmax(u["bent_values"])) == len(u["bends"]) // 2),
        "printed_7_gap": Measure(gaps["printed_7"]),
        "printed_9_second_gap": Measure(gaps["printed_9_second"]),
        # As an integral the sum of densities (the third) is right as it stands; divergences are to
        # the mean, log 4 below.
        **{name: _holds(abs(gap) < 1e-6) for name, gap in gaps.items()},
        "bent_fall": Measure(float(np.ptp(u["bent_values"]))),
        "mean_gap": Measure(2 * float(u["jsd"]) - value),
        "minimum_at_data": _holds(int(np.argmin(u["share_values"])) == len(u["shares"]) - 1),
        "equilibrium_value": Measure(float(u["equilibrium_value"])),
        "equilibrium_error": Measure(float(u["equilibrium_discriminator"])),
    }


def _discriminator(u: Arrays) -> dict[str, Measure]:
    pull = u["pull_errors"]
    return {
        "error": Measure(float(u["errors"][-1])),
        "largest_error": Measure(float(u["largest_error"])),
        "value_gap": Measure(abs(float(u["value"]) - float(u["value_closed_form"]))),
        "equal_error": Measure(float(u["equal_error"])),
        "pull_error": Measure(float(pull[-1])),
        "pull_error_ratio": Measure(float(pull[-1] / pull[1])),
    }


def _starvation(u: Arrays) -> dict[str, Measure]:
    return {name: Measure(float(u[name])) for name in ("closed_form_error", "ratio_at_8")}


def _bilinear(u: Arrays) -> dict[str, Measure]:
    ends = dict(zip(u["methods"].tolist(), u["converges"], strict=True))
    return {
        "spiral_error": Measure(float(u["spiral_error"])),
        "simultaneous_diverges": _holds(not ends["simultaneous"]),
        **{f"{method}_converges": _holds(bool(end)) for method, end in ends.items()},
    }


def _turns(u: Arrays) -> dict[str, Measure]:
    before, after = u["accuracy"][:, -1]
    return {"accuracy_before": Measure(float(before)), "accuracy_after": Measure(float(after))}


def best_accuracy(u: Arrays, frame: int) -> float:
    """Return how often the best discriminator would be right, at one moment of a training."""
    width = u["x"][1] - u["x"][0]
    return float(0.5 * np.maximum(u["target"], u["densities"][frame]).sum() * width)


def _mixture(u: Arrays) -> dict[str, Measure]:
    history = u["history"]
    return {
        "half_error": Measure(float(u["half_error"])),
        "accuracy": Measure(float(history[-1, 3])),
        "first_accuracy": Measure(float(history[1:6, 3].max())),
        "first_best_accuracy": Measure(best_accuracy(u, 0)),
        "distance": Measure(float(history[-1, 0])),
        "distance_ratio": Measure(float(history[-1, 0] / history[0, 0])),
        "jsd": Measure(float(history[-1, 1])),
    }


_THEORY = {
    "likelihood": _likelihood,
    "value": _value,
    "discriminator": _discriminator,
    "starvation": _starvation,
    "bilinear": _bilinear,
    "turns": _turns,
    "mixture": _mixture,
    "unaided": _mixture,
}


#: What a variant's statistics are of, row by row.
ROWS = {
    "wgan": ("minimax", "wasserstein", "floor"),
    "dcgan": ("convolutional", "dense", "floor"),
    "conditional": ("conditional", "floor"),
    "infogan": ("informed", "uninformed", "floor"),
    "superres": ("bicubic", "content", "adversarial", "without_skips"),
}
# The rows of which one is measured over the other.
COMPARED = {"wgan": (1, 0), "dcgan": (0, 1), "superres": (2, 1)}


def _variant(variant: str, units: Units) -> dict[str, Measure]:
    tables = stack(units, variant, "table")
    found = {
        f"{row}.{statistic}": average(tables[:, index, column])
        for index, row in enumerate(ROWS[variant])
        for column, statistic in enumerate(STATISTICS)
    }
    if variant in COMPARED:
        first, second = COMPARED[variant]
        for column, statistic in enumerate(STATISTICS):
            ratio = tables[:, first, column] / tables[:, second, column]
            found[f"{statistic}_ratio"] = effect("distance", ratio)
    own = {"wgan": _wgan, "infogan": _infogan, "superres": _superres, "dcgan": _dcgan}
    more = own.get(variant, _conditional)
    return found | more(functools.partial(stack, units, variant))


def _wgan(of: Stacks) -> dict[str, Measure]:
    tables, distance, js = of("table"), of("wasserstein"), of("js")
    error = np.abs(distance / of("wasserstein_closed_form") - 1)
    bias = np.abs(distance / of("gaps") - 1)
    logs = np.log(of("trace")[:, :, 5:]).std(axis=2)
    return {
        "floor_ratio": effect("distance", tables[:, 1, -1] / tables[:, 2, -1]),
        "js_spread": average(np.ptp(js, axis=1)),
        "js_at_largest_gap": average(js[:, -1] / np.log(2)),
        # The median, for one critic in fifteen may get stuck; the count says how many did not.
        "wasserstein_error": average(np.median(error, axis=1)),
        "wasserstein_measured": Measure.count(int((error < 0.05).sum()), error.size),
        "distance_measured": Measure.count(int((bias < 0.05).sum()), bias.size),
        "unrest_ratio": effect("unrest", logs[:, 1] / logs[:, 0]),
        "js_push": average(of("js_push")[:, -1]),
        "wasserstein_push": average(of("wasserstein_push")[:, -1]),
        **_pushes(of("wasserstein_push").ravel()),
        # At every gap, not the largest alone.
        **{
            f"{push}_at_{gap:g}": average(of(push)[:, place])
            for push in ("js_push", "wasserstein_push")
            for place, gap in enumerate(of("gaps")[0])
        },
        "wasserstein_grows": average([float((np.diff(w) > 0).all()) for w in distance]),
    }


def _pushes(slopes: np.ndarray) -> dict[str, Measure]:
    """Return how many critics push, by more than half, how much they do, and the least slope."""
    pushing = slopes[slopes > 0.5]
    found = {
        "pushing": Measure.count(pushing.size, slopes.size),
        "push_stuck": Measure(float(slopes.min())),
    }
    if pushing.size:
        found["push_least"] = Measure(float(pushing.min()))
        found["push_greatest"] = Measure(float(pushing.max()))
    return found


def _dcgan(of: Stacks) -> dict[str, Measure]:
    return {"parameter_ratio": average([p[1] / p[0] for p in of("parameters")])}


def _conditional(of: Stacks) -> dict[str, Measure]:
    error = of("error")
    ratio = effect("distance", error / of("blind_error"))
    # The best that hears no label always answers the mean of what it is asked.
    strict = effect("distance", error / of("asked").std(axis=1))
    return {
        "error": average(error),
        "bias": average(_biases(of)),
        "error_ratio": ratio,
        "strict_error_ratio": strict,
    }


def _biases(of: Stacks) -> np.ndarray:
    # A root mean square hides whether too little is drawn or too much.
    biases: np.ndarray = (of("obtained") - of("asked")).mean(axis=1)
    return biases


def _infogan(of: Stacks) -> dict[str, Measure]:
    correlation, bound = of("correlation"), of("bound")
    found = {}
    for index, name in enumerate(("correlation", "correlation_without")):
        mean = average(correlation[:, index, 0])
        # Of the size of a correlation no interval reaches beyond 0 and 1.
        ends = (mean.low, mean.high)
        low, high = (None if end is None else min(max(end, 0.0), 1.0) for end in ends)
        found[name] = Measure(mean.value, low, high, mean.n)
    # The reader chases a moving generator, so single records scatter: take the median of the last
    # third.
    last = np.median(bound[..., -max(1, bound.shape[-1] // 3) :], axis=-1)
    found["bound"], found["bound_without"] = average(last[:, 0]), average(last[:, 1])
    recovered = correlation[:, 0, 0] > 0.7
    return found | {"recovered": Measure.count(int(recovered.sum()), len(recovered))}


def _superres(of: Stacks) -> dict[str, Measure]:
    # What is grey in the truth are its soft edges.
    found = {"truth.greyness": average(of("greyness")[:, -1])}
    for key in ("psnr", "ssim", "greyness"):
        values = of(key)
        for index, row in enumerate(ROWS["superres"]):
            found[f"{row}.{key}"] = average(values[:, index])
        for name, one, other in (("", 2, 1), ("_over_bicubic", 2, 0), ("_of_skips", 1, 3)):
            found[f"{key}_gain{name}"] = average(values[:, one] - values[:, other])
    return found
