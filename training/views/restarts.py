"""Restart buttons of the session page; each opens a confirmation page."""

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
    "training": "; face detection and clustering restart",
    "face_detection": "; clustering restarts",
    "clustering": "",
}
WHOLE = {
    "training": ("Restart training…", "Trains every image again, except skipped ones"),
    "face_detection": ("Restart faces…", "Starts a new detection session over every image"),
    "clustering": ("Restart clustering…", "Clusters the faces again"),
}


def restarts(snapshot: JobSnapshot, user: User | AnonymousUser) -> list[ActButton]:
    """Return the buttons for failed images, training, faces and clustering."""
    return [_failed(snapshot, user), *(_whole(snapshot, user, phase) for phase in snapshot.phases)]


def _failed(snapshot: JobSnapshot, user: User | AnonymousUser) -> ActButton:
    """Return the button for the failed images of training; if there are none, for those of face detection."""
    failing = [phase for phase in snapshot.phases if phase.failed and phase.items_total]
    phase = (failing or snapshot.phases)[0]
    effect = f"Sets {pluralize(phase.failed, 'failed image')} of {phase.label.lower()} to pending{LATER[phase.code]}"
    button = act_button("restart", snapshot, user, phase=phase.code, only="failed")
    return _with_texts(button, "Restart failed images…", effect, "" if failing else "No image has failed.")


def _whole(snapshot: JobSnapshot, user: User | AnonymousUser, phase: Phase) -> ActButton:
    label, effect = WHOLE[phase.code]
    button = act_button("restart", snapshot, user, phase=phase.code)
    return _with_texts(button, label, effect + LATER[phase.code], _why_not(phase))


def _why_not(phase: Phase) -> str:
    """Return why a phase cannot restart; empty if it can. Skipped duplicates alone do not start a phase."""
    if not phase.gate_open:
        return f"{phase.label} waits until the earlier phases are completed."
    started = phase.started_at or phase.done or phase.failed or not phase.is_open
    return "" if started else f"{phase.label} has not started yet."


def _with_texts(button: ActButton, label: str, effect: str, why_not: str) -> ActButton:
    return replace(button, label=label, effect=f"{effect}.", why_not=button.why_not or why_not)
