"""The paper's equations in one dimension: the adjoint, printed and corrected, and misprints.

Plain numpy, so that each line can be held against an equation; the engine that the inversions use
is another program.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence

import numpy as np

from geolib.datasets import velocity as models
from geolib.waves import ricker

SPACING, DT, NT, INDEX = 10.0, 1e-3, 1783, 2
#: Lengths of the Taylor test's steps, of its direction.
STEPS = 0.5 ** np.arange(10)
#: Standard deviation of the direction that derivatives are tested in, m/s.
DETAIL = 10.0


def numbers() -> dict[str, np.ndarray]:
    """Return what the derivative tests and the errata of the chapter need.

    Returns
    -------
    dict of str to ndarray
        ``derivative``: the directional derivative of J by differences. ``corrected``, ``printed``,
        ``late``, ``one_step``, ``everywhere``: what the adjoint gives when it is right, with A-9 as
        printed, with A-10 as printed, without the sum over time (the largest single term), and with
        the residual injected in every cell. ``steps``, ``remainders``: Taylor remainders of J with
        the derivative left out, as printed, and corrected. ``eq11``: true and predicted change of J
        for the best step along -g, that step, and J. ``ascent``: J(v + 0.1 g) / J(v) and J(v - 0.1
        g) / J(v). ``scaled``: how much longer the first steps of GD and of Adam get when the data
        are ten times as large.

    References
    ----------
    Sun et al., equations 5 to 11, appendix A and B.
    """
    # So deep that no echo of the lower end arrives.
    truth = models.four_layers(nz=450)
    velocity = models.smooth(truth, 6.0)
    source = ricker(10.0, DT, NT, 0.1).numpy().astype(float)
    observed = _forward(truth, source)[0]
    # A direction with detail on every scale: smooth ones hide where the two adjoints differ.
    direction = DETAIL * np.random.default_rng(0).standard_normal(velocity.shape)
    direction[200:] = 0

    def misfit(model: np.ndarray) -> float:
        return 0.5 * float(np.sum((_forward(model, source)[0] - observed) ** 2))

    def gradient(model: np.ndarray, **misprint: bool) -> np.ndarray:
        return np.asarray(_gradient(model, source, observed, **misprint).sum(0))

    g = gradient(velocity)
    slopes = {
        "corrected": float(g @ direction),
        "printed": float(gradient(velocity, printed_a9=True) @ direction),
        "late": float(gradient(velocity, printed_a10=True) @ direction),
        "everywhere": float(gradient(velocity, everywhere=True) @ direction),
    }
    terms = _gradient(velocity, source, observed) @ direction
    slopes["one_step"] = float(terms[np.abs(terms).argmax()])
    h = 1e-4
    slopes["derivative"] = (misfit(velocity + h * direction) - misfit(velocity - h * direction)) / (
        2 * h
    )

    j0 = misfit(velocity)
    supposed = (0.0, slopes["printed"], slopes["corrected"])

    curvature = float(g @ (gradient(velocity + 1e-3 * g) - gradient(velocity - 1e-3 * g)) / 2e-3)
    best = float(g @ g) / curvature
    louder = _gradient(velocity, 10 * source, 10 * observed).sum(0)
    predicted = 0.5 * best**2 * curvature - best * float(g @ g)
    return {
        **{name: np.array(value) for name, value in slopes.items()},
        "steps": STEPS,
        "remainders": remainders(misfit, velocity, direction, supposed),
        "eq11": np.array([misfit(velocity - best * g) - j0, predicted, best, j0]),
        "ascent": np.array([misfit(velocity + 0.1 * g) / j0, misfit(velocity - 0.1 * g) / j0]),
        "scaled": np.array(
            [np.linalg.norm(louder) / np.linalg.norm(g), _adam(louder[:200]) / _adam(g[:200])]
        ),
    }


def remainders(
    misfit: Callable[[np.ndarray], float],
    velocity: np.ndarray,
    direction: np.ndarray,
    slopes: Sequence[float],
) -> np.ndarray:
    """Return what supposed slopes leave of the misfit's change, a row each: the Taylor test."""
    changes = np.array([misfit(velocity + h * direction) for h in STEPS]) - misfit(velocity)
    return np.abs([changes - STEPS * slope for slope in slopes])


@functools.cache
def as_printed() -> dict[str, np.ndarray]:
    """Return the printed algorithm's results: right in its last line, wrong in its "dJ/du".

    The recursion A-9 with v^2 dt^2 outside the Laplacian belongs to mu = v^2 dt^2 dJ/du; correlated
    with 2 / v^3 times the second time derivative, as the last line of A-11 has it, and summed over
    time by A-2, mu gives the gradient. Taken for dJ/du itself, as lines 2 and 3 of A-11 have it,
    the same field gives another vector.

    Returns
    -------
    dict of str to ndarray
        ``last_line``: norm of the last line's gradient less the exact one, over the norm of that.
        ``named_ratio``: along twenty random directions, lines 2 and 3 over the exact slope.
        ``named_cosine``: cosine between both vectors, positive for a descent direction.
        ``named_scale``: largest deviation of lines 2 and 3 from the exact gradient times (v / v at
        the receiver)^2, over the largest entry. ``quadratic``: change of J over what equation 11
        says, for a tenth of the best step along -g.

    References
    ----------
    Sun et al., equations A-2 and A-7 to A-11.
    """
    truth = models.four_layers(nz=450)
    velocity = models.smooth(truth, 6.0)
    source = ricker(10.0, DT, NT, 0.1).numpy().astype(float)
    observed = _forward(truth, source)[0]
    exact = _gradient(velocity, source, observed).sum(0)
    named = _gradient(velocity, source, observed, printed_a9=True).sum(0)
    last = _last_line(velocity, source, observed)
    drawn = np.random.default_rng(0).standard_normal((20, velocity.size))
    drawn[:, 200:] = 0
    expected = exact * (velocity / velocity[INDEX]) ** 2

    def misfit(step: float) -> float:
        trace = _forward(velocity - step * exact, source)[0]
        return 0.5 * float(np.sum((trace - observed) ** 2))

    ends = [_gradient(velocity + h * exact, source, observed).sum(0) for h in (1e-3, -1e-3)]
    square, curvature = float(exact @ exact), float(exact @ (ends[0] - ends[1])) / 2e-3
    step = 0.1 * square / curvature
    return {
        "quadratic": (misfit(step) - misfit(0)) / (0.5 * step**2 * curvature - step * square),
        "last_line": np.linalg.norm(last - exact) / np.linalg.norm(exact),
        "named_ratio": (drawn @ named) / (drawn @ exact),
        "named_cosine": named @ exact / (np.linalg.norm(named) * np.linalg.norm(exact)),
        "named_scale": np.abs(named - expected).max() / np.abs(expected).max(),
    }


def _last_line(velocity: np.ndarray, source: np.ndarray, observed: np.ndarray) -> np.ndarray:
    """Return the gradient by A-11's last line, with A-9's recursion as printed, for one source."""
    trace, fields = _forward(velocity, source)
    squared, residual = velocity**2 * DT**2, observed - trace
    now, after, total = np.zeros_like(velocity), np.zeros_like(velocity), np.zeros_like(velocity)
    for t in range(NT - 1, -1, -1):
        inside = _laplacian(now)
        inside[INDEX] -= residual[t]  # BP of the residual itself, undivided
        mu = squared * inside + 2 * now - after
        total += mu * 2 / velocity**3 * (fields[t + 2] - 2 * fields[t + 1] + fields[t]) / DT**2
        now, after = mu, now
    return total


def _adam(gradient: np.ndarray) -> float:
    """Return Adam's first step for rate 1 by algorithm 4: a cell moves by g / (|g| + epsilon)."""
    return float(np.linalg.norm(gradient / (np.abs(gradient) + 1e-8)))


def _laplacian(u: np.ndarray) -> np.ndarray:
    padded = np.concatenate(([0.0], u, [0.0]))
    return np.asarray((padded[:-2] - 2 * u + padded[2:]) / SPACING**2)


def _forward(velocity: np.ndarray, source: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the trace and all wavefields u(0), u(dt), ... by equation 2 between free surfaces."""
    squared = velocity**2 * DT**2
    fields = np.zeros((NT + 2, velocity.size))
    for t in range(1, NT + 1):
        forcing = _laplacian(fields[t])
        forcing[INDEX] -= source[t - 1]
        fields[t + 1] = squared * forcing + 2 * fields[t] - fields[t - 1]
    return fields[2:, INDEX], fields


def _gradient(
    velocity: np.ndarray,
    source: np.ndarray,
    observed: np.ndarray,
    *,
    printed_a9: bool = False,
    printed_a10: bool = False,
    everywhere: bool = False,
) -> np.ndarray:
    """Return the terms of the gradient step by step, shape (nt, nz); their sum over time is dJ/dv.

    The adjoint of u(t+2) = v^2 dt^2 L u(t+1) + ... is L applied to v^2 dt^2 times the adjoint
    field; equation A-9 prints v^2 dt^2 times L applied to it, which is the same only where v is
    constant.
    """
    trace, fields = _forward(velocity, source)
    squared = velocity**2 * DT**2
    residual = observed - trace
    now, after = np.zeros_like(velocity), np.zeros_like(velocity)
    terms = np.zeros((NT, velocity.size))
    for t in range(NT - 1, -1, -1):
        spread = squared * _laplacian(now) if printed_a9 else _laplacian(squared * now)
        adjoint = spread + 2 * now - after
        if everywhere:
            adjoint -= residual[t]
        else:
            adjoint[INDEX] -= residual[t]
        # fields[t + 2] is u(t + dt) of step t; its second difference is centred one step before it.
        centre = t + 2 if printed_a10 else t + 1
        if centre + 1 < len(fields):
            second = fields[centre + 1] - 2 * fields[centre] + fields[centre - 1]
            terms[t] = adjoint * 2 / velocity * second
        now, after = adjoint, now
    return terms
