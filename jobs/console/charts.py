"""A picture of items per minute: done upwards from a line, failed downwards, on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobs.rules.formatting import format_clock, format_number, pluralize_with_verb

MOST_COLUMNS, LEAST_COLUMNS = 120, 20
WIDTH, HEIGHT, EDGE = 600, 96, 2
LEAST_BELOW = 12
TICKS = 2
LEAST_USUAL = 5
TOO_HIGH, ROOM_LEFT = 4, 2  # above four times of what is usual a column is cut, at twice of it
Minute = tuple[datetime, int, int]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: done upwards, failed downwards; `cut` where it is higher than the picture."""

    x: float
    width: float
    done_y: float
    done_height: float
    failed_height: float
    cut: bool = False


@dataclass(frozen=True, slots=True)
class RateChart:
    """Items per minute or hour over a time; `top` is what the upper edge stands for, `ticks` the times of the axis."""

    columns: list[Column]
    base: float
    top: int
    now: int
    peak: int
    peak_at: datetime
    done: int
    failed: int
    first_at: datetime
    last_at: datetime
    per: str = "minute"

    @property
    def cut(self) -> int:
        """How many columns are higher than the picture."""
        return sum(column.cut for column in self.columns)

    @property
    def cut_said(self) -> str:
        """What is cut off, how high it really is and when that was; empty where nothing is."""
        return f"{self.cut_words} {format_clock(self.peak_at)[:5]} UTC" if self.cut else ""

    @property
    def cut_words(self) -> str:
        """`1 column is cut off; the highest is 1,248 at`, for the page to go on with the time."""
        return f"{pluralize_with_verb(self.cut, 'column')} cut off; the highest is {format_number(self.peak)} at"

    @property
    def said(self) -> str:
        """The picture in words."""
        figures = (
            f"Items per {self.per}: {format_number(self.now)} in the last full {self.per}, peak {format_number(self.peak)};"
            f" {format_number(self.done)} done and {format_number(self.failed)} failed altogether"
        )
        return f"{figures}; {self.cut_said}" if self.cut else figures

    @property
    def ticks(self) -> Iterator[datetime]:
        """The times below the picture, evenly spread."""
        return (self.first_at + (self.last_at - self.first_at) * n / TICKS for n in range(TICKS + 1))


@dataclass(frozen=True, slots=True)
class _Scale:
    """How many pixels an item per minute has, where the line is, and what the two edges stand for."""

    unit: float
    base: float
    top: int
    bottom: float

    def height(self, value: float) -> float:
        """Upwards; whatever there is can be seen."""
        return round(min(self.base - EDGE, max(2.0, value * self.unit)), 1) if value else 0.0

    def depth(self, value: float) -> float:
        """Downwards."""
        return round(min(HEIGHT - self.base - EDGE, max(3.0, value * self.unit)), 1) if value else 0.0


def rate_chart(minutes: Sequence[Minute], *, first: datetime, last: datetime) -> RateChart:
    """The picture of these minutes from `first` to `last`; a column holds several where they are many."""
    length = int((last - first).total_seconds()) // 60 + 1
    return _drawn(minutes, first=first, last=last, per_column=-(-length // MOST_COLUMNS))


def hourly(minutes: Sequence[Minute], *, first: datetime, last: datetime) -> RateChart:
    """The same with a column for each hour; `first` and `last` are the beginnings of hours."""
    drawn = _drawn(minutes, first=first, last=last + timedelta(minutes=59), per_column=60, divisor=1)
    return replace(drawn, last_at=last, per="hour")


def _drawn(
    minutes: Sequence[Minute], *, first: datetime, last: datetime, per_column: int, divisor: int | None = None
) -> RateChart:
    """Columns of so many minutes; each value is the sum of its column through `divisor`, else through its minutes."""
    length = int((last - first).total_seconds()) // 60 + 1
    count = max(-(-length // per_column), LEAST_COLUMNS)
    shared = divisor or per_column
    sums = [[0.0, 0.0] for _ in range(count)]
    for minute, done, failed in minutes:
        place = min(int((minute - first).total_seconds()) // 60 // per_column, count - 1)
        sums[place][0] += done / shared
        sums[place][1] += failed / shared
    both = [done + failed for done, failed in sums]
    scale = _scale(sums)
    highest = max(range(count), key=both.__getitem__)
    last_place = min((length - 1) // per_column, count - 1)
    return RateChart(
        columns=_columns(sums, scale),
        base=scale.base,
        top=scale.top,
        now=round(both[max(0, last_place - 1)]),
        peak=round(both[highest]),
        peak_at=first + timedelta(minutes=highest * per_column),
        done=sum(done for _, done, _ in minutes),
        failed=sum(failed for _, _, failed in minutes),
        first_at=first,
        last_at=last,
    )


def _scale(sums: Sequence[Sequence[float]]) -> _Scale:
    """One scale for both sides of the line; failures have room wherever there are any."""
    above, below = (_highest(values) for values in zip(*sums, strict=True))
    top = _even(max(1.0, above))
    room = HEIGHT - EDGE
    unit = (room - (EDGE if below else 0)) / (top + below)
    if below and below * unit < LEAST_BELOW:
        unit = (room - LEAST_BELOW - EDGE) / top
    return _Scale(unit=unit, base=round(EDGE + top * unit, 1), top=top, bottom=below)


def _highest(values: Sequence[float]) -> float:
    """How high the picture must be: as the highest column, unless that towers above what is usual."""
    some = sorted(value for value in values if value)
    if not some:
        return 0.0
    usual = some[(len(some) - 1) * 9 // 10]
    towers = len(some) >= LEAST_USUAL and some[-1] > TOO_HIGH * usual
    return ROOM_LEFT * usual if towers else some[-1]


def _even(value: float) -> int:
    """The next number that reads well: 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten."""
    power = 1
    while value > 10 * power:
        power *= 10
    return next(step * power for step in (1, 2, 3, 4, 5, 6, 8, 10) if value <= step * power)


def _columns(sums: Sequence[Sequence[float]], scale: _Scale) -> list[Column]:
    step = WIDTH / len(sums)
    columns = []
    for place, (done, failed) in enumerate(sums):
        if done or failed:
            height, depth = scale.height(done), scale.depth(failed)
            cut = done > scale.top or failed > scale.bottom
            x, width = round(place * step, 2), round(step * 0.8, 2)
            columns.append(Column(x, width, round(scale.base - height, 1), height, depth, cut))
    return columns
