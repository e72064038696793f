"""The verdict of a diagnosis: in no state does it contradict its causes."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from jobs.models import Job
from jobs.operations.diagnosis.causes import Cause, Need
from jobs.operations.diagnosis.diagnose import verdict_of
from jobs.rules.statuses import JobStatus, Stuck

CODES = st.sampled_from(["late", "failed", "out_of_reach", "waiting_for_worker", "total_unknown", "expired_leases"])
CAUSES = st.lists(
    st.builds(lambda code, need: Cause(code, "Why.", need, f"{code} of it"), CODES, st.sampled_from(Need))
)
IDLE = ("needs no action", "waits for a worker to start", "nothing is missing")


@given(st.sampled_from(JobStatus), st.sampled_from(["", *Stuck]), CAUSES)
def test_the_verdict_and_the_causes_agree_whether_a_person_is_needed(
    status: JobStatus, stuck: str, causes: list[Cause]
) -> None:
    pressing, verdict = verdict_of(Job(status=status, stuck=stuck), causes)
    assert pressing == any(cause.need == Need.PERSON for cause in causes)
    needs = max((cause.need for cause in causes), default=Need.NONE)
    if needs:
        assert not any(text in verdict for text in IDLE)
    if needs and not stuck and status in (JobStatus.PENDING, JobStatus.PROCESSING, JobStatus.COMPLETED):
        assert any(cause.clause in verdict for cause in causes if cause.need == needs)
