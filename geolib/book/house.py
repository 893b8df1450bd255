"""How the package is built: parts and arrows from the imports, the way of one number."""

from __future__ import annotations

import ast
import importlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from geolib import studies
from geolib.book import ledger, verify
from geolib.book.about import settings
from geolib.runs import paths

# The book's colours of what computes, what keeps, and what shows, each light enough for black
# letters.
_FILLS = {"runs": "#E69F00", "studies": "#E69F00", "book": "#CC79A7", "cli": "#CC79A7"}


def arrows(package: Path) -> dict[str, set[str]]:
    """Return for each part of a package the other parts that its modules import anywhere."""
    found: dict[str, set[str]] = {}
    for path in sorted(package.rglob("*.py")):
        part = path.relative_to(package).parts[0].removesuffix(".py")
        if part.startswith("_"):  # what everybody may use says nothing about who rests on whom
            continue
        names = found.setdefault(part, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names.update(alias.name for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                names.update(f"{node.module}.{alias.name}" for alias in node.names)
    own = f"{package.name}."
    reached = {
        part: {name.split(".")[1] for name in names if name.startswith(own)} - {part}
        for part, names in found.items()
    }
    return {part: others & found.keys() for part, others in reached.items()}


def floors(graph: Mapping[str, set[str]]) -> dict[str, int]:
    """Return on which floor each part stands: one above the highest that it imports.

    Raises
    ------
    ValueError
        If parts import one another in a circle.
    """
    found: dict[str, int] = {}
    while len(found) < len(graph):
        free = [part for part in graph if part not in found and graph[part] <= found.keys()]
        if not free:
            circle = ", ".join(sorted(graph.keys() - found.keys()))
            raise ValueError(
                f"imports must run one way; {circle} import one another. Move what they share."
            )
        found |= {part: max((found[o] + 1 for o in graph[part]), default=0) for part in free}
    return found


def direct(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Return the arrows that do not follow from others."""

    def below(part: str) -> set[str]:
        return graph[part].union(*(below(other) for other in graph[part]))

    return {part: others - set().union(*map(below, others)) for part, others in graph.items()}


def picture(graph: Mapping[str, set[str]], sizes: Mapping[str, int]) -> bytes:
    """Return the parts on their floors with the arrows that do not follow from others, as an SVG.

    Parameters
    ----------
    graph : mapping
        From `arrows`.
    sizes : mapping
        Number of modules of each part.
    """
    import matplotlib.pyplot as plt

    from geolib.plots import style

    style.use_style()
    level, near = floors(graph), direct(graph)
    height = max(level.values()) + 1
    figure, ax = plt.subplots(figsize=(7.2, 0.95 * height), facecolor="none")
    at = _places(level, near)
    for part, (x, y) in at.items():
        fill = _FILLS.get(part, "#56B4E9")
        text = f"{part}\n{sizes[part]} module{'s' if sizes[part] > 1 else ''}"
        box = {"boxstyle": "round,pad=0.45", "facecolor": fill, "edgecolor": "none"}
        ax.text(x, y, text, ha="center", va="center", fontsize=9, color="black", bbox=box, zorder=2)
    for part, others in near.items():
        for other in sorted(others):  # a set has another order in every process
            ax.annotate(
                "",
                xy=(at[other][0], at[other][1] + 0.26),
                xytext=(at[part][0], at[part][1] - 0.26),
                # A grey that is seen on white and on black.
                arrowprops={"arrowstyle": "-|>", "color": "#808080", "shrinkA": 0, "shrinkB": 0},
                zorder=1,
            )
    ax.set(xlim=(0, 1), ylim=(-0.5, height - 0.5))
    ax.axis("off")
    buffer = io.BytesIO()
    with plt.rc_context(
        {"svg.hashsalt": "geolib"}
    ):  # else every build names the parts of its picture anew
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    plt.close(figure)
    return buffer.getvalue()


def _places(level: Mapping[str, int], near: Mapping[str, set[str]]) -> dict[str, tuple[float, int]]:
    """Return x within (0, 1) and floor of each part, above the middle of what it rests on."""
    at: dict[str, tuple[float, int]] = {}
    for floor in range(max(level.values()) + 1):
        row = sorted(part for part in level if level[part] == floor)
        wanted = {
            part: float(np.mean([at[other][0] for other in sorted(near[part])]))
            if near[part]
            else (i + 1) / (len(row) + 1)
            for i, part in enumerate(row)
        }
        edge, last = 0.08, -1.0
        for i, part in enumerate(sorted(row, key=wanted.__getitem__)):
            room = 1 - edge - 0.14 * (len(row) - 1 - i)
            last = min(max(wanted[part], last + 0.14, edge), room)
            at[part] = (last, floor)
    return at


def repository() -> str:
    """Return the address of the repository's files from `_config.yml`; empty where none is set."""
    root = paths.checkout()
    about = settings(root / "_config.yml").get("repository") or {} if root is not None else {}
    return (
        f"{about['url'].rstrip('/')}/blob/{about.get('branch', 'main')}" if about.get("url") else ""
    )


def link(module: str, address: str) -> str:
    """Return a module's name as a link to its file, or else to the page on the package.

    Raises
    ------
    ModuleNotFoundError
        If there is no such module.
    """
    file = Path(importlib.import_module(module).__file__ or "")
    if not address:
        root = paths.checkout()
        api = (root / "book" / "api.md").read_text(encoding="utf-8") if root is not None else ""
        described = f".. automodule:: {module}\n" in api
        return f"{{py:mod}}`{module}`" if described else f"`{module}`"
    inside = file.relative_to(Path(__file__).parents[2]).as_posix()
    return f"[`{module}`]({address}/{inside})"


def way(row: Mapping[str, Any], preset: Mapping[str, Any], units: int, address: str) -> str:
    """Return the way of one number from a parameter to a verdict as numbered Markdown.

    Parameters
    ----------
    row : mapping
        A judged claim with one number of ours (`ledger.judge`).
    preset : mapping
        The parameters of its shipped run.
    units : int
        How many runs were shipped.
    address : str
        Of the repository's files, or empty.
    """
    study = row["paper"]

    def to(module: str) -> str:
        return link(f"geolib.{module}", address)

    steps = {
        "A parameter": f"A run has {len(preset)} of them, each with a meaning, a unit and a range: "
        f"{to('runs.config')}. `geolib params {study}` lists them.",
        "A run": "The study names its runs and computes each from the parameters and its own name: "
        f"{to(f'studies.{study}')}.",
        "A file": "Each is saved as it is done, with a checksum, its commit and its versions: "
        f"{to('runs.store')}. What was published are {units} runs in "
        f"`book/results/{study}-{studies.get(study).shown}.nc`.",
        "A measure": "From the runs that there are, the study makes a number with its 95 % "
        f"interval: {verify.ours(row)}, {to('runs.measure')}.",
        "A claim": f"{row['place']}: {row['claim'].rstrip('.')}. The paper prints "
        f"{verify.listed(row['published'])}. The rule that compares the two "
        f"is written by hand in `book/ledger/{study}.yml`.",
        "A verdict": f"The rule judges the measure: *{row['verdict']}*, {to('book.ledger')}.",
        "A page": "The build writes it into {doc}`what reproduces <reproduces>`: "
        f"{to('book.pages')}. Nobody types a verdict.",
    }
    lines = (f"{n}. **{name}.** {text}" for n, (name, text) in enumerate(steps.items(), 1))
    return "\n".join(lines) + "\n"


def page(
    judged: Mapping[str, Sequence[dict[str, Any]]],
    presets: Mapping[str, tuple[dict[str, Any], int]],
) -> dict[str, bytes]:
    """Return what the page "How this is built" takes in: the picture and the way of one number.

    Parameters
    ----------
    judged : mapping
        The judged claims of each study.
    presets : mapping
        Parameters and number of runs of each study's shipped file that its chapter shows.

    Raises
    ------
    ValueError
        If no claim has a single number with an interval.
    """
    package = Path(__file__).parents[1]
    graph = arrows(package)
    sizes = {part: len(list((package / part).rglob("*.py"))) or 1 for part in graph}
    rows = [
        row
        for name in presets
        for row in judged[name]
        if isinstance(row["ours"], float) and row["kind"] != ledger.OURS
    ]
    found = [
        row
        for row in rows
        if row["interval"] and None not in row["interval"] and row["verdict"] == "reproduced"
    ]
    if not found:
        raise ValueError(
            "some claim must be reproduced with an interval; none is. Publish a paper-scale run."
        )
    text = way(found[0], *presets[found[0]["paper"]], repository())
    return {"house.svg": picture(graph, sizes), "way.md": text.encode()}
