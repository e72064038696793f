"""Number of items to a claim: more of quick items, so that a loop makes fewer requests. Pure."""

from __future__ import annotations

FIRST, MOST = 100, 1000


class ClaimSize:
    """`limit` is the number of items of the next claim: the batch that the program wants, or what suits its items."""

    def __init__(self, wanted: int | None) -> None:
        self._is_fixed = wanted is not None
        self.limit = FIRST if wanted is None else wanted

    def note(self, *, is_fast: bool) -> None:
        """Adapt to the time that the last items took."""
        if not self._is_fixed:
            self.limit = min(MOST, 2 * self.limit) if is_fast else max(FIRST, self.limit // 2)

    def excess(self, held: int) -> int:
        """Return how many of the items that are left a loop should give back when they turn out to be slow."""
        if self._is_fixed or held <= FIRST:
            return 0
        self.limit = FIRST
        return held - FIRST
