"""Publishing: results of committed code become the shipped file, which only grows."""

from __future__ import annotations

import copy
import functools
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from geolib.runs import audit, inputs, locks, paths
from geolib.runs.config import Config
from geolib.runs.provenance import history
from geolib.runs.runner import key, reused, run
from geolib.runs.store import Damaged, Results, load, move_aside, save
from geolib.runs.study import AnyStudy

#: Seconds for which a publishing waits for another one to end.
PATIENCE = 10.0


def publish(
    study: AnyStudy,
    config: Config,
    preset: str,
    *,
    folder: str | Path,
    reuse: Sequence[str] = (),
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
    reuse : sequence of str
        Other shipped files of the study whose units of the same key are taken, by their names.
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
        If the file there holds results of another configuration, there is nothing to publish, or a unit comes
        from uncommitted code, from a commit outside the history, or from files that are not the pinned ones. Units that
        are shipped already stay allowed.
    RuntimeError
        If another process is publishing and does not end within seconds.
    """
    path = paths.shipped(study.name, preset)
    _earlier(study, config, path)  # refused before anything is computed
    labels = (preset, *reuse, *study.at_hand)
    results = run(study, config, folder=folder, reuse=labels, only_finished=only_finished, address=address, jobs=jobs)
    if not results.units:
        raise ValueError(f"folder must hold a finished unit to be published; {folder} does not. Run the study first.")
    with locks.held(path.parent, "geolib publish", "Try again when it is done.", wait=PATIENCE):
        # Read again: another run may have published meanwhile.
        earlier = _earlier(study, config, path)
        _check_origin(results.records, reused(study, config, labels).records)
        if earlier is not None:
            if set(results.units) < set(earlier.units):
                results.config = earlier.config  # that of the larger run, whose units stay: the file only grows
            results.units = {**earlier.units, **results.units}
            results.records = {**earlier.records, **results.records}
        results.units = study.condense(results.units)
        save(path, results, key=key(study, config), dims=study.dims)
        audit.note(path)
    return path


def _check_origin(records: Mapping[str, dict[str, Any]], held: Mapping[str, dict[str, Any]]) -> None:
    """Refuse units that are not of committed code and pinned files, but for those that are shipped already."""
    new = {name: record for name, record in records.items() if held.get(name) != record}
    for name, record in new.items():
        for file in inputs.loose(record.get("inputs", {})):
            raise ValueError(
                f"published units must rest on pinned files; {name} rests on {file}, which is not. Get the public "
                "file, or freeze new weights in geolib/datasets/frozen.py."
            )
    known = history()
    # Where there is no repository there is no history either: a reader's own results.
    commits = {name: str(record.get("commit", "unknown")) for name, record in new.items()}
    wrong = [name for name, commit in commits.items() if commit.endswith("+changes") or (known and commit not in known)]
    if wrong:
        raise ValueError(
            f"published units must come from a commit in the history of HEAD; {len(wrong)} do not, such as {wrong[0]} "
            f"from {commits[wrong[0]]}. Commit the code and compute them anew (--recompute)."
        )


def check_reuse(study: AnyStudy, config: Config, names: Sequence[str]) -> None:
    """Check that each name is that of a shipped file of this key; ValueError tells which is not."""
    for name in names:
        path = paths.shipped(study.name, name)
        there = load(path)[1]
        if there != key(study, config):
            raise ValueError(
                f"--reuse must name results of this configuration ({key(study, config)}); {path.name} holds {there}. "
                "Give the parameters that it was made with, or another name."
            )


def _earlier(study: AnyStudy, config: Config, path: Path) -> Results | None:
    """Return what is published in a file of this configuration; a damaged file is moved aside."""
    if not os.path.lexists(path):
        return None
    try:
        results, found = load(path)
    except Damaged as error:
        move_aside(path, error, "is written anew")
        return None
    if found != key(study, config):
        raise ValueError(
            f"{path.name} must hold results of this configuration ({key(study, config)}); it holds {found}. "
            "Move it away to replace it, or publish under another name (--as)."
        )
    return results


def shipped(study: AnyStudy, label: str = "") -> Results | None:
    """Return the results shipped under a name, by default those that the study says are shown; None if there are none.

    A process reads a file once as long as it stays what it is, and returns a copy: a build or a test asks for some of
    them a hundred times.
    """
    path = paths.shipped(study.name, label or study.shown)
    if not path.is_file():
        return load(path)[0] if os.path.lexists(path) else None  # a folder or a dangling link is damage, not absence
    there = path.stat()
    return copy.deepcopy(_read(path, there.st_mtime_ns, there.st_size))


@functools.lru_cache(maxsize=64)
def _read(path: Path, changed: int, size: int) -> Results:
    """Return the results in a file of this time and size."""
    return load(path)[0]
