import numpy as np
import pytest
import torch

from geolib.inversion import latent

MATRIX = torch.randn(20, 4, generator=torch.Generator().manual_seed(0))


def linear(z):
    return z @ MATRIX.T


def problem(n=3, iterations=200):
    generator = torch.Generator().manual_seed(1)
    truth = torch.rand(n, 4, generator=generator) - 0.5
    start = torch.rand(n, 4, generator=generator) * 2 - 1
    return linear(truth), start, torch.rand(n, iterations, 4, generator=generator) * 2 - 1, truth


def test_adam_solves_a_linear_problem():
    data, start, draws, truth = problem(iterations=600)
    found = latent.adam(linear, data, start, draws, rate=0.02)
    torch.testing.assert_close(found.best_latent, truth, atol=2e-3, rtol=0)
    assert found.misfit.shape == (3, 600) and found.visits.tolist() == [600] * 3
    torch.testing.assert_close(found.misfit[:, 0], (linear(start) - data).square().mean(1).sqrt())
    torch.testing.assert_close((linear(found.best_latent) - data).square().mean(1).sqrt(), found.best)


def test_a_start_is_searched_alike_alone_and_in_company():
    data, start, draws, _ = problem(4)
    together = latent.adam(linear, data, start, draws)
    alone = latent.adam(linear, data[2:3], start[2:3], draws[2:3])
    # A matrix product of one row may sum in another order than that of four.
    torch.testing.assert_close(together.misfit[2], alone.misfit[0], rtol=1e-4, atol=1e-5)


def test_a_start_rests_once_it_has_enough_and_the_others_do_not_feel_it():
    data, start, draws, _ = problem(4)
    free = latent.adam(linear, data, start, draws)
    enough = torch.tensor([0.0, free.misfit[1, 50], 0.0, free.misfit[3, 20]])
    found = latent.adam(linear, data, start, draws, enough=enough)
    for row, curve in enumerate(found.misfit):
        first = int((free.misfit[row] <= enough[row]).float().argmax()) if enough[row] else 199
        assert found.visits[row] == first + 1
        # A matrix product of two rows may sum in another order than that of four.
        torch.testing.assert_close(curve[: first + 1], free.misfit[row, : first + 1], rtol=1e-4, atol=1e-5)
        assert (curve[first:] == curve[first]).all()
    assert found.visits[1] <= 51 and found.visits[3] <= 21  # the rest costs nothing


def test_a_search_ends_with_its_last_start():
    data, start, draws, _ = problem(2)
    calls = []
    found = latent.adam(lambda z: calls.append(len(z)) or linear(z), data, start, draws, enough=torch.full((2,), 1e9))
    assert calls == [2] and found.visits.tolist() == [1, 1]
    torch.testing.assert_close(found.misfit, found.misfit[:, :1].expand(-1, 200))
    torch.testing.assert_close(found.best_latent, start)


def test_the_misfit_has_the_precision_of_the_start():
    first = torch.zeros(2, 3, dtype=torch.float64)
    found = latent.adam(lambda z: z, first + 0.1, first, torch.zeros(2, 4, 3, dtype=torch.float64))
    assert found.misfit.dtype == torch.float64
    assert found.misfit[0, 0].item() == pytest.approx(0.1, rel=1e-15)


def test_the_first_step_of_adam_is_the_rate():
    data, start, draws, _ = problem(iterations=1)
    found = latent.adam(linear, data, start * 0.5, draws, rate=0.01)
    torch.testing.assert_close((found.last_latent - start * 0.5).abs(), torch.full_like(start, 0.01), rtol=1e-3, atol=0)


def test_clipping_rules():
    z = torch.tensor([[0.5, 1.5, -2.0, 3.0]])
    draws = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    expected = {
        "stochastic": [0.5, 0.2, 0.3, 0.4],
        "standard": [0.5, 1.0, -1.0, 1.0],
        "none": [0.5, 1.5, -2.0, 3.0],
        "released": [0.5, 0.1, 0.2, 0.1],
    }
    for rule, values in expected.items():
        torch.testing.assert_close(latent.clip(z, rule, draws), torch.tensor([values]))


def test_threshold_cuts_and_passes_the_gradient():
    models = torch.tensor([0.2, 0.5, 0.9], requires_grad=True)
    cut = latent.threshold(models)
    torch.testing.assert_close(cut.detach(), torch.tensor([0.0, 1.0, 1.0]))
    (gradient,) = torch.autograd.grad((cut * torch.tensor([1.0, 2.0, 3.0])).sum(), models)
    torch.testing.assert_close(gradient, torch.tensor([1.0, 2.0, 3.0]))


def test_the_adjoint_is_the_published_one():
    """-2 A^T (d - A s) at the binary slowness, times ds/dm."""
    matrix = torch.rand(6, 5, generator=torch.Generator().manual_seed(2))
    models = torch.rand(1, 5, generator=torch.Generator().manual_seed(3), requires_grad=True)
    data = torch.rand(1, 6, generator=torch.Generator().manual_seed(4)) * 50
    slowness = 12.5 + 25 / 6 * latent.threshold(models)
    (gradient,) = torch.autograd.grad((data - slowness @ matrix.T).square().sum(), models)
    binary = 12.5 + 25 / 6 * (models.detach() >= 0.5).float()
    torch.testing.assert_close(gradient, 25 / 6 * -2 * (data - binary @ matrix.T) @ matrix)


def test_normal_and_uniform_latents_are_each_others_inverse():
    xi = torch.linspace(-3, 3, 13, dtype=torch.float64)
    torch.testing.assert_close(latent.to_normal(latent.to_uniform(xi)), xi)
    from scipy import stats

    np.testing.assert_allclose(latent.to_uniform(xi), 2 * stats.norm.cdf(xi) - 1, atol=1e-14)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": torch.zeros(3, 1, 5, 3)}, r"start must have shape \(any, any\)"),
        ({"data": torch.zeros(2, 20)}, r"data must have shape \(3, any\)"),
        ({"start": torch.full((3, 4), float("nan"))}, "start must be finite; got 12 NaN"),
        ({"draws": torch.zeros(3, 5, 2)}, r"draws must have shape \(3, any, 4\)"),
        ({"enough": torch.ones(2)}, r"enough must have shape \(3\)"),
        ({"clipping": "hard"}, "clipping must be one of stochastic, standard, none, released; got 'hard'"),
    ],
)
def test_refusals(change, message):
    data, start, draws, _ = problem(iterations=2)
    arguments = {"data": data, "start": start, "draws": draws, "clipping": "none", "enough": None, **change}
    with pytest.raises(ValueError, match=message):
        latent.adam(linear, **arguments)
