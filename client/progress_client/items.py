"""One claimed item: done inside `with`, told when it is left."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Protocol

from progress_client import forks
from progress_client.errors import Fail, LeaseLost, Skip

log = logging.getLogger(__name__)

LONGEST_ERROR = 2000


class Teller(Protocol):
    """Who takes the outcome of an item."""

    def tell(self, item: Item, outcome: dict[str, Any]) -> None:
        """Take it; TypeError or ValueError where it is no JSON."""

    def let_go(self, item: Item) -> None:
        """Nothing is to be told of this item."""


class Item(forks.Unpicklable):
    """An item that this worker holds; `with item:` or `async with item:` tells what became of it.

    Left normally it is completed, with `item.result`. An exception makes it failed with the exception's sentence and
    goes no further, so that the loop goes on; `Skip` and `Fail` say it in your words. Ctrl-C, SIGTERM and a cancelled
    task give the item back and go on as usual. `complete`, `fail`, `skip` and `give_back` tell it earlier; the first
    one counts. All of it happens in the process that has claimed the item: in a forked child it raises ProgressError.
    """

    instead = "send its key, and report it in the process that has claimed it"

    def __init__(self, body: dict[str, Any], *, job: int, phase: str, worker: str, teller: Teller) -> None:
        self.id: int = body["id"]
        self.key: str = body["key"]
        self.label: str = body["label"]
        self.split: str = body["split"]
        self.payload: dict[str, Any] = body["payload"]
        self.attempt: int = body["attempt"]
        self.job, self.phase, self.worker = job, phase, worker
        self.result: Any = None
        self.lost = False
        self.renewed_at = time.monotonic()
        self.outcome = ""
        self._teller = teller
        self._process = os.getpid()

    def __repr__(self) -> str:
        return f"<Item {self.key!r} of job {self.job}, attempt {self.attempt}, {self.outcome or 'open'}>"

    def check(self) -> None:
        """Raise LeaseLost when the item is no longer ours, so that long work can end early."""
        self._check_process()
        if self.lost:
            raise LeaseLost(f"{self.label or self.key} is no longer ours; what it would give is not counted.")

    def complete(self, result: Any = None) -> None:
        """It is done. A result is a JSON object of at most 16 KiB; anything else is kept as {"value": it}."""
        body = {"result": as_object(result)} if result is not None else {}
        try:
            self._tell("completed", body)
        except (TypeError, ValueError) as error:
            self.fail(f"The result is no JSON: {error}")

    def fail(self, error: str) -> None:
        """It has failed, for the reason that the sentence gives (500 characters of it are kept)."""
        self._tell("failed", {"error": sayable(error)})

    def skip(self, reason: str = "") -> None:
        """It need not be done; that counts as done."""
        self._tell("skipped", {"error": sayable(reason)})

    def give_back(self) -> None:
        """Somebody else may do it."""
        self._tell("pending", {})

    def __enter__(self) -> Item:
        self._check_process()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> bool:
        if error is None:
            self.complete(self.result)
            return True
        return self._raised(error)

    async def __aenter__(self) -> Item:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> bool:
        return self.__exit__(kind, error, at)

    def _raised(self, error: BaseException) -> bool:
        """Tell what an exception means; True where it ends here."""
        if self._process != os.getpid():
            return False
        if isinstance(error, LeaseLost):
            log.warning("%s", error)
            self._leave("lost")
        elif isinstance(error, Skip):
            self.skip(str(error))
        elif isinstance(error, Fail):
            self.fail(str(error))
        elif isinstance(error, Exception):
            log.warning("%s failed", self.key, exc_info=error)
            self.fail(_sentence(error))
        else:
            self.give_back()
            return False
        return True

    def _check_process(self) -> None:
        forks.check(self._process, f"{self.key!r} was claimed", instead="report it there, or claim items here")

    def _tell(self, status: str, body: dict[str, Any]) -> None:
        self._check_process()
        if not self.outcome:
            self._teller.tell(self, {"key": self.key, "status": status, "attempt": self.attempt, **body})
            self.outcome = status

    def _leave(self, outcome: str) -> None:
        if not self.outcome:
            self.outcome = outcome
            self._teller.let_go(self)


def as_object(result: Any) -> dict[str, Any]:
    return dict(result) if isinstance(result, Mapping) else {"value": result}


def sayable(sentence: str) -> str:
    """As much of a sentence as is worth sending, in characters that can be sent."""
    return sentence[:LONGEST_ERROR].replace("\0", "\\0").encode("utf-8", "backslashreplace").decode()


def _sentence(error: Exception) -> str:
    """`ValueError: no such file`."""
    text = str(error)
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
