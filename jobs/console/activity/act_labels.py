"""Words of acts in the activity."""

from __future__ import annotations

from jobs.operations.incidents import INCIDENT_ACTS
from jobs.operations.registry import ACTS
from jobs.rules.activity import PAST


def past_of(act: str) -> str:
    """Return the participle of an act: `force-completed`; the act itself where nothing registers it."""
    operation = ACTS.get(act) or INCIDENT_ACTS.get(act)
    return PAST.get(act) or (operation.past if operation else act.replace("-", " "))


def choices() -> list[tuple[str, str]]:
    """Return each known act and its participle, sorted by it."""
    return sorted(((act, past_of(act)) for act in {*ACTS, *INCIDENT_ACTS, *PAST}), key=lambda choice: choice[1].lower())
