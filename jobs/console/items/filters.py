"""Filters of a job's items, shared by the list on its page and by acts on all matching items."""

from __future__ import annotations

from django.db.models import Q
from django.http import QueryDict

from jobs.console import status_styles
from jobs.console.base import LONGEST_ID
from jobs.models.items import ItemQuerySet, digest
from jobs.rules.limits import KEY_LENGTH
from jobs.rules.statuses import ItemStatus

NAMES = ("status", "split", "q", "worker", "account", "signature", "range")

Filters = dict[str, str]


def filters_of(query: QueryDict) -> Filters:
    """Return the value of every filter in an address; empty when it is not set."""
    return {name: query.get(name, "").replace("\0", "")[:KEY_LENGTH] for name in NAMES}


def narrowed(items: ItemQuerySet, filters: Filters) -> ItemQuerySet:
    """Return the items that match these filters."""
    found = items.filter(status=filters["status"]) if filters["status"] in list(ItemStatus) else items
    for name in ("split", "worker"):
        found = found.filter(**{name: filters[name]}) if filters[name] else found
    if filters["account"]:
        found = of_account(found, filters["account"])
    if filters["signature"]:
        found = found.alike(filters["signature"])
    if filters["range"]:
        found = found.filter(pk__range=_ends(filters["range"]))
    if filters["q"]:
        words = filters["q"]
        found = found.filter(Q(key_digest=digest(words)) | Q(key__icontains=words) | Q(label__icontains=words))
    return found


def of_account(items: ItemQuerySet, number: str) -> ItemQuerySet:
    """Return the items that an account holds or has settled, by its id; 0 for those without an account."""
    known = number.isascii() and number.isdigit() and len(number) < LONGEST_ID
    return items.filter(account=int(number) or None) if known else items.none()


def _ends(text: str) -> tuple[int, int]:
    """Parse `101-125` into the first and the last id; anything else becomes a range that matches nothing."""
    ends = [end if end.isascii() and end.isdigit() and len(end) < LONGEST_ID else "" for end in text.split("-")]
    return (int(ends[0]), int(ends[1])) if len(ends) == 2 and all(ends) else (1, 0)


def in_words(filters: Filters) -> str:
    """Format the filters: `status Failed, split train, matching “page 7”`; empty without filters."""
    status = status_styles.STYLES[filters["status"]].label if filters["status"] in list(ItemStatus) else ""
    values = {"status": status, "split": filters["split"], "worker": filters["worker"], "ids": filters["range"]}
    parts = [f"{name} {value}" for name, value in values.items() if value]
    parts += [
        f"{word} “{filters[name]}”" for name, word in (("signature", "error"), ("q", "matching")) if filters[name]
    ]
    return ", ".join(parts)
