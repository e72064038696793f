"""Decoding of requests into typed structs; a value of a wrong type is refused, and the error names its field."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeVar

import msgspec
import msgspec.inspect
import msgspec.structs
from django.http import QueryDict
from rest_framework.request import Request

from jobs.rules import names
from jobs.rules.errors import BadInput
from jobs.rules.field_types import NAME

T = TypeVar("T", bound=msgspec.Struct)

PLACE = re.compile(r"^(?P<detail>.*?)(?: - at `(?:key in )?\$(?P<path>.*)`)?$", re.DOTALL)
NAMED = re.compile(r"^Object (?P<fault>missing required|contains unknown) field `(?P<name>.*)`$", re.DOTALL)
SENTENCES = {"missing required": "This field is required.", "contains unknown": "This field is unknown. Remove it."}
NULL = "null"
INTEGER = re.compile(r"-?[0-9]{1,19}")


def decode_body(request: Request, type_: type[T]) -> T:
    """Decode the body. JSON types are not converted; BadInput names the field, such as `items[3].key`."""
    try:
        return converted(request.data, type_)
    except msgspec.ValidationError as error:
        raise _refusal(error) from error


def converted(body: Any, type_: type[T]) -> T:
    """Convert a decoded body; msgspec's ValidationError for a wrong type, BadInput for a wrong name."""
    return _with_names(msgspec.convert(body, type_))


def decode_query(request: Request, type_: type[T]) -> T:
    """Decode the query of the address; texts are read as numbers and booleans where the type says so.

    An empty value counts as not given. BadInput for an unknown or repeated parameter and a value of a wrong type.
    """
    given = dict(_given(request.query_params))
    for name in _integers(type_) & given.keys():
        if not INTEGER.fullmatch(given[name]):
            raise BadInput({name: "Enter an integer, such as 50."})
    try:
        return _with_names(msgspec.convert(given, type_, strict=False))
    except msgspec.ValidationError as error:
        raise _refusal(error) from error


def in_utc(moment: datetime, *, field: str) -> datetime:
    """Return a time of a request in UTC; BadInput where UTC has no such time, such as the first hours of year 1.

    PostgreSQL refuses the offsets of 16 hours and more, which RFC 3339 allows.
    """
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise BadInput({field: "Enter a time between the years 1 and 9999 in UTC."}) from error


def _with_names(given: T) -> T:
    """Return the struct with its names in their stored form; BadInput for a character that no name may have."""
    for field, most in _names(type(given)).items():
        text = getattr(given, field)
        name = names.clean(text, field=field, most=most)
        if name != text:
            msgspec.structs.force_setattr(given, field, name)
    return given


@cache
def _names(type_: type[msgspec.Struct]) -> dict[str, int | None]:
    """Return the fields that are names, with the maximum length of each."""
    described = msgspec.inspect.type_info(type_)
    assert isinstance(described, msgspec.inspect.StructType)
    return {field.name: most for field in described.fields for most in _longest_name(field.type)}


def _longest_name(type_: msgspec.inspect.Type, *, is_name: bool = False) -> list[int | None]:
    """Return the maximum length, if this type is a name."""
    if isinstance(type_, msgspec.inspect.Metadata):
        return _longest_name(type_.type, is_name=is_name or type_.extra == NAME)
    return [type_.max_length] if is_name and isinstance(type_, msgspec.inspect.StrType) else []


@cache
def _integers(type_: type[msgspec.Struct]) -> frozenset[str]:
    """Return the integer fields: msgspec would also read `1e2` as an integer."""
    described = msgspec.inspect.type_info(type_)
    assert isinstance(described, msgspec.inspect.StructType)
    return frozenset(field.encode_name for field in described.fields if _is_integer(field.type))


def _is_integer(type_: msgspec.inspect.Type) -> bool:
    if isinstance(type_, msgspec.inspect.Metadata):
        return _is_integer(type_.type)
    if isinstance(type_, msgspec.inspect.UnionType):
        return any(map(_is_integer, type_.types))
    return isinstance(type_, msgspec.inspect.IntType)


def _given(parameters: QueryDict) -> Iterator[tuple[str, str]]:
    for name, values in parameters.lists():
        if len(values) > 1:
            raise BadInput({name: "Give this parameter only once."})
        if "\0" in values[0] or values[0].strip().lower() == NULL:
            raise BadInput({name: "Enter a valid value, or omit this parameter."})
        yield from [(name, values[0])] if values[0] else []


def _refusal(error: msgspec.ValidationError) -> BadInput:
    found = PLACE.match(str(error))
    detail, path = (found["detail"], found["path"] or "") if found else (str(error), "")
    named = NAMED.match(detail)
    if named:
        return BadInput({f"{path}.{named['name']}".lstrip("."): SENTENCES[named["fault"]]})
    return BadInput({path.lstrip("."): f"{detail.replace('`', '')}."})
