"""What all tests share: one thread, no test skipped in CI, a book built once."""

import os
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from geolib.runs import surroundings  # imports no library that reads these

ROOT = Path(__file__).parents[1]

# Kernels and tests run side by side on few cores; one thread each also makes results independent of the machine.
for variable in surroundings.THREADS:
    os.environ.setdefault(variable, "1")


def computed(study, config, names, folder=None, **options):
    """Yield name and arrays of the named units."""
    units = [study.unit(name) for name in names]
    return ((unit.name, arrays) for unit, arrays in study.compute(config, units, folder, **options))


def chromium() -> str | None:
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


DRAFT = "book/papers/.executing-killed"

# Folders whose tests rest on how a processor adds and multiplies.
NUMERIC = {"datasets", "gans", "inversion", "metrics", "studies", "waves"}


def place(item) -> tuple[str, ...]:
    """Return the folders below this one, and the module, in which a test is."""
    return item.path.relative_to(ROOT / "tests").with_suffix("").parts


def pytest_itemcollected(item):
    if place(item)[0] in NUMERIC:
        item.add_marker("numeric")


# Kernels that take a minute to compile, if each worker does it, and those who call them.
COMPILED = {("waves",): "kernels of waves", ("studies", "rnn_fwi"): "kernels of waves", ("gans", "fast"): "of networks"}


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config, items):
    """Of several workers one runs all tests that share a module's fixture, which each would else make for itself.

    So it is with kernels that they share. These groups are the longest: who begins with them never waits at the end for
    one of them.
    """
    for item in items:
        shared = [each for found in item._fixtureinfo.name2fixturedefs.values() for each in found]
        compiled = COMPILED.get(place(item)[:-1]) or COMPILED.get(place(item)[:1])
        if item.get_closest_marker("xdist_group"):
            continue
        if compiled:
            item.add_marker(pytest.mark.xdist_group(compiled))
        elif any(each.scope == "module" for each in shared):
            item.add_marker(pytest.mark.xdist_group("/".join(place(item))))
    if getattr(config.option, "loadgroup", False):
        items.sort(key=begins)


def begins(item) -> int:
    """Return when a test is begun: first by one worker the group that builds the book, which takes minutes.

    Others run meanwhile what needs no book: groups, then what is long and of the book; what is short comes last.
    """
    group = item.get_closest_marker("xdist_group")
    if group is not None and group.args[0] == "book":
        return 0
    if {"book", "site"} & set(item.fixturenames):  # laboratories take their data from the book, where it is there
        return 3
    return 1 if group is not None else 2 if place(item)[0] == "book" else 4


def pytest_runtest_setup(item):
    if place(item)[0] == "plots":  # whatever a test before has set
        import matplotlib

        matplotlib.rcdefaults()
    needs = {
        "browser": (chromium() is not None, "headless Chromium is not installed (apt install chromium)"),
        "real_data": (bool(os.environ.get("GEOLIB_DATA")), "GEOLIB_DATA names no folder with the public data files"),
    }
    for marker, (met, reason) in needs.items():
        if item.get_closest_marker(marker) and not met:
            if os.environ.get("CI"):
                pytest.fail(f"{reason}: in CI this is a failure")
            pytest.skip(reason)


def once(factory, name: str, make):
    """Return what `make` gives, which one worker of a session calls for all."""
    folder = factory.getbasetemp()
    folder = folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder
    with FileLock(folder / f"{name}.lock"):
        made = folder / f"{name}.pickle"
        if not made.is_file():
            made.write_bytes(pickle.dumps(make()))
    return pickle.loads(made.read_bytes())


@pytest.fixture(scope="session")
def judged(tmp_path_factory) -> dict[str, list[dict]]:
    """The judged claims by paper, from the shipped results."""
    from geolib.book import verify

    return once(tmp_path_factory, "judged", verify.rows)


@pytest.fixture(scope="session")
def built(tmp_path_factory, judged) -> list[str]:
    """What a build of the book says that follows a whole one; beside it a killed build has left its draft.

    On a fresh checkout this is where the book is built, while another worker runs what needs none.
    """
    from geolib.book import build, verify

    def make():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(verify, "rows", lambda: judged)
            for _ in range(2):
                said = []
                (ROOT / DRAFT).mkdir(parents=True, exist_ok=True)
                (ROOT / DRAFT / "rnn_fwi.ipynb").write_text("{")
                build.build(say=said.append)
                if said[-1] == "kept: the pages, nothing changed":
                    break
        return said

    return once(tmp_path_factory, "built", make)


@pytest.fixture(scope="session")
def book(built) -> Path:
    """The folder of the built pages."""
    return ROOT / "_build" / "html"


@pytest.fixture(scope="session")
def browser():
    """One Chromium for all tests of a process: a second one beside it would not start."""
    from playwright.sync_api import sync_playwright

    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=options)
        yield started
        started.close()


AXE = "axe-core@4.14.1"


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> tuple[str, str]:
    """The script of axe-core, which npm installs once for all workers, or why it is not at hand."""
    return once(tmp_path_factory, "axe", lambda: installed(tmp_path_factory.mktemp("axe")))


def installed(folder: Path) -> tuple[str, str]:
    """Install axe-core into a folder and return its script and "", or "" and what was in the way."""
    npm = shutil.which("npm")
    if npm is None:
        return "", "npm is not installed: axe-core comes from there"
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", AXE]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        return "", "npm did not answer within two minutes"
    if done.returncode:
        return "", f"npm could not install {AXE}: {done.stderr.strip().splitlines()[-1:]}"
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8"), ""


@pytest.fixture
def geolib_command():
    """Run the command line in a process of its own and return status, stdout and stderr."""

    def call(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.run(
            [sys.executable, "-m", "geolib", *arguments], cwd=cwd, capture_output=True, text=True, env=env, timeout=300
        )

    return call
