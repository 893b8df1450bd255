"""What the claims on Marmousi are measured by: misfits, errors, depths and profiles."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from geolib.runs.unit import NotRun, Units, need, select
from geolib.studies.rnn_fwi.curves import EARLY, ROUGH, Arrays, Rules, ended, roughness
from geolib.studies.rnn_fwi.problems import SOURCE_ROW, SPACING
from geolib.studies.rnn_fwi.units import EXTRAS, Block, Extra, Part

BUDGETS = {"adam": 100, "lbfgs": 1000, "cg": 1420}
# Of the profiles: depths by row, and columns at the edges with their distance in metres.
THIRDS = {"shallow": slice(0, 31), "middle": slice(31, 62), "deep": slice(62, None)}
EDGES = ((20, 200), (250, 2500))


def longest(units: Units, method: str) -> Arrays:
    """Return the longest Marmousi run of a method; NotRun if there is none."""
    blocks = select(units, Block, method=method)
    if not blocks:
        raise NotRun(f"marmousi-{method}")
    return blocks[max(blocks, key=lambda block: block.budget)]


@dataclass(frozen=True)
class Runs:
    """The descents on Marmousi, in the published setting and in the harder ones."""

    units: Units

    def setup(self) -> Arrays:
        """Return true model, start and gathers."""
        return need(self.units, Part("marmousi-setup"))

    def run(self, method: str, extra: str = "marmousi") -> Arrays:
        """Return the longest run of a method, or its run in a harder setting."""
        if extra == "marmousi":
            return longest(self.units, method)
        return need(self.units, Extra(extra, method))

    def at(self, method: str, name: str, n: int | None = None, extra: str = "marmousi") -> float:
        """Return a curve at an evaluation, the last one by default; a search that ended stays."""
        which = self.run(method, extra)
        last = len(which[name]) - 1
        if n is not None and n > last and not ended(which):
            raise NotRun(f"{name} at evaluation {n} is not computed yet")
        return float(which[name][last if n is None else min(n, last)])

    def structure(self, method: str, n: int, half: str, mirrored: bool = False) -> float:
        """Return the correlation of the update made with that needed, in one half of the model.

        The needed one mirrored, left to right, has the same layers in the wrong places.
        """
        which, truth = self.run(method), self.setup()["velocity"]
        if n > which["frame_at"][-1] and not ended(which):
            raise NotRun(f"frame {n} is not computed yet")
        nearest = which["frames"][int(np.abs(which["frame_at"] - n).argmin())]
        start = which["frames"][0].astype(float)
        # Beds thinner than three cells are out of a 6 Hz wave's reach, whatever the method.
        made, needed = (ndimage.gaussian_filter(x - start, 3.0) for x in (nearest, truth))
        needed = needed[:, ::-1] if mirrored else needed
        rows = slice(0, len(truth) // 2) if half == "upper" else slice(len(truth) // 2, None)
        return float(np.corrcoef(made[rows].ravel(), needed[rows].ravel())[0, 1])

    def share(self, method: str, n: int, extra: str = "marmousi") -> float:
        """Return the least misfit of the first n evaluations over the first one."""
        self.at(method, "misfit", n, extra)
        misfit = self.run(method, extra)["misfit"]
        return float(misfit[: n + 1].min() / misfit[0])

    def needed(self, method: str, misfit: float, extra: str = "marmousi") -> float:
        """Return the evaluations until a method's misfit is a share of the first, or NotRun."""
        which = self.run(method, extra)["misfit"]
        below = np.flatnonzero(which <= misfit * which[0])
        if not below.size:
            raise NotRun(f"{method} does not come down to {misfit}")
        return float(max(below[0], 1))

    def profile(self, method: str, x: int, rows: slice, width: float, near: int) -> float:
        """Return the error (m/s) along the vertical lines near one, smoothed by a width."""
        truth = self.setup()["velocity"]
        whole = need(self.units, Block(method, BUDGETS[method]))
        lines = slice(x - near, x + near + 1)
        off = whole["frames"][-1][:, lines] - truth[:, lines]
        off = ndimage.gaussian_filter1d(off.astype(float), width, axis=0) if width else off
        return float(np.sqrt(np.mean(off[rows] ** 2)))

    def over_adam(
        self,
        method: str,
        x: int,
        rows: slice = slice(None),
        width: float = 0.0,
        near: int = 0,
    ) -> float:
        """Return the error along vertical lines of a method's last model over that of Adam's."""
        return self.profile(method, x, rows, width, near) / self.profile(
            "adam", x, rows, width, near
        )


def rules(units: Units) -> Rules:
    """Return the measures of the descents on Marmousi, each to be evaluated."""
    runs = Runs(units)
    return _pinned(runs) | _compared(runs) | _profiles(runs) | _at(runs)


def _pinned(runs: Runs) -> Rules:
    def cost_ratio() -> float:
        cost = need(runs.units, Part("marmousi-cost"))["cost"]
        return float(max(cost) / min(cost))

    depths = {
        "adam_25_upper": ("adam", 25, "upper"),
        "adam_25_lower": ("adam", 25, "lower"),
        "adam_shallow_50": ("adam", 50, "upper"),
        "adam_deep_100": ("adam", 100, "lower"),
        "cg_shallow_400": ("cg", 400, "upper"),
        "cg_shallow_800": ("cg", 800, "upper"),
        "cg_shallow_1420": ("cg", 1420, "upper"),
        "lbfgs_shallow_600": ("lbfgs", 600, "upper"),
        "lbfgs_deep_1000": ("lbfgs", 1000, "lower"),
    }
    return {
        "marmousi_shots": lambda: len(runs.setup()["gathers"]),
        # The surface lies one cell above the first row.
        "marmousi_source_depth": lambda: (SOURCE_ROW + 1) * SPACING if runs.setup() else 0.0,
        "marmousi_cost_ratio": cost_ratio,
        **{
            f"marmousi_{name}": functools.partial(runs.structure, *of)
            for name, of in depths.items()
        },
    }


def _compared(runs: Runs) -> Rules:
    def error(method: str, n: int) -> float:
        return runs.at(method, "error", n)

    def ssim(method: str, n: int) -> float:
        return runs.at(method, "ssim", n)

    def steadier(method: str, first: int) -> bool:
        return roughness(runs.run("adam"), first, 100) < roughness(runs.run(method), first, 100)

    def speedup(method: str, n: int = 100, extra: str = "marmousi") -> float:
        return runs.needed(method, runs.share("adam", n, extra), extra) / n

    return {
        "marmousi_cg_error_to_adam": lambda: error("cg", 1420) / error("adam", 100),
        "marmousi_cg_smooth": lambda: roughness(need(runs.units, Block("cg", 1420))) < ROUGH,
        "marmousi_lbfgs_speedup_over_cg": lambda: (
            1000 / runs.needed("lbfgs", runs.share("cg", 1000))
        ),
        "marmousi_cg_error_left": lambda: error("cg", 1420) / error("cg", 0),
        "marmousi_lbfgs_error_left": lambda: error("lbfgs", 1000) / error("lbfgs", 0),
        "marmousi_adam_100_beats_lbfgs_1000": lambda: error("adam", 100) < error("lbfgs", 1000),
        "marmousi_adam_100_beats_lbfgs_100": lambda: error("adam", 100) < error("lbfgs", 100),
        "marmousi_adam_100_ssim_beats_lbfgs_100": lambda: ssim("adam", 100) > ssim("lbfgs", 100),
        "marmousi_adam_100_beats_cg_1420": lambda: error("adam", 100) < error("cg", 1420),
        "marmousi_adam_100_ssim_beats_lbfgs_1000": lambda: ssim("adam", 100) > ssim("lbfgs", 1000),
        "marmousi_adam_100_ssim_beats_cg_1420": lambda: ssim("adam", 100) > ssim("cg", 1420),
        "marmousi_adam_speedup_over_cg": lambda: speedup("cg"),
        "marmousi_adam_speedup_over_lbfgs": lambda: speedup("lbfgs"),
        "marmousi_adam_speedup_over_lbfgs_50": lambda: speedup("lbfgs", 50),
        "linear_adam_speedup_over_lbfgs": lambda: speedup("lbfgs", extra="linear"),
        "marmousi_adam_steadier_than_cg": lambda: steadier("cg", EARLY),
        "marmousi_adam_steadier_than_lbfgs": lambda: steadier("lbfgs", EARLY),
        "marmousi_adam_steadier_than_cg_throughout": lambda: steadier("cg", 0),
        "marmousi_adam_steadier_than_lbfgs_throughout": lambda: steadier("lbfgs", 0),
    }


def _profiles(runs: Runs) -> Rules:
    made: Rules = {"profile_1500_cg_to_adam": functools.partial(runs.over_adam, "cg", 150)}
    made["profile_1500_cg_to_adam_near"] = functools.partial(runs.over_adam, "cg", 150, near=10)
    made["profile_1500_cg_to_adam_smooth"] = functools.partial(runs.over_adam, "cg", 150, width=3.0)
    for x, metres in EDGES:
        for third, rows in THIRDS.items():
            rule = functools.partial(runs.over_adam, "lbfgs", x, rows)
            made[f"profile_{metres}_lbfgs_{third}"] = rule
            made[f"profile_{metres}_lbfgs_{third}_smooth"] = functools.partial(rule, width=3.0)
    return made


def _at(runs: Runs) -> Rules:
    def error_to_adam(extra: str, method: str) -> float:
        return runs.at(method, "error", extra=extra) / runs.at("adam", "error", extra=extra)

    made: Rules = {}
    for method, n in (("adam", 100), ("cg", 1420), ("lbfgs", 1000), ("cg", 100), ("lbfgs", 100)):
        made[f"marmousi_{method}_{n}_misfit"] = functools.partial(runs.share, method, n)
        for name in ("error", "ssim"):
            made[f"marmousi_{method}_{n}_{name}"] = functools.partial(runs.at, method, name, n)
    for extra in EXTRAS:
        for method in ("adam", "cg", "lbfgs"):
            for name in ("error", "ssim"):
                rule = functools.partial(runs.at, method, name, extra=extra)
                made[f"{extra}_{method}_{name}"] = rule
        for method in ("cg", "lbfgs"):
            made[f"{extra}_{method}_error_to_adam"] = functools.partial(
                error_to_adam, extra, method
            )
    return made
