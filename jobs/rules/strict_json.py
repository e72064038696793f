"""Strict JSON: objects that both databases can store. Pure: no Django, no database."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
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
        names = [name for name, _ in pairs]
        double = next(name for name in names if names.count(name) > 1)
        raise BadInput({_shown(double): "This key occurs twice in one object. Remove one of them."})
    return found


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
    for path, value in _scalars(body, path=""):
        fault = _fault(value)
        if fault:
            raise BadInput({path: fault})


def _scalars(value: Any, *, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            inner_path = f"{path}.{_shown(name)}" if path else _shown(name)
            yield inner_path, name
            yield from _scalars(inner, path=inner_path)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _scalars(inner, path=f"{path}[{number}]")
    else:
        yield path, value


def _fault(value: Any) -> str:
    if isinstance(value, str):
        if "\0" in value:
            return "Remove the NUL character from this text."
        return "This text has half a surrogate pair. Remove it." if HALF_PAIR.search(value) else ""
    if type(value) is int and abs(value) > LARGEST_INTEGER:
        return "Enter an integer between -2^53 and 2^53."
    return ""


def _shown(name: str) -> str:
    return name.encode("ascii", "backslashreplace").decode().replace("\0", "\\0")[:100]
