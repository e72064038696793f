"""Background reporting of outcomes: in batches, in order per item, retried until the site confirms them."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Callable

from progress_client import outcome_queue
from progress_client.answers import are_results
from progress_client.buffer import Address, Body, Outcome, Portion
from progress_client.dead_file import DeadFile, dead_row, refused_rows
from progress_client.errors import CertificateError, NotPermitted, ProgressError, Refused, Unavailable
from progress_client.journal import Journal
from progress_client.outcome_queue import OutcomeQueue
from progress_client.transport import RetryableError, Transport, encode

log = logging.getLogger(__name__)

TOO_MUCH = (400, 413)
TOO_LARGE = 413
UNKNOWN = 500
AGES_AGO = float("-inf")
# Seconds between two looks for outcomes of dead processes, such as killed siblings in a pool.
ADOPT_SECONDS = 10.0

Answered = Callable[[Address, Body], None]


class Outbox:
    """Outcomes that wait for a report. A batch is sent when there are 100 outcomes or the oldest is a second old.

    The thread calls `answered` with each response to a report. `error` is set when no more reports are possible, such
    as with an invalid token; the outcomes stay in the journal. Rejected outcomes go to the dead file.
    """

    def __init__(self, transport: Transport, journal: Journal | None, dead: DeadFile, *, answered: Answered) -> None:
        self.error: ProgressError | None = None
        self._transport, self._journal, self._dead, self._answered = transport, journal, dead, answered
        self._numbers = count(1)
        self._queue = OutcomeQueue()
        self._changed = threading.Condition()
        self._hurried = 0
        self._closing, self._deadline = threading.Event(), 0.0
        if journal:
            self._add_all(journal.left)
        self.adopt()
        self._adopt_at = time.monotonic() + ADOPT_SECONDS
        self._thread = threading.Thread(target=self._run, name="progress-outbox", daemon=True)
        self._thread.start()

    # --- from any thread -------------------------------------------------------------------------

    def report_later(self, address: Address, body: Body, *, since: float | None = None, is_count: bool = False) -> None:
        """Store an outcome, leased at `since`, or counts. Send them soon. TypeError or ValueError if it is not JSON."""
        self._add(self._written(Outcome(0, address, body, is_count)), since=since)

    def count(self, address: Address, body: Body, *, retry_for: float, stop: threading.Event) -> Any:
        """Store counts and send them at once. After Unavailable they are sent later, if need be by the next process."""
        outcome = self._written(Outcome(0, address, body, is_count=True))
        try:
            answer = self._transport.call("POST", f"{address.path}/count", body, retry_for=retry_for, stop=stop)
        except (Unavailable, NotPermitted, CertificateError):
            self._add(outcome)
            raise
        except Refused:
            self._forget([outcome.number])
            raise
        self._forget([outcome.number])
        return answer

    def adopt(self) -> int:
        """Take over the unsent outcomes of dead processes; return their number."""
        return self._add_all(self._journal.adopt()) if self._journal else 0

    def retry_refused(self) -> int:
        """Queue the outcomes of the dead file once more; return their number."""
        with self._dead.emptied() as rows:
            outcomes = [self._written(Outcome.of(0, row)) for row in rows]
            if self._journal:
                self._journal.sync()
        list(map(self._add, outcomes))
        return len(outcomes)

    def flush(
        self, *, job: int | None = None, timeout: float = float("inf"), stop: threading.Event | None = None
    ) -> bool:
        """Wait until the site has confirmed all outcomes (of this job); False after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        with self._changed, self._hurry():
            self._queue.wake(job)
            while self._queue.number(job) and self.error is None:
                left = deadline - time.monotonic()
                if left <= 0 or (stop and stop.is_set()):
                    return False
                self._changed.wait(min(left, 0.2))
        if self.error:
            raise self.error
        return True

    def report_overdue(self, job: int | None, *, older_than: float, stop: threading.Event) -> None:
        """Before a claim, report the outcomes of this job (None: of any job) whose leases may have expired.

        Without this, a claim after an outage returns our own finished items. It waits at most 30 seconds after the last
        success and ends with a failed try, so that no claim is sent before the outcomes when the server comes back.
        """
        with self._changed:
            if self._queue.is_overdue(job, older_than=older_than, now=time.monotonic()):
                with self._hurry():
                    self._wait_while_overdue(job, older_than, stop=stop)
        if self.error:
            raise self.error

    def close(self, *, timeout: float) -> int:
        """Send waiting outcomes for at most `timeout` seconds; return how many are left for the next process."""
        with self._changed:
            self._deadline = time.monotonic() + timeout
            self._closing.set()
            self._queue.wake(None)
            self._changed.notify_all()
        self._thread.join(timeout + 1)
        with self._changed:
            left = self._queue.number(None)
        if self._journal and not self._thread.is_alive():
            self._journal.close()
        if left:
            where = "they stay in the journal" if self._journal else "they are lost"
            log.warning("%d outcomes could not be reported; %s", left, where)
        return left

    @contextmanager
    def _hurry(self) -> Iterator[None]:
        """Send outcomes without waiting for a larger batch."""
        self._hurried += 1
        self._changed.notify_all()
        try:
            yield
        finally:
            self._hurried -= 1

    def _wait_while_overdue(self, job: int | None, older_than: float, *, stop: threading.Event) -> None:
        least, deadline, failures = self._queue.number(job) + 1, 0.0, -1
        while self.error is None and not stop.is_set():
            now, waiting = time.monotonic(), self._queue.number(job)
            if not self._queue.is_overdue(job, older_than=older_than, now=now):
                return
            if waiting < least:
                least, deadline, failures = waiting, now + outcome_queue.OVERDUE_WAIT_SECONDS, -1
            elif now >= deadline and failures < 0:
                failures = self._queue.failures
                self._queue.wake(job)
                self._changed.notify_all()
            elif now >= deadline and (failures != self._queue.failures or self._queue.must_wait(now=now)):
                return
            self._changed.wait(0.2)

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while self.error is None and (portion := self._next()):
            self._deliver(portion)
        if self._journal:
            self._journal.sync()

    def _next(self) -> Portion | None:
        """Wait for the next batch; None when the outbox closes and no more can be sent."""
        while True:
            self._adopt_now_and_then()
            with self._changed:
                now, closing = time.monotonic(), self._closing.is_set()
                at = self._queue.due_at(hurried=closing or self._hurried > 0)
                if closing and (at is None or at > self._deadline):
                    return None
                portion = self._queue.take(now=now) if at is not None and at <= now else None
                if portion:
                    return portion
                self._changed.wait(max(0.0, min(self._adopt_at, math.inf if at is None else at) - now))

    def _adopt_now_and_then(self) -> None:
        if time.monotonic() >= self._adopt_at and not self._closing.is_set():
            self._adopt_at = time.monotonic() + ADOPT_SECONDS
            self.adopt()

    def _deliver(self, portion: Portion) -> None:
        """Send a batch once. It is confirmed, waits for a retry, or sets `error`."""
        if self._journal:
            self._journal.sync()
        try:
            self._try(portion)
        except RetryableError as failure:
            self._again(portion, failure)
        except (NotPermitted, CertificateError) as error:
            self.error = error
            self._put_back(portion, then=self._queue.put_back)
        except Exception as error:
            # A bug must not stop the reports silently: log it and keep the outcomes in the journal.
            log.exception("%d outcomes for %s cannot be reported", len(portion.outcomes), portion.address)
            self._again(portion, RetryableError(repr(error), status=UNKNOWN))

    def _try(self, portion: Portion) -> None:
        try:
            answer = self._transport.once("POST", portion.path, encode(portion.body))
        except NotPermitted:
            raise
        except Refused as error:
            self._refused(portion, error)
        else:
            # Only a result for each outcome confirms the batch.
            if not portion.outcomes[0].is_count and not are_results(answer["results"], number=len(portion.outcomes)):
                raise RetryableError("the response is not from a Progress Site", status=UNKNOWN)
            self._answer(portion, answer)

    def _answer(self, portion: Portion, answer: Body) -> None:
        self._keep_refused(refused_rows(portion.outcomes, answer.get("results", ())))
        self._settled(portion)
        if "results" in answer:
            try:
                self._answered(portion.address, answer)
            except Exception:
                # A progress bar that cannot be drawn must not stop the reports.
                log.exception("the progress of %s could not be shown", portion.address.path)

    def _refused(self, portion: Portion, error: Refused) -> None:
        """Handle a rejected request: split the batch to find the bad outcome, and put it into the dead file."""
        if error.status in TOO_MUCH and len(portion.outcomes) > 1:
            self._put_back(portion, then=self._queue.too_large)
            return
        status, code, detail = error.status, error.code, error.detail
        self._keep_refused([dead_row(outcome, status=status, code=code, detail=detail) for outcome in portion.outcomes])
        outcome = portion.outcomes[0]
        number, where = len(portion.outcomes), portion.address.path
        log.error("%d outcomes for %s were rejected and stored in %s: %s", number, where, self._dead, error)
        if error.status in TOO_MUCH and outcome.body.get("result") is not None:
            kept = {name: value for name, value in outcome.body.items() if name != "result"}
            self.report_later(
                outcome.address, {**kept, "status": "failed", "error": f"The result was rejected: {detail}"}
            )
        self._settled(portion)

    def _keep_refused(self, rows: Sequence[Body]) -> None:
        """Store rejected outcomes; RetryableError if they cannot be written, so that they stay in the journal."""
        try:
            self._dead.add(rows)
        except OSError as error:
            raise RetryableError(f"{self._dead} cannot be written: {error}", status=UNKNOWN) from error

    def _settled(self, portion: Portion) -> None:
        self._forget(portion.numbers)
        with self._changed:
            self._queue.settled(portion, now=time.monotonic())
            self._changed.notify_all()

    def _again(self, portion: Portion, failure: RetryableError) -> None:
        """Return the outcomes of a failed request to the queue."""
        if failure.status == TOO_LARGE and len(portion.outcomes) > 1:
            self._put_back(portion, then=self._queue.too_large)
            return
        with self._changed:
            now = time.monotonic()
            pause = self._queue.failed(portion, retry_after=failure.retry_after, status=failure.status, now=now)
            self._changed.notify_all()
        if not self._closing.is_set():
            log.warning("%d outcomes not sent (%s), next try in %.1f s", len(portion.outcomes), failure, pause)

    def _put_back(self, portion: Portion, *, then: Callable[[Portion], None]) -> None:
        with self._changed:
            then(portion)
            self._changed.notify_all()

    def _written(self, outcome: Outcome) -> Outcome:
        if not self._journal:
            encode(outcome.body)
        number = self._journal.append(outcome.entry()) if self._journal else next(self._numbers)
        return Outcome(number, outcome.address, outcome.body, outcome.is_count)

    def _add(self, outcome: Outcome, *, since: float | None = None) -> None:
        now = time.monotonic()
        with self._changed:
            if self._queue.add(outcome, now=now, since=now if since is None else since):
                self._changed.notify_all()

    def _add_all(self, entries: list[tuple[int, Body]]) -> int:
        """Add outcomes that an earlier process stored. Their leases may have expired since."""
        assert self._journal
        for number, entry in entries:
            try:
                self._add(Outcome.of(number, entry), since=AGES_AGO)
            except ValueError:
                self._journal.reject(number)
        return len(entries)

    def _forget(self, numbers: list[int]) -> None:
        if self._journal:
            self._journal.forget(numbers)
