"""Shipped results against the code that computed them: present, older, of another version."""

import json
import subprocess
from types import SimpleNamespace

import numpy as np
import pytest

from geolib import studies
from geolib.book import records, staleness
from geolib.runs import paths, store
from geolib.runs.config import plain

STUDY = studies.get("rnn_fwi")
CODE = '"""A module."""\n\n\ndef half(x):\n    """Return x / 2."""\n    return x / 2\n'


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with a small package, its first commit, and a way to commit more."""
    package = tmp_path / "geolib"
    (package / "studies" / "rnn_fwi").mkdir(parents=True)
    for name in ("__init__", "ledger", "studies/__init__", "studies/rnn_fwi/__init__"):
        (package / f"{name}.py").write_text("")
    (package / "waves.py").write_text(CODE)
    (package / "studies" / "rnn_fwi" / "study.py").write_text("from geolib import ledger, waves\n")
    monkeypatch.setattr(staleness, "_package", lambda: package)
    monkeypatch.setattr(staleness.studies, "__file__", str(package / "studies" / "__init__.py"))

    def git(*arguments):
        identity = ["-c", "user.name=a", "-c", "user.email=a@b"]
        command = ["git", "-C", str(tmp_path), *identity, *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    git("add", "-A")
    git("commit", "-qm", "first")
    return SimpleNamespace(package=package, commit=git("rev-parse", "HEAD"))


def test_code_that_means_the_same_has_not_changed(repository):
    assert staleness.changed_since("rnn_fwi", repository.commit) == []
    other = CODE.replace("Return x / 2.", "Return one half.").replace("    return", "    # why\n    return")
    (repository.package / "waves.py").write_text(other)
    (repository.package / "ledger.py").write_text("x = 1\n")  # it judges units, it computes none
    assert staleness.changed_since("rnn_fwi", repository.commit) == []


def test_one_changed_number_is_found(repository):
    (repository.package / "waves.py").write_text(CODE.replace("/ 2\n", "/ 3\n"))
    assert staleness.changed_since("rnn_fwi", repository.commit) == ["geolib/waves.py"]


@pytest.mark.parametrize("commit", ["", "0" * 40, "unknown", "--output=x"])
def test_code_that_is_not_at_hand_cannot_be_compared(repository, commit):
    assert staleness.changed_since("rnn_fwi", commit) is None
    assert staleness.changed_since("rnn_fwi", repository.commit + "+changes") is None


RECORD = {"commit": "a" * 40, "device": "a | c", "cores": 1, "versions": {"python": "3"}, "date": "2026-01-02"}


def shipped(tmp_path, since, key=None):
    config = STUDY.Config.preset("quick", frequency=8)
    units = {name: {"x": np.zeros(2)} for name in since}
    results = store.Results(config.as_dict(), units, {name: {**RECORD, "seconds": 90.0} for name in since})
    path = tmp_path / "rnn_fwi-paper.nc"
    path.write_bytes(b"1234")
    return records.Shipped(path, STUDY, results, key or studies.key(STUDY, config), since)


@pytest.mark.parametrize(
    ("since", "state", "words"),
    [
        ({"a": [], "b": []}, "current", "all units were computed by the present code"),
        ({"a": [], "b": ["geolib/waves/cell.py"]}, "older code", "1 of 2 units by the present code; 1 before a change"),
        ({"a": None}, "older code", "0 of 1 units by the present code; 1 by code that had not been committed"),
    ],
)
def test_the_state_of_a_shipped_file(tmp_path, since, state, words):
    found = shipped(tmp_path, since)
    assert found.state == state and words in found.explained()
    page = records.page([found])
    assert records.BADGES[state] in page
    assert f"| Differs from the quick preset in | frequency = 8.0 ({plain(STUDY.Config().frequency)}) |" in page
    assert "a \\| c" in page  # a bar within a cell would end it


def test_results_of_another_version_are_stale(tmp_path, monkeypatch):
    found = shipped(tmp_path, {"a": []})
    assert found.state == "current"
    monkeypatch.setattr(STUDY, "VERSION", STUDY.VERSION + 1)
    assert found.state == "stale" and "its numbers may mean something else" in found.explained()
    unknown = shipped(tmp_path, {"a": []})
    unknown.results.config["gone"] = 1
    assert unknown.state == "stale"


def test_every_shipped_file_has_its_record():
    found = records.shipped()
    assert {file.path for file in found} == set(paths.results().glob("*.nc"))
    page = records.page(found)
    for file in [*(file.path for file in found), *paths.results().glob("*.safetensors")]:
        assert f"(record-{file.stem})=\n## {file.name}\n" in page
    for file in found:
        for unit, record in file.results.records.items():
            assert f"| `{unit}` | {record['seconds']:.1f} |" in page


def test_a_record_names_the_processor():
    made = store.provenance()
    assert made["device"].strip() and json.dumps(made)
