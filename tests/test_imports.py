"""The direction of dependencies, and what a bare machine can import."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "geolib"

# What each part may import of the package. A study is reached from the command line and the book alone.
BASE = {"_checks"}
ALLOWED = {
    "_checks": set(),
    "_memory": set(),
    "_progress": set(),
    "config": BASE,
    "data": BASE,
    "paths": set(),
    "claims": BASE,
    "store": BASE,
    "scheduler": BASE,
    "models": BASE | {"data"},
    "training_images": BASE | {"data"},
    "geostatistics": BASE | {"training_images"},
    "tomography": BASE,
    "waves": BASE,
    "gans": BASE | {"_progress", "paths"},
    "inversion": BASE | {"_progress"},
    "plots": set(),
    "shots": BASE | {"scheduler", "waves"},
    "studies": {
        *("_checks", "_memory", "claims", "config", "data", "gans", "geostatistics", "inversion", "models", "paths"),
        *("scheduler", "store", "tomography", "training_images", "waves"),
    },
    "notebooks": {"paths", "store"},
    "page": {"notebooks", "paths", "store"},
    "stamps": {"claims", "data", "notebooks", "paths", "studies"},
    "records": {"config", "paths", "stamps", "store", "studies"},
    "chapters": {"notebooks", "paths", "records", "stamps", "store", "studies"},
    "pages": {"chapters", "claims", "notebooks", "paths", "plots", "records", "studies"},
    "book": {"chapters", "data", "notebooks", "page", "pages", "paths", "records", "stamps", "store", "studies"},
    "reruns": BASE | {"__version__", "config", "notebooks", "page", "paths", "records", "store", "studies"},
    "compare": BASE | {"claims", "config", "pages", "reruns", "studies"},
    "cli": {
        *("book", "claims", "compare", "config", "data", "paths", "reruns", "scheduler", "store", "studies"),
    },
}
BARE = {"models", "training_images", "geostatistics", "waves", "gans", "tomography", "inversion", "store", "studies"}
BARE |= {"scheduler", "shots"}


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_shipped" not in path.parts and path.name not in ("__main__.py",) and path != PACKAGE / "__init__.py":
            yield path


def imported(path: Path, *, lazy: bool = True):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if lazy else (n for top in tree.body for n in ([top] if not isinstance(top, ast.If) else []))
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", list(sources()), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_flow_one_way(path):
    part = part_of(path)
    for name in imported(path):
        pieces = name.split(".")
        if pieces[0] != "geolib" or len(pieces) == 1 or pieces[1] == "__version__":
            continue
        assert pieces[1] == part or pieces[1] in ALLOWED[part], f"{part} must not import geolib.{pieces[1]}"


@pytest.mark.parametrize(
    "path", [p for p in sources() if part_of(p) in BARE], ids=lambda p: str(p.relative_to(PACKAGE))
)
def test_compute_modules_import_only_numpy_scipy_torch_and_tqdm_at_the_top(path):
    standard = set(sys.stdlib_module_names)
    for name in imported(path, lazy=False):
        top = name.split(".")[0]
        assert top in standard | {"numpy", "scipy", "torch", "tqdm", "geolib"} or path.name == "_kernels.py", name


def test_a_machine_with_torch_numpy_scipy_and_tqdm_alone_can_import_every_study():
    code = """
import importlib.abc, sys
class Refuse(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {banned}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Refuse())
from geolib import studies
for name in studies.NAMES:
    studies.get(name)
"""
    banned = {"numba", "xarray", "h5netcdf", "h5py", "IPython", "jupyter_core", "papermill", "matplotlib", "yaml"}
    banned |= {"pooch", "skimage", "sklearn", "safetensors", "seaborn", "pandas", "PIL"}
    command = [sys.executable, "-c", code.format(banned=banned)]
    done = subprocess.run(command, cwd=PACKAGE.parent, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", list(sources()), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_stay_short(path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 400
