"""Patches of an image, and their statistics with known answers."""

import math

import pytest
import torch

from geolib.datasets import patches


def source(seed=0):
    return torch.Generator().manual_seed(seed)


def test_patches_without_rotation_are_crops():
    ramp = torch.arange(40.0).repeat(40, 1) / 40
    batch = patches.patches(ramp, 5, 8, spacing=2.0, rng=source())
    steps = batch[..., 1:] - batch[..., :-1]
    assert torch.allclose(steps, torch.full_like(steps, 2 / 40), atol=1e-5)
    assert torch.allclose(batch[:, :, 0], batch[:, :, -1], atol=1e-5)


@pytest.mark.parametrize("degrees", [-60, -20, 0, 35, 80])
def test_orientation_is_the_angle_a_patch_was_turned_by(degrees):
    z = torch.arange(300.0)
    stripes = torch.sin(2 * math.pi * z / 40)[:, None].repeat(1, 300)
    angle = torch.full((6,), math.radians(degrees))
    batch = patches.patches(stripes, 6, 32, spacing=2.0, angles=angle, rng=source())
    found = patches.orientation(batch)
    gap = torch.remainder(found - angle + math.pi / 2, math.pi) - math.pi / 2
    assert gap.abs().max() < math.radians(1.5)  # central differences shorten the steeper slope


def test_a_featureless_patch_has_no_orientation():
    assert patches.orientation(torch.ones(2, 1, 16, 16)).isnan().all()


def test_patches_refuse_an_image_that_is_too_small():
    with pytest.raises(ValueError, match=r"image must be larger than 64 pixels for patches of 32 at spacing 2"):
        patches.patches(torch.zeros(50, 50), 1, 32, spacing=2.0, rng=source())


def test_proportion_reads_the_share_of_channel():
    patch = torch.full((1, 1, 4, 4), -1.0)
    patch[..., 0, :] = 1
    assert patches.proportion(patch).item() == 0.25
