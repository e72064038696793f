"""Send queue of one listener: messages that wait to be sent, and those that are not acknowledged yet."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from jobs.live import job_messages
from jobs.live.job_messages import JobMessage

WINDOW = 8
GONE_WINDOW = 4


@dataclass(frozen=True, slots=True)
class SentMessage:
    """A message that was sent. The snapshot has no job. A `gone` is acknowledged with any message sent after it."""

    job_id: int | None
    revision: int
    at: float
    is_gone: bool = False


class SendQueue:
    """Queue in which the newest state of each job replaces older ones; memory is bounded by the number of jobs.

    At most `WINDOW` messages are sent without an acknowledgement. Daphne has no flow control for websockets: without
    this window a client that does not read would fill the server's memory.

    Browsers do not acknowledge that a job is gone. So at most `GONE_WINDOW` such messages are under way; instead of
    more, the queue `wants_snapshot`, which is acknowledged and shows the same.

    Belongs to one event loop. `wake` is set when there may be something to send, `over_since` while the state sent last
    is one that no worker can change, `last_gone` is the job that the last `gone` message named.
    """

    def __init__(self) -> None:
        self.wake = asyncio.Event()
        self.over_since: float | None = None
        self.last_gone: int | None = None
        self.wants_snapshot = False
        self._shows_gone = False
        self._known: dict[int, int] = {}
        self._pending: dict[int, JobMessage | None] = {}
        self._sent: list[SentMessage] = []

    def clear(self) -> None:
        """Forget waiting messages, since a snapshot of another topic comes next."""
        self._known, self._pending = {}, {}
        self.wants_snapshot = True

    def post(self, message: JobMessage) -> None:
        """Queue a newer state in place of the waiting one."""
        waiting = self._pending.get(message.job_id)
        newest = waiting.revision if waiting else self._known.get(message.job_id, -1)
        if message.revision > newest:
            self._pending[message.job_id] = message
            self.wake.set()

    def repeat(self, message: JobMessage) -> None:
        """Queue a state that the browser lacks, even if it was sent before."""
        self._known.pop(message.job_id, None)
        self.post(message)

    def gone(self, job_id: int) -> None:
        """Queue the message that a job was deleted or has left the list."""
        self._known.pop(job_id, None)
        self._pending[job_id] = None
        self.wake.set()

    @property
    def is_full(self) -> bool:
        """Must the browser acknowledge something first?"""
        return len(self._sent) >= WINDOW

    def snapshot(self, shown: Sequence[JobMessage], *, now: float) -> str:
        """Return the message that shows these jobs; drop waiting states that are not newer."""
        for message in shown:
            self._note(message, now=now)
        if self._shows_gone:
            there = {message.job_id for message in shown}
            self._pending = {job_id: waits for job_id, waits in self._pending.items() if waits or job_id in there}
        self._pending = {job_id: waits for job_id, waits in self._pending.items() if not waits or self._is_newer(waits)}
        self.wants_snapshot = self._shows_gone = False
        self._sent.append(SentMessage(None, 0, now))
        return job_messages.snapshot(shown)

    def take(self, *, now: float) -> str | None:
        """Return the next message; None if nothing waits, the window is full, or a snapshot must come first."""
        if self._next_is_gone() and self._gone_under_way() >= GONE_WINDOW:
            self.wants_snapshot = self._shows_gone = True
        taken = None if self.is_full or self.wants_snapshot else self.pull(now=now)
        if taken is None:
            return None
        job_id, message = taken
        self._sent.append(SentMessage(job_id, message.revision if message else 0, now, is_gone=message is None))
        return message.text if message else job_messages.gone(job_id)

    def pull(self, *, now: float) -> tuple[int, JobMessage | None] | None:
        """Return the job that waits longest and its newest state (None: it is gone), for a listener that does not
        acknowledge."""
        if not self._pending:
            return None
        job_id = next(iter(self._pending))
        message = self._pending.pop(job_id)
        if message is None:
            self.last_gone = job_id
        else:
            self._note(message, now=now)
        return job_id, message

    def acknowledge(self, job_id: int | None, revision: int) -> bool:
        """Acknowledge a job's messages up to this revision (without a job: the snapshot); False if none was sent."""
        covered = [
            n
            for n, sent in enumerate(self._sent)
            if sent.job_id == job_id and sent.revision <= revision and not sent.is_gone
        ]
        if not covered:
            return False
        # Messages arrive in their order: whatever was sent before has arrived, too.
        self._sent = [
            sent for n, sent in enumerate(self._sent) if n not in covered and not (sent.is_gone and n < covered[-1])
        ]
        self.wake.set()
        return True

    @property
    def has_snapshot_under_way(self) -> bool:
        """Is a snapshot not acknowledged yet?"""
        return any(sent.job_id is None for sent in self._sent)

    def waits_since(self) -> float | None:
        """Return when the oldest message without an acknowledgement was sent; `gone` messages do not count."""
        return min((sent.at for sent in self._sent if not sent.is_gone), default=None)

    def is_settled(self) -> bool:
        """Has everything been sent and acknowledged?"""
        return not self._pending and self.waits_since() is None

    def size(self) -> int:
        """Return the number of messages that wait or are under way."""
        return len(self._pending) + len(self._sent)

    def _next_is_gone(self) -> bool:
        return bool(self._pending) and next(iter(self._pending.values())) is None

    def _gone_under_way(self) -> int:
        return sum(sent.is_gone for sent in self._sent)

    def _is_newer(self, message: JobMessage) -> bool:
        return message.revision > self._known.get(message.job_id, -1)

    def _note(self, message: JobMessage, *, now: float) -> None:
        self._known[message.job_id] = message.revision
        self.over_since = now if message.is_over else None
