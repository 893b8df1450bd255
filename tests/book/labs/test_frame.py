"""The frame that all laboratories share: data, controls, panels, the loop, the boxes."""

import re

import numpy as np
import pytest

from geolib.book import labs
from geolib.book.labs import _data
from geolib.plots import style
from tests.conftest import ROOT

pytestmark = pytest.mark.browser
RNG = np.random.default_rng(3)
ARRAYS = {
    "double": (RNG.normal(size=(2, 3)), "f8"),
    "single": (RNG.normal(size=5), "f4"),
    "half": (RNG.uniform(-1, 1, size=(4, 6)), "f2"),
    "small": (np.array([0.0, -0.0, 6e-8, 65504.0, -1e-5]), "f2"),
    "bytes": (np.array([-128, 0, 127]), "i1"),
    "words": (np.array([-30000, 30000]), "i2"),
}
WEIGHTS = RNG.normal(size=(3, 4, 2)) * np.array([1.0, 10.0, 0.1, 0.0])[:, None]


@pytest.fixture
def demo(site, open_lab):
    folder = site / "_static" / "lab"
    (folder / "demo.js").write_text((ROOT / "tests" / "book" / "labs" / "demo.js").read_text())
    entries = {name: _data.encode(*pair) for name, pair in ARRAYS.items()}
    entries["weights"] = _data.quantise(WEIGHTS, axis=1)
    (folder / "data" / "demo.js").write_bytes(labs.script("demo", {**entries, "list": [1, {"a": "text"}]}))
    return open_lab("demo-one")


def test_arrays_arrive_as_they_were_sent(demo):
    for name, (array, kind) in ARRAYS.items():
        sent = array.astype(_data.TYPES[kind])
        got = demo.evaluate(f"() => [Array.from(demo.data.{name}), demo.data.{name}.shape]")
        assert got[1] == list(array.shape)
        assert np.array_equal(np.reshape(got[0], array.shape), sent.astype(float)), name
    assert demo.evaluate("() => demo.data.list") == [1, {"a": "text"}]


def test_weights_in_eight_bits_are_off_by_half_a_scale(demo):
    got = np.reshape(demo.evaluate("() => Array.from(demo.data.weights)"), WEIGHTS.shape)
    step = np.abs(WEIGHTS).max(axis=(0, 2), keepdims=True) / 127
    assert (np.abs(got - WEIGHTS) <= 0.5001 * step).all()
    assert np.abs(got - WEIGHTS).max() > 0


def test_controls_are_labelled_and_answer_the_keyboard(demo):
    rate, steps = demo.get_by_label("Rate"), demo.get_by_label("Steps")
    rate.focus()
    demo.keyboard.press("End")
    assert demo.evaluate("() => demo.slider.value") == pytest.approx(100)
    demo.keyboard.press("Home")
    assert demo.evaluate("() => demo.slider.value") == pytest.approx(0.01)
    assert rate.get_attribute("aria-valuetext") == "0.0100"
    steps.focus()
    demo.keyboard.press("ArrowRight")
    assert demo.evaluate("() => demo.whole.value") == 4
    demo.get_by_label("Method").select_option("gd")
    demo.get_by_label("Noise").uncheck()
    assert demo.evaluate("() => [demo.select.value, demo.toggle.value]") == ["gd", False]
    outline = demo.get_by_label("Method").evaluate("e => (e.focus(), getComputedStyle(e).outlineWidth)")
    assert outline == "3px"
    assert demo.locator(".gl-marks span").inner_text() == "2/λ"


def test_code_and_check_show_the_state(demo):
    demo.evaluate("() => { demo.slider.set(2); demo.box.redraw(); }")
    demo.get_by_text("Run this with geolib").click()
    demo.wait_for_function("() => document.querySelector('.geolab pre').textContent === 'rate = 2'")
    demo.get_by_text("Check against the package").click()
    rows = demo.locator(".gl-check tbody tr")
    rows.first.wait_for()
    assert [row.inner_text().split("\t")[-1] for row in rows.all()] == [
        "1.00 × 10⁻⁶ ✓ agrees",
        "1.00 × 10⁻⁶ ✗ differs",
    ]


def test_the_loop_runs_to_its_end_and_draws(demo):
    demo.wait_for_function("() => demo.drawn > 0")
    before = demo.evaluate("() => demo.drawn")
    demo.get_by_role("button", name="Run").click()
    demo.wait_for_function("() => demo.steps === 1000 && !demo.loop.running")
    demo.wait_for_function(f"() => demo.drawn > {before}")


def test_a_press_on_a_panel_tells_where(demo):
    canvas = demo.locator("canvas").first
    box = canvas.bounding_box()
    demo.mouse.click(box["x"] + 10, box["y"] + 20)
    at = demo.evaluate("() => demo.at")
    assert (at["x"], at["y"]) == pytest.approx((10, 20), abs=1)


def test_a_thread_answers(demo):
    asked = """async () => {
      function square(x) { return x * x; }
      function main(message, post) { post("half"); return square(message); }
      const parts = [], thread = geolab.worker([square], main);
      const answer = await thread.ask(7, (part) => parts.push(part));
      thread.end();
      return [answer, parts];
    }"""
    assert demo.evaluate(asked) == [49, ["half"]]


def test_numbers_are_never_nan(demo):
    shown = demo.evaluate("() => [0, 1.23456, -2e-9, 123456, NaN, Infinity, undefined].map((x) => geolab.number(x))")
    assert shown == ["0", "1.23", "−2.00 × 10⁻⁹", "1.23 × 10⁵", "–", "–", "–"]
    assert demo.evaluate("() => geolab.difference([1, NaN], [1, 2])") != demo.evaluate("() => 0")


def luminance(rgb):
    red, green, blue = (((v / 255 + 0.055) / 1.055) ** 2.4 for v in rgb)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_the_books_and_can_be_read(demo, open_lab, theme):
    page = open_lab("demo-one", theme=theme)
    ink = page.evaluate("() => geolab.ink()")
    assert set(style.COLORS) - set(ink) == {"black"}
    ink = {k: [int(v) for v in re.findall(r"\d+", c)] for k, c in ink.items() if str(c).startswith("rgb")}
    paper = luminance(ink["paper"]) + 0.05
    for name in set(style.COLORS) & set(ink):
        other = luminance(ink[name]) + 0.05
        assert max(paper, other) / min(paper, other) >= 4.4, name


def test_a_page_loads_the_frame_only_if_it_shows_a_laboratory(tmp_path):
    tags = '<script src="../_static/lab/lab.js?v=1"></script><link href="../_static/lab/lab.css" rel="stylesheet">'
    page, site = tmp_path / "papers" / "x.html", tmp_path
    plain = labs.attach(f"<head>{tags}</head><p>", page, site)
    assert plain == "<head></head><p>"
    once = labs.attach(f'<head>{tags}</head><div class="geolab">', page, site)
    assert once.count('src="../_static/lab/lab.js"') == 1 and once.count("lab.css") == 1
    assert labs.attach(once, page, site) == once


def test_a_laboratory_whose_data_is_missing_says_so(demo, site, chrome):
    page = chrome.new_page()
    path = site / "lost.html"
    path.write_text(labs.attach('<html><head></head><div class="geolab" data-lab="lost-one">x</div>', path, site))
    page.goto(path.as_uri())
    page.wait_for_function("() => window.geolabReady")
    assert "lost.js is not there" in page.locator(".gl-failed").inner_text()
    page.close()


def test_reduced_motion_comes_to_the_same_end(demo, open_lab):
    page = open_lab("demo-one", reduced_motion="reduce")
    assert page.evaluate("() => geolab.still") and not demo.evaluate("() => geolab.still")
    page.get_by_role("button", name="Run").click()
    page.wait_for_function("() => demo.steps === 1000 && !demo.loop.running")
