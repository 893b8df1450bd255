"""The argument validators of the package: each refusal is one line that names argument, rule, value and remedy."""

from __future__ import annotations

import difflib
import errno
import math
import numbers
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any


def shown(value: Any) -> str:
    """Return how a message names a value: in one line, and a long one by its beginning."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."


def number(
    name: str, value: Any, *, low: float | None = None, high: float | None = None, unit: str = "", remedy: str = ""
) -> float:
    """Return `value` as a finite float within [low, high]; a numeric string such as "1e-3" is accepted.

    Raises
    ------
    TypeError
        If the value is no number (a bool is none).
    ValueError
        If it is NaN, infinite or outside the range.
    """
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise TypeError(
                f"{name} must be a number; got {shown(value)}. {remedy or 'Give digits, such as 1e-3.'}"
            ) from None
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise TypeError(
            f"{name} must be a number; got {shown(value)} ({type(value).__name__}). {remedy or 'Give digits.'}"
        )
    try:
        result = float(value)
    except OverflowError:
        result = math.inf
    if not math.isfinite(result):
        text = repr(value) if len(repr(value)) < 40 else f"{repr(value)[:20]}..."
        raise ValueError(f"{name} must be finite; got {text}. {remedy or 'Give an ordinary number.'}")
    _within(name, result, low, high, unit, remedy)
    return result


def integer(name: str, value: Any, *, low: int | None = None, high: int | None = None, unit: str = "") -> int:
    """Return `value` as an int within [low, high]; 1e3 and "1e3" are integers, 1.5 is not.

    Raises
    ------
    TypeError
        If the value is no number.
    ValueError
        If it has a fractional part, is not finite or lies outside the range.
    """
    result = number(name, value, remedy="Give a whole number.")
    if result != int(result):
        raise ValueError(f"{name} must be a whole number; got {shown(value)}. Take {round(result)}.")
    # A float holds whole numbers up to 2^53 only.
    whole = int(value) if isinstance(value, numbers.Integral) else int(result)
    _within(name, whole, low, high, unit, "")
    return whole


def _within(name: str, value: float, low: float | None, high: float | None, unit: str, remedy: str) -> None:
    if (low is None or value >= low) and (high is None or value <= high):
        return
    suffix = f" {unit}" if unit else ""
    if low is not None and high is not None:
        rule, way = f"between {low:.10g} and {high:.10g}{suffix}", "Choose a value in that range."
    elif low is not None:
        rule, way = f"at least {low:.10g}{suffix}", f"Take {low:.10g} or more."
    else:
        rule, way = f"at most {high:.10g}{suffix}", f"Take {high:.10g} or less."
    raise ValueError(f"{name} must be {rule}; got {value:.10g}. {remedy or way}")


def flag(name: str, value: Any) -> bool:
    """Return `value` as a bool; the words true and false are accepted, numbers are not.

    Raises
    ------
    TypeError
        If the value is neither.
    """
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise TypeError(f"{name} must be true or false; got {shown(value)}. Give one of the two words.")


def choice(name: str, value: Any, choices: Iterable[str]) -> str:
    """Return `value` if it is one of `choices`.

    Raises
    ------
    TypeError
        If the value is no string.
    ValueError
        If it is another string; the nearest choice is named.
    """
    choices = list(choices)
    if not isinstance(value, str):
        raise TypeError(f"{name} must be one of {_listed(choices)}; got {shown(value)}. Give a word.")
    if value not in choices:
        raise ValueError(f"{name} must be one of {_listed(choices)}; got {shown(value)}. {nearest(value, choices)}")
    return value


def nearest(word: str, choices: Sequence[str]) -> str:
    """Return the remedy of a misspelt word: the nearest of `choices`, or all of them."""
    found = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    return f"Did you mean {found[0]!r}?" if found else f"Choose from {_listed(choices)}."


def _listed(choices: Sequence[str]) -> str:
    """Return words as a line holds them: of very many the first ones and their number."""
    return ", ".join(choices) if len(choices) <= 30 else f"{', '.join(choices[:5])}, … ({len(choices)} in all)"


def shape(name: str, value: Any, expected: Sequence[int | None], remedy: str = "Reshape it.") -> None:
    """Check the shape of an array or tensor; None stands for any length.

    Raises
    ------
    ValueError
        If the number of axes or a length differs.
    """
    got = tuple(value.shape)
    if len(got) != len(expected) or any(e is not None and e != g for e, g in zip(expected, got, strict=True)):
        wanted = ", ".join("any" if e is None else str(e) for e in expected)
        raise ValueError(f"{name} must have shape ({wanted}); got {got}. {remedy}")


def rng(name: str, value: Any, kind: type) -> None:
    """Check that a source of randomness is a `kind`, numpy.random.Generator or torch.Generator.

    Raises
    ------
    TypeError
        If it is another, such as a seed.
    """
    if not isinstance(value, kind):
        numpy = kind.__module__.startswith("numpy")
        way = "numpy.random.default_rng(seed)" if numpy else "torch.Generator().manual_seed(seed)"
        kind_name = "numpy.random.Generator" if numpy else "torch.Generator"
        raise TypeError(f"{name} must be a {kind_name}; got {type(value).__name__} {shown(value)}. Use {way}.")


def finite(name: str, value: Any, remedy: str = "Remove the NaN or infinite entries.") -> None:
    """Check that every entry of an array or tensor is finite.

    Raises
    ------
    ValueError
        If one is NaN or infinite; the message counts them.
    """
    # `value - value` is zero exactly where the entry is finite; it works alike on numpy arrays and torch tensors.
    import numpy as np

    with np.errstate(all="ignore"):
        bad = int(((value - value) != 0).sum())
    if bad:
        raise ValueError(f"{name} must be finite; got {bad} NaN or infinite entries. {remedy}")


def binary_image(name: str, image: Any) -> Any:
    """Return a two-dimensional image of zeros and ones as float32.

    Raises
    ------
    ValueError
        If it has another number of axes or other values.
    """
    import numpy as np

    array = np.asarray(image)
    if array.ndim != 2:
        raise ValueError(f"{name} must have two axes (nz, nx); got shape {array.shape}. Take one channel of it.")
    other = np.setdiff1d(np.unique(array), (0, 1))
    if other.size:
        raise ValueError(f"{name} must hold zeros and ones; got {other[0]:g} among others. Threshold it first.")
    return array.astype(np.float32)


#: Bytes of the longest file of text that is read: what never ends, as /dev/zero, would fill the memory.
_LONGEST = 10_000_000
_YAML_NUMBERS = {
    "int": re.compile(r"[-+]?(0|[1-9]\d*)$", re.ASCII),
    "float": re.compile(r"([-+]?(\.\d+|\d+\.?\d*)([eE][-+]?\d+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN))$", re.ASCII),
}


def content(path: Path, most: int = -1) -> bytes:
    """Return what a file holds, or the first `most` bytes of it.

    Raises
    ------
    OSError
        If it cannot be read, or is no regular file: what comes through a pipe may never come.
    """
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "it is no regular file", str(path))
    with path.open("rb") as file:
        return file.read(most)


def plain_yaml(what: str, path: Path) -> Any:
    """Return what a YAML (or JSON) file says, read without making objects and without following aliases.

    Numbers are decimal, as in YAML 1.2: by the rules of 1.1, 010 would be eight and 1:30 ninety.

    Raises
    ------
    ValueError
        If the file is missing, no text, no YAML, nested without end, or uses aliases, with which a short file can stand
        for an endless one.
    """
    import yaml

    class Plain(yaml.SafeLoader):
        def compose_node(self, parent: Any, index: Any) -> Any:
            if self.check_event(yaml.AliasEvent):
                raise yaml.YAMLError("it has an alias")
            return super().compose_node(parent, index)

        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            keys = [key.value for key, _ in node.value if isinstance(key, yaml.ScalarNode)]
            if twice := sorted({key for key in keys if keys.count(key) > 1}):
                raise yaml.YAMLError(f"{', '.join(map(str, twice))} comes twice")
            return super().construct_mapping(node, deep)

    numeric = {f"tag:yaml.org,2002:{kind}" for kind in ("int", "float")}
    Plain.yaml_implicit_resolvers = {
        first: [rule for rule in rules if rule[0] not in numeric]
        for first, rules in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    for kind, form in _YAML_NUMBERS.items():
        Plain.add_implicit_resolver(f"tag:yaml.org,2002:{kind}", form, list("-+.0123456789"))
    try:
        raw = content(path, _LONGEST + 1)
        if len(raw) > _LONGEST:
            raise ValueError(f"it is longer than {_LONGEST} bytes")
        return yaml.load(raw.decode("utf-8-sig"), Loader=Plain)
    except (OSError, ValueError, TypeError, OverflowError, RecursionError, yaml.YAMLError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"{what} {path} must be readable YAML; {reason}. Restore the file.") from None
