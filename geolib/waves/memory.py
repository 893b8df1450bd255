"""The memory that a gradient takes, told before it is computed."""

from __future__ import annotations

import math

import torch

from geolib._arguments import checked
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
