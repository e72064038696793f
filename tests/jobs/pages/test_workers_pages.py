"""The list of workers and the page of one."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import tracking
from jobs.change import Actor
from jobs.models import Item, Job, Worker, WorkerTally
from jobs.models.workers import slot_of
from tests.factories import make_job, phase_of, settle, take
from tests.jobs.pages.test_exporting import reader, table

LIST = "/admin/jobs/worker/"


def make_worker(name: str, *, silent: timedelta = timedelta(0), holds: int = 0, job: Job | None = None) -> Worker:
    """Make a worker that has been silent for so long and holds so many items."""
    job = job or make_job(items=9)
    tracking.heartbeat(job, worker=name, by=Actor(name=name, version=f"{name}-1.4.2"))
    if holds:
        take(phase_of(job), holds, worker=name, seconds=7200)
    Worker.objects.filter(name=name).update(seen_at=timezone.now() - silent)
    return Worker.objects.get(name=name)


def tallied(worker: str, *, minutes: int, done: int, failed: int = 0) -> None:
    """Record items that a worker settled so long ago."""
    slot = slot_of(timezone.now() - timedelta(minutes=minutes))
    WorkerTally.objects.create(worker=worker, slot=slot, done=done, failed=failed)


def names(page: Any) -> list[str]:
    """The workers of the list, in its order."""
    return [cell.text for cell in page.root.find("th", cls="field-name")]


def fleet() -> None:
    """One of each."""
    make_worker("gone", silent=timedelta(hours=3))
    make_worker("alive", holds=1)
    make_worker("silent", silent=timedelta(minutes=3))
    make_worker("silent-holds", silent=timedelta(minutes=4), holds=2)
    make_worker("gone-holds", silent=timedelta(hours=2), holds=1)


def test_the_list_begins_with_silent_workers_that_hold_items(lead: Any) -> None:
    fleet()
    assert names(lead.open(LIST)) == ["silent-holds", "gone-holds", "silent", "alive", "gone"]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("?state=alive", ["alive"]),
        ("?state=silent", ["silent-holds", "silent"]),
        ("?state=gone", ["gone-holds", "gone"]),
        ("?holding=yes", ["silent-holds", "gone-holds", "alive"]),
        ("?state=gone&holding=yes", ["gone-holds"]),
        ("?state=nonsense", ["silent-holds", "gone-holds", "silent", "alive", "gone"]),
        ("?q=silent&o=2", ["silent", "silent-holds"]),
    ],
)
def test_the_list_is_narrowed_and_ordered(lead: Any, query: str, found: list[str]) -> None:
    fleet()
    assert names(lead.open(LIST + query)) == found


def test_a_row_says_version_what_it_holds_and_what_it_did_in_the_last_hour(lead: Any) -> None:
    make_worker("ocr", holds=3)
    tallied("ocr", minutes=0, done=4, failed=1)
    tallied("ocr", minutes=50, done=6)
    tallied("ocr", minutes=65, done=100)
    row = next(row for row in lead.open(LIST).root.find("tr") if "ocr-1.4.2" in row.text)
    cells = {cell.attributes.get("class", "").removeprefix("field-"): cell.text for cell in row.find("td")}
    assert (cells["version_text"], cells["holds"], cells["done"], cells["failed"]) == ("ocr-1.4.2", "3", "10", "1")


@pytest.mark.parametrize("many", [2, 20])
def test_the_queries_of_the_list_do_not_grow(lead: Any, django_assert_max_num_queries: Any, many: int) -> None:
    for place in range(many):
        make_worker(f"w-{place}", holds=1)
    lead.open(LIST)
    with django_assert_max_num_queries(14):
        lead.open(LIST)


def test_the_file_has_the_figures_of_every_row(transactional_db: None) -> None:
    make_worker("ocr", holds=3, silent=timedelta(minutes=3))
    tallied("ocr", minutes=0, done=4, failed=1)
    [row] = table(reader("view_worker").get(f"{LIST}export.csv?holding=yes"))
    kept = ("name", "version", "state", "holds", "done_last_hour", "failed_last_hour")
    assert [row[column] for column in kept] == ["ocr", "ocr-1.4.2", "silent", "3", "4", "1"]


def test_the_page_of_a_worker_says_who_it_is_what_it_holds_and_what_it_failed(lead: Any) -> None:
    job = make_job(name="ocr-7", items=9)
    worker = make_worker("ocr", holds=3, job=job, silent=timedelta(minutes=3))
    Worker.objects.filter(pk=worker.pk).update(message="page 7 of 9")
    tracking.report(
        phase_of(job), worker="ocr", results=[tracking.Result("k8", "failed", error="no ink")], by=Actor(name="ocr")
    )
    Worker.objects.filter(pk=worker.pk).update(seen_at=timezone.now() - timedelta(minutes=3))
    page = lead.open(worker.get_absolute_url())
    about = page.section("worker")
    for fact in ("Silent last seen 3 min ago on ocr-7", "Version ocr-1.4.2", "Message page 7 of 9", "0 done, 1 failed"):
        assert fact in about
    assert "ocr-7 3 3" in page.section("holds")
    assert "k8 ocr-7 no ink" in page.section("worker-failures")
    assert "1 failed per hour" not in page.section("day")
    assert page.root.find("svg", cls="picture")[0].attributes["aria-label"].startswith("Items per hour: ")


def test_releasing_on_the_page_frees_exactly_what_this_worker_holds(lead: Any) -> None:
    job = make_job(items=9)
    worker = make_worker("quiet", holds=3, job=job, silent=timedelta(minutes=3))
    take(phase_of(job), 2, worker="other")
    page = lead.open(worker.get_absolute_url())
    back = lead.confirm(page.links()["Release 3 leases…"])
    assert "It has no leased items." in back.section("holds")
    held = Item.objects.filter(phase__job=job, status="processing")
    assert set(held.values_list("worker", flat=True)) == {"other"}


def test_a_viewer_sees_the_release_switched_off_with_the_reason(browser: Any) -> None:
    worker = make_worker("quiet", holds=3)
    [off] = browser("viewer").open(worker.get_absolute_url()).root.find("span", cls="off")
    assert "Can release items" in off.attributes["title"]


def test_the_hours_of_a_day_are_drawn_each_with_its_sum(lead: Any) -> None:
    worker = make_worker("busy")
    now = timezone.now()
    for slot in {slot_of(now - timedelta(minutes=5 * n)) for n in range(36)}:
        WorkerTally.objects.create(worker="busy", slot=slot, done=10, failed=0)
    label = lead.open(worker.get_absolute_url()).root.find("svg", cls="picture")[0].attributes["aria-label"]
    assert label.startswith("Items per hour: 120 in the last full hour, peak 120; 360 done")


def test_a_worker_of_another_project_or_none_is_not_found(browser: Any) -> None:
    worker = make_worker("theirs", job=make_job(name="theirs-job", items=3, project="b"))
    limited = browser("lead", projects=["a"])
    limited.open(worker.get_absolute_url(), status=404)
    limited.open("/admin/jobs/worker/999/", status=404)
    browser("").open(worker.get_absolute_url(), status=403)


def test_a_limited_account_sees_only_what_the_worker_holds_and_failed_in_its_projects(browser: Any) -> None:
    mine, theirs = make_job(name="mine", items=5, project="a"), make_job(name="theirs", items=5, project="b")
    for job in (theirs, mine):
        take(phase_of(job), 1, worker="w1")
        settle(phase_of(job), ["failed"], start=3)
    worker = Worker.objects.get(name="w1")
    text = browser("viewer", projects=["a"]).open(worker.get_absolute_url()).text
    assert "mine" in text
    assert "theirs" not in text


def test_what_a_worker_writes_of_itself_is_text(lead: Any) -> None:
    evil = "<script>alert(1)</script>"
    tracking.heartbeat(make_job(items=1), worker=evil, message=evil, by=Actor(name=evil, version=evil))
    for address in (LIST, Worker.objects.get().get_absolute_url()):
        page = lead.open(address)
        assert evil in page.text
        assert evil not in page.source


def test_items_are_narrowed_to_a_worker(lead: Any) -> None:
    job = make_job(items=4)
    take(phase_of(job), 1, worker="w-1")
    take(phase_of(job), 1, worker="w-2")
    page = lead.open("/admin/jobs/item/?worker=w-1&status__exact=processing")
    assert "k0" in page.text
    assert "k1" not in page.text
