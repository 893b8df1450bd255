"""The parameters of the chapter on latent-space inversion and of its companions."""

from __future__ import annotations

from dataclasses import dataclass

from geolib.inversion import words
from geolib.runs import paths
from geolib.runs.config import Config as BaseConfig
from geolib.runs.config import param
from geolib.studies.latent_inversion.units import ALONE, KINDS, METHODS

#: How a generator is trained: `prior.RECIPES` says what each is.
RECIPES = ("working", "published", "released", "normal")


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
        32, "filters of the generator's last hidden layer; 64 is the paper's", low=2, high=128
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
        "strategies 1 and 2 (gnx: exact derivatives), the global search (dreamshort: a tenth of "
        "its jumps), our pooled one",
        paper=("adam", "gn", *ALONE),
        choices=METHODS,
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


@dataclass(frozen=True)
class PriorConfig(BaseConfig):
    """Which trainings there are, and how their checkpoints are judged."""

    seed: int = param(2019, "seed of networks, patches and judged realisations", low=0, high=10**9)
    recipes: tuple[str, ...] = param(
        ("working",),
        "how it is trained",
        paper=("working", "published", "released"),
        choices=RECIPES,
        extent=True,
    )
    widths: tuple[int, ...] = param(
        (2,),
        "filters of the generator's last hidden layer",
        paper=(64, 32, 16),
        low=2,
        high=128,
        extent=True,
    )
    batch: int = param(2, "patches in an update", paper=16, low=1, high=1000, extent=True)
    iterations: int = param(
        4, "updates of either network", paper=900, low=1, high=100_000, extent=True
    )
    trainings: int = param(
        1, "trainings of each kind, with seeds of their own", low=1, high=100, extent=True
    )
    every: int = param(2, "updates between two checkpoints", paper=50, low=1, high=10_000)
    n_judge: int = param(4, "realisations, and patches beside them", paper=100, low=2, high=10_000)


@dataclass(frozen=True)
class FaciesConfig(BaseConfig):
    """How many windows and realisations are judged; the same in both presets."""

    patches: int = param(150, "windows of the training image", low=10, high=10_000)
    realisations: int = param(40, "realisations of each generator", low=10, high=1000)
    seed: int = param(2019, "seed of the procedural image", low=0, high=2**31 - 1)


@dataclass(frozen=True)
class SearchConfig(BaseConfig):
    """Which truths are searched, and for how long."""

    width: int = param(64, "filters of the generator's last hidden layer", low=2, high=128)
    noise: float = param(1.0, "standard deviation of the errors", low=1e-3, high=100.0, unit="ns")
    first: int = param(4000, "seed of the first truth", paper=5000, low=0, high=10**9, extent=True)
    truths: int = param(1, "truths, of seeds in a row", paper=100, low=1, high=10_000, extent=True)
    continuous: int = param(
        0, "of them also before thresholding", paper=30, low=0, high=10_000, extent=True
    )
    operators: tuple[str, ...] = param(
        ("consistent",),
        "cell orders",
        paper=words.CELL_ORDERS,
        choices=words.CELL_ORDERS,
        extent=True,
    )
    budget: int = param(
        2000, "forward solves at most", paper=10_000, low=1, high=1_000_000, extent=True
    )

    def ready(self) -> None:
        """Refuse a width of which no generator is shipped."""
        check_width(self.width)


#: Variants of the search that the ablation knows.
SEARCHES = (
    "whole",
    "pool64",
    "pool1024",
    "plane",
    "nosteps",
    "norestart",
    "bank",
)


@dataclass(frozen=True)
class AblationConfig(BaseConfig):
    """Which variants of the search are tried on which truths, and for how long."""

    width: int = param(64, "filters of the generator's last hidden layer", low=2, high=128)
    noise: float = param(1.0, "standard deviation of the errors", low=1e-3, high=100.0, unit="ns")
    first: int = param(4200, "seed of the first truth", low=0, high=10**9, extent=True)
    truths: int = param(1, "truths, of seeds in a row", paper=20, low=1, high=10_000, extent=True)
    variants: tuple[str, ...] = param(
        ("whole", "plane"),
        "the search as it is, or what is changed",
        paper=SEARCHES,
        choices=SEARCHES,
        extent=True,
    )
    operators: tuple[str, ...] = param(
        ("consistent",), "cell orders", choices=words.CELL_ORDERS, extent=True
    )
    budget: int = param(
        1000, "forward solves at most", paper=10_000, low=1, high=1_000_000, extent=True
    )
    bank: int = param(1000, "models simulated beforehand", paper=20_000, low=1, high=10**6)

    def ready(self) -> None:
        """Refuse a width of which no generator is shipped."""
        check_width(self.width)


@dataclass(frozen=True)
class PosteriorConfig(BaseConfig):
    """Which posteriors are drawn, of how many models, and on how many truths that is calibrated."""

    width: int = param(64, "filters of the generator's last hidden layer", low=2, high=128)
    narrow: int = param(16, "the same where the sampler is calibrated", low=2, high=128)
    noise: float = param(1.0, "standard deviation of the errors", low=1e-3, high=100.0, unit="ns")
    seed: int = param(2019, "seed of true models and noise", low=0, high=10**9)
    particles: int = param(64, "models of a posterior", paper=200, low=64, high=100_000)
    solves: int = param(300, "of each search that it begins with", paper=2500, low=100, high=10**6)
    moves: int = param(2, "of a particle at each power", paper=10, low=1, high=10_000)
    operators: tuple[str, ...] = param(
        ("consistent",),
        "cell orders",
        paper=words.CELL_ORDERS,
        choices=words.CELL_ORDERS,
        extent=True,
    )
    scenarios: int = param(
        1, "pairs of a true model and a noise", paper=4, low=0, high=4, extent=True
    )
    runs: int = param(1, "posteriors of each", paper=4, low=1, high=100, extent=True)
    first: int = param(
        4200,
        "seed of the first truth of the calibration",
        paper=7005,  # seeds 7000 to 7004 were seen by the sampler before
        low=0,
        high=10**9,
        extent=True,
    )
    truths: int = param(0, "its truths", paper=200, low=0, high=100_000, extent=True)
    wrong: int = param(
        0, "of them also with wrong samplers", paper=40, low=0, high=100_000, extent=True
    )

    def ready(self) -> None:
        """Refuse a width of which no generator is shipped."""
        check_width(self.width)
        check_width(self.narrow)


@dataclass(frozen=True)
class TruthsConfig(LatentConfig):
    """Parameters of the chapter, and how many other true models there are."""

    n_models: int = param(1, "other true models", paper=12, low=1, high=100, extent=True)
    n_starts: int = param(1, "starts for each of them", paper=2, low=1, high=100, extent=True)


@dataclass(frozen=True)
class ChoicesConfig(LatentConfig):
    """Parameters of the chapter, of which only those of single choices count."""

    effect_trials: int = param(
        1, "starts for each true model", paper=10, low=1, high=1000, extent=True
    )
    effect_iterations: int = param(
        20, "updates of strategy 1", paper=500, low=1, high=100_000, extent=True
    )
    effects: tuple[str, ...] = param(
        ("clipping",),
        "which choices of the method are varied, each unit a comparison on shared starts",
        paper=("clipping", "damping", "perturbation", "latents", "rate"),
        choices=("clipping", "damping", "perturbation", "latents", "rate"),
        extent=True,
    )
