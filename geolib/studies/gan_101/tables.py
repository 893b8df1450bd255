"""What the appendix of the chapter shows of its runs, as Markdown tables."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from geolib.gans.variants import LATENT
from geolib.runs.config import Config
from geolib.runs.measure import Measure
from geolib.runs.tables import markdown
from geolib.runs.unit import Units
from geolib.studies.gan_101 import variants
from geolib.studies.gan_101.ablation import with_interval
from geolib.studies.gan_101.measures import ROWS
from geolib.studies.gan_101.units import VARIANTS
from geolib.studies.gan_101.variants import STATISTICS

Measures = Mapping[str, Measure]
NOT_RUN = "Not run with these parameters."


def identities(units: Units) -> str:
    """Return the value at the best discriminator, reckoned in several ways."""
    value = units["value"]
    drawn = f"{value['monte_carlo']:.3f} ± {value['monte_carlo_error']:.3f}"
    rows = [
        ["by quadrature", f"{value['value']:.6f}"],
        ["as -log 4 + 2 JSD", f"{value['closed_form']:.6f}"],
        ["from 2 x 200,000 draws", drawn],
        ["where both densities agree", f"{value['equilibrium_value']:.6f}"],
        ["-log 4", f"{-np.log(4):.6f}"],
    ]
    return markdown(["Value at the best discriminator", "nats"], rows, "lr")


def printed(units: Units) -> str:
    """Return what the printed lines of equations 7 and 9 give, beside the value."""
    value = units["value"]
    rows = [
        ["the value at the best discriminator", value["value"]],
        ["equation 7, first line, as printed", value["printed_7"]],
        ["equation 9, second line, as printed", value["printed_9_second"]],
        ["equation 9, third line, as an integral", value["printed_9_third"]],
        ["KL(p, M) + KL(q, M), with the mean M", 2 * value["jsd"]],
        ["the same less log 4", 2 * value["jsd"] - np.log(4)],
    ]
    return markdown(["What", "nats"], [[name, f"{float(x):.4f}"] for name, x in rows], "lr")


def steps(units: Units) -> str:
    """Return by what each way to step multiplies the distance from the equilibrium."""
    unit = units["bilinear"]
    rows = zip(unit["methods"].tolist(), unit["closed_form"], unit["converges"], strict=True)
    told = [[name, f"{factor:.4f}", "yes" if end else "no"] for name, factor, end in rows]
    return markdown(
        ["Steps", "Distance, per step times", "Approaches the equilibrium"], told, "lrl"
    )


def superresolution(found: Measures) -> str:
    """Return how near the estimates of held-out patches are, and how grey."""
    told = {
        "psnr": ("PSNR (dB)", 1),
        "ssim": ("SSIM", 2),
        "patterns": ("patterns (bits)", 3),
        "two_point": ("variogram", 3),
        "greyness": ("greyness", 2),
    }
    names = [name for name in ROWS["superres"] if f"superres.{name}.psnr" in found]
    rows = [
        [head, *(with_interval(found[f"superres.{name}.{key}"], digits) for name in names)]
        for key, (head, digits) in told.items()
        if names
    ]
    return markdown(["", *(n.replace("_", " ") for n in names)], rows, "lrrrr", empty=NOT_RUN)


def statistics(found: Measures) -> str:
    """Return the misfits of every variant's patches to held-out ones."""
    rows = [
        [
            f"{variant}: {name.replace('_', ' ')}",
            *(f"{found[f'{variant}.{name}.{key}'].value:.3f}" for key in STATISTICS),
        ]
        for variant in VARIANTS
        for name in ROWS[variant]
        if f"{variant}.{name}.distance" in found
    ]
    heads = ["Patches", "Patterns", "Variogram", "Proportion", "Distance"]
    return markdown(heads, rows, "lrrrr", empty=NOT_RUN)


def settings(config: Config) -> str:
    """Return what a configuration sets, by its meaning, and what is fixed in the code."""
    rows = [[row["help"], _told(getattr(config, row["name"]))] for row in config.describe()]
    fixed = {
        "pixels along a patch, variants and tricks": (variants.SIZE, variants.TRICK_SIZE),
        "channels of the first layer": variants.WIDTH,
        "learning rate on patches, and on the mixture with a trick": (
            variants.RATE,
            variants.TRICK_RATE,
        ),
        "patches of a batch": variants.BATCH,
        "components of the latent vector": LATENT,
        "held-out patches": variants.N_TEST,
    }
    rows += [[name, _told(value)] for name, value in fixed.items()]
    return markdown(["Parameter", "Value"], rows)


def _told(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)
