"""Building the book: run the notebooks that changed, write pages, call jupyter-book."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from geolib import studies
from geolib.book import chapters, holes, labs, mathematics, notebooks, records, staleness
from geolib.datasets import fetch
from geolib.runs import locks, paths, scheduler, surroundings
from geolib.runs.store import write_atomic


def build(*, force: bool = False, execute: bool = True, say: Callable[[str], None] = print) -> Path:
    """Build the book and return its first page.

    Parameters
    ----------
    force : bool
        Run every notebook and build every page again.
    execute : bool
        Run the notebooks that changed; without it their pages are built all the same and marked
        stale.
    say : callable
        Takes one line about each thing done or kept.

    Raises
    ------
    RuntimeError
        If a notebook fails, jupyter-book warns, or a page shows `nan`, `inf` or `None` in place of
        a number.
    ValueError
        If this is no checkout, or a data file is damaged.
    """
    root = paths.checkout()
    if root is None:
        raise ValueError(
            "the book can be built in a checkout only; geolib is installed elsewhere. "
            "Clone the project."
        )
    with locks.held(root / ".build", "geolib book", "Wait for it."):
        return _build(root, force, execute, say)


def _build(root: Path, force: bool, execute: bool, say: Callable[[str], None]) -> Path:
    chapters.clean(root)
    states = {page: chapters.state(root, page) for page in studies.pages()}
    wanted = [
        name for name, found in states.items() if execute and (force or found["state"] != "current")
    ]
    for name, found in states.items():
        if name not in wanted:
            kept = found["state"] == "current"
            say(
                f"kept: {name}, nothing it depends on changed"
                if kept
                else f"marked {found['state']}: {name}"
            )
    if wanted:
        _execute(root, wanted, say)
        states |= {name: chapters.state(root, name) for name in wanted}
    _generate(root, states)
    first = root / "_build" / "html" / "index.html"
    stamp = root / ".build" / "book.stamp"
    now = _digest(_book_inputs(root))
    if not force and first.is_file() and _read(stamp) == now:
        say("kept: the pages, nothing changed")
        return first
    stamp.unlink(missing_ok=True)
    _jupyter_book(root, force)
    # Not through book/_static: jupyter-book would load every script there a second time.
    mathematics.copy_parts(first.parent / "_static" / "mathjax")
    labs.write(root / "book" / "_static" / "lab", first.parent / "_static" / "lab" / "data")
    for made in first.parent.rglob("*.html"):
        _make_offline(made, first.parent)
    _trim_icons(first.parent)
    _trim_drawings(first.parent / "_images")
    _show_sizes(first.parent)
    holes.refuse(first.parent)
    write_atomic(stamp, now.encode())
    say("built: the pages")
    return first


def _execute(root: Path, pages: Sequence[str], say: Callable[[str], None]) -> None:
    names = list(dict.fromkeys(studies.of_page(page).name for page in pages))
    for name in names:
        for file in studies.get(name).files:
            fetch.locate(file)  # a damaged or missing file is reported before any kernel starts
    inputs = {
        name: {page: staleness.inputs(page) for page in studies.get(name).pages if page in pages}
        for name in names
    }
    units = {name: staleness.kept_units(root / ".build", name) for name in names}
    # Kernels are single-threaded, so papers run side by side.
    with scheduler.pool(min(len(names), os.cpu_count() or 1)) as workers:
        say(f"executing: {', '.join(pages)} (quick preset)")
        with surroundings.applied():
            futures = {n: workers.submit(_executed, root, inputs[n], units[n]) for n in names}
        problems = []
        for name in names:
            try:
                futures[name].result()
            except (RuntimeError, ValueError, OSError) as error:
                problems.append(str(error))
                continue
            except BrokenProcessPool:
                problems.append(
                    f"notebook {name} was lost: its process was killed, perhaps for lack of memory"
                )
                continue
            shutil.rmtree(units[name], ignore_errors=True)
            say(f"executed: {', '.join(inputs[name])}")
    if problems:
        raise RuntimeError("; ".join(problems))


def _executed(root: Path, inputs: Mapping[str, dict[str, str]], units: Path) -> None:
    """Execute the notebooks of a paper in turn: an appendix takes its chapter's units."""
    for page, before in inputs.items():
        output = chapters.executed(root, page)
        notebooks.execute(page, {}, output, say=None if sys.stderr.isatty() else _say, units=units)
        about = chapters.prepare_file(output)
        if notebooks.failed(output):
            raise RuntimeError(f"notebook {page} did not run to its end")
        chapters.stamp(root, page, {"inputs": before, "provenance": about})


def _say(line: str) -> None:
    print(line, flush=True)


def _generate(root: Path, states: dict[str, dict[str, Any]]) -> None:
    from geolib.book import ledger_page, pages, verify

    files, proofs, judged = records.shipped(), ledger_page.proofs(), verify.rows()
    verdicts = {row["id"]: row["verdict"] for rows in judged.values() for row in rows}
    for name, found in states.items():
        chapters.write(root, name, found, files, proofs[name], verdicts)
    folder = root / "book" / "_generated"
    made = pages.generate(root / "book" / "papers", states, files, judged)
    for name, content in made.items():
        if not (folder / name).is_file() or (folder / name).read_bytes() != content:
            write_atomic(folder / name, content)


def _book_inputs(root: Path) -> list[tuple[str, bytes]]:
    # The reference of the package is made from its docstrings.
    files = [
        root / "_config.yml",
        root / "constraints.txt",
        root / "CITATION.cff",
        root / "CONTRIBUTING.md",
        root / "bench" / "scheduler.md",
        *sorted((root / "geolib").rglob("*.py")),
    ]
    for path in sorted((root / "book").rglob("*")):
        inside = path.relative_to(root / "book").parts
        if path.is_file() and inside[0] != "results" and ".ipynb_checkpoints" not in inside:
            files.append(path)
    return [(str(path.relative_to(root)), path.read_bytes()) for path in files if path.is_file()]


@contextlib.contextmanager
def _plain_place(root: Path) -> Iterator[Path]:
    """Yield the checkout or, where its path reads as a pattern, a plain place with its files."""
    if not re.search(r"[\[\]{}*?]", str(root)):
        yield root
        return
    (root / "_build").mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="geolib-book-") as name:
        for entry in root.iterdir():
            if entry.name == "book":  # Sphinx follows a link to where its sources really are
                shutil.copytree(entry, Path(name, "book"), ignore=shutil.ignore_patterns("results"))
            elif not entry.name.startswith("."):
                Path(name, entry.name).symlink_to(entry)
        yield Path(name)


def _jupyter_book(root: Path, force: bool) -> None:
    # The package has no __main__; its script may not be on the path.
    start = "from jupyter_book.cli.main import main; main()"
    command = [
        "-c",
        start,
        "build",
        "book",
        "-n",
        "-W",
        "--keep-going",
        *(["--all"] if force else []),
    ]
    with _plain_place(root) as place:
        done = surroundings.python(*command, folder=place)
    log = root / ".build" / "book.log"
    write_atomic(log, (done.stdout + done.stderr).encode())
    if done.returncode:
        # What was complained of is not read again, and so not told again, from what is kept of it.
        shutil.rmtree(root / "_build" / ".doctrees", ignore_errors=True)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", done.stdout + done.stderr).splitlines()
        warned = [line for line in lines if "WARNING" in line or "ERROR" in line] or lines[-5:]
        raise RuntimeError(
            f"jupyter-book did not build the pages cleanly: {'; '.join(warned[:5])} (log: {log})"
        )


# The theme loads icons as fonts, a quarter of a megabyte, and preloads them across origins, which a
# browser refuses for files: its script draws those that these pages have, but for two, which
# `house.css` draws. And it names thebe's remote address twice even with thebe off, which is an
# error in the console.
_ONLINE = re.compile(
    r'<link rel="preload" as="font"[^>]*>\s*'
    r"|<script>const THEBE_JS_URL[^<]*</script>\s*"
    r"|<script[^>]*sphinx-thebe[^>]*></script>\s*"
    r'|<script type="text/x-thebe-config">.*?</script>\s*'
    r'|<link href="[^"]*fontawesome[^"]*\.css[^>]*>\s*',
    re.DOTALL,
)


_MATHJAX = re.compile(
    r"<script>window\.MathJax[^<]*</script>\s*|<script[^>]*mathjax/startup[^>]*></script>\s*"
)


_PICTURE = re.compile(r'(?<!<noscript>)<img((?: (?:alt|class)="[^"]*")+) src="([^"]*)" ?/>')
_EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw=="


def _make_offline(path: Path, site: Path) -> None:
    text = path.read_text(encoding="utf-8")
    cleaned = labs.attach(_ONLINE.sub("", text), path, site)
    # Many pictures: each is loaded as one scrolls near it.
    if path.stem.endswith("_appendix"):
        cleaned = cleaned.replace("<img alt", '<img loading="lazy" alt')
    if path.name == "gallery.html":
        cleaned = _PICTURE.sub(
            rf'<img\1 src="{_EMPTY}" data-src="\2" /><noscript>\g<0></noscript>', cleaned
        )
    if 'class="math' not in cleaned:
        cleaned = _MATHJAX.sub("", cleaned)  # a megabyte for nothing
    if cleaned != text:
        write_atomic(path, cleaned.encode())  # half a page would be kept by the next build


# An icon in the script of Font Awesome: its name, sizes, other names, code and drawing.
_ICON = re.compile(r'("?)([\w-]+)\1:\[\d+,\d+,\[([^\]]*)\],"[0-9a-f]+",(?:"[^"]*"|\[[^\]]*\])\],?')


def _trim_icons(folder: Path) -> None:
    # The theme's script draws two thousand icons, of which pages show a dozen.
    import pydata_sphinx_theme

    whole = Path(pydata_sphinx_theme.__file__).parent / "theme" / "pydata_sphinx_theme"
    shown = "".join(
        path.read_text(encoding="utf-8")
        for path in [*folder.rglob("*.html"), *folder.rglob("*theme.js")]
    )
    used = set(re.findall(r"fa-([a-z0-9-]+)", shown))
    for source in whole.glob("static/vendor/fontawesome/*/js/all.min.js"):
        text = source.read_text(encoding="utf-8")
        trimmed = _ICON.sub(
            lambda m: m[0] if used & {m[2], *re.findall(r'"([\w-]+)"', m[3])} else "", text
        )
        target = folder / "_static" / source.relative_to(whole / "static")
        if target.is_file():
            write_atomic(target, trimmed.encode())


class _Loads(HTMLParser):
    """Collects the addresses of what a browser loads to show a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Note the address of a script, an image or a style sheet."""
        values = dict(attributes)
        address = (
            values.get("href") if tag == "link" and values.get("rel") == "stylesheet" else None
        )
        address = values.get("src") if tag in ("script", "img", "source", "video") else address
        if address and not address.startswith("data:"):
            self.found.add(unquote(urlsplit(address).path))


# Where a stroke goes, and the digits of a number that no eye sees: points have two.
_STROKE = re.compile(r' (?:d|x|y)="[^"]*"')
_UNSEEN = re.compile(r"(\.\d\d)\d+")


def _trim_drawings(folder: Path) -> None:
    for path in folder.glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        trimmed = _STROKE.sub(lambda found: _UNSEEN.sub(r"\1", found[0]), text)
        if trimmed != text:
            write_atomic(path, trimmed.encode())


def load_sizes(folder: Path) -> dict[str, dict[str, int]]:
    """Return each page's bytes in a built book: page, images, styles and scripts, `sum`."""
    sizes = {}
    for path in sorted([*folder.glob("*.html"), *folder.glob("papers/*.html")]):
        row = {"page": path.stat().st_size, "images": 0, "styles and scripts": 0}
        for address in _Loads(path.read_text(encoding="utf-8")).found:
            file = path.parent / address
            kind = "styles and scripts" if file.suffix in (".js", ".css") else "images"
            if file.is_file():
                # MathJax's first file asks for the others.
                whole = file.name == mathematics.FIRST
                row[kind] += mathematics.size(file.parent) if whole else file.stat().st_size
        sizes[path.relative_to(folder).as_posix()] = {**row, "sum": sum(row.values())}
    return sizes


def _breakable(name: str) -> str:
    # A phone's line ends where an address may be broken.
    return name.replace("/", "/<wbr>").replace("_", "_<wbr>")


def _show_sizes(folder: Path) -> None:
    # Sphinx cannot know the sizes of what it has not written yet.
    status = folder / "status.html"
    names = ("page", "images", "styles and scripts", "sum")
    heads = ("page", "images", "code", "all")
    rows = ["<tr><th>Page, kB</th>" + "".join(f"<th>{name}</th>" for name in heads) + "</tr>"]
    for page_name, row in load_sizes(folder).items():
        cells = "".join(f"<td class='text-right'>{row[name] / 1000:.0f}</td>" for name in names)
        rows.append(f"<tr><td><a href='{page_name}'>{_breakable(page_name)}</a></td>{cells}</tr>")
    table = f'<div id="page-sizes"><table class="table">{"".join(rows)}</table></div>'
    text = re.sub(
        r'<div id="page-sizes">.*?</div>',
        lambda _: table,
        status.read_text(encoding="utf-8"),
        flags=re.DOTALL,
    )
    write_atomic(status, text.encode())


def _digest(parts: list[tuple[str, bytes]]) -> str:
    total = hashlib.sha256()
    for name, content in parts:
        total.update(name.encode() + b"\0" + hashlib.sha256(content).digest())
    return total.hexdigest()


def _read(path: Path) -> str:
    return path.read_text() if path.is_file() else ""
