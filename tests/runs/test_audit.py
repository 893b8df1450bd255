"""The audit finds a number that was changed, and agrees where none was."""

import json
import shutil
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pytest

from geolib import cli
from geolib.book import audit as readers
from geolib.runs import audit, config, paths, store
from geolib.runs.recheck import ROUND_OFF, Recheck, beginning, difference
from geolib.runs.study import Study
from geolib.runs.unit import Unit


@dataclass(frozen=True)
class Settings(config.Config):
    """How many numbers there are."""

    n: int = config.param(3, "numbers", low=1)


@dataclass(frozen=True)
class Square(Unit):
    """A square."""

    TEMPLATE = "square-{number}"
    number: int


class Squares(Study[Settings]):
    """Squares."""

    name, title, Config, kinds = "squares", "Squares", Settings, (Square,)

    def units(self, config):
        return [Square(n) for n in range(config.n)]

    def compute(self, config, units, folder=None):
        for unit in units:
            yield unit, {"value": np.array([unit.number**2, 1.0])}


def ship(folder, numbers, seconds):
    units = {f"square-{n}": {"value": np.array([float(n**2), 1.0])} for n in range(numbers)}
    records = {name: {"seconds": s} for name, s in zip(units, seconds, strict=True)}
    path = folder / "squares-paper.nc"
    store.save(path, store.Results({"n": numbers}, units, records), key="v1", dims={})
    return path


def test_what_is_shipped_comes_out_again_and_a_changed_number_does_not(tmp_path):
    path = ship(tmp_path, 3, (1, 1, 1))
    shipped = audit.Shipped.read(path, Squares())
    drawn, beyond = audit.draw([shipped], 10.0, np.random.default_rng(0))
    assert sorted(name for _, name, _ in drawn) == ["square-0", "square-1", "square-2"] and not beyond
    assert all(finding.agrees for finding in audit.units(drawn))
    assert not audit.units(drawn, seconds=0.5)  # none that would take longer is begun
    shipped.results.units["square-2"]["value"][0] *= 1.02
    drawn, _ = audit.draw([shipped], 10.0, np.random.default_rng(0))
    wrong = [finding for finding in audit.units(drawn) if not finding.agrees]
    assert [finding.name.split()[-1] for finding in wrong] == ["square-2"]
    assert "DIFFERS" in str(wrong[0]) and "value" in str(wrong[0])


def test_the_sample_holds_one_of_every_file_and_weighs_the_rest_by_their_seconds(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    heavy = audit.Shipped.read(ship(tmp_path / "a", 4, (90, 1, 1, 1)), Squares())
    light = audit.Shipped.read(ship(tmp_path / "b", 2, (1, 1)), Squares())
    counts = dict.fromkeys(["heavy", "light"], 0)
    for seed in range(200):
        drawn, beyond = audit.draw([heavy, light], 95.0, np.random.default_rng(seed))
        assert {id(each) for each, _, _ in drawn} == {id(heavy), id(light)}
        assert sum(recheck.seconds for _, _, recheck in drawn) <= 95.0
        assert {id(each) for each, _, _ in drawn[:2]} == {id(heavy), id(light)}
        third = drawn[2][1]  # no share pays for ninety seconds, but what is left of both does
        counts["heavy" if third == "square-0" else "light"] += 1
    assert counts["heavy"] > 180  # 90 of 93 are expected
    drawn, beyond = audit.draw([heavy], 50.0, np.random.default_rng(0))
    assert beyond == [("square-0", 90.0)] and len(drawn) == 3


def test_no_file_draws_what_another_needs(tmp_path):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir(), (tmp_path / "c").mkdir()
    files = [
        audit.Shipped.read(ship(tmp_path / folder, len(seconds), seconds), Squares())
        for folder, seconds in (("a", (90, 2)), ("b", (5, 80)), ("c", (3,)))
    ]
    for seed in range(50):
        rng = np.random.default_rng(seed)
        drawn, _ = audit.draw(files, 92.0, rng)
        assert len({each.path for each, _, _ in drawn[:3]}) == 3  # one of each before a second of any
        assert sum(recheck.seconds for _, _, recheck in drawn) <= 92.0
        drawn, _ = audit.draw(files, 7.0, rng)  # two and three seconds fit, five more do not
        assert {each.path.parent.name for each, _, _ in drawn} == {"a", "c"}


def test_differences_are_shares_of_the_largest_number():
    assert difference(np.array([1.0, 100.0]), np.array([2.0, 100.0])) == pytest.approx(0.01)
    assert difference(np.array([1.0, np.nan]), np.array([1.0, np.nan])) == 0
    assert difference(np.array([1.0]), np.array([np.nan])) == np.inf
    assert difference(np.array([1.0]), np.array([1.0, 2.0])) == np.inf
    assert difference(np.array(["a"]), np.array(["b"])) == np.inf
    assert difference(np.array([ROUND_OFF / 10]), np.array([0.0])) == 0  # what round-off leaves of a zero


def test_a_beginning_is_held_and_what_follows_is_not():
    arrays = {"loss": np.array([1.0, 2.0, 3.0])}
    check = beginning("two steps", 1.0, arrays, {"loss": 2}, lambda: {"loss": np.array([1.0, 2.0, 9.0])})
    assert check.gap()[0] == 0
    assert Recheck("whole", 1.0, arrays, lambda: {"loss": np.array([1.0, 2.0, 9.0])}).gap() == (2.0, "loss")


def test_a_file_that_is_not_the_one_published_is_told(tmp_path):
    path = ship(tmp_path, 3, (1, 1, 1))
    assert [f.agrees for f in audit.files(tmp_path)] == [False]  # nobody has noted it
    audit.note(path)
    assert [f.agrees for f in audit.files(tmp_path)] == [True]
    results, key = store.load(path)
    results.units["square-1"]["value"][1] += 1e-12  # any number, however little, and sealed again
    store.save(path, results, key=key, dims={})
    assert [f.agrees for f in audit.files(tmp_path)] == [False]
    path.unlink()
    assert [f.agrees for f in audit.files(tmp_path)] == [False]


def test_every_shipped_file_is_as_it_was_published():
    wrong = [f.name for f in audit.files(paths.results()) if not f.agrees]
    assert not wrong, f"publish them, or note their digests: {wrong}"


#: What cannot be rechecked, by file and kind, and how many: only the end of a chaotic course is shipped of each.
ENDS = {
    # Epochs between those whose networks are shipped: of these there are losses, scores and traces, no state.
    ("wgan_traces-bfloat16.nc", "Epoch"): 98,
    ("wgan_traces-paper.nc", "Epoch"): 13,
    ("wgan_traces-init002.nc", "Epoch"): 29,
    # Their networks are not shipped: epochs 10 to 80, and averaged generators of all.
    ("wgan_quality-bfloat16.nc", "Shown"): 11,
    ("wgan_quality-bfloat16.nc", "Tested"): 1,
    # Measures of a trained GAN, whose training has left no trace.
    ("gan_101-paper.nc", "Variant"): 60,
    # Times, which no machine repeats.
    ("rnn_fwi-paper.nc", "Part"): 1,
    # A discriminator against the generator of a long game, of which the end alone is known.
    ("gan_tricks-paper.nc", "Telling"): 30,
}
#: Of two minutes, what reading the files may take.
READING = 12.0


@pytest.fixture(scope="module")
def shipped():
    return readers.shipped(None)


def test_every_shipped_unit_says_how_it_is_rechecked_or_is_known_not_to_be(shipped):
    silent = Counter()
    for file in shipped:
        for name in file.results.units:
            recheck = file.recheck(name)
            if recheck is None:
                silent[file.path.name, type(file.study.unit(name)).__name__] += 1
                continue
            assert recheck.how and recheck.stored and recheck.seconds >= 0 and recheck.tolerance <= 0.01
    assert silent == ENDS


def test_two_minutes_sample_every_shipped_file(shipped):
    for seed in range(3):
        drawn, _ = audit.draw(shipped, 120 - READING, np.random.default_rng(seed))
        assert {each.path.name for each, _, _ in drawn} == {each.path.name for each in shipped}
        assert sum(recheck.seconds for _, _, recheck in drawn) <= 120 - READING


def test_the_command_agrees_and_finds_one_changed_number(tmp_path, capsys):
    for name in ("rnn_fwi-paper.nc", audit.DIGESTS):
        shutil.copy(paths.results() / name, tmp_path / name)
    noted = json.loads((tmp_path / audit.DIGESTS).read_text())
    (tmp_path / audit.DIGESTS).write_text(json.dumps({k: v for k, v in noted.items() if k == "rnn_fwi-paper.nc"}))
    with paths.results_in(tmp_path):
        assert cli.main(["audit", "rnn_fwi", "--seconds", "2", "--seed", "1"]) == 0
        out = capsys.readouterr().out
        assert "seed: 1" in out and "agree;" in out and "all are as they were published" in out
        results, key = store.load(tmp_path / "rnn_fwi-paper.nc")
        results.units["hessian"]["estimates"][3] *= 1.1
        store.save(tmp_path / "rnn_fwi-paper.nc", results, key=key, dims={})
        assert cli.main(["audit", "rnn_fwi", "--seconds", "2", "--seed", "1"]) == 1
        assert "rnn_fwi-paper.nc: the file as it was published: DIFFERS" in capsys.readouterr().out


def test_a_wrong_call_is_told_in_one_line(capsys):
    assert cli.main(["audit", "rnn_fwy"]) == 2
    assert cli.main(["audit", "--seconds", "0"]) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 2 and "rnn_fwi" in lines[0] and "--seconds" in lines[1]


def test_an_epoch_is_checked_by_its_networks_and_one_changed_number_is_found(shipped):
    (file,) = (each for each in shipped if each.path.name == "wgan_traces-paper.nc")
    recheck = file.recheck("epoch-0002")
    again = recheck.compute()
    assert {"samples", "score_zero"} == again.keys()
    assert all(difference(recheck.stored[name], value) <= recheck.tolerance for name, value in again.items())
    changed = recheck.stored["samples"].copy()
    changed[0, np.abs(changed[0]).argmax()] *= 1.5
    assert difference(changed, again["samples"]) > recheck.tolerance
    # Of the training in bfloat16 the same epoch has no networks: they would draw others.
    (other,) = (each for each in shipped if each.path.name == "wgan_traces-bfloat16.nc")
    assert other.recheck("epoch-0002") is None and other.recheck("epoch-0100") is not None
