"""Execute the committed notebooks in place and hold the verdicts: `make references`, after a change of outputs."""

import json
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

from geolib import studies
from geolib.book import reruns, verify
from geolib.runs import paths, surroundings


def refresh(name: str) -> None:
    path = paths.notebook(name)
    os.environ.update(dict.fromkeys(surroundings.THREADS, "1"))
    content = nbformat.read(path, as_version=4)
    folder = {"metadata": {"path": str(path.parent)}}
    NotebookClient(content, timeout=None, kernel_name="python3", resources=folder, record_timing=False).execute()
    # The interpreter's version and the authoring tool are no part of a reference.
    content["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    nbformat.write(content, path)


def measure(run: Path) -> None:
    """Ship the time that a finished run took, for whoever asks for the same parameters."""
    record, file = json.loads((run / reruns.RECORD).read_text()), paths.results() / reruns.TIMES
    times = json.loads(file.read_text()) if file.is_file() else {}
    origin = {name: record["provenance"][name] for name in ("cpu_seconds", "device", "date", "commit")}
    entry = {"key": record["key"], "parameters": record["parameters"], **origin}
    others = [old for old in times.get(record["study"], []) if old["parameters"] != entry["parameters"]]
    file.write_text(json.dumps({**times, record["study"]: [*others, entry]}, indent=1) + "\n")


VERDICTS = Path(__file__).parent / "book" / "verdicts.json"


def verdicts(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, str]:
    """Return by claim its verdict and its robustness."""
    found = [row for each in rows.values() for row in each]
    return {row["id"]: f"{row['verdict']}, {row['robust']['verdict'] if row['robust'] else '-'}" for row in found}


def hold_verdicts() -> None:
    """Write the verdicts that a test holds, after a change that is meant to change them."""
    VERDICTS.write_text(json.dumps(verdicts(verify.rows()), indent=0) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--time"]:  # folders of `geolib run`
        for folder in sys.argv[2:]:
            measure(Path(folder))
    elif sys.argv[1:2] == ["--verdicts"]:
        hold_verdicts()
    else:
        for page in sys.argv[1:] or studies.pages():
            refresh(page)
        hold_verdicts()
