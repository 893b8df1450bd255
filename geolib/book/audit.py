"""The audit that a reader starts: which files are audited, and what is said of them."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from geolib import studies
from geolib.runs import audit, paths
from geolib.runs.audit import Shipped


def new_seed() -> int:
    """Return a seed that nobody has chosen."""
    return int(np.random.SeedSequence().generate_state(1)[0])


def shipped(study: str | None) -> list[Shipped]:
    """Return the shipped files of a study with its companions, or all; ValueError if damaged."""
    known = {
        name: studies.COMPANIONS.get(name, name) for name in (*studies.NAMES, *studies.COMPANIONS)
    }
    found = []
    for path in sorted(paths.results().glob("*.nc")):
        name = path.stem.rpartition("-")[0]
        if name in known and study in (None, name, known[name]):
            found.append(Shipped.read(path, studies.get(name)))
    return found


def run(study: str | None, seconds: float, seed: int, say: Callable[[str], None]) -> bool:
    """Audit what is shipped and return whether all agrees.

    Parameters
    ----------
    study : str or None
        Which study, with its companions; None audits all.
    seconds : float
        What the audit may take in all, reading the files included. No recheck is begun that would
        take longer, by what it took where it was measured.
    seed : int
        Of the sample.
    say : callable
        Is told one line after the other.
    """
    begin = time.perf_counter()

    def passed() -> float:
        return time.perf_counter() - begin

    say(f"seed: {seed}")
    wrong = [str(finding) for finding in audit.files(paths.results()) if not finding.agrees]
    for line in wrong:
        say(line)
    if not wrong:
        say("files: all are as they were published")
    files = shipped(study)
    drawn, beyond = audit.draw(files, max(0.0, seconds - passed()), np.random.default_rng(seed))
    found = audit.units(drawn, seconds - passed(), say)
    names = {finding.name for finding in found}
    done = [entry for entry in drawn if audit.label(*entry[:2]) in names]
    hours = audit.covered(done, files)
    agree = sum(finding.agrees for finding in found)
    share = hours["drawn"] / hours["all"] if hours["all"] else 0.0
    say(
        f"{agree} of {len(found)} rechecked runs agree; these took "
        f"{hours['drawn']:.2f} of the {hours['all']:.1f} core-hours shipped ({share:.0%}), "
        f"the audit {passed():.0f} s"
    )
    sampled = {each.path.name for each, _, _ in done}
    missing = [each.path.name for each in files if each.path.name not in sampled]
    say(f"{len(sampled)} of {len(files)} files sampled" + "".join(f"; not {n}" for n in missing))
    if beyond:
        say(
            f"{len(beyond)} runs of {sum(took for _, took in beyond) / 3600:.1f} core-hours have "
            f"no recheck within {seconds:g} s; more of them have with --seconds"
        )
    return not wrong and agree == len(found)
