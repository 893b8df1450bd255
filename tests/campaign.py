"""Wrong and damaged inputs, made by a seed: `make campaign` tries 1000, `make test` a fixed sample.

Each is given to the command line or to a public function. What comes back must be a plain success, or a refusal of one
line that names the trouble; nothing half written may be left behind.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np

from geolib import cli, studies
from geolib.book import compare, ledger, notebooks, reruns
from geolib.runs import paths, store
from geolib.runs.measure import Measure
from tests import calls

WORDS = ["", " ", "nan", "-inf", "1e400", "0x10", "true", "None", "[]", "{}", "a b", "é", "-", "--", "-p", "..", "/"]
WORDS += ["'", '"', "%s", "{0}", "\\", "\n", "9" * 400, "1,2", "1,,2", "=", "a=b", "~", "$HOME", "*", "quick", "paper"]


class Case:
    """What one input came to: its kind, and what is wrong with the answer, or nothing."""

    def __init__(self, kind: str, given: object, fault: str = "") -> None:
        self.kind, self.given, self.fault = kind, given, fault


def commands(rng: np.random.Generator, folder: Path) -> Case:
    """A command line with one thing wrong in it."""
    name = str(rng.choice([*studies.NAMES, *studies.COMPANIONS]))
    row = studies.get(name).Config.describe()
    known = str(rng.choice([entry["name"] for entry in row]))
    word = str(rng.choice(WORDS))
    out = str(folder / "out")
    tries = [
        [word],
        [word, name],
        ["params", name + word] if word.strip() else ["params", ""],
        ["run", name, "-p", known + "x", "1", "--out", out],
        ["run", name, "-p", known, "no such value", "-p", known, "1", "--out", out],
        ["run", name, "--preset", f"x{word}", "--out", out],
        ["run", name, "--out", ""],
        ["run", name, "-f", str(folder / "absent.yml"), "--out", out],
        ["study", name, "--jobs", f"-1{word}"],
        ["study", name, "--scheduler", f"no scheduler {word}"],
        ["study", name, "-p", known],
        ["publish", name, "--as", f"X{word}"],
        ["publish", name, "--as", ""],
        ["publish", name, "--folder", ""],
        ["sweep", name, "-p", known, ",", "--out", out],
        ["sweep", name, "--out", out],
        ["compare", str(folder), str(folder / word.strip("/\n")[:50]), "--out", str(folder / "page.html")],
        ["list", f"x{word}"],
        ["verify", f"--{word.strip() or 'x'}y"],
        ["book", "--force", "--no-execute"],
    ]
    return called(tries[int(rng.integers(len(tries)))], folder)


def called(arguments: list[str], folder: Path) -> Case:
    kind = f"command {arguments[0] if arguments[0] in cli._ACTIONS else '(none)'}"
    before = sorted(path.name for path in folder.iterdir())
    told, said = io.StringIO(), io.StringIO()
    try:
        with contextlib.redirect_stderr(told), contextlib.redirect_stdout(said):
            status = cli.main(arguments)
    except SystemExit as stop:  # --help, --version
        status = stop.code
    except BaseException as error:
        return Case(kind, arguments, f"{type(error).__name__} came through: {error}")
    lines = told.getvalue().splitlines()
    fault = ""
    if status == 0:
        fault = "exit 0 for a wrong call"
    elif len(lines) != 1 or not lines[0].startswith("geolib: "):
        fault = f"{len(lines)} lines: {lines[:2]}"
    elif "fault of geolib itself" in lines[0]:
        fault = lines[0]
    elif sorted(path.name for path in folder.iterdir()) != before:
        fault = "something was left behind"
    return Case(kind, arguments, fault)


def damaged(content: bytes, rng: np.random.Generator) -> bytes:
    """A file's content with a part lost, doubled, turned or replaced."""
    at = int(rng.integers(max(len(content), 1)))
    length = int(rng.integers(1, 40))
    return [
        content[:at],
        content[:at] + bytes([content[at] ^ (1 << int(rng.integers(8)))]) + content[at + 1 :] if content else b"\0",
        content[:at] + rng.bytes(length) + content[at + length :],
        content[:at] + content[at : at + length] * 3 + content[at + length :],
        content[at:],
        b"",
        rng.bytes(length),
    ][int(rng.integers(7))]


def _whole(kind: str, folder: Path) -> tuple[Path, Callable[[Path], object]]:
    """Return a good file of a kind, and what reads it."""
    place = folder / "file"
    if kind == "unit":
        store.write_unit(place, {"x": np.arange(9.0), "words": np.array(["a", "b"])}, {"seconds": 1.0})
        return place, store.read_unit
    if kind == "results":
        store.save(place, store.Results({"n": 1}, {"u": {"x": np.arange(5.0)}}, {"u": {"seconds": 1}}), key="v1-a")
        return place, store.load
    if kind == "ledger":
        shutil.copy(paths.ledger() / "gan_101.yml", place)
        return place, ledger.load
    if kind == "notebook":
        cell = {"cell_type": "code", "metadata": {}, "source": "1", "outputs": [], "execution_count": 1, "id": "a"}
        place.write_text(json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
        return place, notebooks.read
    if kind == "run.json":
        record = {
            "study": "gan_101",
            "parameters": {"n_samples": 60},
            "measures": {"a": {"value": 1.0, "low": None, "high": None, "n": 2}},
            "seconds": 3.0,
            "provenance": {"commit": "abc", "device": "x", "date": "2026-01-01"},
        }
        (folder / "run.json").write_text(json.dumps(record))
        return folder / "run.json", lambda path: compare.read(path.parent)
    place.write_text("n_samples: 60\ntricks: [batch_norm, leaky]\ncritic_rate: 2.0\n")
    return place, lambda path: studies.get("gan_101").Config.preset("quick", **reruns.read_parameters(path))


FILES = ("unit", "results", "ledger", "notebook", "run.json", "parameters")


def files(rng: np.random.Generator, folder: Path) -> Case:
    """A damaged file: refused in a line, or still what it was where the damage means nothing."""
    kind = str(rng.choice(FILES))
    place, read = _whole(kind, folder)
    content = damaged(place.read_bytes(), rng)
    place.write_bytes(content)
    fault = ""
    try:
        read(place)
        if kind in ("unit", "results"):
            fault = "a damaged file was read as whole" if content != _good(kind, folder) else ""
    except (ValueError, TypeError, OSError) as error:
        if len(str(error).splitlines()) != 1:
            fault = f"{len(str(error).splitlines())} lines: {str(error)[:200]!r}"
    except BaseException as error:
        fault = f"{type(error).__name__} came through: {error}"
    return Case(f"file {kind}", content[:40], fault)


def _good(kind: str, folder: Path) -> bytes:
    with tempfile.TemporaryDirectory(dir=folder) as other:
        return _whole(kind, Path(other))[0].read_bytes()


def values(rng: np.random.Generator, folder: Path) -> Case:
    """A wrong value for a parameter or its kin: TypeError or ValueError of one line, or it is taken."""
    wrong = [None, "", "x", float("nan"), float("inf"), -1, 0, 10**400, 1.5, True, [], {}, (), "1e999", b"1", [None]]
    wrong += [np.nan, np.array([]), np.zeros((2, 2)), object(), "9" * 400, ["a", 1], -0.0, complex(1, 1), "１"]
    value = wrong[int(rng.integers(len(wrong)))]
    name = str(rng.choice([*studies.NAMES, *studies.COMPANIONS]))
    parameter = str(rng.choice([entry["name"] for entry in studies.get(name).Config.describe()]))
    calls: list[tuple[str, Callable[[], object]]] = [
        ("parameter", lambda: studies.get(name).Config.preset("quick", **{parameter: value})),
        ("Measure.count", lambda: Measure.count(value, 5)),
        ("studies.get", lambda: studies.get(value)),
        ("preset", lambda: studies.get(name).Config.preset(value)),
    ]
    kind, call = calls[int(rng.choice(len(calls), p=[0.7, 0.1, 0.1, 0.1]))]
    fault = ""
    try:
        call()
    except (ValueError, TypeError) as error:
        if len(str(error).splitlines()) != 1:
            fault = f"{len(str(error).splitlines())} lines: {str(error)[:200]!r}"
    except BaseException as error:
        fault = f"{type(error).__name__} came through: {error}"
    return Case(f"value {kind}", (name, parameter, repr(value)[:40]), fault)


def functions(rng: np.random.Generator, folder: Path) -> Case:
    """A public function called with one argument wrong."""
    function = list(calls.CALLS)[int(rng.integers(len(calls.CALLS)))]
    given = calls.CALLS[function]()
    name = str(rng.choice(list(given)))
    given[name] = calls.wrong(given[name], rng)
    kind = f"function of {function.__module__.split('.')[1]}"
    told = f"{calls.named(function)}: {name}={given[name]!r:.60}"
    return Case(kind, told, calls.fault(function, given, calls.expected(function)))


def campaign(count: int, seed: int = 0) -> list[Case]:
    """Return what `count` inputs came to; the same ones for the same seed."""
    rng, found = np.random.default_rng(seed), []
    here = os.getcwd()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for number in range(count):
            with tempfile.TemporaryDirectory() as folder:
                os.chdir(folder)
                try:
                    found.append((commands, files, values, functions)[number % 4](rng, Path(folder)))
                finally:
                    os.chdir(here)
    return found


def main() -> int:
    """Try them all, and print counts by kind and every fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    found = campaign(options.count, options.seed)
    for kind, number in sorted(Counter(case.kind for case in found).items()):
        bad = [case for case in found if case.kind == kind and case.fault]
        print(f"{kind:24}{number:5} tried, {len(bad)} faults")
    for case in found:
        if case.fault:
            print(f"{case.kind}: {case.given!r}: {case.fault}")
    return int(any(case.fault for case in found))


if __name__ == "__main__":
    sys.exit(main())
