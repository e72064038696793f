"""Composed form (NFC) of texts, in time proportional to their length. Pure: no Django, no database."""

from __future__ import annotations

import re
from unicodedata import combining, normalize

# Marks, and the three characters that are none but decompose into some.
_MARKS = "".join(c for c in map(chr, range(0x300, 0x20000)) if combining(c) or c in "\u0f73\u0f75\u0f81")
# Python sorts a run of marks in quadratic time. Unicode's stream-safe form (UAX 15) has at most 30 in a run.
_LONG_RUN = re.compile(f"((?<![{_MARKS}])[{_MARKS}]{{31,}})")


def composed(text: str) -> str:
    """Return the text in composed form; a run of more than 30 combining marks, which no language has, stays."""
    if text.isascii():
        return text
    parts = _LONG_RUN.split(text)
    return "".join(part if number % 2 else normalize("NFC", part) for number, part in enumerate(parts))
