"""Runs side by side: parameters that differ, measures, figures, as text, CSV and one page."""

from __future__ import annotations

import base64
import csv
import html
import io
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geolib import _checks, studies
from geolib.book import pages
from geolib.book.reruns import RECORD
from geolib.runs.config import plain
from geolib.runs.measure import Measure

_STYLE = """
body { margin: 0 auto; padding: 1rem; max-width: 90rem; }
body { font-family: system-ui, sans-serif; line-height: 1.5; }
div.wide { overflow-x: auto; } table { border-collapse: collapse; }
td, th { border: 1px solid #bbb; padding: .2rem .6rem; text-align: left; }
div.row { display: grid; grid-template-columns: repeat(auto-fit, minmax(20rem, 1fr)); gap: 1rem; }
figure { margin: 0; } img { max-width: 100%; background: #fff; } figcaption { font-size: .9rem; }
@media (prefers-color-scheme: dark) {
  body { background: #121212; color: #ddd; } a { color: #8ab4f8; }
}
"""
#: What reading a damaged file raises.
DAMAGED = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    RecursionError,
)


@dataclass(frozen=True)
class Run:
    """A folder made by `geolib run`."""

    folder: Path
    study: str
    parameters: dict[str, Any]
    measures: dict[str, Measure]
    facts: dict[str, str]

    @property
    def notebooks(self) -> list[Path]:
        """The executed notebooks: the chapter and, where it was run, the appendix."""
        made = [self.folder / f"{page}.ipynb" for page in studies.get(self.study).pages]
        return [path for path in made if path == made[0] or path.is_file()]


def read(folder: Path) -> Run:
    """Return the run of a folder.

    Raises
    ------
    ValueError
        If the folder holds no run, or a damaged one.
    """
    path = folder / RECORD
    if not path.is_file():
        raise ValueError(
            f"RUN must be a folder made by `geolib run`; {folder} holds no {RECORD}. "
            "Give another folder."
        )
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        study = _checks.choice("study", record["study"], (*studies.NAMES, *studies.OWN))
        measures = {name: _measure(name, entry) for name, entry in dict(record["measures"]).items()}
        about = record["provenance"]
        facts = {
            "commit": str(about["commit"])[:9],
            "device": str(about["device"]),
            "date": str(about["date"]),
        }
        facts["seconds"] = f"{_checks.number('seconds', record['seconds']):g}"
        return Run(folder, study, dict(record["parameters"]), measures, facts)
    except DAMAGED as error:
        raise ValueError(
            f"{path} must be the record of a run; it is damaged ({error}). Run it again."
        ) from None


def _measure(name: str, entry: dict[str, Any]) -> Measure:
    found = {key: entry[key] for key in ("value", "low", "high", "n")}
    for key, value in found.items():
        if (value is None and key == "value") or not isinstance(value, (int, float, type(None))):
            raise TypeError(f"{key} of {name} is no number: {value!r}")
        if value is not None:
            float(value)  # an int may be beyond what can be shown
    return Measure(**found)


def labels(runs: Sequence[Run]) -> list[str]:
    """Return a name of each run: its folder's own, with the parents' where two are alike."""
    short = [run.folder.resolve().name for run in runs]
    return short if len(set(short)) == len(short) else [str(run.folder) for run in runs]


def tables(runs: Sequence[Run]) -> dict[str, list[list[str]]]:
    """Return rows `[name, a cell of each run]`: differing parameters, measures, provenance.

    Raises
    ------
    ValueError
        If the runs are of different studies.
    """
    if len({run.study for run in runs}) > 1:
        raise ValueError(
            f"runs must be of one study; got {', '.join(run.study for run in runs)}. Choose others."
        )
    parameters = [
        [name, *cells]
        for name in _union(run.parameters for run in runs)
        if len(set(cells := [plain(run.parameters.get(name, "—")) for run in runs])) > 1
    ]
    measures = [
        [name, *(str(run.measures.get(name, "—")) for run in runs)]
        for name in _union(run.measures for run in runs)
    ]
    facts = [[name, *(run.facts[name] for run in runs)] for name in runs[0].facts]
    return {"Parameters that differ": parameters, "Measures": measures, "Provenance": facts}


def _union(mappings: Iterable[Iterable[str]]) -> list[str]:
    return list(dict.fromkeys(name for mapping in mappings for name in mapping))


def as_text(runs: Sequence[Run]) -> str:
    """Return the tables with aligned columns."""
    found = tables(runs)
    head = ["", *labels(runs)]
    rows = [head, *(row for rows in found.values() for row in rows)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    lines = []
    for title, body in found.items():
        lines.append(title if body else f"{title}: none")
        for row in [head, *body] if body else []:
            lines.append(
                "  "
                + "  ".join(
                    cell.ljust(width) for cell, width in zip(row, widths, strict=True)
                ).rstrip()
            )
    return "\n".join(lines)


def as_csv(runs: Sequence[Run]) -> str:
    """Return a line for each run: label, differing parameters, every measure with interval."""
    parameters = tables(runs)["Parameters that differ"]
    measures = _union(run.measures for run in runs)
    file = io.StringIO()
    table = csv.writer(file, lineterminator="\n")
    ends = [f"{name}{suffix}" for name in measures for suffix in ("", ":low", ":high")]
    table.writerow(["run", *(row[0] for row in parameters), *ends])
    for number, (label, run) in enumerate(zip(labels(runs), runs, strict=True), 1):
        found = [run.measures.get(name) for name in measures]
        cells = [
            cell for m in found for cell in ((m.value, m.low, m.high) if m else (None, None, None))
        ]
        table.writerow([label, *(row[number] for row in parameters), *cells])
    return file.getvalue()


def as_page(runs: Sequence[Run], title: str) -> str:
    """Return a page that needs no other file: the tables, then all runs' figures side by side.

    Raises
    ------
    ValueError
        If a run's notebook is missing or damaged.
    """
    names = labels(runs)
    parts = [f"<h1>{html.escape(title)}</h1>"]
    for heading, rows in tables(runs).items():
        body = "".join(_row("td", row) for row in rows)
        parts.append(f"<h2>{heading}</h2>")
        parts.append(
            f'<div class="wide"><table>{_row("th", ["", *names])}{body}</table></div>'
            if rows
            else "<p>None.</p>"
        )
    shown = [{figure.name: figure for figure in _figures(run)} for run in runs]
    names_of_figures = _union(shown)
    # What differs comes first; a figure that is the same everywhere is shown once.
    same = {
        name
        for name in names_of_figures
        if len({_content(figures.get(name)) for figures in shown}) == 1
    }
    for name in sorted(names_of_figures, key=lambda name: name in same):
        caption = next(html.escape(figures[name].caption) for figures in shown if name in figures)
        pairs = (
            [("the same in all runs", shown[0])] if name in same else zip(names, shown, strict=True)
        )
        cells = [_figure(label, figures.get(name)) for label, figures in pairs]
        parts.append(f'<h2 id="{html.escape(name)}">{html.escape(name)}</h2><p>{caption}</p>')
        parts.append(f'<div class="row">{"".join(cells)}</div>')
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    head += f"<title>{html.escape(title)}</title><style>{_STYLE}</style>"
    body = "".join(parts)
    return f'<!DOCTYPE html><html lang="en"><head>{head}</head><body>{body}</body></html>'


def _row(tag: str, cells: Sequence[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in cells) + "</tr>"


def _content(figure: pages.Figure | None) -> bytes | None:
    return figure.content if figure is not None else None


def _figure(label: str, figure: pages.Figure | None) -> str:
    if figure is None:
        return f"<figure><figcaption>{html.escape(label)}: no such figure</figcaption></figure>"
    kind = {"svg": "svg+xml"}.get(figure.kind, figure.kind)
    source = f"data:image/{kind};base64,{base64.b64encode(figure.content).decode()}"
    image = f'<img src="{source}" alt="{html.escape(figure.alternative)}">'
    return f"<figure>{image}<figcaption>{html.escape(label)}</figcaption></figure>"


def _figures(run: Run) -> list[pages.Figure]:
    found = []
    for path in run.notebooks:
        try:
            found += pages.figures(path)
        except DAMAGED as error:
            raise ValueError(
                f"notebook {path} must be whole; it is damaged ({error}). Run it again."
            ) from None
    return found
