"""The buttons that begin a part of a session anew, each leading to the page that asks before."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from jobs.models import Phase
from jobs.operations.buttons import ActButton, act_button
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import pluralize

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

LATER = {
    "training": "; face detection and clustering begin anew",
    "face_detection": "; clustering begins anew",
    "clustering": "",
}
WHOLE = {
    "training": ("Restart training…", "Every image but the skipped ones is trained again"),
    "face_detection": ("Restart faces…", "A new detection session looks at every image again"),
    "clustering": ("Restart clustering…", "The faces are clustered again"),
}


def restarts(figures: JobSnapshot, user: User | AnonymousUser) -> list[ActButton]:
    """Failed images, training, faces, clustering: what each would do, or why it is not possible now."""
    return [_failed(figures, user), *(_whole(figures, user, phase) for phase in figures.phases)]


def _failed(figures: JobSnapshot, user: User | AnonymousUser) -> ActButton:
    """The failed images of training; where it has none, those of face detection."""
    failing = [phase for phase in figures.phases if phase.failed and phase.items_total]
    phase = (failing or figures.phases)[0]
    effect = f"{pluralize(phase.failed, 'failed image')} of {phase.label.lower()} pending again{LATER[phase.code]}"
    made = act_button("restart", figures, user, phase=phase.code, only="failed")
    return _named(made, "Restart failed images…", effect, "" if failing else "No image has failed.")


def _whole(figures: JobSnapshot, user: User | AnonymousUser, phase: Phase) -> ActButton:
    label, effect = WHOLE[phase.code]
    made = act_button("restart", figures, user, phase=phase.code)
    return _named(made, label, effect + LATER[phase.code], _why_not(phase))


def _why_not(phase: Phase) -> str:
    """A phase of which only duplicates are settled has not begun."""
    if not phase.gate_open:
        return f"{phase.label} waits until the phases before it are completed."
    begun = phase.started_at or phase.done or phase.failed or not phase.is_open
    return "" if begun else f"{phase.label} has not begun yet."


def _named(made: ActButton, label: str, effect: str, why_not: str) -> ActButton:
    return replace(made, label=label, effect=f"{effect}.", why_not=made.why_not or why_not)
