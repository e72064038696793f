"""Lists that come a page at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode, urlsplit

PAGE = 200


def pages(call: Callable[[str, str], Any], path: str, **query: Any) -> Iterator[dict[str, Any]]:
    """Every row of a list; each page is asked for when the one before it is used up."""
    given = urlencode({"limit": PAGE, **{name: value for name, value in query.items() if value not in (None, "")}})
    while given:
        page = call("GET", f"{path}?{given}")
        yield from page["results"]
        given = urlsplit(page["next"] or "").query
