"""The command `geolib`: list, params, run, book, publish, verify."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from geolib import __version__, claims, data, paths, scheduler, studies
from geolib.config import PRESETS, Config


class UsageError(Exception):
    """A mistake on the command line: one line, exit status 2."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise UsageError(message)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit status: 0 done, 1 failed, 2 wrong usage."""
    try:
        options = _parser().parse_args(arguments)
        return options.action(options)
    except UsageError as error:
        return _complain(error, 2)
    except (RuntimeError, ValueError, TypeError, OSError, FloatingPointError) as error:
        return _complain(error, 1)
    except ModuleNotFoundError as error:
        return _complain(f"{error.name} must be installed for this command. Install geolib[book] (make install).", 1)
    except KeyboardInterrupt:
        return _complain("interrupted; finished units are kept", 1)


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
        "geolib run rnn_fwi -p iterations 50\ngeolib run wgan_traces --preset paper --out my-run",
    )
    _study(sub)
    _configuration(sub)
    sub.add_argument("--out", type=Path, help="folder of the result (default: reruns/STUDY-HASH)")
    sub = command(
        "book",
        _book,
        "execute the notebooks that changed and build the book",
        "geolib book\ngeolib book --force",
    )
    sub.add_argument("--force", action="store_true", help="execute and build everything again")
    sub = command(
        "publish",
        _publish,
        "complete a run, resuming what is there, and ship its results with the book",
        "geolib publish rnn_fwi --preset paper\ngeolib publish latent_inversion --preset paper --only-finished",
    )
    _study(sub)
    _configuration(sub, default="paper")
    sub.add_argument("--folder", type=Path, default=Path("runs"), help="where units are kept (default: runs)")
    sub.add_argument("--only-finished", action="store_true", help="compute nothing: publish the units that exist")
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
        "-p", dest="changes", nargs=2, action="append", default=[], metavar=("NAME", "VALUE"), help="set a parameter"
    )
    parser.add_argument("--preset", default=default, metavar="PRESET", help=f"quick or paper (default: {default})")


def _find(options: argparse.Namespace) -> ModuleType:
    try:
        return studies.get(options.study)
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None


def _config(options: argparse.Namespace, study: ModuleType) -> Config:
    try:
        return study.Config.preset(options.preset, **dict(options.changes))
    except (ValueError, TypeError) as error:
        raise UsageError(error) from None


def _list(options: argparse.Namespace) -> int:
    for name in studies.NAMES:
        shipped = [preset for preset in PRESETS if paths.shipped(name, preset).is_file()]
        print(f"{name:18}{studies.get(name).TITLE}  [shipped: {', '.join(shipped) or 'nothing yet'}]")
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
        print(f"    quick {_plain(row['default'])}{unit}, paper {_plain(row['paper'])}{unit}  {allowed}".rstrip())
    return 0


def _plain(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)


def _run(options: argparse.Namespace) -> int:
    study = _find(options)
    config = _config(options, study)
    name = options.study
    folder = options.out or Path("reruns") / f"{name}-{config.key()[:8]}"
    _must_be_writable("--out", folder)
    for file in getattr(study, "DATA", ()):
        data.locate(file)
    from geolib import notebooks, page

    page.mathjax()  # fails now rather than after the run if the book's packages are missing
    # Draft and result share a folder, so that both files appear together at the end.
    with tempfile.TemporaryDirectory(dir=folder, prefix=".run-") as draft:
        executed = notebooks.execute(
            name, config.changes(), Path(draft) / f"{name}.ipynb", progress=sys.stderr.isatty()
        )
        rendered = page.render(executed, Path(draft) / f"{name}.html", study.TITLE)
        for made in (executed, rendered):
            os.replace(made, folder / made.name)
    print(f"notebook: {folder / name}.ipynb\npage: {(folder / name).resolve().as_uri()}.html")
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
    from geolib import book

    first = book.build(force=options.force, say=lambda line: print(line, flush=True))
    print(f"open {first.as_uri()}")
    return 0


def _publish(options: argparse.Namespace) -> int:
    study = _find(options)
    config = _config(options, study)
    _must_be_writable("--folder", options.folder)
    path = studies.publish(
        study,
        config,
        options.preset,
        folder=options.folder,
        only_finished=options.only_finished,
        address=options.scheduler,
        jobs=options.jobs,
    )
    print(f"published: {path}")
    return 0


def _verify(options: argparse.Namespace) -> int:
    ledger = claims.load(paths.claims())
    rows = []
    for name in studies.NAMES:
        mine = [claim for claim in ledger if claim.paper == name]
        rows += claims.judge(mine, studies.shipped_measures(studies.get(name)))
    if options.json:
        keys = ("id", "paper", "place", "claim", "published", "ours", "interval", "n", "verdict")
        print(json.dumps([{key: row[key] for key in keys} for row in rows], indent=1))
        return 0
    for row in rows:
        print(f"{row['verdict']:15} {row['id']}: {row['claim']} (published {row['published']}, ours {row['ours']})")
    counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in claims.VERDICTS}
    print(f"{len(rows)} claims: " + ", ".join(f"{count} {verdict}" for verdict, count in counts.items()))
    return 0
