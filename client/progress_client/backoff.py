"""Retry delays: exponential backoff with full jitter, never shorter than the server's Retry-After. Pure."""

from __future__ import annotations

import time
from collections.abc import Callable
from email.utils import parsedate_to_datetime
from random import SystemRandom

FIRST = 0.25
LONGEST = 30.0
LONGEST_ASKED = 600.0
MOST_DOUBLINGS = 16
TRY_AGAIN = frozenset({408, 425, 429, *range(500, 600)})

_uniform = SystemRandom().uniform


def pause(tries: int, *, retry_after: float = 0.0, uniform: Callable[[float, float], float] = _uniform) -> float:
    """Return the seconds to wait after this many earlier failures (0: the first failure), plus `retry_after`."""
    return retry_after + uniform(0, min(LONGEST, FIRST * 2 ** min(tries, MOST_DOUBLINGS)))


def retry_after(header: str | None, *, now: Callable[[], float] = time.time) -> float:
    """Parse a Retry-After header, a number or a date, into seconds; 0 if it is missing or not valid."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_ASKED)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - now(), 0.0), LONGEST_ASKED)
    except (TypeError, ValueError, IndexError, OverflowError):
        return 0.0
