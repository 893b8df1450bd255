"""Gathers in SEG-Y: positions by the trace headers, and each refusal before anything is computed."""

import sys

import numpy as np
import pytest

from geolib.datasets import segy, tables

segyio = pytest.importorskip("segyio")
FIELD = segyio.TraceField

SOURCES = np.array([[[12.5, 100.0]], [[12.5, 250.0]]])
RECEIVERS = np.stack([np.stack([np.full(3, 5.0), x], -1) for x in (np.arange(3) * 50.0, 300.0 - np.arange(3) * 50.0)])
DATA = np.arange(2 * 3 * 40, dtype=np.float32).reshape(2, 3, 40) + 1


@pytest.fixture
def file(tmp_path):
    return segy.write(tmp_path / "g.sgy", DATA, tables.Geometry(SOURCES, RECEIVERS), 2e-3)


def change(path, **words):
    """Give every trace, or trace by trace, other words in its header."""
    with segyio.open(path, "r+", ignore_geometry=True) as opened:
        for number in range(opened.tracecount):
            for name, value in words.items():
                opened.header[number] = {getattr(FIELD, name): value[number] if np.ndim(value) else value}


def test_what_is_written_is_read(file):
    found = segy.gathers("g", file)
    np.testing.assert_array_equal(found.data, DATA)
    np.testing.assert_allclose(found.geometry.sources, SOURCES)
    np.testing.assert_allclose(found.geometry.receivers, RECEIVERS)
    assert found.interval == pytest.approx(2e-3)


def test_scalars_elevations_and_the_datum(file):
    # On a hill of 200 m, sources 4 m deep; coordinates in tens of metres, elevations in decimetres.
    x = [10, 10, 10, 25, 25, 25]
    change(file, SourceGroupScalar=10, SourceX=x, GroupX=[0, 5, 10, 30, 25, 20], ElevationScalar=-10)
    change(file, SourceSurfaceElevation=2000, SourceDepth=40, ReceiverGroupElevation=1990)
    found = segy.gathers("g", file, top=210.0, origin=(-50.0, 0.0))
    np.testing.assert_allclose(found.geometry.sources[:, 0], [[14, 150], [14, 300]])
    np.testing.assert_allclose(found.geometry.receivers[0], [[11, 50], [11, 100], [11, 150]])
    change(file, SourceGroupScalar=0, ElevationScalar=0)
    found = segy.gathers("g", file, top=2000.0)
    np.testing.assert_allclose(found.geometry.sources[:, 0], [[40, 10], [40, 25]])


def test_feet_become_metres_and_angles_are_refused(file):
    with segyio.open(file, "r+", ignore_geometry=True) as opened:
        opened.bin.update({segyio.BinField.MeasurementSystem: 2})
    np.testing.assert_allclose(segy.gathers("g", file).geometry.sources, SOURCES * 0.3048)
    change(file, CoordinateUnits=2)
    with pytest.raises(ValueError, match=r"g must have coordinates in metres or feet; byte 89 says angles \(2\)"):
        segy.gathers("g", file)


def test_a_line_in_any_direction_is_one(file):
    along = np.concatenate([SOURCES.repeat(3, 1), RECEIVERS]).reshape(2, 6, 2)[..., 1]
    north, east = 0.8 * along, -0.6 * along  # the line runs along y
    change(file, SourceGroupScalar=-100)
    for name, values in (("X", east), ("Y", north)):
        change(file, **{f"Source{name}": np.rint(100 * (values[0] + 4e5)).astype(int).tolist()})
        change(file, **{f"Group{name}": np.rint(100 * (values[1] + 4e5)).astype(int).tolist()})
    found = segy.gathers("g", file, origin=(4e5, 4e5))
    np.testing.assert_allclose(found.geometry.sources[..., 1], SOURCES[..., 1], atol=0.02)
    np.testing.assert_allclose(found.geometry.receivers[..., 1], RECEIVERS[..., 1], atol=0.02)
    change(file, GroupX=[40000000] * 6)
    with pytest.raises(ValueError, match=r"g must have positions on a line, 1% of its length at most beside it"):
        segy.gathers("g", file)


def test_a_shot_of_fewer_traces_is_filled_up_and_dead_traces_are_zero(file):
    change(file, FieldRecord=[7, 7, 7, 3, 3, 3], TraceIdentificationCode=[1, 2, 1, 1, 1, 6])
    found = segy.gathers("g", file)
    np.testing.assert_array_equal(found.data[0], [DATA[0, 0], np.zeros(40), DATA[0, 2]])
    np.testing.assert_array_equal(found.data[1], [DATA[1, 0], DATA[1, 1], np.zeros(40)])
    np.testing.assert_allclose(found.geometry.receivers[1, 2], RECEIVERS[1, 0])


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (dict.fromkeys(("SourceX", "GroupX"), 0), r"g must have positions in its headers; all are .* -p geom"),
        ({"DelayRecordingTime": [0, 0, 0, -8, 0, 0]}, r"g must begin when the source does; .* a delay of -8 ms"),
        ({"TRACE_SAMPLE_INTERVAL": [2000] * 5 + [4000]}, r"g must have one sampling interval; .* 2000 to 4000"),
        ({"TraceIdentificationCode": 4}, r"g must hold traces of receivers; .* Check byte 29"),
    ],
)
def test_headers_that_tell_nothing_are_refused(file, words, message):
    change(file, **words)
    with pytest.raises(ValueError, match=message):
        segy.gathers("g", file)


def test_what_is_no_segy_and_what_is_not_finite_is_refused(file, tmp_path):
    (tmp_path / "bad.sgy").write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ValueError, match=r"g must be SEG-Y; .*bad\.sgy is none"):
        segy.gathers("g", tmp_path / "bad.sgy")
    data = DATA.copy()
    data[0, 0, 0] = np.nan
    known = tables.Geometry(SOURCES, RECEIVERS)
    found = segy.gathers("g", segy.write(tmp_path / "n.sgy", data, known, 2e-3)).data
    assert not found[0, 0].any() and np.count_nonzero(found.any(-1)) == 5  # one is dead, of half it is the file
    data[0, :, 0] = np.nan
    with pytest.raises(ValueError, match=r"g must be finite"):
        segy.gathers("g", segy.write(tmp_path / "n.sgy", data, tables.Geometry(SOURCES, RECEIVERS), 2e-3))
    with pytest.raises(ValueError, match=r"interval must be 1 to 32767 whole microseconds; got 1\.5e-06 s"):
        segy.write(tmp_path / "i.sgy", DATA, tables.Geometry(SOURCES, RECEIVERS), 1.5e-6)
    assert not list(tmp_path.glob(".*"))
    with segyio.open(file, "r+", ignore_geometry=True) as opened:
        opened.bin.update({segyio.BinField.Format: 77})
    with pytest.raises(ValueError, match=r"g must be SEG-Y; .*\(Unknown trace value format 77"):
        segy.gathers("g", file)


def test_without_segyio_one_line_tells_what_to_install(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "segyio", None)
    with pytest.raises(ValueError, match=r"g is SEG-Y, .*; it is not installed\. Run pip install segyio"):
        segy.gathers("g", file)


def test_damaged_files_are_read_or_refused_in_one_line(file, tmp_path):
    whole, rng, refused = file.read_bytes(), np.random.default_rng(0), 0
    for number in range(200):
        damaged, place = bytearray(whole), int(rng.integers(3200, 3600) if number % 2 else rng.integers(len(whole)))
        if number % 3 == 0:
            damaged[place : place + 8] = rng.bytes(8)
        elif number % 3 == 1:
            del damaged[place:]
        else:
            damaged[place:place] = rng.bytes(int(rng.integers(1, 300)))
        (tmp_path / "damaged.sgy").write_bytes(damaged)
        try:
            segy.gathers("g", tmp_path / "damaged.sgy")
        except ValueError as error:
            assert str(error).startswith("g must ") and "\n" not in str(error)
            refused += 1
    assert refused > 100
