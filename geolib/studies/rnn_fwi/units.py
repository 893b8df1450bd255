"""What there is to compute of the chapter on full-waveform inversion, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from geolib.inversion import words
from geolib.runs.unit import Single, Unit

Words = Mapping[str, tuple[str, ...]]

WIDTHS = {"float32": "f32", "float64": "f64"}
#: What the sensitivity panels change in the pinned one-dimensional setting.
VARIANTS = ("sigma8", "sigma10", "linear", "absorbing8hz")
#: Harder settings on Marmousi.
EXTRAS = ("continuation", "noise", "finer", "linear")
METHODS = ("adam", "lbfgs", "cg")


class Part(Single):
    """A unit of which there is one."""

    ALLOWED: ClassVar[Words] = {
        "label": ("theory", "hessian", "gather", "network", "marmousi-setup", "marmousi-cost")
    }


@dataclass(frozen=True)
class Curvature(Unit):
    """The largest eigenvalue of the Hessian in a varied setting."""

    TEMPLATE: ClassVar[str] = "hessian-{setting}"
    ALLOWED: ClassVar[Words] = {"setting": VARIANTS}

    setting: str


@dataclass(frozen=True)
class Line(Unit):
    """A one-dimensional descent with a line search, in the pinned setting (1d) or a varied one."""

    TEMPLATE: ClassVar[str] = "{setting}-{method}-{width}"
    ALLOWED: ClassVar[Words] = {
        "setting": ("1d", *VARIANTS),
        "method": words.SEARCH_METHODS,
        "width": tuple(WIDTHS.values()),
    }

    setting: str
    method: str
    width: str

    @property
    def rate(self) -> float | None:
        """None: a line search has no learning rate."""
        return None


@dataclass(frozen=True)
class Steps(Unit):
    """A one-dimensional descent by a method with a learning rate."""

    TEMPLATE: ClassVar[str] = "{setting}-{method}-{rate:g}-{width}"
    ALLOWED: ClassVar[Words] = {
        "setting": ("1d", *VARIANTS),
        "method": words.STEP_METHODS,
        "width": tuple(WIDTHS.values()),
    }

    setting: str
    method: str
    rate: float
    width: str


@dataclass(frozen=True)
class Block(Unit):
    """A descent on Marmousi up to a number of evaluations; a method's blocks go on in turn."""

    TEMPLATE: ClassVar[str] = "marmousi-{method}-{budget}"
    ALLOWED: ClassVar[Words] = {"method": METHODS}

    method: str
    budget: int


@dataclass(frozen=True)
class Extra(Unit):
    """A short descent on Marmousi in a harder setting."""

    TEMPLATE: ClassVar[str] = "{setting}-{method}"
    ALLOWED: ClassVar[Words] = {"setting": EXTRAS, "method": METHODS}

    setting: str
    method: str


def line(method: str, rate: float | None, width: str, setting: str = "1d") -> Line | Steps:
    """Return the one-dimensional descent of a method, at a rate where it has one."""
    if rate is None:
        return Line(setting, method, width)
    return Steps(setting, method, rate, width)


def label(method: str, rate: float | None) -> str:
    """Return the name of a method at a rate, as it stands in names: 'adam-40', 'cg'."""
    return method if rate is None else f"{method}-{rate:g}"
