"""The export of the activity, as a file."""

from __future__ import annotations

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.urls import re_path
from django.utils import timezone

from jobs.access import access_of
from jobs.console.activity.filters import activity_of, filters_of
from jobs.console.activity.views import PERMISSION
from jobs.console.admin.export import FORMATS, Column, attachment, file_chunks, stream

COLUMNS = (
    *(Column(name) for name in ("id", "at", "actor", "act", "about", "target", "project")),
    Column("job", "job_id"),
    *(Column(name) for name in ("bulk", "detail", "reason")),
)


def export(request: HttpRequest, notation: str) -> HttpResponseBase:
    """Return all rows as a file, with the filters of the query string."""
    if request.method not in ("GET", "HEAD"):
        return HttpResponseNotAllowed(["GET", "HEAD"])
    access = access_of(request.user)
    if not access.may(PERMISSION):
        raise PermissionDenied
    writer = FORMATS[notation]()
    rows = activity_of(filters_of(request.GET), access)
    chunks = file_chunks(rows, COLUMNS, writer, prepare=lambda batch: batch)
    return attachment(
        lambda: stream(COLUMNS, writer, chunks),
        name=f"activity-{timezone.now():%Y-%m-%d}.{notation}",
        media_type=writer.media_type,
        head=request.method == "HEAD",
    )


urlpatterns = [
    re_path(rf"^export\.(?P<notation>{'|'.join(FORMATS)})$", admin.site.admin_view(export), name="activity-export")
]
