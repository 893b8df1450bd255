import errno
import os
import re
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from geolib.book import notebooks
from geolib.gans import weights
from geolib.runs import paths, store
from geolib.runs.store import Results, Store

ROOT = Path(__file__).parents[2]
RECORD = {"seconds": 1.5}


def arrays(seed=0):
    rng = np.random.default_rng(seed)
    return {
        "values": rng.normal(size=(3, 70)),
        "single": rng.normal(size=200).astype(np.float32),
        "count": np.array(7),
        "flags": np.array([True, False]),
        "words": np.array(["crossover", "snooker"]),
    }


def same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        np.testing.assert_array_equal(left[name], right[name])
        assert left[name].dtype.kind == right[name].dtype.kind


def test_a_unit_comes_back_as_it_was(tmp_path):
    kept = Store(tmp_path)
    kept.put("a", arrays(), RECORD)
    found, record = kept.get("a")
    same(found, arrays())
    assert record == RECORD
    assert kept.get("b") is None


@pytest.mark.parametrize("damage", ["truncate", "flip", "empty", "foreign"])
def test_a_damaged_unit_is_reported_moved_aside_and_computed_again(tmp_path, damage):
    kept = Store(tmp_path)
    kept.put("a", arrays(), RECORD)
    path = kept.path("a")
    raw = bytearray(path.read_bytes())
    if damage == "flip":
        raw[len(raw) // 2] ^= 1
    path.write_bytes({"truncate": raw[:-20], "flip": raw, "empty": b"", "foreign": b"PK not ours"}[damage])
    with pytest.warns(UserWarning, match=r"must match its checksum.*moved to a\.damaged-\d+ and will be"):
        results = store.complete(["a"], lambda names: [(n, arrays()) for n in names], config={}, store=kept)
    same(results.units["a"], arrays())
    assert len(list(tmp_path.glob("a.damaged-*"))) == 1
    same(kept.get("a")[0], arrays())


def test_only_missing_units_are_computed_and_order_is_kept(tmp_path):
    asked = []

    def compute(names):
        asked.append(list(names))
        for name in reversed(names):
            yield name, {"x": np.array(len(name))}

    first = store.complete(["b", "a"], compute, config={}, store=Store(tmp_path))
    more = store.complete(["c", "b", "a"], compute, config={}, store=Store(tmp_path))
    assert asked == [["b", "a"], ["c"]]
    assert list(more.units) == ["c", "b", "a"]
    same(more.units["b"], first.units["b"])


def test_a_unit_that_never_comes_is_an_error():
    with pytest.raises(RuntimeError, match="units b were asked for and not computed"):
        store.complete(["a", "b"], lambda names: [("a", {})], config={})


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden"])
def test_unit_names_stay_inside_the_folder(tmp_path, name):
    with pytest.raises(ValueError, match="unit name must be a plain file name"):
        Store(tmp_path).path(name)


def test_objects_are_never_pickled(tmp_path):
    with pytest.raises(TypeError, match="array 'bad' must be numeric or text; got dtype object"):
        Store(tmp_path).put("a", {"bad": np.array([{}])}, RECORD)
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "file"
    store.write_atomic(path, b"old")
    monkeypatch.setattr(os, "fsync", lambda handle: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        store.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]


def test_published_results_come_back_with_their_provenance(tmp_path):
    path = tmp_path / "study-paper.nc"
    results = Results({"trials": 2}, {"a": arrays(1), "b": arrays(2)}, {"a": RECORD, "b": {}})
    store.save(path, results, key="v1-abc", dims={"values": ("trace", "time")})
    found, key = store.load(path)
    assert (key, found.config, found.records) == ("v1-abc", {"trials": 2}, results.records)
    for name in "ab":
        same(found.units[name], results.units[name])


@pytest.mark.parametrize("damage", ["truncate", "flip", "foreign", "missing"])
def test_damaged_published_results_are_refused(tmp_path, damage):
    path = tmp_path / "study-paper.nc"
    store.save(path, Results({}, {"a": {"x": np.random.default_rng(0).normal(size=5000)}}), key="k")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 255
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes({"truncate": raw[: len(raw) // 2], "flip": raw, "foreign": b"no HDF5 file"}[damage])
    with pytest.raises(ValueError, match=r"results file .* (is damaged|does not\. Make it)"):
        store.load(path)


def test_a_unit_computed_again_wins_over_the_published_one(tmp_path):
    kept = Store(tmp_path)
    kept.put("a", {"x": np.array(2.0)}, RECORD)
    published = store.Results({}, {"a": {"x": np.array(1.0)}, "b": {"x": np.array(3.0)}}, {"a": {}, "b": {}})
    found = store.complete(["a", "b"], lambda names: [], config={}, store=kept, published=published)
    assert [float(found.units[name]["x"]) for name in "ab"] == [2.0, 3.0]


def test_looking_at_a_folder_leaves_a_running_job_its_files(tmp_path):
    half = tmp_path / ".a.unit.xyz.part"
    half.touch()
    os.utime(half, (0, 0))
    store.complete(["a"], lambda names: [], config={}, store=Store(tmp_path), only_finished=True)
    assert half.exists()


def test_provenance_names_commit_versions_and_device():
    record = store.provenance()
    assert re.fullmatch(r"([0-9a-f]{40}|unknown)(\+changes)?", record["commit"])
    assert {"python", "torch", "numpy", "scipy"} == set(record["versions"])
    assert record["device"]


# One unit takes about 0.02 s, so that kills fall between and inside units.
RUN = """
import sys, time, numpy as np
from pathlib import Path
from geolib.runs.store import Store, complete
def compute(names):
    for name in names:
        rng = np.random.default_rng(int(name[1:]))
        total = np.zeros((80, 80))
        for _ in range(40):
            a = rng.normal(size=(80, 80)); total += np.linalg.svd(a, compute_uv=False)[0] * a
        with open(Path(sys.argv[1]) / "log", "a") as log: log.write(name + "\\n")
        yield name, {"total": total}
complete([f"u{n}" for n in range(40)], compute, config={}, store=Store(Path(sys.argv[1]) / "units"))
"""


def test_a_run_killed_at_random_moments_ends_like_one_left_alone(tmp_path):
    def start(folder):
        folder.mkdir(exist_ok=True)
        return subprocess.Popen([sys.executable, "-c", RUN, str(folder)], cwd=ROOT)

    assert start(tmp_path / "quiet").wait() == 0
    rng = np.random.default_rng(3)
    kept, kills = {}, 0
    folder = tmp_path / "killed"
    while True:
        process = start(folder)
        try:
            # Longer each time, so that the test ends on a slow machine as well.
            assert process.wait(timeout=rng.uniform(1.0, 2.5) + 0.5 * kills) == 0
            break
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            kills += 1
        now = {path.name: path.stat().st_mtime_ns for path in (folder / "units").glob("*.unit")}
        assert kept.items() <= now.items()  # a saved unit is never written again
        kept = now
    assert kept.items() <= {p.name: p.stat().st_mtime_ns for p in (folder / "units").glob("*.unit")}.items()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # no unit may be damaged
        for n in range(40):
            left, right = (Store(tmp_path / run / "units").get(f"u{n}")[0] for run in ("quiet", "killed"))
            same(left, right)
    # What the kills left half written may be another process's work; an hour later it cannot.
    for part in (folder / "units").glob(".*.part"):
        os.utime(part, (0, 0))
    (folder / "units" / ".young.part").touch()
    Store(folder / "units").clean()
    assert [part.name for part in (folder / "units").glob(".*.part")] == [".young.part"]
    # A kill loses at most the one unit under way.
    assert len((folder / "log").read_text().split()) <= 40 + kills


def test_a_full_disk_is_told_with_the_path_and_leaves_nothing(tmp_path, monkeypatch):
    """Writing to a full disk fails without a word of where."""

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "a.unit"
    store.write_unit(path, {"x": np.array(1)}, RECORD)
    before = path.read_bytes()
    monkeypatch.setattr(os, "fsync", full)
    for write in (
        lambda: store.write_unit(path, {"x": np.array(2)}, RECORD),
        lambda: store.save(path, Results({}, {"a": {"x": np.array(2)}}), key="k"),
        lambda: weights.write(path, b"other"),
        lambda: notebooks.append(paths.notebook("rnn_fwi"), "text"),
    ):
        with pytest.raises(OSError, match=r"No space left on device: '.*(a\.unit|rnn_fwi\.ipynb)'$"):
            write()
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["a.unit"]
    assert not list(paths.notebooks().glob(".*.part"))
