"""Size limits that depend on the encoding of a value."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from jobs.rules.errors import BadInput
from jobs.rules.limits import CHECKSUM_LENGTH
from jobs.serializers import encode
from jobs.tracking import Link

BLOB_BYTES = 16 * 1024
WEB_ADDRESS = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#][^\s\\]*)?", re.IGNORECASE)


def check_blob(blob: dict[str, Any], *, field: str) -> None:
    """Refuse an object of more than 16 KiB of JSON."""
    if len(encode(blob)) > BLOB_BYTES:
        raise BadInput({field: "Enter at most 16 KiB of JSON."})


def check_links(links: Sequence[Link], *, field: str) -> None:
    """Refuse a link that a browser would not open as a page: one without http, https or a host."""
    for place, link in enumerate(links):
        if not WEB_ADDRESS.fullmatch(link.url):
            raise BadInput({f"{field}[{place}].url": "Enter a valid address that begins with http:// or https://."})


def check_checksum(checksum: Any, *, field: str) -> None:
    """Refuse a checksum that is too long: a truncated one could equal another."""
    if isinstance(checksum, str) and len(checksum) > CHECKSUM_LENGTH:
        raise BadInput({field: f"Enter at most {CHECKSUM_LENGTH} characters."})
