"""Execute the committed notebooks in place: `make references`, after a change that is meant to change outputs."""

import json
import os
import sys
from pathlib import Path

import nbformat
from nbclient import NotebookClient

from geolib import studies
from geolib.book import reruns
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


if __name__ == "__main__":
    if sys.argv[1:2] == ["--time"]:  # folders of `geolib run`
        for folder in sys.argv[2:]:
            measure(Path(folder))
    else:
        for page in sys.argv[1:] or studies.pages():
            refresh(page)
