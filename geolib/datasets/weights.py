"""The reader's own weights of a network: tensors by name, and nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

from geolib import _checks
from geolib.datasets.files import find


def state_dict(name: str, path: Any) -> dict[str, Any]:
    """Return the tensors of a PyTorch or safetensors file, by name; it holds nothing else.

    Parameters
    ----------
    name, path
        The parameter and its file, `.pth`, `.pt` or `.safetensors`.

    Raises
    ------
    TypeError, ValueError
        If the file holds anything but tensors of finite numbers.

    Notes
    -----
    PyTorch's files are pickles; `weights_only` lets nothing in them be called but what makes tensors.
    """
    import torch

    found = find(name, path, (".pth", ".pt", ".safetensors"))
    try:
        if found.suffix.lower() == ".safetensors":
            from safetensors.torch import load_file

            tensors: Any = load_file(found)
        else:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # the refusal says it
                tensors = torch.load(found, map_location="cpu", weights_only=True)
    except (OSError, MemoryError):
        raise  # these tell themselves
    except Exception as error:  # a damaged or hostile file fails in as many ways as there are
        what = "holds objects that are no tensors" if "nsupported" in str(error) else "cannot be read as such"
        raise ValueError(f"{name} must hold tensors alone; {found} {what}. Give a file of tensors.") from None
    if not isinstance(tensors, Mapping) or not all(isinstance(value, torch.Tensor) for value in tensors.values()):
        raise ValueError(f"{name} must hold tensors by name; {found} does not. Save a network's state_dict.")
    for key, value in tensors.items():
        if not value.is_floating_point():
            raise ValueError(f"{name}'s {key} must be floating-point; got {value.dtype}. Give the weights themselves.")
        _checks.finite(f"{name}'s {key}", value)
    return dict(tensors)


def must_fit(name: str, tensors: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Check that tensors are these, each of its shape, and no others.

    Raises
    ------
    ValueError
        If one is missing, too many, or of another shape.
    """
    if wrong := sorted(map(str, tensors.keys() ^ shapes.keys())):
        what = "lack" if wrong[0] in shapes else "have"
        raise ValueError(f"{name} must be those of the network alone; they {what} {wrong[0]!r}. Give another file.")
    for key, value in tensors.items():
        _checks.shape(f"{name}'s {key}", value, shapes[key], "Give the weights of this network.")
