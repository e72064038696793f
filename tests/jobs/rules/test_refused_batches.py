"""Refused reports: the others in the same transaction are applied."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from jobs import tracking
from jobs.access import Access
from jobs.change import change_free
from jobs.models import Job, Phase
from jobs.rules import pipelines
from jobs.rules.errors import NotFound, Refused, WrongState
from jobs.rules.pipelines import PhaseSpec
from jobs.tracking import Batch, Reported, Result
from jobs.tracking.calls import ReportCall
from jobs.tracking.report import apply_results
from jobs.tracking.writer import Answered, Writer
from tests.factories import WORKER, make_job, outcomes, phase_of, pipeline
from tests.jobs.test_sql_pins import statements

pytestmark = pytest.mark.django_db


def batch(job: Job, key: str = "k0") -> Batch:
    """One completed item of a job."""
    return Batch(phase_of(job), "w1", [Result(key, "completed")], WORKER)


def together(*batches: Batch) -> list[Any]:
    """Report these batches in one transaction, as the writer does."""
    with change_free({batch.phase.job_id for batch in batches}, by=WORKER) as change:
        return [*apply_results(change, batches)]


def counted() -> Batch:
    """Make a report for a phase that is counted without items."""
    job = pipeline(PhaseSpec(code="fit"))
    tracking.start(phase_of(job), by=WORKER)
    Phase.objects.filter(job=job).update(counted=True)
    return batch(job)


def without_phase() -> Batch:
    """Make a report for a phase that has been deleted since its job was looked up."""
    job = pipeline(PhaseSpec(code="first"), PhaseSpec(code="second"))
    gone = Batch(phase_of(job, "second"), "w1", [Result("k0", "completed")], WORKER)
    Phase.objects.filter(job=job, code="second").delete()
    return gone


def of_unknown_kind() -> Batch:
    """Make a report for a job whose kind is no longer registered."""
    job = make_job(items=1)
    Job.objects.filter(pk=job.pk).update(kind="forgotten")
    return batch(job)


@pytest.mark.parametrize("refused", [counted, without_phase, of_unknown_kind], ids=lambda make: make.__name__)
def test_a_refused_batch_is_answered_by_itself_in_the_one_transaction(refused: Any) -> None:
    jobs = [make_job(items=2) for _ in range(2)]
    wrong = refused()
    alone = len(statements(lambda: together(*map(batch, jobs))))
    answers: list[Any] = []
    both = statements(lambda: answers.extend(together(batch(jobs[0], "k1"), wrong, batch(jobs[1], "k1"))))
    assert isinstance(answers[1], Refused)
    assert [outcomes(answers[place]) for place in (0, 2)] == [["applied"]] * 2
    assert len([sql for sql in both if "SAVEPOINT" in sql]) == 2
    assert len(both) <= alone + 6  # what completes two jobs


def test_a_report_for_a_counted_phase_is_refused_as_before() -> None:
    wrong = counted()
    with pytest.raises(WrongState, match="report its numbers with count"):
        tracking.report(wrong.phase, worker="w1", results=wrong.results, by=WORKER)


def test_a_report_for_a_deleted_job_is_not_found() -> None:
    job = make_job(items=1)
    phase = phase_of(job)
    Job.objects.filter(pk=job.pk).delete()
    with pytest.raises(NotFound):
        tracking.report(phase, worker="w1", results=[Result("k0", "completed")], by=WORKER)


def test_a_defect_in_one_report_is_found_by_halving(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [make_job(items=1) for _ in range(16)]
    sizes = []
    answered: Answered = []
    writer = Writer(answered.extend)

    def check(job: Job, phase: Phase, result: dict[str, Any]) -> str | None:
        if job.pk == jobs[5].pk:
            raise ZeroDivisionError
        return None

    def write(calls: Any) -> Answered:
        sizes.append(len(calls))
        return writer._write(calls)

    monkeypatch.setitem(pipelines._kinds, "generic", replace(pipelines.get("generic"), check_result=check))
    done, everything = [Result("k0", "completed")], Access(None, None)
    calls = [ReportCall(WORKER, everything, job.pk, "items", "w1", done) for job in jobs]
    writer._answer(calls, write)
    answers = dict(answered)
    assert isinstance(answers[calls[5]], ZeroDivisionError)
    assert sum(isinstance(answer, Reported) for answer in answers.values()) == 15
    assert sizes == [16, 8, 4, 4, 2, 1, 1, 2, 8]
