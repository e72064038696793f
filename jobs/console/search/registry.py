"""Registry of finders: each finds one sort of thing for the global search. Pipelines register their own.

A finder runs a constant number of statements, each bounded by an index or by a number of rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime

from django.contrib.auth.models import User
from django.http import HttpRequest

from jobs.access import Access
from jobs.console.status_styles import StatusStyle

MOST_HITS = 6
ORDER = ("Jobs", "Documents", "Training", "Items", "Errors", "Workers", "Acts", "Pages")


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """A text, and the account that searches."""

    text: str
    access: Access
    request: HttpRequest
    now: datetime

    @property
    def user(self) -> User:
        """The account."""
        assert isinstance(self.request.user, User)
        return self.request.user


@dataclass(frozen=True, slots=True)
class Hit:
    """One result: a link, with a detail that distinguishes it from results of the same name."""

    group: str
    label: str
    address: str
    detail: str = ""
    style: StatusStyle | None = None


@dataclass(slots=True)
class HitGroup:
    """The results of one sort."""

    label: str
    hits: list[Hit] = field(default_factory=list)
    more: bool = False


Finder = Callable[[SearchQuery], Iterable[Hit]]
FINDERS: list[Finder] = []


def finder(find: Finder) -> Finder:
    """Register a finder."""
    FINDERS.append(find)
    return find


def search(query: SearchQuery) -> list[HitGroup]:
    """Return the results by group, each address once, at most MOST_HITS in a group."""
    groups: dict[str, HitGroup] = {name: HitGroup(name) for name in ORDER}
    seen: set[tuple[str, str]] = set()
    for find in FINDERS:
        for hit in find(query):
            group = groups.setdefault(hit.group, HitGroup(hit.group))
            if (hit.label, hit.address) in seen:
                continue
            seen.add((hit.label, hit.address))
            group.more = group.more or len(group.hits) >= MOST_HITS
            if not group.more:
                group.hits.append(hit)
    return [group for group in groups.values() if group.hits]
