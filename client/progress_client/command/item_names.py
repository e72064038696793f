"""Names of items from lists of scripts: any bytes but the separator, each with a stable key. Pure."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any

from progress_client.file_listing import is_utf8, utf8

LONGEST_KEY = 1024
NAME = "name_base64"
PLACE = "{}"


def split(content: bytes, *, nul: bool) -> list[str]:
    """Split a list at newlines or at NUL; empty names are left out."""
    return [os.fsdecode(name) for name in content.split(b"\0" if nul else b"\n") if name]


def items(names: Iterable[str]) -> list[dict[str, Any]]:
    """Return item bodies. A name that is no key of the site gets a stable key, and its bytes are in the payload."""
    listed = list(dict.fromkeys(names))
    plain = {name for name in listed if is_utf8(name) and len(name) <= LONGEST_KEY}
    return [{"key": name} if name in plain else _with_bytes(name, taken=plain) for name in listed]


def name_of(key: str, payload: Mapping[str, Any]) -> str:
    """Return the name of an item: its key, unless the payload has other bytes."""
    return os.fsdecode(b64decode(payload[NAME])) if NAME in payload else key


def filled(words: Sequence[str], name: str) -> list[str]:
    """Put a name into the words of a command, in place of `{}` or at the end. No shell reads it."""
    made = [word.replace(PLACE, name) for word in words]
    return made if any(PLACE in word for word in words) else [*made, name]


def _with_bytes(name: str, *, taken: set[str]) -> dict[str, Any]:
    raw = os.fsencode(name)
    mark = f" ~{blake2b(raw, digest_size=4).hexdigest()}"
    key = utf8(name)
    if len(key) > LONGEST_KEY or key in taken:
        key = key[: LONGEST_KEY - len(mark)] + mark
    return {"key": key, "payload": {NAME: b64encode(raw).decode()}}
