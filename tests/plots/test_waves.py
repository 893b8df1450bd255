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


def test_a_fit_is_drawn_by_trace_and_without_dead_ones():
    """Receivers of a well have one x, others are in any order: their number is what tells them apart."""
    observed = np.outer([1.0, 0.0, 2.0], np.sin(np.arange(20.0)))
    figure = waves.fitted(observed, np.ones((3, 20)), 0.01, np.array([True, False, True]))
    shown, _, rest = (np.asarray(ax.images[0].get_array(), dtype=float).T for ax in figure.axes)
    assert np.isnan(shown[1]).all() and np.isnan(rest[1]).all()
    np.testing.assert_allclose(rest[[0, 2]], observed[[0, 2]] - 1)
    assert {ax.get_xlim() for ax in figure.axes} == {(0.5, 3.5)} and figure.axes[0].get_xlabel() == "trace"
    waves.fitted(observed[:1], observed[:1], 0.01)


def test_sources_and_receivers_are_marked_on_the_model_that_is_named():
    models = {name: np.full((20, 30), 2000.0) for name in ("truth", "start")}
    figure = waves.panels(models, places={"start": [np.array([[10.0, 50.0]]), np.array([[5.0, 20.0], [5.0, 80.0]])]})
    assert not figure.axes[0].lines
    source, receivers = figure.axes[1].lines
    np.testing.assert_allclose(source.get_xydata(), [[0.05, 0.01]])
    np.testing.assert_allclose(receivers.get_xydata(), [[0.02, 0.005], [0.08, 0.005]])
