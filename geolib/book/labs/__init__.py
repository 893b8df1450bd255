"""The laboratories of the built book: data as scripts, and the tags of their pages.

A laboratory NAME is `book/_static/lab/NAME.js`; `geolib.book.labs.NAME.scripts()`, if there is such
a module, returns its data as `{script: {entry: number, text, list or encoded array}}`. Nothing of
it is committed: a build derives it.
"""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from geolib.book.labs._data import encode
from geolib.runs.store import write_atomic

FRAME = ("lab.css", "lab.js", "box.js", "plot.js")


def script(name: str, entries: Mapping[str, Any]) -> bytes:
    """Return the classic script that puts `entries` where `geolab.need(name)` finds them."""
    content = json.dumps(dict(entries), separators=(",", ":"), allow_nan=False)
    return f"window.geolab.data[{json.dumps(name)}] = {content};\n".encode()


def names(sources: Path) -> list[str]:
    """Return the laboratories whose scripts lie in the folder `sources`."""
    return sorted(path.stem for path in sources.glob("*.js") if path.name not in FRAME)


def write(sources: Path, target: Path) -> dict[str, int]:
    """Write all data scripts to the folder `target` and return their sizes in bytes by name.

    Raises
    ------
    ValueError
        If two laboratories name a script alike.
    """
    made = {"style": style()}
    for name in names(sources):
        module = f"{__name__}.{name}"
        found = (
            importlib.import_module(module).scripts() if importlib.util.find_spec(module) else {}
        )
        if twice := made.keys() & found.keys():
            raise ValueError(
                f"scripts of {name} must have names of their own; got {sorted(twice)}. Rename them."
            )
        made |= found
    texts = {name: script(name, entries) for name, entries in made.items()}
    target.mkdir(parents=True, exist_ok=True)
    draw_stills(target)
    for name, text in texts.items():
        write_atomic(target / f"{name}.js", text)
    return {name: len(text) for name, text in texts.items()}


def draw_stills(target: Path) -> None:
    """Write the figure of each laboratory, shown where scripts are off, as `target/NAME.svg`."""
    import matplotlib.pyplot as plt

    from geolib.book.labs.stills import STILLS
    from geolib.plots import style

    style.use_style()
    for name, (draw, _) in STILLS.items():
        figure = draw()
        write_atomic(target / f"{name}.svg", style.svg(figure).encode())
        plt.close(figure)


def style() -> dict[str, Any]:
    """Return the colours and colour maps of `geolib.plots.style`."""
    import matplotlib as mpl

    from geolib.plots import style

    maps = {"velocity": style.VELOCITY_MAP, "signed": style.SIGNED_MAP, "facies": style.FACIES_MAP}
    levels = np.arange(256)
    tables = {
        name: encode(mpl.colormaps[at](levels, bytes=True)[:, :3], "u1")
        for name, at in maps.items()
    }
    return {"colors": style.COLORS, "maps": tables}


# jupyter-book loads every script below book/_static in every page.
_TAGS = re.compile(r"\s*<(?:link|script|img)[^>]*_static/lab/[^>]*>(?:</script>)?")
_DIVS = re.compile(r'<div class="geolab" data-lab="([\w-]+)">')


def attach(text: str, page: Path, site: Path) -> str:
    """Return a page's text with the laboratories' frame and figures, where it has any."""
    text = _TAGS.sub("", text)
    if 'class="geolab"' not in text:
        return text
    from geolib.book.labs.stills import STILLS

    to = Path(os.path.relpath(site / "_static" / "lab", page.parent)).as_posix()
    tags = f'\n<link rel="stylesheet" href="{to}/lab.css">'
    tags += "".join(f'\n<script defer src="{to}/{name}"></script>' for name in FRAME[1:])

    def with_figure(found: re.Match[str]) -> str:
        if found[1] not in STILLS:
            return found[0]
        return f'{found[0]}\n<img src="{to}/data/{found[1]}.svg" alt="{STILLS[found[1]][1]}">'

    return _DIVS.sub(with_figure, text).replace("</head>", f"{tags}</head>", 1)
