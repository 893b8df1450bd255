"""The numeric tests and the notebooks under the arithmetic of other machines, as far as one machine can imitate them.

    python -m tests.portable                    every setting: tests, then the drift of every number of the notebooks
    python -m tests.portable --short            one setting, two folders of tests, no notebook; writes nothing
    python -m tests.portable --setting NAME --notebook NAME --no-tests    a part of it

Drift is how far a printed number lies from the committed one, in units of the larger. `bench/portable.json` keeps it,
setting by setting; the notebooks' regression takes its tolerances from there, and the page on records shows it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from geolib import studies
from geolib.runs import paths, surroundings
from geolib.runs.store import provenance, write_atomic
from tests.notebooks.nbval_tolerance import DRAWN, DRIFT, LARGEST, NUMBER, apart, pairs

ROOT = Path(__file__).parents[1]
ONE = dict.fromkeys(surroundings.THREADS, "1")
# What stands for which machine: vector lengths of PyTorch and oneDNN, another vendor's library, a compiler for any
# processor, other numbers of threads.
WITHOUT_VECTORS = {"ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_CBWR": "COMPATIBLE"}
SETTINGS: dict[str, dict[str, str]] = {
    "as it is": ONE,
    "two threads": dict.fromkeys(surroundings.THREADS, "2"),
    "PyTorch, oneDNN and MKL without vectors": {**ONE, **WITHOUT_VECTORS},
    "Numba for any processor": {**ONE, "NUMBA_CPU_NAME": "generic"},
    "PyTorch without vectors": {**ONE, "ATEN_CPU_CAPABILITY": "default"},
    "PyTorch with AVX2": {**ONE, "ATEN_CPU_CAPABILITY": "avx2"},
    "oneDNN with SSE4.1": {**ONE, "ONEDNN_MAX_CPU_ISA": "SSE41"},
    "oneDNN with AVX2": {**ONE, "ONEDNN_MAX_CPU_ISA": "AVX2"},
    "MKL for any processor": {**ONE, "MKL_CBWR": "COMPATIBLE"},
}
# What worker processes imitate as well: of a user's environment they take over nothing that begins with NUMBA_ or MKL_.
SHORT = {"PyTorch without vectors": SETTINGS["PyTorch without vectors"]}
SHORT_TESTS = ("tests/metrics", "tests/inversion")


#: One gradient of waves with each kernel that it takes, bit by bit.
GRADIENT = """
import torch
from geolib.waves import Grid, Survey, propagate, ricker
torch.manual_seed(0)
velocity = (1500 + 1500 * torch.rand(24, 31)).requires_grad_()
receivers = [[[2, k] for k in range(30)]]
survey = Survey(Grid((24, 31), 10.0), 1e-3, 80, [[[3, 5]]], receivers, ricker(20.0, 1e-3, 80)[None, None])
traces = propagate(velocity, survey, space_order=2)
traces.square().sum().backward()
print(traces.detach().numpy().tobytes().hex(), velocity.grad.numpy().tobytes().hex())
"""


def environment(changes: Mapping[str, str], cache: str) -> dict[str, str]:
    """Return the environment of a setting; compiled kernels of one setting are never those of another."""
    packages = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "NUMBA_CACHE_DIR": cache, "PYTHONPATH": packages, **changes}


def texts(cell: Mapping[str, Any]) -> list[str]:
    """Return what a cell printed and showed, without what is drawn."""
    found, printed = [], ""
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            printed += output["text"] if output["name"] == "stdout" else ""
        else:
            found += [str(text) for kind, text in sorted(output["data"].items()) if not kind.startswith(DRAWN)]
    return [printed, *found]


def drift(reference: Any, executed: Any) -> dict[str, Any]:
    """Return `numbers` compared, how many `moved`, and the largest drift of each cell that moved (`cells`).

    Cells whose output is ignored, timings mostly, do not count. A text that differs, or an integer, is infinite drift.
    """
    numbers, moved, cells = 0, 0, {}
    for before, after in zip(reference.cells, executed.cells, strict=True):
        if before.cell_type != "code" or "nbval-ignore-output" in before.metadata.get("tags", []):
            continue
        gaps = []
        for old, new in zip(texts(before), texts(after), strict=True):
            same_words = NUMBER.split(old) == NUMBER.split(new)
            gaps += [apart(a, b) for a, b in pairs(old, new)] if same_words else [float("inf")]
        numbers, moved = numbers + len(gaps), moved + sum(gap > 0 for gap in gaps)
        if max(gaps, default=0.0) > 0:
            cells[before.id] = float(f"{max(gaps):.2g}")
    return {"numbers": numbers, "moved": moved, "cells": cells}


def execute(name: str, target: Path) -> None:
    """Execute a committed notebook in this process's environment."""
    content = nbformat.read(paths.notebook(name), as_version=4)
    where = {"metadata": {"path": str(paths.notebook(name).parent)}}
    NotebookClient(content, timeout=None, kernel_name="python3", resources=where, record_timing=False).execute()
    nbformat.write(content, target)


def measure(names: Sequence[str], changes: Mapping[str, str], cache: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each notebook's drift under a setting."""
    for name in names:
        target = Path(cache) / f"{name}.ipynb"
        command = [sys.executable, "-m", "tests.portable", "--execute", name, str(target)]
        subprocess.run(command, check=True, cwd=ROOT, env=environment(changes, cache), stderr=subprocess.DEVNULL)
        yield name, drift(nbformat.read(paths.notebook(name), as_version=4), nbformat.read(target, as_version=4))


def gradient(changes: Mapping[str, str], cache: str) -> bytes:
    """Return the bits of a gradient of waves, by kernels that are in the cache or are compiled into it."""
    command = [sys.executable, "-c", GRADIENT]
    where = {"cwd": ROOT, "env": environment(changes, cache)}
    return subprocess.run(command, check=True, capture_output=True, **where).stdout


def keep(found: Mapping[str, Mapping[str, dict[str, Any]]]) -> None:
    """Write what was measured in place of what an earlier run of the same setting measured, or of cells now gone."""
    kept = json.loads(DRIFT.read_text(encoding="utf-8"))["notebooks"] if DRIFT.is_file() else {}
    origin = {name: value for name, value in provenance().items() if name in ("commit", "device", "date")}
    for name in studies.pages():
        ids = {cell.id for cell in nbformat.read(paths.notebook(name), as_version=4).cells}
        known = {label: gaps for label, gaps in kept.get(name, {}).items() if gaps["cells"].keys() <= ids}
        known |= {label: {**origin, **gaps} for label, gaps in found.get(name, {}).items()}
        kept[name] = {label: known[label] for label in SETTINGS if label in known}
    write_atomic(DRIFT, (json.dumps({"settings": SETTINGS, "notebooks": kept}, indent=1) + "\n").encode())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.portable", description=__doc__.splitlines()[0])
    parser.add_argument("--short", action="store_true", help="one setting, few tests, no notebook; writes nothing")
    parser.add_argument("--no-tests", action="store_true", help="only the notebooks")
    parser.add_argument("--setting", action="append", choices=SETTINGS, help="only this one (may be repeated)")
    parser.add_argument("--notebook", action="append", choices=studies.pages(), help="only this one (may be repeated)")
    parser.add_argument("--execute", nargs=2, metavar=("NOTEBOOK", "TARGET"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.execute:
        execute(options.execute[0], Path(options.execute[1]))
        return 0
    settings = SHORT if options.short else {name: SETTINGS[name] for name in options.setting or SETTINGS}
    names = options.notebook or ([] if options.short else studies.pages())
    found: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in names}
    failed = []
    for label, changes in settings.items():
        with tempfile.TemporaryDirectory() as cache:
            if not options.no_tests:
                compiled = gradient(changes, cache)  # which the tests need not do
                command = [sys.executable, "-m", "pytest", "-q", "-x", "-m", "numeric", "-p", "no:cacheprovider"]
                command += SHORT_TESTS if options.short else ()
                status = subprocess.run(command, cwd=ROOT, env=environment(changes, cache)).returncode
                print(f"{label}: numeric tests {'failed' if status else 'passed'}", flush=True)
                failed += [f"tests, {label}"] if status else []
                same = gradient(changes, cache) == compiled
                print(f"{label}: kernels read from the cache give {'the same' if same else 'OTHER'} bits", flush=True)
                failed += [] if same else [f"kernels of the cache, {label}"]
            for name, gaps in measure(names, changes, cache):
                found[name][label] = gaps
                largest = max(gaps["cells"].values(), default=0.0)
                print(f"{label}: {name}, {gaps['moved']} of {gaps['numbers']} moved, by {largest:.1e} at most")
                print("".join(f"    {cell} {gap:.1e}\n" for cell, gap in gaps["cells"].items()), end="", flush=True)
                failed += [f"{name}, {label}"] if largest > LARGEST else []
            if not options.short:
                keep(found)
    print("\n".join(f"failed: {each}" for each in failed))
    return len(failed) > 0


if __name__ == "__main__":
    sys.exit(main())
