"""What there is to compute of the chapter on latent-space inversion, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from geolib.inversion import words
from geolib.runs.unit import Single, Unit

Words = Mapping[str, tuple[str, ...]]

#: True model and noise realisation of the scenarios that every trial is run in.
SCENARIOS = ((1, 1), (1, 2), (2, 1), (2, 2))
#: The same where the whole image is observed, without noise.
IMAGE_SCENARIOS = ((1, 0), (2, 0))
OPERATORS = (*words.CELL_ORDERS, "image")
CASES = ("continuous", "binary")
#: Searches of a scenario that are computed alone: the global one, also with jumps of a tenth as in
#: the released program, and our pooled one.
ALONE = ("dream", "dreamshort", "pool")
METHODS = ("adam", "gn", "gnx", *ALONE)
#: Choices of the method that are varied, each in a comparison.
KINDS = ("clipping", "rate", "precision", "perturbation", "damping", "jacobian", "width", "latents")


class Facts(Single):
    """The generator's own properties."""

    ALLOWED: ClassVar[Words] = {"label": ("generator",)}


#: The unit that holds them.
GENERATOR = Facts("generator")


@dataclass(frozen=True)
class Trial(Unit):
    """One trial: what is observed, of which case, by which method and for how long."""

    TEMPLATE: ClassVar[str] = "{operator}-{case}-{method}{budget}-m{model}-n{noise}-t{trial:03d}"
    ALLOWED: ClassVar[Words] = {"operator": OPERATORS, "case": CASES, "method": METHODS}

    operator: str
    case: str
    method: str
    budget: int
    model: int
    noise: int
    trial: int


@dataclass(frozen=True)
class Comparison(Unit):
    """One choice of the method, varied on shared starts, with true rays."""

    TEMPLATE: ClassVar[str] = "effect-{kind}-i{iterations}-t{trials}"
    ALLOWED: ClassVar[Words] = {"kind": KINDS}
    OPERATOR: ClassVar[str] = "consistent"

    kind: str
    iterations: int
    trials: int


@dataclass(frozen=True)
class Scrambled(Comparison):
    """The same with the rays that were published."""

    TEMPLATE: ClassVar[str] = "scrambled-{kind}-i{iterations}-t{trials}"
    OPERATOR: ClassVar[str] = "as_published"


def scenarios(operator: str) -> tuple[tuple[int, int], ...]:
    """Return model and noise of the scenarios that every trial of an operator is run in."""
    return IMAGE_SCENARIOS if operator == "image" else SCENARIOS


def group(trial: Trial) -> list[Trial]:
    """Return the trials computed together with one, in their places: part of what a trial is.

    A trial of strategy 1 or 2 is computed with the same trial of the other scenarios, always all of
    them and always in this order; runs of the global searches are computed alone. Larger groups
    gain less than a tenth: in groups of 4, 8, 16 and 32 an update takes 26.3, 24.5, 28.2 and 24.2
    ms a trial with width 64, and 8.6, 9.3, 9.8 and 7.9 ms with width 32 (strategy 1, float32, one
    thread of an AMD EPYC, the least of three times 20 updates).

    Trials whose record names no `group` were computed by sixteens, before this was fixed.
    """
    if trial.method in ALONE:
        return [trial]
    return [replace(trial, model=model, noise=noise) for model, noise in scenarios(trial.operator)]
