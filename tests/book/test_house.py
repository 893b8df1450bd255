"""The page "How this is built": arrows and floors from imports, and the way of one number."""

import re
from pathlib import Path

import pytest

from geolib.book import house
from geolib.runs import paths

GRAPH = {"cli": {"book", "runs"}, "book": {"runs", "waves"}, "runs": {"waves"}, "waves": set(), "plots": set()}
ROW = {
    "paper": "rnn_fwi",
    "place": "Fig 9",
    "claim": "It falls.",
    "published": 1.0,
    "rule": "between",
    "ours": 0.9,
    "n": 3,
    "interval": [0.8, 1.0],
    "verdict": "reproduced",
}


def test_arrows_are_those_of_the_imports(tmp_path):
    for name, text in {"low": "import os\n", "high": "def f():\n    from pack import low\n"}.items():
        (tmp_path / "pack" / name).mkdir(parents=True)
        (tmp_path / "pack" / name / "one.py").write_text(text)
    (tmp_path / "pack" / "_checks.py").write_text("")
    (tmp_path / "pack" / "top.py").write_text("import pack.high.one\nfrom pack import _checks\n")
    assert house.arrows(tmp_path / "pack") == {"low": set(), "high": {"low"}, "top": {"high"}}


def test_the_page_tells_of_the_package_as_it_is():
    package = Path(house.__file__).parents[1]
    graph = house.arrows(package)
    assert {"waves", "studies", "book", "cli"} <= graph.keys() and not [part for part in graph if part.startswith("_")]
    level = house.floors(graph)
    assert level["waves"] == level["datasets"] == 0 and max(level, key=level.__getitem__) == "cli"
    ground = [path.stem for path in package.glob("_[a-z]*.py")]
    number = {3: "three", 4: "four", 5: "five"}[len(ground)]
    text = " ".join((paths.checkout() / "book" / "built.md").read_text("utf-8").split())
    assert f"{number} small modules that everything may use" in text


def test_each_part_stands_above_what_it_imports_and_arrows_that_follow_are_left_out():
    assert house.floors(GRAPH) == {"waves": 0, "plots": 0, "runs": 1, "book": 2, "cli": 3}
    assert house.direct(GRAPH) == {"cli": {"book"}, "book": {"runs"}, "runs": {"waves"}, "waves": set(), "plots": set()}


def test_a_circle_of_parts_is_refused():
    with pytest.raises(
        ValueError, match=r"^imports must run one way; book, cli, runs, waves import one another\. Move"
    ):
        house.floors({**GRAPH, "waves": {"book"}})


def test_the_picture_is_the_same_in_every_build():
    made = house.picture(GRAPH, dict.fromkeys(GRAPH, 1))
    assert made.startswith(b"<?xml") and made == house.picture(GRAPH, dict.fromkeys(GRAPH, 1))


def test_the_way_of_a_number_leads_into_the_code():
    text = house.way(ROW, {"a": 1}, 30, "https://host/x/blob/main")
    assert "[`geolib.runs.config`](https://host/x/blob/main/geolib/runs/config.py)" in text
    assert "0.90 (0.80 to 1)" in text and "*reproduced*" in text and "30 runs" in text
    assert len(re.findall(r"^\d\. \*\*", text, flags=re.M)) == 7
    here = house.way(ROW, {"a": 1}, 30, "")
    linked = re.findall("{py:mod}`(.*?)`", here)
    assert "geolib.runs.config" in linked and " `geolib.studies.rnn_fwi`" in here and " `geolib.book.pages`" in here
    api = (paths.checkout() / "book" / "api.md").read_text("utf-8")
    assert set(linked) <= set(re.findall(r"^\.\. automodule:: (\S+)$", api, flags=re.M))
    with pytest.raises(ModuleNotFoundError):
        house.link("geolib.gone", "")
