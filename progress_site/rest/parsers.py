"""Request bodies: JSON as strictly as both databases can keep it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

from django.conf import settings
from rest_framework.exceptions import APIException, ParseError
from rest_framework.parsers import BaseParser

from jobs.rules import strict_json


class TooLarge(APIException):
    """The body is over the limit."""

    status_code = 413
    default_code = "too_large"
    default_detail = "The body is larger than 1 MiB."


class StrictJSONParser(BaseParser):
    """One JSON object of at most 1 MiB and 32 levels, without duplicate keys, NUL, half surrogate pairs,
    NaN, infinities and integers beyond 2^53. TooLarge and ParseError otherwise; BadInput names the field."""

    media_type = "application/json"

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, Any]:
        """The decoded object."""
        limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        raw = stream.read(limit + 1)
        if len(raw) > limit:
            raise TooLarge
        return parsed(raw)


def parsed(raw: bytes) -> dict[str, Any]:
    """The object that these bytes say."""
    try:
        return strict_json.parsed(raw)
    except strict_json.Malformed as error:
        raise ParseError(f"The body {error}.") from error
