import copy

import numpy as np
import pytest
import torch

from geolib.gans import sgan
from geolib.gans.fast import _kernels as kernels
from geolib.gans.fast import narrow
from geolib.gans.fast.inference import Frozen
from geolib.runs import paths
from tests.gans.test_sgan import latents, trained_like


def image_and_gradient(function, z):
    inner = z.clone().requires_grad_(True)
    image = function(inner)
    # The same for every image.
    weights = torch.randn(image.shape[1:], generator=torch.Generator().manual_seed(2), dtype=image.dtype)
    return image.detach(), torch.autograd.grad((image * weights).sum(), inner)[0]


@pytest.mark.parametrize(("rows", "columns"), [(5, 3), (2, 4), (2, 1)])
def test_images_and_gradients_are_the_networks(rows, columns):
    plain, z = trained_like(dtype=torch.float64), latents(3, rows, columns, torch.float64)
    ours, theirs = image_and_gradient(Frozen(plain), z), image_and_gradient(plain, z)
    # The same sums in another order: some thousand terms of order one in float64, a gradient of order 100.
    torch.testing.assert_close(ours[0], theirs[0], rtol=0, atol=1e-10)
    torch.testing.assert_close(ours[1], theirs[1], rtol=1e-8, atol=1e-8)


def test_the_shipped_generator_in_single_and_in_reduced_precision():
    plain = sgan.load_weights(paths.results() / "latent_inversion-sgan32.safetensors")
    z = latents(4)
    exact = copy.deepcopy(plain).double()(z.double())
    # Sums of a few thousand numbers of single precision, one after the other where torch takes them in blocks: 1e-7
    # times a few hundred at the worst pixel, tenfold less on average.
    error = (Frozen(plain)(z) - exact).abs()
    assert error.max() < 5e-4 and error.mean() < 5e-6
    gap = (Frozen(plain, torch.bfloat16)(z) - exact).abs().mean().item()
    assert 1e-5 < gap < 0.02


@pytest.mark.parametrize(("precision", "worst"), [(torch.float32, 5e-6), (torch.bfloat16, 0.02)])
def test_images_of_a_batch_are_those_of_single_latents_to_round_off(precision, worst):
    # How a library sums may change with the size of a batch: the error allowed is that against double precision.
    network = sgan.load_weights(paths.results() / "latent_inversion-sgan32.safetensors")
    frozen, z = Frozen(network, precision), latents(5)
    image, gradient = image_and_gradient(frozen, z)
    for row in range(5):
        alone = image_and_gradient(frozen, z[row : row + 1])
        assert (alone[0] - image[row : row + 1]).abs().mean() < worst
        gap = (alone[1] - gradient[row : row + 1]).norm() / gradient[row].norm()
        assert gap < (1e-3 if precision == torch.float32 else 0.2)


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


@pytest.mark.parametrize("scalar", [lambda image: image.square().sum(), lambda image: image.atanh().sum()])
def test_second_derivatives_are_right_in_the_network_and_refused_when_frozen(scalar):
    fixed, z = trained_like(dtype=torch.float64).requires_grad_(False), latents(2, 2, 2, torch.float64)
    learning = copy.deepcopy(fixed).requires_grad_(True)  # PyTorch's own layers
    found = torch.autograd.functional.hessian(lambda x: scalar(fixed(x)), z)
    expected = torch.autograd.functional.hessian(lambda x: scalar(learning(x)), z)
    # Entries of 1e4 and more: the same sums in another order.
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))
    with pytest.raises(NotImplementedError, match=r"first one in reverse mode; got a second one\. Use the network its"):
        torch.autograd.functional.hessian(lambda x: scalar(Frozen(fixed)(x)), z)


def test_a_network_of_which_a_part_learns_has_that_part_s_gradient():
    network, z = trained_like(dtype=torch.float64), latents(2, 2, 2, torch.float64)
    network.requires_grad_(True)
    expected = torch.autograd.grad(network(z).sum(), network.widen.weight)[0]
    network.merge.requires_grad_(False)
    found = torch.autograd.grad(network(z).sum(), network.widen.weight)[0]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12 * float(expected.abs().max()))
    with pytest.raises(ValueError, match=r"weight must be fixed; got one that requires a gradient\. Use"):
        narrow.one_to_many(torch.ones(1, 1, 3, 3), torch.ones(1, 2, 5, 5, requires_grad=True), 6, 3)
