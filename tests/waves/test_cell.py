"""The recurrent cell and what it is built from."""

import numpy as np
import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from geolib.waves import Boundary, Grid, Survey, WaveCell, propagate, ricker
from geolib.waves.absorbing import layers
from geolib.waves.cell import pad, padded_index, padded_shape


def make(shape=(3, 4), boundary=None, nt=30, spacing=40.0):
    amplitudes = ricker(4.0, 5e-3, nt, dtype=torch.float64)[None, None]
    places = [[[n - 1 for n in shape]]]
    return Survey(Grid(shape, spacing), 5e-3, nt, places, places, amplitudes, boundary or Boundary(width=2))


def test_padding_repeats_the_outermost_values():
    model = torch.arange(12.0).view(3, 4)
    expected = torch.tensor(
        [
            [0, 0, 0, 1, 2, 3, 3, 3],
            [4, 4, 4, 5, 6, 7, 7, 7],
            [8, 8, 8, 9, 10, 11, 11, 11],
            [8, 8, 8, 9, 10, 11, 11, 11],
            [8, 8, 8, 9, 10, 11, 11, 11],
        ],
        dtype=torch.float32,
    )
    assert torch.equal(pad(model, make()), expected)
    assert torch.equal(pad(model.expand(2, 3, 4), make()), expected.expand(2, 5, 8))
    assert padded_shape(make()) == (5, 8)
    upside_down = Boundary("absorbing", "free", "free", width=1)
    assert torch.equal(pad(model, make(boundary=upside_down)), torch.cat((model[:1], model)))


def test_locations_point_at_their_cell_in_the_padded_grid():
    survey = make()
    numbers = torch.arange(12.0).view(3, 4)
    for row in range(3):
        for column in range(4):
            index = padded_index(torch.tensor([[[row, column]]]), survey)
            assert pad(numbers, survey).flatten()[index] == numbers[row, column]


def test_the_layer_has_no_effect_inside_the_grid():
    for layer, n in zip(layers(make((6, 9))), (6, 9), strict=True):
        before = 0 if n == 6 else 2
        for coefficient in layer[:2]:
            assert (coefficient[before : before + n] == 0).all()
        for coefficient in layer[2:]:
            assert (coefficient[before + 1 : before + n] == 0).all()
        assert (layer.gain <= 0).all()
        assert ((layer.decay >= 0) & (layer.decay < 1)).all()


def test_the_cell_unrolled_is_propagation():
    survey = make((6, 9))
    velocity = torch.linspace(1500, 3000, 54, dtype=torch.float64).view(6, 9)
    cell = WaveCell(nn.Parameter(velocity), survey)
    assert [name for name, _ in cell.named_parameters()] == ["velocity"]
    state, records = cell.start(), []
    for step in range(survey.nt):
        record, state = cell(survey.source_amplitudes[..., step], state)
        records.append(record)
    assert torch.equal(torch.stack(records, -1), propagate(velocity, survey, backend="eager"))
    # The newest field holds the last sample at the receiver: the lowest right corner of the grid.
    assert state.now[0, 5, 2 + 8] == records[-1][0, 0]


def test_one_step_is_the_difference_equation():
    survey = make((5, 6), Boundary("free", "free", "free"))
    generator = torch.Generator().manual_seed(0)
    now, before = torch.randn(2, 1, 5, 6, generator=generator, dtype=torch.float64)
    velocity = 2000 + 100 * torch.randn(5, 6, generator=generator, dtype=torch.float64)
    cell = WaveCell(velocity, survey)
    source = torch.tensor([[0.7]], dtype=torch.float64)
    _, state = cell(source, cell.start()._replace(now=now, before=before))
    u = torch.zeros(7, 8, dtype=torch.float64)
    u[1:-1, 1:-1] = now[0]
    laplacian = (u[2:, 1:-1] + u[:-2, 1:-1] + u[1:-1, 2:] + u[1:-1, :-2] - 4 * u[1:-1, 1:-1]) / 40.0**2
    laplacian[4, 5] -= 0.7
    expected = velocity**2 * survey.dt**2 * laplacian + 2 * now[0] - before[0]
    torch.testing.assert_close(state.now[0], expected, rtol=0, atol=1e-14)
    assert torch.equal(state.before, now)


def one_step(order, now, spacing=40.0):
    """Return h^2 times the Laplacian of a wavefield at rest, h = 40 m, on a grid that is free on all sides."""
    survey = make(now.shape, Boundary("free", "free", "free"), spacing=spacing)
    velocity = torch.full(now.shape, 2000.0, dtype=torch.float64)
    cell = WaveCell(velocity, survey, order)
    _, state = cell(torch.zeros(1, 1, dtype=torch.float64), cell.start()._replace(now=now[None], before=now[None]))
    return (state.now[0] - now) / (2000.0 * survey.dt / 40.0) ** 2


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize(
    ("shape", "spacing"), [((3,), 40.0), ((11,), 40.0), ((3, 4), 40.0), ((9, 10), 40.0), ((9, 10), (50.0, 64.0))]
)
def test_the_differences_are_those_of_their_order(order, shape, spacing):
    """Against the weights that Taylor's series demands; beyond the free surface the wavefield is turned over."""
    reach = order // 2
    offsets = np.arange(-reach, reach + 1)
    powers = np.arange(order + 1)
    weights = np.linalg.solve(offsets[None].astype(float) ** powers[:, None], 2.0 * (powers == 2))
    now = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = np.zeros(shape)
    for axis, n in enumerate(shape):
        zero = np.zeros_like(now.numpy().take([0], axis))
        once = np.concatenate([zero, now, zero, -np.flip(now.numpy(), axis)], axis)  # goes on with period 2 (n + 1)
        for offset, weight in zip(offsets, weights, strict=True):
            moved = once.take(np.arange(1, n + 1) + offset, axis, mode="wrap")
            expected += weight * moved * (40.0 / np.broadcast_to(spacing, len(shape))[axis]) ** 2
    np.testing.assert_allclose(one_step(order, now, spacing).numpy(), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_a_standing_wave_s_error_falls_with_the_order(order):
    """Five half waves between two free ends; their curvature is known, and no time step adds an error of its own."""
    lengths, errors = np.array([20, 24, 30, 36]), []
    for n in lengths:
        phase = 5 * np.pi / n
        wave = torch.from_numpy(np.sin(phase * np.arange(1, n)))
        curvature = one_step(order, wave)
        eigenvalue = float(curvature @ wave / (wave @ wave))
        torch.testing.assert_close(curvature, eigenvalue * wave, rtol=0, atol=1e-13)  # up to the free ends
        errors.append(abs(eigenvalue / -(phase**2) - 1))
    slope = -np.polyfit(np.log(lengths), np.log(errors), 1)[0]
    # Where the error falls to a third or less, the next term of the series bends the fit by up to 0.16.
    assert slope == pytest.approx(order, abs=0.2)


def test_every_side_may_be_of_another_kind():
    left, right = (
        make(boundary=Boundary("free", kinds, "absorbing", width=2))
        for kinds in (("absorbing", "free"), ("free", "absorbing"))
    )
    assert left.boundary.padding(2) == ((0, 2), (2, 0)) and right.boundary.padding(2) == ((0, 2), (0, 2))


def test_the_cell_stays_on_the_device_of_its_velocity():
    """Tensors that only pretend to be on a device: mixing in one of another device is an error here too."""
    survey = make()
    assert survey.tuning[1] > 0  # once found it is kept; pretended tensors have no values to find it from
    with torch.no_grad(), FakeTensorMode(allow_non_fake_inputs=True):
        velocity = torch.full((3, 4), 2000.0, dtype=torch.float64, device="cuda")
        cell = WaveCell(velocity, survey)
        record, state = cell(torch.zeros(1, 1, dtype=torch.float64, device="cuda"), cell.start())
    found = (record, state.now, state.before, *sum(state.memory, ()))
    assert {tensor.device.type for tensor in found} == {"cuda"}
