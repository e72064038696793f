"""Composed texts: they fit their columns, however many names they contain."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.auth.models import User
from django.db.models import Model

from jobs import tracking, watchdog
from jobs.inbox.dead_letters import store_dead_letter
from jobs.models import Event, InboxMessage, Job, Phase
from jobs.models.items import digest
from jobs.models.texts import fit
from jobs.operations import add_endpoint, fail, restart
from jobs.rules.formatting import clip
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Actor, NewItem, Result
from tests.factories import WORKER, complete, listed, make_job, phase_of, pipeline, take
from tests.jobs.rules.conftest import Clock

pytestmark = pytest.mark.django_db
MANY = 45


def longest(model: type[Model], column: str) -> int:
    """Return the length of a column."""
    length = model._meta.get_field(column).max_length  # type: ignore[union-attr]
    assert length is not None
    return length


def cut(model: type[Model], column: str, text: str) -> bool:
    """Return whether this text was cut to the length of its column, and marked."""
    return len(text) == longest(model, column) and text.endswith("…")


def code(number: int) -> str:
    """Make a code of a hundred characters."""
    return f"phase_{number:02}_".ljust(100, "x")


def gated_chain() -> Job:
    """Make a job of many phases with long codes, each behind the gate of those before it."""
    return pipeline(*(PhaseSpec(code(n), gated=n > 0, expected=1) for n in range(MANY)))


@pytest.mark.parametrize(("text", "expected"), [("abc", "abc"), ("abcd", "abcd"), ("abcde", "abc…"), ("", "")])
def test_a_text_is_cut_with_an_ellipsis(text: str, expected: str) -> None:
    assert clip(text, 4) == expected
    assert fit(Event, "detail", "x" * 3000) == "x" * 1999 + "…"


def test_a_restart_of_many_gated_phases_names_as_many_as_fit() -> None:
    job = gated_chain()
    complete(phase_of(job), 1)
    assert restart(job, phase=code(0), actor=User.objects.create_superuser("olga"), reason="again").changed == MANY
    event = job.events.get(type="operator.restart")
    assert event.detail.startswith(f"A new run of {code(0)}, {code(1)}")
    assert cut(Event, "detail", event.detail)
    assert code(MANY - 1) in LogEntry.objects.get().change_message


def test_a_reopened_phase_with_many_gated_ones_behind_it_names_as_many_as_fit() -> None:
    job = gated_chain()
    complete(phase_of(job), 1)
    assert listed(job, 2, reopen=True).run == 2
    assert cut(Event, "detail", job.events.get(type=f"{code(0)}.reopened").detail)


def test_a_stage_of_large_numbers_is_cut_before_its_failures() -> None:
    job = pipeline(PhaseSpec("items", stage="{expected}" * 50, expected=10**12), items=[NewItem("a"), NewItem("b")])
    tracking.report(phase_of(job), results=[Result("a", "failed")], by=WORKER)
    job.refresh_from_db()
    assert len(job.stage) == longest(Job, "stage")
    assert job.stage.endswith("… · 1 failed")


def test_the_sentence_of_a_failure_fits_with_the_longest_key_and_error() -> None:
    key = "k" * 1024
    job = pipeline(PhaseSpec("items"), items=[NewItem(key)])
    tracking.report(phase_of(job), results=[Result(key, "failed", error="e" * 9000)], by=WORKER)
    job.refresh_from_db()
    assert job.error == f"{key} failed: {'e' * 500}"


def test_the_reason_of_an_operator_is_cut_as_the_error_of_a_phase() -> None:
    job = make_job(items=1)
    fail(job, actor=None, reason="r" * 2000)
    assert cut(Phase, "error", phase_of(job).error)
    assert job.events.get(type="operator.fail").reason == "r" * 2000


def test_the_name_of_an_actor_is_cut() -> None:
    job = make_job(items=1)
    fail(job, actor=Actor(name="n" * 300))
    assert cut(Event, "actor", job.events.get(type="operator.fail").actor)


def test_many_workers_whose_leases_expired_are_named_as_far_as_they_fit(clock: Clock) -> None:
    job = make_job(items=30)
    for number in range(30):
        take(phase_of(job), 1, worker=f"w{number:03}".ljust(128, "w"))
    clock.forward(100)
    assert watchdog.expire_leases() == 30
    detail = job.events.get(type="lease.expired").detail
    assert len(detail) <= longest(Event, "detail")
    assert "… expired: 30 items claimable again" in detail


def test_a_dead_letter_keeps_as_much_of_its_type_and_reason_as_fits() -> None:
    letter = store_dead_letter({"type": "t" * 500, "data": {}}, reason="r" * 5000, source="broker")
    kept: Any = InboxMessage.objects.get(pk=letter.pk)
    assert cut(InboxMessage, "type", kept.type)
    assert cut(InboxMessage, "reason", kept.reason)


def test_the_log_of_acts_names_an_endpoint_by_as_much_of_its_address_as_fits() -> None:
    add_endpoint(url=f"https://example.com/{'p' * 1000}", actor=User.objects.create_superuser("olga"))
    assert len(LogEntry.objects.get().object_repr) <= longest(LogEntry, "object_repr")


def test_a_key_is_never_cut() -> None:
    """Names that are too long are refused; only sentences are cut."""
    key = "k" * 1024
    job = pipeline(PhaseSpec("items"), items=[NewItem(key)])
    assert phase_of(job).items.get().key_digest == digest(key)
