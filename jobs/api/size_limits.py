"""Size limits that depend on the encoding of a value."""

from __future__ import annotations

from typing import Any

from jobs.rules.errors import BadInput
from jobs.rules.limits import CHECKSUM_LENGTH
from jobs.serializers import encode

BLOB_BYTES = 16 * 1024


def check_blob(blob: dict[str, Any], *, field: str) -> None:
    """Refuse an object of more than 16 KiB of JSON."""
    if len(encode(blob)) > BLOB_BYTES:
        raise BadInput({field: "Enter at most 16 KiB of JSON."})


def check_checksum(checksum: Any, *, field: str) -> None:
    """Refuse a checksum that is too long: a truncated one could equal another."""
    if isinstance(checksum, str) and len(checksum) > CHECKSUM_LENGTH:
        raise BadInput({field: f"Enter at most {CHECKSUM_LENGTH} characters."})
