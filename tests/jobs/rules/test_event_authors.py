"""Authors: each event, worker and log line of a shared transaction has the name of its reporter."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import User
from structlog.testing import capture_logs

from jobs.change import Actor
from jobs.models import Event, Job, Worker
from jobs.rules.pipelines import PhaseSpec
from jobs.rules.statuses import Shortfall, Trigger
from jobs.tracking import Batch, Result, report_many
from tests.factories import make_job, outcomes, phase_of, pipeline

pytestmark = pytest.mark.django_db


def reporter(name: str) -> Actor:
    """Make a worker with an account of its own."""
    account, _ = User.objects.get_or_create(username=f"account-of-{name}")
    return Actor(account=account, name=name)


def batch(job: Job, name: str, *keys: str, status: str = "completed", code: str = "") -> Batch:
    """Return the results of one worker for one job."""
    return Batch(phase_of(job, code), name, [Result(key, status, error="no") for key in keys], reporter(name))


def authors(job: Job) -> list[tuple[str, str, str]]:
    """Return the type, actor and account of each event of a job that a worker caused."""
    events = job.events.exclude(type="job.created").order_by("pk").select_related("account")
    return [(event.type, event.actor, event.account.username if event.account else "") for event in events]


def caused(name: str, *types: str) -> list[tuple[str, str, str]]:
    """Return the events that this worker caused."""
    return [(each, name, f"account-of-{name}") for each in types]


def test_each_job_of_a_shared_transaction_names_its_own_reporter(
    django_capture_on_commit_callbacks: Any,
) -> None:
    jobs = {name: make_job(items=1, project=name) for name in ("w1", "w2", "w3")}
    with capture_logs() as lines, django_capture_on_commit_callbacks(execute=True):
        report_many([batch(job, name, "k0") for name, job in jobs.items()])
    actors = {line["job"]: line["actor"] for line in lines if line["event"] == "job.status"}
    assert actors == {job.name: name for name, job in jobs.items()}
    for name, job in jobs.items():
        assert authors(job) == caused(name, "items.started", "items.completed", "job.completed")
        worker = Worker.objects.select_related("account", "job").get(name=name)
        assert (worker.job, worker.account) == (job, reporter(name).account)


def test_reporters_of_the_same_job_each_sign_the_events_that_they_caused() -> None:
    job = make_job(items=4, threshold=50, trigger="at_threshold")
    answers = report_many([batch(job, f"w{n}", f"k{n}") for n in range(4)])
    assert [outcomes(answer) for answer in answers] == [["applied"]] * 4
    assert authors(job) == [*caused("w0", "items.started"), *caused("w1", "items.completed", "job.completed")]
    event = Event.objects.get(type="items.completed", job=job)
    assert (event.data["processed_assets"], phase_of(job).done) == (2, 4)


def test_the_gate_that_a_reporter_opens_is_open_for_the_next_one_in_the_same_transaction() -> None:
    job = pipeline(PhaseSpec(code="first", expected=1), PhaseSpec(code="second", expected=1, gated=True))
    report_many([batch(job, "w1", "a", code="first"), batch(job, "w2", "b", code="second")])
    assert authors(job) == [
        *caused("w1", "first.started", "first.completed", "second.opened"),
        *caused("w2", "second.started", "second.completed", "job.completed"),
    ]


def test_a_result_for_a_phase_that_an_earlier_reporter_has_failed_creates_no_item() -> None:
    spec = PhaseSpec(code="items", expected=1, trigger=Trigger.WHEN_SETTLED, on_shortfall=Shortfall.FAIL)
    job = pipeline(spec)
    answers = report_many([batch(job, "w1", "a", status="failed"), batch(job, "w2", "b")])
    assert [outcomes(answer) for answer in answers] == [["applied"], ["closed"]]
    phase = phase_of(job)
    assert (phase.status, phase.items_total, phase.items.count(), phase.failed) == ("failed", 1, 1, 1)
    assert authors(job) == caused("w1", "items.started", "items.failed", "job.failed")


def test_a_gate_that_stays_shut_leaves_no_item_of_a_refused_result() -> None:
    job = pipeline(PhaseSpec(code="first", expected=2), PhaseSpec(code="second", expected=1, gated=True))
    answers = report_many([batch(job, "w1", "a", code="first"), batch(job, "w2", "b", code="second")])
    assert [outcomes(answer) for answer in answers] == [["applied"], ["closed"]]
    assert (phase_of(job, "second").items_total, phase_of(job, "second").items.count()) == (0, 0)
