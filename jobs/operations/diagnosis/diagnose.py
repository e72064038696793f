"""The diagnosis of one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.models import Job
from jobs.operations.diagnosis.causes import Cause, Need, causes_of
from jobs.operations.diagnosis.evidence import Evidence
from jobs.operations.diagnosis.remedies import Remedy, remedies_of
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.formatting import pluralize_with_verb
from jobs.rules.statuses import JobStatus
from jobs.serializers import DiagnosisBody

WAITING = "waiting_for_worker"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A verdict, whether the job finishes by itself, with its causes and the remedies.

    `question` is the heading of the diagnosis; `pressing` says that an operator has to act.
    """

    question: str
    pressing: bool
    verdict: str
    causes: list[Cause]
    remedies: list[Remedy]


def diagnose(snapshot: JobSnapshot) -> Diagnosis:
    """Diagnose a job as it is stored now, in a constant number of queries."""
    causes = causes_of(Evidence(snapshot))
    pressing, verdict = verdict_of(snapshot.job, causes)
    return Diagnosis(_question(snapshot.job), pressing, verdict, causes, remedies_of(snapshot))


def diagnosis_body(diagnosis: Diagnosis) -> DiagnosisBody:
    """Return a diagnosis as the API represents it."""
    return {
        "verdict": diagnosis.verdict,
        "causes": [{"code": cause.code, "detail": cause.detail} for cause in diagnosis.causes],
        "remedies": [
            {"action": remedy.action, "detail": remedy.detail, "outcome": remedy.outcome}
            for remedy in diagnosis.remedies
        ],
    }


def _question(job: Job) -> str:
    if job.late and not job.stuck:
        return "Why late"
    return "Why stuck" if job.stuck else _QUESTIONS.get(JobStatus(job.status), "Why it is not finished")


def verdict_of(job: Job, causes: Sequence[Cause]) -> tuple[bool, str]:
    """Decide from the cause that needs the most help whether an operator has to act, and say so."""
    worst = max(causes, key=lambda cause: (cause.need, cause.code == WAITING), default=None)
    clause = worst.clause if worst and worst.need else ""
    return worst is not None and worst.need == Need.PERSON, _sentence(job, clause)


def _sentence(job: Job, clause: str) -> str:
    if job.status == JobStatus.COMPLETED:
        return _completed(job, clause)
    if job.stuck:
        return "It is stuck and will not finish by itself."
    if job.status not in _RUNNING:
        return _AT_REST[JobStatus(job.status)]
    if not clause:
        return _RUNNING[JobStatus(job.status)]
    if clause.startswith("it waits"):
        return f"{clause[0].upper()}{clause[1:]}."
    return (
        f"It is running, but {clause}." if job.status == JobStatus.PROCESSING else f"It has not started, and {clause}."
    )


def _completed(job: Job, clause: str) -> str:
    if clause:
        return f"It has completed, but {clause}."
    if job.reworking:
        return f"It has completed; {pluralize_with_verb(job.reworking, 'item')} done again."
    return "It has completed partially." if job.partial else "It has completed; nothing is missing."


_QUESTIONS = {
    JobStatus.FAILED: "Why failed",
    JobStatus.PAUSED: "Why paused",
    JobStatus.CANCELLED: "Why cancelled",
    JobStatus.COMPLETED: "What can be done",
}

_RUNNING = {
    JobStatus.PENDING: "It waits for a worker to start.",
    JobStatus.PROCESSING: "It is running and needs no action.",
}

_AT_REST = {
    JobStatus.PAUSED: "It is paused. Resume it to continue.",
    JobStatus.FAILED: "It has failed. Retry failed items or restart a phase to continue.",
    JobStatus.CANCELLED: "It was cancelled. Only a restart opens it again.",
}
