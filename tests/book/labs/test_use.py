"""Every laboratory under rough hands: extreme sliders, small and large windows, rapid clicks; and what it tells."""

import re

import numpy as np
import pytest

from geolib.book import labs
from tests.conftest import ROOT

pytestmark = pytest.mark.browser

LABS = sorted(
    name
    for path in (ROOT / "book" / "_static" / "lab").glob("*.js")
    for name in re.findall(r'geolab\.lab\("([\w-]+)"', path.read_text())
    if name != "NAME-part"
)
# Words that a number gone wrong leaves on a screen.
WRONG = re.compile(r"\bNaN\b|\bInfinity\b|\bundefined\b|\[object")
# What is drawn as text on a canvas is kept, and where.
LISTEN = """
window.drawn = [];
const write = CanvasRenderingContext2D.prototype.fillText;
CanvasRenderingContext2D.prototype.fillText = function (text, x, y) {
  drawn.push([String(text), x, y]);
  return write.call(this, text, x, y);
};
"""


def settle(page):
    page.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def read(page):
    words = page.locator(".geolab").inner_text()
    drawn = page.evaluate("() => drawn.splice(0)")
    assert not WRONG.search(words), WRONG.search(words)
    for text, x, y in drawn:
        assert not WRONG.search(text), text
        assert x is not None and y is not None, text  # JSON has no NaN
    return len(drawn)


def test_there_are_laboratories():
    assert {"gan_101-game", "rnn_fwi-tank", "rnn_fwi-train"} <= set(LABS)


@pytest.mark.parametrize("name", LABS)
def test_every_control_has_a_label(open_lab, name):
    page = open_lab(name, script=LISTEN)
    unlabelled = page.evaluate(
        "() => [...document.querySelectorAll('.geolab input, .geolab select')].filter(e => !e.labels.length).length"
    )
    assert unlabelled == 0
    assert page.locator(".geolab canvas:not([aria-label])").count() == 0
    assert page.get_by_text("Run this with geolib").count() == 1
    assert page.get_by_text("Check against the package").count() == 1
    settle(page)
    assert read(page) > 10


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("name", LABS)
def test_rough_hands_break_nothing(open_lab, name, seed):
    """A random walk over all controls: ends of sliders, every choice, double clicks, presses all over the panels."""
    page, rng = open_lab(name, script=LISTEN, viewport={"width": 700, "height": 700}), np.random.default_rng(seed)
    drawn = 0
    for _ in range(20):
        what = rng.choice(["slider", "select", "button", "panel", "window", "box"])
        if what == "slider":
            sliders = page.locator(".geolab input[type=range]:visible")
            if sliders.count():
                sliders.nth(int(rng.integers(sliders.count()))).press(str(rng.choice(["Home", "End", "PageUp"])))
        elif what == "select":
            boxes = page.locator(".geolab select:visible, .geolab input[type=checkbox]:visible")
            if boxes.count():
                box = boxes.nth(int(rng.integers(boxes.count())))
                box.press(str(rng.choice(["ArrowDown", "ArrowUp", " "])))
                page.keyboard.press("Escape")
        elif what == "button":
            buttons = page.locator(".geolab button:visible:enabled")
            for _ in range(3):
                if buttons.count():
                    buttons.nth(int(rng.integers(buttons.count()))).dispatch_event("click")
        elif what == "panel":
            canvas = page.locator(".geolab canvas").nth(int(rng.integers(page.locator(".geolab canvas").count())))
            canvas.scroll_into_view_if_needed()
            box = canvas.bounding_box()
            at = rng.uniform(-20, 20, size=(3, 2)) + rng.uniform(size=(3, 2)) * [box["width"], box["height"]]
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            page.mouse.down()
            for x, y in at + np.array([box["x"], box["y"]]):
                page.mouse.move(x, y)
            page.mouse.up()
        elif what == "window":
            page.set_viewport_size({"width": int(rng.choice([240, 390, 1600])), "height": int(rng.choice([200, 900]))})
        else:
            summaries = page.locator(".geolab summary")
            summaries.nth(int(rng.integers(summaries.count()))).dispatch_event("click")
        settle(page)
        drawn += read(page)
    assert drawn > 100


@pytest.mark.parametrize("name", LABS)
def test_it_fits_a_phone_in_both_modes(open_lab, name):
    for theme in ("light", "dark"):
        page = open_lab(name, theme=theme, viewport={"width": 390, "height": 844}, device_scale_factor=2)
        assert page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth") <= 0
        sharp = page.evaluate("() => [...document.querySelectorAll('canvas')].map(c => c.width / c.clientWidth)")
        assert sharp and all(abs(ratio - 2) < 0.05 for ratio in sharp)
        small = page.evaluate(
            "() => [...document.querySelectorAll('.geolab button, .geolab select')]"
            ".filter(e => e.offsetParent && e.getBoundingClientRect().height < 30).map(e => e.textContent)"
        )
        assert not small


@pytest.mark.parametrize("name", LABS)
def test_the_page_agrees_with_the_package(open_lab, name):
    page = open_lab(name)
    page.get_by_text("Check against the package").click()
    page.locator(".gl-check tbody tr").first.wait_for(timeout=120_000)
    rows = page.locator(".gl-check tbody tr").all_inner_texts()
    assert rows and all(row.endswith("✓ agrees") for row in rows), rows


@pytest.mark.parametrize("name", LABS)
def test_a_laboratory_is_light_before_its_first_use(site, open_lab, name):
    page = open_lab(name)
    loaded = page.evaluate("() => [...document.scripts].map(s => s.src).filter(Boolean)")
    folder = site / "_static" / "lab"
    assert sum((folder / path.split("_static/lab/")[1]).stat().st_size for path in loaded) < 1_500_000


def test_without_scripts_a_laboratory_shows_its_figure(tmp_path):
    site = tmp_path / "html"
    page = site / "papers" / "a.html"
    labs.draw_stills(site / "_static" / "lab" / "data")
    text = f'<html><head></head><body><div class="geolab" data-lab="{LABS[0]}"><p>words</p></div></body></html>'
    made = labs.attach(text, page, site)
    assert labs.attach(made, page, site) == made  # a page that is kept by a later build
    for name in LABS:
        found = labs.attach(text.replace(LABS[0], name), page, site)
        source, told = re.search(r'<img src="([^"]+)" alt="([^"]+)">', found).groups()
        drawing = (page.parent / source).resolve()
        assert drawing.read_text().startswith("<svg") and 5_000 < drawing.stat().st_size < 300_000
        assert len(told) > 40
