"""Queries of the event pages: the endpoints, deliveries and dead letters that are visible to an account."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from django.db.models import QuerySet
from django.http import HttpRequest

from jobs.access import access_of
from jobs.models import Delivery, Endpoint, InboxMessage
from jobs.models.events import InboxQuerySet
from jobs.models.jobs import JobQuerySet
from jobs.models.outbox import DeliveryQuerySet, EndpointKind

MOST_COUNTED = 1000


@dataclass(frozen=True, slots=True)
class DeliverySummary:
    """The number of waiting and dead deliveries and of dead letters; 1,000 stands for more."""

    waiting: int
    dead: int
    letters: int
    oldest: datetime | None


def delivery_summary(request: HttpRequest, jobs: JobQuerySet | None = None) -> DeliverySummary | None:
    """Return the numbers that are visible to this account, of these jobs where any are given.

    None where it may not see deliveries. Dead letters have no job, so that none are of these jobs.
    """
    deliveries = visible_deliveries(request)
    if deliveries is None:
        return None
    if jobs is not None:
        deliveries = deliveries.filter(job__in=jobs.order_by())
    letters = visible_dead_letters(request) if jobs is None else None
    oldest = deliveries.waiting().order_by("created_at").values_list("created_at", flat=True).first()
    return DeliverySummary(
        waiting=up_to_a_thousand(deliveries.waiting()) if oldest else 0,
        dead=up_to_a_thousand(deliveries.dead()),
        letters=up_to_a_thousand(letters.dead()) if letters is not None else 0,
        oldest=oldest,
    )


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """The dead deliveries of one endpoint: the number among the newest thousand, and the newest one."""

    endpoint: Endpoint
    count: int
    newest: Delivery


def dead_by_endpoint(request: HttpRequest, jobs: JobQuerySet) -> list[DeadGroup]:
    """Group the visible dead deliveries of these jobs by endpoint, the most first."""
    deliveries = visible_deliveries(request)
    if deliveries is None:
        return []
    dead = deliveries.dead().select_related("endpoint").order_by("-id")
    if jobs.query.where:
        dead = dead.filter(job__in=jobs.order_by())
    newest = list(dead[:MOST_COUNTED])
    counts = Counter(each.endpoint_id for each in newest)
    first = {each.endpoint_id: each for each in reversed(newest)}
    return [DeadGroup(first[pk].endpoint, count, first[pk]) for pk, count in counts.most_common()]


def visible_dead_letters(request: HttpRequest) -> InboxQuerySet | None:
    """Return the visible dead and replayed letters; None where the account may not see any."""
    if not request.user.has_perm("jobs.view_inboxmessage"):
        return None
    return InboxMessage.objects.letters().visible_to(request.user)


def visible_endpoints(request: HttpRequest) -> QuerySet[Endpoint] | None:
    """Return the visible endpoints; None where the account may not see any."""
    access = access_of(request.user)
    if not access.may("view_endpoint"):
        return None
    found = Endpoint.objects.all()
    return found if access.projects is None else found.filter(project__in=access.projects)


def visible_deliveries(request: HttpRequest) -> DeliveryQuerySet | None:
    """Return the deliveries of visible jobs; None where the account may not see any."""
    access = access_of(request.user)
    if not access.may("view_delivery"):
        return None
    found = Delivery.objects.all()
    return found if access.projects is None else found.filter(job__project__in=access.projects)


def endpoint_name(endpoint: Endpoint) -> str:
    """Return the name of an endpoint, else its host. The whole address may contain a secret."""
    if endpoint.name:
        return endpoint.name
    return "broker" if endpoint.kind == EndpointKind.BROKER else urlsplit(endpoint.url).netloc.rpartition("@")[2]


def up_to_a_thousand(found: QuerySet[Any]) -> int:
    """Count the rows; 1,000 stands for more."""
    return found.order_by()[:MOST_COUNTED].count()
