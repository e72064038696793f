"""Every page that there is, in a browser, over what the worst of workers have written: nothing of it runs, nothing
breaks a rule of the content policy or of accessibility, nothing is wider than a small screen."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.contrib.auth.models import Permission, User
from django.urls import resolve
from playwright.sync_api import Page

from tests.e2e.rules import SMALL, broken_but_for_colours
from tests.hostile_data import HOSTILE, World, make_world, pages

pytestmark = pytest.mark.e2e

# Tables of the plain admin scroll within the page. The results of a search are a part of a page; the
# API page has a test of its own.
SHOWS_NO_PAGE = ("/export.", "/log/", "/metrics", "/healthz", "/readyz", "/delete/", "/history/", ".svg")
NOT_OURS = ("/api/", "/admin/search/results/")
# These are refused with the same page each: models without a form, and an act on no job.
REFUSED = re.compile(
    r"/admin/(knox|ocr_chunks|training)/.*/add/|/admin/jobs/(?!channel|endpoint|membership|projectlimit)\w+/add/"
    r"|/job/act/(?!retry)[a-z-]+/$"
)
LOOK = "[window.pwned ?? null, document.documentElement.scrollWidth > innerWidth]"


def visited(world: World) -> list[str]:
    """Return the addresses to open: of a page of one job, those of the text that runs, of the longest, and of each app.

    The pages of every text are read by the test of the same name without a browser.
    """
    texts = list(HOSTILE)
    jobs = [world.jobs[texts.index(name)].pk for name in ("script", "long")]
    world.values["job_id"] = [*jobs, *(job.pk for job in world.jobs[len(texts) :])]
    world.values["item_id"] = [world.values["item_id"][texts.index(name)] for name in ("script", "long")]
    world.values["worker_id"] = [world.values["worker_id"][0], world.values["worker_id"][-1]]
    found = {address for address in pages(world) if not any(part in address for part in SHOWS_NO_PAGE)}
    return sorted(address for address in found if not REFUSED.search(address))


def test_every_page_runs_nothing_of_a_worker_and_complains_of_nothing(page: Page, complaints: Any, lead: User) -> None:
    lead.user_permissions.set(Permission.objects.all())
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.set_viewport_size(SMALL)  # type: ignore[arg-type]
    wide, run, rules, seen = [], [], [], set()
    for address in visited(make_world()):
        response = page.goto(address)
        pwned, is_wide = page.evaluate(LOOK)
        if pwned is not None:
            run.append(address)
        if address.startswith(NOT_OURS):
            continue
        if is_wide:
            wide.append(address)
        view = resolve(address.partition("?")[0]).view_name
        if view not in seen and response and response.ok:
            seen.add(view)
            complained = list(complaints)
            rules += [f"{address}: {rule}" for rule in broken_but_for_colours(page)]
            complaints[:] = complained  # in forms of Django the rules set styles, which the policy refuses
    assert (run, dialogs, wide, rules) == ([], [], [], [])
    assert [text for text in complaints if "status of 40" not in text] == []
