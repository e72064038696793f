"""The activity: one list of what people did, its filters, its exports, and the last act on the page of a job."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from jobs import operations
from jobs.api import tokens
from jobs.change.audit import record_activity
from jobs.models import Activity, Job, Membership
from jobs.operations import bulk
from jobs.tracking import Actor
from tests.factories import make_job, operator
from tests.jobs.bulk_acts import begun
from tests.jobs.pages.test_exporting import content, table

pytestmark = pytest.mark.django_db

PAGE = "/admin/activity/"


def signed_in(role: str, *, projects: tuple[str, ...] = ()) -> Client:
    """Return the browser of an account in this role."""
    account = User.objects.create(username=f"{role}-{User.objects.count()}", is_staff=True)
    account.groups.set(Group.objects.filter(name=role))
    Membership.objects.bulk_create([Membership(user=account, project=project) for project in projects])
    client = Client()
    client.force_login(account)
    return client


def text(client: Client, query: str = "") -> str:
    """Return the page."""
    response = client.get(f"{PAGE}{query}")
    assert response.status_code == 200
    return response.content.decode().split("<main", 1)[-1]


def paused(name: str, *, project: str = "", by: User | None = None, reason: str = "the disk is full") -> Job:
    """Make a job that an operator has paused."""
    job = make_job(name=name, items=2, project=project)
    operations.pause(job, actor=by, reason=reason)
    return job


def rows_of(client: Client, query: str = "") -> list[Activity]:
    """Return the rows of the page."""
    return [row.activity for row in client.get(f"{PAGE}{query}").context["rows"]]


# --- the rows --------------------------------------------------------------------------------------


def test_an_act_on_a_job_is_a_row_with_who_what_when_and_why() -> None:
    olga = operator("pause")
    job = paused("night", project="alpha", by=olga)
    row = Activity.objects.get(act="pause")
    assert (row.account, row.actor, row.about, row.target, row.job_id) == (olga, olga.username, "job", "night", job.pk)
    assert (row.project, row.reason) == ("alpha", "the disk is full")
    assert row.at == job.events.get(type="operator.pause").at


def test_an_act_of_the_command_line_is_a_row_too() -> None:
    paused("night")
    assert Activity.objects.get(act="pause").actor == "system"


def test_a_row_stays_when_its_job_and_its_account_are_deleted() -> None:
    olga = operator("pause")
    job = paused("night", by=olga)
    name = olga.username
    Job(pk=job.pk).delete()
    olga.delete()
    row = Activity.objects.get(act="pause")
    assert (row.account, row.actor, row.job_id, row.target) == (None, name, job.pk, "night")


def test_tokens_are_issued_rotated_and_revoked_in_the_activity() -> None:
    lead = User.objects.create(username="lead", is_superuser=True)
    secret = tokens.issue("w", by=lead, reason="new worker")
    from knox.models import AuthToken

    tokens.revoke(AuthToken.objects.get(), by=lead)
    rows = list(Activity.objects.filter(about="token").order_by("pk").values_list("act", "reason"))
    assert rows == [("issue", "new worker"), ("revoke", "")]
    assert not Activity.objects.filter(detail__contains=secret).exists()


def test_a_changed_role_and_a_membership_are_rows(admin_client: Client) -> None:
    account = User.objects.create(username="w", is_staff=True)
    lead = Group.objects.get(name="lead")
    admin_client.post(f"/admin/auth/user/{account.pk}/change/", {
        "username": "w", "groups": [lead.pk], "is_staff": "on", "is_active": "on",
        "date_joined_0": "2026-11-01", "date_joined_1": "10:00:00",
    })  # fmt: skip
    admin_client.post("/admin/jobs/membership/add/", {"user": account.username, "project": "alpha"})
    admin_client.post(f"/admin/jobs/membership/{Membership.objects.get().pk}/delete/", {"post": "yes"})
    rows = list(Activity.objects.exclude(about="sign-in").order_by("pk").values_list("act", "about", "project"))
    assert rows == [("change", "account", ""), ("add", "membership", "alpha"), ("delete", "membership", "alpha")]
    assert "Groups" in Activity.objects.get(about="account").detail


def test_a_bulk_act_is_one_row_that_leads_to_those_of_its_jobs() -> None:
    act = begun(
        "pause", [make_job(name=name, items=2) for name in "abc"], actor=operator("pause"), reason="maintenance"
    )
    assert bulk.run_bulk_act(act, seconds=60)
    lead = signed_in("lead")
    shown = [row for row in rows_of(lead) if row.about != "sign-in"]
    assert [(row.act, row.about, row.reason) for row in shown] == [("pause", "bulk", "maintenance")]
    assert {row.target for row in rows_of(lead, f"?bulk={shown[0].target_id}")} == {"a", "b", "c"}


# --- the page --------------------------------------------------------------------------------------


def test_the_page_says_who_did_what_and_why_newest_first() -> None:
    paused("night", by=operator("pause"), reason="first")
    paused("day", by=operator("pause"), reason="second")
    page = text(signed_in("viewer"))
    assert page.index("second") < page.index("first")
    assert "paused" in page


@pytest.mark.parametrize("query", ["?actor={who}", "?act=pause", "?project=alpha", "?job={job}", "?since=2026-11-20"])
def test_each_filter_narrows_the_page_and_the_export(query: str) -> None:
    olga = operator("pause")
    job = paused("night", project="alpha", by=olga)
    other = paused("day", project="beta")
    operations.resume(other, actor=None, reason="on")
    Activity.objects.exclude(job_id=job.pk).update(at=datetime(2026, 1, 1, tzinfo=UTC), act="resume")
    Activity.objects.filter(job_id=job.pk).update(at=datetime(2026, 11, 20, 12, tzinfo=UTC))
    client = signed_in("viewer")
    found = rows_of(client, query.format(who=olga.username, job=job.pk))
    assert [row.target for row in found] == ["night"]
    assert "night" in text(client, query.format(who=olga.username, job=job.pk))


def test_the_last_day_of_a_range_is_inside() -> None:
    paused("night")
    Activity.objects.update(at=datetime(2026, 11, 20, 23, 59, tzinfo=UTC))
    client = signed_in("viewer")
    assert [len(rows_of(client, f"?until={day}")) for day in ("2026-11-19", "2026-11-20")] == [0, 1]


def test_pages_follow_each_other_without_gap_or_repetition() -> None:
    at = datetime(2026, 11, 20, tzinfo=UTC)
    Activity.objects.bulk_create(
        Activity(at=at + timedelta(seconds=n // 3), actor="olga", act="pause", about="job", target=f"target-{n:03}")
        for n in range(120)
    )
    client, query, seen = signed_in("viewer"), "?actor=olga", []
    for _ in range(3):
        page = client.get(f"{PAGE}{query}")
        seen += [row.activity.target for row in page.context["rows"]]
        query = f"?{page.context['older']}"
    assert seen == [f"target-{n:03}" for n in reversed(range(120))]
    assert page.context["older"] == ""


def test_a_limited_account_sees_the_rows_of_its_projects_only() -> None:
    paused("night", project="alpha")
    paused("secret", project="beta")
    paused("nowhere")
    client = signed_in("lead", projects=("alpha",))
    assert [row.target for row in rows_of(client)] == ["night"]
    page = text(client)
    assert "night" in page
    assert "secret" not in page
    assert "nowhere" not in page


def test_rows_about_access_need_the_permission_to_manage_tokens() -> None:
    tokens.issue("w", by=User.objects.create(username="lead", is_superuser=True))
    assert "token" in {row.about for row in rows_of(signed_in("lead"))}
    assert rows_of(signed_in("operator")) == []


def test_the_page_costs_the_same_for_many_rows(django_assert_num_queries: Callable[..., Any]) -> None:
    client = signed_in("lead")

    def cost() -> int:
        with CaptureQueriesContext(connection) as captured:
            text(client)
        return len(captured)

    few = cost()
    for number in range(30):
        record_activity("pause", by=Actor(name="olga"), about="job", label=f"t{number}")
    assert cost() == few


def test_wrong_filters_are_ignored_and_hostile_text_is_text() -> None:
    paused("night", reason="<script>alert(1)</script>")
    page = text(signed_in("lead"), "?job=abc&since=yesterday&before=99999999999999999999&actor=%00")
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


@pytest.mark.django_db(transaction=True)
def test_the_exports_have_what_the_filters_leave(transactional_db: None) -> None:
    job = paused("night", project="alpha", reason="=HYPERLINK(1)")
    paused("day", project="beta")
    lead = signed_in("lead", projects=("alpha",))
    [row] = table(lead.get(f"{PAGE}export.csv?act=pause"))
    assert (row["target"], row["job"], row["reason"]) == ("night", str(job.pk), "'=HYPERLINK(1)")
    [line] = content(lead.get(f"{PAGE}export.ndjson")).splitlines()
    assert json.loads(line)["reason"] == "=HYPERLINK(1)"


# --- the page of a job -----------------------------------------------------------------------------


def test_the_head_of_a_job_names_its_last_act_and_links_all() -> None:
    olga = operator("pause")
    job = paused("night", by=olga, reason="customer waits")
    page = signed_in("viewer").get(f"/admin/jobs/job/{job.pk}/").content.decode()
    head = page.split('data-section="last-act"', 1)[1].split("</section>", 1)[0]
    assert "Paused" in head
    assert olga.username in head
    assert "customer waits" in head
    assert f"/admin/activity/?job={job.pk}" in head


def test_a_job_without_acts_has_no_last_act() -> None:
    job = make_job(name="night", items=1)
    assert b'class="last-act' not in signed_in("viewer").get(f"/admin/jobs/job/{job.pk}/").content


def test_the_permission_is_needed() -> None:
    account = User.objects.create(username="staff", is_staff=True)
    client = Client()
    client.force_login(account)
    assert [client.get(f"{PAGE}{end}").status_code for end in ("", "export.csv", "export.ndjson")] == [403, 403, 403]
    account.user_permissions.add(Permission.objects.get(codename="view_activity"))
    assert client.get(PAGE).status_code == 200
