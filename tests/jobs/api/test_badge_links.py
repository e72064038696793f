"""POST /jobs/{id}/badge: the links of a badge, and new ones."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client
from rest_framework.test import APIClient

from tests.factories import make_job, types
from tests.jobs.api.conftest import Api


def test_both_links_show_the_job_to_anybody(api: Any) -> None:
    job = make_job(items=1)
    links = api("operator").post(f"/jobs/{job.pk}/badge").json()
    assert links["bar"] == f"{links['badge']}?style=bar"
    assert links["badge"].startswith("http://testserver/badge/")
    assert {Client().get(address).status_code for address in links.values()} == {200}


def test_asked_for_again_they_are_the_same_and_nothing_is_written(api: Any) -> None:
    operator, job = api("operator"), make_job()
    assert operator.post(f"/jobs/{job.pk}/badge").json() == operator.post(f"/jobs/{job.pk}/badge").json()
    assert types(job) == ["job.created"]


def test_renewing_ends_the_links_before_and_keeps_who_and_why(lead: Api) -> None:
    job = make_job()
    before = lead.post(f"/jobs/{job.pk}/badge").json()
    after = lead.post(f"/jobs/{job.pk}/badge", {"renew": True, "reason": "it leaked"}).json()
    assert [Client().get(links["badge"]).status_code for links in (before, after)] == [404, 200]
    event = job.events.get(type="operator.share")
    assert (event.reason, event.actor) == ("it leaked", lead.account.username)
    assert LogEntry.objects.get().user == lead.account


def test_a_token_is_required(db: None) -> None:
    assert APIClient().post(f"/api/v1/jobs/{make_job().pk}/badge", {}, format="json").status_code == 401


@pytest.mark.parametrize("role", ["viewer", "worker"])
@pytest.mark.parametrize("body", [{}, {"renew": True}])
def test_who_may_only_look_or_report_gives_out_none(api: Any, role: str, body: Any) -> None:
    job = make_job()
    response = api(role).post(f"/jobs/{job.pk}/badge", body)
    assert response.status_code == 403
    assert "jobs.share_job" in response.json()["detail"]
    assert types(job) == ["job.created"]


def test_a_job_of_another_project_does_not_exist(api: Any) -> None:
    job = make_job(project="red")
    assert api("lead", projects=["blue"]).post(f"/jobs/{job.pk}/badge", {"renew": True}).status_code == 404
    job.refresh_from_db()
    assert job.badge_series == 0


@pytest.mark.parametrize(("body", "field"), [({"renew": 1}, "renew"), ({"style": "bar"}, "style")])
def test_bad_input_is_named(lead: Api, body: Any, field: str) -> None:
    response = lead.post(f"/jobs/{make_job().pk}/badge", body)
    assert (response.status_code, response.json()["errors"][0]["field"]) == (400, field)
