"""Restart of a part of a session."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from jobs import operations
from jobs.models import Phase
from jobs.operations import Act
from jobs.rules.statuses import PhaseStatus
from training.models import CLUSTERING, FACE_DETECTION, TRAINING, TrainingSession
from training.sessions.types import RestartWhat

if TYPE_CHECKING:
    from django.contrib.auth.models import User

PHASE_OF = {"training": TRAINING, "faces": FACE_DETECTION, "clustering": CLUSTERING}
Scope = Literal["all", "failed"]


def restart(
    session: TrainingSession,
    *,
    what: RestartWhat,
    actor: User | None,
    reason: str = "",
    revision: int | None = None,
) -> Act:
    """Start a new run of one phase and of the gated ones after it, over all items or only the failed images.

    `failed` restarts the failed images of training; if there are none, those of face detection.
    """
    only: Scope = "failed" if what == "failed" else "all"
    phase = _failed(session) if what == "failed" else PHASE_OF[what]
    return operations.restart(session.job, phase=phase, only=only, actor=actor, reason=reason, revision=revision)


def _failed(session: TrainingSession) -> str:
    """Return the code of the phase whose failed images are restarted."""
    phases = Phase.objects.filter(job=session.pk, code__in=(TRAINING, FACE_DETECTION)).order_by("position")
    over = (PhaseStatus.FAILED, PhaseStatus.CANCELLED)
    return next((phase.code for phase in phases if phase.failed or phase.status in over), TRAINING)
