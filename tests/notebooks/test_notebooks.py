"""The notebooks' regression: executed anew at the quick preset, compared with the committed outputs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbval_tolerance import equal
from papermill import inspect_notebook

from geolib import studies
from geolib.runs import paths

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def nbval(notebook: Path) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    command = [sys.executable, "-m", "pytest", "-p", "nbval_tolerance", "-p", "no:cacheprovider", "--nbval"]
    command += ["--nbval-current-env", "--nbval-cell-timeout=900", "--rootdir", str(notebook.parent), "-q"]
    return subprocess.run(
        [*command, str(notebook)], capture_output=True, text=True, env=environment, cwd=notebook.parent
    )


# The references of studies that read public files were executed with them.
needs_data = [pytest.param(n, marks=pytest.mark.real_data) if studies.get(n).FILES else n for n in studies.NAMES]


@pytest.mark.parametrize("name", needs_data)
def test_a_notebook_gives_its_committed_outputs(name):
    done = nbval(paths.notebook(name))
    assert done.returncode == 0, done.stdout[-6000:]
    assert re.search(r"\d+ passed", done.stdout)


def write(path: Path, output: str) -> Path:
    code = "value = 2 / 3\nprint(f'misfit {value:.6f} after {10 * 5} steps')"
    cell = nbformat.v4.new_code_cell(code, execution_count=1)
    cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=output)]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    return path


@pytest.mark.parametrize(
    ("output", "passes"),
    [
        ("misfit 0.666667 after 50 steps\n", True),
        ("misfit 0.666669 after 50 steps\n", True),  # round-off
        ("misfit 0.667334 after 50 steps\n", False),  # a thousandth off
        ("misfit 0.666667 after 51 steps\n", False),  # integers are exact
        ("loss 0.666667 after 50 steps\n", False),
    ],
)
def test_a_perturbed_reference_fails(tmp_path, output, passes):
    assert (nbval(write(tmp_path / "tiny.ipynb", output)).returncode == 0) is passes


def test_number_comparison():
    assert equal("a 1.00000 b", "a 1.00001 b")
    assert equal("−0.5000", "-0.50001")
    assert equal("0.6667", "0.6668")  # the last of four digits may flip
    assert not equal("0.1", "0.2")
    assert not equal("x 1e-3", "x 2e-3")
    assert not equal("[1, 2]", "[1, 3]")
    assert not equal("v1.0", "v1.2")  # a version is a word, not a number


@pytest.fixture(params=studies.NAMES)
def notebook(request):
    return request.param, json.loads(paths.notebook(request.param).read_text(encoding="utf-8"))


def code_cells(content):
    return [cell for cell in content["cells"] if cell["cell_type"] == "code" and "".join(cell["source"]).strip()]


def tags(cell):
    return cell["metadata"].get("tags", [])


def test_references_are_executed_and_clean(notebook):
    _, content = notebook
    for cell in code_cells(content):
        assert cell["execution_count"] is not None
        for output in cell["outputs"]:
            assert output["output_type"] != "error"
            assert output.get("name") != "stderr", "".join(output.get("text", ""))[:300]


def test_at_most_a_third_is_ignored_and_those_cells_assert(notebook):
    _, content = notebook
    cells = code_cells(content)
    ignored = [c for c in cells if {"nbval-ignore-output", "nbval-skip"} & set(tags(c))]
    assert 3 * len(ignored) <= len(cells)
    for cell in ignored:
        assert "nbval-skip" not in tags(cell)
        assert "assert " in "".join(cell["source"]), "".join(cell["source"])[:200]


def test_notebooks_define_no_functions_and_read_no_remote_script(notebook):
    _, content = notebook
    for cell in code_cells(content):
        assert not re.search(r"^\s*(def|class) ", "".join(cell["source"]), re.M)
    assert not re.search(r'<script[^>]+src=\\"http', json.dumps(content))


def test_parameters_are_those_of_the_quick_preset(notebook):
    name, content = notebook
    kind = studies.get(name).Config
    first = next(cell for cell in code_cells(content) if "parameters" in tags(cell))
    values: dict = {}
    exec("".join(first["source"]), values)
    values.pop("__builtins__")
    rows = kind.describe()
    values.pop("__annotations__", None)
    assert list(values) == [row["name"] for row in rows]
    assert kind(**values) == kind.preset("quick")
    # Papermill shows the same help as the command line.
    inspected = inspect_notebook(str(paths.notebook(name)))
    assert {row["name"]: row["help"] for row in rows} == {key: found["help"] for key, found in inspected.items()}
