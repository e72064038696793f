"""The page of one delivery: where it goes, what it carries, and why it did not arrive."""

from __future__ import annotations

import json

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.outbox.messages import message_of
from jobs.console.base import forbidden, missing, page
from jobs.console.deliveries.delivery_queries import deliveries_of, endpoints_of, place

NEEDED = "To see deliveries an account needs the permission jobs.view_delivery (role viewer)."


def delivery_page(request: HttpRequest, site: AdminSite, delivery_id: str) -> HttpResponse:
    """Everything about one delivery; 404 where its job is out of sight."""
    visible = deliveries_of(request)
    if visible is None:
        return forbidden(request, site, NEEDED)
    rows = visible.select_related("endpoint", "job", "event__job", "event__phase")
    delivery = rows.filter(pk=int(delivery_id)).first()
    if delivery is None:
        return missing(request, site, f"There is no delivery {delivery_id} in your sight. It may have been pruned.")
    endpoints = endpoints_of(request)
    context = {
        "title": f"{delivery.event.type} to {place(delivery.endpoint)}",
        "delivery": delivery,
        "place": place(delivery.endpoint),
        "reachable": endpoints is not None and endpoints.filter(pk=delivery.endpoint_id).exists(),
        "payload": json.loads(message_of(delivery.event).body),
        "may_replay": request.user.has_perm("jobs.replay_event"),
        "back": request.get_full_path(),
    }
    return page(request, site, "jobs/delivery.html", context)
