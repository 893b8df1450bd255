import numpy as np
import pytest

from geolib import _checks
from geolib.datasets import channels as ti

STRIPES = np.zeros((1, 40, 60), dtype=np.float32)
STRIPES[0, 10:15] = 1
STRIPES[0, 25:30] = 1


def test_procedural_channels_have_the_proportion_asked_for():
    image = ti.procedural_channels((300, 400), np.random.default_rng(0))
    assert image.shape == (300, 400) and set(np.unique(image)) == {0.0, 1.0}
    assert 0.26 <= image.mean() < 0.29
    assert np.array_equal(image, ti.procedural_channels((300, 400), np.random.default_rng(0)))


def test_procedural_channels_run_along_x_and_are_connected():
    image = ti.procedural_channels((300, 400), np.random.default_rng(1))[None]
    # Along a channel facies change slowly, across quickly.
    assert ti.variogram(image, 5, 2)[0, -1] < 0.7 * ti.variogram(image, 5, 1)[0, -1]
    assert 6 < ti.channel_width(image)[0] < 16
    assert ti.components(image)[0] < 12


def test_a_missing_file_gives_a_procedural_image(monkeypatch):
    monkeypatch.setattr(ti.fetch, "locate", lambda name: None)
    image, origin = ti.load(np.random.default_rng(0), size=200)
    assert image.shape == (200, 200) and "procedural" in origin


@pytest.mark.real_data
def test_the_published_image():
    image, origin = ti.load(np.random.default_rng(0))
    assert image.shape == (2500, 2500) and image.dtype == np.float32 and "published" in origin
    assert image.mean() == pytest.approx(0.2593, abs=5e-5)


def test_patches_are_windows_of_the_image():
    image = np.arange(100.0).reshape(10, 10)
    cut = ti.patches(image, (3, 4), 20, np.random.default_rng(0))
    assert cut.shape == (20, 3, 4)
    # Each window counts on by one along a row and by ten down a column.
    assert np.all(np.diff(cut, axis=2) == 1) and np.all(np.diff(cut, axis=1) == 10)


def test_variogram_of_stripes():
    # Down, each lag h <= 5 meets four edges of h pixels among 40 - h pairs; along, nothing changes.
    expected = [0.5 * 4 * h / (40 - h) for h in range(1, 6)]
    np.testing.assert_allclose(ti.variogram(STRIPES, 5, 1)[0], expected, rtol=1e-6)
    assert not ti.variogram(STRIPES, 5, 2).any()


def test_connectivity_components_and_width_of_stripes():
    assert ti.components(STRIPES)[0] == 2
    assert ti.channel_width(STRIPES)[0] == 5
    curve = ti.connectivity(STRIPES, 16, 1)[0]
    # Up to lag 4 both pixels lie in one stripe; from 11 on, in different ones; none of the lags between meets two.
    assert np.all(curve[:4] == 1) and np.all(curve[10:] == 0) and np.all(np.isnan(curve[4:10]))


def test_pattern_histogram_counts_patterns():
    found = ti.pattern_histogram(STRIPES, 2)
    assert found.sum() == pytest.approx(1)
    # Rows (0, 0) and (1, 1) within, (0, 1) and (1, 0) across the four edges: 27 + 8 + 2 + 2 of 39 rows.
    np.testing.assert_allclose(found[[0, 15, 12, 3]], np.array([27, 8, 2, 2]) / 39)


def test_quality_is_zero_for_the_reference_itself_and_not_for_noise():
    image = ti.procedural_channels((300, 300), np.random.default_rng(2))
    reference = ti.patches(image, (65, 65), 30, np.random.default_rng(3))
    shares = ("vertical", "horizontal", "connectivity", "patterns", "proportion", "greyness")
    found = ti.quality(reference, reference, 20)
    assert [found[name] for name in shares] == pytest.approx([0] * 6, abs=1e-9)
    noise = np.random.default_rng(4).random(reference.shape)
    found = ti.quality(noise, reference, 20)
    assert sum(abs(found[name]) for name in shares) > 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: _checks.binary_image("image", np.zeros((3, 3, 3))), r"image must have two axes"),
        (lambda: _checks.binary_image("image", np.full((3, 3), 0.5)), "image must hold zeros and ones; got 0.5"),
        (lambda: ti.patches(np.zeros((5, 5)), (6, 2), 1, np.random.default_rng(0)), "size must fit into the image"),
        (
            lambda: ti.procedural_channels((50, 50), np.random.default_rng(0), proportion=0.9),
            "proportion must be between",
        ),
        (lambda: ti.pattern_histogram(STRIPES, 5), "side must be between 2 and 4"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    "call",
    [
        lambda image: ti.quality(np.stack([image]), image),
        lambda image: ti.quality(image, np.stack([image])),
        lambda image: ti.variogram(image, 3, 1),
        lambda image: ti.connectivity(image, 3, 1),
        ti.components,
        ti.channel_width,
        ti.pattern_histogram,
    ],
)
def test_one_image_is_no_stack_of_images(call):
    with pytest.raises(ValueError, match=r"must have shape \(n, nz, nx\); got \(.*\)\. Give one image as"):
        call(STRIPES[0])
    with pytest.raises(ValueError, match=r"images must not be empty; got shape \(0, 40, 60\)\."):
        ti.components(STRIPES[:0])
    with pytest.raises(ValueError, match=r"image must have shape \(any, any\); got \(1, 40, 60\)\. Take one channel"):
        ti.patches(STRIPES, (5, 5), 2, np.random.default_rng(0))
