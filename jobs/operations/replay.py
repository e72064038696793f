"""Repeated delivery of an event."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from jobs.change.audit import audit
from jobs.models import Delivery, Endpoint, Event
from jobs.models.outbox import DeliveryStatus
from jobs.operations.base import Act, Refusal, acting
from jobs.outbox.endpoint_leases import end_rest
from jobs.rules.errors import WrongState
from jobs.rules.formatting import pluralize

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def replay(event: Event, *, endpoint: Endpoint | None = None, actor: User | None, reason: str = "") -> Act:
    """Deliver an outward event again under its event_id, to every endpoint that it was for or to the given one.

    `changed` counts deliveries; those of disabled endpoints are refused, by the id of the delivery.
    """
    with acting(event.job, "replay", actor=actor, reason=reason, revision=None, permission="replay_event") as change:
        if not event.outward:
            raise WrongState(f"Event {event.pk} ({event.type}) is not outward; only outward events are delivered.")
        found = Delivery.objects.filter(event=event).select_related("endpoint").order_by("pk")
        deliveries = list(found.filter(endpoint=endpoint) if endpoint else found)
        possible = [delivery for delivery in deliveries if delivery.endpoint.active]
        refused = [
            Refusal(delivery.pk, f"The endpoint {delivery.endpoint} is disabled.")
            for delivery in deliveries
            if not delivery.endpoint.active
        ]
        if not possible:
            return Act(0, change.job, f"Event {event.pk} has no delivery to an active endpoint.", refused)
        _schedule_now(possible, now=change.now)
        detail = f"{event.type} ({event.event_id}) is delivered again to {pluralize(len(possible), 'endpoint')}."
        audit(change, "replay", detail)
        return Act(len(possible), change.job, detail, refused)


def _schedule_now(deliveries: list[Delivery], *, now: datetime) -> None:
    """Make these deliveries due at once, with the later events of the job that wait behind them."""
    Delivery.objects.filter(pk__in=[delivery.pk for delivery in deliveries]).update(
        status=DeliveryStatus.WAITING, tries=0, next_try_at=now, error="", response_status=None, sent_at=None
    )
    held_back = Delivery.objects.waiting().filter(job=deliveries[0].job_id, next_try_at__gt=now)
    endpoints = [delivery.endpoint_id for delivery in deliveries]
    held_back.filter(endpoint__in=endpoints).update(next_try_at=now)
    end_rest(endpoints)
