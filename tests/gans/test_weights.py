"""Weights as files: what is written can be read, and what cannot be read is not written."""

import pytest
import torch

from geolib.gans import weights


def test_weights_come_back_with_their_facts(tmp_path):
    kinds = (torch.float16, torch.float32, torch.float64, torch.int64)
    tensors = {str(kind): torch.arange(6, dtype=kind).view(2, 3) for kind in kinds}
    path = tmp_path / "w.safetensors"
    path.write_bytes(weights.pack(tensors, width=3))
    found, facts = weights.read(path)
    assert facts == {"width": 3} and found.keys() == tensors.keys()
    assert all(torch.equal(found[name], tensors[name]) and found[name].dtype == tensors[name].dtype for name in found)


def test_what_could_not_be_read_is_not_written():
    with pytest.raises(TypeError, match=r"tensor 'mask' must be float or int64; got torch\.bool\. Convert it first"):
        weights.pack({"mask": torch.ones(2, dtype=torch.bool)})
