"""Limits of calls: repeated calls, large calls, unknown rows, and rollbacks."""

from __future__ import annotations

from typing import Any
from uuid import UUID, uuid4

import pytest

from jobs import tracking
from jobs.models import Item, Job, Phase
from jobs.rules.errors import BadInput, NotFound, Refused
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import NewItem, Result
from jobs.watchdog import recount
from tests.factories import WORKER, complete, listed, make_job, new_items, outcomes, phase_of, pipeline, take, types

pytestmark = pytest.mark.django_db


def test_every_call_of_a_worker_can_be_repeated_after_a_lost_answer() -> None:
    event_id, other_id = uuid4(), uuid4()
    for _ in range(2):
        job = tracking.create_job(name="batch_001", items=new_items(3), by=WORKER).job
        tracking.add_items(phase_of(job), items=new_items(5), by=WORKER)
        tracking.announce(phase_of(job), expected=6, event_id=event_id, by=WORKER)
        complete(phase_of(job), 2)
        fit = tracking.create_job(name="fit", by=WORKER).job
        tracking.start(phase_of(fit), by=WORKER)
        tracking.count(phase_of(fit), done=3, event_id=other_id, by=WORKER)
    assert (Job.objects.count(), phase_of(job).done, phase_of(job).expected, phase_of(fit).done) == (2, 2, 6, 3)
    assert types(job) == ["job.created", "items.announced", "items.started"]


def test_a_job_of_many_phases_is_reported_in_one_call_each() -> None:
    job = pipeline(*(PhaseSpec(f"p{n}", expected=50) for n in range(20)))
    for n in range(20):
        complete(phase_of(job, f"p{n}"), 50)
    assert phase_of(job).job.status == "completed"
    assert recount() == []


def test_thousands_of_items_are_listed_claimed_and_reported_in_one_call_each() -> None:
    job = make_job(items=5000)
    items = take(phase_of(job), 1000)
    results = [Result(item.key, "completed", item.attempt) for item in items]
    assert outcomes(tracking.report(phase_of(job), results=results, by=WORKER)) == ["applied"] * 1000
    assert (phase_of(job).done, phase_of(job).pending_items) == (1000, 4000)


def test_a_verb_upon_a_job_that_is_gone_finds_nothing() -> None:
    job = make_job(items=1)
    phase = phase_of(job)
    Job.objects.all().delete()
    for call in (
        lambda: tracking.add_items(phase, items=new_items(1), by=WORKER),
        lambda: tracking.announce(phase, expected=1, by=WORKER),
        lambda: tracking.claim(phase, worker="w1", by=WORKER),
        lambda: complete(phase, 1),
        lambda: tracking.count(phase, event_id=uuid4(), by=WORKER),
        lambda: tracking.start(phase, by=WORKER),
        lambda: tracking.finish(phase, by=WORKER),
        lambda: tracking.fail(phase, by=WORKER),
        lambda: tracking.heartbeat(job, worker="w1", by=WORKER),
    ):
        with pytest.raises(NotFound):
            call()


def test_a_stale_copy_of_a_phase_does_not_mislead_a_verb() -> None:
    """Verbs read the row under its lock; what the caller holds may be old."""
    job = make_job(items=3)
    old = phase_of(job)
    complete(phase_of(job), 2)
    tracking.announce(old, expected=3, by=WORKER)
    complete(old, 3)
    assert (phase_of(job).done, phase_of(job).status) == (3, "completed")
    assert outcomes(complete(old, 3)) == ["duplicate"] * 3


@pytest.mark.parametrize(
    ("kind", "fields", "field"),
    [
        ("nothing", {}, "kind"),
        ("generic", {"asset_types": ["image"]}, "asset_types"),
        ("vision", {"asset_types": ["audio"]}, "asset_types"),
        ("vision", {"phases": [PhaseSpec("ocr")]}, "phases"),
        ("generic", {"phases": [PhaseSpec("a"), PhaseSpec("a")]}, "phases"),
        ("generic", {"phases": [PhaseSpec("a", gated=True)]}, "phases[0].gated"),
    ],
)
def test_bad_input_names_the_field_and_stores_nothing(kind: str, fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadInput) as refusal:
        tracking.create_job(name="batch_001", kind=kind, by=WORKER, **fields)
    assert field in refusal.value.errors
    assert (Job.objects.count(), Phase.objects.count()) == (0, 0)


def test_items_that_are_refused_are_not_stored() -> None:
    job = make_job(items=1, done=1)
    with pytest.raises(Refused):
        listed(job, 100)
    assert Item.objects.count() == 1


def test_keys_and_texts_are_kept_as_they_came() -> None:
    texts = ["ä/ö ü.jpg", "a'b\"c\\d", "%s {done} {{}}", "日本語", "line\nbreak\ttab", " leading", "null", "🎞️"]
    job = make_job()
    items = [NewItem(text, label=text[:200], split=text[:64], payload={"text": text, "n": [1, None]}) for text in texts]
    tracking.add_items(phase_of(job), items=items, by=WORKER)
    claimed = take(phase_of(job))
    assert [(i.key, i.label, i.split, i.payload["text"], i.payload["n"]) for i in claimed] == [
        (text, text, text, text, [1, None]) for text in texts
    ]
    results = [Result(text, "failed", error=text, result={"text": text}) for text in texts]
    assert outcomes(tracking.report(phase_of(job), results=results, by=WORKER)) == ["applied"] * len(texts)
    assert [(item.error, item.result["text"]) for item in Item.objects.all()] == [(text, text) for text in texts]


def test_an_event_id_is_written_in_any_notation_and_is_one_id() -> None:
    job, event_id = make_job(), uuid4()
    tracking.announce(phase_of(job), expected=5, event_id=event_id, by=WORKER)
    again = tracking.announce(phase_of(job), expected=6, event_id=UUID(event_id.hex.upper()), by=WORKER)
    assert again.reason == "duplicate"


def test_the_largest_total_is_2_to_the_53() -> None:
    job = make_job()
    tracking.announce(phase_of(job), expected=2**53, by=WORKER)
    complete(phase_of(job), 1)
    job.refresh_from_db()
    assert (phase_of(job).expected, job.percent) == (2**53, 0)


def test_the_outcomes_come_in_the_order_of_the_results() -> None:
    job = make_job(items=3)
    results = [Result(key, "completed") for key in ("k2", "x", "k0", "k2")]
    answer = tracking.report(phase_of(job), results=results, by=WORKER)
    assert [(r.key, str(r.outcome), r.status) for r in answer.results] == [
        ("k2", "applied", "completed"),
        ("x", "invalid", ""),
        ("k0", "applied", "completed"),
        ("k2", "duplicate", "completed"),
    ]


def test_a_report_without_results_is_a_sign_of_life() -> None:
    job = make_job(items=1)
    answer = tracking.report(phase_of(job), worker="w1", results=[], by=WORKER)
    job.refresh_from_db()
    assert (answer.results, job.heartbeat_at is not None, job.status) == ([], True, "pending")
