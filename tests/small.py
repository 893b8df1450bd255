"""Small valid configurations of every study, drawn by a seed: each notebook must run to its end with any of them."""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from geolib import studies
from geolib.book import holes, notebooks, standalone

Rng = np.random.Generator


def _some(rng: Rng, entries: list[str]) -> list[str]:
    """Return some of the entries, at least one, in their order."""
    keep = rng.random(len(entries)) < 0.4
    keep[int(rng.integers(len(entries)))] = True
    return [entry for entry, kept in zip(entries, keep, strict=True) if kept]


def gan_101(rng: Rng) -> dict[str, Any]:
    """Few samples and steps, some tricks and variants."""
    return {
        "n_samples": int(rng.integers(50, 80)),
        "mixture_iterations": int(rng.integers(50, 60)),
        "tricks": _some(rng, ["batch_norm", "critic_rate", "leaky", "smooth_label"])[:2],
        "n_seeds": 1,
        "trick_iterations": 48,
        "variants": _some(rng, ["wgan", "conditional", "infogan", "superres"])[:2],
        "variant_iterations": 20,
    }


def wgan_traces(rng: Rng) -> dict[str, Any]:
    """One or two epochs of few traces."""
    return {
        "n_epochs": int(rng.integers(1, 3)),
        "n_traces": int(rng.integers(64, 97)),
        "batch": int(rng.choice([8, 16])),
        "critic_steps": int(rng.integers(1, 3)),
        "reuse_real": bool(rng.random() < 0.5),
        "seed": int(rng.integers(100)),
    }


def latent_inversion(rng: Rng) -> dict[str, Any]:
    """One trial of few updates, any of the methods."""
    return {
        "cases": _some(rng, ["continuous", "binary"])[:1],
        "methods": _some(rng, ["adam", "gn"]),
        "trials": 1,
        "searches": 1,
        "adam_iterations": int(rng.integers(1, 6)),
        "gn_iterations": 1,
        "dream_runs": 16,
        "effect_trials": 1,
        "effect_iterations": 1,
    }


def rnn_fwi(rng: Rng) -> dict[str, Any]:
    """Few iterations of some optimisers, or only the equations."""
    return {
        "experiments": _some(rng, ["theory", "gather", "1d"]),
        "optimisers": _some(rng, ["gd", "momentum", "adam", "cg", "lbfgs"]),
        "gd_rates": [float(rng.choice([0.1, 0.4, 0.6]))],
        "iterations": int(rng.integers(1, 8)),
        "start": str(rng.choice(["smooth", "linear"])),
        "top": str(rng.choice(["free", "absorbing"])),
    }


DRAW = {"gan_101": gan_101, "wgan_traces": wgan_traces, "latent_inversion": latent_inversion, "rnn_fwi": rnn_fwi}


class Hole(RuntimeError):
    """A page shows `nan`, `inf` or `None` in place of a number."""


def drawn(study: str, seed: int) -> dict[str, Any]:
    """Return a small valid configuration as changes of the quick preset."""
    rng = np.random.default_rng([seed, list(DRAW).index(study)])
    return studies.get(study).Config.preset("quick", **DRAW[study](rng)).changes()


def run(study: str, changes: dict[str, Any], folder: Path) -> Path:
    """Run the notebook of a study to its end and return the executed one, whole.

    Raises
    ------
    RuntimeError
        If a cell fails.
    Hole
        If the page that a reader gets shows no number where it should.
    """
    made = notebooks.execute(study, changes, folder / f"{study}.ipynb", note="small")
    assert not notebooks.failed(made)
    (page,) = standalone.render_together([made], study)
    if seen := holes.holes(page.read_text(encoding="utf-8")):
        raise Hole(f"the page shows '{seen[0]}' ({len(seen)} in all)")
    return made


def main() -> int:
    """Run some of every study, and print what failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=3, help="configurations of each study")
    parser.add_argument("--only", choices=list(DRAW))
    options = parser.parse_args()
    bad = 0
    for seed in range(options.count):
        for study in [options.only] if options.only else DRAW:
            changes = drawn(study, seed)
            with tempfile.TemporaryDirectory() as folder:
                try:
                    run(study, changes, Path(folder))
                    told = "to its end"
                except (RuntimeError, ValueError) as error:
                    bad, told = bad + 1, f"FAILED: {error}"
            print(f"{study} {changes}: {told}", flush=True)
    return int(bool(bad))


if __name__ == "__main__":
    sys.exit(main())
