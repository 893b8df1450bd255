"""What there is to compute of the chapter on seismic traces, by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from geolib.runs.unit import Single, Unit


class Modelled(Single):
    """The modelled traces and their floors."""

    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {"label": ("data",)}


#: The unit that holds them.
DATA = Modelled("data")


@dataclass(frozen=True)
class Epoch(Unit):
    """An epoch of the training, which needs those before it."""

    TEMPLATE: ClassVar[str] = "epoch-{number:04d}"

    number: int
