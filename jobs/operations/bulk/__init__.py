"""One act upon many jobs: confirmed at once, done one job after the other, exactly once, through any restart."""

from jobs.operations.bulk.create import Mark, begin
from jobs.operations.bulk.execute import Changed, Order, Seen, do, seen_of
from jobs.operations.bulk.runner import go_on, stop, work

__all__ = ["Changed", "Mark", "Order", "Seen", "begin", "do", "go_on", "seen_of", "stop", "work"]
