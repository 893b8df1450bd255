"""The parameters of the chapter on full-waveform inversion and of its companion."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from geolib.inversion import words
from geolib.runs.config import Config as BaseConfig
from geolib.runs.config import param
from geolib.studies.rnn_fwi.units import VARIANTS, WIDTHS

EXPERIMENTS = ("theory", "hessian", "gather", "network", "1d", "sensitivity", "marmousi", "extras")


@dataclass(frozen=True)
class FwiConfig(BaseConfig):
    """Parameters of the chapter; the 1-D setting is the same in both presets."""

    experiments: tuple[str, ...] = param(
        ("theory", "hessian", "gather", "network", "1d"),
        "what to run",
        paper=EXPERIMENTS,
        choices=EXPERIMENTS,
        extent=True,
    )
    optimisers: tuple[str, ...] = param(
        ("gd", "momentum", "momentum_b", "adam", "cg", "lbfgs"),
        "optimisers of the 1-D inversion",
        paper=words.METHODS,
        choices=words.METHODS,
        extent=True,
    )
    gd_rates: tuple[float, ...] = param(
        (0.4, 0.6),
        "learning rates of gradient descent",
        paper=(0.2, 0.4, 0.6, 0.8),
        low=1e-4,
        high=1e5,
        extent=True,
    )
    momentum_rates: tuple[float, ...] = param(
        (0.8,),
        "learning rates of both momentum methods",
        paper=(0.1, 0.4, 0.6, 0.8, 1.0),
        low=1e-4,
        high=1e5,
        extent=True,
    )
    adagrad_rates: tuple[float, ...] = param(
        (40.0,),
        "learning rates of Adagrad",
        paper=(0.4, 4.0, 40.0, 100.0),
        low=1e-4,
        high=1e5,
        unit="m/s",
        extent=True,
    )
    rmsprop_rates: tuple[float, ...] = param(
        (4.0,),
        "learning rates of RMSprop",
        paper=(0.4, 0.8, 4.0, 40.0),
        low=1e-4,
        high=1e5,
        unit="m/s",
        extent=True,
    )
    adam_rates: tuple[float, ...] = param(
        (40.0,),
        "learning rates of Adam",
        paper=(0.8, 4.0, 40.0, 100.0),
        low=1e-4,
        high=1e5,
        unit="m/s",
        extent=True,
    )
    precision: tuple[str, ...] = param(
        ("float64",),
        "number formats of the 1-D runs",
        paper=("float64", "float32"),
        choices=tuple(WIDTHS),
        extent=True,
    )
    iterations: int = param(
        150, "evaluations of each 1-D run after its start", paper=1000, low=1, high=100000
    )
    frequency: float = param(
        10.0, "peak frequency of the 1-D source wavelet", low=1.0, high=12.0, unit="Hz"
    )
    smoothing: float = param(
        6.0, "standard deviation of the 1-D start's smoothing", low=0.5, high=50.0, unit="cells"
    )
    start: str = param(
        "smooth", "1-D start: the smoothed truth, or 2 to 5 km/s", choices=("smooth", "linear")
    )
    top: str = param("free", "upper boundary of the 1-D model", choices=("free", "absorbing"))
    marmousi_share: float = param(
        1.0, "share of the paper's evaluations spent on Marmousi", low=0.01, high=10.0
    )


def rates(config: FwiConfig, method: str) -> Sequence[float | None]:
    """Return the learning rates that a configuration gives a method; (None,) for a line search."""
    if method not in words.STEP_METHODS:
        return (None,)
    lists = {
        "gd": config.gd_rates,
        "momentum": config.momentum_rates,
        "adagrad": config.adagrad_rates,
        "rmsprop": config.rmsprop_rates,
        "adam": config.adam_rates,
    }
    return lists[method.removesuffix("_b")]


@dataclass(frozen=True)
class StartsConfig(FwiConfig):
    """Parameters of the chapter, and the settings to make its descents in."""

    settings: tuple[str, ...] = param(
        ("sigma10",), "settings to compute", paper=VARIANTS, choices=VARIANTS, extent=True
    )
