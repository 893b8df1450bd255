"""Own traces: how they are read, and a training on them."""

import numpy as np
import pytest

from geolib import _runtime, studies
from geolib.datasets import segy, tables
from geolib.studies import examples
from geolib.studies.wgan_traces import own as traces


def test_a_training_on_own_traces_is_judged_beside_its_floor(tmp_path):
    (path,) = examples.make("traces", tmp_path)
    config = traces.OwnConfig(traces=str(path), epochs=1, interval=0.004)
    made = traces.data(config)
    assert len(made.training) == 166 and len(made.unseen) == 32 and made.dead == 2  # of 200
    assert np.abs(made.training).mean() == pytest.approx(0.1, rel=1e-5)
    units = studies.run(traces.STUDY, config, folder=tmp_path / "runs").units
    assert list(units) == ["data", "epoch-0001"] and units["epoch-0001"]["traces"].shape == (32, 499)
    rows = traces.table(units).splitlines()
    assert len(rows) == 2 + sum(name.startswith("judged.") for name in units["data"])
    assert traces.curves(units)["critic"].shape == (11,)


def test_traces_of_any_length_keep_their_time(tmp_path):
    rng = np.random.default_rng(0)
    wave = np.sin(2 * np.pi * 5.0 * 0.002 * np.arange(1000) + rng.uniform(0, 6, (70, 1)))
    np.save(tmp_path / "t.npy", wave)
    made = traces.data(traces.OwnConfig(traces=str(tmp_path / "t.npy"), interval=0.002))
    assert made.dt == pytest.approx(2.0 / 499)
    spectrum = np.abs(np.fft.rfft(made.training)).mean(0)
    assert np.fft.rfftfreq(499, made.dt)[spectrum.argmax()] == pytest.approx(5.0, abs=0.01)
    same = traces.data(traces.OwnConfig(traces=str(tmp_path / "t.npy")))
    assert same.dt == pytest.approx(4.0 / 499)  # nobody told
    if pytest.importorskip("segyio"):
        places = tables.Geometry(np.zeros((70, 1, 2)), np.ones((70, 1, 2)))
        path = segy.write(tmp_path / "t.sgy", wave[:, None], places, 0.002)
        same = traces.data(traces.OwnConfig(traces=str(path)))
        assert same.dt == pytest.approx(2.0 / 499)
        np.testing.assert_allclose(same.training, made.training, atol=1e-5)
    np.save(tmp_path / "t.npy", wave[:20])
    with pytest.raises(ValueError, match=r"traces must hold at least 64 that vary; it has 20"):
        traces.OwnConfig(traces=str(tmp_path / "t.npy")).ready()


def test_traces_beyond_the_memory_are_refused_before_they_are_read(tmp_path, monkeypatch):
    np.save(tmp_path / "t.npy", np.random.default_rng(0).standard_normal((70, 400)).astype(np.float32))
    config = traces.OwnConfig(traces=str(tmp_path / "t.npy"))
    monkeypatch.setattr(traces, "data", lambda config: pytest.fail("it was read"))
    monkeypatch.setattr(_runtime, "machine_bytes", lambda: 32 * 70 * 400 - 1)
    with pytest.raises(ValueError, match=r"traces must fit into .*; to resample them needs .* Take fewer traces"):
        config.ready()


def test_milliseconds_taken_for_seconds_are_refused():
    with pytest.raises(ValueError, match=r"interval must be at most 0\.1 s; got 4\. Give it in seconds, not millisec"):
        traces.OwnConfig(interval=4)
