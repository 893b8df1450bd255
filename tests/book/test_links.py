"""From a claim to its figure, its record and its erratum, and from each of them back."""

import re

import pytest

from geolib import studies
from geolib.book import chapters, ledger, ledger_page, links, notebooks, reading, records
from geolib.runs import paths


@pytest.fixture(scope="module")
def files():
    return records.shipped()


@pytest.fixture(scope="module")
def lines(judged, files):
    """By claim the line of its row on the page of the ledger."""
    text = "\n".join(ledger_page.claims(name, rows, files) for name, rows in judged.items()).splitlines()
    marks = {row["id"]: f'id="{links.claim_anchor(row["id"])}"' for rows in judged.values() for row in rows}
    return {identity: line for identity, mark in marks.items() for line in text if mark in line}


def led(text):
    """The claims to which a text leads, by their targets."""
    return re.findall(rf'href="(?:\.\./)?{re.escape(links.PAGE)}#([^"]*)"', text)


def test_a_claim_leads_to_its_errata_and_each_of_them_back(lines):
    page = ledger_page.errata().splitlines()
    errata = ledger.errata(paths.ledger())
    wanted = {identity: [] for identity in lines}
    for entry in errata:
        (row,) = (line for line in page if f'id="{links.erratum_anchor(entry["id"])}"' in line)
        assert led(row) == [links.claim_anchor(identity) for identity in entry.get("claims", ())], entry["id"]
        for identity in entry.get("claims", ()):
            wanted[identity].append(links.erratum_anchor(entry["id"]))
    assert sum(map(bool, wanted.values())) >= 20
    for identity, line in lines.items():
        assert re.findall(r'href="errata\.html#([^"]*)"', line) == wanted[identity], identity


def test_a_record_leads_to_the_claims_that_rest_on_it_and_each_of_them_to_it(judged, files, lines):
    rows = [row for each in judged.values() for row in each]
    parts = re.split(r"^\((record-.*)\)=$", records.page(files, rows), flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    resting = {file.anchor: [row for row in rows if row["record"] == file.path.name] for file in files}
    assert sum(map(len, resting.values())) == sum(row["record"] is not None for row in rows) > 100
    for anchor, mine in resting.items():
        assert sorted(led(sections[anchor])) == sorted(links.claim_anchor(row["id"]) for row in mine), anchor
        assert f"| What rests on it | {len(mine) or 'no'} statement" in sections[anchor]
        for row in mine:
            assert row["ours"] is None or f"](#{anchor})" in lines[row["id"]], row["id"]


def named(cell):
    """The figure and the table that a cell of a committed notebook is said to show."""
    shown = cell.metadata.get("mystnb", {})
    return [shown[kind]["name"] for kind in ("figure", "table") if kind in shown]


@pytest.mark.parametrize("name", studies.pages())
def test_a_figure_or_a_table_leads_back_to_the_claims_that_it_shows(name, tmp_path):
    claims = [claim for claim in ledger.load(paths.ledger()) if claim.counted]
    notebook = notebooks.read(paths.notebook(name))
    wanted = {
        cell.id: found
        for cell in notebook.cells
        if (found := [links.claim_anchor(claim.id) for claim in claims if claim.figure in named(cell)])
    }
    assert wanted
    notebooks.tidy(notebook)
    chapters.complete(tmp_path, name, notebook, {"state": "current", "why": "", "provenance": {}}, [])
    marked = {
        before.id: led(cell.source)
        for before, cell in zip(notebook.cells, notebook.cells[1:], strict=False)
        if f"{{div}} {links.LINE}\n" in cell.source
    }
    assert marked == wanted


def test_every_figure_that_a_claim_names_is_led_back_from(lines):
    cells = [cell for page in studies.pages() for cell in notebooks.read(paths.notebook(page)).cells]
    shown = {figure for cell in cells for figure in named(cell)}
    found = links.by_figure()
    assert set(found) <= shown
    assert sorted(identity for ids in found.values() for identity in ids) == sorted(
        identity for identity, line in lines.items() if "Shown in {numref}" in line
    )


def test_the_line_below_a_figure_says_how_many_and_is_no_prose():
    import nbformat

    line = links.under_figure(["rnn_fwi.a_b", "rnn_fwi.c"])
    assert "<summary>Shows 2 statements of the ledger</summary>" in line
    assert led(line) == ["claim-rnn-fwi-a-b", "claim-rnn-fwi-c"] and 'href="../' in line
    said = links.under_figure(["x.y"], {"x.y": "A < B"}, {"x.y": "mixed"})
    assert '#claim-x-y">A &lt; B</a>: <em>mixed</em></li>' in said  # its sentence and verdict, and no raw id
    assert "Shows 1 statement of the ledger<" in links.under_figure(["x.y"])
    cell = nbformat.v4.new_markdown_cell(line)
    assert reading.words(nbformat.v4.new_notebook(cells=[cell])) == 0
