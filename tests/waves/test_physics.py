"""The engine against theory: exact solutions, symmetry, order of convergence, and the absorbing layer."""

import numpy as np
import pytest
import torch

from geolib.waves import Boundary, Grid, Survey, longest_step, propagate, ricker

FREE = Boundary("free", "free", "free")


def traces(velocity, spacing, dt, source, receivers, amplitudes, boundary, order=2):
    survey = Survey(
        Grid(tuple(velocity.shape), spacing),
        dt,
        len(amplitudes),
        [[source]],
        [receivers],
        amplitudes[None, None],
        boundary,
    )
    return propagate(velocity, survey, space_order=order)[0]


def constant(value, shape):
    return torch.full(shape, value, dtype=torch.float64)


def pulse(t, frequency, delay):
    a = (np.pi * frequency * (t - delay)) ** 2
    return (1 - 2 * a) * np.exp(-a)


@pytest.mark.filterwarnings("ignore:spacing should give")
def test_d_alembert_with_both_free_ends():
    """At v dt = h a wave on a string moves one point a step without error, and each end returns its negative."""
    n, source, nt, spacing = 40, 11, 130, 10.0
    generator = torch.Generator().manual_seed(0)
    s = torch.randn(nt, generator=generator, dtype=torch.float64)
    found = traces(
        constant(2000.0, (n,)), spacing, spacing / 2000.0, [source], [[i] for i in range(n)], s, FREE
    ).numpy()

    def string(distance):
        # What is at distance i after step k + 1 of an endless string: every other earlier sample of the source.
        arrived = np.zeros(nt)
        for k in range(distance, nt):
            arrived[k] = arrived[k - 2] + s[k - distance] if k >= 2 else s[k - distance]
        return -(spacing**2) * arrived

    # u vanishes one point outside the grid, at -1 and n, so images repeat with period 2 (n + 1).
    period = 2 * (n + 1)
    expected = np.array(
        [
            sum(string(abs(i - source + m * period)) - string(abs(i + source + 2 + m * period)) for m in range(-3, 4))
            for i in range(n)
        ]
    )
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-11 * np.abs(expected).max())


@pytest.mark.parametrize(("order", "expected"), [(2, 2.0), (4, 4.0)])
def test_order_of_convergence(order, expected):
    """Against d'Alembert's integral, u = -v / 2 of the integral of the source up to t - distance / v."""
    speed, frequency, delay, distance, seconds = 2000.0, 10.0, 0.15, 300.0, 0.45
    errors, spacings = [], [10.0, 7.5, 5.0, 3.75]
    for spacing in spacings:
        # At order 4 the time step shrinks with the square of the spacing, for time is of second order.
        dt = 0.5 * spacing / speed if order == 2 else 0.5 * spacing**2 / speed / 10.0
        nt = round(seconds / dt)
        n = 2 * int(speed * seconds / spacing) + 21
        middle, offset = n // 2, round(distance / spacing)
        source = torch.from_numpy(pulse(np.arange(nt) * dt, frequency, delay)) / spacing
        found = traces(constant(speed, (n,)), spacing, dt, [middle], [[middle + offset]], source, FREE, order)[
            0
        ].numpy()
        retarded = (np.arange(nt) + 1) * dt - distance / speed
        # The integral of a Ricker wavelet from far before its delay.
        integral = (retarded - delay) * np.exp(-((np.pi * frequency * (retarded - delay)) ** 2))
        theory = -speed / 2 * np.where(retarded > 0, integral, 0)
        errors.append(np.linalg.norm(found - theory) / np.linalg.norm(theory))
    fitted = np.polyfit(np.log(spacings), np.log(errors), 1)[0]
    # Between 10 and 3.75 m the next term of the error bends the fit by a few percent.
    assert fitted == pytest.approx(expected, abs=0.15)
    assert errors[-1] < {2: 1e-2, 4: 4e-4}[order]


@pytest.mark.parametrize(("order", "dz"), [(2, 5.0), (4, 5.0), (6, 5.0), (8, 5.0), (2, 4.0), (8, 4.0)])
def test_green_s_function_in_two_dimensions(order, dz):
    """u = -1/(2 pi) of the integral of s(t - r/v cosh x) over x from 0 to arcosh(t v / r)."""
    speed, frequency, delay, spacing, dt, nt, n = 2000.0, 8.0, 0.18, 5.0, 0.5e-3, 900, 161
    offsets = [(0, 40), (40, 0), (24, 32), (28, 28)]
    receivers = [[80 + i, 80 + j] for i, j in offsets]
    source = torch.from_numpy(pulse(np.arange(nt) * dt, frequency, delay)) / (dz * spacing)
    boundary = Boundary("absorbing", "absorbing", "absorbing", velocity=speed, frequency=frequency)
    found = traces(constant(speed, (n, n)), (dz, spacing), dt, [80, 80], receivers, source, boundary, order).numpy()
    times = (np.arange(nt) + 1) * dt
    nodes, weights = np.polynomial.legendre.leggauss(400)
    for trace, offset in zip(found, offsets, strict=True):
        r = np.hypot(dz * offset[0], spacing * offset[1])
        upper = np.arccosh(np.maximum(times * speed / r, 1.0))
        x = upper[:, None] * (nodes + 1) / 2
        s = pulse(times[:, None] - r / speed * np.cosh(x), frequency, delay)
        theory = -(s @ weights) * upper / 2 / (2 * np.pi)
        error = np.linalg.norm(trace - theory) / np.linalg.norm(theory)
        # 31 points for a wavelength at 8 Hz: dispersion over 200 m; above order 2 the time step's error is left.
        assert error < (6e-3 if order == 2 else 3e-3), offset


@pytest.mark.parametrize("boundary", [FREE, Boundary(width=8, velocity=2500.0)], ids=["free", "layer"])
@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize("shape", [(50,), (20, 25)])
def test_reciprocity(shape, order, boundary):
    """Source and receiver may change places: the operator over v^2 is symmetric, and similar to that in the layer."""
    generator = torch.Generator().manual_seed(0)
    velocity = 2500 + 300 * torch.randn(shape, generator=generator, dtype=torch.float64)
    s = ricker(12.0, 1e-3, 400, dtype=torch.float64)
    here, there = [2 for _ in shape], [n - 4 for n in shape]
    forth = traces(velocity, 10.0, 1e-3, here, [there], s, boundary, order)
    back = traces(velocity, 10.0, 1e-3, there, [here], s, boundary, order)
    # Rounding of 400 steps; above order 2 the similarity holds up to the discretisation, and 2e-7 to 4e-6 is seen.
    tolerance = 1e-5 if order > 2 and boundary is not FREE else 1e-11
    torch.testing.assert_close(forth, back, rtol=0, atol=tolerance * float(forth.abs().max()))


def reflected_energy(width, order, shape, source, receivers, seconds=0.5, **tuning):
    """What a layer sends back: the difference to a grid so large that nothing returns in time."""
    speed, spacing, dt = 2500.0, 10.0, 1e-3
    nt = round(seconds / dt)
    s = ricker(10.0, dt, nt, dtype=torch.float64)
    far = int(speed * seconds / spacing / 2) + 2
    layer = Boundary("absorbing", "absorbing", "absorbing", width=width, **tuning)
    near = traces(constant(speed, shape), spacing, dt, source, receivers, s, layer, order)
    large = constant(speed, tuple(n + 2 * far for n in shape))
    moved = [[i + far for i in place] for place in (source, *receivers)]
    endless = traces(large, spacing, dt, moved[0], moved[1:], s, FREE, order)
    return float((near - endless).square().sum() / endless.square().sum())


# What is sent back on the line, by half the layer, in the plane, and along the top row, where waves graze the layer.
# Tuned: measured 1.9e-10, 9.9e-9, 3.7e-10 and 9.3e-11. By default the layer follows the survey, which says
# only which velocity its step allows, here three to four times that of the medium: 1.2e-9, 6.0e-8, 1.1e-9 and 2.9e-10.
TUNED = ({"velocity": 4000.0, "frequency": 10.0}, (1e-9, 5e-8, 1e-9, 1e-9))
FOLLOWING = ({}, (2e-9, 1e-7, 2e-9, 1e-9))


@pytest.mark.parametrize("order", [2, 4, 6, 8])
@pytest.mark.parametrize(("tuning", "limits"), [TUNED, FOLLOWING])
def test_the_layer_absorbs(order, tuning, limits):
    line, plane = [[10], [30]], [[i, 5] for i in range(0, 60, 5)]
    top = [[2, i] for i in range(15, 100, 10)]
    found = (
        reflected_energy(20, order, (60,), [20], line, 0.6, **tuning),
        reflected_energy(10, order, (60,), [20], line, 0.6, **tuning),
        reflected_energy(20, order, (60, 60), [30, 30], plane, **tuning),
        reflected_energy(20, order, (30, 100), [2, 5], top, **tuning),
    )
    assert all(energy < limit for energy, limit in zip(found, limits, strict=True)), found


@pytest.mark.parametrize("order", [2, 4, 6, 8])
def test_the_layer_is_stable_at_the_longest_step(order):
    grid = Grid((20, 24), 10.0)
    nt = 20000
    survey = Survey(
        grid,
        0.99 * longest_step(grid, 3000.0, order),
        nt,
        [[[10, 12]]],
        [[[3, 3]]],
        ricker(10.0, 2e-3, nt, dtype=torch.float64)[None, None],
        Boundary("absorbing", "absorbing", "absorbing", width=10),
    )
    data = propagate(constant(3000.0, (20, 24)), survey, space_order=order)[0, 0]
    # What the layer keeps of the lowest frequencies decays by half each thousand steps; an instability would grow.
    assert float(data[-500:].abs().max()) < 1e-7 * float(data.abs().max())


def test_a_free_surface_turns_the_wave_over():
    """A deep source seen near the surface: the ghost follows with opposite sign, later by twice the depth."""
    speed, dt, spacing, nt = 2000.0, 1e-3, 5.0, 700
    s = ricker(12.0, dt, nt, dtype=torch.float64)
    both = traces(constant(speed, (200,)), spacing, dt, [150], [[29]], s, Boundary(velocity=speed))[0]
    alone = traces(constant(speed, (200,)), spacing, dt, [150], [[29]], s, Boundary("absorbing", velocity=speed))[0]
    ghost = both - alone
    # Row 29 lies 30 spacings below the surface: the ghost is 60 spacings, 150 samples, behind.
    lag = 150
    direct = alone[: nt - lag]
    # The ghost's path is 300 m longer: with 33 points for the wavelength at 12 Hz, dispersion changes it by 0.2 %.
    assert float((ghost[lag:] + direct).norm() / direct.norm()) < 0.02
