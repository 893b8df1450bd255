"""What an executed notebook and a shipped unit depend on, and what of it has changed since."""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from geolib import studies
from geolib.book import ledger, notebooks
from geolib.datasets import fetch
from geolib.runs import paths

# These bring units to and fro and judge them; no number of a unit comes from them.
_AROUND = {"_checks", "_runtime", "config", "fetch", "paths", "scheduler", "store", "ledger", "rules", "notebooks"}


def inputs(study: str) -> dict[str, str]:
    """Return a hash of each thing that a study's executed notebook depends on, by a name that a reader knows."""
    notebook = paths.notebook(study)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    text = ["".join(cell["source"]) + json.dumps(cell["metadata"], sort_keys=True) for cell in cells]
    mine = [vars(claim) for claim in ledger.load(paths.ledger()) if claim.paper == study]
    made = {
        f"notebooks/{study}.ipynb (code)": "\n".join(code),
        f"notebooks/{study}.ipynb (text)": "\n".join(text),
        f"book/ledger/{study}.yml": json.dumps(mine, default=str, sort_keys=True),
    }
    for name in getattr(studies.get(study), "FILES", ()):
        made[f"data file {name}"] = str(fetch.locate(name) is not None)  # its content is pinned
    found = {name: _hash(text.encode()) for name, text in made.items()}
    root = paths.checkout()
    # What executing a notebook does to it belongs to its content.
    files = [*modules(studies.module_of(study), code), Path(notebooks.__file__)]
    for name in (study, *(name for name, chapter in studies.COMPANIONS.items() if chapter == study)):
        files += sorted(path for path in paths.results().glob(f"{name}*") if path.is_file())
    if root is not None and (root / "constraints.txt").is_file():
        files.append(root / "constraints.txt")
    return found | {_label(path): _hash(path.read_bytes()) for path in files}


def changed(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return the names of what was added, removed or altered."""
    return sorted(name for name in {*before, *now} if before.get(name) != now.get(name))


def modules(start: str, code: list[str]) -> list[Path]:
    """Return the files of all geolib modules that a module and a notebook's cells import, directly or not."""
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
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    parents = {".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 1)}
    return frozenset(name for name in names | parents if name.split(".")[0] == "geolib")


def changed_since(study: str, commit: str) -> list[str] | None:
    """Return the modules that compute a study's units and whose code differs from that of a commit.

    Comments, docstrings and layout are no difference, nor is a module that only carries or judges units.

    Returns
    -------
    list of str or None
        File names; None if the commit's code is not at hand: not in this clone, no git, or not committed then.
    """
    if not commit or not commit.isalnum():  # "+changes" was never committed
        return None
    listed = _git("diff", "--name-only", commit, "--", "geolib")
    if listed is None:
        return None
    computing = [
        path
        for path in modules(studies.module_of(study), [])
        if path.stem not in _AROUND and path != Path(studies.__file__)
    ]
    names = {_label(path): path for path in computing}
    return [name for name in listed.split() if name in names and _meaning_at(commit, name) != _meaning(names[name])]


def _meaning(path: Path) -> str:
    return _plain(path.read_text(encoding="utf-8"))


@functools.cache
def _meaning_at(commit: str, name: str) -> str:
    text = _git("show", f"{commit}:{name}")
    return "" if text is None else _plain(text)


@functools.cache
def _plain(text: str) -> str:
    """Return the code without comments, docstrings and layout."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            first = node.body[0] if node.body else None
            if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
                node.body = node.body[1:]
    return ast.dump(tree)


@functools.cache
def _git_at(folder: str, *arguments: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None


def _git(*arguments: str) -> str | None:
    return _git_at(str(_package().parent), *arguments)


def _package() -> Path:
    return Path(__file__).parents[1]


def _label(path: Path) -> str:
    root = _package().parent
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.name


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
