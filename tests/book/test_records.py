"""The records of shipped results: their state, what a chapter's foot and the page of records say of them."""

import json

import numpy as np

from geolib import cli, studies
from geolib.book import records
from geolib.runs import audit, paths, store
from geolib.runs.config import plain

STUDY = studies.get("rnn_fwi")
RECORD = {"commit": "a" * 40, "device": "a | c", "cores": 1, "versions": {"python": "3"}, "date": "2026-01-02"}


def shipped(tmp_path, key=None):
    config = STUDY.Config.preset("quick", frequency=8)
    dates = {"a": "2026-01-02", "b": "2026-01-05"}
    found = {name: {**RECORD, "date": date, "seconds": 90.0} for name, date in dates.items()}
    results = store.Results(config.as_dict(), {name: {"x": np.zeros(2)} for name in dates}, found)
    path = tmp_path / "rnn_fwi-paper.nc"
    path.write_bytes(b"1234")
    return records.Shipped(path, STUDY, results, key or studies.key(STUDY, config))


def test_the_page_of_records_shows_a_file(tmp_path):
    page = records.page([shipped(tmp_path)], [])
    assert records.BADGES["current"] in page
    assert f"| Differs from the quick preset in | frequency = 8.0 ({plain(STUDY.Config().frequency)}) |" in page
    assert "a \\| c" in page  # a bar within a cell would end it


def test_a_commit_that_the_history_lacks_is_marked_and_counted(tmp_path, monkeypatch):
    file = shipped(tmp_path)
    file.results.records["b"]["commit"] = "b" * 40 + "+changes"
    monkeypatch.setattr(records.provenance, "whole_history", lambda: frozenset({"b" * 40}))
    page = records.page([file], [])
    assert "Behind the commits of 1 of the 2 runs stands an asterisk" in page
    assert "| `aaaaaaaaa`\\* |" in page and "| `bbbbbbbbb+` |" in page
    monkeypatch.setattr(records.provenance, "whole_history", frozenset)  # no git
    page = records.page([file], [])
    assert "is unknown here" in page and "\\*" not in page


def test_results_of_another_version_are_stale(tmp_path, monkeypatch):
    found = shipped(tmp_path)
    assert found.state == "current" and found.explained() == "computed by this version of the study"
    monkeypatch.setattr(type(STUDY), "version", STUDY.version + 1)
    assert found.state == "stale" and "its numbers may mean something else" in found.explained()
    unknown = shipped(tmp_path)
    unknown.results.config["gone"] = 1
    assert unknown.state == "stale"


def test_the_foot_of_a_chapter_is_one_short_line(tmp_path):
    about = {**RECORD, "date": "2026-03-04", "seconds": 12.3}
    file = shipped(tmp_path)
    audit.note(file.path)
    assert records.foot(about, [file]) == (
        "Executed 2026-03-04 in 12 s, commit `aaaaaaaaa`; {doc}`1 file of precomputed results </records>`, 2 runs, "
        "audited: it is as it was published.\n"
    )
    assert "{doc}`2 files of precomputed results </records>`, 4 runs, audited: each is as" in records.foot(
        {}, [file] * 2
    )
    file.path.write_bytes(b"1235")
    assert records.foot(about, [file]).endswith("audited: not as published rnn_fwi-paper.nc.\n")
    assert records.foot({}, []) == "Shown as it was committed, not executed by this build.\n"


def test_every_shipped_file_has_its_record():
    found = records.shipped()
    assert {file.path for file in found} == set(paths.results().glob("*.nc"))
    page = records.page(found, [])
    for file in [*(file.path for file in found), *paths.results().glob("*.safetensors")]:
        assert f"(record-{file.stem})=\n## {file.name}\n" in page
    for file in found:
        for unit, record in file.results.records.items():
            assert f"| `{unit}` | {record['seconds']:.1f} |" in page


def test_a_record_names_the_processor():
    made = store.provenance()
    assert made["device"].strip() and json.dumps(made)


def test_the_table_of_drifts_has_a_row_for_each_setting_and_a_column_for_each_notebook():
    origin = {"device": "a processor", "date": "2026-11-28", "commit": "0123456789abcdef"}
    moved = {**origin, "numbers": 12, "moved": 3, "cells": {"one": 2e-4, "other": 4.2e-3}}
    still = {**origin, "numbers": 7, "moved": 0, "cells": {}}
    measured = {
        "settings": {"as it is": {"A": "1"}, "another": {"A": "2", "B": "x"}},
        "notebooks": {"rnn_fwi": {"as it is": still, "another": moved}, "gan_101": {"as it is": still}},
    }
    lines = records.drift(measured).splitlines()
    assert lines[0].startswith(f"Of {len(studies.pages())} notebooks 2 were executed so, 3 times in all")
    assert lines[2] == "| Setting | `rnn_fwi` | `gan_101` |"
    assert lines[4:6] == ["| as it is | none | none |", "| another | 3 of 12, 4e-03 | — |"]
    assert "Measured on a processor; 2026\u201111\u201128; commits `012345678`." in lines
    assert "| another | `A=2`, `B=x` |" in lines


def test_the_command_of_a_record_goes_on_with_that_very_file(monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(studies, "publish", lambda study, config, label, **_: asked.append((study, config, label)))
    for file in records.shipped():
        program, *words = file.command.split()
        assert program == "geolib" and cli.main([*words, "--folder", str(tmp_path)]) == 0
        study, config, label = asked.pop()
        assert paths.shipped(study.name, label) == file.path and config == file.config
        assert studies.key(study, config) == file.key
        assert f"| Extended by | `{file.command}` |" in records.page([file], [])


def test_a_file_of_another_version_has_no_command(tmp_path):
    assert "| Extended by |" not in records.page([shipped(tmp_path, key="v0-0")], [])
