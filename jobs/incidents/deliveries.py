"""Incidents of endpoints and of dead letters, which deliveries and inbound messages open and end."""

from __future__ import annotations

from datetime import datetime

from django.db.models import CharField, Exists, OuterRef, Q, Value
from django.db.models.functions import Cast, Concat

from jobs.incidents.causes import Cause, Finding
from jobs.incidents.lifecycle import RECOVERED, end, open_incidents
from jobs.models import Delivery, Endpoint, Incident
from jobs.models.incidents import IncidentQuerySet
from jobs.models.outbox import DeliveryQuerySet, DeliveryStatus
from jobs.rules.incidents import IncidentKind

# Failures in a row of one delivery, which take about six minutes. One failure is no reason to wake anybody.
FAILING_TRIES = 3


def failing_endpoint(endpoint: Endpoint, error: str) -> Cause:
    """Return the cause of an endpoint that refuses deliveries."""
    detail = "" if endpoint.active else f"The endpoint is disabled. {endpoint.disabled_reason}".strip()
    return Cause(
        IncidentKind.ENDPOINT_FAILING,
        endpoint.project,
        f"endpoint {endpoint.pk}",
        title=f"Deliveries to {name_of(endpoint)} fail",
        detail=detail,
        error=error,
    )


def name_of(endpoint: Endpoint) -> str:
    """Return the name of an endpoint, else its address without the query, which may hold a secret."""
    return endpoint.name or endpoint.url.partition("?")[0]


def failing_deliveries() -> DeliveryQuerySet:
    """Return deliveries that failed several times, and dead ones that no operator has resolved since."""
    cause = Concat(Value("endpoint "), Cast(OuterRef("endpoint"), CharField()))
    resolved = Incident.objects.filter(
        kind=IncidentKind.ENDPOINT_FAILING, cause=cause, ended_at__gte=OuterRef("next_try_at")
    )
    repeated = Q(status=DeliveryStatus.WAITING, tries__gte=FAILING_TRIES, endpoint__active=True)
    return Delivery.objects.filter(repeated | Q(~Exists(resolved), status=DeliveryStatus.DEAD))


def repeatedly_failing(cause: str) -> int:
    """Return the number of deliveries that keep this cause: failed several times, and to be tried again."""
    return (
        failing_deliveries()
        .filter(status=DeliveryStatus.WAITING, endpoint=int(cause.removeprefix("endpoint ")))
        .count()
    )


def endpoint_fails(endpoint: Endpoint, error: str, *, now: datetime) -> None:
    """Open the incident of an endpoint that refuses deliveries."""
    if not _ongoing(endpoint).exists():
        open_incidents([Finding(failing_endpoint(endpoint, error), subjects=1)], now=now)


def endpoint_recovers(endpoint: Endpoint, *, now: datetime) -> None:
    """End the incident of an endpoint that accepts deliveries again, unless others still fail."""
    incident = _ongoing(endpoint).select_for_update().first()
    if incident is not None and not failing_deliveries().filter(endpoint=endpoint).exists():
        end(incident, by=RECOVERED, now=now)


def _ongoing(endpoint: Endpoint) -> IncidentQuerySet:
    return Incident.objects.ongoing().filter(
        kind=IncidentKind.ENDPOINT_FAILING, project=endpoint.project, cause=f"endpoint {endpoint.pk}"
    )


def refused_messages(reason: str) -> Cause:
    """Return the cause of dead letters; `reason` is the newest refusal."""
    detail = "Refused messages wait for a replay."
    return Cause(IncidentKind.DEAD_LETTERS, title="Messages were refused", detail=detail, error=reason)


def message_refused(reason: str, *, now: datetime) -> None:
    """Open the incident of dead letters."""
    if not Incident.objects.ongoing().filter(kind=IncidentKind.DEAD_LETTERS).exists():
        open_incidents([Finding(refused_messages(reason), subjects=1)], now=now)
