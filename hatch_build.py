"""A wheel packs what is under version control, and nothing that merely lies in the checkout."""

from __future__ import annotations

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
        """Choose the files of a wheel; an editable installation has them all in the checkout."""
        if version == "editable":
            return
        root = Path(self.root)
        for place, name in SHIPPED.items():
            for path in self._tracked(place):
                rest = path.relative_to(root / place)
                build_data["force_include"][str(path)] = str(Path("geolib", "_shipped", name, rest))
        for path in self._tracked("geolib") - {root / "geolib" / "__init__.py"}:  # which pyproject.toml names
            build_data["force_include"][str(path)] = str(path.relative_to(root))

    def _tracked(self, place: str) -> set[Path]:
        root = Path(self.root)
        command = ["git", "-C", str(root), "ls-files", "-z", "--", place]
        listed = subprocess.run(command, capture_output=True, text=True).stdout if (root / ".git").exists() else ""
        names = set(filter(None, listed.split("\0")))
        if not names:  # unpacked from an sdist, which holds no other files
            start = root / place
            return {path for path in (start.rglob("*") if start.is_dir() else [start]) if path.is_file()}
        return {root / name for name in names if (root / name).is_file()}
