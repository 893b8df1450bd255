"""The parameters of the chapter on adversarial networks and of its companions."""

from __future__ import annotations

from dataclasses import dataclass

from geolib.runs.config import Config as BaseConfig
from geolib.runs.config import param
from geolib.studies.gan_101.units import DATA, MORE_TRICKS, SEEDED, TRICKS, VARIANTS

#: Seed of the sweep's first training, with which no recipe is judged.
FIRST_SWEPT = 100
#: The first seed that was added when twelve had decided little, or had been seen.
FIRST_ADDED = 12
TELLING_RATES = (1e-3, 2e-3, 4e-3, 8e-3, 1.6e-2)


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
    n_variant_seeds: int = param(1, "seeds of each variant", paper=12, low=1, high=100, extent=True)
    variant_iterations: int = param(
        200, "generator steps of each variant's training", paper=600, low=20
    )
    code_weight: float = param(10.0, "weight of InfoGAN's information term", low=0.01, high=100.0)
    adversarial_weight: float = param(
        0.1, "weight of super-resolution's adversarial loss", low=0.001, high=10.0
    )


@dataclass(frozen=True)
class TricksConfig(BaseConfig):
    """Parameters of the trainings; the rates are what a sweep with seed 100 found best."""

    tricks: tuple[str, ...] = param(MORE_TRICKS, "Tricks to try", choices=MORE_TRICKS, extent=True)
    data: tuple[str, ...] = param(
        ("mixture",), "What they are tried on", paper=DATA, choices=DATA, extent=True
    )
    n_seeds: int = param(
        1,
        "Seeds of each recipe on channels: 12, 13, ..., and with more than one also 0 to 11",
        paper=12,
        low=1,
        high=FIRST_SWEPT - FIRST_ADDED,
        extent=True,
    )
    n_mixture_seeds: int = param(
        1, "Seeds of each recipe on the mixture", paper=100, low=1, high=FIRST_SWEPT, extent=True
    )
    n_sweep_seeds: int = param(
        0, "Seeds of the sweep on the mixture, 100, 101, ...", paper=1, low=0, high=100, extent=True
    )
    sweep_rates: tuple[float, ...] = param(
        (1e-3, 2e-3, 4e-3, 8e-3),
        "Learning rates of the plain recipe in the sweep on the mixture",
        low=1e-6,
        high=1.0,
        extent=True,
    )
    channels_rates: tuple[float, ...] = param(
        (2e-4, 5e-4, 1e-3, 2e-3, 4e-3, 8e-3),
        "Learning rates of the plain recipe in the sweep on channels",
        low=1e-6,
        high=1.0,
        extent=True,
    )
    n_channels_sweep_seeds: int = param(
        0, "Seeds of the sweep on channels, 100, 101, ...", paper=3, low=0, high=100, extent=True
    )
    rival_rates: tuple[float, ...] = param(
        (4e-3,),
        "Other rates on channels that the plain recipe has with the seeds that judge",
        low=1e-6,
        high=1.0,
        extent=True,
    )
    n_telling_seeds: int = param(
        0,
        "Seeds of discriminators against a generator that rests",
        paper=12,
        low=0,
        high=FIRST_SWEPT - FIRST_ADDED,
        extent=True,
    )
    telling_rates: tuple[float, ...] = param(
        TELLING_RATES,
        "Learning rates of those discriminators",
        former=TELLING_RATES,
        low=1e-6,
        high=1.0,
    )
    telling_start: int = param(400, "Generator steps before the generator rests", former=400, low=1)
    telling_steps: int = param(288, "Steps of those discriminators", former=288, low=24)
    iterations: int = param(100, "Generator steps of a training", paper=800, low=48)
    mixture_rate: float = param(2e-3, "Learning rate on the mixture", low=1e-6, high=1.0)
    mixture_batch: int = param(256, "Samples of a batch of the mixture", low=2)
    channels_rate: float = param(2e-3, "Learning rate on channels", low=1e-6, high=1.0)
    channels_batch: int = param(64, "Patches of a batch of channels", low=2)
    critic_steps: int = param(
        5, "Discriminator steps per generator step in the trick of that name", low=2, high=20
    )
    critic_rate: float = param(
        4.0, "Discriminator's learning rate over the generator's", low=0.01, high=100.0
    )
    real_label: float = param(
        0.9, "Target of real samples under one-sided smoothing", low=0.51, high=1.0
    )

    def of(self, data: str) -> tuple[float, int]:
        """Return rate and batch on some data."""
        batch = self.mixture_batch if data == "mixture" else self.channels_batch
        return float(getattr(self, f"{data}_rate")), batch


@dataclass(frozen=True)
class SeedsConfig(BaseConfig):
    """Parameters of the chapter's theory with other seeds; the sizes are the chapter's."""

    labels: tuple[str, ...] = param(
        SEEDED, "Experiments, of those in which chance has a part", choices=SEEDED, extent=True
    )
    n_seeds: int = param(
        1, "Seeds of each training: 1, 2, ...", paper=12, low=1, high=1000, extent=True
    )
    n_draws: int = param(
        1,
        "Seeds of each experiment that draws samples and trains no network: 1, 2, ...",
        paper=60,
        low=1,
        high=1000,
        extent=True,
    )
    n_samples: int = param(
        1000,
        "Samples of the mixture that maximum likelihood is given",
        paper=10000,
        low=50,
        high=10**6,
    )
    mixture_iterations: int = param(
        1000, "Generator steps of the GAN that learns the mixture", paper=4000, low=50
    )
