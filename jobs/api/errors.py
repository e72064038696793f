"""REST call for the errors of all jobs."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from jobs.api.base import APIBaseView, json_response
from jobs.api.query_params import ErrorQuery
from jobs.api.request_decoding import decode_query, in_utc
from jobs.api.responses import ErrorPage
from jobs.api.schema import operation
from jobs.serializers import errors_across, failures_of

EXACT = ("kind", "project", "status")


class AllErrors(APIBaseView):
    """Errors of all visible jobs."""

    @operation(
        id="listErrors", summary="Group the failures of all jobs", answer=ErrorPage, errors=(400,), query=ErrorQuery
    )
    def get(self, request: Request) -> HttpResponse:
        """Group failed items by their error without numbers, paths and ids, over the jobs of a filter."""
        wanted = decode_query(request, ErrorQuery)
        jobs: dict[str, Any] = {name: value for name in EXACT if (value := getattr(wanted, name))}
        if wanted.q:
            jobs["name__icontains"] = wanted.q
        if self.access.projects is not None:
            jobs["project__in"] = sorted(self.access.projects)
        since = None if wanted.since is None else in_utc(wanted.since, field="since")
        failed = failures_of(jobs, since=since)
        found = errors_across(failed, newest_first=wanted.ordering == "-last_at", most=wanted.limit)
        return json_response({"results": found.groups, "looked_at": found.looked_at, "capped": found.capped})
