"""Workers of one label: each belongs to the account that reports, and stays within its project."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.utils import timezone

from jobs import operations, tracking
from jobs.models import Item, Membership, Worker
from jobs.tracking import Actor, Result
from tests.factories import make_job, phase_of, take
from tests.jobs.live.conftest import Watch, run, sign_in, watch

__all__ = ["watch"]

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary-of-b"


def account(name: str, role: str, *projects: str) -> User:
    """Make an account of a role, limited to these projects."""
    made = User.objects.create(username=name, is_staff=role == "")
    made.groups.set(Group.objects.filter(name=role))
    Membership.objects.bulk_create([Membership(user=made, project=project) for project in projects])
    return made


def viewer() -> User:
    """Make an account of project a with every permission that there is."""
    made = account("of-a", "", "a")
    made.user_permissions.set(Permission.objects.all())
    return made


async def test_no_frame_of_another_project_reaches_the_socket_of_a_list(watch: Watch) -> None:
    theirs = await run(make_job, items=3, project="b", name=CANARY)
    mine = await run(make_job, items=3, project="a")
    _, key = await run(sign_in, "view_job", projects=["a"])
    browser = watch("/ws/jobs", session_key=key)
    assert [job["id"] for job in await browser.begin()] == [mine.pk]
    await run(tracking.heartbeat, theirs, worker="gpu-1", message=CANARY, by=Actor(name="gpu-1"))
    await run(operations.cancel, theirs, actor=None, reason=CANARY)
    await run(operations.cancel, mine, actor=None, reason="done")
    assert (await browser.hear_job())["id"] == mine.pk


def test_two_accounts_with_one_label_are_two_workers() -> None:
    for project in ("a", "b"):
        by = Actor(account=account(f"of-{project}", "worker", project), name="gpu-1", version=f"{project}-1")
        tracking.heartbeat(make_job(items=1, project=project), worker="gpu-1", message=f"in {project}", by=by)
    rows = Worker.objects.order_by("project").values_list("name", "account__username", "project", "message", "version")
    assert list(rows) == [("gpu-1", "of-a", "a", "in a", "a-1"), ("gpu-1", "of-b", "b", "in b", "b-1")]


def test_what_a_worker_said_in_one_project_does_not_move_with_it_to_another() -> None:
    by = Actor(account=account("fleet", "worker"), name="gpu-1", version="1.0")
    theirs, mine = make_job(items=5, project="b"), make_job(items=5, project="a")
    tracking.heartbeat(theirs, worker="gpu-1", message=CANARY, by=by)
    failures = [Result(f"k{n}", "failed", error="no") for n in range(4)]
    tracking.report(phase_of(theirs), worker="gpu-1", results=failures, by=by)
    quiet = Actor(account=by.account, name="gpu-1")
    tracking.report(phase_of(mine), worker="gpu-1", results=failures[:1], by=quiet)
    worker = Worker.objects.get()
    assert (worker.project, worker.job, worker.message, worker.version) == ("a", mine, "", "")
    assert worker.failed_in_a_row == 1
    tracking.report_many(
        [tracking.Batch(phase_of(job), "gpu-1", [Result("k4", "failed", error="no")], by) for job in (theirs, mine)]
    )
    assert Worker.objects.get().failed_in_a_row == 1


def test_a_worker_acts_for_its_account_alone() -> None:
    job = make_job(items=4)
    one, other = (Actor(account=account(name, "worker"), name="gpu-1") for name in ("one", "other"))
    held = tracking.claim(phase_of(job), worker="gpu-1", limit=2, by=one).items
    beat = tracking.heartbeat(job, worker="gpu-1", by=other)
    assert beat.leases == []
    assert tracking.heartbeat(job, worker="gpu-1", items=[held[0].id], by=other).lost == [held[0].id]
    assert len(tracking.heartbeat(job, worker="gpu-1", by=one).leases) == 2
    for status in ("processing", "pending"):
        [answer] = tracking.report(phase_of(job), worker="gpu-1", results=[Result("k0", status)], by=other).results
        assert answer.outcome == "stale"
    assert set(Item.objects.held().values_list("account__username", flat=True)) == {"one"}


def test_a_silent_worker_that_moved_to_another_project_shows_its_leases_and_no_link() -> None:
    by = Actor(account=account("fleet", "worker"), name="gpu-1")
    mine, theirs = make_job(name="mine", items=3, project="a"), make_job(name=CANARY, items=3, project="b")
    tracking.claim(phase_of(mine), worker="gpu-1", limit=2, by=by)
    take(phase_of(mine), 1, worker="gpu-1")  # the same label without an account, alive
    tracking.heartbeat(theirs, worker="gpu-1", message=CANARY, by=by)
    worker = Worker.objects.get(owner=by.account.pk)  # type: ignore[union-attr]
    Worker.objects.filter(pk=worker.pk).update(seen_at=timezone.now() - timedelta(minutes=3))
    client = Client()
    client.force_login(viewer())
    text = client.get("/admin/").content.decode()
    assert "silent 3 min, holds 2 items" in text
    assert worker.get_absolute_url() not in text
    assert CANARY not in text
    assert client.get(worker.get_absolute_url()).status_code == 404


def test_the_release_of_a_worker_leaves_another_account_with_its_label_alone() -> None:
    job = make_job(items=4, project="a")
    one, other = (Actor(account=account(name, "worker", "a"), name="gpu-1") for name in ("one", "other"))
    for by in (one, other):
        tracking.claim(phase_of(job), worker="gpu-1", limit=2, by=by)
    client = Client()
    client.force_login(User.objects.create(username="root", is_staff=True, is_superuser=True))
    query = f"match=items&worker=gpu-1&account={one.account.pk}&status=processing&all=1"  # type: ignore[union-attr]
    shown = client.get(f"/admin/jobs/job/{job.pk}/release/?{query}").content.decode()
    assert "2 items" in shown
    page = client.get(Worker.objects.get(owner=one.account.pk).get_absolute_url()).content.decode()  # type: ignore[union-attr]
    assert f"account={one.account.pk}" in page  # type: ignore[union-attr]
    assert "Release 2 leases" in page
