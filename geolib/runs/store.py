"""Resumable results: one checksummed file per unit while a run goes on, one NetCDF file per study once published."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import math
import os
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from geolib import _checks
from geolib._runtime import one_thread
from geolib._runtime import write_atomic as write_atomic
from geolib.runs.provenance import commit, provenance

Arrays = dict[str, np.ndarray]
_MAGIC = b"geolib-unit-1 "
# Last line of a results file, past the end of what HDF5 reads: no damaged byte reaches its library.
_SEAL = b"\ngeolib-results-1 "
_LARGEST = 1 << 30
#: Kinds of arrays that are stored: numbers, truth values and text.
_KINDS = "biufcU"


class Damaged(ValueError):
    """A stored file that is not what was written: `what` says so, and the message what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(f"{what} {remedy}")
        self.what = what


def move_aside(path: Path, error: Damaged, then: str) -> None:
    """Move a damaged file out of the way, with a warning that says what becomes of it."""
    aside = path.with_suffix(f".damaged-{time.time_ns()}")
    path.rename(aside)
    warnings.warn(f"{error.what} It was moved to {aside.name} and {then}.", stacklevel=3)


@dataclass
class Results:
    """Results of a study: its configuration, the arrays of every unit, and where they come from.

    Attributes
    ----------
    config : dict
        The parameters of the run.
    units : dict of str to dict of str to ndarray
        Arrays by unit name and array name.
    records : dict of str to dict
        Provenance of each unit: seconds, commit, device, versions, date.
    """

    config: dict[str, Any]
    units: dict[str, Arrays] = field(default_factory=dict)
    records: dict[str, dict[str, Any]] = field(default_factory=dict)


def write_unit(path: Path, arrays: Mapping[str, Any], record: Mapping[str, Any]) -> None:
    """Write one unit: a line with the checksum, then an uncompressed npz that carries the record as JSON."""
    buffer = io.BytesIO()
    plain = {name: np.asarray(value) for name, value in arrays.items()}
    for name, value in plain.items():
        if value.dtype.kind not in _KINDS:
            raise TypeError(f"array {name!r} must be numeric or text; got dtype {value.dtype}. Convert it first.")
    np.savez(buffer, allow_pickle=False, __record__=np.array(json.dumps(dict(record))), **plain)
    payload = buffer.getvalue()
    write_atomic(path, _MAGIC + hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)


def read_unit(path: Path) -> tuple[Arrays, dict[str, Any]]:
    """Return arrays and record of a unit file.

    Raises
    ------
    ValueError
        If the file is truncated, altered or no unit at all.
    """
    if path.exists() and not path.is_file():
        raise Damaged(f"{path} must be a file; it is none.", "Delete it and run again.")
    raw = path.read_bytes()
    head, _, payload = raw.partition(b"\n")
    if not head.startswith(_MAGIC) or hashlib.sha256(payload).hexdigest().encode() != head[len(_MAGIC) :]:
        raise Damaged(f"{path} must match its checksum; it does not.", "Delete it and run again.")
    try:
        with zipfile.ZipFile(io.BytesIO(payload)) as archive:
            # What is written here is never compressed; a small file that grows on reading is an attack.
            if any(member.file_size != member.compress_size for member in archive.infolist()):
                raise ValueError("its arrays are compressed")
        with np.load(io.BytesIO(payload), allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
        if not all(isinstance(value, np.ndarray) and value.dtype.kind in _KINDS for value in arrays.values()):
            raise ValueError("it holds something that is no array of numbers or text")
        return arrays, _object(str(arrays.pop("__record__")))
    except Exception as error:  # zipfile and numpy raise a different kind for each way a file can be broken
        raise Damaged(f"{path} must be a unit file; it cannot be read ({error}).", "Delete it and run again.") from None


def _object(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise ValueError(f"{text[:40]!r} is no JSON object")
    return value


class Store:
    """A folder of unit files of one study and one configuration key.

    Parameters
    ----------
    folder : path
        Made on first writing; `folder/<unit>.unit` holds a unit, `folder/config.json` the last configuration used.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self.folder = Path(folder)

    def path(self, name: str) -> Path:
        """Return the file of a unit."""
        if not name or any(c in name for c in "/\\\0") or name.startswith("."):
            raise ValueError(f"unit name must be a plain file name; got {name!r}. Use letters, digits, '-' and '_'.")
        return self.folder / f"{name}.unit"

    def get(self, name: str) -> tuple[Arrays, dict[str, Any]] | None:
        """Return a unit, or None if there is none; a damaged file is reported, moved aside and counts as none."""
        path = self.path(name)
        if not path.exists():
            return None
        try:
            return read_unit(path)
        except Damaged as error:
            move_aside(path, error, "will be computed again")
            return None

    def put(self, name: str, arrays: Mapping[str, Any], record: Mapping[str, Any]) -> None:
        """Save a unit for good before returning."""
        write_unit(self.path(name), arrays, record)

    def clean(self) -> None:
        """Remove what a killed process left half written an hour ago or earlier: younger files may be in the making."""
        for part in self.folder.glob(".*.part"):
            with contextlib.suppress(FileNotFoundError):
                if time.time() - part.stat().st_mtime > 3600:
                    part.unlink()


Compute = Callable[[list[str]], Iterable[tuple[Any, ...]]]


def complete(
    names: Iterable[str],
    compute: Compute,
    *,
    config: Mapping[str, Any],
    store: Store | None = None,
    published: Results | None = None,
    label: str = "",
    only_finished: bool = False,
    facts: Callable[[str], Mapping[str, Any]] | None = None,
) -> Results:
    """Return the results of all units, computing only those that neither `store` nor `published` holds.

    Where both hold a unit, the store's is the later one and wins.

    Parameters
    ----------
    names : iterable of str
        The units wanted, in order.
    compute : callable
        Takes the missing names and yields `(name, arrays)` as each is finished, in any order.
    config : mapping
        Kept with the results.
    store : Store, optional
        Where finished units are saved at once; without it nothing is written.
    published : Results, optional
        Earlier results of the same key.
    label : str
        Text of the progress bar; the bar is silent unless on a terminal.
    only_finished : bool
        Return what there is and compute nothing.
    facts : callable, optional
        What the record of a unit says besides its provenance, by its name.

    Raises
    ------
    RuntimeError
        If `compute` ends without yielding a unit that was asked for.
    """
    names = list(names)
    results = Results(dict(config))
    if store is not None and not only_finished:
        store.clean()
    for name in names:
        if store is not None and (found := store.get(name)) is not None:
            results.units[name], results.records[name] = found
        elif published is not None and name in published.units:
            results.units[name], results.records[name] = published.units[name], published.records.get(name, {})
    missing = [name for name in names if name not in results.units]
    if only_finished:
        return results
    if missing:
        bar = tqdm(total=len(names), initial=len(names) - len(missing), desc=label, unit="unit", disable=None)
        with bar:
            for name, plain, record in recorded(compute(missing), facts):
                if store is not None:
                    store.put(name, plain, record)
                results.units[name], results.records[name] = plain, record
                bar.update()
    lost = [name for name in names if name not in results.units]
    if lost:
        raise RuntimeError(f"units {', '.join(lost[:5])} were asked for and not computed: the study is at fault.")
    results.units = {name: results.units[name] for name in names}
    return results


def recorded(
    items: Iterable[tuple[Any, ...]], facts: Callable[[str], Mapping[str, Any]] | None = None
) -> Iterator[tuple[str, Arrays, dict[str, Any]]]:
    """Yield name, arrays and provenance of each `(name, arrays)`; an item that brings its own provenance keeps it.

    Items are computed on one thread of torch, which is how their sums stay those of any number of cores.
    """
    commit()  # before the first unit: what is running is the code of now, whatever is committed meanwhile
    made = iter(items)
    while True:
        start = time.perf_counter()
        with one_thread():
            item = next(made, None)
            origin = provenance()
        if item is None:
            return
        name, arrays, *given = item
        seconds = round(time.perf_counter() - start, 3)
        more = facts(name) if facts is not None else {}
        plain = {key: np.asarray(value) for key, value in arrays.items()}
        yield name, plain, given[0] if given else {**origin, "seconds": seconds, **more}


def save(path: Path, results: Results, *, key: str, dims: Mapping[str, tuple[str, ...]] | None = None) -> None:
    """Write results as one NetCDF-4 file: a group for each unit, provenance as attributes; atomic.

    Parameters
    ----------
    path : Path
        The file to make or replace.
    results : Results
        What to write.
    key : str
        Key of the configuration (`Config.key`).
    dims : mapping, optional
        Names of the axes of an array, by array name.
    """
    import h5netcdf

    dims = dims or {}
    buffer = io.BytesIO()
    # The layout of HDF5 1.10 takes a quarter less than the oldest one, of which many small arrays are mostly headers.
    with h5netcdf.File(buffer, "w", libver=("v110", "v110")) as file:
        file.attrs["config"] = json.dumps(results.config)
        file.attrs["key"] = key
        for name, arrays in results.units.items():
            group = file.create_group(name)
            group.attrs["record"] = json.dumps(results.records.get(name, {}))
            for label, value in arrays.items():
                _write_variable(group, label, np.asarray(value), dims.get(label, ()))
    payload = buffer.getvalue()
    write_atomic(path, payload + _SEAL + hashlib.sha256(payload).hexdigest().encode() + b"\n")


def _write_variable(group: Any, label: str, value: np.ndarray, axes: tuple[str, ...]) -> None:
    names = []
    for axis, length in enumerate(value.shape):
        name = axes[axis] if len(axes) == value.ndim else f"{label}_{axis}"
        if name in group.dimensions and group.dimensions[name].size != length:
            name = f"{label}_{name}"
        if name not in group.dimensions:
            group.dimensions[name] = length
        names.append(name)
    options = {"compression": "gzip", "compression_opts": 6, "shuffle": True} if value.size > 64 else {}
    if value.dtype.kind == "U":
        group.attrs[f"text:{label}"] = json.dumps(value.tolist())
    elif value.dtype.kind == "b":
        group.create_variable(label, tuple(names), data=value.astype("i1"), **options).attrs["bool"] = 1
    else:
        group.create_variable(label, tuple(names), data=value, **options)


def load(path: Path) -> tuple[Results, str]:
    """Return published results and their key.

    Raises
    ------
    ValueError
        If the file is missing, damaged or altered.
    """
    import h5py

    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "leads nowhere" if path.is_symlink() else "does not"
        raise ValueError(f"results file must exist; {path} {kind}. Make it with `geolib publish`.")
    try:
        if not sealed(path):
            raise ValueError("it does not match its checksum")
        payload, _, _ = path.read_bytes().rpartition(_SEAL)
        # Not through h5netcdf, which looks up the names of dimensions: half a minute for some thousand arrays.
        with h5py.File(io.BytesIO(payload), "r") as file:
            results, key = Results(_object(file.attrs["config"])), str(file.attrs["key"])
            for name, group in file.items():
                # Each by its number in the library: h5py's own objects take most of the time of reading small arrays.
                datasets = {label.decode(): h5py.h5d.open(group.id, label) for label in group.id}
                arrays = {label: _read_variable(label, each) for label, each in datasets.items() if _is_variable(each)}
                texts = {k[5:]: _text(json.loads(group.attrs[k])) for k in group.attrs if k.startswith("text:")}
                results.units[name], results.records[name] = {**arrays, **texts}, _object(group.attrs["record"])
    except Exception as error:  # h5py raises a different kind for each way a file can be broken
        what = f"results file {path} must be whole; it is damaged ({error})."
        raise Damaged(what, "Restore it or publish again.") from None
    return results, key


def sealed(path: Path) -> bool:
    """Return whether a results file is there and matches its checksum, without reading what is in it."""
    try:
        payload, seal, checksum = _checks.content(path).rpartition(_SEAL)
    except OSError:
        return False
    return bool(seal) and hashlib.sha256(payload).hexdigest().encode() == checksum.rstrip(b"\n")


def _is_variable(dataset: Any) -> bool:
    # NetCDF keeps a dimension as a dataset of this name.
    import h5py

    if not h5py.h5a.exists(dataset, b"NAME"):
        return True
    name = h5py.Dataset(dataset).attrs["NAME"]
    return not name.startswith(b"This is a netCDF dimension but not a netCDF variable")


def _read_variable(name: str, variable: Any) -> np.ndarray:
    import h5py

    space, layout, dtype = variable.get_space(), variable.get_create_plist(), variable.dtype
    if space.get_simple_extent_type() == h5py.h5s.NULL:
        raise ValueError(f"variable {name} is empty")
    # Chunks that were never written cost nothing in a file and everything in memory.
    if math.prod(space.shape) * dtype.itemsize > _LARGEST:
        raise ValueError(f"variable {name} is larger than any of ours")
    if dtype.kind not in _KINDS:
        raise ValueError(f"variable {name} holds neither numbers nor text")
    if layout.get_layout() == h5py.h5d.VIRTUAL or layout.get_external_count():
        raise ValueError(f"variable {name} lies in another file")
    value = np.empty(space.shape, dtype.newbyteorder("="))
    variable.read(h5py.h5s.ALL, h5py.h5s.ALL, value)
    return value.astype(bool) if h5py.h5a.exists(variable, b"bool") else value


def _text(value: Any) -> np.ndarray:
    found = np.array(value)
    if found.size and found.dtype.kind != "U":
        raise ValueError("a text is none")
    return found
