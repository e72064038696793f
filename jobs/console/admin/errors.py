"""The groups of the page of errors as files. They are no rows of a table, so that no list of the admin has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed
from django.urls import re_path
from django.utils import timezone

from jobs.access import access_of
from jobs.console.admin.export import NOTATIONS, Column, Notation, headers_of
from jobs.console.errors.filters import filters_of
from jobs.console.errors.views import errors_found
from jobs.serializers import JobsErrorGroup

MOST_EXPORTED = 5000


def _of(name: str) -> Callable[[JobsErrorGroup], Any]:
    return lambda group: group[name]  # type: ignore[literal-required]


COLUMNS = (
    *(Column(name, _of(name)) for name in ("signature", "sample", "item", "count", "first_at", "last_at")),
    *(Column(name, _of(name)) for name in ("worker_count", "workers", "phases", "job_count", "jobs")),
)


def export(request: HttpRequest, notation: str) -> HttpResponse:
    """The groups that the filters of the address leave, in its order, as a file."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    access = access_of(request.user)
    if not access.may("view_job"):
        raise PermissionDenied
    written, now = NOTATIONS[notation](), timezone.now()
    found = errors_found(filters_of(request.GET), access, now=now, most=MOST_EXPORTED)
    return HttpResponse(
        _whole(found.groups, written),
        content_type=written.media_type,
        headers=headers_of(f"errors-{now:%Y-%m-%d}.{notation}"),
    )


def _whole(groups: list[JobsErrorGroup], written: Notation) -> bytes:
    rows = [{column.name: column.read(group) for column in COLUMNS} for group in groups]
    return written.begin(COLUMNS) + (written.rows(rows) if rows else b"") + written.end(broken_off=False)


urlpatterns = [
    re_path(rf"^export\.(?P<notation>{'|'.join(NOTATIONS)})$", admin.site.admin_view(export), name="errors-export")
]
