"""Where the project's files are: in the checkout, or beside the installed package."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from geolib.datasets import frozen

_PACKAGE = Path(__file__).resolve().parents[1]
_SHIPPED = _PACKAGE / "_shipped"
_elsewhere: list[Path] = []


def checkout() -> Path | None:
    """Return the root of the checkout this package runs from, or None if it was installed elsewhere."""
    root = _PACKAGE.parent
    return root if (root / "book" / "_toc.yml").is_file() and (root / "notebooks").is_dir() else None


def results() -> Path:
    """Return the folder of shipped results and weights."""
    if _elsewhere:
        return _elsewhere[-1]
    return frozen.folder()


def weights(name: str) -> Path:
    """Return a weights file: those that are shipped serve wherever results are shipped to."""
    found = results() / name
    return found if found.exists() else frozen.folder() / name


@contextlib.contextmanager
def results_in(folder: Path | None) -> Iterator[None]:
    """Let results be shipped to another folder within the block; None changes nothing."""
    _elsewhere.extend([folder] if folder is not None else [])
    try:
        yield
    finally:
        if folder is not None:
            _elsewhere.pop()


def ledger() -> Path:
    """Return the folder of the ledger, with a file for each paper."""
    root = checkout()
    return root / "book" / "ledger" if root else _SHIPPED / "ledger"


def bibliography() -> Path:
    """Return the list of references."""
    root = checkout()
    return root / "book" / "references.bib" if root else _SHIPPED / "references.bib"


def notebooks() -> Path:
    """Return the folder of notebooks."""
    root = checkout()
    return root / "notebooks" if root else _SHIPPED / "notebooks"


def notebook(page: str) -> Path:
    """Return the notebook of a page: of a study's chapter (`rnn_fwi`) or appendix (`rnn_fwi_appendix`).

    Raises
    ------
    ValueError
        If it is missing.
    """
    path = notebooks() / f"{page}.ipynb"
    if not path.is_file():
        raise ValueError(f"notebook {path} must exist; it does not. Reinstall geolib or work in a checkout.")
    return path


def shipped(study: str, preset: str) -> Path:
    """Return the file of a study's shipped results (which may not exist)."""
    return results() / f"{study}-{preset}.nc"


#: Folders made to see whether they can be.
_MADE: list[Path] = []


def remove_empty() -> None:
    """Remove the folders made beforehand into which nothing has come."""
    while _MADE:
        with contextlib.suppress(OSError):  # something has
            _MADE.pop(0).rmdir()


def must_be_writable(argument: str, folder: Path) -> None:
    """Make a folder and write to it once; OSError names the argument if that cannot be done."""
    try:
        _MADE.extend(place for place in (folder, *folder.parents) if not os.path.lexists(place))
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        reason = error.strerror or str(error)
        raise OSError(
            f"{argument} must be a folder that can be written; {folder} is not ({reason}). Choose another."
        ) from None
