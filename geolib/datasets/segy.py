"""Shot gathers in SEG-Y, with the geometry that their trace headers tell; read and written by segyio."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np

from geolib import _checks
from geolib.datasets import files, tables

#: Share of a line's length by which a position may lie beside it.
BESIDE = 0.01
#: Centimetres are told by the headers that `write` makes.
_SCALAR = -100
_FOOT = 0.3048
#: Codes of a trace header's byte 29: what is no trace of a receiver, and what is a dead or a dummy trace.
_AUXILIARY, _DEAD = (4, 5, 6, 7, 8, 9), (2, 3)


class Gathers(NamedTuple):
    """Shot gathers with their positions; shots of fewer receivers are filled up with dead traces."""

    data: np.ndarray  # (n_shots, n_receivers, nt)
    geometry: tables.Geometry
    interval: float | None  # s; None where the headers have none


class _Headers(NamedTuple):
    """Words of the trace headers, an array with an entry for each trace, and the file's factor to metres."""

    words: dict[str, np.ndarray]
    metres: float


def gathers(name: str, path: Any, *, top: float = 0.0, origin: Sequence[float] = (0.0, 0.0)) -> Gathers:
    """Return shot gathers and geometry by the trace headers of a SEG-Y file.

    Parameters
    ----------
    name : str
        Of the parameter, for messages.
    path : path-like
        SEG-Y of one component, traces in any order.
    top : float
        Elevation of the model's first row, m.
    origin : (float, float)
        X and Y, as in the headers, of the model's first column, m.

    Returns
    -------
    Gathers
        Depths below `top` and distances from `origin` along the line, m. A shot is what has one field record and one
        source position; it comes in the order of the file, and so do its traces. A trace marked dead is zero.

    Raises
    ------
    TypeError, ValueError
        If the file is missing, none, too large, holds what is no finite number, or its headers have no positions, or
        such as do not lie on a line, angles for coordinates, intervals that differ, or delays.

    Notes
    -----
    Trace header words, by their bytes: 9 field record; 29 kind of trace; 41 and 45 elevations of receiver and source;
    49 the source's depth below its elevation; 69 and 71 the scalars of these and of the coordinates; 73 and 77 source
    X and Y; 81 and 85 receiver X and Y; 89 the coordinates' unit; 109 delay; 117 sampling interval. Feet (binary
    header, 3255) are converted. Distance grows with X, or with Y where the line runs along it.

    References
    ----------
    Society of Exploration Geophysicists (2002), SEG Y rev 1 Data Exchange format.
    """
    found = files.find(name, path, files.SEGY)
    traces, headers = _opened(name, found, _traces)
    traces, words = files.live(name, traces), headers.words
    traces[np.isin(words["kind"], _DEAD)] = 0
    used = ~np.isin(words["kind"], _AUXILIARY)
    if not used.any():
        raise ValueError(f"{name} must hold traces of receivers; those of {found} are auxiliary. Check byte 29.")
    words, traces = {key: values[used] for key, values in words.items()}, traces[used]
    sources, receivers = _positions(name, _Headers(words, headers.metres), top, origin)
    if words["delay"].any():
        worst = int(words["delay"][np.abs(words["delay"]).argmax()])
        raise ValueError(f"{name} must begin when the source does; byte 109 has a delay of {worst} ms. Pad or cut.")
    order = _by_shots(words["record"], sources)
    places = np.stack([sources[order], receivers[order]])
    data = traces[order] * _first_time(order)[..., None]
    return Gathers(data, tables.Geometry(places[0][:, :1], places[1]), _interval(name, words))


def interval_of(name: str, path: Any) -> float | None:
    """Return the sampling interval (s) that the headers of a SEG-Y file tell, or None.

    Raises
    ------
    TypeError, ValueError
        If the file is missing or none, or traces have different intervals.
    """
    _, headers = _opened(name, files.find(name, path, files.SEGY), lambda file: None)
    return _interval(name, headers.words)


def _traces(file: Any) -> np.ndarray:
    with np.errstate(all="ignore"):  # what is no number is refused
        return np.asarray(file.trace.raw[:], dtype=np.float64)


def _opened(name: str, path: Path, read: Callable[[Any], Any]) -> tuple[Any, _Headers]:
    """Return what is read from an open file, and its headers."""
    segyio = files.segyio(name)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", UserWarning)  # of a format that it would guess
            with segyio.open(path, ignore_geometry=True) as file:
                return read(file), _read(segyio, file)
    except (RuntimeError, OSError, ValueError, KeyError, UserWarning) as error:
        raise ValueError(f"{name} must be SEG-Y; {path} is none ({error}). Convert it to .npy.") from None


def _read(segyio: ModuleType, file: Any) -> _Headers:
    field = segyio.TraceField
    names = {
        "record": field.FieldRecord,
        "kind": field.TraceIdentificationCode,
        "receiver_elevation": field.ReceiverGroupElevation,
        "source_elevation": field.SourceSurfaceElevation,
        "source_depth": field.SourceDepth,
        "elevation_scalar": field.ElevationScalar,
        "scalar": field.SourceGroupScalar,
        "source_x": field.SourceX,
        "source_y": field.SourceY,
        "receiver_x": field.GroupX,
        "receiver_y": field.GroupY,
        "unit": field.CoordinateUnits,
        "delay": field.DelayRecordingTime,
        "interval": field.TRACE_SAMPLE_INTERVAL,
    }
    words = {key: np.asarray(file.attributes(word)[:], dtype=np.int64) for key, word in names.items()}
    if not words["interval"].any():
        words["interval"][:] = file.bin[segyio.BinField.Interval]
    return _Headers(words, _FOOT if file.bin[segyio.BinField.MeasurementSystem] == 2 else 1.0)


def _scaled(words: dict[str, np.ndarray], name: str, scalar: str) -> np.ndarray:
    """Return a word times its scalar; a negative one divides, and none is one."""
    by = words[scalar].astype(np.float64)
    factor = np.where(by > 0, by, 1 / np.maximum(-by, 1))
    return words[name] * np.where(by == 0, 1.0, factor)


def _positions(name: str, headers: _Headers, top: float, origin: Sequence[float]) -> tuple[np.ndarray, np.ndarray]:
    """Return depth and distance of each trace's source and receiver, (n_traces, 2) each, m."""
    words, metres = headers
    if (words["unit"] > 1).any():
        raise ValueError(
            f"{name} must have coordinates in metres or feet; byte 89 says angles ({int(words['unit'].max())}). "
            "Project them."
        )
    flat = np.stack([_scaled(words, f"{end}_{axis}", "scalar") for end in ("source", "receiver") for axis in "xy"])
    source, receiver = flat.reshape(2, 2, -1).swapaxes(1, 2) * metres
    if not np.ptp(np.concatenate([source, receiver]), axis=0).any():
        raise ValueError(f"{name} must have positions in its headers; all are {source[0]}. Give -p geometry FILE.")
    elevation = {key: _scaled(words, key, "elevation_scalar") * metres for key in _DEPTHS}
    depths = (
        top - elevation["source_elevation"] + elevation["source_depth"],
        top - elevation["receiver_elevation"],
    )
    along = _along(name, source, receiver, np.asarray(origin, dtype=np.float64))
    return np.stack([depths[0], along[0]], -1), np.stack([depths[1], along[1]], -1)


_DEPTHS = ("source_elevation", "source_depth", "receiver_elevation")


def _along(name: str, source: np.ndarray, receiver: np.ndarray, origin: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distances along the line through all positions."""
    every = np.unique(np.concatenate([source, receiver]), axis=0)
    *_, axes = np.linalg.svd(every - every.mean(0), full_matrices=False)
    direction = axes[0] * np.sign(axes[0][np.abs(axes[0]).argmax()])
    length = float(np.ptp(every @ direction))
    beside = float(np.abs((every - every.mean(0)) @ np.array([-direction[1], direction[0]])).max())
    if beside > BESIDE * length:
        raise ValueError(
            f"{name} must have positions on a line, {BESIDE:.0%} of its length at most beside it; they are "
            f"{beside:.4g} m beside one of {length:.4g} m. Project them."
        )
    return (source - origin) @ direction, (receiver - origin) @ direction


def _interval(name: str, words: dict[str, np.ndarray]) -> float | None:
    if len(set(words["interval"].tolist())) > 1:
        low, high = int(words["interval"].min()), int(words["interval"].max())
        raise ValueError(f"{name} must have one sampling interval; byte 117 has {low} to {high} us. Resample.")
    interval = int(words["interval"][0])
    return interval * 1e-6 if interval > 0 else None


def _by_shots(record: np.ndarray, sources: np.ndarray) -> np.ndarray:
    """Return the traces of each shot (n_shots, n_receivers); a shot of fewer repeats its first."""
    keys = np.column_stack([record, sources])
    _, first, shot = np.unique(keys, axis=0, return_index=True, return_inverse=True)
    members = [np.flatnonzero(shot.ravel() == each) for each in np.argsort(first)]
    most = max(map(len, members))
    return np.stack([np.concatenate([each, np.repeat(each[:1], most - len(each))]) for each in members])


def _first_time(order: np.ndarray) -> np.ndarray:
    """Return 1 where a trace comes for the first time in its shot, 0 where it fills up."""
    filled = (order == order[:, :1]) & (np.arange(order.shape[1]) > 0)
    return np.where(filled, 0.0, 1.0)


def write(path: Path, data: np.ndarray, geometry: tables.Geometry, interval: float) -> Path:
    """Write shot gathers as SEG-Y with IEEE floats, positions in centimetres; return the path.

    Parameters
    ----------
    path : Path
        `.sgy` or `.segy`.
    data : ndarray, shape (n_shots, n_receivers, nt)
        The gathers.
    geometry : Geometry
        Depths below elevation 0, and distances, m.
    interval : float
        Sampling interval, s; whole microseconds.

    Raises
    ------
    ValueError
        If shapes do not go together, the interval is not of 1 to 32767 whole microseconds, or segyio is not installed.
    """
    segyio, (n_shots, n_receivers, nt) = files.segyio("path"), data.shape
    _checks.shape("sources", geometry.sources, (n_shots, 1, 2))
    _checks.shape("receivers", geometry.receivers, (n_shots, n_receivers, 2))
    micro = round(interval * 1e6)
    if not 1 <= micro <= 32767 or not math.isclose(micro, interval * 1e6, rel_tol=1e-6):
        raise ValueError(f"interval must be 1 to 32767 whole microseconds; got {interval:g} s. Resample.")
    spec = segyio.spec()
    spec.format, spec.samples, spec.tracecount = 5, np.arange(nt) * interval * 1e3, n_shots * n_receivers
    part = path.with_name(f".{path.name}.part")
    field = segyio.TraceField
    try:
        with segyio.create(part, spec) as file:
            file.bin.update({segyio.BinField.Interval: micro, segyio.BinField.MeasurementSystem: 1})
            for number in range(n_shots * n_receivers):
                shot, receiver = divmod(number, n_receivers)
                (source_depth, source_x), (depth, x) = (
                    np.rint(-_SCALAR * place).astype(int).tolist()
                    for place in (geometry.sources[shot, 0], geometry.receivers[shot, receiver])
                )
                file.header[number] = {
                    field.TRACE_SEQUENCE_FILE: number + 1,
                    field.FieldRecord: shot + 1,
                    field.TraceNumber: receiver + 1,
                    field.TraceIdentificationCode: 1 if data[shot, receiver].any() else 2,
                    field.ElevationScalar: _SCALAR,
                    field.SourceGroupScalar: _SCALAR,
                    field.SourceDepth: source_depth,
                    field.ReceiverGroupElevation: -depth,
                    field.SourceX: source_x,
                    field.GroupX: x,
                    field.CoordinateUnits: 1,
                    field.TRACE_SAMPLE_COUNT: nt,
                    field.TRACE_SAMPLE_INTERVAL: micro,
                }
                file.trace[number] = np.ascontiguousarray(data[shot, receiver], dtype=np.float32)
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)
    return path
