"""What an executed notebook depends on, and what of it has changed since."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import geolib
from geolib import studies
from geolib.book import ledger, notebooks
from geolib.datasets import fetch
from geolib.runs import paths

UNITS = ".units-"


def inputs(page: str) -> dict[str, str]:
    """Return a hash of each thing that an executed notebook depends on, by a known name."""
    notebook, study = paths.notebook(page), studies.of_page(page).name
    cells = notebooks.read(notebook).cells
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    text = [
        "".join(cell["source"]) + json.dumps(cell["metadata"], sort_keys=True) for cell in cells
    ]
    mine = [vars(claim) for claim in ledger.load(paths.ledger()) if claim.paper == study]
    made = {
        f"notebooks/{page}.ipynb (code)": "\n".join(code),
        f"notebooks/{page}.ipynb (text)": "\n".join(text),
        f"book/ledger/{study}.yml": json.dumps(mine, default=str, sort_keys=True),
    }
    for name in studies.get(study).files:
        made[f"data file {name}"] = str(fetch.locate(name) is not None)  # its content is pinned
    found = {name: _hash(text.encode()) for name, text in made.items()}
    root = paths.checkout()
    # What executing a notebook does to it belongs to its content.
    files = [*modules(studies.module_of(study), code), Path(notebooks.__file__)]
    for name in (
        study,
        *(name for name, chapter in studies.COMPANIONS.items() if chapter == study),
    ):
        files += sorted(path for path in paths.results().glob(f"{name}*") if path.is_file())
    if root is not None and (root / "constraints.txt").is_file():
        files.append(root / "constraints.txt")
    return found | {_label(path): _hash(path.read_bytes()) for path in files}


def computing(study: str) -> str:
    """Return one hash of the code and data from which a study's notebooks compute their units."""
    cells = [
        cell
        for page in studies.get(study).pages
        for cell in notebooks.read(paths.notebook(page)).cells
    ]
    # A cell of a reader's own may hold magics, which are no Python.
    code = [
        re.sub(r"(?m)^\s*[%!].*$", "", "".join(c["source"]))
        for c in cells
        if c["cell_type"] == "code"
    ]
    data = [f"{name} {fetch.locate(name) is not None}" for name in studies.get(study).files]
    files = [path.read_bytes() for path in modules(studies.module_of(study), code)]
    return _hash(
        b"\0".join(
            [*(_hash(content).encode() for content in files), *(text.encode() for text in data)]
        )
    )


def kept_units(folder: Path, study: str) -> Path:
    """Return where an interrupted execution's units are kept, by state of code and data.

    What another state has left is removed: the caller holds the folder.
    """
    place = folder / f"{UNITS}{study}-{computing(study)[:16]}"
    for left in folder.glob(f"{UNITS}{study}-*"):
        if left != place:
            shutil.rmtree(left, ignore_errors=True)
    return place


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of what was added, removed or altered."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def modules(start: str, code: list[str]) -> list[Path]:
    """Return the files of all geolib modules that a module and cells import, however far."""
    package = _package()
    found: dict[str, Path] = {}

    def file_of(name: str) -> Path | None:
        stem = package.parent.joinpath(*name.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path
        return None

    # Magics and shell escapes are no Python; the notebooks have none.
    waiting = {start, *(name for text in code for name in _imports(text))}
    while waiting:
        name = waiting.pop()
        path = file_of(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting |= _imports(path.read_text(encoding="utf-8")) - found.keys()
    return [found[name] for name in sorted(found)]


@functools.cache
def _imports(text: str) -> frozenset[str]:
    names: set[str] = set()
    waiting: list[ast.AST] = [ast.parse(text)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            waiting += node.orelse  # what type checkers see is not executed
            continue
        waiting += ast.iter_child_nodes(node)
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
            # The names of the package itself are loaded from elsewhere once they are asked for.
            names.update(
                geolib.HOMES[a.name]
                for a in node.names
                if node.module == "geolib" and a.name in geolib.HOMES
            )
    parents = {
        ".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 1)
    }
    return frozenset(name for name in names | parents if name.split(".")[0] == "geolib")


def _package() -> Path:
    return Path(__file__).parents[1]


def _label(path: Path) -> str:
    root = _package().parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
