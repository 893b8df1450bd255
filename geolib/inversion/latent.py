"""Search in a generator's latent space: many starts at once, by Adam, with the rules that keep latents in their box.

A `simulate` callable takes latents `(n, d)` and returns predictions `(n, n_data)`; what lies between is the caller's.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from geolib import _checks
from geolib._arguments import checked
from geolib._autograd import taking_gradients
from geolib._runtime import steps
from geolib.inversion.words import CLIPPING as CLIPPING

Simulate = Callable[[Tensor], Tensor]


class Search:
    """What a search from n starts has met.

    What is no finite number never counts: a start whose misfit or latent is none comes to rest where it was best.
    Starts that rest keep their places: a call's shape is the same from the first update to the last, so that what a
    start meets is a function of the n starts and their order alone.

    Parameters
    ----------
    start : Tensor, shape (n, d)
        First latents.
    iterations : int
        How many misfits there will be of each start.
    enough : Tensor, shape (n,), optional
        Misfits at which starts come to rest; by default none does.

    Attributes
    ----------
    misfit : Tensor, shape (n, iterations)
        Root mean square residual before each update, in the data's unit; of a start at rest its last.
    best_latent : Tensor, shape (n, d)
        Latent of the smallest misfit.
    last_latent : Tensor, shape (n, d)
        Latent after the last update.
    visits : Tensor, shape (n,)
        Misfits computed of each start.
    moving : Tensor of bool, shape (n,)
        Which starts are not at rest.

    Raises
    ------
    ValueError
        If `enough` is not one number for each start, or a first misfit is not finite.
    """

    @checked(iterations=(1, None))
    def __init__(self, start: Tensor, iterations: int, enough: Tensor | None = None) -> None:
        n = len(start)
        if enough is not None:
            _checks.shape("enough", enough, (n,), "Give each start the misfit at which it may rest.")
        self.enough = start.new_full((n,), -math.inf) if enough is None else enough.to(start)
        self.misfit = torch.empty(n, iterations, dtype=start.dtype)
        self.best_latent, self.last_latent = start.detach().clone(), start.detach().clone()
        self.visits = torch.zeros(n, dtype=torch.long)
        self.moving = torch.ones(n, dtype=torch.bool, device=start.device)
        self._now, self._best = start.new_empty(n), start.new_full((n,), math.inf)

    @property
    def best(self) -> Tensor:
        """Smallest misfit of each start."""
        return self.misfit.min(1).values

    @property
    def standing(self) -> str:
        """What a progress bar says: the median over the starts of their smallest misfit so far, and who is at rest."""
        rest = int((~self.moving).sum())
        return f"median of the best misfits {float(self._best.median()):.3f}" + (f", {rest} at rest" if rest else "")

    def add(self, iteration: int, misfit: Tensor, latents: Tensor) -> bool:
        """Take misfits `(n,)` at latents `(n, d)`, of starts at rest in vain; return whether any goes on."""
        finite = misfit.isfinite()
        if iteration == 0 and not finite.all():
            row = int((~finite).nonzero()[0])
            raise ValueError(
                f"start must have finite predictions; row {row} has a misfit of {float(misfit[row])}. Draw it anew."
            )
        self.visits += self.moving.cpu()
        lost = self.moving & ~finite
        self.last_latent = torch.where(lost[:, None], self.best_latent, self.last_latent)
        self.moving = self.moving & finite
        better = self.moving & (misfit < self._best)
        self._now = torch.where(self.moving, misfit, self._now)
        self._best = torch.where(better, misfit, self._best)
        self.best_latent = torch.where(better[:, None], latents, self.best_latent)
        self.moving = self.moving & ~(misfit <= self.enough)
        going_on = bool(self.moving.any())
        # Where nobody goes on, what is left of the curves is level.
        columns = slice(iteration, iteration + 1) if going_on else slice(iteration, None)
        self.misfit[:, columns] = self._now.cpu()[:, None]
        return going_on

    def move(self, latents: Tensor) -> Tensor:
        """Take latents `(n, d)` after an update; return them with those at rest where they were."""
        self.moving = self.moving & latents.isfinite().all(1)
        self.last_latent = torch.where(self.moving[:, None], latents, self.last_latent)
        return self.last_latent


@checked()
def check_start(start: Tensor, data: Tensor) -> None:
    """Check latents `(n, d)` against data `(n, n_data)`.

    Raises
    ------
    ValueError
        If shapes do not go together or an entry is not finite.
    """
    _checks.shape("start", start, (None, None), "Flatten each latent to one row.")
    _checks.shape("data", data, (len(start), None), "Give each start its row of data.")
    for name, value in (("start", start), ("data", data)):
        if not value.is_floating_point():
            raise TypeError(f"{name} must be a floating-point tensor; got {value.dtype}. Use {name}.double().")


def data_of(predictions: Tensor, data: Tensor) -> Tensor:
    """Return predictions if they are of the data's shape; ValueError if the two do not go together."""
    _checks.shape("predictions", predictions, data.shape, "Simulate what the data were measured of.")
    return predictions


@checked("residual", residual=(None, None))
def root_mean_square(residual: Tensor) -> Tensor:
    """Return the root mean squares `(n,)` of rows; summed in float64, whose order of summing is not felt in float32."""
    return residual.double().square().mean(1).sqrt().to(residual.dtype)


@checked("models")
def threshold(models: Tensor) -> Tensor:
    r"""Return models cut at 0.5 to zeros and ones, whose gradient is that of the uncut model.

    With it the derivative of :math:`\|d - A s(m)\|^2` that reaches the generator is :math:`-2 A^T (d - A s)\, ds/dm` at
    the binary slowness: the published adjoint.

    References
    ----------
    Laloy et al. (2019), equation 15, where the second transpose is a misprint.
    """
    return models + ((models >= 0.5).to(models.dtype) - models).detach()


@checked("latents", latents=(None, None), rule=CLIPPING, draws=(None, None))
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
    _checks.shape("draws", draws, latents.shape, "Draw a number for each component.")
    if rule == "released" and latents.shape[1] < 2:
        raise ValueError("latents must have two components at least for the rule released; got one. Take another rule.")
    if rule == "stochastic":
        return torch.where(latents.abs() > 1, draws, latents)
    if rule == "standard":
        return latents.clamp(-1, 1)
    if rule == "released":
        high = torch.where(latents > 1, draws[:, :1], latents)
        return torch.where(high < -1, draws[:, 1:2], high)
    return latents


@checked(rate=(0, None), clipping=CLIPPING)
def adam(
    simulate: Simulate,
    data: Tensor,
    start: Tensor,
    draws: Tensor,
    *,
    rate: float = 0.01,
    clipping: str = "stochastic",
    enough: Tensor | None = None,
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
    enough : Tensor, shape (n,), optional
        Misfits at which starts rest: their `misfit` then stays the last. They keep their places and are computed in
        vain until all rest, which ends the search.

    Returns
    -------
    Search

    Raises
    ------
    ValueError
        If shapes do not go together, a value is not finite or the rule is unknown.

    Notes
    -----
    One forward and one backward pass for each iteration, all of the same shape; an update acts on each start alone.

    References
    ----------
    Laloy et al. (2019), equation 14 and section 3.4; Kingma and Ba (2015).
    """
    check_start(start, data)
    _checks.shape("draws", draws, (len(start), None, start.shape[1]), "Draw one row for each start and iteration.")
    with taking_gradients():
        search = Search(start, draws.shape[1], enough)
        latent = start.detach().clone().requires_grad_(True)
        optimizer = torch.optim.Adam([latent], lr=rate)
        bar = steps(0, draws.shape[1], "strategy 1")
        for iteration in bar:
            residual = data_of(simulate(latent), data) - data
            (latent.grad,) = torch.autograd.grad(residual.square().sum(), latent)
            going_on = search.add(iteration, root_mean_square(residual.detach()), latent.detach())
            bar.set_postfix_str(search.standing, refresh=False)
            if not going_on:
                break
            optimizer.step()
            with torch.no_grad():
                latent.copy_(search.move(clip(latent, clipping, draws[:, iteration])))
    return search


@checked("normal")
def to_uniform(normal: Tensor) -> Tensor:
    r"""Return uniform numbers in (-1, 1) of standard-normal ones, :math:`z = 2\Phi(\xi) - 1`.

    References
    ----------
    Laloy et al. (2019), equation 10.
    """
    return torch.erf(normal / math.sqrt(2))


@checked("uniform")
def to_normal(uniform: Tensor) -> Tensor:
    """Return standard-normal numbers of uniform ones in (-1, 1); the inverse of `to_uniform`."""
    if not (uniform.abs() < 1).all():
        raise ValueError("uniform must lie within (-1, 1); it does not. Draw it anew.")
    return math.sqrt(2) * torch.erfinv(uniform)
