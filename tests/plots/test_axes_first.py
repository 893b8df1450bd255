"""What draws into axes takes them first, by one name, and returns them: calls can be chained, and read alike."""

import importlib
import inspect
import pkgutil
from collections.abc import Sequence
from typing import get_type_hints

import pytest
from matplotlib.axes import Axes

from geolib import plots

NAMES = {Axes: "ax", Sequence[Axes]: "axes"}
MODULES = [importlib.import_module(f"geolib.plots.{each.name}") for each in pkgutil.iter_modules(plots.__path__)]
FUNCTIONS = {
    f"{module.__name__.removeprefix('geolib.plots.')}.{name}": function
    for module in MODULES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_")
}
DRAWING = [name for name, each in FUNCTIONS.items() if set(get_type_hints(each).values()) & set(NAMES)]


@pytest.mark.parametrize("name", DRAWING)
def test_axes_come_first_by_their_name_and_are_returned(name):
    kinds = get_type_hints(FUNCTIONS[name])
    first = next(iter(inspect.signature(FUNCTIONS[name]).parameters))
    assert [first] == [each for each, kind in kinds.items() if kind in NAMES and each != "return"]
    assert first == NAMES[kinds[first]] and kinds["return"] == kinds[first]


def test_both_kinds_are_found():
    assert {"style.label_end", "waves.velocity", "tomography.draw_found", "facies.patch_rows"} <= set(DRAWING)
