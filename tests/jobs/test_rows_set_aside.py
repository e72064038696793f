"""Passes over many rows: a row that fails is set aside, named in the log and counted, and the pass continues."""

from __future__ import annotations

import logging
from datetime import timedelta
from importlib import import_module
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone

from jobs import isolation, outbox, watchdog
from jobs.live import tickets
from jobs.models import Delivery, Item, Job, Phase, RowFailure
from jobs.operations import bulk
from jobs.operations.bulk import runner
from jobs.outbox import messages, webhooks
from tests.factories import make_job, operator, phase_of, take
from tests.jobs.bulk_acts import begun, outcomes
from tests.jobs.outbox.conftest import Receiver, local, make_endpoint, receiver

__all__ = ["local", "receiver"]
pytestmark = pytest.mark.django_db
# The package has functions of the same names.
prune, sweep = import_module("jobs.watchdog.prune"), import_module("jobs.watchdog.sweep")


class Poisoned(Exception):
    """The failure of one row."""


def failing(function: Any, *, when: Any) -> Any:
    """Return the function with a failure for the arguments of one row."""

    def call(*args: Any, **kwargs: Any) -> Any:
        if when(*args):
            raise Poisoned
        return function(*args, **kwargs)

    return call


def counted() -> dict[str, int]:
    """Return the number of rows that each step has set aside."""
    return dict(RowFailure.objects.values_list("step", "number"))


def two_jobs() -> tuple[Job, Job]:
    """Make a bad job and a good one, the bad one first."""
    return make_job(name="bad", items=1), make_job(name="good", items=1)


# --- the helpers -------------------------------------------------------------------------------------


def test_a_row_that_fails_is_logged_with_its_ids_and_counted(caplog: pytest.LogCaptureFixture, client: Client) -> None:
    with caplog.at_level(logging.ERROR):
        for job_id in (7, 8):
            with isolation.isolated("sweep.expire", job_id=job_id):
                raise Poisoned
    assert [(line.msg["event"], line.msg["step"], line.msg["job_id"]) for line in caplog.records] == [  # type: ignore[index]
        ("row_set_aside", "sweep.expire", 7),
        ("row_set_aside", "sweep.expire", 8),
    ]
    assert 'progress_rows_set_aside_total{step="sweep.expire"} 2.0' in client.get("/metrics").content.decode()


def test_an_error_of_a_database_that_does_not_answer_is_no_error_of_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    with isolation.isolated("step"):
        raise OperationalError("one row is locked")
    assert counted() == {"step": 1}

    def refuse(*_: Any) -> None:
        raise OperationalError("no connection")

    with monkeypatch.context() as away:
        away.setattr(connection, "cursor", refuse)
        with pytest.raises(OperationalError), isolation.isolated("step"):
            refuse()
    assert counted() == {"step": 1}


def test_a_bad_value_is_found_by_halving_and_costs_few_calls() -> None:
    calls: list[int] = []

    def work(values: Any) -> list[int]:
        calls.append(len(values))
        if 37 in values:
            raise Poisoned
        return [2 * value for value in values]

    found = isolation.in_halves(work, range(100), step="step", name="value")
    assert found == [2 * value for value in range(100) if value != 37]
    assert len(calls) < 20
    assert counted() == {"step": 1}


# --- the watchdog ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rule", "field", "rows", "column"),
    [("_expire", "expired", Item, "lease_expires_at"), ("_pass_watermark", "watermarks", Phase, "deadline_at")],
)
def test_a_sweep_continues_after_a_job_that_fails(
    monkeypatch: pytest.MonkeyPatch, rule: str, field: str, rows: Any, column: str
) -> None:
    bad, good = two_jobs()
    for job in (bad, good):
        take(phase_of(job), 1)
    rows.objects.update(**{column: timezone.now() - timedelta(seconds=1)})
    broken = failing(getattr(sweep, rule), when=lambda change, job: job.pk == bad.pk)
    broken.__name__ = rule
    monkeypatch.setattr(sweep, rule, broken)
    assert watchdog.sweep()[field] == 1
    assert counted() == {f"sweep.{rule.lstrip('_')}": 1}


def test_a_rule_that_fails_keeps_no_other_rule_of_the_sweep_from_its_work(monkeypatch: pytest.MonkeyPatch) -> None:
    take(phase_of(make_job(items=1)), 1)
    Item.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setattr(sweep.Item.objects, "expired", failing(None, when=lambda *_: True))
    forgotten: list[Any] = []
    monkeypatch.setattr(tickets, "forget", lambda now: forgotten.append(now) or 0)
    with pytest.raises(Poisoned):
        watchdog.sweep()
    assert forgotten
    assert counted() == {"sweep.expired": 1}


def test_prune_continues_after_a_job_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = two_jobs()
    Job.objects.update(status="completed", finished_at=timezone.now() - timedelta(days=40))
    monkeypatch.setattr(prune, "_mark_removed", failing(prune._mark_removed, when=lambda job_id: job_id == bad.pk))
    assert watchdog.prune().jobs == 1
    assert list(Job.objects.values_list("pk", flat=True)) == [bad.pk]
    assert not Job._base_manager.filter(pk=good.pk).exists()
    assert counted() == {"prune.job": 1}


# --- bulk acts ---------------------------------------------------------------------------------------


def test_a_job_whose_outcome_cannot_be_stored_is_refused_and_the_bulk_act_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = two_jobs()
    act, defects = begun("pause", [bad, good], actor=operator("pause")), []

    def store(bulk_act: Any, target: Any, result: Any) -> None:
        if target.job_id == bad.pk and result["outcome"] == "changed":
            defects.append(target.pk)
            raise Poisoned
        real(bulk_act, target, result)

    real = runner._store
    monkeypatch.setattr(runner, "_store", store)
    assert bulk.run_bulk_act(act, seconds=60)
    assert outcomes(act) == {"bad": "refused", "good": "changed"}
    assert len(defects) == 1
    bad.refresh_from_db()
    assert bad.held == ""
    assert counted() == {"bulk.job": 1}


def test_a_bulk_act_that_fails_does_not_stop_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, good = two_jobs()
    broken, sound = (begun("pause", [job], actor=operator("pause")) for job in (bad, good))
    monkeypatch.setattr(runner, "run_bulk_act", failing(runner.run_bulk_act, when=lambda act: act.pk == broken.pk))
    assert bulk.run_bulk_acts(seconds=2)
    assert outcomes(sound) == {"good": "changed"}
    assert counted()["bulk.act"] >= 1


# --- deliveries --------------------------------------------------------------------------------------


@pytest.mark.usefixtures("local")
def test_an_event_that_cannot_be_encoded_is_dead_and_the_others_of_its_endpoint_are_sent(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    make_endpoint(receiver.url)
    bad, good = make_job(name="bad", items=1, done=1), make_job(name="good", items=1, done=1)
    poisoned = bad.events.outward().order_by("pk").first()
    assert poisoned
    broken = failing(messages.outward_body, when=lambda event_id, *_: event_id == poisoned.event_id)
    monkeypatch.setattr(messages, "outward_body", broken)
    assert outbox.deliver() == {"sent": 3, "retried": 0, "dead": 1}
    dead = Delivery.objects.get(event=poisoned)
    assert (dead.status, dead.error) == ("dead", "An internal error occurred: Poisoned. See the log of the server.")
    assert not Delivery.objects.exclude(pk=dead.pk).exclude(status="sent").exists()
    assert good.events.outward().count() == 2
    assert counted() == {"deliver.message": 1}


@pytest.mark.usefixtures("local")
def test_an_unexpected_error_of_one_request_fails_no_other_of_the_wave(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    make_endpoint(receiver.url)
    bad = make_job(name="bad", items=1, done=1)
    make_job(name="good", items=1, done=1)
    poisoned = str(bad.events.outward().order_by("pk").values_list("event_id", flat=True)[0])
    broken = failing(webhooks._beginning, when=lambda answer: answer.request.headers["webhook-id"] == poisoned)
    monkeypatch.setattr(webhooks, "_beginning", broken)
    outbox.deliver()
    by_job = dict(Delivery.objects.filter(status="sent").values_list("job__name", "status"))
    assert by_job == {"good": "sent"}
    assert counted() == {"deliver.message": 1}


@pytest.mark.usefixtures("local")
def test_an_endpoint_whose_sender_fails_waits_and_the_others_are_served(
    monkeypatch: pytest.MonkeyPatch, receiver: Receiver
) -> None:
    bad, good = make_endpoint(f"{receiver.url}/bad"), make_endpoint(f"{receiver.url}/good")
    make_job(items=1, done=1)
    check = webhooks.WebhookSender.send
    broken = failing(check, when=lambda sender, endpoint, sent: endpoint.pk == bad.pk)
    monkeypatch.setattr(webhooks.WebhookSender, "send", broken)
    outbox.deliver()
    assert good.deliveries.filter(status="sent").count() == 2
    assert bad.deliveries.filter(status="waiting", tries=1).count() == 1
    assert counted() == {"deliver.message": 1}
