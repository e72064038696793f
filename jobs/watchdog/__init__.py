"""The watchdog: changes that are due because time has passed. Each may run in any process, any number of times."""

from jobs.watchdog.incidents import reconcile, settle_incidents, watchdog_is_silent
from jobs.watchdog.prune import Difference, Pruned, prune, recount
from jobs.watchdog.removal import delete_removed_jobs
from jobs.watchdog.sweep import expire_leases, find_late, find_stuck, pass_watermarks, sweep

__all__ = [
    "Difference",
    "Pruned",
    "delete_removed_jobs",
    "expire_leases",
    "find_late",
    "find_stuck",
    "pass_watermarks",
    "prune",
    "reconcile",
    "recount",
    "settle_incidents",
    "sweep",
    "watchdog_is_silent",
]
