"""Taking an inbound event: all or nothing, and once per source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from jobs import tracking
from jobs.change import Actor, Change, change_jobs, unit_of_work
from jobs.db import bulk_sql
from jobs.inbox.handlers import ANNOUNCING, HANDLERS, Effect, Unapplied, handle
from jobs.inbox.messages import Inbound, inbound
from jobs.models import InboxMessage, Job, Phase
from jobs.rules.errors import BadInput
from jobs.vision import pipeline


@dataclass(frozen=True, slots=True)
class Ingested:
    """Whether an event changed anything; if not, why. `phases` are the codes of those that it is about."""

    applied: bool
    reason: Unapplied | None
    job: Job
    phases: list[str]


def ingest_event(message: dict[str, Any], *, source: str, by: Actor) -> Ingested:
    """Apply one event `{"type", "data"}` to its job, which it creates where there is none of that name.

    The same event_id from the same source changes nothing. Whatever is wrong is raised as one of the refusals of
    `jobs.rules.errors`, BadInput with the fields where the event breaks its contract, and nothing is stored.
    """
    event = inbound(message)
    with unit_of_work():
        job = _job(event, by=by)
        with change_jobs([job.pk], by=by) as change:
            effect = _known(change, event, source=source)
            if effect is None:
                effect = handle(change, event)
                _remember(change, event, effect, source=source)
    return Ingested(effect.reason is None, effect.reason, change.job, [phase.code for phase in effect.phases])


def _job(event: Inbound, *, by: Actor) -> Job:
    """The vision job of this name, made with the phases of these assets where there is none."""
    handling = HANDLERS[event.type]
    phases = pipeline.specs(handling.asset_type, segmented=handling.segmented)
    return tracking.create_job(name=event.job, kind=pipeline.VISION.code, phases=phases, by=by).job


def _known(change: Change, event: Inbound, *, source: str) -> Effect | None:
    """`duplicate` where this event was taken before, None where it is new. An id of another event is BadInput."""
    if event.event_id is None:
        return None
    known = InboxMessage.objects.select_related("phase").filter(source=source, event_id=event.event_id).first()
    if known is None:
        return None
    if known.digest != event.digest and not _announced_again(known, event, job=change.job):
        raise _reused(event)
    return Effect("duplicate", HANDLERS[event.type].addressed(change.phases[change.job.pk]))


def _announced_again(known: InboxMessage, event: Inbound, *, job: Job) -> bool:
    """An announcement is the same by its id alone, whatever total it names now."""
    of_this_job = known.phase is not None and known.phase.job_id == job.pk
    return event.type in ANNOUNCING and known.type == event.type and of_this_job


def _remember(change: Change, event: Inbound, effect: Effect, *, source: str) -> None:
    """Keep the id, in the transaction of the effect; the constraint stands behind two jobs at the same moment."""
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
