"""Publishing: what is shipped only grows, and nothing that took long is lost."""

import sys
from dataclasses import dataclass

import numpy as np
import pytest

from geolib import studies
from geolib.runs import config, paths, store
from geolib.runs.study import Study
from geolib.runs.unit import Unit


@dataclass(frozen=True)
class Config(config.Config):
    n: int = config.param(3, "units", low=1, extent=True)


def study(after=None):
    """A study whose units are numbers; `after` is called when the last one is computed."""
    made = Numbers()
    made.after = after
    return made


@dataclass(frozen=True)
class Number(Unit):
    TEMPLATE = "u{number}"

    number: int


class Numbers(Study):
    name, title, Config, kinds = "numbers", "Numbers", Config, (Number,)

    def units(self, config):
        return [Number(i) for i in range(config.n)]

    def compute(self, config, units, folder=None):
        for unit in units:
            yield unit, {"x": np.array(unit.number)}
        if self.after is not None:
            self.after()


@pytest.fixture(autouse=True)
def results(tmp_path, monkeypatch):
    monkeypatch.setattr(paths, "shipped", lambda name, preset: tmp_path / f"{name}-{preset}.nc")
    return tmp_path / "numbers-paper.nc"


def publish(n, folder, **options):
    return studies.publish(study(**options), Config(n=n), "paper", folder=folder)


def test_units_published_meanwhile_stay(results, tmp_path):
    publish(3, tmp_path / "a", after=lambda: publish(10, tmp_path / "b"))
    found, _ = store.load(results)
    assert len(found.units) == 10 and found.config == {"n": 10}


def test_a_smaller_run_keeps_the_configuration_of_the_larger(results, tmp_path):
    publish(10, tmp_path / "a")
    publish(2, tmp_path / "a")
    found, _ = store.load(results)
    assert len(found.units) == 10 and found.config == {"n": 10}


def test_a_damaged_file_is_moved_aside(results, tmp_path):
    publish(10, tmp_path / "a")
    whole = results.read_bytes()
    results.write_bytes(whole[:-5])
    with pytest.warns(
        UserWarning, match=r"is damaged .* It was moved to numbers-paper\.damaged-\d+ and is written anew"
    ):
        publish(2, tmp_path / "b")
    (aside,) = tmp_path.glob("numbers-paper.damaged-*")
    assert aside.read_bytes() == whole[:-5]


def test_nothing_is_published_from_an_empty_folder(results, tmp_path):
    with pytest.raises(ValueError, match=r"folder must hold a finished unit to be published; .* Run the study first"):
        studies.publish(study(), Config(), "paper", folder=tmp_path / "a", only_finished=True)
    assert not results.exists()


def test_another_configuration_is_refused_before_anything_is_computed(results, tmp_path):
    publish(1, tmp_path / "a")
    other = study(after=lambda: sys.exit("computed"))
    other.version = 2
    with pytest.raises(ValueError, match=r"numbers-paper\.nc must hold results of this configuration"):
        studies.publish(other, Config(), "paper", folder=tmp_path / "b")


def test_another_configuration_is_shipped_beside_and_its_units_are_used_again(results, tmp_path):
    publish(1, tmp_path / "a")
    computed = []
    other = study(after=lambda: computed.append(1))
    other.version = 2
    studies.publish(other, Config(), "second", folder=tmp_path / "b")
    assert store.load(results)[1].startswith("v1-") and len(computed) == 1
    found = studies.run(other, Config(), reuse=("second",))
    assert len(found.units) == 3 and len(computed) == 1
    # Only from the files that are named: another one may mean something else by the same key.
    studies.run(other, Config(), reuse=("paper", "quick"))
    assert len(computed) == 2
