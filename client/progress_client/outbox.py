"""Reports outcomes in the background: together, in order per item, again until the site has answered for them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from typing import Any, Callable

from progress_client import outcome_queue
from progress_client.answers import are_results
from progress_client.buffer import Address, Body, Outcome, Portion
from progress_client.dead_file import DeadFile, dead_row
from progress_client.errors import CertificateError, NotPermitted, ProgressError, Refused, Unavailable
from progress_client.journal import Journal
from progress_client.outcome_queue import OutcomeQueue
from progress_client.transport import Transport, Trouble, encode

log = logging.getLogger(__name__)

SETTLED = ("applied", "duplicate")
TOO_MUCH = (400, 413)
TOO_LARGE = 413
UNKNOWN = 500
AGES_AGO = float("-inf")

Answered = Callable[[Address, Body], None]


class Outbox:
    """Outcomes on their way: told when there are 100 of them or the oldest is a second old.

    `answered` is called with every answer to a report, from the thread of the outbox. `error` is why nothing can be
    told any more (a token that is not valid); what waits stays in the journal. What the site refuses for good goes to
    the dead file.
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
        self._thread = threading.Thread(target=self._run, name="progress-outbox", daemon=True)
        self._thread.start()

    # --- from any thread -------------------------------------------------------------------------

    def tell(self, address: Address, result: Body, *, since: float | None = None) -> None:
        """Store the outcome of an item, leased `since` then, and report it soon. TypeError or ValueError where
        it is no JSON."""
        self._add(self._written(Outcome(0, address, result)), since=since)

    def count(self, address: Address, body: Body, *, patience: float, stop: threading.Event) -> Any:
        """Write numbers down and tell them at once. Unavailable: they are told later, also by the next process."""
        outcome = self._written(Outcome(0, address, body, is_count=True))
        try:
            answer = self._transport.call("POST", f"{address.path}/count", body, patience=patience, stop=stop)
        except (Unavailable, NotPermitted, CertificateError):
            self._add(outcome)
            raise
        except Refused:
            self._forget([outcome.number])
            raise
        self._forget([outcome.number])
        return answer

    def adopt(self) -> int:
        """Take over what processes that died had not told; how many outcomes that were."""
        return self._add_all(self._journal.adopt()) if self._journal else 0

    def retry_refused(self) -> int:
        """Report the outcomes of the dead file once more; how many these are."""
        with self._dead.emptied() as rows:
            outcomes = [self._written(Outcome.of(0, row)) for row in rows]
            if self._journal:
                self._journal.sync()
        list(map(self._add, outcomes))
        return len(outcomes)

    def flush(
        self, *, job: int | None = None, patience: float = float("inf"), stop: threading.Event | None = None
    ) -> bool:
        """Wait until everything (of this job) is answered; False if that took too long. Raises why it is impossible."""
        deadline = time.monotonic() + patience
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

    def tell_first(self, job: int | None, *, older_than: float, stop: threading.Event) -> None:
        """Before a claim: report outcomes of this job (None: of any) whose leases may have run out meanwhile.

        Without this a claim after an outage brings our own finished items again. It waits for 30 seconds after the
        last success at most, and ends with a failed try, so that a claim never overtakes the outcomes when the server
        comes back. Raises what made telling impossible.
        """
        with self._changed:
            if self._queue.is_late(job, older_than=older_than, now=time.monotonic()):
                with self._hurry():
                    self._wait_while_late(job, older_than, stop=stop)
        if self.error:
            raise self.error

    def close(self, *, patience: float) -> int:
        """Tell what waits, for so many seconds at most; how many outcomes are left for the next process."""
        with self._changed:
            self._deadline = time.monotonic() + patience
            self._closing.set()
            self._queue.wake(None)
            self._changed.notify_all()
        self._thread.join(patience + 1)
        with self._changed:
            left = self._queue.number(None)
        if self._journal and not self._thread.is_alive():
            self._journal.close()
        if left:
            where = "they wait in the journal" if self._journal else "they are lost"
            log.warning("%d outcomes could not be told; %s", left, where)
        return left

    # --- waiting -----------------------------------------------------------------------------------

    @contextmanager
    def _hurry(self) -> Iterator[None]:
        """Let outcomes not wait for more of them."""
        self._hurried += 1
        self._changed.notify_all()
        try:
            yield
        finally:
            self._hurried -= 1

    def _wait_while_late(self, job: int | None, older_than: float, *, stop: threading.Event) -> None:
        least, deadline, failures = self._queue.number(job) + 1, 0.0, -1
        while self.error is None and not stop.is_set():
            now, waiting = time.monotonic(), self._queue.number(job)
            if not self._queue.is_late(job, older_than=older_than, now=now):
                return
            if waiting < least:
                least, deadline, failures = waiting, now + outcome_queue.TELL_FIRST_SECONDS, -1
            elif now >= deadline and failures < 0:
                failures = self._queue.failures
                self._queue.wake(job)
                self._changed.notify_all()
            elif now >= deadline and (failures != self._queue.failures or self._queue.must_rest(now=now)):
                return
            self._changed.wait(0.2)

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while self.error is None and (portion := self._next()):
            self._deliver(portion)
        if self._journal:
            self._journal.sync()

    def _next(self) -> Portion | None:
        """The next outcomes, when it is time to tell them; None when we are closing and no more can be told."""
        with self._changed:
            while True:
                now, closing = time.monotonic(), self._closing.is_set()
                at = self._queue.due_at(hurried=closing or self._hurried > 0)
                if closing and (at is None or at > self._deadline):
                    return None
                portion = self._queue.take(now=now) if at is not None and at <= now else None
                if portion:
                    return portion
                self._changed.wait(None if at is None else max(0.0, at - now))

    def _deliver(self, portion: Portion) -> None:
        """Tell these once: they are answered for, or wait for their next turn, or nothing can be told any more."""
        if self._journal:
            self._journal.sync()
        try:
            self._try(portion)
        except Trouble as trouble:
            self._again(portion, trouble)
        except (NotPermitted, CertificateError) as error:
            self.error = error
            self._put_back(portion, then=self._queue.put_back)
        except Exception as error:
            # A defect must not end the reports without a word: the outcomes stay in the journal.
            log.exception("%d outcomes for %s cannot be told", len(portion.outcomes), portion.address)
            self._again(portion, Trouble(repr(error), status=UNKNOWN))

    def _try(self, portion: Portion) -> None:
        try:
            answer = self._transport.once("POST", portion.path, encode(portion.body))
        except NotPermitted:
            raise
        except Refused as error:
            self._refused(portion, error)
        else:
            # What is not answered for must not be forgotten.
            if not portion.outcomes[0].is_count and not are_results(answer["results"], number=len(portion.outcomes)):
                raise Trouble("the answer is not that of a Progress Site", status=UNKNOWN)
            self._answer(portion, answer)

    def _answer(self, portion: Portion, answer: Body) -> None:
        refused = []
        for outcome, result in zip(portion.outcomes, answer.get("results", ())):
            if result["outcome"] not in SETTLED:
                code, detail = result["outcome"], str(result.get("detail", ""))
                log.warning("not counted: %s is %s. %s", result["key"], code, detail)
                # Nothing is lost with a stale outcome (a later attempt counts) or with one that gives an item back.
                if code != "stale" and outcome.body.get("status") != "pending":
                    refused.append(dead_row(outcome, status=200, code=code, detail=detail))
        self._bury(refused)
        self._settled(portion)
        if "results" in answer:
            try:
                self._answered(portion.address, answer)
            except Exception:
                # A progress bar that cannot be drawn must not end the reports.
                log.exception("the answer for %s could not be shown", portion.address.path)

    def _refused(self, portion: Portion, error: Refused) -> None:
        """A refusal concerns every outcome of the call: find the one that is meant, and keep it in the dead file."""
        if error.status in TOO_MUCH and len(portion.outcomes) > 1:
            self._put_back(portion, then=self._queue.too_large)
            return
        status, code, detail = error.status, error.code, error.detail
        self._bury([dead_row(outcome, status=status, code=code, detail=detail) for outcome in portion.outcomes])
        outcome = portion.outcomes[0]
        number, where = len(portion.outcomes), portion.address.path
        log.error("%d outcomes for %s are refused, and kept in %s: %s", number, where, self._dead, error)
        if error.status in TOO_MUCH and outcome.body.get("result") is not None:
            kept = {name: value for name, value in outcome.body.items() if name != "result"}
            self.tell(outcome.address, {**kept, "status": "failed", "error": f"The result is refused: {detail}"})
        self._settled(portion)

    def _bury(self, rows: Sequence[Body]) -> None:
        """Keep refused outcomes; Trouble where they cannot be written, so that they stay in the journal."""
        try:
            self._dead.add(rows)
        except OSError as error:
            raise Trouble(f"{self._dead} cannot be written: {error}", status=UNKNOWN) from error

    def _settled(self, portion: Portion) -> None:
        self._forget(portion.numbers)
        with self._changed:
            self._queue.settled(portion, now=time.monotonic())
            self._changed.notify_all()

    def _again(self, portion: Portion, trouble: Trouble) -> None:
        """Put outcomes that brought trouble back, for the next try."""
        if trouble.status == TOO_LARGE and len(portion.outcomes) > 1:
            self._put_back(portion, then=self._queue.too_large)
            return
        with self._changed:
            pause = self._queue.failed(portion, asked=trouble.asked, status=trouble.status, now=time.monotonic())
            self._changed.notify_all()
        if not self._closing.is_set():
            log.warning("%d outcomes are not told (%s), next try in %.1f s", len(portion.outcomes), trouble, pause)

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
