"""Reruns: what is announced, recorded and put side by side; sweeps that go on from where they stopped."""

import base64
import csv
import json
import os
import re
import subprocess
import sys
import time

import nbformat
import pytest

from geolib import cli, studies
from geolib.book import compare, kernels, notebooks, reruns
from geolib.book import standalone as pages
from geolib.datasets import fetch as data
from geolib.runs import locks, paths
from geolib.runs.measure import Measure

STUDY = studies.get("rnn_fwi")
CONFIG = STUDY.Config()
QUICK = ["-p", "experiments", "theory"]
CODE = """from geolib import studies
study = studies.get('rnn_fwi')
config = study.Config.from_namespace(globals())
results = studies.run(study, config)"""
FIGURE = """%matplotlib inline
import matplotlib.pyplot as plt
assert config.frequency != 7, "seven is refused"
plt.plot([0, config.frequency])
plt.show()"""


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The study's notebook cut down to its parameters, its run and one figure."""
    cells = nbformat.read(paths.notebook("rnn_fwi"), as_version=4).cells
    parameters = next(cell for cell in cells if "parameters" in cell.metadata.get("tags", []))
    figure = nbformat.v4.new_code_cell(FIGURE)
    figure.metadata["mystnb"] = {"figure": {"name": "fig-a", "caption": "A line & <more>."}, "image": {"alt": "a line"}}
    title = nbformat.v4.new_markdown_cell("# Title")
    notebook = nbformat.v4.new_notebook(cells=[title, parameters, nbformat.v4.new_code_cell(CODE), figure])
    nbformat.write(notebook, tmp_path / "rnn_fwi.ipynb")
    monkeypatch.setattr(paths, "notebooks", lambda: tmp_path)
    # No checkout: a test must not write the seconds of a cut notebook.
    monkeypatch.setattr(paths, "checkout", lambda: None)
    return tmp_path


def fake(folder, name="fig-a", study="rnn_fwi", **parameters):
    """A run's folder as `geolib run` leaves it."""
    folder.mkdir()
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    cell = nbformat.v4.new_code_cell("figure", outputs=[nbformat.v4.new_output("display_data", {"image/png": png})])
    cell.metadata["mystnb"] = {
        "figure": {"name": name, "caption": "What <b> to see"},
        "image": {"alt": 'a "quoted" alt'},
    }
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), folder / f"{study}.ipynb")
    record = {
        "study": study,
        "parameters": {"frequency": 10.0, "optimisers": ["adam", "cg"], **parameters},
        "measures": {"error": vars(Measure(0.5, 0.25, 1.0, 9)), "only": vars(Measure(parameters.get("frequency", 3)))},
        "seconds": 12.5,
        "provenance": {"commit": "0123456789abcdef", "device": "cpu", "date": "2026-01-02"},
    }
    (folder / "run.json").write_text(json.dumps(record))
    return folder


def test_a_run_announces_itself_notes_its_changes_and_records_its_measures(small, capsys):
    """And from a file of parameters, and from its own record, it is made again."""
    out = small / "out"
    (small / "mine.yml").write_text("experiments: [theory]\nfrequency: 8\n")
    assert cli.main(["run", "rnn_fwi", "-f", str(small / "mine.yml"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("study: rnn_fwi, ")
    quick = ",".join(STUDY.Config().experiments)
    differs = f"experiments = theory ({quick}), frequency = 8.0 (10.0)"
    assert printed[1] == f"preset: quick; differs from the quick preset in: {differs}"
    assert printed[2].startswith("does: executes notebook ") and printed[2].endswith(" in one process; units: 1")
    assert printed[3] == "time: unknown, nothing like it is recorded here"
    assert printed[4] == f"page, once done: {(out / 'rnn_fwi.html').as_uri()}"
    assert "This run differs from the quick preset in" in (out / "rnn_fwi.html").read_text()
    cells = nbformat.read(out / "rnn_fwi.ipynb", as_version=4).cells
    assert cells[1].source.startswith(f"> **This run differs from the quick preset in:** {differs} ")
    assert not any("asdict" in cell.source for cell in cells)
    record = json.loads((out / "run.json").read_text())
    config = STUDY.Config.preset("quick", experiments="theory", frequency=8)
    assert record["parameters"] == config.as_dict()
    assert record["changes"] == {"experiments": ["theory"], "frequency": 8.0}
    units = studies.run(STUDY, config).units
    assert compare.read(out).measures == STUDY.measures(config, units)
    again = ["run", "rnn_fwi", "-f", str(out / "run.json"), "-p", "frequency", "9", "--out", str(small / "again")]
    assert cli.main(again) == 0
    found = json.loads((small / "again" / "run.json").read_text())["parameters"]
    assert found == {**record["parameters"], "frequency": 9.0}


def test_a_sweep_runs_the_grid_once_and_reports_what_failed(small, capsys):
    out = small / "sweep"
    arguments = ["sweep", "rnn_fwi", *QUICK, "-p", "frequency", "8,7,9", "--out", str(out)]
    assert cli.main(arguments) == 1
    printed = capsys.readouterr()
    assert printed.err.startswith(
        "geolib: 1 of 3 runs failed: experiments-theory_frequency-7.0: notebook rnn_fwi failed"
    )
    assert "seven is refused" in printed.err and printed.err.count("\n") == 1
    labels = ["experiments-theory_frequency-8.0", "experiments-theory_frequency-9.0"]
    rows = list(csv.DictReader((out / "summary.csv").read_text().splitlines()))
    assert [(row["run"], row["frequency"]) for row in rows] == list(zip(labels, ["8.0", "9.0"], strict=True))
    assert len([key for key in rows[0] if key.endswith(":low")]) == len(compare.read(out / labels[0]).measures)
    page = (out / "summary.html").read_text()
    assert page.count("data:image/png;base64,") == 2 and "A line &amp; &lt;more&gt;." in page
    times = {label: (out / label / "run.json").stat().st_mtime_ns for label in labels}
    arguments[7] = "8,9"
    assert cli.main(arguments) == 0
    assert [line for line in capsys.readouterr().out.splitlines() if "kept" in line] == [
        f"1/2 kept: {labels[0]}",
        f"2/2 kept: {labels[1]}",
    ]
    assert times == {label: (out / label / "run.json").stat().st_mtime_ns for label in labels}


def test_a_run_of_another_version_or_without_its_page_is_not_finished(tmp_path, monkeypatch):
    config = STUDY.Config()
    folder = fake(tmp_path / "a")
    record = {"key": studies.key(STUDY, config), "parameters": config.as_dict(), "version": reruns.__version__}
    (folder / "run.json").write_text(json.dumps(record))
    for missing in ("rnn_fwi.html", "rnn_fwi_appendix.ipynb", "rnn_fwi_appendix.html"):
        assert not reruns.finished(STUDY, config, folder)
        (folder / missing).touch()
    assert reruns.finished(STUDY, config, folder)
    assert not reruns.finished(STUDY, STUDY.Config(iterations=151), folder)
    monkeypatch.setattr(type(STUDY), "version", STUDY.version + 1)
    assert not reruns.finished(STUDY, config, folder)
    for text in ("", "[]", "{", "null"):
        (folder / "run.json").write_text(text)
        assert not reruns.finished(STUDY, config, folder)


def test_two_runs_side_by_side(tmp_path, capsys):
    one, two = fake(tmp_path / "one"), fake(tmp_path / "two", name="fig-b", frequency=8.0)
    assert cli.main(["compare", str(one), str(two), "--out", str(tmp_path / "page.html")]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["frequency", "10.0", "8.0"] in lines
    assert ["only", "3", "8"] in lines
    assert ["error", "0.5", "[0.25,", "1]", "0.5", "[0.25,", "1]"] in lines
    assert not any(line and line[0] == "optimisers" for line in lines)
    page = (tmp_path / "page.html").read_text()
    assert "What &lt;b&gt; to see" in page and 'alt="a &quot;quoted&quot; alt"' in page
    assert page.count("no such figure") == 2
    assert not re.search(r"<script|<link|(src|href)=\"(?!data:)", page)


def test_figures_that_differ_come_first(tmp_path):
    runs = [compare.read(fake(tmp_path / name)) for name in ("one", "two")]
    for run, code in zip(runs, (b"one", b"two"), strict=True):
        notebook = nbformat.read(run.notebooks[0], as_version=4)
        second = nbformat.from_dict(json.loads(json.dumps(notebook.cells[0])))
        second.id, second.metadata["mystnb"]["figure"]["name"] = "other", "fig-z"
        second.outputs[0].data["image/png"] = base64.b64encode(code).decode()
        notebook.cells.append(second)
        nbformat.write(notebook, run.notebooks[0])
    text = compare.as_page(runs, "title")
    assert text.index('id="fig-z"') < text.index('id="fig-a"')
    assert text.count("the same in all runs") == 1 and text.count("data:image/png") == 3


def test_the_page_of_a_rerun_names_whom_it_cites(tmp_path):
    cells = [nbformat.v4.new_markdown_cell("# Title\n\n{cite:t}`laloy2019` found it {cite:p}`kingma2015`.")]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "x.ipynb")
    text = pages.render_together([tmp_path / "x.ipynb"], "Title")[0].read_text()
    assert "Laloy" in text and "Kingma" in text and "<h2>References" in text
    assert not re.search(r"<p>[^<]*\[\]", text)


def test_the_page_of_a_rerun_says_a_figure_s_message_as_text_and_cuts_off_the_drawing_s_own(tmp_path):
    shown = {"figure": {"name": "fig-x", "caption": "See."}, "image": {"alt": "A line."}}
    cell = nbformat.v4.new_code_cell("figure", metadata={"mystnb": shown})
    about = {"geolib": {"title": "What one sees", "cut": 16}}
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="9pt" height="9pt"/>'
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": drawing}, metadata=about)]
    title = nbformat.v4.new_markdown_cell("# Title")
    nbformat.write(nbformat.v4.new_notebook(cells=[title, cell]), tmp_path / "x.ipynb")
    text = pages.render_together([tmp_path / "x.ipynb"], "Title")[0].read_text()
    assert re.search(r"phone-title cut-16[^>]*>\s*<p>What one sees</p>", text) and '<img style="--cut: 16"' in text


def test_the_page_of_a_rerun_has_minutes_paper_foot_and_a_dark_theme(tmp_path):
    study = studies.get("rnn_fwi")
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("(x)=\n# My title\n\nWords.")])
    about = {"date": "2026-01-02", "commit": "a" * 40}
    notebook.metadata["geolib"] = {"provenance": about, "seconds": 87.4, "measures": {}}
    nbformat.write(notebook, tmp_path / "x.ipynb")
    (made,) = pages.render_together([tmp_path / "x.ipynb"], "Title", study)
    text = made.read_text()
    assert f'1 minute to read · <a class="reference external" href="{study.address}">the paper</a>' in text
    assert "Executed 2026-01-02 in 87 s, commit" in text and "My title. In: " in text
    assert "color-scheme: light dark" in text and "prefers-color-scheme: dark" in text
    assert "My title. In: " not in nbformat.read(tmp_path / "x.ipynb", as_version=4).cells[-1].source


def test_the_page_of_a_rerun_shows_and_numbers_its_tables(tmp_path):
    cells = [nbformat.v4.new_code_cell("table", execution_count=n) for n in (1, 2)]
    for cell in cells:
        data = {"text/markdown": "| a | b |\n|---|---|\n| 1 | 2 |"}
        cell.outputs = [nbformat.v4.new_output("display_data", data)]
    cells[1].metadata["mystnb"] = {"table": {"caption": "What *it* holds.", "name": "tbl-x"}}
    title = nbformat.v4.new_markdown_cell("# Title\n\nSee {numref}`tbl-x`.")
    notebook = nbformat.v4.new_notebook(cells=[title, *cells])
    notebooks.tidy(notebook)
    nbformat.write(notebook, tmp_path / "x.ipynb")
    text = pages.render_together([tmp_path / "x.ipynb"], "Title")[0].read_text()
    assert text.count("<table") == 2 and "|---|" not in text
    assert '<a class="reference internal" href="#tbl-x"><span class="std std-numref">Table 1</span></a>' in text
    assert '<span class="caption-text">What <em>it</em> holds.</span>' in text


def test_equal_runs_differ_in_nothing(tmp_path):
    text = compare.as_text([compare.read(fake(tmp_path / name)) for name in ("one", "two")])
    assert "Parameters that differ: none" in text


def test_runs_of_two_studies_are_refused(tmp_path, capsys):
    one, two = fake(tmp_path / "one"), fake(tmp_path / "two", study="gan_101")
    assert cli.main(["compare", str(one), str(two)]) == 1
    assert "runs must be of one study; got rnn_fwi, gan_101" in capsys.readouterr().err


def test_a_folder_without_a_run_is_refused(tmp_path, capsys):
    assert cli.main(["compare", str(tmp_path), str(tmp_path)]) == 1
    assert "RUN must be a folder made by `geolib run`" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("changes", "piece"),
    [
        ([], "a sweep must vary a parameter"),
        (["-p", "frequency", "8,nonsense"], "frequency must be a number; got 'nonsense'"),
        (["-p", "frequency", ","], "frequency must be given once, with values such as 1,2,3"),
        (["-p", "frequency", "8", "-p", "frequency", "9"], "frequency must be given once"),
        (["-p", "frequenzy", "8"], "parameter 'frequenzy' is unknown"),
    ],
)
def test_a_sweep_is_refused_before_anything_runs(tmp_path, capsys, changes, piece):
    assert cli.main(["sweep", "rnn_fwi", *changes, "--out", str(tmp_path / "out")]) == 2
    assert piece in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_grid_joins_the_entries_of_a_list_by_plus():
    made = reruns.grid(STUDY.Config, "quick", [("optimisers", "adam+cg,lbfgs"), ("frequency", "8,9")])
    assert [label for label, _ in made][:2] == ["optimisers-adam+cg_frequency-8.0", "optimisers-adam+cg_frequency-9.0"]
    assert [config.optimisers for _, config in made] == [("adam", "cg"), ("adam", "cg"), ("lbfgs",), ("lbfgs",)]


def test_the_plus_of_an_exponent_joins_nothing():
    made = reruns.grid(STUDY.Config, "quick", [("adam_rates", "1e-2+2.e+0,1e+0")])
    assert [config.adam_rates for _, config in made] == [(0.01, 2.0), (1.0,)]


def test_names_of_folders_fit_into_a_file_system():
    rates = ["+".join(f"{n / 1000 + last}" for n in range(1, 61)) for last in (0, 1)]
    labels = [label for label, _ in reruns.grid(STUDY.Config, "quick", [("adam_rates", ",".join(rates))])]
    assert len(set(labels)) == 2 and max(map(len, labels)) <= 200


def test_a_sweep_looks_for_its_data_before_anything_runs(tmp_path, capsys, monkeypatch):
    def missing(name):
        raise ValueError("no data")

    monkeypatch.setattr(data, "locate", missing)
    arguments = ["sweep", "latent_inversion", "-p", "seed", "1,2", "--out", str(tmp_path / "out")]
    assert cli.main(arguments) == 1
    assert capsys.readouterr().err == "geolib: no data\n"
    assert not (tmp_path / "out").exists()


def test_a_page_takes_in_no_file_from_elsewhere(tmp_path):
    (tmp_path / "html").mkdir()
    for name in ("secret.png", "html/own.png"):
        (tmp_path / name).write_bytes(b"x")
    sources = [tmp_path / "secret.png", "../secret.png", "own.png"]
    text = "".join(f'<img src="{source}">' for source in sources)
    (tmp_path / "html" / "index.html").write_text(text)
    made = pages.inline(tmp_path / "html" / "index.html")
    assert made == text.replace("own.png", "data:image/png;base64,eA==")


def test_expected_times_come_from_records_alone(tmp_path, monkeypatch):
    config = STUDY.Config()
    monkeypatch.setattr(paths, "checkout", lambda: tmp_path)
    assert reruns.expected(STUDY, config) == "unknown, nothing like it is recorded here"
    (tmp_path / ".build").mkdir()
    (tmp_path / ".build" / "rnn_fwi.seconds").write_text("93.4")
    assert reruns.expected(STUDY, config) == "about 93 s, as the last time on this machine"
    changed = reruns.expected(STUDY, STUDY.Config(iterations=151))
    assert changed == "unknown for these parameters; the quick preset took about 93 s on this machine"
    config = STUDY.Config(iterations=151)
    path = tmp_path / "shipped.nc"  # never the checkout's own
    monkeypatch.setattr(paths, "shipped", lambda *_: path)
    names = STUDY.names(config)
    half = names[: len(names) // 2]
    records = {name: {"seconds": 1200.0} for name in half}
    from geolib.runs.store import Results, save

    save(path, Results({}, {name: {} for name in half}, records), key=studies.key(STUDY, config))
    expected = f"about {20 * len(half):.1f} min of computing for {len(half)} units, by the shipped run's record"
    unknown = f"; unknown for {len(names) - len(half)} units, nothing like them is shipped"
    assert reruns.expected(STUDY, config) == expected + unknown


def test_an_expected_time_is_that_of_units_of_the_same_kind(tmp_path, monkeypatch):
    from geolib.runs.store import Results, save

    units = ["a-gn8-m1-t000", "a-gn8-m2-t000", "a-gn8-m1-t001", "a-gn100-t000"]
    records = {unit: {"seconds": seconds} for unit, seconds in zip(units, [90.0, 0.0, 0.0, 1000.0], strict=True)}
    monkeypatch.setattr(paths, "checkout", lambda: None)
    monkeypatch.setattr(paths, "shipped", lambda *_: tmp_path / "shipped.nc")
    save(tmp_path / "shipped.nc", Results({}, {unit: {} for unit in units}, records), key=studies.key(STUDY, CONFIG))
    monkeypatch.setattr(STUDY, "names", lambda config: ["a-gn8-m1-t000", "a-gn8-m2-t001", "b", "c"])
    # A batch of three in 90 s: two of its kind take 60 s; of b and c nothing is known.
    expected = "about 60 s of computing for 2 units, by the shipped run's record; unknown for 2 units, "
    assert reruns.expected(STUDY, CONFIG).startswith(expected)


def as_executed(notebook, *_, **__):
    """What a kernel makes, in a while, of a notebook whose cells print nothing but its record."""
    time.sleep(0.06)
    for cell in notebook.cells:
        cell.execution_count = 1
    notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", name="stdout", text="{}")]


def test_unchanged_parameters_leave_their_seconds(small, monkeypatch):
    monkeypatch.setattr(paths, "checkout", lambda: small)
    monkeypatch.setattr(kernels, "run", as_executed)
    cells = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(cells, small / "rnn_fwi.ipynb")
    notebooks.execute("rnn_fwi", {}, small / "executed" / "rnn_fwi.ipynb")
    assert float((small / ".build" / "rnn_fwi.seconds").read_text()) > 0


def test_a_stopwatch_that_cannot_be_kept_costs_nothing(small, monkeypatch):
    monkeypatch.setattr(paths, "checkout", lambda: small)
    monkeypatch.setattr(kernels, "run", as_executed)
    (small / ".build").write_text("a file in the way")
    cells = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1")])
    nbformat.write(cells, small / "rnn_fwi.ipynb")
    notebooks.execute("rnn_fwi", {}, small / "executed" / "rnn_fwi.ipynb")
    assert not notebooks.failed(small / "executed" / "rnn_fwi.ipynb")


def test_a_warning_beside_the_measures_is_passed_over(small, monkeypatch):
    def run(notebook, *_, **__):
        cells = [
            ("stdout", '{"measures":'),
            ("stdout", ' {"a": 1}}'),
            ("stderr", "RuntimeWarning: Mean of empty slice"),
        ]
        png = nbformat.v4.new_output("display_data", {"image/png": "aGVsbG8="})
        notebook.cells[-2].outputs = [png]
        notebook.cells[-1].outputs = [nbformat.v4.new_output("stream", name=name, text=text) for name, text in cells]

    monkeypatch.setattr(kernels, "run", run)
    made = notebooks.execute("rnn_fwi", {}, small / "executed" / "rnn_fwi.ipynb", note="a note")
    assert notebooks.read(made).metadata["geolib"]["measures"] == {"a": 1}


def test_a_missing_kernel_is_reported(small, monkeypatch):
    monkeypatch.setitem(sys.modules, "ipykernel.kernelspec", None)
    with pytest.raises(RuntimeError, match=r"the kernel python3 must be installed"):
        notebooks.execute("rnn_fwi", {}, small / "executed" / "rnn_fwi.ipynb")


def test_only_what_a_killed_run_left_is_removed(tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    host, _, me = locks.own_name().rpartition("-")
    assert me == str(os.getpid())
    live = f".run-{host}-{me}-b"
    for name in (f".run-{host}-{ended.pid}-a", ".run-of-old", f".run-elsewhere-{me}-a", live, "run-c"):
        (tmp_path / name).mkdir()
    notebooks.remove_drafts(tmp_path, ".run-")
    assert {path.name for path in tmp_path.iterdir()} == {live, "run-c"}


@pytest.mark.parametrize(
    ("figure", "image"),
    [
        ({"name": 5, "caption": "b"}, {"alt": "c"}),
        ({"name": "a", "caption": None}, {"alt": "c"}),
        ({"name": ["a"], "caption": "b"}, {"alt": "c"}),
        ({"name": "a", "caption": "b"}, {"alt": ["c"]}),
    ],
)
def test_a_damaged_figure_is_refused_by_one_line(tmp_path, capsys, figure, image):
    fake(tmp_path / "a")
    notebook = json.loads((tmp_path / "a" / "rnn_fwi.ipynb").read_text())
    notebook["cells"][0]["metadata"]["mystnb"] = {"figure": figure, "image": image}
    (tmp_path / "a" / "rnn_fwi.ipynb").write_text(json.dumps(notebook))
    run = str(tmp_path / "a")
    assert cli.main(["compare", run, run, "--out", str(tmp_path / "page.html")]) == 1
    assert "name, caption and alt of a figure must be text" in capsys.readouterr().err


@pytest.mark.parametrize("key", ["seconds", "measures"])
def test_a_number_that_cannot_be_shown_is_refused(tmp_path, key):
    fake(tmp_path / "a")
    path = tmp_path / "a" / "run.json"
    value = {"seconds": 10**400, "measures": {"a": {"value": 10**400, "low": None, "high": None, "n": 1}}}[key]
    path.write_text(json.dumps({**json.loads(path.read_text()), key: value}))
    with pytest.raises(ValueError, match=r"must be the record of a run; it is damaged"):
        compare.read(tmp_path / "a")


@pytest.mark.parametrize("out", ["", "a/run.json"])
def test_a_comparison_never_replaces_a_record(tmp_path, capsys, out):
    fake(tmp_path / "a")
    before = (tmp_path / "a" / "run.json").read_bytes()
    run = str(tmp_path / "a")
    assert cli.main(["compare", run, run, "--out", str(tmp_path / out)]) == 2
    assert "--out must be the page to write" in capsys.readouterr().err
    assert (tmp_path / "a" / "run.json").read_bytes() == before


def test_folders_tell_extents_apart():
    folders = {reruns.default_folder(STUDY, STUDY.Config(optimisers=o)) for o in ("adam", "cg", "adam,cg")}
    assert len(folders) == 3


def test_shipped_times_tell_how_long_the_same_parameters_take(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "checkout", lambda: None)
    monkeypatch.setattr(paths, "shipped", lambda *_: tmp_path / "none.nc")
    monkeypatch.setattr(paths, "results", lambda: tmp_path)
    config = STUDY.Config(iterations=60)
    entry = {"key": studies.key(STUDY, config), "parameters": config.as_dict(), "cpu_seconds": 31.4, "device": "a CPU"}
    (tmp_path / "times.json").write_text(json.dumps({"rnn_fwi": [entry]}))
    assert reruns.expected(STUDY, config) == "about 31 s of one core of a CPU, as measured for the book"
    assert reruns.expected(STUDY, STUDY.Config(iterations=61)) == "unknown, nothing like it is recorded here"
    (tmp_path / "times.json").write_text("[]")
    assert reruns.expected(STUDY, config) == "unknown, nothing like it is recorded here"


def test_the_example_of_the_readme_knows_how_long_it_takes(monkeypatch):
    monkeypatch.setattr(paths, "shipped", lambda *_: paths.results() / "none.nc")
    assert "of one core of" in reruns.expected(STUDY, STUDY.Config(iterations=60))
