"""Convolution and leaky ReLU of a critic on traces, made for the two differentiations of a gradient penalty on a CPU.

The values are those of PyTorch's layers; what differs is what a gradient penalty costs. Three things make it cheap: the
leaky ReLU carries no second derivative, a convolution's weight gradient is made only where it is asked for, and values
lie in memory with the channels next to one another.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

# The paper gives no slope; 0.2 is the usual one of adversarial networks (Radford et al. 2016).
LEAKY_SLOPE = 0.2


class _Kink(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        ctx.save_for_backward(values)
        return functional.leaky_relu(values, LEAKY_SLOPE)

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        (values,) = ctx.saved_tensors
        return torch.ops.aten.leaky_relu_backward(slopes[0], values.detach(), LEAKY_SLOPE, False)


class Kink(nn.Module):
    """Leaky ReLU whose second derivative, zero everywhere, costs nothing.

    PyTorch's own carries these zeros through all layers below, which is a fifth of a gradient penalty.
    """

    def forward(self, values: Tensor) -> Tensor:
        """Return the values, those below zero scaled by `LEAKY_SLOPE`."""
        return _Kink.apply(values)


class _Convolved(torch.autograd.Function):
    """Convolution as a function of its values; the gradient of the weights comes from `_Bias`."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(weight)
        return torch.conv2d(values, weight, padding=(0, weight.shape[3] // 2))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, None]:
        return _Correlated.apply(slopes[0], *ctx.saved_tensors), None


class _Correlated(torch.autograd.Function):
    """Adjoint of the convolution, in slope and weights: the pass that a penalty differentiates."""

    @staticmethod
    def forward(ctx: Any, slope: Tensor, weight: Tensor) -> Tensor:
        ctx.save_for_backward(slope, weight)
        return torch.conv2d(slope, weight.flip(3).transpose(0, 1), padding=(0, weight.shape[3] // 2))

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor]:
        slope, weight = ctx.saved_tensors
        values = slopes[0]
        convolved = torch.conv2d(values, weight, padding=(0, weight.shape[3] // 2))
        return convolved, _weight_slopes(values, weight, slope)[0]


class _Bias(torch.autograd.Function):
    """Bias, broadcast; its backward pass makes the gradients of weights and bias.

    They stand apart from `_Convolved` because autograd skips whole functions only: a gradient in the values alone, the
    first pass of a penalty, would otherwise make weight gradients and drop them.
    """

    @staticmethod
    def forward(ctx: Any, bias: Tensor, weight: Tensor, hidden: tuple[Tensor]) -> Tensor:
        # In a tuple autograd does not see the values; the weights' gradients, which depend on them, do.
        (values,) = hidden
        ctx.save_for_backward(weight)
        ctx.values = values
        return bias[:, None, None].expand(len(values), -1, *values.shape[2:])

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Tensor, Tensor, None]:
        (weight,), values = ctx.saved_tensors, ctx.values
        by_weight, by_bias = _weight_slopes(values, weight, slopes[0])
        return by_bias, by_weight, None


def _weight_slopes(values: Tensor, weight: Tensor, slope: Tensor) -> tuple[Tensor, Tensor]:
    sizes = [len(weight)], (1, 1), (0, weight.shape[3] // 2), (1, 1), False, (0, 0), 1
    return torch.ops.aten.convolution_backward(slope, values, weight, *sizes, (False, True, True))[1:]


class Convolution(nn.Conv1d):
    """A convolution that keeps the length of its input `(n, channels, length)`, computed in the precision of its input.

    With one channel at either end, or a kernel of 1, it is a matrix product.
    """

    def __init__(self, in_channels: int, out_channels: int, taps: int) -> None:
        super().__init__(in_channels, out_channels, taps, padding=taps // 2)
        self.taps = taps
        self.bias: nn.Parameter  # always there

    def forward(self, values: Tensor) -> Tensor:
        """Return the convolved values `(n, out_channels, length)`."""
        weight, bias = self.weight.to(values.dtype), self.bias.to(values.dtype)
        margin, length = self.taps // 2, values.shape[2]
        if margin and min(self.in_channels, self.out_channels) > 1:
            weight, rows = weight.unsqueeze(2), values.unsqueeze(2)
            return _Convolved.apply(rows, weight).add_(_Bias.apply(bias, weight, (rows,))).squeeze(2)
        if margin and self.out_channels == 1:
            parts = functional.linear(values.transpose(1, 2), weight[0].T)  # (n, length, taps)
            parts = functional.pad(parts, (0, 0, margin, margin))
            shifted = [parts[:, tap : tap + length, tap] for tap in range(self.taps)]
            return (torch.stack(shifted).sum(0) + bias).unsqueeze(1)
        # `unfold` gives (n, channels, length, taps); channels and taps become one axis.
        windows = functional.pad(values, (margin, margin)).unfold(2, self.taps, 1).transpose(1, 2).flatten(2)
        return functional.linear(windows, weight.flatten(1), bias).transpose(1, 2)
