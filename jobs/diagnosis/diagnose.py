"""The diagnosis of one job."""

from __future__ import annotations

from dataclasses import dataclass

from jobs import progress
from jobs.diagnosis.causes import Cause, causes_of
from jobs.diagnosis.evidence import Evidence
from jobs.diagnosis.remedies import Remedy, remedies_of
from jobs.previews import Figures
from jobs.serializers import DiagnosisBody
from jobs.statuses import JobStatus, Shortfall


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """Whether a job finishes by itself, in a sentence; why it has not, and what would change that."""

    verdict: str
    causes: list[Cause]
    remedies: list[Remedy]


def diagnose(figures: Figures) -> Diagnosis:
    """The diagnosis of a job as it is stored now; a constant number of queries."""
    evidence = Evidence(figures)
    return Diagnosis(_verdict(figures), causes_of(evidence), remedies_of(evidence))


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
    doomed = [
        phase
        for phase in f.unfinished
        if phase.is_open
        and phase.on_shortfall == Shortfall.FAIL
        and not progress.threshold_reachable(phase.counts, phase.threshold)
    ]
    if doomed:
        return f"It is running, but {doomed[0].label} will fail: too much has failed for its threshold."
    return "It is running and needs nobody."


_AT_REST = {
    JobStatus.PENDING: "It waits for a worker to begin.",
    JobStatus.PAUSED: "It is paused and goes on when somebody resumes it.",
    JobStatus.FAILED: "It has failed and goes on only when somebody retries or restarts.",
    JobStatus.CANCELLED: "It was cancelled; only a restart opens it again.",
}
