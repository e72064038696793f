"""When to try again: full jitter, and never before the server asks for it. Pure."""

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


def pause(tries: int, *, asked: float = 0.0, uniform: Callable[[float, float], float] = _uniform) -> float:
    """Seconds to wait after so many failed tries (0: the first has failed), on top of what the server asked for."""
    return asked + uniform(0, min(LONGEST, FIRST * 2 ** min(tries, MOST_DOUBLINGS)))


def retry_after(header: str | None, *, now: Callable[[], float] = time.time) -> float:
    """The seconds of a Retry-After header, which is a number or a date; 0 where there is none that makes sense."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return min(float(text), LONGEST_ASKED)
    try:
        return min(max(parsedate_to_datetime(text).timestamp() - now(), 0.0), LONGEST_ASKED)
    except (TypeError, ValueError, IndexError):
        return 0.0
