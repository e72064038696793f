"""The diagnosis of one job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from jobs.models import Job
from jobs.operations.diagnosis.causes import Cause, Need, causes_of
from jobs.operations.diagnosis.evidence import Evidence
from jobs.operations.diagnosis.remedies import Remedy, remedies_of
from jobs.operations.snapshot import JobSnapshot
from jobs.rules.statuses import JobStatus
from jobs.serializers import DiagnosisBody

WAITING = "waiting_for_worker"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether a job finishes by itself, in a sentence; why it has not, and what would change that.

    `question` is what it answers; it is `pressing` where somebody has to do something.
    """

    question: str
    pressing: bool
    verdict: str
    causes: list[Cause]
    remedies: list[Remedy]


def diagnose(figures: JobSnapshot) -> Diagnosis:
    """The diagnosis of a job as it is stored now; a constant number of queries."""
    evidence = Evidence(figures)
    causes = causes_of(evidence)
    pressing = any(cause.need == Need.PERSON for cause in causes)
    return Diagnosis(_question(figures), pressing, verdict_of(figures.job, causes), causes, remedies_of(evidence))


def diagnosis_body(diagnosis: Diagnosis) -> DiagnosisBody:
    """A diagnosis as the API says it."""
    return {
        "verdict": diagnosis.verdict,
        "causes": [{"code": cause.code, "detail": cause.detail} for cause in diagnosis.causes],
        "remedies": [
            {"action": remedy.action, "detail": remedy.detail, "outcome": remedy.outcome}
            for remedy in diagnosis.remedies
        ],
    }


def _question(f: JobSnapshot) -> str:
    return "Why stuck" if f.job.stuck else _QUESTIONS.get(JobStatus(f.job.status), "Why it is not finished")


def verdict_of(job: Job, causes: Sequence[Cause]) -> str:
    """Whether the job finishes by itself, computed from its causes: the one that needs the most help speaks."""
    worst = max(causes, key=lambda cause: (cause.need, cause.code == WAITING), default=None)
    clause = worst.clause if worst and worst.need else ""
    if job.status == JobStatus.COMPLETED:
        return _completed(job, clause)
    if job.stuck:
        return "It is stuck and will not finish by itself."
    if job.status not in _GOING_ON:
        return _AT_REST[JobStatus(job.status)]
    if not clause:
        return _GOING_ON[JobStatus(job.status)]
    if clause.startswith("it waits"):
        return f"{clause[0].upper()}{clause[1:]}."
    return f"It is running, but {clause}." if job.status == JobStatus.PROCESSING else f"It has not begun, and {clause}."


def _completed(job: Job, clause: str) -> str:
    if clause:
        return f"It has completed, but {clause}."
    return "It has completed, with something missing." if job.partial else "It has completed; nothing is missing."


_QUESTIONS = {
    JobStatus.FAILED: "Why failed",
    JobStatus.PAUSED: "Why paused",
    JobStatus.CANCELLED: "Why cancelled",
    JobStatus.COMPLETED: "What can be done",
}

_GOING_ON = {
    JobStatus.PENDING: "It waits for a worker to begin.",
    JobStatus.PROCESSING: "It is running and needs nobody.",
}

_AT_REST = {
    JobStatus.PAUSED: "It is paused and goes on when somebody resumes it.",
    JobStatus.FAILED: "It has failed and goes on only when somebody retries or restarts.",
    JobStatus.CANCELLED: "It was cancelled; only a restart opens it again.",
}
