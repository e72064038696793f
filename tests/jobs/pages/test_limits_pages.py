"""The pages of limits and priorities, and the confirmation of a deletion."""

from __future__ import annotations

from typing import Any

import pytest

from jobs.models import Job, ProjectLimit
from tests.factories import finished_job, make_job, phase_of, take

pytestmark = pytest.mark.django_db


def test_a_lead_limits_a_project_on_a_page_and_the_list_shows_it(lead: Any) -> None:
    take(phase_of(make_job(items=3, project="a")))
    page = lead.confirm("/admin/limits/project/", project="a", max_leased="5", reason="why")
    assert page.messages == ["The limit was changed."]
    assert "a 3 5" in " ".join(page.text.split())
    assert 'value="5"' in lead.client.get("/admin/limits/project/?project=a").content.decode()
    lead.confirm("/admin/limits/project/", project="a", max_leased="", reason="")
    assert not ProjectLimit.objects.exists()


def test_a_wrong_limit_is_explained_and_an_operator_may_not_set_one(lead: Any, browser: Any) -> None:
    assert "greater than or equal to 1" in lead.confirm("/admin/limits/project/", project="a", max_leased="0").text
    assert "jobs.manage_limits" in browser("operator").open("/admin/limits/project/", status=403).text
    page = browser("lead", projects=["b"]).confirm("/admin/limits/project/", project="a", max_leased="1")
    assert "no access to the project" in page.text
    assert not ProjectLimit.objects.exists()


def test_the_page_of_a_job_shows_its_priority_and_the_limits_of_its_phases(lead: Any) -> None:
    job = make_job(items=3, project="a", priority=7)
    lead.confirm(f"/admin/jobs/job/{job.pk}/limit/", phase="items", max_leased="2")
    text = " ".join(lead.open(f"/admin/jobs/job/{job.pk}/").text.split())
    assert "Priority 7" in text
    assert "at most 2" in text
    lead.confirm(f"/admin/jobs/job/{job.pk}/limit/", phase="items", max_leased="")
    assert phase_of(job).max_leased is None


def test_a_job_is_deleted_after_its_name_was_typed(lead: Any) -> None:
    job = finished_job("completed")
    address = f"/admin/jobs/job/{job.pk}/delete/"
    shown = lead.open(address)
    assert "2 items" in shown.text
    assert "Type" in lead.confirm(address, page=shown, name="another", reason="over").text
    assert Job.objects.filter(pk=job.pk).exists()
    page = lead.confirm(address, page=shown, name=job.name, reason="over")
    assert page.response.redirect_chain == [("/admin/jobs/job/", 302)]
    assert page.messages == [f"{job.name}: Job {job.name} is deleted."]
    assert not Job.objects.exists()
    lead.open(f"/admin/jobs/job/{job.pk}/", status=404)
