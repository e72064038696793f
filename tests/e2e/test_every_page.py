"""Every page that there is, in a browser, over what the worst of workers have written: nothing of it runs, nothing
breaks a rule of the content policy or of accessibility, nothing is wider than a small screen."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import resolve
from playwright.sync_api import Page

from tests.e2e.rules import SMALL, broken_but_for_colours
from tests.hostile_data import make_world, pages

pytestmark = pytest.mark.e2e

# Tables of the plain admin scroll within the page. The results of a search are a part of a page.
SHOWS_NO_PAGE = ("/export.", "/log/", "/metrics", "/healthz", "/readyz", "/delete/", "/history/", ".svg")
NOT_OURS = ("/api/", "/admin/search/results/")


def test_every_page_runs_nothing_of_a_worker_and_complains_of_nothing(page: Page, complaints: Any, lead: User) -> None:
    lead.user_permissions.set(Permission.objects.all())
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_viewport_size(SMALL)  # type: ignore[arg-type]
    wide, run, rules, seen = [], [], [], set()
    found = sorted({address for address in pages(make_world()) if not any(part in address for part in SHOWS_NO_PAGE)})
    for address in found:
        response = page.goto(address)
        if page.evaluate("window.pwned") is not None:
            run.append(address)
        if address.startswith(NOT_OURS):
            continue
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(address)
        view = resolve(address.partition("?")[0]).view_name
        if view not in seen and response and response.ok:
            seen.add(view)
            complained = list(complaints)
            rules += [f"{address}: {rule}" for rule in broken_but_for_colours(page)]
            complaints[:] = complained  # in forms of Django the rules set styles, which the policy refuses
    assert (run, dialogs, wide, rules) == ([], [], [], [])
    assert [text for text in complaints if "status of 40" not in text] == []
