"""The reader's own files: each is checked before anything is computed from it, and nothing in one is executed.

NumPy's `.npy` (never with pickled objects), raw little-endian float32 (`.f32`, `.bin`, `.raw`) whose shape is told,
SEG-Y (`.sgy`, `.segy`, by segyio) and grey pictures (`.png`); tables are read by `geolib.datasets.tables`.
"""

from __future__ import annotations

import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from geolib import _checks

LARGEST = 2**31
"""Bytes that a file may have; what is computed from it takes several times as much memory."""

RAW, SEGY = (".f32", ".bin", ".raw"), (".sgy", ".segy")
#: Least and greatest seismic velocity that is taken for one, m/s.
SLOWEST, FASTEST = 200.0, 12_000.0
UNITS = {"m/s": 1.0, "km/s": 1000.0}
#: Longest sampling interval that is taken for one, s.
LONGEST = 0.1


def find(name: str, path: Any, kinds: Sequence[str]) -> Path:
    """Return a file that is there, of one of these endings and of bearable size.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    if not isinstance(path, (str, Path)) or not str(path).strip() or "\0" in str(path):
        raise TypeError(f"{name} must name a file; got {_checks.shown(path)}. Give its path.")
    found = Path(path)
    if found.suffix.lower() not in kinds:
        raise ValueError(f"{name} must be a file {', '.join(kinds)}; got {found.name!r}. Convert it, or rename it.")
    if not found.is_file():
        raise ValueError(f"{name} must be a file; {found} is not there. Check its path.")
    size = found.stat().st_size
    if not size:
        raise ValueError(f"{name} must hold something; {found} is empty. Check how it was written.")
    if size > LARGEST:
        raise ValueError(f"{name} must have at most {LARGEST} bytes; {found} has {size}. Cut it.")
    return found


def array(
    name: str, path: Any, n_axes: int | Sequence[int], shape: Sequence[int] | None = None, *, of_traces: bool = False
) -> np.ndarray:
    """Return the finite real numbers of a file, float64, with so many axes.

    Parameters
    ----------
    name : str
        Of the parameter, for messages.
    path : path-like
        `.npy`, raw float32, or SEG-Y, whose traces are rows.
    n_axes : int or sequence of int
        Axes that it must have, or may.
    shape : sequence of int, optional
        What it must be; a raw file needs it, and SEG-Y for three axes.
    of_traces : bool
        Its last axis is time: dead traces may hold what is no number (`live`).

    Raises
    ------
    TypeError, ValueError
        If the file is missing, of another kind or shape, too large, empty, or holds what is no finite number.
    """
    # A raw file of one axis has no shape that would be told, and SEG-Y has two.
    found = find(name, path, (".npy", *RAW, *SEGY) if shape is not None or n_axes != 1 else (".npy",))
    kind, allowed = found.suffix.lower(), (n_axes,) if isinstance(n_axes, int) else tuple(n_axes)
    if kind in RAW:
        if shape is None:
            raise ValueError(f"{name} must tell its shape; {found} is raw and does not. Give NumPy (.npy) or SEG-Y.")
        if found.stat().st_size != 4 * math.prod(shape):
            raise ValueError(
                f"{name} must hold {math.prod(shape)} float32 numbers for shape {tuple(shape)}; "
                f"{found} has {found.stat().st_size} bytes. Correct the shape."
            )
        values = np.fromfile(found, "<f4")
    else:
        values = _npy(name, found) if kind == ".npy" else _segy(name, found)
    if shape is not None and values.size == math.prod(shape) and kind != ".npy":
        values = values.reshape(tuple(shape))
    if shape is not None:
        _checks.shape(name, values, shape, "Correct the shape, or the file.")
    if values.ndim not in allowed or 0 in values.shape:
        axes = " or ".join(map(str, allowed))
        raise ValueError(f"{name} must have {axes} axes; {found} has shape {values.shape}. Reshape it, or tell it.")
    with np.errstate(all="ignore"):  # of bytes in another order; what is no number is refused next
        values = values.astype(np.float64)
    return live(name, values) if of_traces else _checked(name, values)


def live(name: str, traces: np.ndarray) -> np.ndarray:
    """Return traces (..., nt) with zero for dead ones, which are constant or hold what is no finite number.

    Raises
    ------
    ValueError
        If half of them or more hold what is no finite number: it is the file that is wrong then.
    """
    broken = ~np.isfinite(traces).all(-1)
    if 2 * np.count_nonzero(broken) >= broken.size:
        return _checked(name, traces)
    whole = np.where(broken[..., None], 0.0, traces)
    return np.where((np.ptp(whole, axis=-1) > 0)[..., None], whole, 0.0)


def _checked(name: str, values: np.ndarray) -> np.ndarray:
    _checks.finite(name, values, "Correct the file.")
    return values


def _npy(name: str, path: Path) -> np.ndarray:
    try:
        values = np.load(path, allow_pickle=False)
    except (ValueError, OSError, EOFError, MemoryError) as error:
        reason = str(error).splitlines()[0] if str(error) else "it is cut off"
        if "pickle" in reason:  # which NumPy would have the reader allow
            array_ = _checks.content(path, 6) == b"\x93NUMPY"
            reason = "it holds objects, which are not read" if array_ else "it does not begin as one"
        raise ValueError(
            f"{name} must be an array that NumPy saved; {path} is none ({reason}). Save it anew."
        ) from None
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "iuf":
        raise ValueError(f"{name} must hold real numbers; {path} does not. Convert it.")
    return values


def segyio(name: str) -> ModuleType:
    """Return the package of that name.

    Raises
    ------
    ValueError
        If it is not installed, with the name of the parameter that needs it.
    """
    try:
        return importlib.import_module("segyio")
    except ModuleNotFoundError:
        raise ValueError(f"{name} is SEG-Y, which segyio reads; it is not installed. Run pip install segyio.") from None


def _segy(name: str, path: Path) -> np.ndarray:
    package = segyio(name)
    try:
        with package.open(path, ignore_geometry=True) as file:
            values: np.ndarray = file.trace.raw[:]
    except (RuntimeError, OSError, ValueError) as error:
        raise ValueError(f"{name} must be SEG-Y; {path} is none ({error}). Convert it to .npy.") from None
    return values


def velocity(name: str, path: Any, *, unit: str = "m/s", shape: Sequence[int] | None = None) -> np.ndarray:
    """Return a velocity model (nz, nx) in m/s; in SEG-Y each trace is a column.

    Raises
    ------
    TypeError, ValueError
        As `array`; also if its values are no seismic velocities in the unit that is told.
    """
    _checks.choice("unit", unit, UNITS)
    segy = Path(str(path)).suffix.lower() in SEGY
    if shape is None and Path(str(path)).suffix.lower() in RAW:
        found = find(name, path, RAW)
        raise ValueError(
            f"{name} must have its shape told, for a raw file has none; {found} has not. Give -p shape ROWS,COLUMNS."
        )
    model = array(name, path, 2, shape if shape is None or not segy else shape[::-1])
    model = model.T.copy() if segy else model
    low, high = float(model.min()) * UNITS[unit], float(model.max()) * UNITS[unit]
    if not SLOWEST <= low <= high <= FASTEST:
        for other, factor in UNITS.items():
            if SLOWEST <= model.min() * factor <= model.max() * factor <= FASTEST:
                remedy = f"They look like {other}: say so by its unit, -p velocity_unit {other}."
                break
        else:
            remedy = "Correct the file, or cut out air."
        raise ValueError(
            f"{name} must lie between {SLOWEST:g} and {FASTEST:g} m/s; in {unit} it is {low:g} to {high:g}. {remedy}"
        )
    return model * UNITS[unit]


def facies(name: str, path: Any, *, threshold: float = 0.0, least: int = 1) -> np.ndarray:
    """Return an image of two facies (nz, nx), float32, 1 where a pixel has the larger value.

    Parameters
    ----------
    name, path
        The parameter and its file: `.npy`, or a grey picture `.png`.
    threshold : float
        Value from which a pixel is 1; at 0 the file must hold two values.
    least : int
        Rows and columns that it must have.

    Raises
    ------
    TypeError, ValueError
        If the file is none, too small, holds more than two values and no threshold is given, or has one facies alone.
    """
    found = find(name, path, (".npy", ".png"))
    values = _png(name, found) if found.suffix.lower() == ".png" else array(name, found, 2)
    if min(values.shape) < least:
        raise ValueError(
            f"{name} must have at least {least} rows and columns; it has {values.shape}. Take a larger one."
        )
    low, high = float(values.min()), float(values.max())
    if not threshold and not ((values == low) | (values == high)).all():
        raise ValueError(
            f"{name} must hold two values; it has others between {low:g} and {high:g}. Give -p threshold VALUE, "
            "from which a pixel is inside."
        )
    inside = values >= (threshold or (low + high) / 2)
    if inside.all() or not inside.any():
        raise ValueError(
            f"{name} must have both facies; its values are {low:g} to {high:g}. Correct threshold or file."
        )
    return inside.astype(np.float32)


def _png(name: str, path: Path) -> np.ndarray:
    from PIL import Image

    try:
        with Image.open(path, formats=("PNG",)) as picture:
            if picture.width * picture.height > LARGEST // 8:
                raise ValueError(f"{picture.width} by {picture.height} pixels are too many")
            if picture.mode not in ("1", "L", "P", "I", "I;16"):
                raise ValueError(f"its pixels are {picture.mode}, not grey")
            return np.asarray(picture.convert("L") if picture.mode == "P" else picture).astype(np.float64)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise ValueError(f"{name} must be a grey picture; {path} is none ({error}). Convert it to .npy.") from None
