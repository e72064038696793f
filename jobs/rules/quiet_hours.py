"""Quiet hours: a time of the day in which no message is sent. Pure: no Django, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class QuietHours:
    """The hours from `start` to `end` of the clock in a zone, past midnight where the end is before the start."""

    start: time
    end: time
    zone: ZoneInfo

    def include(self, at: datetime) -> bool:
        """Return whether the clock is in the quiet hours at that moment."""
        clock = at.astimezone(self.zone).time()
        if self.start <= self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end

    def end_after(self, at: datetime) -> datetime:
        """Return the moment at which the quiet hours around `at` end; `at` itself outside of them.

        The end is a time of the clock, so a night with a summer-time change is an hour shorter or longer. Where the
        clock skips the end, the quiet hours end at the skip.
        """
        if not self.include(at):
            return at
        quiet, loud = at.astimezone(UTC).replace(microsecond=0), self._after(at)
        while loud - quiet > SECOND:  # the skip may lie between them
            middle = quiet + (loud - quiet) // 2 // SECOND * SECOND
            quiet, loud = (middle, loud) if self.include(middle) else (quiet, middle)
        return loud

    def _after(self, at: datetime) -> datetime:
        """Return the next moment, in UTC, at which the clock shows the end; it may show it twice."""
        local = at.astimezone(self.zone)
        day = local.date() if local.time() < self.end else local.date() + timedelta(days=1)
        both = [datetime.combine(day, self.end, self.zone).replace(fold=fold).astimezone(UTC) for fold in (0, 1)]
        return min(end for end in both if end > at and not self.include(end))
