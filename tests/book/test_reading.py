"""Chapters that people read to the end: words, figures, minutes, and what the build adds to each page."""

import ast
import base64
import json
import re

import nbformat
import pytest

from geolib import studies
from geolib.book import about, chapters, landing, notebooks, reading, records
from geolib.plots import style
from geolib.runs import paths

#: Of an execution what a page's foot tells, in as many words as on any machine.
VERSIONS = {"numpy": "1.2.3", "python": "1.2.3", "scipy": "1.2.3", "torch": "1.2.3+cpu"}
EXECUTED = {"date": "2026-01-02", "seconds": 87, "commit": "0" * 40, "versions": VERSIONS}


def notebook(*cells: str | tuple[str, dict]):
    made = []
    for cell in cells:
        if isinstance(cell, str):
            made.append(nbformat.v4.new_markdown_cell(cell))
        else:
            made.append(nbformat.v4.new_code_cell(cell[0], metadata=cell[1]))
    return nbformat.v4.new_notebook(cells=made)


@pytest.fixture(scope="module")
def files():
    return records.shipped()


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_chapter_is_read_in_a_quarter_of_an_hour(name, files, tmp_path):
    """Counted are the words of the page, with what the build adds to the committed notebook."""
    found = notebooks.read(paths.notebook(name))
    before = reading.words(found)
    notebooks.tidy(found)
    state = {"state": "current", "why": "", "provenance": EXECUTED}
    chapters.complete(tmp_path, name, found, state, files)
    assert before + 30 < reading.words(found) <= reading.WORDS
    # The first page counts the minutes of the finished page.
    assert f"{{div}} chapter-line\n{reading.minutes(found)} minutes to read" in found.cells[0].source
    assert reading.figures(found) <= reading.FIGURES


@pytest.mark.book
@pytest.mark.xdist_group("book")
@pytest.mark.parametrize("name", studies.NAMES)
def test_a_built_page_is_read_in_a_quarter_of_an_hour(name, book):
    found = nbformat.read(book.parents[1] / "book" / "papers" / f"{name}.ipynb", as_version=4)
    assert reading.words(found) <= reading.WORDS


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_chapter_shows_code_in_three_to_five_places(name):
    found = nbformat.read(paths.notebook(name), as_version=4)
    shown = [cell for cell in found.cells if cell.cell_type == "code" and "show.source(" in cell.source]
    assert 3 <= len(shown) <= 5


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_chapter_has_a_scorecard_a_recheck_and_tested_solutions(name):
    found = nbformat.read(paths.notebook(name), as_version=4)
    code = [cell for cell in found.cells if cell.cell_type == "code"]
    assert sum("show.scorecard(" in cell.source for cell in code) == 1
    assert sum("show.recheck(" in cell.source for cell in code) == 1
    solutions = [cell for cell in code if "solution" in cell.metadata.get("tags", [])]
    assert solutions and all("assert " in cell.source for cell in solutions)


#: Words of those who made the book, and what a reader is told instead.
UNITS = r"\bunits?\b"
OURS = {
    UNITS: "run",
    r"\bship(?:s|ped)\b": "precomputed",
    r"\blive\b": "this build",
    "taken over": "adopted",
    "working recipe": "ours",
}
PAGES = sorted(path.name for path in (paths.checkout() / "book").glob("*.md") if path.name != "api.md")


def prose(text: str) -> str:
    """Return a page's text without its code, and without the sentence and the column that speak of metres."""
    text = re.sub(r"(?ms)^(`{3,}|~{3,})(?!\{glossary\}).*?^\1", "", text)
    text = re.sub(r"`[^`]*`", "", text)
    return re.sub(r"Units are SI|\| Unit \|", "", text)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_of_the_book_says_nothing_in_our_own_words(name):
    text = prose((paths.checkout() / "book" / name).read_text(encoding="utf-8"))
    found = {word: re.findall(rf"(?i).{{0,30}}{word}.{{0,30}}", text) for word in OURS}
    assert not any(found.values()), {OURS[word]: lines for word, lines in found.items() if lines}


@pytest.mark.parametrize("name", studies.pages())
def test_a_notebook_says_nothing_in_our_own_words(name):
    said = []
    for cell in nbformat.read(paths.notebook(name), as_version=4).cells:
        said += [cell.source] if cell.cell_type == "markdown" else []
        shown = cell.metadata.get("mystnb", {})
        said += [shown[kind]["caption"] for kind in ("figure", "table") if kind in shown]
        said += sentences(cell.source) if cell.cell_type == "code" else []
    text = prose("\n".join(said))
    # Units of measure, and of a layer, are no words of ours.
    found = [re.findall(rf"(?i).{{0,30}}{word}.{{0,30}}", text) for word in OURS.keys() - {UNITS}]
    assert not any(found), found


def sentences(code: str) -> list[str]:
    """Return the strings of code that may become text: of more than one word, no docstrings, no refusals."""
    tree = ast.parse(code)
    for node in ast.walk(tree):
        if isinstance(node, ast.Raise):
            node.exc = None
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef)
    described = {ast.get_docstring(node, clean=False) for node in ast.walk(tree) if isinstance(node, kinds)}
    found = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return [text for text in found if isinstance(text, str) and " " in text.strip() and text not in described]


MODULES = sorted(
    path.relative_to(paths.checkout())
    for part in ("studies", "plots")
    for path in (paths.checkout() / "geolib" / part).rglob("*.py")
)


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_text_from_code_says_nothing_in_our_own_words(module):
    text = prose("\n".join(sentences((paths.checkout() / module).read_text(encoding="utf-8"))))
    found = [re.findall(rf"(?i).{{0,30}}{word}.{{0,30}}", text) for word in OURS.keys() - {UNITS}]
    assert not any(found), found


#: A figure is saved with so much around it on either side, inches.
MARGIN = 0.1


@pytest.mark.parametrize("name", studies.pages())
def test_no_figure_is_wider_than_its_column(name):
    """A wider one is shrunk, and its letters with it."""
    limit = 72 * (style.WIDTH + 2 * MARGIN)
    for cell in nbformat.read(paths.notebook(name), as_version=4).cells:
        for output in cell.get("outputs", ()):
            data, figure = output.get("data", {}), cell.metadata.get("mystnb", {}).get("figure", {}).get("name")
            if drawing := data.get("image/svg+xml"):
                assert float(re.search(r'width="([\d.]+)pt"', drawing)[1]) <= limit, figure
            if picture := data.get("image/png"):
                width = int.from_bytes(base64.b64decode(picture)[16:20], "big")
                assert 72 * width / 192 <= limit, figure


@pytest.mark.parametrize("name", studies.NAMES)
def test_a_chapter_is_called_alike_everywhere(name):
    first = nbformat.read(paths.notebook(name), as_version=4).cells[0].source
    assert re.search(r"(?m)^# (.*)$", first)[1] == studies.get(name).title


def test_a_card_of_the_gallery_leads_on_in_plain_words():
    from geolib.book import pages

    figure = pages.Figure("fig-x", "One {term}`GAN` of {numref}`fig-y`, at $z$. More of *it*.", "A line.", "svg", b"")
    text = pages._gallery("Title", [figure])
    assert ":link-alt: One GAN of another figure, at z\n" in text and "More of" not in text


@pytest.mark.parametrize(
    ("caption", "shown"),
    [
        ("Losses (see Fig. 3 of the paper). More.", "Losses (see Fig. 3 of the paper)."),
        ("Two norms, e.g. These. *Right*: more.", "Two norms, e.g. These."),
        ("Misfits at 0.5 m. {math}`x` is more.", "Misfits at 0.5 m."),
        ("Left: earths. Right: traces.", "Left: earths. Right: traces."),
        ("One alone", "One alone"),
    ],
)
def test_a_card_of_the_gallery_shows_a_whole_sentence(caption, shown):
    from geolib.book import pages

    text = pages._gallery("Title", [pages.Figure("fig-x", caption, "A line.", "svg", b"")])
    assert f"\n\n{shown}\n:::" in text
    style_sheet = (paths.checkout() / "book" / "_static" / "house.css").read_text(encoding="utf-8")
    assert "line-clamp" not in style_sheet


def test_the_glossary_has_the_words_that_chapters_use():
    text = (paths.checkout() / "book" / "glossary.md").read_text(encoding="utf-8")
    found = re.findall(r"(?m)^(\S.*)\n  ", text)
    used = {"run", "ledger", "fragile", "robust", "unconfirmed", "Taylor test", "R1", "DREAM(ZS)", "RMSprop", "Adagrad"}
    assert used | {"matched filter", "doublet", "straight-through estimator", "rank correlation"} <= set(found)

    def plain(word: str) -> str:
        return re.sub(r"[^a-z0-9 ]", "", word.lower().replace("-", " "))

    assert found == sorted(found, key=plain)


def test_pages_that_lead_on_say_where_to():
    for name in ("yourself", "behind", "appendices"):
        text = (paths.checkout() / "book" / f"{name}.md").read_text(encoding="utf-8")
        lines = text.splitlines()
        leads = [number for number, line in enumerate(lines) if re.fullmatch(r"\{(?:doc|ref)\}`[\w-]+`", line)]
        assert len(leads) >= 4 and all(lines[number + 1].startswith(": ") for number in leads), name


def test_appendices_stand_in_the_order_of_their_chapters():
    text = (paths.checkout() / "book" / "_toc.yml").read_text(encoding="utf-8")
    assert re.findall(r"papers/(\w+)_appendix", text) == list(studies.NAMES)


def test_the_page_of_verdicts_begins_with_its_filter_and_the_scorecard():
    text = (paths.checkout() / "book" / "reproduces.md").read_text(encoding="utf-8")
    places = ["ledger-filter", "claims_summary.md", ":::{dropdown} What the verdicts mean", "*reproduced*"]
    found = [text.index(place) for place in places]
    assert found == sorted(found) and found[0] < 300


def test_words_are_those_of_sentences_and_captions():
    text = "(label)=\n# A title\n\nIt is $x^2$ and {numref}`fig-x`, see [here](a.md) and {ref}`this <y>`.\n"
    text += "\n$$ a = b $$ (eq-x)\n\n```bash\nmake book\n```\n\n:::{admonition} Note\n:class: tip\nTwo words.\n:::\n"
    found = notebook(text, ("x = 1", {"mystnb": {"figure": {"name": "fig-x", "caption": "What to see."}}}))
    # A title; It is and fig-x, see here and this; Two words; What to see.
    assert reading.words(found) == 2 + 8 + 2 + 3
    assert reading.figures(found) == 1
    assert reading.minutes(found) == 1
    assert reading.minutes(notebook("word " * 1000)) == 5


def test_what_cells_print_is_read_too():
    found = notebook(("print", {}), ("draw", {"mystnb": {"figure": {"name": "fig-x", "caption": "Not this one."}}}))
    printed, drawn = found.cells
    text = "Of 40 runs fit **three**.\n\n| What | Ours |\n|---|--:|\n| many words | 3 |\n\n```python\nx = 1\n```"
    printed.outputs = [nbformat.v4.new_output("execute_result", {"text/markdown": text, "text/plain": "no words"})]
    made = {"geolib": {"caption": "Five words, made from numbers."}}
    drawn.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"}, metadata=made)]
    assert reading.words(found) == 5 + 5
    asked = nbformat.v4.new_code_cell("answer", metadata={"tags": ["solution"]}, outputs=printed.outputs)
    assert reading.words(nbformat.v4.new_notebook(cells=[asked])) == 0  # folded
    numbered = "````{table} Two words\n:name: tbl-x\n\n| a |\n|---|\n| b |\n````"
    printed.outputs[0].data["text/markdown"] = numbered
    assert reading.words(found) == 2 + 5


def test_the_numbers_of_figures_are_packed_alike_each_time():
    cell = nbformat.v4.new_code_cell("figure", metadata={"mystnb": {"figure": {"name": "fig-x", "caption": "See."}}})
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/csv": "x,y\n1,2\n"})]
    found = about.numbers(nbformat.v4.new_notebook(cells=[cell]))
    assert found == {"fig-x": "x,y\n1,2\n"}
    assert about.packed(found) == about.packed(found) != about.packed({})


def test_an_address_of_the_repository_reaches_clone_line_and_citation(monkeypatch, tmp_path):
    (tmp_path / "_config.yml").write_text('repository:\n  url: "https://example.org/us/geolib.git/"\n')
    (tmp_path / "CITATION.cff").write_text(
        'title: "A book"\nversion: 1.0\nlicense: MIT\ndate-released: 2026-01-02\nauthors:\n  - name: We\n'
    )
    monkeypatch.setattr(paths, "checkout", lambda: tmp_path)
    assert about.cite("A page") == "We (2026). A page. In: *A book*, version 1.0, https://example.org/us/geolib.git."
    told = landing.reproduce(about.repository())
    assert (
        "On a fresh machine" in told
        and "\ngit clone https://example.org/us/geolib.git && cd geolib\nmake book\n" in told
    )
    assert "https://example.org/us/geolib.git" in about.page() and "10.1190/geo2019-0138.1" in about.page()


def test_without_an_address_nobody_is_told_to_clone():
    told = landing.reproduce("")
    assert told.startswith("In a checkout of this repository,") and "```bash\nmake book\nmake test\n```" in told
    assert "clone" not in told and "ADDRESS" not in told


def test_a_chapter_s_head_leads_to_its_paper_and_says_of_a_report_where_it_appeared():
    heads = {name: about.paper(studies.get(name)) for name in studies.NAMES}
    assert heads["rnn_fwi"] == "[the paper](https://doi.org/10.1190/geo2019-0138.1)"
    assert heads["wgan_traces"] == "the paper, {cite:t}`niu2020` in CREWES Research Report 32, a report without DOI"
    assert "{cite:t}`li2022` in Predictive Geometallurgy and Geostatistics Lab, Queen's Univ" in heads["gan_101"]
    assert all("](https://doi.org/" in head or "` in " in head for head in heads.values())


def test_on_paper_a_chapter_says_how_to_cite_it_and_what_it_cites(files, tmp_path):
    found = notebooks.read(paths.notebook("rnn_fwi"))
    notebooks.tidy(found)
    chapters.complete(tmp_path, "rnn_fwi", found, {"state": "current", "why": "", "provenance": EXECUTED}, files)
    head = found.cells[0].source
    assert ":::{div} print-line\nHow to cite: The geolib developers" in head and studies.get("rnn_fwi").title in head
    assert "The paper: {cite:t}`sun2020`, <https://doi.org/10.1190/geo2019-0138.1>." in head
    works = about.works(found).split("\n\n")
    assert [work.split(".")[0] for work in works][1].startswith("Jian Sun") and "doi:10.1190/geo2019-0138.1" in works[1]
    assert "**Works cited**" in found.cells[-1].source and about.works(notebook("No work.")) == ""


def test_every_paper_is_in_the_references():
    known = paths.bibliography().read_text(encoding="utf-8")
    for study in map(studies.get, studies.NAMES):
        assert re.search(rf"@\w+\{{{study.paper},", known), study.name


@pytest.fixture(scope="module")
def surprises():
    return {each.study: each for each in landing.surprises()}


def test_each_chapter_has_a_surprise_whose_picture_has_words(surprises):
    assert list(surprises) == list(studies.NAMES)
    for each in surprises.values():
        assert each.sentence.count(". ") == 0 and "nan" not in each.sentence
        assert each.drawing.startswith("<svg ") and each.alternative.endswith(".")
        assert len(each.drawing) < 150_000


def test_what_surprises_is_so(surprises):
    """The sentences take a direction for granted that the numbers must have."""
    units = {name: studies.shipped(studies.get(name)).units for name in studies.NAMES}
    game = units["gan_101"]["bilinear"]
    far = game["distance"][game["methods"].tolist().index("simultaneous")]
    assert far[-1] > 100 * far[0]
    plain, heavy = (units["rnn_fwi"][f"1d-{name}-f64"] for name in ("gd-0.4", "momentum-0.8"))
    assert heavy["misfit"][-1] < plain["misfit"][-1] / 2 and heavy["error"][-1] > plain["error"][-1]
    found = studies.shipped_measures(studies.get("latent_inversion"))
    true, scrambled = (found[f"{front}table3.s1-10000.le1.01.all"] for front in ("", "as_published."))
    assert true.value > 2 * scrambled.value
    assert f"in {scrambled} trials" in surprises["latent_inversion"].sentence  # as its chapter counts them
    chapter = nbformat.read(paths.notebook("latent_inversion"), as_version=4)
    said = "".join(
        output.data["text/markdown"]
        for cell in chapter.cells
        for output in cell.get("outputs", ())
        if "text/markdown" in output.get("data", {})
    )
    assert f"{true}** trials" in said and f"against {scrambled} scrambled" in said
    assert "no sign of a better model" in surprises["rnn_fwi"].sentence  # one pair is no trend
    collapsed, of = map(int, re.findall(r"in (\d+) of (\d+) epochs", surprises["wgan_traces"].sentence)[0])
    assert collapsed > of / 2


def test_the_scorecard_row_counts_every_claim():
    from geolib.book import verify

    judged = {"a": [], "b": []}
    row = {"kind": "number", "robust": None, "verdict": "not run"}
    judged["a"] = [row, {**row, "verdict": "undecided"}]
    judged["b"] = [{**row, "verdict": "reproduced", "robust": {"verdict": "robust"}}]
    judged["b"].append({**judged["b"][0], "kind": "ours"})  # which is counted with no paper
    assert re.findall(r"<b>(\d+)</b>", landing.card(judged)) == ["3", "1", "0", "0", "1", "1"]
    assert verify.scorecard(judged["b"])["claims"] == 1


def test_a_figure_s_message_stands_above_it_for_phones_and_is_read_once():
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots()
    ax.plot([1, 2])
    ax.set_title("What one  sees")
    message = style.bundle(figure)[1]
    plt.close(figure)
    cut = message["geolib"].pop("cut")  # a line of letters
    assert message == {"geolib": {"title": "What one sees"}} and 10 < cut < 30
    cell = nbformat.v4.new_code_cell("figure", metadata={"mystnb": {"figure": {"name": "fig-x", "caption": "See."}}})
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"}, metadata=message)]
    made = nbformat.v4.new_notebook(cells=[cell])
    before = reading.words(made)
    notebooks.lift_titles(made)
    assert made.cells[0].source == ":::{div} phone-title\nWhat one sees\n:::" and made.cells[1].source == "figure"
    assert reading.words(made) == before
    target = nbformat.from_dict({**nbformat.v4.new_markdown_cell("(label)="), "id": "proof-x"})
    made.cells = [target, cell]
    notebooks.lift_titles(made)
    assert [each.cell_type for each in made.cells] == ["markdown", "markdown", "code"] and made.cells[1] == target
    cell.outputs[0].metadata["geolib"]["cut"] = cut
    made.cells = [cell]
    notebooks.lift_titles(made)
    assert made.cells[0].source.startswith(f":::{{div}} phone-title cut-{cut}\n") and reading.words(made) == before
    sheet = (paths.checkout() / "book" / "_static" / "house.css").read_text(encoding="utf-8")
    assert sheet.index(".phone-title { display: none") < sheet.index(".phone-title { display: block")


def test_data_of_figures_reach_the_page(tmp_path, monkeypatch):
    cell = nbformat.v4.new_code_cell("figure", metadata={"mystnb": {"figure": {"name": "fig-x", "caption": "See."}}})
    cell.outputs = [nbformat.v4.new_output("display_data", {"text/csv": "x,y\n1,2\n", "image/svg+xml": "<svg/>"})]
    made = nbformat.v4.new_notebook(cells=[cell])
    assert chapters._take_numbers(tmp_path, "rnn_fwi", made)
    assert (tmp_path / "book" / "_generated" / "data" / "rnn_fwi" / "fig-x.csv").read_text() == "x,y\n1,2\n"
    assert made.cells[0].metadata.mystnb.figure.caption.endswith(
        "{download}`Data </_generated/data/rnn_fwi/fig-x.csv>`"
    )
    assert "text/csv" not in json.dumps(made)


@pytest.mark.parametrize("name", studies.pages())
def test_every_figure_leads_to_its_data(tmp_path, name):
    made = nbformat.read(paths.notebook(name), as_version=4)
    chapters._take_numbers(tmp_path, name, made)
    found = [cell.metadata.get("mystnb", {}).get("figure", {}) for cell in made.cells]
    captions = {each["name"]: each["caption"] for each in found if each}
    assert not [each for each, caption in captions.items() if "{download}`Data" not in caption]
    for caption in captions.values():
        for file in re.findall(r"</results/(.+?)>", caption):
            assert (paths.results() / file).is_file()


def test_a_letter_in_a_caption_of_the_gallery_needs_no_mathematics(tmp_path):
    from geolib.book import pages

    caption = "Length of $z$ and {math}`x`, at $z^2$. {download}`Data </x.csv>`"
    cell = nbformat.v4.new_code_cell("figure", metadata={"mystnb": {"figure": {"name": "fig-x", "caption": caption}}})
    cell.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": "<svg/>"})]
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), tmp_path / "page.ipynb")
    (found,) = pages.figures(tmp_path / "page.ipynb")
    assert found.caption == "Length of *z* and *x*, at $z^2$."


def test_a_solution_says_its_answer_before_its_code():
    from docutils import nodes, utils

    from geolib.book import answers

    document = utils.new_document("page")
    for tag in ("tag_solution", "tag_remove-input"):
        cell, fold = nodes.container(classes=["cell", tag]), nodes.container()
        fold += [nodes.container(nb_element="cell_code_source"), nodes.container(nb_element="cell_code_output")]
        cell += fold
        document += cell
    answers.turn(document)
    kinds = [[part["nb_element"] for part in cell.children[0].children] for cell in document.children]
    assert kinds == [["cell_code_output", "cell_code_source"], ["cell_code_source", "cell_code_output"]]
    assert "geolib.book.answers" in (paths.checkout() / "_config.yml").read_text(encoding="utf-8")


def test_figures_of_an_appendix_are_numbered_after_their_chapter():
    from geolib.book import numbering

    figures = {
        "papers/b": {"figure": {"x": (2, 1), "y": (2, 2)}},
        "papers/b_appendix": {"figure": {"u": (1,), "v": (2,)}, "table": {"t": (7,)}},
        "speed": {"figure": {"s": (4,), "r": (3,)}},
    }
    numbering.renumber(figures, {"papers/a": 1, "papers/b": 2})
    assert figures["papers/b"] == {"figure": {"x": (2, 1), "y": (2, 2)}}
    assert figures["papers/b_appendix"] == {"figure": {"u": ("A2", 1), "v": ("A2", 2)}, "table": {"t": ("A2", 1)}}
    assert figures["speed"] == {"figure": {"r": (1,), "s": (2,)}}


@pytest.mark.parametrize("page", studies.pages())
def test_the_caption_of_a_table_has_no_backtick(page):
    """It stands in the first line of a fence of backticks, which another one ends: the table loses its name."""
    for cell in nbformat.read(paths.notebook(page), as_version=4).cells:
        assert "`" not in cell.metadata.get("mystnb", {}).get("table", {}).get("caption", ""), cell.id
