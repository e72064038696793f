"""Request examples of the OpenAPI document."""

from __future__ import annotations

DOCUMENT = {"name": "contract-4711.pdf", "page_count": 422, "pages_per_chunk": 25, "project": "matter-789"}
RETRY = {"chunks": [4, 11], "reason": "Document AI is back."}
