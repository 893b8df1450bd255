"""The source signature of a survey, estimated from its gathers."""

from __future__ import annotations

import torch

from geolib import _checks
from geolib._arguments import checked, tensor
from geolib.waves.propagate import propagate
from geolib.waves.survey import Survey

#: A trace's first arrival is where the modelled one first has this share of its largest amplitude.
_ARRIVED = 0.02
#: Of the strongest frequency's energy, what is added to all: it keeps noise out where there is no signal.
_WATER = 1e-3
#: Each round filters what is modelled by what the rounds before have found, so that windows cut both alike.
_ROUNDS = 4


@checked(periods=(0.5, None), space_order=...)
def estimate_wavelet(
    velocity: torch.Tensor,
    survey: Survey,
    observed: torch.Tensor,
    *,
    periods: float = 3.0,
    space_order: int = 2,
    backend: str = "fused",
) -> torch.Tensor:
    r"""Return the one source wavelet with which a model explains the first arrivals best, by least squares.

    At each frequency :math:`S = S_0 \sum \bar{g} d / (\sum |g|^2 + \epsilon)`, where g is modelled with the wavelet
    :math:`S_0`, d is observed, and the sum is over all live traces, cut to their direct wave or first arrival.

    Parameters
    ----------
    velocity : ``grid.shape`` or ``(n_shots, *grid.shape)`` tensor
        Velocity, m/s, right where the first arrivals run.
    survey : Survey
        Its amplitudes are the wavelet that modelling starts from, one for all sources: a Ricker wavelet of about the
        data's frequency. Frequencies that it has not are not estimated.
    observed : (n_shots, n_receivers, nt) tensor
        Observed gathers; a trace of zeros is dead and does not count.
    periods : float
        Length of the window behind the modelled first arrival, in periods of the survey's mean frequency.
    space_order : {2, 4, 6, 8}
        Order of the spatial differences.
    backend : {"fused", "eager"}
        As for `propagate`.

    Returns
    -------
    (nt,) tensor
        The wavelet in the units of the source amplitudes; what would come before the survey's first sample is cut.

    Raises
    ------
    TypeError, ValueError
        As `propagate`; also if the observed data do not fit the survey, all are zero, or amplitudes differ or are zero.

    Notes
    -----
    One forward and some transforms. Errors of the model between source and receivers, and of the statics, go into the
    wavelet; scatter of the traces about it averages out.

    References
    ----------
    Pratt (1999), Geophysics 64, equation 17.
    """
    tensor("observed", observed, (*survey.receiver_locations.shape[:2], survey.nt))
    amplitudes, nt = survey.source_amplitudes, survey.nt
    first = amplitudes[0, 0]
    if not first.any() or not (amplitudes == first).all():
        raise ValueError("source_amplitudes must be one wavelet for all sources; they are not. Expand one.")
    alive = observed.abs().amax(-1, keepdim=True) > 0
    if not alive.any():
        raise ValueError("observed must hold a live trace; all are zero. Check the gathers.")
    with torch.no_grad():
        made = propagate(velocity, survey, space_order=space_order, backend=backend).double() * alive
        window = _window(made, periods / (survey.mean_frequency * survey.dt))
        wanted = torch.fft.rfft(window * observed.double(), 2 * nt)
        ratio = torch.ones_like(wanted[0, 0])
        clean = torch.fft.rfft(made, 2 * nt)
        for _ in range(_ROUNDS):
            now = torch.fft.irfft(ratio * clean, 2 * nt)[..., :nt]
            g = torch.fft.rfft(window * now, 2 * nt)
            energy = g.abs().square().sum((0, 1))
            ratio = ratio * (g.conj() * wanted).sum((0, 1)) / (energy + _WATER * energy.max())
        found = torch.fft.irfft(ratio * torch.fft.rfft(first.double(), 2 * nt), 2 * nt)[:nt]
    _checks.finite("the estimated wavelet", found, "Check the gathers and the velocity.")
    return found.to(first.dtype)


def _window(made: torch.Tensor, length: float) -> torch.Tensor:
    """Return weights (n_shots, n_receivers, nt): one from each first arrival on, smoothly to zero about `length`."""
    arrived = made.abs() >= _ARRIVED * made.abs().amax(-1, keepdim=True).clamp_min(1e-300)
    after = torch.arange(made.shape[-1], device=made.device) - arrived.double().argmax(-1, keepdim=True)
    rise, fall = (after / (length / 3) + 1).clamp(0, 1), ((length - after) / (length / 3) + 1).clamp(0, 1)
    smooth = [(1 - torch.cos(torch.pi * part)) / 2 for part in (rise, fall)]
    return smooth[0] * smooth[1]
