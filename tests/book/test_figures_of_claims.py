"""A claim's figure is drawn from the results that judge the claim: told by what its cell reads."""

import ast
import functools

import nbformat
import pytest

from geolib import studies
from geolib.book import ledger
from geolib.book.chapters import RESULTS
from geolib.runs import paths

#: What is written over and under a figure draws nothing.
WORDS = ("suptitle", "headline", "caption")


@functools.cache
def named():
    """Labels of shipped results that are not those which a study shows where none is named."""
    files = [path.stem.split("-", 1) for path in paths.results().glob("*-*.nc")]
    return {label for name, label in files if label not in ("quick", studies.get(name).shown)}


def labels(tree, known):
    """What a piece of code is made from: labels of shipped results, and what the names in it were made from."""
    found = set()
    for node in [tree, *ast.iter_child_nodes(tree)]:
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(WORDS):
            return set()
        if node is not tree:
            found |= labels(node, known)
        elif isinstance(node, ast.Name):
            found |= known.get(node.id, set())
        elif isinstance(node, ast.Constant) and str(node.value) in {"64", *named()}:  # filters, or a label in a list
            found.add("width64" if node.value == 64 else str(node.value))
    return found


def made(statement):
    """Pairs of names and what they are made from."""
    if isinstance(statement, ast.For):
        return [(statement.target, statement.iter)]
    if isinstance(statement, ast.AugAssign):
        return [(statement.target, ast.Tuple([statement.target, statement.value]))]
    pairs = []
    for target in statement.targets if isinstance(statement, ast.Assign) else ():
        both = (target, statement.value)
        each = all(isinstance(one, ast.Tuple) for one in both) and zip(*(one.elts for one in both), strict=True)
        pairs += list(each or [both])
    return pairs


def drawn_from(notebook):
    """By figure or table the labels of what its cell reads, by itself or through earlier cells."""
    known, found = {}, {}
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        tree = ast.parse(cell.source)
        for statement in (node for node in ast.walk(tree) if isinstance(node, ast.stmt)):
            for target, value in made(statement):
                read = labels(value, known)
                known |= {node.id: read for node in ast.walk(target) if isinstance(node, ast.Name)}
        for kind in {"figure", "table"} & set(cell.metadata.get("mystnb", {})):
            found[cell.metadata["mystnb"][kind]["name"]] = labels(tree, known)
    return found


def needed(measures):
    """The labels of results that claims' measures name in front: of `width64.s1.best` width64."""
    return {each.split(".")[0] for each in measures} & named()


@pytest.fixture(scope="module")
def shown():
    read = (nbformat.read(paths.notebook(page), as_version=4) for page in studies.pages())
    return {name: found for notebook in read for name, found in drawn_from(notebook).items()}


def test_a_claim_points_to_a_figure_that_is_drawn_from_what_judges_it(shown):
    wrong = {}
    for claim in ledger.load(paths.ledger()):
        lacks = needed(claim.measure) - shown.get(claim.figure, set())
        if claim.figure and lacks:
            wrong[claim.id] = (claim.figure, lacks)
    assert not wrong


def test_the_results_that_a_figure_leads_to_are_shipped():
    for page in studies.pages():
        cells = nbformat.read(paths.notebook(page), as_version=4).cells
        tags = {tag for cell in cells for tag in cell.metadata.get("tags", ()) if tag.startswith(RESULTS)}
        assert all((paths.results() / f"{tag.removeprefix(RESULTS)}.nc").is_file() for tag in tags), (page, tags)


def test_what_a_figure_is_drawn_from_is_followed_through_names():
    def page(*cells):
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        book.cells[-1].metadata["mystnb"] = {"figure": {"name": "fig"}}
        return drawn_from(book)["fig"]

    read = 'here, wide = shipped(study), studies.shipped(study, "width64")'
    assert page(read, "facts = wide.units['x']", "for a in facts:\n    draw(a)") == {"width64"}
    assert page(read, "draw(here)") == set()
    assert page(read, "draw(here)\nheadline(figure, wide)") == set()
