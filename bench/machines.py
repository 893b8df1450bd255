"""One row for each machine that a benchmark ran on: what is fast on one processor need not be on another."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def rows(file: Path, record: Mapping[str, Any], speeds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the rows that `file` holds of other machines, and a new one of this: its device, source and speeds.

    A row whose source says that it was reported stays until the same machine is measured.
    """
    kept = json.loads(file.read_text(encoding="utf-8")).get("machines", []) if file.is_file() else []
    source = f"measured, commit {record['commit'][:9]}, {record['date']}"
    here = {"device": record["device"], "source": source, "speeds": dict(speeds)}
    return [here, *(row for row in kept if row["device"] != record["device"])]


def table(machines: list[dict[str, Any]]) -> list[str]:
    """Return the lines of a Markdown table of them: times as fast as the slowest program."""
    names = list(machines[0]["speeds"])
    lines = ["", f"| Processor | {' | '.join(names)} | Source |", "|---|" + "--:|" * len(names) + "---|"]
    for row in machines:
        cells = [f"{row['speeds'][name]:.1f}" if name in row["speeds"] else "—" for name in names]
        lines.append(f"| {row['device']} | {' | '.join(cells)} | {row['source']} |")
    return [*lines, ""]
