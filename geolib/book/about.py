"""Who made the book, where it is, how to cite it and its papers; downloads of a chapter."""

from __future__ import annotations

import functools
import io
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from geolib import _checks, studies
from geolib.runs import paths
from geolib.runs.study import AnyStudy

#: Where figures' numbers lie, below the book's sources.
DATA = "_generated/data"


@functools.cache
def settings(path: Path) -> dict[str, Any]:
    """Return what a file such as `_config.yml` maps names to; nothing where there is none."""
    found = _checks.plain_yaml("settings", path) or {} if path.is_file() else {}
    if not isinstance(found, dict):
        raise ValueError(
            f"settings {path} must map names to values; they do not. Restore the file."
        )
    return found


def repository() -> str:
    """Return the address of the repository from `_config.yml`, or nothing where none is set."""
    root = paths.checkout()
    about = settings(root / "_config.yml").get("repository") or {} if root is not None else {}
    return str(about.get("url") or "").rstrip("/")


def citation() -> Mapping[str, Any]:
    """Return the content of `CITATION.cff`."""
    root = paths.checkout()
    return settings(root / "CITATION.cff") if root is not None else {}


def cite(title: str = "") -> str:
    """Return in one sentence how to cite the book, or a page of it."""
    found = citation()
    names = ", ".join(author["name"] for author in found.get("authors", ()))
    year = str(found.get("date-released", ""))[:4]
    whole = f"*{found.get('title', 'geolib')}*, version {found.get('version', '?')}"
    address = f", {repository()}" if repository() else ""
    return f"{names} ({year}). " + (
        f"{title}. In: {whole}{address}." if title else f"{whole}{address}."
    )


def paper(study: AnyStudy) -> str:
    """Return the link to a study's paper; of a report, which has no address, say where it is."""
    if study.address:
        return f"[the paper]({study.address})"
    entry = rf"@\w+\{{{study.paper},.*?institution = \{{([^}}]*)\}}"
    found = re.search(entry, paths.bibliography().read_text(encoding="utf-8"))
    where = f" in {found[1].replace('--', '–')}" if found else ""
    return f"the paper, {{cite:t}}`{study.paper}`{where}, a report without DOI"


# A citation of a page: by its role, the keys of its works.
_CITED = re.compile(r"\{cite:[tp]\}`([^`]*)`")


def works(notebook: Any) -> str:
    """Return the works that a notebook cites, in words, by author; nothing where it cites none.

    On paper there is no page of references to go to.
    """
    from pybtex.database import parse_file
    from pybtex.plugin import find_plugin

    texts = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
    texts += ["".join(output.get("data", {}).get("text/markdown", "")) for output in outputs]
    keys = {k.strip() for text in texts for found in _CITED.findall(text) for k in found.split(",")}
    if not keys:
        return ""
    known = parse_file(str(paths.bibliography()))
    style = find_plugin("pybtex.style.formatting", "unsrt")()
    backend = find_plugin("pybtex.backends", "plaintext")()
    cited = [known.entries[key] for key in sorted(keys)]
    cited.sort(key=lambda entry: entry.persons["author"][0].last_names)
    return "\n\n".join(made.text.render(backend) for made in style.format_entries(cited))


def page() -> str:
    """Return the closing lines of the first page."""
    found, rows = citation(), []
    names = ", ".join(author["name"] for author in found.get("authors", ()))
    address = repository()
    rows.append(f"**Authors**: {names}. **Licence**: {found.get('license', '?')}.")
    code = (
        f"[{address}]({address})" if address else "in the repository that this page was built from"
    )
    rows.append(f"**Code**: {code}.")
    rows.append(f"**Cite**: {cite()} Please cite the paper of the chapter you used as well:")
    papers = [
        f"- {{cite:t}}`{study.paper}`, told in {{ref}}`chapter-{study.name}`"
        + (f", <{study.address}>" if study.address else "")
        for study in map(studies.get, studies.NAMES)
    ]
    return "\n\n".join(rows) + "\n\n" + "\n".join(papers) + "\n"


def told(study: AnyStudy, minutes: int) -> str:
    """Return how long a page takes to read and, of a chapter, which paper it is on."""
    read = f"{minutes} minute{'s' * (minutes != 1)} to read"
    return f"{read} · {paper(study)}" if study.paper else read


def line(study: AnyStudy, name: str, title: str, minutes: int, has_data: bool) -> str:
    """Return the line below a page's title: minutes, paper, citation, downloads; and in print."""
    parts = [told(study, minutes), f"[cite this page](#cite-{name})"]
    parts.append(f"{{download}}`notebook </papers/{name}.ipynb>`")
    if has_data:
        parts.append(f"{{download}}`figures' data </{DATA}/{name}.zip>`")
    address = f", <{study.address}>" if study.address else ""
    printed = f"How to cite: {cite(title)} The paper: {{cite:t}}`{study.paper}`{address}."
    return (
        f":::{{div}} chapter-line\n{' · '.join(parts)}\n:::\n\n"
        f":::{{div}} print-line\n{printed}\n:::\n"
    )


def numbers(notebook: Any) -> dict[str, str]:
    """Return by name the numbers behind each figure of an executed notebook, as CSV."""
    found = {}
    for cell in notebook.cells:
        figure = cell.metadata.get("mystnb", {}).get("figure", {})
        for output in cell.get("outputs", ()):
            text = output.get("data", {}).get("text/csv")
            if figure and text:
                found[figure["name"]] = text if isinstance(text, str) else "".join(text)
    return found


def packed(files: Mapping[str, str]) -> bytes:
    """Return CSV files as one archive, the same bytes for the same content."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in sorted(files.items()):
            entry = zipfile.ZipInfo(f"{name}.csv", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            archive.writestr(entry, text)
    return buffer.getvalue()
