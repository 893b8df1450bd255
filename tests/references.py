"""Execute the committed notebooks in place: `make references`, after a change that is meant to change outputs."""

import os
import sys

import nbformat
from nbclient import NotebookClient

from geolib import studies
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


if __name__ == "__main__":
    for study in sys.argv[1:] or studies.NAMES:
        refresh(study)
