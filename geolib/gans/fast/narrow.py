"""Transposed convolutions that have a single channel on one side, for frozen weights on a CPU."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional


def one_to_many(x: Tensor, weight: Tensor, padding: int, dilation: int) -> Tensor:
    """Return `conv_transpose2d` of x `(n, 1, rows, columns)` with weights `(1, k, a, a)` at stride one.

    Derivatives are in x only, in reverse and in forward mode.
    """
    _fixed(weight)
    return _OneToMany.apply(x, weight, padding, dilation)


def many_to_one(x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> Tensor:
    """Return `conv_transpose2d` of x `(n, k, rows, columns)` with weights `(k, 1, a, a)`; derivatives in x only."""
    _fixed(weight)
    return _ManyToOne.apply(x, weight, stride, padding, dilation)


def _fixed(weight: Tensor) -> None:
    if weight.requires_grad and torch.is_grad_enabled():
        raise ValueError("weight must be fixed; got one that requires a gradient. Use conv_transpose2d or detach it.")


class _OneToMany(torch.autograd.Function):
    """Stride-one transposed convolution from a single channel, for frozen weights on a CPU.

    oneDNN's transposed convolution fills its vector registers along channels and has but one here. The mirrored
    convolution forwards and a matrix product with `fold` backwards are faster.
    """

    @staticmethod
    def forward(x: Tensor, weight: Tensor, padding: int, dilation: int) -> Tensor:
        mirrored = weight.flip(2, 3).transpose(0, 1).to(x.dtype)
        return functional.conv2d(x, mirrored, padding=padding, dilation=dilation)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        _, ctx.weight, ctx.padding, ctx.dilation = inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple:
        mirrored = ctx.weight.flip(2, 3).transpose(0, 1)
        return _fold(gradient, mirrored, gradient.shape[2:], 1, ctx.padding, ctx.dilation), None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return _OneToMany.apply(tangent, ctx.weight, ctx.padding, ctx.dilation)


class _ManyToOne(torch.autograd.Function):
    """Transposed convolution to a single channel, for frozen weights on a CPU, as a matrix product and `fold`."""

    @staticmethod
    def forward(x: Tensor, weight: Tensor, stride: int, padding: int, dilation: int) -> Tensor:
        reach = dilation * (weight.shape[-1] - 1) + 1
        size = [stride * (length - 1) + reach - 2 * padding for length in x.shape[2:]]
        return _fold(x, weight, size, stride, padding, dilation)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple, output: Tensor) -> None:
        _, ctx.weight, *ctx.options = inputs

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple:
        stride, padding, dilation = ctx.options
        weight = ctx.weight.to(gradient.dtype)
        return functional.conv2d(gradient, weight, None, stride, padding, dilation), None, None, None, None

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor, *_: Any) -> Tensor:
        return _ManyToOne.apply(tangent, ctx.weight, *ctx.options)


def _fold(x: Tensor, weight: Tensor, size: Any, stride: int, padding: int, dilation: int) -> Tensor:
    """Return the transposed convolution to one channel: a product with the kernel's taps, added where each belongs."""
    taps = weight.reshape(weight.shape[0], -1).t().to(x.dtype) @ x.flatten(2)
    return functional.fold(taps, tuple(size), weight.shape[-1], dilation=dilation, padding=padding, stride=stride)
