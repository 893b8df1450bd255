"""Agreement with deepwave (the optional dependency [bench]), an independent program for the same equation.

deepwave records u(t) where this package records u(t + dt), so its trace is one sample later; its amplitudes are s.
"""

import warnings

import pytest
import torch

from geolib.waves import Boundary, Grid, Survey, propagate, ricker

deepwave = pytest.importorskip("deepwave")

DT, SPACING = 1e-3, 10.0


def theirs(velocity, survey, order, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return deepwave.scalar(
            velocity,
            SPACING,
            DT,
            source_amplitudes=survey.source_amplitudes,
            source_locations=survey.source_locations,
            receiver_locations=survey.receiver_locations,
            accuracy=order,
            pml_freq=10.0,
            **options,
        )[-1]


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("shape", [(40,), (30, 36)])
def test_data_and_gradient_are_the_same_without_a_layer(shape, order):
    nt = 250
    generator = torch.Generator().manual_seed(0)
    velocity = 2500 + 100 * torch.randn(shape, generator=generator, dtype=torch.float64)
    velocity.requires_grad_()
    receivers = torch.stack([torch.randperm(n, generator=generator)[:8].view(2, 4) for n in shape], -1)
    sources = torch.stack([torch.randint(0, n, (2, 1), generator=generator) for n in shape], -1)
    amplitudes = ricker(15.0, DT, nt, dtype=torch.float64).expand(2, 1, nt)
    survey = Survey(Grid(shape, SPACING), DT, nt, sources, receivers, amplitudes, Boundary("free", "free", "free"))
    ours = propagate(velocity, survey, space_order=order)[..., :-1]
    other = theirs(velocity, survey, order, pml_width=0, boundary="free")[..., 1:]
    # Both accumulate about 1e-14 over 250 steps.
    torch.testing.assert_close(ours, other, rtol=0, atol=1e-12 * float(other.detach().abs().max()))
    weights = torch.randn(ours.shape, generator=generator, dtype=torch.float64)
    gradients = [torch.autograd.grad((data * weights).sum(), velocity)[0] for data in (ours, other)]
    torch.testing.assert_close(*gradients, rtol=0, atol=1e-12 * float(gradients[1].abs().max()))


@pytest.mark.parametrize("width", [10, 20])
@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_the_layer_returns_no_more_than_deepwave_s(order, width):
    nt, far, speed = 500, 65, 2500.0
    shape = (40, 80)
    amplitudes = ricker(10.0, DT, nt, dtype=torch.float64).expand(1, 1, nt)
    sources = torch.tensor([[[2, 5]]])
    receivers = torch.tensor([[[i, j] for i in (2, 35) for j in range(5, 80, 10)]])
    velocity = torch.full(shape, speed, dtype=torch.float64)
    layer = Boundary("absorbing", "absorbing", "absorbing", width=width, velocity=speed, frequency=10.0)
    survey = Survey(Grid(shape, SPACING), DT, nt, sources, receivers, amplitudes, layer)
    large = tuple(n + 2 * far for n in shape)
    wide = Survey(
        Grid(large, SPACING), DT, nt, sources + far, receivers + far, amplitudes, Boundary("free", "free", "free")
    )
    endless = propagate(torch.full(large, speed, dtype=torch.float64), wide, space_order=order)[..., :-1]
    ours = propagate(velocity, survey, space_order=order)[..., :-1]
    other = theirs(velocity, survey, order, pml_width=width, max_vel=speed)[..., 1:]
    returned, allowed = (float((data - endless).square().sum()) for data in (ours, other))
    assert returned < allowed
