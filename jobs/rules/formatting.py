"""Formats of numbers, durations, times and texts. `times.js` formats the same way in the browser."""

from __future__ import annotations

from datetime import UTC, datetime

# The command line of the client and the pages of the server format numbers in the same way.
from progress_client.command.formatting import DASH, MINUTE, format_duration, format_number

from jobs.rules.composition import composed

__all__ = [
    "DASH",
    "ELLIPSIS",
    "MINUTE",
    "clip",
    "cut_beginning",
    "format_ago",
    "format_clock",
    "format_datetime",
    "format_duration",
    "format_number",
    "normalized",
    "pluralize",
    "pluralize_with_verb",
    "when",
]

ELLIPSIS = "\u2026"


def format_ago(moment: datetime, *, now: datetime) -> str:
    """Format the distance of a moment: `46 min ago`, or `in 5 min`.

    A clock that was set back by less than a second makes no future of what has just happened.
    """
    seconds = (now - moment).total_seconds()
    return f"{format_duration(seconds)} ago" if seconds > -1 else f"in {format_duration(-seconds)}"


def format_clock(moment: datetime) -> str:
    """Format the time of day in UTC: `13:34:51`."""
    return f"{moment.astimezone(UTC):%H:%M:%S}"


def when(moment: datetime, *, now: datetime, seconds: bool = True) -> str:
    """Format a moment: `13:34:51 UTC`, on another day `20 Nov 13:34 UTC`, in another year `20 Nov 2025 13:34 UTC`."""
    at, day = moment.astimezone(UTC), now.astimezone(UTC).date()
    if at.date() == day:
        return f"{at:%H:%M:%S} UTC" if seconds else f"{at:%H:%M} UTC"
    return f"{at:%d %b %H:%M} UTC" if at.year == day.year else f"{at:%d %b %Y %H:%M} UTC"


def format_datetime(moment: datetime) -> str:
    """Format a moment in full: `2026-11-21 13:34:51 UTC`."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def pluralize(count: int, one: str, many: str = "") -> str:
    """Format a number with its noun: `1 item`, `12 items`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def pluralize_with_verb(count: int, one: str) -> str:
    """Format a number with its noun and verb: `1 item is`, `12 items are`."""
    return f"{pluralize(count, one)} {'is' if count == 1 else 'are'}"


def cut_beginning(text: str, *, most: int, mark: str) -> str:
    """Return the end of a text of at most `most` bytes; a text that is too long begins with the mark instead."""
    encoded = text.encode(errors="replace")
    if len(encoded) <= most:
        return text
    return mark + encoded[len(mark.encode()) - most :].decode(errors="ignore")


def clip(text: str, longest: int) -> str:
    """Cut a text to at most so many characters and mark the cut with an ellipsis."""
    return text if len(text) <= longest else text[: longest - 1] + ELLIPSIS


def normalized(text: str) -> str:
    """Return the text in Unicode's composed form (NFC), with single blanks between words."""
    return " ".join(composed(text).split())
