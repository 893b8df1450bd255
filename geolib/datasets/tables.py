"""The reader's own tables (`.csv`): positions of a survey and picked traveltimes, checked before they are used."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from geolib import _checks
from geolib.datasets.files import find

#: Least and greatest mean velocity of a radar wave in the ground, m/ns.
RADAR = (0.03, 0.3)
#: Spacings by which positions that are rounded, in centimetres say, may be beside their grid point.
ON = 1e-3


def read(name: str, path: Any, columns: Sequence[str], optional: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Return the columns of a `.csv` file of finite numbers, by name; a semicolon may part them.

    The case of names does not matter. Other columns are left out where none is optional, else refused: one of them may
    be an optional one that is misspelt.

    Raises
    ------
    TypeError, ValueError
        If the file is no such table, a column is missing or unknown, or an entry is no finite number; the line is told.
    """
    return _with_lines(name, path, columns, optional)[0]


def _with_lines(
    name: str, path: Any, columns: Sequence[str], optional: Sequence[str] = ()
) -> tuple[dict[str, np.ndarray], list[int]]:
    """Return what `read` does, and the line of the file that each row ends at."""
    found = find(name, path, (".csv",))
    try:
        with found.open(newline="", encoding="utf-8-sig") as stream:
            heads = next((line for line in stream if line.strip()), "")
            stream.seek(0)
            reader = csv.reader(stream, delimiter=";" if ";" in heads and "," not in heads else ",")
            rows = [(reader.line_num, row) for row in reader if any(entry.strip() for entry in row)]
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{name} must be a table of text; {found} is none ({error}). Save it as CSV.") from None
    head = [entry.strip().lower() for entry in rows[0][1]] if rows else []
    others = set(head) - {*columns, *optional} if optional else set()
    used = [entry for entry in head if entry in {*columns, *optional}]
    if set(columns) - set(head) or others or len(set(used)) < len(used):
        also = f" and maybe {', '.join(optional)}" if optional else ""
        raise ValueError(
            f"{name} must have columns {', '.join(columns)}{also}; the first line of {found} is "
            f"{_checks.shown(','.join(entry.strip() for entry in rows[0][1]) if rows else '')}. Name them so."
        )
    if len(rows) < 2:
        raise ValueError(f"{name} must have at least one row below its names; {found} has none. Add one.")
    places = [head.index(entry) for entry in used]
    values = np.empty((len(rows) - 1, len(used)))
    for number, (line, row) in enumerate(rows[1:]):
        try:
            values[number] = [float(row[place]) for place in places] if len(row) == len(head) else math.nan
        except ValueError:
            values[number] = math.nan
        if not np.isfinite(values[number]).all():
            raise ValueError(
                f"{name} must hold {len(head)} entries a row, finite numbers in {', '.join(used)}; line {line} of "
                f"{found} is {row}. Correct it."
            )
    return dict(zip(used, values.T, strict=True)), [line for line, _ in rows[1:]]


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
    found = read(name, path, ("shot", "source_depth", "source_x", "receiver_depth", "receiver_x"))
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


def places(
    name: str,
    positions: np.ndarray,
    spacings: Sequence[float],
    shape: tuple[int, int],
    remedy: str = "Check spacing and units.",
) -> np.ndarray:
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
            f"{name} must lie on the model of {extent} m; one is at depth {depth:g} m, distance {x:g} m. {remedy}"
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
    shots = read(name, path, ("shot", "source_depth", "source_x", "receiver_depth", "receiver_x"))["shot"]
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
    columns = ("source_depth", "receiver_depth", "time")
    found, lines = _with_lines(name, path, columns, ("deviation", *places))
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
        _must_be_within(name, end, found[f"{end}_depth"], found.get(f"{end}_x"), (depth, width), lines)
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


def _must_be_within(
    name: str,
    end: str,
    depth: np.ndarray,
    x: np.ndarray | None,
    extent: tuple[float, float],
    lines: Sequence[int],
) -> None:
    """Refuse ends of rays outside the model, by the line of the table in its file."""
    for what, values, most in (("depth", depth, extent[0]), ("x", x, extent[1])):
        if values is None or (values.min() >= 0 and values.max() <= most):
            continue
        row = int(np.argmax((values < 0) | (values > most)))
        raise ValueError(
            f"{name} must have {end}_{what} between 0 and {most:g} m, in the model; line {lines[row]} has "
            f"{values[row]:g}. Check its unit, or take larger cells."
        )
