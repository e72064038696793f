"""Every page that there is, in a browser, over what the worst of workers have written: nothing of it runs, nothing
breaks a rule of the content policy, nothing is wider than a small screen."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from playwright.sync_api import Page

from tests.hostile_data import make_world, pages

pytestmark = pytest.mark.e2e

# Tables of the plain admin scroll within the page; the form of an account is Django's own.
SMALL = {"width": 390, "height": 844}
SHOWS_NO_PAGE = ("/export.", "/log/", "/metrics", "/healthz", "/readyz", "/add/", "/delete/", "/history/", ".svg")


def test_every_page_runs_nothing_of_a_worker_and_complains_of_nothing(page: Page, complaints: Any, lead: User) -> None:
    lead.user_permissions.set(Permission.objects.all())
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_viewport_size(SMALL)  # type: ignore[arg-type]
    wide, run = [], []
    found = sorted({address for address in pages(make_world()) if not any(part in address for part in SHOWS_NO_PAGE)})
    for address in found:
        page.goto(address)
        if page.evaluate("window.pwned") is not None:
            run.append(address)
        if not address.startswith("/api/") and page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(address)
    assert (run, dialogs, wide) == ([], [], [])
    assert [text for text in complaints if "status of 40" not in text] == []
