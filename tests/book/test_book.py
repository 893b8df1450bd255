"""The built book: complete, linked, self-contained, and kept when nothing changed."""

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

from geolib import book as builder
from geolib import notebooks, paths, studies

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


def test_every_figure_has_an_alternative_and_a_caption():
    for name in studies.NAMES:
        for cell in nbformat.read(ROOT / "book" / "papers" / f"{name}.ipynb", as_version=4).cells:
            kinds = {key for output in cell.get("outputs", []) for key in output.get("data", {})}
            if {"image/png", "image/gif"} & kinds:
                shown = cell.metadata.get("mystnb", {})
                assert shown.get("image", {}).get("alt"), f"{name}: {cell.source[:80]}"
                assert shown.get("figure", {}).get("caption"), f"{name}: {cell.source[:80]}"


def test_what_reproduces_shows_every_claim(book):
    from geolib import claims

    text = (book / "reproduces.html").read_text()
    counts = {verdict: len(re.findall(rf">{verdict}</span>", text)) for verdict in claims.VERDICTS}
    # Each claim has one badge.
    assert sum(counts.values()) == len(claims.load(paths.claims()))


def test_a_second_build_keeps_everything(book):
    draft = ROOT / "book" / "papers" / ".executing-killed"
    draft.mkdir()
    (draft / "rnn_fwi.ipynb").write_text("{")
    said = []
    builder.build(say=said.append)
    assert said == [*(f"kept: {name}, nothing it depends on changed" for name in studies.NAMES), said[-1]]
    assert said[-1] == "kept: the pages, nothing changed"
    assert not draft.exists()  # what a killed build left would break the pages


def test_an_edit_of_one_study_makes_only_its_notebook_stale(book, monkeypatch, tmp_path):
    copy = tmp_path / "copy"
    ignore = shutil.ignore_patterns("__pycache__", "_build")
    for folder in ("geolib", "book", "notebooks"):
        shutil.copytree(ROOT / folder, copy / folder, ignore=ignore)
    shutil.copy(ROOT / "constraints.txt", copy)
    monkeypatch.setattr(builder, "__file__", str(copy / "geolib" / "book.py"))
    before = {name: builder.fingerprint(name) for name in studies.NAMES}
    edited = copy / "geolib" / "studies" / "rnn_fwi.py"
    edited.write_text(edited.read_text() + "\n# an edit\n")
    after = {name: builder.fingerprint(name) for name in studies.NAMES}
    assert [name for name in studies.NAMES if before[name] != after[name]] == ["rnn_fwi"]
    # The training loop serves the adversarial chapters, not the wave inversion.
    shared = copy / "geolib" / "gans" / "train.py"
    shared.write_text(shared.read_text() + "\n# an edit\n")
    last = {name: builder.fingerprint(name) for name in studies.NAMES}
    assert {name for name in studies.NAMES if after[name] != last[name]} == set(studies.NAMES) - {"rnn_fwi"}


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
