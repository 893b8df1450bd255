"""Running a study: what identifies its results, and the results of all its units, computing what is missing."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geolib import _checks
from geolib.runs import inputs, locks, paths, scheduler, surroundings
from geolib.runs.config import Config
from geolib.runs.store import Results, Store, complete, load, recorded
from geolib.runs.study import AnyStudy
from geolib.runs.unit import Arrays, Unit


def key(study: AnyStudy, config: Config, files: Iterable[str] = ()) -> str:
    """Return what identifies results.

    Parameters
    ----------
    study, config
        The study's version and all parameters that a result depends on are part of the key.
    files : iterable of str
        Data and weights that the results rest on. Those that are not what shipped results rested on when hashes of
        files entered the keys are part of it.
    """
    return _identity(study, config, inputs.marked(files))


def whole_key(study: AnyStudy, config: Config) -> str:
    """Return what identifies a run of a study's notebook: the key with all files that it reads."""
    of_units = (file for unit in study.units(config) for file in study.inputs(config, unit))
    return key(study, config, {*study.files, *of_units})


def _identity(study: AnyStudy, config: Config, others: Mapping[str, str]) -> str:
    digest = hashlib.sha256(json.dumps(others, sort_keys=True).encode()).hexdigest()[:8]
    return f"v{study.version}-{config.key()}{f'-{digest}' if others else ''}"


def run(
    study: AnyStudy,
    config: Config,
    *,
    folder: str | Path | None = None,
    reuse: Sequence[str] = (),
    only_finished: bool = False,
    address: str | None = None,
    jobs: int = 1,
    units: Sequence[Unit] | None = None,
) -> Results:
    """Return the results of all units of `config`, or of some, computing what is missing.

    Parameters
    ----------
    study : Study
        One of the studies.
    config : Config
        Its configuration.
    folder : path, optional
        Where units are saved as they finish, in a subfolder for each key; nothing is saved without it, but in a kernel
        whose run keeps them (`geolib.runs.surroundings.UNITS`).
    reuse : sequence of str
        Shipped files, by preset or name, from which units of the same key are taken; the first that has one counts.
    only_finished : bool
        Return the units that exist and compute none.
    address : str, optional
        Dask scheduler that computes the units; by default the one of the variable DASK_SCHEDULER_ADDRESS, if it is set.
    jobs : int
        Processes on this machine where there is no scheduler; 1 computes in this process, or in as many as the variable
        GEOLIB_JOBS says, by which `geolib run --jobs` tells its kernel.
    units : sequence of Unit, optional
        Those wanted, where not all of the configuration are.

    Notes
    -----
    Units that build on one another are computed in this process, whatever `address` and `jobs` say.

    Where a public data file is absent, units that rest on it are made from a stand-in and are results of another key,
    unless all of them are at hand as computed from the real file: those are taken then.
    """
    _checks.integer("jobs", jobs, low=1)
    folder = folder if folder is not None else os.environ.get(surroundings.UNITS)
    asked = address is not None or jobs > 1
    if not asked:
        address, jobs = scheduler.of_environment()
    if isinstance(address, str):
        scheduler.check_address(address)  # also where nothing is left to compute
    if study.sequential:
        if asked:
            warnings.warn(f"units of {study.name} build on one another: they are computed here.", stacklevel=2)
        address, jobs = None, 1
    published = reused(study, config, reuse)
    results = Results(config.as_dict())
    wanted = study.units(config) if units is None else units
    for part in _parts(study, config, wanted):
        known = None
        if inputs.ABSENT in part.others.values():
            real = dataclasses.replace(part, others={n: s for n, s in part.others.items() if s != inputs.ABSENT})
            known = _complete(real, real.place(folder), published, only_finished=True)
        if known is None or len(known.units) < len(part.units):
            known = _complete(
                part, part.place(folder), published, only_finished=only_finished, address=address, jobs=jobs
            )
        results.units |= known.units
        results.records |= known.records
    results.units = {name: results.units[name] for name in study.names(config) if name in results.units}
    return results


def recompute(
    study: AnyStudy,
    config: Config,
    names: Sequence[str],
    *,
    folder: str | Path,
    address: str | None = None,
    jobs: int = 1,
) -> None:
    """Compute units anew, whatever there is of them, without the state that an earlier run has left.

    Parameters
    ----------
    study, config, folder, address, jobs
        As for `run`.
    names : sequence of str
        The units. When all are done they take the place of the earlier ones in the folder; a killed call goes on.

    Raises
    ------
    ValueError
        If the configuration has no such unit.
    RuntimeError
        If another process is computing units of this key anew: the two would share a folder, and one end both.
    """
    known = study.names(config)
    for name in names:
        _checks.choice("unit to recompute", name, known)
    for part in _parts(study, config, [study.unit(name) for name in dict.fromkeys(names)]):
        place = part.place(folder)
        assert place is not None
        again = place / "again"
        with locks.held(place, "geolib publish --recompute", "Wait for it."):
            made = _complete(part, again, Results({}), only_finished=False, address=address, jobs=jobs)
            for name, arrays in made.units.items():
                Store(place).put(name, arrays, made.records[name])
            shutil.rmtree(again)


@dataclass(frozen=True)
class _Part:
    """Units that rest on the same files; `others` are those that their key tells."""

    study: AnyStudy
    config: Config
    units: tuple[Unit, ...]
    others: Mapping[str, str]

    @property
    def key(self) -> str:
        """What identifies the units' results."""
        return _identity(self.study, self.config, self.others)

    def place(self, folder: str | Path | None) -> Path | None:
        """Return where the units are kept below the folder of all runs."""
        return Path(folder) / self.study.name / self.key if folder is not None else None

    def facts(self, name: str) -> dict[str, Any]:
        """Return what a unit's record says besides its provenance."""
        group = {"group": self.study.grouping(self.study.unit(name))}
        return group | ({"inputs": dict(self.others)} if self.others else {})


def _parts(study: AnyStudy, config: Config, units: Iterable[Unit]) -> list[_Part]:
    by_files: dict[tuple[str, ...], list[Unit]] = {}
    for unit in units:
        by_files.setdefault(tuple(sorted(study.inputs(config, unit))), []).append(unit)
    by_key: dict[str, tuple[dict[str, str], list[Unit]]] = {}
    for files, resting in by_files.items():
        others = inputs.marked(files)
        by_key.setdefault(_identity(study, config, others), (others, []))[1].extend(resting)
    return [_Part(study, config, tuple(resting), others) for others, resting in by_key.values()]


def _complete(
    part: _Part,
    state: Path | None,
    published: Results,
    *,
    only_finished: bool,
    address: str | None = None,
    jobs: int = 1,
) -> Results:
    """Return the results of one part, computing what neither the folder `state` nor `published` holds."""
    study, config = part.study, part.config
    same = [name for name, record in published.records.items() if record.get("inputs", {}) == part.others]
    fitting = Results(config.as_dict(), {n: published.units[n] for n in same}, {n: published.records[n] for n in same})

    def compute(names: list[str]) -> Iterator[tuple[Any, ...]]:
        units = [study.unit(name) for name in names]
        if not address and jobs == 1:
            for unit, arrays in study.compute(config, units, state):
                yield unit.name, arrays
            return
        if state is not None:
            # Workers that see it save their units and their state there.
            state.mkdir(parents=True, exist_ok=True)
        place = str(state.absolute()) if state is not None else None
        calls = [
            (study, config, part.key, place, [unit.name for unit in batch]) for batch in study.batches(config, units)
        ]
        for _, made in scheduler.unordered(_batch, calls, address=address, jobs=jobs):
            yield from made

    return complete(
        [unit.name for unit in part.units],
        compute,
        config=config.as_dict(),
        store=Store(state) if state is not None else None,
        published=fitting,
        label=study.name,
        only_finished=only_finished,
        facts=part.facts,
    )


def _batch(
    study: AnyStudy, config: Config, expected: str, folder: str | None, names: list[str]
) -> list[tuple[str, Arrays, dict[str, Any]]]:
    (part,) = _parts(study, config, [study.unit(name) for name in names])
    if part.key != expected:
        raise RuntimeError(
            f"workers must have this version of {study.name} and its data; one has another. Install it everywhere."
        )
    # A worker that sees the run's folder goes on from the state and the units that a killed one left
    # there, and saves every unit of a group at once; a single unit is saved where it was asked for.
    state = Path(folder) if folder is not None and Path(folder).is_dir() else None
    store = Store(state) if state is not None and len(names) > 1 else None
    kept = [(name, *found) for name in names if store is not None and (found := store.get(name)) is not None]
    done = {name for name, *_ in kept}
    left = [study.unit(name) for name in names if name not in done]
    made = study.compute(config, left, state) if left else iter(())
    for name, arrays, record in recorded(((unit.name, arrays) for unit, arrays in made), part.facts):
        if store is not None:
            store.put(name, arrays, record)
        kept.append((name, arrays, record))
    return kept


def reused(study: AnyStudy, config: Config, labels: Iterable[str]) -> Results:
    """Return the units of the shipped files of these names that are of the configuration's key."""
    found = Results(config.as_dict())
    for label in dict.fromkeys(labels):
        path = paths.shipped(study.name, label)
        if os.path.lexists(path):
            try:
                results, there = load(path)
            except (ValueError, ImportError) as error:  # a bare machine has no h5netcdf
                warnings.warn(f"{getattr(error, 'what', error)} Its units are computed again.", stacklevel=3)
                continue
            if there == key(study, config):
                found.units = results.units | found.units
                found.records = {name: results.records.get(name, {}) for name in results.units} | found.records
    return found
