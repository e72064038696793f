"""The diagnosis of one job."""

from __future__ import annotations

from dataclasses import dataclass

from jobs.diagnosis.causes import Cause, causes_of
from jobs.diagnosis.evidence import Evidence
from jobs.diagnosis.remedies import Remedy, remedies_of
from jobs.models import Phase
from jobs.previews import Figures
from jobs.serializers import DiagnosisBody
from jobs.statuses import JobStatus, Shortfall


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


def diagnose(figures: Figures) -> Diagnosis:
    """The diagnosis of a job as it is stored now; a constant number of queries."""
    evidence = Evidence(figures)
    return Diagnosis(
        _question(figures), _is_pressing(figures), _verdict(figures), causes_of(evidence), remedies_of(evidence)
    )


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


def _question(f: Figures) -> str:
    return "Why stuck" if f.job.stuck else _QUESTIONS.get(JobStatus(f.job.status), "Why it is not finished")


def _is_pressing(f: Figures) -> bool:
    job = f.job
    return bool(job.stuck or job.status in (JobStatus.FAILED, JobStatus.PAUSED) or _doomed(f) or f.free)


def _verdict(f: Figures) -> str:
    job = f.job
    if job.status == JobStatus.COMPLETED:
        return "It has completed, with something missing." if job.partial else "It has completed; nothing is missing."
    if job.stuck:
        return "It is stuck and will not finish by itself."
    if job.status == JobStatus.PROCESSING:
        return _running(f)
    return _AT_REST[JobStatus(job.status)]


def _running(f: Figures) -> str:
    doomed = _doomed(f)
    if doomed:
        which = doomed[0].label if len(f.phases) > 1 else "it"
        return f"It is running, but {which} will fail: too much has failed for its threshold."
    return "It is running and needs nobody."


def _doomed(f: Figures) -> list[Phase]:
    """The open phases that will fail, whatever comes."""
    return [phase for phase in f.out_of_reach() if phase.is_open and phase.on_shortfall == Shortfall.FAIL]


_QUESTIONS = {
    JobStatus.FAILED: "Why failed",
    JobStatus.PAUSED: "Why paused",
    JobStatus.CANCELLED: "Why cancelled",
    JobStatus.COMPLETED: "What can be done",
}

_AT_REST = {
    JobStatus.PENDING: "It waits for a worker to begin.",
    JobStatus.PAUSED: "It is paused and goes on when somebody resumes it.",
    JobStatus.FAILED: "It has failed and goes on only when somebody retries or restarts.",
    JobStatus.CANCELLED: "It was cancelled; only a restart opens it again.",
}
