"""Two projects that use the same names: an account of one never reads a word of the other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import async_to_sync
from django.contrib.auth.models import Group, Permission, User
from django.test import Client
from django.urls import get_resolver, reverse
from django.utils import timezone
from knox.models import AuthToken

from jobs import inbox, operations, tracking
from jobs.models import Attempt, Delivery, Endpoint, Event, InboxMessage, Item, Job, Membership, Worker
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Actor, Link, NewItem, Result
from ocr_chunks.documents import create_document
from tests.factories import make_job, phase_of, take
from tests.hostile_data import World, badge_of, done_in_bulk, pages, resolvers
from tests.jobs.live.conftest import Watch, run, sign_in, watch
from training.sessions import NewImage, create_session

__all__ = ["watch"]

pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "canary-of-b"
SHARED = {"worker": "gpu-1", "key": "page-1", "endpoint": "warehouse", "error": "disk full"}


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


def make_project(project: str, text: str) -> World:
    """Make one of everything in a project: this text in every field, and the shared names."""
    reporter = account(f"{text}-reporter", "worker", project)
    by = Actor(account=reporter, name=SHARED["worker"], version=f"{text}-1.0")
    endpoint = Endpoint.objects.create(
        name=SHARED["endpoint"], url=f"https://{text}.example/", project=project, types=["*"], created_at=timezone.now()
    )
    job = make_items(project, text, by=by)
    document = create_document(name=f"{text}.pdf", page_count=60, project=project, by=by).document
    session = create_session(name=text, images=[NewImage(f"{text}/1.jpg")], project=project, by=by).session
    letter = inbox.store_dead_letter({"type": text, "data": {text: text}}, reason=text, source=text)
    InboxMessage.objects.filter(pk=letter.pk).update(phase=phase_of(job))
    Delivery.objects.update(error=text, status="dead", tries=9)
    token, _ = AuthToken.objects.create(reporter)
    jobs = [job, Job.objects.get(pk=document.pk), Job.objects.get(pk=session.pk)]
    event = Event.objects.filter(job__project=project, outward=True).order_by("pk")[0]
    values = {
        "job_id": [each.pk for each in jobs],
        "endpoint_id": [endpoint.pk],
        "delivery_id": list(event.deliveries.values_list("pk", flat=True)),
        "letter_id": [letter.pk],
        "bulk_id": [done_in_bulk(jobs, text).pk],
        "event_id": [event.pk],
        "item_id": list(Item.objects.filter(phase__job=job).values_list("pk", flat=True)[:2]),
        "attempt_id": list(Attempt.objects.filter(item__phase__job=job).exclude(log="").values_list("pk", flat=True)),
        "worker_id": list(Worker.objects.filter(owner=reporter.pk).values_list("pk", flat=True)),
        "code": ["items"],
        "worker": [SHARED["worker"]],
        "document_id": [document.pk],
        "session_id": [session.pk],
        "id": [reporter.pk],
        "app_label": ["auth", "jobs", "ocr_chunks", "training"],
        "notation": ["csv", "json"],
        "signed": [],
        "token": [token.digest],
    }
    return World(jobs, values)


def make_items(project: str, text: str, *, by: Actor) -> Job:
    """Make a job whose items are pending, held, failed and completed, by the worker of the shared name."""
    items = [NewItem(SHARED["key"]), *[NewItem(f"{text}-{n}", label=text, payload={text: text}) for n in range(9)]]
    spec = PhaseSpec(code="items", label=text, stage=f"{text} {{done}}")
    job = tracking.create_job(
        name=f"job of {text}", project=project, phases=[spec], items=items, metadata={text: text}, by=by
    ).job
    phase, worker = phase_of(job), SHARED["worker"]
    results = [
        Result(SHARED["key"], "failed", error=SHARED["error"]),
        Result(
            items[1].key,
            "failed",
            error=f"{SHARED['error']} on {text}",
            log=text,
            links=(Link(text, f"https://{text}.example/log"),),
        ),
        Result(items[2].key, "completed", result={text: text}),
    ]
    tracking.report(phase, worker=worker, results=results, by=by)
    tracking.claim(phase, worker=worker, limit=2, by=by)
    tracking.heartbeat(job, worker=worker, message=text, by=by)
    operations.pause(job, actor=None, reason=text)
    operations.resume(job, actor=None, reason=text)
    small = tracking.create_job(name=f"small of {text}", project=project, items=[NewItem("k")], by=by).job
    operations.force_complete(small, actor=None, reason=text)
    tracking.report(phase, worker=worker, results=[Result(items[3].key, "failed", error=text)], by=by)
    return Job.objects.get(pk=job.pk)


def rest_calls(world: World) -> Iterator[str]:
    """Yield the address of every REST call, for each value of each parameter; streams are followed elsewhere."""
    for _, resolver in resolvers(get_resolver()):
        for name in sorted(key for key in resolver.reverse_dict if isinstance(key, str) and key.startswith("api-")):
            if name not in ("api-stream", "api-job-stream", "api-docs", "api-schema"):
                for possibilities, *_ in resolver.reverse_dict.getlist(name):
                    yield from filled(name, possibilities[0][1], world)


def filled(name: str, parameters: list[str], world: World) -> Iterator[str]:
    """Yield the addresses of one call."""
    numbers = {"job_id": "job_id", "event_id": "event_id", "endpoint_id": "endpoint_id"}
    for place in range(2):
        kwargs = {each: world.values[numbers.get(each, each)][place % len(world.values[each])] for each in parameters}
        yield reverse(name, kwargs=kwargs)


def body(response: Any) -> str:
    """Return everything that a response holds: its headers and its content, also where that is a stream."""

    async def gather() -> bytes:
        return b"".join([piece async for piece in response.streaming_content])

    content = async_to_sync(gather)() if response.streaming else response.content
    return f"{response.headers}\n{content.decode()}"


def test_an_account_of_one_project_never_reads_a_word_of_another() -> None:
    theirs, mine = make_project("b", CANARY), make_project("a", "word-of-a")
    client = Client()
    client.force_login(viewer())
    both = World([*theirs.jobs, *mine.jobs], {name: [*theirs.values[name], *mine.values[name]] for name in mine.values})
    both.values["notation"], both.values["app_label"] = mine.values["notation"], mine.values["app_label"]
    both.values["signed"] = [badge_of(mine.jobs[0])]
    texts = (SHARED["worker"], CANARY[:-2])
    found = [f"{address}?q={text}&status=all" for address in lists() for text in texts]
    addresses = {*pages(both), *rest_calls(both), "/metrics", *found, *narrowed_lists()}
    read = {address: body(client.get(address, follow=True)) for address in sorted(addresses)}
    assert [address for address, text in read.items() if CANARY in text] == []
    assert sum("word-of-a" in text for text in read.values()) > 50


def lists() -> list[str]:
    """Return the lists and the pages that search."""
    models = ("job", "item", "event", "worker", "delivery", "endpoint", "inboxmessage", "bulkact")
    own = [f"/admin/jobs/{model}/" for model in models]
    return [*own, "/admin/", "/admin/errors/", "/admin/auth/user/", "/admin/knox/authtoken/", "/api/v1/jobs"]


def narrowed_lists() -> list[str]:
    """Return the lists under the filters that name what the projects share."""
    worker, error = SHARED["worker"], SHARED["error"]
    return [
        f"/admin/jobs/item/?worker={worker}",
        f"/admin/jobs/item/export.csv?worker={worker}",
        "/admin/jobs/worker/export.csv?holding=yes",
        f"/admin/errors/?signature={error}",
        f"/api/v1/errors?signature={error}",
        "/api/v1/jobs?project=b",
        "/api/v1/events?project=b",
        "/admin/?project=b",
        *(f"/admin/autocomplete/?term=&app_label=jobs&model_name=membership&field_name={name}" for name in ("user",)),
    ]


async def test_no_frame_of_another_project_reaches_the_socket_of_a_list(watch: Watch) -> None:
    await run(make_project, "b", CANARY)
    mine = await run(make_job, items=3, project="a")
    _, key = await run(sign_in, "view_job", projects=["a"])
    browser = watch("/ws/jobs", session_key=key)
    assert [job["id"] for job in await browser.begin()] == [mine.pk]
    theirs = await run(Job.objects.get, name=f"job of {CANARY}")
    await run(tracking.heartbeat, theirs, worker=SHARED["worker"], message=CANARY, by=Actor(name=SHARED["worker"]))
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
