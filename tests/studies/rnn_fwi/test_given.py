"""Own data that is not what it seems: each is refused in one clear line before anything is computed."""

import warnings

import numpy as np
import pytest

from geolib import _runtime, cli
from geolib.datasets import segy, tables
from geolib.studies.rnn_fwi import given, own

MODEL = np.full((20, 30), 2000.0)
HEAD = "shot,source_depth,source_x,receiver_depth,receiver_x\n"
ROWS = [f"{shot},10,{x},10,{r}" for shot, x in ((1, 50), (2, 200)) for r in (30, 80, 130)]

ONE = np.append(np.zeros(75), np.ones(75))


@pytest.fixture
def values(tmp_path):
    """Parameters of a survey of 2 shots and 3 receivers; its gathers tell each trace by its number."""
    np.save(tmp_path / "v.npy", MODEL)
    np.save(tmp_path / "w.npy", np.ones(20))
    np.save(tmp_path / "d.npy", np.arange(1.0, 7).reshape(2, 3, 1) * ONE)
    (tmp_path / "g.csv").write_text(HEAD + "\n".join(ROWS))
    names = {"velocity": "v.npy", "gathers": "d.npy", "geometry": "g.csv"}
    return {name: str(tmp_path / file) for name, file in names.items()} | {"dt": 2e-3}


def refused(values, message, **changes):
    with pytest.raises(ValueError, match=message) as caught, warnings.catch_warnings():
        warnings.simplefilter("error")
        given.given(own.OwnConfig(**values | changes))
    assert "\n" not in str(caught.value)


def test_a_wavelet_must_have_a_sampling_and_an_amplitude(values, tmp_path):
    alone = {"velocity": values["velocity"], "wavelet": str(tmp_path / "w.npy")}
    refused(alone, r"wavelet must have a sampling; neither dt nor gathers tell it\. Give -p dt SECONDS")
    np.save(tmp_path / "w.npy", np.zeros(20))
    refused(
        alone, r"wavelet must have an amplitude within the record; .*w\.npy is silent for its .* s\. Length", dt=1e-3
    )
    np.save(tmp_path / "w.npy", np.full(20, 1e30))
    refused(alone, r"wavelet must have a largest amplitude .* it is 1e\+30\. Scale it", dt=1e-3)
    np.ones(20, "<f4").tofile(tmp_path / "w.f32")
    told = r"wavelet must be a file \.npy; got 'w\.f32'\. Convert it"
    refused(alone, told, wavelet=str(tmp_path / "w.f32"), dt=1e-3)


def test_a_truth_is_checked_as_the_velocity_is(values, tmp_path):
    true = values | {"truth": str(tmp_path / "t.npy")}
    alone = {name: path for name, path in true.items() if name in ("velocity", "truth")}
    refused(alone, r"truth must come with gathers; there are none, .*\. Leave truth out, or add -p gathers FILE\.")
    refused(true, r"truth must be a file; .*t\.npy is not there\. Check its path")
    np.save(tmp_path / "t.npy", MODEL.T)
    rows = r"truth must have the rows and columns of velocity, \(20, 30\); got \(30, 20\)\. Cut it, or resample"
    refused(true, rows)
    np.save(tmp_path / "t.npy", MODEL / 1000)
    refused(
        true,
        r"truth must lie between 200 and 12000 m/s; in m/s it is 2 to 2\. They look like km/s: .*-p velocity_unit km/s",
    )
    np.save(tmp_path / "t.npy", np.where(MODEL > 0, np.nan, 0))
    refused(true, r"truth must be finite; got 600 NaN or infinite entries")
    MODEL[:-1].astype("<f4").tofile(tmp_path / "t.f32")
    raw = true | {"truth": str(tmp_path / "t.f32")}
    refused(raw, r"truth must hold 600 float32 numbers for shape \(20, 30\); .* has 2280 bytes\. Correct the shape")
    refused(true, r"truth must be a file \.npy, .*; got 't\.csv'\. Convert it", truth=str(tmp_path / "t.csv"))
    MODEL.astype("<f4").tofile(tmp_path / "t.f32")  # its shape is the start's, and need not be told
    np.testing.assert_array_equal(given.given(own.OwnConfig(**raw)).truth, MODEL)
    np.save(tmp_path / "v.npy", MODEL / 1000)
    np.save(tmp_path / "t.npy", MODEL / 500)
    km = given.given(own.OwnConfig(**true, velocity_unit="km/s"))
    np.testing.assert_array_equal(km.truth, 2 * km.model)


def test_kilometres_taken_for_metres_are_refused(values, tmp_path):
    rows = [",".join([shot, *(f"{float(x) / 1000:g}" for x in rest)]) for shot, *rest in (r.split(",") for r in ROWS)]
    (tmp_path / "g.csv").write_text(HEAD + "\n".join(rows))
    refused(
        values, r"geometry must spread over a cell of 10 m at least; all .* within 0\.17 m and would fit as km\. Give"
    )
    np.save(tmp_path / "d.npy", np.ones((1, 1, 1)) * ONE)
    (tmp_path / "g.csv").write_text(HEAD + "1,10,50,10,50")
    assert given.given(own.OwnConfig(**values)).survey.n_shots == 1  # a trace where its source is
    np.save(tmp_path / "d.npy", np.ones((1, 2, 1)) * ONE)
    (tmp_path / "g.csv").write_text(HEAD + "1,10,50,10,52\n1,10,50,10,56")
    assert given.given(own.OwnConfig(**values)).survey.n_shots == 1  # close together, and no model of kilometres


def test_milliseconds_taken_for_seconds_are_refused(values):
    told = r"dt must be at most 0\.0625 s, half a period of the source's 8 Hz; got 1\. Give it in seconds, not milli"
    refused(values, told, dt=1)
    refused(values, r"dt must be at most 0\.1 s; got 1\. Give it in seconds", dt=1, wavelet="w.npy")
    assert own.OwnConfig(**values | {"dt": 0.1, "wavelet": "w.npy"}).dt == 0.1  # 8 Hz is not this source's
    assert own.OwnConfig(frequency=0.01, dt=1.0).dt == 1  # of waves as long as the earth's


def test_a_step_that_is_not_the_headers_is_refused(values, tmp_path):
    pytest.importorskip("segyio")
    known = tables.geometry("g", tmp_path / "g.csv")
    path = segy.write(tmp_path / "d.sgy", np.load(tmp_path / "d.npy"), known, 1e-3)
    for geometry in ("", values["geometry"]):
        of_headers = values | {"gathers": str(path), "geometry": geometry}
        refused(of_headers, r"dt must be that of the gathers' headers, 0\.001 s; got 0\.002\. Leave it out, or correct")
        assert given.given(own.OwnConfig(**of_headers | {"dt": 0.0})).observed is not None
        assert given.given(own.OwnConfig(**of_headers | {"dt": 0.0010004})).observed is not None  # byte 117 rounds


def test_a_survey_beyond_the_memory_is_refused_before_it_is_made(values, monkeypatch):
    monkeypatch.setattr(_runtime, "machine_bytes", lambda: 2**34)
    monkeypatch.setattr(given, "ricker", None)
    large = {"velocity": values["velocity"], "spacing": 0.01, "shots": 1000, "seconds": 100}
    refused(
        large, r"the survey must fit into this machine's 16,384 MiB; .* Take fewer shots, a shorter record \(-p sec"
    )


def test_gathers_are_traces_in_the_rows_order_or_shots(values, tmp_path):
    expected = given.given(own.OwnConfig(**values)).observed
    np.save(tmp_path / "d.npy", np.load(tmp_path / "d.npy").reshape(6, 150))
    np.testing.assert_array_equal(given.given(own.OwnConfig(**values)).observed, expected)
    mixed = [0, 3, 1, 4, 2, 5]
    (tmp_path / "g.csv").write_text(HEAD + "\n".join(ROWS[i] for i in mixed))
    np.save(tmp_path / "d.npy", np.load(tmp_path / "d.npy")[mixed])
    np.testing.assert_array_equal(given.given(own.OwnConfig(**values)).observed, expected)
    np.load(tmp_path / "d.npy").astype("<f4").tofile(tmp_path / "d.f32")
    raw = values | {"gathers": str(tmp_path / "d.f32")}
    np.testing.assert_array_equal(given.given(own.OwnConfig(**raw)).observed, expected)
    np.save(tmp_path / "d.npy", 1e30 * np.load(tmp_path / "d.npy"))
    refused(values, r"gathers must have a largest amplitude between 1e-15 and 1e\+12, .* it is 6e\+30\. Scale it")
    np.save(tmp_path / "d.npy", np.full((2, 3, 150), np.inf))
    refused(values, r"gathers must be finite; got 900 NaN or infinite entries")


def test_a_warning_is_said_once_and_an_interrupted_certificate_keeps_nothing(values, monkeypatch, capsys):
    def interrupted(config):
        own.given(config)  # warns again, at another place
        raise KeyboardInterrupt

    monkeypatch.setitem(own.STUDY.lends, "certificate", interrupted)
    options = ["certify", "-p", "velocity", values["velocity"], "-p", "frequency", "60", "-p", "seconds", "0.3"]
    assert cli.main(options) == 1
    told = capsys.readouterr().err
    assert told.count("spacing should give the shortest wavelength") == 1
    assert told.endswith("geolib: interrupted; the same command begins anew\n")
