"""The page of one delivery: endpoint, payload, tries and error."""

from __future__ import annotations

import json

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.base import forbidden_page, not_found_page, not_visible, render_page
from jobs.console.deliveries.delivery_queries import endpoint_name, visible_deliveries, visible_endpoints
from jobs.outbox.messages import message_of

NEEDED = "To see deliveries, your account needs the permission jobs.view_delivery (role viewer)."


def delivery_page(request: HttpRequest, site: AdminSite, delivery_id: str) -> HttpResponse:
    """Show one delivery; 404 where its job is not visible to the account."""
    visible = visible_deliveries(request)
    if visible is None:
        return forbidden_page(request, site, NEEDED)
    rows = visible.select_related("endpoint", "job", "event__job", "event__phase")
    delivery = rows.filter(pk=int(delivery_id)).first()
    if delivery is None:
        return not_found_page(request, site, not_visible("Delivery", delivery_id))
    endpoints = visible_endpoints(request)
    context = {
        "title": f"{delivery.event.type} to {endpoint_name(delivery.endpoint)}",
        "delivery": delivery,
        "endpoint_name": endpoint_name(delivery.endpoint),
        "reachable": endpoints is not None and endpoints.filter(pk=delivery.endpoint_id).exists(),
        "payload": json.loads(message_of(delivery.event.body(), format=delivery.endpoint.format).body),
        "may_replay": request.user.has_perm("jobs.replay_event"),
        "back": request.get_full_path(),
    }
    return render_page(request, site, "jobs/deliveries/delivery.html", context)
