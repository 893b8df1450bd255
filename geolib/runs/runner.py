"""Running a study and publishing what it computed."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from geolib import _checks
from geolib.runs import paths, scheduler, surroundings
from geolib.runs.config import PRESETS, Config
from geolib.runs.store import Damaged, Results, Store, complete, load, recorded, save
from geolib.runs.study import Study
from geolib.runs.unit import Arrays


def key(study: Study, config: Config) -> str:
    """Return what identifies the results of a configuration: its key and the study's version."""
    return f"v{study.version}-{config.key()}"


def run(
    study: Study,
    config: Config,
    *,
    folder: str | Path | None = None,
    reuse: Sequence[str] = (),
    only_finished: bool = False,
    address: str | None = None,
    jobs: int = 1,
) -> Results:
    """Return the results of all units of `config`, computing what is missing.

    Parameters
    ----------
    study : Study
        One of the studies.
    config : Config
        Its configuration.
    folder : path, optional
        Where units are saved as they finish, in a subfolder of the configuration; nothing is saved without it, but in
        a kernel whose run keeps them (`geolib.runs.surroundings.UNITS`).
    reuse : sequence of str
        Shipped files, by preset or name, from which units of the same key are taken.
    only_finished : bool
        Return the units that exist and compute none.
    address : str, optional
        Dask scheduler that computes the units; by default the one of the variable DASK_SCHEDULER_ADDRESS, if it is set.
    jobs : int
        Processes on this machine where there is no scheduler; 1 computes in this process.

    Notes
    -----
    Units that build on one another are computed in this process, whatever `address` and `jobs` say.
    """
    _checks.integer("jobs", jobs, low=1)
    folder = folder if folder is not None else os.environ.get(surroundings.UNITS)
    store = Store(Path(folder) / study.name / key(study, config)) if folder is not None else None
    published = _published(study, config, reuse) if reuse else None
    state = store.folder if store is not None else None
    if address is None and jobs == 1:
        address = os.environ.get(scheduler.VARIABLE) or None
    if isinstance(address, str):
        scheduler.check_address(address)  # also where nothing is left to compute

    def compute(names: list[str]) -> Iterator[tuple[Any, ...]]:
        spread = bool(address) or jobs > 1
        if study.sequential and spread:
            warnings.warn(f"units of {study.name} build on one another: they are computed here.", stacklevel=2)
        units = [study.unit(name) for name in names]
        if study.sequential or not spread:
            for unit, arrays in study.compute(config, units, state):
                yield unit.name, arrays
            return
        if state is not None:
            # Workers that see it save their units and their state there.
            state.mkdir(parents=True, exist_ok=True)
        place = str(state.absolute()) if state is not None else None
        same = (study, config, key(study, config), place)
        calls = [(*same, [unit.name for unit in batch]) for batch in study.batches(config, units)]
        for _, made in scheduler.unordered(_batch, calls, address=address, jobs=jobs):
            yield from made

    return complete(
        study.names(config),
        compute,
        config=config.as_dict(),
        store=store,
        published=published,
        label=study.name,
        only_finished=only_finished,
        grouping=lambda name: study.grouping(study.unit(name)),
    )


def _batch(
    study: Study, config: Config, expected: str, folder: str | None, names: list[str]
) -> list[tuple[str, Arrays, dict[str, Any]]]:
    if key(study, config) != expected:
        raise RuntimeError(
            f"workers must have this version of {study.name}; one has another. Install the same everywhere."
        )
    # A worker that sees the run's folder goes on from the state and the units that a killed one left
    # there, and saves every unit of a group at once; a single unit is saved where it was asked for.
    state = Path(folder) if folder is not None and Path(folder).is_dir() else None
    store = Store(state) if state is not None and len(names) > 1 else None
    kept = [(name, *found) for name in names if store is not None and (found := store.get(name)) is not None]
    done = {name for name, *_ in kept}
    left = [study.unit(name) for name in names if name not in done]
    made = study.compute(config, left, state) if left else iter(())
    named = ((unit.name, arrays) for unit, arrays in made)
    for name, arrays, record in recorded(named, lambda name: study.grouping(study.unit(name))):
        if store is not None:
            store.put(name, arrays, record)
        kept.append((name, arrays, record))
    return kept


def _published(study: Study, config: Config, labels: Sequence[str]) -> Results | None:
    for label in labels:
        path = paths.shipped(study.name, label)
        if path.is_file():
            try:
                results, found = load(path)
            except (ValueError, ImportError) as error:  # a bare machine has no h5netcdf
                warnings.warn(f"{getattr(error, 'what', error)} Its units are computed again.", stacklevel=2)
                continue
            if found == key(study, config):
                return results
    return None


def publish(
    study: Study,
    config: Config,
    preset: str,
    *,
    folder: str | Path,
    only_finished: bool = False,
    address: str | None = None,
    jobs: int = 1,
) -> Path:
    """Complete a run, merge it with what is published under the same key, and write `book/results/<study>-<preset>.nc`.

    Parameters
    ----------
    study, config, preset
        What was run and under which name it is shipped; a configuration of another key needs a name of its own.
    folder : path
        Where the units are.
    only_finished : bool
        Compute nothing: publish the units there are, so that a long run can ship as it grows.
    address, jobs
        Where units are computed, as for `run`.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If the file there holds results of another configuration, or there is nothing to publish.
    """
    path = paths.shipped(study.name, preset)
    _earlier(study, config, path)  # refused before anything is computed
    reuse = tuple(dict.fromkeys((preset, *PRESETS[::-1])))
    results = run(study, config, folder=folder, reuse=reuse, only_finished=only_finished, address=address, jobs=jobs)
    if not results.units:
        raise ValueError(f"folder must hold a finished unit to be published; {folder} does not. Run the study first.")
    # Read again: another run may have published meanwhile.
    earlier = _earlier(study, config, path)
    if earlier is not None:
        if set(results.units) < set(earlier.units):
            results.config = earlier.config  # that of the larger run, whose units stay: the file only grows
        results.units = {**earlier.units, **results.units}
        results.records = {**earlier.records, **results.records}
    results.units = study.condense(results.units)
    save(path, results, key=key(study, config), dims=study.dims)
    return path


def _earlier(study: Study, config: Config, path: Path) -> Results | None:
    """Return what is published in a file of this configuration; a damaged file is moved aside."""
    if not path.is_file():
        return None
    try:
        results, found = load(path)
    except Damaged as error:
        aside = path.with_suffix(f".damaged-{time.time_ns()}")
        path.rename(aside)
        warnings.warn(f"{error.what} It was moved to {aside.name} and is written anew.", stacklevel=3)
        return None
    if found != key(study, config):
        raise ValueError(
            f"{path.name} must hold results of this configuration ({key(study, config)}); it holds {found}. "
            "Move it away to replace it, or publish under another name (--as)."
        )
    return results


def shipped(study: Study, preset: str = "paper") -> Results | None:
    """Return the shipped results of a preset, or None if there are none."""
    path = paths.shipped(study.name, preset)
    return load(path)[0] if path.is_file() else None
