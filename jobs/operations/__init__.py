"""The verbs of operators: each is one transaction with its own permission, its reason and its trace."""

from jobs.operations.act import Act, Refusal, require_permission
from jobs.operations.adjusting import pause, restart, resume, set_threshold
from jobs.operations.finishing import cancel, fail, force_complete
from jobs.operations.items import release, retry, skip

__all__ = [
    "Act",
    "Refusal",
    "cancel",
    "fail",
    "force_complete",
    "pause",
    "release",
    "require_permission",
    "restart",
    "resume",
    "retry",
    "set_threshold",
    "skip",
]
