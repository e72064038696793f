"""The ended attempts of an item on its page, and the download of their logs."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.contrib.admin import AdminSite
from django.http import HttpRequest, HttpResponse

from jobs.console.base import forbidden_page, not_found_page, not_visible, visible_jobs
from jobs.models import Attempt, Item
from jobs.rules.formatting import format_duration, when

NEEDED = "To see logs, an account needs the permissions jobs.view_job and jobs.view_item (role viewer)."


def retry_text(item: Item, *, retries: int, now: datetime) -> str:
    """Say when a waiting item is retried: `retrying at 14:03:05 UTC, failure 2 of 4`; empty where it does not wait."""
    if item.available_at is None:
        return ""
    failure = f"failure {item.failures} of {max(retries, item.failures) + 1}"
    if item.available_at <= now:
        return f"due for its retry, {failure}"
    return f"retrying at {when(item.available_at, now=now)}, {failure}"


def took(attempt: Attempt) -> str:
    """Return the length of an attempt; empty where its start is unknown."""
    if attempt.started_at is None:
        return ""
    return format_duration((attempt.ended_at - attempt.started_at).total_seconds())


def attempts_of(item: Item) -> list[tuple[Attempt, str]]:
    """Return the last ended attempts with their lengths, newest first."""
    return [(attempt, took(attempt)) for attempt in Attempt.objects.select_related("account").newest(item)]


def sample_logs(items: Iterable[int | None]) -> dict[int, int]:
    """Return for each of these items with a log the id of its newest attempt that has one; one query."""
    logged = Attempt.objects.filter(item__in=[item for item in items if item]).exclude(log="").order_by("pk")
    return dict(logged.values_list("item", "pk"))


def attempt_log(request: HttpRequest, site: AdminSite, attempt_id: str) -> HttpResponse:
    """Send the log of an attempt as a text file; 404 if its job is not visible to the account."""
    jobs = visible_jobs(request)
    if jobs is None or not request.user.has_perm("jobs.view_item"):
        return forbidden_page(request, site, NEEDED)
    attempt = Attempt.objects.filter(item__phase__job__in=jobs, pk=int(attempt_id)).exclude(log="").first()
    if attempt is None:
        return not_found_page(request, site, not_visible("Log of attempt", attempt_id))
    name = f"item-{attempt.item_id}-attempt-{attempt.number}.log"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(attempt.log, content_type="text/plain; charset=utf-8", headers=headers)
