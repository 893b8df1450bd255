"""What is shipped, as a list for the command line: every study, companion and file."""

from __future__ import annotations

from geolib import studies
from geolib.runs import paths, store


def listing() -> list[str]:
    """Return a line for each study and companion, with the results that are shipped of it.

    Notes
    -----
    Every file is read once to tell a damaged one; the list takes the time of that and of importing
    the studies.
    """
    names = [*studies.NAMES, *studies.COMPANIONS]
    found: dict[str, list[str]] = {name: [] for name in names}
    for path in sorted(paths.results().glob("*.nc")):
        study, _, label = path.stem.rpartition("-")
        found.setdefault(study if study in found else path.name, []).append(
            label if store.sealed(path) else f"{label} (damaged: {path.name})"
        )
    lines = []
    for name in studies.NAMES:
        lines.append(_line(name, name, found[name]))
        mine = [companion for companion, chapter in studies.COMPANIONS.items() if chapter == name]
        lines += [_line(f"  {companion}", companion, found[companion]) for companion in mine]
    return lines + [f"{name}: of no study" for name in found.keys() - set(names)]


def _line(shown: str, name: str, shipped: list[str]) -> str:
    order = sorted(
        shipped,
        key=lambda label: ("quick", "paper").index(label) if label in ("quick", "paper") else 2,
    )
    return f"{shown:20}{studies.get(name).title}  [shipped: {', '.join(order) or 'nothing yet'}]"
