"""The notebooks' regression: executed anew at the quick preset, compared with the committed outputs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from papermill import inspect_notebook

from geolib import studies
from geolib.book import chapters, notebooks
from geolib.runs import paths
from tests.notebooks import nbval_tolerance
from tests.notebooks.nbval_tolerance import equal

HERE = Path(__file__).parent
ROOT = HERE.parents[1]


def nbval(folder: Path, executed: Path | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(HERE)])}
    environment |= {"NBVAL_EXECUTED": str(executed)} if executed else {}
    command = [sys.executable, "-m", "pytest", "-p", "nbval_tolerance", "-p", "no:cacheprovider", "--nbval"]
    command += ["--nbval-current-env", "--nbval-cell-timeout=900", "--rootdir", str(folder), "-q", "-rA"]
    notebooks = map(str, sorted(folder.glob("*.ipynb")))
    return subprocess.run([*command, *notebooks], capture_output=True, text=True, env=environment, cwd=folder)


def cells_of(done: subprocess.CompletedProcess, how: str, name: str) -> list[int]:
    """Return the cells of a notebook that passed or failed, by their number among those with code."""
    return [int(number) for number in re.findall(rf"^{how} {name}\.ipynb::Cell (\d+)", done.stdout, re.M)]


# The references of studies that read public files were executed with them.
needs_data = [pytest.param(n, marks=pytest.mark.real_data) if studies.of_page(n).files else n for n in studies.pages()]


@pytest.fixture(scope="module")
def compared(book, tmp_path_factory) -> subprocess.CompletedProcess:
    """All notebooks compared with what the build of the book has executed, made ready for pages as it was there."""
    folder = tmp_path_factory.mktemp("references")
    for name in studies.pages():
        reference = notebooks.read(paths.notebook(name))
        notebooks.tidy(reference)
        nbformat.write(reference, folder / f"{name}.ipynb")
    return nbval(folder, chapters.executed(ROOT, name).parent)


def test_the_drift_on_which_tolerances_rest_was_measured_on_these_cells():
    found = nbval_tolerance.measured()
    assert list(found) == studies.pages()
    for name, settings in found.items():
        ids = {cell["id"] for cell in json.loads(paths.notebook(name).read_text(encoding="utf-8"))["cells"]}
        assert settings, name
        assert all(entry["cells"].keys() <= ids for entry in settings.values()), name


@pytest.mark.parametrize("name", needs_data)
def test_a_notebook_gives_its_committed_outputs(name, compared):
    """What the build of the book has just executed from the present code."""
    assert chapters.state(ROOT, name)["state"] == "current"
    reference = json.loads(paths.notebook(name).read_text(encoding="utf-8"))
    assert not cells_of(compared, "FAILED", name), compared.stdout[-6000:]
    assert cells_of(compared, "PASSED", name) == list(range(len(code_cells(reference)))), compared.stdout[-6000:]


def cell(code: str, *outputs: dict, tags: tuple[str, ...] = ()) -> nbformat.NotebookNode:
    made = nbformat.v4.new_code_cell(code, execution_count=1, metadata={"tags": list(tags)})
    return nbformat.from_dict({**made, "outputs": list(outputs)})


def printed(text: str) -> dict:
    return {"output_type": "stream", "name": "stdout", "text": text + "\n"}


# The smallest picture that is one.
DOT = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNgAAAAAgABSK+kcQAAAABJRU5ErkJggg=="
DRAW = f"import base64\nfrom IPython.display import Image, display\ndisplay(Image(base64.b64decode('{DOT}')))\n"


def drawn(picture: str) -> dict:
    data = {"image/png": picture, "text/plain": "<IPython.core.display.Image object>"}
    return {"output_type": "display_data", "data": data, "metadata": {}}


def passing(tmp_path: Path, cells: list, executed: Path | None = None) -> list[bool]:
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "tiny.ipynb")
    done = nbval(tmp_path, executed)
    failed, passed = (cells_of(done, how, "tiny") for how in ("FAILED", "PASSED"))
    assert sorted(failed + passed) == list(range(len(cells))), done.stdout
    assert done.returncode == (1 if failed else 0), done.stdout
    return [number in passed for number in range(len(cells))]


def test_a_perturbed_reference_fails(tmp_path):
    code = "print(f'misfit {2 / 3:.6f} after {10 * 5} steps, gap {3e-10:.1e}')"
    references = {
        "misfit 0.666667 after 50 steps, gap 3.0e-10": True,
        "misfit 0.666668 after 50 steps, gap 3.0e-10": True,  # round-off
        "misfit 0.666700 after 50 steps, gap 3.0e-10": False,  # a twenty-thousandth off
        "misfit 0.666667 after 51 steps, gap 3.0e-10": False,  # integers are exact
        "loss 0.666667 after 50 steps, gap 3.0e-10": False,
        "misfit 0.666667 after 50 steps, gap -7.0e-10": False,  # small numbers are compared like large ones
        "misfit 0.666667 after 50 steps, gap 3.1e-10": False,
    }
    found = passing(tmp_path, [cell(code, printed(reference)) for reference in references])
    assert found == list(references.values())


def test_a_missing_figure_fails(tmp_path):
    older = drawn("an older drawing of it")
    cases = [(DRAW, [older], True), ("pass", [older], False), (DRAW, [older, older], False), (DRAW, [], False)]
    cells = [cell(code, *outputs, tags=t) for t in ((), ("nbval-ignore-output",)) for code, outputs, _ in cases]
    assert passing(tmp_path, cells) == [passes for *_, passes in cases] * 2


def test_an_executed_notebook_is_compared_as_one_that_is_executed_here(tmp_path):
    older = drawn("an older drawing of it")
    cases = [
        (cell("print(1.5)", printed("1.5")), [printed("1.5")], True),
        (cell("print(1.5)", printed("1.5")), [printed("1.6")], False),
        (cell("print(1.5)", printed("1.5")), [], False),
        (cell("print(1.5)", printed("1.5"), tags=("nbval-ignore-output",)), [printed("1.6")], True),
        (cell(DRAW, older), [drawn(DOT)], True),
        (cell(DRAW, older, tags=("nbval-ignore-output",)), [], False),
        (cell("1 / 0"), [{"output_type": "error", "ename": "E", "evalue": "", "traceback": ["no"]}], False),
        (cell("print(1.5)", printed("1.5")), "another source", False),
        (cell("print(1.5)", printed("1.5")), None, False),
    ]
    done = [nbformat.from_dict({**before, "outputs": found}) for before, found, _ in cases if isinstance(found, list)]
    done.append(nbformat.from_dict({**cases[-2][0], "source": "print(3 / 2)"}))
    executed = tmp_path / "executed"
    executed.mkdir()
    nbformat.write(nbformat.v4.new_notebook(cells=done), executed / "tiny.ipynb")
    found = passing(tmp_path, [before for before, *_ in cases], executed)
    assert found == [passes for *_, passes in cases]


def test_number_comparison():
    assert equal("a 1.00000 b", "a 1.00001 b")
    assert equal("−0.50000", "-0.50000")
    assert equal("0.6667", "0.6668")  # the last of four digits may flip
    assert not equal("0.1", "0.2")
    assert not equal("x 1e-3", "x 2e-3")
    assert not equal("1.8e-12", "1.9e-12")
    assert not equal("3.0e-10", "-7.0e-10")
    assert not equal("0.0", "1e-300")
    assert not equal("[1, 2]", "[1, 3]")
    assert not equal("v1.0", "v1.2")  # a version is a word, not a number


def test_tolerances_are_three_times_what_was_measured_and_at_most_a_hundredth(monkeypatch):
    found = {"one": {"cells": {"small": 1e-5, "large": 5e-3}}, "other": {"cells": {"small": 1e-4}}}
    monkeypatch.setattr(nbval_tolerance, "measured", lambda: {"rnn_fwi": found})
    expected = {"small": 3e-4, "large": 1e-2, "unmoved": nbval_tolerance.ROUND_OFF}
    assert {cell: nbval_tolerance.tolerance("rnn_fwi", cell) for cell in expected} == pytest.approx(expected)


@pytest.fixture(params=studies.pages())
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


# What the house does not want in a cell, and cells that still have it: mend one and take it out here, add none.
LONGEST = 15
UNWANTED = {"plt.close": r"plt\.close", "json": r"\bjson\.", "a table by hand": r"\|\s*:?--"}
UNMENDED = {"latent_inversion_appendix 69108a1f": ["json"]}


def unwanted(source: str) -> list[str]:
    found = [name for name, pattern in UNWANTED.items() if re.search(pattern, source)]
    return [*found, "too long"] if len(source.splitlines()) > LONGEST else found


def test_cells_are_short_and_leave_files_and_tables_to_the_package():
    found = {}
    for path in sorted(paths.notebooks().glob("*.ipynb")):
        for cell in code_cells(json.loads(path.read_text(encoding="utf-8"))):
            if "parameters" not in tags(cell) and (wrong := unwanted("".join(cell["source"]))):
                found[f"{path.stem} {cell['id']}"] = wrong
    assert found == UNMENDED
    assert unwanted("plt.close()\njson.loads(x)\n'| a |\\n|---|'" + "\n1" * 13) == [*UNWANTED, "too long"]


def test_parameters_are_those_of_the_quick_preset(notebook):
    name, content = notebook
    kind = studies.of_page(name).Config
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


def test_what_is_compared_drifts_by_at_most_a_hundredth(notebook):
    name, content = notebook
    compared = {cell["id"] for cell in code_cells(content) if "nbval-ignore-output" not in tags(cell)}
    for setting, each in nbval_tolerance.measured().get(name, {}).items():
        wide = {cell: gap for cell, gap in each["cells"].items() if gap > nbval_tolerance.LARGEST and cell in compared}
        assert not wide, f"{setting}: show fewer digits, or what round-off leaves alone"
