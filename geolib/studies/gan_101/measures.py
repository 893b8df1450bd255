"""What the claims of Li and Ortiz are measured by, from whatever units there are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.runs.measure import Measure
from geolib.runs.unit import Units, select
from geolib.studies.gan_101.ablation import ablation, average, effect
from geolib.studies.gan_101.units import THEORY, VARIANTS, Trick, Variant
from geolib.studies.gan_101.variants import STATISTICS

# A distance that a training comes near the data with: about a third of where it starts.
GOALS = {"mixture": 0.4, "channels": 0.5}


def stack(units: Units, variant: str, array: str) -> np.ndarray:
    """Return an array of a variant for all its seeds, `(n_seeds, ...)`; empty if there is none."""
    found = [arrays[array] for arrays in select(units, Variant, variant=variant).values()]
    return np.stack(found) if found else np.empty(0)


def measures(critic_steps: int, units: Units) -> dict[str, Measure]:
    """Return the measures of the claims ledger that the given units support."""
    found: dict[str, Measure] = {}
    for name in THEORY:
        if name in units:
            found.update({f"{name}.{k}": m for k, m in _theory_measures(name, units[name]).items()})
    for data, trick, values in ablation(critic_steps, units):
        found.update({f"tricks.{data}.{trick}.{key}": value for key, value in values.items()})
    plain = select(units, Trick, trick="plain")
    if plain:
        lost = [run["trace"].min() > GOALS[unit.data] for unit, run in plain.items()]
        found["plain.fails"] = Measure.count(sum(lost), len(lost))
    for variant in VARIANTS:
        if select(units, Variant, variant=variant):
            found.update(
                {f"{variant}.{k}": m for k, m in _variant_measures(variant, units).items()}
            )
    return found


def _theory_measures(name: str, u: Mapping[str, np.ndarray]) -> dict[str, Measure]:
    def number(key: str) -> float:
        return float(u[key])

    if name == "likelihood":
        ends = u["divergence"][-1] < 0.01 * u["divergence"][0]
        return {
            "identity_error": Measure(number("identity_error")),
            "identity": _holds(
                number("identity_error") < 1e-10 and number("gradient_error") < 1e-10
            ),
            "divergence_falls": _holds(bool(ends)),
            "wilks": average(u["wilks"]),
            "largest_parameter_error": Measure(float(np.abs(u["fitted"] - u["truth"]).max())),
            "product_underflows": _holds(number("product") == 0.0),
            "same_maximum": _holds(number("peak_of_product") == number("peak_of_sum")),
            "sum_error": Measure(
                float(np.abs(u["sample_loss"] / u["expected_loss"][u["kept"]] - 1).max())
            ),
            "log10_likelihood": Measure(number("log10_likelihood")),
        }
    if name == "value":
        v, jsd = number("value"), number("jsd")
        return {
            "value": Measure(v),
            "identity_error": Measure(number("identity_error")),
            "identity": _holds(number("identity_error") < 1e-6),
            "monte_carlo_error": Measure(abs(number("monte_carlo") - v)),
            "monte_carlo_standard_errors": Measure(
                abs(number("monte_carlo") - v) / number("monte_carlo_error")
            ),
            "optimum": _holds(int(np.argmax(u["bent_values"])) == len(u["bends"]) // 2),
            "printed_7_gap": Measure(number("printed_7") - v),
            "printed_7": _holds(abs(number("printed_7") - v) < 1e-6),
            "printed_9_second_gap": Measure(number("printed_9_second") - v),
            "printed_9_second": _holds(abs(number("printed_9_second") - v) < 1e-6),
            # As an integral the sum of densities is right as it stands; divergences are to the
            # mean, log 4 below.
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
        return {
            "spiral_error": Measure(number("spiral_error")),
            "simultaneous_diverges": apart,
            **converges,
        }
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


def _best_accuracy(u: Mapping[str, np.ndarray]) -> float:
    """Return the accuracy that the best discriminator has against the untrained generator."""
    width = u["x"][1] - u["x"][0]
    return float(0.5 * np.maximum(u["target"], u["densities"][0]).sum() * width)


def _holds(condition: bool) -> Measure:
    return Measure(float(condition), n=1)


def _variant_measures(variant: str, units: Units) -> dict[str, Measure]:
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
            found[f"{row}.{statistic}"] = average(tables[:, index, column])
    compared = {"wgan": (1, 0), "dcgan": (0, 1), "superres": (2, 1)}
    if variant in compared:
        first, second = compared[variant]
        for column, statistic in enumerate(STATISTICS):
            found[f"{statistic}_ratio"] = effect(
                "distance", tables[:, first, column] / tables[:, second, column]
            )
    if variant == "wgan":
        found["floor_ratio"] = effect("distance", tables[:, 1, -1] / tables[:, 2, -1])
        error = np.abs(
            stack(units, variant, "wasserstein") / stack(units, variant, "wasserstein_closed_form")
            - 1
        )
        js, push = stack(units, variant, "js"), stack(units, variant, "js_push")
        found["js_spread"] = average(np.ptp(js, axis=1))
        found["js_at_largest_gap"] = average(js[:, -1] / np.log(2))
        # The median, for one critic in fifteen may get stuck; the count says how many did not.
        found["wasserstein_error"] = average(np.median(error, axis=1))
        found["wasserstein_measured"] = Measure.count(int((error < 0.05).sum()), error.size)
        bias = np.abs(stack(units, variant, "wasserstein") / stack(units, variant, "gaps") - 1)
        found["distance_measured"] = Measure.count(int((bias < 0.05).sum()), bias.size)
        logs = np.log(stack(units, variant, "trace")[:, :, 5:]).std(axis=2)
        found["unrest_ratio"] = effect("unrest", logs[:, 1] / logs[:, 0])
        found["js_push"] = average(push[:, -1])
        found["wasserstein_push"] = average(stack(units, variant, "wasserstein_push")[:, -1])
        found["wasserstein_grows"] = average(
            [float((np.diff(w) > 0).all()) for w in stack(units, variant, "wasserstein")]
        )
    if variant == "dcgan":
        found["parameter_ratio"] = average(
            [p[1] / p[0] for p in stack(units, variant, "parameters")]
        )
    if variant == "conditional":
        found["error"] = average(stack(units, variant, "error"))
        found["error_ratio"] = effect(
            "distance", stack(units, variant, "error") / stack(units, variant, "blind_error")
        )
    if variant == "infogan":
        correlation, bound = stack(units, variant, "correlation"), stack(units, variant, "bound")
        for index, name in enumerate(("correlation", "correlation_without")):
            mean = average(correlation[:, index, 0])
            # Of the size of a correlation no interval reaches beyond 0 and 1.
            low, high = (
                None if end is None else min(max(end, 0.0), 1.0) for end in (mean.low, mean.high)
            )
            found[name] = Measure(mean.value, low, high, mean.n)
        # The reader chases a moving generator, so single records scatter: take the median of the
        # last third.
        last = bound[..., -max(1, bound.shape[-1] // 3) :]
        found["bound"] = average(np.median(last[:, 0], axis=-1))
        found["bound_without"] = average(np.median(last[:, 1], axis=-1))
        found["recovered"] = Measure.count(
            int((correlation[:, 0, 0] > 0.7).sum()), len(correlation)
        )
    if variant == "superres":
        for key in ("psnr", "ssim", "greyness"):
            values = stack(units, variant, key)
            for index, row in enumerate(rows):
                found[f"{row}.{key}"] = average(values[:, index])
            found[f"{key}_gain"] = average(values[:, 2] - values[:, 1])
            found[f"{key}_gain_over_bicubic"] = average(values[:, 2] - values[:, 0])
            found[f"{key}_gain_of_skips"] = average(values[:, 1] - values[:, 3])
    return found
