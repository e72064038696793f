"""Helpers of the operator stories: past events, workers over the API, and confirmation pages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from unittest.mock import patch

from django.utils import timezone
from playwright.sync_api import Locator, Page, expect

from jobs import tracking, watchdog
from jobs.models import Job
from tests.factories import WORKER, make_job, phase_of, take
from tests.jobs.live.server import LiveServer


@contextmanager
def ago(**duration: float) -> Iterator[None]:
    """Run the block with the clock set back."""
    then = timezone.now() - timedelta(**duration)
    with patch("django.utils.timezone.now", lambda: then):
        yield


def fail(job: Job, errors: dict[str, str], *, worker: str = "w-7") -> None:
    """These items have failed, each with its error."""
    results = [tracking.Result(key, "failed", error=error) for key, error in errors.items()]
    tracking.report(phase_of(job), worker=worker, results=results, by=WORKER)


def make_stuck() -> Job:
    """The job vision-033: 5 of 12 done, 2 failed, 3 held by w-7, silent for 46 minutes."""
    with ago(minutes=46):
        job = make_job(name="vision-033", items=12, done=5, threshold=90)
        fail(job, {f"k{n}": f"Document AI timeout after {n} s" for n in (5, 6)})
        take(phase_of(job), 3, worker="w-7")
    watchdog.find_stuck(timezone.now())
    job.refresh_from_db()
    return job


class Worker:
    """A worker that knows the address of the site and its token."""

    def __init__(self, server: LiveServer, token: str) -> None:
        self._server, self._token = server, token

    def claim(self, job: Job, number: int) -> list[dict[str, Any]]:
        """Up to that many items."""
        body = {"worker": "w-8", "limit": number}
        answer = self._server.post(f"/jobs/{job.pk}/phases/items/claim", body, token=self._token)
        items: list[dict[str, Any]] = answer["items"]
        return items

    def finish(self, job: Job, items: list[dict[str, Any]]) -> None:
        """They are done."""
        results = [{"key": item["key"], "status": "completed", "attempt": item["attempt"]} for item in items]
        body = {"worker": "w-8", "results": results}
        self._server.post(f"/jobs/{job.pk}/phases/items/report", body, token=self._token)


def row_of(page: Page, region: str, name: str) -> Locator:
    """The row of this job in a part of the page."""
    return page.get_by_role("region", name=region).get_by_role("row").filter(has_text=name)


def open_more(page: Page) -> Locator:
    """Open the menu of all acts in the head of a job; return the head's acts."""
    acts = page.get_by_role("region", name="Acts", exact=True)
    acts.get_by_text("More", exact=False).first.click()
    return acts


def retry_of(page: Page, chunk: int) -> Locator:
    """The button that retries one chunk alone, in the list of errors."""
    line = page.locator("[data-section=failures] li").filter(has_text=f"Chunk {chunk} (")
    return line.get_by_role("link", name="Retry this one…")


def expect_fact(page: Page, what: str, said: str) -> None:
    """The page that asks says this about that."""
    term = page.get_by_role("term").filter(has_text=what).first
    expect(term.locator("xpath=following-sibling::dd[1]")).to_contain_text(said)


def expect_said(page: Page, sentence: str) -> None:
    """The page tells the result of an act."""
    expect(page.get_by_role("listitem").filter(has_text=sentence)).to_be_visible()
