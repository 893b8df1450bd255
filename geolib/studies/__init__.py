"""One module for each paper, and what they share: finding, running and publishing a study.

A study is a module with

- `TITLE`, one line, `QUESTION`, one sentence for the landing page, and `VERSION`, raised when a unit's meaning changes;
- `Config`, a frozen `geolib.runs.config.Config` with presets;
- `unit_names(config)`, the independent units of a run, as plain file names;
- `compute(config, names)`, which yields `(name, arrays)` for each name, in any order; a study whose units build on one
  another also takes `folder` (None or the run's folder), where it keeps the state from which a killed run goes on;
- `tasks(config, names)`, only where `compute` takes `folder` or computes several units together: names in groups
  that may be computed apart from one another, in other processes or on other machines;
- `grouping(name)`, optional: what a unit's record says of the units that it is computed together with;
- `measures(config, units)`, the numbers that the claims ledger asks for, from whatever units there are;
- `variants(config, units)`, optional: by a choice of ours, the measures that another one gives;
- `condense(units)`, optional: the units as they are shipped, without what another of them holds as well;
- `DIMS`, names of axes by array name, and `FILES`, the names in `geolib.datasets.fetch.FILES` that it reads.
"""

from __future__ import annotations

import importlib
import inspect
import os
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from geolib import _checks
from geolib.runs import paths, scheduler, surroundings
from geolib.runs.config import PRESETS, Config
from geolib.runs.measure import Measure
from geolib.runs.store import Arrays, Damaged, Results, Store, complete, load, recorded, save

NAMES = ("gan_101", "wgan_traces", "latent_inversion", "rnn_fwi")
#: Studies without a chapter of their own, and the chapter that shows them.
COMPANIONS = dict.fromkeys(("wgan_stopping", "wgan_factor", "wgan_conditional", "wgan_gathers"), "wgan_traces")
COMPANIONS |= dict.fromkeys(("latent_prior", "latent_facies"), "latent_inversion")
#: Measures of the trace GAN's epochs are shipped under this name; they are no run of their own.
APART = "quality"
_MODULES = {name: f"{name}.study" for name in NAMES}
_MODULES |= {name: f"{chapter}.{name.split('_')[1]}" for name, chapter in COMPANIONS.items()}


def get(name: str) -> ModuleType:
    """Return the module of a study or companion; an unknown name raises ValueError with the nearest study."""
    if name not in COMPANIONS:
        _checks.choice("study", name, NAMES)
    return importlib.import_module(module_of(name))


def module_of(name: str) -> str:
    """Return the name of the module that a study or companion is."""
    return f"geolib.studies.{_MODULES[name]}"


def name_of(study: ModuleType) -> str:
    """Return the name of a study's module, also where it runs as a script."""
    path = Path(study.__file__ or "")
    names = {module: name for name, module in _MODULES.items()}
    return names.get(f"{path.parent.name}.{path.stem}", path.stem)


def key(study: ModuleType, config: Config) -> str:
    """Return what identifies the results of a configuration: its key and the study's version."""
    return f"v{study.VERSION}-{config.key()}"


def run(
    study: ModuleType,
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
    study : module
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
    store = Store(Path(folder) / name_of(study) / key(study, config)) if folder is not None else None
    published = _published(study, config, reuse) if reuse else None
    state = store.folder if store is not None else None
    if address is None and jobs == 1:
        address = os.environ.get(scheduler.VARIABLE) or None
    if isinstance(address, str):
        scheduler.check_address(address)  # also where nothing is left to compute

    def compute(names: list[str]) -> Iterator[tuple]:
        groups = tasks(study, config, names) if address or jobs > 1 else None
        if groups is None:
            if address or jobs > 1:
                warnings.warn(f"units of {name_of(study)} build on one another: they are computed here.", stacklevel=2)
            yield from study.compute(config, names, **_state(study, state))
            return
        if state is not None:
            state.mkdir(parents=True, exist_ok=True)  # workers that see it save their units and their state there
        # A study that runs as a script is `__main__` here; workers know it by its name.
        module = study.__spec__.name if study.__spec__ else module_of(name_of(study))
        same = (module, config.as_dict(), key(study, config), str(state.absolute()) if state is not None else None)
        for _, made in scheduler.unordered(_group, [(*same, group) for group in groups], address=address, jobs=jobs):
            yield from made

    return complete(
        study.unit_names(config),
        compute,
        config=config.as_dict(),
        store=store,
        published=published,
        label=name_of(study),
        only_finished=only_finished,
        grouping=getattr(study, "grouping", None),
    )


def tasks(study: ModuleType, config: Config, names: list[str]) -> list[list[str]] | None:
    """Return the units in groups that may be computed apart from one another, or None if they build on one another.

    A study says so by its function `tasks`. Without one its units are independent, each a group, unless `compute` keeps
    state in the run's folder.
    """
    if hasattr(study, "tasks"):
        return study.tasks(config, names)
    return None if _state(study, None) else [[name] for name in names]


def _state(study: ModuleType, folder: Path | None) -> dict[str, Path | None]:
    return {"folder": folder} if "folder" in inspect.signature(study.compute).parameters else {}


def _group(
    module: str, parameters: dict[str, Any], expected: str, folder: str | None, names: list[str]
) -> list[tuple[str, Arrays, dict[str, Any]]]:
    study = importlib.import_module(module)
    config = study.Config(**parameters)
    if key(study, config) != expected:
        raise RuntimeError(f"workers must have this version of {module}; one has another. Install the same everywhere.")
    # A worker that sees the run's folder goes on from the state and the units that a killed one left there, and saves
    # every unit of a group at once; a single unit is saved where it was asked for.
    state = Path(folder) if folder is not None and Path(folder).is_dir() else None
    store = Store(state) if state is not None and len(names) > 1 else None
    kept = [(name, *found) for name in names if store is not None and (found := store.get(name)) is not None]
    left = [name for name in names if name not in {name for name, *_ in kept}]
    made = study.compute(config, left, **_state(study, state)) if left else ()
    for name, arrays, record in recorded(made, getattr(study, "grouping", None)):
        if store is not None:
            store.put(name, arrays, record)
        kept.append((name, arrays, record))
    return kept


def _published(study: ModuleType, config: Config, labels: Sequence[str]) -> Results | None:
    for label in labels:
        path = paths.shipped(name_of(study), label)
        if os.path.lexists(path):
            try:
                results, found = load(path)
            except (ValueError, ImportError) as error:  # a bare machine has no h5netcdf
                warnings.warn(f"{getattr(error, 'what', error)} Its units are computed again.", stacklevel=2)
                continue
            if found == key(study, config):
                return results
    return None


def publish(
    study: ModuleType,
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
    path = paths.shipped(name_of(study), preset)
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
    if hasattr(study, "condense"):
        results.units = study.condense(results.units)
    save(path, results, key=key(study, config), dims=study.DIMS)
    return path


def _earlier(study: ModuleType, config: Config, path: Path) -> Results | None:
    """Return what is published in a file of this configuration; a damaged file is moved aside."""
    if not os.path.lexists(path):
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


def shipped(study: ModuleType, preset: str = "paper") -> Results | None:
    """Return the shipped results of a preset, or None if there are none."""
    path = paths.shipped(name_of(study), preset)
    return load(path)[0] if os.path.lexists(path) else None  # a folder or a dangling link is damage, not absence


def shipped_measures(study: ModuleType) -> dict[str, Measure]:
    """Return the measures of what is shipped of a study and its companions, by name; see `shipped_sources`."""
    return {name: measure for name, (measure, _) in shipped_sources(study).items()}


def shipped_sources(study: ModuleType) -> dict[str, tuple[Measure, str]]:
    """Return the measures of what is shipped of a study and its companions, each with the file that it is from.

    The paper preset wins over the quick; measures of a file of another name have that in front, as in
    ``width64.table1.I.image``.
    """
    found: dict[str, tuple[Measure, str]] = {}
    companions = [get(name) for name, chapter in COMPANIONS.items() if chapter == name_of(study)]
    for part in (*companions, study):
        head = f"{name_of(part)}-"
        labels = sorted(path.stem.removeprefix(head) for path in paths.results().glob(f"{head}*.nc"))
        others = [label for label in labels if label not in {*PRESETS, APART}]
        for label in (*PRESETS, *others):
            results = shipped(part, label)
            if results is not None:
                made = part.measures(part.Config.stored(results.config), results.units)
                front = "" if label in PRESETS else f"{label}."
                found.update({f"{front}{name}": (measure, f"{head}{label}.nc") for name, measure in made.items()})
    return found


def shipped_variants(study: ModuleType) -> dict[str, dict[str, Measure]]:
    """Return by a choice of ours what another one makes of the shipped results, for studies that have `variants`."""
    results = shipped(study)
    if results is None or not hasattr(study, "variants"):
        return {}
    return study.variants(study.Config.stored(results.config), results.units)


def main(study: ModuleType, arguments: list[str] | None = None) -> int:
    """Run a study without its notebook: `python -m geolib study <name> --preset paper --folder runs`."""
    import argparse

    parser = argparse.ArgumentParser(prog=f"geolib study {name_of(study)}", description=study.TITLE)
    parser.add_argument("--preset", default="quick", choices=("quick", "paper"))
    parser.add_argument("--folder", default="runs", help="where units are saved (default: runs)")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="one parameter")
    scheduler.add_options(parser)
    options = parser.parse_args(arguments)
    changes: dict[str, Any] = dict(options.p)
    try:
        config = study.Config.preset(options.preset, **changes)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    try:
        reuse = PRESETS[::-1]
        results = run(study, config, folder=options.folder, reuse=reuse, address=options.scheduler, jobs=options.jobs)
    except (RuntimeError, ValueError, OSError, ArithmeticError) as error:
        parser.exit(1, f"{parser.prog}: {error}\n")
    except KeyboardInterrupt:
        parser.exit(130, f"{parser.prog}: stopped; finished units are in {options.folder}\n")
    print(f"{name_of(study)}: {len(results.units)} units; those computed here are in {options.folder}")
    return 0
