"""Tells outcomes in the background: together, in order per item, again until the server has answered for them."""

from __future__ import annotations

import logging
import threading
import time
from itertools import count
from typing import Any, Callable

from progress_client import backoff
from progress_client.buffer import MOST_RESULTS, Address, Body, Buffer, Outcome, Portion
from progress_client.errors import NotPermitted, Refused, Unavailable
from progress_client.journal import Journal
from progress_client.transport import Transport, Trouble, encode

log = logging.getLogger(__name__)

ENOUGH = 100
OLDEST_SECONDS = 1.0
BREATH = 3
SETTLED = ("applied", "duplicate")
TOO_MUCH = (400, 413)

Answered = Callable[[Address, Body], None]


class Outbox:
    """Outcomes on their way: told when there are 100 of them or the oldest is a second old.

    `answered` is called with every answer to a report, from the thread of the outbox. `error` is why nothing can be
    told any more (a token that is not valid); what waits stays in the journal.
    """

    def __init__(self, transport: Transport, journal: Journal | None, *, answered: Answered) -> None:
        self.error: Refused | None = None
        self._transport, self._journal, self._answered = transport, journal, answered
        self._numbers = count(1)
        self._buffer = Buffer()
        self._changed = threading.Condition()
        self._oldest_at, self._under_way, self._flushing = 0.0, 0, 0
        self._not_before = 0.0
        self._closing, self._deadline = threading.Event(), 0.0
        if journal:
            self._add_all(journal.left)
        self.adopt()
        self._thread = threading.Thread(target=self._run, name="progress-outbox", daemon=True)
        self._thread.start()

    # --- from any thread -------------------------------------------------------------------------

    def tell(self, address: Address, result: Body) -> None:
        """Write the outcome of an item down and have it told soon. TypeError or ValueError where it is no JSON."""
        self._add(self._written(Outcome(0, address, result)))

    def count(self, address: Address, body: Body, *, patience: float, stop: threading.Event) -> Any:
        """Write numbers down and tell them at once. Unavailable: they are told later, also by the next process."""
        outcome = self._written(Outcome(0, address, body, is_count=True))
        try:
            answer = self._transport.call("POST", f"{address.path}/count", body, patience=patience, stop=stop)
        except (Unavailable, NotPermitted):
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

    def flush(self, *, patience: float = float("inf"), stop: threading.Event | None = None) -> bool:
        """Wait until everything that was written down is answered; False if that took too long.

        Raises what made telling impossible.
        """
        deadline = time.monotonic() + patience
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            try:
                while (self._buffer.size or self._under_way) and self.error is None:
                    left = deadline - time.monotonic()
                    if left <= 0 or (stop and stop.is_set()):
                        return False
                    self._changed.wait(min(left, 0.2))
            finally:
                self._flushing -= 1
        if self.error:
            raise self.error
        return True

    def close(self, *, patience: float) -> int:
        """Tell what waits, for so many seconds at most; how many outcomes are left for the next process."""
        with self._changed:
            self._deadline = time.monotonic() + patience
            self._closing.set()
            self._changed.notify_all()
        self._thread.join(patience + 1)
        with self._changed:
            left = self._buffer.size + self._under_way
        if self._journal and not self._thread.is_alive():
            self._journal.close()
        if left:
            where = "they wait in the journal" if self._journal else "they are lost"
            log.warning("%d outcomes could not be told; %s", left, where)
        return left

    # --- the thread ------------------------------------------------------------------------------

    def _run(self) -> None:
        while self.error is None:
            portion = self._next()
            if portion is None or not self._deliver(portion):
                break
            with self._changed:
                self._under_way = 0
                self._changed.notify_all()
        if self._journal:
            self._journal.sync()

    def _next(self) -> Portion | None:
        """The next outcomes, when it is time to tell them; None when there are none left and we are closing."""
        with self._changed:
            while (at := self._due_at()) is None or at > time.monotonic():
                self._changed.wait(None if at is None else max(0.0, at - time.monotonic()))
            portion = self._buffer.portion()
            self._under_way = len(portion.outcomes) if portion else 0
            self._oldest_at = time.monotonic()
            return portion

    def _due_at(self) -> float | None:
        """When the next call is made; None while there is nothing to tell.

        After a call there is a pause in proportion to what it took, so that a busy server gets fewer and larger ones.
        """
        if self._closing.is_set():
            return 0.0
        if not self._buffer.size:
            return None
        if self._flushing or self._buffer.size >= MOST_RESULTS:
            return 0.0
        return self._not_before if self._buffer.size >= ENOUGH else self._oldest_at + OLDEST_SECONDS

    def _deliver(self, portion: Portion) -> bool:
        """Tell these until there is an answer; False when that is over for good or there is no time left."""
        if self._journal:
            self._journal.sync()
        tries = 0
        while True:
            try:
                began = time.monotonic()
                answer = self._transport.once("POST", portion.path, encode(portion.body))
                self._not_before = time.monotonic() + BREATH * (time.monotonic() - began)
                check(answer, portion)
            except Trouble as trouble:
                if not self._pause(backoff.pause(tries, asked=trouble.asked), portion, trouble):
                    return False
                tries += 1
            except NotPermitted as error:
                return self._give_up(error)
            except Refused as error:
                return self._refused(portion, error)
            else:
                self._told(portion, answer)
                return True

    def _pause(self, seconds: float, portion: Portion, trouble: Trouble) -> bool:
        """Wait before the next try; False when there is no time for one."""
        if not self._closing.is_set():
            log.warning("%d outcomes are not told (%s), next try in %.1f s", len(portion.outcomes), trouble, seconds)
            self._closing.wait(seconds)
            return True
        if seconds > self._deadline - time.monotonic():
            return False
        time.sleep(seconds)
        return True

    def _told(self, portion: Portion, answer: Body) -> None:
        self._forget(portion.numbers)
        for result in answer.get("results", ()):
            if result["outcome"] not in SETTLED:
                log.warning("not counted: %s is %s. %s", result["key"], result["outcome"], result.get("detail", ""))
        if "results" in answer:
            self._answered(portion.address, answer)

    def _refused(self, portion: Portion, error: Refused) -> bool:
        """A refusal concerns every outcome of the call: find the one that is meant, and tell that it has failed."""
        if error.status in TOO_MUCH and len(portion.outcomes) > 1:
            return all(map(self._deliver, portion.halves()))
        [outcome, *others] = portion.outcomes
        if error.status in TOO_MUCH and outcome.body.get("status") == "completed":
            log.error("the result of %s is refused: %s", outcome.body["key"], error)
            kept = {name: value for name, value in outcome.body.items() if name != "result"}
            self.tell(outcome.address, {**kept, "status": "failed", "error": f"The result is refused: {error.detail}"})
        else:
            log.error("%d outcomes for %s are dropped: %s", 1 + len(others), portion.address.path, error)
        self._forget(portion.numbers)
        return True

    def _give_up(self, error: Refused) -> bool:
        with self._changed:
            self.error = error
            self._changed.notify_all()
        return False

    # --- the parts -------------------------------------------------------------------------------

    def _written(self, outcome: Outcome) -> Outcome:
        number = self._journal.append(outcome.entry()) if self._journal else next(self._numbers)
        return Outcome(number, outcome.address, outcome.body, outcome.is_count)

    def _add(self, outcome: Outcome) -> None:
        with self._changed:
            if not self._buffer.size:
                self._oldest_at = time.monotonic()
            self._buffer.add(outcome)
            if self._buffer.size in (1, ENOUGH):
                self._changed.notify_all()

    def _add_all(self, entries: list[tuple[int, Body]]) -> int:
        assert self._journal
        for number, entry in entries:
            try:
                self._add(Outcome.of(number, entry))
            except ValueError:
                self._journal.reject(number)
        return len(entries)

    def _forget(self, numbers: list[int]) -> None:
        if self._journal:
            self._journal.forget(numbers)


def check(answer: Any, portion: Portion) -> None:
    """Trouble unless this is what a Progress Site answers: what is not answered for must not be forgotten."""
    wanted = "applied" if portion.outcomes[0].is_count else "results"
    if not isinstance(answer, dict) or wanted not in answer:
        raise Trouble("the answer is not that of a Progress Site")
