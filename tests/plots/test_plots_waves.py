"""What figures of waves show: axes that end where their curve does."""

import numpy as np
import pytest

from geolib.plots import waves


def test_a_wavelet_is_drawn_with_its_spectrum_as_far_as_it_has_energy():
    dt = 1e-3
    a = (np.pi * 10.0 * (np.arange(2000) * dt - 0.2)) ** 2
    figure = waves.wavelet(5 * (1 - 2 * a) * np.exp(-a), dt)
    (time, pulse), (frequency, spectrum) = (ax.lines[0].get_data() for ax in figure.axes)
    assert pulse.max() == spectrum.max() == 1
    assert time[pulse.argmax()] == pytest.approx(0.2) and frequency[spectrum.argmax()] == pytest.approx(10, abs=0.5)
    assert 0.28 < time[-1] < 0.4 and 20 < frequency[-1] < 40


@pytest.mark.parametrize(("spacing", "extent"), [(10.0, (0, 0.3, 0.2, 0)), ((8.0, 10.0), (0, 0.3, 0.16, 0))])
def test_a_model_is_as_large_as_its_rows_and_columns_are_apart(spacing, extent):
    figure = waves.panels({"start": np.full((20, 30), 2000.0)}, spacing=spacing)
    assert figure.axes[0].images[0].get_extent() == pytest.approx(extent)
