"""How a spatial GAN is trained: sizes, rates and rules, as published, as released, and as works on a CPU."""

from __future__ import annotations

from dataclasses import dataclass

from geolib._arguments import hold

#: Where the discriminator has instance normalisation: nowhere; before the rectifiers but the first, as usual; or after
#: all of them, as in the released code.
NORMS = ("none", "before", "after")


@dataclass(frozen=True)
class Recipe:
    """How a spatial GAN is trained; the defaults work on a CPU. `PUBLISHED` is as printed, `RELEASED` as in the code.

    Attributes
    ----------
    width, batch, iterations : int
        Filters of the narrowest wide layer, patches in a step, steps in all.
    rate : float
        Adam's learning rate at the start.
    falling : bool
        Whether it falls linearly to zero.
    decay : float
        Weight of the squared weights in both losses.
    penalty_weight : float
        Weight gamma of the R1 penalty, taken at every fourth step; zero leaves it out.
    average : float
        Memory of the running mean of the generator's weights.
    saturating : bool
        The loss of equation 2, in place of the non-saturating one.
    norms : str
        Instance normalisation in the discriminator, one of `NORMS`.
    spread : float
        Standard deviation of the discriminator's first weights; zero leaves PyTorch's choice. The generator's is 0.02.
    latent : int
        Rows and columns of the latent; 5 gives patches of 129 x 129 pixels.
    normal : bool
        Standard-normal latents in place of uniform ones between -1 and 1.
    """

    width: int = 32
    batch: int = 16
    iterations: int = 900
    rate: float = 5e-4
    falling: bool = True
    decay: float = 0.0
    penalty_weight: float = 1.0
    average: float = 0.99
    saturating: bool = False
    norms: str = "none"
    spread: float = 0.0
    latent: int = 5
    normal: bool = False

    def __post_init__(self) -> None:
        """Check every number."""
        low = dict.fromkeys(("batch", "iterations", "latent"), (1, None))
        low |= dict.fromkeys(("rate", "decay", "penalty_weight", "spread"), (0, None))
        hold(self, width=(2, None), average=(0, 1), norms=NORMS, **low)


#: The game as Laloy et al. (2019) print it, equation 2, with instance normalisation; what they leave open is as usual.
PUBLISHED = Recipe(penalty_weight=0.0, average=0.0, norms="before", saturating=True, batch=32)
#: What their released code does, but for its patches, which are 353 pixels wide by default.
RELEASED = Recipe(penalty_weight=0.0, average=0.0, norms="after", spread=0.02, decay=1e-7, falling=False, batch=32)
