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
    return readable(items)[0]


def readable(items: Iterable[NewItem]) -> tuple[list[Body], dict[str, str]]:
    """Items as the server takes them, and why some of them fail, by their keys.

    No site can keep a name that is not UTF-8 (file names of older systems have such bytes), and no worker could open
    the file by an escaped one. So the item is listed with escapes, and fails with a sentence, and the others go on.
    """
    found: dict[str, Body] = {}
    reasons: dict[str, str] = {}
    for item in items:
        body = dict(item) if isinstance(item, Mapping) else {"key": str(item)}
        if is_utf8(body):
            found[body["key"]] = body
            reasons.pop(body["key"], None)
            continue
        body = utf8(body)
        # Of two items with one key the one that needs no escapes is meant.
        if found.setdefault(body["key"], body) is body:
            reasons[body["key"]] = f"The name or payload of {body['key']} is not UTF-8; rename it and add it again."
    return list(found.values()), reasons


def is_utf8(value: Any) -> bool:
    """Whether every text in it can be sent."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8(value: Any) -> Any:
    """The same with the bytes and surrogates that are not UTF-8 as escapes: `caf\\xe9.jpg`."""
    if isinstance(value, str):
        return _escaped(value)
    if isinstance(value, Mapping):
        return {utf8(name): utf8(inner) for name, inner in value.items()}
    return [utf8(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _escaped(text: str) -> str:
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace").decode()


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
