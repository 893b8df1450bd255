"""Small valid configurations run their notebook to the end; `make campaign` draws more."""

import nbformat
import pytest

from geolib import studies
from tests import small


# The others take minutes: the campaign runs them.
@pytest.mark.parametrize("name", ["wgan_traces", "rnn_fwi"])
def test_a_notebook_runs_to_its_end_with_small_valid_parameters(name, tmp_path):
    made = small.run(name, small.drawn(name, 0), tmp_path)
    assert made.is_file()


def test_a_page_that_shows_no_number_counts(tmp_path, monkeypatch):
    def execute(study, changes, output, note):
        cell = nbformat.v4.new_code_cell("error", execution_count=1)
        cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=f"error {changes['error']}\n")]
        nbformat.write(nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Small"), cell]), output)
        return output

    monkeypatch.setattr(small.notebooks, "execute", execute)
    assert small.run("rnn_fwi", {"error": 0.5}, tmp_path).is_file()
    with pytest.raises(small.Hole, match=r"the page shows '.* error nan .*' \(1 in all\)"):
        small.run("rnn_fwi", {"error": float("nan")}, tmp_path)


@pytest.mark.parametrize("name", studies.NAMES)
@pytest.mark.parametrize("seed", range(10))
def test_what_is_drawn_is_valid_and_small(name, seed):
    changes = small.drawn(name, seed)
    assert changes and studies.get(name).Config.preset("quick", **changes).changes() == changes
