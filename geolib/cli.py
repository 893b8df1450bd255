"""The command `geolib`: list, params, run, compare, sweep, study, certify, example, book, publish, verify, audit."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from geolib import _checks, studies
from geolib.book import reruns, shelf, verify
from geolib.book.arguments import UsageError, pairs, parser
from geolib.datasets import fetch
from geolib.runs import paths, scheduler, surroundings, tables
from geolib.runs.config import PRESETS, Config, plain
from geolib.runs.store import write_atomic
from geolib.runs.study import AnyStudy


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 wrong usage."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by whoever started this
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif isinstance(stream, io.TextIOWrapper):  # a console without our letters shows a question mark
            stream.reconfigure(errors="replace")
    action = None
    try:
        options = parser(_ACTIONS).parse_args(pairs(sys.argv[1:] if arguments is None else arguments))
        _check_place()
        with warnings.catch_warnings(), surroundings.ended_as_by_a_key():
            warnings.showwarning = _warn_once()
            action = options.action
            status = action(options)
        sys.stdout.flush()  # here, where a reader that has left is noticed
        return status
    except UsageError as error:
        return _complain(error, 2)
    except OSError as error:
        if not _lost_output(error):
            return _complain(error, 1)
        if isinstance(error, BrokenPipeError):  # the reader has left, as `| head` does
            return 1
        return _complain(f"standard output must take what is printed; {error.strerror}. Print elsewhere.", 1)
    except (RuntimeError, ValueError, TypeError, FloatingPointError) as error:
        return _complain(error, 1)
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} must be installed for this command. Install geolib[book] (make install).", 1)
    except MemoryError as error:
        return _complain(f"memory must suffice; it did not ({error}). Use smaller parameters.", 1)
    except KeyboardInterrupt:
        if action in (_run, _compute, _sweep, _book, _publish):
            return _complain("interrupted; finished units are kept, and the same command goes on from them", 1)
        return _complain("interrupted; the same command begins anew", 1)
    except Exception as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({Path(place.filename).name}, line {place.lineno})"
        return _complain(f"this is a fault of geolib itself; please report it with the command: {what}", 1)
    finally:
        paths.remove_empty()


def _check_place() -> None:
    """Refuse a folder that is gone, in which libraries fail in words of their own."""
    try:
        os.getcwd()
    except OSError as error:
        raise UsageError(f"the current folder must exist; it does not ({error.strerror}). Go to another.") from None


def _lost_output(error: OSError) -> bool:
    """Return whether what failed is a `print` of ours; the rest then goes nowhere, or Python complains at its exit."""
    place = Path(traceback.extract_tb(error.__traceback__)[-1].filename)
    ours = place.is_relative_to(Path(__file__).parent) and error.errno is not None and error.filename is None
    if ours:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return ours


def _warn_once() -> Callable[..., None]:
    """Return what says a warning, each once in a command, though files are read more than once."""
    said: set[str] = set()

    def warn(message: object, *_: Any, **__: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            _complain(message, 0)

    return warn


def _complain(message: object, status: int) -> int:
    text = " ".join(str(message).split())
    print(f"geolib: {text}", file=sys.stderr)
    return status


def _find(options: argparse.Namespace) -> AnyStudy:
    try:
        return studies.get(options.study)
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None


def _config(options: argparse.Namespace) -> Config:
    """Return what the options set; a wrong call is refused here, before what computes is loaded."""
    try:
        named = [name for name, _ in options.changes]
        file = getattr(options, "file", None)
        given = reruns.read_parameters(file) if file else {}
        # With a file of the reader's, that of own data, wherever it is named.
        options.study = studies.asked_for(options.study, [*named, *given])
        kind = studies.config_of(options.study)
        given = reruns.read_parameters(file, options.study) if file else {}
        reruns.check_once(named)
        config = kind.preset(options.preset, **{**given, **dict(options.changes)})
        config.ready()
        scheduler.check_variable(options)
        return config
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None


def _list(options: argparse.Namespace) -> int:
    print("\n".join(shelf.listing()))
    return 0


def _params(options: argparse.Namespace) -> int:
    try:
        rows = studies.config_of(options.study).describe()
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        if row["range"] is None:
            allowed = ""
        elif isinstance(row["range"][0], str):
            allowed = " | ".join(row["range"])
        else:
            allowed = tables.allowed(row["range"]).replace(",", "")  # a comma parts entries
        unit = f" {row['unit']}" if row["unit"] else ""
        print(f"{row['name']} ({row['type']}): {row['help']}")
        quick, paper = (f"{plain(row[preset])}{unit}" for preset in ("default", "paper"))
        print(f"    quick {quick}, paper {paper}  {allowed}".rstrip())
    for line in studies.own_data(options.study):
        print(line)
    return 0


def _run(options: argparse.Namespace) -> int:
    _must_have_notebook(options)
    config = _config(options)
    if options.out is not None:
        paths.must_be_writable("--out", options.out)
    study = _find(options)
    folder = options.out or reruns.default_folder(study, config)
    paths.must_be_writable("--out", folder)
    _announce(study, config, options, folder)
    with scheduler.telling(options.scheduler, options.jobs):
        notebook, page = reruns.run(study, config, folder, **_told())
    print(f"notebook: {notebook}\npage: {page.resolve().as_uri()}")
    return 0


def _must_have_notebook(options: argparse.Namespace) -> None:
    if chapter := studies.COMPANIONS.get(options.study):
        raise UsageError(
            f"study must have a notebook; {options.study} is shown in that of {chapter}. "
            f"Run {chapter}, or compute the units alone: geolib study {options.study}."
        )


def _told() -> dict[str, Any]:
    """Return how a rerun says where it is: by a bar on a terminal, by a line for each cell elsewhere."""
    if sys.stderr.isatty():
        return {"progress": True}
    return {"say": lambda line: print(line, flush=True)}


def _compute(options: argparse.Namespace) -> int:
    config = _config(options)
    paths.must_be_writable("--folder", options.folder)
    study = _find(options)
    _tell(config)
    results = studies.run(
        study,
        config,
        folder=options.folder,
        reuse=(*_reuse(options, study, config), *study.at_hand),
        address=options.scheduler,
        jobs=options.jobs,
    )
    print(f"{options.study}: {len(results.units)} units; those computed here are in {options.folder}")
    return 0


def _reuse(options: argparse.Namespace, study: AnyStudy, config: Config) -> Sequence[str]:
    """Return the shipped files of other names whose units are taken, once they are known to fit."""
    studies.check_reuse(study, config, options.reuse)
    return options.reuse


def _announce(study: AnyStudy, config: Config, options: argparse.Namespace, folder: Path) -> None:
    _check_data(study)
    name = study.name
    print(f"study: {name}, {study.title}")
    print(f"preset: {options.preset}; differs from the quick preset in: {config.differences()}")
    where = " and ".join(str(paths.notebook(page)) for page in study.pages)
    processes = "one process"
    if (options.scheduler or options.jobs > 1) and not study.sequential:
        processes += f", its units {f'by {options.scheduler}' if options.scheduler else f'in {options.jobs}'}"
    print(f"does: executes notebook {where} in {processes}; units: {len(study.names(config))}")
    print(f"time: {reruns.expected(study, config)}")
    _tell(config)
    print(f"page, once done: {(folder / name).resolve().as_uri()}.html", flush=True)


def _tell(config: Config) -> None:
    for line in config.told():
        print(line, flush=True)


def _check_data(study: AnyStudy) -> None:
    for file in study.files:
        fetch.locate(file)


def _compare(options: argparse.Namespace) -> int:
    from geolib.book import compare

    if options.out.is_dir() or options.out.name == reruns.RECORD:
        raise UsageError(f"--out must be the page to write, such as compare.html; got {options.out}. Choose another.")
    runs = [compare.read(folder) for folder in options.runs]
    print(compare.as_text(runs))
    paths.must_be_writable("--out's folder", options.out.parent)
    write_atomic(options.out, compare.as_page(runs, f"{runs[0].study}: two runs").encode())
    print(f"page: {options.out.resolve().as_uri()}")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from geolib.book import compare

    _must_have_notebook(options)
    try:
        options.study = studies.asked_for(options.study, [name for name, _ in options.changes])  # as in _config
        grid = reruns.grid(studies.config_of(options.study), options.preset, options.changes)
        for _, config in grid:
            config.ready()
        scheduler.check_variable(options)
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None
    study = _find(options)
    _check_data(study)
    folder = options.out or reruns.sweep_folder(options.study, [config for _, config in grid])
    done, problems = [], []
    for number, (label, config) in enumerate(grid, 1):
        place = folder / label
        paths.must_be_writable("--out", place)
        if reruns.finished(study, config, place):
            print(f"{number}/{len(grid)} kept: {label}", flush=True)
        else:
            print(f"{number}/{len(grid)} {label}: time {reruns.expected(study, config)}", flush=True)
            _tell(config)
            try:
                reruns.run(study, config, place, **_told())
            except (RuntimeError, ValueError) as error:  # the rest of the grid is still worth having
                problems.append(f"{label}: {error}")
                continue
        done.append(compare.read(place))
    if done:
        print(compare.as_text(done))
        write_atomic(folder / "summary.csv", compare.as_csv(done).encode())
        write_atomic(folder / "summary.html", compare.as_page(done, f"{options.study}: {len(done)} runs").encode())
        print(f"table: {folder / 'summary.csv'}\npage: {(folder / 'summary.html').resolve().as_uri()}")
    if problems:
        raise RuntimeError(f"{len(problems)} of {len(grid)} runs failed: {'; '.join(problems)}")
    return 0


def _book(options: argparse.Namespace) -> int:
    from geolib.book import build

    scheduler.check_variable(options)
    first = build.build(force=options.force, execute=not options.no_execute, say=lambda line: print(line, flush=True))
    print(f"open {first.as_uri()}")
    return 0


def _certify(options: argparse.Namespace) -> int:
    options.study = "fwi_own"
    config = _config(options)
    found = studies.get(options.study).lends["certificate"](config)
    print(found)
    return 1 if found.faults else 0


def _example(options: argparse.Namespace) -> int:
    from geolib.studies import examples

    try:
        _checks.choice("example", options.name, examples.NAMES)
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None
    paths.must_be_writable("--to", options.to)
    print(*examples.make(options.name, options.to), sep="\n")
    return 0


def _publish(options: argparse.Namespace) -> int:
    config = _config(options)
    label = options.preset if options.label is None else options.label
    if paths.checkout() is None and options.to is None:
        raise UsageError("--to must name the folder to ship to: geolib is installed, not a checkout. Give one.")
    if not re.fullmatch(r"[a-z][a-z0-9_]*", label) or label in {*PRESETS} - {options.preset}:
        raise UsageError(f"--as must be a new name that begins with a letter; got {label!r}. Take one such as width64.")
    paths.must_be_writable("--folder", options.folder)
    study = _find(options)
    with paths.results_in(options.to):
        paths.must_be_writable("the folder of shipped results", paths.results())  # now rather than after days
        reuse = _reuse(options, study, config)
        if options.recompute:
            studies.recompute(
                study, config, options.recompute, folder=options.folder, address=options.scheduler, jobs=options.jobs
            )
        path = studies.publish(
            study,
            config,
            label,
            folder=options.folder,
            reuse=reuse,
            only_finished=options.only_finished,
            address=options.scheduler,
            jobs=options.jobs,
        )
    print(f"published: {path}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    if options.claim is not None:
        try:
            verify.check_id(options.claim)
        except ValueError as error:
            raise UsageError(error) from None
    judged = verify.rows()
    everything = [row for rows in judged.values() for row in rows]
    if options.claim is not None:
        print(verify.case(everything, options.claim))
    else:
        print(json.dumps(everything, indent=1) if options.json else verify.as_text(judged))
    return 0


def _audit(options: argparse.Namespace) -> int:
    try:
        if options.study is not None:
            studies.config_of(options.study)
        _checks.number("--seconds", options.seconds, low=1.0)
        given = None if options.seed is None else _checks.integer("--seed", options.seed, low=0)
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None
    from geolib.book import audit

    study = None if options.study is None else _find(options).name
    seed = audit.new_seed() if given is None else given
    return 0 if audit.run(study, options.seconds, seed, say=lambda line: print(line, flush=True)) else 1


_ACTIONS = {
    "list": _list,
    "params": _params,
    "run": _run,
    "compare": _compare,
    "sweep": _sweep,
    "study": _compute,
    "certify": _certify,
    "example": _example,
    "book": _book,
    "publish": _publish,
    "verify": _verify,
    "audit": _audit,
}
