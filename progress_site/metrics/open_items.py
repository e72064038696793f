"""Open items of unfinished jobs, by kind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import connection

# The job of each open phase is looked up by its primary key. A plain join lets the planner choose: on tables that are
# newer than the statistics of PostgreSQL it compared each job with each phase, which took 34 s for 100,000 jobs.
JOB_OF_PHASE = {
    "postgresql": "CROSS JOIN LATERAL (SELECT * FROM jobs_job WHERE jobs_job.id = p.job_id OFFSET 0) j",
    "sqlite": "CROSS JOIN jobs_job j ON j.id = p.job_id",
}
GREATEST = {"postgresql": "GREATEST", "sqlite": "MAX"}
# The wait of items begins with the last sign of work on their phase: its start, the last item that was added or
# reported, and the resumption of its job. The gate of a gated phase opens with the progress of an earlier one. Retries
# wait from the time that they are due.
OPEN_ITEMS = """
    SELECT j.kind,
           SUM(CASE WHEN p.counted THEN 0
                    ELSE p.items_total - p.done - p.failed - p.skipped - p.processing - p.waiting END),
           SUM(p.waiting),
           SUM(p.processing),
           MIN(CASE
               WHEN NOT p.counted AND p.gate_open AND p.processing = 0 AND j.status IN ('pending', 'processing')
                AND (p.items_total > p.done + p.failed + p.skipped + p.waiting OR p.next_due_at <= %s)
               THEN {greatest}(
                   j.watched_from,
                   COALESCE(p.started_at, j.watched_from),
                   COALESCE(p.last_item_at, j.watched_from),
                   CASE WHEN p.gated AND p.started_at IS NULL AND j.progress_at IS NOT NULL
                        THEN j.progress_at ELSE j.watched_from END,
                   CASE WHEN p.items_total > p.done + p.failed + p.skipped + p.waiting OR p.next_due_at IS NULL
                        THEN j.watched_from ELSE p.next_due_at END
               )
           END)
      FROM jobs_phase p {job}
     WHERE p.status IN ('pending', 'processing')
       AND j.removed_at IS NULL
       AND j.status IN ('pending', 'processing', 'paused')
  GROUP BY j.kind
"""


@dataclass(frozen=True, slots=True)
class OpenItems:
    """The open items of the jobs of one kind; claimable ones of some phase are not taken since `untaken_since`."""

    kind: str
    pending: int
    waiting: int
    leased: int
    untaken_since: datetime | None


def open_items_by_kind(now: datetime) -> list[OpenItems]:
    """Return the open items of each kind, in one query."""
    vendor = connection.vendor
    with connection.cursor() as cursor:
        sql = OPEN_ITEMS.format(greatest=GREATEST[vendor], job=JOB_OF_PHASE[vendor])
        cursor.execute(sql, [connection.ops.adapt_datetimefield_value(now)])
        return [
            OpenItems(kind, int(pending), int(waiting), int(leased), _moment(since))
            for kind, pending, waiting, leased, since in cursor.fetchall()
        ]


def _moment(value: datetime | str | None) -> datetime | None:
    """Return a time; SQLite has texts in UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value
