"""Kernels and notebooks that are not as they should be: one line each, and nothing of a user's own is run."""

import json
import os
import sys

import nbformat
import pytest

from geolib.book import kernels, notebooks, staleness
from geolib.runs import paths


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code) for code in cells])


def test_a_foreign_kernel_of_the_name_python3_is_not_started(tmp_path, monkeypatch):
    """Wherever a user may have put one, and whatever kernel a notebook asks for."""
    for place in ("home/.local/share/jupyter", "data", "path"):
        folder = tmp_path / place / "kernels" / "python3"
        folder.mkdir(parents=True)
        spec = {"argv": ["/bin/false", "{connection_file}"], "display_name": "Python 3", "language": "python"}
        (folder / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "path"))
    made = notebook("import sys; print(sys.executable)")
    made.metadata.kernelspec = {"name": "julia-1.9", "display_name": "Julia", "language": "julia"}
    (tmp_path / "run").mkdir()
    kernels.run(made, tmp_path / "run", "mine")
    assert made.cells[0].outputs[0].text.strip() == sys.executable


@pytest.mark.parametrize(
    ("code", "piece"),
    [
        ("import sys; sys.exit(0)", "notebook mine failed in cell 1: SystemExit: 0"),
        ("raise SystemExit", "notebook mine failed in cell 1: SystemExit: "),
        ("import os; os._exit(0)", "notebook mine failed: its kernel died"),
        ("raise KeyboardInterrupt", "notebook mine failed in cell 1: KeyboardInterrupt: "),
        ("1 +", "notebook mine failed in cell 1: SyntaxError: "),
        ("raise ValueError('first\\nsecond')", "notebook mine failed in cell 1: ValueError: first"),
    ],
)
def test_a_cell_that_ends_its_kernel_or_fails_is_told_in_a_line(code, piece, tmp_path):
    made = notebook("1", code, "2")
    with pytest.raises(RuntimeError) as raised:
        kernels.run(made, tmp_path, "mine")
    assert str(raised.value).startswith(piece) and "\n" not in str(raised.value)


WRONG = ["[1]", "1", "null", '"text"', "{}", '{"cells": [1]}', '{"cells": {}}', "", "\x00", "[" * 9000]


@pytest.mark.parametrize("content", WRONG)
def test_a_file_that_is_no_notebook_is_refused_by_its_name(content, tmp_path, monkeypatch):
    path = tmp_path / "rnn_fwi.ipynb"
    path.write_text(content)
    monkeypatch.setattr(paths, "notebooks", lambda: tmp_path)
    readers = (
        lambda: notebooks.read(path),
        lambda: notebooks.execute("rnn_fwi", {}, tmp_path / "out.ipynb"),
        lambda: staleness.inputs("rnn_fwi"),
    )
    for read in readers:
        with pytest.raises(
            ValueError, match=r"^notebook .*rnn_fwi\.ipynb must be valid; it is damaged .*Restore it\.$"
        ):
            read()
    assert os.listdir(tmp_path) == ["rnn_fwi.ipynb"]
