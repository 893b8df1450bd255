"""The book's generated pages: what reproduces, every result's state, every parameter."""

from __future__ import annotations

import base64
import datetime
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geolib import studies
from geolib.book import chapters, house, ledger_page, records, verify
from geolib.runs import paths
from geolib.runs.tables import markdown

# The measurements of bench/ in the order of the page on speed; the scheduler's is on the page
# beside it.
SPEED = {
    "waves": "The wave engine",
    "wgan_traces": "The Wasserstein GAN",
    "latent_inversion": "Inversion in a latent space",
    "gan_101": "Adversarial networks in one dimension",
}


def generate(
    executed: Path, states: Mapping[str, Mapping[str, Any]], files: Sequence[records.Shipped]
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
    """
    modules = {name: studies.get(name) for name in studies.NAMES}
    judged = verify.rows()
    today = datetime.datetime.now(datetime.UTC).date()
    made = {
        "claims_summary.md": ledger_page.summary(judged),
        "errata.md": ledger_page.errata(),
        "records.md": records.page(files),
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
        f.path.stem.removesuffix("-paper"): (f.results.config, len(f.results.units)) for f in files
    }
    content |= house.page(judged, {name: runs[name] for name in modules if name in runs})
    cards, gallery = [], []
    for name, module in modules.items():
        shown = [each for page in module.pages for each in figures(executed / f"{page}.ipynb")]
        landing = [figure for figure in shown if figure.landing]
        if not landing:
            raise ValueError(
                f"{name}.ipynb must have a figure cell tagged landing; it has none. Tag one."
            )
        cards.append(_card(module.title, f"chapter-{name}", landing[0], module.question))
        gallery += [f"## {module.title}\n", "::::{grid} 1 2 2 3\n:gutter: 3\n"]
        gallery += [_card("", figure.name, figure, figure.caption) for figure in shown]
        gallery.append("::::\n")
        content |= {f"{figure.name}.{figure.kind}": figure.content for figure in shown}
    root = paths.checkout()
    content |= speed(root / "bench" if root is not None else Path())
    if root is not None and (bench := root / "bench" / "portable.json").is_file():
        content["drift.md"] = records.drift(json.loads(bench.read_text(encoding="utf-8"))).encode()
    if root is not None and (bench := root / "bench" / "scheduler.json").is_file():
        content["throughput.png"] = throughput(json.loads(bench.read_text(encoding="utf-8")))
    content["chapters.md"] = "\n".join(
        ["::::{grid} 1 1 2 2\n:gutter: 3\n", *cards, "::::\n"]
    ).encode()
    content["gallery.md"] = "\n".join(gallery).encode()
    return content


def speed(bench: Path) -> dict[str, bytes]:
    """Return what the page on speed takes in: the measured tables, one by one, and a picture."""
    text, made = "", {}
    for name, title in SPEED.items():
        if (bench / f"{name}.md").is_file():
            text += f"## {title}\n\n{(bench / f'{name}.md').read_text(encoding='utf-8')}\n"
        if name == "waves" and (bench / "waves.json").is_file():
            made["scaling.png"] = scaling(
                json.loads((bench / "waves.json").read_text(encoding="utf-8"))
            )
            text += SCALING
    return {"speed.md": (text or "Nothing was measured.\n").encode(), **made}


SCALING = """:::{figure} /_generated/scaling.png
:name: fig-scaling
:alt: Four log-log panels: seconds against time steps, cells, shots, threads; lines of proportion.

How the wave engine scales: seconds of a forward run (circles) and of misfit and gradient (squares)
as one size varies from 4 shots, 1000 steps and 140 by 340 cells on all cores. Dotted: in proportion
to the first point. The dashed line is the workspace of one thread (right axis). Two threads want
two free cores: the note above tells whether there were.
:::

"""


def scaling(measurement: Mapping[str, Any]) -> bytes:
    """Return the picture of the wave engine's seconds against its sizes and threads, as a PNG."""
    import matplotlib.pyplot as plt

    from geolib.plots import style, waves

    style.use_style()
    figure = waves.scaling(measurement["scaling"])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    return chapters.smaller(buffer.getvalue())


def throughput(measurement: Mapping[str, Any]) -> bytes:
    """Return the picture of units and shots a second against workers, as a PNG."""
    import matplotlib.pyplot as plt
    from matplotlib.ticker import NullFormatter, StrMethodFormatter

    from geolib.plots import style

    style.use_style()
    figure, axes = style.new_figure(1, 2, height=2.8)
    for axis, name, label in zip(
        axes, ("units_per_s", "shots_per_s"), ("units", "shots"), strict=True
    ):
        seen, modelled = measurement["measured"], measurement["modelled"]
        one, most = modelled[0][name], modelled[-1]["workers"]
        bend = min(
            most, max(row[name] for row in modelled) / one
        )  # from here the scheduler is the limit
        axis.loglog([1, bend, most], [one, bend * one, modelled[-1][name]], "--", label="model")
        axis.loglog(
            [row["workers"] for row in seen], [row[name] for row in seen], "o", label="measured"
        )
        for side in (axis.xaxis, axis.yaxis):
            side.set_major_formatter(StrMethodFormatter("{x:g}"))
            side.set_minor_formatter(NullFormatter())
        axis.set_xlabel("workers")
        axis.set_ylabel(f"{label} per second")
        axis.legend()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None})
    plt.close(figure)
    return chapters.smaller(buffer.getvalue())


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
        if not all(
            isinstance(text, str) for text in (figure["name"], figure["caption"], alternative)
        ):
            raise ValueError("name, caption and alt of a figure must be text")
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
                found.append(
                    Figure(figure["name"], figure["caption"], alternative, ending, raw, landing)
                )
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


def _parameters(rows: list[dict[str, Any]]) -> str:
    lines = []
    for row in rows:
        bounds = row["range"] or []
        if bounds and isinstance(bounds[0], str):
            allowed = ", ".join(bounds)
        else:
            allowed = " to ".join("…" if bound is None else f"{bound:g}" for bound in bounds)
        values = [json.dumps(row[key]).strip('"') for key in ("default", "paper")]
        lines.append([f"`{row['name']}`", row["type"], *values, allowed, row["unit"], row["help"]])
    return (
        markdown(["Parameter", "Type", "Quick", "Paper", "Range", "Unit", "Meaning"], lines) + "\n"
    )
