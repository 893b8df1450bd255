"""Where a number comes from: commit, versions, device and date."""

from __future__ import annotations

import functools
import platform
import time
from importlib import metadata
from pathlib import Path
from typing import Any

from geolib.runs import surroundings


def provenance() -> dict[str, Any]:
    """Return commit, versions, device and date, as far as they can be known here."""
    import torch

    device = torch.cuda.get_device_name() if torch.cuda.is_available() else _processor()
    return {
        "commit": commit(),
        "device": device,
        "cores": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            **{n: metadata.version(n) for n in ("torch", "numpy", "scipy")},
        },
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


@functools.cache
def commit() -> str:
    """Return the commit of this package's code, with "+changes" for what is not committed, or "unknown"."""
    here = Path(__file__)
    # A repository that merely holds an environment with this package says nothing about it.
    if surroundings.git(here.parent, "ls-files", "--error-unmatch", "--", here.name) is None:
        return "unknown"
    head, changed = (
        (surroundings.git(here.parents[1], *question) or "").strip()
        for question in (("rev-parse", "--verify", "-q", "HEAD"), ("status", "--porcelain", "--", "."))
    )
    return (head or "unknown") + ("+changes" if changed else "")


def history() -> frozenset[str]:
    """Return the commits that lead to the present one; none where the code is under no version control."""
    found = surroundings.git(Path(__file__).parent, "rev-list", "HEAD") if commit() != "unknown" else None
    return frozenset((found or "").split())


def whole_history() -> frozenset[str]:
    """Return `history`; none in a shallow clone, which holds the last few commits alone."""
    cut = surroundings.git(Path(__file__).parent, "rev-parse", "--is-shallow-repository")
    return frozenset() if (cut or "").strip() == "true" else history()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:  # no Linux
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
