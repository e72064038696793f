"""RQ jobs as items: a worker class that reports the jobs with a mark in their meta."""

from __future__ import annotations

from typing import Any

from rq import Worker
from rq.job import Job as QueuedJob
from rq.job import JobStatus

from progress_client.integrations.problems import logged
from progress_client.integrations.tasks import MARK, TaskReports, mark_of, sentence, trace
from progress_client.job import Job

# RQ ends the process of a job without notice. What is not sent until then is sent by the worker, which keeps running.
HORSE_SECONDS = 0.5


def mark(job: Job | int, key: str, *, phase: str = "") -> dict[str, Any]:
    """Return the meta that makes an RQ job an item: `queue.enqueue(resize, path, meta=mark(job, path))`."""
    return {MARK: mark_of(job, key, phase=phase)}


class Reporting:
    """Reports for a worker class of your own: `class MyWorker(Reporting, SimpleWorker)`."""

    reports = TaskReports()
    _error: BaseException | None = None

    def work(self, *arguments: Any, **options: Any) -> Any:
        """Begin to work; from now on the worker sends what its killed processes leave."""
        self.reports.adopt()
        return super().work(*arguments, **options)  # type: ignore[misc]

    def perform_job(self, job: QueuedJob, *arguments: Any, **options: Any) -> Any:
        """Report the start, run the job, and report its outcome."""
        mark = job.meta.get(MARK)
        self.reports.started(mark)
        result = super().perform_job(job, *arguments, **options)  # type: ignore[misc]
        with logged("an RQ job is not reported"):
            self._ended(job, mark)
        self.reports.flush(timeout=HORSE_SECONDS)
        return result

    def handle_work_horse_killed(self, job: QueuedJob, *arguments: Any) -> None:
        """Report a job whose process was killed, for example by its timeout or for want of memory."""
        super().handle_work_horse_killed(job, *arguments)  # type: ignore[misc]
        with logged("an RQ job is not reported"):
            self.reports.ended(job.meta.get(MARK), "failed", error="The process of the job was killed.")

    def handle_exception(self, job: QueuedJob, *exc_info: Any) -> None:
        """Keep the exception of the job for its report."""
        self._error = exc_info[1]
        super().handle_exception(job, *exc_info)  # type: ignore[misc]

    def _ended(self, job: QueuedJob, mark: Any) -> None:
        error, self._error = self._error, None
        status = job.get_status()
        if status == JobStatus.FINISHED:
            self.reports.ended(mark, "completed")
        else:
            will_run = status in (JobStatus.SCHEDULED, JobStatus.QUEUED)
            self.reports.ended(mark, "pending" if will_run else "failed", error=sentence(error), log=trace(error))


class ProgressWorker(Reporting, Worker):
    """The worker of RQ, with reports: `rq worker -w progress_client.integrations.rq.ProgressWorker`."""
