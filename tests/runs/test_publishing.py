"""Publishing: what is shipped only grows, and nothing that took long is lost."""

import multiprocessing
import sys
import threading
from dataclasses import dataclass

import numpy as np
import pytest

from geolib import studies
from geolib.runs import config, inputs, locks, paths, provenance, publishing, store
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
    after, offset, files = None, 0, ()

    def units(self, config):
        return [Number(i) for i in range(config.n)]

    def compute(self, config, units, folder=None):
        for unit in units:
            yield unit, {"x": np.array(unit.number + self.offset)}
        if self.after is not None:
            self.after()


class Code:
    """What git says: the commit of the code that runs, and those that lead to the present one."""

    commit, history = "c2", frozenset({"c1", "c2"})


@pytest.fixture(autouse=True)
def code(monkeypatch):
    monkeypatch.setattr(Code, "commit", "c2")
    monkeypatch.setattr(Code, "history", frozenset({"c1", "c2"}))
    monkeypatch.setattr(provenance, "commit", lambda: Code.commit)
    monkeypatch.setattr(store, "commit", lambda: Code.commit)
    monkeypatch.setattr(publishing, "history", lambda: Code.history)
    return Code


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


def test_a_shipped_file_is_read_once_and_anew_when_it_changes(results, tmp_path, monkeypatch):
    read = []
    monkeypatch.setattr(publishing, "load", lambda path: read.append(path) or store.load(path))
    publish(3, tmp_path / "a")
    read.clear()
    first = studies.shipped(study())
    first.units["u0"]["x"][...] = 7  # whoever alters what he is given alters a copy
    first.records["u0"]["commit"] = "mine"
    again = studies.shipped(study())
    assert len(read) == 1 and again.units["u0"]["x"] == 0 and again.records["u0"]["commit"] == "c2"
    publish(4, tmp_path / "a")
    assert len(studies.shipped(study()).units) == 4
    results.unlink()
    assert studies.shipped(study()) is None
    results.write_bytes(b"damaged")
    with pytest.raises(ValueError, match="damaged"):
        studies.shipped(study())


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


@pytest.mark.parametrize("commit", ["c2+changes", "elsewhere", "unknown"])
def test_units_of_uncommitted_or_foreign_code_are_refused(results, tmp_path, code, commit):
    publish(1, tmp_path / "a")
    code.commit = commit
    studies.run(study(), Config(n=2), folder=tmp_path / "b")
    code.commit = "c2"
    before = results.read_bytes()
    message = r"in the history of HEAD; 2 do not, such as u0 from .*\. Commit the code and compute them anew \(--recomp"
    with pytest.raises(ValueError, match=message):
        publish(3, tmp_path / "b")
    assert results.read_bytes() == before
    studies.recompute(study(), Config(n=3), ["u0", "u1"], folder=tmp_path / "b")
    publish(3, tmp_path / "b")
    assert {record["commit"] for record in store.load(results)[0].records.values()} == {"c2"}


def test_units_that_are_shipped_already_stay_allowed(results, tmp_path, code):
    publish(2, tmp_path / "a")
    code.history = frozenset({"c3"})
    code.commit = "c3"
    publish(3, tmp_path / "a")
    found, _ = store.load(results)
    assert [found.records[name]["commit"] for name in found.units] == ["c2", "c2", "c3"]


def test_results_of_stand_ins_are_not_published(results, tmp_path, monkeypatch):
    made = study()
    made.files = ("marmousi_vp_1601x401.f32",)
    monkeypatch.setattr(inputs.fetch, "locate", lambda name: None)
    with pytest.raises(
        ValueError, match=r"must rest on pinned files; u0 rests on marmousi_vp_1601x401\.f32, which is n"
    ):
        studies.publish(made, Config(), "paper", folder=tmp_path / "a")
    assert not results.exists()


def test_a_unit_is_recomputed_whatever_there_is_of_it(results, tmp_path):
    publish(3, tmp_path / "a")
    made = study()
    made.offset = 10
    studies.recompute(made, Config(), ["u1"], folder=tmp_path / "a")
    studies.publish(made, Config(), "paper", folder=tmp_path / "a")
    assert [int(arrays["x"]) for arrays in store.load(results)[0].units.values()] == [0, 11, 2]
    with pytest.raises(ValueError, match=r"unit to recompute must be one of u0, u1, u2; got 'u7'"):
        studies.recompute(made, Config(), ["u7"], folder=tmp_path / "a")


def test_a_killed_recomputation_leaves_the_earlier_units_and_goes_on(tmp_path):
    studies.run(study(), Config(), folder=tmp_path)
    (place,) = (tmp_path / "numbers").iterdir()
    made, computed = study(after=lambda: computed.append(1)), []
    made.offset = 10
    killed = study()
    killed.compute = lambda config, units, folder: iter([(units[0], {"x": np.array(10)})])
    with pytest.raises(RuntimeError, match="were asked for and not computed"):
        studies.recompute(killed, Config(), ["u0", "u2"], folder=tmp_path)
    assert int(store.read_unit(place / "u0.unit")[0]["x"]) == 0
    studies.recompute(made, Config(), ["u0", "u2"], folder=tmp_path)
    found = studies.run(study(), Config(), folder=tmp_path).units
    assert [int(arrays["x"]) for arrays in found.values()] == [10, 1, 12]
    assert not (place / "again").exists()


def test_two_recomputations_at_once_do_not_take_each_others_work(tmp_path):
    studies.run(study(), Config(), folder=tmp_path)
    refused = []

    def other():
        with pytest.raises(RuntimeError, match=r"must be alone in .*is at work there\. Wait for it"):
            studies.recompute(study(), Config(), ["u1"], folder=tmp_path)
        refused.append(1)

    made = study(after=other)
    made.offset = 10
    studies.recompute(made, Config(), ["u0", "u2"], folder=tmp_path)
    found = studies.run(study(), Config(), folder=tmp_path).units
    assert [int(arrays["x"]) for arrays in found.values()] == [10, 1, 12]
    assert refused
    studies.recompute(study(), Config(), ["u1"], folder=tmp_path)  # free again


def test_units_shipped_under_another_name_are_taken(results, tmp_path, code):
    studies.publish(study(), Config(n=2), "growing", folder=tmp_path / "a")
    code.commit, code.history = "c3", frozenset({"c3"})
    made = study()
    made.offset = 10
    studies.publish(made, Config(n=3), "paper", folder=tmp_path / "b", reuse=("growing",))
    found, _ = store.load(results)
    assert [int(arrays["x"]) for arrays in found.units.values()] == [0, 1, 12]
    with pytest.raises(ValueError, match=r"results file must exist; .*numbers-other\.nc does not"):
        studies.check_reuse(made, Config(), ["other"])
    made.version = 2
    with pytest.raises(ValueError, match=r"--reuse must name results of this configuration \(v2-.*holds v1-"):
        studies.check_reuse(made, Config(), ["growing"])


def test_results_that_rest_on_shipped_weights_may_be_shipped_elsewhere(tmp_path):
    """Where no weights lie beside the results, the shipped ones count all the same."""
    made = studies.get("latent_facies")
    few = made.Config.preset("quick", patches=10, realisations=10)
    with paths.results_in(tmp_path / "ours"):
        for unit in made.units(few):
            assert inputs.ABSENT not in inputs.marked(made.inputs(few, unit)).values()
        studies.config_of("latent_inversion").preset("quick").ready()  # it has a generator of that width
        assert paths.results() == tmp_path / "ours"
    assert paths.results() != tmp_path / "ours"


def _hold(folder, ready, done):
    with locks.held(folder, "geolib publish", ""):
        ready.set()
        done.wait(60)


def test_one_process_publishes_at_a_time(results, tmp_path, monkeypatch):
    context = multiprocessing.get_context("spawn")
    ready, done = context.Event(), context.Event()
    other = context.Process(target=_hold, args=(tmp_path, ready, done))
    other.start()
    try:
        assert ready.wait(60)
        monkeypatch.setattr(publishing, "PATIENCE", 0.2)
        message = rf"geolib publish must be alone in .*; process {other.pid} of .* is at work there\. Try again when"
        with pytest.raises(RuntimeError, match=message):
            publish(1, tmp_path / "a")
        assert not results.exists()
        threading.Timer(1.0, done.set).start()
        monkeypatch.setattr(publishing, "PATIENCE", 60.0)
        publish(1, tmp_path / "a")  # it waits
    finally:
        done.set()
        other.join()
    assert results.exists() and not (tmp_path / ".lock").exists()
