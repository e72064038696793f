"""Moments in the sentences of the server: `13:34:51 UTC` becomes a time that the browser shows in its own zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString, mark_safe

from jobs.rules.formatting import format_datetime

# What `formatting.when` and `format_datetime` write. Words of a person or a worker stand in quotation marks and stay.
_MOMENT = re.compile(
    r"(?P<quoted>“[^”]*”)|"
    r"(?:(?P<date>\d{4}-\d{2}-\d{2}) |(?P<day>\d{2}) (?P<month>[A-Z][a-z]{2}) (?:(?P<year>\d{4}) )?)?"
    r"(?P<hour>\d{2}):(?P<minute>\d{2})(?::(?P<second>\d{2}))? UTC"
)
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def with_moments(text: str, *, now: datetime) -> SafeString:
    """Return the escaped text with a `<time>` for each moment in it."""
    parts, place = [], 0
    for found in _MOMENT.finditer(text):
        moment = None if found["quoted"] else _moment(found, now=now)
        if moment is not None:
            parts += [conditional_escape(text[place : found.start()]), _time(moment, found)]
            place = found.end()
    return mark_safe("".join([*parts, conditional_escape(text[place:])]))  # noqa: S308  every part is escaped


def _moment(found: re.Match[str], *, now: datetime) -> datetime | None:
    """Return the moment; None where the digits are none."""
    try:
        today = datetime.fromisoformat(found["date"]) if found["date"] else now.astimezone(UTC)
        month = _MONTHS.index(found["month"]) + 1 if found["month"] else today.month
        day = int(found["day"] or today.day)
        clock = (int(found["hour"]), int(found["minute"]), int(found["second"] or 0))
        return datetime(int(found["year"] or today.year), month, day, *clock, tzinfo=UTC)
    except ValueError:
        return None


def _time(moment: datetime, found: re.Match[str]) -> SafeString:
    return format_html(
        '<time datetime="{}" title="{}" data-clock="{}">{}</time>',
        moment.isoformat(),
        format_datetime(moment),
        "seconds" if found["second"] else "minutes",
        found[0],
    )
