"""Parser of request bodies: only JSON that both databases can store.

It is our own because a lenient parser leads to a 500: PostgreSQL refuses NUL and lone surrogates in JSON, deep nesting
exceeds Python's recursion limit, and integers beyond 2^53 change in a browser.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from jobs.api import json_bodies
from jobs.rules import strict_json


class TooLarge(APIException):
    """Error for a body over the limit."""

    status_code = 413
    default_code = "too_large"
    default_detail = "The body is larger than 1 MiB. Send it in several requests."


class StrictJSONParser(BaseParser):
    """Parser of one JSON object of at most 1 MiB and 32 levels.

    Duplicate keys, NUL, half surrogate pairs, NaN, infinities and integers beyond 2^53 are refused. TooLarge and
    ParseError otherwise; BadInput names the field.
    """

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """Return the decoded object."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge
        return parsed(raw)


def parsed(raw: bytes) -> dict[str, Any]:
    """Decode an object; ParseError if it is malformed."""
    try:
        return json_bodies.parsed(raw)
    except strict_json.Malformed as error:
        raise ParseError(f"The body {error}.") from error
