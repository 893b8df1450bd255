"""The recurrent cell and what it is built from."""

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from geolib.waves import Boundary, Grid, Survey, WaveCell, propagate, ricker
from geolib.waves.absorbing import layers
from geolib.waves.cell import pad, padded_index, padded_shape


def make(shape=(3, 4), boundary=None, nt=30):
    amplitudes = ricker(4.0, 5e-3, nt, dtype=torch.float64)[None, None]
    places = [[[n - 1 for n in shape]]]
    return Survey(Grid(shape, 40.0), 5e-3, nt, places, places, amplitudes, boundary or Boundary(width=2))


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
