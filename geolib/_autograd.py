"""Where autograd ends: derivatives that are refused in a line, and gradients taken whatever mode the caller is in."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch


def refused(function: str, asked: str, remedy: str) -> Callable:
    """Return the `backward`, `jvp` or `vmap` of an autograd function that has none: one that says so in a line.

    `once_differentiable` is no such refusal: what it returns is not connected with the inputs, so that
    `torch.autograd.grad` finds no way to them and takes the derivative for zero.
    """

    def refuse(*_: Any) -> None:
        raise NotImplementedError(
            f"derivative of {function} must be a first one in reverse mode; got {asked}. {remedy}"
        )

    return staticmethod(refuse)


@contextlib.contextmanager
def taking_gradients() -> Iterator[None]:
    """Record a graph, even inside a caller's `torch.no_grad` or `torch.inference_mode`.

    Tensors made in inference mode cannot be recorded: clone those that are differentiated, inside.
    """
    with torch.inference_mode(False), torch.enable_grad():
        yield
