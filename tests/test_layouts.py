"""Equal numbers give equal results, however they lie in memory and whoever may watch them."""

import math
import warnings

import numpy as np
import pytest
import torch

from geolib import waves
from geolib.gans import variants
from geolib.inversion import descent, latent
from tests import calls

# One worker makes each valid call once for both modules.
pytestmark = pytest.mark.xdist_group("calls")


def likewise(value):
    """Return by name what holds the same numbers as an array or tensor does."""
    if isinstance(value, np.ndarray) and value.ndim and value.dtype.kind in "bif":
        locked = value.copy()
        locked.setflags(write=False)
        return {
            "reversed": np.flip(np.ascontiguousarray(np.flip(value))),
            "by columns": np.asfortranarray(value),
            "every other": np.repeat(value, 2, axis=-1)[..., ::2],
            "other byte order": value.astype(value.dtype.newbyteorder("S")),
            "read-only": locked,
        }
    if isinstance(value, torch.Tensor) and value.ndim:
        found = {
            "by columns": value.transpose(0, -1).contiguous().transpose(0, -1),
            "every other": value.repeat_interleave(2, -1)[..., ::2],
        }
        return found | ({"watched": value.clone().requires_grad_()} if value.is_floating_point() else {})
    return {}


def pieces(found, depth=0):
    """Return the numbers of a result as arrays."""
    if isinstance(found, torch.Tensor):
        return [found.detach().numpy()]
    if isinstance(found, (bool, int, float, np.ndarray, np.number)):
        return [np.asarray(found)]
    if isinstance(found, waves.Certificate):  # what else it holds is the time that it took
        return [np.asarray([("holds", "caution", "FAULT", "").index(row.state) for row in found.rows])]
    if isinstance(found, dict):
        found = [found[name] for name in sorted(found, key=str)]
    if isinstance(found, (list, tuple)):
        return [piece for each in found for piece in pieces(each, depth + 1)]
    inner = getattr(found, "__dict__", None)
    if inner and depth < 3 and type(found).__module__.startswith("geolib"):
        return pieces(list(inner.values()), depth + 1)
    return []


def differs(function, name, value):
    """Return what is wrong with the answer to a call with one argument laid out otherwise, or nothing."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = pieces(calls.called(function, calls.CALLS[function]() | {name: value}))
    except BaseException as error:
        return f"{type(error).__name__}: {str(error)[:200]}"
    wanted = pieces(calls.expected(function))
    for mine, theirs in zip(found, wanted, strict=True):
        # Sums in another order differ by round-off of the single precision that most of it is in.
        if mine.shape != theirs.shape or (
            mine.dtype.kind in "biuf" and not np.allclose(mine, theirs, rtol=1e-4, atol=1e-5, equal_nan=True)
        ):
            return "another result"
    return ""


#: What gives other numbers each time: a table that a search will fill, and a network that is drawn anew.
RANDOM = {latent.Search, variants.code_log_likelihood, variants.information_bound}


def test_equal_numbers_give_equal_results():
    wrong = []
    for function, make in calls.CALLS.items():
        for name, value in make().items() if function not in RANDOM else ():
            for how, other in likewise(value).items():
                if fault := differs(function, name, other):
                    wrong.append(f"{calls.named(function)}: {name} {how}: {fault}")
    assert not wrong, "\n".join(wrong)


def survey(**changes):
    made = calls.CALLS[waves.Survey]()
    return waves.Survey(**made | changes)


AMPLITUDES = survey().source_amplitudes


@pytest.mark.parametrize(
    ("call", "piece"),
    [
        (lambda: survey(source_amplitudes=AMPLITUDES * 0 + 3e38), "source_amplitudes must be at most 1e+15; got 3e+38"),
        (lambda: survey(source_amplitudes=AMPLITUDES * math.inf), "source_amplitudes must be finite"),
        (
            lambda: waves.propagate(torch.full((8, 9), 2e3).to_sparse(), survey()),
            "velocity must be a tensor that holds",
        ),
        (
            lambda: waves.propagate(torch.full((8, 9), 2e3, device="meta"), survey()),
            "velocity must have the type and dev",
        ),
        (
            lambda: torch.vmap(lambda v: waves.propagate(v, survey(), backend="eager"))(torch.full((2, 8, 9), 2e3)),
            "velocity must hold numbers of its own",
        ),
        (
            lambda: waves.ricker(20.0, 1e-3, 12, dtype=torch.int32),
            "dtype must be a floating-point type; got torch.int32",
        ),
        (
            lambda: waves.gaussian(20.0, 1e-3, 12, dtype=torch.bool),
            "dtype must be a floating-point type; got torch.bool",
        ),
    ],
)
def test_tensors_of_another_kind_are_refused_in_a_line(call, piece):
    with pytest.raises((TypeError, ValueError)) as raised:
        call()
    assert str(raised.value).startswith(piece) and "\n" not in str(raised.value)


@pytest.mark.parametrize("turn", [lambda x: x[:, ::-1], lambda x: np.asfortranarray(x), lambda x: x.astype(">i4")])
def test_locations_are_the_same_however_they_lie(turn):
    made = np.array([[[2, 3], [4, 5], [6, 7]]])
    found = survey(receiver_locations=turn(made)).receiver_locations
    assert found.tolist() == turn(made).tolist()


@pytest.mark.parametrize("method", ["gd", "adam", "cg", "lbfgs"])
@pytest.mark.parametrize(
    "answer", [None, 1.0, ("x", np.ones(3)), (1j, np.ones(3)), (np.ones(2), np.ones(3)), (1.0, "x")]
)
def test_an_objective_that_returns_something_else_is_told(method, answer):
    rate = 0.1 if method in ("gd", "adam") else None
    with pytest.raises(
        TypeError, match=r"^objective must return the misfit, a number, and its gradient; got .* pair\.$"
    ):
        descent.minimize(lambda model: answer, np.ones(3), method, iterations=2, rate=rate)
