"""The parameters of the chapter on seismic traces and of its companions."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from geolib.runs import config

PRECISIONS = ("float32", "bfloat16")
AMPLITUDE_FACTOR = 10.0  # published
#: What `wgan_gap` changes, one at a time, the most telling first; `gap_trial.CHANGES` says how.
GAP_CHANGES = (
    "published",
    "order",
    "critic5",
    "amplitude3",
    "latents01",
    "decay",
    "init002",
    "ricker",
    "frequency30",
    "normal",
    "bfloat16",
)


@dataclass(frozen=True)
class TracesConfig(config.Config):
    """Parameters of data and training."""

    n_epochs: int = config.param(15, "Epochs to train", paper=100, low=1, high=1000, extent=True)
    n_traces: int = config.param(480, "Traces to train on", paper=10_000, low=8, high=100_000)
    batch: int = config.param(16, "Traces in a batch", paper=64, low=2, high=4096)
    init_std: float = config.param(
        0.2, "Standard deviation of the initial kernels", low=1e-4, high=1
    )
    latent_low: float = config.param(
        -1.0, "Lower end of the uniform latents, the upper end is 1", low=-10, high=0.99
    )
    reuse_real: bool = config.param(
        True, "One batch of real traces for all critic steps, as in algorithm 1"
    )
    critic_steps: int = config.param(2, "Critic steps for each generator step", low=1, high=20)
    penalty_weight: float = config.param(10.0, "Weight of the gradient penalty", low=0, high=1e4)
    learning_rate: float = config.param(
        1e-4, "Learning rate of both Adam optimisers", low=0, high=1
    )
    averaging: float = config.param(
        0.999, "Decay of the running mean of the generator's weights", low=0, high=1
    )
    precision: str = config.param(
        "float32", "Arithmetic of the critic's convolutions", choices=PRECISIONS
    )
    velocity: tuple[float, ...] = config.param(
        (1500.0, 4500.0), "Lowest and highest interval velocity", low=1000, high=5000, unit="m/s"
    )
    thickness: tuple[float, ...] = config.param(
        (150.0, 400.0), "Least and greatest thickness of a layer", low=50, high=1000, unit="m"
    )
    frequency: float = config.param(
        20.0, "Frequency that sets the width of the Gaussian", low=5, high=30, unit="Hz"
    )
    seed: int = config.param(1, "Seed of everything random", low=0, high=2**31 - 1)

    def check(self) -> None:
        """Check pairs and the batch against the data."""
        for name in ("velocity", "thickness"):
            pair = getattr(self, name)
            if len(pair) != 2 or pair[0] >= pair[1]:
                raise ValueError(
                    f"{name} must be two rising numbers; got {list(pair)}. Give the lower one "
                    "first."
                )
        if self.batch > self.n_traces:
            raise ValueError(
                f"batch must be at most n_traces = {self.n_traces}; got {self.batch}. "
                "Reduce the batch."
            )

    @property
    def n_held_out(self) -> int:
        """Traces of the validation set, and of the test set."""
        return min(self.n_traces, max(64, self.n_traces // 10))


@dataclass(frozen=True)
class QualityConfig(TracesConfig):
    """Parameters of the training whose epochs are judged; the last is on the test set."""

    epochs: tuple[int, ...] = config.param(
        (5, 10),
        "Epochs judged on the validation set",
        paper=(10, 20, 47, 60, 80, 100),
        low=1,
        high=1000,
        extent=True,
    )

    def check(self) -> None:
        """Check that the training gets so far."""
        super().check()
        if max(self.epochs, default=1) > self.n_epochs:
            raise ValueError(
                f"epochs must be at most n_epochs = {self.n_epochs}; got {max(self.epochs)}. "
                "Train on, or leave it out."
            )

    def training(self) -> TracesConfig:
        """Return the configuration of the training."""
        return TracesConfig(
            **{item.name: getattr(self, item.name) for item in fields(TracesConfig)}
        )


@dataclass(frozen=True)
class Scale(config.Config):
    """Parameters of trainings that are repeated at reduced scale."""

    n_epochs: int = config.param(3, "Epochs of each", paper=20, low=1, high=1000)
    n_traces: int = config.param(16, "Traces to train on", paper=640, low=8, high=100_000)
    batch: int = config.param(8, "Traces in a batch", paper=32, low=2, high=4096)
    learning_rate: float = config.param(
        5e-4, "Learning rate of both Adam optimisers", low=0, high=1
    )
    n_judge: int = config.param(
        16, "Validation traces, and generated ones beside them", paper=500, low=8, high=10_000
    )
    precision: str = config.param(
        "float32",
        "Arithmetic of the critic's convolutions",
        choices=PRECISIONS,
        former="bfloat16",
    )

    def training(self, seed: int) -> TracesConfig:
        """Return the configuration of one training."""
        return TracesConfig(
            n_epochs=self.n_epochs,
            n_traces=self.n_traces,
            batch=self.batch,
            learning_rate=self.learning_rate,
            precision=self.precision,
            seed=seed,
        )


@dataclass(frozen=True)
class StoppingConfig(Scale):
    """Parameters of the trainings; longer than ten epochs, which the rule looks back on."""

    n_epochs: int = config.param(13, "Epochs of each", paper=50, low=11, high=1000)
    n_seeds: int = config.param(
        2, "Trainings, of seeds 1, 2, ...", paper=3, low=1, high=100, extent=True
    )
    n_null: int = config.param(
        20, "Tests of one generator against itself", paper=200, low=1, high=10_000
    )


@dataclass(frozen=True)
class FactorConfig(Scale):
    """Parameters of the trainings."""

    factors: tuple[float, ...] = config.param(
        (1.0, 10.0),
        "Multiples of the mean amplitude",
        paper=(1.0, 10.0, 100.0),
        low=0.01,
        high=1000,
        extent=True,
    )
    n_seeds: int = config.param(
        1, "Trainings with each, of seeds 11, 12, ...", paper=3, low=1, high=100, extent=True
    )
    init_std: float = config.param(
        0.2, "Standard deviation of the initial kernels", low=1e-4, high=1, former=0.2
    )

    def training(self, seed: int) -> TracesConfig:
        """Return the configuration of one training, whose kernels start from `init_std`."""
        return replace(super().training(seed), init_std=self.init_std)

    def check(self) -> None:
        """Check that the published factor is among those compared."""
        if AMPLITUDE_FACTOR not in self.factors:
            raise ValueError(
                f"factors must hold the published {AMPLITUDE_FACTOR:g}; got {list(self.factors)}. "
                "Add it."
            )


@dataclass(frozen=True)
class GapConfig(config.Config):
    """Parameters of the trainings, each with one change to the published setting."""

    ablations: tuple[str, ...] = config.param(
        ("published", "order", "normal"),
        "Trainings, each with a change of its own, published among them",
        paper=GAP_CHANGES,
        choices=GAP_CHANGES,
        extent=True,
    )
    n_seeds: int = config.param(
        1, "Trainings with each change, of seeds 1, 2, ...", paper=2, low=1, high=100, extent=True
    )
    n_epochs: int = config.param(2, "Epochs of each", paper=40, low=1, high=1000)
    n_traces: int = config.param(16, "Traces to train on", paper=2000, low=8, high=100_000)
    batch: int = config.param(8, "Traces in a batch", paper=64, low=2, high=4096)
    learning_rate: float = config.param(
        1e-4, "Learning rate of both Adam optimisers", low=0, high=1
    )
    every: int = config.param(1, "Epochs from one judgement to the next", paper=10, low=1)
    n_judge: int = config.param(
        16, "Unseen traces, and generated ones beside them", paper=1000, low=8, high=10_000
    )

    def check(self) -> None:
        """Check that there is something to compare with."""
        if "published" not in self.ablations:
            raise ValueError(
                f"ablations must hold published; got {', '.join(self.ablations)}. Add it."
            )

    @property
    def judged(self) -> list[int]:
        """Epochs after which networks are judged; the last is one of them."""
        return sorted({*range(self.every, self.n_epochs + 1, self.every), self.n_epochs})

    def training(self, seed: int) -> TracesConfig:
        """Return the configuration of the published setting at this scale."""
        return TracesConfig(
            n_epochs=self.n_epochs,
            n_traces=self.n_traces,
            batch=self.batch,
            learning_rate=self.learning_rate,
            seed=seed,
        )


@dataclass(frozen=True)
class ConditionalConfig(config.Config):
    """Parameters of data and training."""

    n_traces: int = config.param(32, "Traces to train on", paper=3000, low=8, high=100_000)
    iterations: int = config.param(4, "Generator steps", paper=2000, low=1, high=1_000_000)
    batch: int = config.param(8, "Traces in a batch", paper=16, low=2, high=4096)
    learning_rate: float = config.param(
        4e-4, "Learning rate of both Adam optimisers", low=0, high=1
    )
    n_asked: int = config.param(
        16, "Conditions asked for, inside and outside the range kept back", paper=500, low=8
    )
    precision: str = config.param(
        "float32",
        "Arithmetic of the critic's convolutions",
        choices=PRECISIONS,
        former="bfloat16",
    )
    seed: int = config.param(1, "Seed of everything random", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class GathersConfig(config.Config):
    """Parameters of data and training."""

    n_gathers: int = config.param(40, "Gathers to train on", paper=3000, low=8, high=100_000)
    n_held_out: int = config.param(16, "Gathers to judge by", paper=500, low=8, high=10_000)
    iterations: int = config.param(4, "Generator steps", paper=1000, low=1, high=1_000_000)
    batch: int = config.param(8, "Gathers in a batch", paper=32, low=2, high=4096)
    width: int = config.param(4, "Channels of the widest image layer", paper=12, low=1, high=256)
    learning_rate: float = config.param(
        5e-4, "Learning rate of both Adam optimisers", low=0, high=1
    )
    seed: int = config.param(1, "Seed of everything random", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class UseConfig(config.Config):
    """Sizes of the sets, and the picker's training."""

    labelled: tuple[int, ...] = config.param(
        (20,), "Labelled traces", paper=(50, 150, 500, 1500, 5000), low=2, high=100_000
    )
    n_generated: int = config.param(20, "Generated traces", paper=5000, low=2, high=100_000)
    n_test: int = config.param(20, "Unseen modelled traces", paper=1000, low=8, high=100_000)
    n_seeds: int = config.param(
        1, "Trainings of each, from seeds of their own", paper=5, low=1, extent=True
    )
    n_scarce: int = config.param(
        1,
        "Trainings where labels are fewest, by which the ledger judges; at least n_seeds",
        paper=17,
        low=1,
        extent=True,
    )
    steps: int = config.param(3, "Steps of the picker's training", paper=600, low=1, high=100_000)
    batch: int = config.param(8, "Traces in a batch", paper=64, low=2, high=4096)
    learning_rate: float = config.param(2e-3, "Learning rate of Adam", low=0, high=1)
    noise: float = config.param(
        0.1, "Standard deviation of the noise over a trace's largest amplitude", low=0, high=10
    )
    seed: int = config.param(1, "Seed of everything random", low=0, high=2**31 - 1)
