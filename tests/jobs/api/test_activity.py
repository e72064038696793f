"""GET /activity: what people did, in pages."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import urlsplit

import pytest

from jobs import operations
from jobs.models import Activity
from tests.factories import make_job
from tests.jobs.api.conftest import Api, on_each_server

pytestmark = on_each_server("view")


def paused(name: str, project: str = "") -> int:
    """Make a job that was paused, and return its id."""
    job = make_job(name=name, items=1, project=project)
    operations.pause(job, actor=None, reason="why")
    return job.pk


def test_acts_are_listed_newest_first_in_pages(lead: Api) -> None:
    for name in ("a", "b", "c"):
        paused(name)
    first = lead.get("/activity?limit=2").json()
    assert [row["target"] for row in first["results"]] == ["c", "b"]
    following = urlsplit(first["next"])
    second = lead.get(f"{following.path.removeprefix('/api/v1')}?{following.query}").json()
    assert ([row["target"] for row in second["results"]], second["next"]) == (["a"], None)


def test_filters_choose_acts(lead: Api) -> None:
    job = paused("a")
    paused("b")
    assert [row["target"] for row in lead.get(f"/activity?job={job}").json()["results"]] == ["a"]
    assert lead.get("/activity?act=resume").json()["results"] == []
    assert lead.get("/activity?since=2100-01-01T00:00:00Z").json()["results"] == []
    assert lead.get("/activity?since=yesterday").status_code == 400


def test_a_limited_account_gets_the_acts_of_its_projects(api: Callable[..., Api]) -> None:
    paused("a", "alpha")
    paused("b", "beta")
    paused("c")
    found = api("lead", projects=["alpha"]).get("/activity").json()["results"]
    assert [row["target"] for row in found] == ["a"]


def test_acts_about_access_need_the_permission_to_manage_tokens(api: Callable[..., Api]) -> None:
    Activity.objects.create(at="2026-11-20T00:00:00Z", actor="olga", act="issue", about="token", target="t")
    assert [len(api(role).get("/activity").json()["results"]) for role in ("lead", "operator")] == [1, 0]


@pytest.mark.parametrize("role", ["worker", ""])
def test_workers_read_no_activity(api: Callable[..., Api], role: str) -> None:
    assert api(role).get("/activity").status_code == 403
