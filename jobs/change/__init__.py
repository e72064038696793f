"""The unit of work: the one transaction in which jobs change.

    with change_jobs([job_id], by=actor) as change:  # locks the job's row, loads its phases
        ...                                          # moves items and counters
                                                     # on leaving: gates, judgement, status, rows, events

Every writer of a job locks its row first, so that the last one sees the changes of all before it. The number of SQL
statements does not depend on the number of items or phases. The order of locks is jobs by id, then items, tallies,
workers, the order of events, and last the endpoints that events go to.
"""

from jobs.change.commit import stuck_reason
from jobs.change.fields import COUNTERS, ConcurrentModification
from jobs.change.job_change import Actor, Change
from jobs.change.lock_waiters import JobLocked, is_locked
from jobs.change.transactions import change_free, change_jobs, change_new, unit_of_work
from jobs.change.worker_record import Settled, WorkerRecord

__all__ = [
    "COUNTERS",
    "Actor",
    "Change",
    "ConcurrentModification",
    "JobLocked",
    "Settled",
    "WorkerRecord",
    "change_free",
    "change_jobs",
    "change_new",
    "is_locked",
    "stuck_reason",
    "unit_of_work",
]
