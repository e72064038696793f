"""The phases of a job as a strip over time: where each began and ended, in percent of the whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from jobs.models import Phase
from jobs.operations.snapshot import JobSnapshot
from jobs.serializers import PhaseBody

NARROWEST = 4.0
TICKS = 3


@dataclass(frozen=True, slots=True)
class StripRow:
    """One phase: its row, its body, and the place of its bar in percent; a phase that has not begun has no width."""

    phase: Phase
    body: PhaseBody
    x: float
    width: float

    @property
    def begun(self) -> bool:
        """True for a phase with a bar."""
        return self.width > 0

    @property
    def open(self) -> int | None:
        """The number of expected items without an outcome; None while the total is unknown."""
        counts = self.phase.counts
        return None if counts.expected is None else max(0, counts.expected - counts.settled)


@dataclass(frozen=True, slots=True)
class PhaseStrip:
    """The rows of all phases, and the moments of the axis; none where nothing has begun or all began together."""

    rows: list[StripRow]
    ticks: list[datetime]

    def __iter__(self) -> Iterator[StripRow]:
        return iter(self.rows)


def phase_strip(snapshot: JobSnapshot, bodies: Sequence[PhaseBody]) -> PhaseStrip:
    """Return the strip of a job from the start of its first phase to the end of its last one, or to now."""
    spans = [_span(phase, now=snapshot.now) for phase in snapshot.phases]
    known = [span for span in spans if span]
    first = min((start for start, _ in known), default=snapshot.now)
    last = max((end for _, end in known), default=snapshot.now)
    if len(spans) < 2 or last <= first:
        return PhaseStrip([_row(phase, body, 0, 100) for phase, body in _both(snapshot, bodies)], [])
    rows = [
        _row(phase, body, *_place(span, first=first, last=last))
        for (phase, body), span in zip(_both(snapshot, bodies), spans, strict=True)
    ]
    return PhaseStrip(rows, [first + (last - first) * n / (TICKS - 1) for n in range(TICKS)])


def _both(snapshot: JobSnapshot, bodies: Sequence[PhaseBody]) -> list[tuple[Phase, PhaseBody]]:
    return list(zip(snapshot.phases, bodies, strict=True))


def _row(phase: Phase, body: PhaseBody, x: float, width: float) -> StripRow:
    return StripRow(phase, body, round(x, 2), round(width, 2))


def _span(phase: Phase, *, now: datetime) -> tuple[datetime, datetime] | None:
    if phase.started_at is None:
        return None
    return phase.started_at, max(phase.started_at, phase.completed_at or now)


def _place(span: tuple[datetime, datetime] | None, *, first: datetime, last: datetime) -> tuple[float, float]:
    """Return the left edge and the width of a bar; a short one gets a width that can be seen."""
    if span is None:
        return 0, 0
    whole = (last - first).total_seconds()
    width = max(NARROWEST, (span[1] - span[0]).total_seconds() * 100 / whole)
    return min(100 - width, (span[0] - first).total_seconds() * 100 / whole), width
