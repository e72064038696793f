"""Rules of every page: accessibility in light, dark and on a small screen, and its width there."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from axe_playwright_python.sync_playwright import Axe
from django.urls import resolve
from playwright.sync_api import Page

from tests import plan

WIDE, SMALL = {"width": 1360, "height": 844}, {"width": 390, "height": 844}
# A page has the same content in dark, so that only these rules can break there; and the same colours on a small screen,
# so that only the others can.
OF_COLOUR = ["color-contrast", "link-in-text-block"]
IN_DARK = {"runOnly": OF_COLOUR}
WHEN_SMALL = {"rules": {rule: {"enabled": False} for rule in OF_COLOUR}}

# A transition would have a colour on its way when the rules are asked; the content policy allows no other style sheet.
WITHOUT_TRANSITIONS = """() => {
  const sheet = new CSSStyleSheet();
  sheet.replaceSync("*, ::before, ::after { transition: none !important }");
  document.adoptedStyleSheets = [sheet];
}"""


def findings_of(page: Page, addresses: Iterable[str]) -> list[str]:
    """Return what is wrong with these pages.

    Further states of the same view are asked in light, and for their width. Under FULL=1 they are asked like the first.
    """
    seen: set[str] = set()
    found = []
    for address in addresses:
        view = resolve(address.partition("?")[0]).view_name
        found += findings(page, address, again=plan.FULL or view not in seen)
        seen.add(view)
    return found


def findings(page: Page, address: str, *, again: bool = True) -> list[str]:
    """Return what is wrong with a page: in light, `again` in dark and at 390 px, and its width there.

    It is loaded once and turned from one to the next.
    """
    show(page, "light", WIDE)
    page.goto(address)
    found = [f"{address}: {rule}" for rule in (*broken(page), *_too_wide(page))]
    if again:
        show(page, "dark", WIDE)
        found += [f"{address} in dark: {rule}" for rule in _ask(page, IN_DARK)]
    show(page, "light", SMALL)
    small = [*(_ask(page, WHEN_SMALL) if again else []), *_too_wide(page)]
    return found + [f"{address} at 390 px: {rule}" for rule in small]


def show(page: Page, scheme: Any, size: Any) -> None:
    """In these colours, on a screen of this size, at once."""
    page.evaluate(WITHOUT_TRANSITIONS)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)


def broken(page: Page) -> list[str]:
    """The rules of accessibility that the page breaks as it is now."""
    page.evaluate(Axe().axe_script)
    return _ask(page, {})


def _ask(page: Page, options: dict[str, Any]) -> list[str]:
    """Ask a page that has the script; nothing is collected or sent about the rules that hold."""
    asked = {"resultTypes": ["violations"], **options}
    violations = page.evaluate("options => axe.run(options).then((found) => found.violations)", asked)
    return [f"{rule['id']} {node['html'][:200]}" for rule in violations for node in rule["nodes"]]


def _too_wide(page: Page) -> list[str]:
    is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return ["wider than the screen"] if is_wider else []
