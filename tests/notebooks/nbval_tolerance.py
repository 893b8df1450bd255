"""Pytest plugin: nbval compares numbers within a tolerance and everything else exactly.

nbval compares outputs as strings. Here every string it compares is wrapped, so that equality means: the same text with
every number cut out, and every pair of numbers close. Integers must be equal. A cell's tag `nb-rtol=1e-2` widens its
relative tolerance.
"""

import re

import nbval.plugin

# Round-off of float32 sums in another order is some 1e-6 relative; a changed result is far above 1e-4.
RTOL, ATOL = 1e-4, 1e-9
NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?!\w)")
SKIPPED = (
    "stderr",
    "text/html",
    "image/png",
    "image/gif",
    "image/svg+xml",
    "application/papermill.record/image/png",
    "application/papermill.record/image/gif",
    "application/papermill.record/text/html",
)


class Approximate(str):
    rtol: float = RTOL

    def __eq__(self, other):
        if not isinstance(other, str):
            return NotImplemented
        return equal(str(self), str(other), self.rtol)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


def equal(left: str, right: str, rtol: float = RTOL) -> bool:
    if str.__eq__(left, right):
        return True
    if NUMBER.split(left) != NUMBER.split(right):
        return False
    pairs = zip(NUMBER.findall(left), NUMBER.findall(right), strict=True)
    return all(_close(a.replace("\u2212", "-"), b.replace("\u2212", "-"), rtol) for a, b in pairs)


def _close(left: str, right: str, rtol: float) -> bool:
    if re.fullmatch(r"[-+]?\d+", left) and re.fullmatch(r"[-+]?\d+", right):
        return int(left) == int(right)
    a, b = float(left), float(right)
    scale = max(abs(a), abs(b))
    # The last printed place may flip by rounding alone; with fewer than four digits a flip would be a real difference.
    printed = 1.01 * max(_last_place(left), _last_place(right))
    return abs(a - b) <= max(ATOL, rtol * scale, printed if printed <= 1e-3 * scale else 0.0)


def _last_place(text: str) -> float:
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals) if "." in mantissa else 0.0


def _sanitize(cell, text):
    if not isinstance(text, str):
        return text
    made = Approximate(_plain(cell, text))
    tags = cell.cell.metadata.get("tags", [])
    wide = [tag.partition("=")[2] for tag in tags if tag.startswith("nb-rtol=")]
    made.rtol = float(wide[0]) if wide else RTOL
    return made


_plain = nbval.plugin.IPyNbCell.sanitize
nbval.plugin.IPyNbCell.sanitize = _sanitize

_compare = nbval.plugin.IPyNbCell.compare_outputs


def _compare_outputs(cell, test, ref, skip_compare=None):
    return _compare(cell, test, ref, skip_compare or (*cell.parent.skip_compare, *SKIPPED))


nbval.plugin.IPyNbCell.compare_outputs = _compare_outputs
