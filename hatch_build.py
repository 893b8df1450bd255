"""A wheel and an sdist pack what is under version control, and nothing that merely lies in the checkout."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SHIPPED = {
    "book/ledger": "ledger",
    "book/references.bib": "references.bib",
    "book/results": "results",
    "notebooks": "notebooks",
}


class TrackedFiles(BuildHookInterface):
    """Adds the package and the files that it ships, as far as git knows them."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Choose the files of a wheel or an sdist; an editable installation has them all in the checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        if self.target_name == "sdist":
            packed = {path: path.relative_to(root) for path in self._tracked(".")}
        else:
            packed = {path: path.relative_to(root) for path in self._tracked("geolib")}
            for place, name in SHIPPED.items():
                for path in self._tracked(place):
                    packed[path] = Path("geolib", "_shipped", name, path.relative_to(root / place))
        for path in packed.keys() - {root / "geolib" / "__init__.py"}:  # which pyproject.toml names
            build_data["force_include"][str(path)] = str(packed[path])

    def _tracked(self, place: str) -> set[Path]:
        root = Path(self.root)
        names: set[str] = set()
        if (root / ".git").exists():
            mine = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
            command = ["git", "-c", "safe.directory=*", "-C", str(root), "ls-files", "-z", "--", place]
            listed = subprocess.run(command, capture_output=True, text=True, check=True, env=mine).stdout
            names = set(filter(None, listed.split("\0")))
        if not names:  # unpacked from an sdist, which holds no other files
            start = root / place
            return {path for path in (start.rglob("*") if start.is_dir() else [start]) if path.is_file()}
        return {root / name for name in names if (root / name).is_file()}
