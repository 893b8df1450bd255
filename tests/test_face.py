"""The names that `import geolib` gives: all of them, without loading anything, each with an example that runs."""

import ast
import doctest
import re
import subprocess
import sys
from pathlib import Path

import pytest

import geolib

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "book" / "api.md").read_text(encoding="utf-8")
FACE = PAGE.partition("\n## Modules")[0]


def test_importing_geolib_loads_nothing_heavy():
    code = "import sys, geolib; dir(geolib); print(*sorted({name.split('.')[0] for name in sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    loaded = set(done.stdout.split())
    assert "geolib" in loaded, done.stderr
    assert not loaded & {"torch", "numpy", "scipy", "numba", "matplotlib", "tqdm"}


def test_every_name_is_there_and_no_other():
    for name in geolib.__all__:
        assert callable(getattr(geolib, name)), name
    assert dir(geolib) == sorted(geolib.__all__)
    with pytest.raises(AttributeError, match=r"^module 'geolib' has no attribute 'propagat'$"):
        _ = geolib.propagat


def test_type_checkers_see_the_same_names():
    tree = ast.parse((ROOT / "geolib" / "__init__.py").read_text(encoding="utf-8"))
    (block,) = (node for node in tree.body if isinstance(node, ast.If))
    imported = {a.asname for node in block.body if isinstance(node, ast.ImportFrom) for a in node.names}
    named = {
        t.id
        for node in block.body
        if isinstance(node, ast.Assign)
        for t in ast.walk(node.targets[0])
        if isinstance(t, ast.Name)
    }
    assert {name for name in imported | named if not name.startswith("_")} == set(geolib.__all__)
    for node in block.body:  # and in the same places
        for alias in node.names if isinstance(node, ast.ImportFrom) else ():
            if not alias.asname.startswith("_"):
                assert getattr(geolib, alias.asname).__module__ == node.module, alias.asname


def test_the_page_has_every_name_with_an_example_that_uses_it():
    parts = re.split(r"^### ", FACE, flags=re.M)[1:]
    assert sorted(part.split()[0] for part in parts) == sorted(geolib.__all__)
    for part in parts:
        name = part.split()[0]
        (code,) = re.findall(r"^```python\n(.*?)^```", part, flags=re.M | re.S)
        assert re.search(rf"^>>> from geolib import {name}$", code, flags=re.M), name
        assert len(re.findall(rf"\b{name}\(", code)) >= 1, name
        assert re.search(rf"^\.\. auto(function|class):: geolib\.{name}$", part, flags=re.M), name


def test_the_examples_of_the_page_run():
    code = "\n".join(re.findall(r"^```python\n(.*?)^```", FACE, flags=re.M | re.S))
    parsed = doctest.DocTestParser().get_doctest(code, {}, "book/api.md", "book/api.md", 0)
    said: list[str] = []
    found = doctest.DocTestRunner().run(parsed, out=said.append)
    assert found.attempted > 2 * len(geolib.__all__)
    assert found.failed == 0, "".join(said)


def test_no_name_stands_twice_on_the_page():
    for name, home in geolib.HOMES.items():
        (options,) = re.findall(rf"^\.\. automodule:: {home}\n((?:   .*\n)*)", PAGE, flags=re.M)
        assert geolib._THERE[name] in re.search(r":exclude-members: (.*)", options)[1].split(", "), name


@pytest.mark.book
def test_no_field_is_explained_by_its_number(book):
    assert "Alias for field number" not in (book / "api.html").read_text(encoding="utf-8")
