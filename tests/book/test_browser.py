"""The built book in a real browser, from file://, without a network."""

import os
import re
from pathlib import Path
from urllib.parse import unquote, urlsplit
from xml.etree import ElementTree

import nbformat
import pytest

from geolib import studies
from geolib.book import standalone
from tests.book.visits import VIEWS, change_to, names, violations_by_theme

pytestmark = [pytest.mark.browser, pytest.mark.book]

# For eyes, and only where they are asked for: a folder for pictures and prints of every page. Nothing tests them.
SHOTS = os.environ.get("GEOLIB_SCREENSHOTS")
# What is wider than its box: cut where the box hides it, else to be scrolled for. Code and figures have frames.
LOUD = ("error", "warning", "assert")
WIDER = """() => [...document.querySelectorAll('.bd-article, .bd-article *')].filter(e => {
  if (!e.offsetParent || e.matches('.figure-frame')) return false;
  if (e.closest('mjx-assistive-mml, .visually-hidden, .geolab, pre, span.math')) return false;
  if (e.closest('.math')) {  // the text for readers' devices beside a formula is wider than what is seen
    const drawn = e.matches('mjx-container') && e.querySelector('mjx-math');
    return drawn && drawn.getBoundingClientRect().right > e.getBoundingClientRect().right + 1;
  }
  return e.scrollWidth > e.clientWidth + 1 && e.clientWidth > 0 && getComputedStyle(e).overflowX !== 'visible';
}).map(e => [getComputedStyle(e).overflowX, e.tagName, e.className, e.textContent.trim().slice(0, 50)])"""


def too_wide(page, whole: bool) -> list:
    """What makes a page scroll sideways, what is cut, and (where the `whole` must fit) what is to be scrolled for."""
    wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
    found = [each for each in page.evaluate(WIDER) if whole or each[0] in ("hidden", "clip")]
    return [f"scrolls {wide} px sideways", *found] if wide > 0 else found


def code_that_runs_over(page) -> list:
    """Nobody guesses that a line of code goes on beyond the edge of its frame, on a phone of 390 px."""
    frames = page.locator(".bd-article pre").evaluate_all(
        "found => found.filter(e => e.offsetParent)"
        ".map(e => [e.scrollWidth - e.clientWidth, e.getBoundingClientRect().right, e.textContent.slice(0, 60)])"
    )
    return [frame for frame in frames if frame[0] > 1 or frame[1] > 390]


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
    shown += page.evaluate(
        "() => [...document.querySelectorAll('.bd-article pre, .bd-article img')]"
        ".filter(e => e.offsetParent && (e.scrollWidth > e.clientWidth + 1"
        " || e.getBoundingClientRect().right > innerWidth)).map(e => e.textContent.slice(0, 60) || e.src)"
    )
    page.emulate_media(media="null")
    return shown


def printed_pages(page) -> int:
    printed = page.pdf(format="A4", margin=dict.fromkeys(("top", "bottom", "left", "right"), "18mm"))
    return len(re.findall(rb"/Type\s*/Page\b", printed))


def badly_coloured(page) -> list:
    """In the dark pictures keep white paper, and drawings take the dark scheme's colours, unfiltered."""
    images = page.locator(".bd-article img")
    found = images.evaluate_all(
        "found => found.map(i => [i.src, getComputedStyle(i).backgroundColor,"
        " getComputedStyle(i).colorScheme + ' ' + getComputedStyle(i).filter])"
    )
    assert found
    drawn = [each for each in found if each[0].endswith(".svg")]
    pictures = len(found) - len(drawn)
    wrong = [each for each in drawn if each[2] != "dark none"]
    white = [each for each in found if each[1] == "rgb(255, 255, 255)"]
    return wrong if len(white) == pictures else [*wrong, f"{len(white)} on white of {pictures} pictures"]


def bytes_of(asked: set[str], book: Path) -> int:
    """What a page loads."""
    files = {Path(unquote(urlsplit(url).path)) for url in asked if url.startswith("file:")}
    return sum(file.stat().st_size for file in files)


# Letters of a font of icons, which no page loads: they would be seen as boxes.
GLYPHS = """() => [...document.querySelectorAll('*')].flatMap(e => ['::before', '::after'].filter(
  part => /[\\ue000-\\uf8ff]/.test(getComputedStyle(e, part).content)).map(part => e.className + part))"""


def draw_equations(page, name: str) -> None:
    """Wait until an open page's equations are drawn; none is missing."""
    if page.locator(".bd-article .math").count():
        page.wait_for_function("() => window.MathJax?.startup?.promise && document.querySelector('mjx-container')")
        page.evaluate("() => MathJax.startup.promise")
        assert page.locator(".bd-article .math:not(:has(mjx-container))").count() == 0, name
        assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, name


def settle(page, name: str) -> None:
    """Wait until an open page is all there, also what waits until one scrolls; nothing is missing."""
    draw_equations(page, name)
    page.evaluate("() => { for (const image of document.images) image.loading = 'eager'; }")
    page.wait_for_function("() => [...document.images].every(i => i.complete)", timeout=120_000)
    missing = page.evaluate("() => [...document.images].filter(i => !i.naturalWidth).map(i => i.src)")
    assert not missing, f"{name}: {missing}"
    assert page.evaluate("() => [...document.images].filter(i => !i.alt).map(i => i.src)") == [], name


def visited(book: Path, view: str, part: str) -> list[Path]:
    """Return the pages that a visit opens: the papers' or the others; in the dark those of each kind."""
    shown = names(book)
    assert set(studies.pages()) | {"intro", "gallery"} <= {path.stem for path in shown}
    if view == "dark":
        return [path for path in shown if path.stem in ("intro", "gallery", "gan_101")]
    return [path for path in shown if part in ("all", "papers" if path.parent.name == "papers" else "others")]


# The longest first, and by two workers.
VISITS = [
    pytest.param("desktop", "papers", marks=pytest.mark.xdist_group("book")),
    pytest.param("desktop", "others", marks=pytest.mark.xdist_group("visit others")),
    pytest.param("phone", "all", marks=pytest.mark.xdist_group("visit phone")),
    pytest.param("dark", "some", marks=pytest.mark.xdist_group("book")),
]


@pytest.mark.parametrize(("view", "part"), VISITS)
def test_every_page_shows_cleanly(book, browser, axe, view, part):
    """One visit a view, in both themes: nothing fails or is cut, code wraps on a phone, a page is light, prints
    whole and is accessible."""
    context = browser.new_context(**VIEWS[view], offline=True)
    if view != "desktop":  # there as on a first visit, when nothing is stored
        context.add_init_script(f"localStorage.setItem('mode', '{'dark' if view == 'dark' else 'light'}')")
    frames, drawings, inaccessible = 0, 0, []
    for path in visited(book, view, part):
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
            draw_equations(page, path.name)
            assert bytes_of(asked, book) <= 3_000_000, path.name
        settle(page, path.name)
        if view == "dark":
            wrong = badly_coloured(page)
            assert not wrong, f"{path.name}: {wrong[:3]}"
        # To load a page is most of a visit: a tablet's width is seen on the desktop's page, its window made smaller.
        for seen in ("desktop", "tablet") if view == "desktop" else (view,):
            page.set_viewport_size(VIEWS[seen]["viewport"])
            assert seen != "tablet" or page.evaluate(GLYPHS) == [], path.name
            for theme in ("light", "dark") if view == "dark" else ("dark", "light"):  # the other one first
                change_to(page, theme)
                wrong = too_wide(page, whole=path.stem != "api")  # names of a package are as long as they are
                wrong += code_that_runs_over(page) if view == "phone" else []
                assert not wrong, f"{path.name} on {seen}, {theme}: {wrong[:5]}"
                if SHOTS and view != "dark" and (theme == "light" or seen == "desktop"):
                    name = f"{path.stem}-{seen if theme == 'light' else theme}.png"
                    page.screenshot(path=Path(SHOTS, name), full_page=True, timeout=120_000)
        if view == "phone":
            frames += page.locator(".bd-article pre:visible").count()
            small = small_letters(page)
            assert not small, f"{path.name}: {small[:3]}"
            drawings += page.locator(".figure-frame:visible img").count()
        if view == "desktop":
            cut = cut_in_print(page)
            assert not cut, f"{path.name} in print: {cut}"
            assert path.stem not in studies.NAMES or printed_pages(page) <= 15, path.name
            if SHOTS:
                page.pdf(path=Path(SHOTS, f"{path.stem}.pdf"), format="A4")
        assert not problems, f"{path.name}: {problems}"
        if view == "desktop" and axe[0]:  # last, for it alters the page
            inaccessible += [(path.name, *found) for found in violations_by_theme(page, axe[0]).items()]
        page.close()
    context.close()
    assert view != "phone" or (frames > 20 and drawings > 60)
    assert not inaccessible, "\n".join(map(str, inaccessible))
    if view == "desktop" and not axe[0]:
        pytest.skip(f"all is well but for accessibility, which nobody has asked about: {axe[1]}")


def test_the_search_page_is_accessible(book, browser, axe):
    if not axe[0]:
        pytest.skip(axe[1])
    page = browser.new_page(viewport=VIEWS["desktop"]["viewport"], offline=True)
    page.goto((book / "search.html").as_uri())
    assert violations_by_theme(page, axe[0]) == {}
    page.close()


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


def test_every_picture_of_the_gallery_is_there_once_one_has_scrolled(book, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto((book / "gallery.html").as_uri())
    page.wait_for_load_state("load")
    pictures = page.locator(".gallery-part img")
    waiting = page.locator(".gallery-part img[data-src]")
    assert page.locator("script[src*=mathjax]").count() == 0  # a megabyte for a letter in a caption
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
    ends = []
    for wanted in (".hero .lead", ".hero-picture img", ".surprises", ".hero-end a.sd-btn", ".hero-end .card-row"):
        box = page.locator(wanted).first.bounding_box()
        assert box and box["y"] + box["height"] <= 900, wanted
        ends.append(box["y"] + box["height"])
    assert ends == sorted(ends)  # sentence, picture, surprises, buttons, scorecard
    ways = page.locator(".hero-end a.sd-btn")
    assert ways.count() == 3
    for n in range(3):
        box = ways.nth(n).bounding_box()
        assert box and box["y"] + box["height"] <= 900
    assert page.locator(".surprises .sd-card").count() == 4
    page.close()


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


@pytest.mark.parametrize("width", [1280, 390])
def test_the_link_to_a_claim_or_a_verdict_leads_below_the_filter(book, browser, width):
    page = browser.new_page(viewport={"width": width, "height": 844})
    page.goto((book / "reproduces.html").as_uri())
    rows = [f"claim-{each}" for each in page.locator("[id^=claim-]").evaluate_all("all => all.map(e => e.id.slice(6))")]
    parts = page.locator("[id^=claims-][id$=mixed]").evaluate_all("all => all.map(e => e.id)")
    for place, target in enumerate([rows[0], rows[len(rows) // 2], parts[-1], rows[-5]]):
        if place != 1:  # by an address of its own, and from within the page
            page.goto("about:blank")
            page.goto((book / "reproduces.html").as_uri() + f"#{target}")
        else:
            page.evaluate(f"location.hash = '{target}'")
        page.wait_for_timeout(300)
        top = page.locator(f"[id='{target}']").evaluate("e => e.getBoundingClientRect().top")
        bottom = page.locator("#ledger-filter").evaluate("e => e.getBoundingClientRect().bottom")
        assert bottom <= top < bottom + 80, (target, top, bottom)
    page.close()


def test_on_a_phone_the_page_of_verdicts_begins_with_its_filter_and_closed_parts(book, browser):
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto((book / "reproduces.html").as_uri())
    assert page.locator("#ledger-filter").evaluate("e => e.getBoundingClientRect().bottom") < 500
    assert page.evaluate("document.documentElement.scrollHeight") < 12_000
    assert page.locator("tr:has([id^=claim-]):visible").count() == 0
    page.locator(".ledger-part summary").first.click()
    assert page.locator("tr:has([id^=claim-]):visible").count() > 0
    page.fill("#ledger-filter input", "correlation of their epoch means")
    assert page.locator("tr:has([id^=claim-]):visible").count() == 1 and not page.locator(".ledger-front").is_visible()
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
