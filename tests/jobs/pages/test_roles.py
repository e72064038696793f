"""Every role and every act, on the confirmation page and on the command line. REST: `api/test_access.py`."""

from __future__ import annotations

from datetime import timedelta
from io import StringIO
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.core.management import CommandError, call_command
from django.utils import timezone
from knox.models import AuthToken

from jobs import operations
from jobs.models import Item, Job
from jobs.operations.registry import ACTS
from tests.factories import item_of, phase_of, working_job

OPERATOR = {"retry", "release", "lift", "skip", "pause", "resume", "retries", "due", "priority", "limit"}
MAY = {"viewer": set(), "operator": OPERATOR, "lead": set(ACTS), "worker": set()}
ARGUMENTS: dict[str, list[str]] = {
    "threshold": ["items", "50"],
    "restart": ["items"],
    "skip": ["--key", "k3"],
    "retries": ["items", "--retries", "3"],
    "due": ["--expected-seconds", "60"],
    "priority": ["-7"],
    "limit": ["items", "--max-leased", "3"],
}
ANSWERS = {
    "phase": "items",
    "threshold": "50",
    "only": "all",
    "expected_seconds": "60",
    "retries": "3",
    "priority": "-7",
    "max_leased": "3",
}


def ready_for(slug: str) -> Job:
    """A job that the act can be done to."""
    job = working_job()
    Item.objects.filter(status="processing").update(lease_expires_at="2026-01-01T00:00:00Z")
    if slug == "resume":
        operations.pause(job, actor=None)
    if slug == "lift":
        now = timezone.now()
        phase_of(job).quarantines.create(worker="w1", since=now, until=now + timedelta(hours=1), failures=20)
        job.phases.update(quarantined=1)
    if slug == "delete":
        operations.cancel(job, actor=None)
        job.refresh_from_db()
    return job


def acts_of(job: Job, name: str) -> list[tuple[str, str, str]]:
    """The acts of this account: type and reason in the timeline, and the sentence in the log of the admin."""
    events = job.events.filter(type__startswith="operator.", actor=name).values_list("type", "reason")
    log = LogEntry.objects.filter(user__username=name, object_id=str(job.pk)).values_list("change_message", flat=True)
    return [(*event, sentence) for event, sentence in zip(events, log, strict=True)]


def recorded(done: list[tuple[str, str, str]], slug: str) -> bool:
    """Was exactly this act done, and written down with its reason in both places?"""
    if not done:
        return False
    [(kind, reason, sentence)] = done
    return (kind, reason) == (f"operator.{ACTS[slug].verb}", "why") and "why" in sentence


@pytest.mark.parametrize("slug", ACTS)
@pytest.mark.parametrize("role", MAY)
def test_the_page_that_was_opened_in_time_does_it_for_whom_may_now(browser: Any, role: str, slug: str) -> None:
    job, staff = ready_for(slug), browser("lead")
    address = f"/admin/jobs/job/{job.pk}/{slug}/" + (f"?item={item_of(job, 'k3').pk}" if slug == "skip" else "")
    asked = staff.open(address)
    staff.account.groups.set([Group.objects.get(name=role)])
    answers = {"reason": "why", "name": job.name, **ANSWERS}
    confirmed = staff.confirm(address, page=asked, status=200 if slug in MAY[role] else 403, **answers)
    done = acts_of(job, staff.account.username)
    assert recorded(done, slug) == (slug in MAY[role]), confirmed.messages
    if slug not in MAY[role]:
        assert "Needs the permission" in confirmed.text


@pytest.mark.parametrize("slug", ACTS)
@pytest.mark.parametrize("role", MAY)
def test_the_command_does_it_as_somebody_who_may(browser: Any, role: str, slug: str) -> None:
    job, account = ready_for(slug), browser(role).account
    arguments = [slug, str(job.pk), *ARGUMENTS.get(slug, []), "--reason", "why", "--as", account.username]
    if slug in MAY[role]:
        call_command("jobs", *arguments, stdout=StringIO(), stderr=StringIO())
    else:
        with pytest.raises(CommandError, match=f"jobs.{ACTS[slug].verb}_job"):
            call_command("jobs", *arguments, stdout=StringIO(), stderr=StringIO())
    assert recorded(acts_of(job, account.username), slug) == (slug in MAY[role])


@pytest.mark.parametrize("path", ["", "jobs/job/", "jobs/item/", "errors/", "jobs/worker/"])
def test_an_account_that_is_not_of_the_staff_is_asked_to_sign_in(browser: Any, path: str) -> None:
    staff = browser("lead")
    staff.account.is_staff = False
    staff.account.save()
    response = staff.client.get(f"/admin/{path}")
    assert (response.status_code, response["Location"].startswith("/admin/login/")) == (302, True)


def test_the_history_of_a_row_needs_the_permission_before_the_row_is_looked_up(browser: Any) -> None:
    somebody, account = browser("viewer", projects=["a"]), browser("viewer", projects=["b"]).account
    token, _ = AuthToken.objects.create(account)
    for path in (f"auth/user/{account.pk}", "auth/user/987654", f"knox/authtoken/{token.pk}", "knox/authtoken/none"):
        assert somebody.client.get(f"/admin/{path}/history/").status_code == 403, path


def test_no_address_says_whether_a_row_exists_that_the_account_may_not_see(browser: Any) -> None:
    kind = ContentType.objects.get_for_model(Job).pk
    for pk in (working_job().pk, 987_654):
        assert browser("").client.get(f"/admin/r/{kind}/{pk}/").status_code == 404
