"""Figures of the database at /metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from jobs import operations, tracking, watchdog
from jobs.change.transactions import unit_of_work
from jobs.models import GrowingCount, Incident, Job, Phase, Quarantine, Worker
from jobs.rules import pipelines
from jobs.rules.incidents import IncidentKind
from jobs.rules.statuses import JobStatus
from jobs.tracking import Actor, Result
from jobs.watchdog import counts
from progress_site.metrics import cache, figures
from tests.factories import make_job, phase_of, take, tell

pytestmark = pytest.mark.django_db

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]
TOKEN = "a-token-of-prometheus"
ROOT = Path(__file__).resolve().parents[2]


def read(client: Client, **headers: str) -> Figures:
    """Return the samples by name and labels."""
    text = client.get("/metrics", headers=headers).content.decode()
    families = text_string_to_metric_families(text)
    return {(s.name, tuple(sorted(s.labels.items()))): s.value for family in families for s in family.samples}


def value(found: Figures, name: str, **labels: str) -> float:
    """Return one sample."""
    return found[name, tuple(sorted(labels.items()))]


@pytest.fixture
def named(settings: Any) -> None:
    """Restrict the access, so that projects are named."""
    settings.METRICS_TOKEN = TOKEN


def named_figures(client: Client) -> Figures:
    """Return the samples of a scraper with the token."""
    return read(client, Authorization=f"Bearer {TOKEN}")


# --- jobs ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("named")
def test_jobs_are_counted_by_status_kind_and_project(client: Client) -> None:
    make_job(name="a", project="alpha")
    make_job(name="b", project="alpha")
    found = named_figures(client)
    assert value(found, "progress_jobs", status="pending", kind="generic", project="alpha") == 2
    assert value(found, "progress_jobs", status="failed", kind="vision", project="alpha") == 0


@pytest.mark.usefixtures("named")
def test_projects_beyond_the_limit_are_other_and_the_busiest_are_named(client: Client, settings: Any) -> None:
    settings.METRICS_PROJECTS = 1
    for name, project in (("a", "idle"), ("b", "busy"), ("c", "busy"), ("d", "other")):
        make_job(name=name, project=project)
    Job.objects.filter(project="idle").update(status="completed")
    found = named_figures(client)
    assert {dict(labels)["project"] for name, labels in found if name == "progress_jobs"} == {"busy", "other"}
    assert value(found, "progress_jobs", status="pending", kind="generic", project="other") == 1
    assert value(found, "progress_jobs", status="completed", kind="generic", project="other") == 1


@pytest.mark.usefixtures("named")
def test_a_project_named_other_is_one_series(client: Client) -> None:
    make_job(name="a", project="other")
    assert value(named_figures(client), "progress_jobs", status="pending", kind="generic", project="other") == 1


def test_without_a_restricted_access_no_project_is_named(client: Client) -> None:
    make_job(name="a", project="customer")
    assert b"customer" not in client.get("/metrics").content


def test_a_kind_that_no_pipeline_registers_is_other(client: Client) -> None:
    make_job(name="a")
    Job.objects.update(kind="gone")
    assert value(read(client), "progress_jobs", status="pending", kind="other", project="other") == 1


def test_every_known_value_of_a_label_has_a_series_from_the_start(client: Client) -> None:
    found = read(client)
    kinds = [code for code, _ in pipelines.choices()]
    assert all(value(found, "progress_jobs", status=s, kind=k, project="other") == 0 for s in JobStatus for k in kinds)
    assert all(value(found, "progress_incidents", kind=kind, state="open") == 0 for kind in IncidentKind)
    assert value(found, "progress_item_failures_total", kind="ocr", outcome="expired") == 0
    assert value(found, "progress_jobs_finished_total", kind="ocr", status="failed") == 0
    assert value(found, "progress_rows_set_aside_total", step="bulk.job") == 0
    assert value(found, "progress_deliveries", status="dead") == 0
    assert value(found, "progress_jobs_stuck", reason="stalled") == 0
    assert value(found, "progress_request_seconds_count", route="report", method="POST", path="lean") >= 0
    assert value(found, "progress_responses_total", route="pages", status="5xx") >= 0


def test_the_steps_of_rows_set_aside_are_those_of_the_docs() -> None:
    text = (ROOT / "docs" / "metrics.md").read_text()
    assert all(f"`{step}`" in text for step in figures.STEPS)


# --- items -----------------------------------------------------------------------------------------


def test_open_items_are_pending_waiting_or_leased(client: Client) -> None:
    job = make_job(name="a", items=5, retries=1)
    take(phase_of(job), 2)
    tell(phase_of(job), "k0", "failed")
    found = read(client)
    states = {s: value(found, "progress_items_open", kind="generic", state=s) for s in ("pending", "waiting", "leased")}
    assert states == {"pending": 3, "waiting": 1, "leased": 1}


def oldest(client: Client) -> float:
    """Return the longest wait of items of generic jobs."""
    return value(read(client), "progress_oldest_pending_seconds", kind="generic")


def past(job: Job, minutes: int) -> None:
    """Move every sign of work on a job into the past."""
    ago = timezone.now() - timedelta(minutes=minutes)
    Job.objects.filter(pk=job.pk).update(watched_from=ago, heartbeat_at=None, progress_at=None, started_at=None)
    Phase.objects.filter(job=job).update(last_item_at=None, started_at=None)


def test_the_wait_of_items_begins_with_the_last_sign_of_work(client: Client) -> None:
    job = make_job(name="a", items=5)
    past(job, 20)
    assert 1200 <= oldest(client) < 1230
    tell(phase_of(job), "k0", "completed")
    assert oldest(client) < 30


def test_items_of_a_phase_that_a_worker_holds_items_of_do_not_wait(client: Client) -> None:
    job = make_job(name="a", items=5)
    take(phase_of(job), 1)
    past(job, 20)
    assert oldest(client) == 0


@pytest.mark.parametrize("held", ["pause", "cancel"])
def test_items_that_nobody_may_claim_do_not_wait(client: Client, held: str) -> None:
    job = make_job(name="a", items=5)
    getattr(operations, held)(job, actor=None, reason="why")
    past(job, 20)
    assert oldest(client) == 0


def test_items_that_wait_for_a_retry_wait_from_the_time_that_they_are_due(client: Client) -> None:
    job = make_job(name="a", items=1, retries=1)
    tell(phase_of(job), "k0", "failed")
    past(job, 60)
    assert oldest(client) == 0
    Phase.objects.update(next_due_at=timezone.now() - timedelta(minutes=5))
    assert 300 <= oldest(client) < 330


# --- counts that only grow -------------------------------------------------------------------------


def failures(client: Client, outcome: str) -> float:
    """Return the count of failures of generic jobs."""
    return value(read(client), "progress_item_failures_total", kind="generic", outcome=outcome)


def test_failures_are_counted_as_failed_retried_and_expired(client: Client) -> None:
    job = make_job(name="a", items=4, retries=1)
    tell(phase_of(job), "k0", "failed")
    tell(phase_of(job), "k1", "failed", retry=False)
    take(phase_of(job), 1, seconds=1)
    watchdog.expire_leases(timezone.now() + timedelta(minutes=1))
    assert [failures(client, outcome) for outcome in ("failed", "retried", "expired")] == [1, 1, 1]


def test_a_repeated_failure_is_counted_once(client: Client) -> None:
    job = make_job(name="a", items=2)
    for _ in range(3):
        tell(phase_of(job), "k0", "failed")
    assert failures(client, "failed") == 1


def test_failures_of_a_phase_that_is_counted_are_failures(client: Client) -> None:
    job = make_job(name="a")
    tracking.count(phase_of(job), done=2, failed=3, event_id=uuid4(), by=Actor())
    assert failures(client, "failed") == 3


def test_neither_a_retry_nor_a_restart_nor_a_deletion_lowers_a_count(client: Client) -> None:
    job = make_job(name="a", items=1)
    tell(phase_of(job), "k0", "failed")
    ends = value(read(client), "progress_jobs_finished_total", kind="generic", status="failed")
    assert (failures(client, "failed"), ends) == (1, 1)
    operations.retry(job, actor=None, reason="again")
    tell(phase_of(job), "k0", "failed", error="again")
    assert failures(client, "failed") == 2
    operations.restart(job, actor=None, phase="items", reason="again")
    Job.objects.filter(pk=job.pk).delete()
    assert failures(client, "failed") == 2


def test_a_change_that_is_rolled_back_counts_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    job = make_job(name="a", items=1)

    def fails(*_: object, **__: object) -> None:
        raise RuntimeError("the disk is full")

    monkeypatch.setattr("jobs.change.commit.write_events", fails)
    with pytest.raises(RuntimeError):
        tell(phase_of(job), "k0", "failed")
    assert not GrowingCount.objects.exists()


def test_several_changes_of_a_unit_of_work_write_one_row_for_each_count() -> None:
    made = [make_job(name=name, items=2) for name in ("a", "b")]
    with unit_of_work():
        for job in made:
            tracking.report(phase_of(job), worker="w", results=[Result("k0", "failed", error="x")], by=Actor())
    assert GrowingCount.objects.get(name="item_failures").number == 2


def test_the_watchdog_adds_the_rows_of_many_transactions_up(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "ROWS_KEPT", 4)
    monkeypatch.setattr(counts, "PORTION", 4)
    job = make_job(name="a", items=7)
    for number in range(7):
        tell(phase_of(job), f"k{number}", "failed")
    rows, before = GrowingCount.objects.count(), failures(client, "failed")
    watchdog.sweep()
    assert (rows, before, failures(client, "failed")) == (8, 7, 7)
    assert GrowingCount.objects.count() <= 4
    assert watchdog.sweep()["counts"] == 0


# --- workers, incidents, the cost of a scrape ------------------------------------------------------


def test_workers_are_alive_silent_gone_or_quarantined(client: Client) -> None:
    now = timezone.now()
    for name, seconds in (("a", 5), ("b", 90), ("c", 9000), ("d", 9001)):
        Worker.objects.create(name=name, seen_at=now - timedelta(seconds=seconds))
    job = make_job(name="a", items=2)
    Quarantine.objects.create(phase=phase_of(job), worker="a", since=now, until=now, failures=20)
    found = read(client)
    states = [value(found, "progress_workers", state=s) for s in ("alive", "silent", "gone", "quarantined")]
    assert states == [1, 1, 2, 1]


def test_incidents_are_counted_by_kind_and_state(client: Client) -> None:
    now = timezone.now()
    for kind, state, ended in (("errors", "open", None), ("errors", "acknowledged", None), ("errors", "resolved", now)):
        Incident.objects.create(
            kind=kind, state=state, cause=state, title="x", opened_at=now, changed_at=now, ended_at=ended
        )
    found = read(client)
    counts = {
        s: value(found, "progress_incidents", kind="errors", state=s) for s in ("open", "acknowledged", "snoozed")
    }
    assert counts == {"open": 1, "acknowledged": 1, "snoozed": 0}


@pytest.mark.usefixtures("named")
def test_a_scrape_runs_as_many_queries_for_many_jobs_as_for_one(
    client: Client, django_assert_max_num_queries: Callable[..., Any]
) -> None:
    def cost() -> list[str]:
        with django_assert_max_num_queries(18) as captured:
            named_figures(client)
        return [query["sql"] for query in captured.captured_queries]

    make_job(name="first", items=2)
    few = cost()
    for number in range(20):
        make_job(name=f"job-{number}", items=2, project=f"p{number}")
    many = cost()
    assert len(many) == len(few)
    assert not any("jobs_item" in sql and "FROM" in sql.split("jobs_item")[0][-8:] for sql in many)
    assert not any(sql.startswith(("BEGIN", "SAVEPOINT", "INSERT", "UPDATE")) or "FOR UPDATE" in sql for sql in many)


def test_scrapers_at_the_same_time_share_one_reading(settings: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.METRICS_SECONDS = 60
    monkeypatch.setattr(cache, "_cached", (float("-inf"), b""))
    readings: list[float] = []

    def slow() -> list[Any]:
        readings.append(time.monotonic())
        time.sleep(0.1)
        return []

    monkeypatch.setattr(cache, "figures", slow)
    scrapers = [threading.Thread(target=cache.database_metrics) for _ in range(5)]
    for scraper in scrapers:
        scraper.start()
    for scraper in scrapers:
        scraper.join()
    assert len(readings) == 1


def test_without_the_database_the_requests_are_still_reported(client: Client) -> None:
    def down(*args: Any, **kwargs: Any) -> Any:
        raise OperationalError("could not connect: password is hunter2")

    with connection.execute_wrapper(down):
        response = client.get("/metrics")
    lines = response.content.decode().splitlines()
    assert response.status_code == 200
    assert "progress_database_up 0.0" in lines
    assert any(line.startswith("progress_request_seconds_bucket") for line in lines)
    assert b"hunter2" not in response.content


@pytest.mark.postgres
def test_a_scrape_of_jobs_that_are_newer_than_the_statistics_looks_each_phase_up_once(client: Client) -> None:
    """A plan that compares each job with each phase reads the square of their number."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE jobs_job, jobs_phase")
    number = 300
    for each in range(number):
        make_job(name=f"job-{each}", items=1)
    before = _rows_read()
    read(client)
    assert _rows_read() - before < 20 * number


def _rows_read() -> int:
    """Return the number of rows and index entries of jobs and phases that this transaction has read so far."""
    with connection.cursor() as cursor:
        cursor.execute("""
            SELECT SUM(pg_stat_get_xact_tuples_returned(c.oid) + pg_stat_get_xact_tuples_fetched(c.oid))
            FROM pg_class c LEFT JOIN pg_index i ON i.indexrelid = c.oid
            WHERE COALESCE(i.indrelid, c.oid) IN ('jobs_job'::regclass, 'jobs_phase'::regclass)
        """)
        return int(cursor.fetchone()[0])
