"""Pytest plugin: nbval compares numbers within a measured tolerance, everything else exactly, figures by being there.

nbval compares outputs as strings. Here every string it compares is wrapped, so that equality means: the same text with
every number cut out, and every pair of numbers close. Integers must be equal. How close, `bench/portable.json` says for
each cell: three times as far apart as the settings of `tests/portable.py` were seen to move its numbers, at most one
per cent. There is no absolute tolerance: what is nothing but round-off has no digits to print.

Where `NBVAL_EXECUTED` names a folder of notebooks that were executed already, the outputs of that of the same name are
compared and no kernel is started.
"""

import functools
import json
import os
import re
from pathlib import Path

import nbformat
import nbval.plugin

DRIFT = Path(__file__).parents[2] / "bench" / "portable.json"
# Numbers that no setting moved may still differ in the last bits of a float32 sum on a machine that was not imitated.
ROUND_OFF, LARGEST = 1e-5, 1e-2
NUMBER = re.compile(r"(?<![\w.])[-+\u2212]?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?(?!\w)")
# Pictures and markup may differ from one machine to the next; that they are there may not.
DRAWN = ("image/", "text/html", "application/papermill.record/image/", "application/papermill.record/text/html")


@functools.cache
def measured() -> dict[str, dict[str, dict]]:
    """Return what `tests/portable.py` measured of each notebook under each setting, or nothing."""
    return json.loads(DRIFT.read_text(encoding="utf-8"))["notebooks"] if DRIFT.is_file() else {}


def tolerance(notebook: str, cell: str) -> float:
    """Return the relative tolerance of the numbers of a cell."""
    drifts = [found["cells"].get(cell, 0.0) for found in measured().get(notebook, {}).values()]
    return min(LARGEST, max(ROUND_OFF, 3 * max(drifts, default=0.0)))


class Approximate(str):
    rtol: float = ROUND_OFF

    def __eq__(self, other):
        if not isinstance(other, str):
            return NotImplemented
        return equal(str(self), str(other), self.rtol)

    def __ne__(self, other):
        return not self == other

    __hash__ = str.__hash__


def equal(left: str, right: str, rtol: float = ROUND_OFF) -> bool:
    if str.__eq__(left, right):
        return True
    if NUMBER.split(left) != NUMBER.split(right):
        return False
    return all(_close(a, b, rtol) for a, b in pairs(left, right))


def pairs(left: str, right: str) -> list[tuple[str, str]]:
    """Return the numbers of two texts side by side, with a plain minus."""
    found = zip(NUMBER.findall(left), NUMBER.findall(right), strict=True)
    return [(a.replace("\u2212", "-"), b.replace("\u2212", "-")) for a, b in found]


def apart(left: str, right: str) -> float:
    """Return how far apart two printed numbers are, in units of the larger; integers that differ are infinitely far."""
    a, b = float(left), float(right)
    if a == b:
        return 0.0
    if re.fullmatch(r"[-+]?\d+", left) and re.fullmatch(r"[-+]?\d+", right):
        return float("inf")
    return abs(a - b) / max(abs(a), abs(b))


def _close(left: str, right: str, rtol: float) -> bool:
    gap, scale = apart(left, right), max(abs(float(left)), abs(float(right)))
    # The last printed place may flip by rounding alone; with fewer than four digits a flip would be a real difference.
    place = 1.01 * max(_last_place(left), _last_place(right))
    return gap <= rtol or (gap * scale <= place <= 1e-3 * scale)


def _last_place(text: str) -> float:
    mantissa, _, exponent = text.lower().partition("e")
    decimals = len(mantissa.partition(".")[2])
    return 10.0 ** (int(exponent or 0) - decimals) if "." in mantissa else 0.0


def _sanitize(cell, text):
    if not isinstance(text, str):
        return text
    made = Approximate(_plain(cell, text))
    made.rtol = tolerance(cell.parent.path.stem, cell.cell.get("id", ""))
    return made


def _drawn_as(kind: str) -> str:
    return kind.replace("svg+xml", "png")  # a curve may be drawn either way


def shown(outputs, ignored: bool = False):
    """Return the outputs with a word in place of what is drawn; of a cell whose output is ignored only that is left."""
    kept = []
    for output in outputs:
        # A figure's numbers change with whatever is drawn; what is compared is what cells print.
        data = {kind: text for kind, text in output.get("data", {}).items() if kind != "text/csv"}
        drawn = {_drawn_as(kind): "drawn" for kind in data if kind.startswith(DRAWN)}
        if drawn or not ignored:
            told = {kind: text for kind, text in data.items() if not kind.startswith(DRAWN)}
            shown_data = {"data": drawn if ignored else {**told, **drawn}} if data else {}
            kept.append(nbformat.from_dict({**output, **shown_data}))
    return kept


_plain = nbval.plugin.IPyNbCell.sanitize
nbval.plugin.IPyNbCell.sanitize = _sanitize

_compare = nbval.plugin.IPyNbCell.compare_outputs


def _compare_outputs(cell, test, ref, skip_compare=None):
    skipped = {key for key in skip_compare or cell.parent.skip_compare if not key.startswith("image/")}
    return _compare(cell, *(shown(outputs, cell.figures_only) for outputs in (test, ref)), skipped | {"stderr"})


nbval.plugin.IPyNbCell.compare_outputs = _compare_outputs

_run, _start = nbval.plugin.IPyNbCell.runtest, nbval.plugin.IPyNbFile.setup


@functools.cache
def _executed(name: str) -> dict[str, nbformat.NotebookNode]:
    """Return by id the cells of the notebook that was executed already."""
    path = Path(os.environ["NBVAL_EXECUTED"], name)
    return {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}


def _compare_executed(cell):
    done, mine = _executed(cell.parent.path.name).get(cell.cell.id), nbval.plugin.coalesce_streams
    if done is None or done.source != cell.cell.source or done.execution_count is None:
        cell.raise_cell_error("The cell was not executed as it is")
    if errors := [output for output in done.outputs if output.output_type == "error"]:
        cell.raise_cell_error("Cell execution caused an exception", "\n".join(errors[0].traceback))
    if not cell.compare_outputs(mine(done.outputs), mine(cell.cell.outputs)):
        cell.raise_cell_error("Cell outputs differ", "\n".join(cell.comparison_traceback))


def _runtest(cell):
    # nbval passes over ignored cells altogether; here their figures must be there.
    cell.figures_only = not cell.options["check"]
    cell.options["check"] = True
    (_compare_executed if "NBVAL_EXECUTED" in os.environ else _run)(cell)


nbval.plugin.IPyNbCell.runtest = _runtest
nbval.plugin.IPyNbFile.setup = lambda file: (
    file.setup_sanitize_files() if "NBVAL_EXECUTED" in os.environ else _start(file)
)
