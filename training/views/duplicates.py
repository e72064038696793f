"""The duplicates section of the session page."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, QueryDict

from jobs.console.base import ids_in_query
from training.models import TrainingImage, TrainingSession

LISTED = 10
PLACE = "duplicates_after"


def duplicates_section(request: HttpRequest, session: TrainingSession) -> dict[str, Any]:
    """Return the context of one page of duplicates; the address gives the last one of the previous page."""
    after = next(iter(ids_in_query(request.GET, PLACE, most=1)), 0)
    found = TrainingImage.objects.filter(session=session, duplicate_of__isnull=False, pk__gt=after)
    rows = list(found.select_related("item", "duplicate_of__item").order_by("pk")[: LISTED + 1])
    more = len(rows) > LISTED
    return {
        "duplicates": rows[:LISTED],
        "duplicates_next": _address(request.GET, after=rows[LISTED - 1].pk) if more else "",
        "duplicates_first": _address(request.GET) if after else "",
    }


def _address(query: QueryDict, *, after: int | None = None) -> str:
    kept = {name: value for name, value in query.items() if name != PLACE}
    return f"?{urlencode(kept | ({PLACE: str(after)} if after else {}))}#duplicates"
