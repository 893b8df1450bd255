"""Sources and receivers between grid points, against grids whose points they lie on."""

import dataclasses

import pytest
import torch

from geolib.waves import (
    Boundary,
    Grid,
    Survey,
    between,
    gradient_bytes,
    misfit_and_gradient,
    propagate,
    ricker,
    shots,
)

AROUND = Boundary("absorbing", "absorbing", "absorbing", width=12, velocity=2000.0, frequency=10.0)


def made(shape, boundary, *, nt=60, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    low, high = torch.tensor([4.0] * len(shape)), torch.tensor(shape) - 6.0

    def places(n):
        return low + (high - low) * torch.rand(2, n, len(shape), generator=generator, dtype=torch.float64)

    amplitudes = torch.randn(2, 2, nt, generator=generator, dtype=dtype).requires_grad_()
    nowhere = [torch.zeros(2, n, len(shape), dtype=torch.int64) for n in (2, 3)]
    survey = Survey(Grid(shape, 10.0), 1e-3, nt, *nowhere, amplitudes, boundary)
    return survey, between(survey, places(2), places(3))


@pytest.mark.parametrize("order", [2, 8])
@pytest.mark.parametrize("shape", [(30,), (14, 17)])
def test_dot_product_in_the_source(shape, order):
    survey, moved = made(shape, AROUND)
    generator = torch.Generator().manual_seed(1)
    velocity = 2500 + 300 * torch.randn(shape, generator=generator, dtype=torch.float64)
    data = propagate(velocity, moved, space_order=order)
    weights = torch.randn(data.shape, generator=generator, dtype=torch.float64)
    (adjoint,) = torch.autograd.grad((data * weights).sum(), survey.source_amplitudes)
    scale = float((data * weights).abs().sum())
    told = float((survey.source_amplitudes.detach() * adjoint).sum())
    assert float((data * weights).sum()) == pytest.approx(told, abs=1e-13 * scale)


def test_taylor_remainder_has_slope_two():
    _, moved = made((14, 17), AROUND)
    generator = torch.Generator().manual_seed(1)
    velocity, step = 2500 + 300 * torch.randn(2, 14, 17, generator=generator, dtype=torch.float64)
    observed = torch.zeros(2, 3, 60, dtype=torch.float64)
    misfit, gradient = misfit_and_gradient(velocity, moved, observed)
    remainders = []
    for size in (1e-3, 5e-4):
        there, _ = misfit_and_gradient(velocity + size * (step - 2500), moved, observed)
        remainders.append(abs(float(there - misfit) - size * float((gradient * (step - 2500)).sum())))
    assert remainders[0] / remainders[1] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_places_on_grid_points_are_grid_points_to_the_last_bit(dtype):
    survey, _ = made((14, 17), AROUND, dtype=dtype)
    sources, receivers = torch.tensor([[[0, 0], [5, 6]]] * 2), torch.tensor([[[13, 16], [4, 4], [7, 0]]] * 2)
    exact = dataclasses.replace(survey, source_locations=sources, receiver_locations=receivers)
    moved = between(survey, sources, receivers)
    assert torch.equal(moved.receiver_locations, receivers)
    velocity = torch.full((14, 17), 2500.0, dtype=dtype)
    data = propagate(velocity, exact)
    assert torch.equal(propagate(velocity, moved), data)
    observed = 0.3 * data.detach().flip(1)
    pairs = zip(*(misfit_and_gradient(velocity, each, observed) for each in (exact, moved)), strict=True)
    assert all(torch.equal(a, b) for a, b in pairs)


def test_the_memory_of_a_gradient_has_the_points_traces():
    survey, moved = made((14, 17), AROUND, nt=1000)
    assert moved.points("receiver")[0].shape == (2, 3, 64, 2) and survey.points("receiver")[0].shape == (2, 3, 1, 2)
    along = between(survey, torch.full((2, 2, 2), 5.0), torch.tensor([5.0, 6.5]).expand(2, 3, 2))
    assert along.points("receiver")[0].shape == (2, 3, 8, 2)
    # Each thread records, adds up and spreads the 8 or 64 points of 3 receivers, and those of 2 sources likewise.
    more = [gradient_bytes(each) - gradient_bytes(survey) for each in (along, moved)]
    samples = [3 * (3 * 8 - 1), 3 * (3 * 64 - 1) + 2 * (2 * 64)]
    threads = min(2, torch.get_num_threads())
    assert more == [pytest.approx(threads * each * 1000 * 8, rel=0.05) for each in samples]


@pytest.mark.parametrize("shape", [(30,), (14, 17)])
def test_both_backends_and_groups_of_shots_say_the_same(shape):
    _, moved = made(shape, AROUND)
    generator = torch.Generator().manual_seed(1)
    velocity = 2500 + 300 * torch.randn(shape, generator=generator, dtype=torch.float64)
    data = propagate(velocity, moved).detach()
    scale = float(data.abs().max())
    torch.testing.assert_close(propagate(velocity, moved, backend="eager").detach(), data, rtol=0, atol=1e-13 * scale)
    found = misfit_and_gradient(velocity, moved, data.flip(1))
    by_network = misfit_and_gradient(velocity, moved, data.flip(1), backend="eager")
    torch.testing.assert_close(found, by_network, rtol=1e-12, atol=1e-13 * float(found[1].abs().max()))
    torch.testing.assert_close(shots.misfit_and_gradient(velocity, moved, data.flip(1)), found)
    one = moved.of_shots(slice(1, 2))
    torch.testing.assert_close(propagate(velocity, one).detach(), data[1:], rtol=0, atol=1e-14 * scale)


@pytest.mark.parametrize("top", ["absorbing", "free"])
def test_half_a_cell_is_a_shift_of_the_grid(top):
    """In an earth that is the same everywhere, waves do not change; a free side stays, and the shift is along it."""
    wavelet = ricker(12.0, 1e-3, 300, dtype=torch.float64).expand(1, 1, -1)
    edge = dataclasses.replace(AROUND, top=top)
    shape = (40, 50)
    velocity = torch.full(shape, 2000.0, dtype=torch.float64)
    # The points of the last one lie in the layer too, where the wave has hardly begun to fade.
    survey = Survey(Grid(shape, 10.0), 1e-3, 300, [[[6, 10]]], [[[6, 30], [20, 20], [20, 0]]], wavelet, edge)
    expected = propagate(velocity, survey, space_order=8)
    by = torch.tensor([0.0, 0.5]) if top == "free" else torch.tensor([0.5, 0.5])
    moved = between(survey, survey.source_locations + by, survey.receiver_locations + by)
    found = propagate(velocity, moved, space_order=8)
    # Each of the sums over 8 points, of source and receiver along two axes, is right to half a per cent.
    error = (found - expected).norm(dim=-1) / expected.norm(dim=-1)
    assert float(error.max()) < 2e-2, error
    unmoved = propagate(velocity, between(survey, survey.source_locations + by, survey.receiver_locations))
    assert float((unmoved - expected).norm() / expected.norm()) > 0.05


def test_near_a_free_side_the_wavefield_is_turned_over():
    """On a grid of half the spacing the same places are points; the free surface lies one spacing above the first."""
    nt, wavelet = 300, ricker(12.0, 1e-3, 300, dtype=torch.float64).expand(1, 1, -1)
    edge = dataclasses.replace(AROUND, top="free")
    fine = Survey(Grid((159,), 5.0), 1e-3, nt, [[[2]]], [[[60], [4]]], wavelet / 5.0, edge)
    coarse = Survey(Grid((79,), 10.0), 1e-3, nt, [[[0]]], [[[0], [0]]], wavelet / 10.0, edge)
    expected = propagate(torch.full((159,), 2000.0, dtype=torch.float64), fine, space_order=8)
    # Row i of the fine grid lies at (i + 1) 5 m, row j of the coarse one at (j + 1) 10 m.
    moved = between(coarse, [[[0.5]]], [[[29.5], [1.5]]])
    found = propagate(torch.full((79,), 2000.0, dtype=torch.float64), moved, space_order=8)
    # 2.2 % is seen, of the sums and of dispersion; without the turned weights it is much more.
    assert float((found - expected).norm() / expected.norm()) < 3e-2


def test_what_cannot_be_between_is_refused():
    survey, _ = made((14, 17), AROUND)
    inside = torch.full((2, 2, 2), 5.5)
    thin = dataclasses.replace(survey, boundary=dataclasses.replace(AROUND, width=2))
    with pytest.raises(ValueError, match=r"receivers must not need points beyond an absorbing layer; it is 2 wide"):
        between(thin, inside, torch.full((2, 3, 2), 0.5))
    with pytest.raises(ValueError, match=r"sources must lie on the grid of shape \(14, 17\); got \(13\.5, 5\.5\)"):
        between(survey, inside + torch.tensor([8.0, 0.0]), torch.full((2, 3, 2), 5.5))
    with pytest.raises(ValueError, match=r"sources must have shape \(2, 2, 2\)"):
        between(survey, inside[:1], torch.full((2, 3, 2), 5.5))
    moved = between(survey, inside, torch.full((2, 3, 2), 1.5))
    with pytest.raises(TypeError, match=r"observed must be torch\.float64 as velocity is; got torch\.float32\."):
        misfit_and_gradient(torch.full((14, 17), 2500.0, dtype=torch.float64), moved, torch.zeros(2, 3, 60))
