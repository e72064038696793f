"""Quarantines on the overview, on the page of the worker and over REST."""

from __future__ import annotations

from typing import Any

import pytest
from rest_framework.test import APIClient

from jobs import tracking
from jobs.change import Actor
from jobs.models import Job, Quarantine, Worker
from tests.factories import make_job, phase_of, settle, take
from tests.jobs.pages.conftest import Browser

BAD = "gpu-1"


@pytest.fixture
def job(settings: Any, db: None) -> Job:
    """A job of project a with one quarantined worker."""
    settings.WORKER_FAILURE_LIMIT = 3
    made = make_job(name="scans", items=20, project="a")
    settle(phase_of(made), ["completed"])
    take(phase_of(made), 4, worker=BAD)
    results = [tracking.Result(f"k{n}", "failed", error="disk full") for n in (1, 2, 3)]
    tracking.report(phase_of(made), worker=BAD, results=results, by=Actor(name=BAD))
    assert Quarantine.objects.count() == 1
    return made


def test_the_overview_has_a_row_with_the_worker_and_lift(lead: Browser, job: Job) -> None:
    page = lead.open("/admin/")
    row = page.section("attention")
    assert "Worker quarantined scans" in row
    assert "gpu-1 failed its last 3 items, another worker does not" in row
    assert row.count("gpu-1") == 1
    lead.confirm(page.links()["Lift quarantine in 1 job…"], reason="new disk")
    assert not Quarantine.objects.exists()
    assert "quarantined" not in lead.open("/admin/").section("attention")


def test_the_page_of_the_worker_shows_it_with_its_button(lead: Browser, job: Job) -> None:
    page = lead.open(Worker.objects.get(name=BAD).get_absolute_url())
    assert "No items of" in page.section("quarantines")
    lead.confirm(page.links()["Lift 1 quarantine…"])
    assert phase_of(job).quarantined == 0


def test_another_project_sees_nothing_of_it(browser: Any, job: Job) -> None:
    assert "gpu-1" not in browser("lead", projects=["b"]).open("/admin/").text


def test_rest_answers_the_claim_and_lifts(lead: Browser, browser: Any, job: Job) -> None:
    root = APIClient()
    root.force_authenticate(lead.account)
    calls = (f"/api/v1/jobs/{job.pk}/lift", {"worker": BAD}), (f"/api/v1/workers/{BAD}/lift", {"job": job.pk})
    for address, body in calls:
        viewer, limited = APIClient(), APIClient()
        viewer.force_authenticate(browser("viewer").account)
        limited.force_authenticate(browser("lead", projects=["b"]).account)
        assert viewer.post(address, body, format="json").status_code == 403
        assert limited.post(address, body, format="json").status_code == 404
    assert root.post(calls[1][0], {"job": job.pk, "phase": "no"}, format="json").status_code == 404
    answer = root.post(*calls[1], format="json")
    assert (answer.status_code, answer.json()["changed"]) == (200, 1)
    assert root.post(*calls[0], format="json").json()["changed"] == 0
