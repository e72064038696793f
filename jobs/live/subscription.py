"""Subscription of one listener (a socket or an event stream) to a topic of the hub."""

from __future__ import annotations

from jobs.live.hub import Hub
from jobs.live.job_messages import JobMessage
from jobs.live.send_queue import SendQueue
from jobs.live.topics import Topic


class Subscription:
    """The topic of a listener and its send queue, from `join` until `leave`.

    A subscription begins with a snapshot: `queue.wants_snapshot` is set, and again after a change of the topic.
    """

    def __init__(self, hub: Hub, topic: Topic, *, close_after: float) -> None:
        self.topic = topic
        self.queue = SendQueue()
        self.queue.wants_snapshot = True
        self._hub = hub
        self._close_after = close_after

    def join(self) -> None:
        """Let the hub fill the queue."""
        self._hub.join(self.topic, self.queue)

    def leave(self) -> None:
        """Get nothing more from the hub."""
        self._hub.leave(self.topic, self.queue)

    def watch(self, topic: Topic) -> None:
        """Replace the topic by another one, for an account that may see more or less than before."""
        if topic == self.topic:
            return
        self.leave()
        self.topic = topic
        self.queue.clear()
        self.join()
        self.queue.wake.set()

    async def current(self, *, newer_than: dict[int, int] | None = None) -> tuple[list[JobMessage], set[int]]:
        """Return the stored state of the topic's jobs (those newer than given revisions), and the ids of all.

        Where the topic was replaced meanwhile, the new one is read: jobs of the old topic may no longer be visible.
        """
        while True:
            topic = self.topic
            found = await self._hub.current(topic, newer_than=newer_than)
            if topic == self.topic:
                return found

    @property
    def over_since(self) -> float | None:
        """The moment when a single job was shown in a state that no worker can change; None before, and for lists."""
        return None if self.topic.job is None else self.queue.over_since

    def is_over(self, *, now: float) -> bool:
        """Was a single job shown for `close_after` seconds in a state that no worker can change?"""
        since = self.over_since
        return since is not None and now - since >= self._close_after

    @property
    def is_deleted(self) -> bool:
        """Was the listener sent the message that its single job is gone?"""
        return self.topic.job is not None and self.queue.last_gone == self.topic.job
