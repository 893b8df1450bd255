"""Networks' weights as safetensors files that carry the checksum of their content; read without pickle."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from geolib import _checks
from geolib._arguments import checked
from geolib._runtime import write_atomic
from geolib.datasets import frozen

_KINDS = {"F16": np.float16, "F32": np.float32, "F64": np.float64, "I64": np.int64}


@checked()
def pack(tensors: Mapping[str, Tensor], **facts: Any) -> bytes:
    """Return tensors and a few JSON-ready facts about them as the bytes of a safetensors file.

    Raises
    ------
    TypeError
        If a tensor is of a kind that `read` does not know.
    """
    from safetensors.torch import save

    for name, value in tensors.items():
        if value.dtype not in (torch.float16, torch.float32, torch.float64, torch.int64):
            raise TypeError(f"tensor {name!r} must be float or int64; got {value.dtype}. Convert it first.")
    kept = {name: value.detach().cpu().contiguous() for name, value in tensors.items()}
    return save(kept, metadata={"facts": json.dumps(facts), "sha256": _checksum(kept, facts)})


@checked()
def write(path: Path, content: bytes) -> None:
    """Write a file in one go: it holds all of the content or what it held before, even across a kill."""
    write_atomic(path, content)


@checked()
def read(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and facts of a file that `pack` made, read by hand: a bare machine needs no further package.

    Raises
    ------
    ValueError
        If the file is missing, damaged, carries no checksum, or bears the name of a shipped training and is another.
    """
    frozen.checksum(path)
    try:
        raw = _checks.content(path)
        length = int.from_bytes(raw[:8], "little")
        header = json.loads(raw[8 : 8 + length])
        metadata = header.pop("__metadata__")
        facts = json.loads(metadata["facts"])
        tensors = {}
        for name, entry in header.items():
            first, last = (8 + length + offset for offset in entry["data_offsets"])
            values = np.frombuffer(raw[first:last], dtype=_KINDS[entry["dtype"]]).reshape(entry["shape"])
            tensors[name] = torch.from_numpy(values.copy())
        if _checksum(tensors, facts) != metadata["sha256"]:
            raise ValueError("its content does not match its checksum")
    except Exception as error:  # a broken header fails in as many ways as there are
        raise ValueError(
            f"weights file {path} must be whole; it is not ({type(error).__name__}: {error}). Restore it or train anew."
        ) from None
    return tensors, facts


def _checksum(tensors: Mapping[str, Tensor], facts: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(facts, sort_keys=True).encode())
    for name in sorted(tensors):
        value = tensors[name].numpy()
        digest.update(f"{name} {value.dtype.str} {value.shape}".encode())
        digest.update(value.tobytes())
    return digest.hexdigest()
