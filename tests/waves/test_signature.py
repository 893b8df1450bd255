"""The source wavelet that gathers tell of: found where it is known, with noise, in a model that is not right."""

import numpy as np
import pytest
import torch

from geolib.datasets.velocity import smooth
from geolib.waves import Boundary, Grid, Survey, estimate_wavelet, propagate, ricker

DT, NT = 1e-3, 700
DEPTH, X = np.mgrid[:40, :60]
TRUTH = 1800.0 + 12.0 * DEPTH + 400.0 * (np.hypot((DEPTH - 22) / 8, (X - 30) / 12) < 1)
SOURCES = [[[2, column]] for column in (8, 30, 52)]
RECEIVERS = [[[2, column] for column in range(2, 60, 4)]] * 3


def survey(wavelet):
    amplitudes = wavelet.expand(3, 1, NT)
    return Survey(Grid(TRUTH.shape, 10.0), DT, NT, SOURCES, RECEIVERS, amplitudes, Boundary())


def turned(frequency, angle):
    """A Ricker wavelet whose phase is turned: of no known form, and not symmetric."""
    spectrum = torch.fft.rfft(ricker(frequency, DT, NT, 0.2).double()) * np.exp(1j * angle)
    return torch.fft.irfft(spectrum, NT).float()


def alike(found, true):
    found, true = found.double(), true.double()
    return float((found * true).sum() / found.norm() / true.norm())


@pytest.fixture(scope="module")
def observed():
    return propagate(torch.from_numpy(TRUTH).float(), survey(3 * turned(9.0, 1.0)), space_order=4)


@pytest.mark.numeric
@pytest.mark.parametrize(("model", "noise", "least"), [("true", 0, 0.999), ("smooth", 0, 0.998), ("smooth", 2, 0.995)])
def test_the_true_wavelet_is_found(observed, model, noise, least):
    velocity = torch.from_numpy(TRUTH if model == "true" else smooth(TRUTH, 8.0)).float()
    data = observed + noise * observed[..., 300:].std() * torch.randn(
        observed.shape, generator=torch.Generator().manual_seed(0)
    )
    data[1, 3] = 0
    found = estimate_wavelet(velocity, survey(ricker(8.0, DT, NT)), data, space_order=4)
    true = 3 * turned(9.0, 1.0)
    assert alike(ricker(9.0, DT, NT, 0.2), true) < 0.6  # what no estimate would be
    assert alike(found, true) > least
    assert float(found.norm() / true.norm()) == pytest.approx(1, abs=0.02)


def test_what_cannot_be_estimated_is_refused(observed):
    velocity, right = torch.from_numpy(TRUTH).float(), survey(ricker(8.0, DT, NT))
    with pytest.raises(ValueError, match=r"observed must hold a live trace; all are zero"):
        estimate_wavelet(velocity, right, torch.zeros_like(observed))
    with pytest.raises(ValueError, match=r"observed must have shape \(3, 15, 700\)"):
        estimate_wavelet(velocity, right, observed[:2])
    for wrong in (survey(torch.zeros(NT)), Survey(**{**vars(right), "source_amplitudes": torch.rand(3, 1, NT)})):
        with pytest.raises(ValueError, match=r"source_amplitudes must be one wavelet for all sources"):
            estimate_wavelet(velocity, wrong, observed)
