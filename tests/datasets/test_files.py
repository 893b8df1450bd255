"""The reader's own files: what is in them, and each refusal before anything is computed."""

import os
import pickle
import warnings

import numpy as np
import pytest
import torch
from PIL import Image

from geolib.datasets import files, tables, weights


@pytest.fixture
def made(tmp_path):
    """Write something under a name and return its path."""

    def write(name, content):
        path = tmp_path / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        elif isinstance(content, str):
            path.write_text(content)
        else:
            np.save(path, content)
        return path

    return write


MODEL = np.linspace(1500.0, 4500.0, 12).reshape(3, 4)


def test_a_model_is_read_alike_from_every_kind_of_file(made):
    np.testing.assert_array_equal(files.velocity("v", made("v.npy", MODEL)), MODEL)
    raw = made("v.f32", MODEL.astype("<f4").tobytes())
    np.testing.assert_allclose(files.velocity("v", raw, shape=(3, 4)), MODEL, rtol=1e-7)
    in_km = made("km.npy", MODEL / 1000)
    np.testing.assert_allclose(files.velocity("v", in_km, unit="km/s"), MODEL, rtol=1e-15)


def test_in_segy_a_trace_is_a_column(made, tmp_path):
    segyio = pytest.importorskip("segyio")
    segyio.tools.from_array2D(str(tmp_path / "v.sgy"), MODEL.T.astype(np.float32), dt=1000)
    np.testing.assert_allclose(files.velocity("v", tmp_path / "v.sgy"), MODEL, rtol=1e-6)
    with pytest.raises(ValueError, match=r"v must be SEG-Y; .*bad\.segy is none"):
        files.velocity("v", made("bad.segy", b"not SEG-Y" * 500))


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("v.txt", "1 2", {}, r"v must be a file \.npy, \.f32, .*; got 'v\.txt'\. Convert it"),
        ("v.npy", b"", {}, r"v must hold something; .*v\.npy is empty\. Check how"),
        ("v.npy", b"\x93NUMPY broken", {}, r"v must be an array that NumPy saved; .*v\.npy is none"),
        ("v.npy", MODEL + 1j, {}, r"v must hold real numbers"),
        ("v.npy", np.array(["a"]), {}, r"v must hold real numbers"),
        ("v.npy", MODEL[0], {}, r"v must have 2 axes; .* has shape \(4,\)"),
        ("v.npy", np.where(MODEL > 4000, np.nan, MODEL), {}, r"v must be finite; got \d NaN or infinite"),
        ("v.npy", MODEL / 1000, {}, r"in m/s it is 1\.5 to 4\.5\. They look like km/s: say so by its unit"),
        ("v.npy", MODEL, {"unit": "km/s"}, r"in km/s it is 1\.5e\+06 to 4\.5e\+06\. They look like m/s"),
        ("v.npy", MODEL * 1e6, {}, r"Correct the file, or cut out air"),
        ("v.npy", MODEL, {"unit": "ft/s"}, r"unit must be one of m/s, km/s; got 'ft/s'"),
        ("v.npy", MODEL, {"shape": (4, 3)}, r"v must have shape \(4, 3\); got \(3, 4\)"),
        ("v.f32", MODEL.astype("<f4").tobytes(), {}, r"v must have its shape told"),
        ("v.f32", MODEL.astype("<f4").tobytes()[:-1], {"shape": (3, 4)}, r"12 float32 numbers .* has 47 bytes"),
    ],
)
def test_a_model_that_is_none_is_refused(made, name, content, options, message):
    with pytest.raises(ValueError, match=message):
        files.velocity("v", made(name, content), **options)


def test_a_file_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"v must be a file; .*none\.npy is not there"):
        files.array("v", tmp_path / "none.npy", 2)
    with pytest.raises(TypeError, match=r"v must name a file; got 3"):
        files.array("v", 3, 2)


class Trap:
    """What a pickle would run."""

    def __reduce__(self):
        return os.mkdir, ("trapped",)


@pytest.mark.parametrize("name", ["x.npy", "x.pth"])
def test_nothing_in_a_file_is_executed(made, tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    if name == "x.npy":
        np.save("x.npy", np.array([Trap()], dtype=object), allow_pickle=True)
    else:
        torch.save({"main.0.weight": Trap()}, "x.pth")
    objects = r"objects, which are not read\)\. Save|objects that are no tensors\. Give a file of tensors"
    with pytest.raises(ValueError, match=objects), warnings.catch_warnings():
        warnings.simplefilter("error")
        files.array("x", "x.npy", 1) if name == "x.npy" else weights.state_dict("x", "x.pth")
    assert not (tmp_path / "trapped").exists()
    made("y.pth", pickle.dumps(Trap()))
    with pytest.raises(ValueError, match=r"x must hold tensors alone"):
        weights.state_dict("x", tmp_path / "y.pth")
    assert not (tmp_path / "trapped").exists()


def test_what_is_no_number_in_this_order_of_bytes_is_refused_without_a_warning(made):
    turned = MODEL.astype("<f4")
    turned[0, 0] = np.frombuffer(b"\x01\x00\x80\x7f", "<f4")[0]
    with pytest.raises(ValueError, match=r"v must be finite; got 1 NaN"), warnings.catch_warnings():
        warnings.simplefilter("error")
        files.velocity("v", made("v.f32", turned.tobytes()), shape=(3, 4))
    with pytest.raises(ValueError, match=r"v\.npy is none \(it does not begin as one\)\. Save"):
        files.array("v", made("v.npy", b"no array at all"), 2)


def test_dead_traces_are_constant_or_broken_and_of_half_it_is_the_file():
    traces = np.sin(np.arange(40.0)).reshape(4, 10)
    traces[1, 3], traces[2] = np.inf, -5.0
    found = files.live("d", traces)
    np.testing.assert_array_equal(found.any(1), [True, False, False, True])
    np.testing.assert_array_equal(found[[0, 3]], traces[[0, 3]])
    traces[0, 0] = np.nan
    with pytest.raises(ValueError, match=r"d must be finite; got 2 NaN"):
        files.live("d", traces)


HEAD = "shot,source_depth,source_x,receiver_depth,receiver_x\n"


def test_geometry_keeps_the_order_of_the_shots(made):
    rows = "7,10,50,10,0\n7,10,50,10,20\n3,10,80,10,40\n3,10,80,10,60\n"
    found = tables.geometry("g", made("g.csv", HEAD + rows))
    np.testing.assert_array_equal(found.sources, [[[10, 50]], [[10, 80]]])
    np.testing.assert_array_equal(found.receivers[..., 1], [[0, 20], [40, 60]])
    np.testing.assert_array_equal(tables.places("g", found.sources, (10.0, 10.0), (5, 9)), [[[1, 5]], [[1, 8]]])
    with pytest.raises(ValueError, match=r"g must lie on the model of 40 by 60 m; one is at depth 10 m, distance 80 m"):
        tables.places("g", found.sources, (10.0, 10.0), (5, 7))


def test_places_are_on_a_grid_point_or_as_far_from_it_as_they_are_given():
    positions = np.array([[[6.68, 30.0], [4.0, 34.0], [0.004, 79.996]]])
    found = tables.places("g", positions, (10 / 3, 10.0), (4, 9))
    np.testing.assert_allclose(found, [[[2.004, 3], [1.2, 3.4], [0.0012, 8]]], atol=1e-12)
    assert found[0, 0, 1] == 3 and found[0, 2, 1] == 8
    with pytest.raises(ValueError, match=r"g must lie on the model of 10 by 80 m; one is at depth -1 m"):
        tables.places("g", np.array([[[-1.0, 5.0]]]), (10 / 3, 10.0), (4, 9))


def test_a_table_may_have_other_columns_capitals_and_semicolons(made):
    rows = "Receiver_X;elevation;SHOT;source_depth;source_x;receiver_depth\n\n9;low;1;0;3;2\n"
    found = tables.geometry("g", made("g.csv", rows))
    np.testing.assert_array_equal(found.sources, [[[0, 3]]])
    np.testing.assert_array_equal(found.receivers, [[[2, 9]]])
    with pytest.raises(ValueError, match=r"t must have columns .* is 'source_depth,receiver_depth,time,devation'"):
        columns = {"distance": 6.0, "depth": 12.0, "width": 6.0}  # a misspelt one is not left out unseen
        tables.traveltimes("t", made("t.csv", "source_depth,receiver_depth,time,devation\n1,2,80,3\n"), **columns)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("shot,x\n1,2\n", r"g must have columns shot, source_depth, .*; the first line of .* is 'shot,x'"),
        (HEAD, r"g must have at least one row below its names"),
        (HEAD + "1,10,50,10\n", r"g must hold 5 entries a row, finite .*; line 2 of .* is \['1', '10', '50', '10'\]"),
        (HEAD + "1,10,50,10,nan\n", r"line 2"),
        (HEAD + "\n\n1,10,50,10,deep\n", r"line 4"),
        (HEAD + "1,0,0,0,0\n1,0,0,0,9\n2,0,0,0,0\n", r"shot 2 has another number than shot 1\. Fill up with dead"),
        (HEAD + "1,0,0,0,0\n1,0,5,0,9\n", r"g must have one source in each shot"),
    ],
)
def test_a_table_that_is_none_is_refused(made, text, message):
    with pytest.raises(ValueError, match=message):
        tables.geometry("g", made("g.csv", text))


TIMES = "source_depth,receiver_depth,time\n"
PLACES = "source_depth,receiver_depth,time,source_x,receiver_x\n"


def test_rays_may_be_any_and_have_deviations(made):
    found = tables.traveltimes("t", made("t.csv", TIMES + "1,2,80\n3,3,75\n"), distance=6.0, depth=12.0, width=6.0)
    np.testing.assert_array_equal(found.time, [80, 75])
    assert found.deviation is None
    text = "time,deviation,receiver_depth,source_depth\n80,0.5,2,1\n"
    found = tables.traveltimes("t", made("t.csv", text), distance=6.0, depth=12.0, width=6.0)
    assert (found.source_depth[0], found.receiver_depth[0], found.deviation[0]) == (1, 2, 0.5)
    assert found.source_x is None and found.receiver_x is None


def test_boreholes_may_be_anywhere_in_the_model(made):
    # Two metres apart, which takes 25 ns; the distance of vertical boreholes is none of this table's.
    text = PLACES + "1,2,25,0.5,2.5\n0,12,160,0,6\n"
    found = tables.traveltimes("t", made("t.csv", text), distance=60.0, depth=12.0, width=6.0)
    np.testing.assert_array_equal([found.source_x, found.receiver_x], [[0.5, 0], [2.5, 6]])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (TIMES + "1,2,80\n1,13,80\n", r"t must have receiver_depth between 0 and 12 m, in the model; line 3 has 13\."),
        (TIMES + "-1,2,80\n", r"t must have source_depth between 0 and 12 m, .*; line 2 has -1\. Check its unit"),
        (PLACES + "1,2,80,0,6\n1,2,80,6.1,6\n", r"t must have source_x between 0 and 6 m, .*; line 3 has 6\.1\."),
        (PLACES + "1,2,80,0,-0.5\n", r"t must have receiver_x between 0 and 6 m, .*; line 2 has -0\.5\."),
        (PLACES + "1,2,80,0,0.5\n", r"mean velocities of 0\.03 to 0\.3 m/ns; they are 0\.014"),
        (PLACES.replace(",source_x", "") + "1,2,80,5\n", r"both source_x and receiver_x, .* alone\. Add source_x"),
        (PLACES.replace(",receiver_x", "") + "1,2,80,5\n", r"or neither; .*t\.csv has source_x alone\. Add receiver_x"),
        (TIMES + "1,2,-80\n", r"t must have positive times; got -80 ns"),
        (TIMES + "1,2,80e-9\n", r"mean velocities of 0\.03 to 0\.3 m/ns; they are .*\. Give times in ns"),
        ("source_depth,receiver_depth,time,deviation\n1,2,80,0\n", r"t must have positive deviations; got 0 ns"),
    ],
)
def test_times_of_no_radar_wave_are_refused(made, text, message):
    with pytest.raises(ValueError, match=message):
        tables.traveltimes("t", made("t.csv", text), distance=6.0, depth=12.0, width=6.0)


FACIES = np.where(np.arange(12).reshape(3, 4) % 5 == 0, 180, 30)


def test_an_image_of_two_facies_has_zeros_and_ones_from_any_file(made, tmp_path):
    expected = (FACIES == 180).astype(np.float32)
    np.testing.assert_array_equal(files.facies("i", made("i.npy", FACIES)), expected)
    Image.fromarray(FACIES.astype(np.uint8)).save(tmp_path / "i.png")
    np.testing.assert_array_equal(files.facies("i", tmp_path / "i.png"), expected)
    grey = FACIES + np.arange(12).reshape(3, 4)
    np.testing.assert_array_equal(files.facies("i", made("g.npy", grey), threshold=100.0), expected)


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        (
            np.arange(12.0).reshape(3, 4),
            {},
            r"i must hold two values; it has others between 0 and 11\. Give",
        ),
        (FACIES, {"threshold": 200.0}, r"i must have both facies; its values are 30 to 180"),
        (np.ones((3, 4)), {}, r"i must have both facies; its values are 1 to 1"),
        (FACIES, {"least": 4}, r"i must have at least 4 rows and columns; it has \(3, 4\)"),
    ],
)
def test_an_image_of_no_two_facies_is_refused(made, content, options, message):
    with pytest.raises(ValueError, match=message):
        files.facies("i", made("i.npy", content), **options)


def test_a_picture_that_is_none_is_refused(made, tmp_path):
    with pytest.raises(ValueError, match=r"i must be a grey picture; .*bad\.png is none"):
        files.facies("i", made("bad.png", b"\x89PNG no"))
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(tmp_path / "rgb.png")
    with pytest.raises(ValueError, match=r"i must be a grey picture; .*its pixels are RGB, not grey"):
        files.facies("i", tmp_path / "rgb.png")
