"""How a variant's patches are compared with real ones."""

import numpy as np
import pytest
import torch

from geolib.datasets import channels, patches
from geolib.studies.gan_101 import variants as units


def source(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def picture():
    binary = channels.procedural_channels((200, 200), np.random.default_rng(0))
    return torch.from_numpy(2 * binary - 1)


def test_comparison_is_zero_for_equal_sets_and_grows_with_speckle(picture):
    real = patches.patches(picture, 64, 16, spacing=2.0, rng=source())
    assert units.row(real, real) == pytest.approx(np.zeros(4), abs=1e-9)
    noise = torch.where(torch.rand(real.shape, generator=source(1)) < 0.1, -real, real)
    worse = torch.where(torch.rand(real.shape, generator=source(1)) < 0.3, -real, real)
    few, many = units.row(noise, real), units.row(worse, real)
    assert (few[[0, 1, 3]] > 0.005).all() and (many > few).all()
