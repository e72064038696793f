"""What every page keeps to: rules of accessibility in light, in dark and on a small screen, and its width there."""

from __future__ import annotations

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

WIDE, SMALL = {"width": 1360, "height": 844}, {"width": 390, "height": 844}
# A page has the same content in dark, so that only these rules can break there; and the same colours on a small screen,
# so that only the others can.
OF_COLOUR = ["color-contrast", "link-in-text-block"]
IN_DARK = {"runOnly": OF_COLOUR}
WHEN_SMALL = {"rules": {rule: {"enabled": False} for rule in OF_COLOUR}}

FADING = "document.getAnimations().filter((each) => each instanceof CSSTransition)"
FADED = f"Promise.allSettled({FADING}.map((each) => each.finished)).then(() => null)"


def findings(page: Page, address: str) -> list[str]:
    """What is wrong with a page: light, dark, and at 390 px. It is loaded once and turned from one to the next."""
    show(page, "light", WIDE)
    page.goto(address)
    found = [f"{address}: {rule}" for rule in (*broken(page), *_too_wide(page))]
    show(page, "dark", WIDE)
    found += [f"{address} in dark: {rule}" for rule in _again(page, IN_DARK)]
    show(page, "light", SMALL)
    return found + [f"{address} at 390 px: {rule}" for rule in (*_again(page, WHEN_SMALL), *_too_wide(page))]


def show(page: Page, scheme: Any, size: Any) -> None:
    """In these colours, on a screen of this size, once nothing fades from one to the other any more."""
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size(size)
    page.evaluate(FADED)


def broken(page: Page) -> list[str]:
    """The rules of accessibility that the page breaks as it is now."""
    return _named(Axe().run(page).response["violations"])


def _again(page: Page, options: dict[str, Any]) -> list[str]:
    """The same under these options, on a page that has been asked once."""
    return _named(page.evaluate("options => axe.run(options)", options)["violations"])


def _named(violations: list[Any]) -> list[str]:
    return [f"{rule['id']} {node['html'][:200]}" for rule in violations for node in rule["nodes"]]


def _too_wide(page: Page) -> list[str]:
    is_wider = page.evaluate("document.documentElement.scrollWidth > innerWidth")
    return ["wider than the screen"] if is_wider else []
