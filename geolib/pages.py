"""The book's generated pages: what reproduces, the state of every result, the parameters of every study."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geolib import claims, paths, studies
from geolib.config import PRESETS

# Text badges: emoji and colour alone would not reach every reader.
BADGES = {
    "reproduced": "{bdg-success}`reproduced`",
    "partly": "{bdg-warning}`partly`",
    "not reproduced": "{bdg-danger}`not reproduced`",
    "not run yet": "{bdg-light}`not run yet`",
}


def generate(executed: Path) -> dict[str, bytes]:
    """Return the content of every generated file by its name.

    Parameters
    ----------
    executed : Path
        Folder of this build's executed notebooks, from which the landing page takes a picture of each chapter.
    """
    ledger = claims.load(paths.claims())
    modules = {name: studies.get(name) for name in studies.NAMES}
    judged = {
        name: claims.judge([c for c in ledger if c.paper == name], studies.shipped_measures(module))
        for name, module in modules.items()
    }
    made = {"claims_summary.md": _summary(judged), "status.md": _status(), "errata.md": _errata()}
    for name, module in modules.items():
        made[f"claims_{name}.md"] = _claims_table(judged[name])
        made[f"parameters_{name}.md"] = _parameters(module.Config.describe())
    files = {name: text.encode() for name, text in made.items()}
    cards, gallery = [], []
    for name, module in modules.items():
        shown = figures(executed / f"{name}.ipynb")
        landing = [figure for figure in shown if figure.landing]
        if not landing:
            raise ValueError(f"{name}.ipynb must have a figure cell tagged landing; it has none. Tag one.")
        cards.append(_card(module.TITLE, f"chapter-{name}", landing[0], module.QUESTION))
        gallery += [f"## {module.TITLE}\n", "::::{grid} 1 2 2 3\n:gutter: 3\n"]
        gallery += [_card("", figure.name, figure, figure.caption) for figure in shown]
        gallery.append("::::\n")
        files |= {f"{figure.name}.{figure.kind}": figure.content for figure in shown}
    files["chapters.md"] = "\n".join(["::::{grid} 1 1 2 2\n:gutter: 3\n", *cards, "::::\n"]).encode()
    files["gallery.md"] = "\n".join(gallery).encode()
    return files


@dataclass(frozen=True)
class Figure:
    """One figure of an executed notebook."""

    name: str
    caption: str
    alternative: str
    kind: str
    content: bytes
    landing: bool


def figures(notebook: Path) -> list[Figure]:
    """Return the captioned figures of an executed notebook, in order."""
    found = []
    for cell in json.loads(notebook.read_text(encoding="utf-8"))["cells"]:
        shown = cell["metadata"].get("mystnb", {})
        if "figure" not in shown:
            continue
        landing = "landing" in cell["metadata"].get("tags", [])
        figure, alternative = shown["figure"], shown.get("image", {}).get("alt", "")
        images = {kind: data for output in cell["outputs"] for kind, data in output.get("data", {}).items()}
        for kind in ("gif", "png"):
            if f"image/{kind}" in images:
                raw = base64.b64decode(images[f"image/{kind}"])
                found.append(Figure(figure["name"], figure["caption"], alternative, kind, raw, landing))
                break
    return found


def _card(title: str, link: str, figure: Figure, text: str) -> str:
    return f""":::{{grid-item-card}} {title}
:link: {link}
:link-type: ref
:img-top: /_generated/{figure.name}.{figure.kind}
:img-alt: {figure.alternative}

{text}
:::
"""


def _summary(judged: Mapping[str, list[dict[str, Any]]]) -> str:
    lines = ["| Paper | " + " | ".join(claims.VERDICTS) + " | all |", "|---|" + "--:|" * (len(claims.VERDICTS) + 1)]
    total = dict.fromkeys(claims.VERDICTS, 0)
    for name, rows in judged.items():
        counts = {verdict: sum(row["verdict"] == verdict for row in rows) for verdict in claims.VERDICTS}
        total = {verdict: total[verdict] + counts[verdict] for verdict in claims.VERDICTS}
        link = f"[{studies.get(name).TITLE}](#claims-{name.replace('_', '-')})"
        lines.append(f"| {link} | " + " | ".join(map(str, counts.values())) + f" | {len(rows)} |")
    lines.append("| **together** | " + " | ".join(map(str, total.values())) + f" | {sum(total.values())} |")
    return "\n".join(lines) + "\n"


def _claims_table(rows: list[dict[str, Any]]) -> str:
    lines = ["| Place | Claim | Published | Ours [95 % interval] | Verdict |", "|---|---|---|---|---|"]
    for row in rows:
        note = f" *{row['note']}*" if row["note"] else ""
        cells = [row["place"], row["claim"] + note, _plain(row["published"]), _ours(row), BADGES[row["verdict"]]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def _plain(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value))
    return f"{value:.4g}" if isinstance(value, (int, float)) and not isinstance(value, bool) else str(value)


def _ours(row: Mapping[str, Any]) -> str:
    if row["ours"] is None:
        return "—"
    many = isinstance(row["ours"], list)
    values, intervals = (row["ours"], row["interval"]) if many else ([row["ours"]], [row["interval"]])
    texts = [str(claims.Measure(v, low, high)) for v, (low, high) in zip(values, intervals, strict=True)]
    return ", ".join(texts) + (f" (n = {row['n']})" if row["n"] else "")


def _errata() -> str:
    import yaml

    entries = yaml.safe_load((paths.claims().parent / "errata.yml").read_text(encoding="utf-8"))
    lines = []
    for name in studies.NAMES:
        lines += [
            f"## {studies.get(name).TITLE}\n",
            "| Place | Printed | Correct | Why | Proof |",
            "|---|---|---|---|---|",
        ]
        for entry in (entry for entry in entries if entry["paper"] == name):
            cells = [str(entry[key]).replace("|", "\\|") for key in ("place", "printed", "correct", "why")]
            lines.append("| " + " | ".join([*cells, f"[shown here](#{entry['proof']})"]) + " |")
        lines.append("")
    return "\n".join(lines) + "\n"


def _status() -> str:
    lines = ["| Study | Preset | Units | Computed | Commit | Device | Seconds |", "|---|---|--:|---|---|---|--:|"]
    for name in studies.NAMES:
        for preset in PRESETS:
            path = paths.shipped(name, preset)
            if not path.is_file():
                lines.append(f"| {name} | {preset} | 0 | not shipped yet | — | — | — |")
                continue
            results = studies.shipped(studies.get(name), preset)
            records = list(results.records.values()) if results else []
            dates = sorted({record.get("date", "?") for record in records})
            commits = sorted({record.get("commit", "?").replace("+changes", "+")[:9] for record in records})
            devices = sorted({record.get("device", "?") for record in records})
            seconds = sum(record.get("seconds", 0.0) for record in records)
            span = dates[0] if len(dates) == 1 else f"{dates[0]} to {dates[-1]}"
            lines.append(
                f"| {name} | {preset} | {len(records)} | {span} | {_few(commits)} | {_few(devices)} | {seconds:.0f} |"
            )
    return "\n".join(lines) + "\n"


def _few(values: list[str]) -> str:
    return ", ".join(values[:2]) + (f" and {len(values) - 2} more" if len(values) > 2 else "")


def _parameters(rows: list[dict[str, Any]]) -> str:
    lines = ["| Parameter | Type | Quick | Paper | Range | Unit | Meaning |", "|---|---|---|---|---|---|---|"]
    for row in rows:
        bounds = row["range"] or []
        if bounds and isinstance(bounds[0], str):
            allowed = ", ".join(bounds)
        else:
            allowed = " to ".join("…" if bound is None else f"{bound:g}" for bound in bounds)
        values = [json.dumps(row[key]).strip('"') for key in ("default", "paper")]
        cells = [f"`{row['name']}`", row["type"], *values, allowed, row["unit"], row["help"]]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"
