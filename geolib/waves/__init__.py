"""Acoustic waves on a grid: surveys, wavelets, one time step, and propagation with its gradient."""

from geolib.waves.between import Between, between
from geolib.waves.cell import WaveCell
from geolib.waves.certify import Certificate, certify
from geolib.waves.memory import gradient_bytes
from geolib.waves.propagate import misfit_and_gradient, propagate, workspace_bytes
from geolib.waves.signature import estimate_wavelet
from geolib.waves.survey import Boundary, Grid, Survey, longest_step
from geolib.waves.wavelets import gaussian, ricker

__all__ = [
    "Between",
    "Boundary",
    "Certificate",
    "Grid",
    "Survey",
    "WaveCell",
    "between",
    "certify",
    "estimate_wavelet",
    "gaussian",
    "gradient_bytes",
    "longest_step",
    "misfit_and_gradient",
    "propagate",
    "ricker",
    "workspace_bytes",
]
