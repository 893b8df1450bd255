import numpy as np
import pytest

from geolib import geostatistics
from geolib import training_images as ti


def test_the_envelope_holds_windows_of_its_own_image_and_not_those_of_another():
    rng = np.random.default_rng(0)
    image = ti.procedural_channels((600, 600), rng)
    envelope = geostatistics.bootstrap_envelope(image, (64, 64), 20, rng, blocks=4, windows=5, repeats=200, lags=10)
    assert envelope["proportion"].shape == (2,) and envelope["vertical"].shape == (2, 10)
    assert (envelope["vertical"][0] <= envelope["vertical"][1]).all()
    # 39 of 40 means lie inside by construction; one sample of twenty windows may miss a statistic or two.
    own = geostatistics.judged(ti.patches(image, (64, 64), 20, rng), envelope, 10)
    assert np.mean([share for _, share in own.values()]) > 0.6
    other = geostatistics.judged(ti.patches(image.T, (64, 64), 20, rng), envelope, 10)
    assert other["vertical"][1] == other["horizontal"][1] == 0
    noise = geostatistics.judged((rng.random((20, 64, 64)) < 0.26).astype(np.float32), envelope, 10)
    assert noise["components"][1] == 0 and noise["components"][0] > 10 * envelope["components"][1]


def test_the_envelope_of_means_narrows_with_their_number():
    rng = np.random.default_rng(1)
    image = ti.procedural_channels((600, 600), rng)
    widths = []
    for n in (4, 64):
        low, high = geostatistics.bootstrap_envelope(image, (64, 64), n, rng, blocks=3, windows=4, lags=2)["proportion"]
        widths.append(high - low)
    assert widths[1] < 0.8 * widths[0]


def test_kept_libraries_agree_on_variogram_and_bodies():
    gstools = pytest.importorskip("gstools")
    measure = pytest.importorskip("skimage.measure")
    image = ti.procedural_channels((90, 80), np.random.default_rng(2))
    for axis, direction in ((1, "x"), (2, "y")):
        theirs = gstools.vario_estimate_axis(image.astype(float), direction=direction)
        np.testing.assert_allclose(ti.variogram(image[None], 10, axis)[0], theirs[1:11], rtol=1e-5)
    assert ti.components(image[None])[0] == measure.label(image, connectivity=1).max()
