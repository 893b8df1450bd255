"""A book that shows nan, inf or None in place of a number is not built."""

import pytest

from geolib.book import build as builder
from geolib.book import holes


@pytest.mark.parametrize(
    "shown",
    [
        "<p>They follow to nan ns only.</p>",
        "<p>They follow to <span class='pasted-inline'>nan</span> ns only.</p>",
        "<td>-inf</td>",
        "<p><span class='caption-text'>The error is None m/s.</span></p>",
        "<img src='a.png' alt='a curve that ends at nan'>",
        "<div class='cell_output'><div class='output stream highlight-myst-ansi'><pre>misfit inf</pre></div></div>",
        "<div class='cell_input'><pre>x = 1</pre></div><p>NaN</p>",
    ],
)
def test_a_hole_is_found(shown):
    assert len(holes.holes(f"<html><body><p>Before.</p>{shown}</body></html>")) == 1


@pytest.mark.parametrize(
    "shown",
    [
        "<p>None of them is zero: finance, nanometres, information.</p>",
        "<p>the box <code>None</code></p>",
        "<div class='cell_input'><div class='highlight-ipython3'><pre>x = None or np.nan</pre></div></div>",
        "<div class='highlight-python notranslate'><pre>float('inf')</pre></div>",
        r"<div class='math'>\[ \inf_x f(x) \]</div>",
        "<script>x = NaN</script>",
        "<br><hr><img src='a.png'><p>closed</p>",
    ],
)
def test_what_is_code_or_english_is_no_hole(shown):
    assert holes.holes(f"<html><body>{shown}</body></html>") == []


def test_a_build_with_a_hole_fails_and_is_tried_again(tmp_path, monkeypatch):
    html = tmp_path / "_build" / "html"
    (html / "papers").mkdir(parents=True)
    (html / "index.html").write_text("<p>Numbers: 3.</p>")
    (html / "api.html").write_text("<p>Path or None</p>")
    page = html / "papers" / "rnn_fwi.html"
    page.write_text("<p>The error is nan m/s.</p>")
    (html / "_static").mkdir()
    monkeypatch.setattr(builder.paths, "checkout", lambda: tmp_path)
    monkeypatch.setattr(builder.studies, "NAMES", ())
    monkeypatch.setattr(builder.mathematics, "copy_parts", lambda _: None)
    monkeypatch.setattr(builder.labs, "write", lambda *_: {})
    for name in ("_generate", "_jupyter_book", "_trim_icons", "_show_sizes"):
        monkeypatch.setattr(builder, name, lambda *_: None)
    for _ in range(2):
        with pytest.raises(RuntimeError, match=r"rnn_fwi.html 'The error is nan m/s.' \(1 in all\)"):
            builder.build(say=lambda _: None)
    page.write_text("<p>The error is 3 m/s.</p>")
    assert builder.build(say=lambda _: None) == html / "index.html"
