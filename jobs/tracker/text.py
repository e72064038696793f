"""Text report of a tracker's job. Pure: no Django, no database."""

from __future__ import annotations

from collections.abc import Mapping

Split = Mapping[str, int]


def report(name: str, splits: Mapping[str, Split]) -> str:
    """Return the figures of a job of images, and of each of its splits that has any.

    Processed in percent to one decimal, half up; `N stuck` counts images in processing.
    """
    sums = {word: sum(split[word] for split in splits.values()) for word in ("total", "completed", "error", "pending")}
    share = percent(sums["completed"], sums["total"])
    lines = [
        name,
        f"  total      {sums['total']}",
        f"  processed  {sums['completed']} ({share}%)",
        f"  pending    {sums['pending']}",
        f"  errors     {sums['error']}",
    ]
    width = max((len(split) for split in splits), default=0)
    shown = {split or "-": counts for split, counts in splits.items() if counts["total"]}
    lines += [f"  {split:<{max(width, 9)}}  {line(counts)}" for split, counts in shown.items()]
    return "\n".join(lines)


def line(counts: Split) -> str:
    """Return the figures of one split: `57 of 100 (57.0%), 2 errors, 4 stuck`."""
    parts = [f"{counts['completed']} of {counts['total']} ({percent(counts['completed'], counts['total'])}%)"]
    parts += [f"{counts['error']} errors"] if counts["error"] else []
    parts += [f"{counts['processing']} stuck"] if counts["processing"] else []
    return ", ".join(parts)


def percent(part: int, total: int) -> str:
    """Return a percentage with one decimal: `66.7` for 2 of 3, and `100.0` for 0 of 0."""
    tenths = (part * 2000 + total) // (total * 2) if total else 1000
    return f"{tenths // 10}.{tenths % 10}"
