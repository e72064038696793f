"""The ingestion of an inbound event: all or nothing, and once per source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs import tracking
from jobs.change import Actor, Change, change_jobs, unit_of_work
from jobs.db import bulk_sql
from jobs.inbox.handlers import Effect, EventHandler, Unapplied, handle
from jobs.inbox.messages import Inbound, parse_event
from jobs.models import InboxMessage, Job, Phase
from jobs.rules import pipelines
from jobs.rules.errors import BadInput
from jobs.rules.pipelines import Kind


@dataclass(frozen=True, slots=True)
class Ingested:
    """The result of an event: applied, or the reason why not. `phases` are the codes of its phases."""

    applied: bool
    reason: Unapplied | None
    job: Job
    phases: list[str]


def ingest_event(message: dict[str, Any], *, source: str, by: Actor) -> Ingested:
    """Apply one event `{"type", "data"}` to its job, which is created if there is none of that name.

    A repeated event_id from the same source changes nothing. A refused event raises one of `jobs.rules.errors`,
    such as BadInput with the fields that break its contract, and nothing is stored.
    """
    event = parse_event(message)
    kind, handler = _accepting(event)
    with unit_of_work():
        phases = handler.missing_phases([])
        job = tracking.create_job(name=event.job, kind=kind.code, phases=phases, by=by).job
        with change_jobs([job.pk], by=by) as change:
            effect = _repeated(change, event, handler, source=source)
            if effect is None:
                effect = handle(change, event, handler)
                _remember(change, event, effect, source=source)
    return Ingested(effect.reason is None, effect.reason, change.job, [phase.code for phase in effect.phases])


def _accepting(event: Inbound) -> tuple[Kind, EventHandler]:
    """Return the pipeline that accepts this type of event, and its handler."""
    found = pipelines.accepting(event.type)
    assert found
    return found


def _repeated(change: Change, event: Inbound, handler: EventHandler, *, source: str) -> Effect | None:
    """Return `duplicate` where this event was applied before, else None. The id of another event is BadInput."""
    if event.event_id is None:
        return None
    known = InboxMessage.objects.select_related("phase").filter(source=source, event_id=event.event_id).first()
    if known is None:
        return None
    if known.digest != event.digest and not (handler.repeatable_by_id and _is_same(known, event, job=change.job)):
        raise _reused(event)
    return Effect("duplicate", handler.addressed(change.phases[change.job.pk]))


def _is_same(known: InboxMessage, event: Inbound, *, job: Job) -> bool:
    """Compare the type and the job of two events with the same id."""
    return known.type == event.type and known.phase is not None and known.phase.job_id == job.pk


def _remember(change: Change, event: Inbound, effect: Effect, *, source: str) -> None:
    """Store the id in the transaction of the effect. The unique constraint decides between two jobs at once."""
    if event.event_id is None or not effect.kept:
        return
    phase: Phase = effect.phases[0]
    row = (source, event.event_id, event.digest, event.type, phase.pk, change.now)
    fields = ("source", "event_id", "digest", "type", "phase", "received_at")
    if not bulk_sql.insert(InboxMessage, [row], fields=fields, conflict=("source", "event_id")):
        raise _reused(event)


def _reused(event: Inbound) -> BadInput:
    sentence = f"{event.event_id} was used for another event; send a new id with each new event."
    return BadInput({"data.event_id": sentence}, code="event_id_reused")
