"""Rules of every page: accessibility in light, dark and on a small screen, and its width there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests import plan

WIDE, SMALL = {"width": 1360, "height": 844}, {"width": 390, "height": 844}
# A page has the same content in dark, so that only these rules can break there; and the same colours on a small screen,
# so that only the others can. They take most of the time.
OF_COLOUR = ["color-contrast", "link-in-text-block"]
COLOURS = {"runOnly": OF_COLOUR}
ALL_BUT_COLOURS = {"rules": {rule: {"enabled": False} for rule in OF_COLOUR}}

# A transition would have a colour on its way when the rules are asked; the content policy allows no other style sheet.
WITHOUT_TRANSITIONS = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, ::before, ::after { transition: none !important }");
  document.adoptedStyleSheets = [sheet];
}"""

ASK = """(options) => axe.run(window.ofNewLook || document, {resultTypes: ["violations"], ...options}).then((found) =>
  found.violations.flatMap((rule) => rule.nodes.map((node) => `${rule.id} ${node.html.slice(0, 200)}`)))"""

# The look of a text: its colour and font, and the element, class and ground of everything around it.
NEW_LOOKS = """(known) => {
  const old = new Set(known), fresh = new Map(), around = new Map();
  const aroundOf = (element) => {
    if (!element) return "";
    if (!around.has(element)) {
      const {backgroundColor, backgroundImage, opacity} = getComputedStyle(element);
      const own = [element.localName, element.getAttribute("class"), backgroundColor, backgroundImage, opacity];
      around.set(element, `${own.join(" ")} < ${aroundOf(element.parentElement)}`);
    }
    return around.get(element);
  };
  const isText = (node) => node.nodeType === Node.TEXT_NODE && node.data.trim();
  for (const element of document.body.querySelectorAll("*")) {
    const hasText = element.matches("input, select") || [...element.childNodes].some(isText);
    if (!hasText || !element.checkVisibility()) continue;
    const {color, fontSize, fontWeight} = getComputedStyle(element);
    const look = `${color} ${fontSize} ${fontWeight} ${aroundOf(element)}`;
    if (!old.has(look)) fresh.set(look, element);
  }
  window.ofNewLook = {include: [...fresh.values()]};
  return [...fresh.keys()];
}"""


def findings_of(page: Page, addresses: Iterable[str]) -> list[str]:
    """Return what is wrong with these pages.

    `test_every_page` asks each view on a small screen, so that only their width is asked there, but under FULL=1.
    """
    looks: set[str] = set()
    return [text for address in addresses for text in findings(page, address, again=plan.FULL, looks=looks)]


def findings(page: Page, address: str, *, again: bool = True, looks: set[str] | None = None) -> list[str]:
    """Return what is wrong with a page: in light, in dark, `again` at 390 px, and its width there.

    It is loaded once and turned from one to the next. Colours are asked of texts whose look is not in `looks`; in dark
    only where there are some.
    """
    looks = set() if looks is None else looks
    known = len(looks)
    show(page, "light", WIDE)
    page.goto(address)
    found = [f"{address}: {rule}" for rule in (*broken(page, looks), *_too_wide(page))]
    if len(looks) > known:
        show(page, "dark", WIDE)
        found += [f"{address} in dark: {rule}" for rule in _ask_colours(page, looks)]
    show(page, "light", SMALL)
    small = [*(_ask(page, ALL_BUT_COLOURS) if again else []), *_too_wide(page)]
    return found + [f"{address} at 390 px: {rule}" for rule in small]


def show(page: Page, scheme: Any, size: Any) -> None:
    """In these colours, on a screen of this size, at once."""
    page.evaluate(WITHOUT_TRANSITIONS)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)


def broken(page: Page, looks: set[str] | None = None) -> list[str]:
    """The rules of accessibility that the page breaks as it is now."""
    return [*broken_but_for_colours(page), *_ask_colours(page, set() if looks is None else looks)]


def broken_but_for_colours(page: Page) -> list[str]:
    """The rules of accessibility that the page breaks as it is now, without those of colours, which take longest."""
    page.evaluate(Axe().axe_script)
    return _ask(page, ALL_BUT_COLOURS)


def _ask(page: Page, options: dict[str, Any]) -> list[str]:
    """Ask a page that has the script; nothing is collected or sent about the rules that hold."""
    broken: list[str] = page.evaluate(ASK, options)
    return broken


def _ask_colours(page: Page, looks: set[str]) -> list[str]:
    """Ask one text of each look that is not in `looks`, and add them: the same look has the same contrast."""
    fresh = page.evaluate(NEW_LOOKS, list(looks))
    looks.update(fresh)
    broken = _ask(page, COLOURS) if fresh else []
    page.evaluate("delete window.ofNewLook")
    return broken


def _too_wide(page: Page) -> list[str]:
    is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return ["wider than the screen"] if is_wider else []
