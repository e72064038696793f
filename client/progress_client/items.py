"""Claimed item: processed inside `with`, reported when the block ends."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from traceback import format_exception
from types import TracebackType
from typing import Any, Protocol

from progress_client import forks, item_log
from progress_client.errors import Fail, LeaseLost, Skip
from progress_client.item_log import ItemLog

log = logging.getLogger(__name__)

LONGEST_ERROR = 2000


class OutcomeSink(Protocol):
    """Receiver of the outcome of an item."""

    def report_later(self, item: Item, outcome: dict[str, Any]) -> None:
        """Store the outcome for a later report; TypeError or ValueError if it is not JSON."""

    def discard(self, item: Item) -> None:
        """Stop tracking the item, without a report."""


class Item(forks.Unpicklable):
    """An item leased to this worker; `with item:` or `async with item:` reports its outcome.

    A block that ends normally completes the item, with `item.result`. An exception fails it with the text of the
    exception and is not raised further, so the loop continues; its traceback is sent as the log. `Skip` and `Fail`
    carry a text of your own. An item that failed before has `failures` and the `last_error`. Ctrl-C,
    SIGTERM and a cancelled task give the item back and are raised further. `complete`, `fail`, `skip` and `give_back`
    report earlier; the first report counts. Use an item only in the process that claimed it: a forked child gets
    ProgressError.
    """

    instead = "send its key, and report it in the process that has claimed it"

    def __init__(self, body: Mapping[str, Any], *, job: int, phase: str, worker: str, sink: OutcomeSink) -> None:
        self.id: int = body["id"]
        self.key: str = body["key"]
        self.label: str = body["label"]
        self.split: str = body["split"]
        self.payload: dict[str, Any] = body["payload"]
        self.attempt: int = body["attempt"]
        self.failures: int = body.get("failures", 0)
        self.last_error: str = body.get("last_error", "")
        self.job, self.phase, self.worker = job, phase, worker
        self.result: Any = None
        self.lost = False
        self.renewed_at = time.monotonic()
        self.percent: int | None = None
        self.percent_at = 0.0
        self.outcome = ""
        self.is_begun = False
        self._sink = sink
        self._log = ItemLog()
        self._outer: Item | None = None
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"<Item {self.key!r} of job {self.job}, attempt {self.attempt}, {self.outcome or 'open'}>"

    def check(self) -> None:
        """Raise LeaseLost if the lease has ended, so that long work can stop early."""
        self._check_process()
        if self.lost:
            raise LeaseLost(f"The lease of {self.label or self.key} has ended; its result would not be counted.")

    def progress(self, percent: int) -> None:
        """Set how much of the item is done, 0 to 100.

        The next heartbeat sends it, so that a job is not stalled during a long item.
        """
        self._check_process()
        if not isinstance(percent, int) or isinstance(percent, bool) or not 0 <= percent <= 100:
            raise ValueError(f"Enter the progress as a whole number from 0 to 100, not {percent!r}.")
        self.percent, self.percent_at = percent, time.monotonic()

    def complete(self, result: Any = None) -> None:
        """Report success. A result is a JSON object of at most 16 KiB; another value is stored as {"value": …}."""
        body = {"result": as_json_object(result)} if result is not None else {}
        try:
            self._report("completed", body)
        except (TypeError, ValueError) as error:
            self.fail(f"The result is not JSON: {error}")

    def log(self, text: str) -> None:
        """Add lines to the log of this attempt. The site keeps its last 16 KiB, also of a success."""
        self._log.add(text)

    def link(self, label: str, url: str) -> None:
        """Add a link, to an artifact or a page of logs: at most ten, http or https, else ValueError."""
        self._log.link(label, url)

    def fail(self, error: str, *, retry: bool | None = None, retry_after: int | None = None) -> None:
        """Report a failure. The site keeps 500 characters of the error.

        With `retry=False` it is final, although the phase has automatic retries. `retry_after` are the seconds until
        the next one, at most a week, instead of the delay of the phase.
        """
        choices = {"retry": retry, "retry_after": retry_after}
        body = {name: value for name, value in choices.items() if value is not None}
        self._report("failed", {"error": clean_sentence(error), **body})

    def skip(self, reason: str = "") -> None:
        """Report that the item needs no work; it counts as done."""
        self._report("skipped", {"error": clean_sentence(reason)})

    def give_back(self) -> None:
        """Return the item, so that another worker can claim it."""
        self._report("pending", {})

    def __enter__(self) -> Item:
        self._check_process()
        self.is_begun = True
        self._outer = item_log.current.get()
        item_log.current.set(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        item_log.current.set(self._outer)
        if error is None:
            self.complete(self.result)
            return True
        return self._report_exception(error)

    async def __aenter__(self) -> Item:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, at)

    def _report_exception(self, error: BaseException) -> bool:
        """Report the outcome that an exception means; True if it is not raised further."""
        if self._process != os.getpid():
            return False
        if isinstance(error, LeaseLost):
            log.warning("%s", error)
            self._discard("lost")
        elif isinstance(error, Skip):
            self.skip(str(error))
        elif isinstance(error, Fail):
            self.fail(str(error), retry=error.retry, retry_after=error.retry_after)
        elif isinstance(error, Exception):
            log.warning("%s failed", self.key, exc_info=error)
            self.log("".join(format_exception(error)))
            self.fail(_sentence(error))
        else:
            self.give_back()
            return False
        return True

    def _check_process(self) -> None:
        forks.check(self._process, f"{self.key!r} was claimed", instead="report it there, or claim items here")

    def _report(self, status: str, body: dict[str, Any]) -> None:
        self._check_process()
        self.is_begun = True
        if not self.outcome:
            outcome = {"key": self.key, "status": status, "attempt": self.attempt, **body, **self._log.body()}
            self._sink.report_later(self, outcome)
            self.outcome = status

    def _discard(self, outcome: str) -> None:
        if not self.outcome:
            self.outcome = outcome
            self._sink.discard(self)


def as_json_object(result: Any) -> dict[str, Any]:
    return dict(result) if isinstance(result, Mapping) else {"value": result}


def clean_sentence(sentence: str) -> str:
    """Cut an error text to 2000 characters and escape characters that cannot be sent."""
    return item_log.clean(sentence[:LONGEST_ERROR])


def _sentence(error: Exception) -> str:
    """Format an exception: `ValueError: no such file`."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
