"""One act upon many jobs: confirmed at once, done one job after the other, exactly once, through any restart."""

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
