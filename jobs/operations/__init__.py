"""Operator acts: each is one class with its permission, legal states, arguments, wording and effect.

    operations.retry(job, error_signature="Timeout after # s", actor=user, reason="Storage is back.")

`registry.ACTS` lists the acts on jobs. To add one: write its class, register it, import it here.
"""

# The order of the imports is the order of the buttons: the harmless acts first.
# isort: off
from jobs.operations.base import Act, Operation, Refusal, require_permission
from jobs.operations.retry import retry
from jobs.operations.release import release
from jobs.operations.lift import lift
from jobs.operations.skip import skip
from jobs.operations.pause import pause, resume
from jobs.operations.retries import set_retries
from jobs.operations.threshold import set_threshold
from jobs.operations.priority import set_priority
from jobs.operations.limit import set_limit
from jobs.operations.due import set_due
from jobs.operations.restart import restart
from jobs.operations.endings import cancel, fail, force_complete
from jobs.operations.delete import delete

# isort: on
from jobs.operations.badge import renew_badge
from jobs.operations.channels import (
    add_channel,
    change_channel,
    needs_address,
    remove_channel,
    try_channel,
)
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
from jobs.operations.free import Freed, free_worker
from jobs.operations.incidents import INCIDENT_ACTS
from jobs.operations.notification_rules import add_rule, change_rule, remove_rule
from jobs.operations.project_limits import set_project_limit
from jobs.operations.registry import ACTS, register
from jobs.operations.replay import replay

__all__ = [
    "ACTS",
    "INCIDENT_ACTS",
    "Act",
    "Added",
    "Freed",
    "Operation",
    "Refusal",
    "add_channel",
    "add_endpoint",
    "add_rule",
    "cancel",
    "change_channel",
    "change_endpoint",
    "change_rule",
    "delete",
    "disable_endpoint",
    "enable_endpoint",
    "fail",
    "force_complete",
    "free_worker",
    "lift",
    "needs_address",
    "pause",
    "register",
    "release",
    "remove_channel",
    "remove_endpoint",
    "remove_rule",
    "renew_badge",
    "replay",
    "require_permission",
    "restart",
    "resume",
    "retry",
    "rotate_secret",
    "set_due",
    "set_limit",
    "set_priority",
    "set_project_limit",
    "set_retries",
    "set_threshold",
    "skip",
    "try_channel",
    "try_endpoint",
]
