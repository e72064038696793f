"""REST call for the activity: everything that people did."""

from __future__ import annotations

from typing import ClassVar

from django.http import HttpResponse
from rest_framework.request import Request

from jobs.access import Access
from jobs.api.base import APIBaseView, json_response
from jobs.api.cursor_pagination import page
from jobs.api.query_params import ActivityQuery
from jobs.api.request_decoding import decode_query
from jobs.api.responses import ActivityPage
from jobs.api.schema import operation
from jobs.models import Activity
from jobs.models.activity import ActivityQuerySet
from jobs.serializers import activity_row


class ActivityList(APIBaseView):
    """Acts of people."""

    reads: ClassVar[str] = "view_activity"

    @operation(
        id="listActivity", summary="List what people did", answer=ActivityPage, errors=(400,), query=ActivityQuery
    )
    def get(self, request: Request) -> HttpResponse:
        """Return one page of the acts, newest first, of the projects that are visible to the account.

        Rows about accounts, tokens and sign-ins need the permission to manage tokens.
        """
        wanted = decode_query(request, ActivityQuery)
        rows = _chosen(wanted, self.access)
        return json_response(page(request, rows, wanted, field="-at", body=activity_row))


def _chosen(wanted: ActivityQuery, access: Access) -> ActivityQuerySet:
    rows = Activity.objects.within(access.projects, access=access.may("manage_tokens"))
    exact = {"actor": wanted.actor, "act": wanted.act, "project": wanted.project}
    rows = rows.filter(**{name: value for name, value in exact.items() if value})
    if wanted.job is not None:
        rows = rows.filter(job_id=wanted.job)
    if wanted.since is not None:
        rows = rows.filter(at__gte=wanted.since)
    return rows if wanted.until is None else rows.filter(at__lt=wanted.until)
