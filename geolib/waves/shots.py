"""The misfit of a survey and its gradient by groups of shots, which workers may compute side by side."""

from __future__ import annotations

import builtins
import dataclasses
from collections.abc import Callable, Iterable

import torch

from geolib import _checks
from geolib._arguments import checked
from geolib.waves.propagate import misfit_and_gradient as of_all
from geolib.waves.survey import Survey, space_order_of

Task = tuple[torch.Tensor, Survey, torch.Tensor, int]
Result = tuple[torch.Tensor, torch.Tensor]
Map = Callable[[Callable[[Task], Result], list[Task]], Iterable[Result]]


@checked(at_once=(1, None), space_order=...)
def misfit_and_gradient(
    velocity: torch.Tensor,
    survey: Survey,
    observed: torch.Tensor,
    *,
    at_once: int = 1,
    map: Map = builtins.map,
    space_order: int = 2,
) -> Result:
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
    map : callable
        Takes a function and tasks and returns the results in the tasks' order, as Python's own does: that of a pool of
        processes, say, or `functools.partial(geolib.runs.scheduler.in_order, address=client)` for a Dask cluster.
    space_order : {2, 4, 6, 8}
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
    Groups are added in their order, whoever is done first. A task takes the model and the data
    of its shots over the network and brings one gradient back.
    """
    space_order = space_order_of(space_order)
    survey.check_velocity(velocity, space_order)
    _checks.shape("velocity", velocity, survey.grid.shape, "Give one model for all shots.")
    # Before they are cut: a slice would leave surplus shots unseen.
    _checks.shape("observed", observed, (*survey.receiver_locations.shape[:2], survey.nt), "Record the same survey.")
    # Without graphs, which cannot be sent; and every group has the layer of the whole survey.
    velocity, (speed, frequency) = velocity.detach(), survey.tuning
    tasks: list[Task] = []
    boundary = dataclasses.replace(survey.boundary, velocity=speed, frequency=frequency)
    for first in range(0, survey.n_shots, at_once):
        part = slice(first, first + at_once)
        amplitudes = survey.source_amplitudes[part].detach().clone()
        mine = survey.of_shots(part, boundary=boundary, source_amplitudes=amplitudes)
        tasks.append((velocity, mine, observed[part].detach().clone(), space_order))
    misfit, gradient = velocity.new_zeros(()), torch.zeros_like(velocity)
    for (_, mine, _, _), found in zip(tasks, map(_group, tasks), strict=True):
        share = mine.n_shots / survey.n_shots  # the misfit is a mean over shots
        misfit, gradient = misfit + share * found[0], gradient + share * found[1]
    return misfit, gradient


def _group(task: Task) -> Result:
    velocity, survey, observed, space_order = task
    return of_all(velocity, survey, observed, space_order=space_order)
