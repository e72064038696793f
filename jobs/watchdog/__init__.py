"""The watchdog: changes that are due because time has passed. Each may run in any process, any number of times."""

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
    "recount",
    "sweep",
]
