"""The examples that `geolib example` writes."""

import io

import numpy as np
import pytest

from geolib import _runtime
from geolib.studies import examples

MODEL = np.full((20, 30), 2000.0)


def test_an_example_is_there_whole_or_not_at_all(tmp_path, monkeypatch):
    def fails(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(_runtime.os, "fsync", fails)
    for write in (
        lambda: examples._arrays(tmp_path, {"a": MODEL}),
        lambda: examples._table(tmp_path / "a.csv", ("x",), [(1,)]),
    ):
        with pytest.raises(OSError, match="No space"):
            write()
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    examples._table(tmp_path / "a.csv", ("x", "y"), [(1, 2.5)])
    assert (tmp_path / "a.csv").read_bytes() == b"x,y\r\n1,2.5\r\n"
    examples._arrays(tmp_path, {"a": MODEL})
    np.testing.assert_array_equal(np.load(io.BytesIO((tmp_path / "a.npy").read_bytes())), MODEL)
