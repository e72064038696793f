"""The verbs of time: whatever happens because a moment has passed, in any process, any number of times."""

from jobs.watchdog.prune import Difference, Pruned, prune, recount
from jobs.watchdog.sweep import expire_leases, find_stuck, pass_watermarks, sweep

__all__ = ["Difference", "Pruned", "expire_leases", "find_stuck", "pass_watermarks", "prune", "recount", "sweep"]
