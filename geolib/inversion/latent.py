"""Search in a generator's latent space: many starts at once, by Adam, with the rules that keep latents in their box.

A `simulate` callable takes latents `(n, d)` and returns predictions `(n, n_data)`; what lies between is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from geolib import _checks

Simulate = Callable[[Tensor], Tensor]
CLIPPING = ("stochastic", "standard", "none", "released")


@dataclass
class Search:
    """What a search met, for n starts.

    Attributes
    ----------
    misfit : Tensor, shape (n, iterations)
        Root mean square residual before each update, in the data's unit.
    best_latent : Tensor, shape (n, d)
        Latent of the smallest misfit.
    last_latent : Tensor, shape (n, d)
        Latent after the last update.
    solves : int
        Forward solves spent on each start.
    """

    misfit: Tensor
    best_latent: Tensor
    last_latent: Tensor
    solves: int

    @property
    def best(self) -> Tensor:
        """Smallest misfit of each start."""
        return self.misfit.min(1).values


def check_start(start: Tensor, data: Tensor) -> None:
    """Check latents `(n, d)` against data `(n, n_data)`.

    Raises
    ------
    ValueError
        If shapes do not go together or an entry is not finite.
    """
    _checks.shape("start", start, (None, None), "Flatten each latent to one row.")
    _checks.shape("data", data, (len(start), None), "Give each start its row of data.")
    _checks.finite("start", start)
    _checks.finite("data", data)


def threshold(models: Tensor) -> Tensor:
    r"""Return models cut at 0.5 to zeros and ones, whose gradient is that of the uncut model.

    With it the derivative of :math:`\|d - A s(m)\|^2` that reaches the generator is :math:`-2 A^T (d - A s)\, ds/dm` at
    the binary slowness: the published adjoint.

    References
    ----------
    Laloy et al. (2019), equation 15, where the second transpose is a misprint.
    """
    return models + ((models >= 0.5).to(models.dtype) - models).detach()


def clip(latents: Tensor, rule: str, draws: Tensor) -> Tensor:
    """Return latents brought back into [-1, 1] by a rule.

    Parameters
    ----------
    latents : Tensor, shape (n, d)
        After an update.
    rule : str
        ``stochastic`` draws every offending component anew; ``standard`` sets it to the nearest bound; ``none`` lets it
        go; ``released`` gives all components above 1 one fresh value and all below -1 another, as the released code.
    draws : Tensor, shape (n, d)
        Uniform numbers in (-1, 1), at least two columns.

    References
    ----------
    Lipton and Tripathi (2017); Laloy et al. (2019), section 3.2.
    """
    if rule == "stochastic":
        return torch.where(latents.abs() > 1, draws, latents)
    if rule == "standard":
        return latents.clamp(-1, 1)
    if rule == "released":
        high = torch.where(latents > 1, draws[:, :1], latents)
        return torch.where(high < -1, draws[:, 1:2], high)
    _checks.choice("clipping", rule, CLIPPING)
    return latents


def adam(
    simulate: Simulate, data: Tensor, start: Tensor, draws: Tensor, *, rate: float = 0.01, clipping: str = "stochastic"
) -> Search:
    r"""Descend :math:`\|d - F(z)\|^2` from many starts at once; strategy 1.

    Parameters
    ----------
    simulate : callable
        Differentiable; its rows do not mix starts.
    data : Tensor, shape (n, n_data)
        One row for each start.
    start : Tensor, shape (n, d)
        First latents.
    draws : Tensor, shape (n, iterations, d)
        Uniform numbers in (-1, 1) for the clipping, each start's from its own seed; their number sets the iterations.
    rate : float
        Adam's learning rate.
    clipping : str
        One of `CLIPPING`.

    Returns
    -------
    Search

    Raises
    ------
    ValueError
        If shapes do not go together, a value is not finite or the rule is unknown.

    Notes
    -----
    One forward and one backward pass for each iteration, whose update acts on each start alone.

    References
    ----------
    Laloy et al. (2019), equation 14 and section 3.4; Kingma and Ba (2015).
    """
    check_start(start, data)
    _checks.choice("clipping", clipping, CLIPPING)
    _checks.shape("draws", draws, (len(start), None, start.shape[1]), "Draw one row for each start and iteration.")
    latent = start.clone().requires_grad_(True)
    optimizer = torch.optim.Adam([latent], lr=rate)
    iterations = draws.shape[1]
    misfit = torch.empty(len(start), iterations, dtype=start.dtype)
    best, best_latent = start.new_full((len(start),), math.inf), start.clone()
    for iteration in range(iterations):
        residual = simulate(latent) - data
        squares = residual.square().sum(1)
        (latent.grad,) = torch.autograd.grad(squares.sum(), latent)
        root = (squares.detach() / data.shape[1]).sqrt()
        with torch.no_grad():
            misfit[:, iteration] = root.cpu()
            best_latent = torch.where((root < best)[:, None], latent, best_latent)
            best = torch.minimum(best, root)
            optimizer.step()
            latent.copy_(clip(latent, clipping, draws[:, iteration]))
    return Search(misfit, best_latent, latent.detach(), iterations)


def to_uniform(normal: Tensor) -> Tensor:
    r"""Return uniform numbers in (-1, 1) of standard-normal ones, :math:`z = 2\Phi(\xi) - 1`.

    References
    ----------
    Laloy et al. (2019), equation 10.
    """
    return torch.erf(normal / math.sqrt(2))


def to_normal(uniform: Tensor) -> Tensor:
    """Return standard-normal numbers of uniform ones in (-1, 1); the inverse of `to_uniform`."""
    return math.sqrt(2) * torch.erfinv(uniform)
