"""Building the book: run the notebooks that changed, write the generated pages, call jupyter-book."""

from __future__ import annotations

import ast
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from geolib import claims, data, notebooks, page, paths, studies
from geolib.store import write_atomic


def build(*, force: bool = False, say: Any = print) -> Path:
    """Build the book and return its first page.

    Parameters
    ----------
    force : bool
        Run every notebook and build every page again.
    say : callable
        Takes one line about each thing done or kept.

    Raises
    ------
    RuntimeError
        If a notebook fails or jupyter-book warns.
    ValueError
        If this is no checkout, or a data file is damaged.
    """
    root = paths.checkout()
    if root is None:
        raise ValueError("the book can be built in a checkout only; geolib is installed elsewhere. Clone the project.")
    _execute_changed(root, force, say)
    _generate(root)
    first = root / "_build" / "html" / "index.html"
    stamp = root / ".build" / "book.stamp"
    now = _digest(_book_inputs(root))
    if not force and first.is_file() and _read(stamp) == now:
        say("kept: the pages, nothing changed")
        return first
    stamp.unlink(missing_ok=True)
    _jupyter_book(root, force)
    # Not through book/_static: jupyter-book would load every script there a second time.
    shutil.copy(page.mathjax(), first.parent / "_static" / "mathjax-tex-svg.js")
    for made in first.parent.rglob("*.html"):
        _make_offline(made)
    write_atomic(stamp, now.encode())
    say("built: the pages")
    return first


def _execute_changed(root: Path, force: bool, say: Any) -> None:
    for left in (root / "book" / "papers").glob(".executing-*"):
        shutil.rmtree(left)  # a killed build's draft, which Sphinx would take for a page
    stale = []
    for name in studies.NAMES:
        output = root / "book" / "papers" / f"{name}.ipynb"
        stamp = root / ".build" / f"{name}.stamp"
        if not force and output.is_file() and _read(stamp) == fingerprint(name) and not notebooks.failed(output):
            say(f"kept: {name}, nothing it depends on changed")
        else:
            stale.append((name, output, stamp))
    if not stale:
        return
    for name, _, _ in stale:
        for file in getattr(studies.get(name), "FILES", ()):
            data.locate(file)  # a damaged or missing file is reported before any kernel starts
    # Kernels are single-threaded, so notebooks run side by side.
    with ProcessPoolExecutor(max_workers=min(len(stale), os.cpu_count() or 1)) as pool:
        say(f"executing: {', '.join(name for name, _, _ in stale)} (quick preset)")
        prints = {name: fingerprint(name) for name, _, _ in stale}
        futures = {name: pool.submit(notebooks.execute, name, {}, output) for name, output, _ in stale}
        problems = []
        for name, output, stamp in stale:
            try:
                futures[name].result()
            except (RuntimeError, ValueError, OSError) as error:
                problems.append(str(error))
                continue
            if notebooks.failed(output):
                problems.append(f"notebook {name} did not run to its end")
                continue
            write_atomic(stamp, prints[name].encode())
            say(f"executed: {name}")
    if problems:
        raise RuntimeError("; ".join(problems))


def fingerprint(study: str) -> str:
    """Return a hash of everything a study's executed notebook depends on."""
    notebook = paths.notebook(study)
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    code = ["".join(c["source"]) for c in cells if c["cell_type"] == "code"]
    prose = ["".join(c["source"]) + json.dumps(c["metadata"], sort_keys=True) for c in cells]
    modules = _modules(f"geolib.studies.{study}", code)
    mine = [vars(c) for c in claims.load(paths.claims()) if c.paper == study]
    shipped = sorted(p for p in paths.results().glob(f"{study}*") if p.is_file())
    here = {name: str(data.locate(name) is not None) for name in getattr(studies.get(study), "FILES", ())}
    root = paths.checkout()
    pins = root / "constraints.txt" if root else None
    parts = ["\n".join(code), "\n".join(prose), json.dumps(mine, default=str, sort_keys=True), json.dumps(here)]
    # What executing a notebook does to it belongs to its content.
    modules.append(Path(notebooks.__file__))
    files = [*modules, *shipped, *([pins] if pins and pins.is_file() else [])]
    return _digest([(str(n), p.encode()) for n, p in enumerate(parts)] + [(f.name, f.read_bytes()) for f in files])


def _modules(start: str, code: list[str]) -> list[Path]:
    """Return the files of all geolib modules that a module and a notebook's cells import, directly or not."""
    package = Path(__file__).parent
    found: dict[str, Path] = {}

    def file_of(name: str) -> Path | None:
        stem = package.parent.joinpath(*name.split("."))
        for path in (stem.with_suffix(".py"), stem / "__init__.py"):
            if path.is_file():
                return path
        return None

    def imports(text: str) -> set[str]:
        names: set[str] = set()
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
                names.add(node.module)
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
        parents = {".".join(name.split(".")[:n]) for name in names for n in range(1, name.count(".") + 1)}
        return {name for name in names | parents if name.split(".")[0] == "geolib"}

    # Magics and shell escapes are no Python; the notebooks have none.
    waiting = {start, *(name for text in code for name in imports(text))}
    while waiting:
        name = waiting.pop()
        path = file_of(name)
        if path is None or name in found:
            continue
        found[name] = path
        waiting |= imports(path.read_text(encoding="utf-8")) - found.keys()
    return [found[name] for name in sorted(found)]


def _generate(root: Path) -> None:
    from geolib import pages

    folder = root / "book" / "_generated"
    for name, content in pages.generate(root / "book" / "papers").items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != content:
            write_atomic(folder / name, content)


def _book_inputs(root: Path) -> list[tuple[str, bytes]]:
    # The reference of the package is made from its docstrings.
    files = [
        root / "_config.yml",
        root / "constraints.txt",
        root / "CONTRIBUTING.md",
        root / "bench" / "scheduler.md",
        *sorted((root / "geolib").rglob("*.py")),
    ]
    for path in sorted((root / "book").rglob("*")):
        inside = path.relative_to(root / "book").parts
        if path.is_file() and inside[0] != "results" and ".ipynb_checkpoints" not in inside:
            files.append(path)
    return [(str(path.relative_to(root)), path.read_bytes()) for path in files if path.is_file()]


def _jupyter_book(root: Path, force: bool) -> None:
    # The package has no __main__; its script may not be on the path.
    start = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", start, "build", "book", "-n", "-W", "--keep-going"]
    done = subprocess.run([*command, *(["--all"] if force else [])], cwd=root, capture_output=True, text=True)
    log = root / ".build" / "book.log"
    write_atomic(log, (done.stdout + done.stderr).encode())
    if done.returncode:
        lines = (done.stdout + done.stderr).splitlines()
        warned = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-5:]
        raise RuntimeError(f"jupyter-book did not build the pages cleanly: {'; '.join(warned[:5])} (log: {log})")


# The theme preloads fonts across origins, which a browser refuses for files (icons are drawn by its script anyway), and
# names thebe's remote address twice even with thebe off, which is an error in the console.
_ONLINE = re.compile(
    r'<link rel="preload" as="font"[^>]*>\s*'
    r"|<script>const THEBE_JS_URL[^<]*</script>\s*"
    r"|<script[^>]*sphinx-thebe[^>]*></script>\s*"
    r'|<script type="text/x-thebe-config">.*?</script>\s*',
    re.DOTALL,
)


def _make_offline(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    cleaned = _ONLINE.sub("", text)
    if cleaned != text:
        path.write_text(cleaned, encoding="utf-8")


def _digest(parts: list[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in parts:
        total.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
