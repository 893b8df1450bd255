"""A paper more: its own folder and files, one line of the registry and one of the contents."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
STUDY = '''
"""Coins: a paper that says they are fair."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from geolib.runs import config
from geolib.runs.measure import Measure
from geolib.runs.study import Study
from geolib.runs.unit import Unit, select


@dataclass(frozen=True)
class ToyConfig(config.Config):
    """How often to toss."""

    coins: int = config.param(2, "coins", paper=40, low=1, high=1000, extent=True)
    tosses: int = config.param(500, "tosses of a coin", low=1, high=10**6)


@dataclass(frozen=True)
class Coin(Unit):
    """One coin."""

    TEMPLATE: ClassVar[str] = "coin-{number:03d}"
    number: int


class Toy(Study[ToyConfig]):
    """Each coin by itself."""

    name = "toy"
    title = "Coins"
    question = "Are coins fair?"
    Config = ToyConfig
    kinds = (Coin,)

    def units(self, config):
        return [Coin(number) for number in range(config.coins)]

    def compute(self, config, units, folder=None):
        for unit in units:
            heads = np.random.default_rng(unit.number).random(config.tosses) < 0.5
            yield unit, {"heads": np.array(heads.sum()), "tosses": np.array(config.tosses)}

    def measures(self, config, units):
        coins = select(units, Coin).values()
        heads, tosses = (int(sum(coin[key] for coin in coins)) for key in ("heads", "tosses"))
        return {"share": Measure.count(heads, tosses)} if coins else {}


STUDY = Toy()
'''
CLAIM = """
claims:
- id: toy.fair
  paper: toy
  place: Abstract
  kind: number
  claim: Coins are fair
  published: 0.5
  measure: share
  rule:
    between: [0.45, 0.55]
errata: []
"""
CELLS = (
    "import geolib.studies as studies\nfrom geolib.book import ledger\nfrom geolib.runs import paths",
    "coins = 2\ntosses = 500",
    "study = studies.get('toy')\nconfig = study.Config.from_namespace(globals())",
    "found = study.measures(config, studies.run(study, config).units)\nclaims = ledger.load(paths.ledger())",
    "row, = ledger.judge([claim for claim in claims if claim.paper == 'toy'], found)",
)
CHECK = """
import json
from geolib import cli, studies
from geolib.book import notebooks
from geolib.runs import paths
import geolib
namespace = {}
cells = [c.source for c in notebooks.read(paths.notebook("toy")).cells if c.cell_type == "code"]
for cell in cells:
    exec(cell, namespace)
arguments = ("params toy", "study toy --folder FOLDER", "publish toy --folder FOLDER")
status = [cli.main(each.split()) for each in arguments]
print(json.dumps([geolib.__file__, namespace["row"], status, list(studies.shipped_measures(studies.get("toy")))]))
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A checkout without results that has the paper; the files that another paper has touched beside its own."""
    root = tmp_path_factory.mktemp("toy")
    for part in ("geolib", "book/ledger", "notebooks"):
        shutil.copytree(ROOT / part, root / part, ignore=shutil.ignore_patterns("__pycache__", "*.nbi", "*.nbc"))
    for part in ("pyproject.toml", "book/_toc.yml", "book/references.bib"):
        shutil.copy(ROOT / part, root / part)
    (root / ".gitignore").write_text("__pycache__\n*.nb[ic]\nruns\n")
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "Four papers")
    own = root / "geolib/studies/toy"
    own.mkdir()
    (own / "__init__.py").write_text('"""Coins."""\n')
    (own / "study.py").write_text(STUDY)
    (root / "book/ledger/toy.yml").write_text(CLAIM)
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
    notebook.cells[1].metadata["tags"] = ["parameters"]
    nbformat.write(notebook, root / "notebooks/toy.ipynb")
    registry = "_PLACES = {\n"
    entry = '    "toy": ("toy.study", "toy.study:ToyConfig"),\n'
    line(root / "geolib/studies/__init__.py", registry, registry + entry)
    chapter = "      - file: papers/gan_101\n"
    line(root / "book/_toc.yml", chapter, f"{chapter}      - file: papers/toy\n")
    git(root, "add", "-A")
    return root


def line(path, before, after):
    text = path.read_text("utf-8")
    assert text.count(before) == 1
    path.write_text(text.replace(before, after), "utf-8")


def git(root, *arguments):
    command = ["git", "-c", "user.name=a", "-c", "user.email=a@example.org", *arguments]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def test_a_paper_more_touches_its_own_files_and_two_lines(checkout):
    rows = (row.split("\t") for row in git(checkout, "diff", "--cached", "--numstat").splitlines())
    changed = {name: added for added, _, name in rows}
    study = ("geolib/studies/toy/__init__.py", "geolib/studies/toy/study.py")
    for name in (*study, "book/ledger/toy.yml", "notebooks/toy.ipynb"):
        assert changed.pop(name)
    assert changed == {"geolib/studies/__init__.py": "1", "book/_toc.yml": "1"}


def test_a_paper_more_is_run_shipped_and_judged(checkout):
    git(checkout, "commit", "-qm", "Coins")
    environment = {**os.environ, "PYTHONPATH": str(checkout), "MPLBACKEND": "agg"}
    code = CHECK.replace("FOLDER", str(checkout / "runs"))
    done = subprocess.run([sys.executable, "-c", code], cwd=checkout, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    where, row, status, measures = json.loads(done.stdout.splitlines()[-1])
    assert Path(where).is_relative_to(checkout) and status == [0, 0, 0], done.stderr
    assert row["verdict"] in ("reproduced", "undecided") and row["n"] == 1000
    assert measures == ["share"] and (checkout / "book/results/toy-paper.nc").is_file()
