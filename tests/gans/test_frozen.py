import copy

import numpy as np
import pytest
import torch

from geolib import paths
from geolib.gans import _kernels as kernels
from geolib.gans import sgan
from geolib.gans.frozen import Frozen


def latents(n, rows=5, columns=3, dtype=torch.float64):
    return torch.rand(n, 1, rows, columns, generator=torch.Generator().manual_seed(1), dtype=dtype) * 2 - 1


def network(width=4, dtype=torch.float64):
    made = sgan.Generator(width).to(dtype)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in made.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=dtype) * 0.2)
    return made


def image_and_gradient(function, z):
    inner = z.clone().requires_grad_(True)
    image = function(inner)
    weights = torch.randn(image.shape, generator=torch.Generator().manual_seed(2), dtype=image.dtype)
    return image.detach(), torch.autograd.grad((image * weights).sum(), inner)[0]


@pytest.mark.parametrize(("rows", "columns"), [(5, 3), (2, 4), (2, 1)])
def test_images_and_gradients_are_the_networks(rows, columns):
    plain, z = network(), latents(3, rows, columns)
    ours, theirs = image_and_gradient(Frozen(plain), z), image_and_gradient(plain, z)
    # The same sums in another order: some thousand terms of order one in float64, a gradient of order 100.
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-10)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-8, atol=1e-8)


def test_the_shipped_generator_in_single_and_in_reduced_precision():
    plain = sgan.load_weights(paths.results() / "latent_inversion-sgan32.safetensors")
    z = latents(4, dtype=torch.float32)
    exact = copy.deepcopy(plain).double()(z.double())
    # Sums of a few thousand numbers of single precision, one after the other where torch takes them in blocks: 1e-7
    # times a few hundred at the worst pixel, tenfold less on average.
    error = (Frozen(plain)(z) - exact).abs()
    assert error.max() < 5e-4 and error.mean() < 5e-6
    gap = (Frozen(plain, torch.bfloat16)(z) - exact).abs().mean().item()
    assert 1e-5 < gap < 0.02


def test_an_image_does_not_depend_on_its_company():
    frozen, z = Frozen(network(dtype=torch.float32)), latents(5, dtype=torch.float32)
    together = image_and_gradient(frozen, z)[0]
    # Other batch sizes let oneDNN sum in another order.
    torch.testing.assert_close(frozen(z[2:3])[0], together[2], rtol=0, atol=1e-4)


def test_normalisation_and_its_adjoint():
    rng = np.random.default_rng(0)
    x, weights = rng.standard_normal((2, 3, 35, 6))
    features = torch.from_numpy(x).requires_grad_(True)
    planes = features.transpose(1, 2).unsqueeze(2)
    expected = torch.nn.functional.instance_norm(torch.relu(planes))[:, :, 0].transpose(1, 2)
    moments, out, slope = np.empty((3, 2, 6)), np.empty_like(x), np.empty_like(x)
    kernels.normalise(x, moments, out)
    np.testing.assert_allclose(out, expected.detach(), atol=1e-12)
    kernels.normalise_adjoint(x, moments, weights, slope)
    (gradient,) = torch.autograd.grad((expected * torch.from_numpy(weights)).sum(), features)
    np.testing.assert_allclose(slope, gradient, atol=1e-12)
