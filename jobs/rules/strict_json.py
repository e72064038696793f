"""Strict JSON: objects that both databases can store. Pure: no Django, no database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from math import isfinite
from typing import Any

from jobs.rules.errors import BadInput
from jobs.rules.limits import LARGEST_INTEGER

DEEPEST = 32
# Only a body with one of these can hold a NUL, half a surrogate pair or an integer out of bounds.
SUSPICIOUS = re.compile(rb"\\u0000|\\u[dD][89a-fA-F]|[\s:,\[-][0-9]{16}")
HALF_PAIR = re.compile("[\ud800-\udfff]")


class Malformed(ValueError):
    """The bytes are not a valid JSON object; the text is the reason and continues `The body …`."""


def storable(text: str) -> str:
    """Make a foreign text storable in both databases: NUL and half surrogate pairs become question marks."""
    return text.encode(errors="replace").decode().replace("\0", "?")


def parsed(raw: bytes) -> dict[str, Any]:
    """Parse a JSON object of at most 32 levels. Raise Malformed, or BadInput where one field is wrong.

    Refused are duplicate keys, NUL, half surrogate pairs, NaN, infinities and integers beyond 2^53.
    """
    value = _loaded(raw)
    if not isinstance(value, dict):
        raise Malformed("must be a JSON object")
    _check_depth(value)
    if SUSPICIOUS.search(raw):
        _check_scalars(value)
    return value


def _loaded(raw: bytes) -> Any:
    try:
        return json.loads(raw.decode(), object_pairs_hook=_object, parse_constant=_refuse_constant, parse_float=_finite)
    except UnicodeDecodeError as error:
        raise Malformed(f"is not UTF-8: byte {error.start}") from error
    except RecursionError as error:
        raise Malformed(f"is nested deeper than {DEEPEST} levels") from error
    except ValueError as error:
        raise Malformed(f"is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        _refuse_repeated(pairs)
    return found


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> None:
    seen: set[str] = set()
    for name, _ in pairs:
        if name in seen:
            raise BadInput({_shown(name): "This key occurs twice in one object. Remove one of them."})
        seen.add(name)


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _finite(text: str) -> float:
    value = float(text)
    if not isfinite(value):
        raise ValueError(f"{text[:40]} is too large")
    return value


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEEPEST):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if type(outer) is dict else outer)
            if type(inner) in (dict, list)
        ]
        if not level:
            return
    raise Malformed(f"is nested deeper than {DEEPEST} levels")


def _check_scalars(body: dict[str, Any]) -> None:
    found = _first_fault(body)
    if found:
        raise BadInput({found[0].removeprefix("."): found[1]})


def _first_fault(value: Any) -> tuple[str, str] | None:
    """Return the path and the description of the first fault. A path is built only for a fault: it is long."""
    is_object = type(value) is dict
    steps: Iterable[tuple[Any, Any]] = value.items() if is_object else enumerate(value)
    for step, inner in steps:
        kind = type(inner)
        name_fault = _text_fault(step) if is_object else ""
        fault = name_fault or _text_fault(inner) if kind is str else name_fault
        if kind is int and not -LARGEST_INTEGER <= inner <= LARGEST_INTEGER:
            fault = fault or "Enter an integer between -2^53 and 2^53."
        found = ("", fault) if fault else _first_fault(inner) if kind is dict or kind is list else None
        if found:
            return (f".{_shown(step)}" if is_object else f"[{step}]") + found[0], found[1]
    return None


def _text_fault(text: str) -> str:
    if "\0" in text:
        return "Remove the NUL character from this text."
    return "" if text.isascii() or not HALF_PAIR.search(text) else "This text has half a surrogate pair. Remove it."


def _shown(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode().replace("\0", "\\0")[:100]
