import functools

import gstools
import numpy as np
import pytest
from skimage import measure

from geolib.datasets import channels as ti
from geolib.metrics import facies


def test_the_envelope_holds_windows_of_its_own_image_and_not_those_of_another():
    rng = np.random.default_rng(0)
    image = ti.procedural_channels((600, 600), rng)
    few = functools.partial(facies.statistics, lags=10)
    means = facies.block_means(image, (64, 64), 20, rng, measure=few, blocks=4, windows=5, repeats=200)
    envelope = facies.envelope_of(means)
    assert envelope["proportion"].shape == (2,) and envelope["vertical"].shape == (2, 10)
    assert (envelope["vertical"][0] <= envelope["vertical"][1]).all()
    # 39 of 40 means lie inside by construction; one sample of twenty windows may miss a statistic or two.
    own = facies.judged(ti.patches(image, (64, 64), 20, rng), envelope, few)
    assert np.mean([share for _, share in own.values()]) > 0.6
    other = facies.judged(ti.patches(image.T, (64, 64), 20, rng), envelope, few)
    assert other["vertical"][1] == other["horizontal"][1] == 0
    noise = facies.judged((rng.random((20, 64, 64)) < 0.26).astype(np.float32), envelope, few)
    assert noise["components"][1] == 0 and noise["components"][0] > 10 * envelope["components"][1]


def test_the_envelope_of_means_narrows_with_their_number():
    rng = np.random.default_rng(1)
    image = ti.procedural_channels((600, 600), rng)
    widths = []
    for n in (4, 64):
        means = facies.block_means(image, (64, 64), n, rng, blocks=3, windows=4)
        low, high = facies.envelope_of(means)["proportion"]
        widths.append(high - low)
    assert widths[1] < 0.8 * widths[0]


def test_kept_libraries_agree_on_variogram_and_bodies():
    image = ti.procedural_channels((90, 80), np.random.default_rng(2))
    for axis, direction in ((1, "x"), (2, "y")):
        theirs = gstools.vario_estimate_axis(image.astype(float), direction=direction)
        np.testing.assert_allclose(ti.variogram(image[None], 10, axis)[0], theirs[1:11], rtol=1e-5)
    assert ti.components(image[None])[0] == measure.label(image, connectivity=1).max()


def test_the_fitted_range_is_that_of_a_known_variogram():
    lags = np.arange(1, 61)
    for scale in (8.0, 33.0):
        within = np.minimum(lags / scale, 1)
        curve = 0.2 * (1.5 * within - 0.5 * within**3)
        assert facies.fitted_range(curve) == pytest.approx(scale, rel=1e-3)
        assert facies.fitted_range(list(curve)) == pytest.approx(scale, rel=1e-3)
    # Neighbours without any likeness: the sill is there at once.
    assert facies.fitted_range(np.full(40, 0.2)) < 1.01


@pytest.mark.parametrize(
    ("variogram", "message"),
    [
        (np.ones(9), r"variogram must have one axis of at least 10 lags; got shape \(9,\)"),
        (np.ones((2, 40)), r"variogram must have one axis of at least 10 lags; got shape \(2, 40\)"),
        (np.arange(40.0), "variogram must reach a sill within its 40 lags; it does not"),
        (np.zeros(40), "variogram must reach a sill within its 40 lags; it does not"),
        (np.full(40, np.nan), "variogram must be finite"),
    ],
)
def test_variograms_without_a_range_are_refused(variogram, message):
    with pytest.raises(ValueError, match=message):
        facies.fitted_range(variogram)


def test_shapes_of_bars_a_ring_and_nothing():
    bars = np.zeros((60, 60))
    bars[18:25], bars[35:42] = 1, 1
    ring = np.zeros((60, 60))
    ring[15:45, 15:45] = 1
    ring[22:38, 22:38] = 0
    found = facies.shapes(np.stack([bars, ring, np.zeros((60, 60))]), 5)
    assert found["Euler number"].tolist() == [2, 0, 0]
    assert found["width across"][0] == pytest.approx(7.5)  # bars of seven rows, to half a pixel
    bars[25], bars[42] = 1, 1
    assert facies.shapes(bars[None], 5)["width across"][0] == pytest.approx(7.5)  # and of eight
    assert np.isnan(found["width across"][2]) and found["components"].tolist() == [2, 1, 0]
    with pytest.raises(ValueError, match=r"images must have more than 24 rows and columns; got \(24, 60\)"):
        facies.shapes(np.zeros((2, 24, 60)))


def test_ties_of_the_medial_axis_are_broken_alike_every_time():
    image = ti.procedural_channels((300, 300), np.random.default_rng(5))
    windows = ti.patches(image, (100, 100), 6, np.random.default_rng(6))
    first, second = (facies.shapes(windows, 3)["width across"] for _ in range(2))
    np.testing.assert_array_equal(first, second)


def test_block_means_of_shapes_hold_those_of_statistics():
    image = ti.procedural_channels((400, 400), np.random.default_rng(3))
    plain, more = (
        facies.block_means(
            image,
            (64, 64),
            5,
            np.random.default_rng(4),
            measure=functools.partial(each, lags=6),
            blocks=2,
            windows=2,
            repeats=20,
        )
        for each in (facies.statistics, facies.shapes)
    )
    assert set(more) - set(plain) == {"Euler number", "width across"}
    for name, values in plain.items():
        np.testing.assert_array_equal(values, more[name])
