"""Celery tasks as items: started, retried, failed, succeeded and revoked; a group or a chord is one job."""

from __future__ import annotations

from typing import Any

from celery import Task, chain, chord, group, signals
from celery.canvas import Signature
from celery.result import AsyncResult
from celery.utils import uuid

from progress_client.client import Client
from progress_client.integrations.problems import harmless
from progress_client.integrations.tasks import MARK, TaskReports, mark_of, sentence, trace
from progress_client.job import Job

SHUTDOWN_SECONDS = 5.0
LONGEST_LABEL = 200
CALLBACK = "callback"
_watching: list[Watch] = []


def watch(client: Client | None = None) -> None:
    """Report the tasks that carry a mark. Call it once, in the module of the app."""
    if not _watching:
        _watching.append(Watch(client))


class Watch:
    """The receivers of Celery's signals."""

    def __init__(self, client: Client | None) -> None:
        self._reports = TaskReports(client)
        names = ("task_prerun", "task_success", "task_failure", "task_retry", "task_revoked")
        for name in (*names, "worker_ready", "worker_process_shutdown", "worker_shutdown"):
            getattr(signals, name).connect(getattr(self, name), weak=False)

    @harmless
    def task_prerun(self, task: Task, **_: Any) -> None:
        """Report the start."""
        self._reports.started(_mark(task.request))

    @harmless
    def task_success(self, sender: Task, **_: Any) -> None:
        """Report a success."""
        self._reports.ended(_mark(sender.request), "completed")

    @harmless
    def task_failure(self, sender: Task, exception: BaseException, **_: Any) -> None:
        """Report the last failure, with its traceback."""
        self._reports.ended(_mark(sender.request), "failed", error=sentence(exception), log=trace(exception))

    @harmless
    def task_retry(self, request: Any, reason: Any, einfo: Any, **_: Any) -> None:
        """Report a failure that Celery retries; the item waits until then."""
        log = str(getattr(einfo, "traceback", "") or "")
        self._reports.ended(_mark(request), "pending", error=sentence(getattr(reason, "exc", None) or reason), log=log)

    @harmless
    def task_revoked(self, request: Any, terminated: bool, expired: bool, **_: Any) -> None:
        """Report a revoked task as skipped, one that was terminated or has expired as failed."""
        if terminated or expired:
            error = "The task was terminated." if terminated else "The task expired before it was started."
            self._reports.ended(_mark(request), "failed", error=error)
        else:
            self._reports.ended(_mark(request), "skipped", error="The task was revoked.")

    def worker_ready(self, **_: Any) -> None:
        """Send from now on what killed processes of the pool leave."""
        self._reports.adopt()

    def worker_process_shutdown(self, **_: Any) -> None:
        """Send what waits."""
        self._reports.flush(timeout=SHUTDOWN_SECONDS)

    def worker_shutdown(self, **_: Any) -> None:
        """Send what waits."""
        self._reports.flush(timeout=SHUTDOWN_SECONDS)


def mark(job: Job | int, key: str, *, phase: str = "") -> dict[str, Any]:
    """Return the headers that make a task an item: `task.apply_async(args, headers=mark(job, path))`."""
    return {MARK: mark_of(job, key, phase=phase)}


def send(name: str, tasks: Any, *, client: Client, **options: Any) -> tuple[Job, AsyncResult]:
    """Send a group or a chord as one job with an item for each task. → the job and Celery's result

    The callback of a chord is the second phase. `options` are those of `Client.job`.
    """
    header = list(tasks.tasks)
    if not header:
        raise ValueError("A group without tasks is no job; give it a task.")
    body = tasks.body if isinstance(tasks, chord) else None
    rows = [_item(task) for task in header]
    job = client.job(name, phases=_phases(len(rows), has_callback=body is not None), items=rows, **options)
    for task, row in zip(header, rows):
        _marked(task, job, row["key"])
    if body is None:
        return job, group(header).apply_async()
    row = _item(body)
    job.add_items([row], phase=CALLBACK)
    _marked(body, job, row["key"], phase=CALLBACK)
    return job, chord(header, body).apply_async()


def _phases(number: int, *, has_callback: bool) -> list[dict[str, Any]]:
    tasks = {"code": "items", "label": "Tasks", "weight": max(1, 100 * number // (number + 1))}
    callback = {"code": CALLBACK, "label": "Callback", "expected": 1, "weight": max(1, 100 // (number + 1))}
    return [tasks, callback] if has_callback else [tasks]


def _item(task: Signature) -> dict[str, str]:
    """Return the item of a task, named by its id."""
    return {"key": task.options.setdefault("task_id", uuid()), "label": repr(task)[:LONGEST_LABEL]}


def _marked(task: Signature, job: Job, key: str, *, phase: str = "") -> None:
    # Headers of a chain go to each of its tasks. Its last one is its end.
    last = task.tasks[-1] if isinstance(task, chain) else task
    last.set(headers={**(last.options.get("headers") or {}), **mark(job, key, phase=phase)})


def _mark(request: Any) -> Any:
    headers = getattr(request, "headers", None) or {}
    return getattr(request, MARK, None) or headers.get(MARK)
