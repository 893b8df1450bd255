"""axe-core finds what it must; the desktop visit of `test_browser` asks it about every page."""

import pytest

from tests.book.visits import violations, violations_by_theme

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("axe")]


@pytest.fixture(scope="module")
def script(axe) -> str:
    found, trouble = axe
    if trouble:
        pytest.skip(trouble)
    return found


def test_what_axe_must_find_it_finds(browser, script):
    page = browser.new_page()
    page.set_content('<html lang="en"><title>t</title><main><h1>x</h1><p style="color:#bbb">pale</p><img src=x></main>')
    page.evaluate(script)
    found = {rule for _, rule, *_ in violations(page)}
    assert {"color-contrast", "image-alt"} <= found
    page.close()


def test_what_is_wrong_in_one_theme_or_width_alone_is_found_there(browser, script):
    """And in code of which every other piece is taken out."""
    page = browser.new_page()
    style = """html[data-theme=dark] body { background: #222 } h1 { color: #444 } pre { background: #fff }
    .k { color: #05c } .x { color: #eee } b { display: none; color: #777; background: #666 }
    @media (max-width: 400px) { b { display: inline } }"""
    code = "<pre><span class=k>from</span> <span class=k>a import</span> <span class=x>pale</span></pre>"
    body = f"<style>{style}</style><main><h1>Some words</h1><b>Some more</b>{code}</main>"
    page.set_content(f'<html lang="en"><title>t</title>{body}')
    found = violations_by_theme(page, script)
    assert page.locator("span.k").count() == 1 and page.locator("pre").inner_text() == "from a import pale"
    pale = {where: sum(n for _, rule, n, _ in each if rule == "color-contrast") for where, each in found.items()}
    # Always the one piece of code; in the dark the head too, and where it is narrow the word.
    assert pale == {(1280, "light"): 1, (1280, "dark"): 2, (390, "light"): 2, (390, "dark"): 3}
    page.close()


def test_of_names_in_signatures_one_of_each_kind_is_looked_at(browser, script):
    style = "* { background: #fff; color: #000 } .pale .n, .sig .n.x { color: #ddd }"
    words = [("y", "", "one"), ("y", "", "two"), ("x", "", "three"), ("x", "", "four"), ("y", "color: #eee", "five")]
    names = " ".join(f"<span class='n {kind}' style='{own}'>{word}</span>" for kind, own, word in words)
    body = f"<main><h1>h</h1><dl><dt class=sig>{names}<dd>m<dt class='sig pale'>{names}<dd>m</dl></main>"
    page = browser.new_page()
    page.set_content(f'<html lang="en"><title>t</title><style>{style}</style>{body}')
    found = violations_by_theme(page, script)
    assert page.locator("dt").all_inner_texts() == ["one two three four five"] * 2
    assert page.locator("dt span").all_inner_texts() == ["one", "three", "five"] * 2
    assert len(found) == 4  # three and five, and of the pale ones all
    assert {n for each in found.values() for _, rule, n, _ in each if rule == "color-contrast"} == {5}
    page.close()
