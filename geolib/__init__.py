"""Reproducible companion to four papers on adversarial networks and wave-equation inversion.

The package does the computing of a book: `geolib.waves` propagates seismic waves, `geolib.gans` trains generators,
`geolib.inversion` fits models to data, and `geolib.studies` holds one package for each paper. What a program of your
own needs of them has a name here (`dir(geolib)`); importing `geolib` loads none of it before it is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # what type checkers and editors see; a test holds it to the names below
    from geolib.datasets.velocity import layered as layered
    from geolib.datasets.velocity import smooth as smooth
    from geolib.gans.losses import gradient_penalty as gradient_penalty
    from geolib.gans.train import Game as Game
    from geolib.gans.train import Players as Players
    from geolib.gans.train import train as train
    from geolib.gans.wgan import load_pretrained as load_pretrained
    from geolib.inversion import latent as _latent
    from geolib.inversion import posterior as _posterior
    from geolib.inversion import search as _search
    from geolib.inversion.crosshole import Crosshole as Crosshole
    from geolib.inversion.crosshole import ray_matrix as ray_matrix
    from geolib.inversion.crosshole import traveltimes as traveltimes
    from geolib.inversion.descent import minimize as minimize
    from geolib.inversion.gauss_newton import gauss_newton as gauss_newton
    from geolib.metrics.samples import density_coverage as density_coverage
    from geolib.metrics.samples import first_event as first_event
    from geolib.metrics.samples import mmd2 as mmd2
    from geolib.metrics.samples import sliced_wasserstein as sliced_wasserstein
    from geolib.waves.propagate import misfit_and_gradient as misfit_and_gradient
    from geolib.waves.propagate import propagate as propagate
    from geolib.waves.survey import Boundary as Boundary
    from geolib.waves.survey import Grid as Grid
    from geolib.waves.survey import Survey as Survey
    from geolib.waves.wavelets import ricker as ricker

    sample_posterior, search_latents = _posterior.sample, _latent.adam  # type: ignore[has-type]
    search_models = _search.search  # type: ignore[has-type]

__version__ = "0.1.0"

# Three names are plainer here than in their module, where the method's name stands beside them.
_FACE = {
    "waves.survey": "Boundary Grid Survey",
    "waves.wavelets": "ricker",
    "waves.propagate": "misfit_and_gradient propagate",
    "datasets.velocity": "layered smooth",
    "inversion.descent": "minimize",
    "inversion.crosshole": "Crosshole ray_matrix traveltimes",
    "inversion.latent": "search_latents=adam",
    "inversion.gauss_newton": "gauss_newton",
    "inversion.search": "search_models=search",
    "inversion.posterior": "sample_posterior=sample",
    "gans.train": "Game Players train",
    "gans.losses": "gradient_penalty",
    "gans.wgan": "load_pretrained",
    "metrics.samples": "density_coverage first_event mmd2 sliced_wasserstein",
}
_THERE = {name.partition("=")[0]: name.rpartition("=")[2] for names in _FACE.values() for name in names.split()}
#: The module of each name.
HOMES = {name.partition("=")[0]: f"geolib.{home}" for home, names in _FACE.items() for name in names.split()}

__all__ = [*HOMES]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'geolib' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(HOMES[name]), _THERE[name])
    return found


def __dir__() -> list[str]:
    return sorted(__all__)
