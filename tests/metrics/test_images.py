import numpy as np
import pytest
from skimage import metrics

from geolib.metrics import images


@pytest.fixture
def pair():
    rng = np.random.default_rng(0)
    truth = rng.uniform(-1, 1, (32, 40))
    return np.clip(truth + 0.2 * rng.standard_normal(truth.shape), -1, 1), truth


def test_similarity_agrees_with_scikit_image(pair):
    other, truth = pair
    theirs = metrics.structural_similarity(other, truth, data_range=2)
    assert images.ssim(other, truth, 2.0, width=7) == pytest.approx(theirs, rel=1e-9)
    options = {"gaussian_weights": True, "use_sample_covariance": False, "sigma": 1.5, "full": True}
    _, theirs = metrics.structural_similarity(other, truth, data_range=2, **options)
    assert images.ssim(other, truth, 2.0) == pytest.approx(theirs.mean(), rel=1e-9)
    assert images.psnr(other, truth, 2.0) == pytest.approx(metrics.peak_signal_noise_ratio(truth, other, data_range=2))


def test_similarity_knows_identity_noise_and_pairs(pair):
    other, truth = pair
    assert images.ssim(truth, truth, 2.0) == pytest.approx(1, abs=1e-12)
    assert images.ssim(other, truth, 2.0) < images.ssim(truth + 0.1 * (other - truth), truth, 2.0) < 1
    each = [images.ssim(*pair_, 2.0, width=7) for pair_ in ((other, truth), (truth, truth))]
    both = images.ssim(np.stack([other, truth]), np.stack([truth, truth]), 2.0, width=7)
    assert both == pytest.approx(np.mean(each), rel=1e-12)
