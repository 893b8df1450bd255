"""One module for each paper, and what they share: finding, running and publishing a study.

A study is a module with

- `TITLE`, one line, `QUESTION`, one sentence for the landing page, and `VERSION`, raised when a unit's meaning changes;
- `Config`, a frozen `geolib.config.Config` with presets;
- `unit_names(config)`, the independent units of a run, as plain file names;
- `compute(config, names)`, which yields `(name, arrays)` for each name, in any order; a study whose units build on one
  another also takes `folder` (None or the run's folder), where it keeps the state from which a killed run goes on;
- `measures(config, units)`, the numbers that the claims ledger asks for, from whatever units there are;
- `DIMS`, names of axes by array name.
"""

from __future__ import annotations

import functools
import importlib
import inspect
import warnings
from pathlib import Path
from types import ModuleType
from typing import Any

from geolib import _checks, paths
from geolib.claims import Measure
from geolib.config import Config
from geolib.store import Results, Store, complete, load, save

NAMES = ("gan_101", "wgan_traces", "latent_inversion", "rnn_fwi")


def get(name: str) -> ModuleType:
    """Return the module of a study; an unknown name raises ValueError with the nearest one."""
    _checks.choice("study", name, NAMES)
    return importlib.import_module(f"geolib.studies.{name}")


def name_of(study: ModuleType) -> str:
    """Return the name of a study's module, also where it runs as a script."""
    return Path(study.__file__ or "").stem


def key(study: ModuleType, config: Config) -> str:
    """Return what identifies the results of a configuration: its key and the study's version."""
    return f"v{study.VERSION}-{config.key()}"


def run(
    study: ModuleType,
    config: Config,
    *,
    folder: str | Path | None = None,
    reuse: bool = False,
    only_finished: bool = False,
) -> Results:
    """Return the results of all units of `config`, computing what is missing.

    Parameters
    ----------
    study : module
        One of the studies.
    config : Config
        Its configuration.
    folder : path, optional
        Where units are saved as they finish, in a subfolder of the configuration; nothing is saved without it.
    reuse : bool
        Take units that are already published under the same key.
    only_finished : bool
        Return the units that exist and compute none.
    """
    store = Store(Path(folder) / name_of(study) / key(study, config)) if folder is not None else None
    published = _published(study, config) if reuse else None
    takes_folder = "folder" in inspect.signature(study.compute).parameters
    options: dict[str, Any] = {"folder": store.folder if store is not None else None} if takes_folder else {}
    return complete(
        study.unit_names(config),
        functools.partial(study.compute, config, **options),
        config=config.as_dict(),
        store=store,
        published=published,
        label=name_of(study),
        only_finished=only_finished,
    )


def _published(study: ModuleType, config: Config) -> Results | None:
    for preset in ("paper", "quick"):
        path = paths.shipped(name_of(study), preset)
        if path.is_file():
            try:
                results, found = load(path)
            except ValueError as error:
                warnings.warn(f"{error} Its units are computed again.", stacklevel=2)
                continue
            if found == key(study, config):
                return results
    return None


def publish(study: ModuleType, config: Config, preset: str, *, folder: str | Path, only_finished: bool = False) -> Path:
    """Complete a run, merge it with what is published under the same key, and write `book/results/<study>-<preset>.nc`.

    Parameters
    ----------
    study, config, preset
        What was run and under which name it is shipped.
    folder : path
        Where the units are.
    only_finished : bool
        Compute nothing: publish the units there are, so that a long run can ship as it grows.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    ValueError
        If the file there holds results of another configuration.
    """
    path = paths.shipped(name_of(study), preset)
    earlier = None
    if path.is_file():
        try:
            earlier, found = load(path)
        except ValueError as error:
            warnings.warn(f"{error} It is written anew.", stacklevel=2)
        else:
            if found != key(study, config):
                raise ValueError(
                    f"{path.name} must hold results of this configuration ({key(study, config)}); it holds {found}. "
                    "Move it away to replace it."
                )
    results = run(study, config, folder=folder, reuse=True, only_finished=only_finished)
    if earlier is not None:
        # Units published by a larger run stay: the file only grows.
        results.units = {**earlier.units, **results.units}
        results.records = {**earlier.records, **results.records}
    save(path, results, key=key(study, config), dims=study.DIMS)
    return path


def shipped(study: ModuleType, preset: str = "paper") -> Results | None:
    """Return the shipped results of a preset, or None if there are none."""
    path = paths.shipped(name_of(study), preset)
    return load(path)[0] if path.is_file() else None


def shipped_measures(study: ModuleType) -> dict[str, Measure]:
    """Return the measures of the shipped results; those of the paper preset win over those of the quick one."""
    found: dict[str, Measure] = {}
    for preset in ("quick", "paper"):
        results = shipped(study, preset)
        if results is not None:
            found.update(study.measures(study.Config(**results.config), results.units))
    return found


def main(study: ModuleType, arguments: list[str] | None = None) -> int:
    """Run a study without its notebook: `python -m geolib.studies.<name> --preset paper --folder runs`."""
    import argparse

    parser = argparse.ArgumentParser(prog=f"python -m geolib.studies.{name_of(study)}", description=study.TITLE)
    parser.add_argument("--preset", default="quick", choices=("quick", "paper"))
    parser.add_argument("--folder", default="runs", help="where units are saved (default: runs)")
    parser.add_argument("-p", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="one parameter")
    options = parser.parse_args(arguments)
    changes: dict[str, Any] = dict(options.p)
    try:
        config = study.Config.preset(options.preset, **changes)
    except (TypeError, ValueError) as error:
        parser.error(str(error))
    results = run(study, config, folder=options.folder, reuse=True)
    print(f"{name_of(study)}: {len(results.units)} units in {options.folder}")
    return 0
