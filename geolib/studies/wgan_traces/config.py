"""The parameters of the chapter on seismic traces."""

from __future__ import annotations

from dataclasses import dataclass

from geolib.runs import config

PRECISIONS = ("float32", "bfloat16")


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
