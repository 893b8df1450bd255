"""One row for each machine that a benchmark ran on: what is fast on one processor need not be on another."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from geolib.runs.store import write_atomic
from geolib.runs.tables import markdown

#: What we aimed at, of all benchmarks of waves and of the wide generator: tables, charts and the page read this.
TARGETS: dict[str, float] = json.loads(Path(__file__).with_name("targets.json").read_text(encoding="utf-8"))


def rows(file: Path, record: Mapping[str, Any], speeds: Mapping[str, float]) -> list[dict[str, Any]]:
    """Return the rows that `file` holds of other machines, and a new one of this: its device, source and speeds.

    A row whose source says that it was reported stays until the same machine is measured.
    """
    return _every(file, {**source(record), "speeds": dict(speeds)})


def source(record: Mapping[str, Any]) -> dict[str, str]:
    """Return what a measurement was made on, and that it was measured, from its provenance."""
    return {"device": record["device"], "source": f"measured, commit {record['commit'][:9]}, {record['date']}"}


def of(file: Path, device: str) -> dict[str, Any]:
    """Return what `file` holds of one machine; empty where it was not measured."""
    kept = json.loads(file.read_text(encoding="utf-8"))["machines"] if file.is_file() else []
    return next((row for row in kept if row["device"] == device), {})


def write(stem: Path, here: Mapping[str, Any], table: Callable[[Any], str]) -> str:
    """Keep `here` before what `stem`.json holds of other machines, write all tables to `stem`.md and return them."""
    every = _every(stem.with_suffix(".json"), here)
    text = "\n".join(table(machine) for machine in every)
    write_atomic(stem.with_suffix(".json"), (json.dumps({"machines": every}, indent=1) + "\n").encode())
    write_atomic(stem.with_suffix(".md"), text.encode())
    return text


def _every(file: Path, here: Mapping[str, Any]) -> list[Any]:
    kept = json.loads(file.read_text(encoding="utf-8")).get("machines", []) if file.is_file() else []
    return [dict(here), *(row for row in kept if row["device"] != here["device"])]


def table(machines: list[dict[str, Any]]) -> list[str]:
    """Return a Markdown table of them, and the lines about it: times as fast as the slowest program."""
    names, rows = list(machines[0]["speeds"]), []
    for row in machines:
        cells = [f"{row['speeds'][name]:.1f}" if name in row["speeds"] else "—" for name in names]
        rows.append([row["device"], *cells, row["source"]])
    return ["", markdown(["Processor", *names, "Source"], rows, f"l{'r' * len(names)}l"), ""]
