"""The encoding of bodies as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

_encoder = msgspec.json.Encoder()


def encode(body: Any) -> bytes:
    """Encode a body as JSON in UTF-8; aware times become RFC 3339, those in UTC end in `Z`."""
    return _encoder.encode(body)
