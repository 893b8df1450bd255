"""The fused backend against the eager one, and the gradient against its definition."""

import dataclasses
import importlib

import numpy as np
import pytest
import torch

from geolib.waves import Boundary, Grid, Survey, misfit_and_gradient, propagate, workspace_bytes

# The package's attribute of this name is the function.
module = importlib.import_module("geolib.waves.propagate")

pytestmark = pytest.mark.filterwarnings("ignore:spacing should give")

BOUNDARIES = {
    "free": Boundary("free", "free", "free"),
    "marine": Boundary("free", "absorbing", "absorbing", width=5, velocity=2500.0, frequency=20.0),
    "turned": Boundary("absorbing", ("free", "absorbing"), "free", width=4, velocity=2500.0),
    "absorbing": Boundary("absorbing", "absorbing", "absorbing", width=6, velocity=2500.0),
}


def random_survey(shape, boundary, *, nt=70, seed=0, dtype=torch.float64, spacing=10.0):
    """White-noise sources and scattered positions: nothing is symmetric, nothing cancels."""
    generator = torch.Generator().manual_seed(seed)

    def locations(n):
        return torch.stack([torch.randint(0, m, (3, n), generator=generator) for m in shape], -1)

    amplitudes = torch.randn(3, 2, nt, generator=generator, dtype=dtype)
    return Survey(Grid(shape, spacing), 1e-3, nt, locations(2), locations(4), amplitudes, boundary)


def random_model(shape, *, seed=1, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return 2500 + 300 * torch.randn(shape, generator=generator, dtype=dtype)


def random_data(survey, seed=2):
    generator = torch.Generator().manual_seed(seed)
    shape = (*survey.receiver_locations.shape[:2], survey.nt)
    return torch.randn(shape, generator=generator, dtype=survey.source_amplitudes.dtype)


@pytest.fixture(params=["kept", "checkpointed"])
def memory(request, monkeypatch):
    """Each gradient is tested with all steps kept, and with checkpoints."""
    if request.param == "checkpointed":
        monkeypatch.setattr(module, "STORE_ALL", 0)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("order", [2, 4, 6, 8])
# The smallest grids are smaller than the layer's strips, and on (3, 4), where nearly all cells lie at an edge, the
# difference of order 8 mirrors all points; (20, 33) has an interior on both axes.
@pytest.mark.parametrize("shape", [(7,), (40,), (3, 4), (6, 5), (20, 33)])
def test_fused_and_eager_agree(shape, order, boundary, memory):
    both_agree(random_survey(shape, BOUNDARIES[boundary]), order)


@pytest.mark.parametrize("boundary", BOUNDARIES)
@pytest.mark.parametrize("order", [2, 8])
@pytest.mark.parametrize("shape", [(3, 4), (20, 33)])
def test_fused_and_eager_agree_on_rectangular_cells(shape, order, boundary, memory):
    both_agree(random_survey(shape, BOUNDARIES[boundary], spacing=(12.0, 9.0)), order)


def both_agree(survey, order):
    shape = survey.grid.shape
    survey.source_amplitudes.requires_grad_()
    # Orders 4 and 8 have a model for each shot, 2 and 6 one for all.
    velocity = random_model((3, *shape) if order % 4 == 0 else shape).requires_grad_()
    weights = random_data(survey)
    found = {}
    for backend in ("eager", "fused"):
        data = propagate(velocity, survey, space_order=order, backend=backend)
        gradients = torch.autograd.grad((data * weights).sum(), (velocity, survey.source_amplitudes))
        fit = misfit_and_gradient(velocity, survey, weights, space_order=order, backend=backend)
        found[backend] = (data.detach(), *gradients, *fit)
    for eager, fused in zip(found["eager"], found["fused"], strict=True):
        assert fused.shape == eager.shape
        # 70 steps in float64 accumulate 1e-15 to 4e-14 of the largest value, in another order of operations.
        torch.testing.assert_close(fused, eager, rtol=0, atol=1e-12 * float(eager.abs().max()))


def test_single_precision_agrees_to_its_own_rounding():
    survey = random_survey((20, 33), BOUNDARIES["marine"], dtype=torch.float32)
    velocity = random_model((20, 33), dtype=torch.float32)
    double = Survey(
        survey.grid,
        survey.dt,
        survey.nt,
        survey.source_locations,
        survey.receiver_locations,
        survey.source_amplitudes.double(),
        survey.boundary,
    )
    weights = random_data(survey)
    data = propagate(velocity, survey)
    expected = propagate(velocity.double(), double)
    assert data.dtype == torch.float32
    # 70 steps of float32 (6e-8) are 4e-6; twice that much is seen for other seeds.
    torch.testing.assert_close(data.double(), expected, rtol=0, atol=1e-5 * float(expected.abs().max()))
    _, gradient = misfit_and_gradient(velocity, survey, weights)
    _, exact = misfit_and_gradient(velocity.double(), double, weights.double())
    assert gradient.dtype == torch.float32
    torch.testing.assert_close(gradient.double(), exact, rtol=0, atol=2e-5 * float(exact.abs().max()))


@pytest.mark.parametrize("boundary", ["free", "absorbing"])
@pytest.mark.parametrize(
    ("shape", "order", "spacing"),
    [*((shape, order, 10.0) for shape in ((30,), (12, 17)) for order in (2, 4, 6, 8)), ((12, 17), 8, (12.0, 9.0))],
)
def test_dot_product_in_velocity(shape, order, spacing, boundary, memory):
    """<J dv, w> of the eager backend's tangent is <dv, J^T w> of the fused adjoint."""
    survey, velocity = random_survey(shape, BOUNDARIES[boundary], spacing=spacing), random_model(shape)
    step, weights = random_model(shape, seed=5) - 2500, random_data(survey, seed=6)
    _, tangent = torch.func.jvp(
        lambda v: propagate(v, survey, space_order=order, backend="eager"), (velocity,), (step,)
    )
    model = velocity.clone().requires_grad_()
    (adjoint,) = torch.autograd.grad((propagate(model, survey, space_order=order) * weights).sum(), model)
    # Sums of thousands of terms of both signs: 1e-16 of their absolute sum.
    scale = float((tangent * weights).abs().sum())
    assert float((tangent * weights).sum()) == pytest.approx(float((step * adjoint).sum()), abs=1e-13 * scale)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("shape", [(30,), (12, 17)])
def test_dot_product_in_the_source(shape, order, memory):
    """The data are linear in the source: <F a, w> = <a, F^T w> for the fused backend alone."""
    survey, velocity = random_survey(shape, BOUNDARIES["absorbing"]), random_model(shape)
    amplitudes = survey.source_amplitudes.requires_grad_()
    data, weights = propagate(velocity, survey, space_order=order), random_data(survey)
    (adjoint,) = torch.autograd.grad((data * weights).sum(), amplitudes)
    products = (data * weights).detach()
    scale = float(products.abs().sum())
    assert float(products.sum()) == pytest.approx(float((amplitudes.detach() * adjoint).sum()), abs=1e-13 * scale)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("shape", [(30,), (12, 17)])
def test_taylor_remainder_has_slope_two(shape, order):
    survey, velocity = random_survey(shape, BOUNDARIES["marine"]), random_model(shape)
    observed = propagate(random_model(shape, seed=8), survey, space_order=order)
    step = random_model(shape, seed=9) - 2500
    misfit, gradient = misfit_and_gradient(velocity, survey, observed, space_order=order)
    sizes = 1e-2 * 2.0 ** -np.arange(5)
    remainders = []
    for size in sizes:
        moved, _ = misfit_and_gradient(velocity + size * step, survey, observed, space_order=order)
        remainders.append(abs(float(moved - misfit) - size * float((gradient * step).sum())))
    slope = np.polyfit(np.log(sizes), np.log(remainders), 1)[0]
    # The cubic term bends the slope by a few percent; without the gradient it is 1.
    assert slope == pytest.approx(2.0, abs=0.1)


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("shape", [(6,), (4, 5)])
def test_gradcheck(shape, order, memory):
    generator = torch.Generator().manual_seed(0)
    amplitudes = torch.randn(2, 1, 9, generator=generator, dtype=torch.float64).requires_grad_()
    velocity = (2 + torch.rand(shape, generator=generator, dtype=torch.float64)).requires_grad_()
    boundary = Boundary("free", "absorbing", "absorbing", width=3, velocity=2.0, frequency=0.1)
    positions = torch.stack([torch.randint(0, n, (2, 2), generator=generator) for n in shape], -1)

    def traces(velocity, amplitudes):
        survey = Survey(Grid(shape, 1.0), 0.15, 9, positions[:, :1], positions, amplitudes, boundary)
        return propagate(velocity, survey, space_order=order)

    assert torch.autograd.gradcheck(traces, (velocity, amplitudes))


def test_a_pair_of_equal_spacings_is_one_spacing_to_the_last_bit():
    velocity = random_model((12, 17))
    one, pair = (random_survey((12, 17), BOUNDARIES["marine"], spacing=h) for h in (10.0, (10.0, 10.0)))
    assert pair.grid == one.grid
    assert torch.equal(propagate(velocity, one), propagate(velocity, pair))


@pytest.mark.parametrize("order", [2, 8])
def test_depth_and_distance_may_change_places(order):
    """A grid of flat cells turned by a quarter is one of tall cells: the same waves, by other loops."""
    around = BOUNDARIES["absorbing"]
    survey = random_survey((14, 19), around, spacing=(12.0, 9.0))
    turned = dataclasses.replace(
        survey,
        grid=Grid((19, 14), (9.0, 12.0)),
        source_locations=survey.source_locations.flip(-1),
        receiver_locations=survey.receiver_locations.flip(-1),
    )
    velocity = random_model((14, 19))
    found = propagate(velocity, survey, space_order=order)
    other = propagate(velocity.T.contiguous(), turned, space_order=order)
    torch.testing.assert_close(found, other, rtol=0, atol=1e-12 * float(found.abs().max()))


def test_a_shared_model_has_the_sum_of_the_gradients_of_its_copies():
    survey, velocity = random_survey((12, 17), BOUNDARIES["marine"]), random_model((12, 17))
    observed = random_data(survey)
    misfit, gradient = misfit_and_gradient(velocity, survey, observed)
    copies, gradients = misfit_and_gradient(velocity.expand(3, 12, 17), survey, observed)
    assert gradients.shape == (3, 12, 17)
    assert float(misfit) == float(copies)
    torch.testing.assert_close(gradients.sum(0), gradient, rtol=1e-13, atol=0)


def test_checkpoints_change_nothing(monkeypatch):
    survey, velocity = random_survey((20, 33), BOUNDARIES["marine"]), random_model((20, 33))
    kept = misfit_and_gradient(velocity, survey, random_data(survey))
    for segment in (1, 7, 69, 70):
        monkeypatch.setattr(module, "_segment", lambda *_, segment=segment: segment)
        found = misfit_and_gradient(velocity, survey, random_data(survey))
        assert all(torch.equal(a, b) for a, b in zip(kept, found, strict=True))


def test_threads_change_nothing():
    survey, velocity = random_survey((20, 33), BOUNDARIES["marine"]), random_model((20, 33))
    before = torch.get_num_threads()
    found = []
    try:
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            found.append((propagate(velocity, survey), *misfit_and_gradient(velocity, survey, random_data(survey))))
    finally:
        torch.set_num_threads(before)
    for other in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], other, strict=True))


def test_a_kernel_s_error_reaches_the_caller(monkeypatch):
    survey, velocity = random_survey((12, 17), BOUNDARIES["marine"]), random_model((12, 17))

    def fail(self, i):
        raise MemoryError(f"shot {i}")

    monkeypatch.setattr(module._Shots, "_shot", fail)
    with pytest.raises(MemoryError, match="shot 0"):
        propagate(velocity, survey)


def test_memory_grows_as_the_square_root_of_the_steps():
    def workspace(nt):
        survey = random_survey((100, 150), BOUNDARIES["marine"], nt=nt)
        return workspace_bytes(survey) - nt * survey.receiver_locations.shape[1] * 8

    # 16 times the steps: 4 times the checkpoints and kept steps, beside a constant state.
    assert 3.2 < workspace(16 * 1024) / workspace(1024) < 4.1


def test_a_misfit_is_half_the_mean_over_shots_of_the_squared_residual():
    survey, velocity = random_survey((12, 17), BOUNDARIES["marine"]), random_model((12, 17))
    observed = random_data(survey)
    misfit, _ = misfit_and_gradient(velocity, survey, observed)
    expected = float((propagate(velocity, survey) - observed).square().sum()) / (2 * 3)
    assert float(misfit) == pytest.approx(expected, rel=1e-13)


def test_traces_record_the_next_step():
    """A source at the receiver is seen in its own sample: u(dt) = -v^2 dt^2 s(0)."""
    amplitudes = torch.zeros(1, 1, 5, dtype=torch.float64)
    amplitudes[..., 0] = 1.0
    survey = Survey(Grid((9,), 10.0), 1e-3, 5, [[[4]]], [[[4]]], amplitudes)
    for backend in ("eager", "fused"):
        data = propagate(torch.full((9,), 2000.0, dtype=torch.float64), survey, backend=backend)
        assert float(data[0, 0, 0]) == pytest.approx(-((2000.0 * 1e-3) ** 2), rel=1e-15)


def test_sources_in_one_cell_add_up():
    survey, velocity = random_survey((12, 17), BOUNDARIES["marine"]), random_model((12, 17))
    place = survey.source_locations[:, :1]
    both = Survey(
        survey.grid,
        survey.dt,
        survey.nt,
        place.expand(-1, 2, -1),
        survey.receiver_locations,
        survey.source_amplitudes,
        survey.boundary,
    )
    one = Survey(
        survey.grid,
        survey.dt,
        survey.nt,
        place,
        survey.receiver_locations,
        survey.source_amplitudes.sum(1, keepdim=True),
        survey.boundary,
    )
    expected = propagate(velocity, one)
    torch.testing.assert_close(propagate(velocity, both), expected, rtol=0, atol=1e-12 * float(expected.abs().max()))


def five_cells():
    amplitudes = torch.zeros(1, 1, 20, dtype=torch.float64)
    amplitudes[0, 0, 0] = 1e-2
    survey = Survey(Grid((5,), 5.0), 1e-3, 20, [[[1]]], [[[3]]], amplitudes)
    return survey, torch.full((5,), 1500.0, dtype=torch.float64)


def test_second_derivatives_are_right_or_refused():
    survey, velocity = five_cells()

    def energy(model, backend):
        return propagate(model, survey, backend=backend).square().sum()

    found = torch.autograd.functional.hessian(lambda v: energy(v, "eager"), velocity).diagonal()
    # As differences of gradients give it, to the digits of the fault report.
    expected = torch.tensor([-1.03e-8, -5.5e-9, -4.6e-9, -4.6e-9, -1.6e-9], dtype=torch.float64)
    torch.testing.assert_close(found, expected, rtol=0, atol=5e-11)

    message = (
        r"^derivative of the fused backend must be a first one in reverse mode; got a second one\. "
        r"Use backend='eager'\.$"
    )
    with pytest.raises(NotImplementedError, match=message):
        torch.autograd.functional.hessian(lambda v: energy(v, "fused"), velocity)
    # The gradient of a gradient, where another term has a second derivative and the misfit's part would be lost.
    model = velocity.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(energy(model, "fused") + model.pow(3).sum(), model, create_graph=True)
    with pytest.raises(NotImplementedError, match=message):
        torch.autograd.grad(gradient.square().sum(), model)
    # Linear in the data, so that the derivative which comes back has no graph of its own.
    (gradient,) = torch.autograd.grad(propagate(model, survey).sum(), model, create_graph=True)
    with pytest.raises(NotImplementedError, match=message):
        torch.autograd.grad(gradient.sum(), model)


@pytest.mark.parametrize(
    ("transform", "got"),
    [
        (lambda f, v: torch.func.jvp(f, (v,), (v,)), "one in forward mode"),
        (lambda f, v: torch.func.grad(lambda u: torch.func.grad(f)(u).sum())(v), "a second one"),
        (lambda f, v: torch.func.hessian(f)(v), "one in forward mode"),
        (lambda f, v: torch.func.jacrev(lambda u: f(u).expand(2))(v), "a batch of them by vmap"),
    ],
)
def test_derivatives_that_the_kernels_do_not_have_are_refused_in_a_line(transform, got):
    survey, velocity = five_cells()
    with pytest.raises(NotImplementedError, match=rf"reverse mode; got {got}\. Use backend='eager'\.$"):
        transform(lambda v: propagate(v, survey).square().sum(), velocity)


def test_a_gradient_with_a_graph_is_the_gradient_to_the_last_bit():
    survey = random_survey((12, 17), BOUNDARIES["marine"])
    velocity = random_model((12, 17)).requires_grad_()
    plain, graph = (
        torch.autograd.grad(propagate(velocity, survey).square().sum(), velocity, create_graph=kept)[0]
        for kept in (False, True)
    )
    functional = torch.func.grad(lambda v: propagate(v, survey).square().sum())(velocity.detach())
    assert torch.equal(plain, graph.detach()) and torch.equal(plain, functional)


@pytest.mark.parametrize("backend", ["eager", "fused"])
@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_misfit_has_its_gradient_in_every_mode(mode, backend):
    survey, velocity = five_cells()
    observed = torch.ones(1, 1, 20, dtype=torch.float64)
    expected = misfit_and_gradient(velocity, survey, observed, backend=backend)
    with mode():
        found = misfit_and_gradient(velocity.clone(), survey, observed.clone(), backend=backend)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
