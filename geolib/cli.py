"""The command `geolib`: list, params, run, compare, sweep, book, publish, verify."""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from geolib import __version__, studies
from geolib.book import ledger as claims
from geolib.book import reruns
from geolib.datasets import fetch
from geolib.runs import paths, scheduler
from geolib.runs.config import PRESETS, Config, plain
from geolib.runs.store import write_atomic
from geolib.runs.study import Study


class UsageError(Exception):
    """A mistake on the command line: one line, exit status 2."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a console without our letters shows a question mark
            stream.reconfigure(errors="replace")
    try:
        options = _parser().parse_args(_with_negative_values(sys.argv[1:] if arguments is None else arguments))
        status = options.action(options)
        sys.stdout.flush()  # here, where a reader that has left is noticed
        return status
    except UsageError as error:
        return _complain(error, 2)
    except BrokenPipeError as error:
        if sys.stdout.isatty():
            return _complain(error, 1)
        # The reader has left, as `| head` does. The rest must go somewhere, or Python complains at its exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (RuntimeError, ValueError, TypeError, OSError, FloatingPointError) as error:
        return _complain(error, 1)
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} must be installed for this command. Install geolib[book] (make install).", 1)
    except KeyboardInterrupt:
        return _complain("interrupted; finished units are kept", 1)


def _with_negative_values(arguments: Sequence[str]) -> list[str]:
    # argparse takes -1e-3 and -inf for options; a space before them, which `-p` strips, tells it otherwise.
    values = [n + 2 for n, argument in enumerate(arguments) if argument == "-p"]
    number = re.compile(r"-(\d|\.|inf|nan)", re.IGNORECASE)
    return [f" {word}" if n in values and number.match(word) else word for n, word in enumerate(arguments)]


def _complain(message: object, status: int) -> int:
    text = " ".join(str(message).split())
    print(f"geolib: {text}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="geolib", description="Re-run, check and extend the four papers of the companion.")
    parser.add_argument("--version", action="version", version=f"geolib {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action: Any, help: str, example: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog="examples:\n" + "\n".join(f"  {line}" for line in example.splitlines()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(action=action)
        return made

    command("list", _list, "list the studies and what is shipped of each", "geolib list")
    sub = command(
        "params",
        _params,
        "show the parameters of a study",
        "geolib params rnn_fwi\ngeolib params latent_inversion --json",
    )
    _study(sub)
    sub.add_argument("--json", action="store_true", help="print a JSON list of objects")
    sub = command(
        "run",
        _run,
        "rerun a notebook with new parameters into its own folder, as notebook and as one HTML page",
        "geolib run rnn_fwi -p iterations 50\ngeolib run wgan_traces --preset paper --out my-run\n"
        "geolib run rnn_fwi -f mine.yml -p frequency 8   # or -f reruns/rnn_fwi-1f2e3d4c/run.json",
    )
    _study(sub)
    _configuration(sub)
    sub.add_argument("-f", dest="file", type=Path, metavar="FILE", help="parameters from a YAML file or a run.json")
    sub.add_argument("--out", type=Path, help="folder of the result (default: reruns/STUDY-HASH)")
    sub = command(
        "compare",
        _compare,
        "put two runs side by side: parameters that differ, measures, figures",
        "geolib compare reruns/rnn_fwi-1f2e3d4c reruns/rnn_fwi-5a6b7c8d --out compared.html",
    )
    sub.add_argument("runs", metavar="RUN", nargs=2, type=Path, help="a folder made by geolib run")
    sub.add_argument("--out", type=Path, default=Path("compare.html"), help="the page (default: compare.html)")
    sub = command(
        "sweep",
        _sweep,
        "rerun a notebook for every combination of values, with one summary page and table",
        "geolib sweep rnn_fwi -p frequency 6,8,10\n"
        "geolib sweep rnn_fwi -p frequency 8,10 -p optimisers adam+cg,lbfgs   # '+' joins the entries of a list",
    )
    _study(sub)
    _configuration(sub)
    sub.add_argument("--out", type=Path, help="folder of all runs (default: reruns/STUDY-sweep)")
    sub = command(
        "study",
        _compute,
        "compute a study's units without its notebook, resuming what is there, also on a bare machine",
        "geolib study latent_prior --preset paper\npython -m geolib study rnn_fwi -p iterations 60 --jobs 2",
    )
    sub.add_argument("study", metavar="STUDY", help="a study or one of its companions")
    _configuration(sub)
    sub.add_argument("--folder", type=Path, default=Path("runs"), help="where units are saved (default: runs)")
    scheduler.add_options(sub)
    sub = command(
        "book",
        _book,
        "execute the notebooks that changed and build the book",
        "geolib book\ngeolib book --force\ngeolib book --no-execute   # pages of what there is, marked where it is old",
    )
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--force", action="store_true", help="execute and build everything again")
    how.add_argument("--no-execute", action="store_true", help="execute nothing; mark the pages that are out of date")
    sub = command(
        "publish",
        _publish,
        "complete a run, resuming what is there, and ship its results with the book",
        "geolib publish rnn_fwi --preset paper\ngeolib publish latent_inversion --preset paper --only-finished\n"
        "geolib publish latent_inversion --preset paper -p width 64 --as width64",
    )
    _study(sub)
    _configuration(sub, default="paper")
    sub.add_argument("--folder", type=Path, default=Path("runs"), help="where units are kept (default: runs)")
    sub.add_argument("--only-finished", action="store_true", help="compute nothing: publish the units that exist")
    sub.add_argument("--as", dest="label", metavar="NAME", help="name of the file beside that of the preset")
    scheduler.add_options(sub)
    sub = command(
        "verify",
        _verify,
        "compare the papers' claims with the shipped results",
        "geolib verify\ngeolib verify --json",
    )
    sub.add_argument("--json", action="store_true", help="print a JSON list of objects")
    return parser


def _study(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("study", metavar="STUDY", help=f"one of {', '.join(studies.NAMES)}")


def _configuration(parser: argparse.ArgumentParser, default: str = "quick") -> None:
    parser.add_argument(
        "-p",
        dest="changes",
        nargs=2,
        type=str.strip,
        action="append",
        default=[],
        metavar=("NAME", "VALUE"),
        help="set a parameter",
    )
    parser.add_argument("--preset", default=default, metavar="PRESET", help=f"quick or paper (default: {default})")


def _find(options: argparse.Namespace) -> Study:
    try:
        return studies.get(options.study)
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None


def _config(options: argparse.Namespace, study: Study) -> Config:
    try:
        given = reruns.read_parameters(options.file) if getattr(options, "file", None) else {}
        return study.Config.preset(options.preset, **{**given, **dict(options.changes)})
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None


def _list(options: argparse.Namespace) -> int:
    for name in studies.NAMES:
        shipped = [preset for preset in PRESETS if paths.shipped(name, preset).is_file()]
        print(f"{name:18}{studies.get(name).title}  [shipped: {', '.join(shipped) or 'nothing yet'}]")
    return 0


def _params(options: argparse.Namespace) -> int:
    rows = _find(options).Config.describe()
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        if row["range"] is None:
            allowed = ""
        elif isinstance(row["range"][0], str):
            allowed = " | ".join(row["range"])
        else:
            allowed = " to ".join("…" if bound is None else f"{bound:g}" for bound in row["range"])
        unit = f" {row['unit']}" if row["unit"] else ""
        print(f"{row['name']} ({row['type']}): {row['help']}")
        quick, paper = (f"{plain(row[preset])}{unit}" for preset in ("default", "paper"))
        print(f"    quick {quick}, paper {paper}  {allowed}".rstrip())
    return 0


def _run(options: argparse.Namespace) -> int:
    study = _find(options)
    config = _config(options, study)
    folder = options.out or reruns.default_folder(study, config)
    _must_be_writable("--out", folder)
    _announce(study, config, options.preset, folder)
    notebook, page = reruns.run(study, config, folder, progress=sys.stderr.isatty())
    print(f"notebook: {notebook}\npage: {page.resolve().as_uri()}")
    return 0


def _compute(options: argparse.Namespace) -> int:
    study = _find(options)
    results = studies.run(
        study,
        _config(options, study),
        folder=options.folder,
        reuse=PRESETS[::-1],
        address=options.scheduler,
        jobs=options.jobs,
    )
    print(f"{options.study}: {len(results.units)} units; those computed here are in {options.folder}")
    return 0


def _announce(study: Study, config: Config, preset: str, folder: Path) -> None:
    _check_data(study)
    name = study.name
    print(f"study: {name}, {study.title}")
    print(f"preset: {preset}; differs from the quick preset in: {config.differences()}")
    print(f"does: executes notebook {paths.notebook(name)} in one process; units: {len(study.units(config))}")
    print(f"time: {reruns.expected(study, config)}")
    print(f"page, once done: {(folder / name).resolve().as_uri()}.html", flush=True)


def _check_data(study: Study) -> None:
    for file in study.files:
        fetch.locate(file)


def _compare(options: argparse.Namespace) -> int:
    from geolib.book import compare

    if options.out.is_dir() or options.out.name == reruns.RECORD:
        raise UsageError(f"--out must be the page to write, such as compare.html; got {options.out}. Choose another.")
    runs = [compare.read(folder) for folder in options.runs]
    print(compare.as_text(runs))
    _must_be_writable("--out's folder", options.out.parent)
    write_atomic(options.out, compare.as_page(runs, f"{runs[0].study}: two runs").encode())
    print(f"page: {options.out.resolve().as_uri()}")
    return 0


def _sweep(options: argparse.Namespace) -> int:
    from geolib.book import compare

    study = _find(options)
    if not options.changes:
        raise UsageError("a sweep must vary a parameter; got no -p NAME V1,V2. Add one.")
    try:
        grid = reruns.grid(study, options.preset, options.changes)
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None
    _check_data(study)
    folder = options.out or Path("reruns") / f"{options.study}-sweep"
    done, problems = [], []
    for number, (label, config) in enumerate(grid, 1):
        place = folder / label
        _must_be_writable("--out", place)
        if reruns.finished(study, config, place):
            print(f"{number}/{len(grid)} kept: {label}", flush=True)
        else:
            print(f"{number}/{len(grid)} {label}: time {reruns.expected(study, config)}", flush=True)
            try:
                reruns.run(study, config, place, progress=sys.stderr.isatty())
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


def _must_be_writable(argument: str, folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            f"{argument} must be a folder that can be written; {folder} is not ({reason}). Choose another."
        ) from None


def _book(options: argparse.Namespace) -> int:
    from geolib.book import build

    first = build.build(force=options.force, execute=not options.no_execute, say=lambda line: print(line, flush=True))
    print(f"open {first.as_uri()}")
    return 0


def _publish(options: argparse.Namespace) -> int:
    study = _find(options)
    config = _config(options, study)
    label = options.label or options.preset
    # Measures of the trace GAN's epochs are shipped as `quality`, under names that its epochs have as well.
    if not re.fullmatch(r"[a-z][a-z0-9_]*", label) or label in {*PRESETS, "quality"} - {options.preset}:
        raise UsageError(f"--as must be a new name that begins with a letter; got {label!r}. Take one such as width64.")
    _must_be_writable("--folder", options.folder)
    _must_be_writable("the folder of shipped results", paths.results())  # now rather than after days
    path = studies.publish(
        study,
        config,
        label,
        folder=options.folder,
        only_finished=options.only_finished,
        address=options.scheduler,
        jobs=options.jobs,
    )
    print(f"published: {path}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    ledger = claims.load(paths.ledger())
    rows = []
    for name in studies.NAMES:
        found = studies.shipped_sources(studies.get(name))
        numbers = {key: measure for key, (measure, _) in found.items()}
        files = {key: file for key, (_, file) in found.items()}
        rows += claims.judge([claim for claim in ledger if claim.paper == name], numbers, sources=files)
    if options.json:
        print(json.dumps(rows, indent=1))
        return 0
    for row in rows:
        print(f"{row['verdict']:15} {row['id']}: {row['claim']} (published {row['published']}, ours {row['ours']})")
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in claims.VERDICTS}
    print(f"{len(rows)} claims: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 0
