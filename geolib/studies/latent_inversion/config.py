"""The parameters of the chapter on latent-space inversion."""

from __future__ import annotations

from dataclasses import dataclass

from geolib.inversion import words
from geolib.runs import paths
from geolib.runs.config import Config as BaseConfig
from geolib.runs.config import param
from geolib.studies.latent_inversion.units import KINDS


def weights_name(width: int | str) -> str:
    """Return the name of the file of the shipped generator of a width."""
    return f"latent_inversion-sgan{width}.safetensors"


def check_width(width: int) -> None:
    """Refuse a width of which no generator is shipped."""
    if not paths.weights(weights_name(width)).is_file():
        files = paths.weights(weights_name(32)).parent.glob(weights_name("*"))
        known = ", ".join(map(str, sorted(int(path.stem.split("sgan")[1]) for path in files)))
        raise ValueError(
            f"width must be one with shipped weights, {known}; got {width}. "
            "Train others with geolib.gans.sgan."
        )


@dataclass(frozen=True)
class LatentConfig(BaseConfig):
    """Parameters; those down to the precision fix what a trial is, the others how much is run."""

    seed: int = param(2019, "seed of true models, noise and starts", low=0, high=10**9)
    width: int = param(
        32, "filters of the generator's narrowest wide layer; 64 is the paper's", low=2, high=128
    )
    noise: float = param(
        1.0, "standard deviation of the traveltime errors", low=1e-3, high=100.0, unit="ns"
    )
    learning_rate: float = param(0.01, "Adam's learning rate (strategy 1)", low=1e-6, high=10.0)
    clipping: str = param(
        "stochastic", "what becomes of latents that leave the box", choices=words.CLIPPING
    )
    perturbation: float = param(
        0.1, "step of the central differences (strategy 2)", low=1e-4, high=2.0
    )
    precision: str = param(
        "float32", "arithmetic of the generator", choices=("float32", "bfloat16")
    )
    operators: tuple[str, ...] = param(
        ("consistent",),
        "what is observed: traveltimes in either cell order, or the whole image",
        paper=("consistent", "as_published", "image"),
        choices=(*words.CELL_ORDERS, "image"),
        extent=True,
    )
    cases: tuple[str, ...] = param(
        ("continuous", "binary"),
        "models before or after thresholding",
        choices=("continuous", "binary"),
        extent=True,
    )
    methods: tuple[str, ...] = param(
        ("adam", "gn"),
        "strategy 1, strategy 2 (gnx: with exact derivatives), the global search and our pooled "
        "one",
        paper=("adam", "gn", "dream", "pool"),
        choices=("adam", "gn", "gnx", "dream", "pool"),
        extent=True,
    )
    trials: int = param(
        2, "starts for each row of the tables", paper=100, low=1, high=10_000, extent=True
    )
    adam_iterations: int = param(
        100, "updates of strategy 1", paper=10_000, low=1, high=100_000, extent=True
    )
    gn_iterations: int = param(
        8, "updates of strategy 2", paper=5000, low=1, high=100_000, extent=True
    )
    searches: int = param(
        1,
        "runs of the global and the pooled search in each scenario",
        paper=10,
        low=1,
        high=1000,
        extent=True,
    )
    dream_runs: int = param(
        4000, "forward runs of DREAM(ZS)", paper=800_000, low=16, high=10_000_000, extent=True
    )
    effects: tuple[str, ...] = param(
        ("clipping",),
        "which choices of the method are varied, each unit a comparison on shared starts",
        paper=KINDS,
        choices=KINDS,
        extent=True,
    )
    effect_trials: int = param(
        2,
        "starts for each true model in such a comparison",
        paper=20,
        low=1,
        high=1000,
        extent=True,
    )
    effect_iterations: int = param(
        50, "updates of strategy 1 in it", paper=1000, low=1, high=100_000, extent=True
    )

    #: How many trials were computed together, before the groups below were fixed.
    GONE = frozenset({"batch"})

    def ready(self) -> None:
        """Refuse a width of which no generator is shipped."""
        check_width(self.width)
