"""What public functions take, read from their annotations: a wrong argument is refused in one line, before any work."""

from __future__ import annotations

import collections.abc
import dataclasses
import functools
import inspect
import os
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from geolib import _checks

F = TypeVar("F", bound=Callable[..., Any])
#: More entries than any machine holds, and numbers beyond all that is measured, in double and in single precision: sums
#: of their squares still are numbers.
_MOST, _FARTHEST, _FARTHEST_SINGLE = 10**15, 1e100, 1e15


def checked(*loose: str, **rules: Any) -> Callable[[F], F]:
    """Return a decorator that holds a function's arguments to their annotations, and to these rules.

    Parameters
    ----------
    *loose
        Arrays and tensors that may hold what is not finite.
    **rules
        By argument: `(low, high)` or `(low, high, unit)` of an `int` or `float` or of each entry of a sequence of
        them, the words that a `str` may be, the shape of an array or tensor (None for any length), or `...` for no
        check. Arrays and tensors hold finite numbers, and at least one; an array may be given as lists. What has no
        annotation, or one of another kind, is passed on as it is.

    Notes
    -----
    Some ten microseconds a call, and one pass over each array.
    """

    def decorate(function: F) -> F:
        form = inspect.Signature.from_callable(function)

        @functools.cache
        def kinds() -> dict[str, Any]:
            return typing.get_type_hints(function)

        @functools.wraps(function)
        def call(*args: Any, **options: Any) -> Any:
            try:
                bound = form.bind(*args, **options)
            except TypeError:
                return function(*args, **options)  # which says it with its name
            for name, value in bound.arguments.items():
                rule = rules.get(name)
                if name in kinds() and rule is not ...:
                    bound.arguments[name] = taken(name, value, kinds()[name], rule, finite=name not in loose)
            try:
                return function(*bound.args, **bound.kwargs)
            except RuntimeError as error:
                if "can't allocate memory" not in str(error):
                    raise
                raise MemoryError(f"{function.__name__} needs more memory than there is. Ask for less.") from None

        return typing.cast(F, call)

    return decorate


def hold(made: Any, **rules: Any) -> None:
    """Hold the fields of a dataclass, frozen or not, to their annotations and to rules, as `checked` does arguments."""
    kinds = typing.get_type_hints(type(made))
    for field in dataclasses.fields(made):
        value = taken(field.name, getattr(made, field.name), kinds[field.name], rules.get(field.name))
        object.__setattr__(made, field.name, value)


def taken(name: str, value: Any, kind: Any, rule: Any = None, *, finite: bool = True) -> Any:
    """Return the value as one of its kind, or refuse it; rules as for `checked`."""
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        kinds = [each for each in typing.get_args(kind) if each is not type(None)]
        if len(kinds) > 1 or (value is None and len(kinds) < len(typing.get_args(kind))):
            return value
        kind = kinds[0]
    if kind in (int, float):
        low, high, unit = (*(rule or (None, None)), "")[:3]
        check, largest = (_checks.integer, _MOST) if kind is int else (_checks.number, _FARTHEST)
        number = check(name, value, low=low, high=high, unit=unit)
        if not -largest <= number <= largest:
            raise ValueError(f"{name} must be at most {largest:g}; got {number:.3g}. Take another unit, or fewer.")
        return number
    if kind is bool:
        return _checks.flag(name, value)
    if kind is str and rule is not None:
        return _checks.choice(name, value, rule)
    if kind is Path:
        return _path(name, value)
    origin = typing.get_origin(kind) or kind
    if origin in (collections.abc.Sequence, list, tuple) and (set(typing.get_args(kind)) & {int, float}):
        return _entries(name, value, kind, rule)
    if origin is collections.abc.Callable:
        if not callable(value):
            raise TypeError(f"{name} must be a function; got {_checks.shown(value)}. Give one that can be called.")
        return value
    return _object(name, value, origin, rule, finite) if isinstance(origin, type) and origin is not Any else value


def _path(name: str, value: Any) -> Path:
    if not isinstance(value, (str, os.PathLike)) or not str(value).strip() or "\0" in str(value):
        raise TypeError(f"{name} must name a file or folder; got {_checks.shown(value)}. Give a name.")
    return Path(value)


def _entries(name: str, value: Any, kind: Any, rule: Any) -> Any:
    """Return a list or tuple of numbers, as long as its annotation says."""
    first, *rest = typing.get_args(kind)
    length = 1 + len(rest) if typing.get_origin(kind) is tuple and ... not in rest else None
    try:
        entries = None if isinstance(value, (str, bytes, dict, set)) else list(value)
    except TypeError:
        entries = None
    if entries is None or length not in (None, len(entries)):
        wanted = f"{length} numbers" if length else "a list of numbers"
        raise TypeError(f"{name} must be {wanted}; got {_checks.shown(value)}. Give them in brackets.")
    made = [taken(name, entry, first, rule) for entry in entries]
    return made if typing.get_origin(kind) is list else tuple(made)


def _object(name: str, value: Any, kind: type, rule: Any, finite: bool) -> Any:
    """Return an array, a tensor or an instance of a class."""
    import numpy as np

    home = kind.__module__.partition(".")[0]
    if kind is np.ndarray:
        return array(name, value, rule, finite=finite)
    if home == "torch" and kind.__name__ == "Tensor":
        return tensor(name, value, rule, finite=finite)
    if kind.__name__ == "Generator" and home in ("numpy", "torch"):
        _checks.rng(name, value, kind)
    elif home == "scipy":
        from scipy import sparse

        if not sparse.issparse(value):
            raise TypeError(f"{name} must be a sparse matrix; got {type(value).__name__}. Make it with ray_matrix.")
    elif kind is not object and not isinstance(value, kind):
        article = "an" if kind.__name__[0] in "AEIOU" else "a"
        raise TypeError(f"{name} must be {article} {kind.__name__}; got {_checks.shown(value)}. Make one first.")
    return value


def array(name: str, value: Any, shape: tuple[int | None, ...] | None = None, *, finite: bool = True) -> Any:
    """Return a value, such as lists of numbers, as an array of finite real numbers that is not empty.

    It lies in memory row by row in the machine's byte order, which is what torch takes; else it is copied.
    """
    import numpy as np

    if isinstance(value, (str, bytes, dict, set)) or value is None:
        raise TypeError(f"{name} must be an array of numbers; got {_checks.shown(value)}. Use numpy.asarray.")
    try:
        made = np.asarray(value)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        reason = str(error).splitlines()[0]
        raise TypeError(f"{name} must be an array of numbers; it makes none ({reason}). Use equal lengths.") from None
    if made.dtype.kind not in "biuf":
        raise TypeError(f"{name} must be an array of real numbers; got dtype {made.dtype}. Convert it first.")
    made = np.asarray(made, made.dtype.newbyteorder("="), order="C")
    _filled(name, made, shape, finite)
    return made


def tensor(name: str, value: Any, shape: tuple[int | None, ...] | None = None, *, finite: bool = True) -> Any:
    """Return a tensor if it holds finite real numbers and is not empty."""
    import torch

    if not isinstance(value, torch.Tensor):
        raise TypeError(f"{name} must be a tensor; got {type(value).__name__}. Use torch.as_tensor.")
    if not value.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor; got {value.dtype}. Use {name}.double().")
    if value.layout != torch.strided or value.is_meta:
        raise TypeError(f"{name} must be a tensor that holds every number; got {value.layout}. Use {name}.to_dense().")
    if torch._C._functorch.is_batchedtensor(value):
        raise TypeError(f"{name} must hold numbers of its own; got one that torch.vmap spreads. Use a loop.")
    _filled(name, value, shape, finite)
    return value


def _filled(name: str, value: Any, shape: tuple[int | None, ...] | None, finite: bool) -> None:
    if shape is not None:
        _checks.shape(name, value, shape)
    if 0 in value.shape:
        raise ValueError(f"{name} must not be empty; got shape {tuple(value.shape)}. Give an entry at least.")
    # Looking at the values of another device would wait for all that it has been asked to do.
    here = str(getattr(value, "device", "cpu")).startswith("cpu")
    if finite and here and "float" in str(value.dtype):
        _checks.finite(name, value)
        plain = value.detach() if getattr(value, "requires_grad", False) else value
        largest = float(abs(plain).max())
        farthest = _FARTHEST if "64" in str(value.dtype) else _FARTHEST_SINGLE
        if largest > farthest:
            raise ValueError(f"{name} must be at most {farthest:g}; got {largest:g}. Take another unit.")
