"""The direction of dependencies, and what a bare machine can import."""

import ast
import subprocess
import sys
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "geolib"

# What each part may import of the package: arrows run one way. Science knows neither files of results nor processes,
# runs see arrays and mappings only, and a study is reached from the book and the command line alone.
BASE = {"_arguments", "_autograd", "_checks", "_runtime"}
SCIENCE = {"datasets", "gans", "inversion", "metrics", "plots", "waves"}
ALLOWED = {
    **{name: set() for name in BASE},
    "_arguments": {"_checks"},
    **dict.fromkeys(("waves", "datasets", "inversion", "plots"), BASE),
    "gans": BASE | {"datasets"},  # by whose hashes weights are known
    "metrics": BASE | {"datasets"},
    "runs": BASE | {"datasets"},  # whose files are part of what identifies results
    "studies": BASE | SCIENCE - {"plots"} | {"runs"},
    "book": BASE | SCIENCE | {"HOMES", "__version__", "runs", "studies"},
    "cli": BASE | {"__version__", "book", "datasets", "runs", "studies"},
}
BARE = {"waves", "datasets", "metrics", "gans", "inversion", "runs", "studies"}


def part_of(path: Path) -> str:
    relative = path.relative_to(PACKAGE)
    return relative.parts[0].removesuffix(".py")


def sources():
    for path in sorted(PACKAGE.rglob("*.py")):
        if "_shipped" not in path.parts and path.name not in ("__main__.py",) and path != PACKAGE / "__init__.py":
            yield path


def executed(node):
    """A node and all below it, but what type checkers alone see."""
    if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from executed(child)


def imported(path: Path, *, lazy: bool = True):
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in executed(tree) if lazy else (top for top in tree.body if not isinstance(top, ast.If)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_flow_one_way():
    found = {(path, *name.split(".")[:2]) for path in sources() for name in imported(path) if "." in name}
    wrong = [
        f"{path.relative_to(PACKAGE)} imports {piece}"
        for path, top, piece in sorted(found)
        if top == "geolib" and piece not in {part_of(path), "__version__", *ALLOWED[part_of(path)]}
    ]
    assert wrong == []


def test_a_study_is_reached_through_the_registry():
    packages = {f"geolib.studies.{path.parent.name}" for path in (PACKAGE / "studies").glob("*/__init__.py")}
    found = {(path, name) for path in sources() if part_of(path) != "studies" for name in imported(path)}
    wrong = [(path, name) for path, name in found if ".".join(name.split(".")[:3]) in packages]
    assert [f"{path.relative_to(PACKAGE)} imports {name}" for path, name in sorted(wrong)] == []


def modules_that_import(paths, root=PACKAGE.parent):
    """By module, those that it imports, within functions too: what hides there is a circle all the same."""
    names = {".".join(p.relative_to(root).with_suffix("").parts).removesuffix(".__init__"): p for p in paths}
    graph = {}
    for name, path in names.items():
        found = {whole if whole in names else whole.rpartition(".")[0] for whole in imported(path)}
        graph[name] = found & names.keys() - {name}
    return graph


def circle_of(graph):
    """Modules that cannot be put in an order; none if imports run one way."""
    left = dict(graph)
    while free := [name for name, others in left.items() if not others & left.keys()]:
        for name in free:
            del left[name]
    return sorted(left)


def test_no_modules_import_one_another_in_a_circle():
    # A package counts as what its own file imports; that its modules load it first is no arrow of theirs.
    assert circle_of(modules_that_import(list(sources()))) == []


def test_a_circle_is_found_within_functions_too(tmp_path):
    texts = {"a": "from pack.b import x", "b": "def f():\n    from pack import a", "__init__": "from pack import b"}
    (tmp_path / "pack").mkdir()
    for name, text in texts.items():
        (tmp_path / "pack" / f"{name}.py").write_text(text)
    graph = modules_that_import(sorted(tmp_path.rglob("*.py")), tmp_path)
    assert graph == {"pack": {"pack.b"}, "pack.a": {"pack.b"}, "pack.b": {"pack.a"}}
    assert circle_of(graph) == ["pack", "pack.a", "pack.b"]


def test_a_circle_is_found():
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}, "e": set()}
    assert circle_of(graph) == ["a", "b", "c", "d"]
    assert circle_of({**graph, "c": set()}) == []


def test_compute_modules_import_only_numpy_scipy_torch_and_tqdm_at_the_top():
    allowed = {*sys.stdlib_module_names, "numpy", "scipy", "torch", "tqdm", "geolib"}
    compute = [path for path in sources() if part_of(path) in BARE and path.name != "_kernels.py"]
    found = {(path, name.split(".")[0]) for path in compute for name in imported(path, lazy=False)}
    assert [f"{path.relative_to(PACKAGE)} imports {top}" for path, top in sorted(found) if top not in allowed] == []


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
