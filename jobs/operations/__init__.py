"""The verbs of operators: each is one transaction with its own permission, its reason and its trace."""

from jobs.operations.badge import renew_badge
from jobs.operations.base import Act, Refusal, require_permission
from jobs.operations.endings import cancel, fail, force_complete
from jobs.operations.endpoints import (
    Added,
    add_endpoint,
    change_endpoint,
    disable_endpoint,
    enable_endpoint,
    remove_endpoint,
    rotate_secret,
    try_endpoint,
)
from jobs.operations.flow import pause, restart, resume, set_threshold
from jobs.operations.items import release, retry, skip
from jobs.operations.replay import replay

__all__ = [
    "Act",
    "Added",
    "Refusal",
    "add_endpoint",
    "cancel",
    "change_endpoint",
    "disable_endpoint",
    "enable_endpoint",
    "fail",
    "force_complete",
    "pause",
    "release",
    "remove_endpoint",
    "renew_badge",
    "replay",
    "require_permission",
    "restart",
    "resume",
    "retry",
    "rotate_secret",
    "set_threshold",
    "skip",
    "try_endpoint",
]
