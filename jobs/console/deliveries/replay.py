"""The confirmation page before events are delivered again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs import operations
from jobs.console.base import ids_in_query
from jobs.console.confirm_view import ConfirmView, changed_sentence
from jobs.console.deliveries.delivery_queries import endpoint_name, visible_deliveries
from jobs.models import Delivery
from jobs.models.outbox import DeliveryQuerySet
from jobs.operations import Act
from jobs.rules.errors import Refused
from jobs.rules.formatting import pluralize

MOST_AT_ONCE = 100
NEEDED = "To deliver events again, your account needs jobs.view_delivery and jobs.replay_event (role lead)."


@dataclass(frozen=True, slots=True)
class DeliveryRow:
    """One delivery, and the reason why it is not sent again."""

    delivery: Delivery
    endpoint_name: str
    why_not: str


class ReplayView(ConfirmView):
    """The confirmation page of a replay.

    `?event=7` replays all deliveries of an event, `?delivery=1&delivery=2` some, `?endpoint=3` the newest hundred dead
    deliveries of an endpoint.
    """

    template = "jobs/deliveries/replay.html"
    home = "admin:jobs_delivery_changelist"
    not_found = "There is no such delivery, or it is not visible to you. An event without a subscriber has no delivery."
    changed = changed_sentence("Some of these deliveries were sent or marked as dead")

    deliveries: list[Delivery]

    def __init__(self, request: HttpRequest, site: AdminSite) -> None:
        super().__init__(request, site)
        self.events = ids_in_query(request.GET, "event", most=1)

    def missing_permission(self) -> str:
        """Check the permissions to see deliveries and to replay."""
        allowed = visible_deliveries(self.request) is not None and self.user.has_perm("jobs.replay_event")
        return "" if allowed else NEEDED

    def find(self) -> bool:
        """Find the deliveries in the order of their events: an event may depend on those before it."""
        visible = visible_deliveries(self.request)
        assert visible is not None
        self.deliveries = self._selected(visible.select_related("endpoint", "event__job"))
        return bool(self.deliveries)

    def _selected(self, rows: DeliveryQuerySet) -> list[Delivery]:
        ids = ids_in_query(self.request.GET, "delivery", most=MOST_AT_ONCE)
        if self.events or ids or "endpoint" not in self.request.GET:
            selected = {"event__in": self.events} if self.events else {"pk__in": ids}
            return list(rows.filter(**selected).order_by("event_id", "pk")[:MOST_AT_ONCE])
        dead = rows.dead().filter(endpoint__in=ids_in_query(self.request.GET, "endpoint", most=1)).order_by("-id")
        return sorted(dead[:MOST_AT_ONCE], key=lambda each: (each.event_id, each.pk))

    def state(self) -> list[list[Any]]:
        """Return the status of each delivery."""
        return [[each.pk, str(each.status)] for each in self.deliveries]

    def context(self) -> dict[str, Any]:
        """List the deliveries."""
        rows = [DeliveryRow(each, endpoint_name(each.endpoint), _why_not(each)) for each in self.deliveries]
        possible = sum(1 for row in rows if not row.why_not)
        return {
            "title": f"Deliver again: {pluralize(len(rows), 'delivery', 'deliveries')}",
            "rows": rows,
            "possible": possible,
            "effects": [
                ("Will happen", "Each delivery is sent in the next delivery run, with a full number of tries."),
                (
                    "Duplicates",
                    "Each has the same event id as before. A receiver that does not check ids acts a second time.",
                ),
                ("Order", "Events of the same job to the same endpoint are sent oldest first."),
                ("Undo", "Not possible once they are sent."),
            ],
            "button": f"Deliver {pluralize(possible, 'delivery', 'deliveries')} again",
        }

    def confirmed(self, form: forms.Form) -> HttpResponse:
        """Replay a whole event in one act, else each delivery in its own."""
        done: list[Act] = []
        for each in self.deliveries[:1] if self.events else self.deliveries:
            try:
                done.append(self._replay(each, reason=form.cleaned_data["reason"]))
            except Refused as error:
                messages.error(self.request, f"{each.event.type} of {each.event.job.name}: {error.detail}")
        changed, refused = sum(act.changed for act in done), sum(len(act.refused) for act in done)
        left = f" {pluralize(refused, 'delivery', 'deliveries')} not sent: the endpoint is disabled." if refused else ""
        queued = f"{pluralize(changed, 'delivery', 'deliveries')} queued again with the same event id.{left}"
        messages.add_message(self.request, messages.SUCCESS if changed else messages.WARNING, queued)
        return self.go_back()

    def _replay(self, delivery: Delivery, *, reason: str) -> Act:
        endpoint = None if self.events else delivery.endpoint
        return operations.replay(delivery.event, endpoint=endpoint, actor=self.user, reason=reason)


def _why_not(delivery: Delivery) -> str:
    return "" if delivery.endpoint.active else "The endpoint is disabled."
