"""The confirmation of an act on one incident, or on selected ones."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import messages
from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.base import ids_in_query
from jobs.console.confirm_view import ConfirmView
from jobs.console.incidents.forms import FORMS, ActForm
from jobs.models import Incident
from jobs.operations import INCIDENT_ACTS
from jobs.rules.errors import BadInput, Refused
from jobs.rules.formatting import pluralize

MOST = 200
NAMED = 20


class IncidentActView(ConfirmView):
    """Ask for the arguments of an act, then act on each incident."""

    home: ClassVar[str] = "admin:incidents"
    not_found = "The incident does not exist or is not visible to you."

    def __init__(self, request: HttpRequest, site: AdminSite, *, slug: str, incident_id: int | None = None) -> None:
        super().__init__(request, site)
        self.act = INCIDENT_ACTS[slug]
        self.ids = [incident_id] if incident_id else ids_in_query(request.GET, "incident", most=MOST)
        self.incidents: list[Incident] = []

    def missing_permission(self) -> str:
        """Name the missing permission."""
        return (
            ""
            if self.user.has_perm("jobs.view_incident") and not self._forbidden()
            else (
                self._forbidden()
                or "To see incidents, your account needs the permission jobs.view_incident (role viewer)."
            )
        )

    def _forbidden(self) -> str:
        return self.act.forbidden(self.user)

    def find(self) -> bool:
        """Load the incidents."""
        visible = Incident.objects.visible_to(self.user).filter(pk__in=self.ids)
        self.incidents = list(visible.worst_first())
        return bool(self.incidents)

    def form(self) -> forms.Form:
        """Return the form of the act; an assignment suggests the account itself."""
        initial = {"account": self.user.get_username()}
        return FORMS[self.act.name](self.request.POST if self.is_confirmed else None, initial=initial)

    def context(self) -> dict[str, Any]:
        """Describe the act, and the incidents on which it is impossible."""
        refused = [(each, self._refusal(each)) for each in self.incidents]
        possible = [each for each, why_not in refused if not why_not]
        subject = self.incidents[0].title if len(self.incidents) == 1 else pluralize(len(self.incidents), "incident")
        effects = [("Incidents" if len(possible) > 1 else "Incident", self._names(possible))] if possible else []
        effects += [(f"Not possible: {each.title}", why_not) for each, why_not in refused if why_not][:NAMED]
        effects.append(("Effect", (type(self.act).__doc__ or "").partition("\n")[0]))
        return {
            "title": f"{self.act.label}: {subject}",
            "button": self.act.label,
            "effects": effects,
            "possible": bool(possible),
        }

    def _refusal(self, incident: Incident) -> str:
        return "It is resolved." if incident.is_over else self.act.refusal(incident)

    def _names(self, incidents: list[Incident]) -> str:
        more = f" and {len(incidents) - NAMED} more" if len(incidents) > NAMED else ""
        return "; ".join(each.title for each in incidents[:NAMED]) + more

    def confirmed(self, form: ActForm) -> HttpResponse:
        """Act on each incident, and say how many were changed and which were refused."""
        try:
            acted = self.act.on_many(self.incidents, actor=self.user, **form.arguments())
        except BadInput as error:
            for field, detail in error.errors.items():
                form.add_error(field if field in form.fields else None, detail)
            return self.page(form)
        except Refused as error:
            form.add_error(None, error.detail)
            return self.page(form)
        if acted.changed:
            messages.success(self.request, f"{pluralize(acted.changed, 'incident')} {self.act.past}.")
        elif not acted.refused:
            messages.info(self.request, "The incident is so already.")
        for refusal in acted.refused[:NAMED]:
            messages.warning(self.request, refusal.detail)
        return self.go_back()
