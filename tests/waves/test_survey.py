import re
import warnings

import numpy as np
import pytest
import torch

from geolib.waves import (
    Boundary,
    Grid,
    Survey,
    gaussian,
    longest_step,
    misfit_and_gradient,
    propagate,
    ricker,
    workspace_bytes,
)

WAVELET = ricker(10.0, 1e-3, 50, dtype=torch.float64)


def make(**changes):
    settings = {
        "grid": Grid((20, 30), 10.0),
        "dt": 1e-3,
        "nt": 50,
        "source_locations": [[[2, 15]], [[2, 20]]],
        "receiver_locations": [[[1, 3], [1, 9], [1, 12]]] * 2,
        "source_amplitudes": WAVELET.expand(2, 1, 50),
    }
    return Survey(**{**settings, **changes})


def velocity(value=2500.0, shape=(20, 30)):
    return torch.full(shape, value, dtype=torch.float64)


@pytest.mark.parametrize(
    ("changes", "kind", "message"),
    [
        ({"dt": 0.0}, ValueError, r"dt must be at least 1e-15 s; got 0\."),
        ({"dt": "soon"}, TypeError, r"dt must be a number; got 'soon'\."),
        ({"nt": 1.5}, ValueError, r"nt must be a whole number; got 1.5\."),
        (
            {"source_locations": [[[2, 30]], [[2, 20]]]},
            ValueError,
            r"source_locations must lie on the grid of shape \(20, 30\); got \(2, 30\)\. Give indices",
        ),
        (
            {"receiver_locations": [[[1, 3], [-1, 9]]] * 2},
            ValueError,
            r"receiver_locations must lie on the grid of shape \(20, 30\); got \(-1, 9\)\.",
        ),
        (
            {"source_locations": [[[2.0, 15.0]], [[2.0, 20.0]]]},
            TypeError,
            r"source_locations must be integer grid indices; got torch.float32\. Round",
        ),
        (
            {"source_locations": [[2, 15], [2, 20]]},
            ValueError,
            r"source_locations must have shape \(any, any, 2\); got \(2, 2\)\. Axes are shot",
        ),
        (
            {"receiver_locations": np.zeros((2, 0, 2), dtype=int)},
            ValueError,
            r"receiver_locations must hold at least one location; got shape \(2, 0, 2\)\.",
        ),
        (
            {"receiver_locations": [[[1, 3]]]},
            ValueError,
            r"receiver_locations must have one entry for each of 2 shots; got 1\.",
        ),
        (
            {"source_amplitudes": WAVELET.expand(1, 50)},
            ValueError,
            r"source_amplitudes must have shape \(2, 1, 50\); got \(1, 50\)\. Use wavelet.expand",
        ),
        (
            {"source_amplitudes": np.zeros((2, 1, 50))},
            TypeError,
            r"source_amplitudes must be a float32 or float64 tensor; got float64\. Use torch.as_tensor",
        ),
        (
            {"source_amplitudes": torch.zeros(2, 1, 50, dtype=torch.float16)},
            TypeError,
            r"source_amplitudes must be a float32 or float64 tensor; got torch.float16\.",
        ),
        (
            {"source_amplitudes": torch.full((2, 1, 50), torch.nan)},
            ValueError,
            r"source_amplitudes must be finite; got 100 NaN or infinite entries\.",
        ),
    ],
)
def test_a_survey_refuses_bad_input(changes, kind, message):
    with pytest.raises(kind, match=message):
        make(**changes)


@pytest.mark.parametrize(
    ("shape", "spacing", "message"),
    [
        ((20, 30, 40), 10.0, r"grid shape must be \(nz,\) or \(nz, nx\); got \(20, 30, 40\)\."),
        ([20, 30], 10.0, r"grid shape must be \(nz,\) or \(nz, nx\); got \[20, 30\]\. Give a tuple"),
        ((20, 2), 10.0, r"grid shape must be at least 3; got 2\."),
        ((20, 30), -1.0, r"spacing must be at least 1e-12 m; got -1\."),
        ((20, 30), (10.0, -1.0), r"spacing must be at least 1e-12 m; got -1\."),
        ((20, 30), (10.0,), r"spacing must be a number or 2 of them; got 1\. Give one an axis\."),
        ((20,), (10.0, 5.0), r"spacing must be a number or 1 of them; got 2\. Give one an axis\."),
    ],
)
def test_a_grid_refuses_bad_input(shape, spacing, message):
    with pytest.raises(ValueError, match=message):
        Grid(shape, spacing)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"top": "rigid"}, r"top must be one of free, absorbing; got 'rigid'\."),
        ({"sides": "absorb"}, r"sides must be one of free, absorbing; got 'absorb'\. Did you mean 'absorbing'\?"),
        ({"sides": ("free", "rigid")}, r"sides must be one of free, absorbing; got 'rigid'\."),
        ({"sides": ("free",)}, r"sides must be a kind or a pair of kinds; got \('free',\)\. Give \(left, right\)\."),
        ({"width": 0}, r"width must be at least 1 cells; got 0\."),
        ({"velocity": -1.0}, r"boundary velocity must be at least 1e-09 m/s; got -1\."),
        ({"frequency": -1.0}, r"boundary frequency must be at least 0 Hz; got -1\."),
    ],
)
def test_a_boundary_refuses_bad_input(changes, message):
    with pytest.raises(ValueError, match=message):
        Boundary(**changes)


@pytest.mark.parametrize("backend", ["eager", "fused"])
@pytest.mark.parametrize(
    ("model", "changes", "kind", "message"),
    [
        (
            velocity(4700.0),
            {"dt": 4e-3},
            ValueError,
            r"^dt must be at most 0.00150 s for spacing 10 m and velocity up to 4700 m/s; got 0.004\. Reduce dt or "
            r"coarsen the grid\.$",
        ),
        (velocity(0.0), {}, ValueError, r"velocity must be positive; got 0 m/s\. Clip the model"),
        (velocity(torch.inf), {}, ValueError, r"velocity must be finite; got 600 NaN or infinite entries\."),
        (
            velocity(shape=(30, 20)),
            {},
            ValueError,
            r"velocity must have shape \(20, 30\); got \(30, 20\)\. Give \(20, 30\)",
        ),
        (velocity(shape=(3, 20, 30)), {}, ValueError, r"velocity must have shape \(2, 20, 30\); got \(3, 20, 30\)\."),
        (
            velocity().float(),
            {},
            TypeError,
            r"velocity must have the type and device of source_amplitudes, torch.float64 on cpu; "
            r"got torch.float32 on cpu",
        ),
        (velocity().numpy(), {}, TypeError, r"velocity must be a tensor; got ndarray\. Use torch.as_tensor\."),
    ],
)
def test_propagation_refuses_a_bad_velocity(backend, model, changes, kind, message):
    with pytest.raises(kind, match=message):
        propagate(model, make(**changes), backend=backend)


def test_propagation_refuses_unknown_options():
    with pytest.raises(ValueError, match=r"space_order must be 2, 4, 6 or 8; got 10\. Choose one"):
        propagate(velocity(), make(), space_order=10)
    with pytest.raises(ValueError, match=r"backend must be one of fused, eager; got 'fast'\."):
        propagate(velocity(), make(), backend="fast")


def test_the_fused_backend_refuses_other_devices():
    # A tensor without values stands for one on another device, so the checks of its values are left out.
    survey = make()
    object.__setattr__(survey, "check_velocity", lambda *arguments: None)
    with pytest.raises(ValueError, match=r"backend 'fused' must have a velocity on the CPU; got meta\. Use 'eager'\."):
        propagate(velocity().to("meta"), survey)


@pytest.mark.parametrize(
    ("observed", "kind", "message"),
    [
        (
            torch.zeros(2, 3, 49, dtype=torch.float64),
            ValueError,
            r"observed must have shape \(2, 3, 50\); got \(2, 3, 49\)",
        ),
        (torch.zeros(2, 3, 50), TypeError, r"observed must be torch.float64 as velocity is; got torch.float32\."),
        (torch.full((2, 3, 50), torch.nan, dtype=torch.float64), ValueError, r"observed must be finite; got 300 NaN"),
    ],
)
def test_a_misfit_refuses_bad_data(observed, kind, message):
    with pytest.raises(kind, match=message):
        misfit_and_gradient(velocity(), make(), observed)


def test_too_few_points_for_a_wave_are_a_warning():
    nt = 400
    wavelet = ricker(25.0, 1e-3, nt, dtype=torch.float64)
    survey = make(nt=nt, source_amplitudes=wavelet.expand(2, 1, nt))
    with pytest.warns(
        UserWarning,
        match=r"spacing should give the shortest wavelength at least 4 points at order 2; \d+ Hz at 1500 m/s",
    ):
        propagate(velocity(1500.0), survey)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        propagate(velocity(3500.0), survey)


@pytest.mark.filterwarnings("ignore:spacing should give")
@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize(("shape", "spacing"), [((40,), 10.0), ((20, 30), 10.0), ((20, 30), (6.0, 10.0))])
def test_the_longest_step_is_stable_and_a_longer_one_is_not(order, shape, spacing):
    grid = Grid(shape, spacing)
    limit = longest_step(grid, 2500.0, order)
    middle = [[[n // 2 for n in shape]]]
    grown = {}
    for factor in (0.999, 1.02):
        survey = Survey(
            grid,
            factor * limit,
            1500,
            middle,
            middle,
            torch.eye(1500, dtype=torch.float64)[:1, None],
            Boundary("free", "free", "free"),
        )
        if factor > 1:
            with pytest.raises(ValueError, match="dt must be at most"):
                propagate(velocity(2500.0, shape), survey, space_order=order)
            # Past the check, to see that it refuses what would really blow up.
            object.__setattr__(survey, "check_velocity", lambda *arguments: None)
        grown[factor] = propagate(velocity(2500.0, shape), survey, space_order=order).abs().max()
    assert grown[0.999] < 1e4
    assert not grown[1.02] < 1e12


def test_a_ricker_wavelet_peaks_where_it_should():
    dt, nt = 1e-3, 4096
    wavelet = ricker(10.0, dt, nt, 0.5, dtype=torch.float64)
    assert wavelet.argmax() == 500
    # The sample at the delay is 1 to the rounding of the phase.
    assert wavelet[500].item() == pytest.approx(1.0, abs=1e-12)
    peak = torch.fft.rfft(wavelet).abs().argmax().item() / (nt * dt)
    assert peak == pytest.approx(10.0, abs=1 / (nt * dt))
    assert ricker(10.0, dt, nt).abs()[0] < 1e-7
    assert ricker(10.0, dt, nt).dtype == torch.float32


def test_a_ricker_wavelet_is_the_second_derivative_of_a_gaussian():
    dt, frequency = 1e-4, 10.0
    pulse = gaussian(frequency, dt, 4000, 0.2, dtype=torch.float64)
    second = (pulse[2:] - 2 * pulse[1:-1] + pulse[:-2]) / dt**2
    expected = -2 * (np.pi * frequency) ** 2 * ricker(frequency, dt, 4000, 0.2, dtype=torch.float64)[1:-1]
    # Central differences err by dt^2 / 12 times the fourth derivative: relatively (pi f dt)^2, 1e-5.
    torch.testing.assert_close(second, expected, rtol=0, atol=2e-5 * float(expected.abs().max()))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0.0, 1e-3, 10), r"frequency must be at least 1e-09 Hz; got 0\."),
        ((10.0, 0.0, 10), r"dt must be at least 1e-15 s; got 0\."),
        ((10.0, 1e-3, 0), r"nt must be at least 1; got 0\."),
        ((10.0, 1e-3, 10, float("nan")), r"delay must be finite; got nan\."),
    ],
)
def test_wavelets_refuse_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        ricker(*arguments)


def test_messages_are_one_line():
    with pytest.raises(ValueError, match="dt must") as caught:
        propagate(velocity(9000.0), make(dt=4e-3))
    assert re.fullmatch(r"[^\n]+\.", str(caught.value))


@pytest.mark.parametrize("name", ["source_locations", "receiver_locations"])
@pytest.mark.parametrize("value", [[[[1, 3], [1, 9]], [[1, 3]]], [[[1, 3], [1]], [[1, 3], [1, 2]]], [["a"]], None])
def test_ragged_locations_are_refused_in_the_house_s_words(name, value):
    with pytest.raises(
        ValueError, match=rf"^{name} must be integers with as many positions in each shot; got "
    ) as caught:
        make(**{name: value})
    assert re.fullmatch(r"[^\n]+ Fill them up or split the survey\.", str(caught.value))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"grid": (20, 30)}, r"^grid must be a waves\.Grid; got tuple\. Make one first\.$"),
        ({"boundary": "free"}, r"^boundary must be a waves\.Boundary; got str\. Make one first\.$"),
    ],
)
def test_parts_of_another_kind_are_refused(changes, message):
    with pytest.raises(TypeError, match=message):
        make(**changes)
    with pytest.raises(TypeError, match=r"^survey must be a waves\.Survey; got dict\. Make one first\.$"):
        propagate(velocity(), changes)


@pytest.mark.filterwarnings("ignore:spacing should give")
@pytest.mark.parametrize("backend", ["eager", "fused"])
def test_an_order_that_is_a_whole_number_is_one(backend):
    survey, model = make(), velocity()
    for order in (2, 4):
        whole, same = (propagate(model, survey, space_order=kind(order), backend=backend) for kind in (int, float))
        assert torch.equal(whole, same)
    observed = torch.zeros(2, 3, 50, dtype=torch.float64)
    assert torch.equal(
        *(misfit_and_gradient(model, survey, observed, space_order=order, backend=backend)[1] for order in (4, 4.0))
    )
    assert workspace_bytes(survey, space_order=4.0) == workspace_bytes(survey, space_order=4)
    for wrong in (True, "4", 4.5, None, 3):
        with pytest.raises(ValueError, match=r"^space_order must be 2, 4, 6 or 8; got .*\. Choose one of the four\.$"):
            propagate(model, survey, space_order=wrong, backend=backend)
