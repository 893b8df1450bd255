"""axe-core on every page, wide and narrow, light and dark: nothing serious, nothing critical."""

import shutil
import subprocess
from pathlib import Path

import pytest
from test_browser import change_to, names

pytestmark = [pytest.mark.browser, pytest.mark.book, pytest.mark.xdist_group("book")]
PACKAGE = "axe-core@4.14.1"
# All rules, or those alone that see colours: another theme changes nothing else.
CHECK = """async colours => {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
  const only = colours ? {type: 'rule', values: ['color-contrast', 'link-in-text-block']} : tags;
  const found = await axe.run(document, {resultTypes: ['violations'], runOnly: only});
  return found.violations.filter(each => ['serious', 'critical'].includes(each.impact))
    .map(each => [each.impact, each.id, each.nodes.length, each.nodes[0].html.slice(0, 200)]);
}"""

# A drawn formula has no text (who cannot see it is read the MathML beside it), and all pieces of code of one class in
# one kind of place have one colour: one of them tells of all. axe looks at each element again and again.
THIN = """() => {
  for (const drawn of document.querySelectorAll('mjx-container svg')) {
    if (!drawn.querySelector('a, [tabindex], [role]')) drawn.replaceChildren();
  }
  const seen = new Set();
  for (const piece of document.querySelectorAll('pre span[class]:not([id])')) {
    let place = '';
    for (let e = piece; e; e = e.parentElement) place += `${e.tagName}.${e.className} `;
    if (seen.has(place)) piece.replaceWith(...piece.childNodes);
    seen.add(place);
  }
}"""


@pytest.fixture(scope="session")
def axe(tmp_path_factory) -> str:
    """The script of axe-core, installed for this session by npm."""
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("npm is not installed: axe-core comes from there")
    folder = tmp_path_factory.mktemp("axe")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", PACKAGE]
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    except subprocess.TimeoutExpired:
        pytest.skip("npm did not answer within two minutes")
    if done.returncode:
        pytest.skip(f"npm could not install {PACKAGE}: {done.stderr.strip().splitlines()[-1:]}")
    return (folder / "node_modules" / "axe-core" / "axe.min.js").read_text(encoding="utf-8")


def violations(page, colours=False) -> list:
    return page.evaluate(CHECK, colours)


def visit(page, axe) -> dict:
    """Return what is wrong on an open page, by width and theme; it is loaded once for all of them."""
    page.wait_for_load_state("load")
    page.evaluate("() => window.MathJax?.startup?.promise")
    page.evaluate(THIN)
    page.evaluate(axe)
    found = {}
    for width, themes in ((1280, ("light", "dark")), (390, ("dark", "light"))):
        page.set_viewport_size({"width": width, "height": 900})
        for theme in themes:
            change_to(page, theme)
            if problems := violations(page, colours=theme == "dark"):
                found[width, theme] = problems
    return found


def test_nothing_serious_or_critical_on_any_page(book: Path, browser, axe):
    context = browser.new_context(viewport={"width": 1280, "height": 900}, offline=True)
    context.add_init_script("localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light')")
    found = {}
    for path in [*names(book), book / "search.html"]:
        page = context.new_page()
        page.goto(path.as_uri())
        found |= {(path.name, *where): problems for where, problems in visit(page, axe).items()}
        page.close()
    context.close()
    assert not found, "\n".join(f"{name}: {problem}" for name, problems in found.items() for problem in problems)


def test_what_axe_must_find_it_finds(browser, axe):
    page = browser.new_page()
    page.set_content('<html lang="en"><title>t</title><main><h1>x</h1><p style="color:#bbb">pale</p><img src=x></main>')
    page.evaluate(axe)
    found = {rule for _, rule, *_ in violations(page)}
    assert {"color-contrast", "image-alt"} <= found
    page.close()


def test_what_is_wrong_in_one_theme_or_width_alone_is_found_there(browser, axe):
    """And in code of which every other piece is taken out."""
    page = browser.new_page()
    style = """html[data-theme=dark] body { background: #222 } h1 { color: #444 } pre { background: #fff }
    .k { color: #05c } .x { color: #eee } b { display: none; color: #777; background: #666 }
    @media (max-width: 400px) { b { display: inline } }"""
    code = "<pre><span class=k>from</span> <span class=k>a import</span> <span class=x>pale</span></pre>"
    body = f"<style>{style}</style><main><h1>Some words</h1><b>Some more</b>{code}</main>"
    page.set_content(f'<html lang="en"><title>t</title>{body}')
    found = visit(page, axe)
    assert page.locator("span.k").count() == 1 and page.locator("pre").inner_text() == "from a import pale"
    pale = {where: sum(n for _, rule, n, _ in each if rule == "color-contrast") for where, each in found.items()}
    # Always the one piece of code; in the dark the head too, and where it is narrow the word.
    assert pale == {(1280, "light"): 1, (1280, "dark"): 2, (390, "light"): 2, (390, "dark"): 3}
    page.close()
