"""The built book in a real browser, from file://, without a network."""

from pathlib import Path

import pytest
from conftest import chromium
from playwright.sync_api import sync_playwright

pytestmark = [pytest.mark.browser, pytest.mark.book, pytest.mark.xdist_group("book")]

SHOTS = Path(__file__).parents[2] / ".build" / "screenshots"
VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "device_scale_factor": 2},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}


@pytest.fixture(scope="module")
def browser():
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=options)
        yield started
        started.close()


def names(book):
    pages = sorted(book.glob("*.html")) + sorted(book.glob("papers/*.html"))
    return [
        path for path in pages if path.stem not in ("genindex", "search", "index")
    ]  # index only leads to the landing page


@pytest.mark.parametrize("view", VIEWS)
def test_every_page_shows_cleanly(book, browser, view):
    context = browser.new_context(**VIEWS[view], offline=True)
    context.add_init_script(f"localStorage.setItem('mode', '{'dark' if view == 'dark' else 'light'}')")
    SHOTS.mkdir(parents=True, exist_ok=True)
    shown = names(book)
    assert len(shown) > 10
    for path in shown:
        problems = []
        page = context.new_page()
        page.on("console", lambda message, p=problems: p.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error, p=problems: p.append(str(error)))
        page.on("requestfailed", lambda request, p=problems: p.append(f"not loaded: {request.url}"))
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        mathematics = page.locator(".bd-article .math").count()
        if mathematics:
            page.wait_for_function("() => window.MathJax?.startup?.promise && document.querySelector('mjx-container')")
            page.evaluate("() => MathJax.startup.promise")
            assert page.locator(".bd-article .math:not(:has(mjx-container))").count() == 0, path.name
            assert page.locator("mjx-merror, [data-mjx-error]").count() == 0, path.name
        missing = page.evaluate(
            "() => [...document.images].filter(i => !(i.complete && i.naturalWidth)).map(i => i.src)"
        )
        assert not missing, f"{path.name}: {missing}"
        assert page.evaluate("() => [...document.images].filter(i => !i.alt).map(i => i.src)") == [], path.name
        wide = page.evaluate("() => document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{path.name} scrolls {wide} px sideways on {view}"
        assert not problems, f"{path.name}: {problems}"
        page.screenshot(path=SHOTS / f"{path.stem}-{view}.png", full_page=True)
        page.close()
    context.close()


def test_every_page_prints_whole(book, browser):
    """On paper there is no sidebar to click and no box to scroll."""
    context = browser.new_context(viewport={"width": 720, "height": 1000}, offline=True)
    SHOTS.mkdir(parents=True, exist_ok=True)
    for path in names(book):
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        page.emulate_media(media="print")
        hidden = ".bd-sidebar-primary, .bd-header, .prev-next-footer, details.hide"
        assert page.locator(hidden).evaluate_all("found => found.filter(e => e.offsetParent).length") == 0, path.name
        # Printed text and code wrap; a picture fits the page.
        cut = page.evaluate(
            "() => [...document.querySelectorAll('.bd-article pre, .bd-article img')]"
            ".filter(e => e.offsetParent && (e.scrollWidth > e.clientWidth + 1"
            " || e.getBoundingClientRect().right > innerWidth)).map(e => e.textContent.slice(0, 60) || e.src)"
        )
        assert not cut, f"{path.name}: {cut}"
        page.pdf(path=SHOTS / f"{path.stem}.pdf", format="A4")
        page.close()
    context.close()


def test_wide_tables_scroll_in_their_own_box_on_a_phone(book, browser):
    context = browser.new_context(**VIEWS["phone"], offline=True)
    page = context.new_page()
    page.goto((book / "reproduces.html").as_uri())
    tables = page.locator(".bd-article table.table")
    boxes = tables.evaluate_all("found => found.map(e => [e.getBoundingClientRect().right, e.scrollWidth])")
    assert all(right <= 390 for right, _ in boxes)
    assert any(width > 390 for _, width in boxes)  # or there is nothing to test
    tables.first.evaluate("e => e.scrollLeft = 1000")
    assert page.evaluate("() => window.scrollX") == 0
    context.close()


def test_figures_stay_legible_in_the_dark(book, browser):
    context = browser.new_context(**VIEWS["dark"], offline=True)
    context.add_init_script("localStorage.setItem('mode', 'dark')")
    for name in ("intro", "gallery", "papers/gan_101"):
        page = context.new_page()
        page.goto((book / f"{name}.html").as_uri())
        colours = page.evaluate(
            "() => [...document.querySelectorAll('.bd-article img')].map(i => getComputedStyle(i).backgroundColor)"
        )
        assert colours and set(colours) == {"rgb(255, 255, 255)"}, name
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
