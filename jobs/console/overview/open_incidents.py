"""The incidents of the overview: the worst open ones, and the acknowledged ones, which are folded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import Count, Exists, OuterRef
from django.http import HttpRequest

from jobs.console.incidents.rows import IncidentRow, incident_rows
from jobs.console.incidents.views import visible_incidents
from jobs.models import IncidentJob
from jobs.models.incidents import IncidentQuerySet
from jobs.models.jobs import JobQuerySet
from jobs.rules.incidents import IncidentKind, IncidentState

LISTED = 7


@dataclass(frozen=True, slots=True)
class OverviewIncidents:
    """The rows that are listed, and the numbers of all."""

    open: list[IncidentRow] = field(default_factory=list)
    acknowledged: list[IncidentRow] = field(default_factory=list)
    counts: Mapping[str, int] = field(default_factory=dict)

    @property
    def number(self) -> int:
        """The number of open incidents."""
        return self.counts.get(IncidentState.OPEN, 0)

    @property
    def acknowledged_number(self) -> int:
        """The number of acknowledged incidents."""
        return self.counts.get(IncidentState.ACKNOWLEDGED, 0)

    @property
    def snoozed_number(self) -> int:
        """The number of snoozed incidents."""
        return self.counts.get(IncidentState.SNOOZED, 0)


def overview_incidents(
    request: HttpRequest, jobs: JobQuerySet, *, filters: Mapping[str, str], now: datetime
) -> OverviewIncidents:
    """Return the incidents under the filters of the page; none without the permission.

    A silent watchdog has a row of its own, which is true when no process can write an incident.
    """
    visible = visible_incidents(request)
    if visible is None:
        return OverviewIncidents()
    found = _narrowed(visible, jobs, filters).ongoing().exclude(kind=IncidentKind.WATCHDOG_SILENT)
    counts = dict(found.order_by().values_list("state").annotate(number=Count("pk")))
    listed = found.select_related("assignee", "acknowledged_by").worst_first()
    states = (IncidentState.OPEN, IncidentState.ACKNOWLEDGED)
    shown = [each for state in states if counts.get(state) for each in listed.filter(state=state)[:LISTED]]
    rows = incident_rows(request, shown, now=now)
    opened, acknowledged = ([row for row in rows if row.incident.state == state] for state in states)
    return OverviewIncidents(opened, acknowledged, counts)


def _narrowed(incidents: IncidentQuerySet, jobs: JobQuerySet, filters: Mapping[str, str]) -> IncidentQuerySet:
    """Keep the incidents of a project; of a kind or part of a name those that hit such a job."""
    if "project" in filters:
        incidents = incidents.filter(project=filters["project"])
    if "kind" in filters or "q" in filters:
        hit = IncidentJob.objects.present().filter(incident=OuterRef("pk"), job__in=jobs.order_by())
        incidents = incidents.filter(Exists(hit))
    return incidents
