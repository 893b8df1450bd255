"""What the command line takes: commands, options and their forms."""

from __future__ import annotations

import argparse
import re
import textwrap
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from geolib import __version__, studies
from geolib.book import ledger
from geolib.runs import scheduler


class UsageError(Exception):
    """A mistake on the command line: one line, exit status 2."""


class _Once(argparse.Action):
    """Keeps the value of an option, which may be given once: of two only one could count."""

    _seen = False

    def __call__(self, _: Any, namespace: Any, value: Any, option: str | None = None) -> None:
        if option and self._seen:
            raise UsageError(f"{option} must be given once; it is given twice. Drop one.")
        self._seen = True
        setattr(namespace, self.dest, value)


class _Parser(argparse.ArgumentParser):
    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.register("action", None, _Once)

    def error(self, message: str) -> Any:
        raise UsageError(message)


def parser(actions: Mapping[str, Callable[[argparse.Namespace], int]]) -> argparse.ArgumentParser:
    """Return the parser of the command line; `actions` holds what each command does."""
    made_parser = _Parser(
        prog="geolib", description="Re-run, check and extend the four papers of the companion."
    )
    made_parser.add_argument("--version", action="version", version=f"geolib {__version__}")
    commands = made_parser.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, help: str, example: str) -> argparse.ArgumentParser:
        made = commands.add_parser(
            name,
            help=help,
            description=help[0].upper() + help[1:] + ".",
            epilog="examples:\n" + "\n".join(f"  {line}" for line in example.splitlines()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        made.set_defaults(action=actions[name])
        return made

    _asking(command)
    _rerunning(command)
    _computing(command)
    _owning(command)
    _publishing(command)
    _building(command)
    return made_parser


Command = Callable[[str, str, str], argparse.ArgumentParser]


def _asking(command: Command) -> None:
    command(
        "list", "list the studies with their companions and what is shipped of each", "geolib list"
    )
    sub = command(
        "params",
        "show the parameters of a study",
        "geolib params rnn_fwi\ngeolib params latent_inversion --json",
    )
    _study(sub)
    sub.add_argument("--json", action="store_true", help="print a JSON list of objects")
    sub = command(
        "compare",
        "put two runs side by side: parameters that differ, measures, figures",
        "geolib compare reruns/rnn_fwi-1f2e3d4c reruns/rnn_fwi-5a6b7c8d --out compared.html",
    )
    sub.add_argument("runs", metavar="RUN", nargs=2, type=_path, help="a folder made by geolib run")
    sub.add_argument(
        "--out", type=_path, default=Path("compare.html"), help="the page (default: compare.html)"
    )
    sub = command(
        "verify",
        "compare the papers' claims with the shipped results: the scorecard, or one claim's case",
        "geolib verify\ngeolib verify rnn_fwi.adam-fastest\ngeolib verify --json",
    )
    sub.add_argument(
        "claim", metavar="ID", nargs="?", help="one claim, such as rnn_fwi.adam-fastest"
    )
    sub.add_argument("--json", action="store_true", help="print a JSON list of objects")
    sub.epilog = f"{sub.epilog}\n\nkeys of an object of --json:\n{_listed(ledger.KEYS)}"
    sub = command(
        "audit",
        "compute a random sample of shipped runs again, here, and say how many agree",
        "geolib audit\ngeolib audit rnn_fwi --seconds 600\n"
        "geolib audit --seed 7   # the sample that another reader drew",
    )
    sub.add_argument(
        "study",
        metavar="STUDY",
        nargs="?",
        help="a study, with its companions (default: all)",
    )
    sub.add_argument("--seconds", type=float, default=120.0, help="what it may take (default: 120)")
    sub.add_argument(
        "--seed", type=int, help="of the sample (default: a new one, which is printed)"
    )


def _listed(told: Mapping[str, str]) -> str:
    """Return what names mean, one below the other."""
    left = 2 + max(map(len, told))
    lines = [
        textwrap.fill(
            text,
            79,
            initial_indent=f"  {name:{left}}",
            subsequent_indent=" " * (left + 2),
            break_on_hyphens=False,
        )
        for name, text in told.items()
    ]
    return "\n".join(lines)


def _rerunning(command: Command) -> None:
    sub = command(
        "run",
        "rerun a notebook with new parameters into its own folder, as notebook and HTML page",
        "geolib run rnn_fwi -p iterations 50   # or -p iterations=50\n"
        "geolib run wgan_traces --preset paper --out my-run\n"
        "geolib run rnn_fwi -f mine.yml -p frequency 8   # or -f reruns/rnn_fwi-1f2e3d4c/run.json\n"
        "geolib run latent_inversion -p trials 4 --jobs 4\n"
        "geolib run rnn_fwi -p velocity mine.npy -p spacing 10   # your own data; its parameters:\n"
        "geolib params fwi_own   # or latent_own (traveltimes), traces_own (traces)",
    )
    _study(sub, companions=False)
    _configuration(sub)
    sub.add_argument(
        "-f",
        dest="file",
        type=_path,
        metavar="FILE",
        help="parameters from a YAML file or a run.json",
    )
    sub.add_argument("--out", type=_path, help="folder of the result (default: reruns/STUDY-HASH)")
    scheduler.add_options(sub)
    sub = command(
        "sweep",
        "rerun a notebook for every combination of values, with one summary page and table",
        "geolib sweep rnn_fwi -p frequency 6,8,10\n"
        "geolib sweep rnn_fwi -p frequency 8,10 -p optimisers adam+cg,lbfgs   # + joins entries\n"
        "geolib sweep latent_inversion -p traveltimes mine.csv -p noise 0.5,1,2   # your own data",
    )
    _study(sub, companions=False)
    _configuration(sub)
    sub.add_argument(
        "--out",
        type=_path,
        help="folder of all runs (default: reruns/STUDY-sweep, with a mark of the files given)",
    )


def _computing(command: Command) -> None:
    sub = command(
        "study",
        "compute a study's units without its notebook, resuming; also on a bare machine",
        "geolib study latent_prior --preset paper\n"
        "python -m geolib study rnn_fwi -p iterations 60 --jobs 2",
    )
    _study(sub)
    _configuration(sub)
    sub.add_argument(
        "--folder", type=_path, default=Path("runs"), help="where units are saved (default: runs)"
    )
    _reusing(sub)
    scheduler.add_options(sub)


def _owning(command: Command) -> None:
    sub = command(
        "certify",
        "test the gradient on a survey of your own, and what its grid and layers do to the waves",
        "geolib certify -p velocity marmousi.npy -p spacing 12.5 -p frequency 8\n"
        "geolib certify -p velocity start.sgy -p spacing 10 -p gathers shots.sgy",
    )
    _configuration(sub)
    sub.add_argument("-f", dest="file", type=_path, metavar="FILE", help="parameters from a file")
    sub = command(
        "example",
        "make small example files of data: survey, traveltimes, training_image or traces",
        "geolib example survey --to mine\ngeolib example traveltimes",
    )
    sub.add_argument("name", metavar="NAME", help="survey, traveltimes, training_image or traces")
    sub.add_argument("--to", type=_path, default=Path("example"), help="folder (default: example)")


def _publishing(command: Command) -> None:
    sub = command(
        "publish",
        "complete a run, resuming what is there, and ship its results with the book",
        "geolib publish rnn_fwi --preset paper\n"
        "geolib publish latent_inversion --preset paper --only-finished\n"
        "geolib publish latent_inversion --preset paper -p width 64 --as width64\n"
        "geolib publish latent_inversion --reuse growing   # merge what was shipped as growing",
    )
    _study(sub)
    _configuration(sub, default="paper")
    sub.add_argument(
        "--folder", type=_path, default=Path("runs"), help="where units are kept (default: runs)"
    )
    sub.add_argument(
        "--only-finished", action="store_true", help="compute nothing: publish the units that exist"
    )
    _reusing(sub)
    sub.add_argument(
        "--recompute",
        action="append",
        default=[],
        metavar="UNIT",
        help="compute a unit anew, whatever there is of it",
    )
    sub.add_argument(
        "--to", type=_path, metavar="FOLDER", help="where to ship to (default: book/results)"
    )
    sub.add_argument(
        "--as", dest="label", metavar="NAME", help="name of the file beside that of the preset"
    )
    scheduler.add_options(sub)


def _building(command: Command) -> None:
    sub = command(
        "book",
        "execute the notebooks that changed and build the book",
        "geolib book\ngeolib book --force\n"
        "geolib book --no-execute   # pages of what there is, marked where it is old",
    )
    how = sub.add_mutually_exclusive_group()
    how.add_argument("--force", action="store_true", help="execute and build everything again")
    how.add_argument(
        "--no-execute",
        action="store_true",
        help="execute nothing; mark the pages that are out of date",
    )


def _study(parser: argparse.ArgumentParser, companions: bool = True) -> None:
    told = f"one of {', '.join(studies.NAMES)}"
    if companions:
        told += f", or a companion: {', '.join(studies.COMPANIONS)}"
    parser.add_argument("study", metavar="STUDY", help=told)


def _reusing(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--reuse",
        action="append",
        default=[],
        metavar="NAME",
        help="take units of the same key also from the file shipped as NAME",
    )


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
    parser.add_argument(
        "--preset", default=default, metavar="PRESET", help=f"quick or paper (default: {default})"
    )


def pairs(arguments: Sequence[str]) -> list[str]:
    """Return arguments with `-p NAME=VALUE` as two; values that begin with a minus told apart."""
    words: list[str] = []
    for word in arguments:
        if words[-1:] == ["-p"] and re.match(r"\w+=", word):
            words += word.split("=", 1)
        else:
            words.append(word)
    # argparse takes -1e-3 and -inf for options; a space before them, which `-p` strips, tells it
    # otherwise.
    values = [n + 2 for n, word in enumerate(words) if word == "-p"]
    number = re.compile(r"-(\d|\.|inf|nan)", re.IGNORECASE)
    return [
        f" {word}" if n in values and number.match(word) else word for n, word in enumerate(words)
    ]


def _path(text: str) -> Path:
    if not text.strip() or "\0" in text:
        raise argparse.ArgumentTypeError(
            f"it must name a file or folder; got {text!r}. Give a name"
        )
    return Path(text)
