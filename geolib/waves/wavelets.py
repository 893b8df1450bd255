"""Source wavelets."""

from __future__ import annotations

import math

import torch

from geolib import _checks
from geolib._arguments import checked


@checked(frequency=(1e-9, None, "Hz"), dt=(1e-15, None, "s"), nt=(1, None))
def ricker(
    frequency: float, dt: float, nt: int, delay: float | None = None, *, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Return a Ricker wavelet, (1 - 2 a) exp(-a) with a = (pi f (t - delay))^2.

    Parameters
    ----------
    frequency : float
        Frequency of the spectral peak, Hz.
    dt : float
        Time step, s.
    nt : int
        Number of samples, the first at time zero.
    delay : float, optional
        Time of the peak, s; 1.5 / frequency without it, where the wavelet starts below 1e-8.
    dtype : torch.dtype
        Type of the samples.

    Returns
    -------
    (nt,) tensor
        Samples without unit, largest value 1.
    """
    a = _phase(math.pi, frequency, dt, nt, 1.5 if delay is None else delay * frequency)
    return ((1 - 2 * a) * torch.exp(-a)).to(_floating(dtype))


@checked(frequency=(1e-9, None, "Hz"), dt=(1e-15, None, "s"), nt=(1, None))
def gaussian(
    frequency: float, dt: float, nt: int, delay: float | None = None, *, dtype: torch.dtype = torch.float32
) -> torch.Tensor:
    """Return a Gaussian pulse, exp(-a) with a = (pi f (t - delay))^2, the scaled second antiderivative of `ricker`.

    Parameters
    ----------
    frequency : float
        Frequency at which the Ricker wavelet of the same width peaks, Hz; the spectrum falls as exp(-(f/frequency)^2).
    dt : float
        Time step, s.
    nt : int
        Number of samples, the first at time zero.
    delay : float, optional
        Time of the peak, s; 1.5 / frequency without it.
    dtype : torch.dtype
        Type of the samples.

    Returns
    -------
    (nt,) tensor
        Samples without unit, largest value 1.
    """
    a = _phase(math.pi, frequency, dt, nt, 1.5 if delay is None else delay * frequency)
    return torch.exp(-a).to(_floating(dtype))


def _floating(dtype: torch.dtype) -> torch.dtype:
    if not dtype.is_floating_point:
        raise TypeError(f"dtype must be a floating-point type; got {dtype}. Take torch.float32, say.")
    return dtype


def _phase(scale: float, frequency: float, dt: float, nt: int, periods: float) -> torch.Tensor:
    frequency = _checks.number("frequency", frequency, low=1e-9, unit="Hz")
    dt = _checks.number("dt", dt, low=1e-15, unit="s")
    nt = _checks.integer("nt", nt, low=1)
    t = torch.arange(nt, dtype=torch.float64) * dt
    return (scale * (frequency * t - _checks.number("delay", periods))) ** 2
