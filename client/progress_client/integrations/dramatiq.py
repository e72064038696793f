"""Dramatiq messages as items: a middleware that reports the messages with a mark in their options."""

from __future__ import annotations

from typing import Any

from dramatiq import Broker, Message, MessageProxy, Middleware

from progress_client.client import Client
from progress_client.integrations.problems import harmless
from progress_client.integrations.tasks import MARK, TaskReports, mark_of, sentence, trace
from progress_client.job import Job

SHUTDOWN_SECONDS = 5.0


class ProgressMiddleware(Middleware):
    """Reports of marked messages: `broker.add_middleware(ProgressMiddleware())`."""

    def __init__(self, client: Client | None = None) -> None:
        self._reports = TaskReports(client)
        self._errors: dict[str, BaseException] = {}

    @property
    def actor_options(self) -> set[str]:
        """The option of a message that names its item."""
        return {MARK}

    def after_worker_boot(self, broker: Broker, worker: Any) -> None:
        """Send what killed processes left."""
        self._reports.adopt()

    @harmless
    def before_process_message(self, broker: Broker, message: MessageProxy) -> None:
        """Report the start."""
        self._reports.started(message.options.get(MARK))

    @harmless
    def after_process_message(
        self, broker: Broker, message: MessageProxy, *, result: Any = None, exception: BaseException | None = None
    ) -> None:
        """Report a success. After an exception only the end of the message tells whether it is retried."""
        if exception is None:
            self._reports.ended(message.options.get(MARK), "completed")
        else:
            self._errors[message.message_id] = exception

    @harmless
    def after_skip_message(self, broker: Broker, message: MessageProxy) -> None:
        """Report that the message was skipped."""
        self._reports.ended(message.options.get(MARK), "skipped", error="The message was skipped.")

    @harmless
    def after_ack(self, broker: Broker, message: MessageProxy) -> None:
        """Report a failure that is retried."""
        self._failed(message, "pending")

    @harmless
    def after_nack(self, broker: Broker, message: MessageProxy) -> None:
        """Report the last failure."""
        self._failed(message, "failed")

    def before_worker_shutdown(self, broker: Broker, worker: Any) -> None:
        """Send what waits."""
        self._reports.flush(timeout=SHUTDOWN_SECONDS)

    def after_worker_shutdown(self, broker: Broker, worker: Any) -> None:
        """Send the outcomes of the last messages."""
        self._reports.flush(timeout=SHUTDOWN_SECONDS)

    def _failed(self, message: MessageProxy, status: str) -> None:
        error = self._errors.pop(message.message_id, None)
        if error is not None:
            self._reports.ended(message.options.get(MARK), status, error=sentence(error), log=trace(error))


def mark(message: Message[Any], job: Job | int, key: str, *, phase: str = "") -> Message[Any]:
    """Make a message an item: `broker.enqueue(mark(resize.message(path), job, path))`."""
    return message.copy(options={**message.options, MARK: mark_of(job, key, phase=phase)})
