"""What an act would do, before anybody presses it. Only reads."""

from jobs.operations.previews.acts import ACTS, ActSpec, Scope, forbidden, refusal
from jobs.operations.previews.buttons import ActButton, act_button, act_buttons, item_buttons
from jobs.operations.previews.confirmation_text import Preview, preview
from jobs.operations.previews.estimate import ActEstimate, estimates, snapshots_of
from jobs.operations.previews.snapshot import JobSnapshot, leases_of, snapshot_of

__all__ = [
    "ACTS",
    "ActButton",
    "ActEstimate",
    "ActSpec",
    "JobSnapshot",
    "Preview",
    "Scope",
    "act_button",
    "act_buttons",
    "estimates",
    "forbidden",
    "item_buttons",
    "leases_of",
    "preview",
    "refusal",
    "snapshot_of",
    "snapshots_of",
]
