"""The page of one item."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Permission

from jobs import operations, tracking
from jobs.models import Item
from tests.factories import WORKER, finished_job, item_of, make_job, phase_of, take, tell
from tests.jobs.rules.conftest import Clock


def address(item: Item) -> str:
    """Return the address of the item page."""
    return f"/admin/jobs/item/{item.pk}/change/"


def reasons(page: Any) -> dict[str, str]:
    """Why each button that is off cannot be pressed."""
    return {node.text: node.attributes["title"] for node in page.root.find("span", cls="off")}


def test_it_says_where_it_belongs_who_had_it_and_its_whole_error(lead: Any) -> None:
    job = make_job(name="vision-7", items=0, project="alpha")
    job = make_job(name="vision-8", project="alpha")
    payload = [tracking.NewItem("a/b.png", label="Picture 1", split="train", payload={"width": 640})]
    tracking.add_items(phase_of(job), items=payload, by=WORKER)
    take(phase_of(job), 1, worker="w-7")
    tell(phase_of(job), "a/b.png", "failed", worker="w-7", error="no such file: a/b.png")
    page = lead.open(address(item_of(job, "a/b.png")))
    head = page.section("head")
    assert head.startswith("Item of Items in vision-8 Running · Generic · project alpha")
    assert "no such file: a/b.png" in head
    assert "Key a/b.png Label Picture 1 Split train Worker w-7 last seen" in head
    assert "Lease not leased Attempt 1 increases with every claim Expired leases 0 of 3" in head
    assert '"width": 640' in page.section("payload")
    assert page.section("result") == "Result reported by the worker No result yet."
    assert lead.open(page.links()["Failed items of this phase with the same error"]).root.find("input", name="item")


def test_a_failed_item_is_retried_from_its_page(lead: Any) -> None:
    job = make_job(items=3, done=1, failed=1)
    item = item_of(job, "k1")
    page = lead.open(address(item))
    assert reasons(page) == {"Release…": "No worker holds it."}
    confirmed = lead.confirm(page.links()["Retry…"], reason="the service is back")
    assert confirmed.messages == [f"{job.name}: 1 retried."]
    assert confirmed.response.redirect_chain[-1][0] == address(item)
    assert item_of(job, "k1").status == "pending"
    timeline = confirmed.section("timeline")
    assert "names this item" in timeline
    assert "the service is back" in timeline


@pytest.mark.parametrize(
    ("status", "off"),
    [
        ("completed", {"Retry…", "Skip…", "Release…"}),
        ("skipped", {"Retry…", "Skip…", "Release…"}),
        ("pending", {"Retry…", "Release…"}),
        ("failed", {"Release…"}),
    ],
)
def test_what_the_state_of_the_item_forbids_is_off(lead: Any, status: str, off: set[str]) -> None:
    job = make_job(items=4, done=1, failed=1, skipped=1)
    item = Item.objects.get(phase__job=job, status=status)
    page = lead.open(address(item))
    assert set(reasons(page)) == off
    if "Retry…" in off:
        assert reasons(page)["Retry…"] == f"It is {status}; only a failed item can be retried."


def test_a_held_item_is_released_when_its_lease_is_over(lead: Any, clock: Clock) -> None:
    job = make_job(items=2)
    take(phase_of(job), 1, worker="w-7", seconds=90)
    item = item_of(job, "k0")
    page = lead.open(address(item))
    assert "leased for another 90 s" in page.section("head")
    assert reasons(page)["Release…"] == "w-7 holds it under a live lease until 12:01:30 UTC."
    assert reasons(page)["Skip…"] == reasons(page)["Release…"]
    clock.forward(timedelta(minutes=5).total_seconds())
    page = lead.open(address(item))
    assert "the lease expired 3 min ago" in page.section("head")
    assert set(reasons(page)) == {"Retry…"}
    Item.objects.filter(pk=item.pk).update(lease_expires_at=None)
    page = lead.open(address(item))
    assert "held without a lease; release the item to free it" in page.section("head")
    assert set(reasons(page)) == {"Retry…"}


def test_a_phase_that_is_closed_for_good_says_so(lead: Any) -> None:
    job = finished_job("forced")
    off = reasons(lead.open(address(item_of(job, "k1"))))
    assert off["Skip…"] == "Items is closed for good; possible there only after a restart."


def test_a_viewer_sees_it_and_may_press_nothing(browser: Any) -> None:
    job = make_job(items=1, failed=1)
    page = browser("viewer").open(address(item_of(job, "k0")))
    assert "View only." in page.section("acts")
    assert reasons(page) == {}


def test_an_item_out_of_sight_is_not_there(browser: Any) -> None:
    item = item_of(make_job(items=1, project="b"), "k0")
    assert "k0" not in browser("viewer", projects=["a"]).open(address(item), status=404).text
    assert "jobs.view_item" in browser("").open(address(item), status=403).text
    browser("lead").open("/admin/jobs/item/999999999/change/", status=404)


def test_seeing_jobs_is_not_enough_to_see_an_item(browser: Any) -> None:
    job, staff = make_job(items=1), browser("")
    staff.account.user_permissions.add(Permission.objects.get(codename="view_job"))
    assert "jobs.view_item" in staff.open(address(item_of(job, "k0")), status=403).text


def test_what_a_worker_wrote_of_an_item_is_text(lead: Any) -> None:
    evil = '"><script>alert(1)</script>'
    job = make_job()
    items = [tracking.NewItem(evil, label=evil, split=evil, payload={evil: evil})]
    tracking.add_items(phase_of(job), items=items, by=WORKER)
    tell(phase_of(job), evil, "failed", worker=evil, error=evil)
    page = lead.open(address(item_of(job, evil)))
    assert page.text.count(evil) >= 5
    assert evil not in page.source


def test_it_costs_the_same_beside_many_items(lead: Any, django_assert_max_num_queries: Any) -> None:
    job = make_job(items=300, failed=100)
    operations.retry(job, actor=None)
    lead.open(address(item_of(job, "k0")))
    with django_assert_max_num_queries(20):
        lead.open(address(item_of(job, "k0")))
