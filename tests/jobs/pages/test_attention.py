"""The attention list: its order, its texts and its buttons."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone

from jobs import tracking, watchdog
from jobs.console.overview.open_incidents import LISTED
from jobs.models import Delivery, Endpoint, Item, Job, ProcessHeartbeat, Tally, Worker
from jobs.models.outbox import DeliveryStatus
from tests.factories import make_job, phase_of, take


def make_stuck(name: str, **fields: Any) -> Job:
    """A job whose worker fell silent an hour ago."""
    job = make_job(name=name, items=12, done=4, threshold=90, **fields)
    Job.objects.filter(pk=job.pk).update(heartbeat_at=hours_ago(1), watched_from=hours_ago(1))
    watchdog.find_stuck()
    return job


def hours_ago(hours: float) -> datetime:
    """Return the time this many hours ago."""
    return timezone.now() - timedelta(hours=hours)


def make_held(name: str, *, worker: str, number: int = 2, silent: timedelta, seconds: int | None = 7200) -> Job:
    """A running job of which this worker took items before it fell silent."""
    job = make_job(name=name, items=9, done=1)
    take(phase_of(job), number, worker=worker, seconds=seconds)
    Worker.objects.filter(name=worker).update(seen_at=timezone.now() - silent)
    return job


def make_dead(number: int = 1, **fields: Any) -> Endpoint:
    """Create an endpoint with dead deliveries."""
    given = {"name": "billing", "url": "https://billing.example/", "types": ["job.completed"], **fields}
    active = given.pop("active", True)
    endpoint = Endpoint.objects.create(**given, created_at=timezone.now())
    for _ in range(number):
        make_job(items=1, done=1)
    Delivery.objects.filter(endpoint=endpoint).update(
        status=DeliveryStatus.DEAD, tries=8, error="HTTP 503", created_at=hours_ago(2)
    )
    Endpoint.objects.filter(pk=endpoint.pk).update(active=active)
    return endpoint


@pytest.fixture(autouse=True)
def watchdog_runs(db: None) -> None:
    """A watchdog has sent a heartbeat just now."""
    ProcessHeartbeat.objects.create(kind="watchdog", name="other:0", seen_at=timezone.now())


def section(browser: Any, query: str = "") -> str:
    """Return the text of the attention list."""
    text: str = overview(browser, query).section("attention")
    return text


def overview(browser: Any, query: str = "") -> Any:
    """Open the overview after a pass of the watchdog over the present state."""
    watchdog.reconcile()
    return browser.open(f"/admin/{query}")


def test_the_order_is_stuck_failed_dead_deliveries_silent_workers(lead: Any) -> None:
    make_held("held", worker="w-quiet", silent=timedelta(minutes=3))
    make_dead()
    make_job(name="retryable", items=17, done=14, failed=3, on_shortfall="fail")
    make_job(name="hopeless", items=17, done=2, failed=3, on_shortfall="fail")
    make_stuck("stuck")
    shown = section(lead)
    names = ["stuck", "hopeless", "retryable", "billing", "w-quiet"]
    assert sorted(names, key=shown.index) == names
    assert shown.startswith("Needs attention 5 ")


def test_dead_deliveries_say_how_many_for_whom_and_why_and_lead_to_the_replay(lead: Any) -> None:
    endpoint = make_dead(3)
    page = overview(lead)
    shown = page.section("attention")
    assert "Endpoint failing Deliveries to billing fail 3 deliveries" in shown
    asked = lead.open(page.links()["Replay 3…"])
    assert "Deliver again: 3 deliveries" in asked.text
    lead.confirm(page.links()["Replay 3…"], page=asked)
    assert set(Delivery.objects.filter(endpoint=endpoint).values_list("status", flat=True)) == {"waiting"}
    assert "Nothing needs attention." in overview(lead).text


def test_the_replay_of_an_endpoint_leaves_what_was_sent_alone(lead: Any) -> None:
    endpoint = make_dead(2)
    Delivery.objects.filter(pk=Delivery.objects.order_by("pk")[0].pk).update(status=DeliveryStatus.SENT)
    assert "Deliver again: 1 delivery" in lead.open(f"/admin/replay/?endpoint={endpoint.pk}").text
    lead.open("/admin/replay/?endpoint=999", status=404)
    lead.open("/admin/replay/", status=404)


@pytest.mark.parametrize(
    ("role", "fields", "why"),
    [
        ("viewer", {}, "Can deliver outward events again"),
        ("lead", {"active": False, "disabled_reason": "too many failures"}, "too many failures"),
    ],
)
def test_a_replay_that_is_not_possible_is_off_and_says_why(browser: Any, role: str, fields: Any, why: str) -> None:
    make_dead(**fields)
    [off] = overview(browser(role)).root.find("span", cls="off")
    assert off.text == "Replay 1…"
    assert why in off.attributes["title"]


def test_dead_deliveries_of_jobs_out_of_sight_are_not_told(browser: Any) -> None:
    make_dead()
    assert "Nothing needs attention." in section(browser("lead", projects=["a"]))
    assert "billing" not in overview(browser("lead"), "?project=a").text


def test_a_worker_that_is_silent_and_holds_items_is_named_with_what_it_holds(lead: Any) -> None:
    job = make_held("ocr-7", worker="w-quiet", number=3, silent=timedelta(minutes=3))
    page = overview(lead)
    shown = page.section("attention")
    assert "Silent w-quiet worker of ocr-7" in shown
    assert "silent 3 min, holds 3 items 3 live leases, the last expires in 1 h 59 min" in shown
    assert "ocr-7" not in page.section("running")
    lead.confirm(page.links()["Release 3 leases…"])
    assert Item.objects.filter(phase__job=job, status="pending").count() == 8
    assert "Nothing needs attention." in overview(lead).text


def test_one_that_is_gone_and_holds_items_without_a_lease_is_freed_by_a_release_only(lead: Any) -> None:
    job = make_held("old", worker="w-gone", silent=timedelta(hours=2))
    Item.objects.filter(phase__job=job, status="processing").update(lease_expires_at=None, lease_seconds=None)
    shown = section(lead)
    assert "Worker gone old" in shown
    assert "silent 2 h, holds 2 items" in shown
    assert "2 items without a lease; release them to free them" in shown
    assert "Release 2 leases…" in shown


def test_a_worker_that_is_alive_or_holds_nothing_needs_nobody(lead: Any) -> None:
    make_held("busy", worker="w-alive", silent=timedelta(seconds=20))
    make_job(name="idle", items=3, done=1)
    Worker.objects.create(name="w-idle", seen_at=hours_ago(1))
    assert "Nothing needs attention." in section(lead)


def test_leases_of_workers_that_are_alive_are_not_released_along_with_those_of_a_silent_one(lead: Any) -> None:
    job = make_held("shared", worker="w-quiet", silent=timedelta(minutes=3))
    take(phase_of(job), 1, worker="w-alive", seconds=600)
    lead.confirm(overview(lead).links()["Release 2 leases…"])
    assert [item.worker for item in Item.objects.held()] == ["w-alive"]


def test_those_of_several_silent_ones_only_where_nobody_else_holds_any(lead: Any) -> None:
    job = make_held("shared", worker="w-quiet", silent=timedelta(minutes=3))
    take(phase_of(job), 1, worker="w-silent", seconds=600)
    Worker.objects.filter(name="w-silent").update(seen_at=timezone.now() - timedelta(minutes=3))
    assert "Release 3 leases…" in overview(lead).links()
    take(phase_of(job), 1, worker="w-alive", seconds=600)
    [off] = overview(lead).root.find("span", cls="off")
    assert "Live workers hold items of this job too" in off.attributes["title"]


def test_several_silent_workers_of_a_job_are_one_row(lead: Any) -> None:
    job = make_held("shared", worker="w-1", silent=timedelta(minutes=4))
    take(phase_of(job), 2, worker="w-2")
    Worker.objects.filter(name="w-2").update(seen_at=timezone.now() - timedelta(minutes=2))
    assert "w-1 worker and 1 more of shared" in section(lead)
    assert "silent 4 min, hold 4 items" in section(lead)


def test_a_stuck_job_names_who_is_silent_and_offers_the_release_before_the_force(lead: Any) -> None:
    job = make_held("stuck", worker="w-quiet", silent=timedelta(minutes=50))
    Item.objects.filter(phase__job=job, status="processing").update(lease_expires_at=None)
    watchdog.find_stuck(timezone.now() + timedelta(hours=1))
    shown = lead.open("/admin/").section("attention")
    assert "2 items still held by w-quiet (silent 50 min)" in shown
    assert "Release 2 leases…" in shown
    assert shown.startswith("Needs attention 1 ")


def test_a_job_that_will_fail_is_found_among_more_running_ones_than_are_listed(lead: Any) -> None:
    make_job(name="hopeless", items=17, done=2, failed=3, on_shortfall="fail")
    for _ in range(31):
        make_job(items=3, done=1)
    assert "hopeless" in section(lead)


def test_how_much_is_done_and_since_when_it_failed_is_said(lead: Any) -> None:
    job = make_job(name="failed", items=120, done=44, failed=76, on_shortfall="fail")
    Job.objects.filter(pk=job.pk).update(finished_at=hours_ago(3))
    shown = section(lead)
    assert "failed 3 h ago: k119 failed: unknown error" in shown
    assert "Items: 44 done, 120 needed" in shown


def test_at_most_seven_incidents_are_shown_and_the_list_has_all(lead: Any) -> None:
    for place in range(LISTED + 2):
        make_job(name=f"failed-{place}", items=2, done=1, failed=1, on_shortfall="fail", project=f"a-{place}")
    Worker.objects.all().delete()
    page = overview(lead)
    assert page.section("attention").startswith(f"Needs attention {LISTED + 2} ")
    assert page.section("attention").count("Retry 1 failed…") == LISTED
    assert f"{LISTED} of {LISTED + 2}." in page.section("attention")
    assert page.links()["Open the full list"] == "/admin/incidents/"
    assert page.root.find("title")[0].text == f"({LISTED + 2}) Overview | Progress Site"
    assert lead.open("/admin/incidents/").text.count("Retry 1 failed…") == LISTED + 2


def test_acknowledged_incidents_are_folded_and_count_no_more(lead: Any) -> None:
    make_job(name="known", items=2, done=1, failed=1, on_shortfall="fail")
    Worker.objects.all().delete()
    lead.confirm(overview(lead).links()["Acknowledge…"], note="On it.")
    page = overview(lead)
    assert "Nothing needs attention." in page.section("attention")
    assert page.root.find("title")[0].text == "Overview | Progress Site"
    [folded] = page.root.find("details", id="acknowledged")
    assert "1 acknowledged" in folded.text
    assert "known" in folded.text


@pytest.mark.parametrize("many", [1, 6])
def test_the_number_of_queries_does_not_grow_with_what_needs_attention(
    lead: Any, django_assert_max_num_queries: Any, many: int
) -> None:
    for place in range(many):
        make_held(f"held-{place}", worker=f"w-{place}", silent=timedelta(minutes=3))
        make_dead(url=f"https://{place}.example/")
        stuck = make_stuck(f"stuck-{place}")
        take(phase_of(stuck), 2, worker=f"w-{place}")
        make_job(items=17, done=2, failed=3, on_shortfall="fail")
    Worker.objects.update(seen_at=hours_ago(1))
    overview(lead)
    with django_assert_max_num_queries(49):
        lead.open("/admin/")


# --- workers, phases and jobs that only fail --------------------------------------------------------


def report(job: Job, keys: range, status: str, *, worker: str) -> None:
    """A worker reports the same outcome for these items."""
    results = [tracking.Result(f"k{n}", status) for n in keys]
    tracking.report(phase_of(job), worker=worker, results=results, by=tracking.Actor(name=worker))


@pytest.mark.parametrize("shortfall", ["partial", "fail"])
def test_a_worker_that_only_fails_is_attention_while_others_succeed(lead: Any, settings: Any, shortfall: str) -> None:
    settings.WORKER_FAILURE_LIMIT = 0
    job = make_job(name="mixed", items=200, threshold=50, on_shortfall=shortfall)
    report(job, range(60), "completed", worker="w-1")
    report(job, range(60, 100), "failed", worker="w-3")
    page = overview(lead)
    shown = page.section("attention")
    assert "Failing w-3 worker of mixed" in shown
    assert "failed its last 40 items, others succeed" in shown
    assert "w-1" not in shown
    failures = lead.open(page.links()["Its failures"])
    assert "40" in failures.text
    assert "Worker w-3 failed its last 40 items; other workers succeed." in lead.open(f"/admin/jobs/job/{job.pk}/").text


def test_a_worker_that_succeeded_before_is_attention_after_ten_failures_in_a_row_and_no_more_after_a_success(
    lead: Any,
) -> None:
    job = make_job(items=200, threshold=50)
    report(job, range(5), "completed", worker="w-3")
    report(job, range(5, 14), "failed", worker="w-3")
    assert "Nothing needs attention." in section(lead)
    report(job, range(14, 15), "failed", worker="w-3")
    assert "w-3" in section(lead)
    report(job, range(15, 16), "completed", worker="w-3")
    assert "Nothing needs attention." in section(lead)


def test_failures_after_the_last_success_of_one_report_are_counted(db: None) -> None:
    job = make_job(items=9)
    results = [tracking.Result(f"k{n}", status) for n, status in enumerate(["failed", "completed", "failed", "failed"])]
    tracking.report(phase_of(job), worker="w-3", results=results, by=tracking.Actor(name="w-3"))
    tracking.report(phase_of(job), worker="w-3", results=results[2:], by=tracking.Actor(name="w-3"))
    assert Worker.objects.get(name="w-3").failed_in_a_row == 2
    report(job, range(4, 6), "failed", worker="w-3")
    assert Worker.objects.get(name="w-3").failed_in_a_row == 4


@pytest.mark.parametrize("shortfall", ["partial", "fail"])
def test_a_phase_in_which_nothing_succeeds_is_attention(lead: Any, shortfall: str) -> None:
    make_job(name="barren", items=100, failed=4, threshold=50, on_shortfall=shortfall)
    shown = section(lead)
    assert "barren" in shown
    assert "none succeeded: 4 items have failed" in shown


def test_a_phase_that_fails_everything_for_ten_minutes_is_attention(lead: Any) -> None:
    job = make_job(name="outage", items=200, done=60, threshold=50)
    Tally.objects.update(minute=hours_ago(1))
    Job.objects.filter(pk=job.pk).update(heartbeat_at=hours_ago(1))
    report(job, range(60, 75), "failed", worker="w-3")
    assert "the last 15 items all failed within 10 min" in section(lead)


def test_a_job_that_completed_without_any_success_is_attention_for_a_day(lead: Any) -> None:
    job = make_job(name="fruitless", items=3, failed=3)
    if job.status != "completed":  # where a phase without any success fails, it is attention as every failed job is
        assert "fruitless" in section(lead)
        return
    assert "none succeeded: 3 items have failed" in section(lead)
    page = lead.open(f"/admin/jobs/job/{job.pk}/")
    assert "It has completed, but none succeeded: 3 items have failed." in page.section("acts")
    Worker.objects.all().delete()
    Job.objects.filter(pk=job.pk).update(finished_at=hours_ago(25))
    assert "Nothing needs attention." in section(lead)


# --- processes of the site -------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "consequence"), [("watchdog", "Expired leases"), ("deliverer", "Events are stored")])
def test_a_silent_watchdog_or_deliverer_is_attention(browser: Any, kind: str, consequence: str) -> None:
    ProcessHeartbeat.objects.all().delete()
    ProcessHeartbeat.objects.create(kind=kind, name="other:1", seen_at=timezone.now() - timedelta(seconds=90))
    shown = section(browser("viewer"))
    assert f"No {kind} process has sent a heartbeat for 90 s." in shown
    assert consequence in shown


def test_an_endpoint_whose_events_wait_for_ten_minutes_is_attention(lead: Any) -> None:
    endpoint = make_dead(2)
    waiting = {"status": DeliveryStatus.WAITING, "tries": 0, "next_try_at": hours_ago(1)}
    Delivery.objects.update(**waiting, created_at=timezone.now() - timedelta(minutes=9))
    assert "Nothing needs attention." in section(lead)
    Delivery.objects.update(created_at=timezone.now() - timedelta(minutes=46))
    shown = section(lead)
    assert shown.startswith("Needs attention 1 ")
    assert "Deliveries delayed Deliveries to billing are delayed" in shown
    assert "2 events waited for more than 10 min." in shown
    Endpoint.objects.filter(pk=endpoint.pk).update(active=False)
    assert "Nothing needs attention." in section(lead)


def test_an_endpoint_that_fails_several_times_is_attention(lead: Any) -> None:
    make_dead(2)
    Delivery.objects.update(status=DeliveryStatus.WAITING, tries=2, created_at=timezone.now())
    assert "Nothing needs attention." in section(lead)
    Delivery.objects.update(tries=3)
    assert "Deliveries to billing fail 2 deliveries" in section(lead)


def test_a_worker_that_only_fails_is_not_shown_as_merely_alive(lead: Any) -> None:
    report(make_job(items=20, threshold=50), range(12), "failed", worker="w-3")
    page = lead.open(Worker.objects.get(name="w-3").get_absolute_url())
    assert "Failing its last 12 items failed" in page.text
    assert "Failing" in lead.open("/admin/jobs/worker/").text


def test_jobs_that_wait_while_no_worker_was_heard_are_attention(lead: Any) -> None:
    job = make_job(items=3)
    assert "Nothing needs attention." in section(lead)
    Job.objects.filter(pk=job.pk).update(created_at=hours_ago(1))
    assert "No worker has sent a heartbeat for 5 min." in section(lead)
    Worker.objects.create(name="w-1", seen_at=timezone.now())
    assert "Nothing needs attention." in section(lead)


def test_without_a_watchdog_it_is_not_said_that_nothing_needs_attention(lead: Any) -> None:
    assert "Nothing needs attention." in section(lead)
    ProcessHeartbeat.objects.all().delete()
    shown = section(lead)
    assert "Nothing needs attention." not in shown
    assert "No watchdog has run yet, so stuck and late jobs are unknown. Start it: python manage.py watchdog" in shown


def test_seven_rows_in_all_are_listed_and_the_rest_is_counted(lead: Any) -> None:
    for place in range(LISTED):
        make_held(f"held-{place}", worker=f"w-{place}", silent=timedelta(minutes=3))
    make_stuck("stuck")
    page = overview(lead)
    [listed, *_] = page.root.find("section", **{"data-section": "attention"})
    assert len(listed.find("tbody")[0].find("tr")) == LISTED
    assert f"{LISTED} of {LISTED + 1}." in page.section("attention")


def test_the_first_button_of_a_row_ends_no_job(lead: Any) -> None:
    job = make_stuck("silent-one")
    make_job(name="retryable", items=2, done=1, failed=1, on_shortfall="fail")
    page = overview(lead)
    [listed, *_] = page.root.find("section", **{"data-section": "attention"})
    first = [row.find("a", cls="act")[0].text for row in listed.find("tbody")[0].find("tr")]
    assert first == ["Open", "Retry 1 failed…"]
    [more] = listed.find("details", id=f"more-{job.incident_rows.get().incident_id}")
    assert [each.text for each in more.find("a")] == ["Force-complete…", "Acknowledge…", "Incident"]
