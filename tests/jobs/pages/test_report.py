"""The report of a job, and the confirmation of names that a keyboard lacks."""

from __future__ import annotations

from typing import Any

import pytest

from jobs import operations
from jobs.models import Job
from tests.factories import make_job


def test_the_report_has_times_counts_errors_and_acts(lead: Any) -> None:
    job = make_job(name="batch", items=20, done=14, failed=3, project="matter-1")
    operations.pause(job, actor=lead.account, reason="The disk is full.")
    text = lead.open(f"/admin/jobs/job/{job.pk}/report/").text
    assert "Report of batch" in text
    assert f"generic · project matter-1 · number {job.pk}" in text.replace("Generic", "generic")
    assert "14 done 3 failed 3 open of 20" in text
    assert "3\u00d7" in text
    assert f"Paused by {lead.account.username}: The disk is full." in text


def test_a_report_is_linked_from_its_job_and_hidden_from_other_projects(lead: Any, browser: Any) -> None:
    job = make_job(name="batch", items=2, done=1, project="a")
    assert lead.open(f"/admin/jobs/job/{job.pk}/").links()["Report"] == f"/admin/jobs/job/{job.pk}/report/"
    other = browser("viewer", projects=["b"])
    assert "batch" not in other.open(f"/admin/jobs/job/{job.pk}/report/", status=404).text
    assert "jobs.view_job" in browser("").open(f"/admin/jobs/job/{job.pk}/report/", status=403).text


@pytest.mark.parametrize("many", [1, 12])
def test_the_number_of_queries_of_a_report_does_not_grow(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    job = make_job(items=4 * many, done=many, failed=2 * many)
    for _ in range(many):
        operations.set_priority(job, actor=lead.account, priority=many)
    with django_assert_max_num_queries(16):
        lead.open(f"/admin/jobs/job/{job.pk}/report/")


@pytest.mark.parametrize(
    ("name", "typed", "is_done"), [("عقد", "number", True), ("عقد", "عقد", True), ("plain", "number", False)]
)
def test_the_number_confirms_where_the_name_has_letters_that_a_keyboard_may_lack(
    lead: Any, name: str, typed: str, is_done: bool
) -> None:
    job = make_job(name=name, items=2, done=1)
    answer = str(job.pk) if typed == "number" else typed
    address = f"/admin/jobs/job/{job.pk}/force-complete/"
    assert (f"or the number {job.pk}" in lead.open(address).text) is not name.isascii()
    lead.confirm(address, reason="Enough.", name=answer)
    assert (Job.objects.get().status == "completed") is is_done
