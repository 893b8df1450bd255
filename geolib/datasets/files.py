"""The reader's own files: each is checked before anything is computed from it, and nothing in one is executed.

NumPy's `.npy` (never with pickled objects), raw little-endian float32 (`.f32`, `.bin`, `.raw`) whose shape is told,
SEG-Y (`.sgy`, `.segy`, by segyio), grey pictures (`.png`) and tables (`.csv`) with a line of names.
"""

from __future__ import annotations

import csv
import importlib
import math
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from geolib import _checks

LARGEST = 2**31
"""Bytes that a file may have; what is computed from it takes several times as much memory."""

RAW, SEGY = (".f32", ".bin", ".raw"), (".sgy", ".segy")
#: Least and greatest seismic velocity that is taken for one, m/s.
SLOWEST, FASTEST = 200.0, 12_000.0
#: Least and greatest mean velocity of a radar wave in the ground, m/ns.
RADAR = (0.03, 0.3)
UNITS = {"m/s": 1.0, "km/s": 1000.0}
#: Longest sampling interval that is taken for one, s.
LONGEST = 0.1
#: Spacings by which positions that are rounded, in centimetres say, may be beside their grid point.
ON = 1e-3


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


def array(name: str, path: Any, n_axes: int | Sequence[int], shape: Sequence[int] | None = None) -> np.ndarray:
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

    Raises
    ------
    TypeError, ValueError
        If the file is missing, of another kind or shape, too large, empty, or holds what is no finite number.
    """
    found = find(name, path, (".npy", *RAW, *SEGY))
    kind, allowed = found.suffix.lower(), (n_axes,) if isinstance(n_axes, int) else tuple(n_axes)
    if kind in RAW:
        if shape is None:
            others = "NumPy (.npy) or SEG-Y" if max(allowed) > 1 else "NumPy (.npy)"
            raise ValueError(f"{name} must tell its shape; {found} is raw and does not. Give {others}.")
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


def table(name: str, path: Any, columns: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Return the columns of a `.csv` file of finite numbers, by name.

    Raises
    ------
    TypeError, ValueError
        If the file is no such table, a column is missing or unknown, or an entry is no finite number; the line is told.
    """
    found = find(name, path, (".csv",))
    try:
        with found.open(newline="", encoding="utf-8-sig") as stream:
            rows = [row for row in csv.reader(stream) if any(entry.strip() for entry in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name} must be a table of text; {found} is none ({error}). Save it as CSV.") from None
    head = [entry.strip() for entry in rows[0]] if rows else []
    wrong = sorted(set(columns) - set(head)) or sorted(set(head) - {*columns, *optional})
    if wrong or len(set(head)) < len(head):
        also = f" and maybe {', '.join(optional)}" if optional else ""
        raise ValueError(
            f"{name} must have columns {', '.join(columns)}{also}; the first line of {found} is "
            f"{_checks.shown(','.join(head))}. Name them so."
        )
    if len(rows) < 2:
        raise ValueError(f"{name} must have at least one row below its names; {found} has none. Add one.")
    values = np.empty((len(rows) - 1, len(head)))
    for number, row in enumerate(rows[1:], 2):
        try:
            values[number - 2] = [float(entry) for entry in row]
        except ValueError:
            values[number - 2] = math.nan
        if not np.isfinite(values[number - 2]).all():
            raise ValueError(f"{name} must hold {len(head)} finite numbers a row; row {number} of {found} is {row}.")
    return dict(zip(head, values.T, strict=True))


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
                remedy = f"They look like {other}: say so by its unit."
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


class Geometry(NamedTuple):
    """Positions (depth, distance) in m: one source and the receivers of each shot."""

    sources: np.ndarray  # (n_shots, 1, 2)
    receivers: np.ndarray  # (n_shots, n_receivers, 2)


def geometry(name: str, path: Any) -> Geometry:
    """Return sources and receivers of a table with a row for each trace: shot by shot, in the order of the gathers.

    Raises
    ------
    TypeError, ValueError
        As `table`; also if shots differ in their number of receivers, or one has two sources.
    """
    found = table(name, path, ("shot", "source_depth", "source_x", "receiver_depth", "receiver_x"))
    shots, first, counts = np.unique(found["shot"], return_index=True, return_counts=True)
    if (counts != counts[0]).any():
        uneven = int(shots[np.argmax(counts != counts[0])])
        raise ValueError(
            f"{name} must have as many receivers in every shot; shot {uneven} has another number than "
            f"shot {int(shots[0])}. Fill up with dead traces."
        )
    order = np.concatenate([np.flatnonzero(found["shot"] == shots[i]) for i in np.argsort(first)])
    sources, receivers = (
        np.stack([found[f"{end}_depth"], found[f"{end}_x"]], -1)[order].reshape(len(shots), -1, 2)
        for end in ("source", "receiver")
    )
    if (sources != sources[:, :1]).any():
        raise ValueError(f"{name} must have one source in each shot; it has more. Number them as shots.")
    return Geometry(sources[:, :1], receivers)


def places(name: str, positions: np.ndarray, spacings: Sequence[float], shape: tuple[int, int]) -> np.ndarray:
    """Return positions in m as grid indices, float64; row i lies at depth i times the spacing in depth.

    A position that is within `ON` spacings of a grid point lies on it.

    Raises
    ------
    ValueError
        If a position lies off the model.
    """
    found = positions / np.array(spacings)
    points = np.rint(found)
    found = np.where(np.abs(found - points) <= ON, points, found)
    off = ((found < 0) | (found > np.array(shape) - 1)).any(-1)
    if off.any():
        depth, x = positions[off][0]
        extent = " by ".join(f"{(n - 1) * spacing:g}" for n, spacing in zip(shape, spacings, strict=True))
        raise ValueError(
            f"{name} must lie on the model of {extent} m; one is at depth {depth:g} m, distance {x:g} m. "
            "Check spacing and units."
        )
    return found


def by_shots(name: str, path: Any) -> np.ndarray:
    """Return the rows of a table of geometry, shot by shot, as `geometry` takes them.

    Raises
    ------
    TypeError, ValueError
        As `geometry`.
    """
    known = geometry(name, path)
    shots = table(name, path, ("shot", "source_depth", "source_x", "receiver_depth", "receiver_x"))["shot"]
    _, first, number = np.unique(shots, return_index=True, return_inverse=True)
    return np.argsort(first[number.ravel()], kind="stable").reshape(known.receivers.shape[:2])


class Traveltimes(NamedTuple):
    """Rays between two boreholes: depths in m, times and their deviations in ns, and x of the ends (m) where told."""

    source_depth: np.ndarray
    receiver_depth: np.ndarray
    time: np.ndarray
    deviation: np.ndarray | None
    source_x: np.ndarray | None
    receiver_x: np.ndarray | None


def traveltimes(name: str, path: Any, *, distance: float, depth: float, width: float) -> Traveltimes:
    """Return the rays of a table: source_depth, receiver_depth (m), time (ns), maybe deviation (ns), and maybe x (m).

    Parameters
    ----------
    name, path
        The parameter and its file.
    distance : float
        Between boreholes that are vertical: where the table has no source_x and receiver_x, m.
    depth, width : float
        Of the model, m; x counts from its left edge.

    Raises
    ------
    TypeError, ValueError
        As `table`; also if a ray leaves the model, a time is none of a radar wave, or a deviation is not positive.
    """
    places = ("source_x", "receiver_x")
    found = table(name, path, ("source_depth", "receiver_depth", "time"), ("deviation", *places))
    if len(set(places) & set(found)) == 1:
        there, missing = sorted(places, key=lambda column: column not in found)
        raise ValueError(
            f"{name} must have both {' and '.join(places)}, or neither; {path} has {there} alone. Add {missing}."
        )
    if "source_x" not in found and distance > width:
        raise ValueError(
            f"distance must be at most the model's {width:g} m; got {distance:g}. Take larger cells, or give {name} "
            "with source_x and receiver_x."
        )
    for end in ("source", "receiver"):
        _must_be_within(name, end, found[f"{end}_depth"], found.get(f"{end}_x"), (depth, width))
    if (found["time"] <= 0).any():
        raise ValueError(f"{name} must have positive times; got {found['time'].min():g} ns. Correct the picks.")
    across = found["source_x"] - found["receiver_x"] if "source_x" in found else distance
    mean = np.hypot(across, found["source_depth"] - found["receiver_depth"]) / found["time"]
    if mean.min() < RADAR[0] or mean.max() > RADAR[1]:
        raise ValueError(
            f"{name} must give mean velocities of {RADAR[0]:g} to {RADAR[1]:g} m/ns; they are {mean.min():.3g} to "
            f"{mean.max():.3g}. Give times in ns and positions in m."
        )
    deviation = found.get("deviation")
    if deviation is not None and (deviation <= 0).any():
        raise ValueError(f"{name} must have positive deviations; got {deviation.min():g} ns. Correct them.")
    return Traveltimes(*(found.get(column) for column in Traveltimes._fields))  # type: ignore[arg-type]


def _must_be_within(name: str, end: str, depth: np.ndarray, x: np.ndarray | None, extent: tuple[float, float]) -> None:
    """Refuse ends of rays outside the model, by the row of the table as it stands in the file without empty lines."""
    for what, values, most in (("depth", depth, extent[0]), ("x", x, extent[1])):
        if values is None or (values.min() >= 0 and values.max() <= most):
            continue
        row = int(np.argmax((values < 0) | (values > most)))
        raise ValueError(
            f"{name} must have {end}_{what} between 0 and {most:g} m, in the model; row {row + 2} has {values[row]:g}. "
            "Check its unit, or take larger cells."
        )
