import numpy as np
import pytest

from geolib.metrics import samples, traces


def waves(n, rng, shift=0.0, size=1.0):
    """Traces of one pulse each at a random time, of either sign."""
    times = rng.uniform(20, 40, n) + shift
    signs = rng.choice([-1, 1], n)
    trace = np.exp(-0.5 * ((np.arange(64) - times[:, None]) / 2) ** 2)
    return size * signs[:, None] * trace + 0.01 * rng.standard_normal((n, 64))


def compare(real, fake, training, seed=0, **options):
    return traces.compare(real, fake, training, 0.004, np.random.default_rng(seed), **options)


@pytest.fixture(scope="module")
def sets():
    rng = np.random.default_rng(0)
    return waves(150, rng), waves(150, rng), waves(400, rng)


def test_every_measure_lies_in_its_interval(sets):
    found = compare(*sets)
    assert set(found) == set(traces.LABELS) - {"classifier_accuracy"}
    assert all(low <= value <= high for value, low, high in found.values())
    assert all(high > low for _, low, high in found.values())


def test_the_measures_are_those_of_the_metrics_module(sets):
    real, fake, training = sets
    found = compare(real, fake, training)
    assert found["mmd2"].value == pytest.approx(samples.mmd2(real, fake, samples.median_distance(real)), abs=1e-12)
    assert (found["density"].value, found["coverage"].value) == pytest.approx(samples.density_coverage(real, fake))
    assert found["neighbour_accuracy"].value == pytest.approx(samples.neighbour_accuracy(real, fake))
    assert found["nearest"].value == pytest.approx(np.median(samples.nearest(training, fake)[0]))
    directions = np.random.default_rng(0)
    for _ in range(2):  # the resamples are drawn before the directions
        directions.multinomial(150, np.full(150, 1 / 150), 200)
    assert found["swd"].value == pytest.approx(samples.sliced_wasserstein(real, fake, directions), abs=1e-12)


def test_intervals_of_equal_distributions_hold_no_difference():
    rng = np.random.default_rng(1)
    held = []
    for seed in range(40):
        real, fake = waves(60, rng), waves(60, rng)
        found = compare(real, fake, real, seed, n_resamples=60)
        held.append([found[name].low <= 0 <= found[name].high for name in ("mmd2", "polarity")])
    # 95 % intervals from 60 samples: fewer than 80 % of 40 would be four standard errors off.
    assert np.mean(held, axis=0).min() > 0.8


def test_differences_are_seen(sets):
    real, _, training = sets
    rng = np.random.default_rng(2)
    late = compare(real, waves(150, rng, shift=5.0), training)
    assert late["event_time"].low > 0.25 * 5 * 0.004 and late["mmd2"].low > 0  # five samples late
    faint = compare(real, waves(150, rng, size=0.3), training)
    assert faint["spectrum"].low > 0.5
    collapsed = compare(real, np.repeat(real[:1], 150, axis=0) + 1e-4 * rng.standard_normal((150, 64)), training)
    assert collapsed["coverage"].high < 0.2 and collapsed["spacing"].high < 0.01
    positive = compare(real, np.abs(waves(150, rng)), training)
    assert positive["polarity"].low > 0.3
    copies = compare(real, training[:150], training)
    assert copies["nearest"].value == pytest.approx(0, abs=1e-6)


def test_a_classifier_is_at_chance_on_equal_sets_and_sure_on_others():
    pytest.importorskip("sklearn")
    rng = np.random.default_rng(3)
    real, fake, other = waves(400, rng), waves(400, rng), waves(400, rng, shift=15.0)
    same = traces.classifier_accuracy(real, fake, np.random.default_rng(0))
    # 400 unseen traces: chance is 0.5 with a standard error of 0.025.
    assert same.value == pytest.approx(0.5, abs=0.1)
    assert traces.classifier_accuracy(real, other, np.random.default_rng(0)).low > 0.8


def test_ours_is_the_sliced_wasserstein_distance_of_pot():
    ot = pytest.importorskip("ot")
    rng = np.random.default_rng(4)
    a, b = rng.standard_normal((200, 5)), 1.0 + 2 * rng.standard_normal((200, 5))
    directions = np.random.default_rng(7).standard_normal((5, 256))
    directions /= np.linalg.norm(directions, axis=0)
    theirs = ot.sliced_wasserstein_distance(a, b, projections=directions)
    # The same directions, sorted sums of 200 squares in float64.
    assert samples.sliced_wasserstein(a, b, np.random.default_rng(7)) == pytest.approx(float(theirs), rel=1e-9)


def test_ours_is_the_nearest_neighbour_classifier_of_scikit_learn():
    pytest.importorskip("sklearn")
    from sklearn.model_selection import LeaveOneOut, cross_val_score
    from sklearn.neighbors import KNeighborsClassifier

    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((40, 3)), 0.5 + rng.standard_normal((40, 3))
    label = np.repeat([0, 1], 40)
    theirs = cross_val_score(KNeighborsClassifier(1), np.concatenate([a, b]), label, cv=LeaveOneOut()).mean()
    assert samples.neighbour_accuracy(a, b) == pytest.approx(theirs)


def test_too_few_resamples_are_refused(sets):
    with pytest.raises(ValueError, match="n_resamples must be at least 2"):
        compare(*sets, n_resamples=1)


def test_loudness_is_a_ratio_of_amplitudes_with_its_interval():
    rng = np.random.default_rng(3)
    real, twice = waves(400, rng), waves(400, rng, size=2.0)
    value, low, high = traces.loudness(real, twice, np.random.default_rng(0))
    assert value == pytest.approx(2, rel=0.02) and low < value < high and high - low < 0.1
    same = traces.loudness(real, -real[::-1], np.random.default_rng(0))
    assert same.value == pytest.approx(1) and same.low < 1 < same.high
