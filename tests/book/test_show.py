"""What chapters show besides figures: code, what was computed again, the ledger in ten lines."""

import numpy as np
import pytest

from geolib.book import kernels, notebooks, show
from geolib.inversion import descent, gauss_newton, latent
from geolib.runs.tables import markdown
from geolib.waves.cell import WaveCell


def test_code_is_that_of_the_package_without_its_docstring():
    text = show.source(WaveCell.start).data
    assert text.startswith("```python\ndef start(self) -> State:\n    shape = (") and '"""' not in text
    assert text.endswith("*From* `geolib.waves.cell.WaveCell.start`.")
    part = show.source(WaveCell, "def start", "zero =").data
    assert [line.split(" ")[0] for line in part.splitlines()[1:3]] == ["def", ""] and len(part.splitlines()) == 7


def test_code_that_a_page_has_no_room_for_is_refused(monkeypatch):
    show.source(gauss_newton._update)  # the widest of the chapter on latent inversion
    monkeypatch.setattr(show, "COLUMNS", 40)
    with pytest.raises(ValueError, match=r"code of threshold must have at most 40 columns; it has \d+"):
        show.source(latent.threshold)


def test_the_check_of_arguments_is_no_part_of_what_is_read():
    text = show.source(latent.threshold).data
    assert text.startswith("```python\ndef threshold(models: Tensor) -> Tensor:\n    return")


def test_code_of_more_than_twelve_lines_or_a_lost_line_is_refused():
    with pytest.raises(
        ValueError, match=r"^code of minimize must have at most 12 lines; it has \d+\. Give start and stop"
    ):
        show.source(descent.minimize)
    with pytest.raises(ValueError, match="must have a line that begins with 'nowhere'; it has none"):
        show.source(WaveCell.forward, "nowhere")


@pytest.mark.parametrize(
    ("here", "before", "expected"),
    [
        (1.0, 1.0, 12),
        (1.00001, 1.0, 4),
        (2.0, 1.0, 0),
        ([1.0, 2.0], [1.0, 2.0, 99.0], 12),  # the shorter one counts
        ([1.0, 2.0, 3.0], [1.0, 2.0, 3.003], 3),
        ([1.0, np.nan], [1.0, 2.0], 0),
        ([1.0, np.nan], [1.0, np.nan], 12),
        ([], [1.0], 0),
    ],
)
def test_digits_that_agree(here, before, expected):
    assert show.digits(here, before) == expected


def test_the_box_says_how_well_the_worst_agrees_and_of_a_rerun_only_the_numbers():
    rows = {"misfit": (1.00001, 1.0), "model": (np.ones(3), np.ones(5))}
    text = show.recheck(rows, runs=2).data
    assert "2 runs of this chapter were computed again, on this machine; they agree to at least 4 digits." in text
    assert "| misfit | 1 | 1 | 1 | 4 |" in text and "| model | 3 | 1 | 1 | 12 |" in text
    assert "| What | Numbers | Precomputed, the largest | This build, the same | Digits that agree |" in text
    text = show.recheck(rows, runs=2, rerun=True).data
    assert "with your parameters" in text and "agree to at least" not in text
    assert "| What | Numbers | Precomputed, the largest | Your run, the same | Digits that agree |" in text
    text = show.recheck({"misfit": (2.0, 1.0)}, runs=1).data
    assert "agree to at least" not in text and "| What | Numbers | Precomputed | This build |" in text
    with pytest.raises(ValueError, match="rows must hold what was computed again; got none"):
        show.recheck({}, runs=0)


def test_the_box_of_a_rerun_leaves_out_what_its_parameters_change():
    rows = {"misfit": (2.0, 1.0), "model": (np.ones(3), np.ones(5))}
    text = show.recheck(rows, runs=2, rerun=True).data
    assert "misfit" not in text and "| model | 3 | 1 | 1 | 12 |" in text and "This build" not in text
    text = show.recheck({"misfit": (2.0, 1.0)}, runs=1, rerun=True).data
    assert "nothing has to agree" in text and "|" not in text
    text = show.beside({"coverage": (0.5, 0.7)}).data
    assert "| What | Numbers | Precomputed | Your run |" in text and "| coverage | 1 | 0.7 | 0.5 |" in text
    assert "Digits" not in text and "|" not in show.beside({}).data


@pytest.mark.parametrize(
    ("here", "before", "row"),
    [
        ([1.0, 2.0, -3.0], [1.0, 2.001, -3.0001], "| model | 3 | -3 | -3 | 3 |"),
        (np.ones((30, 50)), np.ones((40, 50)), "| model | 1,500 | 1 | 1 | 12 |"),
        ([1.0, np.nan, 7.0], [1.0, np.nan, 8.0], "| model | 3 | 8 | 7 | 0 |"),
        ([], [1.0], "| model | 0 | — | — | 0 |"),
    ],
)
def test_of_many_numbers_the_box_shows_the_largest(here, before, row):
    assert row in show.recheck({"model": (here, before)}, runs=1).data


def test_rules_that_were_changed_after_results_are_counted():
    assert show.changed(["gan_101.mle-kl"]) == 0
    assert show.changed(["gan_101.mle-kl", "gan_101.rate", "gan_101.convergence-sion"]) == 2


def test_a_scorecard_has_at_most_ten_lines_that_lead_to_the_ledger():
    text = show.scorecard("rnn_fwi").data
    lines = text.splitlines()[2:]
    assert len(lines) == show.ROWS
    assert all('<a href="../reproduces.html#claim-rnn-fwi-' in line for line in lines)
    assert ">reproduced<" in text and ">not reproduced<" in text
    one = show.scorecard("rnn_fwi", ["rnn_fwi.training-is-fwi"]).data.splitlines()[2:]
    assert len(one) == 1 and "#claim-rnn-fwi-training-is-fwi" in one[0]
    # "Holds, in every case, mixed" would read as a mistake: a mixed row says with which choice it turns.
    (mixed,) = show.scorecard("rnn_fwi", ["rnn_fwi.adam-range"]).data.splitlines()[2:]
    assert mixed.endswith(">mixed</a>: turns with “within 200 evaluations” and 2 more |")
    with pytest.raises(ValueError, match=r"claims must be of rnn_fwi; 'gan_101\.x' is not"):
        show.scorecard("rnn_fwi", ["gan_101.x"])


def test_a_caption_said_by_code_takes_the_place_of_the_one_written_before():
    import nbformat

    said = {"geolib": {"caption": "Twelve of 20."}}
    cell = nbformat.v4.new_code_cell("show.caption(figure, text)", execution_count=1)
    cell.metadata["mystnb"] = {"figure": {"name": "fig-x", "caption": "Some."}}
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/png": ""}, metadata=said)]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebooks.tidy(notebook)
    assert notebook.cells[0].metadata.mystnb.figure.caption == "Twelve of 20."
    assert notebook.cells[0].metadata.tags == ["remove-input"]


def drawn(*outputs, kind="figure", caption="Left: Adam. Right: CG."):
    """Return the metadata and outputs of a cell after its notebook was tidied, twice as a build does."""
    import nbformat

    cell = nbformat.v4.new_code_cell("figure", execution_count=1)
    cell.metadata["mystnb"] = {kind: {"name": "fig-x", "caption": caption}, "image": {"alt": "Two curves."}}
    cell.outputs = [nbformat.v4.new_output("display_data", data, metadata=about) for data, about in outputs]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    notebooks.tidy(notebook)
    notebooks.tidy(notebook)
    return cell


def test_of_a_figure_that_was_not_run_a_caption_says_no_more_than_that():
    cell = drawn(({"image/png": ""}, {"geolib": {"absent": ["Adam was\nnot run"], "shown": 0}}))
    assert cell.metadata.mystnb.figure.caption == "Adam was not run with these parameters."
    assert cell.metadata.mystnb.image.alt == "Adam was not run with these parameters."
    bare = drawn(({"image/png": ""}, {"geolib": {"absent": [""], "shown": 0}}))
    assert bare.metadata.mystnb.figure.caption == "Nothing of this was run with these parameters."


def test_a_caption_says_which_panels_were_not_run():
    absent = {"absent": ["none", "Not run with these parameters."], "shown": 2}
    cell = drawn(({"image/png": ""}, {"geolib": absent}))
    told = "Where a panel is empty: None. Not run with these parameters."
    assert cell.metadata.mystnb.figure.caption == f"Left: Adam. Right: CG. {told}"
    assert cell.metadata.mystnb.image.alt == "Two curves."
    said = {"caption": "Twelve of 20.", **absent}
    cell = drawn(({"image/png": ""}, {"geolib": said}))
    assert cell.metadata.mystnb.figure.caption == f"Twelve of 20. {told}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The network was not run.", "The network was not run with these parameters."),
        (markdown(["a"], [], empty="No trial was run."), "No trial was run with these parameters."),
        (markdown(["a", "b"], []), "Nothing of this was run with these parameters."),
    ],
)
def test_of_a_table_that_was_not_run_a_caption_says_no_more_than_that(text, expected):
    said = drawn(({"text/markdown": text}, {}), kind="table").outputs[0].data["text/markdown"]
    assert said == f"````{{table}} {expected}\n:name: fig-x\n\n| |\n|---|\n| — |\n````"
    kept = drawn(({"text/markdown": markdown(["a"], [["b"]])}, {}), kind="table").outputs[0].data["text/markdown"]
    assert kept.startswith("````{table} Left: Adam. Right: CG.") and "| b |" in kept


def test_a_kernel_tells_of_a_figure_that_it_is_empty(tmp_path):
    import nbformat

    source = "from geolib.plots import style, waves\nstyle.use_style()\nwaves.missing('Adam was not run')"
    cell = nbformat.v4.new_code_cell(source)
    cell.metadata["mystnb"] = {"figure": {"name": "fig-x", "caption": "Adam, which is quick."}}
    notebook = nbformat.v4.new_notebook(cells=[cell])
    kernels.run(notebook, tmp_path, "x")
    notebooks.tidy(notebook)
    assert notebook.cells[0].metadata.mystnb.figure.caption == "Adam was not run with these parameters."


def test_a_solution_is_folded_and_a_cell_to_be_read_is_shown():
    import nbformat

    cells = [
        nbformat.v4.new_code_cell("assert 1", metadata={"tags": [tag]})
        for tag in ("solution", "show-input", "injected-parameters", "parameters")
    ]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebooks.tidy(notebook)
    added = [set(cell.metadata.tags) & {"hide-cell", "hide-input", "remove-input"} for cell in notebook.cells]
    assert added == [{"hide-cell"}, set(), {"hide-input"}, {"remove-input"}]


def test_a_sentence_that_is_empty_leaves_no_trace_on_the_page():
    import nbformat

    cells = [nbformat.v4.new_code_cell(f"Markdown({text!r})") for text in ("", "words")]
    for cell, text in zip(cells, ("", "words"), strict=True):
        data = {"text/markdown": text, "text/plain": "<IPython.core.display.Markdown object>"}
        cell.outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebooks.tidy(notebook)
    assert [len(cell.outputs) for cell in notebook.cells] == [0, 1]
