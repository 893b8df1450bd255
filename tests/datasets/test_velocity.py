import numpy as np
import pytest

from geolib.datasets import fetch, velocity


def test_a_layered_model_changes_at_its_interfaces():
    model = velocity.layered([20.0, 10.0], [1000.0, 2000.0, 3000.0], spacing=5.0, nz=8)
    np.testing.assert_array_equal(model, [1000, 1000, 1000, 1000, 2000, 2000, 3000, 3000])


def test_interfaces_do_not_depend_on_rounding():
    # 3 * 0.1 is a little more than 0.3 in binary; the point at index 3 still belongs to the lower layer.
    model = velocity.layered([0.3], [1.0, 2.0], spacing=0.1, nz=5)
    np.testing.assert_array_equal(model, [1, 1, 1, 2, 2])


def test_the_depth_varying_model_has_four_layers_of_fifty_points():
    values, counts = np.unique(velocity.four_layers(), return_counts=True)
    np.testing.assert_array_equal(values, [2000, 3000, 4000, 5000])
    np.testing.assert_array_equal(counts, [50, 50, 50, 50])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1.0], [1.0], 1.0, 5), r"thicknesses must have one entry fewer than velocities; got 1 and 1\. Leave out"),
        (([-1.0], [1.0, 2.0], 1.0, 5), r"thicknesses must be at least 0 m; got -1\."),
        (([1.0], [1.0, 0.0], 1.0, 5), r"velocities must be at least 1e-09 m/s; got 0\."),
        (([1.0], [1.0, 2.0], 0.0, 5), r"spacing must be at least 1e-12 m; got 0\."),
        (([1.0], [1.0, 2.0], 1.0, 0), r"nz must be at least 1; got 0\."),
    ],
)
def test_a_layered_model_refuses_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        velocity.layered(*arguments)


def test_smoothing_keeps_frozen_rows_and_a_constant():
    rng = np.random.default_rng(0)
    model = rng.uniform(1500, 4000, size=(20, 30))
    start = velocity.smooth(model, 3.0, frozen=4)
    np.testing.assert_array_equal(start[:4], model[:4])
    assert start[4:].std() < 0.3 * model[4:].std()
    changed = model.copy()
    changed[:4] = 9999.0
    np.testing.assert_array_equal(velocity.smooth(changed, 3.0, frozen=4)[4:], start[4:])
    np.testing.assert_allclose(velocity.smooth(np.full(50, 2000.0), 6.0), 2000.0, rtol=1e-12)


def test_smoothing_goes_as_far_in_depth_as_along_the_line():
    spike = np.zeros((81, 81))
    spike[40, 40] = 1e6
    found = velocity.smooth(spike, 4.0, aspect=2.0)
    z, x = np.indices(spike.shape) - 40
    assert np.sqrt((found * z**2).sum() / found.sum()) == pytest.approx(8.0, rel=0.01)
    assert np.sqrt((found * x**2).sum() / found.sum()) == pytest.approx(4.0, rel=0.01)
    np.testing.assert_array_equal(velocity.smooth(spike, 4.0, aspect=1.0), velocity.smooth(spike, 4.0))


@pytest.mark.parametrize(
    ("sigma", "frozen", "message"),
    [
        (-1.0, 0, r"sigma must be at least 0 cells; got -1\."),
        (1.0, 20, r"frozen must be between 0 and 19; got 20\."),
    ],
)
def test_smoothing_refuses_bad_input(sigma, frozen, message):
    with pytest.raises(ValueError, match=message):
        velocity.smooth(np.ones((20, 30)), sigma, frozen)


@pytest.mark.real_data
def test_marmousi_is_the_pinned_slice():
    if fetch.locate("marmousi_vp_1601x401.f32") is None:
        pytest.skip("the file is absent")
    model, origin = velocity.marmousi()
    assert model.shape == (94, 288)
    assert "Marmousi2" in origin
    np.testing.assert_array_equal(model[:2], 1500.0)
    assert (model[2:] > 1500.0).all()
    # float32 km/s: 4.7 is stored to 2e-7 of itself.
    np.testing.assert_allclose(model.max(), 4700.0, rtol=1e-6)


def test_without_the_file_a_model_is_made_and_says_so(monkeypatch):
    monkeypatch.setattr(fetch, "locate", lambda name: None)
    model, origin = velocity.marmousi(seed=3)
    assert "procedural" in origin
    assert "seed 3" in origin
    np.testing.assert_array_equal(model, velocity.marmousi_like(np.random.default_rng(3)))


@pytest.mark.parametrize("seed", range(5))
def test_the_procedural_model_is_like_marmousi(seed):
    model = velocity.marmousi_like(np.random.default_rng(seed))
    assert model.shape == (94, 288)
    np.testing.assert_array_equal(model[:2], velocity.WATER)
    assert model.min() >= 1500.0
    assert model.max() == 4700.0
    # It varies along x (folds, faults) and speeds up with depth.
    assert (np.ptp(model, axis=1) > 100).mean() > 0.8
    assert model[60:].mean() > 1.4 * model[:30].mean()


@pytest.mark.parametrize(
    ("shape", "water", "message"),
    [
        ((8, 288), 2, r"shape must be at least 16; got 8\."),
        ((94, 288), 60, r"water must be between 0 and 47 rows; got 60"),
    ],
)
def test_the_procedural_model_refuses_bad_input(shape, water, message):
    with pytest.raises(ValueError, match=message):
        velocity.marmousi_like(np.random.default_rng(0), shape, water)
