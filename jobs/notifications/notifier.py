"""The sending of due messages to all channels, each in a thread of its own.

Only the thread that calls `turn` uses the database. A channel whose service does not answer occupies one thread: after
SECONDS its message has failed, and nothing more is sent to it before that thread has ended.

A message is recorded as sent after the service has accepted it. A crash between the two sends it once more; a crash
before loses nothing, because the row is still waiting.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Thread
from time import monotonic

import structlog
from django.utils import timezone

from jobs.db.reachability import log_failure
from jobs.isolation import set_aside
from jobs.models.notifications import Channel
from jobs.notifications import channel_leases, sending
from jobs.notifications.channel_run import ChannelRun, Parcel
from jobs.notifications.sending import Answer
from jobs.notifications.texts import Text
from jobs.outbox.delivery_run import release_connection

log = structlog.get_logger(__name__)

SECONDS = 45.0
MOST_THREADS = 64
LATE = Answer(False, f"No answer within {SECONDS:.0f} s.")


@dataclass(slots=True)
class Sending:
    """A parcel on its way."""

    run: ChannelRun
    thread: Thread
    until: float


class Notifier:
    """Sender of the due messages of every channel."""

    def __init__(self, *, now: datetime | None = None) -> None:
        self.counts: Counter[str] = Counter()
        self.error: Exception | None = None
        self._clock: Callable[[], datetime] = timezone.now if now is None else lambda: now
        self._waiting: dict[int, ChannelRun] = {}
        self._sending: dict[int, Sending] = {}
        self._hanging: dict[int, Thread] = {}
        self._answers: SimpleQueue[tuple[int, Thread, Answer]] = SimpleQueue()

    @property
    def idle(self) -> bool:
        """True when nothing is to be sent and nothing is on its way."""
        return not self._waiting and not self._sending

    def look(self) -> bool:
        """Queue a run for each channel with due messages; return False if the query failed."""
        try:
            for channel in channel_leases.channels_due(self._clock()):
                if channel.pk not in self._sending and not self._hangs(channel.pk):
                    self._waiting.setdefault(channel.pk, ChannelRun(channel, clock=self._clock))
        except Exception as error:
            self._failed(error, step="notify.look")
            return False
        return True

    def turn(self, timeout: float) -> None:
        """Send the next message of each channel, and store the answers that come within `timeout` seconds."""
        while self._waiting and len(self._sending) + len(self._hanging) < MOST_THREADS:
            key = next(iter(self._waiting))
            self._begin(key, self._waiting.pop(key))
        self._take(timeout)
        self._give_up()

    def finish(self, timeout: float | None) -> bool:
        """Store the answers that are on their way; return False if some take longer than `timeout` seconds."""
        over = monotonic() + (SECONDS if timeout is None else timeout)
        for run in self._waiting.values():
            run.let_go()
        self._waiting.clear()
        while self._sending and monotonic() < over:
            self._take(max(0.0, min(0.2, over - monotonic())), again=False)
        return not self._sending

    def _begin(self, key: int, run: ChannelRun) -> None:
        try:
            parcel = run.next_parcel()
        except Exception as error:
            self._failed(error, step="notify.channel", channel_id=key)
            return
        if parcel is None:
            self.counts.update(run.counts)
            return
        thread = Thread(target=self._send, args=(key, run.channel, parcel), name=f"channel-{key}", daemon=True)
        self._sending[key] = Sending(run, thread, monotonic() + SECONDS)
        thread.start()

    def _send(self, key: int, channel: Channel, parcel: Parcel) -> None:
        """Send in a thread of its own, which has no connection to the database."""
        thread = self._sending[key].thread
        self._answers.put((key, thread, sending.send(channel, parcel.text)))

    def _take(self, timeout: float, *, again: bool = True) -> None:
        if self._answers.empty():
            release_connection()
        try:
            key, thread, answer = self._answers.get(timeout=timeout)
        except Empty:
            return
        sent = self._sending.get(key)
        if sent is not None and sent.thread is thread:  # an answer after the time was given up
            self._record(key, answer, again=again)

    def _give_up(self) -> None:
        """Let the messages fail that were on their way for too long; their threads cannot be ended."""
        for key in [key for key, sent in self._sending.items() if sent.until < monotonic()]:
            self._hanging[key] = self._sending[key].thread
            self._record(key, LATE)
        self._hanging = {key: thread for key, thread in self._hanging.items() if thread.is_alive()}

    def _record(self, key: int, answer: Answer, *, again: bool = True) -> None:
        run = self._sending.pop(key).run
        try:
            if run.take(answer) and again:
                self._waiting[key] = run
                return
            run.let_go()
        except Exception as error:
            self._failed(error, step="notify.record", channel_id=key)
        self.counts.update(run.counts)

    def _hangs(self, key: int) -> bool:
        return key in self._hanging and self._hanging[key].is_alive()

    def _failed(self, error: Exception, **ids: object) -> None:
        """Set the channel aside; with the database away too, the next look tries again."""
        self.error = error
        try:
            set_aside(error, **ids)  # type: ignore[arg-type]
        except Exception:
            log_failure(log, "notification_pass_failed", error, **ids)


def notify(now: datetime | None = None) -> dict[str, int]:
    """Send the messages that are due; return how many were sent and how many failed. `now` replaces the clock."""
    notifier = Notifier(now=now)
    notifier.look()
    while not notifier.idle:
        notifier.turn(0.2)
    if notifier.error:
        raise notifier.error
    return {"sent": 0, "failed": 0, **notifier.counts}


def send_now(channel: Channel, text: Text) -> Answer:
    """Send one message and wait for its answer, at most SECONDS."""
    answers: SimpleQueue[Answer] = SimpleQueue()
    Thread(target=lambda: answers.put(sending.send(channel, text)), daemon=True).start()
    try:
        return answers.get(timeout=SECONDS)
    except Empty:
        return LATE
