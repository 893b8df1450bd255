"""The book's generated pages: what reproduces, every result's state, every parameter."""

from __future__ import annotations

import base64
import datetime
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geolib import studies
from geolib.book import (
    about,
    house,
    landing,
    ledger_page,
    notebooks,
    reading,
    records,
    speed,
)
from geolib.runs import paths, tables
from geolib.runs.tables import markdown

#: The link to a figure's numbers at the end of its caption.
_DOWNLOAD = re.compile(r" \{download\}`[^`]*`$")
# Where a sentence ends: not after an abbreviation, nor within brackets.
_END = re.compile(r"(?<!\bFig)(?<!\bEq)(?<!\bapp)(?<!\be\.g)(?<!\bi\.e)(?<!\bvs)\.\s+(?=[A-Z{*`$])")
# One letter set as mathematics would have the gallery load two megabytes to typeset it.
_LETTER = re.compile(r"(?:\$|\{math\}`)([A-Za-z])(?:\$|`)")


def generate(
    executed: Path,
    states: Mapping[str, Mapping[str, Any]],
    files: Sequence[records.Shipped],
    judged: Mapping[str, list[dict[str, Any]]],
) -> dict[str, bytes]:
    """Return the content of every generated file by its name.

    Parameters
    ----------
    executed : Path
        Folder of this build's pages of the chapters, from which the landing page takes a picture of
        each.
    states : mapping
        The state of each chapter (`chapters.state`).
    files : sequence of Shipped
        The shipped results.
    judged : mapping
        By paper its claims (`verify.rows`).
    """
    modules = {name: studies.get(name) for name in studies.NAMES}
    today = datetime.datetime.now(datetime.UTC).date()
    made = {
        "claims_summary.md": ledger_page.summary(judged),
        "claims_keys.md": ledger_page.keys(),
        "errata.md": ledger_page.errata(),
        "records.md": records.page(files, [row for rows in judged.values() for row in rows]),
    }
    made["status.md"] = records.status(files, states, today)
    made["claims.md"] = "\n\n".join(
        ledger_page.claims(name, judged[name], files) for name in modules
    )
    made["parameters.md"] = "\n\n".join(
        f"### {module.title}\n\n{_parameters(module.Config.describe())}"
        for module in modules.values()
    )
    content = {name: text.encode() for name, text in made.items()}
    runs = {
        f.study.name: (f.results.config, len(f.results.units))
        for f in files
        if f.path.stem == f"{f.study.name}-{f.study.shown}"
    }
    content |= house.page(judged, {name: runs[name] for name in modules if name in runs})
    gallery = []
    for module in modules.values():
        shown = [each for page in module.pages for each in figures(executed / f"{page}.ipynb")]
        gallery.append(_gallery(module.title, shown))
        content |= {f"{figure.name}.{figure.kind}": figure.content for figure in shown}
    content["gallery.md"] = "\n".join(gallery).encode()
    minutes = [reading.minutes(notebooks.read(executed / f"{name}.ipynb")) for name in modules]
    content |= landing.content(judged, about.repository(), minutes)
    return content | _measured()


def _measured() -> dict[str, bytes]:
    root = paths.checkout()
    bench = root / "bench" if root is not None else Path()
    content = speed.page(bench)
    if root is not None and (bench / "portable.json").is_file():
        found = json.loads((bench / "portable.json").read_text(encoding="utf-8"))
        content["drift.md"] = records.drift(found).encode()
    if root is not None and (bench / "scheduler.json").is_file():
        found = json.loads((bench / "scheduler.json").read_text(encoding="utf-8"))
        content["throughput.svg"] = speed.throughput(found)
    return content


@dataclass(frozen=True)
class Figure:
    """One figure of an executed notebook."""

    name: str
    caption: str
    alternative: str
    kind: str
    content: bytes
    title: str = ""


def figures(notebook: Path) -> list[Figure]:
    """Return the captioned figures of an executed notebook, in order."""
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        shown = cell["metadata"].get("mystnb", {})
        if "figure" not in shown:
            continue
        figure, alternative = shown["figure"], shown.get("image", {}).get("alt", "")
        if not all(
            isinstance(text, str) for text in (figure["name"], figure["caption"], alternative)
        ):
            raise ValueError("name, caption and alt of a figure must be text")
        titles = [out.get("metadata", {}).get("geolib", {}).get("title") for out in cell["outputs"]]
        title = next(filter(None, titles), "")
        images = {
            kind: data
            for output in cell["outputs"]
            for kind, data in output.get("data", {}).items()
        }
        for kind in ("gif", "svg+xml", "png"):
            if content := images.get(f"image/{kind}"):
                # A notebook may hold a text as a list of lines.
                raw = "".join(content).encode() if kind == "svg+xml" else base64.b64decode(content)
                ending = kind.removesuffix("+xml")
                said = _LETTER.sub(r"*\1*", _DOWNLOAD.sub("", figure["caption"]))
                found.append(Figure(figure["name"], said, alternative, ending, raw, title))
                break
    return found


def first_sentence(caption: str) -> str:
    """Return the whole first sentence of a caption."""
    end = _END.search(caption)
    return caption[: end.start() + 1] if end else caption


def _shown(caption: str) -> str:
    """Return of a caption what a card has room for; half a figure is none, and told whole."""
    found = first_sentence(caption)
    return caption if found.startswith("Left:") else found


def _plain(caption: str) -> str:
    """Return a caption's first sentence as a link's text, in which no role is resolved."""
    text = re.sub(r"\{numref\}`[^`]*`", "another figure", first_sentence(caption))
    text = re.sub(r"\{[a-z:]+\}`([^`<]*?)\s*(?:<[^>]*>)?`", r"\1", text)
    return re.sub(r"[*$`]", "", text.rstrip("."))


def _gallery(title: str, shown: Sequence[Figure]) -> str:
    """Return the figures of a paper as cards, a picture each, its message and what it shows."""
    cards = [
        f""":::{{grid-item-card}}
:link: {figure.name}
:link-type: ref
:link-alt: {_plain(figure.caption)}
:img-top: /_generated/{figure.name}.{figure.kind}
:img-alt: {figure.alternative}

{f"**{_plain(figure.title)}**" if figure.title else ""}

{_shown(figure.caption)}
:::
"""
        for figure in shown
    ]
    grid = ["::::{grid} 1 2 2 3", ":gutter: 2", ":class-container: gallery-part", "", *cards]
    return "\n\n".join([f"## {title}", "\n".join([*grid, "::::"])]) + "\n"


def _parameters(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        bounds = row["range"] or []
        if bounds and isinstance(bounds[0], str):
            allowed = ", ".join(bounds)
        else:
            allowed = tables.allowed(bounds)
        values = [json.dumps(row[key]).strip('"') for key in ("default", "paper")]
        allowed = " ".join(part for part in (allowed, row["unit"]) if part)
        lines.append([f"`{row['name']}`", row["type"], *values, allowed, row["help"]])
    return markdown(["Parameter", "Type", "Quick", "Paper", "Range", "Meaning"], lines) + "\n"
