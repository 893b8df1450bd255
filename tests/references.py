"""Execute the committed notebooks in place: `make references`, after a change that is meant to change outputs."""

import json
import os
import subprocess
import sys

from geolib import notebooks, paths, studies


def refresh(name: str) -> None:
    path = paths.notebook(name)
    environment = {**os.environ, **dict.fromkeys(notebooks.THREAD_VARIABLES, "1")}
    command = [sys.executable, "-m", "jupyter", "nbconvert", "--to", "notebook", "--execute", "--inplace", str(path)]
    subprocess.run([*command, "--ExecutePreprocessor.record_timing=False"], check=True, env=environment)
    content = json.loads(path.read_text(encoding="utf-8"))
    # The interpreter's version and the authoring tool are no part of a reference.
    content["metadata"] = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for study in sys.argv[1:] or studies.NAMES:
        refresh(study)
