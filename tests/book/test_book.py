"""The built book: complete, linked, self-contained, and kept when nothing changed."""

import datetime
import io
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import numpy as np
import pytest
import yaml
from PIL import Image

from geolib import studies
from geolib.book import build as builder
from geolib.book import chapters, ledger_page, links, mathematics, notebooks, records, staleness
from geolib.datasets import frozen
from geolib.runs import locks, paths
from tests.conftest import DRAFT

pytestmark = [pytest.mark.book, pytest.mark.xdist_group("book")]
ROOT = paths.checkout()


class Addresses(HTMLParser):
    """Collect what a page loads, what it links to, and the anchors it has."""

    def __init__(self, path):
        super().__init__()
        self.loads, self.links, self.anchors = [], [], set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.anchors.update(values[key] for key in ("id", "name") if values.get(key))
        if tag in ("script", "img", "iframe", "source", "video") and values.get("src"):
            self.loads.append(values["src"])
        if tag == "link" and values.get("rel") in ("stylesheet", "preload", "icon", "shortcut icon", "modulepreload"):
            self.loads.append(values["href"])
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])


@pytest.fixture(scope="session")
def pages(book):
    return {path: Addresses(path) for path in sorted(book.rglob("*.html")) if "_static" not in path.parts}


def entries(node):
    if isinstance(node, dict):
        if "file" in node:
            yield node["file"]
        if "root" in node:
            yield node["root"]
        for value in node.values():
            yield from entries(value)
    elif isinstance(node, list):
        for value in node:
            yield from entries(value)


def test_every_page_of_the_table_of_contents_exists(book):
    listed = list(entries(yaml.safe_load((ROOT / "book" / "_toc.yml").read_text())))
    assert len(listed) > 10
    listed += [f"papers/{page}" for page in studies.pages()]
    for name in listed:
        assert (book / f"{name}.html").is_file(), name


def test_nothing_remote_is_needed_to_show_a_page(pages):
    for path, found in pages.items():
        remote = [address for address in found.loads if re.match(r"(https?:)?//", address)]
        assert not remote, f"{path.name} loads {remote}"


def test_no_internal_link_is_broken(pages):
    for path, found in pages.items():
        for address in found.links + found.loads:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc or address.startswith("//"):
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.name} points to {address}"
            if parts.fragment and target in pages:
                assert unquote(parts.fragment) in pages[target].anchors, f"{path.name} points to {address}"


def test_external_links_are_whole_addresses(pages):
    for path, found in pages.items():
        for address in found.links:
            parts = urlsplit(address)
            if parts.scheme in ("http", "https"):
                assert re.fullmatch(r"[a-z0-9.-]+\.[a-z]{2,}(:\d+)?", parts.netloc), f"{path.name}: {address}"
                assert not re.search(r"[\s<>\"]", address), f"{path.name}: {address}"
            else:
                # A scheduler's address is an example in the reference.
                assert parts.scheme in ("", "mailto", "tcp"), f"{path.name}: {address}"


def test_every_figure_has_an_alternative_and_a_caption():
    for name in studies.pages():
        for cell in nbformat.read(ROOT / "book" / "papers" / f"{name}.ipynb", as_version=4).cells:
            kinds = {key for output in cell.get("outputs", []) for key in output.get("data", {})}
            if {"image/png", "image/gif", "image/svg+xml"} & kinds:
                shown = cell.metadata.get("mystnb", {})
                assert shown.get("image", {}).get("alt"), f"{name}: {cell.source[:80]}"
                assert shown.get("figure", {}).get("caption"), f"{name}: {cell.source[:80]}"


def test_what_reproduces_shows_every_claim_and_the_first_page_counts_them(book, judged):
    from geolib.book import ledger as claims
    from geolib.book import verify

    ledger = claims.load(paths.ledger())
    anchors = {file.path.name: file.anchor.replace("_", "-") for file in records.shipped()}
    text, first = (book / "reproduces.html").read_text(), (book / "intro.html").read_text()
    shown = 0
    for name in studies.NAMES:
        rows = [row for row in judged[name] if row["kind"] != claims.OURS]
        for row in judged[name]:
            assert text.count(f'id="{links.claim_anchor(row["id"])}"') == 1
        for verdict in claims.VERDICTS:
            count = sum(row["verdict"] == verdict for row in rows)
            anchor = "-".join(["claims", *name.split("_"), *verdict.split()])
            if count:
                part = text[text.index(f'id="{anchor}"') :].split("<table", 1)[1].split("</table>")[0]
                assert part.count("<tr") == count + 1
                for row in (row for row in rows if row["verdict"] == verdict):
                    (shown_row,) = (r for r in part.split("<tr") if f'id="{links.claim_anchor(row["id"])}"' in r)
                    # The record is that of the file judged by, which may be a companion's.
                    found = re.findall(r'records\.html#(record-[\w-]+)"', shown_row)
                    known = row["ours"] is not None and row["record"]
                    assert found == ([anchors[row["record"]]] if known else [])
            shown += count
    assert shown == sum(claim.counted and claim.kind != claims.OURS for claim in ledger)
    total = verify.scorecard([row for rows in judged.values() for row in rows])
    assert f"<b>{shown}</b> statements<" in first
    assert all(f"<b>{total[verdict]}</b> {verdict}<" in first for verdict in claims.VERDICTS)


def test_the_page_of_states_shows_what_each_page_loads(book):
    sizes = builder.load_sizes(book)
    text = (book / "status.html").read_text()
    rows = dict(re.findall(r"<tr><td><a href='([^']+)'>.*?<td class='text-right'>(\d+)</td></tr>", text))
    assert rows.keys() == sizes.keys()
    for name, row in sizes.items():
        # The status page grows by this very table.
        assert name == "status.html" or int(rows[name]) == round(row["sum"] / 1000)
        # A page beyond this has a picture that wants trimming; an appendix and the gallery load as one scrolls.
        limit = {"gallery.html": 20_000_000}.get(name, 5_000_000 if "_appendix" in name else 3_000_000)
        assert row["sum"] < limit, f"{name}: {row}"


def test_a_drawing_loses_only_digits_that_no_eye_sees(tmp_path):
    drawing = '<path id="a" d="M 1.23456 -0.5 L 2e-05 7.891z" transform="scale(0.015625)"/><use x="3.14159" y="2"/>'
    (tmp_path / "a.svg").write_text(drawing)
    builder._trim_drawings(tmp_path)
    trimmed = '<path id="a" d="M 1.23 -0.5 L 2e-05 7.89z" transform="scale(0.015625)"/><use x="3.14" y="2"/>'
    assert (tmp_path / "a.svg").read_text() == trimmed


def test_the_parts_of_mathjax_are_there_and_weigh_what_is_told(tmp_path):
    mathematics.copy_parts(tmp_path)
    copied = [path for path in tmp_path.rglob("*") if path.is_file()]
    scripts = sum(path.stat().st_size for path in copied if path.suffix == ".js")
    assert mathematics.size(tmp_path) == scripts < 1_000_000 and len(copied) > 20  # fonts, and a third of the whole
    assert mathematics.single().stat().st_size > 2 * scripts


def test_a_second_build_keeps_everything(built):
    kept = [f"kept: {name}, nothing it depends on changed" for name in studies.pages()]
    assert built == [*kept, "kept: the pages, nothing changed"]
    assert not (ROOT / DRAFT).exists()  # what a killed build left would break the pages


def test_a_draft_of_another_build_survives(tmp_path):
    other = tmp_path / "book" / "papers" / f"{notebooks.DRAFT}{locks.own_name()}-x"
    other.mkdir(parents=True)
    chapters.clean(tmp_path)
    assert other.is_dir()


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the checkout, which the package takes for its own."""
    root = tmp_path / "copy"
    ignore = shutil.ignore_patterns("__pycache__", "_build", "papers", "_generated")
    for folder in ("geolib", "book", "notebooks"):
        shutil.copytree(ROOT / folder, root / folder, ignore=ignore)
    shutil.copy(ROOT / "constraints.txt", root)
    monkeypatch.setattr(staleness, "_package", lambda: root / "geolib")
    monkeypatch.setattr(paths, "_PACKAGE", root / "geolib")
    monkeypatch.setattr(frozen, "folder", lambda: root / "book" / "results")
    return root


def edit(path):
    path.write_text(path.read_text() + "\n# an edit\n")


def test_an_edit_of_one_study_makes_only_its_notebook_stale(copy):
    before = {name: staleness.inputs(name) for name in studies.NAMES}
    edit(copy / "geolib" / "studies" / "rnn_fwi" / "study.py")
    after = {name: staleness.inputs(name) for name in studies.NAMES}
    found = {name: changed for name in studies.NAMES if (changed := staleness.changed(before[name], after[name]))}
    assert found == {"rnn_fwi": ["geolib/studies/rnn_fwi/study.py"]}
    # The training loop serves the adversarial chapters, not the wave inversion.
    edit(copy / "geolib" / "gans" / "train.py")
    last = {name: staleness.inputs(name) for name in studies.NAMES}
    assert {name for name in studies.NAMES if staleness.changed(after[name], last[name])} == set(studies.NAMES) - {
        "rnn_fwi"
    }


def test_a_name_of_the_package_counts_as_its_module(copy):
    def stems(code):
        return {path.stem for path in staleness.modules("geolib.none", [code])}

    assert stems("import geolib") == {"__init__"}  # what type checkers see is not executed
    assert "crosshole" in stems("from geolib import Crosshole") - stems("from geolib import propagate")


def one_byte_of_the_code(copy):
    edit(copy / "geolib" / "waves" / "cell.py")
    return "`geolib/waves/cell.py`"


def one_byte_of_a_result(copy):
    path = copy / "book" / "results" / "rnn_fwi-paper.nc"
    raw = bytearray(path.read_bytes())
    raw[1000] ^= 1
    path.write_bytes(raw)
    return "`book/results/rnn_fwi-paper.nc`"


def one_word_of_the_notebook(copy):
    path = copy / "notebooks" / "rnn_fwi.ipynb"
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[0].source += " More."
    nbformat.write(notebook, path)
    return "`notebooks/rnn_fwi.ipynb (text)`"


def one_claim(copy):
    path = copy / "book" / "ledger" / "rnn_fwi.yml"
    entries = yaml.safe_load(path.read_text())
    entries["claims"][0]["claim"] += " More."
    path.write_text(yaml.safe_dump(entries))
    return "`book/ledger/rnn_fwi.yml`"


@pytest.mark.parametrize("change", [one_byte_of_the_code, one_byte_of_a_result, one_word_of_the_notebook, one_claim])
def test_a_page_that_is_not_executed_again_says_what_has_changed(copy, change):
    name, page = "rnn_fwi", copy / "book" / "papers" / "rnn_fwi.ipynb"
    files = [file for file in records.shipped() if file.path.stem == "rnn_fwi-paper"]

    def shown():
        found = chapters.state(copy, name)
        chapters.write(copy, name, found, files, set())
        cells = nbformat.read(page, as_version=4).cells
        return found["state"], cells[0].source, cells[-1].source

    state, top, foot = shown()
    assert state == "not executed" and "outputs that were committed with the notebook" in foot
    assert "not executed by this build" in foot and "chapter-line" in top
    executed = chapters.executed(copy, name)
    executed.parent.mkdir(parents=True)
    made = nbformat.read(copy / "notebooks" / f"{name}.ipynb", as_version=4)
    for cell in made.cells:  # a committed notebook may have a cell that was edited and not executed since
        if cell.cell_type == "code":
            cell.execution_count = 1
    nbformat.write(made, executed)
    about = {"date": "2026-01-02", "seconds": 12.3, "commit": "abc"}
    chapters.stamp(copy, name, {"inputs": staleness.inputs(name), "provenance": about})
    state, top, foot = shown()
    assert state == "current" and "Executed 2026-01-02 in 12 s, commit `abc`" in foot and "out of date" not in foot
    changed = change(copy)
    state, _, foot = shown()
    assert state == "stale"
    assert "This page may be out of date" in foot and f"Changed since it was executed: {changed}." in foot
    table = records.status(files, {name: chapters.state(copy, name)}, datetime.date(2026, 1, 5))
    assert "{bdg-danger}`stale`" in table and changed in table and "| 3 days |" in table
    (copy / ".build" / f"{name}.stamp").write_text("{")
    assert chapters.state(copy, name)["state"] == "not executed"


def test_a_chapter_ends_with_its_record_and_marks_the_cells_that_prove(copy):
    cell = nbformat.read(copy / "notebooks" / "rnn_fwi.ipynb", as_version=4).cells[-2]
    files = [file for file in records.shipped() if file.path.stem == "rnn_fwi-paper"]
    chapters.write(copy, "rnn_fwi", chapters.state(copy, "rnn_fwi"), files, {cell.id})
    cells = nbformat.read(copy / "book" / "papers" / "rnn_fwi.ipynb", as_version=4).cells
    number = next(n for n, other in enumerate(cells) if other.id == cell.id)
    assert cells[number - 1].source == f"(proof-rnn_fwi-{cell.id})="
    assert "1 file of precomputed results </records>`" in cells[-1].source and "### The record" not in cells[-1].source
    page = "rnn_fwi_appendix"
    chapters.write(copy, page, chapters.state(copy, page), files, set())
    last = nbformat.read(copy / "book" / "papers" / f"{page}.ipynb", as_version=4).cells[-1].source
    assert "### The record of this page" in last and "](#record-rnn_fwi-paper)" in last
    for fact in ("Runs", "Seeds", "Commits", "Versions", "Hardware", "Computing time", "Date"):
        assert f"| {fact} |" in last
    with pytest.raises(ValueError, match=r"the errata must name cells of rnn_fwi.ipynb; it has none with the id gone"):
        chapters.write(copy, "rnn_fwi", chapters.state(copy, "rnn_fwi"), files, {"gone"})


def test_every_erratum_leads_to_a_cell_of_its_chapter():
    found = ledger_page.proofs()
    for page, cells in found.items():
        known = {cell.id for cell in nbformat.read(paths.notebook(page), as_version=4).cells}
        assert cells <= known, page
    for name in studies.NAMES:
        assert any(found[page] for page in studies.get(name).pages), name
    assert found["rnn_fwi_appendix"]  # proofs may stand there


def test_a_table_of_a_cell_is_numbered_once():
    cell = nbformat.v4.new_code_cell("Markdown(table)", execution_count=1)
    cell.metadata["mystnb"] = {"table": {"caption": "What it holds.", "name": "tbl-x"}}
    cell.outputs = [nbformat.v4.new_output("display_data", data={"text/markdown": "| a |\n|---|\n| 1 |"})]
    notebook = nbformat.v4.new_notebook(cells=[cell])
    for _ in range(2):
        notebooks.tidy(notebook)
        text = notebook.cells[0].outputs[0].data["text/markdown"]
        assert text == "````{table} What it holds.\n:name: tbl-x\n\n| a |\n|---|\n| 1 |\n````"


@pytest.mark.parametrize("origin", ["", "made by a procedure"])
def test_a_caption_tells_of_a_stand_in_once(origin):
    glued = {"application/papermill.record/text/plain": repr(origin)}
    said = nbformat.v4.new_output("display_data", glued, metadata={"scrapbook": {"name": "study_stand_in"}})
    cells = [nbformat.v4.new_code_cell("glue(...)", outputs=[said])]
    for tags in (["real-data"], []):
        shown = {"figure": {"caption": "A training image.", "name": "fig"}}
        cells.append(nbformat.v4.new_code_cell("figure", metadata={"tags": tags, "mystnb": shown}))
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebooks.tidy(notebook)
    notebooks.tidy(notebook)
    captions = [cell.metadata.mystnb.figure.caption for cell in notebook.cells[1:]]
    note = f" (The public file was not at hand: in its place stands an image {origin}.)"
    assert captions == ["A training image." + (note if origin else ""), "A training image."]


def test_a_picture_keeps_its_content_in_fewer_bytes():
    rng = np.random.default_rng(0)
    picture = np.zeros((200, 300, 3), np.uint8)
    picture[50:150, 40:260] = (0, 114, 178)
    picture[rng.random((200, 300)) < 0.3] = (230, 159, 0)
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, "png")
    small = chapters.smaller(buffer.getvalue())
    assert len(small) < len(buffer.getvalue())
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(small)).convert("RGB")), picture)


def test_a_notebook_that_did_not_run_to_its_end_counts_as_failed(tmp_path):
    cell = nbformat.v4.new_code_cell("1 + 1", execution_count=1)
    path = tmp_path / "x.ipynb"
    notebook = nbformat.v4.new_notebook(cells=[cell])
    nbformat.write(notebook, path)
    assert not notebooks.failed(path)
    notebook.metadata["papermill"] = {"exception": True}
    nbformat.write(notebook, path)
    assert notebooks.failed(path)
    del notebook.metadata["papermill"]
    notebook.cells[0].execution_count = None
    nbformat.write(notebook, path)
    assert notebooks.failed(path)
    path.write_text("{")
    assert notebooks.failed(path)


def test_no_generated_file_is_in_git():
    import subprocess

    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True).stdout.splitlines()
    assert listed
    generated = ("book/papers/", "book/_generated/", "_build/")
    assert not [name for name in listed if name.startswith(generated)]
    assert not [name for name in listed if Path(name).suffix in (".pkl", ".pt", ".pth", ".f32")]
