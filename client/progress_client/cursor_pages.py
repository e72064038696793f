"""Cursor pagination of lists."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

PAGE = 200


def pages(call: Callable[[str, str], Any], path: str, **query: Any) -> Iterator[Any]:
    """Iterate over all rows of a list, one request per page."""
    given = urlencode({"limit": PAGE, **{name: value for name, value in query.items() if value not in (None, "")}})
    while given:
        page = call("GET", f"{path}?{given}")
        yield from page["results"]
        given = urlsplit(page["next"] or "").query
