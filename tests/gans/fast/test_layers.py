import pytest
import torch
from torch import nn

from geolib.gans import losses, wgan
from geolib.gans.fast import layers


class Plain(nn.Module):
    """The critic's weights in PyTorch's own layers."""

    def __init__(self, critic):
        super().__init__()
        self.critic = critic

    def forward(self, traces):
        values = traces
        for part in (self.critic.features, self.critic.head):
            for layer in part:
                if isinstance(layer, nn.Conv1d):
                    values = torch.conv1d(values, layer.weight, layer.bias, padding=layer.taps // 2)
                else:
                    values = nn.functional.leaky_relu(values, layers.LEAKY_SLOPE)
            values = values.transpose(1, 2)
        return values.flatten()


@pytest.fixture(scope="module")
def critic():
    made = wgan.make_critic(0.2, rng=torch.Generator().manual_seed(1)).double()
    for parameter in made.parameters():
        parameter.data.add_(0.01)  # biases start at zero, which would hide a wrong one
    return made


def draw(*shape):
    return torch.randn(*shape, dtype=torch.float64, generator=torch.Generator().manual_seed(len(shape)))


@pytest.mark.parametrize(("channels", "filters", "taps"), [(1, 5, 3), (5, 1, 3), (4, 6, 3), (4, 6, 5), (7, 3, 1)])
def test_values_and_all_first_derivatives_are_those_of_pytorch(channels, filters, taps):
    layer = layers.Convolution(channels, filters, taps).double()
    found = []
    for function in (layer, lambda x: torch.conv1d(x, layer.weight, layer.bias, padding=taps // 2)):
        values = draw(3, channels, 11).requires_grad_()
        made = function(values)
        found.append((made, *torch.autograd.grad(made.square().sum(), (values, layer.weight, layer.bias))))
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-12, atol=1e-12)  # sums of at most 33 products in float64


@pytest.mark.parametrize("weighed", [(True, True), (True, False), (False, True)])
def test_a_derivative_is_right_whatever_else_is_asked_for(weighed):
    layer = layers.Convolution(3, 4, 3).double()
    values = draw(2, 3, 9).requires_grad_(weighed[0])
    layer.weight.requires_grad_(weighed[1])
    asked = [x for x, wanted in ((values, weighed[0]), (layer.weight, weighed[1])) if wanted]
    ours = torch.autograd.grad(layer(values).square().sum(), asked)
    theirs = torch.autograd.grad(torch.conv1d(values, layer.weight, layer.bias, padding=1).square().sum(), asked)
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)


def test_a_gradient_penalty_gives_the_gradients_that_pytorch_gives(critic):
    real, fake = draw(4, 1, 499), draw(4, 1, 499).flip(2)
    found = []
    for network in (critic, Plain(critic)):
        loss = network(fake).mean() - network(real).mean()
        loss = loss + 10 * losses.gradient_penalty(network, real, fake, torch.Generator().manual_seed(2))
        gradients = torch.autograd.grad(loss, list(critic.parameters())[:-1])  # the last bias cancels out
        found.append((loss.detach(), *gradients))
    for ours, theirs in zip(*found, strict=True):
        # The largest entries are near 1e6; both sum about 1e5 products in float64.
        torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9 * theirs.abs().max().item())


def test_the_double_derivative_is_exact_by_finite_differences():
    layer = layers.Convolution(2, 3, 3).double()
    kink = layers.Kink()

    def slope(values, weight):
        layer.weight.data.copy_(weight.detach())
        made = torch.func.functional_call(layer, {"weight": weight}, (values,))
        (gradient,) = torch.autograd.grad(kink(made).square().sum(), values, create_graph=True)
        return gradient

    values, weight = draw(1, 2, 6).requires_grad_(), draw(3, 2, 3).requires_grad_()
    assert torch.autograd.gradcheck(slope, (values, weight))


def test_a_kink_has_no_second_derivative_and_the_slopes_it_should():
    values = torch.tensor([-2.0, 3.0], requires_grad=True)
    (first,) = torch.autograd.grad(layers.Kink()(values).sum(), values, create_graph=True)
    assert first.tolist() == pytest.approx([layers.LEAKY_SLOPE, 1.0])
    assert not first.requires_grad or torch.autograd.grad(first.sum(), values, allow_unused=True)[0] is None


@pytest.mark.parametrize(("channels", "filters", "taps"), [(1, 5, 3), (5, 1, 3), (4, 6, 3), (7, 3, 1)])
def test_all_second_derivatives_are_those_of_pytorch(channels, filters, taps):
    torch.manual_seed(2)  # the layer draws its weights from the global stream
    layer, kink = layers.Convolution(channels, filters, taps).double(), layers.Kink()
    inputs = draw(2, channels, 7), layer.weight.detach().clone(), layer.bias.detach().clone()

    def ours(values, weight, bias):
        return kink(torch.func.functional_call(layer, {"weight": weight, "bias": bias}, (values,))).square().sum()

    def theirs(values, weight, bias):
        made = torch.conv1d(values, weight, bias, padding=taps // 2)
        return nn.functional.leaky_relu(made, layers.LEAKY_SLOPE).square().sum()

    found, expected = (torch.autograd.functional.hessian(f, inputs) for f in (ours, theirs))
    assert min(block.abs().max() for row in expected for block in row) > 0.1
    for row, right in zip(found, expected, strict=True):
        for a, b in zip(row, right, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)  # sums of at most some hundred products
