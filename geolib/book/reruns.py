"""Reruns of a study's notebook: plan and time, folder with notebook, page, record; grids."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import re
import shutil
import statistics
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geolib import __version__, _checks, studies
from geolib.runs import locks, paths
from geolib.runs.config import Config, plain
from geolib.runs.store import load, write_atomic
from geolib.runs.study import AnyStudy
from geolib.runs.tables import duration

RECORD = "run.json"
TIMES = "times.json"
# The plus of 1e+1 joins nothing.
_PLUS = re.compile(r"(?<!\d[eE])(?<!\d\.[eE])\+")
# File systems take names of 255 bytes.
_LONGEST = 200


def default_folder(study: AnyStudy, config: Config) -> Path:
    """Return `reruns/STUDY-HASH`, another folder for each set of parameters."""
    values = json.dumps([studies.whole_key(study, config), config.as_dict()])
    return Path("reruns") / f"{study.name}-{hashlib.sha256(values.encode()).hexdigest()[:8]}"


def read_parameters(path: Path, study: str = "") -> dict[str, Any]:
    """Return the parameters of a file: a YAML or JSON mapping, or the `run.json` of a run.

    Raises
    ------
    ValueError
        If the file is no such mapping or the record of another study; names and values are checked
        by the study's configuration.
    """
    found = _checks.plain_yaml("parameter file", path)
    if isinstance(found, dict) and {"study", "parameters"} <= found.keys():
        if study and found["study"] != study:
            raise ValueError(
                f"parameter file {path} must be of {study}; it is of {found['study']!r}. "
                "Give another."
            )
        found = found["parameters"]
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise ValueError(
            f"parameter file {path} must map names to values; it does not. Write iterations: 60, "
            "say."
        )
    return found


def check_once(names: Sequence[str]) -> None:
    """Raise ValueError if a parameter is given twice: only one of its values could count."""
    for name in names:
        if names.count(name) > 1:
            raise ValueError(
                f"parameter {name} must be given once; it is given {names.count(name)} times. "
                "Drop one."
            )


def expected(study: AnyStudy, config: Config) -> str:
    """Return how long a rerun should take, from recorded times alone; it may be unknown."""
    name = study.name
    root = paths.checkout()
    file = root / ".build" / f"{name}.seconds" if root else None
    try:
        seconds = float(file.read_text()) if file else None
    except (OSError, ValueError):
        seconds = None
    if seconds is not None and not config.changes():
        return f"about {duration(seconds)}, as the last time on this machine"
    if reference := _reference(study, config):
        return reference
    units = study.names(config)
    for label in study.at_hand:
        path = paths.shipped(name, label)
        results, key = load(path) if path.is_file() else (None, "")
        if results is not None and key == studies.key(study, config):
            known: dict[str, list[float]] = {}
            for unit, record in results.records.items():
                if "seconds" in record:
                    known.setdefault(_kind(unit), []).append(float(record["seconds"]))
            times = [statistics.mean(known[kind]) for kind in map(_kind, units) if kind in known]
            unlike = len(units) - len(times)
            if times:
                text = (
                    f"about {duration(sum(times))} of computing for {len(times)} units, by the "
                    "shipped run's record"
                )
                return text + (
                    f"; unknown for {unlike} units, nothing like them is shipped" if unlike else ""
                )
    if seconds is None:
        return "unknown, nothing like it is recorded here"
    return (
        f"unknown for these parameters; the quick preset took about {duration(seconds)} on this "
        "machine"
    )


def _reference(study: AnyStudy, config: Config) -> str:
    """Return what shipped times say of these parameters, if any (`tests.references --time`)."""
    try:
        entries = json.loads((paths.results() / TIMES).read_text(encoding="utf-8"))[study.name]
        wanted = {"key": studies.key(study, config), "parameters": config.as_dict()}
        found = next(entry for entry in entries if wanted.items() <= entry.items())
        return (
            f"about {duration(float(found['cpu_seconds']))} of one core of {found['device']}, as "
            "measured for the book"
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError, StopIteration):
        return ""


def _kind(unit: str) -> str:
    # Without the numbers of trial, model and the like. Only a mean over all of these is a time: of
    # units computed as a batch the first has all the seconds and its mates have none.
    return re.sub(r"-[a-z]?\d+(?=-|$)", "", unit)


def finished(study: AnyStudy, config: Config, folder: Path) -> bool:
    """Return True if the folder holds this very run of the study's present version."""
    try:
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    wanted = {
        "key": studies.whole_key(study, config),
        "parameters": config.as_dict(),
        "version": __version__,
    }
    made = [folder / f"{page}.{kind}" for page in study.pages for kind in ("ipynb", "html")]
    return (
        isinstance(record, dict)
        and wanted.items() <= record.items()
        and all(path.is_file() for path in made)
    )


def run(
    study: AnyStudy,
    config: Config,
    folder: Path,
    *,
    progress: bool = False,
    say: Callable[[str], None] | None = None,
) -> tuple[Path, Path]:
    """Execute a study's notebooks into `folder`, with pages and `run.json`; return the chapter's.

    Parameters
    ----------
    study, config
        What to run.
    folder : Path
        Where the result goes; one process at a time works there.
    progress : bool
        Show a bar, one step for each cell.
    say : callable, optional
        Takes a line about each code cell as it is done.

    Raises
    ------
    RuntimeError
        If a cell fails or another process works in the folder, whose results are left as they were.

    Notes
    -----
    Units are kept in the folder (`.units-*`) until the run is done: after an interruption the same
    call goes on.
    """
    from geolib.book import mathematics, notebooks, records, staleness, standalone

    mathematics.single()  # fails now rather than after the run if the book's packages are missing
    name = study.name
    note = f"> **This run differs from the quick preset in:** {config.differences()}"
    note += " (in brackets: the quick preset)." if config.changes() else "."
    with locks.held(folder, "a run", "Wait for it, or choose another folder by --out."):
        # Draft and result share a folder, so that all files appear together at the end.
        notebooks.remove_drafts(folder, ".run-")
        units = staleness.kept_units(folder, name)
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".run-{locks.own_name()}-") as draft:
            executed = [
                notebooks.execute(
                    page,
                    config.changes(),
                    Path(draft) / f"{page}.ipynb",
                    progress=progress,
                    note=note,
                    say=say,
                    units=units,
                )
                for page in study.pages
            ]
            record = _record(study, config, notebooks.read(executed[0]).metadata["geolib"])
            taken = {**record["provenance"], "seconds": record["seconds"]}
            left = _left_beside(study, config, units, Path(draft))
            facts = records.facts(config, [taken]) | _files(config, left)
            notebooks.append(executed[-1], records.section({"This run": facts}))
            rendered = standalone.render_together(executed, study.title, study)
            (folder / RECORD).unlink(missing_ok=True)  # it vouches for the others
            for made in (*executed, *rendered, *left):
                os.replace(made, folder / made.name)
            write_atomic(folder / RECORD, json.dumps(record, indent=1).encode())
        shutil.rmtree(units, ignore_errors=True)
    return folder / executed[0].name, folder / rendered[0].name


def _left_beside(study: AnyStudy, config: Config, units: Path, draft: Path) -> list[Path]:
    """Write what the run leaves beside its page, which is taken away with its units otherwise."""
    left = [
        Path(shutil.copyfile(found, draft / name))
        for name, place in study.leaves.items()
        for found in units.glob(f"{study.name}/*/{place}")
    ]
    if study.name in studies.OWN:
        known = studies.run(study, config, folder=units, only_finished=True).units
        for name, values in study.arrays(config, known).items():
            np.save(draft / name, values)
            left.append(draft / name)
    return left


def _files(config: Config, left: Sequence[Path]) -> dict[str, str]:
    """Return which files were given, by their content, and which lie beside the page."""
    told = {}
    if given := config.files():
        digests = {Path(path).name: _digest(Path(path)) for path in dict.fromkeys(given)}
        told["Files, SHA-256"] = ", ".join(f"{name} `{sha}`" for name, sha in digests.items())
    if left:
        told["Beside this page"] = ", ".join(f"`{path.name}`" for path in left)
    return told


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _record(study: AnyStudy, config: Config, executed: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "study": study.name,
        "key": studies.whole_key(study, config),
        "version": __version__,
        "parameters": config.as_dict(),
        "changes": json.loads(json.dumps(config.changes())),
        "measures": executed["measures"],
        "seconds": executed["seconds"],
        "provenance": executed["provenance"],
    }


def grid(
    kind: type[Config], preset: str, changes: Sequence[tuple[str, str]]
) -> list[tuple[str, Config]]:
    """Return name and configuration of every combination of values.

    Parameters
    ----------
    kind : type
        A study's configuration.
    preset : str
        Where the other parameters come from.
    changes : sequence of (name, values)
        Values are separated by commas; the entries of one value of a list parameter are joined by
        '+'. A file that all combinations share is no part of their names.

    Raises
    ------
    TypeError, ValueError
        If a name or a value is refused, or files alone are given, before anything runs.
    """
    kinds = {row["name"]: row["type"] for row in kind.describe()}
    names, columns = [name for name, _ in changes], []
    for name, values in changes:
        whole = name in kind.file_names() and os.path.isfile(values)  # with commas in its name, too
        entries = [values] if whole else [value.strip() for value in values.split(",")]
        if not all(entries) or names.count(name) > 1:
            raise ValueError(
                f"{name} must be given once, with values such as 1,2,3; got {values!r}. Correct it."
            )
        is_list = kinds.get(name, "").startswith("list")
        columns.append([_PLUS.sub(",", entry) if is_list else entry for entry in entries])
    shared = {n for n, c in zip(names, columns, strict=True) if len(c) == 1} & kind.file_names()
    varied = [name for name in names if name not in shared]
    if not varied:
        raise ValueError("a sweep must vary a parameter; got no -p NAME V1,V2. Add one.")
    made = {}
    for combination in itertools.product(*columns):
        config = kind.preset(preset, **dict(zip(names, combination, strict=True)))
        label = "_".join(f"{name}-{_shown(config, name).replace(',', '+')}" for name in varied)
        if len(label.encode()) > _LONGEST:
            label = f"{label[:100]}-{hashlib.sha256(label.encode()).hexdigest()[:8]}"
        if label in made:
            raise ValueError(f"values of a sweep must differ; {label} comes twice. Name each once.")
        made[label] = config
    return list(made.items())


def sweep_folder(study: str, configs: Sequence[Config]) -> Path:
    """Return where a sweep's runs are kept: those of other files of the reader's elsewhere."""
    paths_of = sorted({path for config in configs for path in config.files()})
    digest = hashlib.sha256("\n".join(paths_of).encode()).hexdigest()[:8]
    return Path("reruns") / f"{study}-sweep{f'-{digest}' if paths_of else ''}"


def _shown(config: Config, name: str) -> str:
    """Return a parameter's value as the name of a folder has it: of a file its own name."""
    value = plain(getattr(config, name))
    return Path(value).name if name in config.file_names() else value
