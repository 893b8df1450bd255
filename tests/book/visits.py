"""What the visits of the built book share: views, themes, pages, and axe-core."""

VIEWS = {
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "tablet": {"viewport": {"width": 768, "height": 1024}},
    "phone": {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "device_scale_factor": 2},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}
# All rules, or those alone that see colours: another theme changes nothing else.
CHECK = """async colours => {
  const tags = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice'];
  const only = colours ? {type: 'rule', values: ['color-contrast', 'link-in-text-block']} : tags;
  const found = await axe.run(document, {resultTypes: ['violations'], runOnly: only});
  return found.violations.filter(each => ['serious', 'critical'].includes(each.impact))
    .map(each => [each.impact, each.id, each.nodes.length, each.nodes[0].html.slice(0, 200)]);
}"""

# A drawn formula has no text (who cannot see it is read the MathML beside it), and all pieces of code or of signatures
# of one kind, whose tags, classes and styles are the same up to the page, have one colour: one of them tells of all.
# axe looks at each element again and again.
THIN = """() => {
  for (const drawn of document.querySelectorAll('mjx-container > mjx-math')) {
    if (!drawn.querySelector('a, [tabindex], [role]')) drawn.replaceChildren();
  }
  const seen = new Set();
  const again = piece => {
    let place = '';
    for (let e = piece; e; e = e.parentElement) {
      place += `${e.tagName}.${e.className}.${e.getAttribute('style')} `;
    }
    return seen.has(place) || !seen.add(place);
  };
  const pieces = 'pre span[class]:not([id]), dt.sig span[class]:not([id]), dt.sig em[class]:not([id]), code span.pre';
  for (const piece of document.querySelectorAll(pieces)) {
    if (again(piece)) piece.replaceWith(...piece.childNodes);
  }
}"""


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


def violations(page, colours=False) -> list:
    return page.evaluate(CHECK, colours)


def violations_by_theme(page, axe) -> dict:
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
