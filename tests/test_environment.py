"""pyproject.toml, constraints.txt and environment.yml agree."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
LINES = (ROOT / "constraints.txt").read_text().splitlines()
PINS = dict(line.split("==") for line in LINES if line and not line.startswith("#"))


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_requirement_is_pinned_within_its_range():
    pins = {canonical(name): version for name, version in PINS.items()}
    extras = PROJECT["optional-dependencies"].values()
    for text in [*PROJECT["dependencies"], *(text for extra in extras for text in extra)]:
        requirement = Requirement(text)
        version = pins[canonical(requirement.name)]
        assert requirement.specifier.contains(version), f"{text} does not admit {version}"


def test_torch_is_the_release_that_installs_without_gpu_packages():
    assert PINS["torch"] == "2.13.0"
    assert not [name for name in PINS if name.startswith("nvidia") or name == "triton"]


def test_conda_installs_the_same_by_the_same_constraints():
    environment = yaml.safe_load((ROOT / "environment.yml").read_text())
    *conda, pip = environment["dependencies"]
    assert pip["pip"] == ["--constraint constraints.txt", "--editable .[book,test,check,cluster]"]
    assert PROJECT["requires-python"] == ">=3.11"
    assert "python=3.11" in conda
    makefile = (ROOT / "Makefile").read_text()
    assert "--constraint constraints.txt --editable '.[book,test,check,cluster]'" in makefile


def test_the_version_is_one():
    from geolib import __version__

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert __version__ == PROJECT["version"] == citation["version"]
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()


@pytest.mark.xdist_group("environment")
def test_tests_of_a_group_are_given_to_one_worker(request):
    """pytest-xdist says so in a test's name, which a release of pytest had it say in vain: fixtures were made twice."""
    if not getattr(request.config.option, "loadgroup", False):
        pytest.skip("one worker, or no groups: make test has two")
    assert request.node.nodeid.endswith("@environment")
