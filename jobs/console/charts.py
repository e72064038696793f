"""Chart of items per minute or hour: done above the base line, failed below it, on one scale."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from jobs.rules.formatting import format_clock, format_number, pluralize_with_verb

MOST_COLUMNS, LEAST_COLUMNS = 120, 20
MOST_LINES = 12
WIDTH, HEIGHT, EDGE = 600, 96, 2
LEAST_BELOW = 12
TICKS = 4
LEAST_USUAL = 5
# A column above 4 times the 90th percentile is an outlier. It is cut at 2 times, so that the others stay readable.
OUTLIER, OUTLIER_CUT = 4, 2
Minute = tuple[datetime, int, int]


@dataclass(frozen=True, slots=True)
class Column:
    """One column in chart units; `cut` when its value exceeds the scale."""

    x: float
    width: float
    done_y: float
    done_height: float
    failed_height: float
    cut: bool = False


@dataclass(frozen=True, slots=True)
class RateChart:
    """Columns and figures of one chart; `top` is the value at the upper edge."""

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
        """Number of columns that exceed the scale."""
        return sum(column.cut for column in self.columns)

    @property
    def cut_description(self) -> str:
        """`1 column is cut off; the highest is 1,248 at 12:07 UTC`; empty without such columns."""
        return f"{self.cut_text} {format_clock(self.peak_at)[:5]} UTC" if self.cut else ""

    @property
    def cut_text(self) -> str:
        """The same without the time, which the page renders in the browser's time zone."""
        return f"{pluralize_with_verb(self.cut, 'column')} cut off; the highest is {format_number(self.peak)} at"

    @property
    def description(self) -> str:
        """Text alternative of the chart."""
        figures = (
            f"Items per {self.per}: {format_number(self.now)} in the last full {self.per},"
            f" peak {format_number(self.peak)}; {format_number(self.done)} done"
            f" and {format_number(self.failed)} failed in total"
        )
        return f"{figures}; {self.cut_description}" if self.cut else figures

    @property
    def lines(self) -> list[float]:
        """Places of full hours in chart units; of every second, third … sixth hour, or of days, in a long chart."""
        length = (self.last_at - self.first_at).total_seconds() / 3600
        every = next((step for step in (1, 2, 3, 6, 12) if length / step <= MOST_LINES), 24)
        hour = self.first_at.replace(minute=0, second=0, microsecond=0)
        hours = [hour + timedelta(hours=n) for n in range(1, int(length) + 2)]
        places = [(each - self.first_at).total_seconds() / 3600 for each in hours if each.hour % every == 0]
        return [round(place * WIDTH / length, 1) for place in places if place < length]

    @property
    def ticks(self) -> Iterator[datetime]:
        """Moments of the time axis, evenly spaced."""
        return (self.first_at + (self.last_at - self.first_at) * n / TICKS for n in range(TICKS + 1))


@dataclass(frozen=True, slots=True)
class _Scale:
    """Vertical scale: chart units per item, height of the base line, and the values at both edges."""

    unit: float
    base: float
    top: int
    bottom: float

    def height(self, value: float) -> float:
        """Height above the base line; at least 2, so that small values stay visible."""
        return round(min(self.base - EDGE, max(2.0, value * self.unit)), 1) if value else 0.0

    def depth(self, value: float) -> float:
        """Depth below the base line; at least 3, so that single failures stay visible."""
        return round(min(HEIGHT - self.base - EDGE, max(3.0, value * self.unit)), 1) if value else 0.0


def rate_chart(minutes: Sequence[Minute], *, first: datetime, last: datetime) -> RateChart:
    """Build a chart from `first` to `last`; over long periods a column averages several minutes."""
    length = int((last - first).total_seconds()) // 60 + 1
    return _chart(minutes, first=first, last=last, per_column=-(-length // MOST_COLUMNS))


def hourly(minutes: Sequence[Minute], *, first: datetime, last: datetime) -> RateChart:
    """Build a chart with one column per hour; `first` and `last` are full hours."""
    drawn = _chart(minutes, first=first, last=last + timedelta(minutes=59), per_column=60, divisor=1)
    return replace(drawn, last_at=last, per="hour")


def _chart(
    minutes: Sequence[Minute], *, first: datetime, last: datetime, per_column: int, divisor: int | None = None
) -> RateChart:
    """Build a chart of `per_column` minutes a column. A value is its sum divided by `divisor`, else by the minutes."""
    length = int((last - first).total_seconds()) // 60 + 1
    count = max(-(-length // per_column), LEAST_COLUMNS)
    per_column_divisor = divisor or per_column
    sums = [[0.0, 0.0] for _ in range(count)]
    for minute, done, failed in minutes:
        place = min(int((minute - first).total_seconds()) // 60 // per_column, count - 1)
        sums[place][0] += done / per_column_divisor
        sums[place][1] += failed / per_column_divisor
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
    """Choose one scale for both sides; failures always get a minimum height."""
    above, below = (_highest(values) for values in zip(*sums, strict=True))
    top = _round_up(max(1.0, above))
    room = HEIGHT - EDGE
    unit = (room - (EDGE if below else 0)) / (top + below)
    if below and below * unit < LEAST_BELOW:
        unit = (room - LEAST_BELOW - EDGE) / top
    return _Scale(unit=unit, base=round(EDGE + top * unit, 1), top=top, bottom=below)


def _highest(values: Sequence[float]) -> float:
    """Return the value that the scale must reach: the highest one, unless it is an outlier."""
    some = sorted(value for value in values if value)
    if not some:
        return 0.0
    usual = some[(len(some) - 1) * 9 // 10]
    is_outlier = len(some) >= LEAST_USUAL and some[-1] > OUTLIER * usual
    return OUTLIER_CUT * usual if is_outlier else some[-1]


def _round_up(value: float) -> int:
    """Round up to 1, 2, 3, 4, 5, 6, 8 or 10 times a power of ten."""
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
