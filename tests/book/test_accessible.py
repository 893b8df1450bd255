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


@pytest.mark.parametrize("width", [1280, 390])
def test_nothing_serious_or_critical_on_any_page(book: Path, browser, axe, width):
    context = browser.new_context(viewport={"width": width, "height": 900}, offline=True)
    context.add_init_script("localStorage.setItem('mode', 'light'); localStorage.setItem('theme', 'light')")
    found = {}
    for path in [*names(book), book / "search.html"]:
        page = context.new_page()
        page.goto(path.as_uri())
        page.wait_for_load_state("load")
        page.evaluate(axe)
        for theme in ("light", "dark"):
            change_to(page, theme)
            if problems := violations(page, colours=theme == "dark"):
                found[path.name, theme] = problems
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


def test_what_is_pale_in_one_theme_alone_is_found_there(browser, axe):
    page = browser.new_page()
    style = "<style>html[data-theme=dark] body { background: #222 }</style>"
    page.set_content(f'<html lang="en"><title>t</title>{style}<main><h1 style="color:#444">Some words</h1></main>')
    page.evaluate(axe)
    found = {}
    for theme in ("light", "dark"):
        change_to(page, theme)
        found[theme] = "color-contrast" in {rule for _, rule, *_ in violations(page, colours=theme == "dark")}
    assert found == {"light": False, "dark": True}
    page.close()
