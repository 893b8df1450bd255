"""MathJax, which draws the equations: in one file, or the parts of it that the book loads."""

from __future__ import annotations

import shutil
from importlib import metadata
from pathlib import Path

#: The file that a page names; it asks for the others.
FIRST = "startup.js"
#: What `mathjax3_config` in `_config.yml` asks for, and what these files ask for themselves.
_PARTS = (
    FIRST,
    "core.js",
    "input/tex-base.js",
    "input/tex/extensions/ams.js",
    "output/chtml.js",
    "output/chtml/fonts/tex.js",
    "a11y/assistive-mml.js",
)
_FONTS = "output/chtml/fonts/woff-v2"


def single() -> Path:
    """Return MathJax's single-file build, which draws without a font: two megabytes.

    Raises
    ------
    RuntimeError
        If the package sphinx-mathjax-offline, which carries it, is not installed.
    """
    try:
        files = metadata.files("sphinx-mathjax-offline") or []
    except metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name == "tex-svg.js":
            return Path(str(file.locate()))
    raise RuntimeError(
        "sphinx-mathjax-offline must be installed to show equations. Install geolib[book]."
    )


def copy_parts(folder: Path) -> None:
    """Copy the parts that the book's pages load, 0.75 MB, and the fonts of which each loads a few.

    Raises
    ------
    RuntimeError
        As for `single`.
    """
    whole = single().parent
    for part in _PARTS:
        (folder / part).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(whole / part, folder / part)
    shutil.copytree(whole / _FONTS, folder / _FONTS, dirs_exist_ok=True)


def size(folder: Path) -> int:
    """Return the bytes of the parts in a folder, without the fonts: some 20 kB for each needed."""
    return sum((folder / part).stat().st_size for part in _PARTS)
