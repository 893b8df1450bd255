"""The built book in a real browser, from file://, without a network."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import nbformat
import pytest
from test_reading import waiting

from geolib import studies
from geolib.book import standalone
from geolib.runs import paths

pytestmark = [pytest.mark.browser, pytest.mark.book, pytest.mark.xdist_group("book")]

# For eyes, and only where they are asked for: a folder for pictures and prints of every page. Nothing tests them.
SHOTS = os.environ.get("GEOLIB_SCREENSHOTS")
VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "tablet": {"viewport": {"width": 768, "height": 1024}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "device_scale_factor": 2},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}
# What is wider than its box: cut where the box hides it, else to be scrolled for. Code and figures have frames.
#: Every page but that of the package, whose names are as long as they are.
PAGES = sorted(path.stem for path in (paths.checkout() / "book").glob("*.md") if path.stem != "api")
LOUD = ("error", "warning", "assert")
WIDER = """() => [...document.querySelectorAll('.bd-article, .bd-article *')].filter(e => {
  if (!e.offsetParent || e.matches('.figure-frame')) return false;
  if (e.closest('mjx-assistive-mml, .visually-hidden, .geolab, pre, span.math')) return false;
  if (e.closest('.math')) {  // the text for readers' devices beside a formula is wider than what is seen
    const drawn = e.matches('mjx-container') && e.querySelector('svg');
    return drawn && drawn.getBoundingClientRect().right > e.getBoundingClientRect().right + 1;
  }
  return e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).overflowX !== 'visible';
}).map(e => [getComputedStyle(e).overflowX, e.tagName, e.className, e.textContent.trim().slice(0, 50)])"""


def change_to(page, theme: str) -> None:
    """Change an open page's colours at once, as its button does in steps."""
    page.add_style_tag(content="* { transition: none !important }")
    page.evaluate("theme => Object.assign(document.documentElement.dataset, {mode: theme, theme})", theme)
    page.emulate_media(color_scheme=theme)


def names(book):
    pages = sorted(book.glob("*.html")) + sorted(book.glob("papers/*.html"))
    return [
        path for path in pages if path.stem not in ("genindex", "search", "index")
    ]  # index only leads to the landing page


def code_that_runs_over(page) -> list:
    """Nobody guesses that a line of code goes on beyond the edge of its frame, on a phone of 390 px."""
    wider = []
    for theme in ("dark", "light"):
        change_to(page, theme)
        frames = page.locator(".bd-article pre").evaluate_all(
            "found => found.filter(e => e.offsetParent)"
            ".map(e => [e.scrollWidth - e.clientWidth, e.getBoundingClientRect().right, e.textContent.slice(0, 60)])"
        )
        wider += [(theme, frame) for frame in frames if frame[0] > 1 or frame[1] > 390]
    return wider


def letters(drawing: Path) -> float:
    """Return the size of a drawing's smallest letters, raised ones too, over the drawing's width."""
    sizes = []

    def walk(part, scale):
        for each in part:
            own = re.search(r"scale\(([\d.]+)", each.get("transform", ""))
            here = scale * float(own[1]) if own else scale
            if each.get("{http://www.w3.org/1999/xlink}href", "").startswith("#DejaVu"):
                sizes.append(100 * here)  # a glyph is drawn on a square of 100
            walk(each, here)

    root = ElementTree.parse(drawing).getroot()
    walk(root, 1.0)
    return min(sizes) / float(root.get("viewBox").split()[2])


def small_letters(page) -> list:
    """On a phone a figure's letters have 8 px at least, and what does not fit is reached by keyboard, under a name."""
    frames = page.locator(".figure-frame:visible").evaluate_all(
        "found => found.map(e => { const i = e.querySelector('img'), box = e.getBoundingClientRect();"
        " return {src: i.src, width: i.getBoundingClientRect().width, wider: e.scrollWidth - e.clientWidth,"
        " right: box.right, tab: e.tabIndex, role: e.role, name: e.getAttribute('aria-label') || ''}; })"
    )
    wrong = [frame for frame in frames if frame["right"] > 390]
    wrong += [
        frame
        for frame in frames
        if frame["wider"] > 1 and (frame["tab"] or frame["role"] != "region" or "sideways" not in frame["name"])
    ]
    for frame in frames:
        file = Path(unquote(urlsplit(frame["src"]).path))
        if file.suffix == ".svg" and frame["width"] * letters(file) < 8:
            wrong.append((file.name, frame["width"] * letters(file)))
    return wrong


def cut_in_print(page) -> list:
    """On paper there is no sidebar to click and no box to scroll: text and code wrap, a picture fits the page."""
    page.set_viewport_size({"width": 720, "height": 1000})
    page.emulate_media(media="print")
    hidden = ".bd-sidebar-primary, .bd-header, .prev-next-footer, details.hide, details.sd-dropdown, .geolab"
    shown = page.locator(hidden).evaluate_all("found => found.filter(e => e.offsetParent).map(e => e.className)")
    return shown + page.evaluate(
        "() => [...document.querySelectorAll('.bd-article pre, .bd-article img')]"
        ".filter(e => e.offsetParent && (e.scrollWidth > e.clientWidth + 1"
        " || e.getBoundingClientRect().right > innerWidth)).map(e => e.textContent.slice(0, 60) || e.src)"
    )


def bytes_of(asked: set[str], book: Path) -> int:
    """What a page loads, without the mathematics that all pages share."""
    mathematics = book / "_static" / "mathjax-tex-svg.js"
    files = {Path(unquote(urlsplit(url).path)) for url in asked if url.startswith("file:")} - {mathematics}
    return sum(file.stat().st_size for file in files)


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_shows_cleanly(book, browser, view):
    """One visit a view: nothing fails or is cut, code wraps on a phone, a page is light and prints whole."""
    context = browser.new_context(**VIEWS[view], offline=True)
    if view != "desktop":  # there as on a first visit, when nothing is stored
        context.add_init_script(f"localStorage.setItem('mode', '{'dark' if view == 'dark' else 'light'}')")
    shown, frames, drawings = names(book), 0, 0
    assert len(shown) > 10
    for path in shown:
        problems, asked = [], set()
        page = context.new_page()
        page.on("console", lambda message, p=problems: p.append(message.text) if message.type in LOUD else None)
        page.on("pageerror", lambda error, p=problems: p.append(str(error)))
        page.on("requestfailed", lambda request, p=problems: p.append(f"not loaded: {request.url}"))
        page.on("request", lambda request, asked=asked: asked.add(request.url))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        if view == "desktop":  # before one scrolls
            assert path.as_uri() in asked
            assert bytes_of(asked, book) <= 3_000_000, path.name
        mathematics = page.locator(".bd-article .math").count()
        if mathematics:
            page.wait_for_function("() => window.MathJax?.startup?.promise && document.querySelector('mjx-container')")
            page.evaluate("() => MathJax.startup.promise")
            assert page.locator(".bd-article .math:not(:has(mjx-container))").count() == 0, path.name
            assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, path.name
        # What waits until one scrolls there is asked for now.
        page.evaluate("() => { for (const image of document.images) image.loading = 'eager'; }")
        page.wait_for_function("() => [...document.images].every(i => i.complete)", timeout=120_000)
        missing = page.evaluate("() => [...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
        assert not missing, f"{path.name}: {missing}"
        assert page.evaluate("() => [...document.images].filter(i => !i.alt).map(i => i.src)") == [], path.name
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path.name} scrolls {wide} px sideways on {view}"
        cut = [found for found in page.evaluate(WIDER) if found[0] in ("hidden", "clip")]
        assert not cut, f"{path.name} on {view}: {cut[:5]}"
        if SHOTS:
            page.screenshot(path=Path(SHOTS, f"{path.stem}-{view}.png"), full_page=True, timeout=120_000)
        if view == "phone":
            over = code_that_runs_over(page)
            assert not over, f"{path.name}: {over[:3]}"
            frames += page.locator(".bd-article pre:visible").count()
            small = small_letters(page)
            assert not small, f"{path.name}: {small[:3]}"
            drawings += page.locator(".figure-frame:visible img").count()
        if view == "desktop":
            cut = cut_in_print(page)
            assert not cut, f"{path.name} in print: {cut}"
            if SHOTS:
                page.pdf(path=Path(SHOTS, f"{path.stem}.pdf"), format="A4")
        assert not problems, f"{path.name}: {problems}"
        page.close()
    context.close()
    assert view != "phone" or (frames > 20 and drawings > 60)


def test_a_row_of_a_wide_table_is_a_card_on_a_phone(book, browser):
    context = browser.new_context(**VIEWS["phone"], offline=True)
    page = context.new_page()
    page.goto((book / "reproduces.html").as_uri())
    tables = page.locator(".bd-article table.stacks")
    assert tables.count() > 5
    boxes = tables.evaluate_all("found => found.map(e => [e.getBoundingClientRect().right, e.scrollWidth])")
    assert all(right <= 390 and width <= 390 for right, width in boxes)
    cell = page.locator("table.stacks td[data-label=Verdict], table.stacks td[data-label=Published]").first
    assert cell.evaluate("e => getComputedStyle(e, '::before').content").startswith('"')
    context.close()


@pytest.mark.parametrize("name", [*(f"papers/{name}" for name in studies.pages()), *PAGES])
def test_tables_and_equations_fit_their_column(book, browser, name):
    for width in (390, 768, 1280):
        page = browser.new_page(viewport={"width": width, "height": 900}, offline=True)
        page.goto((book / f"{name}.html").as_uri())
        page.wait_for_load_state("load")
        page.evaluate("() => window.MathJax?.startup?.promise")
        page.wait_for_timeout(100)
        for theme in ("light", "dark"):
            change_to(page, theme)
            wider = page.evaluate(WIDER)
            assert not wider, f"{width} px, {theme}: {wider[:5]}"
        page.close()


def test_a_page_that_a_reader_s_run_makes_fits_a_phone(browser, tmp_path):
    names, code = ",".join(["experiment"] * 9), "geolib.run(" + ", ".join(["parameter=value"] * 9) + ")"
    text = f"# A run\n\n> **Differs in:** experiments = {names}\n\n`{names}`\n\n```python\n{code}\n```"
    figure = {"figure": {"name": "fig-x", "caption": "What to see."}, "image": {"alt": "A line."}}
    drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="527pt" height="200pt" viewBox="0 0 527 200"/>'
    drawn = nbformat.v4.new_code_cell("figure", metadata={"mystnb": figure, "tags": ["remove-input"]})
    drawn.outputs = [nbformat.v4.new_output("display_data", {"image/svg+xml": drawing})]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell(text), drawn])
    nbformat.write(notebook, tmp_path / "run.ipynb")
    (made,) = standalone.render_together([tmp_path / "run.ipynb"], "A run")
    for theme in ("light", "dark"):
        page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=theme)
        page.goto(made.as_uri())
        assert page.evaluate("() => document.documentElement.scrollWidth") <= 390
        boxes = page.locator("pre").evaluate_all("found => found.map(e => e.scrollWidth - e.clientWidth)")
        assert boxes == [0]
        shown = page.locator("figure").evaluate("e => [e.tabIndex, e.scrollWidth, e.querySelector('img').width]")
        assert shown[0] == 0 and shown[1] >= shown[2] >= 700  # letters as large as they are drawn, within a frame
        page.close()


@pytest.mark.parametrize("name", waiting(strict=False))
def test_a_printed_chapter_has_fifteen_pages_at_most(book, browser, name):
    page = browser.new_page()
    page.goto((book / "papers" / f"{name}.html").as_uri())
    page.wait_for_load_state("load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    printed = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "18mm"))
    page.close()
    assert len(re.findall(rb"/Type\s*/Page\b", printed)) <= 15


def test_every_picture_of_the_gallery_is_there_once_one_has_scrolled(book, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((book / "gallery.html").as_uri())
    page.wait_for_load_state("load")
    pictures = page.locator(".gallery-part img")
    waiting = page.locator(".gallery-part img[data-src]")
    assert page.locator("script[src*=mathjax]").count() == 0  # two megabytes for a letter in a caption
    assert 0 < waiting.count() < pictures.count()
    for number in range(pictures.count()):
        pictures.nth(number).scroll_into_view_if_needed()
    page.wait_for_function("() => !document.querySelector('.gallery-part img[data-src]')")
    page.wait_for_function("() => [...document.querySelectorAll('.gallery-part img')].every(i => i.naturalWidth > 1)")
    page.close()


def test_a_figure_opens_at_full_size_by_mouse_and_keyboard(book, browser):
    page = browser.new_page()
    page.goto((book / "speed.html").as_uri())
    button, dialog = page.locator("button.enlarge").first, page.locator("dialog.enlarged")
    assert button.get_attribute("aria-label").startswith("Enlarge: ")
    button.focus()
    page.keyboard.press("Enter")
    assert dialog.is_visible() and dialog.locator("img").evaluate("e => e.naturalWidth") > 0
    page.keyboard.press("Escape")
    dialog.wait_for(state="hidden", timeout=5000)
    button.click()
    dialog.click()
    dialog.wait_for(state="hidden", timeout=5000)
    page.close()


def test_the_gallery_filters_by_word_and_chapter(book, browser):
    page = browser.new_page()
    page.goto((book / "gallery.html").as_uri())
    cards, told = page.locator(".gallery-part .sd-col:visible"), page.locator("#gallery-filter span")
    everything = cards.count()
    assert everything > 20 and told.inner_text() == ""
    page.fill("#gallery-filter input", "no caption has this")
    assert cards.count() == 0 and told.inner_text() == "0 figures"
    page.fill("#gallery-filter input", "")
    page.locator("#gallery-filter button").nth(1).click()
    assert 0 < cards.count() < everything and told.inner_text() == f"{cards.count()} figures"
    page.close()


def test_the_first_page_is_one_screen_with_three_ways_in(book, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((book / "intro.html").as_uri())
    for wanted in (".hero .lead", ".hero .card-row", ".hero-picture img", ".surprises"):
        box = page.locator(wanted).first.bounding_box()
        assert box and box["y"] + box["height"] <= 900, wanted
    ways = page.locator(".hero a.sd-btn")
    assert ways.count() == 3
    for n in range(3):
        box = ways.nth(n).bounding_box()
        assert box and box["y"] + box["height"] <= 900
    assert page.locator(".surprises .sd-card").count() == 4
    page.close()


def test_figures_stay_legible_in_the_dark(book, browser):
    context = browser.new_context(**VIEWS["dark"], offline=True)
    context.add_init_script("localStorage.setItem('mode', 'dark')")
    for name in ("intro", "gallery", "papers/gan_101"):
        page = context.new_page()
        page.goto((book / f"{name}.html").as_uri())
        colours = page.evaluate(
            "() => [...document.querySelectorAll('.bd-article img')].map(i => getComputedStyle(i).backgroundColor)"
        )
        assert colours, name
        pictures = page.locator(".bd-article img:not([src$='.svg'])").count()
        assert colours.count("rgb(255, 255, 255)") == pictures, name
        schemes = page.locator(".bd-article img[src$='.svg']").evaluate_all(
            "found => found.map(e => getComputedStyle(e).colorScheme + ' ' + getComputedStyle(e).filter)"
        )
        assert set(schemes) <= {"dark none"}, name
        page.close()
    context.close()


def test_search_finds_a_method(book, browser):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((book / "search.html").as_uri() + "?q=Gauss-Newton")
    page.wait_for_selector("ul.search li a", timeout=20000)
    found = page.locator("ul.search li a").all_inner_texts()
    # A page that happens to hold both words would not do: the chapter on it must be among the first.
    assert any("latent space" in title for title in found[:5]), found
    context.close()


def test_the_ledger_filters_as_one_types(book, browser):
    page = browser.new_page()
    page.goto((book / "reproduces.html").as_uri())
    told, rows = page.locator("#ledger-filter > span"), page.locator("tr:has([id^=claim-])")
    everything = rows.count()
    assert everything > 200 and told.inner_text() == ""
    page.fill("#ledger-filter input", "correlation of their epoch means")
    assert told.inner_text() == "1 row" and page.locator("tr:has([id^=claim-]):visible").count() == 1
    page.fill("#ledger-filter input", "")
    page.get_by_label("verdict").select_option("mixed")
    mixed = page.locator("tr:has([id^=claim-]):visible").count()
    assert 0 < mixed < everything and told.inner_text() == f"{mixed} rows"
    page.get_by_label("paper").select_option(index=1)
    assert page.locator("tr:has([id^=claim-]):visible").count() < mixed
    page.close()


def test_the_link_to_a_claim_opens_how_it_is_judged(book, browser):
    page = browser.new_page()
    page.goto((book / "papers" / "rnn_fwi.html").as_uri())
    target = page.locator("a[href*='#claim-']").first.get_attribute("href").partition("#")[2]
    page.goto((book / "reproduces.html").as_uri() + f"#{target}")
    opened = page.locator("tr:has(details[open])")
    assert opened.count() == 1 and opened.locator(f"#{target}").count() == 1
    assert opened.locator("details").inner_text().count("Judged by") == 1
    page.close()
