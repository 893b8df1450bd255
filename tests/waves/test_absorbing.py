"""The default absorbing layer follows the survey, at any scale, and says where a layer cannot serve."""

import dataclasses
import functools
import warnings

import pytest
import torch

from geolib.runs import scheduler
from geolib.waves import Boundary, Grid, Survey, longest_step, misfit_and_gradient, propagate, ricker, shots
from geolib.waves.absorbing import layers

AROUND = Boundary("absorbing", "absorbing", "absorbing")
FREE = Boundary("free", "free", "free")
SEISMIC = (2500.0, 10.0, 25.0)


def shot(scale, boundary=AROUND, courant=0.5, margin=0):
    """A shot in the middle of 60 x 60 points, ten to a wavelength, with receivers beside it, and near two edges."""
    speed, frequency, spacing = scale
    grid = Grid((60 + 2 * margin,) * 2, spacing)
    dt = courant * longest_step(grid, speed, 4)
    receivers = torch.tensor([[[33, 30], [56, 30], [30, 5], [2, 2]]]) + margin
    wavelet = ricker(frequency, dt, 400, dtype=torch.float64).expand(1, 1, -1)
    survey = Survey(grid, dt, 400, [[[30 + margin, 30 + margin]]], receivers, wavelet, boundary)
    return survey, torch.full(grid.shape, speed, dtype=torch.float64)


def reflected(scale, boundary=AROUND, courant=0.5):
    """The largest error over the direct wave; the exact traces come from a grid too large for an echo."""
    found, exact = (
        propagate(*reversed(shot(scale, edge, courant, margin)), space_order=4)
        for edge, margin in ((boundary, 0), (FREE, 110))
    )
    return float((found - exact).abs().max() / exact.abs().max())


@pytest.mark.parametrize("courant", [0.3, 0.9])
@pytest.mark.parametrize(
    "scale",
    [(1e8, 1e8, 0.1), (4.0, 10.0, 0.04), (6000.0, 0.2, 3000.0), (1500.0, 1e6, 1.5e-4), SEISMIC],
    ids=["radar", "kilometres", "crust", "ultrasound", "seismic"],
)
def test_the_default_layer_absorbs_at_every_scale(scale, courant):
    speed, frequency, _ = scale
    # Tuned by hand 2e-5 to 5e-5. The time step allows a velocity 1 / courant too high, and as much comes back.
    assert reflected(scale, courant=courant) < 1.5e-4
    assert reflected(scale, dataclasses.replace(AROUND, velocity=speed, frequency=frequency), courant) < 1e-4


def test_a_layer_of_another_scale_reflects_and_says_so():
    radar = (1e8, 1e8, 0.1)
    message = r"tuned for a velocity near the model's; it is for 4e\+03 m/s, the model has up to 1e\+08, and so it"
    with pytest.warns(UserWarning, match=message):
        assert reflected(radar, Boundary(*["absorbing"] * 3, velocity=4000.0, frequency=1e8)) > 0.3
    with pytest.warns(UserWarning, match=r"sources' frequency; it is for 1e\+09 Hz, their mean is 1\.06e\+08"):
        assert reflected(radar, Boundary(*["absorbing"] * 3, velocity=1e8, frequency=1e9)) > 5e-3


def test_a_step_far_below_the_stable_one_tells_nothing_of_the_velocity():
    survey, velocity = shot(SEISMIC, courant=0.005)
    wavelet = ricker(10.0, survey.dt, 400, 0.0, dtype=torch.float64)
    survey = dataclasses.replace(survey, source_amplitudes=wavelet.expand(1, 1, -1))
    with pytest.warns(UserWarning, match=r"it is for 5\.77e\+05 m/s, .* Give Boundary\(velocity=2\.5e\+03\)"):
        propagate(velocity, survey, space_order=4)


@pytest.mark.parametrize("boundary", [AROUND, FREE, Boundary(velocity=1500.0, frequency=10.0)])
def test_a_layer_that_serves_says_nothing(boundary):
    survey, velocity = shot(SEISMIC, boundary)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        propagate(velocity, survey, space_order=4)


def test_the_layer_follows_wavelet_and_time_step_and_what_is_given():
    survey, _ = shot(SEISMIC, Boundary())
    speed, frequency = survey.tuning
    # Order 4 is stable to 0.866 of the step of order 2; half of that was taken. A Ricker wavelet's energy has its mean
    # at 0.25 Gamma(3) / Gamma(5/2) sqrt(8) = 1.064 of its peak.
    assert speed == pytest.approx(2500.0 / (0.5 * 0.75**0.5), rel=1e-12)
    assert frequency == pytest.approx(10.64, rel=2e-3)
    given = dataclasses.replace(survey, boundary=Boundary(velocity=3000.0, frequency=0.0))
    assert given.tuning == (3000.0, 0.0)
    # The lowest of several sources, however loud, and none of a silent one.
    low, high = (ricker(f, survey.dt, survey.nt, dtype=torch.float64) for f in (6.0, 12.0))
    loud = torch.stack([low, 1e99 * high, torch.zeros_like(low)])[:, None]
    places = [[[3, 3]]] * 3
    mixed = dataclasses.replace(survey, source_locations=places, receiver_locations=places, source_amplitudes=loud)
    assert mixed.tuning[1] == pytest.approx(6.39, rel=1e-2)
    assert dataclasses.replace(survey, source_amplitudes=0 * survey.source_amplitudes).tuning[1] == 0.0


def test_the_layer_is_fixed_while_the_model_changes():
    survey, velocity = shot(SEISMIC)
    before = [part.clone() for layer in layers(survey) for part in layer]
    for factor in (0.8, 1.2):
        misfit_and_gradient(factor * velocity, survey, torch.zeros(1, 4, 400, dtype=torch.float64))
    assert all(torch.equal(a, b) for a, b in zip(before, [c for layer in layers(survey) for c in layer], strict=True))


def test_groups_of_shots_have_the_layer_of_the_survey():
    survey, velocity = shot(SEISMIC, Boundary(width=5))
    wavelets = torch.stack([ricker(f, survey.dt, 400, dtype=torch.float64) for f in (6.0, 9.0)])[:, None]
    places = survey.source_locations.repeat(2, 1, 1), survey.receiver_locations.repeat(2, 1, 1)
    two = Survey(survey.grid, survey.dt, 400, *places, wavelets, survey.boundary)
    observed = torch.zeros(2, 4, 400, dtype=torch.float64)
    whole, parts = misfit_and_gradient(velocity, two, observed), shots.misfit_and_gradient(velocity, two, observed)
    for one, other in zip(whole, parts, strict=True):
        # A sum in another order; with a layer for each group it is 1e-6 off.
        torch.testing.assert_close(one, other, rtol=0, atol=1e-14 * float(one.abs().max()))


@pytest.mark.parametrize("jobs", [1, 2])
def test_tensors_with_a_graph_are_taken_by_every_number_of_jobs(jobs):
    spread = functools.partial(scheduler.in_order, jobs=jobs)
    survey, velocity = shot(SEISMIC, Boundary(width=5))
    leaf = velocity.clone().requires_grad_()
    places = survey.source_locations.repeat(2, 1, 1), survey.receiver_locations.repeat(2, 1, 1)
    wavelets = survey.source_amplitudes.repeat(2, 1, 1)
    observed = torch.zeros(2, 4, 400, dtype=torch.float64)
    plain = Survey(survey.grid, survey.dt, 400, *places, wavelets, survey.boundary)
    grown = dataclasses.replace(plain, source_amplitudes=wavelets.clone().requires_grad_() * 1)
    expected = shots.misfit_and_gradient(velocity, plain, observed)
    found = shots.misfit_and_gradient(leaf * 1, grown, observed.requires_grad_() * 1, map=spread)
    assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))
    with pytest.raises(ValueError, match=r"velocity must have shape \(60, 60\); got \(2, 60, 60\)\. Give one"):
        shots.misfit_and_gradient(velocity.expand(2, 60, 60), plain, observed, map=spread)
    with pytest.raises(TypeError, match=r"velocity must be a tensor; got ndarray\. Use torch.as_tensor"):
        shots.misfit_and_gradient(velocity.numpy(), plain, observed, map=spread)


def test_each_axis_has_the_layer_of_its_own_spacing():
    edge = Boundary("absorbing", "absorbing", "absorbing", width=6, velocity=2000.0, frequency=10.0)
    wavelet = ricker(10.0, 1e-3, 10)[None, None]

    def of(spacing):
        return layers(Survey(Grid((12, 15), spacing), 1e-3, 10, [[[5, 5]]], [[[6, 6]]], wavelet, edge))

    by_axis = zip(of((12.0, 9.0)), of(12.0)[:1] + of(9.0)[1:], strict=True)
    for found, expected in by_axis:
        assert all(torch.equal(mine, other) for mine, other in zip(found, expected, strict=True))
