"""Numbers as a person would say them: a few digits, no powers of ten but for round-off."""

from __future__ import annotations

import math
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from geolib.runs.measure import short

#: Digits that are enough where nothing asks for more, and the most that are shown.
FEW, MOST = 2, 4
#: A number below this is round-off, of which only the size matters.
TINY = 1e-6


def exact(value: Any) -> str:
    """Return what somebody else wrote, a printed number or a threshold: all of its digits."""
    if isinstance(value, (int, float)) and not isinstance(value, bool) and _whole(value):
        return f"{int(value):,}"
    return short(value)


def together(values: Sequence[Any], beside: Any = None) -> list[str]:
    """Return a number of ours and its interval with as few digits as tell them apart.

    Parameters
    ----------
    values : sequence
        Numbers, or None and texts, which are passed on.
    beside : number, text or list, optional
        What is published: ours get at least as many digits, two otherwise.

    Returns
    -------
    list of str
        None of them reads as one, or as another of them, unless it is, as far as four digits go,
        or unless it lies between two others that hold one between them: an interval's middle.
    """
    known = [v for v in values if isinstance(v, (int, float)) and math.isfinite(v)]
    if (
        len(known) == len(values) == 3
        and known[1] < min(1, known[0])
        and max(1, known[0]) < known[2]
    ):
        # Within an interval that holds one, a number may read as one: nothing hangs on it.
        known = known[1:]
    numbers = {abs(float(v)) for v in known if not _whole(v)}
    others = {abs(float(v)) for v in known if _whole(v)} | {1.0}
    least = max(FEW, *map(_digits, beside if isinstance(beside, list) else [beside]), FEW)
    for digits in range(min(least, MOST), MOST + 1):
        shown = {float(_rounded(number, digits).replace(",", "")) for number in numbers}
        if len(shown) == len(numbers) and not shown & others:
            break
    return [_said(value, digits) for value in values]


def at_most(value: float) -> str:
    """Return a positive bound from above, which rounding does not lower."""
    unit = 10.0 ** (math.floor(math.log10(value)) + 1 - MOST)
    return f"at most {short(math.ceil(round(value / unit, 6)) * unit)}"


def _whole(value: float) -> bool:
    return math.isfinite(value) and value == int(value)


def _digits(value: Any) -> int:
    """Return how many digits a printed number has, up to the last that is not zero."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        return 0
    return len(Decimal(repr(float(value))).normalize().as_tuple().digits)


def _said(value: Any, digits: int) -> str:
    if value is None or isinstance(value, (bool, str)) or not math.isfinite(value):
        return short(value)
    if _whole(value):
        return exact(value)
    if abs(value) < TINY:
        size = f"1e{math.ceil(math.log10(abs(value)))}"
        return f"at most {size}" if value > 0 else f"at least -{size}"
    return _rounded(value, digits)


def _rounded(value: float, digits: int) -> str:
    """Return a number with so many digits, in full: 1,234 keeps those before the point."""
    rounded = float(f"{value:.{digits - 1}e}")
    places = digits - 1 - math.floor(math.log10(abs(rounded)))
    return f"{rounded:,.{places}f}" if places > 0 else f"{value:,.0f}"
