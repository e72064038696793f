"""Listing items: in bodies that the server takes, and so that no job can finish half listed. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

MOST_ITEMS = 5000
MOST_BYTES = 768 * 1024

NewItem = Union[str, Mapping[str, Any]]
Body = dict[str, Any]


def bodies(items: Iterable[NewItem]) -> list[Body]:
    """Items as the server takes them, each key once: a key, or a mapping with `key`, `label`, `split`, `payload`."""
    given = [dict(item) if isinstance(item, Mapping) else {"key": str(item)} for item in items]
    return list({item["key"]: item for item in given}.values())


def portions(items: Sequence[Body]) -> list[list[Body]]:
    """The items of each call: at most 5000, and less than 1 MiB of JSON."""
    found: list[list[Body]] = []
    room = 0
    for item in items:
        size = len(json.dumps(item)) + 1
        if not found or len(found[-1]) == MOST_ITEMS or size > room:
            found.append([])
            room = MOST_BYTES
        found[-1].append(item)
        room -= size
    return found


def creation(name: str, items: Sequence[Body] | None, options: Mapping[str, Any]) -> tuple[Body, list[list[Body]]]:
    """The body that creates a job, and the items of the calls after it.

    Where more than one call is needed the first phase is told the total at once, so that the job cannot finish
    before everything is listed.
    """
    body = {"name": name, **{key: value for key, value in options.items() if value is not None}}
    if items is None:
        return body, []
    first, *rest = portions(items) or [[]]
    if rest:
        body["phases"] = _told_the_total(body, len(items))
    return {**body, "items": first}, rest


def _told_the_total(body: Body, total: int) -> list[Body]:
    phases = [dict(phase) for phase in body.get("phases") or ()]
    if not phases and body.get("kind", "generic") != "generic":
        raise ValueError(f"{total} items need more than one call; name the phases of the job, so that it knows of all.")
    first, *others = phases or [{"code": "items", "label": "Items", "stage": "Processing {done}/{expected}"}]
    return [{**first, "expected": max(total, first.get("expected") or 0)}, *others]
