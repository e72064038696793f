"""Bulk acts: one confirmed act on many jobs, run job by job, exactly once, also after a restart of the server."""

from jobs.operations.bulk.create import TargetSelection, create_bulk_act
from jobs.operations.bulk.execute import ActRequest, ExpectedState, StateChanged, execute, expected_state
from jobs.operations.bulk.runner import run_bulk_act, run_bulk_acts, stop_bulk_act

__all__ = [
    "ActRequest",
    "ExpectedState",
    "StateChanged",
    "TargetSelection",
    "create_bulk_act",
    "execute",
    "expected_state",
    "run_bulk_act",
    "run_bulk_acts",
    "stop_bulk_act",
]
