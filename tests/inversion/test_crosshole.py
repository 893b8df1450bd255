import re

import numpy as np
import pytest
import torch

from geolib.datasets import fetch
from geolib.inversion import crosshole

SURVEY = crosshole.Crosshole()


@pytest.mark.parametrize("order", crosshole.CELL_ORDERS)
def test_each_row_sums_to_the_distance_of_its_antennas(order):
    lengths = crosshole.ray_matrix(SURVEY, order).sum(1).A1
    depths = np.array(SURVEY.source_depths)
    # Sums of some 180 pieces of at most 13 m: round-off stays below 1e-13 m.
    np.testing.assert_allclose(lengths, np.hypot(5.98, np.subtract.outer(depths, depths)).ravel(), atol=1e-12)


def test_a_horizontal_ray_between_grid_lines_crosses_its_row():
    survey = crosshole.Crosshole((4, 5), 1.0, 0.0, 5.0, (1.5,), (1.5,))
    lengths = crosshole.ray_matrix(survey).toarray().reshape(4, 5)
    expected = np.zeros((4, 5))
    expected[1] = 1.0
    np.testing.assert_allclose(lengths, expected, atol=1e-14)


def test_a_ray_on_a_grid_line_counts_once_in_the_row_above():
    survey = crosshole.Crosshole((4, 5), 1.0, 0.0, 5.0, (2.0,), (2.0,))
    lengths = crosshole.ray_matrix(survey).toarray().reshape(4, 5)
    assert lengths[1].sum() == pytest.approx(5.0, abs=1e-14) and lengths.sum() == pytest.approx(5.0, abs=1e-14)


def test_a_diagonal_through_corners_crosses_the_diagonal_cells():
    survey = crosshole.Crosshole((3, 3), 1.0, 0.0, 3.0, (0.0,), (3.0,))
    lengths = crosshole.ray_matrix(survey).toarray().reshape(3, 3)
    np.testing.assert_allclose(lengths, np.sqrt(2) * np.eye(3), atol=1e-14)


def test_lengths_agree_with_points_walked_along_the_ray():
    matrix = crosshole.ray_matrix(SURVEY)
    ray = 5 * 24 + 17
    t = (np.arange(200_000) + 0.5) / 200_000
    start, stop = np.array([3.0, 0.01]), np.array([9.0, 5.99])
    cell = ((start + t[:, None] * (stop - start)) / 0.1).astype(int)
    walked = np.bincount(cell[:, 0] * 60 + cell[:, 1], minlength=7500) / t.size * np.linalg.norm(stop - start)
    # A cell's end is missed by at most two steps of 4e-5 m.
    np.testing.assert_allclose(matrix[[ray]].toarray()[0], walked, atol=1e-4)


def walked(start, stop, shape, spacing, n=400_000):
    """Path lengths in cells by points along a ray."""
    t = (np.arange(n) + 0.5)[:, None] / n
    row, column = ((start + t * (stop - start)) / spacing).astype(int).T
    return np.bincount(row * shape[1] + column, minlength=shape[0] * shape[1]) / n * np.linalg.norm(stop - start)


def test_each_ray_has_two_ends_of_its_own():
    rng, shape, spacing = np.random.default_rng(0), (7, 4), 0.25
    extent = np.array(shape) * spacing
    sources, receivers = rng.uniform(0, 1, (2, 20, 2)) * extent
    matrix = crosshole.path_lengths(sources, receivers, shape, spacing)
    assert matrix.shape == (20, 28)
    np.testing.assert_allclose(matrix.sum(1).A1, np.linalg.norm(receivers - sources, axis=1), atol=1e-14)
    for ray in range(20):
        expected = walked(sources[ray], receivers[ray], shape, spacing)
        np.testing.assert_allclose(matrix[[ray]].toarray()[0], expected, atol=4e-5)
    back = crosshole.path_lengths(receivers, sources, shape, spacing)
    np.testing.assert_allclose(back.toarray(), matrix.toarray(), atol=1e-14)


def test_rays_along_diagonals_and_boreholes_have_the_lengths_that_one_writes_down():
    # From the upper left corner; from lower right to upper left; down a borehole; from one edge's middle to another's.
    sources = [[0, 0], [3, 3], [0.5, 1.5], [0, 1.5]]
    receivers = [[3, 3], [1, 1], [2.5, 1.5], [1.5, 3]]
    found = crosshole.path_lengths(sources, receivers, (3, 3), 1.0).toarray().reshape(4, 3, 3)
    np.testing.assert_allclose(found[0], np.sqrt(2) * np.eye(3), atol=1e-14)
    np.testing.assert_allclose(found[1], np.sqrt(2) * np.diag([0, 1, 1]), atol=1e-14)
    np.testing.assert_allclose(found[2], [[0, 0.5, 0], [0, 1, 0], [0, 0.5, 0]], atol=1e-14)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(found[3], [[0, half, half], [0, 0, half], [0, 0, 0]], atol=1e-14)


def test_rays_of_vertical_boreholes_are_those_of_the_survey_bit_for_bit():
    depths = np.array(SURVEY.source_depths)
    source, receiver = (grid.ravel() for grid in np.meshgrid(depths, depths, indexing="ij"))
    order = np.random.default_rng(0).permutation(len(source))[:200]
    ends = (np.stack([d, np.full(len(d), x)], -1)[order] for d, x in ((source, 0.01), (receiver, 5.99)))
    found, expected = crosshole.path_lengths(*ends), crosshole.ray_matrix(SURVEY)[order]
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(found, part), getattr(expected, part))


def test_the_published_order_is_a_permutation_of_the_cells_and_moves_most():
    ours, theirs = (crosshole.ray_matrix(SURVEY, order) for order in crosshole.CELL_ORDERS)
    assert ours.nnz == theirs.nnz
    np.testing.assert_allclose(np.sort(ours[23].data), np.sort(theirs[23].data))
    assert len(np.intersect1d(ours[23].indices, theirs[23].indices)) < 0.1 * ours[23].nnz


@pytest.mark.real_data
def test_released_data_follow_from_the_published_order_only():
    with np.load(fetch.locate("laloy2019_model1_noise2.npz")) as released:
        cases = [(released["m_true"], released["d_true"]), (released["m_true_cont"], released["d_true_cont"])]
        noisy = released["d"] - released["d_true"]
    for model, observed in cases:
        times = [
            crosshole.traveltimes(crosshole.ray_matrix(SURVEY, order), crosshole.velocity(model.astype(float)))
            for order in crosshole.CELL_ORDERS
        ]
        np.testing.assert_allclose(times[1], observed, atol=1e-9)
        assert np.sqrt(np.square(times[0] - observed).mean()) == pytest.approx(5.7, abs=0.05)
    assert np.sqrt(np.square(noisy).mean()) == pytest.approx(1.001, abs=1e-3)


def test_traveltimes_of_a_uniform_model_and_of_a_stack():
    matrix = crosshole.ray_matrix(SURVEY)
    uniform = np.full(SURVEY.shape, 0.08)
    times = crosshole.traveltimes(matrix, np.stack([uniform, uniform / 2]))
    assert times.shape == (2, 576)
    np.testing.assert_allclose(times[0, 0], 5.98 / 0.08, rtol=1e-13)
    np.testing.assert_allclose(times[1], 2 * times[0], rtol=1e-13)


def test_differentiable_times_have_the_adjoint_as_derivative():
    matrix = crosshole.ray_matrix(SURVEY)
    generator = torch.Generator().manual_seed(0)
    slowness = torch.rand(3, 7500, generator=generator, dtype=torch.float64, requires_grad=True)
    weights = torch.rand(3, 576, generator=generator, dtype=torch.float64)
    times = crosshole.times_of(matrix, slowness)
    (gradient,) = torch.autograd.grad((times * weights).sum(), slowness)
    # <A s, w> = <s, A^T w> to the round-off of 6e4 products.
    left, right = ((a * b).sum().item() for a, b in ((times, weights), (gradient, slowness)))
    assert left == pytest.approx(right, rel=1e-12)
    tangent = torch.rand(3, 7500, generator=generator, dtype=torch.float64)
    _, forward = torch.func.jvp(lambda s: crosshole.times_of(matrix, s), (slowness.detach(),), (tangent,))
    torch.testing.assert_close(forward, crosshole.times_of(matrix, tangent))


def test_second_derivatives_of_traveltimes_are_those_of_a_dense_product():
    matrix = crosshole.ray_matrix(crosshole.Crosshole((3, 4), 1.0, 0.5, 3.5, (1.0, 2.0), (0.5, 2.5)))
    dense = torch.from_numpy(matrix.toarray())
    slowness = 1 + torch.rand(1, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    found = torch.autograd.functional.hessian(lambda s: crosshole.times_of(matrix, s).square().sum(), slowness)
    expected = torch.autograd.functional.hessian(lambda s: (s @ dense.T).square().sum(), slowness)
    assert expected.abs().max() > 1
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-13)  # sums of four squares of lengths


def test_velocity_of_facies():
    np.testing.assert_allclose(crosshole.velocity(np.array([0.0, 0.5, 1.0])), [0.08, 0.07, 0.06])


def test_noise_has_its_standard_deviation():
    errors = crosshole.noisy(np.zeros(100_000), 2.0, np.random.default_rng(0))
    assert errors.std() == pytest.approx(2.0, rel=0.02)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: crosshole.traveltimes(crosshole.ray_matrix(SURVEY), torch.ones(SURVEY.shape)),
            "velocities must be a NumPy array; got a tensor. Use times_of for derivatives.",
        ),
        (
            lambda: crosshole.times_of(crosshole.ray_matrix(SURVEY), np.ones((2, 7500))),
            "slowness must be a tensor on the CPU; got ndarray. Use torch.as_tensor or traveltimes.",
        ),
    ],
)
def test_refusals_of_a_kind(call, message):
    with pytest.raises(TypeError, match=re.escape(message)):
        call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: crosshole.path_lengths([[1, 2], [3, 4]], [[1, 2], [3, 6.5]]),
            "receivers must lie within 12.5 m of depth and 6 m of x; row 1 is at depth 3 m, x 6.5 m",
        ),
        (
            lambda: crosshole.path_lengths([[-1, 2]], [[1, 2]]),
            "sources must lie within 12.5 m of depth and 6 m of x; row 0 is at depth -1 m, x 2 m",
        ),
        (
            lambda: crosshole.path_lengths(np.ones((3, 2)), np.ones((2, 2))),
            r"receivers must have shape \(3, 2\); got \(2, 2\)",
        ),
        (lambda: crosshole.ray_matrix(SURVEY, "fortran"), "cell_order must be one of consistent, as_published"),
        (lambda: crosshole.Crosshole(receiver_x=6.5), "receiver_x must be between 0 and 6 m; got 6.5"),
        (lambda: crosshole.Crosshole(receiver_depths=(13.0,)), "receiver_depths must be between 0 and 12.5 m; got 13"),
        (lambda: crosshole.Crosshole(source_depths=()), "source_depths must hold at least one depth; got none"),
        (
            lambda: crosshole.traveltimes(crosshole.ray_matrix(SURVEY), np.ones(7500)),
            "velocities must have two or three axes; got 1",
        ),
        (lambda: crosshole.noisy(np.zeros(3), 0.0, np.random.default_rng(0)), "sigma must be positive; got 0"),
        (
            lambda: crosshole.traveltimes(crosshole.ray_matrix(SURVEY), np.ones((10, 10))),
            "velocities must have 7500 cells; got 100",
        ),
        (
            lambda: crosshole.traveltimes(crosshole.ray_matrix(SURVEY), np.zeros(SURVEY.shape)),
            "velocities must be positive; got 0",
        ),
        (
            lambda: crosshole.times_of(crosshole.ray_matrix(SURVEY), torch.ones(2, 5)),
            r"slowness must have shape \(any, 7500\)",
        ),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()
