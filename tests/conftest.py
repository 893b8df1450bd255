"""What all tests share: one thread, no test skipped in CI, a book built once."""

import os
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


# Folders whose tests rest on how a processor adds and multiplies.
NUMERIC = {"datasets", "gans", "inversion", "metrics", "studies", "waves"}


def pytest_itemcollected(item):
    if item.path.parent.name in NUMERIC:
        item.add_marker("numeric")


def pytest_runtest_setup(item):
    if item.path.parent.name == "plots":  # whatever a test before has set
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


@pytest.fixture(scope="session")
def book(tmp_path_factory) -> Path:
    """The folder of the built pages, which one worker of a session builds for all."""
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    with FileLock(shared / "book.lock"):
        if not (shared / "book.built").is_file():
            done = subprocess.run([sys.executable, "-m", "geolib", "book"], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            (shared / "book.built").touch()
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


@pytest.fixture
def geolib_command():
    """Run the command line in a process of its own and return status, stdout and stderr."""

    def call(*arguments: str, cwd: Path = ROOT, **environment: str) -> subprocess.CompletedProcess:
        env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.run(
            [sys.executable, "-m", "geolib", *arguments], cwd=cwd, capture_output=True, text=True, env=env, timeout=300
        )

    return call
