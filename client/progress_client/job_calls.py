"""Every call on a job, once for both twins: `A` is the answer itself, or an awaitable of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Generic, TypeVar
from urllib.parse import urlencode
from uuid import UUID, uuid4

from progress_client.buffer import Address

A = TypeVar("A")
Answer = dict[str, Any]


class Verbs(Generic[A]):
    """The wire's verbs under the wire's names. Every one may be repeated after a lost answer.

    `phase` is a phase's code; left out it is the first one of the job. Each answers the body of the server; Refused
    (NotFound, NotPermitted, WrongState) carries its sentence, Unavailable says that no answer came in time.
    """

    id: int

    @property
    def first_phase(self) -> str:
        """The code of the first phase."""
        raise NotImplementedError

    def _call(self, method: str, path: str, body: Answer | None = None) -> A:
        raise NotImplementedError

    def _count(self, address: Address, body: Answer) -> A:
        raise NotImplementedError

    @property
    def _worker(self) -> str:
        raise NotImplementedError

    # --- what workers say ------------------------------------------------------------------------

    def announce(self, expected: int, *, phase: str | None = None, event_id: UUID | str | None = None) -> A:
        """Tell how many items there will be in all. → {"applied", "reason", "phase"}"""
        body = {"expected": expected, "event_id": str(event_id or uuid4())}
        return self._call("POST", f"{self._phase(phase)}/announce", body)

    def report(self, results: Sequence[Mapping[str, Any]], *, phase: str | None = None, worker: str | None = None) -> A:
        """Tell outcomes of named items now, at most 1000: {"key", "status", "attempt"?, "error"?, "result"?}.

        → {"results": [{"key", "outcome", "status", "detail"?}], "phase", "cancel_requested"}
        """
        body = {"worker": self._worker if worker is None else worker, "results": [dict(row) for row in results]}
        return self._call("POST", f"{self._phase(phase)}/report", body)

    def count(
        self,
        *,
        done: int = 0,
        failed: int = 0,
        skipped: int = 0,
        phase: str | None = None,
        event_id: UUID | str | None = None,
    ) -> A:
        """Add to the numbers of a phase without items. → {"applied", "phase"}

        The numbers are in the journal under their `event_id` before they are sent: after Unavailable they are told
        later, also by the next process, and never twice.
        """
        body = {"done": done, "failed": failed, "skipped": skipped, "event_id": str(event_id or uuid4())}
        return self._count(Address(self.id, self._code(phase)), body)

    def heartbeat(
        self, *, worker: str | None = None, items: Iterable[int] | None = None, message: str | None = None
    ) -> A:
        """A sign of life; it renews the leases of these items, or of all that the worker holds in the job.

        Without `items` it speaks for everything under this worker's name, so the name must be used by one process only:
        of two with one name the living one would keep the items of the dead one. Loops over `claim` name their items
        and do this by themselves. → {"job_status", "cancel_requested", "leases", "lost"}
        """
        body = {"worker": worker or self._worker, "items": None if items is None else list(items), "message": message}
        return self._call("POST", f"{self._path}/heartbeat", _given(body))

    def start(self, *, phase: str | None = None) -> A:
        """A phase without items is being worked on. → the phase"""
        return self._call("POST", f"{self._phase(phase)}/start", {})

    def finish(self, *, phase: str | None = None) -> A:
        """A phase is finished with what was counted; on a phase with items: the list is complete. → the phase"""
        return self._call("POST", f"{self._phase(phase)}/finish", {})

    def fail(self, error: str = "", *, phase: str | None = None) -> A:
        """A phase without items has failed. → the phase"""
        return self._call("POST", f"{self._phase(phase)}/fail", {"error": error})

    # --- what everybody may look at ----------------------------------------------------------------

    def progress(self, *, phase: str | None = None) -> A:
        """Live counts of the job or of one phase. → {"total", "processed", "error", …, "by_split"}"""
        return self._call("GET", f"{self._path}/progress{_query(phase=phase)}")

    def errors(self) -> A:
        """Failures by their sentence, the most frequent first. → [{"signature", "sample", "count", …}]"""
        return self._call("GET", f"{self._path}/errors")

    def timeline(self, *, limit: int = 50, cursor: str = "") -> A:
        """What happened, newest first. → {"results", "next"}"""
        return self._call("GET", f"{self._path}/timeline{_query(limit=limit, cursor=cursor)}")

    # --- what operators do; each needs a permission, and keeps who, when and why ----------------------

    def retry(
        self,
        *,
        phase: str | None = None,
        items: Iterable[int] | None = None,
        error_signature: str | None = None,
        reason: str = "",
    ) -> A:
        """Failed items are pending again. → {"changed", "refused", "detail", "job"}, as for every act"""
        which = {"phase": phase, "items": None if items is None else list(items), "error_signature": error_signature}
        return self._act("retry", reason, **which)

    def release(
        self, *, phase: str | None = None, items: Iterable[int] | None = None, all: bool = False, reason: str = ""
    ) -> A:
        """Make held items without a live lease pending; with `all` also those with one."""
        named = None if items is None else list(items)
        return self._act("release", reason, phase=phase, items=named, all=all)

    def skip(self, items: Iterable[int], *, reason: str = "") -> A:
        """These items count as done without work."""
        return self._act("skip", reason, items=list(items))

    def force_complete(self, *, phase: str | None = None, reason: str) -> A:
        """Every open phase, or this one, is finished with what it has."""
        return self._act("force-complete", reason, phase=phase)

    def give_up(self, *, reason: str = "") -> A:
        """The job has failed (the server's `fail` of a job; `fail` here is that of a phase)."""
        return self._act("fail", reason)

    def cancel(self, *, reason: str = "") -> A:
        """Nobody wants the job any more."""
        return self._act("cancel", reason)

    def pause(self, *, reason: str = "") -> A:
        """Nothing more is handed out until it is resumed."""
        return self._act("pause", reason)

    def resume(self, *, reason: str = "") -> A:
        """A paused job goes on."""
        return self._act("resume", reason)

    def threshold(self, threshold: int, *, phase: str | None = None, reason: str = "") -> A:
        """The percent that completes a phase."""
        return self._act("threshold", reason, phase=self._code(phase), threshold=threshold)

    def restart(self, *, phase: str | None = None, only: str = "all", reason: str = "") -> A:
        """A new run of a phase, over all of its items or over the "failed" ones."""
        return self._act("restart", reason, phase=self._code(phase), only=only)

    # --- the parts -------------------------------------------------------------------------------

    @property
    def _path(self) -> str:
        return f"/jobs/{self.id}"

    def _code(self, phase: str | None) -> str:
        return self.first_phase if phase is None else phase

    def _phase(self, phase: str | None) -> str:
        return Address(self.id, self._code(phase)).path

    def _act(self, act: str, reason: str, **which: Any) -> A:
        return self._call("POST", f"{self._path}/{act}", {**_given(which), "reason": reason})


def _given(body: Answer) -> Answer:
    return {name: value for name, value in body.items() if value is not None}


def _query(**parameters: Any) -> str:
    given = urlencode({name: value for name, value in parameters.items() if value not in (None, "")})
    return f"?{given}" if given else ""
