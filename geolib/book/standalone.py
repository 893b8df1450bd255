"""Executed notebooks as self-contained HTML pages, which need one another only and no network."""

from __future__ import annotations

import base64
import io
import mimetypes
import re
import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from geolib.book import about, mathematics, notebooks, reading, records
from geolib.runs import paths
from geolib.runs.store import write_atomic
from geolib.runs.study import AnyStudy

# Names of the sheets of Sphinx that have colours of their own are overruled by longer ones.
_STYLE = """
:root { color-scheme: light dark; --ink: #1a1a1a; --quiet: #4a5258; --page: #fff; --link: #0b57b0; }
:root { --line: #bbb; --code: #f4f4f6; --note: #f0f6fb; --edge: #0072b2; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e0e0e0; --quiet: #b4bcc4; --page: #121212; --link: #8fbcff; }
  :root { --line: #555; --code: #26262b; --note: #16242f; --edge: #1f9df0; }
  /* Code is coloured for a light page: turned round, each colour keeps its distance. */
  html body div.highlight { filter: invert(1) hue-rotate(180deg); background: #f4f4f6; }
  html body div.highlight pre { background: #e6e6ea; color: #111 !important; }
  /* A drawing takes the page's own dark; a picture keeps a white card. */
  img:not([src^="data:image/svg"]) { background: #fff; padding: 4px; border-radius: 4px; }
}
html body { max-width: 52rem; margin: 0 auto; padding: 1rem; line-height: 1.55; }
html body, html body div.body { color: var(--ink); background: var(--page); }
html body { font-family: system-ui, sans-serif; }
html body a, html body a:visited { color: var(--link); }
img { max-width: 100%; height: auto; } pre, table { overflow-x: auto; display: block; }
table { border-collapse: collapse; }
html body td, html body th { border: 1px solid var(--line); padding: .2rem .5rem; }
html body td, html body th { text-align: left; background: none; color: inherit; }
html body div.output pre, html body div.cell_output pre { color: var(--ink); }
div.output pre, div.cell_output pre { white-space: pre-wrap; overflow-wrap: anywhere; }
div.body { min-width: 0; }
blockquote { margin: 1rem 0; overflow-wrap: anywhere; }
code.literal, code.literal .pre { white-space: normal; overflow-wrap: anywhere; }
html body code { background: var(--code); color: inherit; }
mjx-container { overflow-x: auto; max-width: 100%; }
div.highlight pre { background: #f4f4f6; padding: .6rem; font-size: .85rem; }
@media (max-width: 600px) { pre { white-space: pre-wrap; overflow-wrap: anywhere; } }
div.phone-title { display: none; }
figure { margin: 1.5rem 0; } figcaption { font-size: .9rem; color: var(--quiet); }
@media (max-width: 600px) { /* a drawing keeps its letters and moves sideways below its caption */
  figure { overflow-x: auto; padding-top: 0 !important; }
  figure img[src^="data:image/svg"] { max-width: none; }
  figcaption { position: sticky; left: 0; }
  /* its message stands above it as text, in place of the drawing's own */
  div.phone-title { display: block; font-weight: 600; margin: 1.5rem 0 -1rem; }
  figure img[src^="data:image/svg"] { display: block; margin-top: calc(-1px * var(--cut, 0)); }
}
html body div.admonition { border: 0; border-left: 4px solid var(--edge); }
html body div.admonition { background: var(--note); color: inherit; }
html body details, html body details summary { background: none; color: inherit; }
html body details { border-color: var(--line); }
div.admonition { padding: .3rem 1rem; margin: 1rem 0; }
.admonition-title { font-weight: 600; }
div.chapter-line, div.foot-line { font-size: .9rem; color: var(--quiet); }
div.foot-line { border-top: 1px solid var(--line); margin-top: 2rem; }
a.headerlink, div.related, div.footer, div.sphinxsidebar { display: none; }
"""
_CONFIG = """
project = {title!r}
root_doc = {root!r}
extensions = ["myst_nb", "sphinx_design", "sphinx_togglebutton", "sphinxcontrib.bibtex"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "myst"
myst_enable_extensions = ["amsmath", "colon_fence", "deflist", "dollarmath", "substitution"]
html_theme = "basic"
html_copy_source = False
html_show_sourcelink = False
numfig = True
mathjax_path = "mathjax-tex-svg.js"
html_static_path = ["static"]
html_css_files = ["page.css"]
bibtex_bibfiles = {bibliography!r}
bibtex_reference_style = "author_year"
"""
# A figure after its message as text, which tells how much of the drawing says the same.
_CUT = re.compile(
    r'(<div class="phone-title cut-(\d+) [^>]*>(?:(?!<img|phone-title).)*)<img', re.DOTALL
)
_TITLE = re.compile(r"^# .*$", re.MULTILINE)
_REFERENCES = "## References\n\n```{bibliography}\n:filter: docname in docnames\n```"


def render_together(
    executed: Sequence[Path], title: str, study: AnyStudy | None = None
) -> list[Path]:
    """Render executed notebooks as pages beside them that lead to one another, and return these.

    Parameters
    ----------
    executed : sequence of Path
        The chapter first.
    title : str
        Of all of them.
    study : Study, optional
        Whose they are: a line below each title then tells minutes and paper, and a line at the foot
        when and by what it was executed, and how to cite it.

    Raises
    ------
    RuntimeError
        If Sphinx cannot build the page.
    """
    import nbformat
    from sphinx.application import Sphinx

    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder) / "source", Path(folder) / "html"
        (source / "static").mkdir(parents=True)
        bibliography = [str(path) for path in [paths.bibliography()] if path.is_file()]
        names = [path.stem for path in executed]
        for path in executed:
            content = notebooks.read(path)
            notebooks.lift_titles(content)
            closing = [] if study is None else [_head_and_foot(content, study)]
            if bibliography and any("{cite" in cell.source for cell in content.cells):
                # Without a list of references a citation is shown as nothing.
                content.cells.append(nbformat.v4.new_markdown_cell(_REFERENCES))
            if path == executed[0] and names[1:]:
                others = "\n".join(names[1:])
                tree = f"## Appendix\n\n```{{toctree}}\n:maxdepth: 1\n\n{others}\n```"
                content.cells.append(nbformat.v4.new_markdown_cell(tree))
            content.cells += [nbformat.v4.new_markdown_cell(text) for text in closing]
            write_atomic(source / path.name, nbformat.writes(content).encode())
        shutil.copy(mathematics.single(), source / "static" / "mathjax-tex-svg.js")
        write_atomic(source / "static" / "page.css", _STYLE.encode())
        settings = _CONFIG.format(title=title, root=names[0], bibliography=bibliography)
        write_atomic(source / "conf.py", settings.encode())
        try:
            app = Sphinx(
                source,
                source,
                target,
                target / ".doctrees",
                "html",
                status=None,
                warning=io.StringIO(),
            )
            app.build()
        except Exception as error:  # Sphinx and its extensions raise what they like
            raise RuntimeError(f"page of {names[0]} could not be rendered: {error}") from None
        made = [path.with_suffix(".html") for path in executed]
        for page in made:
            text = _CUT.sub(r'\1<img style="--cut: \2"', inline(target / page.name))
            # What scrolls on a phone is reached by keyboard.
            write_atomic(page, text.replace("<figure ", '<figure tabindex="0" ').encode())
    return made


def _head_and_foot(content: Any, study: AnyStudy) -> str:
    """Put below a notebook's title what a chapter of the book has there; return its foot."""
    made = content.metadata.get("geolib", {})
    taken = {**made.get("provenance", {}), "seconds": made.get("seconds", 0.0)}
    named = re.search(r"^# (.*)$", content.cells[0].source, re.MULTILINE)
    line = about.told(study, reading.minutes(content))
    foot = records.foot(taken if "date" in taken else {}, []).strip()
    foot += f" Cite: {about.cite(named[1] if named else study.title)}"
    content.cells[0].source = _TITLE.sub(
        lambda found: f"{found[0]}\n\n:::{{div}} chapter-line\n{line}\n:::\n",
        content.cells[0].source,
        count=1,
    )
    return f":::{{div}} foot-line\n{foot}\n:::"


def inline(path: Path) -> str:
    """Return an HTML file's text with style sheets, scripts and images beside it put inside."""
    text, folder = path.read_text(encoding="utf-8"), path.parent

    def local(address: str) -> Path | None:
        found = folder / unquote(address.split("?")[0].split("#")[0])
        if "://" in address or address.startswith("data:") or not found.is_file():
            return None
        # The page is made to be shared: no file of this machine from elsewhere gets into it.
        return found if found.resolve().is_relative_to(folder.resolve()) else None

    def style(match: re.Match[str]) -> str:
        file = local(match[1])
        return f"<style>{file.read_text(encoding='utf-8')}</style>" if file else match[0]

    def script(match: re.Match[str]) -> str:
        file = local(match[1])
        # A closing tag inside a script's text would end it early.
        return (
            "<script>"
            + file.read_text(encoding="utf-8").replace("</script", "<\\/script")
            + "</script>"
            if file
            else ""
        )

    def image(match: re.Match[str]) -> str:
        file = local(match[2])
        if file is None:
            return match[0]
        kind = mimetypes.guess_type(file.name)[0] or "image/png"
        return f'{match[1]}"data:{kind};base64,{base64.b64encode(file.read_bytes()).decode()}"'

    text = re.sub(r'<link[^>]*rel="stylesheet"[^>]*?href="([^"]+)"[^>]*>', style, text)
    text = re.sub(r'<script[^>]*?src="([^"]+)"[^>]*></script>', script, text)
    return re.sub(
        r'(<(?:img|a class="reference internal image-reference")[^>]*?(?:src|href)=)"([^"]+)"',
        image,
        text,
    )
