"""The export of the error groups. They are no rows of a table, so no list of the admin has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import re_path
from django.utils import timezone

from jobs.access import access_of
from jobs.console.admin.export import FORMATS, Column, FileFormat, headers_of
from jobs.console.errors.filters import filters_of
from jobs.console.errors.views import errors_found
from jobs.serializers import JobsErrorGroup

MOST_EXPORTED = 5000


def _field(name: str) -> Callable[[JobsErrorGroup], Any]:
    return lambda group: group[name]  # type: ignore[literal-required]


COLUMNS = (
    *(Column(name, _field(name)) for name in ("signature", "sample", "item", "count", "first_at", "last_at")),
    *(Column(name, _field(name)) for name in ("worker_count", "workers", "phases", "job_count", "jobs")),
)


def export(request: HttpRequest, notation: str) -> HttpResponse:
    """Return the error groups as a file, with the filters and the order of the query string."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    access = access_of(request.user)
    if not access.may("view_job"):
        raise PermissionDenied
    writer, now = FORMATS[notation](), timezone.now()
    found = errors_found(filters_of(request.GET), access, now=now, most=MOST_EXPORTED)
    return HttpResponse(
        _content(found.groups, writer),
        content_type=writer.media_type,
        headers=headers_of(f"errors-{now:%Y-%m-%d}.{notation}"),
    )


def _content(groups: list[JobsErrorGroup], writer: FileFormat) -> bytes:
    rows = [{column.name: column.read(group) for column in COLUMNS} for group in groups]
    return writer.begin(COLUMNS) + (writer.rows(rows) if rows else b"") + writer.end(is_truncated=False)


urlpatterns = [
    re_path(rf"^export\.(?P<notation>{'|'.join(FORMATS)})$", admin.site.admin_view(export), name="errors-export")
]
