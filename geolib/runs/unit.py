"""The name of a unit as a typed value: printed and parsed in one place."""

from __future__ import annotations

import dataclasses
import re
import string
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

Arrays = dict[str, np.ndarray]
#: Results by unit name, whole or part of them.
Units = Mapping[str, Mapping[str, np.ndarray]]

# What a field of each type looks like in a name; a text is as short as it can be.
_LOOKS = {int: r"\d+", float: r"[\d.]+(?:e[-+]?\d+)?", str: r"\w+?"}


@dataclass(frozen=True)
class Unit:
    """One independent piece of a study; a subclass is a frozen dataclass with a `TEMPLATE`.

    Attributes
    ----------
    TEMPLATE : str
        The name with the fields in braces, such as ``{operator}-{method}{budget}-t{trial:03d}``.
    ALLOWED : mapping
        The words that a text may be, by field, where not every word is one.
    """

    TEMPLATE: ClassVar[str] = ""
    ALLOWED: ClassVar[Mapping[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        """Refuse a word that is not allowed, so that no unit can be misspelt."""
        for field, words in self.ALLOWED.items():
            if getattr(self, field) not in words:
                raise ValueError(
                    f"{field} of {type(self).__name__} must be one of {', '.join(words)}; "
                    f"got {getattr(self, field)!r}. Correct the name."
                )

    @property
    def name(self) -> str:
        """Its name on disk: that of its file, and of its group in a published file."""
        return self.TEMPLATE.format(**vars(self))

    @classmethod
    def read(cls, name: str) -> Self | None:
        """Return the unit of a name, or None if the name is of another kind."""
        known: dict[str, Self | None] = _read.setdefault(cls, {})
        if name not in known:
            known[name] = cls._made_of(name)
        return known[name]

    @classmethod
    def _made_of(cls, name: str) -> Self | None:
        pattern, kinds = _codec(cls)
        found = pattern.fullmatch(name)
        if found is None:
            return None
        made = cls(**{field: kinds[field](text) for field, text in found.groupdict().items()})
        return made if made.name == name else None

    @classmethod
    def parse(cls, name: str) -> Self:
        """Return the unit of a name.

        Raises
        ------
        ValueError
            If the name is of another kind.
        """
        unit = cls.read(name)
        if unit is None:
            raise ValueError(f"unit name must look like {cls.TEMPLATE}; got {name!r}. Correct the name.")
        return unit


@dataclass(frozen=True)
class Single(Unit):
    """A unit of which there is one, known by its label."""

    TEMPLATE: ClassVar[str] = "{label}"

    label: str


U = TypeVar("U", bound=Unit)


def under(prefix: str, arrays: Mapping[str, np.ndarray]) -> Arrays:
    """Return the arrays whose name starts with `prefix`, without it."""
    return {name.removeprefix(prefix): value for name, value in arrays.items() if name.startswith(prefix)}


class NotRun(LookupError):
    """A number needs a unit that there is not, or not yet."""


def need(units: Units, unit: Unit) -> Mapping[str, np.ndarray]:
    """Return a unit's arrays; NotRun if there are none."""
    if unit.name not in units:
        raise NotRun(unit.name)
    return units[unit.name]


# Measures ask for the same names again and again.
_read: dict[type[Unit], dict[str, Any]] = {}
# Making a pattern takes as long as reading a thousand names.
_codecs: dict[type[Unit], tuple[re.Pattern[str], dict[str, Any]]] = {}


def _codec(kind: type[Unit]) -> tuple[re.Pattern[str], dict[str, Any]]:
    if kind in _codecs:
        return _codecs[kind]
    hints = typing.get_type_hints(kind)
    made, seen = "", set()
    for text, field, _, _ in string.Formatter().parse(kind.TEMPLATE):
        made += re.escape(text)
        if field is not None:
            words = "|".join(map(re.escape, kind.ALLOWED.get(field, ())))
            looks = words or _LOOKS[hints[field]]
            made += f"(?P<{field}>{looks})" if field not in seen else f"(?P={field})"
            seen.add(field)
    return _codecs.setdefault(kind, (re.compile(made), hints))


def select(units: Units, kind: type[U], **fields: Any) -> dict[U, Mapping[str, np.ndarray]]:
    """Return the units of a kind whose fields have these values, with their arrays.

    Parameters
    ----------
    units : mapping
        Results by unit name; names of other kinds are passed over.
    kind : type
        A subclass of `Unit`.
    **fields
        Values that must be equal; a tuple or set holds several of which one must be.

    Raises
    ------
    TypeError
        If the kind has no such field.

    Examples
    --------
    ``select(units, Trial, method="adam", model=(1, 2))``
    """
    known = [field.name for field in dataclasses.fields(kind)]
    for field in fields:
        if field not in known:
            raise TypeError(f"field {field!r} is unknown to {kind.__name__}, which has {', '.join(known)}.")
    wanted = {f: v if isinstance(v, (tuple, set, frozenset)) else (v,) for f, v in fields.items()}
    return {
        unit: arrays
        for name, arrays in units.items()
        if (unit := kind.read(name)) is not None
        and all(getattr(unit, field) in values for field, values in wanted.items())
    }


def of_kind(kind: type[U], units: Iterable[Unit]) -> Iterator[U]:
    """Yield units that must all be of one kind; TypeError names one that is not."""
    for unit in units:
        if not isinstance(unit, kind):
            raise TypeError(f"units must be of kind {kind.__name__}; got {unit}. Ask this study for its own.")
        yield unit
