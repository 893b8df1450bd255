import pytest
import torch

from geolib.inversion import gauss_newton as gn

MATRIX = torch.randn(30, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def linear(z):
    return z @ MATRIX.T


def curved(z):
    return torch.tanh(z @ MATRIX.T)


def start(n=3, seed=1):
    return torch.randn(n, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_one_step_solves_a_linear_problem_whatever_the_start():
    data = linear(start(seed=2)) + 0.1 * start(3, 5).repeat(1, 6)
    for linearise in (gn.central_differences(linear, 0.1), gn.forward_mode(linear)):
        found = gn.gauss_newton(linearise, data, start(), 1, sigma=0.5, damping=2.0)
        expected = torch.linalg.solve(MATRIX.T @ MATRIX / 0.25 + 2 * torch.eye(5), MATRIX.T @ data.T / 0.25).T
        torch.testing.assert_close(found.last_latent, expected, rtol=1e-9, atol=1e-9)


def test_differences_approach_the_exact_jacobian_as_the_square_of_the_step():
    exact = gn.forward_mode(curved)(start())[1]
    errors = [(gn.central_differences(curved, h)(start())[1] - exact).abs().max().item() for h in (1e-2, 5e-3)]
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.02)


def test_predictions_and_shapes():
    for linearise in (gn.central_differences(curved, 0.1), gn.forward_mode(curved)):
        predictions, jacobian = linearise(start())
        torch.testing.assert_close(predictions, curved(start()))
        assert tuple(jacobian.shape) == (3, 30, 5)


def test_a_curved_problem_converges_and_the_best_is_kept():
    truth = 0.3 * start(seed=4)
    found = gn.gauss_newton(gn.forward_mode(curved), curved(truth), truth + 0.1, 20, sigma=1e-4)
    torch.testing.assert_close(found.best_latent, truth, atol=1e-4, rtol=0)
    assert found.visits.tolist() == [20] * 3
    torch.testing.assert_close(
        (curved(found.best_latent) - curved(truth)).square().mean(1).sqrt(), found.best.double(), rtol=1e-5, atol=1e-9
    )


def test_a_start_rests_once_it_has_enough_and_the_others_do_not_feel_it():
    truth = start(seed=2) / 5
    data = curved(truth) + 0.05 * torch.sin(torch.arange(90.0, dtype=torch.float64)).reshape(3, 30)
    linearise = gn.central_differences(curved, 0.1)
    free = gn.gauss_newton(linearise, data, truth + 0.1, 6)
    enough = torch.tensor([0.0, free.misfit[1, 2], free.misfit[2, 1]])
    assert (free.misfit[1, :2] > enough[1]).all() and free.misfit[2, 0] > enough[2]
    found = gn.gauss_newton(linearise, data, truth + 0.1, 6, enough=enough)
    assert found.visits.tolist() == [6, 3, 2]
    assert torch.equal(found.best_latent[0], free.best_latent[0])
    assert torch.equal(found.misfit[1, 2:], free.misfit[1, 2].expand(4))


def test_the_misfit_has_the_precision_of_the_start():
    for precision in (torch.float32, torch.float64):
        first = start().to(precision)
        found = gn.gauss_newton(gn.forward_mode(lambda z: z), first + 1, first, 2, sigma=1.0)
        assert found.misfit.dtype == precision


def test_levenberg_marquardt_only_ever_descends_and_resumes_its_damping():
    truth = 0.3 * start(seed=4)
    data = curved(truth)
    far = truth + 0.5 * start(seed=6)
    linearise = gn.forward_mode(curved)
    first, misfit, damping = gn.levenberg_marquardt(linearise, curved, data, far, 3)
    assert (misfit < (curved(far) - data).square().mean(1).sqrt()).all()
    torch.testing.assert_close((curved(first) - data).square().mean(1).sqrt(), misfit)
    going_on = gn.levenberg_marquardt(linearise, curved, data, first, 3, damping)
    at_once = gn.levenberg_marquardt(linearise, curved, data, far, 6)
    torch.testing.assert_close(going_on[0], at_once[0])
    _, misfit, _ = gn.levenberg_marquardt(linearise, curved, data, truth + 0.05, 30)
    assert (misfit < 1e-8).all()


def test_levenberg_marquardt_leaves_a_latent_without_effect_alone():
    blind = lambda z: curved(torch.cat([z[:, :4], torch.zeros_like(z[:, 4:])], 1))  # noqa: E731
    found, _, _ = gn.levenberg_marquardt(gn.forward_mode(blind), blind, curved(0.2 * start(seed=4)), start(), 5)
    torch.testing.assert_close(found[:, 4], start()[:, 4])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: gn.central_differences(linear, 0.0), "perturbation must be at least 1e-06"),
        (
            lambda: gn.gauss_newton(gn.forward_mode(linear), linear(start()), start(), 1, sigma=-1),
            "sigma must be positive; got -1",
        ),
        (
            lambda: gn.gauss_newton(gn.forward_mode(linear), linear(start())[:2], start(), 1),
            r"data must have shape \(3, any\)",
        ),
        (
            lambda: gn.levenberg_marquardt(gn.forward_mode(linear), linear, linear(start()), start(), 0),
            "iterations must be at least 1",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
