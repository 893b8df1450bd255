import numpy as np
import pytest

from geolib.metrics import samples as metrics


@pytest.fixture
def rng():
    return np.random.default_rng(0)


def test_sliced_wasserstein_of_shifted_gaussians(rng):
    d, shift = 8, 3.0
    a = rng.standard_normal((4000, d))
    b = rng.standard_normal((4000, d))
    b[:, 0] += shift
    # W2 along theta is |shift theta_0| and E theta_0^2 = 1 / d; sampling error of 4000 points and 256 directions: 5 %.
    assert metrics.sliced_wasserstein(a, b, rng) == pytest.approx(shift / np.sqrt(d), rel=0.1)


def test_sliced_wasserstein_of_a_set_and_itself_is_zero(rng):
    a = rng.standard_normal((50, 3))
    assert metrics.sliced_wasserstein(a, a[::-1], rng) < 1e-12  # only the order of summation differs
    assert metrics.sliced_wasserstein(a, 2 * a, rng) > 0.5


def test_sliced_wasserstein_of_sets_of_different_size(rng):
    a, b = rng.standard_normal((3000, 2)), 1.0 + rng.standard_normal((1000, 2))
    assert metrics.sliced_wasserstein(a, b, rng) == pytest.approx(1.0, rel=0.15)


@pytest.mark.parametrize(("n", "m"), [(2, 4), (50, 70), (50, 50), (7, 3), (1000, 1001)])
def test_sliced_wasserstein_is_that_of_an_independent_library(rng, n, m):
    import ot

    first, second = rng.standard_normal((n, 3)), 0.3 + rng.standard_normal((m, 3))
    directions = np.random.default_rng(1).standard_normal((3, 256))
    directions /= np.linalg.norm(directions, axis=0)
    expected = np.sqrt(ot.wasserstein_1d(first @ directions, second @ directions, p=2).mean())
    found = metrics.sliced_wasserstein(first, second, np.random.default_rng(1))
    assert found == pytest.approx(expected, rel=1e-9)
    assert metrics.sliced_wasserstein(second, first, np.random.default_rng(1)) == pytest.approx(found, rel=1e-12)


def test_sliced_wasserstein_knows_that_repeated_samples_are_the_same_distribution(rng):
    assert metrics.sliced_wasserstein([[0], [1]], [[0], [0], [1], [1]], rng) == 0
    a = rng.standard_normal((20, 3))
    assert metrics.sliced_wasserstein(a, np.repeat(a, 3, axis=0), rng) < 1e-15
    # Half of the mass moves by one, whatever the direction in one dimension.
    assert metrics.sliced_wasserstein([[0], [1]], [[0], [0], [0], [0]], rng) == pytest.approx(np.sqrt(0.5), rel=1e-15)


@pytest.mark.parametrize("shape", [(64, 2), (200, 499), (1000, 50)])
@pytest.mark.parametrize("scale", [1.0, 1e-6, 1e3])
def test_a_set_against_its_own_copy_has_density_one_and_distance_zero(rng, shape, scale):
    a = scale * (7 + rng.standard_normal(shape))
    assert metrics.density_coverage(a, a.copy()) == (1.0, 1.0)
    shuffled = rng.permutation(len(a))
    assert metrics.density_coverage(a, a[shuffled]) == (1.0, 1.0)
    distance, index = metrics.nearest(a, a[shuffled])
    assert distance.max() == 0 and (index == shuffled).all()


def test_mmd2_is_unbiased_and_sees_a_shift(rng):
    values = [metrics.mmd2(rng.standard_normal((60, 2)), rng.standard_normal((60, 2)), 1.0) for _ in range(200)]
    # The mean of 200 unbiased estimates lies within four standard errors of zero; a biased one is off by 1 / 60.
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(200)
    assert np.std(values) / np.sqrt(200) < 0.002
    assert metrics.mmd2(rng.standard_normal((200, 2)), 1 + rng.standard_normal((200, 2)), 1.0) > 0.05


def test_mmd2_of_two_points_is_known():
    # Two sets of two points each: k(0, 1) and k(5, 6) within, k(0, 5), k(0, 6), k(1, 5), k(1, 6) across.
    def k(squared):
        return np.mean([np.exp(-squared / (2 * h**2)) for h in metrics.BANDWIDTHS])

    expected = 2 * k(1) - 2 * np.mean([k(25), k(36), k(16), k(25)])
    found = metrics.mmd2(np.array([[0.0], [1.0]]), np.array([[5.0], [6.0]]), 1.0)
    assert found == pytest.approx(expected, abs=1e-12)


def test_relative_test_finds_the_closer_sample(rng):
    reference, near, far = (m + rng.standard_normal((300, 3)) for m in (0.0, 0.2, 0.8))
    forward = metrics.relative_mmd_test(reference, near, far, 2.0)
    assert forward.difference < 0 and forward.p_value < 1e-4
    back = metrics.relative_mmd_test(reference, far, near, 2.0)
    assert back.difference == pytest.approx(-forward.difference, abs=1e-12)
    assert back.p_value == pytest.approx(1 - forward.p_value, abs=1e-9)


def test_relative_test_agrees_with_mmd2(rng):
    reference, near, far = (m + rng.standard_normal((80, 2)) for m in (0.0, 0.3, 0.6))
    found = metrics.relative_mmd_test(reference, near, far, 1.0).difference
    # The test leaves out the terms that pair a sample with its own partner, so the two differ by order 1 / n.
    assert found == pytest.approx(metrics.mmd2(reference, near, 1.0) - metrics.mmd2(reference, far, 1.0), abs=0.01)


def test_relative_test_keeps_its_level(rng):
    hits = 0
    for _ in range(400):
        # Both candidates are equally far from the reference: the null hypothesis holds at its edge.
        reference = rng.standard_normal((60, 2))
        a, b = np.array([0.7, 0]) + rng.standard_normal((60, 2)), np.array([0, 0.7]) + rng.standard_normal((60, 2))
        hits += metrics.relative_mmd_test(reference, a, b, 1.5).p_value < 0.05
    # 400 trials at level 0.05 give 20; within 0.02 to 0.09 in all but one of 10 000 repetitions.
    assert 0.02 * 400 <= hits <= 0.09 * 400


def test_relative_test_of_one_candidate_with_itself(rng):
    a, b = rng.standard_normal((2, 20, 2))
    assert metrics.relative_mmd_test(a, b, b, 1.0) == (0.0, 1.0)


def test_density_and_coverage_know_their_limits(rng):
    real, fake = rng.standard_normal((2, 1000, 2))
    density, coverage = metrics.density_coverage(real, fake)
    assert density == pytest.approx(1.0, abs=0.1)
    # For equal distributions coverage is 1 - 2^-k = 0.97 at k = 5 (Naeem et al., section 4.3).
    assert coverage == pytest.approx(1 - 0.5**5, abs=0.03)
    assert metrics.density_coverage(real, fake + 100) == (0.0, 0.0)
    collapsed = np.repeat(real[:1], 1000, axis=0)
    density, coverage = metrics.density_coverage(real, collapsed)
    assert density >= 0.2 and coverage < 0.05  # mode collapse: in the data, and nearly nowhere


def test_neighbour_accuracy_knows_its_limits(rng):
    a, b = rng.standard_normal((2, 800, 2))
    # 1600 votes: standard error 0.0125 at most; neighbours come in pairs, so twice that and a margin.
    assert metrics.neighbour_accuracy(a, b) == pytest.approx(0.5, abs=0.06)
    assert metrics.neighbour_accuracy(a, b + 50) == 1.0


def test_nearest_finds_copies(rng):
    training = rng.standard_normal((4500, 3))
    samples = np.concatenate([training[[7, 4321]], [[90.0, 0, 0]]])
    distance, index = metrics.nearest(training, samples)
    assert distance[:2].max() == 0 and index[:2].tolist() == [7, 4321]
    assert distance[2] == pytest.approx(np.linalg.norm(training - samples[2], axis=1).min(), rel=1e-9)


def test_amplitude_spectrum_of_a_sine():
    dt, n = 0.004, 500
    trace = np.sin(2 * np.pi * 25 * np.arange(n) * dt)
    frequency, amplitude = metrics.amplitude_spectrum(np.stack([trace, trace]), dt)
    assert frequency[amplitude.argmax()] == 25
    assert amplitude.max() == pytest.approx(n * dt / 2, rel=1e-9)


def test_first_event_has_time_and_polarity():
    traces = np.zeros((3, 1, 499))
    traces[0, 0, 100], traces[0, 0, 200] = -0.6, 1.0
    traces[1, 0, 100], traces[1, 0, 200] = -0.4, 1.0
    times, polarity = metrics.first_event(traces, 0.004)
    assert times[:2].tolist() == [0.4, 0.8] and np.isnan(times[2])
    assert polarity.tolist() == [-1, 1, 0]


def test_median_distance(rng):
    assert metrics.median_distance(np.array([[0.0], [1.0], [3.0]])) == pytest.approx(2.0, abs=1e-12)
    with pytest.raises(ValueError, match="samples must differ from one another; their median distance is 0"):
        metrics.median_distance(np.zeros((4, 2)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda a: metrics.mmd2(a, a[:, :1], 1.0), "samples must have one length; got 2 and 1. Resample one set."),
        (lambda a: metrics.mmd2(a[:1], a, 1.0), "first must hold at least 2 samples; got 1. Draw more."),
        (lambda a: metrics.mmd2(a * np.nan, a, 1.0), "first must be finite; got 40 NaN"),
        (lambda a: metrics.mmd2(a, a, -1.0), "width must be at least 1e-150; got -1"),
        (lambda a: metrics.density_coverage(a[:5], a), "real must hold more than k = 5 samples; got 5. Draw more."),
        (lambda a: metrics.relative_mmd_test(a, a, a[:9], 1.0), "must be as many; got 20, 20, 9. Trim the longer."),
        (lambda a: metrics.amplitude_spectrum(a, 0.0), "dt must be at least 1e-12 s; got 0"),
        (lambda a: metrics.first_event(a, 0.004, share=2.0), "share must be between 0 and 1; got 2"),
    ],
)
def test_refusals(rng, call, message):
    with pytest.raises(ValueError, match=message):
        call(rng.standard_normal((20, 2)))
