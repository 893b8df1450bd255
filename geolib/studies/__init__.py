"""The studies by name: one package for each paper, its companions inside."""

from __future__ import annotations

import importlib

from geolib import _checks
from geolib.runs.measure import Measure
from geolib.runs.runner import key, publish, run, shipped
from geolib.runs.study import Study

__all__ = ["COMPANIONS", "NAMES", "get", "key", "module_of", "publish", "run", "shipped", "shipped_measures"]

NAMES = ("gan_101", "wgan_traces", "latent_inversion", "rnn_fwi")
#: Studies without a chapter of their own, and the chapter that shows them.
COMPANIONS = dict.fromkeys(("wgan_stopping", "wgan_factor", "wgan_conditional", "wgan_gathers"), "wgan_traces")
COMPANIONS["latent_prior"] = "latent_inversion"
_MODULES = {name: f"{name}.study" for name in NAMES}
_MODULES |= {name: f"{chapter}.{name.split('_')[1]}" for name, chapter in COMPANIONS.items()}


def get(name: str) -> Study:
    """Return a study or companion; an unknown name raises ValueError with the nearest study."""
    if name not in COMPANIONS:
        _checks.choice("study", name, NAMES)
    return importlib.import_module(module_of(name)).STUDY


def module_of(name: str) -> str:
    """Return the name of the module that holds a study or companion."""
    return f"geolib.studies.{_MODULES[name]}"


def companions(chapter: str) -> list[Study]:
    """Return the studies that a chapter shows besides its own."""
    return [get(name) for name, shown in COMPANIONS.items() if shown == chapter]


def shipped_measures(study: Study) -> dict[str, Measure]:
    """Return the measures of what is shipped of a study and its companions.

    The paper preset wins over the quick one.
    """
    found: dict[str, Measure] = {}
    for part in (*companions(study.name), study):
        for preset in ("quick", "paper"):
            results = shipped(part, preset)
            if results is not None:
                found |= part.measures(part.Config.stored(results.config), results.units)
    return found
