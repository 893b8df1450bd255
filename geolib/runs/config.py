"""Typed, range-checked parameters: the base of every study's frozen Config."""

from __future__ import annotations

import ast
import dataclasses
import hashlib
import json
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

from geolib import _checks

PRESETS = ("quick", "paper")


def param(
    default: Any,
    help: str,
    *,
    paper: Any = None,
    low: float | None = None,
    high: float | None = None,
    choices: Sequence[str] | None = None,
    unit: str = "",
    extent: bool = False,
    former: Any = None,
) -> Any:
    """Return the dataclass field of one parameter.

    Parameters
    ----------
    default : bool, int, float, str or tuple
        Value of the *quick* preset.
    help : str
        One line that a reader understands.
    paper : same type, optional
        Value of the *paper* preset; the default where it is left out.
    low, high : float, optional
        Bounds, included; for a tuple they hold for each entry.
    choices : sequence of str, optional
        Permitted words; for a tuple they hold for each entry.
    unit : str
        Physical unit, empty for a pure number.
    extent : bool
        True for a parameter that only says how many units there are (trials, say) and leaves each unit's result alone:
        results of other extents are reused.
    former : same type, optional
        For a parameter that was added later: the value that gives what was computed before. At this value it stays out
        of the key, so that results of before stay what they are.
    """
    meta = {
        "help": help,
        "paper": default if paper is None else paper,
        "low": low,
        "high": high,
        "choices": choices,
        "unit": unit,
        "extent": extent,
        "former": former,
    }
    return field(default=default, metadata=meta)


def file_param(help: str) -> Any:
    """Return the field of a parameter that names a file of the reader's, or nothing.

    It becomes an absolute path. That is no part of the key, but the file's content is (`Config.files`, `Study.inputs`).
    """
    return field(default="", metadata={**param("", help, extent=True).metadata, "file": True})


@dataclass(frozen=True)
class Config:
    """Base of the studies' configurations; each field is declared with `param` and checked when an instance is made.

    Raises
    ------
    TypeError, ValueError
        When a value is of the wrong kind or out of range, before any work.
    """

    #: Parameters of earlier versions that changed no result: a stored configuration may still name them.
    GONE: ClassVar[frozenset[str]] = frozenset()

    def __post_init__(self) -> None:
        """Coerce and check every field, then the rules between fields."""
        kinds = typing.get_type_hints(type(self))
        for item in dataclasses.fields(self):
            value = _coerce(item.name, getattr(self, item.name), kinds[item.name], item.metadata)
            object.__setattr__(self, item.name, value)
        self.check()

    def check(self) -> None:
        """Check the rules between fields; studies override it and raise ValueError."""

    def ready(self) -> None:
        """Check that what the parameters ask for is at hand; studies override it and raise ValueError."""

    def told(self) -> list[str]:
        """Return lines that are told before it starts, of memory say; studies override it and raise ValueError."""
        return []

    def files(self) -> list[str]:
        """Return the files of the reader's that are given; two of one name could not be told apart."""
        given = {i.name: path for i in _fields(type(self)) if "file" in i.metadata and (path := getattr(self, i.name))}
        names = [Path(path).name for path in set(given.values())]
        for name, path in given.items():
            if names.count(Path(path).name) > 1:
                raise ValueError(
                    f"{name} must be a file of a name of its own; another is {Path(path).name}. Rename it."
                )
        return list(given.values())

    @classmethod
    def file_names(cls) -> frozenset[str]:
        """Return the names of the parameters that name a file of the reader's."""
        return frozenset(item.name for item in _fields(cls) if "file" in item.metadata)

    @classmethod
    def preset(cls, name: str = "quick", **changes: Any) -> Self:
        """Return the preset `name` with `changes`; an unknown name raises ValueError with the nearest one."""
        _checks.choice("preset", name, PRESETS)
        known = [item.name for item in dataclasses.fields(cls)]
        for key in changes:
            _known(key, known)
        values = {item.name: item.metadata["paper"] if name == "paper" else item.default for item in _fields(cls)}
        return cls(**{**values, **changes})

    @classmethod
    def stored(cls, values: Mapping[str, Any]) -> Self:
        """Return the configuration that a results file or a run's record holds, maybe of an earlier version.

        A parameter that was added since has the value at which results are what they were before.
        """
        known = {item.name: item.metadata["former"] for item in _fields(cls) if item.metadata["former"] is not None}
        return cls(**known | {name: value for name, value in values.items() if name not in cls.GONE})

    @classmethod
    def from_namespace(cls, namespace: Mapping[str, Any]) -> Self:
        """Return the configuration that the variables of a notebook's parameters cell spell out.

        Raises
        ------
        TypeError, ValueError
            As for `Config`, and if a cell that does nothing but set values, as papermill puts one in, sets a name that
            is no parameter, or if a parameter is not set.
        """
        known = [item.name for item in _fields(cls)]
        for name in _set_by_cells(namespace.get("In", ())):
            _known(name, known)
        for name in known:
            if name not in namespace:
                raise ValueError(f"parameter {name} must be set; it is not. Restore its line in the parameters cell.")
        return cls(**{name: namespace[name] for name in known})

    @classmethod
    def describe(cls) -> list[dict[str, Any]]:
        """Return name, type, default, paper, range, unit and help of every parameter, in order."""
        kinds = typing.get_type_hints(cls)
        rows = []
        for item in _fields(cls):
            meta = item.metadata
            bounds = list(meta["choices"]) if meta["choices"] else [meta["low"], meta["high"]]
            rows.append(
                {
                    "name": item.name,
                    "type": _type_name(kinds[item.name]),
                    "default": item.default,
                    "paper": meta["paper"],
                    "range": None if bounds == [None, None] else bounds,
                    "unit": meta["unit"],
                    "help": meta["help"],
                }
            )
        return rows

    def as_dict(self) -> dict[str, Any]:
        """Return the parameters as a JSON-ready mapping (tuples become lists)."""
        plain_: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return plain_

    def changes(self) -> dict[str, Any]:
        """Return the parameters that differ from the quick preset."""
        return {i.name: getattr(self, i.name) for i in _fields(type(self)) if getattr(self, i.name) != i.default}

    def differences(self) -> str:
        """Return the parameters that differ from the quick preset, each with both values, as one line."""
        usual = {item.name: item.default for item in _fields(type(self))}
        changed = [f"{name} = {plain(value)} ({plain(usual[name])})" for name, value in self.changes().items()]
        return ", ".join(changed) if changed else "nothing"

    def key(self) -> str:
        """Return a hash of all parameters that a unit's result may depend on: not those of the extent.

        A parameter that was added later counts where it differs from its `former` value; of a reader's file which
        parameter names it, since two may be exchanged.
        """
        values = self.as_dict()
        kept = {i.name: values[i.name] for i in _fields(type(self)) if not self._left_out(i)}
        kept |= {name: Path(values[name]).name for name in type(self).file_names() if values[name]}
        return hashlib.sha256(json.dumps(kept, sort_keys=True).encode()).hexdigest()[:16]

    def _left_out(self, item: dataclasses.Field[Any]) -> bool:
        former, value = item.metadata["former"], getattr(self, item.name)
        return bool(item.metadata["extent"]) or (former is not None and value == former)


def plain(value: Any) -> str:
    """Return a parameter's value as the command line takes it."""
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _known(name: str, known: Sequence[str]) -> None:
    if name not in known:
        raise ValueError(f"parameter {_checks.shown(name)} is unknown to this study. {_checks.nearest(name, known)}")


def _set_by_cells(cells: Sequence[str]) -> list[str]:
    """Return the names set by those cells of a running notebook that only give values to names."""
    found: list[str] = []
    for cell in cells:
        try:
            lines = ast.parse(cell).body
        except (SyntaxError, ValueError):  # a magic
            continue
        targets = [
            target.id
            for line in lines
            if isinstance(line, (ast.Assign, ast.AnnAssign)) and _is_value(line.value)
            for target in (line.targets if isinstance(line, ast.Assign) else [line.target])
            if isinstance(target, ast.Name)
        ]
        found += targets if len(targets) == len(lines) else []
    return found


def _is_value(node: ast.AST | None) -> bool:
    try:
        ast.literal_eval(node)  # type: ignore[arg-type]
    except (ValueError, TypeError, SyntaxError):
        # Papermill writes what JSON has no number for as float('nan').
        return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float"
    return True


def _fields(cls: type[Config]) -> tuple[dataclasses.Field[Any], ...]:
    return dataclasses.fields(cls)


def _type_name(kind: Any) -> str:
    if typing.get_origin(kind) is tuple:
        return f"list of {typing.get_args(kind)[0].__name__}"
    return str(kind.__name__)


def _coerce(name: str, value: Any, kind: Any, meta: Mapping[str, Any]) -> Any:
    if typing.get_origin(kind) is tuple:
        if isinstance(value, str):
            value = [part.strip() for part in value.split(",") if part.strip()]
        elif isinstance(value, (bool, int, float)):
            value = [value]
        if not isinstance(value, (list, tuple)) or not value:
            raise TypeError(
                f"{name} must be a list with at least one entry; got {_checks.shown(value)}. Separate by commas."
            )
        entries = tuple(_coerce(name, entry, typing.get_args(kind)[0], meta) for entry in value)
        # What there is to run, each once; the two ends of a range may be equal.
        if meta["extent"] and len(set(entries)) < len(entries):
            raise ValueError(f"{name} must have entries that differ; got {plain(entries)}. Name each once.")
        return entries
    if kind is bool:
        return _checks.flag(name, value)
    if kind is int:
        return _checks.integer(name, value, low=meta["low"], high=meta["high"], unit=meta["unit"])
    if kind is float:
        return _checks.number(name, value, low=meta["low"], high=meta["high"], unit=meta["unit"])
    if meta["choices"]:
        return _checks.choice(name, value, meta["choices"])
    if not isinstance(value, str):
        raise TypeError(f"{name} must be a text; got {_checks.shown(value)}. Put it in quotes.")
    if "file" in meta and value:
        if not value.strip() or "\0" in value:
            raise TypeError(f"{name} must name a file; got {_checks.shown(value)}. Give its path.")
        return str(Path(value).expanduser().absolute())
    return value
