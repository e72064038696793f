"""Formatting of numbers, durations and times. Pure."""

from __future__ import annotations

from typing import Optional, Union

DASH = "\u2013"
MINUTE, HOUR, DAY = 60, 3600, 86_400

Number = Optional[Union[int, float]]


def format_number(value: Number) -> str:
    """Format a number as `1,234`; None as a dash."""
    return DASH if value is None else f"{value:,}"


def format_duration(seconds: Number) -> str:
    """Format a duration in at most two units: `62 s`, `14 min`, `1 h 5 min`, `3 d 4 h`."""
    if seconds is None:
        return "unknown"
    whole = max(0, int(seconds))
    if whole < 2 * MINUTE:
        return f"{whole} s"
    if whole < HOUR:
        return f"{whole // MINUTE} min"
    if whole < DAY:
        return _two(whole, HOUR, "h", MINUTE, "min")
    return _two(whole, DAY, "d", HOUR, "h")


def format_timestamp(moment: str) -> str:
    """Format a time of a REST body as `2026-11-21 13:34:51 UTC`."""
    return f"{moment[:10]} {moment[11:19]} UTC"


def _two(whole: int, unit: int, name: str, part: int, part_name: str) -> str:
    rest = whole % unit // part
    return f"{whole // unit} {name} {rest} {part_name}" if rest else f"{whole // unit} {name}"
