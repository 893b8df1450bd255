"""The certificate catches 200 faults of the adjoint that are put in on purpose, and raises no alarm without one."""

import dataclasses
import importlib
import math
import re

import numpy as np
import pytest
import torch

from geolib.studies.rnn_fwi.problems import problem_1d
from geolib.waves import Between, Boundary, Grid, Survey, between, certify, longest_step, propagate, ricker
from geolib.waves._layout import Places, scheme_of, setup_of
from geolib.waves.certify import Certificate

# The package's attribute of this name is the function.
engine = importlib.import_module("geolib.waves.propagate")

FAULTS = ("sign", "index", "shift", "term", "boundary", "layer", "weight", "spacing", "tap", "nearest")
# Of observed data alone, of the value alone, and of the end of the record.
FAULTS += ("late", "polarity", "neighbour", "value", "end")
SEEDS = range(200)


def draws(seed):
    rng = torch.Generator().manual_seed(seed)

    def whole(low, high):
        return int(torch.randint(low, high + 1, (1,), generator=rng))

    def real(low, high):
        return low + (high - low) * float(torch.rand(1, generator=rng))

    return rng, whole, real


def drawn(seed, *, order=None, layer=False, oblong=False, off=False):
    """A survey of any scale, shape, boundary and precision, with at least 18 points to its slowest wavelength.

    About a third of the plane ones have oblong cells, and a third of all have their places off the grid points.
    """
    rng, whole, real = draws(seed)
    rng_of_more, whole_of_more, real_of_more = draws(10**6 + seed)
    shape = (whole(15, 60),) if whole(0, 4) == 0 else (whole(12, 30), whole(12, 30))
    if oblong:
        shape = (*shape, 20)[:2]
    order = order or 2 * whole(1, 4)
    oblong = len(shape) == 2 and (oblong or whole_of_more(0, 1) == 0)
    off = off or whole_of_more(0, 2) == 0
    dtype = (torch.float32, torch.float64)[whole(0, 1)]
    velocity = 10 ** real(-1, 4) * (1 + real(0, 0.5) * torch.rand(shape, generator=rng, dtype=torch.float64))
    spacing = 10 ** real(-3, 3)
    aspect = real_of_more(0.6, 0.9)
    grid = Grid(shape, (spacing, aspect * spacing)[:: 1 - 2 * (seed % 2)] if oblong else spacing)
    dt = real(0.3, 0.99) * longest_step(grid, float(velocity.max()), order)
    frequency = float(velocity.min()) / spacing / real(18, 25)
    nt = round(real(3, 6) / frequency / dt)
    n_shots, n_sources = whole(1, 4), whole(1, 2)

    def places(n):
        return torch.stack([torch.randint(0, m, (n_shots, n), generator=rng) for m in shape], -1)

    top, left, right, bottom = (("free", "absorbing")[whole(0, 1)] for _ in range(4))
    edge = Boundary("absorbing" if layer else top, (left, right), bottom, width=whole(10, 20))
    wavelet = 10 ** real(-6, 6) * ricker(frequency, dt, nt, dtype=dtype)
    sources = wavelet.expand(n_shots, n_sources, nt)
    survey = Survey(grid, dt, nt, places(n_sources), places(whole(2, 8)), sources, edge)
    if off:

        def moved(places):
            there = places + torch.rand(places.shape, generator=rng_of_more, dtype=torch.float64) - 0.5
            last = torch.tensor(shape) - 1.0
            return last - (last - there.abs()).abs()  # what is off the grid is turned over

        survey = between(survey, moved(survey.source_locations), moved(survey.receiver_locations))
    return velocity.to(dtype), survey, order


def put_in(fault, seed, last, monkeypatch):
    """Let every gradient of the kernels have a fault, "end" from sample `last`; what they propagate stays right."""
    right, (_, whole, real) = engine._Shots.gradient, draws(seed)
    choices = [whole(0, 10**6) for _ in range(4)]
    sign, by = 1 - 2 * (choices[0] % 2), real(0.05, 0.5)

    def wrong(shots, data, *, fit):
        n_shots, n_receivers, _ = data.shape
        if fit and fault in ("late", "polarity", "neighbour"):
            changed = {"late": data.roll(5, -1), "polarity": -data, "neighbour": data.roll(1, 1)}
            data = changed[fault]
        residual = (shots.gathers() - data) / n_shots if fit else data
        misfit = float(n_shots * residual.double().square().sum() / 2) if fit else 0.0
        if fault == "value":
            misfit *= 1 + sign * by
        residual, chosen = residual.clone(), choices[1] % n_receivers
        if fault == "shift":  # the adjoint's sources come a sample early or late
            residual = residual.roll(sign, -1)
        elif fault == "end":
            residual[..., last:] *= -1
        elif fault == "weight":
            residual[:, chosen] *= 1 + sign * by
        elif fault == "index":
            points = shots.receivers.points.copy()
            of_one = points.reshape(n_shots, n_receivers, -1)[:, chosen]
            of_one += sign * (1 if choices[2] % 2 else shots.setup.stride)
            shots.receivers = shots.receivers._replace(points=points)
        elif fault in ("tap", "nearest"):
            shots.receivers = mixed_up(shots.receivers, fault, chosen, choices[2] % 4, 1 + sign * by)
        elif fault == "spacing":  # of depth and distance, one for the other
            turned = dataclasses.replace(
                shots.survey, grid=Grid(shots.survey.grid.shape, shots.survey.grid.spacings[::-1])
            )
            order = 2 + 2 * len(shots.scheme[0])
            shots.setup, _ = setup_of(turned, order, shots.type)
            shots.scheme = scheme_of(turned.grid, order, shots.type)
            shots.courant = shots.courant * shots.scheme[1]
        elif fault == "term":
            shots.scheme = shots.scheme[0][:-1], shots.scheme[1]
        elif fault == "layer":
            parts = {name: getattr(shots.setup, name) for name in ("along_x", "top", "bottom")}
            for name, strip in parts.items():
                parts[name] = strip._replace(coefficients=strip.coefficients.copy())
                parts[name].coefficients[choices[1] % 2 :: 2] = 0  # memory fades, or nothing enters it
            shots.setup = shots.setup._replace(**parts)
        _, gradient, source = right(shots, residual, fit=False)
        if fault == "sign":
            gradient = -gradient
        elif fault == "boundary":
            padding = shots.survey.boundary.padding(len(shots.survey.grid.shape))
            axis = choices[1] % len(padding)
            first = padding[axis][0], gradient.shape[axis - len(padding)] - padding[axis][1] - 1
            gradient = gradient.clone()
            gradient.select(axis - len(padding), first[choices[2] % 2]).mul_(1 + sign * by)
        return misfit, gradient, source

    monkeypatch.setattr(engine._Shots, "gradient", wrong)


def mixed_up(places, fault, chosen, rank, factor):
    """Return receivers that read one of a receiver's points by another weight, or the nearest point alone."""
    weights = places.weights.copy()
    largest = np.abs(weights).argsort(-1)[:, :, ::-1]
    if fault == "tap":
        shots = np.arange(len(weights))
        weights[shots, chosen, largest[:, chosen, rank]] *= factor
        return places._replace(weights=weights)
    points = places.points.reshape(weights.shape)
    return Places(np.take_along_axis(points, largest[:, :, :1], -1)[..., 0], None)


def with_fault(seed, monkeypatch):
    fault = FAULTS[seed % len(FAULTS)]
    # The farthest term, the layer, the other spacing and the points around a place can be missing only where they are.
    velocity, survey, order = drawn(
        seed,
        order=4 + 2 * (seed // len(FAULTS) % 3) if fault == "term" else None,
        layer=fault == "layer",
        oblong=fault == "spacing",
        off=fault in ("tap", "nearest"),
    )
    put_in(fault, seed, int(0.75 * survey.nt), monkeypatch)
    return fault, certify(velocity, survey, space_order=order)


def test_a_fair_share_of_the_valid_surveys_is_oblong_or_off_the_grid_points():
    made = [drawn(seed) for seed in SEEDS]
    surveys = [survey for _, survey, _ in made]
    assert {order for _, survey, order in made if isinstance(survey.grid.spacing, tuple)} == {2, 4, 6, 8}
    assert sum(isinstance(survey.grid.spacing, tuple) for survey in surveys) >= 40
    assert sum(isinstance(survey, Between) for survey in surveys) >= 60
    assert sum(isinstance(survey, Between) and isinstance(survey.grid.spacing, tuple) for survey in surveys) >= 10


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fault_of_the_adjoint_is_caught(seed, monkeypatch):
    fault, found = with_fault(seed, monkeypatch)
    assert found.faults, f"{fault}\n{found}"
    assert found.verdict.startswith("Do not invert with this: the engine fails at")


@pytest.mark.parametrize("seed", SEEDS)
def test_a_valid_survey_raises_no_alarm(seed):
    velocity, survey, order = drawn(seed)
    found = certify(velocity, survey, space_order=order)
    assert not found.faults and not found.cautions, f"\n{found}"
    for row in found.rows:  # and none of the limits is near
        if error := re.match(r"\d\.\de[+-]\d\d", row.found):
            assert float(error[0]) <= 0.5 * float(row.rule.split()[-1]), row


def line(n=60, order=4, *, dtype=torch.float64, **edge):
    """A survey of one shot down a line of 2000 m/s, its source and receivers at 10 and 25 points."""
    grid = Grid((n,), 5.0)
    dt = 0.5 * longest_step(grid, 2000.0, order)
    wavelet = ricker(15.0, dt, 300, dtype=dtype).expand(1, 1, -1)
    return torch.full((n,), 2000.0, dtype=dtype), Survey(
        grid, dt, 300, [[[10]]], [[[25], [40]]], wavelet, Boundary(**edge)
    )


def state_of(found, check):
    (row,) = (row for row in found.rows if row.check == check)
    return row


def test_it_says_how_much_is_tried_and_reaches_the_last_sample():
    velocity, survey = line()
    found = certify(velocity, survey, space_order=4)
    tried = state_of(found, "tried")
    assert re.fullmatch(r"1 of 1 shots, 1\d\d of 300 samples; all in float64", tried.found) and not tried.state
    whole = {row.check for row in found.rows if row.check.endswith("to the last sample")}
    assert whole == {
        f"{what}, to the last sample" for what in ("dot product", "value of misfit", "derivative of misfit")
    }


@pytest.mark.parametrize("strength", [0.0, 1e-12, 1e12])
def test_observed_data_of_any_strength_raise_no_alarm(strength):
    velocity, survey = line(dtype=torch.float32)
    observed = strength * propagate(0.9 * velocity, survey, space_order=4)
    observed[:, 1] = 0  # a dead trace
    found = certify(velocity, survey, observed, space_order=4)
    assert not found.faults, f"\n{found}"


def test_cells_that_no_wave_has_met_raise_no_alarm():
    """As at the far end of the chapter's line, whose echo comes after the part of the record that is tried."""
    problem = problem_1d()
    found = certify(torch.from_numpy(problem.start), problem.survey)
    assert not found.faults, f"\n{found}"


def test_the_eager_backend_is_certified_too():
    velocity, survey = line()
    found = certify(velocity, survey, space_order=4, backend="eager")
    assert found.verdict == "The gradient is exact on this survey, and its grid, time step and layers serve its waves."
    assert str(found).splitlines()[0].split() == ["check", "found", "rule"]
    assert f"\n\n{found.verdict}\nIt took" in str(found)


def test_each_shot_may_have_a_model_of_its_own():
    velocity, survey, order = drawn(1)
    models = torch.stack([velocity * (1 - 0.01 * i) for i in range(survey.n_shots)])
    found = certify(models, survey, space_order=order)
    assert not found.faults, f"\n{found}"
    assert not [row for row in found.rows if row.check.startswith("gradient of all shots")]


def test_a_layer_that_reflects_is_told():
    velocity, survey = line(width=3, velocity=100.0)
    row = state_of(certify(velocity, survey, space_order=4), "energy that the layers send back")
    assert row.state == "caution" and float(row.found) > 1e-2
    velocity, survey = line(bottom="free")
    assert "energy that the layers send back" not in [row.check for row in certify(velocity, survey).rows]


def test_dispersion_is_told_by_the_scheme_s_own_wavenumber():
    velocity, survey = line(order=2)
    row = state_of(certify(velocity, survey), "dispersion")
    # Down the 60 points and up again, of which the record holds all.
    frequency, seconds = survey.highest_frequency, 120 * 5.0 / 2000
    s = math.sin(math.pi * frequency * survey.dt) / (2000 * survey.dt / 5)
    late = (math.asin(s) / (math.pi * frequency * 5 / 2000) - 1) * frequency * seconds
    assert late > 0.05 and row.found == f"{late:.2f} periods of {frequency:.3g} Hz over 600 m"
    assert row.state == "holds"
    coarse = dataclasses.replace(
        survey, source_amplitudes=ricker(90.0, survey.dt, 300, dtype=torch.float64)[None, None]
    )
    row = state_of(certify(velocity, coarse), "dispersion")
    assert row.state == "caution" and row.found.endswith("does not travel at 2000 m/s")


def test_skipped_cycles_are_counted():
    velocity, survey = line(top="absorbing")  # without a ghost, a trace is one event
    observed = propagate(velocity, survey, space_order=4)
    check = "cycles skipped at this velocity"
    row = state_of(certify(velocity, survey, observed, space_order=4), check)
    assert row.state == "holds" and row.found.startswith("0 of 2 traces, the worst by 0.0 periods")
    # 1200 m/s take 2/3 more time over 15 points, less than half of a period, and over 30 points twice that.
    slow = certify(0.6 * velocity, survey, observed, space_order=4)
    row = state_of(slow, check)
    assert row.state == "caution" and row.found.startswith("1 of 2 traces, the worst by")
    late = 2 / 3 * 30 * 5 / 2000 * survey.mean_frequency
    assert float(row.found.split("by ")[1].split()[0]) == pytest.approx(late, abs=0.06)
    assert slow.verdict == f"The gradient is exact on this survey; think again about: {check}."


def test_what_cannot_be_certified_is_refused():
    velocity, survey = line()
    silent = dataclasses.replace(survey, source_amplitudes=0 * survey.source_amplitudes)
    with pytest.raises(ValueError, match=r"source_amplitudes must not be silent; all are zero\. Give a wavelet"):
        certify(velocity, silent)
    with pytest.raises(ValueError, match=r"observed must have shape \(1, 2, 300\); got \(1, 3, 300\)"):
        certify(velocity, survey, torch.zeros(1, 3, 300))
    with pytest.raises(ValueError, match=r"dt must be at most"):
        certify(4 * velocity, survey)


@pytest.mark.parametrize(
    ("n_shots", "late", "most"), [(1, 0, 11), (2, 0, 10), (6, 0, 10), (9, 0, 10), (20, 0, 10), (1, 1, 18), (2, 1, 15)]
)
def test_a_certificate_costs_at_most_ten_gradients_and_more_of_one_shot_or_late_energy(
    n_shots, late, most, monkeypatch
):
    """Counted: cells, steps and bytes that the kernels pass over, and a gradient as 3.6 to 4.4 forward runs."""
    nt, spent = 240, {"gathers": 0, "gradient": 0}

    def counted(name, run):
        def counting(shots, *data, **options):
            size = math.prod(shots.shape) * shots.survey.n_shots * shots.survey.nt * shots.type.itemsize
            spent[name] += size
            return run(shots, *data, **options)

        return counting

    grid, velocity = Grid((60, 90), 10.0), torch.full((60, 90), 2000.0)
    dt = 0.8 * longest_step(grid, 2500.0)
    wavelet = ricker(8.0, dt, nt).roll(late * (nt - 110), -1).expand(n_shots, 1, -1)
    columns = torch.linspace(10, 80, n_shots).long()
    sources = torch.stack([torch.ones_like(columns), columns], -1)[:, None]
    receivers = torch.tensor([[1, x] for x in range(5, 85, 5)]).expand(n_shots, -1, -1)
    survey = Survey(grid, dt, nt, sources, receivers, wavelet)
    for name in spent:
        monkeypatch.setattr(engine._Shots, name, counted(name, getattr(engine._Shots, name)))
    found = certify(velocity, survey)
    of_survey = math.prod((n + by for n, by in zip((60, 90), (20, 40), strict=True))) * n_shots * nt * 4
    for cost in (3.6, 4.4):
        gradients = (spent["gathers"] / cost + spent["gradient"]) / of_survey
        assert gradients <= most
    assert found.gradients > 0 and f"as {found.gradients:.1f} gradients of the survey" in str(found)


def test_to_compile_is_told_apart():
    found = Certificate((), 2.0, 8.0, 40.0)
    assert str(found).endswith("It took 2 s, as 8.0 gradients of the survey, after 40 s to make the engine ready.")
    assert str(Certificate((), 2.0, 8.0, 0.1)).endswith("It took 2 s, as 8.0 gradients of the survey.")
