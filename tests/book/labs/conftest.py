"""A page with one laboratory, from file://, without a network and without the rest of the book."""

import shutil
from pathlib import Path

import pytest

from geolib.book import build, labs
from geolib.runs import paths
from tests.conftest import ROOT, once

SOURCES = ROOT / "book" / "_static" / "lab"
PAGE = """<!DOCTYPE html><html data-theme="{theme}"><head><meta charset="utf-8"><title>{name}</title>
<meta name="viewport" content="width=device-width, initial-scale=1"></head>
<body><div class="geolab" data-lab="{name}"><p>Without scripts there is nothing to try here.</p></div></body></html>"""


def built() -> Path | None:
    """Return the folder of data in the built book, where that was built from what is here now."""
    stamp, folder = ROOT / ".build" / "book.stamp", ROOT / "_build" / "html" / "_static" / "lab" / "data"
    now = paths.checkout() == ROOT and stamp.is_file() and build._digest(build._book_inputs(ROOT))
    return folder if folder.is_dir() and now and stamp.read_text() == now else None


@pytest.fixture(scope="session")
def site(tmp_path_factory) -> Path:
    """A folder like the built book's, with all laboratories and their data."""

    def make() -> dict[str, bytes]:
        data = built()
        if data is None:
            labs.write(SOURCES, data := tmp_path_factory.mktemp("data"))
        return {path.relative_to(data).as_posix(): path.read_bytes() for path in data.rglob("*") if path.is_file()}

    folder = tmp_path_factory.mktemp("site")
    shutil.copytree(SOURCES, folder / "_static" / "lab")
    for name, content in once(tmp_path_factory, "laboratories", make).items():
        path = folder / "_static" / "lab" / "data" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


@pytest.fixture(scope="session")
def chrome(browser):
    return browser


@pytest.fixture
def open_lab(site, chrome):
    """Open a laboratory by its name in a page of its own; any error in the console fails the test."""
    contexts, problems = [], []

    def call(name: str, *, theme: str = "light", script: str = "", **options):
        options = {"viewport": {"width": 900, "height": 900}, **options}
        context = chrome.new_context(offline=True, **options)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: problems.append(str(error)))
        path = site / f"{name}-{theme}.html"
        path.write_text(labs.attach(PAGE.format(name=name, theme=theme), path, site), encoding="utf-8")
        if script:
            page.add_init_script(script)
        page.goto(path.as_uri())
        page.wait_for_function("() => window.geolabReady")
        assert not problems, problems
        laboratory = page.locator(".geolab")
        assert laboratory.get_attribute("data-state") == "ready", laboratory.inner_text()
        return page

    yield call
    for context in contexts:
        context.close()
    assert not problems, problems


@pytest.fixture(scope="module")
def open_core(site, chrome):
    """Open a page with the mathematics of a laboratory and its data, and nothing to see."""
    pages = []

    def call(name: str, *more: str):
        files = ("lab.js", "networks.js", *more, f"{name}_core.js", f"data/{name}.js")
        path = site / f"{name}-core.html"
        path.write_text("".join(f'<script src="_static/lab/{file}"></script>' for file in files))
        pages.append(chrome.new_page())
        pages[-1].goto(path.as_uri())
        return pages[-1]

    yield call
    for page in pages:
        page.close()
