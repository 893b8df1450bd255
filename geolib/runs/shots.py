"""The misfit of a survey and its gradient with the shots spread over processes or a Dask cluster."""

from __future__ import annotations

import dataclasses
from typing import Any

import torch

from geolib import _checks, waves
from geolib.runs import scheduler
from geolib.waves.survey import space_order_of


def misfit_and_gradient(
    velocity: torch.Tensor,
    survey: waves.Survey,
    observed: torch.Tensor,
    *,
    at_once: int = 1,
    address: Any = None,
    jobs: int = 1,
    space_order: int = 2,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what `waves.misfit_and_gradient` returns, computed by groups of shots.

    Parameters
    ----------
    velocity : grid.shape tensor
        Velocity, m/s.
    survey : Survey
        Grid, time step, boundaries, sources and receivers.
    observed : (n_shots, n_receivers, nt) tensor
        Observed shot gathers.
    at_once : int
        Shots of a group; each group is one task.
    address : str or distributed.Client, optional
        Where tasks go, as for `scheduler.unordered`; an inversion, which calls this often, passes a client.
    jobs : int
        Processes on this machine, as for `scheduler.unordered`.
    space_order : {2, 4}
        Order of the spatial differences.

    Returns
    -------
    misfit : scalar tensor
        J, in squared units of u.
    gradient : grid.shape tensor
        dJ/dv, per m/s.

    Raises
    ------
    TypeError, ValueError
        If `at_once` is less than 1; otherwise as `waves.misfit_and_gradient`.

    Notes
    -----
    Groups are added in their order, which is not that in which workers bring them. A task takes the model and the data
    of its shots over the network and brings one gradient back.
    """
    at_once = _checks.integer("at_once", at_once, low=1)
    space_order = space_order_of(space_order)
    survey.check_velocity(velocity, space_order)
    _checks.shape("velocity", velocity, survey.grid.shape, "Give one model for all shots.")
    # Before they are cut: a slice would leave surplus shots unseen.
    _checks.shape("observed", observed, (*survey.receiver_locations.shape[:2], survey.nt), "Record the same survey.")
    # Without graphs, which cannot be sent; and every group has the layer of the whole survey.
    velocity, (speed, frequency) = velocity.detach(), survey.tuning
    boundary, tasks = dataclasses.replace(survey.boundary, velocity=speed, frequency=frequency), []
    for first in range(0, survey.n_shots, at_once):
        part = slice(first, first + at_once)
        names = ("source_locations", "receiver_locations", "source_amplitudes")
        parts = {name: getattr(survey, name)[part].detach().clone() for name in names}
        mine = dataclasses.replace(survey, boundary=boundary, **parts)
        tasks.append((velocity, mine, observed[part].detach().clone(), space_order))
    found = dict(scheduler.unordered(_group, tasks, address=address, jobs=jobs))
    misfit, gradient = velocity.new_zeros(()), torch.zeros_like(velocity)
    for index, (_, mine, _, _) in enumerate(tasks):
        share = mine.n_shots / survey.n_shots  # the misfit is a mean over shots
        misfit, gradient = misfit + share * found[index][0], gradient + share * found[index][1]
    return misfit, gradient


def _group(
    velocity: torch.Tensor, survey: waves.Survey, observed: torch.Tensor, space_order: int
) -> tuple[torch.Tensor, torch.Tensor]:
    return waves.misfit_and_gradient(velocity, survey, observed, space_order=space_order)
