"""Retries, attempts and logs on the pages of operators."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations
from jobs.models import Attempt, Job
from jobs.operations.diagnosis import diagnose
from jobs.operations.snapshot import snapshot_of
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Link
from tests.factories import item_of, make_job, phase_of, take, tell
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db
LOG = 'Traceback:\n  <script>alert(1)</script>\nOSError: "disk" full'


@pytest.fixture
def job(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> Job:
    """A job of three items: one failed once and waits, one failed for good, one was never tried."""
    monkeypatch.setattr("jobs.tracking.transitions.random", lambda: 0.5)
    job = make_job(items=3, phases=[PhaseSpec(code="items", retries=3, retry_delay=185)])
    take(phase_of(job), 2, worker="w-7")
    links = (Link("Artifact <b>", "https://files.example/1?a=1&b=2"),)
    tell(phase_of(job), "k0", "failed", worker="w-7", attempt=1, error="Disk full", log=LOG, links=links)
    tell(phase_of(job), "k1", "failed", worker="w-7", attempt=1, error="Bad file 7", log="the file", retry=False)
    return job


def item_page(browser: Any, job: Job, key: str = "k0") -> Any:
    return browser.open(f"/admin/jobs/item/{item_of(job, key).pk}/change/")


RETRYING = "etrying at 12:03:05 UTC, failure 1 of 4"


def test_the_item_says_when_it_is_retried(lead: Any, job: Job, clock: Clock) -> None:
    head = item_page(lead, job).section("head")
    assert RETRYING in head
    assert "Failures 1 of 4" in head
    clock.forward(200)
    assert "Due for its retry, failure 1 of 4" in item_page(lead, job).section("head")
    assert "etrying" not in item_page(lead, job, "k2").section("head")


def test_the_item_lists_its_ended_attempts_with_log_and_links(lead: Any, job: Job) -> None:
    page = item_page(lead, job)
    attempts = page.section("attempts")
    for text in ("failed", "w-7", "Disk full", "Artifact <b>", "<script>alert(1)</script>"):
        assert text in attempts
    source = page.response.content.decode()
    assert "<script>alert(1)" not in source
    assert 'href="https://files.example/1?a=1&amp;b=2" rel="noopener noreferrer nofollow"' in source
    assert "data-copy" in source
    assert "Ended attempts" not in item_page(lead, job, "k2").text


def test_a_log_is_downloaded_as_plain_text(lead: Any, job: Job) -> None:
    attempt = Attempt.objects.get(item=item_of(job, "k0"))
    response = lead.client.get(f"/admin/jobs/attempt/{attempt.pk}/log/")
    assert response.content.decode() == LOG
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    name = f"item-{attempt.item_id}-attempt-1.log"
    assert response.headers["Content-Disposition"] == f'attachment; filename="{name}"'


def test_a_log_outside_the_projects_of_the_account_is_not_found(browser: Any, job: Job) -> None:
    Job.objects.filter(pk=job.pk).update(project="a")
    address = f"/admin/jobs/attempt/{Attempt.objects.get(item=item_of(job, 'k0')).pk}/log/"
    codes = [browser("viewer", projects=[name]).client.get(address).status_code for name in ("a", "b")]
    assert codes == [200, 404]


def test_the_job_says_what_is_retried_and_links_to_a_sample_of_each_log(lead: Any, job: Job) -> None:
    page = lead.open(f"/admin/jobs/job/{job.pk}/")
    assert "1 item failed and is retried automatically, the first at 12:03:05 UTC" in page.section("failures")
    assert RETRYING in page.section("items")
    attempt = Attempt.objects.get(item=item_of(job, "k1"))
    sample = f"/admin/jobs/item/{attempt.item_id}/change/#log-{attempt.pk}"
    assert page.links()["Sample log"] == sample
    assert lead.open("/admin/errors/").links()["Sample log"] == sample


def test_the_diagnosis_waits_for_the_retry_and_for_no_worker(job: Job, clock: Clock) -> None:
    tell(phase_of(job), "k2", "completed")
    clock.forward(180)
    found = diagnose(snapshot_of(Job.objects.get(pk=job.pk)))
    causes = {cause.code: cause.detail for cause in found.causes}
    assert causes["retry_wait"] == "1 item failed and is retried automatically, the first at 12:03:05 UTC."
    assert not causes.keys() & {"waiting_for_worker", "unheard"}
    clock.forward(10)
    assert "waiting_for_worker" in {cause.code for cause in diagnose(snapshot_of(Job.objects.get(pk=job.pk))).causes}


def test_a_waiting_item_is_retried_at_once_from_its_page(lead: Any, job: Job) -> None:
    page = item_page(lead, job)
    lead.confirm(page.links()["Retry…"], reason="the disk is empty")
    item = item_of(job, "k0")
    assert (item.available_at, item.failures) == (None, 0)


def test_the_button_of_a_job_names_the_waiting_items(job: Job) -> None:
    operations.skip(job, items=[item_of(job, "k1").pk], actor=None)
    button = operations.retry.button(snapshot_of(Job.objects.get(pk=job.pk)))
    assert (button.label, button.effect, button.why_not) == ("Retry 1 now…", "1 waiting item is due at once", "")
