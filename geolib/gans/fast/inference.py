"""A generator whose weights no longer change, arranged for speed on a CPU: images and their derivatives in the latent.

Its wide layers are oneDNN's convolutions with weights laid out beforehand; what lies between and after them is fused.
Only the derivative in the latent is taken, and no layer's output is kept twice.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from geolib import _checks
from geolib._arguments import checked
from geolib._autograd import refused
from geolib.gans.sgan import Generator


def available() -> bool:
    """Return whether Numba is there, and works, which the fused kernels need."""
    try:
        import geolib.gans.fast._kernels  # noqa: F401
    except Exception:  # a Numba that does not suit its surroundings fails in as many ways as there are
        return False
    return True


class Frozen:
    """A generator's function of the latent, with fixed weights, on a CPU.

    Parameters
    ----------
    network : sgan.Generator
        On a CPU; later changes of its weights are not seen.
    precision : torch.dtype
        Arithmetic of the four wide layers; the others stay in that of the weights.

    Notes
    -----
    Images agree with the network's to round-off. `bench/latent_inversion.md` has the time of an image of width 32 and
    its gradient, by processor. Only reverse mode is here; for forward mode take the network.
    """

    @checked()
    def __init__(self, network: Generator, precision: torch.dtype = torch.float32) -> None:
        weights = [parameter.detach() for parameter in network.up.parameters()]
        self.kind = weights[0].dtype
        self.precision = precision if self.kind == torch.float32 else self.kind
        self.first = weights[0]
        self.wide = [weight.to(self.precision).to(memory_format=torch.channels_last) for weight in weights[1:-1]]
        # The kernels work on transposed planes: what a dilated layer correlates with forwards is mirrored.
        up, widen, merge = (
            weight.reshape(-1, 5, 5).transpose(1, 2)
            for weight in (weights[-1], network.widen.weight.detach(), network.merge.weight.detach())
        )
        single = torch.stack([up, merge.flip(1, 2).mT, widen.mT])
        # Where one channel meets many, they go by fives: (layer, group, tap along a line, channel, tap across).
        many = functional.pad(torch.stack([up, widen.flip(1, 2), merge]), (0, 0, 0, 0, 0, -up.shape[0] % 5))
        grouped = many.unflatten(1, (-1, 5)).permute(0, 1, 4, 2, 3)
        self.last = single.contiguous().numpy(), grouped.contiguous().numpy()
        self._dense: dict[tuple[int, int], Tensor] = {}

    def __call__(self, latent: Tensor) -> Tensor:
        """Return images in [-1, 1], shape (n, 1, 32 rows - 31, 32 columns - 31), of latents (n, 1, rows, columns)."""
        _checks.shape("latent", latent, (None, 1, None, None), "Give one channel of rows and columns.")
        return torch.tanh(_Images.apply(latent, self))

    def dense(self, rows: int, columns: int) -> Tensor:
        """Return the first layer as a matrix, for latents of a size; its output comes with channels last."""
        if (rows, columns) not in self._dense:
            unit = torch.eye(rows * columns, dtype=self.kind).view(-1, 1, rows, columns)
            made = functional.conv_transpose2d(unit, self.first, None, 2, 2)
            self._dense[rows, columns] = made.permute(0, 2, 3, 1).reshape(len(unit), -1)
        return self._dense[rows, columns]


class _Images(torch.autograd.Function):
    """The generator up to the hyperbolic tangent, forwards and backwards layer by layer without a graph."""

    @staticmethod
    def forward(ctx: Any, latent: Tensor, frozen: Frozen) -> Tensor:
        from geolib.gans.fast import _kernels as kernels

        n, _, rows, columns = latent.shape
        x = latent.detach().to(frozen.kind).reshape(n, -1) @ frozen.dense(rows, columns)
        features, moments = [x.view(n, 2 * rows - 1, 2 * columns - 1, -1)], []
        for weight in frozen.wide:
            before = features[-1]
            moments.append(np.empty((n, 2, before.shape[-1]), before.numpy().dtype))
            normal = torch.empty_like(before)
            kernels.normalise(_pixels(before), moments[-1], _pixels(normal))
            x = functional.conv_transpose2d(normal.permute(0, 3, 1, 2).to(frozen.precision), weight, None, 2, 2)
            features.append(x.to(frozen.kind).permute(0, 2, 3, 1).contiguous())
        last = features[-1].numpy()
        moments.append(np.empty((n, 2, last.shape[-1]), last.dtype))
        inner = np.empty_like(moments[-1])
        _, high, wide, _ = last.shape
        middle = np.zeros((n, kernels.sizes(high, wide)[1]), last.dtype)
        image = np.empty((n, 2 * high - 1, 2 * wide - 1), last.dtype)
        kernels.draw(last, frozen.last, moments[-1], inner, middle, image)
        ctx.save_for_backward(latent)
        ctx.kept = frozen, features, moments, inner, middle
        return torch.from_numpy(image)[:, None]

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple:
        return _Slopes.apply(gradient, *ctx.saved_tensors, ctx.kept), None

    jvp = refused("a frozen generator", "one in forward mode", "Use the network itself.")


class _Slopes(torch.autograd.Function):
    """The gradient of `_Images` in the latent."""

    @staticmethod
    def forward(ctx: Any, gradient: Tensor, latent: Tensor, kept: tuple) -> Tensor:
        from geolib.gans.fast import _kernels as kernels

        frozen, features, moments, inner, middle = kept
        slope = torch.empty_like(features[-1])
        image = gradient.detach()[:, 0].contiguous().numpy()
        kernels.draw_adjoint(features[-1].numpy(), frozen.last, moments[-1], inner, middle, image, slope.numpy())
        for before, moment, weight in zip(features[-2::-1], moments[-2::-1], frozen.wide[::-1], strict=True):
            x = functional.conv2d(slope.permute(0, 3, 1, 2).to(frozen.precision), weight, None, 2, 2)
            after = x.to(frozen.kind).permute(0, 2, 3, 1).contiguous()
            slope = torch.empty_like(before)
            kernels.normalise_adjoint(_pixels(before), moment, _pixels(after), _pixels(slope))
        return (slope.flatten(1) @ frozen.dense(*latent.shape[2:]).T).view(latent.shape)

    backward = jvp = refused("a frozen generator", "a second one", "Use the network itself.")


def _pixels(features: Tensor) -> np.ndarray:
    return features.flatten(1, 2).numpy()
