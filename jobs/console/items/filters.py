"""The filters of a job's items, the same for the list on its page and for an act on all that it shows."""

from __future__ import annotations

from django.db.models import Q
from django.http import QueryDict

from jobs.console import status_styles
from jobs.console.base import LONGEST_ID
from jobs.models.items import ItemQuerySet, digest
from jobs.rules.statuses import ItemStatus

NAMES = ("status", "split", "q", "worker", "signature", "range")
LONGEST = 1024

Filters = dict[str, str]


def filters_of(query: QueryDict) -> Filters:
    """What an address asks for, by name; empty where it does not."""
    return {name: query.get(name, "").replace("\0", "")[:LONGEST] for name in NAMES}


def narrowed(items: ItemQuerySet, filters: Filters) -> ItemQuerySet:
    """The items that these filters leave."""
    found = items.filter(status=filters["status"]) if filters["status"] in list(ItemStatus) else items
    for name in ("split", "worker"):
        found = found.filter(**{name: filters[name]}) if filters[name] else found
    if filters["signature"]:
        found = found.alike(filters["signature"])
    if filters["range"]:
        found = found.filter(pk__range=_ends(filters["range"]))
    if filters["q"]:
        words = filters["q"]
        found = found.filter(Q(key_digest=digest(words)) | Q(key__icontains=words) | Q(label__icontains=words))
    return found


def _ends(text: str) -> tuple[int, int]:
    """`101-125`, the first and the last id; nothing matches where it is something else."""
    ends = [end if end.isascii() and end.isdigit() and len(end) < LONGEST_ID else "" for end in text.split("-")]
    return (int(ends[0]), int(ends[1])) if len(ends) == 2 and all(ends) else (1, 0)


def in_words(filters: Filters) -> str:
    """`status Failed, split train, matching “page 7”`; empty without filters."""
    status = status_styles.STYLES[filters["status"]].word if filters["status"] in list(ItemStatus) else ""
    said = {"status": status, "split": filters["split"], "worker": filters["worker"], "ids": filters["range"]}
    parts = [f"{name} {value}" for name, value in said.items() if value]
    parts += [
        f"{word} “{filters[name]}”" for name, word in (("signature", "error"), ("q", "matching")) if filters[name]
    ]
    return ", ".join(parts)
