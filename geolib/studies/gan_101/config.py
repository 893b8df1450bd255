"""The parameters of the chapter on adversarial networks."""

from __future__ import annotations

from dataclasses import dataclass

from geolib.runs.config import Config as BaseConfig
from geolib.runs.config import param
from geolib.studies.gan_101.units import DATA, TRICKS, VARIANTS


@dataclass(frozen=True)
class GanConfig(BaseConfig):
    """Parameters of the study; the quick preset takes under two minutes on one thread."""

    n_samples: int = param(
        1000,
        "samples of the mixture that maximum likelihood is given",
        paper=10000,
        low=50,
        high=10**6,
    )
    mixture_iterations: int = param(
        1000, "generator steps of the GAN that learns the mixture", paper=4000, low=50
    )
    tricks: tuple[str, ...] = param(TRICKS, "training tricks to try", choices=TRICKS, extent=True)
    trick_data: tuple[str, ...] = param(
        ("mixture",), "what the tricks are tried on", paper=DATA, choices=DATA, extent=True
    )
    n_seeds: int = param(2, "seeds of each trick", paper=6, low=1, high=100, extent=True)
    trick_iterations: int = param(
        300, "generator steps of each trick's training", paper=800, low=48
    )
    critic_steps: int = param(
        5, "discriminator steps per generator step in the trick of that name", low=2, high=20
    )
    critic_rate: float = param(
        4.0, "discriminator's learning rate over the generator's", low=0.01, high=100.0
    )
    real_label: float = param(
        0.9, "target of real samples under one-sided smoothing", low=0.51, high=1.0
    )
    variants: tuple[str, ...] = param(
        VARIANTS, "variants trained on channel patches", choices=VARIANTS, extent=True
    )
    n_variant_seeds: int = param(1, "seeds of each variant", paper=3, low=1, high=100, extent=True)
    variant_iterations: int = param(
        200, "generator steps of each variant's training", paper=600, low=20
    )
    code_weight: float = param(10.0, "weight of InfoGAN's information term", low=0.01, high=100.0)
    adversarial_weight: float = param(
        0.1, "weight of super-resolution's adversarial loss", low=0.001, high=10.0
    )
