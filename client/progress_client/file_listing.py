"""Item lists of new jobs: request bodies, and their split into several requests. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Union

from progress_client.request_bodies import NewItemBody

MOST_ITEMS = 5000
MOST_BYTES = 768 * 1024

NewItem = Union[str, NewItemBody, Mapping[str, Any]]
Body = dict[str, Any]


def bodies(items: Iterable[NewItem]) -> list[Body]:
    """Return item bodies, each key once. An item is a key or a mapping with `key`, `label`, `split`, `payload`."""
    return readable(items)[0]


def readable(items: Iterable[NewItem]) -> tuple[list[Body], dict[str, str]]:
    """Return item bodies, and by key the error of each item whose name is not UTF-8.

    The site cannot store a name that is not UTF-8 (file names of older systems), and a worker cannot open the file by
    an escaped name. So the item is listed with escapes and fails with an error, and the other items are processed.
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
        # If two items have one key, the one without escapes wins.
        if found.setdefault(body["key"], body) is body:
            reasons[body["key"]] = f"The name or payload of {body['key']} is not UTF-8; rename it and add it again."
    return list(found.values()), reasons


def is_utf8(value: Any) -> bool:
    """Check that every text in the value is valid UTF-8."""
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


def utf8(value: Any) -> Any:
    """Escape the bytes and surrogates that are not UTF-8: `caf\\xe9.jpg`."""
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
    """Split items into requests of at most 5000 items and less than 1 MiB of JSON."""
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
    """Return the body that creates a job, and the items of each later request.

    If more than one request is needed, the first one sets the expected total, so that the job cannot complete before
    all items are listed.
    """
    body = {"name": name, **{key: value for key, value in options.items() if value is not None}}
    if items is None:
        return body, []
    first, *rest = portions(items) or [[]]
    if rest:
        body["phases"] = _with_total(body, len(items))
    return {**body, "items": first}, rest


def _with_total(body: Body, total: int) -> list[Body]:
    phases = [dict(phase) for phase in body.get("phases") or ()]
    if not phases and body.get("kind", "generic") != "generic":
        raise ValueError(
            f"{total} items need more than one request; give `phases`, so that the total can be set first."
        )
    first, *others = phases or [{"code": "items", "label": "Items", "stage": "Processing {done}/{expected}"}]
    return [{**first, "expected": max(total, first.get("expected") or 0)}, *others]
