"""Automatic retries: the number left to a failed item, and its delay. Pure: no Django, no database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

SPREAD = 0.2


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """The automatic retries of a phase; the delays are seconds."""

    retries: int = 0
    delay: int = 30
    delay_max: int = 3600

    def is_final(self, failures: int) -> bool:
        """Return whether no retry is left after so many failures."""
        return failures > self.retries

    def delay_after(self, failures: int, *, chance: float) -> timedelta:
        """Compute min(delay_max, delay · 2^(failures - 1)) ± 20 %; `chance` (0 to 1) chooses within the spread.

        Without the spread, the items that fail together in an outage would come back together.
        """
        seconds = min(self.delay_max, self.delay << (failures - 1))
        return timedelta(seconds=seconds * (1 + SPREAD * (2 * chance - 1)))
