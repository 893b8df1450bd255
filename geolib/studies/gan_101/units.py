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
#: Those of them in which chance has a part, in samples alone or in a training.
DRAWN = ("likelihood", "value")
TRAINED = ("discriminator", "turns", "mixture", "unaided")
SEEDED = (*DRAWN, *TRAINED)


@dataclass(frozen=True)
class Theory(Single):
    """An equation or a sketch of the paper, run."""

    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"label": THEORY}


@dataclass(frozen=True)
class Seeded(Unit):
    """An equation or a sketch in which chance has a part, with another seed."""

    TEMPLATE: ClassVar[str] = "{label}-seed-{seed}"
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"label": SEEDED}

    label: str
    seed: int


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
