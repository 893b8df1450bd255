"""The audit: shipped files are the ones published, and a random sample of their units comes out again, here and now."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from geolib.runs.recheck import Recheck
from geolib.runs.store import Results, load, write_atomic
from geolib.runs.study import AnyStudy

#: Beside the shipped files: the SHA-256 of each as it was published.
DIGESTS = "digests.json"


@dataclass(frozen=True)
class Finding:
    """What the audit says of a file or a unit."""

    name: str
    how: str
    gap: float
    tolerance: float
    seconds: float = 0.0

    @property
    def agrees(self) -> bool:
        """Whether the numbers are those shipped."""
        return self.gap <= self.tolerance

    def __str__(self) -> str:
        """Return one line."""
        if self.agrees:
            return f"{self.name}: {self.how}: agrees to {self.gap:.1e}"
        return f"{self.name}: {self.how}: DIFFERS by {self.gap:.1e}, more than {self.tolerance:g}"


@dataclass(frozen=True)
class Shipped:
    """A shipped file of a study."""

    path: Path
    study: AnyStudy
    results: Results

    @classmethod
    def read(cls, path: Path, study: AnyStudy) -> Shipped:
        """Return what a file holds; ValueError if it is damaged."""
        return cls(path, study, load(path)[0])

    def recheck(self, name: str) -> Recheck | None:
        """Return how a unit is rechecked, or None if it cannot be in parts and needs the units before it."""
        config = self.study.Config.stored(self.results.config)
        return self.study.recheck(config, self.study.unit(name), self.results.units[name], self.took(name))

    def took(self, name: str) -> float:
        """Return the seconds that a unit took."""
        return float(self.results.records[name].get("seconds", 0.0))


def digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def noted(folder: Path) -> dict[str, str]:
    """Return the digests noted when files were published, by file name."""
    path = folder / DIGESTS
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def note(path: Path) -> None:
    """Note the digest of a file that has just been published."""
    known = noted(path.parent) | {path.name: digest(path)}
    write_atomic(path.parent / DIGESTS, (json.dumps(dict(sorted(known.items())), indent=1) + "\n").encode())


def files(folder: Path) -> Iterator[Finding]:
    """Yield of every shipped file whether it is the one that was published."""
    known = noted(folder)
    there = {path.name for path in folder.glob("*.nc")} | {path.name for path in folder.glob("*.safetensors")}
    for name in sorted(there | known.keys()):
        same = name in there and known.get(name) == digest(folder / name)
        yield Finding(name, "the file as it was published", 0.0 if same else float("inf"), 0.0)


Drawn = tuple[Shipped, str, Recheck]


def draw(
    shipped: Sequence[Shipped], seconds: float, rng: np.random.Generator
) -> tuple[list[Drawn], list[tuple[str, float]]]:
    """Draw the units to recheck: one of every file, then more of all, each as likely as the seconds that it took.

    Parameters
    ----------
    shipped : sequence of Shipped
        What is audited.
    seconds : float
        What the rechecks may take in all, by their own estimates.
    rng : numpy.random.Generator
        Draws.

    Returns
    -------
    list of (Shipped, str, Recheck)
        In the order drawn: one of every file before a second of any.
    list of (str, float)
        Units that no recheck of at most `seconds` reaches, with the seconds that they took.

    Notes
    -----
    Each file's cheapest recheck is set aside before anything is drawn, and what is left is shared out evenly: a file
    draws its first from what its share can pay, so that no file's luck is another's loss. Where not even the cheapest
    ones fit, the files that cost most are left out.
    """
    entries, beyond = _candidates(shipped, seconds)
    weights = np.array([max(each.took(name), 1e-3) for each, name, _ in entries])
    file = np.array([str(each.path) for each, _, _ in entries])
    cost = np.array([recheck.seconds for _, _, recheck in entries])
    drawn: list[int] = []

    def take(places: np.ndarray) -> bool:
        places = places[~np.isin(places, drawn)]
        if places.size:
            drawn.append(int(rng.choice(places, p=weights[places] / weights[places].sum())))
        return bool(places.size)

    least = _affordable({name: float(cost[file == name].min()) for name in np.unique(file)}, seconds)
    spare = (seconds - sum(least.values())) / max(len(least), 1)
    for name, cheapest in least.items():
        take(np.flatnonzero((file == name) & (cost <= cheapest + spare)))
    while take(np.flatnonzero(cost <= seconds - cost[drawn].sum())):
        pass
    return [entries[place] for place in drawn], beyond


def _candidates(shipped: Sequence[Shipped], seconds: float) -> tuple[list[Drawn], list[tuple[str, float]]]:
    entries: list[Drawn] = []
    beyond: list[tuple[str, float]] = []
    for each in shipped:
        for name in each.results.units:
            recheck = each.recheck(name)
            if recheck is not None and recheck.seconds <= seconds:
                entries.append((each, name, recheck))
            else:
                beyond.append((name, each.took(name)))
    return entries, beyond


def _affordable(costs: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Return as many of the costs as fit together, the least first."""
    found: dict[str, float] = {}
    for name in sorted(costs, key=costs.__getitem__):
        if sum(found.values()) + costs[name] <= seconds:
            found[name] = costs[name]
    return found


def label(shipped: Shipped, name: str) -> str:
    """Return what a unit is called in the audit."""
    return f"{shipped.path.name} {name}"


def units(
    drawn: Sequence[Drawn],
    seconds: float = float("inf"),
    say: Callable[[str], None] = lambda line: None,
) -> list[Finding]:
    """Recheck the drawn units in order, and begin none after so many seconds; `say` is told each finding."""
    found: list[Finding] = []
    for shipped, name, recheck in drawn:
        begin = time.perf_counter()
        if sum(finding.seconds for finding in found) + recheck.seconds > seconds:
            continue
        gap, array = recheck.gap()
        how = recheck.how if gap == 0 else f"{recheck.how} ({array})"
        found.append(Finding(label(shipped, name), how, gap, recheck.tolerance, time.perf_counter() - begin))
        say(str(found[-1]))
    return found


def covered(drawn: Sequence[Drawn], shipped: Sequence[Shipped]) -> Mapping[str, float]:
    """Return the core-hours that the drawn units took, and those of all shipped units."""
    took = sum(each.took(name) for each, name, _ in drawn)
    everything = sum(each.took(name) for each in shipped for name in each.results.units)
    return {"drawn": took / 3600, "all": everything / 3600}
