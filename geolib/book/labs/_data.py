"""How numbers are written into a script, and read there by `geolab.decode`."""

from __future__ import annotations

import base64
from typing import Any

import numpy as np

TYPES = {"f8": "<f8", "f4": "<f4", "f2": "<f2", "i1": "<i1", "u1": "<u1", "i2": "<i2", "i4": "<i4"}


def encode(array: Any, kind: str = "f4") -> dict[str, Any]:
    """Return an array as `geolab.decode` reads it: type, shape, base64 of little-endian numbers.

    Parameters
    ----------
    array : array_like
        Any shape.
    kind : str
        A key of `TYPES`; ``f2`` is half precision, which the page widens to float32.
    """
    values = np.ascontiguousarray(array, dtype=TYPES[kind])
    return {
        "type": kind,
        "shape": list(values.shape),
        "data": base64.b64encode(values.tobytes()).decode(),
    }


def quantise(array: Any, axis: int = 0) -> dict[str, Any]:
    """Return weights as 8-bit integers with one float32 scale for each channel along `axis`.

    The page gets them back as float32, off by half a scale at most, that is by 0.4 % of the
    channel's largest weight.
    """
    values = np.asarray(array, dtype=np.float64)
    others = tuple(n for n in range(values.ndim) if n != axis)
    scale = np.maximum(np.abs(values).max(axis=others, keepdims=True) / 127, 1e-30).astype(
        np.float32
    )
    whole = np.rint(values / scale).clip(-127, 127)
    return {**encode(whole, "i1"), "scale": encode(scale.ravel()), "axis": axis}
