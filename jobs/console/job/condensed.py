"""The diagnosis of a job with many phases in a few lines: causes and remedies of the same kind become one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from jobs.operations.diagnosis import Cause
from jobs.rules.formatting import pluralize

MOST_ALIKE = 2
NAMED = 4
# The codes of causes that many phases share, and how one line says it of `{count}` of them.
TOGETHER = {
    "short": "{phases} have open items",
    "watermark": "{phases} finish at their watermarks with what they have",
    "gated": "{phases} wait for earlier phases",
    "failed_items": "{phases} have failed items",
    "out_of_reach": "{phases} cannot meet their thresholds",
    "total_unknown": "{phases} wait for their totals",
    "failed": "{phases} failed",
    "silent_worker": "{workers} are silent",
    "retry_wait": "{phases} have items that wait for their retry",
}


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the diagnosis; `parts` are the sentences that it stands for, where it stands for several."""

    text: str
    parts: tuple[str, ...] = ()


def condensed(causes: Sequence[Cause]) -> list[Line]:
    """Return the causes in their order, with those of one kind joined where there are more than two."""
    alike: dict[str, list[Cause]] = defaultdict(list)
    for cause in causes:
        alike[cause.code].append(cause)
    joined = {code for code, some in alike.items() if len(some) > MOST_ALIKE and code in TOGETHER}
    lines, told = [], set()
    for cause in causes:
        if cause.code not in joined:
            lines.append(Line(cause.detail))
        elif cause.code not in told:
            told.add(cause.code)
            lines.append(_joined(cause.code, alike[cause.code]))
    return lines


def _joined(code: str, causes: Sequence[Cause]) -> Line:
    number = len(causes)
    subject = TOGETHER[code].format(phases=pluralize(number, "phase"), workers=pluralize(number, "worker"))
    return Line(f"{subject}: {names(cause.subject for cause in causes)}.", tuple(cause.detail for cause in causes))


def names(subjects: Iterable[str]) -> str:
    """Name the first few: `OCR, Index, Notify, Merge and 3 more`."""
    every = list(subjects)
    more = f" and {len(every) - NAMED} more" if len(every) > NAMED else ""
    return ", ".join(every[:NAMED]) + more
