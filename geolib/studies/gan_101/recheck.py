"""How the trainings of GAN 101 are computed again: their beginnings, before round-off grows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from geolib.runs.recheck import Recheck, beginning
from geolib.runs.unit import Arrays, Unit
from geolib.studies.gan_101.units import Trick

Compute = Callable[[Sequence[Unit]], Iterator[tuple[Unit, Arrays]]]


def training(unit: Unit, arrays: Arrays, seconds: float, compute: Compute) -> Recheck:
    """Return the recheck of a training by a recipe, given what computes units."""
    # Batch norm on images carries round-off into the third digit within two records.
    on_points = isinstance(unit, Trick) and unit.data == "mixture"
    kept = {"trace": 2, "critic": 2} if on_points else {"trace": 1}
    how = f"the first {'two records' if on_points else 'record'} of its training"
    return beginning(how, seconds, arrays, kept, lambda: dict(compute([unit]))[unit])
