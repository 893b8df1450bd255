"""What there is to compute of the GAN 101 chapter, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from geolib.gans import words
from geolib.runs.unit import Single, Unit

TRICKS = tuple(name for name in words.TRICKS if name != "plain")
DATA = ("mixture", "channels")
#: The companion's: leaky ReLU also in the discriminator alone.
MORE_TRICKS = (*TRICKS, "leaky_critic")
VARIANTS = ("wgan", "dcgan", "conditional", "infogan", "superres")
THEORY = (
    "likelihood",
    "value",
    "discriminator",
    "starvation",
    "bilinear",
    "turns",
    "mixture",
    "unaided",
)


@dataclass(frozen=True)
class Theory(Single):
    """An equation or a sketch of the paper, run."""

    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"label": THEORY}


@dataclass(frozen=True)
class Trick(Unit):
    """A training on a data set by the recipe with one trick, or by the plain one."""

    TEMPLATE: ClassVar[str] = "trick-{data}-{trick}-{seed}"

    data: str
    trick: str
    seed: int


@dataclass(frozen=True)
class Variant(Unit):
    """A variant trained on channel patches."""

    TEMPLATE: ClassVar[str] = "{variant}-{seed}"
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"variant": VARIANTS}

    variant: str
    seed: int
