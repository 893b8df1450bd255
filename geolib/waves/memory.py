"""The memory that a gradient takes, told before it is computed."""

from __future__ import annotations

import math

import torch

from geolib._arguments import checked
from geolib.waves._trial import SHOTS
from geolib.waves.cell import padded_shape
from geolib.waves.propagate import workspace_bytes
from geolib.waves.survey import Survey


@checked(space_order=...)
def gradient_bytes(survey: Survey, *, space_order: int = 2) -> int:
    """Return the bytes that the fused backend takes for one gradient of a survey, on torch's number of threads.

    Parameters
    ----------
    survey : Survey
        Grid, boundaries, time steps, sources and receivers.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.

    Returns
    -------
    int
        Bytes: what each thread works in (`workspace_bytes`), the image of each shot, and the points and weights of
        places between grid points. Observed gathers come on top.
    """
    threads = min(survey.n_shots, torch.get_num_threads())
    images = survey.n_shots * math.prod(padded_shape(survey)) * survey.source_amplitudes.element_size()
    places = sum(sum(part.nbytes for part in survey.points(place)) for place in ("source", "receiver"))
    return threads * workspace_bytes(survey, space_order=space_order) + images + places


@checked(space_order=...)
def certificate_bytes(survey: Survey, *, space_order: int = 2) -> int:
    """Return the bytes that `certify` takes for a survey, observed gathers apart.

    Parameters
    ----------
    survey : Survey
        Grid, boundaries, time steps, sources and receivers.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.

    Returns
    -------
    int
        Bytes: a gradient in float64 of the shots that are tried, and models, gradients, steps and traces of each.
    """
    rows = torch.arange(min(SHOTS, survey.n_shots))
    tried = survey.of_shots(rows, source_amplitudes=survey.source_amplitudes[rows].double())
    # Steps are of five kinds of cells at least. Counted are arrays of float64 that are alive together.
    models = 14 * max(len(rows), 5) * math.prod(survey.grid.shape)
    traces = 12 * len(rows) * survey.receiver_locations.shape[1] * survey.nt
    return gradient_bytes(tried, space_order=space_order) + 8 * (models + traces)
