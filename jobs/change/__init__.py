"""The one transaction in which jobs change.

    with change([job_id], by=actor) as c:      # locks the job's row, loads its phases
        ...                                    # a verb moves items and counters
                                               # on leaving: gates, judgement, status, rows, events

Every writer of a job holds its row, so that whoever comes last sees what all others did. What a
change costs in SQL does not depend on how many items or phases it moved. The order of locks is
jobs by id, then items, tallies, workers, the order of events, and last the endpoints that events go to.
"""

from jobs.change.commit import stuck_reason
from jobs.change.fields import COUNTERS, ConcurrentModification
from jobs.change.job_change import Actor, Change
from jobs.change.lock_waiters import JobLocked, is_locked
from jobs.change.transactions import change_free, change_jobs, change_new, unit_of_work

__all__ = [
    "COUNTERS",
    "Actor",
    "Change",
    "ConcurrentModification",
    "JobLocked",
    "change_free",
    "change_jobs",
    "change_new",
    "is_locked",
    "stuck_reason",
    "unit_of_work",
]
